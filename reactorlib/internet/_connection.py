"""
One connection: asyncio's protocol on one side, Twisted's transport on the other.

A `Connection` is what asyncio's transport calls, and what a Twisted protocol
writes to. It is one small object, since there is one for every connection, and
it adds to the path of a read no more than this: writes made while a read is
handled are kept back and leave together when `dataReceived` has returned (see
`_turn`).

States: made (no transport) -> open -> disconnecting (`loseConnection`: what is
written still leaves) -> lost. `_ending` is the exception that says why, once it
is known before asyncio says that the connection is gone. Each direction can end
by itself before that (half-close).

Backpressure. `_choked` is whether asyncio's write buffer is over its limit; a
producer, and whoever drains, hear of it through a `Flow`. A protocol that has
neither is protected too: while it answers what it reads, and the peer does not
take the answers, no more is read from that peer.

TLS is another asyncio transport between this object and the loop's; see
`_tls_transport`. A connection with TLS is an object of another class, so that
`ISSLTransport` and its methods are there exactly then.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import socket
import ssl
import struct
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet._flow import Flow
from reactorlib.internet._tls._settings import engine_for
from reactorlib.internet._tls_transport import TLSTransport
from reactorlib.internet._turn import Turn, flush_dirty, turn_of
from reactorlib.internet.address import UNIXAddress, from_sockname, tcp4
from reactorlib.internet.defer import Deferred, fail, succeed
from reactorlib.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IPushProducer,
    ISystemHandle,
    ITransport,
)
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

if TYPE_CHECKING:
    from reactorlib._sansio.tls import TLSEngine

__all__ = ["Connection"]

_log = logging.getLogger("reactorlib.internet.tcp")

#: For SO_LINGER: closing sends a reset, and drops what has not left.
_NO_LINGER = struct.pack("ii", 1, 0)


@implementer(ITransport, IConsumer, IPushProducer, ISystemHandle)
class Connection(asyncio.Protocol):
    """
    A connection.

    Args:
        build: called with the peer's address; the protocol, or None to refuse.
        loop: the loop that it belongs to.
        lost: called with this object and the reason after the protocol has been told.
        tls: what makes a `TLSEngine` for this object, if TLS is to begin at once.
        client: whether this side has connected, rather than accepted.
        sessionno: how many its port had accepted before; -1 where there is no port.
        turn: what connections of that loop share, if the caller has it.

    Attributes:
        protocol: who is told of what comes in; may be exchanged at any time. None
            before there is a connection, and when it is lost.
        connected: whether bytes may still flow.
        disconnecting: whether this side has begun to close it.
        TLS: whether it is encrypted.
    """

    __slots__ = (
        "_build",
        "_choked",
        "_client",
        "_context",
        "_early",
        "_ending",
        "_flow",
        "_held_back",
        "_loop",
        "_lost",
        "_out",
        "_paused",
        "_read_closed",
        "_send",
        "_tls",
        "_transport",
        "_turn",
        "_write_closed",
        "connected",
        "disconnecting",
        "protocol",
        "sessionno",
    )

    #: What it is once it is encrypted, if it was not.
    _secure: ClassVar[type[Connection]]

    TLS: ClassVar[bool] = False

    _transport: asyncio.Transport
    _send: Callable[[bytes], None]

    def __init__(
        self,
        build: Callable[[Any], Any],
        loop: asyncio.AbstractEventLoop,
        lost: Callable[[Any, Failure], object] | None = None,
        tls: Callable[[Any], TLSEngine] | None = None,
        client: bool = False,
        sessionno: int = -1,
        turn: Turn | None = None,
    ) -> None:
        self.sessionno = sessionno
        self._build: Callable[[Any], Any] | None = build
        self._loop = loop
        self._lost = lost
        self._tls = tls
        self._client = client
        self._turn = turn or turn_of(loop)
        self._context = contextvars.copy_context()
        self._paused = False
        #: Whether reading waits until the peer has taken the answers to what it has sent.
        self._held_back = False
        #: Whether asyncio's write buffer is over its limit.
        self._choked = False
        self._flow: Flow | None = None
        self._early: _Early | None = None
        self._out: bytes | list[bytes] | None = None
        self._read_closed = self._write_closed = False
        self._ending: Failure | None = None
        self.protocol: Any = None
        self.connected = False
        self.disconnecting = False

    # -- what asyncio calls ---------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send = transport.write
        build, self._build = self._build, None
        assert build is not None
        peername = transport.get_extra_info("peername")
        if type(peername) is tuple and len(peername) == 2:
            peer: Any = tcp4(*peername)
        else:
            sock = transport.get_extra_info("socket")  # uvloop has to make it
            if peername is None and sock is not None and sock.family != socket.AF_UNIX:
                # The peer has reset the connection before it was accepted.
                transport.abort()
                return
            peer = self.getPeer()
        if self._tls is not None:
            try:
                self._secure_with(self._tls(self))
            except Exception as exception:
                self._fail("TLS could not be set up; the connection is dropped", exception)
                return
        try:
            self.protocol = build(peer)
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
            self._prepare()
            self.protocol.makeConnection(self)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exception:
            self._fail("connectionMade() failed; the connection is dropped", exception)
        if self._paused and self._transport is transport:
            self._early = _Early(self, transport)

    def _prepare(self) -> None:
        """For subclasses: the protocol is known, and nothing has been sent or read."""

    def data_received(self, data: bytes) -> None:
        turn = self._turn
        turn.reading = self
        try:
            self.protocol.dataReceived(data)
        except (SystemExit, KeyboardInterrupt) as interrupt:
            turn.reading = None
            turn.dirty.append(self)
            flush_dirty(turn)
            self._loop.call_soon(_raise, interrupt)
            return
        except BaseException as exception:
            self._out = None
            self._fail("dataReceived() failed; the connection is dropped", exception)
        turn.reading = None
        if (out := self._out) is not None:
            self._out = None
            if self._choked:
                self._answer_choked()
            # Bytes or a list of them: `type() is` costs less than what mypy would follow.
            self._send(out if type(out) is bytes else b"".join(out))  # type: ignore[arg-type]
        if turn.dirty:
            flush_dirty(turn)

    def _answer_choked(self) -> None:
        """The peer is answered while it does not take the answers: read no more for now."""
        if self._flow is not None and self._flow.producer is not None:
            return  # which knows how to wait
        if not (self._held_back or self.disconnecting):
            self._held_back = True
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        self._choked = True
        if self._flow is not None:
            self._flow.choke()

    def resume_writing(self) -> None:
        self._choked = False
        if self._held_back:
            self._held_back = False
            self._context.copy().run(self._read_on)
        if self._flow is not None:
            self._flow.flow()

    def eof_received(self) -> bool | None:
        """
        The peer sends no more.

        A protocol that wants to know goes on, unless it had closed its own side;
        otherwise asyncio closes once what is written has left.
        """
        self._read_closed = True
        if not self.disconnecting and IHalfCloseableProtocol.providedBy(self.protocol):
            self._tell("readConnectionLost")
            if not self._write_closed or self._ending is not None:
                return True  # it goes on, or is over by itself
        self.disconnecting = True
        self._send = _discard
        return None

    def _tell(self, what: str) -> None:
        """Tell the protocol."""
        try:
            getattr(self.protocol, what)()
        except (SystemExit, KeyboardInterrupt) as interrupt:
            self._loop.call_soon(_raise, interrupt)
        except BaseException as exception:
            self._fail(f"{what}() failed; the connection is dropped", exception)

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
        self._ending = reason
        if self._flow is not None:
            self._flow.lost(reason)
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
            lost(self, reason)
        # What refers to this object in its turn: nothing is left for the collector to find.
        self.protocol = self._flow = self._early = None

    def _fail(self, message: str, exception: BaseException) -> None:
        """An error in the protocol costs it its connection, and is reported once."""
        failure = Failure(exception)
        report(_log, message, failure, protocol=self.protocol, transport=self._transport)
        self._end_now(failure)

    # -- writing --------------------------------------------------------------

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

    @property
    def bufferSize(self) -> int:
        """How many bytes may wait before a producer is paused: asyncio's high-water mark."""
        limits: tuple[int, int] = self._transport.get_write_buffer_limits()
        return limits[1]

    @bufferSize.setter
    def bufferSize(self, size: int) -> None:
        self._transport.set_write_buffer_limits(size)

    def drain(self) -> Deferred[None]:
        """
        Wait until the peer has taken enough of what is written to write more.

        Returns:
            a Deferred that fires with None, at once while the buffer is not full
            (see `bufferSize`); it fails as `connectionLost` does if the
            connection is lost first.
        """
        self._flush()
        if self._ending is not None:
            return fail(self._ending)
        if not self._choked:
            return succeed(None)
        return self._flow_of_it().drain()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        Let `producer` know when to write; see `IConsumer`.

        After `loseConnection` the connection stays open until it is unregistered.
        """
        flow = self._flow_of_it()
        over = self.disconnecting or self._write_closed
        if self._ending is not None or (over and flow.producer is None):
            producer.stopProducing()
        else:
            flow.register(producer, streaming)

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        if self._flow is not None and self._flow.producer is not None:
            self._flow.unregister()
            if self._ending is None and self.connected:
                if self.disconnecting:
                    self._close()
                elif self._write_closed:
                    self._close_writing()

    def stopConsuming(self) -> None:
        """Forget the producer, and close."""
        self.unregisterProducer()
        self.loseConnection()

    def _flow_of_it(self) -> Flow:
        if self._flow is None:
            self._flow = Flow(self)
        return self._flow

    def _stop_pulling(self) -> None:
        """The pull producer is gone: send as ever."""
        if self._ending is None and self.connected:
            self._send = self._transport.write

    # -- closing --------------------------------------------------------------

    def loseConnection(self, _reason: object = None) -> None:
        """
        Close once everything written has left. `connectionLost` follows, later.

        While a producer is registered it may still write.
        """
        if not self.disconnecting:
            self.disconnecting = True
            if self._flow is None or self._flow.producer is None:
                self._close()

    def _close(self) -> None:
        self._flush()
        self._send = _discard
        self._transport.close()

    def loseWriteConnection(self) -> None:
        """
        Say that no more will be written, once what is written has left.

        A protocol that provides `IHalfCloseableProtocol` has its
        `writeConnectionLost` called then; what the peer sends is still received.
        """
        if not (self.disconnecting or self._write_closed):
            self._write_closed = True
            if self._flow is None or self._flow.producer is None:
                self._close_writing()

    def _close_writing(self) -> None:
        self._flush()
        self._send = _discard
        try:
            self._transport.write_eof()
        except OSError as exception:
            self._end_now(Failure(_lost_by(exception)))  # the peer has reset it meanwhile
            return
        self._flow_of_it().when_empty(self._writing_closed)

    def _writing_closed(self) -> None:
        if self.connected and IHalfCloseableProtocol.providedBy(self.protocol):
            self._tell("writeConnectionLost")
        if self._read_closed:
            self.loseConnection()

    def abortConnection(self) -> None:
        """Close now, and drop what has not left. `connectionLost` follows, later."""
        if self.connected and self._ending is None:
            sock = self._transport.get_extra_info("socket")
            if sock is not None and sock.family != socket.AF_UNIX:
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
        if self._ending is None:
            self._ending = reason
        self._transport.abort()

    # -- reading --------------------------------------------------------------

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
                self._loop.call_soon(self._resume, context=self._context)
            else:
                self._context.copy().run(self._read_on)

    def _resume(self) -> None:
        """Read for the first time, after a pause that began in `connectionMade`."""
        if self._early is not None and not (self._paused or self.disconnecting):
            early, self._early = self._early, None
            self._transport.set_protocol(self)
            if early.data:
                self.data_received(early.data)
            self._read_on()

    def _read_on(self) -> None:
        if not (self._paused or self._held_back or self.disconnecting):
            self._transport.resume_reading()

    def stopProducing(self) -> None:
        """Close, as `loseConnection`."""
        self.loseConnection()

    def startReading(self) -> None:
        """The same as `resumeProducing`."""
        self.resumeProducing()

    def stopReading(self) -> None:
        """The same as `pauseProducing`."""
        self.pauseProducing()

    # -- TLS ------------------------------------------------------------------

    def startTLS(
        self,
        contextFactory: Any,
        normal: bool = True,
        *,
        hostname: str | None = None,
        unread: bytes | None = None,
    ) -> None:
        """
        Encrypt from here on.

        What was written before leaves as it is, and what the peer has sent after
        its last plain byte is taken as TLS, even if it came in the same segment:
        a protocol of `reactorlib.protocols.basic` gives back what it has not used.

        Args:
            contextFactory: an `ssl.SSLContext`, or what `reactorlib.internet.ssl`
                makes of your wishes.
            normal: whether the side that has connected is the TLS client.
            hostname: the server's name, for a client's `ssl.SSLContext` that
                checks names.
            unread: what the protocol has received and not used, if it keeps such
                bytes itself.

        Raises:
            RuntimeError: it is encrypted already, or is being closed.
            TypeError, ValueError: `contextFactory` is no good for this side.
        """
        if self.disconnecting or not self.connected:
            raise RuntimeError("TLS cannot begin on a connection that is closing or closed")
        client = self._client == bool(normal)
        factory = getattr(self.protocol, "factory", None)
        engine = engine_for(
            contextFactory, client, connection=self, factory=factory, hostname=hostname
        )
        self._flush()
        if unread is None:
            give_back = getattr(self.protocol, "_give_back", None)
            unread = b"" if give_back is None else give_back()
        self._secure_with(engine, unread)

    def _secure_with(self, engine: TLSEngine, unread: bytes = b"") -> None:
        tls = TLSTransport(self._transport, self, engine, self._loop, self._context)
        self.__class__ = self._secure
        self._transport = tls
        if self._flow is not None and self._flow.producer is not None and not self._flow.streaming:
            pass  # which writes to whatever `_transport` is
        else:
            self._send = tls.write
        if self._early is not None:
            unread += self._early.data
            self._early = None
        if self._paused:
            tls.pause_reading()
        tls.begin(unread)

    def handshake_done(self) -> None:
        """TLS has begun; the transport calls this."""
        if IHandshakeListener.providedBy(self.protocol):
            self._tell("handshakeCompleted")

    # -- who is there ---------------------------------------------------------

    def getHandle(self) -> Any:
        """The socket, to read and set its options; with TLS, the `ssl.SSLObject`."""
        return self.socket

    @property
    def socket(self) -> Any:
        """The socket, to read and set its options."""
        return self._transport.get_extra_info("socket")

    def fileno(self) -> int:
        """The number of the socket's file descriptor; -1 where there is none any more."""
        sock = self._transport.get_extra_info("socket")
        return -1 if sock is None else int(sock.fileno())

    def getPeer(self) -> Any:
        """Where the other end is."""
        return self._address("peername")

    def getHost(self) -> Any:
        """Where this end is."""
        return self._address("sockname")

    def _address(self, which: str) -> Any:
        sock = self._transport.get_extra_info("socket")
        if sock is None:
            return UNIXAddress(None)  # in memory, both ends are without a name
        return from_sockname(self._transport.get_extra_info(which), sock.family)

    @property
    def logstr(self) -> str:
        """What it is called in logs: its protocol, its number, and who the peer is."""
        name = self.logPrefix()
        if self._client:
            return f"{name},client"
        return f"{name},{self.sessionno},{getattr(self.getPeer(), 'host', '')}"

    def logPrefix(self) -> str:
        """The protocol's name in logs."""
        named = getattr(self.protocol, "logPrefix", None)
        if named is not None:
            return str(named())
        return type(self if self.protocol is None else self.protocol).__name__

    def __repr__(self) -> str:
        name = type(self if self.protocol is None else self.protocol).__name__
        if not self.connected:
            return f"<{name}, not connected>"
        state = ", closing" if self.disconnecting else ""
        if self._client:
            return f"<{name} to {_where(self.getPeer())}{state}>"
        number = f" #{self.sessionno}" if self.sessionno >= 0 else ""
        host = self.getHost()
        return f"<{name}{number} on {getattr(host, 'port', None) or _where(host)}{state}>"


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

    def eof_received(self) -> bool | None:
        return self._connection.eof_received()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connection.connection_lost(exc)


def _where(address: Any) -> str:
    """An address, in short."""
    if isinstance(address, UNIXAddress):
        return "nowhere" if address.name is None else repr(os.fsdecode(address.name))
    return f"{address.host}:{address.port}"


def _raise(interrupt: BaseException) -> None:
    """
    What ends the loop, called by the loop itself.

    uvloop takes whatever is raised while it reads for an error of the transport's.
    """
    raise interrupt


def _discard(data: bytes) -> None:
    """What sends once the connection is being closed."""


def _as_bytes(data: object) -> bytes:
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    if isinstance(data, str):
        raise TypeError(f"a transport carries bytes, not text: encode {data[:40]!r} first")
    raise TypeError(f"a transport carries bytes, not {type(data).__name__}")


def _lost_by(exc: BaseException) -> BaseException:
    if isinstance(exc, error.ConnectionClosed):
        return exc
    if isinstance(exc, ssl.SSLError) and not isinstance(exc, ssl.SSLEOFError):
        return exc
    lost = error.ConnectionLost(str(exc)) if str(exc) else error.ConnectionLost()
    lost.__cause__ = exc
    return lost
