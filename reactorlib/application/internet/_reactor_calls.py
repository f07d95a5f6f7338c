"""
Services around the reactor's own `listenTCP`, `connectTCP` and their kin.

Each is named after the method that it calls, and takes that method's arguments.
"""

from __future__ import annotations

from typing import Any

from reactorlib.application.internet._listening import stop_port
from reactorlib.application.service import Service
from reactorlib.internet.defer import Deferred

__all__ = [
    "MulticastServer",
    "SSLClient",
    "SSLServer",
    "TCPClient",
    "TCPServer",
    "UDPServer",
    "UNIXClient",
    "UNIXDatagramClient",
    "UNIXDatagramServer",
    "UNIXServer",
]


class _ReactorCall(Service):
    """
    Args:
        reactor: whose method to call; by default that of the loop that runs.
        args, kwargs: what to call it with.
    """

    #: What the method of the reactor is called, after "listen" or "connect".
    method: str
    _verb: str

    def __init__(self, *args: Any, reactor: Any = None, **kwargs: Any) -> None:
        self.args = args
        self.kwargs = kwargs
        self.reactor = reactor

    def _make(self) -> Any:
        reactor = self.reactor
        if reactor is None:
            from reactorlib.internet import reactor
        return getattr(reactor, self._verb + self.method)(*self.args, **self.kwargs)


class _Server(_ReactorCall):
    """What listens from the privileged start on."""

    _port: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """A saved service has no port."""
        state = super().__getstate__()
        state.pop("_port", None)
        return state

    _verb = "listen"

    def privilegedStartService(self) -> None:
        """
        Listen, so that a port for which it takes privileges is had.

        Raises:
            CannotListenError: the address is in use, or not to be had.
        """
        super().privilegedStartService()
        self._port = self._make()

    def startService(self) -> None:
        """Listen, unless it does already."""
        super().startService()
        if self._port is None:
            self._port = self._make()

    def stopService(self, grace: float | None = None) -> Deferred[Any]:
        """
        Listen no more.

        Args:
            grace: seconds for connections that stand to end by themselves; those
                that are left are aborted. None lets them be.

        Returns:
            a Deferred that fires when the address is free and, with `grace`, the
            last connection gone; at once if it did not listen.
        """
        super().stopService(grace)
        port, self._port = self._port, None
        return stop_port(port, grace if self.method in _DRAINING else None)

    def getHost(self) -> Any:
        """Where it listens: the address really bound; RuntimeError while it does not."""
        if self._port is None:
            raise RuntimeError(f"{self!r} does not listen: start it first")
        return self._port.getHost()


#: Those whose ports wait for connections.
_DRAINING = {"TCP", "UNIX", "SSL"}


class _Client(_ReactorCall):
    """What connects when it is started."""

    _connection: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """A saved service has no connection."""
        state = super().__getstate__()
        state.pop("_connection", None)
        return state

    _verb = "connect"

    def startService(self) -> None:
        """Connect. What becomes of it, the factory is told."""
        super().startService()
        self._connection = self._make()

    def stopService(self, grace: float | None = None) -> None:
        """Close the connection, or give up the attempt."""
        super().stopService(grace)
        connector, self._connection = self._connection, None
        if connector is not None:
            connector.disconnect()


class TCPServer(_Server):
    """A port, as of `reactor.listenTCP`."""

    method = "TCP"


class UNIXServer(_Server):
    """A UNIX socket that accepts connections, as of `reactor.listenUNIX`."""

    method = "UNIX"


class SSLServer(_Server):
    """A port that speaks TLS, as of `reactor.listenSSL`."""

    method = "SSL"


class UDPServer(_Server):
    """A port for datagrams, as of `reactor.listenUDP`."""

    method = "UDP"


class MulticastServer(_Server):
    """A port for datagrams to groups, as of `reactor.listenMulticast`."""

    method = "Multicast"


class UNIXDatagramServer(_Server):
    """A UNIX socket for datagrams, as of `reactor.listenUNIXDatagram`."""

    method = "UNIXDatagram"


class TCPClient(_Client):
    """A connection, as of `reactor.connectTCP`."""

    method = "TCP"


class UNIXClient(_Client):
    """A connection to a UNIX socket, as of `reactor.connectUNIX`."""

    method = "UNIX"


class SSLClient(_Client):
    """A connection that speaks TLS, as of `reactor.connectSSL`."""

    method = "SSL"


class UNIXDatagramClient(_Server):
    """Datagrams to one UNIX socket, as of `reactor.connectUNIXDatagram`."""

    _verb = "connect"
    method = "UNIXDatagram"
