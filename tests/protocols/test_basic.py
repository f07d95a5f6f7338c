from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from _fuzz import chunkings
from hypothesis import given
from hypothesis import strategies as st

from reactorlib.protocols.basic import LineReceiver, NetstringParseError, NetstringReceiver


class Transport:
    """Remembers what was asked of it."""

    def __init__(self) -> None:
        self.disconnecting = False
        self.written = b""
        self.calls: list[str] = []

    def write(self, data: bytes) -> None:
        self.written += data

    def loseConnection(self) -> None:
        self.disconnecting = True
        self.calls.append("lose")

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


def number(argument: bytes) -> int:
    return int(argument) if argument.isdigit() else 8


class Scripted(LineReceiver):
    """Does what the lines say, and remembers them: as text, and raw data as bytes."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.raw = 0

    def lineReceived(self, line: bytes) -> None:
        self.events.append(line.decode("latin-1"))
        command, _, argument = line.partition(b" ")
        match command:
            case b"raw":
                self.raw = number(argument)
                self.setRawMode()
                if not self.raw:
                    self.setLineMode()
            case b"pause":
                self.pauseProducing()
            case b"blink":
                self.pauseProducing()
                self.resumeProducing()
            case b"quit":
                self.transport.loseConnection()
            case b"boom":
                raise ZeroDivisionError
            case b"lf":
                self.delimiter = b"\n"
            case b"crlf":
                self.delimiter = b"\r\n"
            case b"max":
                self.MAX_LENGTH = number(argument)

    def rawDataReceived(self, data: bytes) -> None:
        if not self.events or isinstance(self.events[-1], str):
            self.events.append(b"")
        self.events[-1] += data[: self.raw]
        rest = data[self.raw :]
        self.raw -= len(data)
        if self.raw <= 0:
            self.setLineMode(rest)

    def lineLengthExceeded(self, line: bytes) -> None:
        self.events.append("too long")
        super().lineLengthExceeded(line)


def connect(protocol: Any) -> Any:
    protocol.makeConnection(Transport())
    return protocol


def play(chunks: list[bytes], resume: Callable[[], bool] = lambda: False) -> list[Any]:
    """What a Scripted does: `resume` says if it is woken after a chunk; it is after the last."""
    protocol = connect(Scripted())
    for chunk in chunks:
        with suppress(ZeroDivisionError):
            protocol.dataReceived(chunk)
        while protocol.paused and resume():
            with suppress(ZeroDivisionError):
                protocol.resumeProducing()
    events: list[Any] = protocol.events
    # Delivery stops at a pause, and at an exception: then it goes on with whatever comes.
    before = None
    while before != len(events):
        before = len(events)
        with suppress(ZeroDivisionError):
            protocol.resumeProducing()
    return events


@pytest.mark.parametrize(
    ("wire", "events"),
    [
        (b"a\r\nb\r\nrest", ["a", "b"]),
        (b"a\r\n\r\nb\r\n", ["a", "", "b"]),
        (b"raw 3\r\n\r\nxa\r\n", ["raw 3", b"\r\nx", "a"]),
        (b"raw 5\r\nab", ["raw 5", b"ab"]),
        (b"raw 0\r\na\r\n", ["raw 0", "a"]),
        (b"raw 1\r\nxraw 2\r\nyzb\r\n", ["raw 1", b"x", "raw 2", b"yz", "b"]),
        (b"a\r\npause\r\nb\r\npause\r\nc\r\n", ["a", "pause", "b", "pause", "c"]),
        (b"blink\r\na\r\nblink\r\nb\r\n", ["blink", "a", "blink", "b"]),
        (b"a\r\nquit\r\nb\r\nc\r\n", ["a", "quit"]),
        (b"a\r\nboom\r\nb\r\nboom\r\nc\r\n", ["a", "boom", "b", "boom", "c"]),
        (b"a\r\nlf\r\nb\r\nc\ncrlf\nd\ne\r\n", ["a", "lf", "b\r", "c", "crlf", "d\ne"]),
        (b"max 3\r\nabc\r\nabcd\r\na\r\n", ["max 3", "abc", "too long"]),
        (b"max 3\r\nabcd", ["max 3"]),
        (b"max 3\r\nabc\r", ["max 3"]),
        (b"max 3\r\nabcde", ["max 3", "too long"]),
        (b"a" * 16384 + b"\r\n" + b"b" * 16384 + b"\r\n", ["a" * 16384, "b" * 16384]),
        (b"max 20000\r\n" + b"a" * 20000 + b"\r\n", ["max 20000", "a" * 20000]),
    ],
)
def test_lines_do_not_depend_on_chunking(wire: bytes, events: list[Any]) -> None:
    for chunks in chunkings(wire) if len(wire) < 1000 else [[wire], [wire[:9000], wire[9000:]]]:
        assert play(chunks) == events


WORDS = st.sampled_from(
    [b"a", b"bcdef", b"", b"\r", b"\n", b"pause", b"blink", b"boom", b"lf", b"crlf", b"quit"]
) | st.sampled_from([b"raw 0", b"raw 1", b"raw 7", b"max 6", b"max 9", b"max 90"])
ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\n", b""])
WIRES = st.lists(st.tuples(WORDS | st.binary(max_size=8), ENDS).map(b"".join), max_size=20).map(
    b"".join
)


def plain(wire: bytes) -> list[Any]:
    """What a Scripted does with it all, one line after the other."""
    events: list[Any] = []
    delimiter, limit = b"\r\n", 16384
    while wire:
        end = wire.find(delimiter)
        if end < 0 and len(wire) < limit + len(delimiter):
            break
        if end < 0 or end > limit:
            events.append("too long")
            break
        line, wire = wire[:end], wire[end + len(delimiter) :]
        events.append(line.decode("latin-1"))
        command, _, argument = line.partition(b" ")
        if command == b"quit":
            break
        if command == b"lf":
            delimiter = b"\n"
        elif command == b"crlf":
            delimiter = b"\r\n"
        elif command == b"max":
            limit = number(argument)
        elif command == b"raw" and (raw := wire[: number(argument)]):
            events.append(raw)
            wire = wire[len(raw) :]
    return events


@given(WIRES, st.data())
def test_any_script_in_any_pieces(wire: bytes, data: st.DataObject) -> None:
    expected = plain(wire)
    assert play([wire]) == expected
    assert play([wire[i : i + 1] for i in range(len(wire))]) == expected
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=9)))
    pieces = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    resume = iter(data.draw(st.lists(st.booleans(), max_size=20)))
    assert play([piece for piece in pieces if piece], lambda: next(resume, False)) == expected


@given(st.binary(max_size=60), st.integers(1, 9))
def test_random_bytes(wire: bytes, limit: int) -> None:
    """Every byte ends up in a line, in the report of a long one, or waits."""

    class Receiver(LineReceiver):
        delimiter = b"\n"
        MAX_LENGTH = limit
        seen = b""

        def lineReceived(self, line: bytes) -> None:
            assert b"\n" not in line
            assert len(line) <= limit
            self.seen += line + b"\n"

        def lineLengthExceeded(self, line: bytes) -> None:
            assert len(line.partition(b"\n")[0]) > limit
            self.seen += line

    for chunks in chunkings(wire):
        protocol = connect(Receiver())
        for chunk in chunks:
            protocol.dataReceived(chunk)
        rest = protocol.clearLineBuffer()
        assert protocol.seen + rest == wire
        assert b"\n" not in rest
        assert len(rest) <= limit


class Lines(LineReceiver):
    """Remembers lines and raw data, and calls `then` after each."""

    def __init__(self, then: Callable[["Lines", bytes], Any] = lambda self, line: None) -> None:
        self.received: list[bytes] = []
        self.raw: list[bytes] = []
        self.long: list[bytes] = []
        self.then = then

    def lineReceived(self, line: bytes) -> None:
        self.received.append(line)
        self.then(self, line)

    def rawDataReceived(self, data: bytes) -> Any:
        self.raw.append(data)
        return self.then(self, data)


def test_line_may_be_delivered_without_a_transport() -> None:
    protocol = Lines()
    protocol.dataReceived(b"a\r\nb")
    assert protocol.received == [b"a"]
    assert protocol.clearLineBuffer() == b"b"


def test_raw_data_comes_in_one_piece_as_it_came() -> None:
    protocol = connect(Lines(lambda self, line: self.setRawMode()))
    protocol.dataReceived(b"a\r\n" + b"b\r\n" * 2000 + b"c")
    protocol.dataReceived(b"d\r\n")
    assert protocol.received == [b"a"]
    assert protocol.raw == [b"b\r\n" * 2000 + b"c", b"d\r\n"]


def test_raw_data_includes_the_incomplete_line() -> None:
    protocol = connect(Lines())
    protocol.dataReceived(b"a\r\npart")
    protocol.setRawMode()
    protocol.dataReceived(b"ial")
    assert protocol.raw == [b"partial"]


def test_raw_data_waits_while_paused() -> None:
    protocol = connect(Lines(lambda self, data: self.pauseProducing()))
    protocol.setRawMode()
    for data in (b"a", b"b", b"c"):
        protocol.dataReceived(data)
    assert protocol.raw == [b"a"]
    protocol.resumeProducing()
    assert protocol.raw == [b"a", b"bc"]


def test_answer_of_raw_data_is_handed_on() -> None:
    protocol = connect(Lines(lambda self, data: data.upper()))
    protocol.setRawMode()
    assert protocol.dataReceived(b"a") == b"A"
    assert protocol.dataReceived(b"") is None


def test_what_line_received_returns_does_not_stop_the_lines() -> None:
    """As `lineReceived` under inlineCallbacks does, which returns a Deferred."""

    class Receiver(Lines):
        def lineReceived(self, line: bytes) -> Any:
            self.received.append(line)
            return object()

    protocol = connect(Receiver())
    assert protocol.dataReceived(b"a\r\nb\r\n") is None
    assert protocol.received == [b"a", b"b"]


def test_line_mode_tells_the_mode() -> None:
    protocol = connect(Lines())
    assert protocol.line_mode
    protocol.setRawMode()
    assert not protocol.line_mode
    protocol.setLineMode(b"a\r\n")
    assert protocol.line_mode
    assert protocol.received == [b"a"]


@pytest.mark.parametrize(
    ("name", "value", "received"),
    [("line_mode", 0, [b"a"]), ("paused", True, [b"a"]), ("line_mode", 1, [b"a", b"b"])],
)
def test_attributes_may_be_set_directly(name: str, value: object, received: list[bytes]) -> None:
    protocol = connect(Lines(lambda self, line: setattr(self, name, value)))
    protocol.dataReceived(b"a\r\nb\r\n")
    assert protocol.received == received


def test_settings_may_be_properties() -> None:
    class Receiver(Lines):
        limit = 3

        @property
        def MAX_LENGTH(self) -> int:  # type: ignore[override]
            return self.limit

    protocol = connect(Receiver())
    protocol.dataReceived(b"abc\r\n")
    protocol.limit = 2
    protocol.dataReceived(b"ab\r\nabc\r\n")
    assert protocol.received == [b"abc", b"ab"]
    assert protocol.transport.disconnecting


def test_data_received_within_a_line_comes_last() -> None:
    def then(self: Lines, line: bytes) -> None:
        if line == b"a":
            self.dataReceived(b"d\r\ne")
            assert self.received == [b"a"]

    protocol = connect(Lines(then))
    protocol.dataReceived(b"a\r\nb\r\nc")
    protocol.dataReceived(b"f\r\n")
    assert protocol.received == [b"a", b"b", b"cd", b"ef"]


def test_resume_within_a_line_does_not_nest() -> None:
    depth: list[int] = []

    def then(self: Lines, line: bytes) -> None:
        assert not depth
        depth.append(1)
        self.pauseProducing()
        self.resumeProducing()
        depth.pop()

    protocol = connect(Lines(then))
    protocol.dataReceived(b"\r\n" * 5000)
    assert len(protocol.received) == 5000
    assert protocol.transport.calls == ["pause", "resume"] * 5000


def test_modes_may_flip_often_in_one_chunk() -> None:
    def then(self: Lines, data: bytes) -> None:
        if self.line_mode:
            self.setRawMode()
        else:
            self.setLineMode(data[1:])

    protocol = connect(Lines(then))
    protocol.dataReceived(b"x\r\ny" * 3000)
    assert protocol.received == [b"x"] * 3000


def test_producing_is_passed_on() -> None:
    protocol = connect(Lines())
    assert not protocol.paused
    protocol.pauseProducing()
    assert protocol.paused
    protocol.dataReceived(b"a\r\n")
    assert protocol.received == []
    protocol.resumeProducing()
    assert not protocol.paused
    assert protocol.received == [b"a"]
    protocol.stopProducing()
    assert protocol.paused
    assert protocol.transport.calls == ["pause", "resume", "stop"]


def test_clear_line_buffer_returns_what_was_not_delivered() -> None:
    cleared: list[bytes] = []
    protocol = connect(Lines(lambda self, line: cleared.append(self.clearLineBuffer())))
    assert protocol.clearLineBuffer() == b""
    protocol.dataReceived(b"a\r\nb\r\nc")
    protocol.dataReceived(b"d\r\n")
    assert protocol.received == [b"a", b"d"]
    assert cleared == [b"b\r\nc", b""]


def test_no_line_comes_after_lose_connection() -> None:
    protocol = connect(Lines(lambda self, line: self.transport.loseConnection()))
    protocol.dataReceived(b"a\r\nb\r\n")
    assert protocol.clearLineBuffer() == b"b\r\n"  # still there for who asks
    for _ in range(3):
        protocol.dataReceived(b"c\r\n")
    assert protocol.received == [b"a"]
    assert protocol.clearLineBuffer() == b""  # but no more is kept


def test_connection_lost_elsewhere_ends_the_lines() -> None:
    protocol = connect(Lines())
    protocol.dataReceived(b"a\r\nb")
    protocol.transport.loseConnection()
    protocol.dataReceived(b"\r\nc\r\n")
    assert protocol.received == [b"a"]


def test_raw_data_still_comes_after_lose_connection() -> None:
    """As in Twisted: the raw data of a connection that closes may matter, as with HTTP/1.0."""
    protocol = connect(Lines())
    protocol.setRawMode()
    protocol.transport.loseConnection()
    protocol.dataReceived(b"a")
    assert protocol.raw == [b"a"]


def test_transport_may_change_between_lines() -> None:
    def then(self: Lines, line: bytes) -> None:
        if line == b"tls":
            self.transport = Transport()
        elif line == b"quit":
            self.transport.loseConnection()

    protocol = connect(Lines(then))
    protocol.dataReceived(b"tls\r\na\r\nquit\r\nb\r\n")
    assert protocol.received == [b"tls", b"a", b"quit"]


def test_line_too_long_loses_the_connection() -> None:
    protocol = connect(Lines())
    protocol.dataReceived(b"x" * 16385 + b"\r\na\r\n")
    assert protocol.transport.disconnecting
    assert protocol.received == []


def test_line_length_exceeded_gets_all_that_came() -> None:
    class Receiver(Lines):
        MAX_LENGTH = 4

        def lineLengthExceeded(self, line: bytes) -> None:
            self.long.append(line)

    protocol = connect(Receiver())
    protocol.dataReceived(b"a\r\n12345\r\nb\r\n")
    protocol.dataReceived(b"c\r\n")
    protocol.dataReceived(b"123456")
    protocol.dataReceived(b"d\r\n")
    assert protocol.received == [b"a", b"c", b"d"]
    assert protocol.long == [b"12345\r\nb\r\n", b"123456"]


@pytest.mark.parametrize("cut", range(1, 12))
def test_line_length_exceeded_may_give_bytes_back(cut: int) -> None:
    class Receiver(Lines):
        MAX_LENGTH = 4

        def lineLengthExceeded(self, line: bytes) -> None:
            self.long.append(line[:5])
            self.setLineMode(line[5:])

    wire = b"123456789\r\na\r\n"
    protocol = connect(Receiver())
    protocol.dataReceived(wire[:cut])
    protocol.dataReceived(wire[cut:])
    assert protocol.received == [b"6789", b"a"]
    assert protocol.long == [b"12345"]


def test_line_length_exceeded_may_give_everything_back() -> None:
    """It is asked again when more has come, and not forever."""

    class Receiver(Lines):
        MAX_LENGTH = 4

        def lineLengthExceeded(self, line: bytes) -> None:
            self.long.append(line)
            self.setLineMode(line)

    protocol = connect(Receiver())
    protocol.dataReceived(b"123456")
    protocol.dataReceived(b"7")
    assert protocol.long == [b"123456", b"1234567"]
    protocol.MAX_LENGTH = 100
    protocol.dataReceived(b"8\r\n")
    assert protocol.received == [b"12345678"]


def test_line_length_exceeded_may_raise_the_limit() -> None:
    class Receiver(Lines):
        MAX_LENGTH = 4

        def lineLengthExceeded(self, line: bytes) -> None:
            self.MAX_LENGTH = 10
            self.setLineMode(line)

    protocol = connect(Receiver())
    protocol.dataReceived(b"12345\r\na\r\n")
    assert protocol.received == [b"12345", b"a"]


def test_exception_in_raw_data_or_long_line_leaves_nothing_behind() -> None:
    class Receiver(Lines):
        MAX_LENGTH = 4

        def lineLengthExceeded(self, line: bytes) -> None:
            raise ZeroDivisionError

        def rawDataReceived(self, data: bytes) -> None:
            self.setLineMode(data[1:])
            raise ZeroDivisionError

    protocol = connect(Receiver())
    with pytest.raises(ZeroDivisionError):
        protocol.dataReceived(b"12345\r\n")
    protocol.setRawMode()
    with pytest.raises(ZeroDivisionError):
        protocol.dataReceived(b"xa\r\nb\r\n")
    protocol.dataReceived(b"c\r\n")
    assert protocol.received == [b"a", b"b", b"c"]


def test_send_line_adds_the_delimiter() -> None:
    protocol = connect(Lines())
    protocol.sendLine(b"a")
    protocol.delimiter = b"\0"
    protocol.sendLine(b"b")
    assert protocol.transport.written == b"a\r\nb\0"


def test_what_a_subclass_owes_is_named() -> None:
    protocol = connect(LineReceiver())
    with pytest.raises(NotImplementedError, match="lineReceived"):
        protocol.dataReceived(b"a\r\n")
    protocol.setRawMode()
    with pytest.raises(NotImplementedError, match="rawDataReceived"):
        protocol.dataReceived(b"a")
    with pytest.raises(NotImplementedError, match="stringReceived"):
        connect(NetstringReceiver()).dataReceived(b"0:,")


class Strings(NetstringReceiver):
    """Remembers strings, and calls `then` after each."""

    MAX_LENGTH = 20

    def __init__(self, then: Callable[["Strings", bytes], Any] = lambda self, s: None) -> None:
        self.received: list[bytes] = []
        self.then = then

    def stringReceived(self, string: bytes) -> None:
        self.received.append(string)
        self.then(self, string)


@pytest.mark.parametrize(
    ("wire", "strings", "broken"),
    [
        (b"1:a,0:,3:b:,,", [b"a", b"", b"b:,"], 0),
        (b"1:a,20:", [b"a"], 0),
        (b"1:a,21:", [b"a"], 1),
        (b"1:a,1:bc,1:d,", [b"a"], 1),
        (b"1:a,\r\n1:b,", [b"a"], 1),
    ],
)
def test_strings_do_not_depend_on_chunking(wire: bytes, strings: list[bytes], broken: int) -> None:
    for chunks in chunkings(wire):
        protocol = connect(Strings())
        for chunk in chunks:
            protocol.dataReceived(chunk)
        assert protocol.received == strings
        assert protocol.brokenPeer == broken
        assert protocol.transport.disconnecting == bool(broken)


def test_nothing_comes_from_a_broken_peer() -> None:
    protocol = connect(Strings())
    protocol.dataReceived(b"x")
    protocol.dataReceived(b"1:a,")
    assert protocol.received == []
    assert protocol.transport.calls == ["lose"]
    protocol.makeConnection(Transport())
    protocol.dataReceived(b"1:a,")
    assert protocol.brokenPeer == 0
    assert protocol.received == [b"a"]


def test_send_string_frames_it() -> None:
    protocol = connect(Strings())
    protocol.sendString(b"hello world!")
    protocol.sendString(b"")
    assert protocol.transport.written == b"12:hello world!,0:,"


def test_max_length_changes_between_strings() -> None:
    protocol = connect(Strings(lambda self, string: setattr(self, "MAX_LENGTH", len(string) + 1)))
    protocol.dataReceived(b"1:a,2:bb,3:ccc,5:ddddd,1:e,")
    assert protocol.received == [b"a", b"bb", b"ccc"]
    assert protocol.brokenPeer == 1


def test_data_received_within_a_string_comes_last() -> None:
    def then(self: Strings, string: bytes) -> None:
        if string == b"a":
            self.dataReceived(b"2:cd")
            assert self.received == [b"a"]

    protocol = connect(Strings(then))
    protocol.dataReceived(b"1:a,1:b,")
    protocol.dataReceived(b",")
    assert protocol.received == [b"a", b"b", b"cd"]


@pytest.mark.parametrize("error", [ZeroDivisionError, NetstringParseError("someone else's")])
def test_exception_in_string_received_is_the_callers(error: Any) -> None:
    def then(self: Strings, string: bytes) -> None:
        if string == b"x":
            raise error

    protocol = connect(Strings(then))
    with pytest.raises((ZeroDivisionError, NetstringParseError)):
        protocol.dataReceived(b"1:a,1:x,1:b,1:")
    protocol.dataReceived(b"c,")
    assert protocol.received == [b"a", b"x", b"b", b"c"]
    assert protocol.brokenPeer == 0


def test_strings_still_come_after_lose_connection() -> None:
    """As in Twisted, whose NetstringReceiver does not look at its transport."""
    protocol = connect(Strings(lambda self, string: self.transport.loseConnection()))
    protocol.dataReceived(b"1:a,1:b,")
    assert protocol.received == [b"a", b"b"]
