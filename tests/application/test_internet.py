"""Services that use the network, or time: over real sockets, and under a clock."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reactorlib.application import strports
from reactorlib.application.internet import (
    ClientService,
    CooperatorService,
    StreamServerEndpointService,
    TCPClient,
    TCPServer,
    TimerService,
    UDPServer,
    UNIXClient,
    UNIXServer,
    backoffPolicy,
)
from reactorlib.application.internet._client import _Watched
from reactorlib.application.service import MultiService
from reactorlib.internet import error, reactor
from reactorlib.internet.defer import (
    CancelledError,
    Deferred,
    FailureGroup,
    ensureDeferred,
    fail,
    race,
)
from reactorlib.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP4ServerEndpoint
from reactorlib.internet.error import CannotListenError, ConnectionDone
from reactorlib.internet.protocol import (
    ClientFactory,
    DatagramProtocol,
    Factory,
    Protocol,
    connectionDone,
)
from reactorlib.internet.task import Clock, SchedulerStopped, deferLater
from reactorlib.python.failure import Failure


class Echo(Protocol):
    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


class Asks(Protocol):
    """Sends a word, and fires with what comes back."""

    def __init__(self) -> None:
        self.answer: Deferred[bytes] = Deferred()
        self.lost: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"hello")

    def dataReceived(self, data: bytes) -> None:
        self.answer.callback(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.callback(None)


class AskOnce(ClientFactory[Asks]):
    def __init__(self) -> None:
        self.asks = Asks()

    def buildProtocol(self, addr: Any) -> Asks:
        return self.asks


async def soon(awaitable: Any) -> Any:
    async with asyncio.timeout(10):
        return await awaitable


async def nobody_listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    writer.close()
    return False


# -- servers and clients ------------------------------------------------------


async def test_a_tcp_server_and_client() -> None:
    server = TCPServer(0, Factory.forProtocol(Echo), interface="127.0.0.1")
    with pytest.raises(RuntimeError, match="start it first"):
        server.getHost()
    async with server:
        port = server.getHost().port
        factory = AskOnce()
        async with TCPClient("127.0.0.1", port, factory):
            assert await soon(factory.asks.answer) == b"hello"
        await soon(factory.asks.lost)
    assert await nobody_listens(port)


async def test_a_unix_server_and_client(tmp_path: Path) -> None:
    where = str(tmp_path / "echo")
    factory = AskOnce()
    async with UNIXServer(where, Factory.forProtocol(Echo)), UNIXClient(where, factory):
        assert await soon(factory.asks.answer) == b"hello"
    await soon(factory.asks.lost)


async def test_a_udp_server() -> None:
    heard: Deferred[bytes] = Deferred()

    class Hears(DatagramProtocol):
        def datagramReceived(self, datagram: bytes, addr: Any) -> None:
            heard.callback(datagram)

    async with UDPServer(0, Hears(), interface="127.0.0.1") as server:
        loop = asyncio.get_running_loop()
        address = ("127.0.0.1", server.getHost().port)
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=address
        )
        transport.sendto(b"word")
        assert await soon(heard) == b"word"
        transport.close()


async def test_a_port_in_use_fails_the_start_and_frees_what_was_had() -> None:
    async with TCPServer(0, Factory.forProtocol(Echo), interface="127.0.0.1") as first:
        taken = first.getHost().port
        tree = MultiService()
        free = TCPServer(0, Factory.forProtocol(Echo), interface="127.0.0.1")
        free.setServiceParent(tree)
        TCPServer(taken, Factory.forProtocol(Echo), interface="127.0.0.1").setServiceParent(tree)
        with pytest.raises(CannotListenError):
            async with tree:
                pass
        with pytest.raises(RuntimeError, match="start it first"):
            free.getHost()


@pytest.mark.parametrize("kind", ["method", "endpoint", "string"])
async def test_grace_lets_connections_finish_and_then_aborts_them(kind: str) -> None:
    factory = Factory.forProtocol(Echo)
    server: Any
    if kind == "method":
        server = TCPServer(0, factory, interface="127.0.0.1")
    elif kind == "endpoint":
        server = StreamServerEndpointService(
            TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"), factory
        )
    else:
        server = strports.service("tcp:0:interface=127.0.0.1", factory)
    await server.__aenter__()
    port = server.getHost().port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    other_reader, other = await asyncio.open_connection("127.0.0.1", port)
    for pair in ((reader, writer), (other_reader, other)):
        pair[1].write(b"x")
        assert await soon(pair[0].read(1)) == b"x"
    over: list[object] = []
    stopped = server.stopService(grace=0.1).addCallback(over.append)
    assert await nobody_listens(port)
    writer.write(b"in flight")
    assert await soon(reader.read(100)) == b"in flight"
    writer.close()
    assert over == []
    await soon(stopped)  # the other one is aborted
    with pytest.raises(ConnectionResetError):
        await soon(other_reader.read(1))
    other.close()
    await writer.wait_closed()
    with pytest.raises(ConnectionResetError):
        await other.wait_closed()


async def test_strports_listens_at_once() -> None:
    port = strports.listen("tcp:0:interface=127.0.0.1", Factory.forProtocol(Echo))
    taken = port.getHost().port
    with pytest.raises(CannotListenError):
        strports.listen(f"tcp:{taken}:interface=127.0.0.1", Factory.forProtocol(Echo))
    await port.stopListening()
    with pytest.raises(ValueError, match="nonsense"):
        strports.listen("nonsense:1", Factory())


async def test_an_endpoint_that_listens_later() -> None:
    class Later:
        def __init__(self) -> None:
            self.listening: Deferred[Any] = Deferred()

        def listen(self, factory: object) -> Deferred[Any]:
            return self.listening

    later = Later()
    service = StreamServerEndpointService(later, Factory())
    service.privilegedStartService()
    started = service.startService()
    assert not started.called
    later.listening.errback(CannotListenError("here", 1, OSError("no")))
    with pytest.raises(CannotListenError):
        await started
    await service.stopService()

    later = Later()
    service = StreamServerEndpointService(later, Factory())
    started = service.startService()
    stopped = service.stopService()
    assert stopped.called
    with pytest.raises(CancelledError):
        await started


class LaterEndpoint:
    """Listens as another one does, but in a later turn of the loop."""

    def __init__(self, endpoint: Any) -> None:
        self.endpoint = endpoint

    def listen(self, factory: Any) -> Deferred[Any]:
        return deferLater(reactor, 0, self.endpoint.listen, factory)


async def test_a_server_that_could_not_listen_can_be_started_again() -> None:
    """Over a real socket, whose address is in use at first."""
    async with TCPServer(0, Factory.forProtocol(Echo), interface="127.0.0.1") as first:
        port = first.getHost().port
        endpoint = LaterEndpoint(TCP4ServerEndpoint(reactor, port, interface="127.0.0.1"))
        service = StreamServerEndpointService(endpoint, Factory.forProtocol(Echo))
        for _ in range(2):
            # Twice before it is known: both are told.
            both = [service.startService(), service.startService()]
            for started in both:
                with pytest.raises(CannotListenError):
                    await soon(started)
            with pytest.raises(RuntimeError, match="start it first"):
                service.getHost()
    await soon(service.startService())
    assert service.getHost().port == port
    assert service.startService().called
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"hello")
    assert await soon(reader.readexactly(5)) == b"hello"
    writer.close()
    await writer.wait_closed()
    await soon(service.stopService())
    assert await nobody_listens(port)


def test_a_server_that_is_started_again_while_it_gives_up_listens_anew() -> None:
    """What the first listening comes to is told to those who asked for that one."""

    class TakesItsTime:
        attempts = 0
        over: Deferred[None] = Deferred()

        async def attempt(self) -> None:
            self.attempts += 1
            try:
                await Deferred[None]()
            except CancelledError:
                await self.over
                raise

        def listen(self, factory: object) -> Deferred[None]:
            return ensureDeferred(self.attempt())

    endpoint = TakesItsTime()
    service = StreamServerEndpointService(endpoint, Factory())
    outcome: list[str] = []
    service.startService().addErrback(lambda failure: outcome.append(failure.type.__name__))
    stopped = service.stopService().addCallback(lambda _: outcome.append("stopped"))
    second = service.startService().addErrback(lambda _: outcome.append("second"))
    assert endpoint.attempts == 2
    assert outcome == []
    endpoint.over.callback(None)
    assert outcome == ["CancelledError", "stopped"]
    assert stopped.called
    assert not second.called
    assert service.stopService().called
    assert outcome[2:] == ["second"]


async def test_a_time_of_grace_that_is_none_stops_nothing() -> None:
    async with TCPServer(0, Factory.forProtocol(Echo), interface="127.0.0.1") as server:
        with pytest.raises(ValueError, match="grace"):
            server.stopService(grace=-1)
        assert server.running
        assert not await nobody_listens(server.getHost().port)


def test_a_saved_server_has_no_socket() -> None:
    server = TCPServer(0, None, interface="127.0.0.1")
    again = pickle.loads(pickle.dumps(server))  # our own bytes
    assert again.args == (0, None)
    assert again.kwargs == {"interface": "127.0.0.1"}


# -- time ---------------------------------------------------------------------


def test_a_timer() -> None:
    clock = Clock()
    calls: list[str] = []
    service = TimerService(5, calls.append, "now")
    service.clock = clock
    service.startService()
    clock.advance(5)
    assert calls == ["now", "now"]
    assert service.stopService().called
    clock.advance(50)
    assert calls == ["now", "now"]
    service.startService()  # again
    assert len(calls) == 3
    service.stopService()
    assert TimerService(1, calls.append).stopService().called


def test_a_timer_waits_for_the_call_under_way() -> None:
    clock = Clock()
    under_way: Deferred[None] = Deferred()
    service = TimerService(5, lambda: under_way)
    service.clock = clock
    service.startService()
    stopped = service.stopService()
    assert not stopped.called
    under_way.callback(None)
    assert stopped.called


async def test_a_timer_cancels_the_call_under_way_at_the_deadline() -> None:
    cancelled: list[Any] = []
    service = TimerService(5, lambda: Deferred(cancelled.append))
    service.startService()
    await soon(service.stopService(grace=0.01))
    assert len(cancelled) == 1


async def test_a_timer_whose_call_fails_is_reported_and_ends(errors: Any) -> None:
    service = TimerService(5, lambda: 1 / 0)
    service.startService()
    assert not service.running
    (error,) = errors.take()
    assert isinstance(error, ZeroDivisionError)
    await service.stopService()


async def test_iterators_are_stepped_through_while_it_runs() -> None:
    steps: list[int] = []

    def work() -> Any:
        for number in range(3):
            steps.append(number)
            yield

    service = CooperatorService()
    done = service.coiterate(work())
    assert steps == []
    async with service:
        await soon(done)
        assert steps == [0, 1, 2]
        forever = service.coiterate(iter(lambda: None, 1))
    with pytest.raises(SchedulerStopped):
        await forever


# -- staying connected --------------------------------------------------------


class FakeTransport:
    """Closes when told to by the test."""

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self.calls: list[str] = []

    def loseConnection(self) -> None:
        self.calls.append("lose")

    def abortConnection(self) -> None:
        self.calls.append("abort")
        self.lose()

    def lose(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionDone()))


class FakeEndpoint:
    """Each attempt is the test's to settle."""

    def __init__(self) -> None:
        self.attempts: list[Deferred[Any]] = []
        self.cancelled = 0

    def connect(self, factory: Any) -> Deferred[Any]:
        self.factory = factory
        self.attempts.append(Deferred(self._cancel))
        return self.attempts[-1]

    def _cancel(self, attempt: Deferred[Any]) -> None:
        self.cancelled += 1

    def succeed(self) -> FakeTransport:
        protocol = self.factory.buildProtocol(None)
        transport = FakeTransport(protocol)
        protocol.makeConnection(transport)
        self.attempts[-1].callback(protocol)
        return transport

    def refuse(self) -> None:
        self.attempts[-1].errback(ConnectionRefusedError("refused"))


class Client:
    def __init__(self, prepare: Any = None) -> None:
        self.clock = Clock()
        self.endpoint = FakeEndpoint()
        self.asked: list[int] = []

        def policy(failures: int) -> float:
            self.asked.append(failures)
            return 10.0

        factory = Factory.forProtocol(Protocol)
        self.service = ClientService(self.endpoint, factory, policy, self.clock, prepare)


def test_it_connects_and_connects_again() -> None:
    client = Client()
    waiting = client.service.whenConnected()
    client.service.startService()
    assert not waiting.called
    transport = client.endpoint.succeed()
    assert type(waiting.result) is Protocol
    assert client.service.whenConnected().result is waiting.result
    transport.lose()
    assert client.asked == [1]
    again = client.service.whenConnected()
    client.clock.advance(9)
    assert len(client.endpoint.attempts) == 1
    client.clock.advance(1)
    assert len(client.endpoint.attempts) == 2
    client.endpoint.succeed()
    assert again.called
    assert again.result is not waiting.result


def test_failures_in_a_row_are_counted() -> None:
    client = Client()
    client.service.startService()
    for _ in range(3):
        client.endpoint.refuse()
        client.clock.advance(10)
    assert client.asked == [1, 2, 3]
    client.endpoint.succeed().lose()
    client.clock.advance(10)
    client.endpoint.refuse()
    assert client.asked == [1, 2, 3, 1, 2]


def test_a_waiter_gives_up_after_so_many_failures() -> None:
    client = Client()
    errors: list[Any] = []
    patient = client.service.whenConnected()
    client.service.whenConnected(failAfterFailures=2).addErrback(errors.append)
    client.service.startService()
    client.endpoint.refuse()
    assert errors == []
    client.clock.advance(10)
    client.endpoint.refuse()
    assert errors[0].check(ConnectionRefusedError)
    assert not patient.called
    with pytest.raises(ValueError, match="failAfterFailures"):
        client.service.whenConnected(failAfterFailures=0)
    patient.addErrback(lambda failure: failure.trap(CancelledError) and None)
    patient.cancel()
    client.clock.advance(10)
    client.endpoint.succeed()


def _goes_on(client: Client, how: str) -> None:
    """Tell all who wait of that; the service tries again after it."""
    if how == "refused":
        client.endpoint.refuse()
    else:
        client.endpoint.succeed().lose()
    client.clock.advance(10)
    assert len(client.endpoint.attempts) == 2
    waiting = client.service.whenConnected()
    client.endpoint.succeed()
    assert type(waiting.result) is Protocol


@pytest.mark.parametrize("how", ["connected", "refused", "stopped"])
def test_a_waiter_that_is_told_may_cancel_the_others(how: str) -> None:
    client = Client()
    told: list[str] = []
    waiters = [client.service.whenConnected(failAfterFailures=1) for _ in range(3)]

    def cancel_all(result: Any, number: int) -> None:
        told.append(f"{number} is told")
        for waiter in waiters:
            waiter.cancel()

    for number, waiter in enumerate(waiters):
        waiter.addBoth(cancel_all, number)
    client.service.startService()
    if how == "stopped":
        client.service.stopService()
    else:
        _goes_on(client, how)
    assert sorted(told) == ["0 is told", "1 is told", "2 is told"]


@pytest.mark.parametrize("how", ["connected", "refused"])
def test_the_first_of_several_waiters_is_enough(how: str) -> None:
    """`race` cancels the others when there is one."""
    client = Client()
    outcome: list[Any] = []
    waiters = [client.service.whenConnected(failAfterFailures=1) for _ in range(2)]
    race(waiters).addBoth(outcome.append)
    client.service.startService()
    _goes_on(client, how)
    (result,) = outcome
    if how == "connected":
        assert result[0] == 0
        assert type(result[1]) is Protocol
    else:
        assert result.check(FailureGroup)


@pytest.mark.parametrize("how", ["connected", "refused"])
def test_a_waiter_that_is_told_may_stop_the_service(how: str) -> None:
    client = Client()
    stopped: list[Any] = []
    first = client.service.whenConnected(failAfterFailures=1)
    second = client.service.whenConnected(failAfterFailures=1)
    first.addBoth(lambda _: stopped.append(client.service.stopService()))
    second.addBoth(stopped.append)
    client.service.startService()
    if how == "connected":
        transport = client.endpoint.succeed()
        assert transport.calls == ["lose"]
        assert not any(isinstance(each, Deferred) and each.called for each in stopped)
        transport.lose()
    else:
        client.endpoint.refuse()
    assert len(stopped) == 2
    assert [each.called for each in stopped if isinstance(each, Deferred)] == [True]
    client.clock.advance(100)
    assert len(client.endpoint.attempts) == 1
    client.service.startService()
    assert len(client.endpoint.attempts) == 2


def _fails(failures: int) -> float:
    raise ZeroDivisionError("in the policy")


@pytest.mark.parametrize("policy", [_fails, lambda failures: None, lambda failures: -1.0])
async def test_a_policy_that_fails_is_reported_and_replaced(policy: Any, errors: Any) -> None:
    clock, endpoint = Clock(), FakeEndpoint()
    factory = Factory.forProtocol(Protocol)
    service = ClientService(endpoint, factory, policy, clock)
    waiting = service.whenConnected()
    service.startService()
    endpoint.refuse()
    (error,) = errors.take()
    assert isinstance(error, ZeroDivisionError | TypeError | ValueError)
    clock.advance(5)  # the default is less than that, the first time
    assert len(endpoint.attempts) == 2
    endpoint.succeed()
    assert waiting.called
    service.stopService()


@pytest.mark.parametrize("where", ["connecting", "pausing", "connected", "preparing"])
def test_it_can_be_stopped_anywhere(where: str) -> None:
    client = Client(prepare=(lambda _: Deferred()) if where == "preparing" else None)
    waiting = client.service.whenConnected()
    client.service.startService()
    transport = None
    if where == "pausing":
        client.endpoint.refuse()
    elif where != "connecting":
        transport = client.endpoint.succeed()
    stopped = client.service.stopService()
    if where != "connected":
        assert waiting.result.check(CancelledError)
        waiting.addErrback(lambda _: None)
    if transport is not None:
        assert transport.calls == ["lose"]
        assert not stopped.called
        transport.lose()
    assert stopped.called
    assert client.endpoint.cancelled == (where == "connecting")
    assert client.clock.getDelayedCalls() == []
    late = client.service.whenConnected()
    assert late.result.check(CancelledError)
    late.addErrback(lambda _: None)
    client.service.startService()
    assert len(client.endpoint.attempts) == 2
    client.service.stopService()


class ConnectsAnyway(FakeEndpoint):
    """Has the connection already when it is told to give up."""

    def _cancel(self, attempt: Deferred[Any]) -> None:
        self.transport = self.succeed()


def test_a_connection_that_is_made_after_all_is_closed() -> None:
    endpoint = ConnectsAnyway()
    service = ClientService(endpoint, Factory.forProtocol(Protocol), clock=Clock())
    service.startService()
    # Not a factory that refuses: one whose protocol was made before.
    endpoint.factory = Factory.forProtocol(lambda: _Watched(Protocol()))
    stopped = service.stopService()
    assert endpoint.transport.calls == ["lose"]
    assert not stopped.called
    endpoint.transport.lose()
    assert stopped.called


@pytest.mark.parametrize("kind", [TCP4ClientEndpoint, HostnameEndpoint])
@pytest.mark.parametrize("again", [False, True])
async def test_stopped_while_an_endpoint_connects(kind: Any, again: bool) -> None:
    """Those fail with an error of their own: no failure after which one tries again."""
    server = TCPServer(0, Factory.forProtocol(Echo), interface="127.0.0.1")
    async with server:
        endpoint = kind(reactor, "127.0.0.1", server.getHost().port)
        client = ClientService(endpoint, Factory.forProtocol(Asks), lambda _: 0.01)
        client.startService()
        stopped = client.stopService()
        if again:
            client.startService()
        await soon(stopped)
        if again:
            second = await soon(client.whenConnected())
            assert await soon(second.answer) == b"hello"
            await soon(client.stopService())


def test_stopped_before_it_was_started() -> None:
    client = Client()
    assert client.service.stopService().called


def test_started_again_while_it_disconnects() -> None:
    client = Client()
    client.service.startService()
    transport = client.endpoint.succeed()
    stopped = client.service.stopService()
    second = client.service.stopService()
    client.service.startService()
    waiting = client.service.whenConnected()
    assert len(client.endpoint.attempts) == 1
    transport.lose()
    assert stopped.called
    assert second.called
    assert len(client.endpoint.attempts) == 2
    client.endpoint.succeed()
    assert waiting.called


def test_starting_twice_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    client = Client()
    client.service.startService()
    client.service.startService()
    assert len(client.endpoint.attempts) == 1
    assert "running already" in caplog.text


async def test_at_the_deadline_the_connection_is_aborted() -> None:
    client = Client()
    client.service.startService()
    transport = client.endpoint.succeed()
    await soon(client.service.stopService(grace=0.01))
    assert transport.calls == ["lose", "abort"]


def test_it_is_prepared_before_anyone_has_it() -> None:
    prepared: Deferred[None] = Deferred()
    seen: list[Any] = []

    def prepare(protocol: Any) -> Deferred[None]:
        seen.append(protocol)
        return prepared

    client = Client(prepare)
    waiting = client.service.whenConnected()
    client.service.startService()
    client.endpoint.succeed()
    assert not waiting.called
    prepared.callback(None)
    assert seen == [waiting.result]


@pytest.mark.parametrize("how", ["raises", "fails", "is lost"])
def test_a_preparation_that_fails_is_a_failed_attempt(how: str) -> None:
    def prepare(protocol: Any) -> Any:
        if how == "raises":
            raise LookupError("no")
        return fail(LookupError("no")) if how == "fails" else Deferred()

    client = Client(prepare)
    errors: list[Any] = []
    client.service.whenConnected(failAfterFailures=1).addErrback(errors.append)
    client.service.startService()
    transport = client.endpoint.succeed()
    if how != "is lost":
        assert transport.calls == ["lose"]
        assert errors == []
    transport.lose()
    assert errors[0].check(ConnectionError if how == "is lost" else LookupError)
    client.clock.advance(10)
    assert len(client.endpoint.attempts) == 2


def _cancelled_at_once(argument: Any) -> Deferred[Any]:
    return fail(CancelledError("of another"))


async def _cancelled_coroutine(argument: Any) -> Any:
    raise CancelledError("of another")


def _cancelled_raised(argument: Any) -> Any:
    raise CancelledError("of another")


@pytest.mark.parametrize("cancelled", [_cancelled_at_once, _cancelled_coroutine, _cancelled_raised])
@pytest.mark.parametrize("where", ["endpoint", "preparation"])
def test_what_is_cancelled_by_others_is_a_failed_attempt(where: str, cancelled: Any) -> None:
    """As where one waits for another service, and that is stopped."""
    client = Client(cancelled if where == "preparation" else None)
    connect = client.endpoint.connect
    if where == "endpoint":

        def connects(factory: Any) -> Any:
            connect(factory)
            return cancelled(factory)

        client.endpoint.connect = connects  # type: ignore[method-assign]  # to fail in turn
    errors: list[Any] = []
    waiting = client.service.whenConnected(failAfterFailures=2)
    waiting.addErrback(lambda failure: errors.append(failure.value))
    client.service.startService()
    for _ in range(2):
        if where == "preparation":
            transport = client.endpoint.succeed()
            assert transport.calls == ["lose"]
            transport.lose()
        client.clock.advance(10)
    (error,) = errors
    assert type(error) is ConnectionError
    assert "not by this service" in str(error)
    assert str(error.__cause__) == "of another"
    assert client.asked[:2] == [1, 2]
    stopped = client.service.stopService()
    assert stopped.called
    client.clock.advance(100)
    assert len(client.endpoint.attempts) == 3


async def _never(protocol: Any) -> None:
    await Deferred[None]()


@pytest.mark.parametrize("where", ["connecting", "preparing", "connected", "pausing"])
def test_the_end_of_the_loop_ends_it(
    where: str,
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """All tasks are cancelled then: that is no failure after which one tries again."""
    client = Client(prepare=_never if where == "preparing" else None)

    async def program() -> None:
        client.service.startService()
        if where == "pausing":
            client.endpoint.refuse()
        elif where != "connecting":
            transport = client.endpoint.succeed()
            transport.loseConnection = transport.lose  # type: ignore[method-assign]  # at once

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(program())
    client.clock.advance(100)
    assert len(client.endpoint.attempts) == 1
    assert client.service.stopService().called
    assert "nhandled" not in caplog.text


async def test_a_preparation_that_waits_for_a_service_which_is_started_later() -> None:
    """Over a real socket: until that runs, attempts fail, and then one does not."""
    async with TCPServer(0, Factory.forProtocol(Echo), interface="127.0.0.1") as server:
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", server.getHost().port)
        other = ClientService(endpoint, Factory.forProtocol(Asks), lambda _: 0.01)
        other.startService()
        await soon(other.stopService())
        tried: Deferred[None] = Deferred()

        async def prepare(protocol: Any) -> None:
            try:
                await other.whenConnected()
            except CancelledError:
                if not tried.called:
                    tried.callback(None)
                raise

        factory = Factory.forProtocol(Asks)
        client = ClientService(endpoint, factory, lambda _: 0.01, prepareConnection=prepare)
        async with client:
            waiting = client.whenConnected()
            await soon(tried)
            assert not waiting.called
            async with other:
                assert await soon((await soon(waiting)).answer) == b"hello"


def test_pauses_grow_up_to_a_limit() -> None:
    policy = backoffPolicy(1.0, 60.0, 2.0, lambda: 0.25)
    assert [policy(n) for n in (0, 1, 2, 6, 10**9)] == [1.25, 2.25, 4.25, 60.25, 60.25]
    assert backoffPolicy(5.0, 60.0, 1.0, lambda: 0.0)(10**6) == 5.0


async def test_over_a_real_socket() -> None:
    """The server goes away and comes back; the client finds it."""
    server = TCPServer(0, Factory.forProtocol(Echo), interface="127.0.0.1")
    await server.__aenter__()
    port = server.getHost().port
    protocols: list[Asks] = []

    class Asking(Factory[Asks]):
        def buildProtocol(self, addr: Any) -> Asks:
            protocols.append(Asks())
            return protocols[-1]

    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
    async with ClientService(endpoint, Asking(), lambda _: 0.01) as client:
        first = await soon(client.whenConnected())
        assert await soon(first.answer) == b"hello"
        await server.stopService(grace=0)
        await soon(first.lost)
        with pytest.raises(error.ConnectionRefusedError, match="refused"):
            await soon(client.whenConnected(failAfterFailures=1))
        server = TCPServer(port, Factory.forProtocol(Echo), interface="127.0.0.1")
        await server.__aenter__()
        second = await soon(client.whenConnected())
        assert second is not first
        assert await soon(second.answer) == b"hello"
    await soon(second.lost)
    await server.stopService()
