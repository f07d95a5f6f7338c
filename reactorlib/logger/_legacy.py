"""Between events as `Logger` makes them and events as `python.log` has them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from reactorlib.logger._format import formatEvent
from reactorlib.logger._interfaces import ILogObserver, LogEvent
from reactorlib.logger._levels import LogLevel, NamedConstant
from reactorlib.logger._observer import Observer
from reactorlib.logger._stdlib import LEVEL_OF_RECORD, Message

__all__ = ["LegacyLogObserverWrapper", "publishToNewObserver"]


@implementer(ILogObserver)
class LegacyLogObserverWrapper:
    """Gives an observer of `python.log` a copy of each event with the keys it knows."""

    def __init__(self, legacyObserver: Callable[[dict[str, Any]], Any]) -> None:
        self.legacyObserver = legacyObserver

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.legacyObserver})"

    def __call__(self, event: LogEvent) -> None:
        legacy = dict(event)
        if event.get("log_format") is not None and "format" not in event:
            legacy["format"] = "%(log_legacy)s"
            # In the event itself, what fills its format is still under its own name.
            legacy["log_legacy"] = Message(event)
            if not isinstance(event.get("message", ()), tuple):
                legacy["message"] = ()
        legacy.setdefault("message", ())
        if "log_time" in event:
            legacy.setdefault("time", event["log_time"])
        system = event.get("log_system")
        legacy.setdefault("system", "-" if system is None else system)
        if "log_failure" in event:
            legacy.setdefault("failure", event["log_failure"])
            legacy.setdefault("isError", 1)
            legacy.setdefault("why", formatEvent(event))
        elif "isError" not in event:
            legacy["isError"] = int(event.get("log_level") in (LogLevel.error, LogLevel.critical))
        self.legacyObserver(legacy)


def publishToNewObserver(
    observer: Observer,
    eventDict: dict[str, Any],
    textFromEventDict: Callable[[dict[str, Any]], str | None],
) -> None:
    """Give an event of `python.log` to an observer of `reactorlib.logger`."""
    if "log_time" not in eventDict and "time" in eventDict:
        eventDict["log_time"] = eventDict["time"]
    is_error = bool(eventDict.get("isError"))
    if "log_format" not in eventDict:
        text: str | None
        if is_error and "failure" in eventDict and not eventDict.get("message"):
            # The traceback is the failure's to show, once.
            text = str(eventDict.get("why") or "Unhandled Error")
            eventDict.setdefault("log_failure", eventDict["failure"])
        else:
            text = textFromEventDict(eventDict)
        if text is not None:
            eventDict["log_text"] = text
            eventDict["log_format"] = "{log_text}"
    if "log_level" not in eventDict:
        level: NamedConstant | None
        if "logLevel" in eventDict:
            level = _level_from_logging(eventDict["logLevel"])
        else:
            level = LogLevel.critical if is_error else LogLevel.info
        if level is not None:
            eventDict["log_level"] = level
    eventDict.setdefault("log_namespace", "log_legacy")
    if "system" in eventDict:
        eventDict.setdefault("log_system", eventDict["system"])
    observer(eventDict)


def _level_from_logging(level: Any) -> NamedConstant | None:
    """The level that is meant by a number or a name of `logging`'s."""
    if isinstance(level, str):
        level = logging.getLevelNamesMapping().get(level)
    return LEVEL_OF_RECORD.get(level)
