"""Events as text. Whatever is wrong with an event, formatting it does not raise."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from reactorlib.logger._flatten import aFormatter, field_value, flatFormat, format_value
from reactorlib.logger._interfaces import LogEvent
from reactorlib.python._traceback import safe_repr

__all__ = [
    "eventAsText",
    "formatEvent",
    "formatEventAsClassicLogText",
    "formatTime",
    "formatUnformattableEvent",
    "formatWithCall",
    "timeFormatRFC3339",
]

#: RFC 3339 section 5.6, with the offset as `strftime` has it.
timeFormatRFC3339 = "%Y-%m-%dT%H:%M:%S%z"


def formatWithCall(formatString: str, mapping: Mapping[str, Any]) -> str:
    """Fill a format from `mapping`; `{name()}` calls what `name` means."""
    pieces = []
    for literal, name, spec, conversion in aFormatter.parse(formatString):
        pieces.append(literal)
        if name is not None:
            value = field_value(name, mapping)
            pieces.append(format_value(value, conversion, spec or "", mapping))
    return "".join(pieces)


def formatEvent(event: LogEvent) -> str:
    """The event's message: its format, filled from its fields. Never raises."""
    return eventAsText(event, includeTraceback=False, includeTimestamp=False, includeSystem=False)


def _message(event: LogEvent) -> str:
    try:
        if "log_flattened" in event:
            return flatFormat(event)
        format = event.get("log_format")
        if format is None:
            return ""
        if isinstance(format, bytes):
            format = format.decode("utf-8")
        elif not isinstance(format, str):
            raise TypeError(f"Log format must be str, not {format!r}")
        return formatWithCall(format, event)
    except Exception as error:
        return formatUnformattableEvent(event, error)


def formatUnformattableEvent(event: LogEvent, error: BaseException) -> str:
    """What can be said of an event whose message cannot be made."""
    try:
        return f"Unable to format event {event!r}: {error}"
    except Exception:
        data = ", ".join(f"{safe_repr(name)} = {safe_repr(value)}" for name, value in event.items())
        return (
            f"MESSAGE LOST: unformattable object logged: {safe_repr(error)}\n"
            f"Recoverable data: {data}\n"
            f"Exception during formatting:\n{traceback.format_exc()}"
        )


def formatTime(
    when: float | None, timeFormat: str | None = timeFormatRFC3339, default: str = "-"
) -> str:
    """
    A time of day where we are.

    Args:
        when: seconds since the epoch.
        timeFormat: as for `datetime.strftime`.
        default: what to answer where either is None.
    """
    if timeFormat is None or when is None:
        return default
    return datetime.fromtimestamp(when).astimezone().strftime(timeFormat)


def _system(event: LogEvent) -> str:
    system = event.get("log_system")
    if system is not None:
        try:
            return str(system)
        except Exception:
            return "UNFORMATTABLE"
    level = event.get("log_level")
    return f"{event.get('log_namespace', '-')}#{'-' if level is None else level.name}"


def _traceback(failure: Any) -> str:
    try:
        return str(failure.getTraceback())
    except Exception as error:
        return f"(UNABLE TO OBTAIN TRACEBACK FROM EVENT):{safe_repr(error)}"


def eventAsText(
    event: LogEvent,
    includeTraceback: bool = True,
    includeTimestamp: bool = True,
    includeSystem: bool = True,
    formatTime: Callable[[float | None], str] = formatTime,
) -> str:
    """
    The event as text: time, `[system]`, message, traceback; only those that are wanted.

    An event with neither message nor traceback is the empty text.
    """
    text = _message(event)
    if includeTraceback and "log_failure" in event:
        text = f"{text}\n{_traceback(event['log_failure'])}"
    if not text:
        return text
    if includeSystem:
        text = f"[{_system(event)}] {text}"
    if includeTimestamp:
        text = f"{formatTime(event.get('log_time'))} {text}"
    return text


def formatEventAsClassicLogText(
    event: LogEvent, formatTime: Callable[[float | None], str] = formatTime
) -> str | None:
    """The event as lines of a log file, all but the first indented; None if it says nothing."""
    text = eventAsText(event, formatTime=formatTime)
    if not text:
        return None
    return text.replace("\n", "\n\t") + "\n"
