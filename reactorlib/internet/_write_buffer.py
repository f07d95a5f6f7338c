"""When a transport of ours asks its protocol to pause writing, and to go on."""

from __future__ import annotations

from typing import Any

__all__ = ["WriteBuffer"]

_HIGH_WATER = 65536


class WriteBuffer:
    """
    Mix-in for an asyncio transport: the limits of what waits to be sent.

    Attributes:
        _protocol: who is told.
        _size: how many bytes wait; after each change `_tell_flow` is called.
        _beside: for how many bytes more what waits beside them counts.
        _choked: whether the protocol has been told to pause writing.
    """

    _protocol: Any
    _size = 0
    _beside = 0
    _choked = False
    _high, _low = _HIGH_WATER, _HIGH_WATER // 4

    def _tell_flow(self) -> None:
        waits = self._size + self._beside
        if waits > self._high and not self._choked:
            self._choked = True
            self._protocol.pause_writing()
        elif self._choked and waits <= self._low and self._may_go_on():
            self._choked = False
            self._protocol.resume_writing()

    def _may_go_on(self) -> bool:
        """Whether the protocol may be told that there is room."""
        raise NotImplementedError

    def get_write_buffer_size(self) -> int:
        """How many bytes wait to be sent."""
        return self._size

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """When the protocol is told to resume, and to pause writing."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """When to tell the protocol to pause and resume writing."""
        self._high = _HIGH_WATER if high is None else high
        self._low = self._high // 4 if low is None else low
        self._tell_flow()
