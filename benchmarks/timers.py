"""
Compare timers: reactorlib's, those of the loops themselves, and real Twisted's.

Usage: python -m benchmarks.timers [--quick] [--help]
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._batches import Batch, Benchmark
from benchmarks._harness import Effort, Target
from benchmarks._peers import RAW, TWISTED

#: 1.1 times what the loop's own takes.
BESIDE_RAW = Target(RAW, 0.91)

CHAPTER = "What limits timers"

BENCHMARK = Benchmark(
    "timers",
    "Compare timers.",
    {
        "create": Batch("Create a timer", "timer", (BESIDE_RAW, Target(TWISTED, 2.4)), CHAPTER),
        "create-cancel": Batch("Create a timer and cancel it", "timer"),
        "cancel": Batch("Cancel timers, all at once", "timer"),
        "reset-later": Batch("Put a timer off", "timer", (Target(TWISTED, 1.4),), CHAPTER),
        "reset-sooner": Batch(
            "Move a timer to an earlier time, among a fiftieth as many",
            "timer",
            (Target(TWISTED, 100),),
            CHAPTER,
            share=0.02,
        ),
        "fire": Batch(
            "Create a timer and see it fire",
            "timer",
            (BESIDE_RAW, Target(TWISTED, 1.6)),
            CHAPTER,
        ),
        "soon": Batch(
            "callLater(0), and see it fire (raw: call_later)",
            "call",
            (BESIDE_RAW, Target(TWISTED, 1.3)),
            CHAPTER,
        ),
    },
    quick=Effort(1, 5_000, 1, "timers"),
    full=Effort(5, 100_000, 2, "timers"),
    count_help="timers (default: 100,000)",
)

#: The chapters of `NOTES.md` that say what limits a row, by the rows' titles.
CHAPTERS = BENCHMARK.chapters


if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
