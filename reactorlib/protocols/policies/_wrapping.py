"""The wrapper and the factory that the others are made of."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from zope.interface import directlyProvides, providedBy

from reactorlib.internet.interfaces import ILoggingContext
from reactorlib.internet.protocol import ClientFactory, Protocol, connectionDone
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

__all__ = ["ProtocolWrapper", "WrappingFactory"]

_log = logging.getLogger("reactorlib.protocols.policies")


def _log_prefix(wrapper: object, wrapped: Any) -> str:
    """What is wrapped, by its own name, and the wrapper by its class's."""
    if ILoggingContext.providedBy(wrapped):
        prefix = wrapped.logPrefix()
    else:
        prefix = wrapped.__class__.__name__
    return f"{prefix} ({wrapper.__class__.__name__})"


class ProtocolWrapper(Protocol):
    """
    A transport to the protocol it wraps, and a protocol to the transport below.

    It passes everything on: override what is to be different. What a wrapper
    does not know is the transport's.

    Attributes:
        wrappedProtocol: the protocol above; None once the connection is lost.
        factory: the WrappingFactory that made it.
        disconnecting: whether `loseConnection` was called.
    """

    disconnecting: bool | int = 0

    def __init__(self, factory: Any, wrappedProtocol: Any) -> None:
        self.wrappedProtocol = wrappedProtocol
        self.factory = factory

    def logPrefix(self) -> str:
        """The name in logs: the wrapped protocol's, and this one's."""
        return _log_prefix(self, self.wrappedProtocol)

    def makeConnection(self, transport: Any) -> None:
        """Take the transport, be all that it is, and connect the wrapped protocol."""
        directlyProvides(self, providedBy(transport))
        Protocol.makeConnection(self, transport)
        self.factory.registerProtocol(self)
        self.wrappedProtocol.makeConnection(self)

    # -- the transport of the wrapped protocol --------------------------------

    def write(self, data: bytes) -> None:
        """Send `data`."""
        self.transport.write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send several pieces as one."""
        self.transport.writeSequence(data)

    def loseConnection(self) -> None:
        """Close once everything written has been sent."""
        self.disconnecting = 1
        self.transport.loseConnection()

    def getPeer(self) -> Any:
        """Where the other end is."""
        return self.transport.getPeer()

    def getHost(self) -> Any:
        """Where this end is."""
        return self.transport.getHost()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Let `producer` know when to write."""
        self.transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self.transport.unregisterProducer()

    def stopConsuming(self) -> None:
        """Take no more from the producer."""
        self.transport.stopConsuming()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)

    # -- the protocol of the transport below ----------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Bytes came in."""
        self.wrappedProtocol.dataReceived(data)

    def _deliver_kept(self, data: bytes) -> Failure | None:
        """
        Deliver what was kept back, where no transport below is there to take an error.

        Returns:
            the error that the wrapped protocol raised, which has been reported; None if
            there was none.
        """
        try:
            self.wrappedProtocol.dataReceived(data)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            failure = Failure(error)
            context = {"protocol": self.wrappedProtocol, "transport": self}
            report(_log, "dataReceived() failed; the connection is dropped", failure, **context)
            return failure
        return None

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self.factory.unregisterProtocol(self)
        self.wrappedProtocol.connectionLost(reason)
        # The two refer to each other.
        self.wrappedProtocol = None


if TYPE_CHECKING:
    from typing_extensions import TypeVar as _TypeVar

    WP = _TypeVar("WP", bound=ProtocolWrapper, default=ProtocolWrapper)
else:
    WP = TypeVar("WP")


class WrappingFactory(ClientFactory[WP]):
    """
    Wraps a factory, and its protocols, and knows them.

    Args:
        wrappedFactory: whose protocols to wrap. It is told what a factory is told.

    Attributes:
        protocol: what makes a wrapper, called with this factory and a protocol.
        protocols: the wrappers that have a connection, as keys.
    """

    protocol: Callable[..., WP] = ProtocolWrapper  # type: ignore[assignment]  # unless said

    def __init__(self, wrappedFactory: Any) -> None:
        self.wrappedFactory = wrappedFactory
        self.protocols: dict[WP, int] = {}

    def logPrefix(self) -> str:
        """The name in logs: the wrapped factory's, and this one's."""
        return _log_prefix(self, self.wrappedFactory)

    def doStart(self) -> None:
        """A port or connector begins to use it, and so the wrapped factory."""
        self.wrappedFactory.doStart()
        super().doStart()

    def doStop(self) -> None:
        """A port or connector is done with it, and so with the wrapped factory."""
        self.wrappedFactory.doStop()
        super().doStop()

    def startedConnecting(self, connector: Any) -> None:
        """An attempt begins."""
        self.wrappedFactory.startedConnecting(connector)

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        """There is no connection."""
        self.wrappedFactory.clientConnectionFailed(connector, reason)

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        """The connection is gone; the protocol has been told."""
        self.wrappedFactory.clientConnectionLost(connector, reason)

    def buildProtocol(self, addr: Any) -> WP | None:
        """A protocol of the wrapped factory, wrapped; None if that refuses."""
        wrapped = self.wrappedFactory.buildProtocol(addr)
        return None if wrapped is None else self.protocol(self, wrapped)

    def registerProtocol(self, p: WP) -> None:
        """A wrapper has a connection."""
        self.protocols[p] = 1

    def unregisterProtocol(self, p: WP) -> None:
        """A wrapper has lost its connection."""
        del self.protocols[p]
