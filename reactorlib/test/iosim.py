"""
Two protocols in memory, connected by a pump that moves bytes when a test says so.

`connectedServerAndClient` makes both, and the `IOPump` between them. Nothing moves by
itself: `pump()` moves what has been written by then, once in each direction, and
`flush()` goes on until there is no more. `reactorlib.internet.testing.Link` is a
network that takes time.
"""

from __future__ import annotations

import itertools
import ssl
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from zope.interface import implementer

from reactorlib.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from reactorlib.internet.error import ConnectionDone, ConnectionRefusedError
from reactorlib.internet.interfaces import IAddress, ITLSTransport
from reactorlib.internet.protocol import Factory
from reactorlib.internet.task import Clock
from reactorlib.internet.testing import AccumulatingProtocol, MemoryReactor, MemoryReactorClock
from reactorlib.python.failure import Failure

__all__ = [
    "ConnectionCompleter",
    "FakeAddress",
    "FakeTransport",
    "IOPump",
    "NativeOpenSSLError",
    "TLSNegotiation",
    "connect",
    "connectableEndpoint",
    "connectedServerAndClient",
    "makeFakeClient",
    "makeFakeServer",
]

_Client = TypeVar("_Client")
_Server = TypeVar("_Server")

#: What a connection is lost with when a certificate does not please.
NativeOpenSSLError = ssl.SSLError

#: After how many pumps two protocols are taken to talk for ever.
_ENOUGH = 1000


class TLSNegotiation:
    """
    What goes over a connection instead of a TLS handshake.

    Args:
        obj: what `startTLS` was given. With a method `iosimVerify(other)`, which is
            called with what the other side was given, it says whether that pleases.
        connectState: whether this side is TLS's client, which begins.
    """

    def __init__(self, obj: Any, connectState: bool) -> None:
        self.obj = obj
        self.connectState = connectState
        self.sent = False
        #: Whether it is this side's turn to send it.
        self.readyToSend = connectState

    def __repr__(self) -> str:
        return f"TLSNegotiation({self.obj!r})"

    def pretendToVerify(self, other: TLSNegotiation, tpt: FakeTransport) -> None:
        """Have the other side's looked at; the connection is closed if it does not please."""
        verify = getattr(self.obj, "iosimVerify", None)
        if verify is not None and not verify(other.obj):
            tpt.disconnectReason = NativeOpenSSLError("the certificate does not please")
            tpt.loseConnection()


@implementer(IAddress)
class FakeAddress:
    """The address of one side, unless another is given."""


@implementer(ITLSTransport)
class FakeTransport:
    """
    One side of a connection: keeps what is written until an `IOPump` fetches it.

    Args:
        protocol: what the other side's bytes are for.
        isServer: whether it is the side that was connected to.
        hostAddress, peerAddress: what `getHost` and `getPeer` return.

    Attributes:
        stream: what is written and not fetched.
        serial: a number that no other one has.
        disconnecting: whether it is to be closed, or is.
        disconnected: whether the protocol has been told that it is closed.
        disconnectReason: what `connectionLost` is called with, an exception.
        tls: the negotiation under way, or None.
    """

    _numbers = itertools.count()

    closed = 0
    disconnecting = False
    disconnected = False
    disconnectReason: BaseException = ConnectionDone("Connection done")
    tls: TLSNegotiation | None = None
    producer: Any = None
    streamingProducer: Any = 0

    def __init__(
        self, protocol: Any, isServer: bool, hostAddress: Any = None, peerAddress: Any = None
    ) -> None:
        self.protocol = protocol
        self.isServer = isServer
        self.stream: list[bytes] = []
        self.serial = next(self._numbers)
        self.hostAddress = FakeAddress() if hostAddress is None else hostAddress
        self.peerAddress = FakeAddress() if peerAddress is None else peerAddress
        self._written_meanwhile: list[bytes] = []
        self._peers: TLSNegotiation | None = None
        self._write_closed = False
        self._no_delay = self._keep_alive = False

    def __repr__(self) -> str:
        side = "S" if self.isServer else "C"
        return f"FakeTransport<{side},{self.serial},{type(self.protocol).__name__}>"

    def logPrefix(self) -> str:
        """What it is called in a log."""
        return "iosim"

    def getHost(self) -> Any:
        """This side's address."""
        return self.hostAddress

    def getPeer(self) -> Any:
        """The other side's address."""
        return self.peerAddress

    # -- writing --------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Keep bytes for the other side; after `loseConnection` drop them."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"data is bytes, and not {type(data).__name__}")
        if self.disconnecting or self._write_closed or not data:
            return
        (self.stream if self.tls is None else self._written_meanwhile).append(bytes(data))

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Keep several pieces for the other side."""
        self.write(b"".join(iovec))

    def getOutBuffer(self) -> Any:
        """
        Fetch what is kept.

        Returns:
            bytes; a `TLSNegotiation` when it is time for it; or None for nothing.
        """
        if self.stream:
            fetched = b"".join(self.stream)
            self.stream.clear()
            return fetched
        negotiation = self.tls
        if negotiation is None or negotiation.sent or not negotiation.readyToSend:
            return None
        negotiation.sent = True
        if self._peers is not None:
            self._negotiated()
        return negotiation

    def bufferReceived(self, buf: Any) -> None:
        """Take what the other side's `getOutBuffer` has returned."""
        if not isinstance(buf, TLSNegotiation):
            self.protocol.dataReceived(buf)
            return
        if self.tls is None:
            raise RuntimeError(f"{self!r} is sent {buf!r}: only the other side has called startTLS")
        self._peers = buf
        if self.tls.sent:
            self._negotiated()
        else:
            self.tls.readyToSend = True

    # -- closing --------------------------------------------------------------

    def loseConnection(self) -> None:
        """Close it, once what is kept has been fetched."""
        self.disconnecting = True

    def abortConnection(self) -> None:
        """Close it, as `loseConnection`."""
        self.loseConnection()

    def loseWriteConnection(self) -> None:
        """Write no more; the other side hears nothing of it."""
        self._write_closed = True

    def reportDisconnect(self) -> None:
        """Tell the protocol that it is closed."""
        reason = self.disconnectReason
        if self.tls is not None:
            reason = NativeOpenSSLError("the connection was closed during the TLS handshake")
        self.protocol.connectionLost(Failure(reason))

    # -- TLS ------------------------------------------------------------------

    def startTLS(self, contextFactory: Any, beNormal: bool = True) -> None:
        """
        Pretend to go on in TLS.

        What is written from now on is kept until the other side has done the same.

        Args:
            contextFactory: see `TLSNegotiation`; it need not be one.
            beNormal: whether the side that was connected to is TLS's server.
        """
        self.tls = TLSNegotiation(contextFactory, self.isServer is not bool(beNormal))
        self._peers = None

    def _negotiated(self) -> None:
        """Both sides have sent theirs: look at the other one, and let go what was written."""
        own, peers = self.tls, self._peers
        assert own is not None
        assert peers is not None
        kept, self._written_meanwhile = self._written_meanwhile, []
        self.tls = self._peers = None
        own.pretendToVerify(peers, self)
        self.writeSequence(kept)

    # -- flow -----------------------------------------------------------------

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Have a producer write; one that does not stream is asked at each pump."""
        self.producer = producer
        self.streamingProducer = streaming
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Ask it no more."""
        self.producer = None

    def stopConsuming(self) -> None:
        """Ask it no more, and close."""
        self.unregisterProducer()
        self.loseConnection()

    def _checkProducer(self) -> None:
        """Ask a producer that does not stream for more."""
        if self.producer is not None and not self.streamingProducer and not self.disconnected:
            self.producer.resumeProducing()

    def pauseProducing(self) -> None:
        """Do nothing: the pump moves bytes when the test says so."""

    def resumeProducing(self) -> None:
        """Do nothing: the pump moves bytes when the test says so."""

    def stopProducing(self) -> None:
        """Close it."""
        self.loseConnection()

    # -- settings that change nothing -----------------------------------------

    def getTcpNoDelay(self) -> bool:
        """What `setTcpNoDelay` was given."""
        return self._no_delay

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Keep a setting."""
        self._no_delay = bool(enabled)

    def getTcpKeepAlive(self) -> bool:
        """What `setTcpKeepAlive` was given."""
        return self._keep_alive

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Keep a setting."""
        self._keep_alive = bool(enabled)


def makeFakeClient(clientProtocol: Any) -> FakeTransport:
    """Make the connecting side's transport."""
    return FakeTransport(clientProtocol, isServer=False)


def makeFakeServer(serverProtocol: Any) -> FakeTransport:
    """Make the transport of the side that is connected to."""
    return FakeTransport(serverProtocol, isServer=True)


class IOPump:
    """
    Moves bytes between two transports.

    Args:
        client, server: the protocols.
        clientIO, serverIO: their transports.
        debug: whether what is moved is printed.
        clock: a clock, the calls of which are made when they are due.
    """

    def __init__(
        self,
        client: Any,
        server: Any,
        clientIO: Any,
        serverIO: Any,
        debug: bool,
        clock: Clock | None = None,
    ) -> None:
        self.client, self.server = client, server
        self.clientIO, self.serverIO = clientIO, serverIO
        self.debug = debug
        self.clock = Clock() if clock is None else clock

    def flush(self, debug: bool = False, advanceClock: bool = True) -> bool:
        """
        Pump until there is nothing to be moved.

        Returns:
            whether anything was.

        Raises:
            RuntimeError: there is no end to it.
        """
        for count in range(_ENOUGH):
            if not self.pump(debug, advanceClock):
                return count > 0
        raise RuntimeError(
            f"after {_ENOUGH} pumps {self.client!r} and {self.server!r} still have something to say"
        )

    def pump(self, debug: bool = False, advanceClock: bool = True) -> bool:
        """
        Move what has been written, once in each direction, or tell of the end.

        Args:
            advanceClock: whether calls of the clock that are due are made first.

        Returns:
            whether anything was moved or told.
        """
        loud = self.debug or debug
        if advanceClock:
            self.clock.advance(0)
        self.clientIO._checkProducer()
        self.serverIO._checkProducer()
        from_server, from_client = self.serverIO.getOutBuffer(), self.clientIO.getOutBuffer()
        for side, moved, to in (
            ("C", from_client, self.serverIO),
            ("S", from_server, self.clientIO),
        ):
            if moved:
                if loud:
                    print(f"{side}: {moved!r}")
                to.bufferReceived(moved)
        if from_client or from_server:
            return True
        for side, closing, other in (
            ("S", self.serverIO, self.clientIO),
            ("C", self.clientIO, self.serverIO),
        ):
            if closing.disconnecting and not closing.disconnected:
                if loud:
                    print(f"{side} closes")
                closing.disconnected = other.disconnected = True
                other.disconnecting = True
                other.reportDisconnect()
                closing.reportDisconnect()
                return True
        return False


def connect(
    serverProtocol: Any,
    serverTransport: Any,
    clientProtocol: Any,
    clientTransport: Any,
    debug: bool = False,
    greet: bool = True,
    clock: Clock | None = None,
) -> IOPump:
    """
    Connect two protocols.

    Args:
        debug: whether what is moved is printed.
        greet: whether what they say to begin with is moved at once.
        clock: as for `IOPump`.

    Returns:
        the pump between them.
    """
    serverProtocol.makeConnection(serverTransport)
    clientProtocol.makeConnection(clientTransport)
    pump = IOPump(clientProtocol, serverProtocol, clientTransport, serverTransport, debug, clock)
    if greet:
        pump.flush()
    return pump


def connectedServerAndClient(
    ServerClass: Callable[[], _Server],
    ClientClass: Callable[[], _Client],
    clientTransportFactory: Callable[[_Client], Any] = makeFakeClient,
    serverTransportFactory: Callable[[_Server], Any] = makeFakeServer,
    debug: bool = False,
    greet: bool = True,
    clock: Clock | None = None,
) -> tuple[_Client, _Server, IOPump]:
    """
    Make two protocols and connect them.

    Args:
        ServerClass, ClientClass: make the protocols.
        clientTransportFactory, serverTransportFactory: make the transports of protocols.
        debug, greet, clock: as for `connect`.

    Returns:
        the client, the server, and the pump between them.
    """
    client, server = ClientClass(), ServerClass()
    transports = clientTransportFactory(client), serverTransportFactory(server)
    pump = connect(server, transports[1], client, transports[0], debug, greet, clock)
    return client, server, pump


class ConnectionCompleter:
    """
    Makes the connections that a `MemoryReactor` was asked for, or has them fail.

    Args:
        memoryReactor: the reactor, with its `tcpClients` and `tcpServers`.
    """

    def __init__(self, memoryReactor: MemoryReactor) -> None:
        self._reactor = memoryReactor

    def succeedOnce(self, debug: bool = False, greet: bool = True) -> IOPump | None:
        """
        Make the first connection of which the reactor listens on the port.

        Args:
            debug, greet: as for `connect`.

        Returns:
            the pump; None if there is no such connection, or a factory builds no protocol.
        """
        reactor = self._reactor
        servers = {port: factory for port, factory, *_ in reversed(reactor.tcpServers)}
        for index, (_, port, clients, *_) in enumerate(reactor.tcpClients):
            if port not in servers:
                continue
            del reactor.tcpClients[index]
            del reactor.connectors[index]
            server: Any = servers[port].buildProtocol(FakeAddress())
            client: Any = clients.buildProtocol(FakeAddress())
            if server is None or client is None:
                return None
            ends = makeFakeServer(server), makeFakeClient(client)
            return connect(server, ends[0], client, ends[1], debug, greet)
        return None

    def failOnce(self, reason: Failure | None = None) -> None:
        """
        Have the first connection fail.

        Args:
            reason: why; by default it is refused.

        Raises:
            IndexError: the reactor was asked for none.
        """
        if reason is None:
            reason = Failure(ConnectionRefusedError())
        _, _, factory, *_ = self._reactor.tcpClients.pop(0)
        factory.clientConnectionFailed(self._reactor.connectors.pop(0), reason)


def connectableEndpoint(debug: bool = False) -> tuple[TCP4ClientEndpoint, ConnectionCompleter]:
    """
    Make an endpoint that connects when the test says so.

    Args:
        debug: not used; `succeedOnce` takes it.

    Returns:
        the endpoint, and what makes its connections.
    """
    reactor: Any = MemoryReactorClock()
    TCP4ServerEndpoint(reactor, 4321).listen(Factory.forProtocol(AccumulatingProtocol))
    return TCP4ClientEndpoint(reactor, "127.0.0.1", 4321), ConnectionCompleter(reactor)
