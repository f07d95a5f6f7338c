"""File descriptors of POSIX: whether they wait, and one read or write that does not."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from reactorlib.internet import error

__all__ = [
    "CONNECTION_DONE",
    "CONNECTION_LOST",
    "readFromFD",
    "setBlocking",
    "setNonBlocking",
    "writeToFD",
]

#: What `readFromFD` answers at the end of a file.
CONNECTION_DONE = error.ConnectionDone("Connection done")

#: What `readFromFD` and `writeToFD` answer after an error.
CONNECTION_LOST = error.ConnectionLost("Connection lost")

#: Not now, but later: no error.
_LATER = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR)

#: Bytes taken by one `readFromFD`.
_PIECE = 8192


def setNonBlocking(fd: int) -> None:
    """Have reads and writes fail rather than wait, for all who share the open file."""
    os.set_blocking(fd, False)


def setBlocking(fd: int) -> None:
    """Have reads and writes wait, for all who share the open file."""
    os.set_blocking(fd, True)


def _setCloseOnExec(fd: int) -> None:
    """Keep a descriptor from the programs that this process starts."""
    os.set_inheritable(fd, False)


def _unsetCloseOnExec(fd: int) -> None:
    """Leave a descriptor open in a program that replaces this one."""
    os.set_inheritable(fd, True)


def readFromFD(fd: int, callback: Callable[[bytes], object]) -> Exception | None:
    """
    Read once, and call `callback` with what came, if anything did.

    Args:
        fd: a descriptor that does not wait (`setNonBlocking`).

    Returns:
        None; `CONNECTION_DONE` at the end of the file, `CONNECTION_LOST` after
        an error. They are answers, not raised.
    """
    try:
        data = os.read(fd, _PIECE)
    except OSError as exception:
        return None if exception.errno in _LATER else CONNECTION_LOST
    if not data:
        return CONNECTION_DONE
    callback(data)
    return None


def writeToFD(fd: int, data: bytes | bytearray | memoryview) -> int | Exception:
    """
    Write once.

    Args:
        fd: a descriptor that does not wait (`setNonBlocking`).

    Returns:
        how many bytes were taken, which may be 0; `CONNECTION_LOST` after an
        error. It is an answer, not raised.
    """
    try:
        return os.write(fd, data)
    except OSError as exception:
        return 0 if exception.errno in _LATER else CONNECTION_LOST
