"""
Shortcuts of Windows' desktop: files that end in .lnk.

They need Windows and the package pywin32, and say so when one is made
elsewhere.
"""

from __future__ import annotations

import os
import sys
from typing import Any

__all__ = ["Shortcut", "open"]


def _pythoncom() -> Any:
    if sys.platform != "win32":
        raise NotImplementedError(
            "a Shortcut works on Windows only: the shortcuts are those of its desktop"
        )
    try:
        import pythoncom
    except ImportError as cause:
        raise ImportError("a Shortcut needs pywin32: install it with pip") from cause
    return pythoncom


def _shell_link() -> Any:
    """An empty shortcut of Windows'."""
    com = _pythoncom()
    from win32com.shell import shell

    return com.CoCreateInstance(
        shell.CLSID_ShellLink, None, com.CLSCTX_INPROC_SERVER, shell.IID_IShellLink
    )


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

    Raises:
        NotImplementedError: this is not Windows.
        ImportError: pywin32 is not installed.
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
        self._base = _shell_link()
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
        return self._base.QueryInterface(_pythoncom().IID_IPersistFile)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._base, name)
