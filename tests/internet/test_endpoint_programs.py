"""Endpoints with programs that we did not write: systemd's, and openssl."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme

import reactorlib
from reactorlib.internet import reactor
from reactorlib.internet.endpoints import (
    autoReloadingDirectoryOfPEMs,
    clientFromString,
    serverFromString,
)
from reactorlib.internet.protocol import Factory, Protocol
from reactorlib.internet.ssl import DirectoryOptions

from ._carriers import Side

pytestmark = pytest.mark.timeout(30)

LOCAL = "127.0.0.1"

activate = shutil.which("systemd-socket-activate")
needs_systemd = pytest.mark.skipif(activate is None, reason="no systemd-socket-activate here")
needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl here")

# -- sockets from a service manager -------------------------------------------

SERVER = """
import os, sys
from reactorlib.internet import reactor
from reactorlib.internet.endpoints import serverFromString
from reactorlib.internet.protocol import Factory, Protocol

class Answer(Protocol):
    def dataReceived(self, data):
        left = [name for name in os.environ if name.startswith("LISTEN_")]
        self.transport.write(data.upper() + repr(left).encode())
        self.transport.loseConnection()
    def connectionLost(self, reason):
        reactor.stop()

factory = Factory.forProtocol(Answer)
factory.noisy = False
serverFromString(reactor, sys.argv[1]).listen(factory)
reactor.run()
"""


@needs_systemd
@pytest.mark.parametrize(
    ("description", "which"),
    [
        ("systemd:domain=UNIX:index=1", 1),
        ("systemd:index=0", 0),
        ("systemd:domain=UNIX:name=second", 1),
        ("systemd:name=first", 0),
    ],
)
def test_a_socket_that_systemd_has_opened(tmp_path: Path, description: str, which: int) -> None:
    assert activate is not None
    paths = [str(tmp_path / "a"), str(tmp_path / "b")]
    process = subprocess.Popen(
        [
            *(activate, "-l", paths[0], "-l", paths[1], "--fdname=first:second"),
            *(sys.executable, "-W", "error", "-c", SERVER, description),
        ],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(reactorlib.__file__).parent.parent)},
    )
    try:
        assert process.stderr is not None
        for _ in paths:
            assert "Listening on" in process.stderr.readline()
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(paths[which])
            client.sendall(b"hello")
            answer = b""
            while piece := client.recv(100):
                answer += piece
        assert answer == b"HELLO[]"
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait(10)
        assert process.stderr is not None
        process.stderr.close()


# -- a directory of certificates ----------------------------------------------

CA = trustme.CA()


def put(folder: Path, *names: str, file: str = "") -> trustme.LeafCert:
    leaf = CA.issue_cert(*names)
    name = file or names[0].replace("*", "any")
    (folder / f"{name}.key").write_bytes(leaf.private_key_pem.bytes())
    chain = b"".join(each.bytes() for each in leaf.cert_chain_pems)
    (folder / f"{name}.pem").write_bytes(chain)
    return leaf


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deeper").mkdir()
    put(tmp_path, "a.example.com", file="1")
    put(tmp_path / "deeper", "*.b.example.com", "b.example.com")
    (tmp_path / "ca").write_bytes(CA.cert_pem.bytes())  # no name that counts
    return tmp_path


class Greeting(Protocol):
    def connectionMade(self) -> None:
        self.transport.write(b"hello\n")
        self.transport.loseConnection()


GREETING = Factory[Any].forProtocol(Greeting)
GREETING.noisy = False


async def openssl(number: int, folder: Path, *arguments: str) -> tuple[int | None, str]:
    """What `openssl s_client` says of our server, and how it ends."""
    process = await asyncio.create_subprocess_exec(
        *("openssl", "s_client", "-connect", f"{LOCAL}:{number}", "-brief"),
        *("-CAfile", str(folder / "ca"), "-verify_return_error", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(15):
        said, _ = await process.communicate()
    return process.returncode, said.decode()


@needs_openssl
async def test_openssl_is_shown_the_certificate_for_the_name(folder: Path, errors: Any) -> None:
    async with reactor:
        server = serverFromString(reactor, f"tls:{folder}:0:interface={LOCAL}")
        port = await server.listen(GREETING)
        number = port.getHost().port
        for name in ("a.example.com", "b.example.com", "x.b.example.com"):
            code, said = await openssl(
                number, folder, "-servername", name, "-verify_hostname", name
            )
            assert "Verification: OK" in said, said
            assert f"Verified peername: {name}" in said or "Verified peername: *." in said
        _, said = await openssl(
            number, folder, "-noservername", "-verify_hostname", "a.example.com"
        )
        assert "Verification: OK" in said, said
        code, said = await openssl(number, folder, "-servername", "c.example.com")
        assert code
        assert "unrecognized name" in said
        # What is put there now counts from the next connection on.
        put(folder, "c.example.com")
        _, said = await openssl(
            number, folder, *("-servername", "c.example.com", "-verify_hostname", "c.example.com")
        )
        assert "Verification: OK" in said, said


def names_shown(options: DirectoryOptions, name: str | None) -> Any:
    """Whom the certificate is for that a client is shown; in memory."""
    client, server = ssl.MemoryBIO(), ssl.MemoryBIO()
    trusting = ssl.create_default_context()
    CA.configure_trust(trusting)
    trusting.check_hostname = False
    one = trusting.wrap_bio(client, server, server_hostname=name)
    other = options.getContext().wrap_bio(server, client, server_side=True)
    for side in (one, other, one, other, one):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            pass
    shown: Any = one.getpeercert()
    return [value for _, value in shown["subjectAltName"]]


def test_files_come_change_and_go(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    options = DirectoryOptions(tmp_path, seconds=lambda: now[0])
    assert options.lookup(None) is None
    assert "no server certificate for name None" in caplog.text
    put(tmp_path, "a.example.com")
    assert options.lookup(b"a.example.com") is not None
    assert options.lookup(b"A.EXAMPLE.COM") is options.lookup(b"a.example.com")
    assert names_shown(options, "a.example.com") == ["a.example.com"]
    assert options.lookup(b"b.example.com") is None
    assert "no server certificate for name b'b.example.com'" in caplog.text
    put(tmp_path, "b.example.com", file="a.example.com")
    assert names_shown(options, "a.example.com") == ["a.example.com"]  # for a second
    now[0] += 1
    assert names_shown(options, None) == ["b.example.com"]
    assert options.lookup(b"a.example.com") is None


def test_files_that_are_no_good_are_left_out(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "0.pem").write_bytes(
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    )
    (folder / "spare.key").write_bytes(CA.issue_cert("spare").private_key_pem.bytes())
    lookup = autoReloadingDirectoryOfPEMs(folder)
    assert lookup(b"a.example.com") is not None
    assert "0.pem is no good" in caplog.text
    assert f"unused private key at {folder / 'spare.key'}" in caplog.text


def test_chains_are_put_together(tmp_path: Path) -> None:
    """Whatever files they are in; a root is not sent."""
    root = trustme.CA()
    middle = root.create_child_ca()
    leaf = middle.issue_cert("a.example.com")
    ours, *others = (each.bytes() for each in leaf.cert_chain_pems)
    (tmp_path / "1.pem").write_bytes(b"".join(others) + root.cert_pem.bytes())
    (tmp_path / "2.pem").write_bytes(ours + leaf.private_key_pem.bytes())
    options = DirectoryOptions(tmp_path)
    settings: Any = options._names["a.example.com"]
    assert settings.certificate.count(b"BEGIN CERTIFICATE") == 1 + len(others)
    global CA
    kept, CA = CA, root
    try:
        assert names_shown(options, "a.example.com") == ["a.example.com"]
    finally:
        CA = kept


async def test_a_tls_client_and_server_by_description(folder: Path, errors: Any) -> None:
    put(folder, "localhost")
    roots = folder / "roots"
    roots.mkdir()
    (roots / "ca.pem").write_bytes(CA.cert_pem.bytes())
    async with reactor:
        server = serverFromString(reactor, f"tls:{folder}:0:interface={LOCAL}")
        port = await server.listen(GREETING)
        number = port.getHost().port
        client = clientFromString(reactor, f"tls:localhost:{number}:trustRoots={roots}")
        side = await client.connect(Factory.forProtocol(Side))
        assert await side.received(6) == b"hello\n"
        await side.lost()
        assert side.reason is not None
        # Without the roots, nobody is trusted.
        client = clientFromString(reactor, f"tls:localhost:{number}")
        side = await client.connect(Factory.forProtocol(Side))
        assert issubclass(await side.lost(), ssl.SSLCertVerificationError)
