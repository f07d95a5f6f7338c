"""
Paths as `inotify` takes them and tells of them.

Whoever gives a `FilePath` is told of paths as `FilePath`s that hold bytes, as the
kernel's are. Everyone else gets `pathlib.Path`s.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["child_of", "children_of", "directories_in", "key_of", "told"]


def told(path: Any) -> Any:
    """
    A path, as callbacks are told of it.

    Raises:
        TypeError: it is not a path.
    """
    if hasattr(path, "asBytesMode"):
        return path.asBytesMode()
    if not isinstance(path, (str, bytes, os.PathLike)):
        path = getattr(path, "path", path)
    return Path(os.fsdecode(path))


def _bytes_of(path: Any) -> bytes:
    """The path as the kernel takes it, of what `told` has made."""
    return os.fsencode(path if isinstance(path, Path) else path.path)


def key_of(path: Any) -> bytes:
    """What is equal for two ways to write a path, of what `told` has made."""
    return os.path.abspath(_bytes_of(path))


def child_of(path: Any, name: str) -> Any:
    """The path of a file in a directory, of what `told` has made."""
    return path / name if isinstance(path, Path) else path.child(os.fsencode(name))


def children_of(path: Any) -> list[tuple[Any, bool]]:
    """
    The paths in a directory that are directories, or files, and which of them are.

    One that cannot be read any more has none.
    """
    try:
        with os.scandir(_bytes_of(path)) as entries:
            return [
                (child_of(path, os.fsdecode(entry.name)), entry.is_dir())
                for entry in entries
                if entry.is_dir() or entry.is_file()
            ]
    except OSError:
        return []


def directories_in(path: Any) -> Iterator[Any]:
    """
    Every directory below a path, those that symbolic links lead to included.

    Each comes once, so links that lead in circles do no harm.
    """
    seen = {_identity(path)}
    waiting = [path]
    while waiting:
        for child, is_directory in children_of(waiting.pop()):
            if is_directory and (identity := _identity(child)) not in seen:
                seen.add(identity)
                waiting.append(child)
                yield child


def _identity(path: Any) -> tuple[int, int] | None:
    try:
        status = os.stat(_bytes_of(path))
    except OSError:
        return None  # gone; nobody minds if several are
    return status.st_dev, status.st_ino
