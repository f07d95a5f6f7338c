"""TLS over transports in memory, over TLS, and over sockets with OpenSSL at the other end."""

import asyncio
import contextlib
import gc
import shutil
import ssl as stdlib
import weakref
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from zope.interface import Interface, directlyProvides, implementer

from reactorlib.internet import ssl
from reactorlib.internet.defer import Deferred
from reactorlib.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from reactorlib.internet.interfaces import (
    IHandshakeListener,
    INegotiated,
    IProtocolNegotiationFactory,
    ISSLTransport,
    ISystemHandle,
    ITLSTransport,
)
from reactorlib.internet.protocol import ClientFactory, Factory, Protocol
from reactorlib.internet.task import Clock
from reactorlib.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from reactorlib.python.failure import Failure

CA = trustme.CA()
TRUST = ssl.Certificate.loadPEM(CA.cert_pem.bytes())
HOST = ssl.PrivateCertificate.loadPEM(
    CA.issue_cert("example.com", "localhost", "127.0.0.1").private_key_and_cert_chain_pem.bytes()
)
SERVER = HOST.options()
CLIENT = ssl.optionsForClientTLS("example.com", trustRoot=TRUST)


@implementer(IHandshakeListener)
class Side(Protocol):
    """Remembers what it was told, and does what the test says when it is told it."""

    def __init__(self, **hooks: Callable[["Side"], object]) -> None:
        self.hooks = hooks
        self.events: list[str] = []
        self.received = b""
        self.reason: Failure | None = None

    def _note(self, event: str) -> None:
        self.events.append(event)
        if event in self.hooks:
            self.hooks[event](self)

    def connectionMade(self) -> None:
        self._note("made")

    def handshakeCompleted(self) -> None:
        self._note("handshake")

    def dataReceived(self, data: bytes) -> None:
        assert data
        self.received += data
        self._note("data")

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        assert self.reason is None
        self.reason = reason
        self._note("lost")

    @property
    def lost_by(self) -> type[BaseException] | None:
        return None if self.reason is None else self.reason.type


class End:
    """A transport in memory. What is written waits until the wire is told to carry it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.disconnecting = False
        self.aborted = False
        self.paused = False
        self.lost = False
        self.producer: Any = None
        self.drains: list[Deferred[None]] = []

    def write(self, data: bytes) -> None:
        assert not self.disconnecting
        self.written.append(data)

    def writeSequence(self, data: list[bytes]) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        self.disconnecting = True

    def abortConnection(self) -> None:
        self.disconnecting = self.aborted = True
        self.written.clear()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        if self.producer is not None:
            raise RuntimeError("there is one already")
        assert streaming
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def drain(self) -> Deferred[None]:
        self.drains.append(Deferred())
        return self.drains[-1]

    def getPeer(self) -> str:
        return "the peer"

    def getHost(self) -> str:
        return "the host"


class Wire:
    """A client and a server, each with TLS, and what is between them."""

    def __init__(
        self,
        client: Side | None = None,
        server: Side | None = None,
        *,
        client_options: Any = CLIENT,
        server_options: Any = SERVER,
        factory: type[Factory] = ClientFactory,
    ) -> None:
        self.clock = Clock()
        self.client = client or Side()
        self.server = server or Side()
        self.ends = (End(), End())
        self.tls: list[TLSMemoryBIOProtocol] = []
        for is_client, side, options in (
            (True, self.client, client_options),
            (False, self.server, server_options),
        ):
            wrapped = factory.forProtocol(lambda side=side: side)  # type: ignore[misc]
            tls = TLSMemoryBIOFactory(options, is_client, wrapped, self.clock).buildProtocol(None)
            assert tls is not None
            self.tls.append(tls)
        for tls, end in zip(self.tls, self.ends, strict=True):
            tls.makeConnection(end)

    def carry(self) -> bool:
        """Carry what has been written, and the news of an end; whether there was anything."""
        moved = False
        for number, end in enumerate(self.ends):
            other = self.ends[1 - number]
            if end.written and not other.paused and not other.lost:
                moved = True
                data = b"".join(end.written)
                end.written.clear()
                self.tls[1 - number].dataReceived(data)
            if end.disconnecting and not end.lost and (not end.written or other.lost):
                moved = True
                self.lose(number, ConnectionAborted() if end.aborted else ConnectionDone())
                if not other.lost:
                    self.lose(1 - number, ConnectionLost() if end.aborted else ConnectionDone())
        return moved

    def lose(self, number: int, error: Exception) -> None:
        self.ends[number].lost = True
        self.tls[number].connectionLost(Failure(error))

    def run(self) -> "Wire":
        """Carry on until nothing moves."""
        while self.carry() or self.clock.getDelayedCalls():
            self.clock.advance(0)
        return self


def shaken(**kwargs: Any) -> Wire:
    wire = Wire(**kwargs).run()
    assert "handshake" in wire.client.events
    assert "handshake" in wire.server.events
    return wire


# -- bytes -------------------------------------------------------------------------


def test_what_is_written_arrives() -> None:
    wire = shaken()
    wire.client.transport.write(b"a ")
    wire.client.transport.writeSequence([b"ques", b"tion"])
    wire.server.transport.write(b"an answer" * 50000)
    wire.run()
    assert wire.server.received == b"a question"
    assert wire.client.received == b"an answer" * 50000


def test_what_is_written_in_connection_made_arrives_after_the_handshake() -> None:
    def greet(side: Side) -> None:
        side.transport.write(b"hello ")
        side.transport.write(b"there")

    wire = Wire(Side(made=greet), Side(made=greet)).run()
    assert wire.client.events == wire.server.events == ["made", "handshake", "data"]
    assert wire.client.received == wire.server.received == b"hello there"


def test_only_bytes_are_written() -> None:
    wire = shaken()
    with pytest.raises(TypeError, match="bytes-like"):
        wire.client.transport.write("text")
    wire.client.transport.write(bytearray(b"by"))
    wire.client.transport.write(memoryview(b"tes"))
    wire.run()
    assert wire.server.received == b"bytes"


def test_small_writes_of_a_turn_leave_together() -> None:
    wire = shaken()
    for _ in range(100):
        wire.client.transport.write(b"x")
    assert wire.ends[0].written == []
    wire.clock.advance(0)
    (record,) = wire.ends[0].written
    assert len(record) < 200
    wire.run()
    assert wire.server.received == b"x" * 100


def test_writes_while_data_is_received_leave_at_once() -> None:
    def echo(side: Side) -> None:
        for _ in range(10):
            side.transport.write(b"y")

    wire = shaken(server=Side(data=echo))
    wire.client.transport.write(b"x")
    wire.clock.advance(0)
    wire.carry()
    assert wire.clock.getDelayedCalls() == []
    assert wire.client.received == b"y" * 10


def test_much_is_sent_before_the_turn_ends() -> None:
    wire = shaken()
    wire.client.transport.write(b"x" * 64_001)
    assert sum(map(len, wire.ends[0].written)) > 64_001


def test_a_write_from_within_a_write_follows() -> None:
    """A transport may ask its producer to pause, and that say something, before it sends."""
    wire = shaken()
    end = wire.ends[0]
    first = [b""]

    def write(data: bytes) -> None:
        if first:
            first.clear()
            wire.client.transport.write(b"b" * 70_000)
        end.written.append(data)

    end.write = write  # type: ignore[method-assign]
    wire.client.transport.write(b"a" * 200_000)
    wire.run()
    assert wire.server.received == b"a" * 200_000 + b"b" * 70_000


# -- the handshake -----------------------------------------------------------------


def test_the_handshake_is_told_before_any_data() -> None:
    seen: list[Any] = []

    def look(side: Side) -> None:
        seen.append((side.transport.getPeerCertificate(), side.received))

    wire = Wire(Side(handshake=look), Side(made=lambda side: side.transport.write(b"hello")))
    assert wire.client.transport.getPeerCertificate() is None
    wire.run()
    assert seen == [(HOST, b"")]
    assert wire.client.events == ["made", "handshake", "data"]


def test_a_protocol_need_not_listen_to_handshakes() -> None:
    class Deaf(Protocol):
        received = b""

        def dataReceived(self, data: bytes) -> None:
            self.received += data

    deaf: Any = Deaf()
    wire = Wire(client=deaf, server=Side(made=lambda side: side.transport.write(b"hello")))
    wire.run()
    assert deaf.received == b"hello"


def test_who_does_not_like_the_peer_sends_nothing() -> None:
    def write(side: Side) -> None:
        side.transport.write(b"secret")

    def abort(side: Side) -> None:
        side.transport.abortConnection()

    wire = Wire(Side(made=write, handshake=abort)).run()
    assert wire.server.received == b""
    assert wire.client.lost_by is ConnectionAborted
    assert "data" not in wire.client.events


def test_a_wrong_host_is_an_error_on_both_sides() -> None:
    client = ssl.optionsForClientTLS("other.example.com", trustRoot=TRUST)
    wire = Wire(Side(made=lambda side: side.transport.write(b"secret")), client_options=client)
    wire.run()
    assert wire.client.lost_by is ssl.VerificationError
    assert "other.example.com" in str(wire.client.reason)
    assert wire.server.lost_by is stdlib.SSLError
    assert "ALERT" in str(wire.server.reason)
    assert wire.client.events == ["made", "lost"]
    assert wire.server.events == ["made", "lost"]


def test_a_missing_certificate_is_an_error_on_both_sides() -> None:
    wire = Wire(server_options=HOST.options(TRUST)).run()
    assert wire.client.lost_by is stdlib.SSLError
    assert wire.server.lost_by is stdlib.SSLError
    assert wire.server.events == ["made", "lost"]


def test_garbage_is_an_error() -> None:
    wire = Wire()
    wire.tls[1].dataReceived(b"GET / HTTP/1.1\r\n\r\n")
    wire.run()
    assert wire.server.lost_by is stdlib.SSLError
    assert "HTTP_REQUEST" in str(wire.server.reason)


# -- the end -----------------------------------------------------------------------


def test_an_orderly_end() -> None:
    wire = shaken()
    wire.client.transport.write(b"last words")
    wire.client.transport.loseConnection()
    wire.client.transport.write(b"dropped")
    assert wire.client.transport.disconnecting
    assert not wire.ends[0].disconnecting
    wire.run()
    assert wire.server.received == b"last words"
    assert wire.client.lost_by is ConnectionDone
    assert wire.server.lost_by is ConnectionDone
    assert wire.client.events[-1] == wire.server.events[-1] == "lost"


def test_the_peers_close_notify_is_awaited() -> None:
    """And what it still sends is received."""
    wire = shaken()
    wire.server.transport.write(b"x" * 100)
    wire.client.transport.loseConnection()
    wire.client.transport.loseConnection()
    wire.ends[0].written.clear()  # lost on the way
    wire.run()
    assert wire.client.received == b"x" * 100
    assert not wire.ends[0].disconnecting
    wire.client.transport.abortConnection()
    wire.run()
    assert wire.client.lost_by is ConnectionAborted


def test_both_may_close_at_once() -> None:
    wire = shaken()
    for side in (wire.client, wire.server):
        side.transport.write(b"bye")
        side.transport.loseConnection()
    wire.run()
    assert wire.client.received == wire.server.received == b"bye"
    assert wire.client.lost_by is wire.server.lost_by is ConnectionDone


def test_closing_before_the_handshake() -> None:
    wire = Wire(Side(made=lambda side: side.transport.loseConnection())).run()
    assert wire.client.lost_by is ConnectionAborted
    assert wire.ends[0].written == []


def test_what_was_written_before_the_handshake_still_leaves() -> None:
    def once(side: Side) -> None:
        side.transport.write(b"just this")
        side.transport.loseConnection()

    wire = Wire(Side(made=once)).run()
    assert wire.server.received == b"just this"
    assert wire.client.lost_by is wire.server.lost_by is ConnectionDone


def test_aborting() -> None:
    wire = shaken()
    wire.client.transport.write(b"dropped")
    wire.client.transport.abortConnection()
    wire.client.transport.abortConnection()
    wire.client.transport.write(b"dropped")
    wire.run()
    assert wire.server.received == b""
    assert wire.client.lost_by is ConnectionAborted
    assert wire.server.lost_by is ConnectionLost
    assert wire.clock.getDelayedCalls() == []


def test_a_transport_that_cannot_abort_is_closed() -> None:
    wire = shaken()
    wire.ends[0].abortConnection = None  # type: ignore[assignment, method-assign]
    wire.client.transport.abortConnection()
    assert wire.ends[0].disconnecting


@pytest.mark.parametrize("stage", ["handshake", "open"])
def test_a_truncated_stream_is_no_orderly_end(stage: str) -> None:
    wire = Wire() if stage == "handshake" else shaken()
    wire.server.transport.write(b"half")
    if stage == "open":
        wire.run()
    for end in wire.ends:
        end.written.clear()
    wire.ends[1].disconnecting = True
    wire.carry()
    assert wire.client.lost_by is ConnectionLost
    assert wire.client.reason is not None
    assert "without a close_notify" in str(wire.client.reason.value)
    assert isinstance(wire.client.reason.value.__cause__, stdlib.SSLEOFError)


def test_the_transports_own_reason_counts() -> None:
    wire = shaken()
    error = ConnectionLost("the cable was cut")
    wire.lose(0, error)
    assert wire.client.reason is not None
    assert wire.client.reason.value is error


def test_who_fails_verification() -> None:
    wire = shaken()
    error = LookupError("I do not know you")
    wire.tls[0].failVerification(Failure(error))
    wire.run()
    assert wire.client.reason is not None
    assert wire.client.reason.value is error


def test_nothing_happens_after_the_end() -> None:
    wire = shaken()
    transport = wire.client.transport
    transport.abortConnection()
    wire.run()
    transport.write(b"x")
    transport.writeSequence([b"x"])
    transport.loseConnection()
    transport.abortConnection()
    wire.tls[0].dataReceived(b"garbage")
    assert wire.clock.getDelayedCalls() == []
    assert wire.client.events.count("lost") == 1


def test_a_call_that_would_send_is_cancelled_at_the_end() -> None:
    wire = shaken()
    wire.client.transport.write(b"x")
    assert len(wire.clock.getDelayedCalls()) == 1
    wire.lose(0, ConnectionDone())
    assert wire.clock.getDelayedCalls() == []


def test_an_error_in_the_protocol_goes_to_the_transport() -> None:
    def fail(side: Side) -> None:
        raise LookupError

    wire = shaken(server=Side(data=fail))
    wire.client.transport.write(b"x")
    wire.clock.advance(0)
    with pytest.raises(LookupError):
        wire.carry()
    wire.server.hooks.clear()
    wire.client.transport.write(b"y")
    wire.run()
    assert wire.server.received == b"xy"


def test_what_tls_does_not_have_is_refused() -> None:
    transport = shaken().client.transport
    with pytest.raises(RuntimeError, match="both directions"):
        transport.loseWriteConnection()
    with pytest.raises(RuntimeError, match="TLS already"):
        transport.startTLS(CLIENT)


# -- producers ---------------------------------------------------------------------


class Producer:
    """A push producer that remembers."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


def producing(wire: Wire) -> Producer:
    producer = Producer()
    wire.client.transport.registerProducer(producer, True)
    return producer


def test_a_producer_is_paused_with_the_transport() -> None:
    wire = shaken()
    producer = producing(wire)
    for _ in range(2):
        wire.ends[0].producer.pauseProducing()
    assert producer.told == ["pause"]
    for _ in range(2):
        wire.ends[0].producer.resumeProducing()
    assert producer.told == ["pause", "resume"]


@pytest.mark.parametrize("first", ["write", "register"])
def test_a_producer_is_paused_until_the_handshake_is_done(first: str) -> None:
    wire = Wire()
    if first == "write":
        wire.client.transport.write(b"x" * 100_000)
    producer = producing(wire)
    if first == "register":
        assert producer.told == []
        wire.client.transport.write(b"x" * 100_000)
    assert producer.told == ["pause"]
    wire.run()
    assert producer.told == ["pause", "resume"]


def test_a_producer_that_two_have_paused_waits_for_both() -> None:
    wire = Wire()
    producer = producing(wire)
    wire.client.transport.write(b"x")
    wire.ends[0].producer.pauseProducing()
    assert producer.told == ["pause"]
    wire.run()
    assert producer.told == ["pause"]
    wire.ends[0].producer.resumeProducing()
    assert producer.told == ["pause", "resume"]


@pytest.mark.parametrize("make", [Wire, shaken], ids=["handshake", "open"])
def test_closing_waits_for_the_producer(make: Callable[[], Wire]) -> None:
    wire = make()
    producing(wire)
    transport = wire.client.transport
    transport.write(b"x ")
    transport.loseConnection()
    wire.run()
    assert wire.client.lost_by is None
    transport.write(b"hello")
    transport.writeSequence([b" ", b"world"])
    transport.unregisterProducer()
    transport.write(b"dropped")
    wire.run()
    assert wire.server.received == b"x hello world"
    assert wire.client.lost_by is ConnectionDone


def test_unregistering_before_the_handshake_with_nothing_written_aborts() -> None:
    wire = Wire()
    producing(wire)
    wire.client.transport.loseConnection()
    assert not wire.ends[0].aborted
    wire.client.transport.unregisterProducer()
    assert wire.ends[0].aborted


def test_unregistering_twice() -> None:
    wire = shaken()
    producer = producing(wire)
    for _ in range(2):
        wire.client.transport.unregisterProducer()
    assert wire.ends[0].producer is None
    producing(wire)
    assert producer.told == []


def test_one_producer_at_a_time() -> None:
    wire = shaken()
    producer = producing(wire)
    with pytest.raises(RuntimeError):
        producing(wire)
    wire.ends[0].producer.pauseProducing()
    assert producer.told == ["pause"]


def test_a_producer_is_stopped_with_the_transport() -> None:
    wire = shaken()
    producer = producing(wire)
    wire.ends[0].producer.stopProducing()
    wire.lose(0, ConnectionDone())
    assert producer.told == ["stop"]


def test_a_producer_is_stopped_when_the_peer_closes() -> None:
    """Else the transport below would wait for it."""
    wire = shaken()
    producer = producing(wire)
    wire.server.transport.loseConnection()
    wire.run()
    assert producer.told == ["stop"]
    assert wire.client.lost_by is wire.server.lost_by is ConnectionDone


def test_a_producer_that_comes_too_late_is_stopped() -> None:
    wire = shaken()
    transport = wire.client.transport
    transport.abortConnection()
    wire.run()
    for streaming in (True, False):
        producer = Producer()
        transport.registerProducer(producer, streaming)
        assert producer.told == ["stop"]
    assert wire.ends[0].producer is None


class Pull:
    """A pull producer of ten pieces."""

    def __init__(self, consumer: Any, last: Callable[["Pull"], object] | None = None) -> None:
        self.consumer = consumer
        self.last = last or (lambda self: self.consumer.unregisterProducer())
        self.count = 0
        self.stopped = False
        self.finished = asyncio.Event()

    def resumeProducing(self) -> None:
        self.consumer.write(b"%d" % self.count)
        self.count += 1
        if self.count == 10:
            self.finished.set()
            self.last(self)

    def stopProducing(self) -> None:
        self.stopped = True


async def test_a_pull_producer_is_asked_until_it_is_done() -> None:
    wire = shaken()
    pull = Pull(wire.client.transport)
    wire.client.transport.registerProducer(pull, False)
    await pull.finished.wait()
    wire.client.transport.loseConnection()
    wire.run()
    assert wire.server.received == b"0123456789"
    assert wire.client.lost_by is ConnectionDone


async def test_a_pull_producer_is_paused_and_stopped() -> None:
    wire = shaken()
    membrane: Any = None
    pull = Pull(wire.client.transport, lambda _: membrane.pauseProducing())
    wire.client.transport.registerProducer(pull, False)
    membrane = wire.ends[0].producer
    await pull.finished.wait()
    await asyncio.sleep(0)
    assert pull.count == 10
    pull.finished.clear()
    pull.count = 0
    pull.last = lambda _: wire.client.transport.abortConnection()
    membrane.resumeProducing()
    await pull.finished.wait()
    wire.run()
    assert pull.stopped
    count = pull.count
    await asyncio.sleep(0)
    assert pull.count == count


async def test_an_error_in_a_pull_producer_is_reported(errors: Any) -> None:
    def fail(_: Pull) -> None:
        raise LookupError

    wire = shaken()
    pull = Pull(wire.client.transport, fail)
    wire.client.transport.registerProducer(pull, False)
    await pull.finished.wait()
    assert wire.ends[0].producer is None
    assert [type(error) for error in errors.take()] == [LookupError]


# -- drain, pause ------------------------------------------------------------------


def test_draining() -> None:
    wire = Wire()
    early = wire.client.transport.drain()
    cancelled = wire.client.transport.drain()
    cancelled.addErrback(lambda _: None)
    cancelled.cancel()
    assert wire.ends[0].drains == []
    wire.run()
    assert not early.called or early.paused
    wire.ends[0].drains[0].callback(None)
    fired: list[object] = []
    early.addCallback(fired.append)
    assert fired == [None]
    wire.client.transport.write(b"x")
    late = wire.client.transport.drain()
    assert wire.ends[0].written
    assert late is wire.ends[0].drains[1]


def test_draining_ends_with_the_connection() -> None:
    wire = Wire()
    reasons: list[Any] = []
    wire.client.transport.drain().addErrback(reasons.append)
    wire.lose(0, ConnectionLost())
    assert reasons[0].check(ConnectionLost)


def test_pausing() -> None:
    wire = shaken()
    wire.client.transport.pauseProducing()
    wire.server.transport.write(b"x")
    wire.run()
    assert wire.client.received == b""
    wire.client.transport.resumeProducing()
    wire.run()
    assert wire.client.received == b"x"


@pytest.mark.parametrize("event", ["made", "handshake"])
def test_pausing_does_not_hold_up_the_handshake(event: str) -> None:
    """What comes with its last message waits."""
    server = Side(**{event: lambda side: side.transport.pauseProducing()})

    def write(side: Side) -> None:
        side.transport.write(b"request")

    wire = Wire(Side(made=write), server).run()
    assert "handshake" in wire.client.events
    wire.client.transport.write(b" and more")
    wire.client.transport.loseConnection()
    wire.run()
    assert wire.server.events == ["made", "handshake"]
    wire.server.transport.resumeProducing()
    assert wire.server.received == b""  # not from within the call
    wire.run()
    assert wire.server.received == b"request and more"
    assert wire.server.lost_by is ConnectionDone


@pytest.mark.parametrize("garbage", [b"", b"garbage"])
def test_what_came_while_paused_is_not_lost_with_the_connection(garbage: bytes) -> None:
    server = Side(handshake=lambda side: side.transport.pauseProducing())
    wire = Wire(Side(made=lambda side: side.transport.write(b"request")), server).run()
    wire.tls[1].dataReceived(garbage)
    wire.lose(1, ConnectionDone())
    assert wire.server.events == ["made", "handshake", "data", "lost"]
    assert wire.server.received == b"request"


class Mistake(Exception):
    """The protocol's own."""


def mistaken(side: Side) -> None:
    raise Mistake


def kept(**hooks: Any) -> Wire:
    """A server that has paused, and not been given the request that has come."""
    server = Side(handshake=lambda side: side.transport.pauseProducing(), **hooks)
    wire = Wire(Side(made=lambda side: side.transport.write(b"request")), server).run()
    assert wire.server.events == ["made", "handshake"]
    return wire


async def test_an_error_on_what_was_kept_does_not_hide_the_loss(errors: Any) -> None:
    """Promise 16 of transports: `connectionLost` comes exactly once, last."""
    wire = kept(data=mistaken)
    producer = Producer()
    wire.server.transport.registerProducer(producer, True)
    wire.lose(1, ConnectionLost())
    assert wire.server.events == ["made", "handshake", "data", "lost"]
    assert wire.server.lost_by is ConnectionLost
    assert [type(error) for error in errors.take()] == [Mistake]
    assert (producer.told, wire.ends[1].producer) == (["stop"], None)
    assert wire.tls[1].factory.protocols == {}


async def test_an_error_on_what_was_kept_does_not_hide_the_loss_from_who_drains(
    errors: Any,
) -> None:
    wire = Wire(server=Side(data=mistaken))
    reasons: list[Any] = []
    wire.server.transport.drain().addErrback(reasons.append)
    wire.tls[1]._unread = b"kept"
    wire.lose(1, ConnectionLost())
    assert wire.server.events == ["made", "data", "lost"]
    assert [reason.type for reason in reasons] == [ConnectionLost]
    assert [type(error) for error in errors.take()] == [Mistake]


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_on_what_was_kept_goes_on(interrupt: type[BaseException]) -> None:
    def stop(side: Side) -> None:
        raise interrupt

    wire = kept(data=stop)
    with pytest.raises(interrupt):
        wire.lose(1, ConnectionDone())
    assert wire.server.events == ["made", "handshake", "data", "lost"]

    wire = kept(data=stop)
    wire.server.transport.resumeProducing()
    with pytest.raises(interrupt):
        wire.clock.advance(0)
    assert not wire.ends[1].aborted


def test_a_producer_that_fails_to_stop_does_not_hide_the_loss() -> None:
    class Broken(Producer):
        def stopProducing(self) -> None:
            raise Mistake

    wire = shaken()
    wire.client.transport.registerProducer(Broken(), True)
    with pytest.raises(Mistake):
        wire.lose(0, ConnectionLost())
    assert wire.client.lost_by is ConnectionLost


async def test_an_error_on_what_was_kept_costs_the_connection(errors: Any) -> None:
    """As one on what comes when nothing is paused; that is its reason, too."""
    wire = kept(data=mistaken)
    wire.server.transport.resumeProducing()
    wire.run()
    assert wire.ends[1].aborted
    assert wire.server.events == ["made", "handshake", "data", "lost"]
    assert wire.server.lost_by is Mistake
    assert wire.client.lost_by is not None
    assert [type(error) for error in errors.take()] == [Mistake]
    assert wire.tls[1].factory.protocols == {}


def test_pausing_again_before_anything_is_delivered() -> None:
    server = Side(handshake=lambda side: side.transport.pauseProducing())
    wire = Wire(Side(made=lambda side: side.transport.write(b"request")), server).run()
    wire.server.transport.resumeProducing()
    wire.server.transport.pauseProducing()
    wire.run()
    assert wire.server.received == b""
    wire.server.transport.resumeProducing()
    wire.run()
    assert wire.server.received == b"request"


# -- what it is --------------------------------------------------------------------


def test_interfaces() -> None:
    class Special(Interface):
        pass

    end = End()
    directlyProvides(end, Special, ITLSTransport)
    factory = TLSMemoryBIOFactory(CLIENT, True, ClientFactory(), Clock())
    tls = TLSMemoryBIOProtocol(factory, Protocol())
    assert ISSLTransport.providedBy(tls)
    tls.makeConnection(end)
    for interface in (Special, INegotiated, ISSLTransport, ISystemHandle):
        assert interface.providedBy(tls)
    assert not ITLSTransport.providedBy(tls)


def test_what_tls_knows() -> None:
    factory = TLSMemoryBIOFactory(CLIENT, True, ClientFactory(), Clock())
    tls = TLSMemoryBIOProtocol(factory, Protocol())
    assert tls.getHandle() is None
    assert tls.getPeerCertificate() is None
    assert tls.negotiatedProtocol is None
    wire = shaken(server_options=HOST.options())
    transport = wire.client.transport
    assert transport is wire.tls[0]
    assert isinstance(transport.getHandle(), stdlib.SSLObject)
    assert ssl.Certificate.peerFromTransport(transport) == HOST
    assert ssl.Certificate.hostFromTransport(wire.server.transport) == HOST
    assert wire.server.transport.getPeerCertificate() is None
    assert transport.negotiatedProtocol is None
    assert (transport.getPeer(), transport.getHost()) == ("the peer", "the host")


def test_the_factories_protocols_are_offered() -> None:
    @implementer(IProtocolNegotiationFactory)
    class Speaks(ClientFactory[Any]):
        def acceptableProtocols(self) -> list[bytes]:
            return [b"h2", b"http/1.1"]

    wire = shaken(factory=Speaks)
    assert wire.client.transport.negotiatedProtocol == b"h2"
    assert wire.server.transport.negotiatedProtocol == b"h2"


def test_a_protocol_that_is_connected_already() -> None:
    side = Side()
    factory = TLSMemoryBIOFactory(CLIENT, True, ClientFactory(), Clock())
    end = End()
    TLSMemoryBIOProtocol(factory, side, _connectWrapped=False).makeConnection(end)
    assert side.events == []
    assert end.written


def test_nothing_is_left_that_only_the_collector_finds() -> None:
    gc.collect()
    gc.disable()
    try:
        wire = shaken()
        wire.client.transport.write(b"x")
        wire.client.transport.loseConnection()
        wire.run()
        watched = [weakref.ref(each) for each in (*wire.tls, wire.client, wire.server)]
        for tls in wire.tls:
            tls.factory.wrappedFactory.protocol = None  # it knows the side, here
        del wire, tls
        assert [ref() for ref in watched] == [None] * 4
    finally:
        gc.enable()


def test_a_failed_handshake_leaves_nothing_either() -> None:
    gc.collect()
    gc.disable()
    try:
        other = ssl.optionsForClientTLS("other.example", trustRoot=TRUST)
        wire = Wire(client_options=other).run()
        assert wire.client.lost_by is stdlib.SSLCertVerificationError
        watched = [weakref.ref(each) for each in (*wire.tls, wire.client, wire.server)]
        for tls in wire.tls:
            tls.factory.wrappedFactory.protocol = None  # it knows the side, here
        del wire, tls
        assert [ref() for ref in watched] == [None] * 4
    finally:
        gc.enable()


# -- the factory -------------------------------------------------------------------


def test_the_factory_names_itself() -> None:
    class Nameless:
        pass

    assert TLSMemoryBIOFactory(SERVER, False, Factory()).logPrefix() == "Factory (TLS)"
    assert TLSMemoryBIOFactory(SERVER, False, Nameless()).logPrefix() == "Nameless (TLS)"


def test_the_factory_refuses_bad_settings_at_once() -> None:
    with pytest.raises(TypeError, match="cannot be TLS settings"):
        TLSMemoryBIOFactory("example.com", True, Factory())
    with pytest.raises(ValueError, match="is for clients"):
        TLSMemoryBIOFactory(CLIENT, False, Factory())


def test_a_plain_context_needs_a_host_name() -> None:
    context = stdlib.create_default_context()
    CA.configure_trust(context)
    with pytest.raises(ValueError, match="needs the server's"):
        TLSMemoryBIOFactory(context, True, Factory())
    for name, good in (("example.com", True), ("other.example.com", False)):
        wire = Wire(client_options=CLIENT)
        factory = TLSMemoryBIOFactory(
            context, True, Factory.forProtocol(Side), wire.clock, server_hostname=name
        )
        tls = factory.buildProtocol(None)
        assert tls is not None
        wire.tls[0], wire.client = tls, tls.wrappedProtocol
        wire.ends[0].written.clear()
        tls.makeConnection(wire.ends[0])
        wire.run()
        assert ("handshake" in wire.client.events) is good


def test_the_wrapped_factory_may_refuse_a_connection() -> None:
    class Refuses(Factory[Any]):
        def buildProtocol(self, addr: Any) -> None:
            return None

    assert TLSMemoryBIOFactory(SERVER, False, Refuses()).buildProtocol(None) is None


# -- TLS in TLS --------------------------------------------------------------------


def test_tls_in_tls() -> None:
    inner_client, inner_server = Side(), Side()
    other = ssl.KeyPair.generate(ssl.TYPE_EC, 256).selfSignedCert(1, CN="inner")
    clock = Clock()
    pairs: list[Any] = []
    for is_client, side, inner, outer in (
        (True, inner_client, ssl.CertificateOptions(trustRoot=other), CLIENT),
        (False, inner_server, other.options(), SERVER),
    ):
        wrapped = Factory.forProtocol(lambda side=side: side)  # type: ignore[misc]
        inside = TLSMemoryBIOFactory(inner, is_client, wrapped, clock)
        pairs.append(TLSMemoryBIOFactory(outer, is_client, inside, clock).buildProtocol(None))
    wire = Wire()
    wire.clock = clock
    wire.ends = (End(), End())
    wire.tls = pairs
    for tls, end in zip(pairs, wire.ends, strict=True):
        tls.makeConnection(end)
    inner_client.transport.write(b"hidden" * 20_000)
    wire.run()
    assert inner_server.received == b"hidden" * 20_000
    assert inner_client.transport.getPeerCertificate() == other
    assert inner_client.transport.transport.getPeerCertificate() == HOST
    inner_server.transport.loseConnection()
    wire.run()
    assert inner_client.lost_by is inner_server.lost_by is ConnectionDone


# -- OpenSSL at the other end ------------------------------------------------------

OPENSSL = shutil.which("openssl")
with_openssl = pytest.mark.skipif(OPENSSL is None, reason="there is no program `openssl`")


class Real(Side):
    """A Side on a socket, whose end can be awaited."""

    def __init__(self, **hooks: Callable[[Side], object]) -> None:
        super().__init__(**hooks)
        self.changed = asyncio.Event()

    def _note(self, event: str) -> None:
        super()._note(event)
        self.changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            self.changed.clear()
            await self.changed.wait()


def echo(side: Side) -> None:
    side.transport.write(side.received)
    side.received = b""


async def serve(side: Real, options: Any) -> tuple[asyncio.Server, int]:
    """A server for one connection; the factory is an asyncio protocol factory, too."""
    factory = TLSMemoryBIOFactory(options, False, Factory.forProtocol(lambda: side))
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


Start = Callable[..., Awaitable[asyncio.subprocess.Process]]


@pytest.fixture
async def openssl() -> AsyncIterator[Start]:
    """What starts `openssl`; it is gone after the test."""
    started: list[asyncio.subprocess.Process] = []

    async def start(*arguments: str) -> asyncio.subprocess.Process:
        assert OPENSSL is not None
        started.append(
            await asyncio.create_subprocess_exec(
                OPENSSL, *arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE
            )
        )
        return started[-1]

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    CA.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


@with_openssl
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_a_client_of_openssl(version: str, ca_file: str, openssl: Start) -> None:
    side = Real(data=echo)
    server, port = await serve(side, SERVER)
    async with server:
        client = await openssl(
            "s_client", "-connect", f"127.0.0.1:{port}", "-verify_return_error", "-quiet",
            "-verify_quiet", "-CAfile", ca_file, "-verify_hostname", "example.com", version,
        )  # fmt: skip
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(b"hello\n")
        assert await client.stdout.readline() == b"hello\n"
        client.stdin.write(b"x" * 300_000 + b"\n")
        assert await client.stdout.readexactly(300_001) == b"x" * 300_000 + b"\n"
        side.transport.loseConnection()
        await client.communicate()
        assert client.returncode == 0
        await side.until(lambda: side.reason)
    assert side.lost_by is ConnectionDone


@with_openssl
async def test_keys_are_updated_on_request(ca_file: str, openssl: Start) -> None:
    """RFC 8446 section 4.6.3: "K" has s_client ask for new keys of both sides."""
    side = Real(data=echo)
    server, port = await serve(side, SERVER)
    async with server:
        client = await openssl("s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", ca_file)
        assert client.stdin is not None
        assert client.stdout is not None
        await side.until(lambda: "handshake" in side.events)
        assert client.stderr is not None
        for line in (b"before\n", b"after\n"):
            client.stdin.write(line)
            while await client.stdout.readline() != line:
                pass
            # A command has to come by itself, and so does what follows it.
            client.stdin.write(b"K\n")
            while await client.stderr.readline() != b"KEYUPDATE\n":
                pass
        await client.communicate(b"Q\n")
        await side.until(lambda: side.reason)
    assert side.lost_by is ConnectionDone


@with_openssl
async def test_renegotiation_is_refused(openssl: Start) -> None:
    side = Real(data=echo)
    server, port = await serve(side, SERVER)
    async with server:
        client = await openssl("s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2")
        assert client.stdin is not None
        await side.until(lambda: "handshake" in side.events)
        client.stdin.write(b"R\n")
        _, said = await client.communicate()
        assert b"no renegotiation" in said
        await side.until(lambda: side.reason)
    assert side.received == b""


@with_openssl
@pytest.mark.parametrize("shows", [True, False])
async def test_a_server_of_openssl_that_wants_a_certificate(
    shows: bool, ca_file: str, tmp_path: Path, openssl: Start
) -> None:
    (tmp_path / "host.pem").write_bytes(HOST.dumpPEM())
    server = await openssl(
        "s_server", "-accept", "127.0.0.1:0", "-cert", str(tmp_path / "host.pem"),
        "-CAfile", ca_file, "-Verify", "1", "-verify_return_error", "-rev", "-naccept", "1",
    )  # fmt: skip
    assert server.stdout is not None
    port = None
    while port is None:
        line = await server.stdout.readline()
        assert line, "s_server did not say its port"
        if line.startswith(b"ACCEPT"):
            port = int(line.rpartition(b":")[2])
    mine = ssl.PrivateCertificate.loadPEM(
        CA.issue_cert("me@example.com").private_key_and_cert_chain_pem.bytes()
    )
    options = ssl.optionsForClientTLS(
        "localhost", trustRoot=TRUST, clientCertificate=mine if shows else None
    )
    side = Real(made=lambda side: side.transport.write(b"olleh\n"))
    factory = TLSMemoryBIOFactory(options, True, Factory.forProtocol(lambda: side))
    await asyncio.get_running_loop().create_connection(factory, "127.0.0.1", port)
    if shows:
        await side.until(lambda: side.received == b"hello\n")
        side.transport.loseConnection()
        await side.until(lambda: side.reason)
        assert side.lost_by in (ConnectionDone, ConnectionLost)  # it may just hang up
    else:
        await side.until(lambda: side.reason)
        assert side.lost_by is stdlib.SSLError
        assert "CERTIFICATE_REQUIRED" in str(side.reason)


async def test_a_client_of_asyncio() -> None:
    side = Real(data=echo)
    server, port = await serve(side, SERVER)
    context = stdlib.create_default_context()
    CA.configure_trust(context)
    async with server:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname="example.com"
        )
        writer.write(b"hello" * 1000)
        assert await reader.readexactly(5000) == b"hello" * 1000
        writer.close()
        await writer.wait_closed()
        await side.until(lambda: side.reason)
    assert side.lost_by is ConnectionDone


async def test_an_error_on_what_was_kept_costs_a_connection_over_a_socket(errors: Any) -> None:
    """The request comes with the last message of the handshake, to one who has paused."""

    def pause(side: Side) -> None:
        side.transport.pauseProducing()
        asyncio.get_running_loop().call_soon(side.transport.resumeProducing)

    side = Real(handshake=pause, data=mistaken)
    server, port = await serve(side, SERVER)
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        context = stdlib.SSLContext(stdlib.PROTOCOL_TLS_CLIENT)
        CA.configure_trust(context)
        incoming, outgoing = stdlib.MemoryBIO(), stdlib.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        while True:
            try:
                tls.do_handshake()
                break
            except stdlib.SSLWantReadError:
                writer.write(outgoing.read())
                incoming.write(await reader.read(65536))
        tls.write(b"request")
        writer.write(outgoing.read())
        try:
            with contextlib.suppress(ConnectionError):
                while await reader.read(65536):
                    pass
        finally:
            writer.transport.abort()
            server.close()
        await side.until(lambda: side.reason)
        await server.wait_closed()
    assert (side.received, side.lost_by) == (b"request", Mistake)
    assert [type(error) for error in errors.take()] == [Mistake]
