"""
Every kind of thing that a reactor does, as a coroutine each: for tests of where it works.

A use asks the module `reactor` for what it needs, in whatever loop runs, sees that
it works, and ends it again. Also here: what a process has that a reactor could
leave behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import os
import signal
import socket
import ssl
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest
import trustme
import uvloop
from zope.interface import implementer

from reactorlib.internet import reactor, stdio, task, threads
from reactorlib.internet.defer import Deferred
from reactorlib.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from reactorlib.internet.interfaces import IReadDescriptor
from reactorlib.internet.protocol import (
    ClientFactory,
    DatagramProtocol,
    Factory,
    ProcessProtocol,
    Protocol,
)
from reactorlib.python.failure import Failure

from ._refusing_loop import RefusingLoop

__all__ = ["USES", "Use", "nothing_left", "soon"]

LOCAL = "127.0.0.1"

Use = Callable[[], Coroutine[Any, Any, None]]

T = TypeVar("T")


async def soon(awaitable: Awaitable[T]) -> T:
    """What it gives; an error if that takes long."""
    async with asyncio.timeout(10):
        return await awaitable


# -- what a process has -------------------------------------------------------


@functools.cache
def _begin_uvloop() -> None:
    """The first of its loops opens descriptors that all later ones share."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.sleep(0))


def _state() -> dict[str, Any]:
    _begin_uvloop()
    gc.collect()
    state: dict[str, Any] = {
        "handlers": [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)],
        "threads": {thread for thread in threading.enumerate() if not thread.daemon},
        "descriptors": len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else None,
    }
    if sys.version_info < (3, 14):
        state["policy"] = asyncio.get_event_loop_policy()
    return state


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """A process is after the block as it was before: handlers, threads, descriptors, policy."""
    before = _state()
    yield
    assert _state() == before


# -- streams ------------------------------------------------------------------


class Echo(Protocol):
    """Gives back what it gets; its factory's `gone` fires when it ends."""

    factory: Any

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.factory.gone.callback(None)


class Ask(Protocol):
    """Says something, and hangs up after the answer."""

    def __init__(self, answer: Deferred[bytes]) -> None:
        self.answer = answer
        self.heard = b""

    def connectionMade(self) -> None:
        self.transport.write(b"hello")

    def dataReceived(self, data: bytes) -> None:
        self.heard += data
        if len(self.heard) == 5:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.answer.callback(self.heard)


class Asks(ClientFactory[Any]):
    noisy = False

    def __init__(self) -> None:
        self.answer: Deferred[bytes] = Deferred()

    def buildProtocol(self, addr: Any) -> Ask:
        return Ask(self.answer)

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.answer.errback(reason)


async def converse(listen: Callable[[Any], Any], connect: Callable[[Any, Any], object]) -> None:
    """An echo through a port, from and to nobody."""
    factory: Any = Factory[Any].forProtocol(Echo)
    factory.noisy = False
    factory.gone = Deferred()
    asks = Asks()
    port = listen(factory)
    try:
        connect(port, asks)
        assert await soon(asks.answer) == b"hello"
        await soon(factory.gone)
    finally:
        await soon(port.stopListening())


async def tcp() -> None:
    await converse(
        lambda factory: reactor.listenTCP(0, factory, interface=LOCAL),
        lambda port, asks: reactor.connectTCP(LOCAL, port.getHost().port, asks),
    )


@functools.cache
def _tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", LOCAL).configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


async def tls() -> None:
    server, client = _tls()
    await converse(
        lambda factory: reactor.listenSSL(0, factory, server, interface=LOCAL),
        lambda port, asks: reactor.connectSSL(LOCAL, port.getHost().port, asks, client),
    )


async def unix() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "s")
        await converse(
            lambda factory: reactor.listenUNIX(path, factory),
            lambda port, asks: reactor.connectUNIX(path, asks),
        )


async def endpoints() -> None:
    factory: Any = Factory[Any].forProtocol(Echo)
    factory.noisy = False
    factory.gone = Deferred()
    port: Any = await soon(TCP4ServerEndpoint(reactor, 0, interface=LOCAL).listen(factory))
    try:
        asks = Asks()
        await soon(TCP4ClientEndpoint(reactor, LOCAL, port.getHost().port).connect(asks))
        assert await soon(asks.answer) == b"hello"
        await soon(factory.gone)
    finally:
        await soon(port.stopListening())


# -- datagrams ----------------------------------------------------------------


class Hears(DatagramProtocol):
    noisy = False
    transport: Any

    def __init__(self) -> None:
        self.heard: Deferred[bytes] = Deferred()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        if not self.heard.called:
            self.heard.callback(datagram)


async def send(port: Any, hears: Hears, address: Any) -> None:
    try:
        port.write(b"hello", address)
        assert await soon(hears.heard) == b"hello"
    finally:
        await soon(port.stopListening())


async def udp() -> None:
    hears = Hears()
    port = reactor.listenUDP(0, hears, interface=LOCAL)
    await send(port, hears, (LOCAL, port.getHost().port))


async def multicast() -> None:
    hears = Hears()
    group = "224.0.0.251"
    port = reactor.listenMulticast(0, hears, listenMultiple=True)
    try:
        await soon(hears.transport.setOutgoingInterface(LOCAL))
        await soon(hears.transport.joinGroup(group, LOCAL))
    except BaseException:
        await port.stopListening()
        raise
    await send(port, hears, (group, port.getHost().port))


async def unix_datagrams() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "s")
        hears = Hears()
        await send(reactor.listenUNIXDatagram(path, hears), hears, path)


# -- time and events ----------------------------------------------------------


async def timers() -> None:
    rung: Deferred[str] = Deferred()
    cancelled = reactor.callLater(0, rung.callback, "cancelled")
    moved = reactor.callLater(1000, rung.callback, "moved")
    cancelled.cancel()
    moved.reset(0.001)
    assert await soon(rung) == "moved"


async def triggers() -> None:
    told: list[str] = []
    for phase in ("after", "during", "before"):
        reactor.addSystemEventTrigger(phase, "eclipse", told.append, phase)
    taken = reactor.addSystemEventTrigger("during", "eclipse", told.append, "taken back")
    reactor.removeSystemEventTrigger(taken)
    reactor.callWhenRunning(told.append, "running")
    await soon(reactor.fireSystemEvent("eclipse"))
    assert told == ["running", "before", "during", "after"]


async def looping_call() -> None:
    told: list[int] = []

    def turn() -> None:
        told.append(1)
        if len(told) == 3:
            call.stop()

    call: task.LoopingCall = task.LoopingCall(turn)
    await soon(call.start(0))
    assert told == [1, 1, 1]


async def cooperate() -> None:
    told: list[int] = []
    await soon(task.cooperate(map(told.append, range(3))).whenDone())
    assert told == [0, 1, 2]
    assert await soon(task.deferLater(reactor, 0.001, lambda: "later")) == "later"


# -- threads, names -----------------------------------------------------------


async def into_threads() -> None:
    assert await soon(threads.deferToThread(threading.get_ident)) != threading.get_ident()


async def from_threads() -> None:
    ran: Deferred[int] = Deferred()
    reactor.callInThread(reactor.callFromThread, lambda: ran.callback(threading.get_ident()))
    assert await soon(ran) == threading.get_ident()
    asked = threads.deferToThread(
        lambda: threads.blockingCallFromThread(reactor, threading.get_ident)
    )
    assert await soon(asked) == threading.get_ident()


async def names() -> None:
    assert await soon(reactor.resolve("localhost")) == LOCAL
    assert await soon(reactor.resolve("192.0.2.1")) == "192.0.2.1"


# -- descriptors, processes ---------------------------------------------------


@implementer(IReadDescriptor)
class Reads:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.heard: Deferred[bytes] = Deferred()

    def fileno(self) -> int:
        return self.sock.fileno()

    def logPrefix(self) -> str:
        return "reads"

    def doRead(self) -> None:
        reactor.removeReader(self)
        self.heard.callback(self.sock.recv(10))

    def connectionLost(self, reason: Failure) -> None:
        self.heard.errback(reason)


async def descriptors() -> None:
    here, there = socket.socketpair()
    with here, there:
        reads = Reads(here)
        if isinstance(asyncio.get_running_loop(), RefusingLoop):
            with pytest.raises(NotImplementedError, match="cannot watch files"):
                reactor.addReader(reads)
            assert reactor.getReaders() == []
            return
        reactor.addReader(reads)
        assert reads in reactor.getReaders()
        there.send(b"hello")
        assert await soon(reads.heard) == b"hello"
        assert reads not in reactor.getReaders()


class Talks(ProcessProtocol):
    def __init__(self) -> None:
        self.ended: Deferred[bytes] = Deferred()
        self.heard = b""

    def connectionMade(self) -> None:
        self.transport.write(b"hello")
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        self.heard += data

    def processEnded(self, reason: Failure) -> None:
        self.ended.callback(self.heard)


async def processes() -> None:
    talks = Talks()
    reactor.spawnProcess(talks, "cat", ["cat"], env=None)
    assert await soon(talks.ended) == b"hello"


async def terminals() -> None:
    talks = Talks()
    talks.connectionMade = lambda: None  # type: ignore[method-assign]
    reactor.spawnProcess(talks, "/bin/echo", ["echo", "hello"], env=None, usePTY=True)
    assert await soon(talks.ended) == b"hello\r\n"


async def standard_io() -> None:
    input, to_input = os.pipe()
    from_output, output = os.pipe()
    asks = Ask(Deferred())
    stdio.StandardIO(asks, input, output)
    os.close(input)
    os.close(output)
    try:
        while True:
            said = await soon(threads.deferToThread(os.read, from_output, 10))
            if not said:
                break
            os.write(to_input, said)
    finally:
        os.close(to_input)
        os.close(from_output)
    assert await soon(asks.answer) == b"hello"


USES: dict[str, Use] = {
    use.__name__: use
    for use in (
        tcp,
        tls,
        unix,
        endpoints,
        udp,
        multicast,
        unix_datagrams,
        timers,
        triggers,
        looping_call,
        cooperate,
        into_threads,
        from_threads,
        names,
        descriptors,
        processes,
        terminals,
        standard_io,
    )
}
