"""Containers: keys without case, the last lines, intervals."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, TypeVar, cast

__all__ = ["InsensitiveDict", "IntervalDifferential", "LineLog"]

_V = TypeVar("_V")
_MISSING = object()


def _folded(key: Any) -> Any:
    return key.lower() if isinstance(key, (str, bytes)) else key


class InsensitiveDict(MutableMapping[Any, _V]):
    """
    A dictionary in which the case of keys, text or bytes, does not matter.

    Args:
        dict: what is in it.
        preserve: whether keys are given back as they were set, rather than in
            lower case.
    """

    def __init__(self, dict: Mapping[Any, _V] | None = None, preserve: bool | int = 1) -> None:
        self.preserve = preserve
        # The key as it is given back, and the value, by the key in lower case.
        self.data: Any = {}
        if dict is not None:
            self.update(dict)

    def __setitem__(self, key: Any, value: _V) -> None:
        folded = _folded(key)
        self.data[folded] = (key if self.preserve else folded, value)

    def __getitem__(self, key: Any) -> _V:
        return cast(_V, self.data[_folded(key)][1])

    def __delitem__(self, key: Any) -> None:
        del self.data[_folded(key)]

    def __contains__(self, key: object) -> bool:
        return _folded(key) in self.data

    def __iter__(self) -> Iterator[Any]:
        return (key for key, _ in self.data.values())

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        inside = ", ".join(f"{key!r}: {value!r}" for key, value in self.data.values())
        return f"InsensitiveDict({{{inside}}})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        mine = {key: value for key, (_, value) in self.data.items()}
        theirs = {_folded(key): value for key, value in other.items()}
        return len(other) == len(theirs) and mine == theirs

    __hash__ = None  # type: ignore[assignment]

    def has_key(self, key: Any) -> bool:
        """Whether the key is there."""
        return key in self

    def keys(self) -> list[Any]:  # type: ignore[override]
        """The keys."""
        return list(self)

    def values(self) -> list[_V]:  # type: ignore[override]
        """The values."""
        return [value for _, value in self.data.values()]

    def items(self) -> list[tuple[Any, _V]]:  # type: ignore[override]
        """The keys with their values."""
        return list(self.data.values())

    def iterkeys(self) -> Iterator[Any]:
        """The keys."""
        return iter(self)

    def itervalues(self) -> Iterator[_V]:
        """The values."""
        return iter(self.values())

    def iteritems(self) -> Iterator[tuple[Any, _V]]:
        """The keys with their values."""
        return iter(self.items())

    def copy(self) -> InsensitiveDict[_V]:
        """Another one with the same in it."""
        return InsensitiveDict(self, self.preserve)


class LineLog:
    """
    The last few lines of something.

    Args:
        size: how many are kept.
    """

    def __init__(self, size: int = 10) -> None:
        self.log: deque[bytes] = deque(maxlen=size)

    def append(self, line: bytes) -> None:
        """Add a line; the oldest one goes if there are too many."""
        self.log.append(line)

    def str(self) -> bytes:
        """All lines that are kept, the oldest first, with line ends between them."""
        return b"\n".join(self.log)

    def __getitem__(self, item: Any) -> Any:
        return list(self.log)[item]

    def clear(self) -> None:
        """Forget all lines."""
        self.log.clear()


class IntervalDifferential:
    """
    The times between the instants of several rhythms.

    Iterating gives, without end, how long it is to the next instant, and the
    index of the interval that it is one of: of intervals 3 and 5 come (3, 0),
    (2, 1), (1, 0), (3, 0), (1, 1) and so on. The iterator has `addInterval` and
    `removeInterval`.

    Args:
        intervals: their lengths.
        default: how long it is while there is no interval; the index is None.
    """

    def __init__(self, intervals: Iterable[float], default: float = 60) -> None:
        self.intervals = list(intervals)
        self.default = default

    def __iter__(self) -> _Differences:
        return _Differences(self.intervals, self.default)


class _Differences:
    """An iterator of an `IntervalDifferential`."""

    def __init__(self, intervals: Iterable[float], default: float) -> None:
        self.default = default
        self._now: float = 0
        # The next instant of each, its length, and its place in the list.
        self._next = [[length, index, length] for index, length in enumerate(intervals)]
        heapq.heapify(self._next)

    def __iter__(self) -> _Differences:
        return self

    def __next__(self) -> tuple[float, int | None]:
        if not self._next:
            return self.default, None
        instant, index, length = self._next[0]
        passed, self._now = instant - self._now, instant
        heapq.heapreplace(self._next, [instant + length, index, length])
        return passed, int(index)

    def addInterval(self, interval: float) -> None:
        """Add an interval: its first instant is that long after the last one."""
        heapq.heappush(self._next, [self._now + interval, len(self._next), interval])

    def removeInterval(self, interval: float) -> None:
        """
        Take one away; those behind it move up.

        Raises:
            ValueError: there is none of that length.
        """
        for entry in self._next:
            if entry[2] == interval:
                break
        else:
            raise ValueError(f"there is no interval of {interval}")
        self._next.remove(entry)
        for other in self._next:
            other[1] -= other[1] > entry[1]
        heapq.heapify(self._next)
