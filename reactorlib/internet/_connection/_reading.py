"""When to read, and when not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from reactorlib.internet._connection._core import HELD_BACK, PAUSED
from reactorlib.internet._connection._writing import Writing
from reactorlib.internet._second_names import ReadingNames

if TYPE_CHECKING:
    from reactorlib.internet._connection._connection import Connection

__all__ = ["Early", "Reading"]


class Reading(ReadingNames, Writing):
    """A connection whose reading can be paused."""

    __slots__ = ()

    def pauseProducing(self) -> None:
        """Read no more until `resumeProducing`; the peer is held up in the end."""
        if not self.disconnecting:
            self._marks |= PAUSED
            self._transport.pause_reading()

    def resumeProducing(self) -> None:
        """Read on."""
        if not self.disconnecting:
            self._marks &= ~PAUSED
            # asyncio reads in the context of whoever has resumed it.
            if self._early is not None:
                self._loop.call_soon(self._resume, context=self._own_context())
            else:
                self._context.copy().run(self._read_on)

    def _resume(self) -> None:
        """Read for the first time, after a pause that began in `connectionMade`."""
        if self._early is not None and not (self._marks & PAUSED or self.disconnecting):
            early, self._early = self._early, None
            self._transport.set_protocol(self)
            if early.data:
                self.data_received(early.data)
            self._read_on()

    def _read_on(self) -> None:
        if not (self._marks & (PAUSED | HELD_BACK) or self.disconnecting):
            self._transport.resume_reading()

    def stopProducing(self) -> None:
        """Close, as `loseConnection`."""
        self.loseConnection()


class Early(asyncio.Protocol):
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
