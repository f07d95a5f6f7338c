"""Connections that begin with a PROXY header, on a clock and on real sockets."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from reactorlib.internet import reactor
from reactorlib.internet.address import IPv4Address, IPv6Address, UNIXAddress
from reactorlib.internet.defer import Deferred
from reactorlib.internet.endpoints import (
    SSL4ServerEndpoint,
    TCP4ServerEndpoint,
    serverFromString,
    wrapServerTLS,
)
from reactorlib.internet.protocol import Factory, Protocol
from reactorlib.internet.task import Clock
from reactorlib.protocols.haproxy import HAProxyWrappingFactory, proxyEndpoint
from reactorlib.protocols.haproxy._wrapper import Trusted
from reactorlib.python.failure import Failure

pytestmark = pytest.mark.timeout(30)

LOCAL = "127.0.0.1"
HEADER = b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n"
CLIENT, SERVER = IPv4Address("TCP", "192.0.2.1", 1234), IPv4Address("TCP", "192.0.2.2", 80)

haproxy = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
needs_haproxy = pytest.mark.skipif(haproxy is None, reason="no haproxy here")

CA = trustme.CA()
LEAF = CA.issue_cert("localhost", LOCAL)


class Transport:
    """What a wrapper needs of a transport, and what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def getPeer(self) -> Any:
        return IPv4Address("TCP", "10.0.0.1", 1)

    def getHost(self) -> Any:
        return IPv4Address("TCP", "10.0.0.2", 2)

    def loseConnection(self) -> None:
        self.told.append("lose")

    def abortConnection(self) -> None:
        self.told.append("abort")

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")


class Seen(Protocol):
    """Keeps what it is told; `pauses` after each piece of data."""

    pauses = False

    def __init__(self) -> None:
        self.told: list[Any] = []

    def connectionMade(self) -> None:
        self.told.append(("made", self.transport.getPeer(), self.transport.getHost()))
        if self.pauses:
            self.transport.pauseProducing()

    def dataReceived(self, data: bytes) -> None:
        self.told.append(data)

    def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]
        self.told.append("lost")


class Making(Factory[Any]):
    noisy = False
    refuses = False

    def __init__(self) -> None:
        self.built: list[Any] = []

    def buildProtocol(self, addr: Any) -> Any:
        protocol = None if self.refuses else Seen()
        self.built.append((addr, protocol))
        return protocol

    @property
    def one(self) -> Seen:
        [(_, protocol)] = self.built
        assert isinstance(protocol, Seen)
        return protocol


def connected(made: Making | None = None, **options: Any) -> tuple[Making, Any, Transport, Clock]:
    clock = Clock()
    made = made or Making()
    factory = HAProxyWrappingFactory(made, clock=clock, **options)
    wrapper: Any = factory.buildProtocol(IPv4Address("TCP", "10.0.0.1", 1))
    transport = Transport()
    wrapper.makeConnection(transport)
    return made, wrapper, transport, clock


# -- in memory ----------------------------------------------------------------


def test_nothing_is_built_before_the_header() -> None:
    made, wrapper, transport, clock = connected()
    for byte in HEADER[:-1]:
        wrapper.dataReceived(bytes([byte]))
    assert made.built == []
    wrapper.dataReceived(HEADER[-1:] + b"hello")
    wrapper.dataReceived(b"more")
    [(address, protocol)] = made.built
    assert address == CLIENT
    assert protocol.told == [("made", CLIENT, SERVER), b"hello", b"more"]
    assert wrapper.proxyHeader.version == 1
    assert clock.getDelayedCalls() == []
    wrapper.connectionLost(Failure(ValueError()))
    assert protocol.told[-1] == "lost"
    assert transport.told == []


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"])
def test_a_proxy_that_does_not_say_is_the_peer(header: bytes) -> None:
    made, wrapper, transport, _ = connected()
    wrapper.dataReceived(header)
    assert made.one.told == [("made", transport.getPeer(), transport.getHost())]


def test_a_slow_header_is_not_waited_for() -> None:
    made, wrapper, transport, clock = connected(headerTimeout=3)
    for sent in range(2):
        wrapper.dataReceived(HEADER[sent : sent + 1])
        clock.advance(1)
    assert transport.told == []
    clock.advance(1)
    assert transport.told == ["abort"]
    wrapper.dataReceived(HEADER[2:])
    wrapper.connectionLost()
    assert made.built == []
    assert clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n", b"PROXY " + b"x" * 200, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff"]
)
def test_a_bad_or_long_header_ends_the_connection(
    data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    made, wrapper, transport, clock = connected()
    wrapper.dataReceived(data)
    assert transport.told == ["abort"]
    assert "10.0.0.1" in caplog.text
    wrapper.dataReceived(b"more")
    wrapper.connectionLost()
    assert made.built == []
    assert clock.getDelayedCalls() == []
    assert wrapper.factory.protocols == {}


def test_lost_before_the_header() -> None:
    made, wrapper, _, clock = connected()
    wrapper.dataReceived(HEADER[:3])
    wrapper.connectionLost()
    assert made.built == []
    assert clock.getDelayedCalls() == []
    assert wrapper.factory.protocols == {}


def test_a_factory_that_refuses_closes() -> None:
    made = Making()
    made.refuses = True
    _, wrapper, transport, _ = connected(made)
    wrapper.dataReceived(HEADER)
    assert made.built == [(CLIENT, None)]
    assert transport.told == ["lose"]


def test_what_follows_the_header_waits_for_one_that_pauses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Seen, "pauses", True)
    made, wrapper, transport, clock = connected()
    wrapper.dataReceived(HEADER + b"a")
    wrapper.dataReceived(b"b")
    assert made.one.told[1:] == []
    wrapper.resumeProducing()
    clock.advance(0)
    assert made.one.told[1:] == [b"ab"]
    assert transport.told == ["pause", "resume"]
    wrapper.dataReceived(b"c")
    assert made.one.told[2:] == [b"c"]


def test_what_waits_is_delivered_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Seen, "pauses", True)
    made, wrapper, _, _ = connected()
    wrapper.dataReceived(HEADER + b"a")
    wrapper.connectionLost(Failure(ValueError()))
    assert made.one.told[1:] == [b"a", "lost"]


class Mistake(Exception):
    """The wrapped protocol's own."""


class Mistaken(Seen):
    """Pauses at first, and raises what the test says."""

    pauses = True
    raises: type[BaseException] = Mistake

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        raise self.raises


class MakingMistakes(Making):
    def buildProtocol(self, addr: Any) -> Any:
        protocol = Mistaken()
        self.built.append((addr, protocol))
        return protocol


async def test_an_error_on_what_waits_does_not_hide_the_end(errors: Any) -> None:
    """Promise 16 of transports: `connectionLost` comes exactly once, last."""
    made, wrapper, _, _ = connected(MakingMistakes())
    wrapper.dataReceived(HEADER + b"a")
    wrapper.connectionLost(Failure(ValueError()))
    assert made.one.told[1:] == [b"a", "lost"]
    assert [type(error) for error in errors.take()] == [Mistake]
    assert wrapper.factory.protocols == {}


async def test_an_error_on_what_waited_costs_the_connection(errors: Any) -> None:
    made, wrapper, transport, clock = connected(MakingMistakes())
    wrapper.dataReceived(HEADER + b"a")
    wrapper.resumeProducing()
    clock.advance(0)
    assert made.one.told[1:] == [b"a"]
    assert transport.told == ["pause", "resume", "abort"]
    assert [type(error) for error in errors.take()] == [Mistake]
    wrapper.connectionLost(Failure(ValueError()))
    assert made.one.told[2:] == ["lost"]


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_on_what_waits_goes_on(
    interrupt: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Mistaken, "raises", interrupt)
    made, wrapper, transport, clock = connected(MakingMistakes())
    wrapper.dataReceived(HEADER + b"a")
    with pytest.raises(interrupt):
        wrapper.connectionLost(Failure(ValueError()))
    assert made.one.told[1:] == [b"a", "lost"]

    _, wrapper, transport, clock = connected(MakingMistakes())
    wrapper.dataReceived(HEADER + b"a")
    wrapper.resumeProducing()
    with pytest.raises(interrupt):
        clock.advance(0)
    assert transport.told == ["pause", "resume"]


@pytest.mark.parametrize("how", ["loseConnection", "abortConnection"])
def test_who_closes_is_given_nothing_more(how: str) -> None:
    class Closing(Seen):
        def connectionMade(self) -> None:
            super().connectionMade()
            getattr(self.transport, how)()

    class MakingThem(Making):
        def buildProtocol(self, addr: Any) -> Any:
            self.built.append((addr, Closing()))
            return self.built[-1][1]

    made, wrapper, _, clock = connected(MakingThem())
    wrapper.dataReceived(HEADER + b"hello")
    wrapper.connectionLost()
    assert made.one.told[1:] == ["lost"]
    assert clock.getDelayedCalls() == []


@pytest.mark.parametrize("how", ["loseConnection", "abortConnection"])
def test_who_closes_while_paused_is_given_nothing_more(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Seen, "pauses", True)
    made, wrapper, _, clock = connected()
    wrapper.dataReceived(HEADER + b"hello")
    getattr(wrapper, how)()
    wrapper.resumeProducing()
    clock.advance(0)
    wrapper.connectionLost()
    assert made.one.told[1:] == ["lost"]


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        (IPv4Address("TCP", "10.1.2.3", 1), True),
        (IPv4Address("TCP", "11.1.2.3", 1), False),
        (IPv4Address("TCP", "192.0.2.7", 1), True),
        (IPv4Address("TCP", "192.0.2.8", 1), False),
        (IPv6Address("TCP", "2001:db8::7", 1), True),
        (IPv6Address("TCP", "2001:db9::7", 1), False),
        (IPv6Address("TCP", "::ffff:10.1.2.3", 1), True),
        (IPv6Address("TCP", "fe80::1%eth0", 1), False),
        (UNIXAddress(None), True),
        (None, False),
    ],
)
def test_whom_to_trust(address: Any, trusted: bool) -> None:
    networks = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "unix"]
    assert (address in Trusted(networks)) is trusted
    factory = HAProxyWrappingFactory(Making(), networks, clock=Clock())
    assert (factory.buildProtocol(address) is not None) is trusted
    assert UNIXAddress(None) not in Trusted(["10.0.0.0/8"])


@pytest.mark.parametrize("network", ["10.0.0.1/8", "nowhere", ""])
def test_what_is_no_network(network: str) -> None:
    with pytest.raises(ValueError, match="is no network"):
        proxyEndpoint(TCP4ServerEndpoint(reactor, 0), trusted=[network])


def test_descriptions() -> None:
    described = serverFromString(reactor, r"haproxy:unix:/run/a\:b\=c:mode=600")
    assert described._wrappedEndpoint._address == "/run/a:b=c"
    assert described._wrappedEndpoint._mode == 0o600
    described = serverFromString(
        reactor, r"haproxy:tcp:8080:trusted=10.0.0.0/8,fd00\:\:/8,unix:headerTimeout=5"
    )
    factory = described._wrapperFactory(Making())
    assert factory._timeout == 5
    assert IPv6Address("TCP", "fd00::1", 1) in factory._trusted
    assert serverFromString(reactor, "haproxy:tcp:1")._wrapperFactory(Making())._trusted is None


# -- on real sockets ----------------------------------------------------------


class Telling(Protocol):
    """Says who is at both ends, then echoes one line, and closes."""

    def connectionMade(self) -> None:
        peer, host = self.transport.getPeer(), self.transport.getHost()
        self.transport.write(f"{peer.host}:{peer.port} {host.host}:{host.port}\n".encode())

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)
        self.transport.loseConnection()


TELLING = Factory[Any].forProtocol(Telling)
TELLING.noisy = False


def server_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    LEAF.configure_cert(context)
    return context


def client_tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    CA.configure_trust(context)
    return context


@pytest.fixture
async def ports(errors: Any) -> AsyncIterator[Any]:
    """Listens at an endpoint; says the number of the port."""

    async def listen(endpoint: Any) -> int:
        port = await endpoint.listen(TELLING)
        number: int = port.getHost().port
        return number

    async with reactor:
        yield listen


def plain(**options: Any) -> Any:
    return proxyEndpoint(TCP4ServerEndpoint(reactor, 0, interface=LOCAL), **options)


def encrypted(kind: str) -> Any:
    if kind == "ssl":
        return proxyEndpoint(SSL4ServerEndpoint(reactor, 0, server_tls(), interface=LOCAL))
    below = TCP4ServerEndpoint(reactor, 0, interface=LOCAL)
    return proxyEndpoint(wrapServerTLS(server_tls(), below))


async def test_the_client_is_the_peer(ports: Any) -> None:
    number = await ports(plain())
    reader, writer = await asyncio.open_connection(LOCAL, number)
    writer.write(HEADER + b"hello\n")
    assert await reader.read() == b"192.0.2.1:1234 192.0.2.2:80\nhello\n"
    writer.close()


@pytest.mark.parametrize("kind", ["ssl", "tls"])
async def test_the_header_comes_before_tls(ports: Any, kind: str) -> None:
    number = await ports(encrypted(kind))
    loop = asyncio.get_running_loop()
    with socket.create_connection((LOCAL, number)) as sock:
        sock.setblocking(False)
        await loop.sock_sendall(sock, HEADER)
        reader, writer = await asyncio.open_connection(
            sock=sock, ssl=client_tls(), server_hostname="localhost"
        )
        writer.write(b"hello\n")
        assert await reader.readline() == b"192.0.2.1:1234 192.0.2.2:80\n"
        assert await reader.readline() == b"hello\n"
        writer.close()


async def test_others_than_the_proxy_are_refused(ports: Any) -> None:
    number = await ports(plain(trusted=["192.0.2.0/24"]))
    reader, writer = await asyncio.open_connection(LOCAL, number)
    assert await reader.read() == b""
    writer.close()


async def test_a_slow_proxy_is_dropped(ports: Any) -> None:
    number = await ports(plain(headerTimeout=0.05))
    reader, writer = await asyncio.open_connection(LOCAL, number)
    writer.write(HEADER[:5])
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_an_error_on_what_waited_costs_a_connection_over_a_socket(errors: Any) -> None:
    lost: Deferred[Any] = Deferred()

    class Resuming(Mistaken):
        def connectionMade(self) -> None:
            super().connectionMade()
            reactor.callLater(0, self.transport.resumeProducing)

        def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]
            lost.callback((self.told[1:], reason.type))

    async with reactor, asyncio.timeout(10):
        port = await plain().listen(Factory.forProtocol(Resuming))
        reader, writer = await asyncio.open_connection(LOCAL, port.getHost().port)
        writer.write(HEADER + b"hello")
        try:
            with pytest.raises(ConnectionResetError):
                await reader.read()
        finally:
            writer.close()
        assert await lost == ([b"hello"], Mistake)
    assert [type(error) for error in errors.take()] == [Mistake]


async def test_an_asyncio_protocol_knows_the_client(errors: Any) -> None:
    made: Deferred[Any] = Deferred()

    class Spoken(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.callback(transport.get_extra_info("peername"))
            transport.close()

    async with reactor:
        port = await plain().listen(Spoken)
        _, writer = await asyncio.open_connection(LOCAL, port.getHost().port)
        writer.write(HEADER)
        assert await made == ("192.0.2.1", 1234)
        writer.close()


# -- behind haproxy itself ----------------------------------------------------

CONFIGURATION = """
global
    maxconn 64
defaults
    mode tcp
    timeout connect 5s
    timeout client 10s
    timeout server 10s
listen all
    bind fd@{descriptor}
    {more}
    server ours {host}:{port} {options}
"""


@contextmanager
def in_front(folder: Path, port: int, options: str, more: str = "") -> Iterator[int]:
    """haproxy in front of a port of ours; the number of its own."""
    assert haproxy is not None
    configuration = folder / "haproxy.cfg"
    with socket.create_server((LOCAL, 0)) as listening:
        descriptor = listening.fileno()
        configuration.write_text(
            CONFIGURATION.format(
                descriptor=descriptor, host=LOCAL, port=port, options=options, more=more
            )
        )
        process = subprocess.Popen(
            [haproxy, "-db", "-q", "-f", str(configuration)],
            pass_fds=[descriptor],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield listening.getsockname()[1]
        finally:
            process.terminate()
            process.wait(10)


@needs_haproxy
@pytest.mark.parametrize(
    "options",
    ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"],
)
@pytest.mark.parametrize("over", ["plain", "tls"])
async def test_behind_haproxy(tmp_path: Path, ports: Any, options: str, over: str) -> None:
    endpoint = plain(trusted=[LOCAL]) if over == "plain" else encrypted("tls")
    number = await ports(endpoint)
    with in_front(tmp_path, number, options) as front:
        tls: dict[str, Any] = {}
        if over == "tls":
            tls = {"ssl": client_tls(), "server_hostname": "localhost"}
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection(LOCAL, front, **tls)
            mine = writer.get_extra_info("sockname")
            writer.write(b"hello\n")
            told = await reader.readline()
            assert told.decode() == f"{mine[0]}:{mine[1]} {LOCAL}:{front}\n"
            assert await reader.readline() == b"hello\n"
            writer.close()


@needs_haproxy
async def test_haproxys_own_checks_are_local(tmp_path: Path, errors: Any) -> None:
    """Section 2.2: a health check says LOCAL, and the proxy is the peer."""
    made: Deferred[Any] = Deferred()

    class Checked(Protocol):
        def connectionMade(self) -> None:
            self.transport.write(b"well")
            if not made.called:
                made.callback((self.transport.getPeer(), self.transport.proxyHeader))

    factory = Factory[Any].forProtocol(Checked)
    factory.noisy = False
    async with reactor:
        port = await plain().listen(factory)
        # It waits for an answer: otherwise it might be gone before we look.
        checks = "option tcp-check\n    tcp-check expect string well"
        options = "send-proxy-v2 check inter 100"
        with in_front(tmp_path, port.getHost().port, options, checks):
            async with asyncio.timeout(10):
                peer, header = await made
    assert (peer.host, header.source, header.version) == (LOCAL, None, 2)
