"""
Compare receivers of lines and strings: reactorlib's, parsers written by hand, Twisted's.

Usage: python -m benchmarks.lines [--quick] [--help]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._batches import Batch, Benchmark
from benchmarks._harness import Effort, Peer, Target
from benchmarks._peers import RAW, TWISTED

#: What is received, and what reactorlib aims at with the largest reads.
FORMATS: dict[str, tuple[str, tuple[Target, ...]]] = {
    "lines": ("80-byte lines", (Target(TWISTED, 4), Target(RAW, 0.67))),
    "only-lines": ("80-byte lines of a LineOnlyReceiver", ()),
    "int32": (
        "80-byte strings after a 32-bit length",
        (Target(TWISTED, 2.2), Target(RAW, 0.91)),
    ),
    "netstrings": ("80-byte netstrings", (Target(TWISTED, 5.5), Target(RAW, 0.74))),
}

#: How much comes in a read.
READS = {"one": "one message", "1k": "1,024 bytes", "64k": "65,536 bytes"}


def receivers(child: str, tail: tuple[str, ...], twisted_python: str) -> Iterator[Peer]:
    """Yield what is compared. There is no loop, so that there is one of each."""
    yield Peer("raw", "by hand", (child, "raw", "asyncio", *tail))
    yield Peer(
        "reactorlib",
        "reactorlib",
        (child, "reactorlib", "asyncio", *tail),
        ("reactorlib",),
        beside={RAW: "raw", TWISTED: "twisted"},
    )
    twisted = (child, "twisted", "asyncio", *tail)
    yield Peer("twisted", "Twisted", twisted, ("twisted",), twisted_python)


BENCHMARK = Benchmark(
    "lines",
    "Compare receivers of lines and strings.",
    {
        f"{format}-{read}": Batch(
            f"{title}, {READS[read]} in each read",
            "message",
            targets if read == "64k" else (),
            "What limits lines and strings",
        )
        for format, (title, targets) in FORMATS.items()
        for read in READS
    },
    quick=Effort(1, 10_000, 1, "messages"),
    full=Effort(5, 200_000, 5, "messages"),
    count_help="messages (default: 200,000)",
    cast=receivers,
)

#: The chapters of `NOTES.md` that say what limits a row, by the rows' titles.
CHAPTERS = BENCHMARK.chapters


if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
