"""Connections that end when nothing happens on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from reactorlib.internet.protocol import connectionDone
from reactorlib.protocols.policies._wrapping import ProtocolWrapper, WrappingFactory
from reactorlib.python.failure import Failure

__all__ = ["TimeoutFactory", "TimeoutMixin", "TimeoutProtocol"]


def _call_later(period: float, func: Callable[[], object]) -> Any:
    from reactorlib.internet import reactor

    return reactor.callLater(period, func)


class TimeoutProtocol(ProtocolWrapper):
    """
    Closes the connection when nothing has come or been written for a while.

    Args:
        timeoutPeriod: how long that is, in seconds; None for no limit. It counts
            from when the connection is made.

    Attributes:
        timeoutPeriod: as above.
        timeoutCall: the delayed call that will close it, or None.
    """

    def __init__(self, factory: Any, wrappedProtocol: Any, timeoutPeriod: float | None) -> None:
        super().__init__(factory, wrappedProtocol)
        self.timeoutCall: Any = None
        self.timeoutPeriod = timeoutPeriod
        self._producer: Any = None

    def makeConnection(self, transport: Any) -> None:
        """Take the transport; the time begins."""
        self.setTimeout()
        super().makeConnection(transport)

    def setTimeout(self, timeoutPeriod: float | None = None) -> None:
        """
        Begin anew.

        Args:
            timeoutPeriod: seconds; None to leave them as they are.
        """
        self.cancelTimeout()
        if timeoutPeriod is not None:
            self.timeoutPeriod = timeoutPeriod
        if self.timeoutPeriod is not None:
            self.timeoutCall = self.factory.callLater(self.timeoutPeriod, self.timeoutFunc)

    def cancelTimeout(self) -> None:
        """Set no limit until the next `setTimeout`."""
        call, self.timeoutCall = self.timeoutCall, None
        if call is not None and call.active():
            call.cancel()

    def resetTimeout(self) -> None:
        """Something happened: the time begins anew, if there is a limit."""
        call = self.timeoutCall
        if call is not None and call.active():
            call.reset(self.timeoutPeriod)

    def write(self, data: bytes) -> None:
        """Send `data`."""
        self.resetTimeout()
        super().write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send several pieces as one."""
        self.resetTimeout()
        super().writeSequence(data)

    def dataReceived(self, data: bytes) -> None:
        """Bytes came in."""
        self.resetTimeout()
        super().dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self.cancelTimeout()
        super().connectionLost(reason)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Let `producer` know when to write."""
        super().registerProducer(producer, streaming)
        self._producer = producer

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self._producer = None
        super().unregisterProducer()

    def timeoutFunc(self) -> None:
        """Nothing happened for too long. Stops a producer and hangs up, unless overridden."""
        producer = self._producer
        try:
            if producer is not None:
                # It has had its time: to wait until it is done might be for ever.
                self.unregisterProducer()
                producer.stopProducing()
        finally:
            self.loseConnection()


class TimeoutFactory(WrappingFactory[TimeoutProtocol]):
    """
    Closes idle connections; see `TimeoutProtocol`.

    Args:
        wrappedFactory: whose protocols to wrap.
        timeoutPeriod: seconds; None for no limit.
    """

    protocol = TimeoutProtocol

    # As in Twisted: half an hour.
    def __init__(self, wrappedFactory: Any, timeoutPeriod: float | None = 30 * 60) -> None:
        super().__init__(wrappedFactory)
        self.timeoutPeriod = timeoutPeriod

    def buildProtocol(self, addr: Any) -> TimeoutProtocol | None:
        """A protocol of the wrapped factory, wrapped; None if that refuses."""
        wrapped = self.wrappedFactory.buildProtocol(addr)
        if wrapped is None:
            return None
        return self.protocol(self, wrapped, timeoutPeriod=self.timeoutPeriod)

    def callLater(self, period: float, func: Callable[[], object]) -> Any:
        """The reactor's; may be overridden, as with that of a Clock."""
        return _call_later(period, func)


class TimeoutMixin:
    """
    Mixed into a protocol: a time limit that the protocol sets and resets.

    Attributes:
        timeOut: the limit in seconds, or None.
    """

    timeOut: float | None = None
    transport: Any
    __call: Any = None

    def callLater(self, period: float, func: Callable[[], object]) -> Any:
        """The reactor's; may be overridden, as with that of a Clock."""
        return _call_later(period, func)

    def resetTimeout(self) -> None:
        """Begin anew: the peer is still there. Nothing if there is no limit now."""
        call = self.__call
        if call is not None and self.timeOut is not None and call.active():
            call.reset(self.timeOut)

    def setTimeout(self, period: float | None) -> float | None:
        """
        Set the limit, from now on.

        Args:
            period: seconds; None for no limit, as in `connectionLost`.

        Returns:
            the limit there was.
        """
        before, self.timeOut = self.timeOut, period
        call, self.__call = self.__call, None
        if call is not None and call.active():
            if period is not None:
                call.reset(period)
                self.__call = call
            else:
                call.cancel()
        elif period is not None:
            self.__call = self.callLater(period, self.__timed_out)
        return before

    def __timed_out(self) -> None:
        self.__call = None
        self.timeoutConnection()

    def timeoutConnection(self) -> None:
        """The time is over. Hangs up, unless overridden."""
        self.transport.loseConnection()
