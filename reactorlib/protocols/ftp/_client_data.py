"""The client's ends of data connections."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet.defer import Deferred
from reactorlib.internet.protocol import ClientFactory, Protocol, ServerFactory, connectionDone
from reactorlib.protocols.ftp._address import same_host
from reactorlib.protocols.ftp._errors import UnexpectedData
from reactorlib.protocols.ftp._interfaces import IFinishableConsumer
from reactorlib.python.failure import Failure

__all__ = ["FTPDataPortFactory", "PassiveConnectionFactory", "ProtocolWrapper", "SenderProtocol"]


class ProtocolWrapper(Protocol):
    """
    Tells a Deferred when a protocol's connection is gone.

    Args:
        original: the protocol.
        deferred: fires then; fails if the connection broke.
    """

    def __init__(self, original: Any, deferred: Deferred[Any]) -> None:
        self.original = original
        self.deferred = deferred

    def makeConnection(self, transport: Any) -> None:
        """Pass it on."""
        super().makeConnection(transport)
        self.original.makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        """Pass it on."""
        self.original.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Pass it on, and say so."""
        try:
            self.original.connectionLost(reason)
        finally:
            _tell(self.deferred, reason)


def _tell(deferred: Deferred[Any], reason: Failure) -> None:
    if deferred.called:
        return
    if reason.check(error.ConnectionDone):
        deferred.callback(None)
    else:
        deferred.errback(reason)


@implementer(IFinishableConsumer)
class SenderProtocol(Protocol):
    """
    The data connection of an upload: a consumer, of which `finish` says the end.

    Attributes:
        connectedDeferred: fires with this when the connection is there.
        deferred: fires when it is gone.
    """

    def __init__(self) -> None:
        self.connectedDeferred: Deferred[Any] = Deferred()
        self.deferred: Deferred[Any] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """A server does not send here."""
        raise UnexpectedData("the server sent something while it was sent a file")

    def makeConnection(self, transport: Any) -> None:
        """The connection is there."""
        super().makeConnection(transport)
        if not self.connectedDeferred.called:
            self.connectedDeferred.callback(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        _tell(self.deferred, reason)

    def write(self, data: bytes) -> None:
        """Send."""
        self.transport.write(data)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Have the transport ask that producer for more."""
        self.transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self.transport.unregisterProducer()

    def finish(self) -> None:
        """The file is all there."""
        self.transport.loseConnection()


class FTPDataPortFactory(ServerFactory[Any]):
    """
    Takes one data connection, at the client.

    Attributes:
        protocol: the protocol itself.
        port: where it listens.
        peerHost: whose connection it has to be.
    """

    noisy = False
    protocol: Any = None
    port: Any = None
    peerHost: str | None = None

    def buildProtocol(self, addr: Any) -> Any:
        """The protocol, once."""
        if self.peerHost is not None and not same_host(addr.host, self.peerHost):
            return None
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            protocol.factory = self
            self.port.stopListening()
        return protocol


class PassiveConnectionFactory(ClientFactory[Any]):
    """Makes one data connection to the server."""

    noisy = False

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: Any) -> Any:
        self._protocol.factory = self
        return self._protocol

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        if not self._protocol.deferred.called:
            self._protocol.deferred.errback(reason)
