"""Users in memory: they are as those of the system."""

from __future__ import annotations

import pwd
from typing import Any

import pytest

from reactorlib.python.fakepwd import ShadowDatabase, UserDatabase


@pytest.fixture
def users() -> UserDatabase:
    """The system's users."""
    made = UserDatabase()
    for user in pwd.getpwall():
        made.addUser(*user)
    return made


def test_users_are_found_as_by_the_system(users: UserDatabase) -> None:
    assert [tuple(user) for user in users.getpwall()] == [tuple(user) for user in pwd.getpwall()]
    for user in pwd.getpwall():
        for found in (users.getpwnam(user.pw_name), users.getpwuid(user.pw_uid)):
            for field in ("name", "passwd", "uid", "gid", "gecos", "dir", "shell"):
                assert getattr(found, f"pw_{field}") == getattr(user, f"pw_{field}")


@pytest.mark.parametrize("database", ["system", "memory"])
def test_users_that_are_not_there(users: UserDatabase, database: str) -> None:
    where: Any = pwd if database == "system" else users
    with pytest.raises(KeyError, match="name not found"):
        where.getpwnam("no such user")
    with pytest.raises(KeyError, match="uid not found"):
        where.getpwuid(54321)
    with pytest.raises(TypeError, match="must be str"):
        where.getpwnam(b"root")


def test_users_have_numbers_of_their_own() -> None:
    users = UserDatabase()
    users.addUser("a")
    users.addUser("b")
    first, second = users.getpwall()
    assert first.pw_uid != second.pw_uid
    assert users.getpwuid(second.pw_uid) is second
    assert (first.pw_passwd, first.pw_shell) == ("password", "/bin/sh")


def test_passwords() -> None:
    shadow = ShadowDatabase()
    shadow.addUser("a", "hash", 1, 2, 3, 4, 5, 6, 7)
    entry = shadow.getspnam("a")
    assert tuple(entry) == ("a", "hash", 1, 2, 3, 4, 5, 6, 7)
    assert (entry.sp_nam, entry.sp_namp, entry.sp_pwd, entry.sp_pwdp) == ("a", "a", "hash", "hash")
    assert (entry.sp_lstchg, entry.sp_expire, entry.sp_flag) == (1, 6, 7)
    assert shadow.getspall() == [entry]
    with pytest.raises(KeyError, match="b"):
        shadow.getspnam("b")
    with pytest.raises(TypeError, match="must be str"):
        shadow.getspnam(b"a")  # type: ignore[arg-type]
