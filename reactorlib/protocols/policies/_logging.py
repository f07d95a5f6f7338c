"""Wrappers that tell what goes over a connection."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable
from typing import Any

from reactorlib.internet.protocol import connectionDone
from reactorlib.protocols.policies._wrapping import ProtocolWrapper, WrappingFactory
from reactorlib.python.failure import Failure

__all__ = [
    "SpewingFactory",
    "SpewingProtocol",
    "TrafficLoggingFactory",
    "TrafficLoggingProtocol",
]

_log = logging.getLogger("reactorlib.protocols.policies")


class SpewingProtocol(ProtocolWrapper):
    """Logs all that comes and is written, at level INFO."""

    def dataReceived(self, data: bytes) -> None:
        """Bytes came in."""
        _log.info("Received: %r", data)
        super().dataReceived(data)

    def write(self, data: bytes) -> None:
        """Send `data`."""
        _log.info("Sending: %r", data)
        super().write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send several pieces as one."""
        pieces = list(data)
        _log.info("Sending: %r", pieces)
        super().writeSequence(pieces)


class SpewingFactory(WrappingFactory[SpewingProtocol]):
    """Logs all that goes over its connections."""

    protocol = SpewingProtocol


class TrafficLoggingProtocol(ProtocolWrapper):
    """
    Writes to a file what goes over a connection, a line for each event.

    Args:
        logfile: a text file. A real one is closed when the connection is lost; what is
            asked for later is told nowhere.
        lengthLimit: of longer data only so many bytes are told, half of them from
            its beginning and half from its end; None for all.
        number: names the connection in each line.
    """

    def __init__(
        self,
        factory: Any,
        wrappedProtocol: Any,
        logfile: Any,
        lengthLimit: int | None = None,
        number: int = 0,
    ) -> None:
        super().__init__(factory, wrappedProtocol)
        self.logfile = logfile
        self.lengthLimit = lengthLimit
        self._number = number

    def _tell(self, line: str) -> None:
        if getattr(self.logfile, "closed", False) is True:
            return
        self.logfile.write(line + "\n")
        self.logfile.flush()

    def _shorten(self, data: bytes) -> bytes:
        limit = self.lengthLimit
        if limit is None or len(data) <= limit:
            return data
        return data[: limit - limit // 2] + b"<...>" + data[len(data) - limit // 2 :]

    def connectionMade(self) -> None:
        """The connection stands."""
        self._tell("*")
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        """Bytes came in."""
        self._tell(f"C {self._number}: {self._shorten(data)!r}")
        super().dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self._tell(f"C {self._number}: {reason!r}")
        try:
            super().connectionLost(reason)
        finally:
            if isinstance(self.logfile, io.TextIOWrapper):
                self.logfile.close()

    def write(self, data: bytes) -> None:
        """Send `data`."""
        self._tell(f"S {self._number}: {self._shorten(data)!r}")
        super().write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send several pieces as one."""
        pieces = list(data)
        self._tell(f"SV {self._number}: {[self._shorten(piece) for piece in pieces]!r}")
        super().writeSequence(pieces)

    def loseConnection(self) -> None:
        """Close once everything written has been sent."""
        self._tell(f"S {self._number}: *")
        super().loseConnection()


class TrafficLoggingFactory(WrappingFactory[TrafficLoggingProtocol]):
    """
    Writes what goes over each connection to a file of its own.

    Args:
        wrappedFactory: whose protocols to wrap.
        logfilePrefix: the files' names, to which a hyphen and a number are added.
        lengthLimit: see `TrafficLoggingProtocol`.
    """

    protocol = TrafficLoggingProtocol
    _counter = 0

    def __init__(
        self, wrappedFactory: Any, logfilePrefix: str, lengthLimit: int | None = None
    ) -> None:
        super().__init__(wrappedFactory)
        self.logfilePrefix = logfilePrefix
        self.lengthLimit = lengthLimit

    def open(self, name: str) -> Any:
        """Open the file of a connection."""
        return open(name, "w")

    def buildProtocol(self, addr: Any) -> TrafficLoggingProtocol | None:
        """A protocol of the wrapped factory, wrapped; None if that refuses."""
        wrapped = self.wrappedFactory.buildProtocol(addr)
        if wrapped is None:
            return None
        self._counter += 1
        logfile = self.open(f"{self.logfilePrefix}-{self._counter}")
        return self.protocol(self, wrapped, logfile, self.lengthLimit, self._counter)

    def resetCounter(self) -> None:
        """Number connections from 1 again, and so their files."""
        self._counter = 0
