"""Protocols and factories, apart from any transport."""

from __future__ import annotations

import asyncio
import logging
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from zope.interface import implementer
from zope.interface.verify import verifyObject

from reactorlib.internet import reactor
from reactorlib.internet.address import IPv4Address
from reactorlib.internet.error import ConnectionDone, NotConnectingError
from reactorlib.internet.interfaces import (
    IConnector,
    IConsumer,
    ILoggingContext,
    IProtocol,
    IProtocolFactory,
)
from reactorlib.internet.protocol import (
    BaseProtocol,
    ClientFactory,
    ConsumerToProtocolAdapter,
    Factory,
    Protocol,
    ProtocolToConsumerAdapter,
    ReconnectingClientFactory,
    ServerFactory,
    connectionDone,
)
from reactorlib.python.failure import Failure

pytestmark = pytest.mark.timeout(20)

SOMEWHERE = IPv4Address("TCP", "192.0.2.1", 4711)


# -- protocols ----------------------------------------------------------------


def test_makeConnection_sets_the_transport_and_then_says_so() -> None:
    class Noting(Protocol):
        seen: Any = None

        def connectionMade(self) -> None:
            self.seen = (self.transport, self.connected)

    protocol = Noting()
    assert (protocol.transport, protocol.connected) == (None, 0)
    transport = object()
    protocol.makeConnection(transport)
    assert protocol.seen == (transport, 1)


def test_a_protocol_does_nothing_by_itself() -> None:
    protocol = Protocol()
    assert IProtocol.providedBy(protocol)
    assert ILoggingContext.providedBy(protocol)
    assert protocol.factory is None
    assert protocol.logPrefix() == "Protocol"
    protocol.dataReceived(b"x")
    protocol.connectionLost()
    assert isinstance(connectionDone.value, ConnectionDone)


def test_a_protocol_can_be_written_to() -> None:
    class Noting(Protocol):
        seen: list[bytes] = []  # one instance

        def dataReceived(self, data: bytes) -> None:
            self.seen.append(data)

    consumer = IConsumer(Noting())
    assert isinstance(consumer, ProtocolToConsumerAdapter)
    verifyObject(IConsumer, consumer)
    consumer.registerProducer(object(), True)
    consumer.write(b"a")
    consumer.unregisterProducer()
    assert Noting.seen == [b"a"]


def test_a_consumer_can_have_a_connection() -> None:
    @implementer(IConsumer)
    class Sink:
        def __init__(self) -> None:
            self.written: list[bytes] = []

        def write(self, data: bytes) -> None:
            self.written.append(data)

        def registerProducer(self, producer: Any, streaming: bool) -> None:
            raise NotImplementedError

        def unregisterProducer(self) -> None:
            raise NotImplementedError

    sink = Sink()
    protocol = IProtocol(sink)
    assert isinstance(protocol, ConsumerToProtocolAdapter)
    verifyObject(IProtocol, protocol)
    protocol.makeConnection(object())
    protocol.connectionMade()
    protocol.dataReceived(b"a")
    protocol.connectionLost()
    assert sink.written == [b"a"]


# -- factories ----------------------------------------------------------------


class Counting(Factory[Any]):
    noisy = False

    def __init__(self, *args: object, **kwargs: object) -> None:
        self.args = (args, kwargs)
        self.told: list[str] = []

    def startFactory(self) -> None:
        self.told.append("start")

    def stopFactory(self) -> None:
        self.told.append("stop")


def test_buildProtocol_makes_one_and_lets_it_know_its_factory() -> None:
    factory = Factory[Protocol]()
    factory.protocol = Protocol
    first, second = factory.buildProtocol(SOMEWHERE), factory.buildProtocol(SOMEWHERE)
    assert type(first) is Protocol
    assert first is not second
    assert first.factory is factory
    assert IProtocolFactory.providedBy(factory)
    assert factory.logPrefix() == "Factory"


def test_buildProtocol_says_what_is_missing() -> None:
    with pytest.raises(TypeError, match="ServerFactory has no protocol: set its `protocol`"):
        ServerFactory[Any]().buildProtocol(SOMEWHERE)


def test_forProtocol_makes_a_factory_of_this_class() -> None:
    factory = Counting.forProtocol(Protocol, 1, two=2)
    assert type(factory) is Counting
    assert factory.args == ((1,), {"two": 2})
    assert type(factory.buildProtocol(SOMEWHERE)) is Protocol
    assert Counting().protocol is None  # the class is left as it was


def test_forProtocol_takes_any_callable() -> None:
    protocol = Protocol()
    assert Counting.forProtocol(lambda: protocol).buildProtocol(SOMEWHERE) is protocol


def test_startFactory_comes_with_the_first_use_and_stopFactory_with_the_last() -> None:
    factory = Counting()
    factory.doStart()
    factory.doStart()
    assert (factory.told, factory.numPorts) == (["start"], 2)
    factory.doStop()
    assert (factory.told, factory.numPorts) == (["start"], 1)
    factory.doStop()
    assert (factory.told, factory.numPorts) == (["start", "stop"], 0)
    factory.doStart()
    factory.doStop()
    assert factory.told == ["start", "stop"] * 2


def test_a_doStop_too_many_does_nothing() -> None:
    factory = Counting()
    factory.doStop()
    assert (factory.told, factory.numPorts) == ([], 0)


def test_a_factory_whose_start_failed_is_not_in_use() -> None:
    class Broken(Counting):
        def startFactory(self) -> None:
            raise ZeroDivisionError

    factory = Broken()
    with pytest.raises(ZeroDivisionError):
        factory.doStart()
    assert factory.numPorts == 0


@pytest.mark.parametrize(("noisy", "lines"), [(True, 2), (False, 0)])
def test_a_noisy_factory_logs_its_start_and_stop(
    caplog: pytest.LogCaptureFixture, noisy: bool, lines: int
) -> None:
    factory = Factory[Any]()
    factory.noisy = noisy
    with caplog.at_level(logging.INFO, "reactorlib.internet.protocol"):
        factory.doStart()
        factory.doStop()
    assert len(caplog.records) == lines
    assert all(repr(factory) in record.getMessage() for record in caplog.records)


async def test_a_factory_is_an_asyncio_protocol_factory() -> None:
    factory = Counting.forProtocol(Protocol)
    first, second = factory(), factory()
    assert isinstance(first, asyncio.BaseProtocol)
    assert first is not second
    assert (factory.told, factory.numPorts) == (["start"], 1)


def test_a_client_factory_has_hooks_that_do_nothing() -> None:
    factory, connector = ClientFactory[Any](), Connector()
    factory.startedConnecting(connector)
    factory.clientConnectionFailed(connector, connectionDone)
    factory.clientConnectionLost(connector, connectionDone)
    assert connector.told == []


# -- reconnecting -------------------------------------------------------------


@implementer(IConnector)
class Connector:
    """Keeps what it is asked for."""

    def __init__(self, state: str = "disconnected") -> None:
        self.state = state
        self.told: list[str] = []

    def connect(self) -> None:
        self.told.append("connect")
        self.state = "connecting"

    def stopConnecting(self) -> None:
        if self.state != "connecting":
            raise NotConnectingError
        self.told.append("stopConnecting")
        self.state = "disconnected"

    def disconnect(self) -> None:
        raise NotImplementedError

    def getDestination(self) -> IPv4Address:
        return SOMEWHERE


class Call:
    def __init__(self, clock: Clock, delay: float, call: Callable[[], object]) -> None:
        self.clock = clock
        self.delay = delay
        self.call = call

    def cancel(self) -> None:
        self.clock.calls.remove(self)


class Clock:
    """Makes a call when it is told to, and keeps how long it should have waited."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.pauses: list[float] = []

    def callLater(self, delay: float, function: Callable[..., object], *args: object) -> Call:
        call = Call(self, delay, lambda: function(*args))
        self.calls.append(call)
        self.pauses.append(delay)
        return call

    def ring(self) -> None:
        self.calls.pop(0).call()


class Reconnecting(ReconnectingClientFactory[Any]):
    noisy = False
    jitter = 0.0

    def __init__(self) -> None:
        self.clock = Clock()


WHY = Failure(ConnectionDone())


def test_pauses_grow_by_the_factor_up_to_the_longest() -> None:
    factory, connector = Reconnecting(), Connector()
    factory.initialDelay = factory.delay = 1.0
    factory.factor = 2
    factory.maxDelay = 10
    for attempt in range(1, 7):
        factory.clientConnectionFailed(connector, WHY)
        assert factory.retries == attempt
        assert connector.told == ["connect"] * (attempt - 1)
        factory.clock.ring()
    assert factory.clock.pauses == [1, 2, 4, 8, 10, 10]
    assert connector.told == ["connect"] * 6


def test_the_defaults_reach_an_hour() -> None:
    factory, connector = Reconnecting(), Connector()
    for _ in range(12):
        factory.clientConnectionLost(connector, WHY)
        factory.clock.ring()
    assert factory.clock.pauses[:2] == [1, pytest.approx(2.718281828)]
    assert factory.clock.pauses[-1] == 3600


def test_a_pause_strays_by_the_jitter() -> None:
    factory, connector = Reconnecting(), Connector()
    factory.jitter = 0.5
    factory.factor = 1
    factory.delay = 100
    for _ in range(200):
        factory.clientConnectionLost(connector, WHY)
        factory.clock.ring()
    pauses = factory.clock.pauses
    assert len(set(pauses)) > 100
    assert min(pauses) >= 0
    assert 80 < sum(pauses) / 200 < 120  # five standard deviations either way
    assert factory.delay == 100  # the growth itself is not at random


def test_it_gives_up_after_maxRetries() -> None:
    factory, connector = Reconnecting(), Connector()
    factory.maxRetries = 3
    for _ in range(3):
        factory.clientConnectionFailed(connector, WHY)
        factory.clock.ring()
    factory.clientConnectionFailed(connector, WHY)
    assert factory.clock.calls == []
    assert connector.told == ["connect"] * 3
    # Contentment in between counts from none again.
    factory.resetDelay()
    factory.clientConnectionLost(connector, WHY)
    assert len(factory.clock.calls) == 1


def test_resetDelay_starts_from_the_first_pause() -> None:
    factory, connector = Reconnecting(), Connector()
    factory.factor = 2
    for _ in range(4):
        factory.clientConnectionFailed(connector, WHY)
        factory.clock.ring()
    factory.resetDelay()
    assert (factory.delay, factory.retries) == (factory.initialDelay, 0)
    factory.clientConnectionLost(connector, WHY)
    assert factory.clock.pauses == [1, 2, 4, 8, 1]


def test_resetDelay_during_a_pause_lets_it_go_on() -> None:
    factory, connector = Reconnecting(), Connector()
    factory.clientConnectionFailed(connector, WHY)
    factory.resetDelay()
    factory.clock.ring()
    assert connector.told == ["connect"]


def test_stopTrying_during_a_pause() -> None:
    factory, connector = Reconnecting(), Connector()
    factory.clientConnectionFailed(connector, WHY)
    factory.stopTrying()
    assert factory.clock.calls == []
    assert connector.told == []
    factory.retry()
    assert factory.clock.calls == []


def test_stopTrying_while_connecting() -> None:
    factory, connector = Reconnecting(), Connector()
    factory.clientConnectionFailed(connector, WHY)
    factory.clock.ring()
    factory.stopTrying()
    assert connector.told == ["connect", "stopConnecting"]
    factory.clientConnectionFailed(connector, WHY)
    assert factory.clock.calls == []


def test_stopTrying_while_connected_leaves_the_connection_and_ends_with_it() -> None:
    factory, connector = Reconnecting(), Connector()
    factory.clientConnectionFailed(connector, WHY)
    factory.clock.ring()
    connector.state = "connected"
    factory.stopTrying()
    assert connector.told == ["connect"]
    factory.clientConnectionLost(connector, WHY)
    assert factory.clock.calls == []


def test_stopTrying_before_anything() -> None:
    factory = Reconnecting()
    factory.stopTrying()
    factory.clientConnectionFailed(Connector(), WHY)
    assert factory.clock.calls == []


def test_retry_takes_a_connector_or_the_one_known() -> None:
    factory, connector = Reconnecting(), Connector()
    with pytest.raises(ValueError, match="pass the one to connect again"):
        factory.retry()
    assert factory.retries == 0
    factory.retry(connector)
    factory.clock.ring()
    assert connector.told == ["connect"]


def test_retry_during_a_pause_starts_a_new_one() -> None:
    """And the attempt is made once."""
    factory, connector = Reconnecting(), Connector()
    factory.clientConnectionFailed(connector, WHY)
    factory.retry()
    assert len(factory.clock.calls) == 1
    factory.clock.ring()
    assert connector.told == ["connect"]


@pytest.mark.parametrize("maxRetries", [None, 1])
def test_a_noisy_one_says_what_it_does(
    caplog: pytest.LogCaptureFixture, maxRetries: int | None
) -> None:
    factory, connector = Reconnecting(), Connector()
    factory.noisy = True
    factory.maxRetries = maxRetries
    with caplog.at_level(logging.INFO, "reactorlib.internet.protocol"):
        factory.clientConnectionFailed(connector, WHY)
        factory.clientConnectionFailed(connector, WHY)
    first, second = [record.getMessage() for record in caplog.records]
    assert "will try again in 1.0 seconds" in first
    assert ("Giving up" in second) == (maxRetries == 1)


class Saved(ReconnectingClientFactory[Any]):
    """Can be pickled: it has a name in its module."""

    noisy = False


def test_a_pickled_factory_starts_afresh() -> None:
    factory, connector = Saved(), Connector()
    factory.clock = Clock()
    factory.maxDelay = 17
    factory.own = "kept"  # type: ignore[attr-defined]
    factory.clientConnectionFailed(connector, WHY)
    factory.clock.calls.clear()
    factory.continueTrying = 0
    # The clock, the connector and the pending call could not be pickled at all.
    again = pickle.loads(pickle.dumps(factory))
    assert vars(again) == {"maxDelay": 17, "own": "kept"}
    assert (again.retries, again.delay, again.continueTrying) == (0, again.initialDelay, 1)
    assert (again.connector, again.clock) == (None, None)


async def test_a_client_comes_back_over_real_sockets(errors: Any) -> None:
    """Refused, then accepted, then lost, then accepted again, then stopped."""
    arrived: asyncio.Queue[Greeter] = asyncio.Queue()
    stopped = asyncio.Event()

    class Greeter(BaseProtocol):
        def connectionMade(self) -> None:
            factory.resetDelay()
            arrived.put_nowait(self)

        def dataReceived(self, data: bytes) -> None:
            pass

        def connectionLost(self, reason: Failure) -> None:
            pass

    class Quick(ReconnectingClientFactory[Any]):
        noisy = False
        initialDelay = delay = maxDelay = 0.001
        failures = 0

        def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
            self.failures += 1
            if self.failures == 2:
                server.startListening()
            super().clientConnectionFailed(connector, reason)

        def stopFactory(self) -> None:
            stopped.set()

    serving = Factory[Any].forProtocol(Protocol)
    serving.noisy = False
    factory = Quick.forProtocol(Greeter)
    async with reactor, asyncio.timeout(5):
        server = reactor.listenTCP(0, serving, interface="127.0.0.1")
        address = server.getHost()
        assert isinstance(address, IPv4Address)
        server.port = address.port
        await server.stopListening()
        reactor.connectTCP("127.0.0.1", address.port, factory)
        first = await arrived.get()
        assert factory.failures >= 2
        first.transport.loseConnection()
        second = await arrived.get()
        assert second is not first
        factory.stopTrying()
        stopped.clear()  # it was set in each pause
        second.transport.loseConnection()
        await stopped.wait()
        assert factory.numPorts == 0
        assert reactor.getDelayedCalls() == []
