"""Protocols and observers that keep what comes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, overload

from reactorlib.internet import defer
from reactorlib.internet.protocol import Protocol, connectionDone
from reactorlib.protocols.basic import LineReceiver
from reactorlib.python.failure import Failure

if TYPE_CHECKING:
    from typing import Self

__all__ = [
    "AccumulatingProtocol",
    "EventLoggingObserver",
    "LineSendingProtocol",
    "waitUntilAllDisconnected",
]


class AccumulatingProtocol(Protocol):
    """
    A protocol that keeps what it is told.

    Attributes:
        made, closed: how often the connection was made, and lost.
        data: all that was received.
        closedReason: why the connection was lost, or None.
        closedDeferred: a Deferred that is fired with None when it is lost.

    Where its factory has a Deferred as `protocolConnectionMade`, that fires with
    the protocol when it is connected, once.
    """

    made = closed = 0
    closedReason: Failure | None = None
    closedDeferred: defer.Deferred[None] | None = None
    data = b""
    factory: Any = None

    def connectionMade(self) -> None:
        """Count it, and tell the factory."""
        self.made = 1
        if self.factory is None:
            return
        made = getattr(self.factory, "protocolConnectionMade", None)
        if made is not None:
            self.factory.protocolConnectionMade = None
            made.callback(self)

    def dataReceived(self, data: bytes) -> None:
        """Keep it."""
        self.data += data

    def connectionLost(self, reason: Any = None) -> None:
        """Keep the reason."""
        self.closed = 1
        self.closedReason = reason
        if self.closedDeferred is not None:
            lost, self.closedDeferred = self.closedDeferred, None
            lost.callback(None)


class LineSendingProtocol(LineReceiver):
    """
    A protocol that sends lines, and keeps those that come.

    Args:
        lines: what is sent, all at once.
        start: whether to send them when connected; otherwise the first line that
            comes sets it off.

    Attributes:
        response: the lines that came.
        lostConn: whether the connection was lost.
    """

    lostConn = False

    def __init__(self, lines: Iterable[bytes], start: bool = True) -> None:
        self.lines = list(lines)
        self.response: list[bytes] = []
        self.start = start

    def connectionMade(self) -> None:
        """Send, if this side starts."""
        if self.start:
            self._send()

    def lineReceived(self, line: bytes) -> None:
        """Keep it, and send if that has waited for it."""
        if not self.start:
            self._send()
            self.start = True
        self.response.append(line)

    def _send(self) -> None:
        lines, self.lines = self.lines, []
        for line in lines:
            self.sendLine(line)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Remember it."""
        self.lostConn = True


def waitUntilAllDisconnected(reactor: object, protocols: Sequence[Any]) -> defer.Deferred[None]:
    """
    Wait until every one of some connections is lost.

    Each protocol's `connectionLost` is called as before. Nothing is polled.

    Args:
        reactor: not used; it is Twisted's argument.
        protocols: those of the connections.

    Returns:
        a Deferred that fires with None.
    """
    waits = []
    for protocol in protocols:
        if not getattr(protocol.transport, "connected", True):
            continue
        lost: defer.Deferred[None] = defer.Deferred()
        waits.append(lost)
        _tell_when_lost(protocol, lost)
    return defer.DeferredList(waits).addCallback(lambda _: None)


def _tell_when_lost(protocol: Any, lost: defer.Deferred[None]) -> None:
    before = protocol.connectionLost

    def connection_lost(*args: Any) -> Any:
        try:
            return before(*args)
        finally:
            lost.callback(None)

    protocol.connectionLost = connection_lost


class EventLoggingObserver(Sequence[dict[str, Any]]):
    """A log observer that keeps events, and is a sequence of them."""

    def __init__(self) -> None:
        self._events: list[dict[str, Any]] = []

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._events[index]

    def __len__(self) -> int:
        return len(self._events)

    def __call__(self, event: dict[str, Any]) -> None:
        self._events.append(event)

    @classmethod
    def createWithCleanup(cls, testInstance: Any, publisher: Any) -> Self:
        """
        Make one that observes until a test is over.

        Args:
            testInstance: the test case, which has `addCleanup`.
            publisher: what has `addObserver` and `removeObserver`.
        """
        observer = cls()
        publisher.addObserver(observer)
        testInstance.addCleanup(publisher.removeObserver, observer)
        return observer
