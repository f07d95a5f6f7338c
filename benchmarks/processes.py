"""
Compare processes: reactorlib's, the loops' own, and real Twisted's.

Usage: python -m benchmarks.processes [--quick] [--help]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
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
    What is done with processes.

    Args:
        unit: what one operation is.
        share: how many there are, beside the usual number.
    """

    title: str
    unit: str = "program"
    share: float = 1.0


SCENARIOS = {
    "spawn": Scenario("Run /bin/true with three pipes, one process at a time"),
    "side-by-side": Scenario("The same, ten processes at a time"),
    "big-parent": Scenario("One at a time, from a process of 256 MiB", share=0.25),
    "echo": Scenario("64 KiB to and fro through cat", "block", share=5),
}


def process_peers(operation: str, effort: Effort, twisted_python: str) -> Iterator[Peer]:
    """Yield what is compared."""
    count = max(10, int(effort.count * SCENARIOS[operation].share))
    tail = (operation, str(count), str(effort.repeats))
    child = "benchmarks._processes_child"
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
    peers = [
        peer.key for peer in process_peers("spawn", Effort(1, 1, 1, "processes"), sys.executable)
    ]
    parser = option_parser(
        "processes", "Compare processes.", peers, "processes for each peer and scenario"
    )
    add = parser.add_argument
    add("--count", type=int, help="programs to run; blocks are five times as many (default: 500)")
    add("--scenario", action="append", choices=SCENARIOS, help="only this one (repeatable)")
    return parser.parse_args()


def main() -> int:
    """Run the scenarios asked for, print a table for each, and return how many peers failed."""
    options = parse_arguments()
    usual = Effort(1, 50, 1, "processes") if options.quick else Effort(5, 500, 3, "processes")
    effort = usual.chosen(options)
    pinning = pin(same_cpu=False)
    about = describe(options.twisted_python, ["reactorlib", "uvloop"], str(effort))

    scenarios: dict[str, object] = {}
    failed = 0
    for key in options.scenario or SCENARIOS:
        scenario = SCENARIOS[key]
        print(f"\n{scenario.title}\n", flush=True)
        chosen = [
            peer
            for peer in process_peers(key, effort, options.twisted_python)
            if not options.peer or peer.key in options.peer
        ]
        peers = importable(chosen, print)
        results = interleave(
            peers, effort.rounds, partial(measure_batch, cpu=pinning.server), print
        )
        print(results_table(peers, results, scenario.unit))
        scenarios[key] = results_json(peers, results)
        failed += len(peers) - len(results)
    if options.json:
        options.json.write_text(json.dumps({**about, "scenarios": scenarios}, indent=2) + "\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
