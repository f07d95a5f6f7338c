"""The file of a UNIX socket, and who takes it away."""

from __future__ import annotations

import os

__all__ = ["SocketFile"]


class SocketFile:
    """
    The file that a socket was bound to, just now, by this process.

    A copy in a process that was forked since leaves the file alone while the one that
    has bound it is there: others serve at it.

    Args:
        path: where it is.
    """

    def __init__(self, path: str | bytes) -> None:
        self._path = path
        self._identity: tuple[int, int] | None = _identity(path)
        self._owner = os.getpid()

    def remove(self) -> None:
        """
        Take it away, unless another file has its place, or another process has it.

        Raises:
            OSError: it cannot be.
        """
        identity, self._identity = self._identity, None
        if identity is None or (os.getpid() != self._owner and os.getppid() == self._owner):
            return
        try:
            if _identity(self._path) == identity:
                os.unlink(self._path)
        except FileNotFoundError:
            pass  # somebody else was faster


def _identity(path: str | bytes) -> tuple[int, int]:
    """What tells a file from another in the same place."""
    found = os.lstat(path)
    return found.st_dev, found.st_ino
