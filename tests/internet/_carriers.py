"""
Everything that carries a connection, for tests that have to hold on all of it.

A carrier connects two protocols, a client's and a server's, and closes whatever
it has opened.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import trustme
from zope.interface import implementer

from reactorlib.internet import reactor
from reactorlib.internet._memory import connect_protocols
from reactorlib.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener
from reactorlib.internet.protocol import ClientFactory, Factory, Protocol
from reactorlib.internet.stdio import StandardIO
from reactorlib.python.failure import Failure

LOCAL = "127.0.0.1"


@implementer(IHandshakeListener)
class Side(Protocol):
    """A protocol that keeps what it was told, in order, and lets tests wait for it."""

    def __init__(self, hooks: dict[str, Callable[[Side], object]] | None = None) -> None:
        self.hooks = hooks or {}
        self.events: list[str] = []
        self.data = bytearray()
        self.reason: Failure | None = None
        self.shaken = False
        self.lost_context: Any = None
        self._changed = asyncio.Event()

    def _note(self, event: str) -> None:
        self.events.append(event)
        self._changed.set()
        if event in self.hooks:
            self.hooks[event](self)

    def connectionMade(self) -> None:
        self._note("made")

    def handshakeCompleted(self) -> None:
        self.shaken = True
        self._changed.set()

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        self._note("data")

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        assert self.reason is None, "connectionLost came twice"
        self.reason = reason
        self._note("lost")

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something true has been seen."""
        async with asyncio.timeout(10):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def received(self, size: int) -> bytes:
        await self.until(lambda: len(self.data) >= size or self.reason)
        return bytes(self.data)

    async def lost(self) -> type[BaseException]:
        """Wait for the end; the type of the reason."""
        await self.until(lambda: self.reason)
        assert self.reason is not None
        return self.reason.type


@implementer(IHalfCloseableProtocol)
class HalfSide(Side):
    """One that wants to know when each direction ends."""

    def readConnectionLost(self) -> None:
        self._note("read lost")

    def writeConnectionLost(self) -> None:
        self._note("write lost")


async def turns(condition: Callable[[], object]) -> None:
    """Let the loop go round until something is true that nobody announces."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


def open_descriptors() -> int:
    """How many sockets and pipes are open here; loops keep files of their own."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            count += os.readlink(f"/proc/self/fd/{name}").startswith(("socket:", "pipe:"))
    return count


def authority() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Settings for a client and a server that trust each other."""
    ca = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost", LOCAL).configure_cert(server)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    ca.configure_trust(client)
    return client, server


CLIENT_TLS, SERVER_TLS = authority()


class _Once(ClientFactory[Any]):
    noisy = False

    def __init__(self, side: Any) -> None:
        self.side = side
        self.failed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def buildProtocol(self, addr: object) -> Any:
        self.side.factory = self
        return self.side

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        if not self.failed.done():
            self.failed.set_exception(reason.value)


class _Serve(Factory[Any]):
    noisy = False

    def __init__(self, side: Any) -> None:
        self.side = side

    def buildProtocol(self, addr: object) -> Any:
        self.side.factory = self
        return self.side


async def _made(client: Side, server: Side) -> None:
    for side in (client, server):
        await side.until(partial(getattr, side, "events"))


@contextlib.asynccontextmanager
async def over_tcp(client: Side, server: Side, path: Path) -> AsyncIterator[None]:
    port = reactor.listenTCP(0, _Serve(server), interface=LOCAL)
    try:
        reactor.connectTCP(LOCAL, port.getHost().port, _Once(client))
        await _made(client, server)
        yield
    finally:
        await port.stopListening()


@contextlib.asynccontextmanager
async def over_unix(client: Side, server: Side, path: Path) -> AsyncIterator[None]:
    port = reactor.listenUNIX(path / "socket", _Serve(server))
    try:
        reactor.connectUNIX(path / "socket", _Once(client))
        await _made(client, server)
        yield
    finally:
        await port.stopListening()


@contextlib.asynccontextmanager
async def over_tls(client: Side, server: Side, path: Path) -> AsyncIterator[None]:
    port = reactor.listenSSL(0, _Serve(server), SERVER_TLS, interface=LOCAL)
    try:
        number = port.getHost().port
        reactor.connectSSL(LOCAL, number, _Once(client), CLIENT_TLS)
        await _made(client, server)
        yield
    finally:
        await port.stopListening()


@contextlib.asynccontextmanager
async def over_starttls(client: Side, server: Side, path: Path) -> AsyncIterator[None]:
    async with over_tcp(client, server, path):
        server.transport.startTLS(SERVER_TLS)
        client.transport.startTLS(CLIENT_TLS)
        yield


@contextlib.asynccontextmanager
async def over_memory(client: Side, server: Side, path: Path) -> AsyncIterator[None]:
    connect_protocols(lambda _: client, lambda _: server)
    yield


@contextlib.asynccontextmanager
async def over_tls_in_memory(client: Side, server: Side, path: Path) -> AsyncIterator[None]:
    connect_protocols(lambda _: client, lambda _: server)
    server.transport.startTLS(SERVER_TLS)
    client.transport.startTLS(CLIENT_TLS)
    yield


@contextlib.asynccontextmanager
async def over_pipes(client: Side, server: Side, path: Path) -> AsyncIterator[None]:
    """As two programs that read each other's standard output."""
    from_client, to_server = os.pipe()
    from_server, to_client = os.pipe()
    ends = (from_client, to_server, from_server, to_client)
    try:
        StandardIO(server, from_client, to_client)
        StandardIO(client, from_server, to_server)
    finally:
        for fd in ends:  # each side has duplicates
            os.close(fd)
    # A loop that watches no descriptors takes a few turns to attach its own transports.
    transports = [writing(side) for side in (client, server)]
    await turns(lambda: all(hasattr(t._transport, "get_write_buffer_size") for t in transports))
    yield


def writing(side: Side) -> Any:
    """What has the asyncio transport that a side writes to, as `_transport`."""
    transport: Any = side.transport
    return transport._writer if isinstance(transport, StandardIO) else transport


CARRIERS: dict[str, Any] = {
    "tcp": over_tcp,
    "unix": over_unix,
    "tls": over_tls,
    "starttls": over_starttls,
    "memory": over_memory,
    "tls in memory": over_tls_in_memory,
    "pipes": over_pipes,
}

ENCRYPTED = {"tls", "starttls", "tls in memory"}

#: Those without a reset: the other side sees an end like any other.
ENDS_ALIKE = {"unix", "pipes"}
