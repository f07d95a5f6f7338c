"""The reactor's streams: TCP."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from reactorlib.internet._reactor._core import LoopReactor
from reactorlib.internet.interfaces import IReactorTCP
from reactorlib.internet.tcp import Connector, Port

__all__ = ["StreamReactor"]


@implementer(IReactorTCP)
class StreamReactor(LoopReactor):
    """Makes ports that accept connections, and connectors that make them."""

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Port:
        """Accept connections at a port, bound before this returns; see `IReactorTCP`."""
        listening = Port(port, factory, backlog, interface, self)
        listening.startListening()
        return listening

    def connectTCP(
        self,
        host: str,
        port: int | str,
        factory: Any,
        timeout: float | None = 30,
        bindAddress: tuple[str, int] | None = None,
    ) -> Connector:
        """Connect to a host; see `IReactorTCP`."""
        connector = Connector(host, port, factory, timeout, bindAddress, self)
        connector.connect()
        return connector
