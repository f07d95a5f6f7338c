"""Where files and folders are: beside, above, and those of plugins."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from typing import AnyStr

__all__ = ["addPluginDir", "getPluginDirs", "searchupwards", "sibpath"]


def sibpath(path: os.PathLike[AnyStr] | AnyStr, sibling: os.PathLike[AnyStr] | AnyStr) -> AnyStr:
    """
    The path of that name in the folder of another: of `__file__`, what lies beside a module.

    Args:
        path: a file.
        sibling: a name.
    """
    return os.path.join(os.path.dirname(os.path.abspath(path)), os.fspath(sibling))


def searchupwards(start: str, files: Iterable[str] = [], dirs: Iterable[str] = []) -> str | None:
    """
    The nearest folder, from `start` upwards, that has everything that is asked for.

    Args:
        start: where to begin.
        files: names of files that have to be there.
        dirs: names of folders that have to be there.

    Returns:
        the folder, with a separator at its end; None if there is none.
    """
    folder = os.path.abspath(start)
    files, dirs = list(files), list(dirs)
    while True:
        inside = os.path.join(folder, "")
        if all(os.path.isfile(inside + name) for name in files) and all(
            os.path.isdir(inside + name) for name in dirs
        ):
            return inside
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def getPluginDirs() -> Iterator[str]:
    """Deprecated: folders of plugins in the user's home and beside programs."""
    warnings.warn(
        "reactorlib.python.util.getPluginDirs is deprecated since Twisted 12.2.",
        DeprecationWarning,
        stacklevel=2,
    )
    return _plugin_dirs()


def _plugin_dirs() -> Iterator[str]:
    beside = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[0]))), "plugins")
    for folder in (
        beside,
        os.path.expanduser("~/TwistedPlugins"),
        os.path.expanduser("~/.twisted"),
    ):
        if os.path.isdir(folder):
            yield folder


def addPluginDir() -> None:
    """Deprecated: add the folders of `getPluginDirs` to the path of modules."""
    warnings.warn(
        "reactorlib.python.util.addPluginDir is deprecated since Twisted 12.2.",
        DeprecationWarning,
        stacklevel=2,
    )
    sys.path.extend(_plugin_dirs())
