"""A transport over telnet, for a protocol that reads and writes text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from zope.interface import implementer

from reactorlib.conch.telnet._interfaces import ITelnetTransport
from reactorlib.conch.telnet._telnet import Telnet
from reactorlib.conch.telnet._wire import text
from reactorlib.internet.defer import Deferred
from reactorlib.internet.protocol import connectionDone

__all__ = ["ProtocolTransportMixin", "TelnetTransport"]


class ProtocolTransportMixin:
    """Makes a protocol a transport as well: what is written to it goes to its own."""

    transport: Any

    @property
    def disconnecting(self) -> bool:
        """Whether the connection is being closed."""
        return bool(getattr(self.transport, "disconnecting", False))

    def write(self, data: bytes) -> None:
        """Send text."""
        self.transport.write(data)

    def writeSequence(self, seq: Iterable[bytes]) -> None:
        """Send several pieces as one."""
        self.write(b"".join(seq))

    def loseConnection(self) -> None:
        """Close the connection, after what was written."""
        self.transport.loseConnection()

    def abortConnection(self) -> None:
        """Close the connection at once."""
        self.transport.abortConnection()

    def getHost(self) -> Any:
        """The address here."""
        return self.transport.getHost()

    def getPeer(self) -> Any:
        """The peer's address."""
        return self.transport.getPeer()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Let `producer` know when to write."""
        self.transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self.transport.unregisterProducer()

    def pauseProducing(self) -> None:
        """Read no more, for now. Text that has been read may still be delivered."""
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Read again."""
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """Read no more, ever."""
        self.transport.stopProducing()


@implementer(ITelnetTransport)
class TelnetTransport(ProtocolTransportMixin, Telnet):
    """
    Speaks telnet, and is the transport of a protocol over it.

    A peer that does not read what it is sent is not read either, until it has; if so
    much is sent to it all the same that nobody can mean to read it, it is hung up on.

    Args:
        protocolFactory: makes the protocol, an `ITelnetProtocol`, when the
            connection is there.
        a, kw: the arguments it is called with.

    Attributes:
        protocolFactory: as above.
        protocol: the protocol; another may be put in its place at any time.
    """

    protocolFactory: Callable[..., Any] | None = None
    protocol: Any = None

    #: Bytes that are sent while others wait for the peer. A statement at a prompt may print
    #: some megabytes at once, and a slow peer take minutes to read them.
    _MAX_UNREAD = 1 << 24

    _reading = False
    _held = False
    _unread = 0
    _room: Deferred[None] | None = None

    def __init__(
        self, protocolFactory: Callable[..., Any] | None = None, *a: Any, **kw: Any
    ) -> None:
        super().__init__()
        # Called when the connection is lost, after the protocol was told.
        self._when_lost: list[Callable[[], Any]] = []
        if protocolFactory is not None:
            self.protocolFactory = protocolFactory
            self.protocolArgs = a
            self.protocolKwArgs = kw

    def connectionMade(self) -> None:
        """Make the protocol, and give it its transport."""
        if self.protocolFactory is not None:
            self.protocol = self.protocolFactory(*self.protocolArgs, **self.protocolKwArgs)
            if self.factory is not None:
                self.protocol.factory = self.factory
            self.protocol.makeConnection(self)

    def dataReceived(self, data: bytes) -> None:
        """Bytes came in; what answers them has to find room before more are read."""
        self._reading = True
        try:
            super().dataReceived(data)
        finally:
            self._reading = False
        self._wait_for_room()

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """The connection is gone; so it is for the protocol."""
        super().connectionLost(reason)
        try:
            if self.protocol is not None:
                self.protocol.connectionLost(reason)
        finally:
            self.protocol = None
            calls, self._when_lost = self._when_lost, []
            for call in calls:
                call()

    def enableLocal(self, option: bytes) -> Any:
        """Ask the protocol."""
        return self.protocol.enableLocal(option)

    def enableRemote(self, option: bytes) -> Any:
        """Ask the protocol."""
        return self.protocol.enableRemote(option)

    def disableLocal(self, option: bytes) -> None:
        """Tell the protocol."""
        self.protocol.disableLocal(option)

    def disableRemote(self, option: bytes) -> None:
        """Tell the protocol."""
        self.protocol.disableRemote(option)

    def unhandledCommand(self, command: bytes, argument: bytes | None) -> None:
        """Tell the protocol."""
        self.protocol.unhandledCommand(command, argument)

    def unhandledSubnegotiation(self, command: bytes, data: list[bytes]) -> None:
        """Tell the protocol."""
        self.protocol.unhandledSubnegotiation(command, data)

    def applicationDataReceived(self, data: bytes) -> None:
        """Give it to the protocol."""
        self.protocol.dataReceived(data)

    def write(self, data: bytes) -> None:
        """Send text: newlines become CR LF, a CR is CR NUL, and IAC is escaped."""
        self._write(text(data))

    def _write(self, data: bytes) -> None:
        self.transport.write(data)
        if self._room is None:
            # Within a read, all that is written leaves together at its end.
            if not self._reading:
                self._wait_for_room()
            return
        self._unread += len(data)
        if self._unread > self._MAX_UNREAD and not self._given_up:
            self._give_up("{peer} has not read the last {limit} bytes", self._MAX_UNREAD)
            # What waits would never leave.
            self.transport.abortConnection()

    def _wait_for_room(self) -> None:
        """Read no more as long as what was written waits for the peer to read it."""
        if self._room is not None or not hasattr(self.transport, "drain"):
            return
        room: Deferred[None] = self.transport.drain()
        if not room.called:
            self._room = room
            self._unread = 0
            self.transport.pauseProducing()
        room.addCallbacks(self._has_room, _ignore)

    def _has_room(self, _: object) -> None:
        if self._room is not None:
            self._room = None
            if not self._held:
                self.transport.resumeProducing()

    def pauseProducing(self) -> None:
        """Read no more, for now. Text that has been read may still be delivered."""
        self._held = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Read again, as soon as the peer has read what it was sent."""
        self._held = False
        if self._room is None:
            self.transport.resumeProducing()


def _ignore(failure: Any) -> None:
    """The connection is lost, of which others are told."""
