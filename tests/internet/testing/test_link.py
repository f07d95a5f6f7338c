"""A network in memory: what arrives, and when."""

from __future__ import annotations

from typing import Any

import pytest
from zope.interface import implementer
from zope.interface.verify import verifyObject

from reactorlib.internet import error
from reactorlib.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IPushProducer,
    ITCPTransport,
    IUDPTransport,
)
from reactorlib.internet.protocol import DatagramProtocol, Factory, Protocol
from reactorlib.internet.task import Clock
from reactorlib.internet.testing import AccumulatingProtocol, Link, NonStreamingProducer
from reactorlib.protocols.basic import LineReceiver


class Arrivals(AccumulatingProtocol):
    """Keeps when data came."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.times: list[float] = []

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.times.append(self.clock.seconds())


def connected(**options: Any) -> tuple[Clock, Arrivals, Arrivals]:
    clock = Clock()
    client, server = Arrivals(clock), Arrivals(clock)
    Link(clock, **options).connect(client, server)
    return clock, client, server


def settle(clock: Clock, limit: float = 10_000) -> None:
    """Go from call to call until there are none."""
    while clock.calls:
        assert clock.seconds() < limit
        clock.advance(max(0, clock.calls[0].getTime() - clock.seconds()))


def reason(protocol: AccumulatingProtocol) -> type[BaseException]:
    assert protocol.closedReason is not None
    return type(protocol.closedReason.value)


def test_the_ends_are_transports() -> None:
    _, client, server = connected()
    for interface in (ITCPTransport, IConsumer, IPushProducer):
        verifyObject(interface, client.transport)
    assert client.transport.getPeer() == server.transport.getHost()
    assert server.transport.getPeer() == client.transport.getHost()


def test_data_arrives_after_the_latency() -> None:
    clock, client, server = connected(latency=0.5)
    client.transport.write(b"hello")
    clock.advance(0.49)
    assert server.data == b""
    clock.advance(0.02)
    assert server.data == b"hello"


def test_the_bandwidth_spreads_segments() -> None:
    clock, client, server = connected(latency=1, bandwidth=1460)
    client.transport.write(b"x" * 4380)
    settle(clock)
    assert server.times == [2, 3, 4]


def test_a_stream_with_loss_is_whole_and_in_order_but_later() -> None:
    clock, client, server = connected(latency=0.1, loss=0.3, seed=1)
    sent = bytes(range(256)) * 200
    client.transport.write(sent)
    settle(clock)
    assert server.data == sent
    assert server.times[-1] > 0.3
    assert server.times == sorted(server.times)


def test_loss_is_the_same_each_time() -> None:
    def times(seed: int) -> list[float]:
        clock, client, server = connected(loss=0.5, seed=seed)
        client.transport.write(b"x" * 146000)
        settle(clock)
        return server.times

    assert times(3) == times(3) != times(4)


def test_two_line_protocols_talk() -> None:
    class Echo(LineReceiver):
        def lineReceived(self, line: bytes) -> None:
            self.sendLine(line.upper())
            if line == b"bye":
                self.transport.loseConnection()

    clock = Clock()
    client = Arrivals(clock)
    Link(clock, latency=1).connectFactories(
        Factory.forProtocol(lambda: client), Factory.forProtocol(Echo)
    )
    client.transport.writeSequence([b"hello\r\n", b"bye\r\n"])
    settle(clock)
    assert client.data == b"HELLO\r\nBYE\r\n"
    assert reason(client) is error.ConnectionDone


def test_closing_sends_first_what_is_written() -> None:
    clock, client, server = connected(latency=1)
    client.transport.write(b"last words")
    client.transport.loseConnection()
    client.transport.write(b"too late")
    settle(clock)
    assert server.data == b"last words"
    assert reason(client) is reason(server) is error.ConnectionDone
    assert (client.closed, server.closed) == (1, 1)


def test_aborting_resets_the_peer() -> None:
    clock, client, server = connected(latency=1)
    client.transport.write(b"lost")
    client.transport.abortConnection()
    settle(clock)
    assert server.data == b""
    assert reason(client) is error.ConnectionAborted
    assert reason(server) is error.ConnectionLost


def test_what_crosses_a_close_is_answered_with_a_reset() -> None:
    """RFC 9293 section 3.10.7.1: to a connection that is closed, no data can be sent."""
    clock, client, server = connected(latency=1)
    server.transport.write(b"x" * 100_000)
    drained = server.transport.drain()
    client.transport.loseConnection()
    clock.advance(1)  # the end has come, and what was written has arrived at nobody
    assert reason(client) is error.ConnectionDone
    assert (server.closed, drained.called) == (0, False)
    settle(clock)
    assert clock.seconds() == 2
    assert reason(server) is error.ConnectionLost
    assert "has closed" in str(server.closedReason)
    assert (client.closed, server.closed, client.data) == (1, 1, b"")
    assert drained.called


def test_what_a_paused_end_has_not_taken_is_lost_when_it_closes() -> None:
    """RFC 2525 section 2.17: the peer is not to believe that it was read."""
    clock, client, server = connected(latency=1)
    client.transport.pauseProducing()
    server.transport.write(b"never read")
    clock.advance(1)
    client.transport.loseConnection()
    settle(clock)
    assert client.data == b""
    assert reason(client) is error.ConnectionDone
    assert reason(server) is error.ConnectionLost
    assert (client.closed, server.closed) == (1, 1)


def test_writing_on_to_a_peer_that_has_closed_ends_in_a_reset() -> None:
    @implementer(IHalfCloseableProtocol)
    class Writes(Arrivals):
        def readConnectionLost(self) -> None:
            self.transport.write(b"anyone?")

        def writeConnectionLost(self) -> None: ...

    class Producer:
        stopped = 0

        def pauseProducing(self) -> None: ...

        def resumeProducing(self) -> None: ...

        def stopProducing(self) -> None:
            self.stopped += 1

    clock, producer = Clock(), Producer()
    client, server = Arrivals(clock), Writes(clock)
    Link(clock, latency=1).connect(client, server)
    server.transport.registerProducer(producer, True)
    client.transport.loseConnection()
    settle(clock)
    assert clock.seconds() == 3
    assert reason(client) is error.ConnectionDone
    assert reason(server) is error.ConnectionLost
    assert (server.closed, producer.stopped) == (1, 1)


def test_data_that_crosses_an_abort_changes_nothing() -> None:
    clock, client, server = connected(latency=1)
    server.transport.write(b"x")
    client.transport.abortConnection()
    settle(clock)
    assert (clock.seconds(), client.closed, server.closed) == (1, 1, 1)
    assert reason(client) is error.ConnectionAborted
    assert "broke the connection off" in str(server.closedReason)


def test_half_closing_leaves_the_other_direction_open() -> None:
    @implementer(IHalfCloseableProtocol)
    class Half(Arrivals):
        halves: tuple[str, ...] = ()

        def readConnectionLost(self) -> None:
            self.halves += ("read",)
            self.transport.write(b"answer")
            self.transport.loseConnection()

        def writeConnectionLost(self) -> None:
            self.halves += ("write",)

    clock = Clock()
    client, server = Half(clock), Half(clock)
    Link(clock, latency=1).connect(client, server)
    client.transport.write(b"question")
    client.transport.loseWriteConnection()
    clock.advance(0)
    assert client.halves == ("write",)
    settle(clock)
    assert server.data == b"question"
    assert client.data == b"answer"
    assert client.closed == server.closed == 1


def test_a_reader_that_pauses_holds_a_producer_up() -> None:
    class Producer:
        states: tuple[str, ...] = ()

        def pauseProducing(self) -> None:
            self.states += ("pause",)

        def resumeProducing(self) -> None:
            self.states += ("resume",)

        def stopProducing(self) -> None:
            self.states += ("stop",)

    clock, client, server = connected(latency=1)
    producer = Producer()
    client.transport.registerProducer(producer, True)
    with pytest.raises(RuntimeError, match="already"):
        client.transport.registerProducer(producer, True)
    server.transport.pauseProducing()
    client.transport.write(b"x" * 100_000)
    drained = client.transport.drain()
    settle(clock)
    assert (server.data, producer.states, drained.called) == (b"", ("pause",), False)
    server.transport.resumeProducing()
    settle(clock)
    assert (len(server.data), producer.states) == (100_000, ("pause", "resume"))
    assert drained.called
    client.transport.abortConnection()
    settle(clock)
    assert producer.states[-1] == "stop"


def test_a_pull_producer_is_asked_when_the_last_piece_was_taken() -> None:
    clock, client, server = connected(latency=1)
    producer = NonStreamingProducer(client.transport)
    client.transport.registerProducer(producer, False)
    settle(clock)
    assert server.data == b"0123456789"
    assert server.times == list(range(1, 11))


class Datagrams(DatagramProtocol):
    def __init__(self) -> None:
        self.seen: list[tuple[bytes, Any]] = []

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.seen.append((datagram, addr))


def test_datagrams_get_lost() -> None:
    clock, one, other = Clock(), Datagrams(), Datagrams()
    Link(clock, latency=1, loss=0.5).connectDatagrams(one, other)
    assert one.transport is not None
    verifyObject(IUDPTransport, one.transport)
    host = other.transport.getHost()
    for number in range(100):
        one.transport.write(b"%d" % number, (host.host, host.port))
    one.transport.write(b"astray", ("192.0.2.9", 80))
    settle(clock)
    numbers = [int(data) for data, _ in other.seen]
    assert 20 < len(numbers) < 80
    assert numbers == sorted(set(numbers))
    assert other.seen[0][1] == ("192.0.2.1", 50000)


def test_a_datagram_needs_an_address_unless_connected() -> None:
    clock, one, other = Clock(), Datagrams(), Datagrams()
    Link(clock).connectDatagrams(one, other)
    with pytest.raises(ValueError, match="addr was left out"):
        one.transport.write(b"x")
    with pytest.raises(ValueError, match="the other end"):
        one.transport.connect("192.0.2.9", 80)
    one.transport.connect("192.0.2.2", 80)
    one.transport.writeSequence([b"x", b"y"])
    settle(clock)
    assert [data for data, _ in other.seen] == [b"xy"]


@pytest.mark.parametrize(
    "wrong", [{"latency": -1}, {"bandwidth": 0}, {"loss": 1}, {"loss": -0.1}], ids=str
)
def test_a_link_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Link(Clock(), **wrong)


def test_text_is_refused() -> None:
    _, client, _ = connected()
    with pytest.raises(TypeError, match="bytes, not str"):
        client.transport.write("text")


def test_a_protocol_that_is_one_of_ours_is_told_its_transport() -> None:
    clock = Clock()
    protocol = Protocol()
    near, _ = Link(clock).connect(protocol, Protocol())
    assert protocol.transport is near
