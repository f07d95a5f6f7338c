"""Protocols over telnet that know no options."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from reactorlib.conch.telnet._interfaces import ITelnetProtocol
from reactorlib.internet.protocol import Protocol, connectionDone
from reactorlib.logger import Logger
from reactorlib.protocols.basic import LineReceiver

__all__ = ["StatefulTelnetProtocol", "TelnetProtocol"]


@implementer(ITelnetProtocol)
class TelnetProtocol(Protocol):
    """A protocol over telnet that wants no options. To be subclassed."""

    _log = Logger(namespace="reactorlib.conch.telnet")

    def unhandledCommand(self, command: bytes, argument: bytes | None) -> None:
        """A command came that nothing handles: nothing is done."""

    def unhandledSubnegotiation(self, command: bytes, data: list[bytes]) -> None:
        """A subnegotiation came that nothing handles: nothing is done."""

    def enableLocal(self, option: bytes) -> Any:
        """Refuse."""
        return False

    def enableRemote(self, option: bytes) -> Any:
        """Refuse."""
        return False

    def disableLocal(self, option: bytes) -> None:
        """Nothing is enabled, unless a subclass says so."""

    def disableRemote(self, option: bytes) -> None:
        """Nothing is enabled, unless a subclass says so."""


class StatefulTelnetProtocol(LineReceiver, TelnetProtocol):
    """
    Hands each line to the method that its state names.

    In the state "Command" a line goes to `telnet_Command`. What that returns is
    the next state; None is for no change. The Enter key ends a line whether the
    client sends it as CR LF or as CR NUL: RFC 1123 section 3.3.1.

    Attributes:
        state: the name.
    """

    delimiter = b"\n"
    state = "Discard"

    def dataReceived(self, data: bytes) -> Any:
        """Text came in."""
        if self.line_mode:
            data = data.replace(b"\r", b"\n")
        return super().dataReceived(data)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """The connection is gone."""
        TelnetProtocol.connectionLost(self, reason)

    def lineReceived(self, line: bytes) -> None:
        """A line came in."""
        before = self.state
        after = getattr(self, f"telnet_{before}")(line)
        if after is None:
            return
        if self.state == before:
            self.state = after
        else:
            self._log.warn(
                "telnet_{before} of {protocol} set its state to {now} and returned {after}, "
                "which is not used",
                before=before,
                protocol=self.__class__.__name__,
                now=self.state,
                after=after,
            )

    def telnet_Discard(self, line: bytes) -> None:
        """Nothing is done with the line."""
