"""UDP ports, with multicast and without."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet._adopting import adopt
from reactorlib.internet._datagram import (
    NO_ROOM,
    BaseDatagramPort,
    family_of,
    no_datagram,
)
from reactorlib.internet._multicast import Multicast
from reactorlib.internet.interfaces import (
    IListeningPort,
    ILoggingContext,
    IMulticastTransport,
    ISystemHandle,
    IUDPTransport,
)
from reactorlib.internet.tcp import check_port

if TYPE_CHECKING:
    from reactorlib.internet._reactor._core import LoopReactor

__all__ = ["MulticastPort", "Port"]


@implementer(IListeningPort, IUDPTransport, ILoggingContext, ISystemHandle)
class Port(BaseDatagramPort):
    """
    A UDP port: a protocol's transport, and what `listenUDP` returns.

    Attributes:
        port, interface: as asked for.
        addressFamily: `AF_INET` or `AF_INET6`, as the interface says.
    """

    port: int
    # Where it is connected to nobody, no one could say who has refused what.
    _lost_for = NO_ROOM | {errno.ECONNREFUSED}
    _connected_to: tuple[str, int] | None = None
    #: Where datagrams have to come from once it is connected, as the socket spells it.
    _peer: tuple[str, int] | None = None
    #: The host that was written to last, and so is known to be an address.
    _known_host: str | None = None
    #: A socket that somebody else has bound, until it is used.
    _adopted: socket.socket | None = None

    def __init__(
        self,
        port: int,
        proto: Any,
        interface: str = "",
        maxPacketSize: int = 8192,
        reactor: LoopReactor | None = None,
    ) -> None:
        family = socket.AF_INET if interface == "" else family_of(interface)
        if family is None:
            raise error.InvalidAddressError(interface, "not an IPv4 or IPv6 address")
        self.interface = interface
        self.addressFamily = family
        super().__init__(check_port(port, "UDP"), proto, maxPacketSize, reactor)

    @classmethod
    def adopt(
        cls,
        fileDescriptor: int,
        addressFamily: int,
        protocol: Any,
        maxPacketSize: int,
        reactor: LoopReactor,
    ) -> Port:
        """
        A port on a socket that is bound already, of which it uses a duplicate.

        Raises:
            UnsupportedAddressFamily: `addressFamily` is neither AF_INET nor AF_INET6,
                or not the socket's own.
            UnsupportedSocketType: it is not for datagrams.
            OSError: it is no socket.
        """
        families = socket.AF_INET, socket.AF_INET6
        sock = adopt(fileDescriptor, addressFamily, cls.socketType, families)
        try:
            host, number = sock.getsockname()[:2]
            port = cls(number, protocol, host, maxPacketSize, reactor)
        except BaseException:
            sock.close()
            raise
        port._adopted = sock
        return port

    def _bind(self) -> socket.socket:
        self._connected_to = self._peer = None
        self._to_one = False
        adopted, self._adopted = self._adopted, None
        if adopted is not None:
            return adopted
        try:
            sock = socket.socket(self.addressFamily, self.socketType)
        except OSError as exception:
            raise error.CannotListenError(self.interface, self.port, exception) from exception
        try:
            sock.setblocking(False)
            self._prepare(sock)
            sock.bind(_sockaddr(self.interface, self.port))
        except OSError as exception:
            sock.close()
            raise error.CannotListenError(self.interface, self.port, exception) from exception
        return sock

    def _prepare(self, sock: socket.socket) -> None:
        """Set what has to be set before the socket is bound."""

    def _where(self) -> Any:
        return self.port if self._name is None else self._name[1]

    def _deliver(self, data: bytes, addr: Any) -> None:
        if len(addr) > 2:
            addr = _host_and_port(*addr)
        if self._peer is None or addr == self._peer:  # or it came before `connect`
            self.protocol.datagramReceived(data, addr)

    def write(self, datagram: bytes, addr: tuple[str, int] | None = None) -> None:
        """
        Send a datagram now, or not at all. Does nothing once the port is closing.

        It is lost if the system has no room for it.

        Args:
            addr: an IP address, or "<broadcast>", and a port. A connected port
                sends to its peer only, and needs none.

        Raises:
            InvalidAddressError: the host is no IP address of the port's family.
            MessageLengthError: the datagram is too long for the network.
            OSError: the system refuses, as for a network to which no route leads.
            TypeError: the datagram is text, or anything else that is not bytes.
            ValueError: no address is given, or another than the one connected to.
        """
        if self._connected_to is None:
            if addr is None:
                raise ValueError("where to? pass the address, or connect() the port before")
            if addr[0] != self._known_host:
                self._check_host(addr[0], "<broadcast>")
                self._known_host = addr[0]
        elif addr is not None and addr not in (self._connected_to, self._peer):
            raise ValueError(
                f"this port is connected to {self._connected_to}, and cannot send to {addr}"
            )
        sock = self.socket
        if sock is None or self._stopping:
            return
        try:
            if addr is None or self._connected_to is not None:
                sock.send(datagram)
            else:
                sock.sendto(datagram, _sockaddr(*addr) if "%" in addr[0] else addr)
        except OSError as exception:
            self._not_sent(datagram, exception)
        except TypeError as exception:
            raise no_datagram(datagram, exception) from None

    def writeSequence(self, seq: Iterable[bytes], addr: tuple[str, int] | None = None) -> None:
        """Send several pieces as one datagram; see `write`."""
        self.write(b"".join(seq), addr)

    def connect(self, host: str, port: int) -> None:
        """
        From now on send to this address only, and receive from nowhere else.

        The protocol's `connectionRefused` is called when the peer's host says
        that nothing listens there.

        Raises:
            InvalidAddressError: `host` is no IP address of the port's family.
            OSError: the system refuses, as for a network to which no route leads.
            RuntimeError: the port is connected already.
        """
        if self._connected_to is not None:
            raise RuntimeError(
                f"this port is connected to {self._connected_to}; listen on another one"
            )
        self._check_host(host)
        address = host, check_port(port, "UDP")
        sock = self._open_socket()
        sock.connect(_sockaddr(*address))
        self._connected_to = address
        self._to_one = True
        self._name = sock.getsockname()
        peer = sock.getpeername()
        self._peer = peer if len(peer) == 2 else _host_and_port(*peer)

    def _check_host(self, host: str, also: str | None = None) -> None:
        family = socket.AF_INET if host == also else family_of(host)
        if family is None:
            raise error.InvalidAddressError(
                host, "not an IP address; resolve a host name first, as with reactor.resolve()"
            )
        if family != self.addressFamily:
            kind = "IPv4" if self.addressFamily == socket.AF_INET else "IPv6"
            raise error.InvalidAddressError(host, f"not an address for this port, which is {kind}")

    def _open_socket(self) -> socket.socket:
        if self.socket is None:
            raise error.NotListeningError
        return self.socket

    def setBroadcastAllowed(self, enabled: bool) -> None:
        """Allow datagrams to a broadcast address, or forbid them, as at first."""
        self._open_socket().setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, bool(enabled))

    def getBroadcastAllowed(self) -> bool:
        """Whether datagrams to a broadcast address may be sent."""
        return bool(self._open_socket().getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST))


@implementer(IMulticastTransport)
class MulticastPort(Multicast, Port):
    """
    A UDP port that can join multicast groups; what `listenMulticast` returns.

    Attributes:
        listenMultiple: whether others may listen at the same port, if they ask
            for it too.
    """

    def __init__(
        self,
        port: int,
        proto: Any,
        interface: str = "",
        maxPacketSize: int = 8192,
        reactor: LoopReactor | None = None,
        listenMultiple: bool = False,
    ) -> None:
        super().__init__(port, proto, interface, maxPacketSize, reactor)
        self.listenMultiple = listenMultiple

    def _prepare(self, sock: socket.socket) -> None:
        if self.listenMultiple:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if hasattr(socket, "SO_REUSEPORT"):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def _sockaddr(host: str, port: int, flow: int = 0, scope: int = 0) -> tuple[Any, ...]:
    """
    An address as a socket takes it, which wants the scope of an IPv6 host by itself.

    Raises:
        OSError: there is no such interface.
    """
    host, _, zone = host.partition("%")
    if not zone:
        return host, port
    return host, port, flow, int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)


def _host_and_port(host: str, port: int, flow: int = 0, scope: int = 0) -> tuple[str, int]:
    """
    An IPv6 address in two parts, as `write` and `connect` take it.

    A link-local host means nothing without its interface, which stays with it:
    fe80::1%2.
    """
    return (f"{host.partition('%')[0]}%{scope}" if scope else host), port
