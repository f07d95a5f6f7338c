"""Files sent to a consumer, piece by piece as it takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from zope.interface import implementer

from reactorlib.internet.defer import Deferred
from reactorlib.internet.interfaces import IPullProducer

__all__ = ["FileSender"]


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@implementer(IPullProducer)
class FileSender:
    """
    A pull producer that reads a file, and sends one file after the other.

    Attributes:
        CHUNK_SIZE: how many bytes are read at a time.
        lastSent: the last byte that was sent.
        deferred: what `beginFileTransfer` returned, while a file is being sent.
    """

    # As in Twisted: four pages, which a socket takes at once.
    CHUNK_SIZE = 2**14
    lastSent: bytes = b""
    deferred: Deferred[bytes] | None = None
    file: _Readable | None = None
    consumer: Any = None
    transform: Callable[[bytes], bytes] | None = None

    def beginFileTransfer(
        self,
        file: _Readable,
        consumer: Any,
        transform: Callable[[bytes], bytes] | None = None,
    ) -> Deferred[bytes]:
        """
        Send what `file` has from here on; the file is not closed.

        Args:
            consumer: an `IConsumer`, a transport for one.
            transform: called with each piece; what it returns is sent instead.

        Returns:
            a Deferred that fires with the last byte once everything has been
            passed to the consumer, and fails when that stops taking it, or when
            reading fails. Cancelled, it sends no more.

        Raises:
            RuntimeError: it sends a file already, or the consumer has a producer already:
                nothing is sent, and the next file can be.
        """
        if self.deferred is not None:
            raise RuntimeError(f"{self!r} is sending {self.file!r}: use a FileSender for each")
        self.file = file
        self.consumer = consumer
        self.transform = transform
        self.lastSent = b""
        deferred: Deferred[bytes] = Deferred(lambda _: self._end())
        self.deferred = deferred
        try:
            consumer.registerProducer(self, False)
        except BaseException:
            if self.deferred is deferred:
                self.deferred = self.file = self.consumer = self.transform = None
            raise
        return deferred

    def resumeProducing(self) -> None:
        """Send a piece; at the end of the file, be done."""
        sent = b""
        # A transform may leave nothing of a piece; without a write nobody asks again.
        while not sent:
            if self.file is None:
                return
            try:
                chunk = self.file.read(self.CHUNK_SIZE)
                sent = self.transform(chunk) if chunk and self.transform is not None else chunk
            except Exception as error:
                if (deferred := self._end()) is not None:
                    deferred.errback(error)
                return
            if not chunk:
                if (deferred := self._end()) is not None:
                    deferred.callback(self.lastSent)
                return
        self.lastSent = sent[-1:]
        self.consumer.write(sent)

    def pauseProducing(self) -> None:
        """Nothing: a pull producer sends only what it is asked for."""

    def stopProducing(self) -> None:
        """The consumer takes no more, as at the end of a connection: the Deferred fails."""
        deferred, self.deferred = self.deferred, None
        self.file = self.consumer = self.transform = None
        if deferred is not None:
            deferred.errback(Exception("Consumer asked us to stop producing"))

    def _end(self) -> Deferred[bytes] | None:
        """Leave the consumer, and return what waits."""
        deferred, self.deferred = self.deferred, None
        consumer = self.consumer
        self.file = self.consumer = self.transform = None
        if consumer is not None:
            consumer.unregisterProducer()
        return deferred
