"""When to read, and when not."""

from __future__ import annotations

from reactorlib.internet._connection._core import HELD_BACK, PAUSED, READ_CLOSED
from reactorlib.internet._connection._writing import Writing
from reactorlib.internet._second_names import ReadingNames

__all__ = ["Reading"]


class Reading(ReadingNames, Writing):
    """A connection whose reading can be paused."""

    __slots__ = ()

    def pauseProducing(self) -> None:
        """Read no more until `resumeProducing`; the peer is held up in the end."""
        if not (self.disconnecting or self._marks & READ_CLOSED):
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
        if self._marks & READ_CLOSED and not self.TLS:
            return  # asyncio would read the peer's end once more
        if not (self._marks & (PAUSED | HELD_BACK) or self.disconnecting):
            self._transport.resume_reading()

    def stopProducing(self) -> None:
        """Close, as `loseConnection`."""
        self.loseConnection()
