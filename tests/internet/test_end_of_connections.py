"""Connections that come, and are asked for, while the reactor closes everything."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reactorlib.internet import _turn, reactor
from reactorlib.internet.address import IPv4Address
from reactorlib.internet.defer import Deferred
from reactorlib.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint
from reactorlib.internet.error import UserError
from reactorlib.internet.protocol import ClientFactory, Factory, Protocol
from reactorlib.python.failure import Failure

from ._resolver import Resolver
from ._uses import LOCAL, soon

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

pytestmark = pytest.mark.timeout(30)


class Counts(Factory[Any]):
    """How many connections have come, and how many of them are gone."""

    noisy = False

    def __init__(self) -> None:
        self.made = self.lost = 0

    def buildProtocol(self, address: Any) -> Protocol:
        self.made += 1
        return Counted(self)


class Counted(Protocol):
    def __init__(self, counts: Counts) -> None:
        self.counts = counts

    def connectionLost(self, reason: Any = None) -> None:
        self.counts.lost += 1


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def until_closed(client: socket.socket) -> None:
    """The other side has closed it; an error if that takes long."""
    client.setblocking(False)
    try:
        assert await soon(asyncio.get_running_loop().sock_recv(client, 10)) == b""
    except ConnectionResetError:
        pass  # it was not accepted yet


# -- who comes in -------------------------------------------------------------


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("number", range(8))
async def test_who_is_accepted_while_all_is_closed_holds_nothing_up(
    number: int, others: int
) -> None:
    """However many turns of the loop lie between the connection and the end."""
    counts = Counts()
    async with asyncio.timeout(10):
        async with reactor:
            port = reactor.listenTCP(0, counts, interface=LOCAL)
            where = (LOCAL, port.getHost().port)
            clients = []
            for _ in range(others):
                clients.append(socket.create_connection(where))
                while counts.made < len(clients):
                    await asyncio.sleep(0)
            clients.append(socket.create_connection(where))
            await turns(number)
        assert counts.lost == counts.made
        made = counts.made
        for client in clients:
            with client:
                await until_closed(client)
    assert (counts.made, counts.lost) == (made, made)


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("number", range(5))
def test_who_is_accepted_while_a_run_ends_is_told_of_it(
    number: int, others: int, loop_factory: LoopFactory
) -> None:
    counts = Counts()
    clients: list[socket.socket] = []

    async def work() -> None:
        where = (LOCAL, port.getHost().port)
        for _ in range(others):
            clients.append(socket.create_connection(where))
            while counts.made < len(clients):
                await asyncio.sleep(0)
        clients.append(socket.create_connection(where))
        await turns(number)
        reactor.crash()

    port = reactor.listenTCP(0, counts, interface=LOCAL)
    reactor.callWhenRunning(lambda: kept.append(asyncio.ensure_future(work())))
    kept: list[Any] = []
    reactor.run(loop_factory=loop_factory)
    for client in clients:
        client.close()
    assert counts.lost == counts.made >= others


async def test_connections_are_let_in_again_when_all_is_closed() -> None:
    """The loop of others runs on, and can be used as before."""
    for _ in range(2):
        counts = Counts()
        async with reactor:
            port = reactor.listenTCP(0, counts, interface=LOCAL)
            with socket.create_connection((LOCAL, port.getHost().port)):
                async with asyncio.timeout(10):
                    while not counts.made:
                        await asyncio.sleep(0)
        assert counts.lost == 1


async def test_two_ends_at_once() -> None:
    """Each waits for all: nobody is let in by the end of the first."""
    loop = asyncio.get_running_loop()
    turn = _turn.turn_of(loop)
    seen: list[int] = []

    async def one(number: int) -> None:
        async with reactor:
            await turns(number)
        seen.append(turn.ending)

    await soon(asyncio.gather(one(0), one(2)))
    assert seen == [1, 0]


# -- who is asked for ---------------------------------------------------------


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Whose backlog takes whoever connects."""
    with socket.create_server((LOCAL, 0)) as listening:
        yield listening


@pytest.fixture
def full() -> Iterator[int]:
    """A port where nobody accepts, and there is no room for one more: connecting goes on."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind((LOCAL, 0))
        listening.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


def is_user_error(results: list[Any]) -> bool:
    return [isinstance(each, Failure) and each.check(UserError) for each in results] == [UserError]


async def test_an_attempt_made_by_whoever_is_closed_fails(listener: socket.socket) -> None:
    """Its Deferred fires, in a loop that runs on."""
    results: list[Any] = []

    class Returns(Protocol):
        def connectionLost(self, reason: Any = None) -> None:
            endpoint.connect(Factory[Any].forProtocol(Protocol)).addBoth(results.append)

    async with reactor:
        endpoint = TCP4ClientEndpoint(reactor, LOCAL, listener.getsockname()[1])
        await endpoint.connect(Factory[Any].forProtocol(Returns))
    assert is_user_error(results)


@pytest.mark.parametrize("times", [2, 12])
async def test_a_name_whose_next_address_would_be_tried_fails(times: int, full: int) -> None:
    """Its next address is tried when one has failed, and so each has to."""
    results: list[Any] = []
    before = reactor.nameResolver
    async with reactor:
        reactor.installNameResolver(Resolver(*[IPv4Address("TCP", LOCAL, full)] * times))
        endpoint = HostnameEndpoint(reactor, "example.invalid", 80, attemptDelay=1000)
        endpoint.connect(Factory[Any].forProtocol(Protocol)).addBoth(results.append)
        await turns(5)
        assert results == []
    reactor.installNameResolver(before)
    assert is_user_error(results)
    assert str(results[0].value).count(f"port {full}") == times


async def test_a_coroutine_that_tries_again_is_told_each_time(listener: socket.socket) -> None:
    endpoint = TCP4ClientEndpoint(reactor, LOCAL, listener.getsockname()[1])
    lost: Deferred[None] = Deferred()
    failed = 0

    class Told(Protocol):
        def connectionLost(self, reason: Any = None) -> None:
            lost.callback(None)

    async def try_five_times() -> None:
        nonlocal failed
        await lost
        while failed < 5:
            try:
                await endpoint.connect(Factory[Any].forProtocol(Protocol))
            except UserError:
                failed += 1

    trying = asyncio.ensure_future(try_five_times())
    async with reactor:
        await endpoint.connect(Factory[Any].forProtocol(Told))
    await soon(trying)
    assert failed == 5


@pytest.mark.parametrize("begin", ["made", "failed"])
def test_whoever_tries_without_end_does_not_keep_a_run_from_ending(
    begin: str, loop_factory: LoopFactory, listener: socket.socket
) -> None:
    number = listener.getsockname()[1]
    tried = 0

    def try_again(_: object = None) -> None:
        nonlocal tried
        tried += 1
        endpoint = TCP4ClientEndpoint(reactor, LOCAL, number)
        endpoint.connect(Factory[Any].forProtocol(Lost)).addErrback(try_again)

    class Lost(Protocol):
        def connectionMade(self) -> None:
            reactor.stop()

        def connectionLost(self, reason: Any = None) -> None:
            try_again()

    reactor.callWhenRunning(try_again)
    if begin == "failed":
        reactor.callWhenRunning(reactor.callWhenRunning, reactor.crash)
    reactor.run(loop_factory=loop_factory)
    assert tried > 10
    assert not _connecting()


def test_a_connector_that_tries_again_is_told_once(
    loop_factory: LoopFactory, listener: socket.socket
) -> None:
    class Returns(ClientFactory[Any]):
        protocol = Protocol
        noisy = False
        told: list[str] = []

        def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
            self.told.append("lost")
            connector.connect()

        def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
            assert reason.check(UserError)
            self.told.append("failed")
            connector.connect()

        def stopFactory(self) -> None:
            self.told.append("stopped")

    factory = Returns()
    connector = reactor.connectTCP(LOCAL, listener.getsockname()[1], factory)

    async def stop() -> None:
        while connector.state != "connected":
            await asyncio.sleep(0)
        reactor.stop()

    kept: list[Any] = []
    reactor.callWhenRunning(lambda: kept.append(asyncio.ensure_future(stop())))
    reactor.run(loop_factory=loop_factory)
    assert factory.told == ["lost", "failed", "stopped"]
    assert connector.state == "disconnected"


def test_an_attempt_that_another_one_stops_is_not_stopped_twice(
    loop_factory: LoopFactory, full: int
) -> None:
    """When all ends, whoever is told of one may stop the others."""
    told: list[object] = []

    class Stops(ClientFactory[Any]):
        noisy = False

        def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
            told.append(connector)
            for other in connectors:
                if other.state == "connecting":
                    other.stopConnecting()

    connectors = [reactor.connectTCP(LOCAL, full, Stops()) for _ in range(3)]
    reactor.callWhenRunning(reactor.stop)
    reactor.run(loop_factory=loop_factory)
    assert set(told) == set(connectors)
    assert len(told) == 3


def _connecting() -> set[Any]:
    found: set[Any] = reactor._connectors
    return found
