"""
A Python prompt into the running program, at somebody's terminal.

`await` works at the prompt. What a session may do is whatever the program may do: a
manhole has to be behind a login, and reached over a network that is trusted.
"""

from __future__ import annotations

from reactorlib.conch.manhole._colors import lastColorizedLine
from reactorlib.conch.manhole._interpreter import FileWrapper, ManholeInterpreter
from reactorlib.conch.manhole._plain import (
    CTRL_A,
    CTRL_BACKSLASH,
    CTRL_C,
    CTRL_D,
    CTRL_E,
    CTRL_L,
    ColoredManhole,
    Manhole,
)

__all__ = [
    "CTRL_A",
    "CTRL_BACKSLASH",
    "CTRL_C",
    "CTRL_D",
    "CTRL_E",
    "CTRL_L",
    "ColoredManhole",
    "FileWrapper",
    "Manhole",
    "ManholeInterpreter",
    "lastColorizedLine",
]
