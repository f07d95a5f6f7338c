"""How many bytes a second a factory's connections may read and write."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from reactorlib.protocols.policies._timeouts import _call_later
from reactorlib.protocols.policies._wrapping import ProtocolWrapper, WrappingFactory

__all__ = ["ThrottlingFactory", "ThrottlingProtocol"]


class _Gate:
    """
    A producer that stands before another, and shuts.

    Whatever the transport asks for meanwhile is asked for again when it opens.
    """

    def __init__(self, producer: Any, streaming: bool) -> None:
        self._producer = producer
        self._streaming = streaming
        self._shut = False
        self._wanted = streaming  # whether the transport takes data

    def pauseProducing(self) -> None:
        if self._streaming:
            self._wanted = False
            if not self._shut:
                self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        if self._shut:
            self._wanted = True
        else:
            self._wanted = self._streaming
            self._producer.resumeProducing()

    def stopProducing(self) -> None:
        self._producer.stopProducing()

    def shut(self) -> None:
        if not self._shut:
            self._shut = True
            if self._streaming and self._wanted:
                self._producer.pauseProducing()

    def open(self) -> None:
        if self._shut:
            self._shut = False
            if self._wanted:
                self.resumeProducing()


class ThrottlingProtocol(ProtocolWrapper):
    """
    A wrapper that can be held up, in either direction.

    Attributes:
        producer: what the wrapped protocol has registered, or None.
    """

    producer: Any = None
    _gate: _Gate | None = None
    _paused = False
    _throttled = False

    def write(self, data: bytes) -> None:
        """Send `data`."""
        self.factory.registerWritten(len(data))
        super().write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send several pieces as one."""
        pieces = list(data)
        self.factory.registerWritten(sum(map(len, pieces)))
        super().writeSequence(pieces)

    def dataReceived(self, data: bytes) -> None:
        """Bytes came in."""
        self.factory.registerRead(len(data))
        super().dataReceived(data)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Let `producer` know when to write."""
        gate = _Gate(producer, bool(streaming))
        if self.factory.unthrottleWritesID is not None:
            gate.shut()
        self.producer, self._gate = producer, gate
        try:
            super().registerProducer(gate, streaming)
        except BaseException:
            self.producer = self._gate = None
            raise

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self.producer = self._gate = None
        super().unregisterProducer()

    def pauseProducing(self) -> None:
        """Read nothing until `resumeProducing`."""
        self._paused = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Read on, once reads are not held up."""
        self._paused = False
        if not self._throttled:
            self.transport.resumeProducing()

    def throttleReads(self) -> None:
        """Read nothing until `unthrottleReads`."""
        self._throttled = True
        self.transport.pauseProducing()

    def unthrottleReads(self) -> None:
        """Read on, unless the wrapped protocol has paused."""
        self._throttled = False
        if not self._paused:
            self.transport.resumeProducing()

    def throttleWrites(self) -> None:
        """Let the producer wait."""
        if self._gate is not None:
            self._gate.shut()
        elif self.producer is not None:
            self.producer.pauseProducing()

    def unthrottleWrites(self) -> None:
        """Let the producer write."""
        if self._gate is not None:
            self._gate.open()
        elif self.producer is not None:
            self.producer.resumeProducing()


class ThrottlingFactory(WrappingFactory[ThrottlingProtocol]):
    """
    Limits connections, and what they read and write together.

    It counts for a second; what was too much is made up for by a pause. Only
    what producers write is held up.

    Args:
        wrappedFactory: whose protocols to wrap.
        maxConnectionCount: how many connections there may be.
        readLimit: how many bytes may be read in a second; None for any number.
        writeLimit: as many written.
    """

    protocol = ThrottlingProtocol

    def __init__(
        self,
        wrappedFactory: Any,
        maxConnectionCount: int = sys.maxsize,
        readLimit: float | None = None,
        writeLimit: float | None = None,
    ) -> None:
        super().__init__(wrappedFactory)
        self.connectionCount = 0
        self.maxConnectionCount = maxConnectionCount
        self.readLimit = readLimit
        self.writeLimit = writeLimit
        self.readThisSecond = 0
        self.writtenThisSecond = 0
        self.unthrottleReadsID: Any = None
        self.checkReadBandwidthID: Any = None
        self.unthrottleWritesID: Any = None
        self.checkWriteBandwidthID: Any = None

    def callLater(self, period: float, func: Callable[[], object]) -> Any:
        """The reactor's; may be overridden, as with that of a Clock."""
        return _call_later(period, func)

    def registerWritten(self, length: int) -> None:
        """So many bytes were written."""
        self.writtenThisSecond += length

    def registerRead(self, length: int) -> None:
        """So many bytes were read."""
        self.readThisSecond += length

    def checkReadBandwidth(self) -> None:
        """A second is over: pause reads if it was too much."""
        limit = self.readLimit
        if limit is not None and self.readThisSecond > limit:
            self.throttleReads()
            if self.unthrottleReadsID is not None:
                self.unthrottleReadsID.cancel()
            self.unthrottleReadsID = self.callLater(
                self.readThisSecond / limit - 1.0, self.unthrottleReads
            )
        self.readThisSecond = 0
        self.checkReadBandwidthID = self.callLater(1.0, self.checkReadBandwidth)

    def checkWriteBandwidth(self) -> None:
        """A second is over: pause writes if it was too much."""
        limit = self.writeLimit
        if limit is not None and self.writtenThisSecond > limit:
            self.throttleWrites()
            if self.unthrottleWritesID is not None:
                self.unthrottleWritesID.cancel()
            self.unthrottleWritesID = self.callLater(
                self.writtenThisSecond / limit - 1.0, self.unthrottleWrites
            )
        self.writtenThisSecond = 0
        self.checkWriteBandwidthID = self.callLater(1.0, self.checkWriteBandwidth)

    def throttleReads(self) -> None:
        """Let all connections read nothing."""
        for p in list(self.protocols):
            p.throttleReads()

    def unthrottleReads(self) -> None:
        """Let all connections read."""
        self.unthrottleReadsID = None
        for p in list(self.protocols):
            p.unthrottleReads()

    def throttleWrites(self) -> None:
        """Let the producers of all connections wait."""
        for p in list(self.protocols):
            p.throttleWrites()

    def unthrottleWrites(self) -> None:
        """Let the producers of all connections write."""
        self.unthrottleWritesID = None
        for p in list(self.protocols):
            p.unthrottleWrites()

    def buildProtocol(self, addr: Any) -> ThrottlingProtocol | None:
        """A protocol of the wrapped factory, wrapped; None if there are too many."""
        if self.connectionCount >= self.maxConnectionCount:
            return None
        p = super().buildProtocol(addr)
        if p is not None:
            if self.connectionCount == 0:
                if self.readLimit is not None:
                    self.checkReadBandwidth()
                if self.writeLimit is not None:
                    self.checkWriteBandwidth()
            self.connectionCount += 1
        return p

    def registerProtocol(self, p: ThrottlingProtocol) -> None:
        """A wrapper has a connection; it waits as the others do."""
        super().registerProtocol(p)
        if self.unthrottleReadsID is not None:
            p.throttleReads()

    def unregisterProtocol(self, p: ThrottlingProtocol) -> None:
        """A wrapper has lost its connection; after the last nothing is counted."""
        super().unregisterProtocol(p)
        self.connectionCount -= 1
        if self.connectionCount == 0:
            for name in (
                "unthrottleReadsID",
                "checkReadBandwidthID",
                "unthrottleWritesID",
                "checkWriteBandwidthID",
            ):
                call = getattr(self, name)
                setattr(self, name, None)
                if call is not None and call.active():
                    call.cancel()
