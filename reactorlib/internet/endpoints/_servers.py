"""Places to listen at."""

from __future__ import annotations

import os
from typing import Any

from zope.interface import implementer

from reactorlib.internet import error, fdesc
from reactorlib.internet.defer import Deferred, maybeDeferred
from reactorlib.internet.endpoints._asyncio_protocol import as_factory
from reactorlib.internet.interfaces import IStreamServerEndpoint
from reactorlib.internet.stdio import PipeAddress, StandardIO

__all__ = [
    "AdoptedStreamServerEndpoint",
    "SSL4ServerEndpoint",
    "StandardIOEndpoint",
    "TCP4ServerEndpoint",
    "TCP6ServerEndpoint",
    "UNIXServerEndpoint",
]


@implementer(IStreamServerEndpoint)
class _Server:
    """Somewhere to listen. Subclasses say how, in `_begin`."""

    _reactor: Any

    def _begin(self, factory: Any) -> Any:
        """Have the reactor listen for `factory`; it is looked up only now."""
        raise NotImplementedError

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        """
        Accept connections.

        Args:
            protocolFactory: a Factory, or what makes an `asyncio.Protocol`.

        Returns:
            a Deferred that fires with the port, or fails with `CannotListenError`.
        """
        return maybeDeferred(self._begin, as_factory(protocolFactory))


class _TCPServer(_Server):
    """A TCP port."""

    def __init__(self, reactor: Any, port: int, backlog: int, interface: str) -> None:
        self._reactor = reactor
        self._port = port
        self._backlog = backlog
        self._interface = interface

    def _begin(self, factory: Any) -> Any:
        return self._reactor.listenTCP(
            self._port, factory, backlog=self._backlog, interface=self._interface
        )


class TCP4ServerEndpoint(_TCPServer):
    """
    A TCP port on IPv4.

    Args:
        reactor: the reactor to listen with.
        port: its number; 0 for any that is free.
        backlog: how many connections may wait to be accepted.
        interface: the local address; empty for all.
    """

    def __init__(self, reactor: Any, port: int, backlog: int = 50, interface: str = "") -> None:
        super().__init__(reactor, port, backlog, interface)


class TCP6ServerEndpoint(_TCPServer):
    """
    A TCP port on IPv6.

    Args:
        reactor: the reactor to listen with.
        port: its number; 0 for any that is free.
        backlog: how many connections may wait to be accepted.
        interface: the local address; "::" for all.
    """

    def __init__(self, reactor: Any, port: int, backlog: int = 50, interface: str = "::") -> None:
        super().__init__(reactor, port, backlog, interface)


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
        self._reactor = reactor
        self._port = port
        self._sslContextFactory = sslContextFactory
        self._backlog = backlog
        self._interface = interface

    def _begin(self, factory: Any) -> Any:
        return self._reactor.listenSSL(
            self._port,
            factory,
            contextFactory=self._sslContextFactory,
            backlog=self._backlog,
            interface=self._interface,
        )

    def _beneath_tls(self) -> tuple[Any, Any]:
        """The same port without TLS, and the settings: something may come before TLS."""
        plain = TCP4ServerEndpoint(self._reactor, self._port, self._backlog, self._interface)
        return plain, self._sslContextFactory


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
        self._reactor = reactor
        self._address = address
        self._backlog = backlog
        self._mode = mode
        self._wantPID = wantPID

    def _begin(self, factory: Any) -> Any:
        return self._reactor.listenUNIX(
            self._address,
            factory,
            backlog=self._backlog,
            mode=self._mode,
            wantPID=self._wantPID,
        )


class AdoptedStreamServerEndpoint(_Server):
    """
    A socket that somebody else has bound, and that listens.

    Its descriptor is this endpoint's from the first `listen()` on, which closes it:
    the port has a duplicate.

    Args:
        reactor: the reactor to listen with.
        fileno: the descriptor of the socket.
        addressFamily: its family: AF_INET, AF_INET6 or AF_UNIX.
    """

    _close = staticmethod(os.close)
    _setNonBlocking = staticmethod(fdesc.setNonBlocking)

    def __init__(self, reactor: Any, fileno: int, addressFamily: int) -> None:
        self.reactor = reactor
        self.fileno = fileno
        self.addressFamily = addressFamily
        self._used = False

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        """
        Accept connections.

        Args:
            protocolFactory: a Factory, or what makes an `asyncio.Protocol`.

        Returns:
            a Deferred that fires with the port. It fails with `AlreadyListened`
            the second time, and as `adoptStreamPort` if it cannot be adopted.
        """
        return super().listen(protocolFactory)

    def _begin(self, factory: Any) -> Any:
        if self._used:
            raise error.AlreadyListened(
                f"descriptor {self.fileno} was listened at before; it is closed now"
            )
        self._used = True
        self._setNonBlocking(self.fileno)
        port = self.reactor.adoptStreamPort(self.fileno, self.addressFamily, factory)
        self._close(self.fileno)
        return port


class StandardIOEndpoint(_Server):
    """
    Standard input and output: one connection, at once.

    Args:
        reactor: whose loop reads and writes.
    """

    _stdio = StandardIO

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        """
        Connect a protocol to standard input and output.

        Args:
            protocolFactory: a Factory, or what makes an `asyncio.Protocol`.

        Returns:
            a Deferred that fires with the `StandardIO`; it fails with `NoProtocol`
            if the factory refuses.
        """
        return super().listen(protocolFactory)

    def _begin(self, factory: Any) -> Any:
        protocol = factory.buildProtocol(PipeAddress())
        if protocol is None:
            raise error.NoProtocol("the factory made no protocol")
        return self._stdio(protocol, reactor=self._reactor)
