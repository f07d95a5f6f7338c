"""
One connection: asyncio's protocol on one side, Twisted's transport on the other.

A `Connection` is what asyncio's transport calls, and what a Twisted protocol
writes to. It is one small object, since there is one for every connection, and
it adds to the path of a read no more than this: writes made while a read is
handled, to this connection or to others of the same loop, are kept back and
leave together when `dataReceived` has returned. (A line protocol that answers
a thousand pipelined lines makes one system call instead of a thousand.) Which
connection is being read is the loop's `_Turn`.

States: made (no transport) -> open -> disconnecting (`loseConnection`: what is
written still leaves) -> lost. `_ending` is the exception that says why, once it
is known before asyncio says that the connection is gone.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import socket
import struct
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet.address import from_sockname
from reactorlib.internet.interfaces import ITCPTransport
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

if TYPE_CHECKING:
    from reactorlib.internet.address import AnyAddress

__all__ = ["Connection", "end_connections"]

_log = logging.getLogger("reactorlib.internet.tcp")

#: For SO_LINGER: closing sends a reset, and drops what has not left.
_NO_LINGER = struct.pack("ii", 1, 0)


class _Turn:
    """What the connections of one loop share."""

    __slots__ = ("dirty", "emptied", "open", "reading")

    def __init__(self) -> None:
        #: The connection whose read is being handled, or None.
        self.reading: Connection | None = None
        #: Other connections that were written to during that read.
        self.dirty: list[Connection] = []
        #: Every connection that has a transport.
        self.open: set[Connection] = set()
        #: Set when `open` becomes empty, while somebody waits for that.
        self.emptied: asyncio.Event | None = None


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, _Turn] = WeakKeyDictionary()


def _turn_of(loop: asyncio.AbstractEventLoop) -> _Turn:
    turn = _turns.get(loop)
    if turn is None:
        turn = _turns[loop] = _Turn()
    return turn


async def end_connections(loop: asyncio.AbstractEventLoop) -> None:
    """End every connection of ours on `loop` at once, and see them gone."""
    turn = _turn_of(loop)
    while turn.open:
        if turn.emptied is None:
            turn.emptied = asyncio.Event()
        for connection in list(turn.open):
            connection.abandon()
        await turn.emptied.wait()


@implementer(ITCPTransport)
class Connection(asyncio.Protocol):
    """
    A connection.

    Args:
        build: called with the peer's address; the protocol, or None to refuse.
        loop: the loop that it belongs to.
        lost: called with the reason after the protocol has been told.

    Attributes:
        protocol: who is told of what comes in; may be exchanged at any time.
        connected: whether bytes may still flow.
        disconnecting: whether this side has begun to close it.
    """

    __slots__ = (
        "_build",
        "_context",
        "_early",
        "_ending",
        "_lost",
        "_out",
        "_paused",
        "_send",
        "_transport",
        "_turn",
        "connected",
        "disconnecting",
        "protocol",
    )

    _transport: asyncio.Transport
    _send: Callable[[bytes], None]

    def __init__(
        self,
        build: Callable[[Any], Any],
        loop: asyncio.AbstractEventLoop,
        lost: Callable[[Failure], object] | None = None,
    ) -> None:
        self._build: Callable[[Any], Any] | None = build
        self._lost = lost
        self._turn = _turn_of(loop)
        self._context = contextvars.copy_context()
        self._paused = False
        self._early: _Early | None = None
        self._out: bytes | list[bytes] | None = None
        self._ending: Failure | None = None
        self.protocol: Any = None
        self.connected = False
        self.disconnecting = False

    @classmethod
    def for_loop(cls, build: Callable[[Any], Any]) -> Connection:
        """A connection on the loop that runs."""
        return cls(build, asyncio.get_running_loop())

    # -- what asyncio calls ---------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not an assertion: uvloop's transports do not derive from asyncio's.
        transport = cast(asyncio.Transport, transport)
        self._transport = transport
        self._send = transport.write
        build, self._build = self._build, None
        assert build is not None
        sock = transport.get_extra_info("socket")
        peername = transport.get_extra_info("peername")
        if peername is None and sock is not None and sock.family != socket.AF_UNIX:
            # The peer has reset the connection before it was accepted.
            transport.abort()
            return
        try:
            self.protocol = build(self.getPeer())
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exception:
            self._fail("buildProtocol() failed; the connection is dropped", exception)
            return
        if self.protocol is None:
            transport.close()
            return
        self.connected = True
        self._turn.open.add(self)
        try:
            self.protocol.makeConnection(self)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exception:
            self._fail("connectionMade() failed; the connection is dropped", exception)
        if self._paused:
            self._early = _Early(self, transport)

    def data_received(self, data: bytes) -> None:
        turn = self._turn
        turn.reading = self
        try:
            self.protocol.dataReceived(data)
        except (SystemExit, KeyboardInterrupt):
            turn.reading = None
            turn.dirty.append(self)
            _flush_dirty(turn)
            raise
        except BaseException as exception:
            self._out = None
            self._fail("dataReceived() failed; the connection is dropped", exception)
        turn.reading = None
        if (out := self._out) is not None:
            self._out = None
            # Bytes or a list of them: `type() is` costs less than what mypy would follow.
            self._send(out if type(out) is bytes else b"".join(out))  # type: ignore[arg-type]
        if turn.dirty:
            _flush_dirty(turn)

    def eof_received(self) -> None:
        """The peer sends no more: asyncio closes once what is written has left."""
        self.disconnecting = True
        self._send = _discard

    def connection_lost(self, exc: BaseException | None) -> None:
        # asyncio calls this in the context of whoever has closed the connection.
        self._context.run(self._is_lost, exc)

    def _is_lost(self, exc: BaseException | None) -> None:
        turn = self._turn
        turn.open.discard(self)
        if not turn.open and turn.emptied is not None:
            turn.emptied.set()
            turn.emptied = None
        self.connected = False
        self.disconnecting = True
        self._out = None
        self._send = _discard
        reason = self._ending
        if reason is None:
            reason = Failure(error.ConnectionDone() if exc is None else _lost_by(exc))
        self._ending = None
        protocol = self.protocol
        if protocol is not None:
            try:
                protocol.connectionLost(reason)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as exception:
                report(_log, "connectionLost() failed", Failure(exception), protocol=protocol)
        lost, self._lost = self._lost, None
        if lost is not None:
            lost(reason)

    def _fail(self, message: str, exception: BaseException) -> None:
        """An error in the protocol costs it its connection, and is reported once."""
        failure = Failure(exception)
        report(_log, message, failure, protocol=self.protocol, transport=self._transport)
        self._end_now(failure)

    # -- what the protocol calls ----------------------------------------------

    def write(self, data: bytes) -> None:
        """
        Send `data`, in order. Never blocks, and does nothing once the connection
        is being closed.

        Raises:
            TypeError: `data` is text, or anything else that is not bytes.
        """
        if type(data) is not bytes:
            data = _as_bytes(data)
        if (out := self._out) is None:
            if (reading := self._turn.reading) is self:
                self._out = data
            elif reading is None:
                self._send(data)
            else:
                self._out = data
                self._turn.dirty.append(self)
        elif type(out) is list:
            out.append(data)
        else:
            self._out = [out, data]  # type: ignore[list-item]  # not a list, so bytes

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send several pieces as one."""
        self.write(b"".join(data))

    def _flush(self) -> None:
        """Hand over what has been kept back."""
        if (out := self._out) is not None:
            self._out = None
            # Bytes or a list of them: `type() is` costs less than what mypy would follow.
            self._send(out if type(out) is bytes else b"".join(out))  # type: ignore[arg-type]

    def loseConnection(self, _reason: object = None) -> None:
        """Close once everything written has left. `connectionLost` follows, later."""
        if not self.disconnecting:
            self._flush()
            self.disconnecting = True
            self._send = _discard
            self._transport.close()

    def abortConnection(self) -> None:
        """Close now, and drop what has not left. `connectionLost` follows, later."""
        if self.connected and self._ending is None:
            sock = self._transport.get_extra_info("socket")
            if sock is not None:
                try:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                except OSError:
                    pass  # gone already
            self._end_now(Failure(error.ConnectionAborted()))

    def abandon(self) -> None:
        """The reactor ends: so does this connection, in no orderly way."""
        if self._ending is None:
            self._end_now(Failure(error.ConnectionLost("the reactor shut down")))

    def _end_now(self, reason: Failure) -> None:
        self._out = None
        self.disconnecting = True
        self._send = _discard
        self._ending = reason
        self._transport.abort()

    def pauseProducing(self) -> None:
        """Read no more until `resumeProducing`; the peer is held up in the end."""
        if not self.disconnecting:
            self._paused = True
            self._transport.pause_reading()

    def resumeProducing(self) -> None:
        """Read on."""
        if not self.disconnecting:
            self._paused = False
            # asyncio reads in the context of whoever has resumed it.
            if self._early is not None:
                asyncio.get_running_loop().call_soon(self._resume, context=self._context)
            else:
                self._context.run(self._transport.resume_reading)

    def _resume(self) -> None:
        """Read for the first time, after a pause that began in `connectionMade`."""
        if self._early is not None and not (self._paused or self.disconnecting):
            early, self._early = self._early, None
            self._transport.set_protocol(self)
            if early.data:
                self.data_received(early.data)
            self._read_on()

    def _read_on(self) -> None:
        if not (self._paused or self.disconnecting):
            self._transport.resume_reading()

    def stopProducing(self) -> None:
        """Close, as `loseConnection`."""
        self.loseConnection()

    def getPeer(self) -> AnyAddress:
        """Where the other end is."""
        return self._address("peername")

    def getHost(self) -> AnyAddress:
        """Where this end is."""
        return self._address("sockname")

    def _address(self, which: str) -> AnyAddress:
        family = self._transport.get_extra_info("socket").family
        return from_sockname(self._transport.get_extra_info(which), family)

    def getTcpNoDelay(self) -> bool:
        """Whether small pieces leave at once. True at first: asyncio sets it."""
        return self._option(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Whether small pieces are to leave at once."""
        self._set_option(socket.IPPROTO_TCP, socket.TCP_NODELAY, enabled)

    def getTcpKeepAlive(self) -> bool:
        """Whether the system probes the peer while nothing is said."""
        return self._option(socket.SOL_SOCKET, socket.SO_KEEPALIVE)

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Whether the system is to probe the peer while nothing is said."""
        self._set_option(socket.SOL_SOCKET, socket.SO_KEEPALIVE, enabled)

    def _option(self, level: int, option: int) -> bool:
        return bool(self._transport.get_extra_info("socket").getsockopt(level, option))

    def _set_option(self, level: int, option: int, enabled: bool) -> None:
        self._transport.get_extra_info("socket").setsockopt(level, option, int(enabled))

    def __repr__(self) -> str:
        state = "open" if self.connected and not self.disconnecting else "closing or closed"
        return f"<Connection of {self.protocol!r}, {state}>"


class _Early(asyncio.Protocol):
    """
    Takes the place of a connection that was paused in `connectionMade`.

    uvloop starts to read after that, whatever was said there: what comes is
    kept until the connection is resumed.
    """

    def __init__(self, connection: Connection, transport: asyncio.Transport) -> None:
        self._connection = connection
        self._transport = transport
        self.data = b""
        transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        self.data += data
        self._transport.pause_reading()

    def eof_received(self) -> None:
        self._connection.eof_received()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connection.connection_lost(exc)


def _flush_dirty(turn: _Turn) -> None:
    """Hand over what has been written to other connections than the one that was read."""
    dirty, turn.dirty = turn.dirty, []
    for connection in dirty:
        connection._flush()


def _discard(data: bytes) -> None:
    """What sends once the connection is being closed."""


def _as_bytes(data: object) -> bytes:
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    if isinstance(data, str):
        raise TypeError(f"a transport carries bytes, not text: encode {data[:40]!r} first")
    raise TypeError(f"a transport carries bytes, not {type(data).__name__}")


def _lost_by(exc: BaseException) -> error.ConnectionLost:
    lost = error.ConnectionLost(str(exc)) if str(exc) else error.ConnectionLost()
    lost.__cause__ = exc
    return lost
