"""Checkers: passwords in files, in memory, hashed; and checkers from text."""

from __future__ import annotations

import os
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest

from reactorlib.cred import checkers, error, passwords, strcred
from reactorlib.cred.checkers import FilePasswordDB, HashedPasswordDB
from reactorlib.cred.credentials import (
    CramMD5Credentials,
    IAnonymous,
    IUsernameHashedPassword,
    IUsernamePassword,
    UsernamePassword,
)

# Enough to run, and not to wait for.
CHEAP = 4


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "passwords"
    path.write_bytes(b"alice:wonder\nBob:b:x\r\n\nnonsense\n")
    return path


@pytest.mark.parametrize("cache", [True, False])
async def test_a_file(file: Path, cache: bool) -> None:
    db = FilePasswordDB(str(file), cache=cache)
    assert db.getUser(b"alice") == (b"alice", b"wonder")
    assert db.getUser(b"Bob") == (b"Bob", b"b")
    with pytest.raises(KeyError):
        db.getUser(b"nonsense")
    assert await db.requestAvatarId(UsernamePassword(b"alice", b"wonder")) == b"alice"
    text: Any = UsernamePassword("alice", "wonder")  # type: ignore[arg-type]
    assert await db.requestAvatarId(text) == b"alice"
    for name, password in ((b"alice", b"wonde"), (b"bob", b"b"), (b"", b"")):
        with pytest.raises(error.UnauthorizedLogin):
            await db.requestAvatarId(UsernamePassword(name, password))


def test_other_fields_and_cases(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"0,Alice,2,secret\n")
    db = FilePasswordDB(path, b",", 1, 3, caseSensitive=False)
    assert db.getUser(b"aLICE") == (b"alice", b"secret")


def test_a_changed_file_is_read_again(file: Path) -> None:
    db = FilePasswordDB(file, cache=True)
    db.getUser(b"alice")
    file.write_bytes(b"carol:1\n")
    assert db.getUser(b"carol") == (b"carol", b"1")
    with pytest.raises(KeyError):
        db.getUser(b"alice")


def test_secrets_are_not_pickled_from_the_cache(file: Path) -> None:
    db = FilePasswordDB(str(file), cache=True)
    db.getUser(b"alice")
    assert b"wonder" not in pickle.dumps(db)


async def test_a_file_that_is_not_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    db = FilePasswordDB(tmp_path / "none")
    with pytest.raises(error.UnauthorizedLogin):
        await db.requestAvatarId(UsernamePassword(b"alice", b"wonder"))
    assert "cannot be read" in caplog.text


async def test_a_proof_is_checked_with_the_plain_password(file: Path) -> None:
    proof = CramMD5Credentials(b"here")
    challenge = proof.getChallenge()
    other = CramMD5Credentials()
    import hashlib
    import hmac

    digest = hmac.new(b"wonder", challenge, hashlib.md5).hexdigest().encode()
    proof.setResponse(b"alice " + digest)
    assert await FilePasswordDB(file).requestAvatarId(proof) == b"alice"
    other.setResponse(b"alice " + digest)
    with pytest.raises(error.UnauthorizedLogin):
        await FilePasswordDB(file).requestAvatarId(other)
    hashing = FilePasswordDB(file, hash=passwords.storedHash)
    assert hashing.credentialInterfaces == (IUsernamePassword,)
    with pytest.raises(error.UnhandledCredentials):
        await hashing.requestAvatarId(proof)


async def test_hashing_is_done_in_a_thread(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"alice:" + passwords.hashPassword(b"wonder", cost=CHEAP) + b"\n")
    where = []

    def hash(username: bytes, password: bytes, stored: bytes) -> bytes:
        where.append(threading.current_thread())
        return passwords.storedHash(username, password, stored)

    db = FilePasswordDB(path, hash=hash)
    assert await db.requestAvatarId(UsernamePassword(b"alice", b"wonder")) == b"alice"
    with pytest.raises(error.UnauthorizedLogin):
        await db.requestAvatarId(UsernamePassword(b"alice", b"wonde"))
    assert len(where) == 2
    assert threading.main_thread() not in where


async def test_hashes_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_nobody", lambda: passwords.hashPassword(b"", cost=CHEAP))
    checked: list[Any] = []
    verify = passwords.verifyPassword

    def seen(password: bytes, stored: Any) -> bool:
        checked.append(stored)
        return verify(password, stored)

    monkeypatch.setattr(passwords, "verifyPassword", seen)
    db = HashedPasswordDB({b"alice": passwords.hashPassword(b"wonder", cost=CHEAP)})
    assert await db.requestAvatarId(UsernamePassword(b"alice", b"wonder")) == b"alice"
    with pytest.raises(error.UnauthorizedLogin):
        await db.requestAvatarId(UsernamePassword(b"alice", b"x"))
    checked.clear()
    with pytest.raises(error.UnauthorizedLogin):
        await db.requestAvatarId(UsernamePassword(b"bob", b"x"))
    # Somebody unknown costs a hash too.
    assert [stored is not None for stored in checked] == [False, True]


def test_a_hash_says_how_it_was_made() -> None:
    one, other = (passwords.hashPassword("pass\u20ac", cost=CHEAP) for _ in range(2))
    assert one != other
    assert one.startswith(b"$scrypt$ln=4,r=8,p=3$")
    assert b":" not in one
    assert passwords.verifyPassword("pass\u20ac".encode(), one)
    assert passwords.verifyPassword("pass\u20ac", one.decode())
    assert not passwords.verifyPassword(b"pass", one)
    # The same in another implementation of the PHC format: RFC 7914 section 12, first vector.
    vector = (
        b"$scrypt$ln=10,r=8,p=16$TmFDbA"
        b"$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWIurzDZLiKjiG/xCSedmDDaxyevuUqD7m2DYMvfoswGQA"
    )
    assert passwords.verifyPassword(b"password", vector)


def test_argon2() -> None:
    pytest.importorskip("argon2", reason="needs argon2-cffi")
    stored = passwords.hashPassword(b"wonder", "argon2")
    assert stored.startswith(b"$argon2id$")
    assert passwords.verifyPassword(b"wonder", stored)
    assert not passwords.verifyPassword(b"x", stored)
    with pytest.raises(ValueError, match=r"\$argon2"):
        passwords.verifyPassword(b"x", b"$argon2nonsense")


@pytest.mark.parametrize(
    "stored",
    [
        b"wonder",
        b"",
        b"$scrypt$ln=99,r=8,p=3$c2FsdA$aGFzaA",
        b"$scrypt$ln=0,r=8,p=3$c2FsdA$aGFzaA",
        b"$scrypt$ln=30,r=999,p=3$c2FsdA$aGFzaA",
        b"$scrypt$ln=4,r=8,p=3$c$aGFzaA",
    ],
)
def test_what_is_no_hash(stored: bytes) -> None:
    with pytest.raises(ValueError, match=r"stored password|cost"):
        passwords.verifyPassword(b"x", stored)


def test_an_unknown_scheme() -> None:
    with pytest.raises(ValueError, match="rot13"):
        passwords.hashPassword(b"x", "rot13")


def test_checkers_from_text(file: Path) -> None:
    assert isinstance(strcred.makeChecker("anonymous"), checkers.AllowAnonymousAccess)
    memory = strcred.makeChecker("memory:alice:1:bob:2")
    assert memory.users == {b"alice": b"1", b"bob": b"2"}
    assert strcred.makeChecker(f"file:{file}").getUser(b"alice") == (b"alice", b"wonder")
    assert strcred.makeChecker(f"hashed:{file}").hash is passwords.storedHash


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("nonsense:x", strcred.InvalidAuthType),
        ("", strcred.InvalidAuthType),
        ("memory:alice", strcred.InvalidAuthArgumentString),
        ("file:", strcred.InvalidAuthArgumentString),
        ("hashed:" + os.devnull + "/x", strcred.InvalidAuthArgumentString),
    ],
)
def test_text_that_makes_no_checker(text: str, wrong: type[Exception]) -> None:
    with pytest.raises(wrong):
        strcred.makeChecker(text)


def test_what_a_kind_says_holds(file: Path) -> None:
    found = list(strcred.findCheckerFactories())
    assert {"anonymous", "file", "hashed", "memory"} <= {kind.authType for kind in found}
    kinds = set()
    for kind in found[:4]:
        assert strcred.ICheckerFactory.providedBy(kind)
        assert kind.authHelp
        assert kind.argStringFormat
        needs = "the path" in kind.argStringFormat
        made = kind.generateChecker(str(file) if needs else "")
        assert made.credentialInterfaces == kind.credentialInterfaces
        kinds |= set(made.credentialInterfaces)
    assert kinds == {IAnonymous, IUsernamePassword, IUsernameHashedPassword}
