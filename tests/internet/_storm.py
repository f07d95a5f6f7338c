"""
A storm: many connections at once, both of whose ends do whatever comes to mind.

What they do is drawn from a seeded generator; how it meets is for the network and
the loop. So a seed does not repeat a storm, but says what kind of one it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import socket
import struct
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zope.interface import implementer

from reactorlib.internet import reactor
from reactorlib.internet._turn import turn_of
from reactorlib.internet.error import ConnectionClosed
from reactorlib.internet.interfaces import IFileDescriptorReceiver, IHalfCloseableProtocol
from reactorlib.internet.protocol import ClientFactory, Protocol
from reactorlib.python.failure import Failure

from ._carriers import CLIENT_TLS, LOCAL, SERVER_TLS, open_descriptors

#: How many connections there are at a time.
CONNECTIONS = 20

PIECES = [b"x", b"y" * 100, b"z" * 5000, b"!" * 300_000]


class Ledger:
    """What has happened to the ends of all connections of a storm."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.made = 0
        self.lost = 0
        #: Ends that have not been lost.
        self.open: set[Restless] = set()
        self.all: list[weakref.ref[Restless]] = []
        #: What should not have happened.
        self.wrong: list[str] = []


class Restless(Protocol):
    """One end."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.reason: Failure | None = None
        self.stopped = 0
        self.pieces = 0
        ledger.all.append(weakref.ref(self))

    def connectionMade(self) -> None:
        if self in self.ledger.open:
            self.ledger.wrong.append("connectionMade came twice")
        self.ledger.made += 1
        self.ledger.open.add(self)
        #: Nobody stays for ever.
        self.patience = [
            reactor.callLater(0.2 * self.ledger.random.random(), self.transport.loseConnection),
            reactor.callLater(0.3, self.transport.abortConnection),
        ]
        self.act()

    def dataReceived(self, data: bytes) -> None:
        if self.reason is not None:
            self.ledger.wrong.append("dataReceived came after connectionLost")
        if self.ledger.random.random() < 0.5:
            self.act()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        if self.reason is not None:
            self.ledger.wrong.append("connectionLost came twice")
        if not reason.check(ConnectionClosed, OSError):
            self.ledger.wrong.append(f"an odd reason: {reason.value!r}")
        self.reason = reason
        self.ledger.lost += 1
        self.ledger.open.discard(self)
        for call in self.patience:
            if call.active():
                call.cancel()
        if self.ledger.random.random() < 0.1:
            self.act()  # which must do nothing

    def act(self) -> None:
        draw = self.ledger.random
        for _ in range(draw.randrange(1, 4)):
            action: Callable[[], object] = getattr(self, draw.choice(ACTIONS))
            if draw.random() < 0.3:
                reactor.callLater(draw.random() * 0.01, action)
            else:
                action()

    def write(self) -> None:
        self.transport.write(self.ledger.random.choice(PIECES))

    def lose(self) -> None:
        self.transport.loseConnection()

    def abort(self) -> None:
        self.transport.abortConnection()

    def half_close(self) -> None:
        self.transport.loseWriteConnection()

    def pause(self) -> None:
        self.transport.pauseProducing()
        reactor.callLater(self.ledger.random.random() * 0.01, self.transport.resumeProducing)

    def drain(self) -> None:
        self.transport.drain().addErrback(lambda failure: failure.trap(ConnectionClosed, OSError))

    def produce(self) -> None:
        if self.pieces == 0:
            self.pieces = self.ledger.random.randrange(1, 10)
            self.transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        self.pieces -= 1
        self.write()
        if self.pieces == 0:
            self.transport.unregisterProducer()

    def stopProducing(self) -> None:
        self.stopped += 1
        self.pieces = 0

    def nothing(self) -> None:
        pass

    def descriptor(self) -> None:
        send = getattr(self.transport, "sendFileDescriptor", None)
        if send is not None:
            send(0)
            self.transport.write(b"d")


@implementer(IHalfCloseableProtocol)
class HalfRestless(Restless):
    """One that goes on when one direction has ended; it ends by itself in the end."""

    def readConnectionLost(self) -> None:
        self.act()
        reactor.callLater(0.02, self.transport.loseConnection)

    def writeConnectionLost(self) -> None:
        self.act()


@implementer(IFileDescriptorReceiver)
class Greedy(Restless):
    """One that takes descriptors."""

    def fileDescriptorReceived(self, descriptor: int) -> None:
        os.close(descriptor)
        self.act()


ACTIONS = [
    *["write"] * 8,
    *["nothing", "pause", "drain", "produce", "descriptor"] * 2,
    *["lose", "abort", "half_close"],
]


class Restlessly(ClientFactory[Any]):
    """Builds ends, or refuses to, and counts those that are tried in vain."""

    noisy = False

    def __init__(self, ledger: Ledger, done: Callable[[], object] = lambda: None) -> None:
        self.ledger = ledger
        self._done = done

    def buildProtocol(self, addr: object) -> Any:
        if self.ledger.random.random() < 0.05:
            return None
        kind = self.ledger.random.choice([Restless, HalfRestless, Greedy])
        built = kind(self.ledger)
        built.factory = self
        return built

    def clientConnectionLost(self, connector: object, reason: Failure) -> None:
        self._done()

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        self._done()


async def wild(sock: socket.socket, place: Any, draw: random.Random) -> None:
    """A client that is no protocol at all."""
    loop = asyncio.get_running_loop()
    with sock:
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            await loop.sock_connect(sock, place)
            for _ in range(draw.randrange(3)):
                # The beginning of a TLS handshake, for who wants one.
                await loop.sock_sendall(sock, b"\x16\x03\x01\x02\x00\x01" * draw.randrange(1, 99))
                await asyncio.sleep(draw.random() * 0.005)
            end = draw.randrange(3)
            if end == 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif end == 1:
                sock.shutdown(socket.SHUT_WR)
                await asyncio.sleep(draw.random() * 0.005)


class Storm:
    """
    Connections over one carrier.

    Args:
        kind: "tcp", "unix" or "tls".
    """

    def __init__(self, kind: str, seed: int, path: Path) -> None:
        self.ledger = Ledger(seed)
        self._kind = kind
        self._path = path / "storm"
        self._slots = asyncio.Semaphore(CONNECTIONS)

    def _listen(self) -> Any:
        factory = Restlessly(self.ledger)
        if self._kind == "unix":
            return reactor.listenUNIX(self._path, factory)
        if self._kind == "tls":
            return reactor.listenSSL(0, factory, SERVER_TLS, interface=LOCAL)
        return reactor.listenTCP(0, factory, interface=LOCAL)

    def _connect(self, number: int) -> None:
        factory = Restlessly(self.ledger, self._slots.release)
        if self._kind == "unix":
            reactor.connectUNIX(self._path, factory, timeout=5)
        elif self._kind == "tls":
            reactor.connectSSL(LOCAL, number, factory, CLIENT_TLS, timeout=5)
        else:
            reactor.connectTCP(LOCAL, number, factory, timeout=5)

    async def rage(self, seconds: float) -> None:
        """Go on for that long, and see everything gone."""
        loop = asyncio.get_running_loop()
        port = self._listen()
        number = 0 if self._kind == "unix" else port.getHost().port
        end = loop.time() + seconds
        while loop.time() < end:
            async with asyncio.timeout(10):
                await self._slots.acquire()
            if self.ledger.random.random() < 0.2:
                family = socket.AF_UNIX if self._kind == "unix" else socket.AF_INET
                place: Any = str(self._path) if self._kind == "unix" else (LOCAL, number)
                await wild(socket.socket(family), place, self.ledger.random)
                self._slots.release()
            else:
                self._connect(number)
        await self._calm(port)

    async def _calm(self, port: Any) -> None:
        """Let those that are left end by themselves for a moment, then end them."""
        loop = asyncio.get_running_loop()
        await port.stopListening(grace=0.2)
        async with asyncio.timeout(10):
            while turn_of(loop).open or self.ledger.open:
                for end in list(self.ledger.open):
                    end.transport.abortConnection()
                await asyncio.sleep(0.001)
            for _ in range(CONNECTIONS):
                await self._slots.acquire()
            while reactor.getDelayedCalls():  # those of the ends themselves
                await asyncio.sleep(0.001)


async def leftovers(storm: Storm, before: int) -> list[str]:
    """
    What is left after a storm, in words; nothing should be.

    Args:
        before: how many descriptors were open before it.
    """
    loop = asyncio.get_running_loop()
    ledger = storm.ledger
    left = list(ledger.wrong)
    if ledger.made != ledger.lost:
        left.append(f"{ledger.made} connections were made, and {ledger.lost} lost")
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    if tasks:
        left.append(f"tasks: {tasks}")
    timers = [timer for timer in getattr(loop, "_scheduled", ()) if not timer.cancelled()]
    if timers:
        left.append(f"timers: {timers}")
    for _ in range(100):  # loops close some of theirs in later turns
        await asyncio.sleep(0)
        if open_descriptors() <= before:
            break
    else:
        left.append(f"descriptors: {open_descriptors()}, and {before} before")
    gc.collect()
    alive = [end for ref in ledger.all if (end := ref()) is not None]
    if alive:
        left.append(f"{len(alive)} of {len(ledger.all)} protocols, as {alive[0]!r}")
    return left
