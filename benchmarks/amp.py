"""
Compare AMP calls over loopback: reactorlib's and real Twisted's.

Usage: python -m benchmarks.amp [--quick] [--help]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._harness import (
    Effort,
    Peer,
    Target,
    importable,
    interleave,
    measure_batch,
    option_parser,
    pin,
)
from benchmarks._report import describe, results_json, results_table, target_lines

TWISTED = "x Twisted"

TARGETS = (Target(TWISTED, 2),)

SCENARIOS = {
    "one-by-one": "ten connections, one small call under way on each",
    "pipelined": "ten connections, fifty small calls under way on each",
    "large": "ten connections, one call under way on each, with 32 KiB to and fro",
}


def amp_peers(operation: str, effort: Effort, twisted_python: str) -> Iterator[Peer]:
    """Yield what is compared."""
    tail = (operation, str(effort.count), str(effort.repeats))
    child = "benchmarks._amp_child"
    for loop in ("asyncio", "uvloop"):
        needs = () if loop == "asyncio" else (loop,)
        yield Peer(
            f"reactorlib-{loop}",
            f"reactorlib on {loop}",
            (child, "reactorlib", loop, *tail),
            ("reactorlib", *needs),
            beside={TWISTED: "twisted-epoll"},
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
    peers = [peer.key for peer in amp_peers("large", Effort(1, 1, 1, "calls"), sys.executable)]
    parser = option_parser(
        "amp", "Compare AMP calls.", peers, "processes for each peer and scenario"
    )
    add = parser.add_argument
    add("--count", type=int, help="calls (default: 5,000)")
    add("--scenario", action="append", choices=SCENARIOS, help="only this one (repeatable)")
    return parser.parse_args()


def main() -> int:
    """Run the scenarios asked for, print a table for each, and return how many peers failed."""
    options = parse_arguments()
    usual = Effort(1, 2_000, 1, "calls") if options.quick else Effort(5, 5_000, 1, "calls")
    effort = usual.chosen(options)
    pinning = pin(same_cpu=False)
    about = describe(options.twisted_python, ["reactorlib", "uvloop"], str(effort))

    scenarios: dict[str, object] = {}
    failed = 0
    for key in options.scenario or SCENARIOS:
        print(f"\n{SCENARIOS[key]}\n", flush=True)
        chosen = [
            peer
            for peer in amp_peers(key, effort, options.twisted_python)
            if not options.peer or peer.key in options.peer
        ]
        peers = importable(chosen, print)
        results = interleave(
            peers, effort.rounds, partial(measure_batch, cpu=pinning.server), print
        )
        print(results_table(peers, results, "call"))
        for line in target_lines(TARGETS, peers, results):
            print(f"\n{line}")
        scenarios[key] = results_json(peers, results)
        failed += len(peers) - len(results)
    if options.json:
        options.json.write_text(json.dumps({**about, "scenarios": scenarios}, indent=2) + "\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
