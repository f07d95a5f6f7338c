"""Wrappers around protocols, over a transport that remembers and over real sockets."""

from __future__ import annotations

import asyncio
import io
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from zope.interface import Interface, implementer

from reactorlib.internet import reactor
from reactorlib.internet.address import IPv4Address, UNIXAddress
from reactorlib.internet.defer import Deferred
from reactorlib.internet.interfaces import ITCPTransport
from reactorlib.internet.protocol import Factory, Protocol, connectionDone
from reactorlib.internet.task import Clock
from reactorlib.protocols import policies
from reactorlib.protocols.basic import FileSender
from reactorlib.protocols.wire import Echo
from reactorlib.python.failure import Failure

HERE = IPv4Address("TCP", "127.0.0.1", 1)


class Transport:
    """Remembers what was asked of it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.calls: list[str] = []
        self.producer: Any = None
        self.other = "what only this transport has"

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def writeSequence(self, data: Any) -> None:
        self.written.append(b"".join(data))

    def loseConnection(self) -> None:
        self.calls.append("lose")

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def getPeer(self) -> Any:
        return HERE


class Producer:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


def echo() -> Factory[Echo]:
    factory: Factory[Echo] = Factory.forProtocol(Echo)
    factory.noisy = False
    return factory


def clocked(kind: Any, clock: Clock) -> Any:
    """That kind of factory, with the time of a clock."""

    class Clocked(kind):  # type: ignore[misc]  # any
        def callLater(self, period: float, func: Any) -> Any:
            return clock.callLater(period, func)

    return Clocked


def connect(factory: Any, addr: Any = HERE) -> Any:
    p = factory.buildProtocol(addr)
    p.makeConnection(Transport())
    return p


# -- the wrapper --------------------------------------------------------------


def test_a_wrapper_is_all_that_its_transport_is() -> None:
    class ISpecial(Interface):
        """What a transport may be."""

    @implementer(ISpecial)
    class Special(Transport):
        pass

    p = policies.WrappingFactory(echo()).buildProtocol(HERE)
    assert p is not None
    p.makeConnection(Special())
    seen = p.wrappedProtocol.transport
    assert seen is p
    assert ISpecial.providedBy(seen)
    assert seen.other == "what only this transport has"
    with pytest.raises(AttributeError):
        seen.nothing  # noqa: B018


# -- limits -------------------------------------------------------------------


def test_connections_by_peer() -> None:
    factory = policies.LimitConnectionsByPeer(echo())
    factory.maxConnectionsPerPeer = 2
    one, _ = (connect(factory, IPv4Address("TCP", "10.0.0.1", port)) for port in (1, 2))
    assert factory.buildProtocol(IPv4Address("TCP", "10.0.0.1", 3)) is None
    other = connect(factory, IPv4Address("TCP", "10.0.0.2", 1))
    local = connect(factory, UNIXAddress(None))
    assert factory.peerConnections == {"10.0.0.1": 2, "10.0.0.2": 1, None: 1}
    for p in (one, other, local):
        p.connectionLost(connectionDone)
    assert factory.peerConnections == {"10.0.0.1": 1}
    assert factory.buildProtocol(IPv4Address("TCP", "10.0.0.1", 4)) is not None


def test_a_refusal_of_the_wrapped_factory_counts_nowhere() -> None:
    class Refusing(Factory[Any]):
        def buildProtocol(self, addr: Any) -> None:
            return None

    by_peer = policies.LimitConnectionsByPeer(Refusing())
    throttling = policies.ThrottlingFactory(Refusing(), 1)
    total = policies.LimitTotalConnectionsFactory()
    total.protocol = Echo
    total.connectionLimit = 0
    for factory in (by_peer, throttling, total, policies.TimeoutFactory(Refusing())):
        assert factory.buildProtocol(HERE) is None
    assert by_peer.peerConnections == {}
    assert (throttling.connectionCount, total.connectionCount) == (0, 0)


def test_total_connections_and_what_is_over() -> None:
    class Sorry(Protocol):
        def connectionMade(self) -> None:
            self.transport.write(b"full")

    factory = policies.LimitTotalConnectionsFactory()
    factory.protocol = Echo
    factory.connectionLimit = 1
    one = connect(factory)
    assert isinstance(one.wrappedProtocol, Echo)
    assert factory.buildProtocol(HERE) is None
    factory.overflowProtocol = Sorry
    over = connect(factory)
    assert over.transport.written == [b"full"]
    assert over.wrappedProtocol.factory is factory
    assert factory.connectionCount == 2
    over.connectionLost(connectionDone)
    one.connectionLost(connectionDone)
    assert factory.connectionCount == 0


# -- throttling ---------------------------------------------------------------


def test_reads_over_the_limit_are_made_up_for() -> None:
    clock = Clock()
    factory = clocked(policies.ThrottlingFactory, clock)(echo(), readLimit=10)
    p = connect(factory)
    p.dataReceived(b"x" * 25)
    clock.advance(1)
    assert p.transport.calls == ["pause"]
    late = connect(factory)
    assert late.transport.calls == ["pause"]
    clock.advance(1)
    assert p.transport.calls == ["pause"]
    clock.advance(0.5)
    assert p.transport.calls == late.transport.calls == ["pause", "resume"]
    for each in (p, late):
        each.connectionLost(connectionDone)
    assert clock.getDelayedCalls() == []


def test_reads_stay_paused_by_the_protocol() -> None:
    clock = Clock()
    factory = clocked(policies.ThrottlingFactory, clock)(echo(), readLimit=10)
    p = connect(factory)
    p.dataReceived(b"x" * 20)
    p.pauseProducing()
    clock.pump([1, 1])
    assert p.transport.calls == ["pause", "pause"]
    p.resumeProducing()
    assert p.transport.calls[-1] == "resume"


@pytest.mark.parametrize("streaming", [True, False])
def test_producers_wait_when_too_much_was_written(streaming: bool) -> None:
    clock = Clock()
    factory = clocked(policies.ThrottlingFactory, clock)(echo(), writeLimit=10)
    p = connect(factory)
    producer = Producer()
    p.registerProducer(producer, streaming)
    p.writeSequence([b"x" * 10, b"y" * 10])
    assert p.transport.written == [b"x" * 10 + b"y" * 10]
    clock.advance(1)
    assert producer.calls == (["pause"] if streaming else [])
    # Meanwhile the transport would take more.
    if streaming:
        p.transport.producer.pauseProducing()
    p.transport.producer.resumeProducing()
    assert producer.calls == (["pause"] if streaming else [])
    clock.advance(1)
    assert producer.calls == (["pause", "resume"] if streaming else ["resume"])
    p.unregisterProducer()
    assert p.transport.producer is None
    p.connectionLost(connectionDone)
    assert clock.getDelayedCalls() == []


# -- timeouts -----------------------------------------------------------------


def test_an_idle_connection_is_closed() -> None:
    clock = Clock()
    p = connect(clocked(policies.TimeoutFactory, clock)(echo(), 3))
    happenings: list[Callable[[], None]] = [
        lambda: p.write(b"a"),
        lambda: p.writeSequence([b"b"]),
        lambda: p.dataReceived(b"c"),
    ]
    for happens in happenings:
        clock.advance(2)
        happens()
    clock.advance(2.5)
    assert p.transport.calls == []
    clock.advance(0.5)
    assert p.transport.calls == ["lose"]
    p.connectionLost(connectionDone)


def test_a_producer_is_stopped_when_its_time_is_over() -> None:
    clock = Clock()
    p = connect(clocked(policies.TimeoutFactory, clock)(echo(), 3))
    forgotten, producer = Producer(), Producer()
    p.registerProducer(forgotten, True)
    p.unregisterProducer()
    p.registerProducer(producer, True)
    clock.advance(3)
    assert (forgotten.calls, producer.calls) == ([], ["stop"])
    assert (p.transport.producer, p.transport.calls) == (None, ["lose"])


def test_a_producer_that_fails_to_stop_does_not_keep_the_connection() -> None:
    class Broken(Producer):
        def stopProducing(self) -> None:
            raise LookupError

    clock = Clock()
    p = connect(clocked(policies.TimeoutFactory, clock)(echo(), 3))
    p.registerProducer(Broken(), True)
    with pytest.raises(LookupError):
        clock.advance(3)
    assert (p.transport.producer, p.transport.calls) == (None, ["lose"])


def test_a_producer_that_the_transport_refuses_is_not_stopped() -> None:
    class Refusing(Transport):
        def registerProducer(self, producer: Any, streaming: bool) -> None:
            raise RuntimeError

    clock, producer = Clock(), Producer()
    p = clocked(policies.TimeoutFactory, clock)(echo(), 3).buildProtocol(HERE)
    p.makeConnection(Refusing())
    with pytest.raises(RuntimeError):
        p.registerProducer(producer, True)
    clock.advance(3)
    assert (producer.calls, p.transport.calls) == ([], ["lose"])


def test_a_timeout_may_be_changed_and_ends_with_the_connection() -> None:
    clock = Clock()
    p = connect(clocked(policies.TimeoutFactory, clock)(echo(), None))
    assert clock.getDelayedCalls() == []
    p.setTimeout(5)
    p.cancelTimeout()
    p.resetTimeout()
    assert clock.getDelayedCalls() == []
    p.setTimeout()
    clock.advance(4)
    p.connectionLost(connectionDone)
    assert clock.getDelayedCalls() == []


class Limited(policies.TimeoutMixin, Protocol):
    def __init__(self, clock: Clock) -> None:
        self.callLater = clock.callLater  # type: ignore[assignment]  # takes more


def test_timeout_mixin() -> None:
    clock = Clock()
    p = Limited(clock)
    p.makeConnection(Transport())
    p.resetTimeout()
    assert p.setTimeout(3) is None
    clock.advance(2)
    p.resetTimeout()
    clock.advance(2)
    assert p.setTimeout(1) == 3
    assert p.timeOut == 1
    clock.advance(1)
    assert p.transport.calls == ["lose"]
    p.resetTimeout()
    p.setTimeout(1)
    clock.getDelayedCalls()[0].cancel()
    p.resetTimeout()
    assert p.setTimeout(None) == 1
    assert clock.getDelayedCalls() == []


# -- logging ------------------------------------------------------------------


def test_traffic_is_written_down() -> None:
    log = io.StringIO()

    class InMemory(policies.TrafficLoggingFactory):
        def open(self, name: str) -> Any:
            assert name == "log-1"
            return log

    p = connect(InMemory(echo(), "log", 6))
    p.dataReceived(b"hello world")
    p.writeSequence([b"a", b"bcdefghi"])
    p.loseConnection()
    p.connectionLost(Failure(ValueError("why")))
    lines = log.getvalue().splitlines()
    assert lines[:5] == [
        "*",
        "C 1: b'hel<...>rld'",
        "S 1: b'hel<...>rld'",
        "SV 1: [b'a', b'bcd<...>ghi']",
        "S 1: *",
    ]
    assert lines[5].startswith("C 1: ")
    assert "ValueError" in lines[5]
    assert p.transport.written == [b"hello world", b"abcdefghi"]


def test_traffic_goes_to_a_file_for_each_connection(tmp_path: Path) -> None:
    factory = policies.TrafficLoggingFactory(echo(), str(tmp_path / "log"))
    for text in (b"one", b"two"):
        p = connect(factory)
        p.dataReceived(text)
        p.connectionLost(connectionDone)
        assert p.logfile.closed
    assert "b'one'" in (tmp_path / "log-1").read_text()
    assert "b'two'" in (tmp_path / "log-2").read_text()
    factory.resetCounter()
    connect(factory).connectionLost(connectionDone)
    assert "b'one'" not in (tmp_path / "log-1").read_text()


def test_what_is_asked_for_after_the_loss_is_told_nowhere(tmp_path: Path) -> None:
    """A transport takes it, too, and does nothing."""
    p = connect(policies.TrafficLoggingFactory(echo(), str(tmp_path / "log")))
    p.connectionLost(connectionDone)
    p.write(b"late")
    p.writeSequence([b"late"])
    p.loseConnection()
    assert p.transport.written == [b"late", b"late"]
    assert p.transport.calls == ["lose"]
    assert "late" not in (tmp_path / "log-1").read_text()


def test_a_traffic_log_is_closed_whatever_the_protocol_raises(tmp_path: Path) -> None:
    class Failing(Protocol):
        def connectionLost(self, reason: Failure = connectionDone) -> None:
            raise LookupError

    p = connect(policies.TrafficLoggingFactory(Factory.forProtocol(Failing), str(tmp_path / "log")))
    with pytest.raises(LookupError):
        p.connectionLost(connectionDone)
    assert p.logfile.closed


def test_spewing_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    p = connect(policies.SpewingFactory(echo()))
    p.dataReceived(b"hi")
    p.writeSequence([b"a"])
    assert [record.getMessage() for record in caplog.records] == [
        "Received: b'hi'",
        "Sending: b'hi'",
        "Sending: [b'a']",
    ]


# -- over sockets -------------------------------------------------------------

WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "none": policies.WrappingFactory,
    "throttling": lambda f: policies.ThrottlingFactory(f, 9, 10**9, 10**9),
    "timeout": lambda f: policies.TimeoutFactory(f, 60),
    "by-peer": policies.LimitConnectionsByPeer,
    "spewing": policies.SpewingFactory,
    "all": lambda f: policies.TimeoutFactory(
        policies.ThrottlingFactory(policies.LimitConnectionsByPeer(f), 9, 10**9, 10**9), 60
    ),
}


@pytest.mark.parametrize("name", WRAPPERS)
async def test_every_wrapper_passes_everything_on(name: str) -> None:
    lost: Deferred[Any] = Deferred()

    class Server(Echo):
        def connectionMade(self) -> None:
            assert ITCPTransport.providedBy(self.transport)
            peer: Any = self.transport.getPeer()
            assert peer.host == "127.0.0.1"
            self.transport.setTcpNoDelay(True)

        def connectionLost(self, reason: Failure = connectionDone) -> None:
            lost.callback(None)

    inner: Factory[Any] = Factory.forProtocol(Server)
    factory = WRAPPERS[name](inner)
    inner.noisy = factory.noisy = False
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
    data = bytes(range(256)) * 1000
    writer.write(data)
    assert await reader.readexactly(len(data)) == data
    writer.close()
    await writer.wait_closed()
    await lost
    await port.stopListening()
    assert not factory.protocols


async def test_a_file_that_nobody_takes_fails_in_time() -> None:
    """The peer does not read: what sends the file hears of the end of its time."""
    sent: Deferred[bytes] = Deferred()

    class Sending(Protocol):
        def connectionMade(self) -> None:
            file = io.BytesIO(b"x" * 50_000_000)
            FileSender().beginFileTransfer(file, self.transport).chainDeferred(sent)

    inner = Factory.forProtocol(Sending)
    inner.noisy = False
    factory = policies.TimeoutFactory(inner, 0.05)
    factory.noisy = False
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.setblocking(False)
        async with asyncio.timeout(10):
            await asyncio.get_running_loop().sock_connect(peer, ("127.0.0.1", port.getHost().port))
            with pytest.raises(Exception, match="Consumer asked us to stop producing"):
                await sent
        (wrapper,) = factory.protocols
        wrapper.abortConnection()
    await port.stopListening()


async def test_an_idle_connection_is_closed_over_a_socket() -> None:
    factory = policies.TimeoutFactory(echo(), 0.01)
    factory.noisy = False
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    await port.stopListening()
