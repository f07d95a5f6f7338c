"""One attempt of an endpoint to connect: the factory that the reactor sees."""

from __future__ import annotations

from typing import Any

from zope.interface import directlyProvides, implementer

from reactorlib.internet import error
from reactorlib.internet.defer import Deferred
from reactorlib.internet.endpoints._asyncio_protocol import as_factory, spoken_by
from reactorlib.internet.interfaces import (
    IFileDescriptorReceiver,
    IHalfCloseableProtocol,
    IHandshakeListener,
    ILoggingContext,
    IProtocol,
)
from reactorlib.internet.protocol import ClientFactory
from reactorlib.python.failure import Failure

__all__ = ["_WrappingFactory", "_WrappingProtocol"]

#: What a stand-in is, if the protocol behind it is.
_PASSED_ON = (IFileDescriptorReceiver, IHalfCloseableProtocol, IHandshakeListener)


class _WrappingFactory(ClientFactory[Any]):
    """
    Makes one connection for an endpoint, with a protocol of the user's factory.

    `_onConnection` fires with that, once its `connectionMade` has run.
    """

    noisy = False
    _connector: Any = None

    def __init__(self, wrappedFactory: Any) -> None:
        self._wrappedFactory = as_factory(wrappedFactory)
        self._onConnection: Deferred[Any] = Deferred(self._cancel)

    def _cancel(self, result: Deferred[Any]) -> None:
        connector = self._connector
        address = None if connector is None else connector.getDestination()
        result.errback(error.ConnectingCancelledError(address))
        if connector is not None:
            try:
                connector.stopConnecting()
            except error.NotConnectingError:
                connector.disconnect()

    def settle(self, outcome: Any) -> None:
        if not self._onConnection.called:
            self._onConnection.callback(outcome)

    def startedConnecting(self, connector: Any) -> None:
        self._connector = connector

    def doStart(self) -> None:
        self._wrappedFactory.doStart()

    def doStop(self) -> None:
        self._wrappedFactory.doStop()

    def buildProtocol(self, addr: Any) -> Any:
        try:
            protocol = self._wrappedFactory.buildProtocol(addr)
        except Exception:
            self.settle(Failure())
            return None
        if protocol is None:
            self.settle(Failure(error.NoProtocol("the factory made no protocol")))
            return None
        return _WrappingProtocol(self, protocol)

    def clientConnectionFailed(self, connector: Any, reason: Failure | Exception) -> None:
        if not self._onConnection.called:
            self._onConnection.errback(reason)

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        self.settle(reason)  # before it was made: connectionMade() failed


@implementer(IProtocol, ILoggingContext)
class _WrappingProtocol:
    """
    Stands in for a protocol until it is connected, then makes the attempt a
    success and gives its place to the protocol.

    A transport that keeps to the protocol it was given is served as well.
    """

    transport: Any = None

    def __init__(self, attempt: Any, wrappedProtocol: Any) -> None:
        self._attempt = attempt
        self._wrappedProtocol = wrappedProtocol
        also = [each for each in _PASSED_ON if each.providedBy(wrappedProtocol)]
        if also:
            directlyProvides(self, *also)

    @property
    def factory(self) -> Any:
        """The user's factory, for those who ask what will be spoken."""
        return getattr(self._wrappedProtocol, "factory", None)

    def logPrefix(self) -> str:
        if ILoggingContext.providedBy(self._wrappedProtocol):
            return str(self._wrappedProtocol.logPrefix())
        return str(self._wrappedProtocol.__class__.__name__)

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport
        if getattr(transport, "protocol", None) is self:
            transport.protocol = self._wrappedProtocol
        self._wrappedProtocol.makeConnection(transport)
        if isinstance(self._attempt, _WrappingFactory):
            self._attempt.settle(spoken_by(self._wrappedProtocol))

    def connectionMade(self) -> None:
        """That is the protocol's."""

    def dataReceived(self, data: bytes) -> None:
        self._wrappedProtocol.dataReceived(data)

    def connectionLost(self, reason: Failure) -> None:
        self._wrappedProtocol.connectionLost(reason)

    def fileDescriptorReceived(self, descriptor: int) -> None:
        self._wrappedProtocol.fileDescriptorReceived(descriptor)

    def readConnectionLost(self) -> None:
        self._wrappedProtocol.readConnectionLost()

    def writeConnectionLost(self) -> None:
        self._wrappedProtocol.writeConnectionLost()

    def handshakeCompleted(self) -> None:
        self._wrappedProtocol.handshakeCompleted()
