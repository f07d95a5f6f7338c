"""A file in place of a transport."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import IO, Any

from zope.interface import implementer

from reactorlib.internet.address import UNIXAddress
from reactorlib.internet.interfaces import IConsumer, IDrainable, IPushProducer, ITransport
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

__all__ = ["FileWrapper"]

_log = logging.getLogger("reactorlib.internet.protocol")


@implementer(ITransport, IConsumer, IPushProducer, IDrainable)
class FileWrapper:
    """
    A transport that writes to a file, to see what a protocol says. Nothing is read.

    Args:
        file: a binary file.

    Attributes:
        closed: whether `loseConnection` was called.
        producer: what is registered, or None. A pull producer is asked once.
    """

    disconnecting = False

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.closed = 0
        self.producer: Any = None
        self.streamingProducer = False

    def write(self, data: bytes) -> None:
        """Write to the file."""
        self._try(self.file.write, data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Write several pieces as one."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Close the file."""
        self.closed = 1
        self._try(self.file.close)

    def _try(self, operation: Any, *args: object) -> None:
        try:
            operation(*args)
        except Exception:
            self.handleException()

    def handleException(self) -> None:
        """The file has failed: reports the exception that is being handled. For subclasses."""
        report(_log, f"{self.file!r} failed", Failure())

    def drain(self) -> Any:
        """A Deferred that has fired: there is nothing to wait for."""
        from reactorlib.internet.defer import succeed

        return succeed(None)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Know the producer; a pull producer is asked for a piece."""
        self.producer = producer
        self.streamingProducer = streaming
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self.producer = None

    def stopConsuming(self) -> None:
        """Forget the producer, and close."""
        self.unregisterProducer()
        self.loseConnection()

    def getPeer(self) -> UNIXAddress:
        """An address without a name."""
        return UNIXAddress(None)

    def getHost(self) -> UNIXAddress:
        """An address without a name."""
        return UNIXAddress(None)

    def pauseProducing(self) -> None:
        """Nothing: it never produces."""

    def resumeProducing(self) -> None:
        """Nothing: it never produces."""

    def stopProducing(self) -> None:
        """Close the file."""
        self.loseConnection()
