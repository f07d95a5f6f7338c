"""What the protocol sends, and who waits until there is room for more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reactorlib.internet._connection._closing import Closing
from reactorlib.internet._connection._core import WRITE_CLOSED
from reactorlib.internet.defer import Deferred, fail, succeed

__all__ = ["Writing"]


class Writing(Closing):
    """A connection that can be written to."""

    __slots__ = ()

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
                if (send := self._send) is None:
                    self._transport.write(data)
                else:
                    send(data)
            else:
                self._out = data
                self._turn.dirty.append(self)
        elif type(out) is list:
            out.append(data)
        else:
            self._out = [out, data]  # type: ignore[list-item]  # not a list, so bytes
            self._turn.dirty.append(self)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send several pieces as one; see `write`."""
        pieces = list(data)
        try:
            joined = b"".join(pieces)
        except TypeError:
            joined = b"".join(map(_as_bytes, pieces))  # which says what is wrong
        self.write(joined)

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
        over = self.disconnecting or bool(self._marks & WRITE_CLOSED)
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
                elif self._marks & WRITE_CLOSED:
                    self._close_writing()

    def stopConsuming(self) -> None:
        """Forget the producer, and close."""
        self.unregisterProducer()
        self.loseConnection()


def _as_bytes(data: object) -> bytes:
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    if isinstance(data, str):
        raise TypeError(f"a transport carries bytes, not text: encode {data[:40]!r} first")
    raise TypeError(f"a transport carries bytes, not {type(data).__name__}")
