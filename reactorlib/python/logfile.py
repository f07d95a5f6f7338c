"""
Log files that are rotated by their size or by the day.

Rotation renames the file and opens a new one, between two writes and under the
same lock: each write is whole in one of them. Where the old file cannot be
renamed, writing goes on in it.
"""

from __future__ import annotations

import contextlib
import glob
import logging
import operator
import os
import stat
import threading
import time
from typing import IO, Any, Self

from reactorlib.python._report import report
from reactorlib.python.failure import Failure

__all__ = ["BaseLogFile", "DailyLogFile", "LogFile", "LogReader"]

_log = logging.getLogger("reactorlib.python.logfile")


class BaseLogFile:
    """A file that is appended to, and put aside when `shouldRotate` says so."""

    def __init__(self, name: str, directory: str, defaultMode: int | None = None) -> None:
        """
        Args:
            name: of the file, in `directory`, which must exist.
            defaultMode: the permissions of the file; None for those it has, or
                those of new files.
        """
        self.directory = directory
        self.name = name
        self.path = os.path.join(directory, name)
        if defaultMode is None and os.path.exists(self.path):
            self.defaultMode: int | None = stat.S_IMODE(os.stat(self.path).st_mode)
        else:
            self.defaultMode = defaultMode
        self.closed = False
        self._rotating = False
        self._failing = False
        self._lock = threading.RLock()
        self._openFile()

    @classmethod
    def fromFullPath(cls, filename: str, *args: Any, **kwargs: Any) -> Self:
        """The same by a path; the other arguments are those after the directory."""
        path = os.path.abspath(filename)
        return cls(os.path.basename(path), os.path.dirname(path), *args, **kwargs)

    def shouldRotate(self) -> bool:
        """Whether to rotate before the next write."""
        raise NotImplementedError

    def rotate(self) -> None:
        """Put the file aside, and begin a new one."""
        raise NotImplementedError

    def _openFile(self) -> None:
        """Open the file; make it if it is not there."""
        # Unbuffered: what is written is in the file, whoever looks, or crashes.
        self._file: IO[bytes] = open(self.path, "a+b", buffering=0)  # noqa: SIM115 - kept
        if self.defaultMode is not None:
            # The file may be another user's, or no file at all.
            with contextlib.suppress(OSError):
                os.chmod(self.path, self.defaultMode)
        self._file.seek(0, os.SEEK_END)

    def write(self, data: str | bytes) -> None:
        """
        Append; text is written as UTF-8. Rotates first, if it is time.

        A rotation that fails is reported, and tried again with the next write.
        """
        if isinstance(data, str):
            data = data.encode("utf-8")
        with self._lock:
            if not self._rotating and self.shouldRotate():
                self.flush()
                self._rotate_or_report()
            self._append(data)

    def _rotate_or_report(self) -> None:
        """Rotate; where that fails, say so once, and go on in the file there is."""
        # The report may be written to this very file.
        self._rotating = True
        try:
            self.rotate()
        except OSError:
            if not self._failing:
                self._failing = True
                report(_log, f"{self.path!r} cannot be rotated, and grows on", Failure())
        else:
            self._failing = False
        finally:
            self._rotating = False

    def _append(self, data: bytes) -> None:
        view = memoryview(data)
        while view:  # an unbuffered file may take less than all
            view = view[self._file.write(view) or 0 :]

    def flush(self) -> None:
        """See that what was written is in the file."""
        self._file.flush()

    def close(self) -> None:
        """Close the file. What is written afterwards raises ValueError."""
        with self._lock:
            self.closed = True
            self._file.close()

    def reopen(self) -> None:
        """Close the file and open what its path names now: after another program moved it."""
        with self._lock:
            self.close()
            self._openFile()
            self.closed = False

    def getCurrentLog(self) -> LogReader:
        """A reader of the file."""
        return LogReader(self.path)

    def _put_aside(self, new_path: str) -> bool:
        """Rename the file and open a new one; False if the old one cannot be renamed."""
        try:
            os.rename(self.path, new_path)
        except OSError:
            return False
        old = self._file
        try:
            self._openFile()
        except OSError:
            # With no new file, nothing is lost if the old one goes on under its name.
            os.rename(new_path, self.path)
            return False
        old.close()
        return True

    def _may_rotate(self) -> bool:
        return os.access(self.directory, os.W_OK) and os.access(self.path, os.W_OK)


class LogFile(BaseLogFile):
    """
    Put aside when it has `rotateLength` bytes: `name.1` is the latest, `name.2` the one before.
    """

    def __init__(
        self,
        name: str,
        directory: str,
        rotateLength: int | None = 1000000,
        defaultMode: int | None = None,
        maxRotatedFiles: int | None = None,
    ) -> None:
        """
        Args:
            rotateLength: in bytes; None for never.
            maxRotatedFiles: how many are kept besides the current one; None for all.
        """
        self.rotateLength = rotateLength
        self.maxRotatedFiles = maxRotatedFiles
        super().__init__(name, directory, defaultMode)

    def _openFile(self) -> None:
        super()._openFile()
        self.size = self._file.tell()

    def shouldRotate(self) -> bool:
        """Whether the file is as long as it may be."""
        return bool(self.rotateLength and self.size >= self.rotateLength)

    def _append(self, data: bytes) -> None:
        super()._append(data)
        self.size += len(data)

    def getLog(self, identifier: int) -> LogReader:
        """
        A reader of the file put aside with that number.

        Raises:
            ValueError: there is none.
            TypeError: it is no number.
        """
        path = f"{self.path}.{operator.index(identifier)}"
        if not os.path.exists(path):
            raise ValueError(f"no such log file: {path}")
        return LogReader(path)

    def listLogs(self) -> list[int]:
        """The numbers of the files put aside, latest first."""
        start = len(self.path) + 1
        ends = [path[start:] for path in glob.glob(f"{glob.escape(self.path)}.*")]
        return sorted(int(end) for end in ends if end.isdecimal() and int(end) > 0)

    def rotate(self) -> None:
        """Put the file aside as number 1, and begin a new one; older ones move on by one."""
        with self._lock:
            if not self._may_rotate():
                return
            for number in reversed(self.listLogs()):
                path = f"{self.path}.{number}"
                if self.maxRotatedFiles is not None and number >= self.maxRotatedFiles:
                    os.remove(path)
                else:
                    os.rename(path, f"{self.path}.{number + 1}")
            self._put_aside(f"{self.path}.1")


class DailyLogFile(BaseLogFile):
    """Put aside when the day is over where we are, as `name.2027_1_31`."""

    def _openFile(self) -> None:
        super()._openFile()
        # What a file has was written when it was last changed, perhaps by another run.
        changed = os.stat(self.path)
        self.lastDate = self.toDate(changed.st_mtime) if changed.st_size else self.toDate()

    def shouldRotate(self) -> bool:
        """Whether it is another day than that of the last write."""
        return tuple(self.toDate()) > tuple(self.lastDate)

    def toDate(self, *args: float) -> Any:
        """Year, month and day of a time in seconds since the epoch; of now without one."""
        return time.localtime(*args)[:3]

    def suffix(self, tupledate: Any) -> str:
        """What a file's name ends in, by its day or a time of that day."""
        date = self.toDate(tupledate) if isinstance(tupledate, (int, float)) else tupledate
        return "_".join(map(str, date))

    def getLog(self, identifier: float) -> LogReader:
        """
        A reader of the file of the day that a time, in seconds since the epoch, is in.

        Raises:
            ValueError: there is none.
        """
        if self.toDate(identifier) == self.lastDate:
            return self.getCurrentLog()
        path = f"{self.path}.{self.suffix(identifier)}"
        if not os.path.exists(path):
            raise ValueError(f"no such log file: {path}")
        return LogReader(path)

    def _append(self, data: bytes) -> None:
        super()._append(data)
        self.lastDate = max(tuple(self.lastDate), tuple(self.toDate()))

    def rotate(self) -> None:
        """Put the file aside under its day, and begin a new one. A file of that day stays."""
        with self._lock:
            new_path = f"{self.path}.{self.suffix(self.lastDate)}"
            if self._may_rotate() and not os.path.exists(new_path):
                self._put_aside(new_path)


class LogReader:
    """Reads a log file."""

    def __init__(self, name: str) -> None:
        self._file = open(name, encoding="utf-8", errors="replace")  # noqa: SIM115 - kept

    def readLines(self, lines: int = 10) -> list[str]:
        """The next lines, at most so many; none at the end."""
        found: list[str] = []
        while len(found) < lines and (line := self._file.readline()):
            found.append(line)
        return found

    def close(self) -> None:
        """Close the file."""
        self._file.close()
