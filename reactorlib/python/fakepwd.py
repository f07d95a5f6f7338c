"""Users and their passwords in memory, as the modules `pwd` and `spwd` have them: for tests."""

from __future__ import annotations

import itertools
from typing import NamedTuple

__all__ = ["ShadowDatabase", "UserDatabase"]


class _UserRecord(NamedTuple):
    pw_name: str
    pw_passwd: str
    pw_uid: int
    pw_gid: int
    pw_gecos: str
    pw_dir: str
    pw_shell: str


class _ShadowRecord(NamedTuple):
    sp_nam: str
    sp_pwd: str
    sp_lstchg: int
    sp_min: int
    sp_max: int
    sp_warn: int
    sp_inact: int
    sp_expire: int
    sp_flag: int

    # As it is called in Python 3.
    @property
    def sp_namp(self) -> str:
        return self.sp_nam

    @property
    def sp_pwdp(self) -> str:
        return self.sp_pwd


class UserDatabase:
    """Users, as the module `pwd` has them."""

    def __init__(self) -> None:
        self._users: list[_UserRecord] = []
        self._uids = itertools.count(10101)
        self._gids = itertools.count(20202)

    def addUser(
        self,
        username: str,
        password: str = "password",  # noqa: S107
        uid: int | None = None,
        gid: int | None = None,
        gecos: str = "",
        home: str = "",
        shell: str = "/bin/sh",
    ) -> None:
        """Add a user; without numbers, with the next free ones."""
        if uid is None:
            uid = next(self._uids)
        if gid is None:
            gid = next(self._gids)
        self._users.append(_UserRecord(username, password, uid, gid, gecos, home, shell))

    def getpwuid(self, uid: int) -> _UserRecord:
        """
        The user of a number.

        Raises:
            KeyError: there is none.
        """
        for user in self._users:
            if user.pw_uid == uid:
                return user
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    def getpwnam(self, name: str) -> _UserRecord:
        """
        The user of a name.

        Raises:
            KeyError: there is none.
            TypeError: it is not text.
        """
        if not isinstance(name, str):
            raise TypeError(f"getpwnam() argument must be str, not {type(name).__name__}")
        for user in self._users:
            if user.pw_name == name:
                return user
        raise KeyError(f"getpwnam(): name not found: {name!r}")

    def getpwall(self) -> list[_UserRecord]:
        """All users."""
        return list(self._users)


class ShadowDatabase:
    """Passwords of users, as the module `spwd` has them."""

    def __init__(self) -> None:
        self._users: list[_ShadowRecord] = []

    def addUser(
        self,
        username: str,
        password: str,
        lastChange: int,
        min: int,
        max: int,
        warn: int,
        inact: int,
        expire: int,
        flag: int,
    ) -> None:
        """Add a user; the numbers are days, as in /etc/shadow."""
        self._users.append(
            _ShadowRecord(username, password, lastChange, min, max, warn, inact, expire, flag)
        )

    def getspnam(self, username: str) -> _ShadowRecord:
        """
        The entry of a user.

        Raises:
            KeyError: there is none.
            TypeError: the name is not text.
        """
        if not isinstance(username, str):
            raise TypeError(f"getspnam() argument must be str, not {type(username).__name__}")
        for user in self._users:
            if user.sp_nam == username:
                return user
        raise KeyError(username)

    def getspall(self) -> list[_ShadowRecord]:
        """All entries."""
        return list(self._users)
