"""
Second names of some methods, by which programs for Twisted call them.

They are mix-ins, beside the methods that do the work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reactorlib.internet.defer import Deferred

__all__ = ["ListeningNames", "ReadingNames"]


class ReadingNames:
    """For what has `pauseProducing` and `resumeProducing`."""

    __slots__ = ()

    if TYPE_CHECKING:

        def pauseProducing(self) -> None: ...

        def resumeProducing(self) -> None: ...

    def startReading(self) -> None:
        """The same as `resumeProducing`."""
        self.resumeProducing()

    def stopReading(self) -> None:
        """The same as `pauseProducing`."""
        self.pauseProducing()


class ListeningNames:
    """For what has `stopListening` and `connected`."""

    if TYPE_CHECKING:
        connected: bool

        def stopListening(self) -> Deferred[Any]: ...

    @property
    def disconnected(self) -> bool:
        """Whether it does not listen."""
        return not self.connected

    def connectionLost(self, reason: object = None) -> None:
        """The same as `stopListening`."""
        self.stopListening()

    def loseConnection(self, connDone: object = None) -> Deferred[None]:
        """The same as `stopListening`."""
        return self.stopListening()
