"""
Protocols that cut the byte stream into lines or strings, and what sends files.

Each owns a core that does the cutting, and delivers what comes out of it for
as long as the protocol wants more.
"""

# Subclasses own every attribute name but the public ones, and few of them call
# `__init__`. So what is private has two underscores, and is made when the first
# bytes come.

from __future__ import annotations

from reactorlib._sansio.netstrings import NetstringParseError
from reactorlib.protocols.basic._files import FileSender
from reactorlib.protocols.basic._lines import LineOnlyReceiver, LineReceiver
from reactorlib.protocols.basic._netstrings import NetstringReceiver
from reactorlib.protocols.basic._pausing import _PauseableMixin
from reactorlib.protocols.basic._prefixed import (
    Int8StringReceiver,
    Int16StringReceiver,
    Int32StringReceiver,
    IntNStringReceiver,
    StringTooLongError,
)
from reactorlib.protocols.basic._stateful import StatefulStringProtocol

__all__ = [
    "FileSender",
    "Int8StringReceiver",
    "Int16StringReceiver",
    "Int32StringReceiver",
    "IntNStringReceiver",
    "LineOnlyReceiver",
    "LineReceiver",
    "NetstringParseError",
    "NetstringReceiver",
    "StatefulStringProtocol",
    "StringTooLongError",
    "_PauseableMixin",
]
