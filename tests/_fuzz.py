"""
Random input for parsers, cut in every way.

    from _fuzz import fuzz

    @pytest.mark.timeout(FUZZ_SECONDS + 60)
    def test_any_pieces():
        fuzz(make, play)

What a parser makes of a stream may not depend on how the stream was cut: the one
chunk is what every other way of cutting is compared with. `REACTORLIB_FUZZ_SECONDS`
says how long each test goes on (default: 1), `REACTORLIB_FUZZ_SEED` where it begins.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

__all__ = ["FUZZ_SECONDS", "chunkings", "cuttings", "fuzz", "mutate"]

FUZZ_SECONDS = float(os.environ.get("REACTORLIB_FUZZ_SECONDS", "1"))

#: Streams longer than this, in bytes, are cut at some points only.
SHORT = 200


def chunkings(data: bytes, points: Iterable[int] | None = None) -> Iterator[list[bytes]]:
    """The same bytes whole, one at a time, and cut in two at every point, or at some."""
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    if points is None:
        points = range(1, len(data))
    yield from ([data[:i], data[i:]] for i in points)


def cuttings(wire: bytes, rng: random.Random) -> Iterator[list[bytes]]:
    """The same bytes whole, one at a time, cut in two at every point, and at random."""
    few = None if len(wire) <= SHORT else rng.sample(range(1, len(wire)), 20)
    yield from chunkings(wire, few)
    for _ in range(3):
        cuts = sorted(rng.randrange(len(wire) + 1) for _ in range(rng.randrange(1, 10)))
        bounds = zip([0, *cuts], [*cuts, len(wire)], strict=True)
        yield [wire[a:b] for a, b in bounds if a < b]


def mutate(rng: random.Random, wire: bytes) -> bytes:
    """The bytes with something wrong: changed, lost, doubled, cut short, or more at the end."""
    data = bytearray(wire)
    at = rng.randrange(len(data) + 1)
    to = min(len(data), at + rng.randrange(1, 9))
    match rng.randrange(6):
        case 0 if at < len(data):
            data[at] = rng.randrange(256)
        case 1:
            del data[at:to]
        case 2:
            data[at:at] = data[at:to]
        case 3:
            del data[at:]
        case 4:
            data += rng.randbytes(rng.randrange(1, 9))
        case _:
            data[at:at] = rng.randbytes(rng.randrange(1, 9))
    return bytes(data)


def fuzz(
    make: Callable[[random.Random], bytes],
    play: Callable[[list[bytes]], Any],
    seconds: float = FUZZ_SECONDS,
) -> int:
    """
    Compare, until the time is over, every way of cutting with the one chunk.

    Args:
        make: makes a stream that is, for the most part, right. Half of them are
            changed at random, too.
        play: feeds the chunks to a new parser, and returns all that can be seen of
            it: what was delivered, errors by type, whether it hung up. An exception
            that it raises fails the test.
        seconds: how long.

    Returns:
        how many streams there were.

    Raises:
        AssertionError: a cutting made a difference; the text says how to see it again.
    """
    seed = int(os.environ.get("REACTORLIB_FUZZ_SEED") or random.randrange(2**32))
    until = time.monotonic() + seconds
    count = 0
    while not count or time.monotonic() < until:
        again = f"REACTORLIB_FUZZ_SEED={seed}"
        rng = random.Random(seed)
        wire = make(rng)
        while rng.randrange(2):
            wire = mutate(rng, wire)
        if wire:
            expected = None
            for chunks in cuttings(wire, rng):
                try:
                    seen = play(chunks)
                except Exception as error:
                    error.add_note(f"{again}: {chunks!r}")
                    raise
                if len(chunks) == 1 and expected is None:
                    expected = seen
                assert seen == expected, f"{again}: {chunks!r}"
        count += 1
        seed += 1
    return count
