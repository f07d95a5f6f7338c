"""Transports, protocols and reactors that take notes."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from reactorlib.internet import error, interfaces
from reactorlib.internet.address import IPv4Address, IPv6Address
from reactorlib.internet.defer import Deferred
from reactorlib.internet.protocol import ClientFactory, Factory, Protocol
from reactorlib.internet.testing import (
    AccumulatingProtocol,
    EventLoggingObserver,
    FakeDatagramTransport,
    LineSendingProtocol,
    MemoryReactor,
    MemoryReactorClock,
    NonStreamingProducer,
    RaisingMemoryReactor,
    StringIOWithoutClosing,
    StringTransport,
    StringTransportWithDisconnection,
    waitUntilAllDisconnected,
)
from reactorlib.test import proto_helpers


def test_a_string_transport_keeps_what_is_written() -> None:
    transport = StringTransport()
    transport.write(b"a")
    transport.writeSequence([b"b", b"c"])
    assert transport.value() == b"abc"
    transport.clear()
    assert transport.value() == b""
    with pytest.raises(TypeError, match="bytes, not str"):
        transport.write("text")  # type: ignore[arg-type]  # what is tested


def test_a_string_transport_cannot_be_paused_after_the_end() -> None:
    for end in (StringTransport.loseConnection, StringTransport.stopProducing):
        transport = StringTransport()
        transport.pauseProducing()
        assert transport.producerState == "paused"
        end(transport)
        with pytest.raises(RuntimeError, match="closed"):
            transport.resumeProducing()
    lenient = StringTransport(lenient=True)
    lenient.loseConnection()
    lenient.pauseProducing()


def test_a_disconnection_is_told_once() -> None:
    transport, protocol = StringTransportWithDisconnection(), AccumulatingProtocol()
    protocol.makeConnection(transport)
    transport.protocol = protocol
    lost: Deferred[None] = Deferred()
    protocol.closedDeferred = lost
    transport.loseConnection()
    assert protocol.closedReason is not None
    assert protocol.closedReason.check(error.ConnectionDone)
    assert lost.called
    protocol.closed = 0
    transport.loseConnection()
    assert protocol.closed == 0


def test_an_accumulating_protocol_tells_its_factory() -> None:
    factory = Factory.forProtocol(AccumulatingProtocol)
    made: Deferred[Any] = Deferred()
    factory.protocolConnectionMade = made  # type: ignore[attr-defined]  # which it looks for
    protocol = factory.buildProtocol(None)
    assert protocol is not None
    protocol.makeConnection(StringTransport())
    seen: list[Any] = []
    made.addCallback(seen.append)
    assert seen == [protocol]
    protocol.dataReceived(b"a")
    protocol.dataReceived(b"b")
    assert protocol.data == b"ab"


@pytest.mark.parametrize("start", [True, False])
def test_lines_are_sent_at_the_start_or_after_the_first(start: bool) -> None:
    transport, protocol = StringTransport(), LineSendingProtocol([b"a", b"b"], start)
    protocol.makeConnection(transport)
    assert transport.value() == (b"a\r\nb\r\n" if start else b"")
    protocol.dataReceived(b"x\r\ny\r\n")
    assert transport.value() == b"a\r\nb\r\n"
    assert protocol.response == [b"x", b"y"]
    assert not protocol.lostConn
    protocol.connectionLost()
    assert protocol.lostConn


def test_waiting_for_all_connections_to_be_lost() -> None:
    protocols = []
    for _ in range(2):
        transport, protocol = StringTransportWithDisconnection(), AccumulatingProtocol()
        protocol.makeConnection(transport)
        transport.protocol = protocol
        protocols.append(protocol)
    waiting = waitUntilAllDisconnected(None, protocols)
    protocols[0].transport.loseConnection()
    assert not waiting.called
    protocols[1].transport.loseConnection()
    assert waiting.called
    assert all(protocol.closed for protocol in protocols)
    assert waitUntilAllDisconnected(None, protocols).called


def test_datagrams_are_kept() -> None:
    transport = FakeDatagramTransport()
    verifyObject(interfaces.IUDPTransport, transport)
    transport.write(b"a")
    transport.write(b"b", ("127.0.0.1", 9))
    assert transport.written == [(b"a", FakeDatagramTransport.noAddr), (b"b", ("127.0.0.1", 9))]


def test_a_file_without_closing_can_be_read_after() -> None:
    file = StringIOWithoutClosing()
    file.write(b"x")
    file.close()
    assert file.getvalue() == b"x"


def test_a_stopped_producer_is_done() -> None:
    producer = NonStreamingProducer(StringTransport())
    with pytest.raises(RuntimeError, match="cannot be paused"):
        producer.pauseProducing()
    producer.stopProducing()
    assert producer.stopped
    assert producer.result.called


def test_a_memory_reactor_takes_notes() -> None:
    reactor, factory, client = MemoryReactor(), Factory(), ClientFactory()
    port = reactor.listenTCP(80, factory, interface="::1")
    assert port.getHost() == IPv6Address("TCP", "::1", 80)
    assert reactor.tcpServers == [(80, factory, 50, "::1")]
    connector = reactor.connectTCP("example.org", 80, client)
    assert connector.getDestination() == IPv4Address("TCP", "example.org", 80)
    assert reactor.tcpClients == [("example.org", 80, client, 30, None)]
    connector.stopConnecting()
    assert reactor.connectors[0].stoppedConnecting
    reactor.listenSSL(443, factory, None)
    reactor.connectSSL("::1", 443, client, None)
    assert reactor.sslServers == [(443, factory, None, 50, "")]
    assert reactor.sslClients == [("::1", 443, client, None, 30, None)]
    reactor.listenUNIX("path", factory)
    reactor.connectUNIX("path", client)
    assert reactor.unixServers == [("path", factory, 50, 0o666, False)]
    assert reactor.unixClients == [("path", client, 30, False)]
    reactor.adoptStreamPort(3, socket.AF_INET6, factory)
    with pytest.raises(error.UnsupportedAddressFamily):
        reactor.adoptDatagramPort(3, 77, None)
    assert reactor.adoptedPorts == [(3, socket.AF_INET6, factory)]
    for interface in (interfaces.IReactorCore, interfaces.IReactorFDSet):
        verifyObject(interface, reactor)


def test_triggers_are_noted_and_taken_back() -> None:
    reactor = MemoryReactor()
    trigger = reactor.addSystemEventTrigger("before", "shutdown", print, 1, end="")
    assert reactor.triggers["before"]["shutdown"] == [(print, (1,), {"end": ""})]
    reactor.removeSystemEventTrigger(trigger)
    assert reactor.triggers["before"]["shutdown"] == []
    with pytest.raises(ValueError, match="no trigger"):
        reactor.removeSystemEventTrigger(trigger)


def test_a_memory_reactor_with_a_clock() -> None:
    reactor, seen = MemoryReactorClock(), list[str]()
    reactor.callWhenRunning(seen.append, "running")
    reactor.callLater(5, seen.append, "later")
    reactor.run()
    reactor.advance(5)
    assert seen == ["running", "later"]


def test_running_a_memory_reactor_is_calling_its_hooks() -> None:
    reactor, seen = MemoryReactor(), list[Any]()

    def hook() -> None:
        seen.append((reactor.running, reactor.hasRun, reactor.hasStopped))
        reactor.callWhenRunning(seen.append, "at once")

    reactor.callWhenRunning(hook)
    assert seen == []
    reactor.run()
    assert seen == [(True, True, False), "at once"]
    assert (reactor.running, reactor.hasStopped) == (False, True)
    reactor.callWhenRunning(seen.append, "after it has run")
    assert seen.pop() == "after it has run"
    reactor.run()
    assert seen[2:] == [(True, True, True), "at once"]
    assert reactor.whenRunningHooks == [(hook, (), {})]


def test_a_memory_reactor_that_a_subclass_does_not_stop_runs_on() -> None:
    class Runs(MemoryReactor):
        def stop(self) -> None:
            self.hasStopped = True

    reactor = Runs()
    reactor.run()
    assert reactor.running
    assert reactor.hasStopped


def test_what_a_hook_raises_leaves_a_memory_reactor_running() -> None:
    reactor = MemoryReactor()
    reactor.callWhenRunning(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        reactor.run()
    assert (reactor.running, reactor.hasStopped) == (True, False)


def test_stopping_and_crashing_a_memory_reactor() -> None:
    reactor: Any = MemoryReactor()
    reactor.running = True
    reactor.stop()
    assert (reactor.running, reactor.hasStopped, reactor.hasCrashed) == (False, True, False)
    reactor.crash()
    assert (reactor.running, reactor.hasCrashed) == (None, True)
    with pytest.raises(error.ReactorAlreadyRunning, match="has crashed"):
        reactor.run()
    reactor = MemoryReactor()
    reactor.callWhenRunning(reactor.run)
    with pytest.raises(error.ReactorAlreadyRunning, match="runs"):
        reactor.run()


@pytest.mark.parametrize(
    ("call", "args"),
    [("listenTCP", (1, None)), ("listenSSL", (1, None, None)), ("listenUNIX", ("p", None))],
)
def test_a_raising_reactor_refuses_to_listen(call: str, args: tuple[Any, ...]) -> None:
    refusal = error.CannotListenError("", 1, OSError())
    with pytest.raises(error.CannotListenError):
        getattr(RaisingMemoryReactor(listenException=refusal), call)(*args)
    with pytest.raises(RuntimeError, match="no listenException"):
        getattr(RaisingMemoryReactor(), call)(*args)


@pytest.mark.parametrize(
    ("call", "args"),
    [
        ("connectTCP", ("h", 1, None)),
        ("connectSSL", ("h", 1, None, None)),
        ("connectUNIX", ("p", None)),
        ("adoptStreamConnection", (1, 2, None)),
    ],
)
def test_a_raising_reactor_refuses_to_connect(call: str, args: tuple[Any, ...]) -> None:
    with pytest.raises(OSError, match="refused"):
        getattr(RaisingMemoryReactor(connectException=OSError("refused")), call)(*args)


def test_an_observer_keeps_events_until_the_test_is_over() -> None:
    class Publisher:
        observers: list[Any] = []

        def addObserver(self, observer: Any) -> None:
            self.observers.append(observer)

        def removeObserver(self, observer: Any) -> None:
            self.observers.remove(observer)

    class Test:
        cleanups: list[Any] = []

        def addCleanup(self, function: Any, *args: Any) -> None:
            self.cleanups.append((function, args))

    publisher, test = Publisher(), Test()
    observer = EventLoggingObserver.createWithCleanup(test, publisher)
    for seen in publisher.observers:
        seen({"log_format": "hello"})
    assert list(observer) == [{"log_format": "hello"}]
    for function, args in test.cleanups:
        function(*args)
    assert publisher.observers == []


def test_the_older_path_has_the_same_objects() -> None:
    from reactorlib.internet import testing

    assert "StringTransport" in dir(proto_helpers)
    for name in dir(proto_helpers):
        with pytest.warns(DeprecationWarning, match=rf"use reactorlib\.internet\.testing\.{name}"):
            assert getattr(proto_helpers, name) is getattr(testing, name)
    with pytest.raises(AttributeError):
        proto_helpers.nothing  # noqa: B018  # what is tested


def test_a_protocol_that_is_connected_writes_to_the_transport() -> None:
    transport, protocol = StringTransport(), Protocol()
    protocol.makeConnection(transport)
    protocol.transport.write(b"x")
    assert transport.value() == b"x"
