"""Datagrams: UDP, multicast, and UNIX sockets that keep messages apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from zope.interface import Interface

from reactorlib.internet.interfaces._streams import IListeningPort

if TYPE_CHECKING:
    from reactorlib.internet.address import IPv4Address, IPv6Address, UNIXAddress
    from reactorlib.internet.defer import Deferred


class IUDPTransport(Interface):
    """A UDP port, as its protocol sees it."""

    def write(datagram: bytes, addr: tuple[str, int] | None = None) -> None:
        """
        Send a datagram now, or not at all: nothing is kept to be sent later.

        Args:
            addr: an IP address, never a host name, and a port. A connected
                port sends to its peer only, and needs none.

        Raises:
            InvalidAddressError: the host is no IP address of the port's family.
            MessageLengthError: the datagram is too long for the network.
            TypeError: it is text.
        """

    def writeSequence(seq: Iterable[bytes], addr: tuple[str, int] | None = None) -> None:
        """Send several pieces as one datagram."""

    def connect(host: str, port: int) -> None:
        """
        From now on send to this address only, and receive from nowhere else.

        The protocol's `connectionRefused` is called when the peer's host says
        that nothing listens there.

        Raises:
            InvalidAddressError: `host` is no IP address of the port's family.
            RuntimeError: the port is connected already.
        """

    def getHost() -> IPv4Address | IPv6Address:
        """Where this end is."""

    def stopListening() -> Deferred[None] | None:
        """Close the port. The Deferred fires with None when the address is free."""

    def setBroadcastAllowed(enabled: bool) -> None:
        """Allow datagrams to a broadcast address, or forbid them, as at first."""

    def getBroadcastAllowed() -> bool:
        """Whether datagrams to a broadcast address may be sent."""


class IMulticastTransport(IUDPTransport):
    """A UDP port that can join groups."""

    def getOutgoingInterface() -> str | int:
        """The interface that multicast leaves by: IPv4, its address; IPv6, its index."""

    def setOutgoingInterface(addr: str | int) -> Deferred[int]:
        """
        Have multicast leave by an interface.

        Args:
            addr: IPv4: its address, or a host name that stands for it. IPv6:
                its index (`socket.if_nameindex`).

        Returns:
            a Deferred that fires with 1.
        """

    def getLoopbackMode() -> bool:
        """Whether what is sent to a group comes back to members on this host."""

    def setLoopbackMode(mode: bool) -> None:
        """Whether what is sent to a group is to come back to members on this host."""

    def getTTL() -> int:
        """How many routers multicast may pass, plus one."""

    def setTTL(ttl: int) -> None:
        """Set how many routers multicast may pass, plus one: 0 to 255, 1 at first."""

    def joinGroup(addr: str, interface: str = "") -> Deferred[None]:
        """
        Receive what is sent to a group.

        Args:
            addr: the address of the group, or a host name for it.
            interface: by which it is to be received; the system chooses by default.

        Returns:
            a Deferred that fires with None, or fails with `MulticastJoinError`.
        """

    def leaveGroup(addr: str, interface: str = "") -> Deferred[None]:
        """Receive it no more; the same arguments as for `joinGroup`."""


class IUNIXDatagramTransport(Interface):
    """A UNIX datagram port, as its protocol sees it."""

    def write(datagram: bytes, address: str | bytes) -> None:
        """
        Send a datagram to the socket of that path.

        It is lost if that socket has no room for it now.
        """

    def getHost() -> UNIXAddress:
        """Where this end is."""


class IUNIXDatagramConnectedTransport(Interface):
    """A UNIX datagram socket that talks to one other."""

    def write(data: bytes) -> None:
        """Send a datagram to the peer. It is lost if there is no room for it now."""

    def getHost() -> UNIXAddress:
        """Where this end is."""

    def getPeer() -> UNIXAddress:
        """Where the other end is."""


class IReactorUDP(Interface):
    """UDP."""

    def listenUDP(
        port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192
    ) -> IListeningPort:
        """
        Send and receive at a port, bound before this returns.

        Args:
            port: its number; 0 for any that is free.
            protocol: a `DatagramProtocol`, told of what comes in.
            interface: the IP address to bind, which also says whether the port
                is IPv4 or IPv6; empty for all IPv4 ones, "::" for all.
            maxPacketSize: longer datagrams are cut to so many bytes.

        Raises:
            CannotListenError: the port is in use, or not to be had.
            InvalidAddressError: `interface` is no IP address.
        """


class IReactorMulticast(Interface):
    """UDP with multicast."""

    def listenMulticast(
        port: int,
        protocol: Any,
        interface: str = "",
        maxPacketSize: int = 8192,
        listenMultiple: bool = False,
    ) -> IMulticastTransport:
        """
        Send and receive at a port that can join multicast groups; see `listenUDP`.

        Args:
            listenMultiple: whether others may listen at the same port, if they
                ask for it too.
        """


class IReactorUNIXDatagram(Interface):
    """UNIX datagram sockets."""

    def listenUNIXDatagram(
        address: str, protocol: Any, maxPacketSize: int = 8192, mode: int = 0o666
    ) -> IListeningPort:
        """
        Send and receive at a path.

        Args:
            address: the path of the socket to be made, or, after a NUL
                character, a name in Linux's abstract namespace.
            protocol: a `DatagramProtocol`.
            maxPacketSize: longer datagrams are cut to so many bytes.
            mode: the permissions of the file.

        Raises:
            CannotListenError: there is something at that path, or no way to it.
        """

    def connectUNIXDatagram(
        address: str,
        protocol: Any,
        maxPacketSize: int = 8192,
        mode: int = 0o666,
        bindAddress: str | None = None,
    ) -> IListeningPort:
        """
        Talk to the socket at a path.

        Args:
            protocol: a `ConnectedDatagramProtocol`; its `connectionFailed` is
                called if nothing is there.
            mode: the permissions of the file at `bindAddress`.
            bindAddress: the path where the peer can answer.
        """
