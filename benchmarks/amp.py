"""
Compare AMP calls over loopback: reactorlib's and real Twisted's.

Usage: python -m benchmarks.amp [--quick] [--help]
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._batches import Batch, Benchmark
from benchmarks._harness import Effort, Target
from benchmarks._peers import TWISTED

TARGETS = (Target(TWISTED, 2),)

CHAPTER = "What limits AMP"

BENCHMARK = Benchmark(
    "amp",
    "Compare AMP calls.",
    {
        "one-by-one": Batch(
            "ten connections, one small call under way on each", "call", TARGETS, CHAPTER
        ),
        "pipelined": Batch(
            "ten connections, fifty small calls under way on each", "call", TARGETS, CHAPTER
        ),
        "large": Batch(
            "ten connections, one call under way on each, with 32 KiB to and fro",
            "call",
            TARGETS,
            CHAPTER,
        ),
    },
    quick=Effort(1, 500, 1, "calls"),
    full=Effort(5, 5_000, 1, "calls"),
    count_help="calls (default: 5,000)",
    raw=False,
)

#: The chapters of `NOTES.md` that say what limits a row, by the rows' titles.
CHAPTERS = BENCHMARK.chapters


if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
