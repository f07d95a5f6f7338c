"""The fuzz helper finds what it is for."""

from __future__ import annotations

import random

import pytest
from _fuzz import cuttings, fuzz


def make(rng: random.Random) -> bytes:
    return b"".join(rng.choice([b"a", b"bc", b"\r\n"]) for _ in range(10))


def test_a_parser_that_forgets_between_chunks_is_found() -> None:
    with pytest.raises(AssertionError, match="REACTORLIB_FUZZ_SEED="):
        fuzz(make, lambda chunks: [line for c in chunks for line in c.split(b"\r\n")], 5)


def test_an_exception_says_how_to_see_it_again() -> None:
    def play(chunks: list[bytes]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        fuzz(make, play, 0)
    assert "REACTORLIB_FUZZ_SEED=" in caught.value.__notes__[0]


def test_no_way_of_cutting_loses_a_byte() -> None:
    rng = random.Random(1)
    for size in (1, 2, 50, 1000):
        wire = rng.randbytes(size)
        ways = list(cuttings(wire, rng))
        assert ways[0] == [wire]
        assert len(ways) >= min(size, 21)
        for chunks in ways:
            assert b"".join(chunks) == wire
            assert b"" not in chunks


def test_a_parser_that_remembers_passes() -> None:
    assert fuzz(make, b"".join, 0.1) > 1
