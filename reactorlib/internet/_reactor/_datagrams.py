"""The reactor's datagrams: UDP, multicast, and UNIX sockets that keep messages apart."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from zope.interface import classImplements, implementer

from reactorlib.internet._reactor._core import LoopReactor
from reactorlib.internet._unix_datagram import ConnectedDatagramPort, DatagramPort
from reactorlib.internet.interfaces import IReactorMulticast, IReactorUDP, IReactorUNIXDatagram
from reactorlib.internet.udp import MulticastPort, Port

if TYPE_CHECKING:
    from reactorlib.internet._unix_datagram import Path

__all__ = ["DatagramReactor"]


@implementer(IReactorUDP, IReactorMulticast)
class DatagramReactor(LoopReactor):
    """Makes ports that send and receive datagrams."""

    def listenUDP(
        self, port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192
    ) -> Port:
        """Send and receive at a port, bound before this returns; see `IReactorUDP`."""
        listening = Port(port, protocol, interface, maxPacketSize, self)
        listening.startListening()
        return listening

    def listenMulticast(
        self,
        port: int,
        protocol: Any,
        interface: str = "",
        maxPacketSize: int = 8192,
        listenMultiple: bool = False,
    ) -> MulticastPort:
        """The same with multicast; see `IReactorMulticast`."""
        listening = MulticastPort(port, protocol, interface, maxPacketSize, self, listenMultiple)
        listening.startListening()
        return listening

    def adoptDatagramPort(
        self, fileDescriptor: int, addressFamily: int, protocol: Any, maxPacketSize: int = 8192
    ) -> Port:
        """
        Send and receive at a UDP socket that is bound already; see `IReactorSocket`.

        Raises:
            UnsupportedAddressFamily: `addressFamily` is neither AF_INET nor AF_INET6,
                or not the socket's own.
            UnsupportedSocketType: it is not for datagrams.
            OSError: it is no socket.
        """
        listening = Port.adopt(fileDescriptor, addressFamily, protocol, maxPacketSize, self)
        listening.startListening()
        return listening

    def listenUNIXDatagram(
        self, address: Path, protocol: Any, maxPacketSize: int = 8192, mode: int = 0o666
    ) -> DatagramPort:
        """Send and receive at a path; see `IReactorUNIXDatagram`."""
        listening = DatagramPort(address, protocol, maxPacketSize, mode, self)
        listening.startListening()
        return listening

    def connectUNIXDatagram(
        self,
        address: Path,
        protocol: Any,
        maxPacketSize: int = 8192,
        mode: int = 0o666,
        bindAddress: Path | None = None,
    ) -> ConnectedDatagramPort:
        """Talk to the socket at a path; see `IReactorUNIXDatagram`."""
        listening = ConnectedDatagramPort(address, protocol, maxPacketSize, mode, bindAddress, self)
        listening.startListening()
        return listening


if hasattr(socket, "AF_UNIX"):
    classImplements(DatagramReactor, IReactorUNIXDatagram)
