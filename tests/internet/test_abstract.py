"""The base for things with a file descriptor: buffering, producers, closing; and IP addresses."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zope.interface.verify import verifyClass, verifyObject

from reactorlib.internet import reactor
from reactorlib.internet._current import current_reactor
from reactorlib.internet.abstract import FileDescriptor, isIPAddress, isIPv6Address
from reactorlib.internet.defer import Deferred
from reactorlib.internet.error import ConnectionDone, ConnectionLost
from reactorlib.internet.interfaces import (
    IConsumer,
    IHalfCloseableDescriptor,
    ILoggingContext,
    IPushProducer,
    IReadWriteDescriptor,
    ITransport,
)
from reactorlib.internet.main import CONNECTION_DONE, CONNECTION_LOST
from reactorlib.python.failure import Failure

pytestmark = pytest.mark.timeout(20)


class Watching:
    """A reactor as far as descriptors need one; it knows who is watched."""

    def __init__(self) -> None:
        self.reading: list[Any] = []
        self.writing: list[Any] = []

    def addReader(self, reader: Any) -> None:
        if reader not in self.reading:
            self.reading.append(reader)

    def addWriter(self, writer: Any) -> None:
        if writer not in self.writing:
            self.writing.append(writer)

    def removeReader(self, reader: Any) -> None:
        if reader in self.reading:
            self.reading.remove(reader)

    def removeWriter(self, writer: Any) -> None:
        if writer in self.writing:
            self.writing.remove(writer)


class InMemory(FileDescriptor):
    """Writes as much at a time as there is room."""

    connected = True

    def __init__(self, room: int = 1_000_000) -> None:
        self.watching = Watching()
        super().__init__(self.watching)
        self.room = room
        self.sent: list[bytes] = []
        self.half_closed = 0
        self.lost: list[type] = []

    def writeSomeData(self, data: bytes | memoryview) -> int | Exception:
        piece = bytes(data[: self.room])
        self.sent.append(piece)
        return len(piece)

    def _closeWriteConnection(self) -> None:
        self.half_closed += 1

    def connectionLost(self, reason: Failure) -> None:
        self.lost.append(reason.type)
        super().connectionLost(reason)

    def run(self) -> Any:
        """Write while it asks for that; what the last doWrite returned."""
        while self.watching.writing:
            done = self.doWrite()
            if done is not None:
                return done
        return None


class Producer:
    def __init__(self, consumer: FileDescriptor | None = None, *pieces: bytes) -> None:
        self.told: list[str] = []
        self.consumer = consumer
        self.pieces = list(pieces)

    def resumeProducing(self) -> None:
        self.told.append("resume")
        if self.consumer is not None:
            if self.pieces:
                self.consumer.write(self.pieces.pop(0))
            else:
                self.consumer.unregisterProducer()

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def stopProducing(self) -> None:
        self.told.append("stop")


# -- writing ------------------------------------------------------------------


@given(
    st.lists(st.one_of(st.binary(max_size=10), st.integers(0, 10)), max_size=30),
    st.integers(1, 12),
)
def test_whatever_is_written_leaves_in_order(steps: list[Any], limit: int) -> None:
    """However the room comes: a number is a chance to write so many bytes."""
    descriptor = InMemory()
    descriptor.SEND_LIMIT = limit
    for step in steps:
        if isinstance(step, bytes):
            descriptor.write(step)
        elif descriptor.watching.writing:
            descriptor.room = step
            assert descriptor.doWrite() is None
    descriptor.room = 100
    descriptor.run()
    expected = b"".join(step for step in steps if isinstance(step, bytes))
    assert b"".join(descriptor.sent) == expected
    assert (descriptor.dataBuffer, descriptor.offset) == (b"", 0)


def test_pieces_are_joined() -> None:
    descriptor = InMemory()
    descriptor.write(b"one ")
    descriptor.writeSequence(iter([b"two ", b"three"]))
    assert descriptor.run() is None
    assert descriptor.sent == [b"one two three"]
    assert descriptor.watching.writing == []


def test_what_waits_is_not_joined_to_much_that_waits_already() -> None:
    descriptor = InMemory(room=10)
    descriptor.SEND_LIMIT = 20
    descriptor.write(b"a" * 40)
    descriptor.doWrite()
    descriptor.write(b"b")
    descriptor.doWrite()
    assert descriptor.dataBuffer == b"a" * 40
    descriptor.run()
    assert b"".join(descriptor.sent) == b"a" * 40 + b"b"


@pytest.mark.parametrize("data", ["text", bytearray(b"x"), None])
def test_only_bytes_can_be_written(data: Any) -> None:
    descriptor = InMemory()
    with pytest.raises(TypeError, match="takes bytes"):
        descriptor.write(data)
    with pytest.raises(TypeError, match="takes bytes"):
        descriptor.writeSequence([b"good", data])
    assert descriptor.watching.writing == []


def test_what_is_written_to_a_closed_one_is_dropped() -> None:
    descriptor = InMemory()
    descriptor.write(b"")
    assert descriptor.watching.writing == []
    descriptor.connectionLost(Failure(CONNECTION_DONE))
    descriptor.write(b"x")
    assert descriptor.watching.writing == []


@pytest.mark.parametrize("answer", [CONNECTION_LOST, -1])
def test_what_writeSomeData_fails_with_is_returned(answer: Any) -> None:
    descriptor = InMemory()
    descriptor.writeSomeData = lambda data: answer  # type: ignore[method-assign]
    descriptor.write(b"x")
    assert descriptor.doWrite() is answer


# -- closing ------------------------------------------------------------------


def test_it_closes_when_all_has_left() -> None:
    descriptor = InMemory(room=2)
    descriptor.startReading()
    descriptor.write(b"abc")
    descriptor.loseConnection()
    descriptor.loseConnection()
    assert descriptor.watching.reading == []
    descriptor.resumeProducing()  # too late
    assert descriptor.watching.reading == []
    assert descriptor.run() is CONNECTION_DONE
    assert descriptor.sent == [b"ab", b"c"]


def test_it_closes_when_the_producer_is_done() -> None:
    descriptor = InMemory()
    producer = Producer(descriptor, b"a", b"b")
    descriptor.registerProducer(producer, False)
    descriptor.loseConnection()
    assert descriptor.run() is CONNECTION_DONE
    assert descriptor.sent == [b"a", b"b", b""]
    assert producer.told == ["resume"] * 3


def test_its_writing_half_closes_when_all_has_left() -> None:
    descriptor = InMemory()
    descriptor.write(b"abc")
    descriptor.loseWriteConnection()
    assert descriptor.run() is None
    assert (descriptor.sent, descriptor.half_closed) == ([b"abc"], 1)
    descriptor.write(b"too late")
    assert descriptor.watching.writing == []
    descriptor.loseConnection()
    assert descriptor.lost == [ConnectionDone]
    assert descriptor.disconnected


def test_stopProducing_and_stopConsuming_close_it() -> None:
    for stop in (FileDescriptor.stopProducing, FileDescriptor.stopConsuming):
        descriptor = InMemory()
        stop(descriptor)
        assert descriptor.disconnecting
        assert descriptor.run() is CONNECTION_DONE


@pytest.mark.parametrize("which", ["readConnectionLost", "writeConnectionLost"])
def test_the_loss_of_one_half_is_that_of_both_unless_it_is_overridden(which: str) -> None:
    descriptor = InMemory()
    descriptor.startReading()
    descriptor.startWriting()
    getattr(descriptor, which)(Failure(CONNECTION_LOST))
    assert descriptor.lost == [ConnectionLost]
    assert (descriptor.connected, descriptor.disconnected) == (False, True)
    assert descriptor.watching.reading + descriptor.watching.writing == []


# -- producers ----------------------------------------------------------------


def test_a_push_producer_waits_while_much_waits() -> None:
    descriptor = InMemory(room=3)
    descriptor.bufferSize = 5
    producer = Producer()
    descriptor.registerProducer(producer, True)
    descriptor.write(b"12345")
    assert producer.told == []
    descriptor.write(b"6")
    assert (producer.told, descriptor.producerPaused) == (["pause"], True)
    descriptor.doWrite()
    assert producer.told == ["pause"]
    descriptor.run()
    assert (producer.told, descriptor.producerPaused) == (["pause", "resume"], False)


def test_a_push_producer_that_writes_when_it_is_resumed_is_paused_again() -> None:
    descriptor = InMemory()
    descriptor.bufferSize = 3
    producer = Producer(descriptor, b"spam", b"spam")
    descriptor.registerProducer(producer, True)
    descriptor.write(b"spam")
    descriptor.doWrite()
    assert producer.told == ["pause", "resume", "pause"]
    descriptor.doWrite()
    assert producer.told == ["pause", "resume", "pause", "resume", "pause"]


def test_a_pull_producer_is_asked_when_all_has_left() -> None:
    descriptor = InMemory()
    descriptor.bufferSize = 1
    producer = Producer(descriptor, b"one", b"two")
    descriptor.registerProducer(producer, False)
    assert producer.told == ["resume"]
    descriptor.run()
    assert (descriptor.sent, producer.told) == ([b"one", b"two"], ["resume"] * 3)
    assert descriptor.producer is None


def test_there_is_one_producer_at_a_time() -> None:
    descriptor = InMemory()
    descriptor.registerProducer(Producer(), True)
    with pytest.raises(RuntimeError, match="has to be unregistered first"):
        descriptor.registerProducer(Producer(), True)
    descriptor.unregisterProducer()
    descriptor.registerProducer(Producer(), True)


def test_a_producer_is_stopped_when_it_is_closed() -> None:
    descriptor = InMemory()
    before, after = Producer(), Producer()
    descriptor.registerProducer(before, True)
    descriptor.connectionLost(Failure(CONNECTION_LOST))
    descriptor.registerProducer(after, True)
    assert (before.told, after.told, descriptor.producer) == (["stop"], ["stop"], None)


def test_drain_waits_until_little_waits() -> None:
    descriptor = InMemory(room=3)
    descriptor.bufferSize = 5
    told: list[Any] = []
    descriptor.drain().addCallback(told.append)
    assert told == [None]
    descriptor.write(b"123456")
    descriptor.drain().addCallback(told.append)
    unwanted: Deferred[None] = descriptor.drain()
    unwanted.addErrback(lambda _: None)
    unwanted.cancel()
    assert told == [None]
    descriptor.doWrite()
    assert told == [None, None]
    descriptor.write(b"123456")
    descriptor.drain().addErrback(lambda failure: told.append(failure.type))
    descriptor.connectionLost(Failure(CONNECTION_DONE))
    descriptor.drain().addErrback(lambda failure: told.append(failure.type))
    assert told == [None, None, ConnectionDone, ConnectionLost]


def test_reading_can_be_paused() -> None:
    descriptor = InMemory()
    descriptor.resumeProducing()
    assert descriptor.watching.reading == [descriptor]
    descriptor.pauseProducing()
    assert descriptor.watching.reading == []


# -- the rest -----------------------------------------------------------------


def test_what_a_subclass_has_to_say() -> None:
    descriptor = FileDescriptor(Watching())
    assert descriptor.fileno() == -1
    assert descriptor.logPrefix() == "-"
    assert descriptor._getLogPrefix(descriptor) == "-"
    assert descriptor._getLogPrefix(Producer()) == "Producer"
    for name in ("doRead", "getHost", "getPeer"):
        with pytest.raises(NotImplementedError, match=f"FileDescriptor does not implement {name}"):
            getattr(descriptor, name)()
    with pytest.raises(NotImplementedError, match="writeSomeData"):
        descriptor.writeSomeData(b"")


def test_it_says_what_it_provides() -> None:
    for interface in (
        IPushProducer,
        IReadWriteDescriptor,
        IConsumer,
        ITransport,
        IHalfCloseableDescriptor,
        ILoggingContext,
    ):
        assert verifyClass(interface, FileDescriptor)
        assert verifyObject(interface, InMemory())


def test_its_reactor_is_the_one_that_reactor_means() -> None:
    assert FileDescriptor().reactor is current_reactor()


class Pipe(FileDescriptor):
    """One end of a socket pair, as a program would write it."""

    connected = True

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self.sock = sock
        self.received = b""
        self.over: Deferred[type] = Deferred()
        self.startReading()

    def fileno(self) -> int:
        return self.sock.fileno()

    def doRead(self) -> Failure | Exception | None:
        data = os.read(self.fileno(), 65536)
        self.received += data
        return None if data else CONNECTION_DONE

    def writeSomeData(self, data: bytes | memoryview) -> int | Exception:
        try:
            return os.write(self.fileno(), data)
        except BlockingIOError:
            return 0
        except OSError:
            return CONNECTION_LOST

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        self.sock.close()
        self.over.callback(reason.type)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, two = socket.socketpair()
    for each in (one, two):
        each.setblocking(False)
    with one, two:
        yield one, two


async def test_two_of_them_talk(pair: Any) -> None:
    one, two = map(Pipe, pair)
    data = bytes(range(256)) * 4096  # 1 MiB: more than fits at once
    one.write(data)
    one.loseConnection()
    assert await one.over is ConnectionDone
    assert await two.over is ConnectionDone
    assert two.received == data
    assert reactor.getReaders() + reactor.getWriters() == []


async def test_the_end_of_the_reactor_is_theirs(pair: Any) -> None:
    async with reactor:
        one = Pipe(pair[0])
    assert await one.over is ConnectionLost


# -- addresses ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "four", "six"),
    [
        ("127.0.0.1", True, False),
        ("252.253.254.255", True, False),
        (b"0.1.2.3", True, False),
        ("256.0.0.0", False, False),
        ("1.2.3", False, False),
        ("0", False, False),
        ("1.2.3.4.5", False, False),
        ("1.-2.3.4", False, False),
        ("a.2.3.4", False, False),
        ("1.,.3,4", False, False),
        ("", False, False),
        (b"\xff.notascii", False, False),
        ("\u4321.\u4321.\u4321.\u4321", False, False),
        ("::1", False, True),
        ("fe80::1%eth0", False, True),
        (b"fe80::2%1", False, True),
        (":", False, False),
        ("%eth0", False, False),
        ("localhost%eth0", False, False),
        ("1.2.3.4\0", False, False),
    ],
)
def test_addresses_are_told_from_names(text: Any, four: bool, six: bool) -> None:
    assert isIPAddress(text) is four
    assert isIPAddress(text, socket.AF_INET6) is six
    assert isIPv6Address(text) is six


def test_other_families_have_no_ip_addresses() -> None:
    with pytest.raises(ValueError, match="AF_INET or AF_INET6"):
        isIPAddress("127.0.0.1", socket.AF_UNIX)
