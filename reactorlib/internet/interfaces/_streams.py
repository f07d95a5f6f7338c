"""Connections: who is at the ends, what carries the bytes, who is told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from zope.interface import Interface

if TYPE_CHECKING:
    from reactorlib.internet.defer import Deferred
    from reactorlib.python.failure import Failure


class IAddress(Interface):
    """Where one end of a connection, or a port, is."""


class ILoggingContext(Interface):
    """Something that names itself in logs."""

    def logPrefix() -> str:
        """The name."""


class IProducer(Interface):
    """What writes to a consumer and can be told to wait."""

    def stopProducing() -> None:
        """The consumer is gone: produce no more."""


class IPushProducer(IProducer):
    """A producer that writes by itself until it is paused."""

    def pauseProducing() -> None:
        """Write nothing until `resumeProducing`."""

    def resumeProducing() -> None:
        """Write on."""


class IPullProducer(IProducer):
    """A producer that writes once for each time it is asked."""

    def resumeProducing() -> None:
        """Write one piece."""


class IConsumer(Interface):
    """What a producer writes to."""

    def registerProducer(producer: IProducer, streaming: bool) -> None:
        """
        Let `producer` know when to write.

        Args:
            streaming: whether it is an `IPushProducer`.

        Raises:
            RuntimeError: another producer is registered.
        """

    def unregisterProducer() -> None:
        """Forget the producer. It may still have written a last piece before."""

    def write(data: bytes) -> None:
        """Take a piece of data."""


class ITransport(Interface):
    """The sending side of a connection, as its protocol sees it."""

    def write(data: bytes) -> None:
        """
        Send `data`, in order, as soon as the peer takes it. Never blocks.

        After `loseConnection`, or once the connection is lost, data is dropped.
        """

    def writeSequence(data: Iterable[bytes]) -> None:
        """Send several pieces as one."""

    def loseConnection() -> None:
        """Close once everything written has been sent."""

    def getPeer() -> IAddress:
        """Where the other end is."""

    def getHost() -> IAddress:
        """Where this end is."""


class IDrainable(Interface):
    """What can say when to write more: every transport of this library."""

    def drain() -> Deferred[None]:
        """Wait until the peer has taken enough to write more; fires with None."""


class ISystemHandle(Interface):
    """Something with a handle of the operating system's behind it."""

    def getHandle() -> Any:
        """The handle: a socket, to read its options."""


class ITCPTransport(ITransport):
    """What TCP adds."""

    def loseWriteConnection() -> None:
        """
        Say that no more will be written, once what is written has left; go on
        reading. See `IHalfCloseableProtocol`.
        """

    def abortConnection() -> None:
        """Close now: data not yet sent is dropped, and the peer sees a reset."""

    def getTcpNoDelay() -> bool:
        """Whether small pieces are sent without waiting for more (TCP_NODELAY)."""

    def setTcpNoDelay(enabled: bool) -> None:
        """Set TCP_NODELAY."""

    def getTcpKeepAlive() -> bool:
        """Whether the system probes an idle connection (SO_KEEPALIVE)."""

    def setTcpKeepAlive(enabled: bool) -> None:
        """Set SO_KEEPALIVE."""


class IProtocol(Interface):
    """One connection's worth of conversation."""

    def makeConnection(transport: ITransport) -> None:
        """Take the transport; called by the transport, once."""

    def connectionMade() -> None:
        """The connection stands."""

    def dataReceived(data: bytes) -> None:
        """Bytes came in, cut anywhere."""

    def connectionLost(reason: Failure) -> None:
        """The connection is gone: called once, last."""


class IHalfCloseableProtocol(Interface):
    """A protocol for which the two directions of a connection end one by one."""

    def readConnectionLost() -> None:
        """The peer sends no more. What is written still goes out."""

    def writeConnectionLost() -> None:
        """`loseWriteConnection` is done: everything has left, and the peer has been told."""


class IProtocolFactory(Interface):
    """What makes a protocol for each connection."""

    def buildProtocol(addr: IAddress) -> Any:
        """
        A protocol for a connection with the peer at `addr`, or None to refuse it.
        """

    def doStart() -> None:
        """A port or a connector begins to use this factory."""

    def doStop() -> None:
        """A port or a connector is done with this factory."""


class IListeningPort(Interface):
    """A place where connections are accepted."""

    def startListening() -> None:
        """
        Begin, or begin again.

        Raises:
            CannotListenError: the address could not be bound.
        """

    def stopListening() -> Deferred[None] | None:
        """
        Accept no more; connections that stand live on.

        Returns:
            a Deferred that fires with None when the address is free.
        """

    def getHost() -> IAddress:
        """Where it listens."""


class IConnector(Interface):
    """An outgoing connection, made or to be made; it can be made again."""

    def stopConnecting() -> None:
        """
        Break the attempt off.

        Raises:
            NotConnectingError: there is none.
        """

    def disconnect() -> None:
        """Break off whatever there is: the attempt, or the connection."""

    def connect() -> None:
        """
        Try, or try again.

        Raises:
            ConnectInProgressError: it is connecting or connected.
        """

    def getDestination() -> IAddress:
        """Where it connects to."""


class IReactorTCP(Interface):
    """TCP, to and fro."""

    def listenTCP(
        port: int, factory: Any, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """
        Accept connections, and build a protocol for each.

        Args:
            port: its number; 0 for any that is free.
            backlog: how many may wait to be accepted.
            interface: the local address to bind; empty for all IPv4 ones, "::"
                for all.

        Raises:
            CannotListenError: the port is in use, or not to be had.
        """

    def connectTCP(
        host: str,
        port: int,
        factory: Any,
        timeout: float = 30.0,
        bindAddress: tuple[str, int] | None = None,
    ) -> IConnector:
        """
        Connect to `host`, and build a protocol for the connection.

        Args:
            timeout: seconds after which the attempt fails.
            bindAddress: the local host and port to connect from.
        """


class IReactorSSL(Interface):
    """TCP with TLS from the first byte, to and fro."""

    def connectSSL(
        host: str,
        port: int,
        factory: Any,
        contextFactory: Any,
        timeout: float = 30.0,
        bindAddress: tuple[str, int] | None = None,
    ) -> IConnector:
        """As `connectTCP`, with the TLS settings of `contextFactory`; see `ITLSTransport`."""

    def listenSSL(
        port: int, factory: Any, contextFactory: Any, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """As `listenTCP`, with the TLS settings of `contextFactory`; see `ITLSTransport`."""
