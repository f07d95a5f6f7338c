"""
Compare processes: reactorlib's, the loops' own, and real Twisted's.

Usage: python -m benchmarks.processes [--quick] [--help]
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._batches import Batch, Benchmark
from benchmarks._harness import Effort, Target
from benchmarks._peers import RAW, TWISTED

TARGETS = (Target(RAW, 0.9), Target(TWISTED, 1))

CHAPTER = "What limits processes"

BENCHMARK = Benchmark(
    "processes",
    "Compare processes.",
    {
        "spawn": Batch(
            "Run /bin/true with three pipes, one process at a time", "program", TARGETS, CHAPTER
        ),
        "side-by-side": Batch("The same, ten processes at a time", "program", TARGETS, CHAPTER),
        "big-parent": Batch(
            "One at a time, from a process of 256 MiB", "program", TARGETS, CHAPTER, share=0.25
        ),
        "echo": Batch("64 KiB to and fro through cat", "block", TARGETS, CHAPTER, share=5),
    },
    quick=Effort(1, 20, 1, "processes"),
    full=Effort(5, 500, 3, "processes"),
    count_help="programs to run; blocks are five times as many (default: 500)",
    least=10,
)

#: The chapters of `NOTES.md` that say what limits a row, by the rows' titles.
CHAPTERS = BENCHMARK.chapters


if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
