"""
Compare ways into threads and back: reactorlib's, the loops' own, and real Twisted's.

Usage: python -m benchmarks.threads [--quick] [--help]
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._batches import Batch, Benchmark
from benchmarks._harness import Effort, Target
from benchmarks._peers import RAW, TWISTED

TARGETS = (Target(RAW, 0.8), Target(TWISTED, 1))

CHAPTER = "What limits callFromThread"

BENCHMARK = Benchmark(
    "threads",
    "Compare ways into threads.",
    {
        "one-by-one": Batch(
            "deferToThread, one call at a time (raw: run_in_executor)", "call", TARGETS, CHAPTER
        ),
        "side-by-side": Batch(
            "deferToThread, ten calls at a time (raw: run_in_executor)", "call", TARGETS, CHAPTER
        ),
        "into": Batch("callInThread, all at once (raw: submit to the executor)", "call"),
        "back": Batch(
            "callFromThread, all at once from one thread (raw: call_soon_threadsafe)",
            "call",
            TARGETS,
            CHAPTER,
        ),
    },
    quick=Effort(1, 1_000, 1, "calls"),
    full=Effort(5, 20_000, 3, "calls"),
    count_help="calls (default: 20,000)",
)

#: The chapters of `NOTES.md` that say what limits a row, by the rows' titles.
CHAPTERS = BENCHMARK.chapters


if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
