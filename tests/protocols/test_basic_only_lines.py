"""`LineOnlyReceiver`: the same lines however the stream is cut, and what may happen between two."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from _fuzz import chunkings
from hypothesis import given
from hypothesis import strategies as st

from reactorlib.internet.protocol import Factory
from reactorlib.protocols.basic import LineOnlyReceiver


class Transport:
    def __init__(self) -> None:
        self.disconnecting = False
        self.written = b""

    def writeSequence(self, parts: Any) -> None:
        self.written += b"".join(parts)

    def loseConnection(self) -> None:
        self.disconnecting = True


class Lines(LineOnlyReceiver):
    """Remembers lines, and calls `then` after each."""

    def __init__(self, then: Callable[[Any, bytes], Any] = lambda self, line: None) -> None:
        self.received: list[bytes] = []
        self.long: list[bytes] = []
        self.then = then

    def lineReceived(self, line: bytes) -> Any:
        self.received.append(line)
        return self.then(self, line)

    def lineLengthExceeded(self, line: bytes) -> None:
        self.long.append(line)
        super().lineLengthExceeded(line)


def connect(*args: Any) -> Any:
    protocol = Lines(*args)
    protocol.makeConnection(Transport())
    return protocol


def obey(self: Lines, line: bytes) -> None:
    if line == b"quit":
        self.transport.loseConnection()
    elif line == b"boom":
        raise ZeroDivisionError
    elif line == b"again":
        # What is handed in meanwhile follows all others, so it is done at the end of a stream.
        self.dataReceived(b"")


def play(chunks: list[bytes], limit: int = 16384) -> tuple[list[bytes], bool]:
    protocol = connect(obey)
    protocol.MAX_LENGTH = limit
    for chunk in chunks:
        with suppress(ZeroDivisionError):
            protocol.dataReceived(chunk)
    before = None
    while before != len(protocol.received):  # an exception leaves the next lines for later
        before = len(protocol.received)
        with suppress(ZeroDivisionError):
            protocol.dataReceived(b"")
    return protocol.received, protocol.transport.disconnecting


@pytest.mark.parametrize(
    ("wire", "lines", "closed"),
    [
        (b"", [], False),
        (b"a\r\n", [b"a"], False),
        (b"a\r\nbc\r\nd", [b"a", b"bc"], False),
        (b"a\rb\nc\r\n\r\n", [b"a\rb\nc", b""], False),
        (b"a\r\nquit\r\nb\r\nc", [b"a", b"quit"], True),
        (b"a\r\nboom\r\nb\r\nboom\r\nc\r\n", [b"a", b"boom", b"b", b"boom", b"c"], False),
        (b"a\r\nagain\r\nb\r\nagain\r\nc", [b"a", b"again", b"b", b"again"], False),
        (b"12345678\r\n123456789\r\na\r\n", [b"12345678"], True),
        (b"a\r\n" * 20 + b"123456789a", [b"a"] * 20, False),
        (b"a\r\n" * 20 + b"123456789ab", [b"a"] * 20, True),
    ],
)
def test_lines_do_not_depend_on_chunking(wire: bytes, lines: list[bytes], closed: bool) -> None:
    # Nobody can tell that a line is too long before a delimiter could have ended it.
    limit = 9 if lines[-1:] == [b"a"] else 8
    for chunks in chunkings(wire):
        assert play(chunks, limit) == (lines, closed)
    assert play([b"ok\r\n", wire], limit) == ([b"ok", *lines], closed)
    assert play([b"ok\r\n", wire], 16384 if not closed or b"quit" in wire else limit) == (
        [b"ok", *lines],
        closed,
    )


WORDS = st.sampled_from([b"a", b"bcdef", b"", b"\r", b"\n", b"boom", b"again", b"quit", b"x" * 50])
WIRES = st.lists(
    st.tuples(WORDS | st.binary(max_size=8), st.sampled_from([b"\r\n", b"\r\n", b""])).map(
        b"".join
    ),
    max_size=30,
).map(b"".join)


@given(WIRES, st.sampled_from([6, 40, 49, 50, 16384]), st.data())
def test_any_lines_in_any_pieces(wire: bytes, limit: int, data: st.DataObject) -> None:
    *whole, rest = wire.split(b"\r\n")
    expected = []
    closed = False
    for line in whole:
        if closed := len(line) > limit:
            break
        expected.append(line)
        if closed := line == b"quit":
            break
    closed = closed or len(rest) >= limit + 2
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=9)))
    pieces = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    for chunks in [wire], [wire[i : i + 1] for i in range(len(wire))], pieces:
        assert play(chunks, limit) == (expected, closed)


@pytest.mark.parametrize("cut", [0, 1, 5, 6, 7, 9])
def test_data_received_within_a_line_comes_last(cut: int) -> None:
    def then(self: Lines, line: bytes) -> None:
        if line == b"a":
            self.dataReceived(b"x\r\ny")

    protocol = connect(then)
    protocol.dataReceived(b"first\r\n")
    wire = b"a\r\nb\r\nc"
    protocol.dataReceived(wire[:cut])
    protocol.dataReceived(wire[cut:])
    protocol.dataReceived(b"\r\n")
    lines = b"".join(line + b"\r\n" for line in protocol.received)
    assert sorted(protocol.received) != []
    assert protocol.received[:2] == [b"first", b"a"]
    if cut < 3:  # all was there when "a" came
        assert lines == b"first\r\na\r\nb\r\ncx\r\ny\r\n"


def test_one_line_that_brings_more() -> None:
    def then(self: Lines, line: bytes) -> None:
        if line == b"a":
            self.dataReceived(b"b\r\nc")
            assert self.received[-1] == b"a"

    protocol = connect(then)
    for _ in range(3):
        protocol.dataReceived(b"a\r\n")
        protocol.dataReceived(b"\r\n")
    assert protocol.received == [b"a", b"b", b"c"] * 3


def test_what_follows_an_exception_is_kept() -> None:
    protocol = connect(obey)
    protocol.dataReceived(b"a\r\n")
    for wire in b"boom\r\n", b"boom\r\nb\r\nc":
        with pytest.raises(ZeroDivisionError):
            protocol.dataReceived(wire)
    protocol.dataReceived(b"d\r\n")
    assert protocol.received == [b"a", b"boom", b"boom", b"b", b"cd"]


def test_no_line_comes_once_it_is_closed_elsewhere() -> None:
    protocol = connect()
    protocol.dataReceived(b"a\r\nb")
    protocol.transport.loseConnection()
    protocol.dataReceived(b"c\r\nd\r\n")
    protocol.dataReceived(b"e\r\n")
    assert protocol.received == [b"a"]


def test_transport_may_change_between_lines() -> None:
    def then(self: Lines, line: bytes) -> None:
        if line == b"tls":
            self.transport = Transport()
        elif line == b"quit":
            self.transport.loseConnection()

    for wire in [b"tls\r\na\r\nquit\r\nb\r\n"], [b"ok\r\n", b"tls\r\na\r\nquit\r\nb\r\n"]:
        protocol = connect(then)
        for chunk in wire:
            protocol.dataReceived(chunk)
        assert protocol.received[-3:] == [b"tls", b"a", b"quit"]


def test_line_may_be_delivered_without_a_transport() -> None:
    protocol = Lines()
    for _ in range(3):
        protocol.dataReceived(b"a\r\nb\r\nc")
        protocol.dataReceived(b"\r\n")
    assert protocol.received == [b"a", b"b", b"c"] * 3


def test_delimiter_and_limit_hold_for_the_next_read() -> None:
    def then(self: Lines, line: bytes) -> None:
        self.delimiter = b"\n"
        self.MAX_LENGTH = 3

    protocol = connect(then)
    protocol.dataReceived(b"ok\r\n")
    protocol.dataReceived(b"a\nbc")
    protocol.dataReceived(b"d\n")
    protocol.dataReceived(b"efgh\n")
    assert protocol.received == [b"ok", b"a", b"bcd"]
    assert protocol.long == [b"efgh\n"]


def test_a_raised_limit_holds_at_once() -> None:
    def then(self: Lines, line: bytes) -> None:
        self.MAX_LENGTH = 9

    for first in b"", b"ok\r\n":
        protocol = connect(then)
        protocol.MAX_LENGTH = 3
        protocol.dataReceived(first)
        protocol.MAX_LENGTH = 3
        protocol.dataReceived(b"ok\r\n123456789\r\n")
        assert protocol.received[-2:] == [b"ok", b"123456789"]


def test_an_empty_delimiter_is_refused() -> None:
    protocol = connect()
    for wire in b"a\r\n", b"b\r\nc":  # with nothing kept, and with a part of a line
        protocol.delimiter = b"\r\n"
        protocol.dataReceived(wire)
        protocol.delimiter = b""
        with pytest.raises(ValueError, match="empty"):
            protocol.dataReceived(b"d\r\n")
    assert protocol.received == [b"a", b"b"]


@pytest.mark.parametrize("wire", [b"tls\r\nb\r\nc", b"a\r\ntls\r\nb\r\nc", b"tls\r\n"])
def test_tls_gets_what_was_not_delivered(wire: bytes) -> None:
    def then(self: Lines, line: bytes) -> None:
        if line == b"tls":
            self.delimiter = b"\n"
            returned.append(self._give_back())
            self.dataReceived(b"plain\n")

    for before in [], [b"ok\r\n"]:
        returned: list[bytes] = []
        protocol = connect(then)
        for chunk in [*before, wire]:
            protocol.dataReceived(chunk)
        assert returned == [wire.partition(b"tls\r\n")[2]]
        assert protocol.received[-2:] == [b"tls", b"plain"]
        protocol.dataReceived(b"more\n")
        assert protocol.received[-1] == b"more"


@pytest.mark.parametrize("size", [1, 3])
def test_a_long_line_in_small_pieces_is_not_copied_for_each(size: int) -> None:
    """A hundred thousand pieces: copying all that came for each would move five gigabytes."""
    protocol = connect()
    protocol.MAX_LENGTH = 10**6
    protocol.dataReceived(b"ok\r\n")
    for _ in range(100_000):
        protocol.dataReceived(b"x" * size)
    protocol.dataReceived(b"\r\n")
    assert [*map(len, protocol.received)] == [2, 100_000 * size]


async def test_over_a_socket() -> None:
    """Lines that come whole, in pieces and in bursts are answered, and the last one hangs up."""

    class Echo(LineOnlyReceiver):
        def lineReceived(self, line: bytes) -> None:
            self.sendLine(line)
            if line == b"quit":
                self.transport.loseConnection()

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Factory.forProtocol(Echo), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    burst = b"".join(b"line %d\r\n" % i for i in range(10_000))
    for wire in b"one\r\n", b"two\r\nthree\r\nfo", b"ur\r\n", burst, b"quit\r\nlost\r\n":
        writer.write(wire)
        await writer.drain()
    answer = await asyncio.wait_for(reader.read(-1), 30)
    assert answer == b"one\r\ntwo\r\nthree\r\nfour\r\n" + burst + b"quit\r\n"
    writer.close()
    server.close()
    await server.wait_closed()
