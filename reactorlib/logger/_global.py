"""The publisher of a whole program, and how its observers begin."""

from __future__ import annotations

import io
import logging
import sys
import warnings
from collections.abc import Iterable, Mapping
from typing import IO, Any

from reactorlib.logger._buffer import LimitedHistoryLogObserver
from reactorlib.logger._file import FileLogObserver
from reactorlib.logger._filter import FilteringLogObserver, LogLevelFilterPredicate
from reactorlib.logger._format import eventAsText
from reactorlib.logger._interfaces import LogEvent
from reactorlib.logger._io import LoggingFile
from reactorlib.logger._levels import LogLevel
from reactorlib.logger._logger import Logger
from reactorlib.logger._observer import LogPublisher, Observer
from reactorlib.logger._stdlib import LEVEL_OF_RECORD, STDLibLogObserver, hand_over, passing
from reactorlib.python import _report
from reactorlib.python.failure import Failure

__all__ = ["LogBeginner", "globalLogBeginner", "globalLogPublisher"]

MORE_THAN_ONCE_WARNING = (
    "Warning: primary log target selected twice at <{fileNow}:{lineNow}> - previously "
    "selected at <{fileThen}:{lineThen}>.  Remove one of the calls to beginLoggingTo."
)


class LogBeginner:
    """
    Keeps the events of a publisher until the program says where they are to go.

    Until then, critical ones are written to `errorStream` as well.
    """

    _DEFAULT_BUFFER_SIZE = 200

    def __init__(
        self,
        publisher: LogPublisher,
        errorStream: IO[Any],
        stdio: object,
        warningsModule: Any,
        initialBufferSize: int | None = None,
    ) -> None:
        """
        Args:
            stdio: has `stdout` and `stderr`: `sys`, but for tests.
            warningsModule: has `showwarning`: `warnings`, but for tests.
            initialBufferSize: how many events are kept; 200 if None.
        """
        self._buffer = LimitedHistoryLogObserver(
            self._DEFAULT_BUFFER_SIZE if initialBufferSize is None else initialBufferSize
        )
        self._publisher = publisher
        self._log = Logger(observer=publisher)
        self._stdio: Any = stdio
        self._warnings = warningsModule
        self._showwarning_before = self._showwarning_replaced = warningsModule.showwarning
        self._begun_at: tuple[str, int] | None = None
        critical = FilteringLogObserver(
            FileLogObserver(errorStream, _error_text),
            [LogLevelFilterPredicate(defaultLogLevel=LogLevel.critical)],
        )
        #: What keeps events until then.
        self.temporary = LogPublisher(self._buffer, critical)
        publisher.addObserver(self.temporary)

    @property
    def begun(self) -> bool:
        """Whether `beginLoggingTo` was called."""
        return self._begun_at is not None

    def beginLoggingTo(
        self,
        observers: Iterable[Observer],
        discardBuffer: bool = False,
        redirectStandardIO: bool = True,
    ) -> None:
        """
        Give events to `observers` from now on, and first those that were kept.

        Warnings become events. A second call adds its observers, and logs a
        warning that says where the first was.

        Args:
            discardBuffer: forget what was kept.
            redirectStandardIO: what is printed to standard output and standard
                error becomes events as well.
        """
        frame = sys._getframe(1)
        here = (frame.f_code.co_filename, frame.f_lineno)
        observers = list(observers)
        for observer in observers:
            self._publisher.addObserver(observer)
        if redirectStandardIO:
            self._redirect()
        self._take_warnings()
        if self._begun_at is not None:
            (file_then, line_then), (file_now, line_now) = self._begun_at, here
            self._begun_at = here
            self._log.warn(
                MORE_THAN_ONCE_WARNING,
                fileNow=file_now,
                lineNow=line_now,
                fileThen=file_then,
                lineThen=line_then,
            )
            return
        self._begun_at = here
        if isinstance(self._publisher, _GlobalPublisher) and logging.lastResort is not None:
            logging.lastResort.addFilter(_not_shown)
        self._publisher.removeObserver(self.temporary)
        if not discardBuffer:
            self._buffer.replayTo(LogPublisher(*observers))
        self._buffer = LimitedHistoryLogObserver(0)

    def _redirect(self) -> None:
        for name, level in (("stdout", LogLevel.info), ("stderr", LogLevel.error)):
            file = getattr(self._stdio, name)
            if not isinstance(file, LoggingFile):
                log = Logger(name, observer=self._publisher)
                encoding = getattr(file, "encoding", None)
                setattr(self._stdio, name, LoggingFile(log, level, encoding))

    def _take_warnings(self) -> None:
        if self._warnings.showwarning != self.showwarning:
            self._showwarning_replaced = self._warnings.showwarning
            self._warnings.showwarning = self.showwarning

    def _leave_warnings(self) -> None:
        if self._warnings.showwarning == self.showwarning:
            self._warnings.showwarning = self._showwarning_replaced

    def showwarning(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: IO[Any] | None = None,
        line: str | None = None,
    ) -> None:
        """`warnings.showwarning` that makes an event, unless there is a file to write to."""
        if file is None:
            self._log.warn(
                "{filename}:{lineno}: {category}: {warning}",
                warning=message,
                category=f"{category.__module__}.{category.__qualname__}",
                filename=filename,
                lineno=lineno,
            )
        else:
            self._showwarning_before(message, category, filename, lineno, file, line)


def _not_shown(record: logging.LogRecord) -> bool:
    """
    Whether `logging`, which no program has set up, is to show a record on standard error.

    Not what observers have been shown already; where standard error is taken for them,
    they would be shown it again.
    """
    if not globalLogBeginner.begun:
        return True
    return _report.shown.exception is None and not hasattr(record, "log_event")


def _error_text(event: LogEvent) -> str:
    return eventAsText(event, includeTimestamp=False, includeSystem=False) + "\n"


class _Nowhere(io.StringIO):
    """Where critical events are written while `logging` shows them."""

    def write(self, text: str) -> int:
        """Drop it."""
        return len(text)


class _GlobalPublisher(LogPublisher):
    """A publisher that hands each event to `logging` as well, after its observers."""

    def __call__(self, event: LogEvent) -> None:
        outer, passing.handed = passing.handed, False
        try:
            super().__call__(event)
            if passing.handed:
                return  # by an observer whose purpose that is
            logger = logging.getLogger(event.get("log_namespace") or "reactorlib")
            # Where a program has chosen its log and has not set logging up, what
            # logging does then, writing to standard error, would show all twice.
            if not globalLogBeginner.begun or logger.hasHandlers():
                hand_over(event, logger, sys._getframe(1))
        finally:
            passing.handed = outer

    def _errorLoggerForObserver(self, observer: Observer) -> Logger:
        """A logger to `logging`, and to everyone but the one who failed."""
        others = [
            known
            for known in self._observers
            if known != observer and not isinstance(known, STDLibLogObserver)
        ]
        return Logger(observer=LogPublisher(_error_to_logging, *others))

    def show_report(self, namespace: str, message: str, failure: Failure) -> None:
        """
        Give observers what is reported to the loop's exception handler, or to logging.

        It is not kept for observers to come: a traceback keeps what its frames have,
        sockets and loops among that, which may not end at any time and in any thread.
        """
        observers = [each for each in self._observers if each != globalLogBeginner.temporary]
        if not observers:
            return
        log = Logger(namespace, observer=LogPublisher(*observers))
        log.failure(message.replace("{", "{{").replace("}", "}}"), failure)

    def show_note(self, namespace: str, level: int, text: str, fields: Mapping[str, Any]) -> None:
        """Give observers what is logged of normal operation: the text is its `message`, too."""
        log = Logger(namespace, observer=LogPublisher(*self._observers))
        event = {**fields, "log_text": text, "message": (text,), "log_system": "-"}
        log.emit(LEVEL_OF_RECORD[level], event.pop("log_format", "{log_text}"), **event)


def _error_to_logging(event: LogEvent) -> None:
    outer = passing.handed
    hand_over(event, logging.getLogger("reactorlib.logger"), sys._getframe(1))
    passing.handed = outer


#: What every `Logger` gives its events to that was not told otherwise.
globalLogPublisher = _GlobalPublisher()

#: Says where the events of `globalLogPublisher` are to go.
globalLogBeginner = LogBeginner(globalLogPublisher, _Nowhere(), sys, warnings)

_report.show = globalLogPublisher.show_report
_report.show_note = globalLogPublisher.show_note
