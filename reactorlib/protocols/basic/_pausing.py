"""What a protocol that can be paused has."""

from __future__ import annotations

from typing import Any

__all__ = ["_PauseableMixin"]


class _PauseableMixin:
    """
    Be the push producer of what is received.

    Attributes:
        paused: whether nothing is delivered now; what comes meanwhile is kept.
    """

    paused = False
    transport: Any

    def pauseProducing(self) -> None:
        """Deliver nothing, and let the peer wait, until `resumeProducing`."""
        self.paused = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Deliver what has been kept, then what comes."""
        self.paused = False
        self.transport.resumeProducing()
        self.dataReceived(b"")

    def stopProducing(self) -> None:
        """Deliver nothing more, and hang up."""
        self.paused = True
        self.transport.stopProducing()

    def dataReceived(self, data: bytes) -> Any:
        """Take bytes; none, to deliver what has been kept."""
        raise NotImplementedError
