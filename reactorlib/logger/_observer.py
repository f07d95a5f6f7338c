"""What hands events on to observers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from reactorlib.logger._interfaces import ILogObserver, LogEvent
from reactorlib.logger._logger import Logger
from reactorlib.python.failure import Failure

__all__ = ["LogPublisher", "Observer", "bitbucketLogObserver"]

#: What `ILogObserver` says, for a type checker.
Observer = Callable[[LogEvent], Any]

_OBSERVER_FAILED = "An exception came out of the log observer {observer}"


@implementer(ILogObserver)
class LogPublisher:
    """
    An observer that gives each event to its observers, in the order they were added.

    An exception in one of them is logged to the others; the event goes on.
    """

    log: Logger

    def __init__(self, *observers: Observer) -> None:
        self._observers: tuple[Observer, ...] = observers
        self.log = Logger(observer=self)

    def addObserver(self, observer: Observer) -> None:
        """
        Give further events to `observer` too; once, if it is there already.

        Raises:
            TypeError: it cannot be called.
        """
        if not callable(observer):
            raise TypeError(f"Observer is not callable: {observer!r}")
        if observer not in self._observers:
            self._observers = (*self._observers, observer)

    def removeObserver(self, observer: Observer) -> None:
        """Give it no more events. Nothing happens if it is not there."""
        self._observers = tuple(known for known in self._observers if known != observer)

    def __call__(self, event: LogEvent) -> None:
        trace = event.get("log_trace")
        broken: list[tuple[Observer, Failure]] = []
        for observer in self._observers:
            if trace is not None:
                trace.append((self, observer))
            try:
                observer(event)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException:  # a CancelledError is one
                broken.append((observer, Failure()))
        for observer, failure in broken:
            log = self._errorLoggerForObserver(observer)
            log.failure(_OBSERVER_FAILED, failure=failure, observer=observer)

    def _errorLoggerForObserver(self, observer: Observer) -> Logger:
        """A logger to everyone but the one who failed."""
        others = [known for known in self._observers if known != observer]
        return Logger(observer=LogPublisher(*others))


@implementer(ILogObserver)
def bitbucketLogObserver(event: LogEvent) -> None:
    """Drop the event."""
