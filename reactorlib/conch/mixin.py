"""Writes that leave together."""

from __future__ import annotations

from typing import Any

__all__ = ["BufferingMixin"]


class BufferingMixin:
    """
    Mixed into a protocol: what is written leaves a moment later, as one.

    Attributes:
        DELAY: after how many seconds without another write.
    """

    DELAY: float = 0.0
    transport: Any
    __call: Any = None

    def schedule(self) -> Any:
        """Have `flush` called later: what stands for that call."""
        from reactorlib.internet import reactor

        return reactor.callLater(self.DELAY, self.flush)

    def reschedule(self, token: Any) -> None:
        """Put that call off: there is more."""
        token.reset(self.DELAY)

    def write(self, data: bytes) -> None:
        """Send `data`, a moment later."""
        if self.__call is None:
            self.__parts: list[bytes] = []
            self.__call = self.schedule()
        else:
            self.reschedule(self.__call)
        self.__parts.append(data)

    def flush(self) -> None:
        """Send what has been written."""
        self.__call = None
        parts, self.__parts = self.__parts, []
        self.transport.writeSequence(parts)
