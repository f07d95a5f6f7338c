"""
A terminal's stream, either way, cut into text and control sequences.

ECMA-48: ESC and a byte, some with another after it; or ESC [ (CSI), parameters, and
a final byte that says what it is. An ESC that ends the bytes waits for more: whether
it is the key or the beginning of another's sequence, the next byte says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Control", "Escape", "Malformed", "Plain", "SequenceSplitter", "Token", "numbers"]

_ESC = b"\x1b"
# Parameters, and intermediate bytes: ECMA-48 section 5.4.
_BODY = re.compile(rb"[0-?]*+[ -/]*+")
# No sequence that is in use is longer, ESC and final byte included.
_LIMIT = 64


@dataclass(frozen=True, slots=True)
class Plain:
    """Bytes that are no control sequence; control characters may be among them."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Escape:
    """What followed an ESC: one byte, or two."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Control:
    """What followed ESC [, and the byte that ended it."""

    parameters: bytes
    final: bytes


@dataclass(frozen=True, slots=True)
class Malformed:
    """A control sequence that is too long, or has in it what does not belong there."""

    data: bytes


Token = Plain | Escape | Control | Malformed


class SequenceSplitter:
    """
    Cut a terminal's stream.

    After `feed()`, call `next_token()` until it answers None. Apart from where
    plain bytes are divided, what comes out does not depend on how the bytes were cut.

    Args:
        two: the bytes that another follows, after an ESC.
        control_two: the final bytes that another follows, after an ESC [. There are
            terminals whose function keys send such.
    """

    def __init__(self, two: bytes, control_two: bytes = b"") -> None:
        self._two = two
        self._control_two = control_two
        self._data = b""
        self._start = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._data = self._data[self._start :] + data
        self._start = 0

    def next_token(self) -> Token | None:
        """Return the next token, or None if it is incomplete."""
        data = self._data
        start = self._start
        have = len(data) - start
        if not have:
            return None
        if not data.startswith(_ESC, start):
            end = data.find(_ESC, start)
            self._start = len(data) if end < 0 else end
            return Plain(data[start : self._start])
        if have < 2:
            return None
        if data[start + 1] == 0x5B:
            return self._control()
        size = 3 if data[start + 1] in self._two else 2
        if have < size:
            return None
        self._start = start + size
        return Escape(data[start + 1 : self._start])

    def _control(self) -> Control | Malformed | None:
        data = self._data
        start = self._start
        body = _BODY.match(data, start + 2)
        assert body is not None
        end = body.end()
        if end - start >= _LIMIT:
            self._start = start + _LIMIT
            return Malformed(data[start : self._start])
        if end == len(data):
            return None
        if not 0x40 <= data[end] <= 0x7E:
            self._start = end
            return Malformed(data[start:end])
        if data[end] in self._control_two and end == start + 2:
            if end + 1 == len(data):
                return None
            self._start = end + 2
            return Control(data[end : end + 1], data[end + 1 : end + 2])
        self._start = end + 1
        return Control(data[start + 2 : end], data[end : end + 1])


def numbers(parameters: bytes) -> list[int | None] | None:
    """
    The numbers that a sequence has as its parameters.

    Returns:
        the numbers, None for those left out; or None if they are none.
    """
    if not parameters:
        return []
    parts = parameters.split(b";")
    # isdigit() of bytes knows ASCII's digits only.
    if not all(part.isdigit() or not part for part in parts):
        return None
    return [int(part) if part else None for part in parts]
