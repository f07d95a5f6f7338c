"""Observers that write to files."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import IO, Any

from zope.interface import implementer

from reactorlib.logger._format import formatEventAsClassicLogText, formatTime, timeFormatRFC3339
from reactorlib.logger._interfaces import ILogObserver, LogEvent

__all__ = ["FileLogObserver", "textFileLogObserver"]


def _is_binary(file: IO[Any]) -> bool:
    if isinstance(file, io.TextIOBase):
        return False
    if isinstance(file, (io.RawIOBase, io.BufferedIOBase)):
        return True
    inner = getattr(file, "file", None)  # what `tempfile` has around a file
    return isinstance(inner, (io.RawIOBase, io.BufferedIOBase))


@implementer(ILogObserver)
class FileLogObserver:
    """Writes what `formatEvent` makes of each event, and flushes. None and "" are left out."""

    def __init__(self, outFile: IO[Any], formatEvent: Callable[[LogEvent], str | None]) -> None:
        """
        Args:
            outFile: a file of text, or of bytes: these are UTF-8.
        """
        self._encoding = "utf-8" if _is_binary(outFile) else None
        self._outFile = outFile
        self.formatEvent = formatEvent

    def __call__(self, event: LogEvent) -> None:
        text = self.formatEvent(event)
        if not text:
            return
        self._outFile.write(text if self._encoding is None else text.encode(self._encoding))
        self._outFile.flush()


def textFileLogObserver(
    outFile: IO[Any], timeFormat: str | None = timeFormatRFC3339
) -> FileLogObserver:
    """An observer that writes lines of text; `timeFormat` is as for `formatTime`."""

    def format_event(event: LogEvent) -> str | None:
        return formatEventAsClassicLogText(event, lambda when: formatTime(when, timeFormat))

    return FileLogObserver(outFile, format_event)
