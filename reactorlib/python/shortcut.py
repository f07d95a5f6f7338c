"""
Shortcuts of Windows' desktop: files that end in .lnk.

It needs Windows and the package pywin32; elsewhere importing it is an
ImportError.
"""

from __future__ import annotations

import os
import sys
from typing import Any

if sys.platform != "win32":
    raise ImportError(
        "reactorlib.python.shortcut works on Windows only: the shortcuts are those of its desktop"
    )

try:
    import pythoncom
    from win32com.shell import shell
except ImportError as cause:
    raise ImportError("reactorlib.python.shortcut needs pywin32: install it with pip") from cause

__all__ = ["Shortcut", "open"]


def open(filename: str) -> Shortcut:
    """The shortcut in a file."""
    shortcut = Shortcut()
    shortcut.load(filename)
    return shortcut


class Shortcut:
    """
    A shortcut. It has the methods of Windows' `IShellLink` besides.

    Args:
        path: what it leads to.
        arguments: what the program is started with.
        description: a text for the user.
        workingdir: where the program is started.
        iconpath: a file of icons, and `iconidx` which one.
    """

    def __init__(
        self,
        path: str | None = None,
        arguments: str | None = None,
        description: str | None = None,
        workingdir: str | None = None,
        iconpath: str | None = None,
        iconidx: int = 0,
    ) -> None:
        self._base: Any = pythoncom.CoCreateInstance(
            shell.CLSID_ShellLink, None, pythoncom.CLSCTX_INPROC_SERVER, shell.IID_IShellLink
        )
        if path is not None:
            self.SetPath(os.path.abspath(path))
        if arguments is not None:
            self.SetArguments(arguments)
        if description is not None:
            self.SetDescription(description)
        if workingdir is not None:
            self.SetWorkingDirectory(os.path.abspath(workingdir))
        if iconpath is not None:
            self.SetIconLocation(os.path.abspath(iconpath), iconidx)

    def load(self, filename: str) -> None:
        """Become the shortcut in a file."""
        self._file().Load(os.path.abspath(filename))

    def save(self, filename: str) -> None:
        """Write the shortcut to a file."""
        self._file().Save(os.path.abspath(filename), 0)

    def _file(self) -> Any:
        return self._base.QueryInterface(pythoncom.IID_IPersistFile)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._base, name)
