"""
Compare timers: reactorlib's, those of the loops themselves, and real Twisted's.

Usage: python -m benchmarks.timers [--quick] [--help]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._harness import (
    Effort,
    Peer,
    importable,
    interleave,
    measure_batch,
    option_parser,
    pin,
)
from benchmarks._report import describe, results_json, results_table

RAW = "x raw"
TWISTED = "x Twisted"

LOOPS = ("asyncio", "uvloop")


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    What is done with the timers.

    Args:
        share: which part of the usual number of them there is.
    """

    title: str
    share: float = 1.0


SCENARIOS = {
    "create": Scenario("Create a timer"),
    "create-cancel": Scenario("Create a timer and cancel it"),
    "cancel": Scenario("Cancel timers, all at once"),
    "reset-later": Scenario("Put a timer off"),
    "reset-sooner": Scenario("Move a timer to an earlier time, among a fiftieth as many", 0.02),
    "fire": Scenario("Create a timer and see it fire"),
}


def timer_peers(operation: str, effort: Effort, twisted_python: str) -> Iterator[Peer]:
    """Yield what is compared."""
    tail = (operation, str(effort.count), str(effort.repeats))
    child = "benchmarks._timers_child"
    for loop in LOOPS:
        needs = () if loop == "asyncio" else (loop,)
        yield Peer(loop, loop, (child, "raw", loop, *tail), needs)
    for loop in LOOPS:
        needs = () if loop == "asyncio" else (loop,)
        yield Peer(
            f"reactorlib-{loop}",
            f"reactorlib on {loop}",
            (child, "reactorlib", loop, *tail),
            ("reactorlib", *needs),
            beside={RAW: loop, TWISTED: "twisted-epoll"},
        )
    for reactor in ("epoll", "asyncio"):
        yield Peer(
            f"twisted-{reactor}",
            f"Twisted, {reactor} reactor",
            (child, "twisted", reactor, *tail),
            ("twisted",),
            twisted_python,
        )


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    peers = [peer.key for peer in timer_peers("create", Effort(1, 1, 1, "timers"), sys.executable)]
    parser = option_parser(
        "timers", "Compare timers.", peers, "processes for each peer and scenario"
    )
    add = parser.add_argument
    add("--count", type=int, help="timers (default: 100,000)")
    add("--scenario", action="append", choices=SCENARIOS, help="only this one (repeatable)")
    return parser.parse_args()


def main() -> int:
    """Run the scenarios asked for, print a table for each, and return how many peers failed."""
    options = parse_arguments()
    usual = Effort(1, 10_000, 2, "timers") if options.quick else Effort(5, 100_000, 2, "timers")
    effort = usual.chosen(options)
    pinning = pin(same_cpu=False)
    about = describe(options.twisted_python, ["reactorlib", "uvloop"], str(effort))

    scenarios: dict[str, object] = {}
    failed = 0
    for key in options.scenario or SCENARIOS:
        scenario = SCENARIOS[key]
        print(f"\n{scenario.title}\n", flush=True)
        part = replace(effort, count=max(1, int(effort.count * scenario.share)))
        chosen = [
            peer
            for peer in timer_peers(key, part, options.twisted_python)
            if not options.peer or peer.key in options.peer
        ]
        peers = importable(chosen, print)
        results = interleave(
            peers, effort.rounds, partial(measure_batch, cpu=pinning.server), print
        )
        print(results_table(peers, results, "timer"))
        scenarios[key] = results_json(peers, results)
        failed += len(peers) - len(results)
    if options.json:
        options.json.write_text(json.dumps({**about, "scenarios": scenarios}, indent=2) + "\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
