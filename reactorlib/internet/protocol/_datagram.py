"""Protocols over datagrams."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from reactorlib.internet.interfaces import ILoggingContext
from reactorlib.python._report import note

if TYPE_CHECKING:
    from reactorlib.python.failure import Failure

__all__ = ["AbstractDatagramProtocol", "ConnectedDatagramProtocol", "DatagramProtocol"]

_log = logging.getLogger("reactorlib.internet.protocol")


class AbstractDatagramProtocol:
    """
    What every protocol over datagrams has.

    Attributes:
        transport: what to write to; None while there is no port.
        numPorts: how many ports use the protocol now.
        noisy: whether starting and stopping is logged.
    """

    transport: Any = None
    numPorts = 0
    noisy = True

    def makeConnection(self, transport: Any) -> None:
        """
        Take the port, then `doStart`.

        Raises:
            RuntimeError: the protocol has a port already.
        """
        if self.transport is not None:
            raise RuntimeError(
                f"{self!r} is at work on {self.transport!r}; make another protocol for this port"
            )
        self.transport = transport
        try:
            self.doStart()
        except BaseException:
            self.transport = None
            raise

    def doStart(self) -> None:
        """A port begins to use the protocol: calls `startProtocol`."""
        if self.numPorts == 0:
            if self.noisy:
                self._say("Starting")
            self.startProtocol()
        self.numPorts += 1

    def doStop(self) -> None:
        """The port is gone: calls `stopProtocol`, with no transport any more."""
        if self.numPorts == 0:
            return
        self.numPorts -= 1
        self.transport = None
        if self.numPorts == 0:
            if self.noisy:
                self._say("Stopping")
            self.stopProtocol()

    def _say(self, what: str) -> None:
        note(
            _log,
            f"{what} protocol %r",
            self,
            log_format=f"{what} protocol {{protocol!r}}",
            protocol=self,
        )

    def startProtocol(self) -> None:
        """
        The port is bound, and datagrams may be written. For subclasses.

        What it raises closes the port, and goes to whoever asked for it.
        """

    def stopProtocol(self) -> None:
        """The port is gone; called last. For subclasses."""

    if TYPE_CHECKING:
        # A ConnectedDatagramProtocol's has no `addr`.
        datagramReceived: Callable[..., object]
    else:

        def datagramReceived(self, datagram: bytes, addr: Any) -> None:
            """
            A datagram came in; it may be empty. For subclasses.

            What it raises is reported, and the port goes on.

            Args:
                addr: where it came from. UDP: the host's IP address and the port, as
                    `transport.write` takes them. UNIX: the path of the socket, None
                    if it has none.
            """

    def __getstate__(self) -> dict[str, Any]:
        """A saved protocol has no port."""
        return {**self.__dict__, "transport": None}


@implementer(ILoggingContext)
class DatagramProtocol(AbstractDatagramProtocol):
    """A protocol over UDP, or over a UNIX datagram socket."""

    def logPrefix(self) -> str:
        """The name in logs: the class's own."""
        return self.__class__.__name__

    def connectionRefused(self) -> None:
        """
        Nothing listens where the port is connected to. For subclasses.

        It is the answer to an earlier datagram, and the port goes on.
        """


class ConnectedDatagramProtocol(DatagramProtocol):
    """
    A protocol over a UNIX datagram socket that talks to one other.

    UDP needs none: there `transport.connect` is all.
    """

    def datagramReceived(self, datagram: bytes) -> None:
        """A datagram came in from the peer; as `DatagramProtocol` otherwise. For subclasses."""

    def connectionFailed(self, failure: Failure) -> None:
        """
        There is no port, and there will be none. For subclasses.

        Args:
            failure: holds a `CannotListenError`, an OSError, or what
                `startProtocol` raised.
        """
