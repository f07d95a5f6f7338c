"""
Boxes as bytes.

A box is a sequence of keys and values, each after its length in two bytes, and ends
with a key of no length. A key has at most 255 bytes, so the first byte of its length
is always 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Generic, TypeVar

from reactorlib.protocols.amp._errors import TooLong

__all__ = ["MAX_BOX_LENGTH", "MAX_KEY_LENGTH", "MAX_VALUE_LENGTH", "BoxReader", "serialize"]

_Box = TypeVar("_Box", bound=MutableMapping[bytes, bytes])

MAX_KEY_LENGTH = 0xFF
MAX_VALUE_LENGTH = 0xFFFF

#: The most that one box may take, in bytes. The format knows no limit: a peer that never ends
#: its box would fill the memory. This is 255 values of full length.
MAX_BOX_LENGTH = 255 * MAX_VALUE_LENGTH

_LENGTHS = [length.to_bytes(2, "big") for length in range(MAX_KEY_LENGTH + 1)]


def serialize(box: Mapping[Any, Any]) -> bytes:
    """
    The bytes of a box, its keys in order.

    Raises:
        TypeError: a key or value is text.
        TooLong: a key or value is longer than its length can tell.
    """
    parts: list[bytes] = []
    try:
        for key, value in sorted(box.items()):
            size = len(value)
            parts += (
                _LENGTHS[len(key)],
                key,
                _LENGTHS[size] if size <= MAX_KEY_LENGTH else size.to_bytes(2, "big"),
                value,
            )
        parts.append(b"\0\0")
        return b"".join(parts)
    except (IndexError, OverflowError, TypeError):
        _complain(box)
        raise


def _complain(box: Mapping[Any, Any]) -> None:
    """Raise what `serialize` says about a box that cannot be sent."""
    for key, value in box.items():
        if type(key) is str:
            raise TypeError(f"Unicode key not allowed: {key!r}")
        if type(value) is str:
            raise TypeError(f"Unicode value for key {key!r} not allowed: {value!r}")
        if len(key) > MAX_KEY_LENGTH:
            raise TooLong(True, True, key, None)
        if len(value) > MAX_VALUE_LENGTH:
            raise TooLong(False, True, value, key)


class BoxReader(Generic[_Box]):
    """
    Takes bytes, and gives boxes.

    After `feed()`, call `next_box()` until it answers None. Cost is linear in the
    bytes fed, however they are cut.

    Args:
        make: what makes an empty box.

    Attributes:
        more: whether bytes follow the box that `next_box` returned last.
    """

    __slots__ = ("_box", "_buffer", "_key", "_make", "_size", "_start", "more")

    def __init__(self, make: Callable[[], _Box]) -> None:
        self._make = make
        self._buffer: bytes | bytearray = b""
        self._start = 0
        self._box = make()
        self._key: bytes | None = None
        self._size = 0  # of what of this box has been taken
        self.more = False

    def feed(self, data: bytes) -> None:
        """Bytes came in."""
        buffer = self._buffer
        start = self._start
        kept = len(buffer) - start
        if not kept:
            self._buffer = data
            self._start = 0
        elif type(buffer) is bytes and kept <= len(data):
            # Copying the older bytes is paid for by the new ones, which are as many.
            self._buffer = buffer[start:] + data
            self._start = 0
        else:
            if type(buffer) is not bytearray:
                buffer = self._buffer = bytearray(memoryview(buffer)[start:])
                self._start = 0
            buffer += data

    def next_box(self) -> _Box | None:
        """
        The next box, or None if it is incomplete.

        Raises:
            TooLong: a key, or the box, is longer than allowed. There is no way on.
        """
        buffer = self._buffer
        begun = start = self._start
        end = len(buffer)
        key: Any = self._key
        box: Any = self._box
        room = MAX_BOX_LENGTH - self._size
        whole = type(buffer) is bytes  # a part of it is bytes as well, and needs no copy
        while True:
            if key is None:
                begin = start + 2
                if begin > end:
                    break
                if buffer[start]:
                    raise TooLong(True, False, None, None)
                stop = begin + buffer[start + 1]
                if stop > end:
                    break
                if stop - begun > room:
                    raise TooLong(False, False, None, None)
                if stop == begin:
                    self._key = None
                    self._box = self._make()
                    self._size = 0
                    self._keep(stop)
                    finished: _Box = box
                    return finished
                key = buffer[begin:stop] if whole else bytes(buffer[begin:stop])
                start = stop
            begin = start + 2
            if begin > end:
                break
            stop = begin + buffer[start + 1]
            if high := buffer[start]:
                stop += high << 8
            if stop > end:
                break
            if stop - begun > room:
                raise TooLong(False, False, None, key)
            if whole:
                box[key] = buffer[begin:stop]
            else:
                with memoryview(buffer) as view:
                    box[key] = bytes(view[begin:stop])
            key = None
            start = stop
        self._key = key
        self._size += start - begun
        self._keep(start)
        return None

    def _keep(self, start: int) -> None:
        """Forget the bytes before `start`, once they are many."""
        buffer = self._buffer
        if start == len(buffer):
            self._buffer = b""
            self._start = 0
            self.more = False
            return
        if type(buffer) is bytearray and start > MAX_VALUE_LENGTH:
            del buffer[:start]
            start = 0
        self._start = start
        self.more = True

    def take(self) -> bytes:
        """The bytes that no box has been made of; they are forgotten here."""
        rest = bytes(self._buffer[self._start :])
        self._buffer = b""
        self._start = 0
        return rest

    @property
    def unfinished(self) -> bool:
        """Whether a box has begun and not ended."""
        return bool(self._box) or self._key is not None or self._start < len(self._buffer)
