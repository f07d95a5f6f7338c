"""Limits on idle time and on the number of connections."""

from __future__ import annotations

from typing import Any

from reactorlib.internet import reactor as _reactor
from reactorlib.internet.protocol import ServerFactory
from reactorlib.protocols.policies import ProtocolWrapper

__all__ = ["LimitTotalConnectionsFactory", "TimeoutMixin"]


class TimeoutMixin:
    """
    Does something when nothing happens for some time.

    Attributes:
        timeOut: for how many seconds; None for ever.
    """

    timeOut: float | None = None
    transport: Any
    __call: Any = None

    def callLater(self, period: float, func: Any) -> Any:
        """As the reactor's; tests may replace it."""
        return _reactor.callLater(period, func)

    def resetTimeout(self) -> None:
        """Something happened: wait for all of the time from now."""
        if self.__call is not None and self.timeOut is not None:
            self.__call.reset(self.timeOut)

    def setTimeout(self, period: float | None) -> float | None:
        """
        Wait for so many seconds from now, or for ever.

        Returns:
            what it was before.
        """
        before, self.timeOut = self.timeOut, period
        if self.__call is not None:
            if period is None:
                self.__call.cancel()
                self.__call = None
            else:
                self.__call.reset(period)
        elif period is not None:
            self.__call = self.callLater(period, self.__timed_out)
        return before

    def __timed_out(self) -> None:
        self.__call = None
        self.timeoutConnection()

    def timeoutConnection(self) -> None:
        """The time is over. Hangs up, unless overridden."""
        self.transport.loseConnection()


class LimitTotalConnectionsFactory(ServerFactory[Any]):
    """
    Makes protocols, inside wrappers, while there are not too many connections.

    Attributes:
        connectionCount: how many there are.
        connectionLimit: how many there may be; None for any number.
        overflowProtocol: makes the protocol of one more, which ought to hang up;
            None to close it at once.
    """

    connectionCount = 0
    connectionLimit: int | None = None
    overflowProtocol: Any = None

    def buildProtocol(self, addr: Any) -> Any:
        """A protocol in a `ProtocolWrapper`, or None."""
        if self.connectionLimit is None or self.connectionCount < self.connectionLimit:
            inner = None if self.protocol is None else self.protocol()
        else:
            inner = None if self.overflowProtocol is None else self.overflowProtocol()
        if inner is None:
            return None
        inner.factory = self
        self.connectionCount += 1
        return ProtocolWrapper(self, inner)

    def registerProtocol(self, p: Any) -> None:
        """A wrapper has its connection."""

    def unregisterProtocol(self, p: Any) -> None:
        """A wrapper has lost it."""
        self.connectionCount -= 1
