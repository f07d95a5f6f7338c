"""
Compare what a program takes to start with reactorlib, asyncio, uvloop or real Twisted.

Usage: python -m benchmarks.imports [--quick] [--help]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._harness import (
    Peer,
    Results,
    Sample,
    Target,
    importable,
    interleave,
    measure_batch,
    option_parser,
    pin,
)
from benchmarks._peers import TWISTED, TWISTED_ASYNCIO
from benchmarks._report import describe, results_json, results_table, target_line, target_lines

ASYNCIO = "x asyncio"

#: Milliseconds of CPU time that reactorlib may take more than asyncio.
OVER_ASYNCIO = 40


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


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    return option_parser(
        "imports",
        "Compare imports.",
        [peer.key for peer in import_peers(sys.executable)],
        "how often the peers take turns",
    ).parse_args()


def timed(peer: Peer, cpu: int | None) -> Sample:
    """Measure one process; the wall-clock time is that from its start to its end."""
    begun = time.perf_counter()
    sample = measure_batch(peer, cpu)
    return replace(sample, elapsed=time.perf_counter() - begun)


def targets(peers: Sequence[Peer], results: Results) -> list[str]:
    """Say what reactorlib aims at, and what it reached."""
    lines = []
    if {"reactorlib", "asyncio"} <= results.keys():
        pairs = zip(results["reactorlib"], results["asyncio"], strict=True)
        over = statistics.median(ours.cost - theirs.cost for ours, theirs in pairs) * 1000
        reached = {"reactorlib": over}
        lines.append(target_line("ms more than asyncio", "at most", OVER_ASYNCIO, reached, ".0f"))
    return lines + target_lines([Target(TWISTED, 3)], peers, results)


def main() -> int:
    """Measure, print a table, and return how many peers failed."""
    options = parse_arguments()
    rounds = options.rounds or (1 if options.quick else 5)
    repeats = 1 if options.quick else 5
    cpu = pin(same_cpu=False).server
    run = f"rounds: {rounds}, in each the best of {repeats} fresh processes"
    about = describe(options.twisted_python, ["reactorlib", "uvloop"], run)

    def best(peer: Peer) -> Sample:
        # The first may have to compile.
        samples = [timed(peer, cpu) for _ in range(repeats + 1)]
        return min(samples[1:], key=lambda sample: sample.cost)

    print("\nStart Python and import\n", flush=True)
    peers = importable(import_peers(options.twisted_python), print, options.peer)
    results = interleave(peers, rounds, best, print)
    print(results_table(peers, results, "process", milliseconds=True))
    for line in targets(peers, results):
        print(f"\n{line}")
    if options.json:
        content = {**about, "imports": results_json(peers, results)}
        options.json.write_text(json.dumps(content, indent=2) + "\n")
    return len(peers) - len(results)


if __name__ == "__main__":
    sys.exit(main())
