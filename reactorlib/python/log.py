"""
Logging by `msg` and `err`, as programs did before `reactorlib.logger`.

`theLogPublisher` is another face of `globalLogPublisher`: what is logged here
reaches the observers of both, and stdlib `logging` under the logger
`log_legacy`. An observer here is called with a dictionary that has `message` (a
tuple), `time` (seconds since the epoch), `system`, `isError` and, for errors,
`failure` and `why`.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from io import StringIO, UnsupportedOperation
from typing import IO, Any, NoReturn, TypeVar

from zope.interface import Interface

from reactorlib.logger import ILogObserver as _INewLogObserver
from reactorlib.logger import (
    LegacyLogObserverWrapper,
    LogBeginner,
    LogEvent,
    LoggingFile,
    STDLibLogObserver,
    globalLogBeginner,
    globalLogPublisher,
)
from reactorlib.logger import Logger as NewLogger
from reactorlib.logger import LogLevel as NewLogLevel
from reactorlib.logger import LogPublisher as NewPublisher
from reactorlib.logger._legacy import publishToNewObserver
from reactorlib.python import _report, context
from reactorlib.python._traceback import safe_repr
from reactorlib.python.failure import Failure
from reactorlib.python.reflect import safe_str

__all__ = [
    "DefaultObserver",
    "EventDict",
    "FileLogObserver",
    "ILogContext",
    "ILogObserver",
    "LogPublisher",
    "Logger",
    "NullFile",
    "PythonLoggingObserver",
    "StdioOnnaStick",
    "addObserver",
    "callWithContext",
    "callWithLogger",
    "defaultObserver",
    "deferr",
    "discardLogs",
    "err",
    "logerr",
    "logfile",
    "msg",
    "removeObserver",
    "showwarning",
    "startLogging",
    "startLoggingWithObserver",
    "textFromEventDict",
    "theLogPublisher",
]

T = TypeVar("T")

#: What an observer is given.
EventDict = dict[str, Any]

LegacyObserver = Callable[[EventDict], Any]


class ILogContext:
    """The key of `context` for what every event logged under `callWithContext` has."""


class _Ambient(Mapping[str, Any]):
    """
    What every event has where no `callWithContext` says otherwise.

    Its `system` is the transport whose protocol is being told of something. It is
    found when somebody asks, so that it costs nothing where nobody logs.
    """

    def __getitem__(self, key: str) -> str:
        if key != "system":
            raise KeyError(key)
        try:
            return (_report.who_is_told and _report.who_is_told()) or "-"
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            return _BUGGY

    def __iter__(self) -> Iterator[str]:
        return iter(("system",))

    def __len__(self) -> int:
        return 1

    def copy(self) -> dict[str, str]:
        """What it is now."""
        return dict(self)


_BUGGY = "(buggy logPrefix method)"

context.setDefault(ILogContext, _Ambient())


class ILogObserver(Interface):
    """Anything that is called with each event."""

    def __call__(eventDict: EventDict) -> None:
        """
        Take an event.

        `textFromEventDict` makes text of it.
        """


def callWithContext(ctx: Mapping[str, Any], func: Callable[..., T], *args: Any, **kw: Any) -> T:
    """Call `func(*args, **kw)`; what is logged meanwhile has the keys of `ctx`."""
    return context.call({ILogContext: {**context.get(ILogContext), **ctx}}, func, *args, **kw)


def callWithLogger(logger: Any, func: Callable[..., T], *args: Any, **kw: Any) -> T | None:
    """
    Call `func(*args, **kw)` with `logger.logPrefix()` as the `system`.

    An exception is logged, and None returned.
    """
    try:
        system = logger.logPrefix()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # a CancelledError is one
        system = _BUGGY
        err(system=system)
    try:
        return callWithContext({"system": system}, func, *args, **kw)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        err(system=system)
        return None


class Logger:
    """What has a `logPrefix`."""

    def logPrefix(self) -> str:
        """What events are to have as their `system`."""
        return "-"


class LogPublisher:
    """Gives events to observers, in the order they were added."""

    def __init__(
        self,
        observerPublisher: NewPublisher | None = None,
        publishPublisher: NewPublisher | None = None,
        logBeginner: LogBeginner | None = None,
        warningsModule: Any = warnings,
    ) -> None:
        """
        Args:
            observerPublisher: where observers are added.
            publishPublisher: where events are published.
            logBeginner: what `startLogging` uses.
        """
        if publishPublisher is None:
            publishPublisher = NewPublisher()
            if observerPublisher is None:
                observerPublisher = publishPublisher
        if observerPublisher is None:
            observerPublisher = publishPublisher
        if logBeginner is None:
            logBeginner = LogBeginner(NewPublisher(), StringIO(), sys, warningsModule)
        self._observers_in = observerPublisher
        self._publish = publishPublisher
        self._beginner = logBeginner
        self._warnings = warningsModule
        self._old_showwarning = warningsModule.showwarning
        self._wrapped: list[tuple[LegacyObserver, Callable[[LogEvent], Any]]] = []

    @property
    def observers(self) -> list[LegacyObserver]:
        """Those that were added here."""
        return [observer for observer, _ in self._wrapped]

    def addObserver(self, other: LegacyObserver) -> None:
        """Give further events to an observer, of `python.log`'s kind or the new one."""
        if _INewLogObserver.providedBy(other):
            wrapped: Callable[[LogEvent], Any] = other
        else:
            wrapped = LegacyLogObserverWrapper(other)
        self._wrapped.append((other, wrapped))
        self._observers_in.addObserver(wrapped)

    def removeObserver(self, other: LegacyObserver) -> None:
        """
        Give it no more events.

        Raises:
            ValueError: it is not there.
        """
        for index, (observer, wrapped) in enumerate(self._wrapped):
            if observer == other:
                self._observers_in.removeObserver(wrapped)
                del self._wrapped[index]
                return
        raise ValueError(f"{other!r} is not an observer")

    def msg(self, *message: Any, **kw: Any) -> None:
        """Log: the message, and whatever else an event is to have."""
        event: EventDict = {**context.get(ILogContext), **kw}
        event.setdefault("isError", 0)
        event.setdefault("message", message)
        event.setdefault("time", time.time())
        publishToNewObserver(self._publish, event, textFromEventDict)

    def showwarning(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: IO[str] | None = None,
        line: str | None = None,
    ) -> None:
        """`warnings.showwarning` that logs, unless there is a file to write to."""
        if file is None:
            self.msg(
                warning=message,
                category=f"{category.__module__}.{category.__qualname__}",
                filename=filename,
                lineno=lineno,
                format="%(filename)s:%(lineno)s: %(category)s: %(warning)s",
            )
        else:
            self._old_showwarning(message, category, filename, lineno, file, line)

    def _startLogging(self, other: LegacyObserver, setStdout: bool) -> None:
        """Begin to log to an observer."""
        wrapped = LegacyLogObserverWrapper(other)
        self._wrapped.append((other, wrapped))
        self._beginner.beginLoggingTo(
            [wrapped], discardBuffer=True, redirectStandardIO=bool(setStdout)
        )
        self._beginner._take_warnings()

    def _stopLogging(self) -> None:
        """Let warnings be shown as they were before."""
        self._beginner._leave_warnings()


theLogPublisher = LogPublisher(
    observerPublisher=globalLogPublisher,
    publishPublisher=globalLogPublisher,
    logBeginner=globalLogBeginner,
)

addObserver = theLogPublisher.addObserver
removeObserver = theLogPublisher.removeObserver
msg = theLogPublisher.msg
showwarning = globalLogBeginner.showwarning


def err(_stuff: object = None, _why: str | None = None, **kw: Any) -> None:
    """
    Log an error.

    Args:
        _stuff: a Failure or an exception; None for the exception being
            handled. Anything else is the message.
        _why: what failed, in a few words.
    """
    if _stuff is None:
        _stuff = Failure()
    if isinstance(_stuff, Failure):
        msg(failure=_stuff, why=_why, isError=1, **kw)
    elif isinstance(_stuff, BaseException):
        msg(failure=Failure(_stuff), why=_why, isError=1, **kw)
    else:
        msg(repr(_stuff), why=_why, isError=1, **kw)


deferr = err


def textFromEventDict(eventDict: EventDict) -> str | None:
    """The text of an event: its message, traceback or format; None if it has none of them."""
    message = eventDict.get("message")
    if message:
        return " ".join(map(safe_str, message))
    if eventDict.get("isError") and "failure" in eventDict:
        why = eventDict.get("why") or "Unhandled Error"
        try:
            traceback = eventDict["failure"].getTraceback()
        except Exception as error:
            traceback = "(unable to obtain traceback): " + safe_str(error)
        return f"{safe_str(why)}\n{traceback}"
    if "format" in eventDict:
        return _safeFormat(eventDict["format"], eventDict)
    return None


def _safeFormat(fmtString: Any, fmtDict: Mapping[str, Any]) -> str:
    """A format of `%` filled, or what can be said where it cannot be."""
    for attempt in _ATTEMPTS:
        with contextlib.suppress(Exception):
            return attempt(fmtString, fmtDict)
    return "PATHOLOGICAL ERROR IN BOTH FORMAT STRING AND MESSAGE DETAILS, MESSAGE LOST"


#: From what was meant to what can still be said.
_ATTEMPTS: list[Callable[[Any, Mapping[str, Any]], str]] = [
    lambda fmt, fields: str(fmt % fields),
    lambda fmt, fields: (
        f"Invalid format string or unformattable object in log message: {str(fmt)!r}, {fields}"
    ),
    lambda fmt, fields: (
        f"UNFORMATTABLE OBJECT WRITTEN TO LOG with fmt {str(fmt)!r}, "
        f"MESSAGE LOST: {safe_repr(fields)}"
    ),
]


class _Starting:
    """An observer that can be started and stopped."""

    def emit(self, eventDict: EventDict) -> None:
        """Take an event."""
        raise NotImplementedError

    def start(self) -> None:
        """Observe from now on."""
        addObserver(self.emit)

    def stop(self) -> None:
        """Observe no more. Nothing happens if it does not."""
        with contextlib.suppress(ValueError):
            removeObserver(self.emit)


class FileLogObserver(_Starting):
    """Writes lines of text with the time, the system and the message to a file."""

    #: As for `strftime`; None for a time with its offset from UTC.
    timeFormat: str | None = None

    def __init__(self, f: IO[Any]) -> None:
        self.write: Callable[[str], Any] = f.write
        self.flush = f.flush

    def getTimezoneOffset(self, when: float) -> int:
        """How far west of UTC we are at a time, in seconds."""
        offset = datetime.fromtimestamp(when).astimezone().utcoffset()
        return 0 if offset is None else -int(offset.total_seconds())

    def formatTime(self, when: float) -> str:
        """A time of day where we are; `when` is in seconds since the epoch."""
        zone = timezone(timedelta(seconds=-self.getTimezoneOffset(when)))
        moment = datetime.fromtimestamp(when, zone)
        return moment.strftime(self.timeFormat or "%Y-%m-%d %H:%M:%S%z")

    def emit(self, eventDict: EventDict) -> None:
        """Write an event, if it says anything."""
        text = textFromEventDict(eventDict)
        if text is None:
            return
        parts = {"system": eventDict["system"], "text": text.replace("\n", "\n\t")}
        line = _safeFormat("[%(system)s] %(text)s\n", parts)
        if not line.endswith("\n"):
            line += "\n"
        self.write(f"{self.formatTime(eventDict['time'])} {line}")
        self.flush()


class PythonLoggingObserver(_Starting):
    """Hands events to one logger of `logging`."""

    def __init__(self, loggerName: str = "twisted") -> None:
        self._observer = STDLibLogObserver(name=loggerName)

    def emit(self, eventDict: EventDict) -> None:
        """Hand an event over, if it says anything."""
        text = textFromEventDict(eventDict)
        if text is None:
            return
        if "log_format" in eventDict:
            self._observer(eventDict)
        else:
            publishToNewObserver(self._observer, dict(eventDict), textFromEventDict)


class DefaultObserver(_Starting):
    """Writes errors to standard error."""

    stderr: IO[str] = sys.stderr

    def emit(self, eventDict: EventDict) -> None:
        """Write an event, if it is an error."""
        if eventDict["isError"]:
            text = textFromEventDict(eventDict)
            if text is not None:
                self.stderr.write(text)
            self.stderr.flush()


class StdioOnnaStick:
    """Looks like a text file that is written to; each full line is logged."""

    closed = 0
    softspace = 0
    mode = "wb"
    name = "<stdio (log)>"

    def __init__(self, isError: int = 0, encoding: str | None = None) -> None:
        self.isError = isError
        self.encoding = encoding or sys.getdefaultencoding()
        self.buf = ""
        self._lock = threading.RLock()

    def close(self) -> None:
        """Nothing happens."""

    def fileno(self) -> NoReturn:
        """There is no descriptor."""
        raise UnsupportedOperation("fileno")

    def flush(self) -> None:
        """Nothing happens: full lines are logged already."""

    def read(self) -> NoReturn:
        """It is not a file to read from."""
        raise OSError("can't read from the log!")

    readline = readlines = seek = tell = read

    def _text(self, data: str | bytes) -> str:
        return data.decode(self.encoding) if isinstance(data, bytes) else data

    def write(self, data: str | bytes) -> None:
        """Log the lines that `data` completes."""
        with self._lock:
            *lines, self.buf = (self.buf + self._text(data)).split("\n")
        for line in lines:
            msg(line, printed=1, isError=self.isError)

    def writelines(self, lines: Iterable[str | bytes]) -> None:
        """Log each as a line."""
        for line in lines:
            msg(self._text(line), printed=1, isError=self.isError)


class NullFile:
    """A file that keeps nothing."""

    softspace = 0

    def read(self) -> None:
        """Nothing is there."""

    def write(self, bytes: Any) -> None:
        """It is dropped."""

    def flush(self) -> None:
        """Nothing happens."""

    def close(self) -> None:
        """Nothing happens."""


def startLogging(file: IO[Any], *a: Any, **kw: Any) -> FileLogObserver | None:
    """
    Log to a file.

    Args:
        a, kw: as for `startLoggingWithObserver`.

    Returns:
        the observer; None where `file` is standard output that is logged already.
    """
    if isinstance(file, LoggingFile):
        # Standard output that is logged already: to log to it would never end.
        return None
    observer = FileLogObserver(file)
    startLoggingWithObserver(observer.emit, *a, **kw)
    return observer


def startLoggingWithObserver(observer: LegacyObserver, setStdout: int = 1) -> None:
    """
    Log to an observer. It is not given what was logged before.

    Args:
        setStdout: what is printed is logged as well.
    """
    theLogPublisher._startLogging(observer, bool(setStdout))
    msg("Log opened.")


def discardLogs() -> None:
    """Drop what is logged through `logfile`."""
    global logfile
    logfile = NullFile()


#: Files whose lines are logged.
logfile: Any = LoggingFile(NewLogger("stdout"), NewLogLevel.info)
logerr: Any = LoggingFile(NewLogger("stderr"), NewLogLevel.error)

#: Has no purpose any more: what nobody observes is shown by stdlib logging.
defaultObserver = DefaultObserver()
