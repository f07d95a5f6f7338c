"""
Compare timers: reactorlib's, those of the loops themselves, and real Twisted's.

Usage: python -m benchmarks.timers [--quick] [--help]
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._batches import Benchmark, Scenario
from benchmarks._harness import Effort, Target
from benchmarks._peers import RAW, TWISTED

#: 1.1 times what the loop's own takes.
BESIDE_RAW = Target(RAW, 0.91)

BENCHMARK = Benchmark(
    "timers",
    "Compare timers.",
    {
        "create": Scenario("Create a timer", "timer", targets=(BESIDE_RAW, Target(TWISTED, 2.4))),
        "create-cancel": Scenario("Create a timer and cancel it", "timer"),
        "cancel": Scenario("Cancel timers, all at once", "timer"),
        "reset-later": Scenario("Put a timer off", "timer", targets=(Target(TWISTED, 1.4),)),
        "reset-sooner": Scenario(
            "Move a timer to an earlier time, among a fiftieth as many",
            "timer",
            0.02,
            (Target(TWISTED, 100),),
        ),
        "fire": Scenario(
            "Create a timer and see it fire",
            "timer",
            targets=(BESIDE_RAW, Target(TWISTED, 1.6)),
        ),
        "soon": Scenario(
            "callLater(0), and see it fire (raw: call_later)",
            "call",
            targets=(BESIDE_RAW, Target(TWISTED, 1.3)),
        ),
    },
    quick=Effort(1, 5_000, 1, "timers"),
    full=Effort(5, 100_000, 2, "timers"),
    count_help="timers (default: 100,000)",
)


if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
