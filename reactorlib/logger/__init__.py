"""
Structured logging: events with fields, a format and a level, on top of stdlib `logging`.

Who owns what:

- `Logger` makes events, and gives them to `globalLogPublisher`.
- `globalLogPublisher` gives each event to its observers, and then to stdlib
  `logging`: to the logger that has the event's namespace as its name. Levels,
  handlers and output are `logging`'s, and `logging.basicConfig()` alone shows
  everything. It takes no observer for that.
- `globalLogBeginner.beginLoggingTo` is for a program that has observers
  instead. `logging` is then given only what it has handlers for.
- `PublishingHandler` goes the other way: a handler that makes events of what
  libraries log through `logging`. What came over is never sent back.
- What reactorlib itself reports, an unhandled error in a Deferred or an
  exception in a protocol, goes to the loop's exception handler or to `logging`
  once, whether or not this package is in use. Where it is, observers see it too.
"""

from reactorlib.logger._buffer import LimitedHistoryLogObserver
from reactorlib.logger._capture import capturedLogs
from reactorlib.logger._file import FileLogObserver, textFileLogObserver
from reactorlib.logger._filter import (
    FilteringLogObserver,
    ILogFilterPredicate,
    LogLevelFilterPredicate,
    PredicateResult,
)
from reactorlib.logger._flatten import extractField
from reactorlib.logger._format import (
    eventAsText,
    formatEvent,
    formatEventAsClassicLogText,
    formatTime,
    timeFormatRFC3339,
)
from reactorlib.logger._global import LogBeginner, globalLogBeginner, globalLogPublisher
from reactorlib.logger._interfaces import ILogObserver, LogEvent
from reactorlib.logger._io import LoggingFile
from reactorlib.logger._json import (
    eventAsJSON,
    eventFromJSON,
    eventsFromJSONLogFile,
    jsonFileLogObserver,
)
from reactorlib.logger._legacy import LegacyLogObserverWrapper
from reactorlib.logger._levels import InvalidLogLevelError, LogLevel
from reactorlib.logger._logger import Logger, Operation, _loggerFor
from reactorlib.logger._observer import LogPublisher
from reactorlib.logger._stdlib import PublishingHandler, STDLibLogObserver

__all__ = [
    "FileLogObserver",
    "FilteringLogObserver",
    "ILogFilterPredicate",
    "ILogObserver",
    "InvalidLogLevelError",
    "LegacyLogObserverWrapper",
    "LimitedHistoryLogObserver",
    "LogBeginner",
    "LogEvent",
    "LogLevel",
    "LogLevelFilterPredicate",
    "LogPublisher",
    "Logger",
    "LoggingFile",
    "Operation",
    "PredicateResult",
    "PublishingHandler",
    "STDLibLogObserver",
    "_loggerFor",
    "capturedLogs",
    "eventAsJSON",
    "eventAsText",
    "eventFromJSON",
    "eventsFromJSONLogFile",
    "extractField",
    "formatEvent",
    "formatEventAsClassicLogText",
    "formatTime",
    "globalLogBeginner",
    "globalLogPublisher",
    "jsonFileLogObserver",
    "textFileLogObserver",
    "timeFormatRFC3339",
]
