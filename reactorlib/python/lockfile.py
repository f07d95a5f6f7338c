"""
A lock between processes, kept in the file system.

The lock is a symbolic link whose target is the process id of its holder: making
one is atomic, and it says who holds it in the same step. A link whose process
is gone is taken over.
"""

from __future__ import annotations

import os

__all__ = ["FilesystemLock", "isLocked"]


class FilesystemLock:
    """
    A lock by the name of a file.

    Args:
        name: the path of the link; its folder has to exist.

    Attributes:
        locked: whether this object holds the lock.
        clean: whether it was taken with no traces of a dead holder.
    """

    clean: bool | None = None
    locked = False

    def __init__(self, name: str) -> None:
        self.name = name

    def lock(self) -> bool:
        """
        Try to take the lock.

        Returns:
            whether it is this object's now.

        Raises:
            OSError: the link cannot be made, for want of rights or of a folder.
        """
        clean = True
        while True:
            try:
                os.symlink(str(os.getpid()), self.name)
            except FileExistsError:
                holder = _holder(self.name)
                if holder is None:
                    continue  # given back between the two calls
                if _alive(holder):
                    return False
                clean = False
                _take_away(self.name, holder)
                continue
            self.locked = True
            self.clean = clean
            return True

    def unlock(self) -> None:
        """
        Give the lock back.

        Raises:
            ValueError: another process holds it.
        """
        holder = _holder(self.name)
        if holder != os.getpid():
            raise ValueError(f"the lock {self.name!r} is held by process {holder}, not by this one")
        os.remove(self.name)
        self.locked = False


def isLocked(name: str) -> bool:
    """Whether somebody holds the lock of that name now. It may change at any time."""
    holder = _holder(name)
    return holder is not None and _alive(holder)


def _holder(name: str) -> int | None:
    """The process that the link names; None if there is no link."""
    try:
        target = os.readlink(name)
    except FileNotFoundError:
        return None
    try:
        return int(target)
    except ValueError:
        raise ValueError(f"{name!r} is a link to {target!r}, and no lock of ours") from None


def _take_away(name: str, dead: int) -> None:
    """
    Remove the link of a dead process, unless somebody else has done so.

    The link is moved aside first, which only one process can do, and looked at
    there: it may by then be the new lock of another.
    """
    aside = f"{name}.{os.getpid()}.stale"
    try:
        os.rename(name, aside)
    except FileNotFoundError:
        return
    if _holder(aside) != dead:
        os.rename(aside, name)
    else:
        os.remove(aside)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
