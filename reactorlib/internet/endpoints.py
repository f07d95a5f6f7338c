"""Endpoints: where to listen or connect, apart from what is spoken there."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet.defer import Deferred, maybeDeferred
from reactorlib.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint
from reactorlib.internet.protocol import ClientFactory
from reactorlib.internet.tcp import Connector, Port
from reactorlib.python.failure import Failure

__all__ = ["TCP4ClientEndpoint", "TCP4ServerEndpoint"]


@implementer(IStreamServerEndpoint)
class TCP4ServerEndpoint:
    """
    A TCP port on IPv4.

    Args:
        reactor: the reactor to listen with.
        port: its number; 0 for any that is free.
        backlog: how many connections may wait to be accepted.
        interface: the local address; empty for all.
    """

    def __init__(self, reactor: Any, port: int, backlog: int = 50, interface: str = "") -> None:
        self._reactor = reactor
        self._port = port
        self._backlog = backlog
        self._interface = interface

    def listen(self, protocolFactory: Any) -> Deferred[Port]:
        """Accept connections; fires with the port, or fails with `CannotListenError`."""
        return maybeDeferred(
            self._reactor.listenTCP,
            self._port,
            protocolFactory,
            backlog=self._backlog,
            interface=self._interface,
        )


@implementer(IStreamClientEndpoint)
class TCP4ClientEndpoint:
    """
    A TCP port of another host, on IPv4.

    Args:
        reactor: the reactor to connect with.
        host: the name or address of the host.
        port: the port's number.
        timeout: seconds after which an attempt fails.
        bindAddress: the local host and port to connect from.
    """

    def __init__(
        self,
        reactor: Any,
        host: str,
        port: int,
        timeout: float = 30,
        bindAddress: tuple[str, int] | None = None,
    ) -> None:
        self._reactor = reactor
        self._host = host
        self._port = port
        self._timeout = timeout
        self._bindAddress = bindAddress

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """
        Open a connection.

        Returns:
            a Deferred that fires with the protocol once its `connectionMade` has
            run. It fails with a `ConnectError` or `DNSLookupError`, with
            `NoProtocol` if the factory refuses, and with
            `ConnectingCancelledError` when it is cancelled.
        """
        attempt = _Attempt(protocolFactory)
        try:
            attempt.connector = self._reactor.connectTCP(
                self._host,
                self._port,
                attempt,
                timeout=self._timeout,
                bindAddress=self._bindAddress,
            )
        except Exception:
            attempt.settle(Failure())
        return attempt.result


class _Attempt(ClientFactory[Any]):
    """Makes one connection for an endpoint, with a protocol of the user's factory."""

    noisy = False
    connector: Connector

    def __init__(self, factory: Any) -> None:
        self._factory = factory
        self.result: Deferred[Any] = Deferred(self._cancel)

    def _cancel(self, result: Deferred[Any]) -> None:
        result.errback(error.ConnectingCancelledError(self.connector.getDestination()))
        self.connector.disconnect()

    def settle(self, outcome: Any) -> None:
        if not self.result.called:
            self.result.callback(outcome)

    def doStart(self) -> None:
        self._factory.doStart()

    def doStop(self) -> None:
        self._factory.doStop()

    def buildProtocol(self, addr: Any) -> Any:
        try:
            protocol = self._factory.buildProtocol(addr)
        except Exception:
            self.settle(Failure())
            return None
        if protocol is None:
            self.settle(Failure(error.NoProtocol("the factory made no protocol")))
            return None
        return _Introduction(protocol, self)

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.settle(reason)

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        self.settle(reason)  # before it was made: connectionMade() failed


class _Introduction:
    """
    Stands in for a protocol until it is connected, then makes the attempt a
    success and gives its place to the protocol.
    """

    def __init__(self, protocol: Any, attempt: _Attempt) -> None:
        self.protocol = protocol
        self._attempt = attempt

    def makeConnection(self, transport: Any) -> None:
        transport.protocol = self.protocol
        self.protocol.makeConnection(transport)
        self._attempt.settle(self.protocol)

    # A transport that keeps to the protocol it was given is served as well.

    def dataReceived(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def connectionLost(self, reason: Failure) -> None:
        self.protocol.connectionLost(reason)
