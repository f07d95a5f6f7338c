import time
from collections.abc import Callable
from itertools import islice
from unittest import mock

import pytest
from _fuzz import chunkings
from hypothesis import given, settings
from hypothesis import strategies as st

from reactorlib._sansio import lines as lines_module
from reactorlib._sansio.lines import LineSplitter, LineTooLong


def split(
    chunks: list[bytes], delimiter: bytes = b"\r\n", limit: int = 100
) -> list[bytes | type[LineTooLong]]:
    """All lines, pulled after each chunk; LineTooLong, last, if that was raised."""
    splitter = LineSplitter(delimiter, limit)
    found: list[bytes | type[LineTooLong]] = []
    for chunk in chunks:
        splitter.feed(chunk)
        try:
            while (line := splitter.next_line()) is not None:
                found.append(line)
        except LineTooLong:
            found.append(LineTooLong)
            break
    return found


@pytest.mark.parametrize(
    ("delimiter", "wire", "lines"),
    [
        (b"\r\n", b"a\r\nbc\r\n", [b"a", b"bc"]),
        (b"\r\n", b"a\rb\nc\r\n", [b"a\rb\nc"]),  # a bare CR or LF is data
        (b"\r\n", b"\r\r\n\n\r\n", [b"\r", b"\n"]),
        (b"\r\n", b"\r\n\r\n", [b"", b""]),
        (b"\r\n", b"partial", []),
        (b"\r\n", b"a\r\npartial\r", [b"a"]),
        (b"\n", b"a\r\n\nb", [b"a\r", b""]),
        (b"\0", b"a\0\r\n\0", [b"a", b"\r\n"]),
        (b"\n\n", b"a\n\n\nb\n\n", [b"a", b"\nb"]),  # the first delimiter counts
        (b"aa", b"baaaaaab", [b"b", b"", b""]),
        (b"aba", b"ababaaba", [b"", b"ba"]),
        (b"--end--", b"x--end-y--end----end--", [b"x--end-y", b""]),
    ],
)
def test_lines_do_not_depend_on_chunking(delimiter: bytes, wire: bytes, lines: list[bytes]) -> None:
    for chunks in chunkings(wire):
        assert split(chunks, delimiter) == lines


@pytest.mark.parametrize(
    ("wire", "lines"),
    [
        (b"1234\r\n", [b"1234"]),
        (b"1234\r", []),  # the delimiter may have begun
        (b"12345", []),  # and it does not count
        (b"12345\r\n", [LineTooLong]),
        (b"1234\r\r\n", [LineTooLong]),
        (b"123456", [LineTooLong]),  # no delimiter can save it
        (b"a\r\n1234\r\n12345\r\nb\r\n", [b"a", b"1234", LineTooLong]),
        (b"a\r\n123456789", [b"a", LineTooLong]),
        (b"a\r\nb\r\nc\r\nd\r\n1234567\r\ne\r\n", [b"a", b"b", b"c", b"d", LineTooLong]),
    ],
)
def test_limit_is_on_each_line(wire: bytes, lines: list[bytes | type[LineTooLong]]) -> None:
    for chunks in chunkings(wire):
        assert split(chunks, limit=4) == lines


def test_line_too_long_leaves_the_buffer() -> None:
    splitter = LineSplitter(b"\n", 3)
    splitter.feed(b"ok\n1234\nmore")
    assert splitter.next_line() == b"ok"
    for _ in range(2):
        with pytest.raises(LineTooLong, match="longer than 3 bytes"):
            splitter.next_line()
    assert splitter.take() == b"1234\nmore"
    splitter.feed(b"on\n")
    assert splitter.next_line() == b"on"


def test_line_too_long_can_be_read_under_a_new_limit() -> None:
    for chunks in chunkings(b"12345678\nx\n"):
        splitter = LineSplitter(b"\n", 3)
        for chunk in chunks:
            splitter.feed(chunk)
        with pytest.raises(LineTooLong):
            splitter.next_line()
        splitter.expect(b"\n", 8)
        assert [splitter.next_line() for _ in range(3)] == [b"12345678", b"x", None]


@pytest.mark.parametrize("read", range(4))
def test_take_returns_what_was_not_read(read: int) -> None:
    wire = b"one\r\ntwo\r\nthree\r\nrest"
    for chunks in chunkings(wire):
        splitter = LineSplitter()
        for chunk in chunks:
            splitter.feed(chunk)
        for line in [b"one", b"two", b"three"][:read]:
            assert splitter.next_line() == line
        assert splitter.take() == wire.split(b"\r\n", read)[read]
        assert splitter.take() == b""
        assert splitter.next_line() is None
        splitter.feed(b"new\r\n")
        assert splitter.next_line() == b"new"


@pytest.mark.parametrize("read", range(3))
def test_delimiter_changes_from_the_next_line_on(read: int) -> None:
    wire = b"a\r\nb\r\nc;d\r\n;e;"
    for chunks in chunkings(wire):
        splitter = LineSplitter()
        for chunk in chunks:
            splitter.feed(chunk)
        for _ in range(read):
            splitter.next_line()
        splitter.expect(b";", 100)
        rest = wire.split(b"\r\n", read)[read].split(b";")[:-1]
        assert [splitter.next_line() for _ in range(len(rest) + 1)] == [*rest, None]


def test_iterator_ends_when_the_rest_is_taken() -> None:
    splitter = LineSplitter(b"\n")
    splitter.feed(b"a\nb\nc\n")
    seen = []
    for line in splitter.ready() or ():
        seen.append(line)
        if line == b"a":
            rest = splitter.take()
    assert seen == [b"a"]
    assert rest == b"b\nc\n"


def test_bytes_of_an_incomplete_line_count_for_a_new_delimiter() -> None:
    splitter = LineSplitter(b"\r\n")
    for piece in (b"abc", b"\nd", b"e"):
        splitter.feed(piece)
        assert splitter.next_line() is None
    splitter.expect(b"\n", 100)
    assert splitter.next_line() == b"abc"
    assert splitter.take() == b"de"


def test_nothing_is_remembered_of_bytes_that_were_taken() -> None:
    splitter = LineSplitter(b"\r\n")
    for _ in range(2):
        for piece in (b"abcdefg", b"h", b"i"):
            splitter.feed(piece)
            assert splitter.next_line() is None
        assert splitter.take() == b"abcdefghi"
    for piece in (b"abc", b"\r\n"):
        splitter.feed(piece)
    assert splitter.next_line() == b"abc"


def test_a_long_line_does_not_count_for_the_next() -> None:
    splitter = LineSplitter(b"\n", 2000)
    splitter.feed(b"x" * 2000 + b"\nabc")
    assert splitter.next_line() == b"x" * 2000
    assert splitter.next_line() is None
    splitter.feed(b"de")
    assert splitter.next_line() is None
    splitter.feed(b"\n")
    assert splitter.next_line() == b"abcde"


def test_no_delimiter_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        LineSplitter(b"")


class Model:
    """A LineSplitter that takes its time."""

    def __init__(self, delimiter: bytes, limit: int) -> None:
        self.buffer = b""
        self.expect(delimiter, limit)

    def expect(self, delimiter: bytes, limit: int) -> None:
        self.delimiter = delimiter
        self.limit = limit

    def feed(self, data: bytes) -> None:
        self.buffer += data

    def next_line(self) -> bytes | None:
        end = self.buffer.find(self.delimiter)
        if end < 0 and len(self.buffer) < self.limit + len(self.delimiter):
            return None
        if end < 0 or end > self.limit:
            raise LineTooLong(self.limit)
        line = self.buffer[:end]
        self.buffer = self.buffer[end + len(self.delimiter) :]
        return line

    def take(self) -> bytes:
        buffer, self.buffer = self.buffer, b""
        return buffer


def answer(call: Callable[[], bytes | None]) -> object:
    try:
        return call()
    except LineTooLong as error:
        return error.limit


DELIMITERS = st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\n\r\n", b"aa"])
LIMITS = st.sampled_from([0, 1, 2, 5, 9, 100])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("feed"), st.text("ab\r\n", max_size=40).map(str.encode)),
        st.tuples(st.just("feed"), st.binary(max_size=12)),
        st.tuples(st.just("read"), st.integers(1, 12)),
        st.tuples(st.just("expect"), st.tuples(DELIMITERS, LIMITS)),
        st.tuples(st.just("take"), st.none()),
    ),
    max_size=30,
)


@pytest.mark.parametrize("window", [1, 3, 1024])
@settings(max_examples=400)
@given(DELIMITERS, LIMITS, STEPS)
def test_any_use_is_as_with_a_plain_buffer(
    window: int, delimiter: bytes, limit: int, steps: list[tuple[str, object]]
) -> None:
    with (
        mock.patch.object(lines_module, "_SMALL", window),
        mock.patch.object(lines_module, "_LARGE", window * 4),
    ):
        splitter, model = LineSplitter(delimiter, limit), Model(delimiter, limit)
        for step, argument in steps:
            if isinstance(argument, bytes):
                splitter.feed(argument)
                model.feed(argument)
            elif isinstance(argument, tuple):
                splitter.expect(*argument)
                model.expect(*argument)
            elif step == "take":
                assert splitter.take() == model.take()
            else:
                assert isinstance(argument, int)
                for _ in range(argument):
                    assert answer(splitter.next_line) == answer(model.next_line)
        assert splitter.take() == model.take()


@pytest.mark.parametrize("window", [2, 1024])
@given(st.text("ab\r\n", max_size=200).map(str.encode), st.integers(0, 9))
def test_batches_are_the_lines(window: int, wire: bytes, stop: int) -> None:
    """However many lines are read from an iterator, the next one goes on after them."""
    with mock.patch.object(lines_module, "_SMALL", window):
        splitter = LineSplitter(b"\n", 1000)
        splitter.feed(wire)
        found: list[bytes] = []
        while (ready := splitter.ready()) is not None:
            found += islice(ready, stop + 1)
        assert found == wire.split(b"\n")[:-1]
        assert splitter.idle


def fed_in_pieces(size: int) -> None:
    splitter = LineSplitter(b"\r\n", size)
    piece = b"x" * 256
    for _ in range(size // 256):
        splitter.feed(piece)
        assert splitter.next_line() is None
    splitter.feed(b"\r\n")
    assert splitter.next_line() == b"x" * size


def read_one_by_one(size: int) -> None:
    splitter = LineSplitter(b"\r\n", 100)
    splitter.feed(b"x" * 62 + b"\r\n" + (b"x" * 62 + b"\r\n") * (size // 64))
    delimiters = [b"\r\n", b"\n"]
    for i in range(size // 64):
        assert splitter.next_line() is not None
        if not i % 8:
            splitter.expect(delimiters[i // 8 % 2], 100)


@pytest.mark.parametrize("work", [fed_in_pieces, read_one_by_one])
def test_cost_is_linear(work: Callable[[int], None]) -> None:
    """Eight times the bytes take about eight times as long; quadratic would be 64 times."""

    def cost(size: int) -> float:
        best = float("inf")
        for _ in range(4):
            start = time.process_time()
            work(size)
            best = min(best, time.process_time() - start)
        return best

    assert cost(1 << 22) < 28 * cost(1 << 19)
