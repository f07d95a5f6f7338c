"""
Fields of an event by the expressions that a format has for them.

An event is *flattened* when the values that its format shows are in it under
`log_flattened`, keyed by the expression: the format can be filled then where
the objects themselves are no longer, as after a journey through JSON.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any

from reactorlib.logger._interfaces import LogEvent

__all__ = [
    "KeyFlattener",
    "aFormatter",
    "extractField",
    "field_value",
    "flatFormat",
    "flattenEvent",
]

aFormatter = Formatter()

#: A call, which ends an attribute's name; and, to be passed over, what stands in brackets.
_CALL = re.compile(r"\[[^]]*]|\(\)(?=[.\[]|$)")


class KeyFlattener:
    """Makes of each expression in one format a key that no other there has."""

    def __init__(self) -> None:
        self._seen: defaultdict[str, int] = defaultdict(int)

    def flatKey(self, fieldName: str, formatSpec: str | None, conversion: str | None) -> str:
        """The key of an expression; the n-th that is the same ends in `/n`."""
        key = f"{fieldName}!{conversion or ''}:{formatSpec or ''}"
        self._seen[key] += 1
        count = self._seen[key]
        return key if count == 1 else f"{key}/{count}"


def field_value(name: str, fields: Mapping[str, Any]) -> Any:
    """What an expression means: attributes, items and, after a name, `()` for a call."""
    if "()" not in name:
        return aFormatter.get_field(name, (), fields)[0]
    start, value = 0, None
    for match in _CALL.finditer(name):
        if match[0] == "()":
            value = _part(value, name[start : match.start()], start, fields)()
            start = match.end()
    return _part(value, name[start:], start, fields) if start < len(name) else value


def _part(value: Any, expression: str, start: int, fields: Mapping[str, Any]) -> Any:
    """What an expression means: of `fields` at the start, and later of what a call gave."""
    if not start:
        return aFormatter.get_field(expression, (), fields)[0]
    return aFormatter.get_field(f"0{expression}", (value,), {})[0]


def _fields(format: str) -> Iterator[tuple[str, str, str | None, str, str]]:
    """For each piece of a format: text; then name, conversion, specification, flat key."""
    keys = KeyFlattener()
    for literal, name, spec, conversion in aFormatter.parse(format):
        if name is None:
            yield literal, "", None, "", ""
        else:
            key = keys.flatKey(name, spec, conversion or "s")
            yield literal, name, conversion, spec or "", key


def flattenEvent(event: LogEvent) -> None:
    """
    Put the values that the event's format shows into the event, as they are and as text.

    What cannot be shown is left out, and formatting the event says so.
    """
    format = event.get("log_format")
    if format is None or "log_flattened" in event:
        return
    flattened: dict[str, Any] = {}
    plain_keys = KeyFlattener()
    inert = True
    try:
        for _, name, conversion, spec, key in _fields(format):
            if not key:
                continue
            inert = False
            try:
                value = field_value(name, event)
                text = format_value(value, conversion, spec, event)
            except Exception:  # noqa: S112 - formatting the event tells
                continue
            flattened[key] = text
            flattened[plain_keys.flatKey(name, spec, None)] = value
    except (ValueError, TypeError):
        inert = False
    if not inert:
        event["log_flattened"] = flattened


def format_value(value: Any, conversion: str | None, spec: str, fields: Mapping[str, Any]) -> str:
    """A value as the rest of its expression wants it."""
    if conversion is not None:
        value = aFormatter.convert_field(value, conversion)
    if spec:
        spec = aFormatter.vformat(spec, (), fields)
    return format(value, spec) if spec else str(value)


def flatFormat(event: LogEvent) -> str:
    """
    The text of an event that is flattened.

    Raises:
        KeyError: a value is not there.
    """
    values = event["log_flattened"]
    return "".join(
        literal + str(values[key]) if key else literal
        for literal, _, _, _, key in _fields(event["log_format"])
    )


def extractField(field: str, event: LogEvent) -> Any:
    """
    The value of an expression, as it would stand in a format: `"request.uri"`, `"x!r"`.

    Raises:
        KeyError: the event has no such field. A flattened event has those only
            that its format shows.
    """
    [(_, name, spec, conversion)] = aFormatter.parse("{" + field + "}")
    if name is None:
        raise KeyError(field)
    if "log_flattened" in event:
        return event["log_flattened"][KeyFlattener().flatKey(name, spec, conversion)]
    value = field_value(name, event)
    return value if conversion is None else aFormatter.convert_field(value, conversion)
