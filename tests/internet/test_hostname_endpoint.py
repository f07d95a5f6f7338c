"""Connecting by name: RFC 8305, on a clock, and with real sockets."""

from __future__ import annotations

import asyncio
import gc
import socket
import time
from collections.abc import AsyncIterator, Awaitable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
import pytest_asyncio
from zope.interface import implementer

from reactorlib.internet import error, reactor
from reactorlib.internet.address import HostnameAddress, IPv4Address, IPv6Address
from reactorlib.internet.defer import Deferred, fail, succeed
from reactorlib.internet.endpoints import (
    HostnameEndpoint,
    TCP4ServerEndpoint,
    TCP6ClientEndpoint,
)
from reactorlib.internet.endpoints._hostname import _SimpleHostnameResolver
from reactorlib.internet.endpoints._race import interleaved
from reactorlib.internet.interfaces import IReactorPluggableNameResolver
from reactorlib.internet.protocol import Factory, Protocol
from reactorlib.internet.task import Clock

from ._resolver import Resolver

pytestmark = pytest.mark.timeout(20)

T = TypeVar("T")

V4, OTHER_V4 = IPv4Address("TCP", "192.0.2.1", 80), IPv4Address("TCP", "192.0.2.2", 80)
V6, OTHER_V6 = IPv6Address("TCP", "2001:db8::1", 80), IPv6Address("TCP", "2001:db8::2", 80)


async def soon(awaitable: Awaitable[T]) -> T:
    async with asyncio.timeout(5):
        return await awaitable


def quiet(protocol: Any = Protocol) -> Factory[Any]:
    factory = Factory[Any].forProtocol(protocol)
    factory.noisy = False
    return factory


class Connector:
    """An attempt, as a reactor's connector shows it to a factory."""

    def __init__(self, host: str, port: int, factory: Any) -> None:
        self.host, self.port, self.factory = host, port, factory
        self.stopped = False
        factory.startedConnecting(self)

    def getDestination(self) -> object:
        return IPv4Address("TCP", self.host, self.port)

    def stopConnecting(self) -> None:
        self.stopped = True
        self.fail(error.UserError())

    def fail(self, why: Exception) -> None:
        from reactorlib.python.failure import Failure

        self.factory.clientConnectionFailed(self, Failure(why))

    def succeed(self) -> Any:
        protocol = self.factory.buildProtocol(self.getDestination())
        protocol.makeConnection(object())
        return protocol


@implementer(IReactorPluggableNameResolver)
class ClockReactor(Clock):
    """Time that the test moves, addresses that it knows, attempts that it ends."""

    def __init__(self, *addresses: Any, waits: bool = False) -> None:
        super().__init__()
        self.nameResolver = Resolver(*addresses, waits=waits)
        self.attempts: list[Connector] = []
        self.arguments: list[Any] = []

    def installNameResolver(self, resolver: Any) -> Any:
        raise NotImplementedError

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float = 30, bindAddress: Any = None
    ) -> Connector:
        self.arguments.append((timeout, bindAddress))
        connector = Connector(host, port, factory)
        self.attempts.append(connector)
        return connector

    @property
    def hosts(self) -> list[str]:
        return [each.host for each in self.attempts]


def connecting(clock: ClockReactor, **options: Any) -> Deferred[Any]:
    return HostnameEndpoint(clock, "example.com", 80, **options).connect(quiet())


def failure_of(d: Deferred[Any]) -> Any:
    caught: list[Any] = []
    d.addErrback(lambda failure: caught.append(failure.value))
    [value] = caught
    return value


# -- on a clock ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "order"),
    [
        ([V4], [V4]),
        ([V6, OTHER_V6, V4, OTHER_V4], [V6, V4, OTHER_V6, OTHER_V4]),
        ([V4, OTHER_V4, V6], [V4, V6, OTHER_V4]),
        ([V6, OTHER_V6], [V6, OTHER_V6]),
    ],
)
def test_families_are_tried_in_turn(found: list[Any], order: list[Any]) -> None:
    """RFC 8305 section 4."""
    assert interleaved(found) == order


def test_attempts_are_a_moment_apart() -> None:
    """RFC 8305 section 5."""
    clock = ClockReactor(V6, V4)
    d = connecting(clock, timeout=7, bindAddress="192.0.2.9")
    assert clock.hosts == [V6.host]
    clock.advance(0.29)
    assert clock.hosts == [V6.host]
    clock.advance(0.02)
    assert clock.hosts == [V6.host, V4.host]
    assert clock.arguments == [(7, ("192.0.2.9", 0))] * 2
    protocol = clock.attempts[1].succeed()
    assert d.result is protocol._wrappedProtocol
    assert clock.attempts[0].stopped
    assert clock.getDelayedCalls() == []
    assert clock.nameResolver.asked == [("example.com", 80, None)]


def test_the_first_may_still_win() -> None:
    clock = ClockReactor(V6, V4)
    d = connecting(clock, attemptDelay=2)
    clock.advance(2)
    clock.attempts[0].succeed()
    assert d.called
    assert clock.attempts[1].stopped
    assert not clock.attempts[0].stopped


def test_what_has_failed_is_not_waited_for() -> None:
    clock = ClockReactor(V6, V4)
    d = connecting(clock)
    clock.attempts[0].fail(error.NoRouteError())
    assert clock.hosts == [V6.host, V4.host]
    clock.attempts[1].succeed()
    assert d.called
    assert clock.getDelayedCalls() == []


def test_one_error_stays_itself() -> None:
    clock = ClockReactor(V4)
    d = connecting(clock)
    refused = error.ConnectionRefusedError()
    clock.attempts[0].fail(refused)
    assert failure_of(d) is refused
    assert clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        (error.ConnectionRefusedError(111), error.ConnectionRefusedError),
        (error.TimeoutError(), error.ConnectError),
    ],
)
def test_several_errors_become_one_that_tells_them_all(
    second: Exception, kind: type[Exception]
) -> None:
    clock = ClockReactor(V6, V4)
    d = connecting(clock)
    first = error.ConnectionRefusedError(111)
    clock.attempts[0].fail(first)
    clock.attempts[1].fail(second)
    failed = failure_of(d)
    assert type(failed) is kind
    told = str(failed)
    for part in ("example.com:80", f"{V6.host} port 80", f"{V4.host} port 80", str(second)[:-1]):
        assert part in told
    assert isinstance(failed.__cause__, ExceptionGroup)
    assert failed.__cause__.exceptions == (first, second)


def test_a_factory_that_refuses_is_not_asked_again() -> None:
    class Refusing(Factory[Any]):
        noisy = False

        def buildProtocol(self, addr: Any) -> None:
            return None

    clock = ClockReactor(V6, V4)
    d = HostnameEndpoint(clock, "example.com", 80).connect(Refusing())
    clock.attempts[0].factory.buildProtocol(None)
    assert isinstance(failure_of(d), error.NoProtocol)
    assert clock.hosts == [V6.host]
    assert clock.getDelayedCalls() == []


@pytest.mark.parametrize("after", [0, 0.31])
def test_cancelling_stops_every_attempt(after: float) -> None:
    clock = ClockReactor(V6, V4, OTHER_V4)
    d = connecting(clock)
    clock.advance(after)
    d.cancel()
    cancelled = failure_of(d)
    assert isinstance(cancelled, error.ConnectingCancelledError)
    assert cancelled.address == HostnameAddress(b"example.com", 80)
    assert [each.stopped for each in clock.attempts] == [True] * (2 if after else 1)
    assert clock.getDelayedCalls() == []


def test_cancelling_ends_the_search() -> None:
    clock = ClockReactor(V4, waits=True)
    d = connecting(clock)
    d.cancel()
    assert isinstance(failure_of(d), error.ConnectingCancelledError)
    [search] = clock.nameResolver.searches
    assert search.cancelled
    clock.nameResolver.answer()  # too late
    assert clock.attempts == []


def test_whatever_goes_wrong_is_in_the_deferred() -> None:
    class Broken(ClockReactor):
        def callLater(self, *args: Any, **kwargs: Any) -> Any:
            raise ZeroDivisionError("no time")

    assert isinstance(failure_of(connecting(Broken(V6, V4))), ZeroDivisionError)
    clock = ClockReactor()
    clock.nameResolver = None  # type: ignore[assignment]
    assert isinstance(failure_of(connecting(clock)), AttributeError)


@pytest.mark.parametrize("addresses", [[], [object()]])
def test_no_address(addresses: list[Any]) -> None:
    with pytest.raises(error.DNSLookupError, match=r"example\.com"):
        raise failure_of(connecting(ClockReactor(*addresses)))


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        (b"\xff-garbage", r"\\xff-garbage"),
        ("\u2ff0-garbage", r"\\u2ff0-garbage"),
    ],
)
def test_what_is_no_host_name_fails(host: Any, shown: str) -> None:
    with pytest.raises(ValueError, match=shown):
        raise failure_of(HostnameEndpoint(ClockReactor(), host, 80).connect(quiet()))


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("example.com", "example.com:80"),
        ("b\u00fccher.ch", "xn--bcher-kva.ch:80"),
        ("bu\u0308cher.ch", "xn--bcher-kva.ch:80"),  # in another normal form
        (b"::1", "[::1]:80"),
        (b"\xff", "\\xff:80"),
    ],
)
def test_repr(host: Any, shown: str) -> None:
    assert repr(HostnameEndpoint(ClockReactor(), host, 80)) == f"<HostnameEndpoint {shown}>"


def test_a_reactor_without_a_resolver_is_deprecated() -> None:
    with pytest.warns(DeprecationWarning, match="does not provide IReactorPluggableNameResolver"):
        HostnameEndpoint(object(), "example.com", 80)


def test_tcp6_asks_for_ipv6_alone() -> None:
    clock = ClockReactor(V6, OTHER_V6)
    d = TCP6ClientEndpoint(clock, "example.com", 80).connect(quiet())
    assert clock.nameResolver.asked == [("example.com", 80, [IPv6Address])]
    clock.attempts[0].fail(error.ConnectionRefusedError())
    clock.attempts[1].succeed()
    assert d.called
    literal = ClockReactor()
    TCP6ClientEndpoint(literal, "fe80::1%lo", 80).connect(quiet())
    assert (literal.hosts, literal.nameResolver.asked) == (["fe80::1%lo"], [])
    nothing = TCP6ClientEndpoint(ClockReactor(), "example.com", 80).connect(quiet())
    assert isinstance(failure_of(nothing), error.DNSLookupError)


@pytest.mark.parametrize("kind", [HostnameEndpoint, TCP6ClientEndpoint])
@pytest.mark.parametrize(
    ("port", "kind_of_error"),
    [
        (65536, ValueError),
        (80 + 65536, ValueError),
        (-1, ValueError),
        (2**70, ValueError),
        ("65616", ValueError),
        (b"65616", ValueError),
        (80.0, TypeError),
        (True, TypeError),
        (None, TypeError),
    ],
)
def test_what_is_no_port_is_refused(kind: Any, port: Any, kind_of_error: type[Exception]) -> None:
    """The system would take many of them for another port: 65616 for 80."""
    clock = ClockReactor(V6)
    failure = failure_of(kind(clock, "example.com", port).connect(quiet()))
    assert type(failure) is kind_of_error
    assert "port is a number" in str(failure)
    assert clock.nameResolver.asked == []


@pytest.mark.parametrize("port", ["80", "http", b"80", 0, 65535])
def test_a_port_may_be_text(port: Any) -> None:
    clock = ClockReactor(V4)
    HostnameEndpoint(clock, "example.com", port).connect(quiet())
    assert clock.nameResolver.asked == [("example.com", port, None)]


def test_a_resolver_of_a_function(caplog: pytest.LogCaptureFixture) -> None:
    def look_up(host: str, port: int) -> Deferred[Any]:
        if host == "bad":
            return fail(socket.gaierror(-5, "no address"))
        kind = socket.SOCK_STREAM
        return succeed(
            [
                (socket.AF_INET6, kind, 6, "", ("2001:db8::1", port, 0, 0)),
                (socket.AF_INET, kind, 6, "", ("192.0.2.1", port)),
            ]
        )

    clock = ClockReactor()
    clock.nameResolver = _SimpleHostnameResolver(look_up)  # type: ignore[assignment]
    connecting(clock)
    assert clock.hosts == [V6.host]
    d = HostnameEndpoint(clock, "bad", 80).connect(quiet())
    assert isinstance(failure_of(d), error.DNSLookupError)
    assert "looking up 'bad'" in caplog.text


# -- with real sockets --------------------------------------------------------


class Talker(Protocol):
    def __init__(self) -> None:
        self.lost: Deferred[Any] = Deferred()

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.callback(None)


@pytest_asyncio.fixture
async def half_dead(errors: Any) -> AsyncIterator[int]:
    """
    The number of a port that answers on 127.0.0.1 and is silent on ::1.

    Silent is a socket whose backlog is full: the system drops what knocks.
    """
    if not socket.has_ipv6:
        pytest.skip("there is no IPv6 here")
    waiting = []
    with socket.socket(socket.AF_INET6) as silent, socket.socket() as live:
        live.bind(("127.0.0.1", 0))
        live.listen()
        live.setblocking(False)
        number = live.getsockname()[1]
        try:
            silent.bind(("::1", number))
        except OSError as exception:
            pytest.skip(f"there is no IPv6 here: {exception}")
        silent.listen(0)
        for _ in range(4):
            sock = socket.socket(socket.AF_INET6)
            waiting.append(sock)
            sock.setblocking(False)
            sock.connect_ex(("::1", number))
        async with reactor:
            dead = IPv6Address("TCP", "::1", number)
            answers = IPv4Address("TCP", "127.0.0.1", number)
            previous = reactor.installNameResolver(Resolver(dead, answers))
            yield number
            reactor.installNameResolver(previous)
        for sock in waiting:
            sock.close()


async def test_a_dead_ipv6_address_costs_a_moment(half_dead: int) -> None:
    begun = time.monotonic()
    protocol = await soon(HostnameEndpoint(reactor, "example.com", half_dead).connect(quiet()))
    assert time.monotonic() - begun < 0.5
    assert protocol.transport.getPeer() == IPv4Address("TCP", "127.0.0.1", half_dead)
    assert not reactor._connectors
    protocol.transport.abortConnection()


async def test_cancelling_leaves_no_socket(half_dead: int) -> None:
    d = HostnameEndpoint(reactor, "example.com", half_dead, attemptDelay=60).connect(quiet())
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(reactor._connectors) == 1
    d.cancel()
    with pytest.raises(error.ConnectingCancelledError):
        await soon(d)
    assert not reactor._connectors
    for _ in range(5):
        await asyncio.sleep(0)
    gc.collect()  # an open socket would be a ResourceWarning


async def test_each_attempt_has_the_time_limit(half_dead: int) -> None:
    reactor.installNameResolver(Resolver(IPv6Address("TCP", "::1", half_dead)))
    with pytest.raises(error.TimeoutError):
        await soon(HostnameEndpoint(reactor, "a", half_dead, timeout=0.01).connect(quiet()))


async def test_a_name_that_the_system_knows(errors: Any) -> None:
    async with reactor:
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(quiet(Talker))
        number = port.getHost().port
        protocol = await soon(HostnameEndpoint(reactor, "localhost", number).connect(quiet(Talker)))
        protocol.transport.loseConnection()
        await soon(protocol.lost)
        with pytest.raises(error.DNSLookupError):
            await soon(HostnameEndpoint(reactor, "no.such.invalid", 80).connect(quiet()))


async def test_a_port_as_text_is_connected_to(errors: Any) -> None:
    async with reactor:
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(quiet(Talker))
        number = str(port.getHost().port)
        endpoint = HostnameEndpoint(reactor, "localhost", number)  # type: ignore[arg-type]
        protocol = await soon(endpoint.connect(quiet(Talker)))
        protocol.transport.loseConnection()
        await soon(protocol.lost)


@pytest.mark.parametrize("host", ["localhost\0.example.com", "127.0.0.1\0x"])
async def test_a_name_with_a_nul_is_no_name(errors: Any, host: str) -> None:
    """The system would read no further, and find another host."""
    async with reactor:
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(quiet(Talker))
        with pytest.raises(error.DNSLookupError):
            await soon(HostnameEndpoint(reactor, host, port.getHost().port).connect(quiet()))


@pytest.mark.parametrize("kind", [HostnameEndpoint, TCP6ClientEndpoint])
async def test_a_search_that_cannot_begin_is_reported_and_fails(errors: Any, kind: Any) -> None:
    """Here because the loop's executor refuses work. uvloop asks in threads of its own."""
    async with reactor:
        loop = asyncio.get_running_loop()
        executor = ThreadPoolExecutor(1)
        executor.shutdown()
        loop.set_default_executor(executor)
        with pytest.raises(error.DNSLookupError):
            await soon(kind(reactor, "no.such.invalid", 80).connect(quiet()))
        if isinstance(loop, asyncio.SelectorEventLoop):
            [reported] = errors.take()
            assert isinstance(reported, RuntimeError)
