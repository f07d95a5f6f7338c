"""
The two ways between events and the records of stdlib `logging`.

An event goes to `logging` once, through `hand_over`: a record that has the
event (`log_event`), its level, the namespace as the logger's name, the
traceback, and the event's own fields as attributes. A record becomes an event
through `PublishingHandler`: an event that has the record (`log_record`).

What came from the other side is never sent back: a record with `log_event` is
not published, and an event with `log_record` not handed over, in whatever
thread that happens. And what is logged *because* something is on its way over,
by a handler or an observer in the same thread, stays on the side it is on.
"""

from __future__ import annotations

import logging
import sys
import threading
from types import FrameType

from zope.interface import implementer

from reactorlib.logger._format import formatEvent
from reactorlib.logger._interfaces import ILogObserver, LogEvent
from reactorlib.logger._levels import LogLevel, NamedConstant
from reactorlib.logger._observer import Observer
from reactorlib.python import _report
from reactorlib.python.failure import Failure

__all__ = [
    "LEVEL_OF_RECORD",
    "Message",
    "PublishingHandler",
    "STDLibLogObserver",
    "hand_over",
    "passing",
]

#: Levels of `logging`, by ours.
_LEVELNO: dict[NamedConstant, int] = {
    LogLevel.debug: logging.DEBUG,
    LogLevel.info: logging.INFO,
    LogLevel.warn: logging.WARNING,
    LogLevel.error: logging.ERROR,
    LogLevel.critical: logging.CRITICAL,
}

#: Ours, by those of `logging`.
LEVEL_OF_RECORD: dict[int, NamedConstant] = {number: level for level, number in _LEVELNO.items()}

#: The modules that stand between who logs and `hand_over`.
_BETWEEN = {
    *(
        f"reactorlib.logger.{name}"
        for name in ("_logger", "_observer", "_global", "_stdlib", "_filter", "_legacy", "_io")
    ),
    "reactorlib.python.log",
}

#: What a record has, and so no field of an event may be called.
_TAKEN = {*vars(logging.makeLogRecord({})), "message", "asctime"}


class _Passing(threading.local):
    """What is on its way over in this thread."""

    #: The event that is being published has been handed over.
    handed = False
    to_logging = False
    to_observers = False


passing = _Passing()


class Message:
    """The message of an event, made if someone looks."""

    def __init__(self, event: LogEvent) -> None:
        self._event = event

    def __str__(self) -> str:
        return formatEvent(self._event)

    __repr__ = __str__


def _caller(frame: FrameType | None) -> FrameType | None:
    while frame is not None and frame.f_globals.get("__name__") in _BETWEEN:
        frame = frame.f_back
    return frame


def hand_over(event: LogEvent, logger: logging.Logger, frame: FrameType | None) -> None:
    """
    Make of an event a record of `logger`'s, unless it came from one.

    Args:
        frame: where to begin to look for who logged it.
    """
    passing.handed = True
    if passing.to_logging or "log_record" in event:
        return
    level = event.get("log_level")
    # What is no level is not to fail who logs; it counts as information.
    number = logging.INFO
    if isinstance(level, NamedConstant):
        number = _LEVELNO.get(level, number)
    if not logger.isEnabledFor(number):
        return
    failure = event.get("log_failure")
    exc_info = None
    if isinstance(failure, Failure):
        exc_info = (failure.type, failure.value, failure.getTracebackObject())
    caller = _caller(frame)
    extra = {
        name: value
        for name, value in event.items()
        if name not in _TAKEN and not str(name).startswith("log_")
    }
    record = logger.makeRecord(
        logger.name,
        number,
        "(unknown file)" if caller is None else caller.f_code.co_filename,
        0 if caller is None else caller.f_lineno,
        Message(event),
        (),
        exc_info,
        "(unknown function)" if caller is None else caller.f_code.co_name,
        {**extra, "log_event": event},
    )
    passing.to_logging = True
    try:
        logger.handle(record)
    finally:
        passing.to_logging = False


@implementer(ILogObserver)
class STDLibLogObserver:
    """
    Hands events to one logger of `logging`, whatever their namespace.

    Where it observes `globalLogPublisher`, it stands in for what that does of
    itself: no event is handed over twice.
    """

    defaultStackDepth = 4

    def __init__(self, name: str = "twisted", stackDepth: int = defaultStackDepth) -> None:
        """
        Args:
            name: of the logger.
            stackDepth: how far away who logs is: 4 for who calls this
                observer, 5 for who calls that, and so on. What belongs to
                reactorlib's logging there is passed over.
        """
        self.logger = logging.getLogger(name)
        self.stackDepth = stackDepth

    def __call__(self, event: LogEvent) -> None:
        try:
            frame = sys._getframe(max(self.stackDepth - 3, 0))
        except ValueError:
            frame = sys._getframe()
        hand_over(event, self.logger, frame)


class PublishingHandler(logging.Handler):
    """
    A handler of `logging` that makes events of records.

        logging.getLogger().addHandler(PublishingHandler())

    brings what libraries log to the observers of `globalLogPublisher`.
    """

    def __init__(self, publisher: Observer | None = None, level: int = logging.NOTSET) -> None:
        """
        Args:
            publisher: who is given the events; None for `globalLogPublisher`.
        """
        super().__init__(level)
        if publisher is None:
            from reactorlib.logger._global import globalLogPublisher

            publisher = globalLogPublisher
        self.publisher = publisher

    def emit(self, record: logging.LogRecord) -> None:
        """Publish the record, unless it was made of an event or reports what was published."""
        if passing.to_observers or hasattr(record, "log_event"):
            return
        exception = record.exc_info[1] if record.exc_info else None
        if exception is not None and exception is _report.shown.exception:
            return
        passing.to_observers = True
        try:
            self.publisher(_event(record, exception))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            self.handleError(record)
        finally:
            passing.to_observers = False


def _event(record: logging.LogRecord, exception: BaseException | None) -> LogEvent:
    fields = {name: value for name, value in vars(record).items() if name not in _TAKEN}
    number = max(logging.DEBUG, min(record.levelno, logging.CRITICAL)) // 10 * 10
    event: LogEvent = {
        **fields,
        "log_record": record,
        "log_logger": None,
        "log_level": LEVEL_OF_RECORD[number],
        "log_namespace": record.name,
        "log_source": None,
        "log_format": "{log_text}",
        "log_text": record.getMessage(),
        "log_time": record.created,
    }
    if exception is not None:
        event["log_failure"] = Failure(exception)
    return event
