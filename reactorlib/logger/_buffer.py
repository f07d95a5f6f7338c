"""The last events, kept."""

from __future__ import annotations

from collections import deque

from zope.interface import implementer

from reactorlib.logger._interfaces import ILogObserver, LogEvent
from reactorlib.logger._observer import Observer

__all__ = ["LimitedHistoryLogObserver"]


@implementer(ILogObserver)
class LimitedHistoryLogObserver:
    """Keeps the last `size` events, all if None, for an observer that comes later."""

    def __init__(self, size: int | None = 65536) -> None:
        self._buffer: deque[LogEvent] = deque(maxlen=size)

    def __call__(self, event: LogEvent) -> None:
        self._buffer.append(event)

    def replayTo(self, otherObserver: Observer) -> None:
        """Give `otherObserver` what is kept, oldest first. It stays kept."""
        for event in list(self._buffer):
            otherObserver(event)
