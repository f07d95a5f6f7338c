"""
Two asyncio transports in memory, each the other's peer.

They behave as sockets do, as far as a protocol can tell: what is written
arrives in a later turn of the loop, in pieces of at most `PIECE` bytes; a side
that does not read holds the other up; closing sends what is written first, and
aborting resets the peer.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from typing import Any

from zope.interface import classImplements

from reactorlib.internet._connection import Builder, Connection, Origin
from reactorlib.internet._secure import Secure
from reactorlib.internet._write_buffer import WriteBuffer
from reactorlib.internet.interfaces import ISSLTransport

__all__ = ["PIECE", "MemoryConnection", "MemoryTransport", "connect", "connect_protocols"]

#: The most that arrives at once, in bytes; a socket's read has such a limit too.
PIECE = 65536


def connect(
    one: asyncio.BaseProtocol, other: asyncio.BaseProtocol
) -> tuple[MemoryTransport, MemoryTransport]:
    """Connect two protocols on the loop that runs; both have been told when it returns."""
    loop = asyncio.get_running_loop()
    first, second = MemoryTransport(loop, one), MemoryTransport(loop, other)
    first._peer, second._peer = second, first
    one.connection_made(first)
    other.connection_made(second)
    return first, second


def connect_protocols(
    client: Callable[[Any], Any], server: Callable[[Any], Any]
) -> tuple[MemoryConnection, MemoryConnection]:
    """
    Connect two protocols of ours.

    Args:
        client, server: called with an address; the protocols, as `buildProtocol`.

    Returns:
        their connections, the client's first.
    """
    loop = asyncio.get_running_loop()
    ends = (
        MemoryConnection(Origin(Builder(client), loop, client=True)),
        MemoryConnection(Origin(Builder(server), loop)),
    )
    connect(*ends)
    return ends


class MemoryConnection(Connection):
    """A connection in memory."""

    __slots__ = ()


class SecureMemoryConnection(Secure, MemoryConnection):
    """A connection in memory that is encrypted."""

    __slots__ = ()


MemoryConnection._secure = SecureMemoryConnection
# It asks for the options of TCP too, which mean nothing here.
classImplements(SecureMemoryConnection, ISSLTransport)  # type: ignore[misc]  # as said


class MemoryTransport(WriteBuffer, asyncio.Transport):
    """One of the two; see `connect`."""

    _peer: MemoryTransport

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.BaseProtocol) -> None:
        super().__init__()
        self._loop = loop
        self._protocol: Any = protocol
        self._context = contextvars.copy_context()
        self._queue: deque[bytes] = deque()
        self._paused = False
        self._eof = False
        self._eof_sent = False
        self._closing = False
        self._lost = False
        self._handle: asyncio.Handle | None = None

    # -- from here to the peer ------------------------------------------------

    def write(self, data: Any) -> None:
        """Send to the peer."""
        if data and not (self._closing or self._eof):
            self._queue.append(bytes(data))
            self._size += len(data)
            self._move_soon()
            self._tell_flow()

    def write_eof(self) -> None:
        """Send no more."""
        self._eof = True
        self._move_soon()

    def can_write_eof(self) -> bool:
        """Yes."""
        return True

    def _move_soon(self) -> None:
        if self._handle is None and not self._lost:
            self._handle = self._loop.call_soon(self._move, context=self._peer._context)

    def _move(self) -> None:
        """Let the peer have one piece; in its context."""
        self._handle = None
        peer = self._peer
        if self._lost or (peer._paused and not peer._closing and not peer._lost):
            return
        if self._queue:
            piece = self._take()
            if not (peer._closing or peer._lost):
                peer._protocol.data_received(piece)
            elif peer._eof_sent:
                self._reset()  # it had said that it is gone
                return
            self._context.copy().run(self._tell_flow)
            if self._queue or self._eof or self._closing:
                self._move_soon()
            return
        if (self._eof or self._closing) and not self._eof_sent:
            self._eof_sent = True
            if not (peer._closing or peer._lost) and not peer._protocol.eof_received():
                peer.close()
        if self._closing:
            self._end(None)

    def _take(self) -> bytes:
        pieces, size = [], 0
        while self._queue and size < PIECE:
            data = self._queue.popleft()
            room = PIECE - size
            if len(data) > room:
                self._queue.appendleft(data[room:])
                data = data[:room]
            pieces.append(data)
            size += len(data)
        self._size -= size
        return b"".join(pieces)

    def _may_go_on(self) -> bool:
        return not self._lost

    # -- from the peer to here ------------------------------------------------

    def pause_reading(self) -> None:
        """Take nothing until `resume_reading`."""
        self._paused = True

    def resume_reading(self) -> None:
        """Take what comes."""
        self._paused = False
        self._peer._move_soon()

    def is_reading(self) -> bool:
        """Whether it takes what comes."""
        return not (self._paused or self._closing)

    # -- the end --------------------------------------------------------------

    def close(self) -> None:
        """Close once the peer has taken everything."""
        if not self._closing:
            self._closing = True
            self._peer._move_soon()  # what it has sent is for nobody now
            self._move_soon()

    def abort(self) -> None:
        """Close now; the peer is reset."""
        self._closing = True
        self._end(None)
        self._peer._reset()

    def _reset(self) -> None:
        if not self._lost:
            self._closing = True
            self._end(ConnectionResetError("the other side broke the connection off"))

    def is_closing(self) -> bool:
        """Whether it closes, or is closed."""
        return self._closing

    def _end(self, exc: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            self._queue.clear()
            self._size = 0
            self._loop.call_soon(self._protocol.connection_lost, exc, context=self._context)

    # -- the rest of a transport ----------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Nothing is known."""
        return default

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Exchange the protocol."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol
