"""The far ends: connections to, and from, the host that the client has named."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from reactorlib.internet.interfaces import IHalfCloseableProtocol
from reactorlib.internet.protocol import Factory, Protocol, connectionDone
from reactorlib.python.failure import Failure

if TYPE_CHECKING:
    from reactorlib.protocols.socks._tunnel import Tunnel

__all__ = ["End", "SOCKSv4Incoming", "SOCKSv4IncomingFactory", "SOCKSv4Outgoing", "unmapped"]


@implementer(IHalfCloseableProtocol)
class End(Protocol):
    """
    The far end of a connection that is passed on.

    Args:
        socks: the client's.
    """

    def __init__(self, socks: Tunnel) -> None:
        self.socks = socks
        self.lost = False
        self.ended = False

    def dataReceived(self, data: bytes) -> None:
        """Pass it on to the client."""
        self.socks.log(self, data)
        self.socks.write(data)

    def write(self, data: bytes) -> None:
        """Send what the client has sent."""
        self.socks.log(self.socks, data)
        self.transport.write(data)

    def readConnectionLost(self) -> None:
        """This end sends no more: tell the client."""
        self.ended = True
        self.socks._end_ended(self)

    def writeConnectionLost(self) -> None:
        """This end has been told that the client sends no more."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """This end is gone: close the client's, once what was passed on has left."""
        self.lost = True
        self.socks._end_lost(self)


class SOCKSv4Outgoing(End):
    """The connection that a client of either version has asked for with CONNECT."""

    def connectionMade(self) -> None:
        """Read nothing until the client has its reply."""
        self.transport.pauseProducing()
        self.socks.otherConn = self


class SOCKSv4Incoming(End):
    """The connection that a client of either version awaits with BIND."""

    def connectionMade(self) -> None:
        """Give the client its second reply, and let data flow."""
        self.socks._accepted(self)


class SOCKSv4IncomingFactory(Factory[SOCKSv4Incoming]):
    """
    Takes one connection, from the host that the client has named.

    Args:
        socks: the client's.
        ip: the address that it has to come from; with 0.0.0.0 or ::, any.
    """

    noisy = False

    def __init__(self, socks: Tunnel, ip: str) -> None:
        self.socks = socks
        self.ip = ip

    def buildProtocol(self, addr: Any) -> SOCKSv4Incoming | None:
        """The end; None, and a refusal to the client, if another host has connected."""
        host = addr.host if hasattr(addr, "host") else addr[0]
        if not self.socks._take_connection(_same(self.ip, host)):
            return None
        end = SOCKSv4Incoming(self.socks)
        end.factory = self
        return end


def unmapped(host: str) -> str:
    """
    The IPv4 address within an IPv6 one that only stands for it (RFC 4291 section
    2.5.5.2), so that a rule about the one holds for the other; or else `host`.
    """
    mapped = getattr(ipaddress.ip_address(host), "ipv4_mapped", None)
    return host if mapped is None else str(mapped)


def _same(wanted: str, host: str) -> bool:
    address: Any = ipaddress.ip_address(wanted)
    peer: Any = ipaddress.ip_address(unmapped(host.partition("%")[0]))
    return bool(address.is_unspecified or address == peer)
