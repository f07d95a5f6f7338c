"""
Compare AMP calls over loopback: reactorlib's and real Twisted's.

Usage: python -m benchmarks.amp [--quick] [--help]
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._batches import Benchmark, Scenario
from benchmarks._harness import Effort, Target
from benchmarks._peers import TWISTED

TARGETS = (Target(TWISTED, 2),)

BENCHMARK = Benchmark(
    "amp",
    "Compare AMP calls.",
    {
        "one-by-one": Scenario(
            "ten connections, one small call under way on each", "call", targets=TARGETS
        ),
        "pipelined": Scenario(
            "ten connections, fifty small calls under way on each", "call", targets=TARGETS
        ),
        "large": Scenario(
            "ten connections, one call under way on each, with 32 KiB to and fro",
            "call",
            targets=TARGETS,
        ),
    },
    quick=Effort(1, 500, 1, "calls"),
    full=Effort(5, 5_000, 1, "calls"),
    count_help="calls (default: 5,000)",
    raw=False,
)


if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
