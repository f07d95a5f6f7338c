"""Both versions on one port."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from reactorlib.internet.interfaces import IHalfCloseableProtocol
from reactorlib.internet.protocol import Protocol, connectionDone
from reactorlib.protocols.socks._tunnel import Tunnel
from reactorlib.protocols.socks._v4 import SOCKSv4
from reactorlib.protocols.socks._v5 import ServingFactory, SOCKSv5
from reactorlib.protocols.socks._wire import reply4
from reactorlib.python.failure import Failure

__all__ = ["SOCKS", "SOCKSFactory"]


@implementer(IHalfCloseableProtocol)
class SOCKS(Protocol):
    """Looks at the first byte, which is the version, and leaves the rest to another."""

    factory: SOCKSFactory
    _chosen: Tunnel | None = None
    _late: Any = None

    def connectionMade(self) -> None:
        """Wait for the first byte."""
        reactor = self.factory.reactor
        if reactor is None:
            from reactorlib.internet import reactor
        self._late = reactor.callLater(Tunnel.handshakeTimeout, self._too_late)

    def dataReceived(self, data: bytes) -> None:
        """Choose by the first byte."""
        if self._chosen is None:
            if self._late is None:
                return  # it is being closed
            self._stop_waiting()
            chosen = self.factory.choose(data[0])
            if chosen is None:
                if data[0] == 4:
                    self.transport.write(reply4(91))
                self.transport.loseConnection()
                return
            self._chosen = chosen
            chosen.makeConnection(self.transport)
        self._chosen.dataReceived(data)

    def readConnectionLost(self) -> None:
        """The client sends no more."""
        if self._chosen is None:
            self.transport.loseConnection()
        else:
            self._chosen.readConnectionLost()

    def writeConnectionLost(self) -> None:
        """The client has been told that the far end sends no more."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The client is gone."""
        self._stop_waiting()
        if self._chosen is not None:
            self._chosen.connectionLost(reason)

    def _too_late(self) -> None:
        self._late = None
        self.transport.abortConnection()

    def _stop_waiting(self) -> None:
        late, self._late = self._late, None
        if late is not None:
            late.cancel()


class SOCKSFactory(ServingFactory[SOCKS]):
    """
    Serves SOCKS 4, 4A and 5 on one port.

    SOCKS 4 has no passwords, and so it is refused where there is a `checkLogin`.

    Args:
        log, checkLogin, authorize, reactor: as `SOCKSv5Factory` takes them.
    """

    protocol = SOCKS

    def choose(self, version: int) -> Tunnel | None:
        """What serves this version; None refuses it."""
        if version == 5:
            chosen: Tunnel = SOCKSv5(self.logging, self.reactor)
        elif version == 4 and self.checkLogin is None:
            chosen = SOCKSv4(self.logging, self.reactor)
        else:
            return None
        chosen.factory = self
        return chosen
