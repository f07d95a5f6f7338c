"""The FTP server's command line, and curl and lftp at the other end."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest

from reactorlib.cred._any_of import AnyOf
from reactorlib.cred.checkers import ANONYMOUS, AllowAnonymousAccess, FilePasswordDB
from reactorlib.cred.credentials import Anonymous, IAnonymous, IUsernamePassword
from reactorlib.cred.credentials import UsernamePassword as Login
from reactorlib.cred.error import UnauthorizedLogin, UnhandledCredentials
from reactorlib.python.usage import UsageError
from reactorlib.tap import ftp

from ._programs import hashed, make, run, running

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
needs_lftp = pytest.mark.skipif(shutil.which("lftp") is None, reason="lftp is not installed")

PORT = ("-p", "tcp:0:interface=127.0.0.1")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A directory for anybody, one for alice, and files with her password and bob's."""
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "hello.txt").write_text("hello\n")
    for name in ("alice", "bob"):
        (tmp_path / "home" / name).mkdir(parents=True)
    (tmp_path / "plain").write_text("alice:secret\n")
    (tmp_path / "hashed").write_bytes(b"bob:" + hashed(b"hidden") + b"\n")
    return tmp_path


def arguments(site: Path) -> tuple[str, ...]:
    return (
        *(*PORT, "--root", str(site / "public"), "--home", str(site / "home")),
        *("--auth", f"file:{site / 'plain'}", "--auth", f"hashed:{site / 'hashed'}"),
    )


@needs_curl
async def test_anybody_reads_and_users_write(site: Path) -> None:
    async with running(ftp, *arguments(site)) as (host, port):
        at = f"{host}:{port}"
        assert await run("curl", "-s", f"ftp://{at}/hello.txt") == (0, b"hello\n")
        for who, path in (("alice:secret", "home/alice"), ("bob:hidden", "home/bob")):
            url = f"ftp://{who}@{at}/new.txt"
            assert await run("curl", "-s", "-T", "-", url, stdin=b"mine") == (0, b"")
            assert (site / path / "new.txt").read_bytes() == b"mine"
        status, _ = await run("curl", "-s", "-T", "-", f"ftp://{at}/new.txt", stdin=b"x")
        assert status != 0
        status, _ = await run("curl", "-s", f"ftp://alice:hidden@{at}/")
        assert status == 67  # the login was refused
    assert [path.name for path in (site / "public").iterdir()] == ["hello.txt"]


@needs_lftp
async def test_lftp_mirrors(site: Path, tmp_path: Path) -> None:
    big = bytes(range(256)) * 8192
    for number in range(5):
        (site / "public" / f"big{number}").write_bytes(big)
    copy = tmp_path / "copy"
    async with running(ftp, *arguments(site)) as (host, port):
        status, _ = await run(
            *("lftp", "-c"),
            f"set net:timeout 20; set net:max-retries 1; open ftp://{host}:{port}; "
            f"mirror --parallel=3 / {copy}",
        )
        assert status == 0
    assert {path.name for path in copy.iterdir()} == {"hello.txt", *(f"big{n}" for n in range(5))}
    assert (copy / "big4").read_bytes() == big


@needs_curl
async def test_nobody_without_a_password_if_so_wanted(site: Path) -> None:
    argv = (
        *PORT,
        "--no-anonymous",
        "--home",
        str(site / "home"),
        "--auth",
        f"file:{site / 'plain'}",
    )
    async with running(ftp, *argv) as (host, port):
        status, _ = await run("curl", "-s", f"ftp://{host}:{port}/")
        assert status == 67
        status, _ = await run("curl", "-s", f"ftp://alice:secret@{host}:{port}/")
        assert status == 0


def test_the_command_line(site: Path) -> None:
    made = make(ftp, *arguments(site), "--userAnonymous", "guest", "--passive-ports", "5000-5009")
    saved = pickle.loads(pickle.dumps(made))
    assert saved.factory.userAnonymous == "guest"
    assert saved.factory.passivePortRange == range(5000, 5010)


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["--root", "/no/such"], "--root /no/such is no directory"),
        (["--no-anonymous"], "it takes an --auth"),
        (["--passive-ports", "5000"], "FIRST-LAST"),
        (["--passive-ports", "0-5"], "no ports from 0"),
        (["--passive-ports", "9-5"], "no ports from 9 to 5"),
        (["--passive-ports", "5-70000"], "70000"),
        (["--auth", "file:/no/such"], "/no/such"),
        (["--auth", "nothing"], "nothing"),
        (["-p", "x", "--root", "/"], "cannot listen at 'x'"),
        (["more"], "number of arguments"),
    ],
)
def test_what_is_wrong_is_said(argv: list[str], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        make(ftp, *argv)


def test_a_password_file_is_deprecated_and_works(site: Path) -> None:
    options = ftp.Options()
    with pytest.warns(DeprecationWarning, match="opt_password_file was deprecated"):
        options.parseOptions(["--password-file", str(site / "plain")])
    assert len(options["credCheckers"]) == 2


async def test_any_of_several_checkers(site: Path) -> None:
    class NoneOfMine(FilePasswordDB):
        def requestAvatarId(self, credentials: object) -> Any:
            raise UnhandledCredentials

    checker = AnyOf([NoneOfMine("x"), FilePasswordDB(str(site / "plain")), AllowAnonymousAccess()])
    assert {IAnonymous, IUsernamePassword} <= set(checker.credentialInterfaces)
    assert await checker.requestAvatarId(Anonymous()) == ANONYMOUS
    assert await checker.requestAvatarId(Login(b"alice", b"secret")) == b"alice"
    with pytest.raises(UnauthorizedLogin):
        await checker.requestAvatarId(Login(b"alice", b"wrong"))
