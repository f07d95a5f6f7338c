"""
Terminals of the VT100 family, from both ends.

`ServerProtocol` is somebody's terminal for a program that draws on it: a
`TerminalProtocol`. `ClientProtocol` calls the same methods for what such a program
sends.
"""

from __future__ import annotations

from reactorlib.conch.insults.insults._client import ClientProtocol
from reactorlib.conch.insults.insults._interfaces import ITerminalProtocol, ITerminalTransport
from reactorlib.conch.insults.insults._names import (
    BLINK,
    BOLD,
    CS_ALTERNATE,
    CS_ALTERNATE_SPECIAL,
    CS_DRAWING,
    CS_UK,
    CS_US,
    FUNCTION_KEYS,
    G0,
    G1,
    G2,
    G3,
    NORMAL,
    REVERSE_VIDEO,
    UNDERLINE,
    modes,
    privateModes,
)
from reactorlib.conch.insults.insults._server import ServerProtocol, TerminalProtocol, Vector

__all__ = [
    "BLINK",
    "BOLD",
    "CS_ALTERNATE",
    "CS_ALTERNATE_SPECIAL",
    "CS_DRAWING",
    "CS_UK",
    "CS_US",
    "FUNCTION_KEYS",
    "G0",
    "G1",
    "G2",
    "G3",
    "NORMAL",
    "REVERSE_VIDEO",
    "UNDERLINE",
    "ClientProtocol",
    "ITerminalProtocol",
    "ITerminalTransport",
    "ServerProtocol",
    "TerminalProtocol",
    "Vector",
    "modes",
    "privateModes",
]
