"""
Compare what a program takes to start with reactorlib, asyncio, uvloop or real Twisted.

Usage: python -m benchmarks.imports [--quick] [--help]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._harness import Peer, Results, Sample, Target, measure_batch, option_parser, pin
from benchmarks._peers import TWISTED, TWISTED_ASYNCIO
from benchmarks._report import target_line
from benchmarks._run import Run, Scenario, chapters_of, rounds_of

ASYNCIO = "x asyncio"

#: Milliseconds of CPU time that reactorlib may take more than asyncio.
OVER_ASYNCIO = 40

SCENARIO = Scenario(
    "Start Python and import", "process", (Target(TWISTED, 3),), "What limits imports"
)

#: The chapters of `NOTES.md` that say what limits a row, by the rows' titles.
CHAPTERS = chapters_of([SCENARIO])


def import_peers(twisted_python: str) -> list[Peer]:
    """Return what is imported, each in a fresh process."""
    child = "benchmarks._import_child"
    reactor = "from twisted.internet import reactor"
    return [
        Peer("nothing", "nothing", (child,)),
        Peer("asyncio", "import asyncio", (child, "asyncio")),
        Peer("uvloop", "import uvloop", (child, "uvloop"), ("uvloop",)),
        Peer(
            "reactorlib",
            "from reactorlib.internet import reactor",
            (child, "reactorlib.internet.reactor"),
            ("reactorlib",),
            beside={ASYNCIO: "asyncio", TWISTED: "epoll", TWISTED_ASYNCIO: "asyncioreactor"},
        ),
        Peer("epoll", reactor, (child, "twisted.internet.reactor"), ("twisted",), twisted_python),
        Peer(
            "asyncioreactor",
            f"{reactor}, of asyncio",
            (child, "twisted.internet.asyncioreactor", "twisted.internet.reactor"),
            ("twisted",),
            twisted_python,
        ),
    ]


def timed(peer: Peer, cpu: int | None) -> Sample:
    """Measure one process; the wall-clock time is that from its start to its end."""
    begun = time.perf_counter()
    sample = measure_batch(peer, cpu)
    return replace(sample, elapsed=time.perf_counter() - begun)


def over_asyncio(results: Results) -> Iterator[str]:
    """Say what reactorlib takes more than asyncio."""
    if {"reactorlib", "asyncio"} <= results.keys():
        pairs = zip(results["reactorlib"], results["asyncio"], strict=True)
        over = statistics.median(ours.cost - theirs.cost for ours, theirs in pairs) * 1000
        reached = {"reactorlib": over}
        yield target_line("ms more than asyncio", "at most", OVER_ASYNCIO, reached, ".0f")


def main() -> int:
    """Measure, print a table, and return the exit status."""
    keys = [peer.key for peer in import_peers(sys.executable)]
    rounds = "how often the peers take turns"
    options = option_parser("imports", "Compare imports.", keys, rounds).parse_args()
    repeats = 1 if options.quick else 5
    cpu = pin(same_cpu=False).server
    effort = f"rounds: {rounds_of(options)}, in each the best of {repeats} fresh processes"
    run = Run(options, effort)

    def best(peer: Peer) -> Sample:
        # The first may have to compile.
        samples = [timed(peer, cpu) for _ in range(repeats + 1)]
        return min(samples[1:], key=lambda sample: sample.cost)

    peers = import_peers(options.twisted_python)
    results = run.compare("imports", SCENARIO, peers, best, milliseconds=True)
    for line in over_asyncio(results):
        print(f"\n{line}")
    return run.end()


if __name__ == "__main__":
    sys.exit(main())
