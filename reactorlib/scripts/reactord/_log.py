"""The log of `reactord`."""

from __future__ import annotations

import logging
from typing import Any

from reactorlib import logger
from reactorlib.python.logfile import LogFile
from reactorlib.scripts._twistd_unix import UnixAppLogger

__all__ = ["ReactordLogger"]

_log = logging.getLogger("reactorlib.application.daemon")


class ReactordLogger(UnixAppLogger):
    """A log of what goes through stdlib `logging`, too, in text or JSON."""

    name = "reactord"

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self._json = options.get("json", False)
        self._several = options.get("workers", None) is not None
        self._file: LogFile | None = None
        self._handler: logging.Handler | None = None

    def start(self, application: Any) -> None:
        """Begin; what libraries log is logged as well."""
        super().start(application)
        root = logging.getLogger()
        self._handler = logger.PublishingHandler()
        root.addHandler(self._handler)
        self._level_before = root.level
        if root.level in (logging.NOTSET, logging.WARNING):
            root.setLevel(logging.INFO)

    def stop(self) -> None:
        """End."""
        super().stop()
        if self._handler is not None:
            root = logging.getLogger()
            root.removeHandler(self._handler)
            root.setLevel(self._level_before)
            self._handler = None

    def _open_file(self, name: str) -> LogFile:
        # Several processes append to it: none may put it aside under the others.
        length = None if self._several else 1_000_000
        self._file = LogFile.fromFullPath(name, length)
        return self._file

    def _file_observer(self, file: Any) -> Any:
        if not self._json:
            return super()._file_observer(file)
        return logger.FileLogObserver(file, _as_json)

    def reopen(self) -> None:
        """Write to what the file's name means now: after another program has moved it."""
        if self._file is None:
            return
        try:
            # If that fails, it is better to go on where it was.
            with open(self._file.path, "ab"):
                pass
            self._file.reopen()
        except OSError as error:
            _log.warning("Cannot open the log %s again: %s", self._file.path, error.strerror)

    def rotate(self) -> None:
        """Put the log file aside, and begin a new one."""
        if self._file is not None:
            self._file.rotate()


def _as_json(event: Any) -> str:
    text = logger.formatEvent(event)
    return f"{logger.eventAsJSON({**event, 'text': text})}\n"
