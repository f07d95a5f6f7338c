"""What asyncio calls, and how TLS begins."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Any, ClassVar

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet._connection._core import (
    HELD_BACK,
    PAUSED,
    READ_CLOSED,
    WRITE_CLOSED,
    discard,
    lost_by,
    raise_interrupt,
)
from reactorlib.internet._connection._in_place import Early
from reactorlib.internet._connection._reading import Reading
from reactorlib.internet._tls._settings import engine_for
from reactorlib.internet._tls_transport import TLSTransport
from reactorlib.internet._turn import flush_dirty
from reactorlib.internet.address import tcp4
from reactorlib.internet.interfaces import (
    IConsumer,
    IDrainable,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IPushProducer,
    ISystemHandle,
    ITransport,
)
from reactorlib.python._report import report
from reactorlib.python.failure import Failure, failure_of

if TYPE_CHECKING:
    from reactorlib._sansio.tls import TLSEngine
    from reactorlib.internet._turn import Turn

__all__ = ["Connection"]

_log = logging.getLogger("reactorlib.internet.tcp")


@implementer(ITransport, IConsumer, IPushProducer, ISystemHandle, IDrainable)
class Connection(Reading):
    """
    A connection.

    Args:
        origin: where it comes from, and what it shares with others from there.
        sessionno: how many its port had accepted before, or how many had been adopted
            before; -1 for a client's.

    Attributes:
        protocol: who is told of what comes in; may be exchanged at any time. None
            before there is a connection, and when it is lost.
        connected: whether bytes may still flow.
        disconnecting: whether this side has begun to close it.
        TLS: whether it is encrypted.
    """

    __slots__ = ()

    #: What it is once it is encrypted, if it was not.
    _secure: ClassVar[type[Connection]]

    # -- what asyncio calls ---------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        turn = self._turn
        if turn.ending:
            transport.abort()  # it was accepted just before, and nobody would see its end
            return
        origin = self._origin
        peername = transport.get_extra_info("peername")
        if type(peername) is tuple and len(peername) == 2:
            host, number = peername
            peer: Any = tcp4(host, number)
        else:
            sock = transport.get_extra_info("socket")  # uvloop has to make it
            if peername is None and sock is not None and sock.family != socket.AF_UNIX:
                # The peer has reset the connection before it was accepted.
                transport.abort()
                return
            peer = self.getPeer()
        if origin.tls is not None:
            try:
                self._secure_with(origin.tls(self))
            except Exception as exception:
                self._fail("TLS could not be set up; the connection is dropped", exception)
                return
        try:
            protocol = self.protocol = origin.factory.buildProtocol(peer)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exception:
            self._fail("buildProtocol() failed; the connection is dropped", exception)
            return
        if protocol is None:
            transport.close()
            return
        self.connected = True
        turn.open.add(self)
        outer, turn.told = turn.told, self
        try:
            self._prepare()
            protocol.makeConnection(self)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exception:
            self._fail("connectionMade() failed; the connection is dropped", exception)
        finally:
            turn.told = outer
        if self._marks & PAUSED and self._transport is transport:
            self._early = Early(self, transport)

    def data_received(self, data: bytes) -> None:
        turn = self._turn
        turn.reading = self
        try:
            self.protocol.dataReceived(data)
        except (SystemExit, KeyboardInterrupt) as interrupt:
            turn.reading = None
            turn.dirty.append(self)
            flush_dirty(turn)
            self._loop.call_soon(raise_interrupt, interrupt)
            return
        except BaseException as exception:
            self._out = None
            self._fail("dataReceived() failed; the connection is dropped", exception)
        turn.reading = None
        if turn.dirty:
            self._hand_over(turn)
        elif (out := self._out) is not None:
            self._out = None
            if self._choked:
                self._answer_choked()
            # Not `self._send(...)`: Python 3.11 is slow to call what is in a slot.
            if (send := self._send) is None:
                self._transport.write(out)  # type: ignore[arg-type]  # a list would be dirty
            else:
                send(out)  # type: ignore[arg-type]  # as above

    def _hand_over(self, turn: Turn) -> None:
        """More was written during a read than one piece to this connection."""
        if self._out is not None:
            if self._choked:
                self._answer_choked()
            self._flush()
        flush_dirty(turn)

    def _answer_choked(self) -> None:
        """The peer is answered while it does not take the answers: read no more for now."""
        if self._flow is not None and self._flow.producer is not None:
            return  # which knows how to wait
        if not (self._marks & HELD_BACK or self.disconnecting):
            self._marks |= HELD_BACK
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        self._choked = True
        if self._flow is not None:
            self._flow.choke()

    def resume_writing(self) -> None:
        self._choked = False
        if self._marks & HELD_BACK:
            self._marks &= ~HELD_BACK
            self._context.copy().run(self._read_on)
        if self._flow is not None:
            self._flow.flow()

    def eof_received(self) -> bool | None:
        """
        The peer sends no more.

        A protocol that wants to know goes on, unless it had closed its own side. So does
        a producer that closing waits for. Otherwise asyncio closes once what is written
        has left.
        """
        self._marks |= READ_CLOSED
        if not self.disconnecting and IHalfCloseableProtocol.providedBy(self.protocol):
            self._tell("readConnectionLost")
            if not self._marks & WRITE_CLOSED or self._ending is not None:
                return True  # it goes on, or is over by itself
        producing = self._flow is not None and self._flow.producer is not None
        if producing and (self.disconnecting or self._marks & WRITE_CLOSED):
            return True  # `unregisterProducer` closes
        self.disconnecting = True
        self._send = discard
        return None

    def connection_lost(self, exc: BaseException | None) -> None:
        # asyncio calls this in the context of whoever has closed the connection.
        self._origin.context.copy().run(self._is_lost, exc)

    def _is_lost(self, exc: BaseException | None) -> None:
        turn = self._turn
        turn.open.discard(self)
        if turn.emptied is not None and not turn.open:
            turn.emptied.set()
            turn.emptied = None
        self.connected = False
        self.disconnecting = True
        self._out = None
        self._send = discard
        reason = self._ending
        if reason is None:
            if exc is None:
                reason = failure_of(error.ConnectionDone(), None)
            else:
                reason = Failure(lost_by(exc))
        self._ending = reason
        if self._flow is not None:
            self._flow.lost(reason)
        protocol = self.protocol
        if protocol is not None:
            outer, turn.told = turn.told, self
            try:
                protocol.connectionLost(reason)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as exception:
                report(_log, "connectionLost() failed", Failure(exception), protocol=protocol)
            finally:
                turn.told = outer
        origin = self._origin
        if (lost := origin.lost) is not None:
            origin.lost = None  # an origin with somebody to tell is this connection's alone
            lost(self, reason)
        # What refers to this object in its turn: nothing is left for the collector to find.
        self.protocol = self._flow = self._early = None

    def _prepare(self) -> None:
        """For subclasses: the protocol is known, and nothing has been sent or read."""

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
        client = self._origin.client == bool(normal)
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
        tls = TLSTransport(self._transport, self, engine, self._loop, self._own_context())
        self.__class__ = self._secure
        self._transport = tls
        if self._flow is not None and self._flow.producer is not None and not self._flow.streaming:
            pass  # which writes to whatever `_transport` is
        else:
            self._send = None
        if self._early is not None:
            unread += self._early.data
            self._early = None
        if self._marks & PAUSED:
            tls.pause_reading()
        tls.begin(unread)

    def handshake_done(self) -> None:
        """TLS has begun; the transport calls this."""
        if IHandshakeListener.providedBy(self.protocol):
            self._tell("handshakeCompleted")
