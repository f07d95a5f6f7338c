"""A file whose lines are events."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterable
from io import UnsupportedOperation
from typing import Any, NoReturn

from reactorlib.logger._levels import LogLevel, NamedConstant
from reactorlib.logger._logger import Logger

__all__ = ["LoggingFile"]


class LoggingFile:
    """
    Looks like a text file that is written to, by any thread; each full line becomes an event.

    The event's format is `{log_io}`, and `log_io` is the line. Bytes are decoded.
    """

    _softspace = 0

    def __init__(
        self, logger: Logger, level: NamedConstant = LogLevel.info, encoding: str | None = None
    ) -> None:
        """
        Args:
            encoding: of bytes that are written; the interpreter's own if None.
        """
        self.level = level
        self.log = logger
        self._encoding = encoding or sys.getdefaultencoding()
        self._partial = ""
        # Not held while lines are logged; the same thread may come again, in a finalizer.
        self._lock = threading.RLock()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def encoding(self) -> str:
        """What bytes are decoded with."""
        return self._encoding

    @property
    def mode(self) -> str:
        """As of any file that is written to."""
        return "w"

    @property
    def newlines(self) -> None:
        """None: nothing is read here."""
        return None

    @property
    def name(self) -> str:
        """The namespace and the level."""
        return f"<{self.__class__.__name__} {self.log.namespace}#{self.level.name}>"

    def _warn_of_softspace(self) -> None:
        warnings.warn(
            "reactorlib.logger._io.LoggingFile.softspace was deprecated in Twisted 21.2.0",
            DeprecationWarning,
            stacklevel=3,
        )

    @property
    def softspace(self) -> int:
        """Of no use since Python 3. Deprecated."""
        self._warn_of_softspace()
        return self._softspace

    @softspace.setter
    def softspace(self, value: int) -> None:
        self._warn_of_softspace()
        self._softspace = value

    def close(self) -> None:
        """Take no more. A line that is not complete is dropped."""
        self._closed = True

    def flush(self) -> None:
        """Nothing happens: full lines are logged already."""

    def fileno(self) -> NoReturn:
        """There is no descriptor."""
        raise UnsupportedOperation("fileno")

    def isatty(self) -> bool:
        """It is not."""
        return False

    def write(self, message: str | bytes) -> None:
        """
        Log the lines that `message` completes.

        Raises:
            ValueError: the file is closed.
        """
        if self._closed:
            raise ValueError("I/O operation on closed file")
        text = message.decode(self._encoding) if isinstance(message, bytes) else message
        with self._lock:
            *lines, self._partial = (self._partial + text).split("\n")
        for line in lines:
            self.log.emit(self.level, "{log_io}", log_io=line)

    def writelines(self, lines: Iterable[str | bytes]) -> None:
        """Write each; as of any file, they have their own line ends."""
        for line in lines:
            self.write(line)

    def _unsupported(self, *args: Any) -> NoReturn:
        """It is not a file to read from or to move in."""
        raise UnsupportedOperation("not readable or seekable")

    read = next = readline = readlines = xreadlines = seek = tell = truncate = _unsupported
