"""Events as JSON, and back: a record each, so that other programs can read a log."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import IO, Any

from reactorlib.logger._file import FileLogObserver
from reactorlib.logger._flatten import flattenEvent
from reactorlib.logger._interfaces import LogEvent
from reactorlib.logger._levels import LogLevel, NamedConstant, is_level
from reactorlib.logger._logger import Logger
from reactorlib.python.failure import Failure

__all__ = ["eventAsJSON", "eventFromJSON", "eventsFromJSONLogFile", "jsonFileLogObserver"]

log = Logger()

#: How an object's kind is told apart from a plain dictionary in the file. Logs of
#: Twisted's have the same.
_LEVEL_UUID = "02e59486-f24d-46ad-8224-3acdf2a5732a"
_FAILURE_UUID = "e76887e2-20ed-49bf-a8f8-ba25cc586f2d"


def _failure_as_dict(failure: Failure) -> dict[str, Any]:
    return {
        "count": failure.count,
        "type": {"__module__": failure.type.__module__, "__name__": failure.type.__name__},
        "value": {"unpersistable": True},
        "message": failure.getErrorMessage(),
        "captureVars": False,
        "tb": None,
        "parents": failure.parents,
        "stack": [],
        "frames": [[name, file, line, [], []] for name, file, line, *_ in failure.frames],
        "pickled": 1,
        "__class_uuid__": _FAILURE_UUID,
    }


def _failure_from_dict(fields: dict[str, Any]) -> Failure:
    module, name = fields["type"]["__module__"], fields["type"]["__name__"]
    # A file says what was logged, not what is to be imported here.
    found = getattr(sys.modules.get(module), name, None)
    kind: type[BaseException] = type(name, (Exception,), {"__module__": module})
    value = kind()
    if isinstance(found, type) and issubclass(found, BaseException):
        try:
            value = found.__new__(found)
            kind = found
        except Exception:  # a class that cannot do without its arguments
            value = kind()
    value.args = (fields["message"],) if "message" in fields else ()
    failure = Failure(value, kind)
    failure.parents = list(fields["parents"])
    failure.frames = [
        (name, file, line, local_vars, global_vars)
        for name, file, line, local_vars, global_vars in fields["frames"]
    ]
    return failure


def _default(value: object) -> object:
    """What stands for an object that JSON has not."""
    if isinstance(value, bytes):
        return value.decode("charmap")
    if isinstance(value, NamedConstant) and is_level(value):
        return {"name": value.name, "__class_uuid__": _LEVEL_UUID}
    if isinstance(value, Failure):
        return _failure_as_dict(value)
    return {"unpersistable": True}


def _restore(fields: dict[str, Any]) -> Any:
    kind = str(fields.get("__class_uuid__", "")).lower()
    if kind == _LEVEL_UUID:
        try:
            return LogLevel.lookupByName(fields["name"])
        except (KeyError, ValueError):
            return None
    if kind == _FAILURE_UUID:
        try:
            return _failure_from_dict(fields)
        except (KeyError, TypeError, ValueError):
            return fields
    return fields


def eventAsJSON(event: LogEvent) -> str:
    """
    The event as a JSON text in one line, which says the same message when it is read.

    Bytes are text, a character each; what JSON has no form for is
    `{"unpersistable": true}`. The event is flattened by it.
    """
    if isinstance(event.get("log_format"), bytes):
        event = {**event, "log_format": event["log_format"].decode("utf-8", "replace")}
    flattenEvent(event)
    return json.dumps(event, default=_default, skipkeys=True)


def eventFromJSON(eventText: str) -> LogEvent:
    """
    The event that `eventAsJSON` wrote.

    Raises:
        ValueError: it is not JSON, or no object.
    """
    event = json.loads(eventText, object_hook=_restore)
    if not isinstance(event, dict):
        raise ValueError(f"not an event: {eventText[:100]!r}")
    return event


def jsonFileLogObserver(outFile: IO[Any], recordSeparator: str = "\x1e") -> FileLogObserver:
    """
    An observer that writes a JSON text sequence (RFC 7464).

    Args:
        recordSeparator: what stands before each record; it may be empty.
    """
    return FileLogObserver(outFile, lambda event: f"{recordSeparator}{eventAsJSON(event)}\n")


def _records(inFile: IO[Any], separator: bytes | None, size: int) -> Iterator[tuple[bytes, bool]]:
    """The records of a file, and whether each must end with a newline."""

    def read() -> bytes:
        data: str | bytes = inFile.read(size)
        return data.encode("utf-8") if isinstance(data, str) else data

    buffer = read()
    if separator is None:
        separator = b"\x1e" if buffer.startswith(b"\x1e") else b""
    splitter = separator or b"\n"
    pieces: list[bytes] = []
    while buffer:
        *complete, rest = buffer.split(splitter)
        for record in complete:
            pieces.append(record)
            yield b"".join(pieces), bool(separator)
            pieces.clear()
        pieces.append(rest)
        buffer = read()
    yield b"".join(pieces), bool(separator)


def eventsFromJSONLogFile(
    inFile: IO[Any], recordSeparator: str | None = None, bufferSize: int = 4096
) -> Iterator[LogEvent]:
    """
    The events in a file that `jsonFileLogObserver` wrote. What is no event is logged, and skipped.

    Args:
        inFile: a file of text, or of UTF-8.
        recordSeparator: as the file was written with: one character, or "" for
            a record each line; None to see from the first character.
        bufferSize: how much is read at once, in bytes or characters.
    """
    separator = None if recordSeparator is None else recordSeparator.encode("utf-8")
    for record, terminated in _records(inFile, separator, bufferSize):
        if not record.strip():
            continue
        if terminated and not record.endswith(b"\n"):
            # RFC 7464 section 2.4: without its line feed, a text may have been cut short.
            log.error("Unable to read truncated JSON record: {record!r}", record=record)
            continue
        try:
            text = record.decode("utf-8")
        except UnicodeDecodeError:
            log.error("Unable to decode UTF-8 for JSON record: {record!r}", record=record)
            continue
        try:
            event = eventFromJSON(text)
        except ValueError:
            log.error("Unable to read JSON record: {record!r}", record=record)
            continue
        yield event
