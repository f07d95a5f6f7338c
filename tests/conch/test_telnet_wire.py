"""Telnet's bytes to events and back: RFC 854 and 855."""

from __future__ import annotations

import random
import time

import pytest
from _fuzz import FUZZ_SECONDS, cuttings, fuzz
from hypothesis import given
from hypothesis import strategies as st

from reactorlib.conch.telnet import DO, ECHO, IAC, IP, NAWS, NOP, SB, SE, WILL
from reactorlib.conch.telnet._wire import (
    Command,
    Event,
    Subnegotiation,
    SubnegotiationTooLong,
    TelnetDecoder,
    Text,
    escape,
    subnegotiation,
    text,
)

LIMIT = 64


def play(decoder: TelnetDecoder, chunks: list[bytes], events: list[Event]) -> None:
    for chunk in chunks:
        decoder.feed(chunk)
        while (event := decoder.next_event()) is not None:
            events.append(event)


def decode(chunks: list[bytes], limit: int = LIMIT) -> list[Event]:
    """The events, text that is not interrupted as one."""
    decoder = TelnetDecoder(limit)
    events: list[Event] = []
    for chunk in chunks:
        decoder.feed(chunk)
        while (event := decoder.next_event()) is not None:
            if isinstance(event, Text) and events and isinstance(events[-1], Text):
                events[-1] = Text(events[-1].data + event.data)
            else:
                events.append(event)
    return events


CASES: list[tuple[bytes, list[Event]]] = [
    (b"", []),
    (b"hello", [Text(b"hello")]),
    (b"a\r\nb", [Text(b"a\nb")]),
    (b"a\r\0b", [Text(b"a\rb")]),
    (b"a\rb", [Text(b"a\rb")]),
    (b"a\nb", [Text(b"a\nb")]),
    (b"\r\r\n", [Text(b"\r\n")]),
    (b"\r", []),  # what it means is in the next byte
    (b"\r" + IAC + NOP, [Text(b"\r"), Command(NOP)]),
    (b"\r" + IAC + IAC, [Text(b"\r\xff")]),
    (b"\r" + IAC, [Text(b"\r")]),
    (b"a\xff\xffb\xff\xff\xff\xff", [Text(b"a\xffb\xff\xff")]),
    (b"\xff\xff\0", [Text(b"\xff\0")]),
    (IAC, []),
    (IAC + DO, []),
    (b"a" + IAC + IP + b"b", [Text(b"a"), Command(IP), Text(b"b")]),
    (IAC + DO + ECHO, [Command(DO, ECHO)]),
    (IAC + WILL + IAC, [Command(WILL, IAC)]),  # option 255: RFC 861
    (IAC + SE, [Command(SE)]),
    (IAC + b"\x00", [Command(b"\x00")]),
    (IAC + SB + NAWS + b"\0\x50\0\x18" + IAC + SE, [Subnegotiation(NAWS + b"\0\x50\0\x18")]),
    (IAC + SB + b"\x12\xff\xff" + IAC + SE, [Subnegotiation(b"\x12\xff")]),
    (IAC + SB + b"\x12" + SE + IAC + SE, [Subnegotiation(b"\x12" + SE)]),
    (IAC + SB + IAC + SE, [Subnegotiation(b"")]),
    (IAC + SB + b"\x12\r\0" + IAC + SE + b"x", [Subnegotiation(b"\x12\r\0"), Text(b"x")]),
    (IAC + SB + b"\x12", []),
    # An IAC that was not doubled, as some clients have it in the width 255.
    (IAC + SB + NAWS + b"\0\xff\0\x18" + IAC + SE, [Subnegotiation(NAWS + b"\0\xff\0\x18")]),
    (IAC + SB + bytes(LIMIT) + IAC + SE, [Subnegotiation(bytes(LIMIT))]),
]


@pytest.mark.parametrize(("wire", "events"), CASES)
def test_events_do_not_depend_on_chunking(wire: bytes, events: list[Event]) -> None:
    for chunks in cuttings(wire, random.Random(1)):
        assert decode(chunks) == events


@pytest.mark.parametrize("body", [bytes(LIMIT + 1), IAC * 2 * LIMIT + b"xx", b"\xff\0" * LIMIT])
def test_a_subnegotiation_has_a_limit(body: bytes) -> None:
    for chunks in cuttings(b"text" + IAC + SB + body, random.Random(1)):
        decoder = TelnetDecoder(LIMIT)
        events: list[Event] = []
        with pytest.raises(SubnegotiationTooLong) as caught:
            play(decoder, chunks, events)
        assert caught.value.limit == LIMIT
        assert b"".join(event.data for event in events if isinstance(event, Text)) == b"text"
        for _ in range(3):
            decoder.feed(b"more" * 100)
            with pytest.raises(SubnegotiationTooLong):
                decoder.next_event()
            assert len(decoder.subnegotiation) == LIMIT


@given(st.binary())
def test_what_is_escaped_is_text_again(data: bytes) -> None:
    """What `text` makes comes out as it was, newlines as LF."""
    [*events] = decode([text(data)])
    assert b"".join(event.data for event in events if isinstance(event, Text)) == data.replace(
        b"\r\n", b"\n"
    )
    assert all(isinstance(event, Text) for event in events)


@given(st.binary(min_size=1, max_size=1), st.binary(max_size=LIMIT - 1), st.binary())
def test_a_subnegotiation_comes_out_as_it_went_in(about: bytes, data: bytes, more: bytes) -> None:
    wire = subnegotiation(about, data) + escape(b"x" + more)
    assert decode([wire])[0] == Subnegotiation(about + data)


def make(rng: random.Random) -> bytes:
    """Pieces of everything, in any order."""
    pieces = [
        *(IAC, SB, SE, DO, WILL, b"\r", b"\n", b"\0", b"text", IAC + SE, IAC + SB, IAC + IAC),
        IAC + SB + NAWS + b"\0\x50\0\x18" + IAC + SE,
        IAC + DO + ECHO,
    ]
    return b"".join(rng.choice(pieces) for _ in range(rng.randrange(30)))


@pytest.mark.timeout(FUZZ_SECONDS + 60)
def test_any_bytes_in_any_pieces() -> None:
    def play(chunks: list[bytes]) -> object:
        try:
            return decode(chunks, 8)
        except SubnegotiationTooLong:
            return "too long"

    assert fuzz(make, play) > 1


@pytest.mark.parametrize(
    "unit", [b"x", b"\xff\xff", b"\r\0", IAC + NOP, IAC + SB + b"\x01" + IAC + SE]
)
def test_the_cost_is_linear(unit: bytes) -> None:
    """Four times as much takes four times as long, not sixteen times, fed in small pieces."""

    def cost(size: int) -> float:
        wire = unit * (size // len(unit))
        chunks = [wire[i : i + 7] for i in range(0, len(wire), 7)]
        best = 1e9
        for _ in range(3):
            begin = time.process_time()
            decode_only(chunks)
            best = min(best, time.process_time() - begin)
        return best

    assert cost(80_000) < 9 * cost(20_000)


def decode_only(chunks: list[bytes]) -> None:
    decoder = TelnetDecoder(LIMIT)
    for chunk in chunks:
        decoder.feed(chunk)
        while decoder.next_event() is not None:
            pass


@pytest.mark.parametrize(
    ("plain", "wire"),
    [
        (b"a\nb", b"a\r\nb"),
        (b"a\r\nb", b"a\r\nb"),
        (b"a\rb", b"a\r\0b"),
        (b"a\r\r\nb", b"a\r\0\r\nb"),
        (b"\xff", b"\xff\xff"),
        (b"plain", b"plain"),
    ],
)
def test_text_as_it_goes_out(plain: bytes, wire: bytes) -> None:
    """RFC 854, page 11."""
    assert text(plain) == wire
