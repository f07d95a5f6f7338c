"""What can stand between a connection and its transport: all but what is read goes through."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reactorlib.internet._connection._closing import Closing
    from reactorlib.internet._connection._connection import Connection

__all__ = ["Dropping", "Early"]


class _InPlace(asyncio.Protocol):
    """The transport's protocol from now on, in place of the connection."""

    def __init__(self, connection: Closing, transport: asyncio.Transport) -> None:
        self._connection: Connection = connection  # type: ignore[assignment]  # which it always is
        self._transport = transport
        transport.set_protocol(self)

    def handshake_done(self) -> None:
        self._connection.handshake_done()

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()

    def eof_received(self) -> bool | None:
        return self._connection.eof_received()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connection.connection_lost(exc)


class Early(_InPlace):
    """
    Takes the place of a connection that was paused in `connectionMade`.

    uvloop starts to read after that, whatever was said there: what comes is
    kept until the connection is resumed.
    """

    data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        self._transport.pause_reading()


class Dropping(_InPlace):
    """
    Takes the place of a connection that is being closed, and writes for a while yet.

    What comes is read, and dropped: a connection that is closed with something
    unread is reset, which may cost the peer what was written last.
    """

    def data_received(self, data: bytes) -> None:
        pass
