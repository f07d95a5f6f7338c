"""TLS with programs that we did not write, and with peers that break off, stall or cheat."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self

import pytest
import trustme
from zope.interface import implementer

from reactorlib.internet import _tls_transport, reactor
from reactorlib.internet.error import ConnectionDone, ConnectionLost
from reactorlib.internet.interfaces import IHandshakeListener
from reactorlib.internet.protocol import ClientFactory, Factory
from reactorlib.internet.ssl import (
    Certificate,
    CertificateOptions,
    PrivateCertificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from reactorlib.protocols.basic import LineReceiver

from ._carriers import Side

pytestmark = pytest.mark.timeout(30)

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl here")
needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="no curl here")
both_versions = pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])

LOCAL = "127.0.0.1"
BIG = bytes(range(256)) * 8192  # 2 MiB

CA = trustme.CA()
STRANGER = trustme.CA()
TRUST = trustRootFromCertificates([Certificate.loadPEM(CA.cert_pem.bytes())])


def issue(*names: str, by: trustme.CA = CA, **options: Any) -> trustme.LeafCert:
    return by.issue_cert(*names, **options)


def private(leaf: trustme.LeafCert) -> PrivateCertificate:
    return PrivateCertificate.loadPEM(leaf.private_key_and_cert_chain_pem.bytes())


LEAF = issue("localhost", LOCAL)
OTHER_LEAF = issue("other.example")
USER_LEAF = issue("somebody@example.com")
SERVER = private(LEAF)


def serving(**options: Any) -> CertificateOptions:
    return CertificateOptions(SERVER.privateKey.original, SERVER.original, **options)


def to(name: str = "localhost", **options: Any) -> Any:
    return optionsForClientTLS(name, trustRoot=TRUST, **options)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`ca.pem`, and certificates with their keys: `localhost.pem`, `other.pem`, `user.pem`."""
    path = tmp_path_factory.mktemp("tls")
    CA.cert_pem.write_to_path(path / "ca.pem")
    for name, leaf in (
        ("localhost", LEAF),
        ("other", OTHER_LEAF),
        ("user", USER_LEAF),
    ):
        leaf.private_key_and_cert_chain_pem.write_to_path(path / f"{name}.pem")
    return path


# -- our side -----------------------------------------------------------------


class Serves(Factory[Any]):
    """Gives each connection the next of some protocols."""

    noisy = False

    def __init__(self, *sides: Any) -> None:
        self._sides = iter(sides)

    def buildProtocol(self, addr: object) -> Any:
        side = next(self._sides)
        side.factory = self
        return side


class Connects(ClientFactory[Any]):
    """Builds one protocol, and keeps what the connector is told in the end."""

    noisy = False

    def __init__(self, side: Any) -> None:
        self.side = side
        self.lost = asyncio.get_running_loop().create_future()

    def buildProtocol(self, addr: object) -> Any:
        self.side.factory = self
        return self.side

    def clientConnectionLost(self, connector: object, reason: Any) -> None:
        self.lost.set_result(reason.value)


@contextlib.asynccontextmanager
async def listening(*sides: Any, tls: Any = None) -> AsyncIterator[int]:
    factory = Serves(*sides)
    if tls is None:
        port = reactor.listenTCP(0, factory, interface=LOCAL)
    else:
        port = reactor.listenSSL(0, factory, tls, interface=LOCAL)
    try:
        yield port.getHost().port
    finally:
        for side in sides:
            if side.transport is not None and side.reason is None:
                side.transport.abortConnection()
                await side.lost()
        await port.stopListening()


def answer(side: Side) -> None:
    """Answer a whole line, and hang up."""
    if side.data.endswith(b"\n"):
        side.transport.write(b"you said " + side.data)
        side.transport.loseConnection()


# -- programs -----------------------------------------------------------------


class Program:
    """A program at the other end. What it prints is in `output`."""

    def __init__(self, *command: object) -> None:
        self._command = [str(part) for part in command]
        self.output = bytearray()
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *exc: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self.ended()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while data := await self._process.stdout.read(65536):
            self.output += data
            self._changed.set()

    def say(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)

    def kill(self) -> None:
        self._process.kill()

    async def printed(self, text: bytes) -> None:
        async with asyncio.timeout(10):
            while text not in self.output:
                self._changed.clear()
                if self._reading.done():
                    raise AssertionError(f"{text!r} is not in {bytes(self.output)!r}")
                waiting = asyncio.ensure_future(self._changed.wait())
                await asyncio.wait([waiting, self._reading], return_when="FIRST_COMPLETED")
                waiting.cancel()

    async def ended(self) -> int:
        """Wait for its end; the exit code."""
        assert self._process.stdin is not None
        async with asyncio.timeout(10):
            await self._reading
            code = await self._process.wait()
            self._process.stdin.close()
            return code


def s_client(port: int, *options: object) -> Program:
    return Program("openssl", "s_client", "-connect", f"{LOCAL}:{port}", *options)


class SServer(Program):
    """`openssl s_server`, at a port that the system has chosen."""

    def __init__(self, certificate: Path, *options: object) -> None:
        super().__init__(
            *("openssl", "s_server", "-accept", f"{LOCAL}:0"),
            *("-cert", certificate, "-key", certificate, *options),
        )

    async def port(self) -> int:
        await self.printed(b"ACCEPT 127.0.0.1:")
        _, _, rest = self.output.partition(b"ACCEPT 127.0.0.1:")
        return int(rest.split()[0])


# -- openssl s_client ---------------------------------------------------------


@needs_openssl
@both_versions
async def test_s_client(files: Path, errors: Any, version: str) -> None:
    """It sees our certificate and our choice of a protocol, and we see the name it wants."""
    names: list[bytes | None] = []

    def answer_and_note(side: Side) -> None:
        noted.append(side.transport.negotiatedProtocol)
        answer(side)

    noted: list[bytes | None] = []
    side = Side({"data": answer_and_note})
    tls = serving(acceptableProtocols=[b"h2", b"imap"], contextForServerName=names.append)
    async with (
        listening(side, tls=tls) as port,
        s_client(
            *(port, version, "-quiet", "-verify_return_error", "-CAfile", files / "ca.pem"),
            *("-servername", "localhost", "-verify_hostname", "localhost", "-alpn", "imap,h2"),
        ) as client,
    ):
        client.say(b"hello\n")
        await client.printed(b"you said hello\n")
        assert await client.ended() == 0
        assert await side.lost() is ConnectionDone
        assert names == [b"localhost"]
        assert noted == [b"h2"]


@needs_openssl
@both_versions
async def test_s_client_says_goodbye_or_dies(errors: Any, version: str) -> None:
    """Only one of the two is an orderly end."""
    polite, killed = Side(), Side()
    async with listening(polite, killed, tls=SERVER.options()) as port:
        async with s_client(port, version) as client:
            await polite.until(lambda: polite.shaken)
            client.say(b"Q\n")
            assert await polite.lost() is ConnectionDone
        async with s_client(port, version) as client:
            client.say(b"half a mess")
            await killed.received(11)
            client.kill()
            assert await killed.lost() is ConnectionLost
            assert "without a close_notify" in str(killed.reason.value)  # type: ignore[union-attr]


@needs_openssl
async def test_s_client_may_not_renegotiate(errors: Any) -> None:
    """CVE-2009-3555, and the cost of handshakes."""
    side = Side()
    async with (
        listening(side, tls=SERVER.options()) as port,
        s_client(port, "-tls1_2") as client,
    ):
        await side.until(lambda: side.shaken)
        client.say(b"R\n")
        await client.printed(b"no renegotiation")
        # It takes the refusal for a failure, and tells us so.
        assert await side.lost() is ssl.SSLError


@needs_openssl
async def test_s_client_asks_for_new_keys(errors: Any) -> None:
    """RFC 8446 section 4.6.3."""
    side = Side()
    async with listening(side, tls=SERVER.options()) as port, s_client(port) as client:
        await side.until(lambda: side.shaken)
        client.say(b"K\n")
        await client.printed(b"KEYUPDATE")
        side.transport.write(b"with new keys")
        await client.printed(b"with new keys")
        side.transport.loseConnection()
        assert await side.lost() is ConnectionDone


@needs_openssl
async def test_asking_for_new_keys_costs_a_bounded_amount_of_memory(errors: Any) -> None:
    """A peer that asks again and again, and takes no answer, is not read from."""
    side = Side()
    passing = True
    passed = asyncio.Event()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Between the two; it stops taking what we send."""
        from_us, to_us = await asyncio.open_connection(LOCAL, port)

        async def back() -> None:
            while passing and (data := await from_us.read(65536)):
                writer.write(data)  # whole records: s_client waits for the rest of one

        returning = asyncio.create_task(back())
        try:
            while data := await reader.read(65536):
                passed.set()
                to_us.write(data)
                await to_us.drain()
        except ConnectionError:
            pass
        finally:
            returning.cancel()
            await asyncio.wait([returning])
            to_us.close()
            writer.close()

    async with (
        listening(side, tls=SERVER.options()) as port,
        await asyncio.start_server(relay, LOCAL, 0) as server,
        s_client(server.sockets[0].getsockname()[1]) as client,
    ):
        await side.until(lambda: side.shaken)
        passing = False
        side.transport.write(b"the last that passes")
        await client.printed(b"the last that passes")
        side.transport.write(BIG * 4)
        waiting = side.transport._transport.get_write_buffer_size
        before = waiting()
        assert before > len(BIG)
        for _ in range(20):
            passed.clear()
            client.say(b"K\n")
            await asyncio.wait_for(passed.wait(), 10)
        assert waiting() <= before + 100  # one answer, and not twenty
        side.transport.abortConnection()
        await side.lost()


# -- openssl s_server ---------------------------------------------------------


@needs_openssl
@both_versions
async def test_s_server(files: Path, errors: Any, version: str) -> None:
    """It shows the certificate for the name that we say, which is not its first one."""
    localhost = files / "localhost.pem"
    second = ("-servername", "localhost", "-cert2", localhost, "-key2", localhost)
    async with SServer(files / "other.pem", *second, "-rev", version) as server:
        side = Side()
        factory = Connects(side)
        reactor.connectSSL(LOCAL, await server.port(), factory, to())
        await side.until(lambda: side.shaken)
        shown = side.transport.getPeerCertificate()
        assert shown == Certificate.loadPEM(LEAF.cert_chain_pems[0].bytes())
        side.transport.write(b"stressed\n")
        assert await side.received(9) == b"desserts\n"
        side.transport.loseConnection()
        assert await side.lost() is ConnectionDone
        assert isinstance(await factory.lost, ConnectionDone)


@needs_openssl
@both_versions
async def test_s_server_chooses_a_protocol_and_says_goodbye(
    files: Path, errors: Any, version: str
) -> None:
    async with SServer(files / "localhost.pem", "-rev", "-alpn", "imap", version) as server:
        side = Side()
        tls = to(acceptableProtocols=[b"h2", b"imap"])
        reactor.connectSSL(LOCAL, await server.port(), Connects(side), tls)
        await side.until(lambda: side.shaken)
        assert side.transport.negotiatedProtocol == b"imap"
        side.transport.write(b"CLOSE\n")
        assert await side.lost() is ConnectionDone


@needs_openssl
@both_versions
async def test_s_server_dies(files: Path, errors: Any, version: str) -> None:
    async with SServer(files / "localhost.pem", version) as server:
        side = Side()
        reactor.connectSSL(LOCAL, await server.port(), Connects(side), to())
        await side.until(lambda: side.shaken)
        server.say(b"half a mess")
        await side.received(11)
        server.kill()
        assert await side.lost() is ConnectionLost
        assert "without a close_notify" in str(side.reason.value)  # type: ignore[union-attr]


@needs_openssl
async def test_s_server_may_not_renegotiate(files: Path, errors: Any) -> None:
    async with SServer(files / "localhost.pem", "-tls1_2") as server:
        side = Side()
        reactor.connectSSL(LOCAL, await server.port(), Connects(side), to())
        await side.until(lambda: side.shaken)
        server.say(b"r\n")
        # It goes on with what there is, or gives up: it never gets a new handshake.
        server.say(b"data\n")
        await side.until(lambda: side.data or side.reason)
        assert server.output.count(b"BEGIN SSL SESSION PARAMETERS") <= 1
        if side.reason is None:
            side.transport.abortConnection()
        await side.lost()


# -- curl ---------------------------------------------------------------------


def serve_http(side: Side) -> None:
    if b"\r\n\r\n" in side.data:
        shown = side.transport.getPeerCertificate()
        assert shown == private(USER_LEAF)
        side.transport.write(b"HTTP/1.0 200 OK\r\n\r\nhello, you")
        side.transport.loseConnection()


@needs_curl
@pytest.mark.parametrize("version", ["1.2", "1.3"])
async def test_curl_shows_a_certificate_or_is_refused(
    files: Path, errors: Any, version: str
) -> None:
    welcome, refused = Side({"data": serve_http}), Side({"data": serve_http})
    tls = SERVER.options(Certificate.loadPEM(CA.cert_pem.bytes()))
    async with listening(welcome, refused, tls=tls) as port:
        curl = (
            *("curl", "-sS", "-m", 10, "--noproxy", "*", f"--tlsv{version}", "--tls-max", version),
            *("--cacert", files / "ca.pem", "--resolve", f"localhost:{port}:{LOCAL}"),
            f"https://localhost:{port}/",
        )
        async with Program(*curl, "--cert", files / "user.pem") as client:
            assert await client.ended() == 0
            assert client.output.startswith(b"hello, you")
            assert await welcome.lost() is ConnectionDone
        async with Program(*curl) as client:
            assert await client.ended() != 0
            assert await refused.lost() is ssl.SSLError
            assert "did not return a certificate" in str(refused.reason.value)  # type: ignore[union-attr]
            assert not refused.data


# -- STARTTLS -----------------------------------------------------------------


@implementer(IHandshakeListener)
class Mail(LineReceiver):
    """As much of an SMTP server as it takes to start TLS."""

    def __init__(self, before: bytes = b"") -> None:
        self.before = before
        self.lines: list[tuple[bool, bytes]] = []
        self.reason: Any = None
        self.shaken = False
        self._changed = asyncio.Event()

    def connectionMade(self) -> None:
        self.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.sendLine(b"220 localhost ESMTP")

    def lineReceived(self, line: bytes) -> None:
        self.lines.append((self.transport.TLS, line))
        self._changed.set()
        if line == b"STARTTLS":
            self.transport.write(self.before)
            self.sendLine(b"220 go ahead")
            self.transport.startTLS(SERVER.options())
        elif line == b"QUIT":
            self.sendLine(b"221 bye")
            self.transport.loseConnection()
        elif line.startswith(b"EHLO"):
            self.sendLine(b"250-localhost")
            self.sendLine(b"250 STARTTLS")
        else:
            self.sendLine(b"250 " + line)

    def handshakeCompleted(self) -> None:
        self.shaken = True
        self._changed.set()

    def connectionLost(self, reason: Any) -> None:  # type: ignore[override]
        self.reason = reason
        self._changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def lost(self) -> type[BaseException]:
        await self.until(lambda: self.reason)
        kind: type[BaseException] = self.reason.type
        return kind


@needs_openssl
@both_versions
async def test_s_client_starts_tls(files: Path, errors: Any, version: str) -> None:
    mail = Mail()
    async with (
        listening(mail) as port,
        s_client(
            *(port, version, "-starttls", "smtp", "-crlf", "-quiet", "-verify_return_error"),
            *("-CAfile", files / "ca.pem", "-verify_hostname", "localhost"),
        ) as client,
    ):
        client.say(b"NOOP\n")
        await client.printed(b"250 NOOP")
        client.say(b"QUIT\n")
        await client.printed(b"221 bye")
        assert await client.ended() == 0
        assert await mail.lost() is ConnectionDone
        assert [secret for secret, _ in mail.lines] == [False, False, True, True]


class Raw:
    """
    A socket, and the standard library's TLS beside it, moved by hand.

    Args:
        sock: a socket that does not block.
        server_side: whether it waits for the other to begin.
    """

    def __init__(self, sock: socket.socket, server_side: bool = False) -> None:
        self.sock = sock
        self._loop = asyncio.get_running_loop()
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        if server_side:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            LEAF.configure_cert(context)
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            CA.configure_trust(context)
        name = None if server_side else "localhost"
        self._tls = context.wrap_bio(self._in, self._out, server_side, name)

    def hello(self) -> bytes:
        """A client's first message."""
        with pytest.raises(ssl.SSLWantReadError):
            self._tls.do_handshake()
        return self._out.read()

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.sock, data)

    async def receive(self, size: int = 65536) -> bytes:
        async with asyncio.timeout(10):
            return await self._loop.sock_recv(self.sock, size)

    async def receive_exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size and (more := await self.receive(size - len(data))):
            data += more
        return bytes(data)

    async def do(self, step: Callable[[], Any]) -> Any:
        """Repeat a step of TLS with what comes, until it is done."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                await self.send(self._out.read())
                data = await self.receive()
                if not data:
                    raise EOFError from None
                self._in.write(data)
            else:
                await self.send(self._out.read())
                return result

    async def handshake(self) -> None:
        await self.do(self._tls.do_handshake)

    async def say(self, data: bytes) -> None:
        await self.do(lambda: self._tls.write(data))

    async def hear(self) -> bytes:
        data: bytes = await self.do(lambda: self._tls.read(65536))
        return data

    async def goodbye(self) -> None:
        with contextlib.suppress(EOFError, ssl.SSLError, ConnectionError):
            await self.do(self._tls.unwrap)


@contextlib.asynccontextmanager
async def raw_client(port: int) -> AsyncIterator[Raw]:
    with socket.socket() as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (LOCAL, port))
        yield Raw(sock)


@contextlib.asynccontextmanager
async def raw_server(side: Any, tls: Any = None) -> AsyncIterator[Raw]:
    """Have `side` connect to a raw server."""
    with socket.socket() as listener:
        listener.bind((LOCAL, 0))
        listener.listen()
        listener.setblocking(False)
        port = listener.getsockname()[1]
        if tls is None:
            reactor.connectTCP(LOCAL, port, Connects(side))
        else:
            reactor.connectSSL(LOCAL, port, Connects(side), tls)
        sock, _ = await asyncio.get_running_loop().sock_accept(listener)
    with sock:
        yield Raw(sock, server_side=True)
        if side.reason is None:
            side.transport.abortConnection()
            await side.lost()


async def test_plaintext_and_ClientHello_in_one_segment(errors: Any) -> None:
    mail = Mail()
    async with listening(mail) as port, raw_client(port) as raw:
        await raw.receive_exactly(21)
        await raw.send(b"EHLO x\r\nSTARTTLS\r\n" + raw.hello())
        await raw.receive_exactly(15 + 14 + 14)
        await raw.handshake()
        await raw.say(b"NOOP\r\n")
        assert await raw.hear() == b"250 NOOP\r\n"
        assert mail.lines == [(False, b"EHLO x"), (False, b"STARTTLS"), (True, b"NOOP")]


@pytest.mark.parametrize("with_hello", [False, True])
async def test_injected_plaintext_is_neither_plaintext_nor_encrypted(
    errors: Any, with_hello: bool
) -> None:
    """CVE-2011-0411: what stands behind STARTTLS may be an attacker's."""
    mail = Mail()
    async with listening(mail) as port, raw_client(port) as raw:
        await raw.send(b"STARTTLS\r\nRCPT TO:<eve>\r\n" + (raw.hello() if with_hello else b""))
        assert await mail.lost() is ssl.SSLError
        assert mail.lines == [(False, b"STARTTLS")]
        assert not mail.shaken


async def test_injected_plaintext_reaches_no_client(errors: Any) -> None:
    class Client(Mail):
        def connectionMade(self) -> None:
            self.sendLine(b"STARTTLS")

        def lineReceived(self, line: bytes) -> None:
            self.lines.append((self.transport.TLS, line))
            if line.startswith(b"220"):
                self.transport.startTLS(to())

    client = Client()
    async with raw_server(client) as raw:
        await raw.receive_exactly(10)
        await raw.send(b"220 go ahead\r\n250 you are eve now\r\n")
        assert await client.lost() is ssl.SSLError
        assert client.lines == [(False, b"220 go ahead")]


async def test_plaintext_may_be_queued_when_tls_starts(errors: Any) -> None:
    """The peer reads slowly; it gets all of that first, and TLS after it."""
    mail = Mail(before=BIG)
    async with listening(mail) as port, raw_client(port) as raw:
        await raw.send(b"STARTTLS\r\n")
        await mail.until(lambda: mail.lines)
        assert mail.transport._transport.get_write_buffer_size() > 0
        await raw.send(raw.hello())  # which need not wait
        expected = b"220 localhost ESMTP\r\n" + BIG + b"220 go ahead\r\n"
        assert await raw.receive_exactly(len(expected)) == expected
        await raw.handshake()
        await raw.say(b"NOOP\r\n")
        assert await raw.hear() == b"250 NOOP\r\n"


# -- peers that break off -----------------------------------------------------


@pytest.mark.parametrize("role", ["server", "client"])
@pytest.mark.parametrize("end", ["goodbye", "cut off", "reset"])
async def test_a_truncated_stream_is_told_from_a_clean_end(
    errors: Any, role: str, end: str
) -> None:
    side = Side()
    async with contextlib.AsyncExitStack() as stack:
        if role == "server":
            port = await stack.enter_async_context(listening(side, tls=SERVER.options()))
            raw = await stack.enter_async_context(raw_client(port))
        else:
            raw = await stack.enter_async_context(raw_server(side, to()))
        await raw.handshake()
        await raw.say(b"all of it, or not?")
        await side.received(18)
        if end == "goodbye":
            await raw.goodbye()
        elif end == "reset":
            linger = b"\1\0\0\0\0\0\0\0"
            raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        raw.sock.close()
        assert await side.lost() is (ConnectionDone if end == "goodbye" else ConnectionLost)
        why = {"goodbye": "cleanly", "cut off": "without a close_notify", "reset": "reset"}
        assert why[end] in str(side.reason.value)  # type: ignore[union-attr]
        assert side.data == b"all of it, or not?"


@pytest.mark.parametrize("role", ["server", "client"])
@pytest.mark.parametrize("sent", ["nothing", "half a hello"])
async def test_a_handshake_has_a_time_limit(
    errors: Any, monkeypatch: pytest.MonkeyPatch, role: str, sent: str
) -> None:
    monkeypatch.setattr(_tls_transport, "HANDSHAKE_TIMEOUT", 0.05)
    side = Side()
    async with contextlib.AsyncExitStack() as stack:
        if role == "server":
            port = await stack.enter_async_context(listening(side, tls=SERVER.options()))
            raw = await stack.enter_async_context(raw_client(port))
            message = raw.hello()
        else:
            raw = await stack.enter_async_context(raw_server(side, to()))
            message = b"\x16\x03\x03\x00\x7a\x02"  # the beginning of a server's
        if sent != "nothing":
            await raw.send(message[: len(message) // 2])
        assert await side.lost() is ConnectionLost
        assert "no TLS handshake within 0.05 seconds" in str(side.reason.value)  # type: ignore[union-attr]
        assert not side.shaken


async def test_a_hello_may_come_byte_by_byte(errors: Any) -> None:
    side = Side({"data": answer})
    async with listening(side, tls=SERVER.options()) as port, raw_client(port) as raw:
        raw.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in raw.hello():
            await raw.send(bytes([byte]))
            await asyncio.sleep(0)
        await raw.handshake()
        await raw.say(b"hello\n")
        assert await raw.hear() == b"you said hello\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x80\x2e\x01\x00\x02" + bytes(50),  # SSL 2
        b"\x16\x03\x01\xff\xff" + bytes(100),  # a record longer than any may be
        b"\x17\x03\x03\x00\x10" + bytes(16),  # data before any handshake
        b"\x15\x03\x03\x00\x02\x02\x28",  # a fatal alert
        bytes(1000),
    ],
)
async def test_what_is_no_TLS_costs_the_connection_at_once(errors: Any, sent: bytes) -> None:
    side = Side()
    async with listening(side, tls=SERVER.options()) as port, raw_client(port) as raw:
        await raw.send(sent)
        assert await side.lost() is ssl.SSLError
        assert not side.data
        assert not side.shaken
        with contextlib.suppress(ConnectionResetError):
            while await raw.receive():
                pass


# -- certificates that do not hold --------------------------------------------

YESTERDAY = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("leaf", "why", "alert"),
    [
        (OTHER_LEAF, "certificate is not valid for 'localhost'", "bad certificate"),
        (issue("localhost", by=STRANGER), "unable to get local issuer", "unknown ca"),
        (issue("localhost", not_after=YESTERDAY), "has expired", "certificate expired"),
    ],
    ids=["wrong host", "unknown authority", "expired"],
)
async def test_why_a_certificate_is_refused(
    errors: Any, version: ssl.TLSVersion, leaf: trustme.LeafCert, why: str, alert: str
) -> None:
    """Both sides say so, and the client's factory is told the same as its protocol."""
    client, server = Side(), Side()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = tls.maximum_version = version
    leaf.configure_cert(tls)
    async with listening(server, tls=tls) as port:
        factory = Connects(client)
        reactor.connectSSL(LOCAL, port, factory, to())
        assert await client.lost() is ssl.SSLCertVerificationError
        assert client.reason is not None
        assert why in str(client.reason.value)
        assert await factory.lost is client.reason.value
        assert await server.lost() is ssl.SSLError
        assert alert in str(server.reason.value)  # type: ignore[union-attr]
        assert not client.shaken
        assert not server.shaken
