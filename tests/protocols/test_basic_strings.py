"""IntNStringReceiver and its kin, LineOnlyReceiver, FileSender, StatefulStringProtocol."""

from __future__ import annotations

import asyncio
import io
import struct
from collections.abc import Callable
from typing import Any

import pytest

from reactorlib.internet import reactor
from reactorlib.internet.defer import CancelledError, Deferred
from reactorlib.internet.protocol import Factory, Protocol
from reactorlib.internet.testing import StringTransport
from reactorlib.protocols import basic
from reactorlib.protocols.loopback import loopbackTCP


class Transport:
    """Remembers what was asked of it."""

    def __init__(self) -> None:
        self.disconnecting: object = False
        self.written = b""
        self.calls: list[str] = []

    def write(self, data: bytes) -> None:
        self.written += data

    def writeSequence(self, data: Any) -> None:
        self.calls.append("sequence")
        self.written += b"".join(data)

    def loseConnection(self) -> None:
        self.disconnecting = True

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


def connect(protocol: Any) -> Any:
    protocol.makeConnection(Transport())
    return protocol


def prefixed(*strings: bytes) -> bytes:
    return b"".join(struct.pack("!I", len(string)) + string for string in strings)


class Strings(basic.Int32StringReceiver):
    """Remembers strings, and calls `then` after each."""

    MAX_LENGTH = 20

    def __init__(self, then: Callable[[Strings, bytes], Any] = lambda self, s: None) -> None:
        self.received: list[bytes] = []
        self.long: list[int] = []
        self.then = then

    def stringReceived(self, string: bytes) -> None:
        self.received.append(string)
        self.then(self, string)


@pytest.mark.parametrize(
    ("receiver", "wire"),
    [
        (basic.Int8StringReceiver, b"\x03abc\x00\x01d"),
        (basic.Int16StringReceiver, b"\x00\x03abc\x00\x00\x00\x01d"),
        (basic.Int32StringReceiver, b"\x00\x00\x00\x03abc\x00\x00\x00\x00\x00\x00\x00\x01d"),
    ],
)
def test_strings_have_a_length_in_network_order(receiver: Any, wire: bytes) -> None:
    class Receiver(receiver):  # type: ignore[misc]  # any of the three
        def stringReceived(self, string: bytes) -> None:
            received.append(string)

    received: list[bytes] = []
    protocol = connect(Receiver())
    for string in (b"abc", b"", b"d"):
        protocol.sendString(string)
    assert protocol.transport.written == wire
    for i in range(len(wire)):
        protocol.dataReceived(wire[i : i + 1])
    assert received == [b"abc", b"", b"d"]


@pytest.mark.parametrize(
    ("receiver", "most"), [(basic.Int8StringReceiver, 255), (basic.Int16StringReceiver, 65535)]
)
def test_a_string_that_the_prefix_cannot_say_is_not_sent(receiver: Any, most: int) -> None:
    protocol = connect(receiver())
    protocol.sendString(b"x" * most)
    sent = protocol.transport.written
    assert len(sent) == most + receiver.prefixLength
    with pytest.raises(basic.StringTooLongError, match=str(most + 1)):
        protocol.sendString(b"x" * (most + 1))
    assert protocol.transport.written == sent


def test_own_formats_work() -> None:
    class Little(Strings):
        structFormat = "<Q"
        prefixLength = 8

    protocol = connect(Little())
    protocol.sendString(b"ab")
    assert protocol.transport.written == b"\x02" + b"\0" * 7 + b"ab"
    protocol.dataReceived(protocol.transport.written * 2)
    assert protocol.received == [b"ab", b"ab"]


def test_too_long_a_string_loses_the_connection_before_it_came() -> None:
    protocol = connect(Strings())
    protocol.dataReceived(prefixed(b"a") + b"\0\0\0\x15")
    assert protocol.received == [b"a"]
    assert protocol.transport.disconnecting
    protocol.dataReceived(b"x" * 21 + prefixed(b"b"))
    assert protocol.received == [b"a"]
    assert len(protocol.recvd) < 10  # what comes is dropped, not kept


def test_length_limit_exceeded_may_raise_the_limit() -> None:
    class Receiver(Strings):
        def lengthLimitExceeded(self, length: int) -> None:
            self.long.append(length)
            self.MAX_LENGTH = length

    protocol = connect(Receiver())
    protocol.dataReceived(prefixed(b"x" * 21, b"x" * 22, b"a"))
    assert protocol.received == [b"x" * 21, b"x" * 22, b"a"]
    assert protocol.long == [21, 22]


def test_length_limit_exceeded_may_skip() -> None:
    class Receiver(Strings):
        def lengthLimitExceeded(self, length: int) -> None:
            self.recvd = self.recvd[4 + length :]

    protocol = connect(Receiver())
    protocol.dataReceived(prefixed(b"x" * 21, b"a", b"x" * 30, b"b"))
    assert protocol.received == [b"a", b"b"]
    assert not protocol.transport.disconnecting


def test_recvd_is_what_has_not_been_delivered() -> None:
    seen: list[bytes] = []
    protocol = connect(Strings(lambda self, string: seen.append(self.recvd)))
    rest = prefixed(b"abc")[:5]
    protocol.dataReceived(prefixed(b"a", b"b") + rest)
    assert seen == [prefixed(b"b") + rest, rest]
    assert protocol.recvd == rest
    protocol.dataReceived(b"x")
    assert protocol.recvd == rest + b"x"
    protocol.recvd = prefixed(b"c")
    protocol.dataReceived(b"")
    assert protocol.received == [b"a", b"b", b"c"]
    assert protocol.recvd == b""


def test_recvd_may_be_set_to_the_same_bytes() -> None:
    wire = prefixed(b"a", b"b")

    def then(self: Strings, string: bytes) -> None:
        if len(self.received) == 1:
            self.recvd = wire

    protocol = connect(Strings(then))
    protocol.dataReceived(wire)
    assert protocol.received == [b"a", b"a", b"b"]


def test_nothing_is_delivered_while_paused() -> None:
    protocol = connect(Strings(lambda self, string: self.pauseProducing()))
    protocol.dataReceived(prefixed(b"a", b"b"))
    protocol.dataReceived(prefixed(b"c"))
    assert protocol.received == [b"a"]
    for received in ([b"a", b"b"], [b"a", b"b", b"c"]):
        protocol.resumeProducing()
        assert protocol.received == received
    protocol.stopProducing()
    assert protocol.transport.calls[-1] == "stop"


def test_what_completes_a_string_during_a_pause_is_delivered_after_it() -> None:
    protocol = connect(Strings())
    wire = prefixed(b"a" * 20, b"b")
    protocol.dataReceived(wire[:6])
    protocol.pauseProducing()
    protocol.dataReceived(wire[6:])
    assert protocol.received == []
    protocol.resumeProducing()
    assert protocol.received == [b"a" * 20, b"b"]


def test_the_limit_and_the_pause_may_be_computed() -> None:
    class Computed(Strings):
        MAX_LENGTH = property(lambda self: 3 - len(self.received))
        paused = property(lambda self: len(self.received) > 1)

    protocol = connect(Computed())
    protocol.dataReceived(prefixed(b"abc", b"ab", b"a"))
    assert protocol.received == [b"abc", b"ab"]
    protocol.received = [b""]
    protocol.dataReceived(b"")
    assert protocol.received == [b"", b"a"]


def test_pausing_and_resuming_within_a_string_does_not_nest() -> None:
    depth = 0

    def then(self: Strings, string: bytes) -> None:
        nonlocal depth
        depth += 1
        assert depth == 1
        self.pauseProducing()
        self.resumeProducing()
        depth -= 1

    protocol = connect(Strings(then))
    protocol.dataReceived(prefixed(*[b"a"] * 5000))
    assert len(protocol.received) == 5000


def test_data_received_within_a_string_comes_last() -> None:
    def then(self: Strings, string: bytes) -> None:
        if string == b"a":
            self.dataReceived(prefixed(b"c"))

    protocol = connect(Strings(then))
    protocol.dataReceived(prefixed(b"a", b"b"))
    assert protocol.received == [b"a", b"b", b"c"]


def test_an_exception_in_string_received_is_the_callers_and_loses_only_that_string() -> None:
    def then(self: Strings, string: bytes) -> None:
        if string == b"a":
            raise ZeroDivisionError

    protocol = connect(Strings(then))
    with pytest.raises(ZeroDivisionError):
        protocol.dataReceived(prefixed(b"a", b"b"))
    protocol.dataReceived(b"")
    assert protocol.received == [b"a", b"b"]


@pytest.mark.parametrize(
    ("protocol", "wire"),
    [
        (Strings(lambda self, string: self._give_back()), prefixed(b"a", b"hello")),
        (Strings(), prefixed(b"a") + b"\0\0"),
    ],
)
def test_what_is_given_back_is_not_delivered(protocol: Strings, wire: bytes) -> None:
    connect(protocol).dataReceived(wire)
    protocol._give_back()
    protocol.dataReceived(prefixed(b"b"))
    assert protocol.received == [b"a", b"b"]


class Counted(bytes):
    """Bytes that count how many of them are copied by slicing and joining."""

    copied = 0

    def __getitem__(self, key: Any) -> Any:
        got = super().__getitem__(key)
        if isinstance(got, bytes):
            Counted.copied += len(got)
            return Counted(got)
        return got

    def __iadd__(self, other: Any) -> Any:  # type: ignore[misc]  # it adds as bytes do
        Counted.copied += len(self) + len(other)
        return Counted(bytes(self) + bytes(other))


@pytest.mark.parametrize("pause", [False, True])
def test_one_large_chunk_of_small_strings_is_cut_in_linear_time(pause: bool) -> None:
    wire = Counted(prefixed(*[b"x" * 12] * 4096))
    Counted.copied = 0

    def then(self: Strings, string: bytes) -> None:
        if pause:
            self.pauseProducing()

    protocol = connect(Strings(then))
    protocol.dataReceived(wire)
    while protocol.paused:
        protocol.resumeProducing()
    assert len(protocol.received) == 4096
    assert Counted.copied < 2 * len(wire)


def test_one_large_string_in_small_pieces_is_joined_once() -> None:
    protocol = connect(Strings())
    protocol.MAX_LENGTH = 2**22
    wire = prefixed(b"x" * 2**22)
    Counted.copied = 0
    for i in range(0, len(wire), 1024):
        protocol.dataReceived(Counted(wire[i : i + 1024]))
    assert [len(string) for string in protocol.received] == [2**22]
    assert Counted.copied < 2 * len(wire)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [basic.LineReceiver, basic.LineOnlyReceiver])
def test_64_mib_of_lines_and_without_any(kind: Any) -> None:
    """Were either quadratic, it would take hours rather than seconds."""

    class Receiver(kind):  # type: ignore[misc]  # either
        MAX_LENGTH = 2**27
        count = 0

        def lineReceived(self, line: bytes) -> None:
            self.count += 1

    protocol = connect(Receiver())
    protocol.dataReceived(b"x" * 78 + b"\r\n")
    protocol.dataReceived((b"x" * 78 + b"\r\n") * (2**26 // 80))
    assert protocol.count == 2**26 // 80 + 1
    for _ in range(2**16):
        protocol.dataReceived(b"x" * 1024)
    protocol.dataReceived(b"\r\n")
    assert protocol.count == 2**26 // 80 + 2


# -- LineOnlyReceiver ---------------------------------------------------------


class OnlyLines(basic.LineOnlyReceiver):
    MAX_LENGTH = 10

    def __init__(self, then: Callable[[OnlyLines, bytes], Any] = lambda self, line: None) -> None:
        self.received: list[bytes] = []
        self.then = then

    def lineReceived(self, line: bytes) -> None:
        self.received.append(line)
        self.then(self, line)


def test_only_lines() -> None:
    protocol = connect(OnlyLines())
    for data in (b"a\r", b"\nb\r\n\r\nc", b"", b"d\r\ne"):
        protocol.dataReceived(data)
    assert protocol.received == [b"a", b"b", b"", b"cd"]
    assert protocol._give_back() == b"e"
    protocol.sendLine(b"x")
    assert (protocol.transport.written, protocol.transport.calls) == (b"x\r\n", ["sequence"])


@pytest.mark.parametrize("wire", [b"a\r\n12345678901\r\nb\r\n", b"a\r\n1234567890123"])
def test_only_lines_too_long_a_line_loses_the_connection(wire: bytes) -> None:
    protocol = connect(OnlyLines())
    protocol.dataReceived(wire)
    protocol.dataReceived(b"\r\nb\r\n")
    assert protocol.received == [b"a"]
    assert protocol.transport.disconnecting


def test_only_lines_drops_what_comes_after_lose_connection() -> None:
    """Whatever is true says that it is disconnecting."""
    protocol = connect(OnlyLines(lambda self, line: setattr(self.transport, "disconnecting", 1)))
    protocol.dataReceived(b"a\r\nb\r\n")
    protocol.dataReceived(b"c\r\n")
    assert protocol.received == [b"a"]


def test_only_lines_delimiter_and_limit_may_change() -> None:
    def then(self: OnlyLines, line: bytes) -> None:
        self.delimiter = b"\n"
        self.MAX_LENGTH = 100

    protocol = connect(OnlyLines(then))
    protocol.dataReceived(b"a\r\n" + b"b" * 50 + b"\nc")
    assert protocol.received == [b"a", b"b" * 50]


def test_only_lines_data_received_within_a_line_comes_last() -> None:
    def then(self: OnlyLines, line: bytes) -> None:
        if line == b"a":
            self.dataReceived(b"c\r\n")

    protocol = connect(OnlyLines(then))
    protocol.dataReceived(b"a\r\nb\r\n")
    assert protocol.received == [b"a", b"b", b"c"]


# -- one line for each read ---------------------------------------------------


def test_a_line_that_comes_alone_is_as_any_other() -> None:
    class Receiver(basic.LineReceiver):
        MAX_LENGTH = 8

        def lineReceived(self, line: bytes) -> None:
            seen.append(line)
            if line == b"nest":
                self.dataReceived(b"a\r\nb")
            elif line == b"raw":
                self.setRawMode()
            elif line == b"boom":
                raise ZeroDivisionError
            elif line == b"pause":
                self.pauseProducing()

        def rawDataReceived(self, data: bytes) -> None:
            seen.append(data)
            self.setLineMode()

    seen: list[bytes] = []
    protocol = connect(Receiver())
    for data in (b"x\r\n", b"nest\r\n", b"c\r\n", b"raw\r\n", b"d\r\n", b"\r\n"):
        protocol.dataReceived(data)
    assert seen == [b"x", b"nest", b"a", b"bc", b"raw", b"d\r\n", b""]
    seen.clear()
    with pytest.raises(ZeroDivisionError):
        protocol.dataReceived(b"boom\r\n")
    protocol.dataReceived(b"pause\r\n")
    protocol.dataReceived(b"e\r\n")
    assert seen == [b"boom", b"pause"]
    protocol.resumeProducing()
    assert seen == [b"boom", b"pause", b"e"]
    protocol.dataReceived(b"123456789\r\n")
    assert protocol.transport.disconnecting
    protocol.dataReceived(b"f\r\n")
    assert seen[-1] == b"e"


# -- StatefulStringProtocol ---------------------------------------------------


def test_states_follow_each_other() -> None:
    class Login(basic.StatefulStringProtocol, basic.NetstringReceiver):
        def proto_init(self, string: bytes) -> str:
            said.append(("init", string))
            return "password"

        def proto_password(self, string: bytes) -> str:
            said.append(("password", string))
            return "done"

    said: list[Any] = []
    protocol = connect(Login())
    protocol.dataReceived(b"3:tom,")
    assert not protocol.transport.disconnecting
    protocol.dataReceived(b"3:xyz,")
    assert said == [("init", b"tom"), ("password", b"xyz")]
    assert protocol.transport.disconnecting


def test_a_state_without_a_method_is_named() -> None:
    protocol = basic.StatefulStringProtocol()
    with pytest.raises(NotImplementedError, match=r"proto_init\(\)"):
        protocol.stringReceived(b"a")


# -- FileSender ---------------------------------------------------------------


class Consumer:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.producer: Any = None

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert not streaming
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def write(self, data: bytes) -> None:
        self.written.append(data)


def outcome(deferred: Deferred[Any]) -> list[Any]:
    results: list[Any] = []
    deferred.addBoth(results.append)
    return results


def test_file_sender_reads_when_it_is_asked() -> None:
    consumer = Consumer()
    sender = basic.FileSender()
    results = outcome(sender.beginFileTransfer(io.BytesIO(b"x" * 16384 + b"end"), consumer))
    assert consumer.written == []
    while consumer.producer is not None:
        consumer.producer.resumeProducing()
    assert consumer.written == [b"x" * 16384, b"end"]
    assert results == [b"d"]


def test_file_sender_transforms() -> None:
    consumer = Consumer()
    sender = basic.FileSender()
    sender.CHUNK_SIZE = 2
    drop = outcome(
        sender.beginFileTransfer(io.BytesIO(b"abxxcd"), consumer, lambda d: d.strip(b"x").upper())
    )
    while consumer.producer is not None:
        consumer.producer.resumeProducing()
    assert consumer.written == [b"AB", b"CD"]
    assert drop == [b"D"]


def test_file_sender_fails_when_the_consumer_stops_or_the_file_cannot_be_read() -> None:
    consumer = Consumer()
    sender = basic.FileSender()
    results = outcome(sender.beginFileTransfer(io.BytesIO(b"a"), consumer))
    consumer.producer.stopProducing()
    assert "stop producing" in str(results[0].value)

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError("disk on fire")

    results = outcome(sender.beginFileTransfer(Broken(), consumer))
    consumer.producer.resumeProducing()
    assert "disk on fire" in str(results[0].value)
    assert consumer.producer is None


def test_file_sender_is_cancelled_and_sends_one_at_a_time() -> None:
    consumer = Consumer()
    sender = basic.FileSender()
    deferred = sender.beginFileTransfer(io.BytesIO(b"a"), consumer)
    with pytest.raises(RuntimeError, match="FileSender for each"):
        sender.beginFileTransfer(io.BytesIO(b"b"), consumer)
    deferred.cancel()
    results = outcome(deferred)
    assert isinstance(results[0].value, CancelledError)
    assert consumer.producer is None
    sender.resumeProducing()
    assert consumer.written == []


def test_a_file_sender_that_a_consumer_refuses_may_send_to_another() -> None:
    taken = StringTransport()
    taken.registerProducer(object(), True)
    sender = basic.FileSender()
    with pytest.raises(RuntimeError):
        sender.beginFileTransfer(io.BytesIO(b"x"), taken)
    assert (sender.deferred, sender.file, sender.consumer) == (None, None, None)
    free = StringTransport()
    sent = sender.beginFileTransfer(io.BytesIO(b"hello"), free)
    while not sent.called:
        sender.resumeProducing()
    assert free.value() == b"hello"


async def test_file_and_strings_over_sockets() -> None:
    content = bytes(range(256)) * 2000

    class Sender(Protocol):
        def connectionMade(self) -> None:
            sent = basic.FileSender().beginFileTransfer(io.BytesIO(content), self.transport)
            sent.addCallback(lambda last: self.transport.loseConnection())

    class Receiver(Protocol):
        received = b""

        def dataReceived(self, data: bytes) -> None:
            self.received += data

    receiver = Receiver()
    await loopbackTCP(Sender(), receiver, noisy=False)
    assert receiver.received == content


async def test_strings_over_sockets_against_struct() -> None:
    class Upper(basic.Int16StringReceiver):
        def stringReceived(self, string: bytes) -> None:
            self.sendString(string.upper())

    factory: Factory[Any] = Factory.forProtocol(Upper)
    factory.noisy = False
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
    for piece in (b"\0", b"\x05hel", b"lo\0\x01x"):
        writer.write(piece)
        await writer.drain()
    assert await reader.readexactly(10) == b"\0\x05HELLO\0\x01X"
    writer.write(b"\xff" * 2)
    writer.close()
    await writer.wait_closed()
    await port.stopListening()
