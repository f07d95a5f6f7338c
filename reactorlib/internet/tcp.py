"""Listening and connecting over TCP, with TLS or without."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from dataclasses import dataclass, replace
from errno import EINPROGRESS, EWOULDBLOCK
from typing import TYPE_CHECKING, Any, cast

from reactorlib.internet import error
from reactorlib.internet._connecting import StreamConnector
from reactorlib.internet._listening import StreamPort
from reactorlib.internet._tcp_connection import TCPConnection
from reactorlib.internet.address import IPv4Address, IPv6Address

if TYPE_CHECKING:
    from reactorlib.internet._reactor._core import LoopReactor
    from reactorlib.internet._reactor._names import NameReactor

# The two numbers are where programs for Twisted look for them.
__all__ = ["EINPROGRESS", "EWOULDBLOCK", "Binding", "Connector", "Port", "makeBinding"]


def check_port(port: object, kind: str = "TCP") -> int:
    """
    Return a port number as an int.

    Raises:
        TypeError, ValueError: it is no number, or out of range.
    """
    if isinstance(port, bool) or not isinstance(port, int):
        raise TypeError(f"a {kind} port is a number, not {port!r}")
    if not 0 <= port <= 65535:
        raise ValueError(f"a {kind} port is a number from 0 to 65535, not {port}")
    return port


@dataclass(frozen=True, slots=True)
class Binding:
    """How to bind on this side; see `makeBinding`."""

    interface: str
    port: int
    reuseAddress: bool
    reusePort: bool


def makeBinding(
    interface: str = "",
    port: int = 0,
    reuseAddress: bool = False,
    reusePort: bool = False,
) -> Binding:
    """
    Say how to bind on this side, for the `port` of `listenTCP` and the
    `bindAddress` of `connectTCP`.

    Args:
        interface: the local address.
        port: the local port; 0 for any that is free.
        reuseAddress: whether to set SO_REUSEADDR, without which an address is not
            free for some time after its last connection.
        reusePort: whether to set SO_REUSEPORT: several sockets, of several
            processes too, share the port, and the system spreads connections.
    """
    return Binding(interface, check_port(port), reuseAddress, reusePort)


def _bind(sock: socket.socket, binding: Binding) -> None:
    if binding.reuseAddress:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if binding.reusePort:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    address: Any = (binding.interface, binding.port)
    if sock.family == socket.AF_INET6 and binding.interface:
        # A link-local address names its network ("%eth0"), which only this understands.
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        [(*_, address), *_] = socket.getaddrinfo(
            binding.interface,
            binding.port,
            family=sock.family,
            type=socket.SOCK_STREAM,
            flags=flags,
        )
    sock.bind(address)


class Port(StreamPort):
    """
    A TCP port that accepts connections.

    Args:
        port: its number; 0 for any that is free; or a `makeBinding`.
        factory: what makes a protocol for each connection.
        backlog: how many connections may wait to be accepted.
        interface: the local address; empty for all IPv4 ones, "::" for all.
        reactor: whose it is; by default the one of the loop that runs.
        tls: a context factory, for TLS from the first byte.
        adopted: a socket that is bound and listens already.

    Attributes:
        port, interface: as asked for.
    """

    _connection = TCPConnection

    def __init__(
        self,
        port: int | Binding,
        factory: Any,
        backlog: int = 50,
        interface: str = "",
        reactor: LoopReactor | None = None,
        tls: Any = None,
        adopted: socket.socket | None = None,
    ) -> None:
        super().__init__(factory, backlog, reactor, tls, adopted)
        if not isinstance(port, Binding):
            on_posix = os.name == "posix" and sys.platform != "cygwin"
            port = makeBinding(interface or "", port, reuseAddress=on_posix)
        elif interface not in ("", port.interface):
            raise ValueError(
                f"the interface is {interface!r} in one place and {port.interface!r} in the binding"
            )
        self._binding = port
        self.port = port.port
        self.interface = port.interface

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.interface else socket.AF_INET
        try:
            # With its protocol named: asyncio looks at that before it sets TCP_NODELAY.
            sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        except OSError as exception:
            raise error.CannotListenError(self.interface, self.port, exception) from exception
        try:
            sock.setblocking(False)
            # `port` and `interface` may have been changed since the last time.
            _bind(sock, replace(self._binding, port=self.port, interface=self.interface))
            sock.listen(self.backlog)
        except BaseException as exception:
            sock.close()
            if isinstance(exception, OSError):
                raise error.CannotListenError(self.interface, self.port, exception) from exception
            raise
        return sock

    def getHost(self) -> IPv4Address | IPv6Address:
        """Where it listens: the address really bound, its port never 0."""
        host = super().getHost()
        assert isinstance(host, (IPv4Address, IPv6Address))
        return host

    def _where(self) -> object:
        return getattr(self._host, "port", "?")


class Connector(StreamConnector):
    """
    An outgoing TCP connection.

    Args:
        host: a name or an address.
        port: a number, or the name of a service.
        factory: what makes the protocol, and is told how attempts end.
        timeout: seconds for an attempt; None for as long as the system tries.
        bindAddress: the local host and port to connect from, or a `makeBinding`.
        reactor: whose it is.
        tls: a context factory, for TLS from the first byte.

    Attributes:
        host, port, bindAddress: as asked for.
    """

    _connection = TCPConnection

    def __init__(
        self,
        host: str,
        port: int | str,
        factory: Any,
        timeout: float | None,
        bindAddress: tuple[str, int] | Binding | None,
        reactor: LoopReactor,
        tls: Any = None,
    ) -> None:
        super().__init__(factory, timeout, reactor, tls)
        if isinstance(port, str):
            try:
                port = socket.getservbyname(port, "tcp")
            except OSError as exception:
                raise error.ServiceNameUnknownError(string=f"{exception} ({port!r})") from exception
        self.host = host
        self.port = check_port(port)
        self.bindAddress = bindAddress

    def _hostname(self) -> str:
        return self.host

    async def _connected_socket(self, loop: asyncio.AbstractEventLoop) -> socket.socket:
        """A socket connected to the first address of the host that answers."""
        failure: OSError = error.DNSLookupError(f"no address for {self.host!r}")
        names = cast("NameReactor", self.reactor)  # which every reactor is
        for family, kind, proto, _, address in await names._addresses(self.host, self.port):
            try:
                sock = socket.socket(family, kind, proto)
            except OSError as exception:
                failure = exception  # a family that this host lacks
                continue
            try:
                sock.setblocking(False)
                if self.bindAddress is not None:
                    self._bind(sock)
                await loop.sock_connect(sock, address)
            except OSError as exception:
                sock.close()
                failure = exception
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise failure

    def _bind(self, sock: socket.socket) -> None:
        binding = self.bindAddress
        assert binding is not None
        try:
            _bind(sock, binding if isinstance(binding, Binding) else makeBinding(*binding))
        except OSError as exception:
            raise error.ConnectBindError(
                exception.errno, f"{exception.strerror} for {binding!r}"
            ) from exception

    def getDestination(self) -> IPv4Address | IPv6Address:
        """Where it connects to, as asked for: `host` may be a name."""
        if ":" in self.host:
            return IPv6Address("TCP", self.host, self.port)
        return IPv4Address("TCP", self.host, self.port)

    def __repr__(self) -> str:
        where = self.getDestination()
        return f"<{self.__class__.__module__}.Connector to {where.host}:{where.port}, {self.state}>"
