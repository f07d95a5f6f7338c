"""
Compare echo servers: reactorlib, raw asyncio and uvloop protocols, real Twisted.

Usage: python -m benchmarks.echo [--quick] [--help]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._echo_client import Connections, Counted, Exchange, Timing, Traffic, measure
from benchmarks._echo_peers import RAW_JOINED, TRAPPED, count_peers, echo_peers, line_peers
from benchmarks._harness import Peer, Target, importable, interleave, option_parser, pin
from benchmarks._peers import RAW, TWISTED, TWISTED_ASYNCIO
from benchmarks._report import describe, results_json, results_table, target_lines

#: Thirty bytes and a line end.
LINE = b"thirty bytes, counted by hand." + b"\r\n"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A kind of traffic, who answers it, and what reactorlib aims at."""

    title: str
    traffic: Traffic
    peers: Callable[[str], list[Peer]]
    unit: str
    targets: tuple[Target, ...] = ()
    connect: Callable[[int, Traffic], Exchange] = Connections


SCENARIOS = {
    "ping-pong": Scenario(
        "64 B ping-pong over 50 connections",
        Traffic(b"x" * 64, connections=50),
        echo_peers,
        "message",
        (
            Target(RAW, 0.97),
            Target(TRAPPED, 3.3, "asyncio"),
            Target(TWISTED, 1.8, "asyncio"),
            Target(TWISTED, 2, "uvloop"),
            Target(TWISTED_ASYNCIO, 2.9, "uvloop"),
        ),
    ),
    "lines": Scenario(
        "Bursts of 1,000 lines of 30 B over 4 connections, each line answered",
        Traffic(LINE * 1000, connections=4, messages=1000),
        line_peers,
        "line",
        (Target(RAW_JOINED, 0.6), Target(TWISTED, 2.7)),
    ),
    "count": Scenario(
        "Bursts of 1,000 lines of 30 B over 4 connections, lines counted",
        Traffic((LINE * 999) + b"\r\n", connections=4, messages=1000),
        count_peers,
        "line",
        (Target(RAW, 0.5), Target(TWISTED, 4.4)),
        Counted,
    ),
    "large": Scenario(
        "64 KiB messages over 4 connections",
        Traffic(b"x" * 65536, connections=4),
        echo_peers,
        "message",
        (Target(RAW, 0.93), Target(TWISTED, 2.8)),
    ),
}


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = option_parser(
        "echo",
        "Compare echo servers.",
        [peer.key for peer in line_peers(sys.executable)],
        "servers started for each peer and scenario",
    )
    add = parser.add_argument
    add("--scenario", action="append", choices=SCENARIOS, help="only this one (repeatable)")
    add("--same-cpu", action="store_true", help="pin the client to the CPU of the server")
    return parser.parse_args()


def main() -> int:
    """Run the scenarios asked for, print a table for each, and return how many peers failed."""
    options = parse_arguments()
    rounds = options.rounds or (1 if options.quick else 5)
    timing = Timing(0.03, 0.1) if options.quick else Timing(0.15, 0.4)
    pinning = pin(options.same_cpu)
    run = f"rounds: {rounds}, {timing.measured} s each, {pinning}"
    about = describe(options.twisted_python, ["reactorlib", "uvloop"], run)

    scenarios: dict[str, object] = {}
    failed = 0
    for key in options.scenario or SCENARIOS:
        scenario = SCENARIOS[key]
        print(f"\n{scenario.title}\n", flush=True)
        peers = importable(scenario.peers(options.twisted_python), print, options.peer)
        one = partial(
            measure,
            traffic=scenario.traffic,
            cpu=pinning.server,
            timing=timing,
            connect=scenario.connect,
        )
        results = interleave(peers, rounds, one, print)
        print(results_table(peers, results, scenario.unit))
        for line in target_lines(scenario.targets, peers, results):
            print(f"\n{line}")
        scenarios[key] = results_json(peers, results)
        failed += len(peers) - len(results)
    if options.json:
        options.json.write_text(json.dumps({**about, "scenarios": scenarios}, indent=2) + "\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
