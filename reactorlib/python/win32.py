"""What differs on Windows. Everything here can be imported, and most of it used, anywhere."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Iterable
from typing import Any

__all__ = [
    "ERROR_DIRECTORY",
    "ERROR_FILE_NOT_FOUND",
    "ERROR_INVALID_NAME",
    "ERROR_PATH_NOT_FOUND",
    "O_BINARY",
    "cmdLineQuote",
    "formatError",
    "quoteArguments",
]

#: Numbers of errors of Windows: `winerror` of an OSError there.
ERROR_FILE_NOT_FOUND = 2
ERROR_PATH_NOT_FOUND = 3
ERROR_INVALID_NAME = 123
ERROR_DIRECTORY = 267

#: The flag of `os.open` for binary files; 0 where all files are.
O_BINARY = getattr(os, "O_BINARY", 0)


class _FakeWindowsError(OSError):
    """What nothing raises: it stands for the error of Windows on other systems."""


_FakeWindowsError.__name__ = _FakeWindowsError.__qualname__ = "FakeWindowsError"


def __getattr__(name: str) -> Any:
    if name not in ("FakeWindowsError", "WindowsError"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        f"{__name__}.{name} was deprecated in Twisted 21.2.0: "
        "Catch OSError and check presence of 'winerror' attribute.",
        DeprecationWarning,
        stacklevel=2,
    )
    if name == "WindowsError" and sys.platform == "win32":
        return OSError
    return _FakeWindowsError


def cmdLineQuote(s: str) -> str:
    """
    One argument as it is written in a command line of Windows.

    Backslashes count double only before a quote: this is the rule of the C
    library that takes the command line apart again.
    """
    s = re.sub(r'(\\*)"', r'\1\1\\"', s)
    if s and not re.search(r'[\s"]', s):
        return s
    return '"' + re.sub(r"(\\+)$", r"\1\1", s) + '"'


def quoteArguments(arguments: Iterable[str]) -> str:
    """Several arguments as a command line of Windows."""
    return " ".join(map(cmdLineQuote, arguments))


def formatError(errorcode: int) -> str:
    """The text of an error's number: of Windows there, elsewhere of this system."""
    if sys.platform == "win32":
        import ctypes

        return ctypes.FormatError(errorcode).rstrip()
    return os.strerror(errorcode)
