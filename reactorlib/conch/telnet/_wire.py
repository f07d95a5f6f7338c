"""
Telnet's bytes to events, and text to telnet's bytes: RFC 854 and 855.

The stream is text with commands in it. A command begins with IAC; an IAC that
belongs to the text is doubled. A line of text ends with CR LF, and a carriage
return alone is CR NUL. `TelnetDecoder` gives the text with newlines as LF and
carriage returns as CR, in pieces as large as the bytes at hand allow.

At most two bytes are kept between one feeding and the next, besides what there
is of a subnegotiation: a CR, an IAC, or an IAC and a command that has an option.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from reactorlib.conch.telnet._constants import DONT, IAC, SB, SE, WILL

__all__ = [
    "Command",
    "Event",
    "Subnegotiation",
    "SubnegotiationTooLong",
    "TelnetDecoder",
    "Text",
    "escape",
    "subnegotiation",
    "text",
]

_IAC = IAC[0]
_SB = SB[0]
_SE = SE[0]
# WILL, WONT, DO and DONT follow each other, and have an option each.
_WITH_OPTION = range(WILL[0], DONT[0] + 1)

# Possessive: a run of text, and the IACs that belong to it.
_RUN = re.compile(rb"(?:[^\xff]++|\xff\xff)++")
_ENDS = re.compile(rb"\r\n|\r\x00")
_TO_ENDS = re.compile(rb"\r?\n|\r")


@dataclass(frozen=True, slots=True)
class Text:
    """Text, never empty."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Command:
    """A command, with the option of those that have one."""

    command: bytes
    option: bytes | None = None


@dataclass(frozen=True, slots=True)
class Subnegotiation:
    """Something about an option; the escapes are undone."""

    data: bytes


Event = Text | Command | Subnegotiation


class SubnegotiationTooLong(ValueError):
    """The peer sent a subnegotiation over the `limit` (bytes, the option counted)."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"a telnet subnegotiation longer than {limit} bytes")
        self.limit = limit


class TelnetDecoder:
    """
    Cut a telnet stream into text, commands and subnegotiations.

    After `feed()`, call `next_event()` until it answers None. Cost is linear in
    the bytes fed, and what comes out does not depend on how they were cut, but
    for how the text is divided.

    Args:
        limit: how many bytes a subnegotiation may have, its option counted.

    Attributes:
        subnegotiation: what has come of the one that is under way, up to the limit.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data = b""
        self._start = 0  # where in `_data` the next event begins
        self._inside = False  # a subnegotiation
        self.subnegotiation = bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._data = self._data[self._start :] + data
        self._start = 0

    def next_event(self) -> Event | None:
        """
        Return the next event, or None if it is incomplete.

        Raises:
            SubnegotiationTooLong: the peer does not keep to the limit. From here
                on each call with more bytes raises it again, and nothing is kept.
        """
        if self._inside:
            return self._negotiated()
        data = self._data
        start = self._start
        if start == len(data):
            return None
        run = _RUN.match(data, start)
        if run is not None:
            end = run.end()
            # What the CR means is in the byte that follows it; if that is a command's, nothing.
            held = data[end - 1] == 0x0D and end == len(data)
            self._start = end - held
            if self._start > start:
                return Text(self._text(data[start : self._start]))
            return None
        if len(data) - start < 2:
            return None
        command = data[start + 1]
        if command in _WITH_OPTION:
            if len(data) - start < 3:
                return None
            self._start = start + 3
            return Command(data[start + 1 : start + 2], data[start + 2 : start + 3])
        self._start = start + 2
        if command == _SB:
            self._inside = True
            self.subnegotiation = bytearray()
            return self._negotiated()
        return Command(data[start + 1 : start + 2])

    def _text(self, data: bytes) -> bytes:
        if 0x0D in data:
            data = _ENDS.sub(lambda end: b"\n" if end[0] == b"\r\n" else b"\r", data)
        return data.replace(b"\xff\xff", b"\xff")

    def _negotiated(self) -> Subnegotiation | None:
        """The end of a subnegotiation, or what there is of it."""
        data = self._data
        found = self.subnegotiation
        while self._start < len(data):
            start = self._start
            end = data.find(IAC, start)
            if end < 0:
                end = len(data)
            self._collect(data[start:end])
            self._start = end
            if len(data) - end < 2:
                break
            following = data[end + 1]
            if following == _SE:
                self._start = end + 2
                self._inside = False
                self.subnegotiation = bytearray()
                return Subnegotiation(bytes(found))
            # Anything but a doubled IAC is against RFC 855. There are clients that do
            # not double what is in the size of a window, so that it is data as well.
            self._start = end + (2 if following == _IAC else 1)
            self._collect(IAC)
        return None

    def _collect(self, data: bytes) -> None:
        found = self.subnegotiation
        room = self._limit - len(found)
        found += data[:room]
        if len(data) > room:
            self._data = b""
            self._start = 0
            raise SubnegotiationTooLong(self._limit)


def escape(data: bytes) -> bytes:
    """Double each IAC."""
    return data.replace(IAC, IAC + IAC)


def text(data: bytes) -> bytes:
    """
    Text as it goes over telnet.

    A newline, LF or CR LF, is CR LF, and a carriage return is CR NUL: RFC 854, page 11.
    """
    if b"\n" in data or b"\r" in data:
        data = _TO_ENDS.sub(lambda end: b"\r\x00" if end[0] == b"\r" else b"\r\n", data)
    return escape(data)


def subnegotiation(about: bytes, data: bytes) -> bytes:
    """A subnegotiation about an option: RFC 855."""
    return IAC + SB + escape(about + data) + IAC + SE
