"""
Lines out of a byte stream.

Cutting lines off a buffer one by one is quadratic: each cut moves what is left.
Splitting everything at once is linear, but wasted when the owner stops after
the first line, to pause or to read raw data. So `LineSplitter` splits a window
of the buffer at a time: a small one after each stop, twice as large after each
success. Lines wait in a list iterator, which remembers by itself how far it
was read, so that handing out a line costs nothing but the iteration.

A line that comes in many pieces grows in a bytearray and is searched for its
delimiter from where the last search ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import length_hint

__all__ = ["LineSplitter", "LineTooLong"]

# Bytes to split at first, when little is known of the owner: some dozen lines.
_SMALL = 1024
# And at most: a quarter of a read of 64 KiB, after which more brings no speed.
_LARGE = 16384


class LineTooLong(ValueError):
    """The peer sent a line over the agreed `limit` (bytes, delimiter not counted)."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"line longer than {limit} bytes")
        self.limit = limit


class LineSplitter:
    """
    Cut a byte stream into delimiter-terminated lines.

    After `feed()`, call `next_line()` until it answers None. Cost is linear in
    the bytes fed, however they are cut and wherever the owner stops.

    Args:
        delimiter: what ends a line; not empty.
        limit: how many bytes a line may have, its delimiter not counted.

    Attributes:
        delimiter, limit: as above. `expect` changes them.
        idle: after what `ready` returned last, there is no line until more is fed.
    """

    def __init__(self, delimiter: bytes = b"\r\n", limit: int = 16384) -> None:
        self._data = b""  # what is being split,
        self._start = 0  # from here on
        self._more = bytearray()  # what follows `_data`,
        self._searched = 0  # in which no delimiter starts before this
        self.idle = True
        self._window = _SMALL
        # Lines that are split off: a list's iterator. They are the last bytes of `_data`
        # before `_start`, or, if that is 0, no more in `_data`.
        self._lines: Iterator[bytes] = iter(())
        self.delimiter = b""
        self.limit = 0
        self._enough = 0  # so many bytes without a line are a line too long
        self.expect(delimiter, limit)

    def expect(self, delimiter: bytes, limit: int) -> None:
        """
        Change the delimiter and the limit, from the next line on.

        Raises:
            ValueError: the delimiter is empty.
        """
        if delimiter == self.delimiter and limit == self.limit:
            return
        if not delimiter:
            raise ValueError("a line delimiter cannot be empty")
        self._unread()
        self.delimiter = delimiter
        self.limit = limit
        self._enough = limit + len(delimiter)
        self._searched = 0
        self.idle = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        # Copying the older bytes is paid for by the new ones if those are as many.
        if len(self._data) <= len(data) and not self._more:
            self._data += data
        else:
            self._more += data
        self.idle = False

    @property
    def empty(self) -> bool:
        """Once what `ready` returned last has been read: whether nothing is kept."""
        return not (self._data or self._more)

    def next_line(self) -> bytes | None:
        """
        Return the next line without its delimiter, or None if it is incomplete.

        Raises:
            LineTooLong: a line is longer than the limit, or will be. The buffer
                is left as it was, so that the caller can report or discard it.
        """
        lines = self.ready()
        return None if lines is None else next(lines)

    def ready(self) -> Iterator[bytes] | None:
        """
        Return some of the next lines, at least one, or None if there is none.

        A line counts as read when the iterator gives it, so the caller may stop
        at any line. The iterator ends early when `take` or `expect` get between.

        Raises:
            LineTooLong: as `next_line`.
        """
        if length_hint(self._lines):
            return self._lines
        if self.idle:
            return None
        while True:
            data = self._data
            start = self._start
            if start < len(data):
                window = data[start : start + self._window]
                lines = window.split(self.delimiter)
                if len(lines) > 1:
                    rest = lines.pop()
                    # Only a window longer than a line may be can hold a line too long.
                    if len(window) > self._enough and len(max(lines, key=len)) > self.limit:
                        lines = self._before_too_long(lines)
                        self._start += self._size(lines)
                    elif start + len(window) < len(data):
                        self._start = start + len(window) - len(rest)
                        if self._window < _LARGE:
                            self._window *= 2
                    else:
                        # Keep nothing that has been read.
                        self._data = rest
                        self._start = 0
                        self.idle = len(rest) < self._enough and not self._more
                    self._lines = iter(lines)
                    return self._lines
                # A line longer than the window.
                end = data.find(
                    self.delimiter,
                    max(start, start + len(window) - len(self.delimiter) + 1),
                    start + self._enough,
                )
                if end >= 0:
                    self._start = end + len(self.delimiter)
                    self._lines = iter([data[start:end]])
                    return self._lines
                if len(data) - start >= self._enough:
                    raise LineTooLong(self.limit)
            if not self._refill():
                self.idle = True
                return None

    def take(self) -> bytes:
        """Return all bytes that are not yet read as lines, and forget them."""
        self._unread()
        data = self._data[self._start :]
        if self._more:
            data += self._more
            self._more = bytearray()
            self._searched = 0
        self._data = b""
        self._start = 0
        self.idle = True
        return data

    def _refill(self) -> bool:
        """Let `_more` follow the incomplete line in `_data`, and say if it completes it."""
        if self._start:
            self._data = self._data[self._start :]
            self._start = 0
        more = self._more
        if not more:
            return False
        if self._data:
            more[:0] = self._data
            self._data = b""
        if more.find(self.delimiter, self._searched, self._enough) < 0:
            if len(more) >= self._enough:
                raise LineTooLong(self.limit)
            self._searched = max(0, len(more) - len(self.delimiter) + 1)
            return False
        self._data = bytes(more)
        self._more = bytearray()
        self._searched = 0
        return True

    def _unread(self) -> None:
        """Give back the lines that nobody read."""
        unread = list(self._lines)
        if unread:
            if self._start:
                self._start -= self._size(unread)
            else:
                self._data = self.delimiter.join([*unread, self._data])
            self._window = _SMALL

    def _size(self, lines: list[bytes]) -> int:
        """How many bytes the lines took up."""
        return sum(map(len, lines)) + len(lines) * len(self.delimiter)

    def _before_too_long(self, lines: list[bytes]) -> list[bytes]:
        """The lines before the first that is too long."""
        good = next(i for i, line in enumerate(lines) if len(line) > self.limit)
        if not good:
            raise LineTooLong(self.limit)
        return lines[:good]
