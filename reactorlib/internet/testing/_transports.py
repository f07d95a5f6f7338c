"""Transports that keep what is written to them."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import Any

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet.address import IPv4Address
from reactorlib.internet.defer import Deferred, succeed
from reactorlib.internet.interfaces import (
    IConsumer,
    IDrainable,
    IPullProducer,
    IPushProducer,
    ITransport,
    IUDPTransport,
)
from reactorlib.python.failure import Failure

__all__ = [
    "FakeDatagramTransport",
    "NonStreamingProducer",
    "StringIOWithoutClosing",
    "StringTransport",
    "StringTransportWithDisconnection",
]


class StringIOWithoutClosing(BytesIO):
    """A `BytesIO` that can still be read when it has been closed."""

    def close(self) -> None:
        """Do nothing."""


@implementer(ITransport, IConsumer, IPushProducer, IDrainable)
class StringTransport:
    """
    A transport that keeps what is written, for a look at it.

    Args:
        hostAddress, peerAddress: what `getHost()` and `getPeer()` return; by
            default made-up IPv4 addresses.
        lenient: let `pauseProducing` and `resumeProducing` pass after the end.

    Attributes:
        io: the file that is written to.
        disconnecting: whether `loseConnection` has been called.
        disconnected: whether `abortConnection` has been called.
        producer, streaming: what has been registered.
        producerState: "producing", "paused" or "stopped".
    """

    disconnecting = False
    disconnected = False
    producer: Any = None
    streaming: Any = None
    hostAddr: Any = None
    peerAddr: Any = None
    producerState = "producing"

    def __init__(
        self, hostAddress: Any = None, peerAddress: Any = None, lenient: bool = False
    ) -> None:
        self.clear()
        if hostAddress is not None:
            self.hostAddr = hostAddress
        if peerAddress is not None:
            self.peerAddr = peerAddress
        self.connected = True
        self._lenient = lenient

    def clear(self) -> None:
        """Forget what has been written."""
        self.io = BytesIO()

    def value(self) -> bytes:
        """What has been written since the beginning, or the last `clear()`."""
        return self.io.getvalue()

    def write(self, data: bytes) -> None:
        """
        Keep `data`, whatever state the transport is in.

        Raises:
            TypeError: it is not bytes.
        """
        if not isinstance(data, bytes):
            raise TypeError(f"data must be bytes, not {type(data).__name__}")
        self.io.write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Keep several pieces."""
        self.io.write(b"".join(data))

    def drain(self) -> Deferred[None]:
        """There is always room: fired."""
        return succeed(None)

    def loseConnection(self) -> None:
        """Set `disconnecting`; the protocol is not told."""
        self.disconnecting = True

    def abortConnection(self) -> None:
        """Set `disconnected`, and do as `loseConnection`."""
        self.disconnected = True
        self.loseConnection()

    def getPeer(self) -> Any:
        """Where the peer is said to be."""
        if self.peerAddr is None:
            return IPv4Address("TCP", "192.168.1.1", 54321)
        return self.peerAddr

    def getHost(self) -> Any:
        """Where this end is said to be."""
        if self.hostAddr is None:
            return IPv4Address("TCP", "10.0.0.1", 12345)
        return self.hostAddr

    def registerProducer(self, producer: Any, streaming: Any) -> None:
        """Keep the producer; RuntimeError if there is one."""
        if self.producer is not None:
            raise RuntimeError("a producer is registered already; unregister it first")
        self.producer = producer
        self.streaming = streaming

    def unregisterProducer(self) -> None:
        """Forget the producer; RuntimeError if there is none."""
        if self.producer is None:
            raise RuntimeError("no producer is registered")
        self.producer = None
        self.streaming = None

    def _must_be_open(self) -> None:
        if (self.disconnecting or self.producerState == "stopped") and not self._lenient:
            raise RuntimeError("the transport has been closed: there is nothing to pause or resume")

    def pauseProducing(self) -> None:
        """Be paused; RuntimeError after the end."""
        self._must_be_open()
        self.producerState = "paused"

    def resumeProducing(self) -> None:
        """Produce again; RuntimeError after the end."""
        self._must_be_open()
        self.producerState = "producing"

    def stopProducing(self) -> None:
        """Be stopped."""
        self.producerState = "stopped"


class StringTransportWithDisconnection(StringTransport):
    """
    A `StringTransport` that tells its protocol when the connection is closed.

    Attributes:
        protocol: who is told; the test sets it.
    """

    protocol: Any

    def loseConnection(self) -> None:
        """Tell the protocol, once, that the connection was closed."""
        if self.connected:
            self.connected = False
            self.protocol.connectionLost(Failure(error.ConnectionDone("Bye.")))


@implementer(IUDPTransport)
class FakeDatagramTransport:
    """
    A transport of datagrams that keeps what is sent.

    Attributes:
        written: pairs of a datagram and where it was sent; `noAddr` for none.
    """

    noAddr: Any = object()

    def __init__(self) -> None:
        self.written: list[tuple[bytes, Any]] = []

    def write(self, packet: bytes, addr: Any = noAddr) -> None:
        """Keep a datagram."""
        self.written.append((packet, addr))

    def writeSequence(self, packets: Iterable[bytes], addr: Any = noAddr) -> None:
        """Keep several pieces as one datagram."""
        self.write(b"".join(packets), addr)

    def connect(self, host: str, port: int) -> None:
        """Be connected to one peer."""
        self._peer = IPv4Address("UDP", host, port)

    def getHost(self) -> IPv4Address:
        """Where it is said to be."""
        return IPv4Address("UDP", "10.0.0.1", 12345)

    def stopListening(self) -> Deferred[None]:
        """Nothing is open: fired."""
        return succeed(None)

    def setBroadcastAllowed(self, enabled: bool) -> None:
        """Let broadcasts be sent, or not."""
        self._broadcasts = enabled

    def getBroadcastAllowed(self) -> bool:
        """Whether broadcasts may be sent."""
        return getattr(self, "_broadcasts", False)


@implementer(IPullProducer)
class NonStreamingProducer:
    """
    A pull producer that writes the numbers from 0 to 9, one each time it is asked.

    Attributes:
        result: a Deferred that fires with "done" when the last number has been
            written, or the producer was stopped.
    """

    counter = 0
    stopped = False

    def __init__(self, consumer: Any) -> None:
        self.consumer = consumer
        self.result: Deferred[str] = Deferred()

    def resumeProducing(self) -> None:
        """Write the next number, and leave the consumer after the last one."""
        if self.consumer is None or self.counter >= 10:
            raise RuntimeError("it was asked for more than the ten numbers that it has")
        self.consumer.write(b"%d" % self.counter)
        self.counter += 1
        if self.counter == 10:
            self.consumer.unregisterProducer()
            self._end()

    def pauseProducing(self) -> None:
        """Nobody pauses a pull producer: an error."""
        raise RuntimeError("a pull producer is asked for each piece, and cannot be paused")

    def stopProducing(self) -> None:
        """Be done."""
        self.stopped = True
        self._end()

    def _end(self) -> None:
        self.consumer = None
        if not self.result.called:
            self.result.callback("done")
