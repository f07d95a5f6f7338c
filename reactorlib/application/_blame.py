"""Errors in one line, with the place in the user's own file."""

from __future__ import annotations

import os
import sysconfig
import traceback
from types import TracebackType

import reactorlib

__all__ = ["in_one_line"]

_OURS = os.path.dirname(os.path.abspath(reactorlib.__file__)) + os.sep
_INSTALLED = tuple(
    os.path.abspath(path) + os.sep
    for path in {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib")}
    if path
)


def _place(trace: TracebackType | None, only_users: bool) -> str:
    """The innermost line of the user's; else of anybody's but ours; "" for none."""
    users = others = ""
    for frame, line in traceback.walk_tb(trace):
        name = frame.f_code.co_filename
        path = os.path.abspath(name)
        # Extensions in C have frames with files that only their makers have.
        if path.startswith(_OURS) or not os.path.exists(path):
            continue
        if path.startswith(_INSTALLED):
            others = f"{name}:{line}"
        else:
            users = f"{name}:{line}"
    return users if only_users else users or others


def in_one_line(error: BaseException) -> str:
    """
    What is wrong, and the file and line of it if it is in a program.

    An error of the world's - a file that is not there, a port in use - is named
    alone where none but our own code was in between.
    """
    text = " ".join(str(error).split())
    kind = type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        text = " ".join((error.msg or kind).split())
        return f"{error.filename}:{error.lineno}: {kind}: {text}"
    ours = type(error).__module__.startswith("reactorlib.")
    place = _place(error.__traceback__, only_users=ours)
    if isinstance(error, OSError) and error.filename is not None and not place:
        return f"{error.filename}: {error.strerror}"
    described = f"{kind}: {text}" if text else kind
    if not place:
        return text if text and (ours or isinstance(error, OSError)) else described
    return f"{place}: {described}"
