"""The SOCKS server's command line, and curl through it."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest

from reactorlib.python.usage import UsageError
from reactorlib.tap import socks

from ._programs import hashed, make, run, running, web

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

LOOPBACK = ("--port", "0")


async def curl(proxy: str, port: int) -> tuple[int | None, bytes]:
    return await run("curl", "-s", "--noproxy", "", "-x", proxy, f"http://localhost:{port}/")


@needs_curl
@pytest.mark.parametrize("kind", ["socks4", "socks4a", "socks5", "socks5h"])
async def test_all_versions(kind: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with web() as there, running(socks, *LOOPBACK, "-l", str(log)) as (host, port):
        assert await curl(f"{kind}://{host}:{port}", there) == (0, b"here")
    assert "HTTP/1.0 200 OK" in log.read_text()


@needs_curl
async def test_with_a_login_from_files(tmp_path: Path) -> None:
    """From either file; SOCKS 4 has no logins, and is refused."""
    plain, hashes = tmp_path / "plain", tmp_path / "hashed"
    plain.write_text("alice:secret\n")
    hashes.write_bytes(b"bob:" + hashed(b"hidden") + b"\n")
    argv = (*LOOPBACK, "--auth", f"file:{plain}", "--auth", f"hashed:{hashes}")
    async with web() as there, running(socks, *argv) as (host, port):
        for who in ("alice:secret", "bob:hidden"):
            assert await curl(f"socks5h://{who}@{host}:{port}", there) == (0, b"here")
        for refused in (
            f"socks5h://alice:hidden@{host}:{port}",
            f"socks5h://carol:secret@{host}:{port}",
            f"socks5h://{host}:{port}",
            f"socks4a://{host}:{port}",
        ):
            status, out = await curl(refused, there)
            assert status != 0
            assert out == b""


def test_the_command_line(tmp_path: Path) -> None:
    options = socks.Options()
    options.parseOptions([])
    assert (options["interface"], options["port"], options["log"]) == ("127.0.0.1", 1080, None)
    users = tmp_path / "users"
    users.write_text("alice:secret\n")
    saved = pickle.loads(pickle.dumps(make(socks, "--auth", f"file:{users}", "-i", "::1")))
    assert saved.factory.checkLogin is not None
    for argv in (["-p", "x"], ["--auth", "file:/no/such"], ["--auth", "anonymous"], ["more"]):
        with pytest.raises(UsageError):
            make(socks, *argv)
