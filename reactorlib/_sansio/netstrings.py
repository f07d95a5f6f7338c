"""
Netstrings out of a byte stream: https://cr.yp.to/proto/netstrings.txt.

A netstring is its length in decimal digits, a colon, that many bytes, a comma.
"""

from __future__ import annotations

__all__ = ["NetstringParseError", "NetstringParser", "NetstringTooLong", "encode"]

_COMMA = ord(",")
_ZERO = ord("0")
# A length has at most 20 digits: enough for 64 bits. So a peer that never sends
# the colon is found out, and no number that we convert is large.
_PREFIX = 21


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
    """

    def __init__(self, limit: int = 99999) -> None:
        self.limit = limit
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
        while self._missing <= 0:
            data = self._data
            start = self._start
            colon = data.find(b":", start)
            digits = data[start:colon]
            if (
                colon >= 0
                and digits.isdigit()
                and (data[start] != _ZERO or colon == start + 1)
                and colon - start < _PREFIX
                and (length := int(digits)) <= self.limit
            ):
                begin = colon + 1
                end = begin + length
                size = len(data)
                if end < size:
                    if data[end] != _COMMA:
                        raise NetstringParseError("netstring does not end with a comma")
                    if end + 1 < size:
                        self._start = end + 1
                    else:
                        self._data = b""
                        self._start = 0
                        self._missing = 1 - len(self._more)
                    return data[begin:end]
                missing = end + 1 - size
            else:
                _check_prefix(data[start : start + _PREFIX], self.limit)
                missing = 1
            # Incomplete. Join what follows, or wait for it; keep nothing that was read.
            self._data = data[start:]
            self._start = 0
            self._missing = missing - len(self._more)
            if self._more:
                self._data += self._more
                self._more.clear()
        return None

    def take(self) -> bytes:
        """Forget what has been fed and not returned, and return it."""
        taken = self._data[self._start :] + self._more
        self._data = b""
        self._start = 0
        self._more.clear()
        self._missing = 1
        return taken


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
