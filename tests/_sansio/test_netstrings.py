import re
import time

import pytest
from _fuzz import chunkings
from hypothesis import example, given
from hypothesis import strategies as st

from reactorlib._sansio.netstrings import (
    NetstringParseError,
    NetstringParser,
    NetstringTooLong,
    encode,
)


def parse(chunks: list[bytes], limit: int = 12) -> tuple[list[bytes], str | None]:
    """All strings, pulled after each chunk, and what was wrong after them."""
    parser = NetstringParser(limit)
    strings: list[bytes] = []
    for chunk in chunks:
        parser.feed(chunk)
        try:
            while (string := parser.next_string()) is not None:
                strings.append(string)
        except NetstringParseError as error:
            return strings, str(error)
    return strings, None


COMMA = "netstring does not end with a comma"
DIGITS = "netstring does not begin with digits and a colon"
ZERO = "netstring length begins with a zero"
LONG = "netstring longer than 12 bytes"


@pytest.mark.parametrize(
    ("wire", "strings", "error"),
    [
        (b"", [], None),
        (b"12:hello world!,", [b"hello world!"], None),  # the specification's example
        (b"0:,", [b""], None),
        (b"0:,0:,1:,,", [b"", b"", b","], None),
        (b"6:3:a,b,,1:c,", [b"3:a,b,", b"c"], None),
        (b"3:ab\0,2:\r\n,", [b"ab\0", b"\r\n"], None),
        (b"3:abc", [], None),
        (b"1:a,1", [b"a"], None),
        (b"1:a,12:", [b"a"], None),
        (b"3:abcd", [], COMMA),
        (b"0:a,", [], COMMA),
        (b"1:a,2:aaa,1:b,", [b"a"], COMMA),
        (b":a,", [], DIGITS),
        (b"a", [], DIGITS),
        (b"3aaa,", [], DIGITS),
        (b"1:a,x", [b"a"], DIGITS),
        (b" 1:a,", [], DIGITS),
        (b"+1:a,", [], DIGITS),
        (b"-1:a,", [], DIGITS),
        (b"1_0:", [], DIGITS),
        (b"1 :a,", [], DIGITS),
        (b"\xd9\xa1:a,", [], DIGITS),
        (b"01:a,", [], ZERO),
        (b"00:,", [], ZERO),
        (b"00", [], ZERO),
        (b"0x", [], DIGITS),
        (b"13:", [], LONG),
        (b"13", [], LONG),
        (b"1:a,99x", [b"a"], LONG),
        (b"9999999999999999999999", [], LONG),
    ],
)
def test_strings_do_not_depend_on_chunking(
    wire: bytes, strings: list[bytes], error: str | None
) -> None:
    """https://cr.yp.to/proto/netstrings.txt, and no zero before another digit."""
    for chunks in chunkings(wire):
        assert parse(chunks) == (strings, error)


def test_lengths_have_at_most_20_digits() -> None:
    limit = 10**30
    assert parse([b"9" * 20 + b":"], limit) == ([], None)
    for chunks in chunkings(b"9" * 21 + b":"):
        assert parse(chunks, limit) == ([], f"netstring longer than {limit} bytes")


def test_error_says_the_limit() -> None:
    parser = NetstringParser(5)
    parser.feed(b"6:")
    with pytest.raises(NetstringTooLong) as caught:
        parser.next_string()
    assert caught.value.limit == 5


def test_error_is_raised_again() -> None:
    parser = NetstringParser()
    parser.feed(b"1:a,1:bb")
    assert parser.next_string() == b"a"
    for more in (b"", b",", b"1:a,"):
        parser.feed(more)
        with pytest.raises(NetstringParseError):
            parser.next_string()


def test_limit_changes_between_strings() -> None:
    parser = NetstringParser(2)
    parser.feed(b"2:ab,3:abc,3:abc,")
    assert parser.next_string() == b"ab"
    parser.limit = 3
    assert parser.next_string() == b"abc"
    parser.limit = 2
    with pytest.raises(NetstringTooLong):
        parser.next_string()


@given(st.lists(st.binary(max_size=30)), st.lists(st.integers(1, 9), min_size=1))
def test_what_is_encoded_is_parsed(strings: list[bytes], sizes: list[int]) -> None:
    wire = b"".join(map(encode, strings))
    chunks = []
    for size in sizes * (len(wire) + 1):
        if not wire:
            break
        chunks.append(wire[:size])
        wire = wire[size:]
    assert parse(chunks, 30) == (strings, None)


@given(st.lists(st.tuples(st.binary(max_size=15), st.integers(0, 9), st.integers(0, 3))))
def test_strings_can_be_pulled_at_any_time(steps: list[tuple[bytes, int, int]]) -> None:
    parser = NetstringParser()
    fed: list[bytes] = []
    found: list[bytes | None] = []
    for string, cut, pulls in steps:
        wire = encode(string)
        parser.feed(wire[:cut])
        parser.feed(wire[cut:])
        fed.append(string)
        expected = [*fed, None, None, None][len(found) : len(found) + pulls]
        pulled = [parser.next_string() for _ in range(pulls)]
        assert pulled == expected
        found += [each for each in pulled if each is not None]
    rest = [parser.next_string() for _ in range(len(fed) - len(found) + 1)]
    assert [*found, *rest] == [*fed, None]


WELL_FORMED = re.compile(rb"(0|[1-9][0-9]*):")


def reference(wire: bytes, limit: int) -> tuple[list[bytes], bool]:
    """The strings, and whether the rest is broken."""
    strings: list[bytes] = []
    while wire:
        match = WELL_FORMED.match(wire)
        if match is None:
            digits = re.fullmatch(rb"0|[1-9][0-9]*", wire)
            return strings, digits is None or int(wire) > limit
        length, start = int(match[1]), match.end()
        if length > limit:
            return strings, True
        if len(wire) <= start + length:
            return strings, False
        if wire[start + length : start + length + 1] != b",":
            return strings, True
        strings.append(wire[start : start + length])
        wire = wire[start + length + 1 :]
    return strings, False


@given(st.text("0123:,a", max_size=40).map(str.encode) | st.binary(max_size=40))
@example(b"1:a,0:,2:ab,3")
def test_random_bytes_are_parsed_as_by_a_plain_parser(wire: bytes) -> None:
    strings, broken = reference(wire, 12)
    for chunks in chunkings(wire):
        found, error = parse(chunks)
        assert found == strings
        assert (error is not None) == broken


def test_cost_is_linear() -> None:
    """Eight times the bytes take about eight times as long; quadratic would be 64 times."""

    def cost(size: int) -> float:
        best = float("inf")
        for _ in range(4):
            start = time.process_time()
            parser = NetstringParser(size)
            parser.feed(b"%d:" % size)
            for _ in range(size // 256):
                parser.feed(b"x" * 256)
                assert parser.next_string() is None
            parser.feed(b",")
            assert len(parser.next_string() or b"") == size
            best = min(best, time.process_time() - start)
        return best

    assert cost(1 << 22) < 28 * cost(1 << 19)
