"""
Compare ways into threads and back: reactorlib's, the loops' own, and real Twisted's.

Usage: python -m benchmarks.threads [--quick] [--help]
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._batches import Benchmark, Scenario
from benchmarks._harness import Effort, Target
from benchmarks._peers import RAW, TWISTED

TARGETS = (Target(RAW, 0.8), Target(TWISTED, 1))

BENCHMARK = Benchmark(
    "threads",
    "Compare ways into threads.",
    {
        "one-by-one": Scenario(
            "deferToThread, one call at a time (raw: run_in_executor)", "call", targets=TARGETS
        ),
        "side-by-side": Scenario(
            "deferToThread, ten calls at a time (raw: run_in_executor)", "call", targets=TARGETS
        ),
        "into": Scenario("callInThread, all at once (raw: submit to the executor)", "call"),
        "back": Scenario(
            "callFromThread, all at once from one thread (raw: call_soon_threadsafe)",
            "call",
            targets=TARGETS,
        ),
    },
    quick=Effort(1, 1_000, 1, "calls"),
    full=Effort(5, 20_000, 3, "calls"),
    count_help="calls (default: 20,000)",
)


if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
