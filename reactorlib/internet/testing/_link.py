"""
A network between two protocols: in memory, with latency, bandwidth and loss.

Everything happens in calls of a clock's, so a test that has a `Clock` decides when.
A stream is sent in segments, one after the other as fast as the bandwidth lets
them; each arrives after the latency, and in order. A segment that is lost is sent
again after a while, as TCP does, and holds up those behind it. A datagram that is
lost is lost.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet.address import IPv4Address
from reactorlib.internet.defer import Deferred, succeed
from reactorlib.internet.interfaces import (
    IConsumer,
    IDrainable,
    IHalfCloseableProtocol,
    IPushProducer,
    ITCPTransport,
    IUDPTransport,
)
from reactorlib.internet.task import Clock
from reactorlib.python.failure import Failure

__all__ = ["Link", "LinkTransport"]

#: The most that one segment carries, in bytes: what Ethernet leaves to TCP over IPv4.
SEGMENT = 1460
#: How much may be under way before a producer is told to wait, in bytes, as asyncio has it.
HIGH_WATER = 65536


class Link:
    """
    A network between two ends.

    Args:
        clock: what makes the calls: a `Clock`, or any reactor.
        latency: seconds from one end to the other.
        bandwidth: bytes per second in each direction; None for no limit.
        loss: how likely a segment or datagram is lost, from 0 to less than 1.
        retransmit: seconds after which a lost segment is sent again; by default
            three times the latency, and at least 0.2, TCP's usual minimum.
        seed: what the random numbers begin with: the same loss every time.
    """

    def __init__(
        self,
        clock: Clock | Any,
        latency: float = 0.0,
        bandwidth: float | None = None,
        loss: float = 0.0,
        retransmit: float | None = None,
        seed: int = 0,
    ) -> None:
        if latency < 0:
            raise ValueError(f"a latency is at least 0 seconds, not {latency!r}")
        if bandwidth is not None and bandwidth <= 0:
            raise ValueError(f"a bandwidth is more than 0 bytes per second, not {bandwidth!r}")
        if not 0 <= loss < 1:
            raise ValueError(f"the likelihood of loss is from 0 to less than 1, not {loss!r}")
        self.clock = clock
        self.latency = latency
        self.bandwidth = bandwidth
        self.loss = loss
        self.retransmit = max(0.2, 3 * latency) if retransmit is None else retransmit
        self._random = random.Random(seed)

    def connect(self, client: Any, server: Any) -> tuple[LinkTransport, LinkTransport]:
        """
        Connect two protocols, the server first; both have been told when it returns.

        Returns:
            their transports, the client's first.
        """
        ends = LinkTransport(self, client, 50000, 80), LinkTransport(self, server, 80, 50000)
        ends[0]._peer, ends[1]._peer = ends[1], ends[0]
        server.makeConnection(ends[1])
        client.makeConnection(ends[0])
        return ends

    def connectFactories(self, client: Any, server: Any) -> tuple[LinkTransport, LinkTransport]:
        """As `connect`, for protocols that two factories build."""
        near, far = _address("TCP", 50000), _address("TCP", 80)
        return self.connect(client.buildProtocol(far), server.buildProtocol(near))

    def connectDatagrams(self, one: Any, other: Any) -> None:
        """Connect two `DatagramProtocol`s, at 192.0.2.1:50000 and 192.0.2.2:80."""
        ends = _DatagramEnd(self, one, 50000), _DatagramEnd(self, other, 80)
        ends[0]._peer, ends[1]._peer = ends[1], ends[0]
        for end, protocol in zip(ends, (one, other), strict=True):
            protocol.makeConnection(end)

    def _is_lost(self) -> bool:
        return self.loss > 0 and self._random.random() < self.loss


def _address(kind: Any, port: int) -> IPv4Address:
    """The addresses are those that RFC 5737 sets aside for documentation."""
    return IPv4Address(kind, "192.0.2.1" if port == 50000 else "192.0.2.2", port)


class _Line:
    """One direction of a link: what is sent on it leaves one by one."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._free = 0.0  # when the last byte so far has left
        self._last = 0.0  # when the last segment so far arrives

    def _leaves(self, size: int) -> float:
        now: float = self._link.clock.seconds()
        self._free = max(self._free, now)
        if self._link.bandwidth is not None:
            self._free += size / self._link.bandwidth
        return self._free

    def send(self, size: int, arrive: Callable[[], object]) -> None:
        """Send a segment: after whatever was sent before, it arrives for certain."""
        link = self._link
        arrival = self._leaves(size) + link.latency
        while link._is_lost():
            arrival += link.retransmit
        self._last = arrival = max(arrival, self._last)
        link.clock.callLater(max(0.0, arrival - link.clock.seconds()), arrive)

    def send_once(self, size: int, arrive: Callable[[], object]) -> None:
        """Send a datagram, which may be lost."""
        arrival = self._leaves(size) + self._link.latency
        if not self._link._is_lost():
            self._link.clock.callLater(max(0.0, arrival - self._link.clock.seconds()), arrive)


@implementer(ITCPTransport, IConsumer, IPushProducer, IDrainable)
class LinkTransport:
    """
    One end of a `Link`: a transport as TCP's, with its ways to end.

    Attributes:
        protocol: whose it is.
        connected, disconnecting, disconnected: how far it has come.
    """

    def __init__(self, link: Link, protocol: Any, port: int, peer_port: int) -> None:
        self.protocol = protocol
        self.connected = True
        self.disconnecting = self.disconnected = False
        self._link = link
        self._line = _Line(link)
        self._host, self._peer_host = _address("TCP", port), _address("TCP", peer_port)
        self._peer: LinkTransport
        self._held: deque[bytes | None] = deque()  # arrived while paused; None is the end
        self._delivering = False
        self._paused = False
        self._ended = False  # nothing more is written
        self._aborted = False
        self._peer_ended = False
        self._under_way = 0
        self._producer: Any = None
        self._pulls = False
        self._producer_waits = False
        self._drains: list[Deferred[None]] = []
        self._no_delay = self._keep_alive = False

    # -- writing --------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send; after the end, data is dropped."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"data must be bytes, not {type(data).__name__}")
        if self._ended or not data:
            return
        data = bytes(data)
        self._under_way += len(data)
        for start in range(0, len(data), SEGMENT):
            piece = data[start : start + SEGMENT]
            self._line.send(len(piece), partial(self._peer._arrives, piece))
        may_wait = self._producer is not None and not (self._pulls or self._producer_waits)
        if self._under_way > HIGH_WATER and may_wait:
            self._producer_waits = True
            self._producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send several pieces as one."""
        self.write(b"".join(data))

    def drain(self) -> Deferred[None]:
        """Wait until little enough is under way to write more; fires with None."""
        if self._under_way <= HIGH_WATER or not self.connected:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._drains.append(waiting)
        return waiting

    def _taken(self, size: int) -> None:
        """The peer has taken that much."""
        self._under_way -= size
        if self._under_way > HIGH_WATER // 4:
            return
        self._fire_drains()
        if self._producer is not None and self._producer_waits:
            self._producer_waits = False
            self._producer.resumeProducing()
        self._pull()
        self._close_when_empty()

    def _fire_drains(self) -> None:
        drains, self._drains = self._drains, []
        for waiting in drains:
            if not waiting.called:
                waiting.callback(None)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """See `IConsumer`."""
        if self._producer is not None:
            raise RuntimeError("a producer is registered already; unregister it first")
        if not self.connected:
            producer.stopProducing()
            return
        self._producer = producer
        self._pulls = not streaming
        self._pull()

    def _pull(self) -> None:
        if self._producer is not None and self._pulls and self._under_way == 0:
            self._link.clock.callLater(0, self._pull_now)

    def _pull_now(self) -> None:
        if self._producer is not None and self._pulls and self._under_way == 0:
            self._producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """See `IConsumer`."""
        self._producer = None
        self._producer_waits = False
        if self.disconnecting:
            self._end_writing()

    # -- reading --------------------------------------------------------------

    def pauseProducing(self) -> None:
        """Hand nothing to the protocol; the peer is held up when it has sent much."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Hand over what has come meanwhile, and what comes."""
        self._paused = False
        self._link.clock.callLater(0, self._deliver)

    def stopProducing(self) -> None:
        """The protocol wants no more: close."""
        self.loseConnection()

    def _arrives(self, piece: bytes | None) -> None:
        if self._peer._aborted:
            return
        if self.connected:
            self._held.append(piece)
            self._deliver()
        elif piece is not None:
            self._refuse()

    def _refuse(self) -> None:
        """Nobody reads here any more: what has come is answered with a reset."""
        # RFC 9293 section 3.10.7.1 for a closed end, and RFC 2525 section 2.17 for one that
        # closes with data that was not read.
        if not self._aborted:  # which has been one already
            reset = error.ConnectionLost("the other side has closed and takes no more")
            self._link.clock.callLater(self._link.latency, self._peer._lost, reset)

    def _deliver(self) -> None:
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._held and self.connected and not self._paused:
                piece = self._held.popleft()
                if piece is None:
                    self._peer_has_ended()
                else:
                    if not self.disconnecting:
                        self.protocol.dataReceived(piece)
                    self._peer._taken(len(piece))
        finally:
            self._delivering = False

    # -- the end --------------------------------------------------------------

    def loseConnection(self) -> None:
        """Close once everything written has arrived, and no producer is registered."""
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self._paused = False
            if self._producer is None:
                self._end_writing()
            self._link.clock.callLater(0, self._deliver)

    def loseWriteConnection(self) -> None:
        """Write no more, and go on reading."""
        self._end_writing()

    def _end_writing(self) -> None:
        if not self._ended:
            self._ended = True
            self._line.send(0, lambda: self._peer._arrives(None))
            if not self.disconnecting and IHalfCloseableProtocol.providedBy(self.protocol):
                self._link.clock.callLater(0, self.protocol.writeConnectionLost)
        self._close_when_empty()

    def _close_when_empty(self) -> None:
        if self._ended and self._under_way == 0 and (self.disconnecting or self._peer_ended):
            self._link.clock.callLater(0, self._lost, error.ConnectionDone())

    def _peer_has_ended(self) -> None:
        self._peer_ended = True
        if self._ended:
            self._close_when_empty()
        elif IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.readConnectionLost()
        else:
            self.loseConnection()

    def abortConnection(self) -> None:
        """Close now: what has not arrived is dropped, and the peer sees a reset."""
        if self.connected:
            self.disconnecting = self._ended = self._aborted = True
            self._link.clock.callLater(0, self._lost, error.ConnectionAborted())
            reset = error.ConnectionLost("the other side broke the connection off")
            self._link.clock.callLater(self._link.latency, self._peer._lost, reset)

    def _lost(self, reason: Exception) -> None:
        if not self.connected:
            return
        self.connected = False
        self.disconnecting = False
        self.disconnected = self._ended = True
        if any(piece is not None for piece in self._held):
            self._refuse()
        self._held.clear()
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        self._fire_drains()
        self.protocol.connectionLost(Failure(reason))

    # -- where, and how -------------------------------------------------------

    def getHost(self) -> IPv4Address:
        """Where this end is: in a network for documentation."""
        return self._host

    def getPeer(self) -> IPv4Address:
        """Where the other end is."""
        return self._peer_host

    def getTcpNoDelay(self) -> bool:
        """What was set."""
        return self._no_delay

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Keep it; it changes nothing here."""
        self._no_delay = bool(enabled)

    def getTcpKeepAlive(self) -> bool:
        """What was set."""
        return self._keep_alive

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Keep it; it changes nothing here."""
        self._keep_alive = bool(enabled)


@implementer(IUDPTransport)
class _DatagramEnd:
    """One end for datagrams."""

    def __init__(self, link: Link, protocol: Any, port: int) -> None:
        self._link = link
        self._protocol: Any = protocol
        self._line = _Line(link)
        self._host = _address("UDP", port)
        self._broadcasts = False
        self._connected = False
        self._peer: _DatagramEnd

    def write(self, packet: bytes, addr: tuple[str, int] | None = None) -> None:
        """Send a datagram: to the peer, or to where nobody is."""
        peer = self._peer._host
        if addr is None and not self._connected:
            raise ValueError("where is it to go? This end is not connected, and addr was left out")
        if addr is None or addr == (peer.host, peer.port):
            self._line.send_once(len(packet), lambda: self._peer._arrives(bytes(packet)))

    def writeSequence(self, packets: Iterable[bytes], addr: tuple[str, int] | None = None) -> None:
        """Send several pieces as one datagram."""
        self.write(b"".join(packets), addr)

    def _arrives(self, packet: bytes) -> None:
        if self._protocol is not None:
            peer = self._peer._host
            self._protocol.datagramReceived(packet, (peer.host, peer.port))

    def connect(self, host: str, port: int) -> None:
        """Let `write` need no address."""
        peer = self._peer._host
        if (host, port) != (peer.host, peer.port):
            raise ValueError(f"the other end of this link is {peer}, not {host}:{port}")
        self._connected = True

    def getHost(self) -> IPv4Address:
        """Where this end is."""
        return self._host

    def stopListening(self) -> Deferred[None]:
        """Take no more; fired, with the protocol told."""
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.doStop()
        return succeed(None)

    def setBroadcastAllowed(self, enabled: bool) -> None:
        """Keep it."""
        self._broadcasts = enabled

    def getBroadcastAllowed(self) -> bool:
        """What was set."""
        return self._broadcasts
