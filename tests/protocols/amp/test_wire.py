"""Boxes as bytes, however they are cut."""

from __future__ import annotations

import datetime
import decimal
import random
from typing import Any

import pytest
from _fuzz import FUZZ_SECONDS, cuttings, fuzz
from hypothesis import given
from hypothesis import strategies as st

from reactorlib.protocols import amp
from reactorlib.protocols.amp._wire import BoxReader

Boxes = list[dict[bytes, bytes]]

boxes = st.lists(
    st.dictionaries(
        st.binary(min_size=1, max_size=255), st.binary(max_size=300), min_size=1, max_size=4
    ),
    max_size=4,
)


def read(pieces: list[bytes]) -> tuple[Boxes, str]:
    """The boxes, and whether a key was too long, or something is left over."""
    reader = BoxReader[dict[bytes, bytes]](dict)
    found: Boxes = []
    try:
        for piece in pieces:
            reader.feed(piece)
            while (box := reader.next_box()) is not None:
                found.append(box)
    except amp.TooLong as error:
        return found, repr(error)
    return found, "unfinished" if reader.unfinished else ""


WIRE = b"\0\1a\0\2bc\0\0\0\2_x\0\0\0\0\0\1a\1\0" + b"v" * 256 + b"\0\0"
FOUND = [{b"a": b"bc"}, {b"_x": b""}, {b"a": b"v" * 256}]


@pytest.mark.parametrize(
    ("wire", "found", "end"),
    [
        (WIRE, FOUND, ""),
        (WIRE + b"\0\1a", FOUND, "unfinished"),
        (WIRE + b"\0", FOUND, "unfinished"),
        (WIRE + b"\1\0", FOUND, "<TooLong remote key>"),
        (b"\0\0", [{}], ""),  # what it means is another's to say
        (b"", [], ""),
    ],
)
def test_boxes_do_not_depend_on_chunking(wire: bytes, found: Boxes, end: str) -> None:
    for pieces in cuttings(wire, random.Random(0)):
        assert read(pieces) == (found, end)


@given(boxes)
def test_what_is_written_is_read(given: Boxes) -> None:
    wire = b"".join(amp.Box(box).serialize() for box in given)
    for pieces in cuttings(wire, random.Random(0)) if len(wire) < 300 else [[wire]]:
        assert read(pieces) == (given, "")
    assert amp.parseString(wire) == given


@pytest.mark.timeout(FUZZ_SECONDS + 60)
def test_any_pieces() -> None:
    def make(rng: random.Random) -> bytes:
        return b"".join(
            amp.Box(
                {rng.randbytes(rng.randrange(1, 9)): rng.randbytes(rng.randrange(9))}
            ).serialize()
            for _ in range(rng.randrange(1, 5))
        )

    fuzz(make, read)


def test_a_box_that_never_ends_is_refused() -> None:
    piece = b"".join(b"\0\4%04d" % number + b"\xff\xff" + bytes(65535) for number in range(16))
    found, end = read([piece] * 20)
    assert found == []
    assert end.startswith("<TooLong remote value")


def test_a_great_value_byte_by_byte_is_not_copied_each_time() -> None:
    wire = b"\0\1a\xff\xff" + bytes(65535) + b"\0\0"
    assert read([wire[at : at + 1] for at in range(len(wire))]) == ([{b"a": bytes(65535)}], "")


@pytest.mark.parametrize(
    ("box", "error", "text"),
    [
        ({b"k" * 256: b""}, amp.TooLong, "key to be sent is too long: 256 bytes"),
        ({b"k": b"v" * 65536}, amp.TooLong, "value of b'k' to be sent is too long: 65536 bytes"),
        ({b"k": "text"}, TypeError, "Unicode value for key b'k' not allowed: 'text'"),
    ],
)
def test_what_cannot_be_sent(box: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        amp.Box(box).serialize()


@pytest.mark.parametrize("data", [b"\0\1a", b"\0\1a\0\1b", b"\0\1a\0\5b\0\0"])
def test_a_string_that_ends_too_soon(data: bytes) -> None:
    with pytest.raises(amp.MalformedAmpBox):
        amp.parseString(data)


KINDS: list[tuple[Any, Any, bytes]] = [
    (amp.Integer(), -12, b"-12"),
    (amp.String(), b"\0x", b"\0x"),
    (amp.Unicode(), "\N{SNOWMAN}", b"\xe2\x98\x83"),
    (amp.Boolean(), False, b"False"),
    (amp.Float(), 0.1, b"0.1"),
    (amp.Float(), float("inf"), b"inf"),
    (amp.Decimal(), decimal.Decimal("1E+2"), b"1E+2"),
    (amp.ListOf(amp.Integer()), [1, 20], b"\0\x011\0\x0220"),
    (amp.ListOf(amp.String()), [], b""),
    (
        amp.AmpList([(b"x", amp.Integer()), (b"y", amp.String(optional=True))]),
        [{"x": 1, "y": None}, {"x": 2, "y": b"z"}],
        b"\0\1x\0\x011\0\0\0\1x\0\x012\0\1y\0\1z\0\0",
    ),
    (
        amp.DateTime(),
        datetime.datetime(
            2012, 1, 23, 12, 34, 56, 54321, datetime.timezone(-datetime.timedelta(minutes=83))
        ),
        b"2012-01-23T12:34:56.054321-01:23",
    ),
]


@pytest.mark.parametrize(("kind", "value", "wire"), KINDS)
def test_kinds_of_arguments(kind: Any, value: Any, wire: bytes) -> None:
    strings = amp.Box()
    kind.toBox(b"a-name", strings, {"a_name": value}, None)
    assert strings == {b"a-name": wire}
    objects: dict[str, Any] = {}
    kind.fromBox(b"a-name", strings, objects, None)
    assert objects == {"a_name": value}


@pytest.mark.parametrize(
    ("kind", "wire", "error"),
    [
        (amp.Integer(), b"x", ValueError),
        (amp.Boolean(), b"yes", TypeError),
        (amp.Unicode(), b"\xff", UnicodeDecodeError),
        (amp.ListOf(amp.String()), b"\0\5x", amp.MalformedAmpBox),
        (amp.ListOf(amp.String()), b"\0", amp.MalformedAmpBox),
        (amp.AmpList([(b"x", amp.String())]), b"\0\1x\0\1", amp.MalformedAmpBox),
        (amp.DateTime(), b"2012-01-23", ValueError),
        (amp.Decimal(), b"x", decimal.InvalidOperation),
    ],
)
def test_what_is_no_such_argument(kind: Any, wire: bytes, error: Any) -> None:
    with pytest.raises(error):
        kind.fromStringProto(wire, None)


def test_what_cannot_be_an_argument() -> None:
    with pytest.raises(ValueError, match="naive"):
        amp.DateTime().toString(datetime.datetime(2012, 1, 23))
    with pytest.raises(ValueError, match=r"instances of decimal\.Decimal"):
        amp.Decimal().toString(1.5)
    with pytest.raises(TypeError, match="byte names"):
        amp.AmpList([("text", amp.String())])  # type: ignore[list-item]
