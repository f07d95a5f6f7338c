"""How this side ends a connection, or one direction of it."""

from __future__ import annotations

import socket
import struct

from reactorlib.internet import error
from reactorlib.internet._connection._core import (
    HELD_BACK,
    PAUSED,
    READ_CLOSED,
    WRITE_CLOSED,
    discard,
    lost_by,
)
from reactorlib.internet._connection._in_place import Dropping
from reactorlib.internet._connection._names import Named
from reactorlib.internet.interfaces import IHalfCloseableProtocol
from reactorlib.python.failure import Failure

__all__ = ["Closing"]

#: For SO_LINGER: closing sends a reset, and drops what has not left.
_NO_LINGER = struct.pack("ii", 1, 0)


class Closing(Named):
    """A connection that can be closed."""

    __slots__ = ()

    def loseConnection(self, _reason: object = None) -> None:
        """
        Close once everything written has left. `connectionLost` follows, later.

        While a producer is registered it may still write; nothing is received any more.
        """
        if not self.disconnecting:
            self.disconnecting = True
            if self._flow is None or self._flow.producer is None:
                self._close()
            else:
                self._receive_no_more()

    def _receive_no_more(self) -> None:
        """Read on, whatever has been said of that, and drop it."""
        self._early = None
        Dropping(self, self._transport)
        waits = self._marks & (PAUSED | HELD_BACK)
        self._marks &= ~waits
        if waits and (self.TLS or not self._marks & READ_CLOSED):
            # asyncio reads in the context of whoever has resumed it.
            self._context.copy().run(self._transport.resume_reading)

    def _close(self) -> None:
        self._flush()
        self._send = discard
        self._transport.close()

    def loseWriteConnection(self) -> None:
        """
        Say that no more will be written, once what is written has left.

        A protocol that provides `IHalfCloseableProtocol` has its
        `writeConnectionLost` called then; what the peer sends is still received.
        """
        if not (self.disconnecting or self._marks & WRITE_CLOSED):
            self._marks |= WRITE_CLOSED
            if self._flow is None or self._flow.producer is None:
                self._close_writing()

    def _close_writing(self) -> None:
        self._flush()
        self._send = discard
        try:
            self._transport.write_eof()
        except OSError as exception:
            self._end_now(Failure(lost_by(exception)))  # the peer has reset it meanwhile
            return
        self._flow_of_it().when_empty(self._writing_closed)

    def _writing_closed(self) -> None:
        if self.connected and IHalfCloseableProtocol.providedBy(self.protocol):
            self._tell("writeConnectionLost")
        if self._marks & READ_CLOSED:
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
