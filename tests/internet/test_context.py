"""
Promise 13: what is asked for in one context is called in that, whoever else is at work.

A thousand requests at once, each with a value of its own, and each with timers,
threads, connections and datagrams; none ever sees another's value.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from reactorlib.internet import reactor, task, threads
from reactorlib.internet.defer import Deferred, ensureDeferred, inlineCallbacks
from reactorlib.internet.protocol import (
    ClientFactory,
    DatagramProtocol,
    Factory,
    ProcessProtocol,
    Protocol,
)
from reactorlib.python.failure import Failure

from ._uses import LOCAL, _tls

pytestmark = pytest.mark.timeout(60)

#: Whose request it is.
whose: contextvars.ContextVar[object] = contextvars.ContextVar("whose", default="nobody's")

REQUESTS = 1000


class Seen:
    """What the callbacks of one request have seen, wherever they ran."""

    def __init__(self) -> None:
        self.by: list[tuple[str, object]] = []

    def note(self, where: str) -> None:
        self.by.append((where, whose.get()))


# -- what serves them all -----------------------------------------------------


class Serve(Protocol):
    """Echoes; each callback is to run in the context of who has opened the port."""

    factory: Any

    def connectionMade(self) -> None:
        self.factory.seen.note("made")

    def dataReceived(self, data: bytes) -> None:
        self.factory.seen.note("data")
        self.transport.write(data)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.factory.seen.note("lost")


class Services:
    """The ports of all kinds, opened in a context of their own."""

    def __init__(self, folder: Path) -> None:
        self.seen = Seen()
        self.path = str(folder / "s")
        whose.set("the server's")
        factory: Any = Factory[Any].forProtocol(Serve)
        factory.noisy = False
        factory.seen = self.seen
        server_settings, self.client_settings = _tls()
        self.tcp = reactor.listenTCP(0, factory, 1000, LOCAL)
        self.tls = reactor.listenSSL(0, factory, server_settings, 1000, LOCAL)
        self.unix = reactor.listenUNIX(self.path, factory, 1000)
        self.udp = reactor.listenUDP(0, ServeDatagrams(self.seen), LOCAL)

    def connect(self, kind: str, factory: Any) -> None:
        if kind == "tcp":
            reactor.connectTCP(LOCAL, self.tcp.getHost().port, factory)
        elif kind == "unix":
            reactor.connectUNIX(self.path, factory)
        else:
            reactor.connectSSL(LOCAL, self.tls.getHost().port, factory, self.client_settings)


class ServeDatagrams(DatagramProtocol):
    noisy = False
    transport: Any

    def __init__(self, seen: Seen) -> None:
        self.seen = seen

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.seen.note("datagram")
        self.transport.write(datagram, addr)


@pytest_asyncio.fixture
async def services(tmp_path: Path, errors: Any) -> AsyncIterator[Services]:
    async with reactor:
        yield contextvars.copy_context().run(Services, tmp_path)


# -- what a request does ------------------------------------------------------


class Client(Protocol):
    def __init__(self, seen: Seen, over: Deferred[None]) -> None:
        self.seen = seen
        self.over = over

    def connectionMade(self) -> None:
        self.seen.note("client made")
        self.transport.write(b"x")

    def dataReceived(self, data: bytes) -> None:
        self.seen.note("client data")
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.seen.note("client lost")
        self.over.callback(None)


class Clients(ClientFactory[Any]):
    noisy = False

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.over: Deferred[None] = Deferred()

    def startedConnecting(self, connector: Any) -> None:
        self.seen.note("client starts")

    def buildProtocol(self, addr: Any) -> Client:
        self.seen.note("client builds")
        return Client(self.seen, self.over)

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        self.seen.note("client's connection lost")

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.over.errback(reason)


class ClientDatagrams(DatagramProtocol):
    noisy = False
    transport: Any

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.over: Deferred[None] = Deferred()

    def startProtocol(self) -> None:
        self.seen.note("datagrams start")

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.seen.note("datagram")
        self.over.callback(None)


class Runs(ProcessProtocol):
    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.over: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self.seen.note("process made")

    def outReceived(self, data: bytes) -> None:
        self.seen.note("process out")

    def processExited(self, reason: Failure) -> None:
        self.seen.note("process exited")

    def processEnded(self, reason: Failure) -> None:
        self.seen.note("process ended")
        self.over.callback(None)


async def connection(kind: str, seen: Seen, services: Services) -> None:
    clients = Clients(seen)
    services.connect(kind, clients)
    await clients.over


async def datagram(seen: Seen, services: Services) -> None:
    client = ClientDatagrams(seen)
    port = reactor.listenUDP(0, client, LOCAL)
    port.write(b"x", (LOCAL, services.udp.getHost().port))
    await client.over
    await port.stopListening()


async def process(seen: Seen, services: Services) -> None:
    runs = Runs(seen)
    reactor.spawnProcess(runs, "echo", ["echo", "x"], env=None)
    await runs.over


async def timers(seen: Seen, services: Services) -> None:
    rung: Deferred[None] = Deferred()

    def ring() -> None:
        seen.note("timer")
        rung.callback(None)

    rung.addCallback(lambda _: seen.note("callback"))
    call = reactor.callLater(0.001, ring)
    call.delay(0.002)
    await rung
    rounds = itertools.count()

    def turn() -> Deferred[None]:
        seen.note("looping call")
        if next(rounds) == 3:
            looping.stop()
        return task.deferLater(reactor, 0, seen.note, "later")

    looping: task.LoopingCall = task.LoopingCall(turn)
    await looping.start(0)

    def steps() -> Iterator[None]:
        for _ in range(3):
            seen.note("cooperator")
            yield

    await task.cooperate(steps()).whenDone()


async def into_threads(seen: Seen, services: Services) -> None:
    back: Deferred[None] = Deferred()

    def come_back() -> None:
        seen.note("from a thread")
        back.callback(None)

    def work() -> None:
        seen.note("in a thread")
        reactor.callFromThread(come_back)

    reactor.callInThread(work)
    await back
    await threads.deferToThread(seen.note, "deferred to a thread")
    await threads.deferToThread(
        lambda: threads.blockingCallFromThread(reactor, seen.note, "asked by a thread")
    )


async def coroutines(seen: Seen, services: Services) -> None:
    @inlineCallbacks
    def generator() -> Any:
        for _ in range(3):
            yield task.deferLater(reactor, 0, lambda: None)
            seen.note("generator")

    async def coroutine() -> None:
        for _ in range(3):
            await task.deferLater(reactor, 0, lambda: None)
            seen.note("coroutine")

    await generator()
    await ensureDeferred(coroutine())


async def request(number: int, services: Services, at_once: asyncio.Semaphore) -> None:
    whose.set(number)
    seen = Seen()
    await timers(seen, services)
    await coroutines(seen, services)
    await into_threads(seen, services)
    async with at_once:
        await connection("tcp", seen, services)
        await connection("unix", seen, services)
        await datagram(seen, services)
        if number % 10 == 0:
            await connection("tls", seen, services)
        if number % 50 == 0:
            await process(seen, services)
    assert whose.get() == number
    assert len(seen.by) > 30
    assert [(where, value) for where, value in seen.by if value != number] == []


async def test_no_request_sees_the_value_of_another(services: Services) -> None:
    at_once = asyncio.Semaphore(100)  # so many descriptors a process has, at least
    async with asyncio.timeout(50), asyncio.TaskGroup() as group:
        for number in range(REQUESTS):
            group.create_task(request(number, services, at_once))
    served = services.seen.by
    assert len(served) > REQUESTS * 6
    assert {value for _, value in served} == {"the server's"}


class Pulled(Protocol):
    """Is its own pull producer, for three pieces; each leaves its mark in the context."""

    factory: Any

    def connectionMade(self) -> None:
        self.seen: list[object] = []
        self.transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        self.seen.append(whose.get())
        whose.set(self)
        self.transport.write(b"x")
        if len(self.seen) == 3:
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def stopProducing(self) -> None: ...

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        others = {value for value in self.seen if value is not self}
        self.factory.lost.append(others | {value for value in [whose.get()] if value is not self})


async def test_connections_of_one_port_do_not_see_what_others_set() -> None:
    async with reactor:
        factory: Any = Factory[Any].forProtocol(Pulled)
        factory.noisy = False
        factory.lost = []
        whose.set("the server's")
        port = reactor.listenTCP(0, factory, 50, LOCAL)
        async with asyncio.timeout(10):
            for _ in range(3):
                reader, writer = await asyncio.open_connection(LOCAL, port.getHost().port)
                assert await reader.read() == b"xxx"
                writer.close()
                await writer.wait_closed()
            await port.stopListening(grace=5)
    assert factory.lost == [{"the server's"}] * 3


# -- and each alone -----------------------------------------------------------

ALONE: dict[str, Callable[[Seen, Services], Any]] = {
    "timers": timers,
    "threads": into_threads,
    "coroutines": coroutines,
    "tcp": lambda seen, services: connection("tcp", seen, services),
    "unix": lambda seen, services: connection("unix", seen, services),
    "tls": lambda seen, services: connection("tls", seen, services),
    "datagrams": datagram,
    "processes": process,
}


@pytest.mark.parametrize("what", ALONE.values(), ids=ALONE)
async def test_each_is_called_in_the_context_of_who_asked(
    what: Callable[[Seen, Services], Any], services: Services
) -> None:
    """And each begins at once after another's, when the loop still has its context at hand."""
    seen = [Seen() for _ in range(5)]

    async def ask(number: int) -> None:
        whose.set(number)
        await what(seen[number], services)

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(ask(number))
    for number in range(5):
        assert seen[number].by
        assert {value for _, value in seen[number].by} == {number}
