"""
Connections that are passed on to another host.

    reactor.listenTCP(8080, ProxyFactory("www.example.org", 80))

Nobody is read faster than the other side takes it. Where one side sends no more, the
other is told so, and may still answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from reactorlib.internet.interfaces import IHalfCloseableProtocol
from reactorlib.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from reactorlib.protocols._halves import close, join, send_end
from reactorlib.python.failure import Failure

__all__ = ["Proxy", "ProxyClient", "ProxyClientFactory", "ProxyFactory", "ProxyServer"]


@implementer(IHalfCloseableProtocol)
class Proxy(Protocol):
    """
    One end of a connection that is passed on.

    Attributes:
        noisy: whether the factory of the outgoing connection logs when it starts.
        peer: the other end, or None.
    """

    noisy = True
    peer: Proxy | None = None
    _ended = False

    def setPeer(self, peer: Proxy | None) -> None:
        """This is the other end."""
        self.peer = peer

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """This end is gone: close the other, once what was passed on has left."""
        peer, self.peer = self.peer, None
        if peer is not None and peer.transport is not None:
            peer.setPeer(None)
            close(peer.transport)

    def readConnectionLost(self) -> None:
        """This end sends no more: tell the other, once what was passed on has left."""
        self._ended = True
        if self.peer is not None and self.peer.transport is not None:
            send_end(self.peer.transport)

    def writeConnectionLost(self) -> None:
        """This end has been told that the other sends no more."""

    def dataReceived(self, data: bytes) -> None:
        """Pass it on."""
        if self.peer is not None:
            self.peer.transport.write(data)


class ProxyClient(Proxy):
    """The end that connects."""

    def connectionMade(self) -> None:
        """Let data flow in both directions, as fast as each side takes it."""
        server = self.peer
        if server is None:  # the other end has gone meanwhile
            self.transport.loseConnection()
            return
        server.setPeer(self)
        join(self.transport, server.transport)
        server.transport.resumeProducing()
        if server._ended:
            send_end(self.transport)


class ProxyClientFactory(ClientFactory[ProxyClient]):
    """Makes the end that connects, for one connection."""

    protocol = ProxyClient
    server: Proxy | None = None

    def setServer(self, server: Proxy | None) -> None:
        """This is the other end."""
        self.server = server

    def buildProtocol(self, addr: Any) -> ProxyClient | None:
        """The end that connects, which knows the other."""
        client = super().buildProtocol(addr)
        if client is not None:
            client.setPeer(self.server)
        return client

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        """There is no connection to pass it on to: close the other end."""
        if self.server is not None:
            self.server.transport.loseConnection()


class ProxyServer(Proxy):
    """
    The end that was connected to.

    Attributes:
        clientProtocolFactory: makes the factory of the end that connects.
        reactor: what connects; None for the one that runs.
    """

    clientProtocolFactory: Callable[[], ProxyClientFactory] = ProxyClientFactory
    reactor: Any = None
    _client: ProxyClientFactory | None = None
    _connector: Any = None

    def connectionMade(self) -> None:
        """Read nothing until there is a connection to pass it on to."""
        self.transport.pauseProducing()
        client = self._client = self.clientProtocolFactory()
        client.setServer(self)
        if not self.noisy:
            client.noisy = False
        if self.reactor is None:
            from reactorlib.internet import reactor

            self.reactor = reactor
        self._connector = self.reactor.connectTCP(self.factory.host, self.factory.port, client)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """This end is gone: close the other, or break the attempt off."""
        client, self._client = self._client, None
        if client is not None:
            client.setServer(None)
        connector, self._connector = self._connector, None
        if self.peer is None and connector is not None:
            connector.disconnect()
        super().connectionLost(reason)


class ProxyFactory(Factory[ProxyServer]):
    """
    Passes each connection on.

    Args:
        host: where to.
        port: its port.
    """

    protocol = ProxyServer

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
