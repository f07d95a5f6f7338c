"""Two protocols in memory, and the pump between them."""

from __future__ import annotations

from typing import Any

import pytest
from zope.interface.verify import verifyObject

from reactorlib.internet.error import ConnectionDone, ConnectionRefusedError
from reactorlib.internet.interfaces import IAddress, ITLSTransport
from reactorlib.internet.protocol import ClientFactory, Factory, Protocol
from reactorlib.internet.task import Clock
from reactorlib.internet.testing import MemoryReactor
from reactorlib.protocols.basic import LineReceiver
from reactorlib.python.failure import Failure
from reactorlib.test import iosim


class Told(Protocol):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.data = b""
        self.lost: list[BaseException] = []

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]
        self.lost.append(reason.value)


def connected(**settings: Any) -> tuple[Told, Told, iosim.IOPump]:
    return iosim.connectedServerAndClient(Told, Told, **settings)


def end_of(protocol: Told) -> iosim.FakeTransport:
    transport: Any = protocol.transport
    assert isinstance(transport, iosim.FakeTransport)
    return transport


def test_the_pump_moves_what_has_been_written() -> None:
    client, server, pump = connected()
    end_of(client).write(b"a")
    end_of(client).writeSequence([b"b", b"c"])
    end_of(server).write(b"answer")
    assert (client.data, server.data) == (b"", b"")
    assert pump.pump()
    assert (client.data, server.data) == (b"answer", b"abc")
    assert not pump.pump()
    assert not pump.flush()


def test_a_greeting_is_there_at_once_unless_not_wanted() -> None:
    class Greeting(Told):
        def connectionMade(self) -> None:
            end_of(self).write(b"hello")

    for greet in (True, False):
        client, _, pump = iosim.connectedServerAndClient(Greeting, Told, greet=greet)
        assert client.data == (b"hello" if greet else b"")
        assert pump.flush() is not greet
        assert client.data == b"hello"


def test_the_end_comes_after_the_last_bytes() -> None:
    client, server, pump = connected()
    end_of(server).write(b"bye")
    end_of(server).loseConnection()
    end_of(server).write(b"too late")
    pump.pump()
    assert (client.data, client.lost) == (b"bye", [])
    pump.flush()
    pump.flush()
    for side in (client, server):
        [error] = side.lost
        assert isinstance(error, ConnectionDone)


@pytest.mark.parametrize("close", ["abortConnection", "stopConsuming", "stopProducing"])
def test_other_ways_to_close(close: str) -> None:
    client, server, pump = connected()
    getattr(end_of(client), close)()
    pump.flush()
    assert len(client.lost) == len(server.lost) == 1


def test_a_side_that_writes_no_more() -> None:
    client, server, pump = connected()
    end_of(client).loseWriteConnection()
    end_of(client).write(b"too late")
    end_of(server).write(b"still heard")
    pump.flush()
    assert (client.data, server.data, client.lost) == (b"still heard", b"", [])


def test_two_that_never_stop_are_found_out() -> None:
    class Echo(Protocol):
        def dataReceived(self, data: bytes) -> None:
            assert self.transport is not None
            self.transport.write(data)

    client, _, pump = iosim.connectedServerAndClient(Echo, Echo)
    client.dataReceived(b"ping")
    with pytest.raises(RuntimeError, match="after 1000 pumps"):
        pump.flush()


def test_calls_of_a_clock_are_made() -> None:
    clock = Clock()
    calls: list[int] = []
    _, _, pump = connected(clock=clock)
    clock.callLater(0, calls.append, 1)
    clock.callLater(1, calls.append, 2)
    pump.pump(advanceClock=False)
    assert calls == []
    pump.pump()
    assert (calls, clock.seconds()) == ([1], 0)


def test_what_is_moved_can_be_seen(capsys: pytest.CaptureFixture[str]) -> None:
    client, _, pump = connected(debug=True)
    end_of(client).write(b"seen")
    end_of(client).loseConnection()
    pump.flush()
    assert capsys.readouterr().out == "C: b'seen'\nC closes\n"


class Lines:
    """A producer that writes a line whenever it is asked."""

    def __init__(self, transport: Any) -> None:
        self.transport, self.asked = transport, 0

    def resumeProducing(self) -> None:
        self.asked += 1
        self.transport.write(b"line\r\n")
        if self.asked == 3:
            self.transport.unregisterProducer()


@pytest.mark.parametrize(("streaming", "asked"), [(False, 3), (True, 0)])
def test_producers(streaming: bool, asked: int) -> None:
    client, server, pump = connected()
    producer = Lines(end_of(client))
    end_of(client).registerProducer(producer, streaming)
    pump.flush()
    assert producer.asked == asked
    assert server.data == b"line\r\n" * asked


def test_a_real_protocol() -> None:
    class Server(LineReceiver):
        def lineReceived(self, line: bytes) -> None:
            self.sendLine(line.upper())

    client, _, pump = iosim.connectedServerAndClient(Server, Told)
    end_of(client).write(b"one\r\ntwo\r\n")
    assert pump.flush()
    assert client.data == b"ONE\r\nTWO\r\n"


def test_a_transport_says_what_it_is() -> None:
    one, other = iosim.makeFakeServer(Told()), iosim.FakeTransport(Told(), False, "here", "there")
    assert verifyObject(ITLSTransport, one)
    assert one.serial != other.serial
    assert repr(one) == f"FakeTransport<S,{one.serial},Told>"
    assert IAddress.providedBy(one.getHost())
    assert (other.getHost(), other.getPeer(), other.logPrefix()) == ("here", "there", "iosim")
    for setting in ("TcpNoDelay", "TcpKeepAlive"):
        assert getattr(one, f"get{setting}")() is False
        getattr(one, f"set{setting}")(True)
        assert getattr(one, f"get{setting}")() is True
    with pytest.raises(TypeError, match="data is bytes, and not str"):
        one.write("text")  # type: ignore[arg-type]


# -- TLS, as far as it is pretended -----------------------------------------------


class Certificate:
    def __init__(self, pleases: bool = True) -> None:
        self.pleases, self.seen = pleases, []

    seen: list[object]

    def iosimVerify(self, other: object) -> bool:
        self.seen.append(other)
        return self.pleases


@pytest.mark.parametrize("normal", [True, False], ids=["server is server", "client is server"])
def test_each_side_looks_at_the_others_certificate(normal: bool) -> None:
    client, server, pump = connected()
    ours, theirs = Certificate(), Certificate()
    end_of(client).write(b"plain ")
    end_of(client).startTLS(ours, normal)
    end_of(client).write(b"secret")
    pump.pump()
    assert server.data == b"plain "
    end_of(server).startTLS(theirs, normal)
    end_of(server).write(b"answer")
    assert (ours.seen, theirs.seen) == ([], [])
    pump.flush()
    assert (ours.seen, theirs.seen) == ([theirs], [ours])
    assert (client.data, server.data) == (b"answer", b"plain secret")


def test_a_certificate_that_does_not_please() -> None:
    client, server, pump = connected()
    end_of(client).startTLS(Certificate(False))
    end_of(client).write(b"secret")
    end_of(server).startTLS(Certificate())
    pump.flush()
    assert server.data == b""
    assert isinstance(client.lost[0], iosim.NativeOpenSSLError)
    assert len(server.lost) == 1


def test_only_one_side_has_begun() -> None:
    client, server, pump = connected()
    end_of(client).startTLS(Certificate())
    with pytest.raises(RuntimeError, match="only the other side has called startTLS"):
        pump.flush()
    end_of(server).loseConnection()
    pump.flush()
    assert isinstance(client.lost[0], iosim.NativeOpenSSLError)


# -- a reactor in memory ----------------------------------------------------------


class Client(ClientFactory):
    protocol = Told
    failed: Any = None

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.failed = reason.value


def test_connections_of_a_memory_reactor() -> None:
    reactor: Any = MemoryReactor()
    completer = iosim.ConnectionCompleter(reactor)
    assert completer.succeedOnce() is None
    reactor.listenTCP(80, Factory.forProtocol(Told))
    other, wanted = Client(), Client()
    reactor.connectTCP("127.0.0.1", 81, other)
    reactor.connectTCP("127.0.0.1", 80, wanted)
    pump = completer.succeedOnce()
    assert pump is not None
    end_of(pump.client).write(b"hello")
    pump.flush()
    assert pump.server.data == b"hello"
    assert completer.succeedOnce() is None
    completer.failOnce()
    assert isinstance(other.failed, ConnectionRefusedError)
    assert (wanted.failed, reactor.tcpClients, reactor.connectors) == (None, [], [])


def test_an_endpoint_that_connects_when_it_is_told_to() -> None:
    endpoint, completer = iosim.connectableEndpoint()
    connections: list[Any] = []
    endpoint.connect(Factory.forProtocol(Told)).addBoth(connections.append)
    assert connections == []
    completer.failOnce(Failure(ConnectionRefusedError("no")))
    assert connections.pop().check(ConnectionRefusedError)
    endpoint.connect(Factory.forProtocol(Told)).addBoth(connections.append)
    pump = completer.succeedOnce()
    assert pump is not None
    assert isinstance(connections[0], Told)
    connections[0].transport.write(b"hello")
    pump.flush()
    assert pump.server.data == b"hello"
