"""
Netstrings out of a byte stream: https://cr.yp.to/proto/netstrings.txt.

A netstring is its length in decimal digits, a colon, that many bytes, a comma.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["NetstringParseError", "NetstringParser", "NetstringTooLong", "encode"]

_COMMA = ord(",")
_ZERO = ord("0")
# A length has at most 20 digits: enough for 64 bits. So a peer that never sends
# the colon is found out, and no number that we convert is large.
_PREFIX = 21


# What a prefix says, for those that have come: a look at it is faster than to check
# and convert it. Peers may choose them, so there are at most as many as this.
_LENGTHS: dict[bytes, int] = {}
_MANY = 1024


class NetstringParseError(ValueError):
    """The peer sent something that is not a netstring; the text says which rule it broke."""


class NetstringTooLong(NetstringParseError):
    """The peer announced a netstring over the agreed `limit` (bytes of its content)."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"netstring longer than {limit} bytes")
        self.limit = limit


def encode(string: bytes) -> bytes:
    """Return `string` as a netstring."""
    return b"%d:%b," % (len(string), string)


class NetstringParser:
    """
    Cut a byte stream into netstrings.

    After `feed()`, call `next_string()` until it answers None. Cost is linear
    in the bytes fed, however they are cut.

    Attributes:
        limit: how many bytes a string may have; it may change between strings.
        broken: an error has been raised.
    """

    def __init__(self, limit: int = 99999) -> None:
        self.limit = limit
        self.broken = False
        self._data = b""  # what is being parsed,
        self._start = 0  # from here on
        self._more = bytearray()  # what follows `_data`
        self._missing = 1  # how many bytes must come before another look is worth it

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        if self._data or self._more:
            self._more += data
            self._missing -= len(data)
        else:
            self._data = data
            self._missing = 0

    def next_string(self) -> bytes | None:
        """
        Return what the next netstring holds, or None if it is incomplete.

        Raises:
            NetstringTooLong: it has more than `limit` bytes.
            NetstringParseError: it is no netstring. Nothing says where the next
                one would begin, so each further call raises this again.
        """
        return next(self.strings(), None)

    def strings(self) -> Iterator[bytes]:
        """
        Yield what the next netstrings hold, up to one that is incomplete.

        A string counts as read when it is yielded, and `limit` holds for the next
        one. More may be fed meanwhile.

        Raises:
            NetstringTooLong, NetstringParseError: as `next_string`.
        """
        while self._missing <= 0:
            data = self._data
            start = self._start
            size = len(data)
            while True:
                colon = data.find(b":", start)
                digits = data[start:colon]
                length = _LENGTHS.get(digits) or _length(digits)
                begin = colon + 1
                end = begin + length
                if colon < 0 or length > self.limit or length < 0 or end >= size:
                    break
                if data[end] != _COMMA:
                    self.broken = True
                    raise NetstringParseError("netstring does not end with a comma")
                self._start = start = end + 1
                yield data[begin:end]
                if self._data is not data:
                    return  # taken
                if start == size:
                    break
            if start == size:
                missing = 1
            elif colon < 0 or length < 0 or length > self.limit:
                try:
                    _check_prefix(data[start : start + _PREFIX], self.limit)
                except NetstringParseError:
                    self.broken = True
                    raise
                missing = 1
            else:
                missing = end + 1 - size
            # Incomplete. Join what follows, or wait for it; keep nothing that was read.
            self._data = data[start:]
            self._start = 0
            self._missing = missing - len(self._more)
            if self._more:
                self._data += self._more
                self._more.clear()

    def take(self) -> bytes:
        """Forget what has been fed and not returned, and return it."""
        taken = self._data[self._start :] + self._more
        self._data = b""
        self._start = 0
        self._more.clear()
        self._missing = 1
        return taken


def _length(digits: bytes) -> int:
    """What the digits say, or -1 if they are no prefix of a netstring."""
    if not digits.isdigit() or (digits[0] == _ZERO and len(digits) > 1) or len(digits) >= _PREFIX:
        return -1
    length = int(digits)
    if len(_LENGTHS) < _MANY:
        _LENGTHS[digits] = length
    return length


def _check_prefix(prefix: bytes, limit: int) -> None:
    """
    Raise what is wrong with a prefix of a netstring.

    The first fault counts, so that the error does not depend on how the bytes
    were cut.
    """
    for end in range(1, len(prefix) + 1):
        digits = prefix[:end]
        if not digits.isdigit():
            raise NetstringParseError("netstring does not begin with digits and a colon")
        if digits[0] == _ZERO and end > 1:
            raise NetstringParseError("netstring length begins with a zero")
        if int(digits) > limit or end == _PREFIX:
            raise NetstringTooLong(limit)
