"""The options that let a program draw on the user's screen."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from reactorlib.conch.telnet._constants import (
    AYT,
    BRK,
    EC,
    ECHO,
    EL,
    IP,
    LINEMODE,
    LINEMODE_EOF,
    LINEMODE_MODE,
    LINEMODE_SLC,
    LINEMODE_SUSP,
    NAWS,
    SGA,
)
from reactorlib.conch.telnet._errors import NegotiationError
from reactorlib.conch.telnet._protocols import TelnetProtocol
from reactorlib.conch.telnet._transport import ProtocolTransportMixin
from reactorlib.internet.defer import Deferred
from reactorlib.internet.protocol import connectionDone

__all__ = ["TelnetBootstrapProtocol"]

#: What a key would have sent, for the commands that clients send in its place.
_KEYS = {
    IP: b"\x03",
    BRK: b"\x03",
    LINEMODE_SUSP: b"\x1a",
    LINEMODE_EOF: b"\x04",
    EC: b"\x7f",
    EL: b"\x15",
}


class TelnetBootstrapProtocol(TelnetProtocol, ProtocolTransportMixin):
    """
    Has the client send each key as it is pressed, show nothing by itself, and tell
    how large its window is; and is the transport of a protocol that draws there.

    Keys that the client sends as commands, such as IP for Ctrl-C, come as the
    characters that they are.

    Args:
        protocolFactory: makes the protocol, such as an `insults.ServerProtocol`.
        args, kw: the arguments it is called with.

    Attributes:
        protocol: the protocol. The size goes to its `terminalProtocol`, or, where
            it has none, to itself: to `terminalSize(width, height)`.
        specialCharacters: what the client says its special characters are: level
            and value, by function. RFC 1184 section 2.4.
    """

    protocol: Any = None
    # RFC 1184: of those the client may send, the one that is of use.
    linemodeSubcommands = {LINEMODE_SLC: "SLC"}  # noqa: RUF012

    def __init__(self, protocolFactory: Callable[..., Any], *args: Any, **kw: Any) -> None:
        self.protocolFactory = protocolFactory
        self.protocolArgs = args
        self.protocolKwArgs = kw
        self.specialCharacters: dict[bytes, tuple[bytes, bytes]] = {}

    def connectionMade(self) -> None:
        """Ask for the options, and make the protocol."""
        self.transport.negotiationMap[NAWS] = self.telnet_NAWS
        self.transport.negotiationMap[LINEMODE] = self.telnet_LINEMODE
        for command in (*_KEYS, AYT):
            self.transport.commandMap[command] = lambda _, command=command: self._key(command)

        self._ask(self.transport.do(LINEMODE))
        self._ask(self.transport.do(NAWS))
        # RFC 858: echo and no go-ahead, in both directions, make it character by character.
        # Where we do it, clients do it too.
        self._ask(self.transport.will(SGA))
        self._ask(self.transport.will(ECHO))

        self.protocol = self.protocolFactory(*self.protocolArgs, **self.protocolKwArgs)
        if self.factory is not None:
            self.protocol.factory = self.factory
        self.protocol.makeConnection(self)

    def _ask(self, d: Deferred[bool]) -> None:
        def refused(failure: Any) -> None:
            if failure.check(NegotiationError):
                self._log.debug("telnet option: {why}", why=failure.getErrorMessage())

        # Lost connections are told of elsewhere.
        d.addErrback(refused)

    def _key(self, command: bytes) -> None:
        if command == AYT:
            # RFC 854, page 9: some visible evidence that we are there.
            self.transport.write(b"\n[yes]\n")
        elif self.protocol is not None:
            self.protocol.dataReceived(_KEYS[command])

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """The connection is gone; so it is for the protocol."""
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            protocol.connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        """Text came in."""
        if self.protocol is not None:
            self.protocol.dataReceived(data)

    def enableLocal(self, opt: bytes) -> bool:
        """ECHO and SGA."""
        return opt in (ECHO, SGA)

    def enableRemote(self, opt: bytes) -> bool:
        """LINEMODE, NAWS and SGA."""
        if opt == LINEMODE:
            # RFC 1184 section 2.2: neither EDIT nor TRAPSIG. Each key is sent as it is.
            self.transport.requestNegotiation(LINEMODE, LINEMODE_MODE + b"\x00")
            return True
        return opt in (NAWS, SGA)

    def telnet_NAWS(self, data: list[bytes]) -> None:
        """The size of the window: RFC 1073."""
        if len(data) != 4:
            self._log.warn("the size of a window has {count} bytes", count=len(data))
            return
        width, height = struct.unpack("!HH", b"".join(data))
        # Zero is for a size that the client does not know.
        if width and height and self.protocol is not None:
            terminal = getattr(self.protocol, "terminalProtocol", None) or self.protocol
            tell = getattr(terminal, "terminalSize", None)
            if tell is not None:
                tell(width, height)

    def telnet_LINEMODE(self, data: list[bytes]) -> None:
        """Something about line mode: RFC 1184."""
        name = self.linemodeSubcommands.get(data[0]) if data else None
        if name is not None:
            getattr(self, f"linemode_{name}")(data[1:])

    def linemode_SLC(self, data: list[bytes]) -> None:
        """The client's special characters; keys come as they are, whatever these are."""
        for at in range(0, len(data) - 2, 3):
            function, level, value = data[at : at + 3]
            self.specialCharacters[function] = (level, value)
