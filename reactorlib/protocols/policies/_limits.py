"""How many connections there may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reactorlib.internet.protocol import ServerFactory
from reactorlib.protocols.policies._wrapping import ProtocolWrapper, WrappingFactory

__all__ = ["LimitConnectionsByPeer", "LimitTotalConnectionsFactory"]


class LimitConnectionsByPeer(WrappingFactory[ProtocolWrapper]):
    """
    Refuses a connection from a host that has too many.

    Attributes:
        maxConnectionsPerPeer: how many a host may have.
        peerConnections: how many each host has.
    """

    maxConnectionsPerPeer = 5

    def __init__(self, wrappedFactory: Any) -> None:
        super().__init__(wrappedFactory)
        self.peerConnections: dict[Any, int] = {}
        self._hosts: dict[ProtocolWrapper, Any] = {}

    def buildProtocol(self, addr: Any) -> ProtocolWrapper | None:
        """A protocol of the wrapped factory, wrapped; None if the host has too many."""
        # Clients on a UNIX socket have no host, and count as one.
        host = getattr(addr, "host", None)
        count = self.peerConnections.get(host, 0)
        if count >= self.maxConnectionsPerPeer:
            return None
        p = super().buildProtocol(addr)
        if p is not None:
            self.peerConnections[host] = count + 1
            self._hosts[p] = host
        return p

    def unregisterProtocol(self, p: ProtocolWrapper) -> None:
        """A wrapper has lost its connection: its host may have another."""
        super().unregisterProtocol(p)
        host = self._hosts.pop(p)
        self.peerConnections[host] -= 1
        if not self.peerConnections[host]:
            del self.peerConnections[host]


class LimitTotalConnectionsFactory(ServerFactory[Any]):
    """
    Refuses a connection when there are too many.

    Attributes:
        connectionCount: how many connections there are.
        connectionLimit: how many there may be; None for any number.
        overflowProtocol: makes the protocol of a connection over the limit, to say
            why; None to close it at once. It is counted as well.
    """

    connectionCount = 0
    connectionLimit: int | None = None
    overflowProtocol: Callable[[], Any] | None = None

    def buildProtocol(self, addr: Any) -> ProtocolWrapper | None:
        """A protocol, wrapped; None to refuse."""
        if self.connectionLimit is None or self.connectionCount < self.connectionLimit:
            wrapped = super().buildProtocol(addr)
        elif self.overflowProtocol is not None:
            wrapped = self.overflowProtocol()
            wrapped.factory = self
        else:
            return None
        if wrapped is None:
            return None
        self.connectionCount += 1
        return ProtocolWrapper(self, wrapped)

    def registerProtocol(self, p: ProtocolWrapper) -> None:
        """A wrapper has a connection; it is counted already."""

    def unregisterProtocol(self, p: ProtocolWrapper) -> None:
        """A wrapper has lost its connection."""
        self.connectionCount -= 1
