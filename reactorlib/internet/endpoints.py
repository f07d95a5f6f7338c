"""Endpoints: where to listen or connect, apart from what is spoken there."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet.defer import Deferred, maybeDeferred
from reactorlib.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint
from reactorlib.internet.protocol import ClientFactory
from reactorlib.python.failure import Failure

__all__ = [
    "SSL4ClientEndpoint",
    "SSL4ServerEndpoint",
    "TCP4ClientEndpoint",
    "TCP4ServerEndpoint",
    "TCP6ServerEndpoint",
    "UNIXClientEndpoint",
    "UNIXServerEndpoint",
]


@implementer(IStreamServerEndpoint)
class _Server:
    """
    Somewhere to listen.

    Subclasses say by which of the reactor's methods, and what it takes beside the
    factory. It is looked up when it is used: `reactor` may mean another one by then.
    """

    def __init__(self, reactor: Any, method: str, where: Any, **kwargs: Any) -> None:
        self._reactor = reactor
        self._method = method
        self._where = where
        self._kwargs = kwargs

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        """Accept connections; fires with the port, or fails with `CannotListenError`."""
        listen = getattr(self._reactor, self._method)
        return maybeDeferred(listen, self._where, protocolFactory, **self._kwargs)


class TCP4ServerEndpoint(_Server):
    """
    A TCP port on IPv4.

    Args:
        reactor: the reactor to listen with.
        port: its number; 0 for any that is free.
        backlog: how many connections may wait to be accepted.
        interface: the local address; empty for all.
    """

    def __init__(self, reactor: Any, port: int, backlog: int = 50, interface: str = "") -> None:
        super().__init__(reactor, "listenTCP", port, backlog=backlog, interface=interface)


class TCP6ServerEndpoint(_Server):
    """
    A TCP port on IPv6.

    Args:
        reactor: the reactor to listen with.
        port: its number; 0 for any that is free.
        backlog: how many connections may wait to be accepted.
        interface: the local address; "::" for all.
    """

    def __init__(self, reactor: Any, port: int, backlog: int = 50, interface: str = "::") -> None:
        super().__init__(reactor, "listenTCP", port, backlog=backlog, interface=interface)


class SSL4ServerEndpoint(_Server):
    """
    A TCP port on IPv4 with TLS.

    Args:
        reactor: the reactor to listen with.
        port: its number; 0 for any that is free.
        sslContextFactory: the TLS settings, in any form that `reactorlib.internet.ssl` knows.
        backlog: how many connections may wait to be accepted.
        interface: the local address; empty for all.
    """

    def __init__(
        self,
        reactor: Any,
        port: int,
        sslContextFactory: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> None:
        super().__init__(
            reactor,
            "listenSSL",
            port,
            contextFactory=sslContextFactory,
            backlog=backlog,
            interface=interface,
        )


class UNIXServerEndpoint(_Server):
    """
    A UNIX socket.

    Args:
        reactor: the reactor to listen with.
        address: its path.
        backlog: how many connections may wait to be accepted.
        mode: the permissions of the file.
        wantPID: whether to hold a lock file beside it.
    """

    def __init__(
        self,
        reactor: Any,
        address: Any,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: bool = False,
    ) -> None:
        super().__init__(
            reactor, "listenUNIX", address, backlog=backlog, mode=mode, wantPID=wantPID
        )


@implementer(IStreamClientEndpoint)
class _Client:
    """
    Somewhere to connect to.

    Subclasses say by which of the reactor's methods, and what it takes before and
    after the factory.
    """

    def __init__(self, reactor: Any, method: str, *where: Any, **kwargs: Any) -> None:
        self._reactor = reactor
        self._method = method
        self._where = where
        self._kwargs = kwargs

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
            connect = getattr(self._reactor, self._method)
            attempt.connector = connect(*self._where, attempt, **self._kwargs)
        except Exception:
            attempt.settle(Failure())
        return attempt.result


class TCP4ClientEndpoint(_Client):
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
        bindAddress: Any = None,
    ) -> None:
        super().__init__(
            reactor, "connectTCP", host, port, timeout=timeout, bindAddress=bindAddress
        )


class SSL4ClientEndpoint(_Client):
    """
    A TCP port of another host, with TLS.

    Args:
        reactor: the reactor to connect with.
        host: the name or address of the host.
        port: the port's number.
        sslContextFactory: the TLS settings, in any form that `reactorlib.internet.ssl` knows.
        timeout: seconds after which an attempt fails.
        bindAddress: the local host and port to connect from.
    """

    def __init__(
        self,
        reactor: Any,
        host: str,
        port: int,
        sslContextFactory: Any,
        timeout: float = 30,
        bindAddress: Any = None,
    ) -> None:
        super().__init__(
            reactor,
            "connectSSL",
            host,
            port,
            contextFactory=sslContextFactory,
            timeout=timeout,
            bindAddress=bindAddress,
        )


class UNIXClientEndpoint(_Client):
    """
    A UNIX socket that somebody listens at.

    Args:
        reactor: the reactor to connect with.
        path: its path.
        timeout: seconds after which an attempt fails.
        checkPID: whether to look at the lock file beside it first.
    """

    def __init__(
        self, reactor: Any, path: Any, timeout: float = 30, checkPID: bool = False
    ) -> None:
        super().__init__(reactor, "connectUNIX", path, timeout=timeout, checkPID=checkPID)


class _Attempt(ClientFactory[Any]):
    """Makes one connection for an endpoint, with a protocol of the user's factory."""

    noisy = False
    connector: Any

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
