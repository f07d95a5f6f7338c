"""
What the benchmarks share whose peers are servers, and whose client is ours: `echo` and `udp`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from benchmarks._echo_client import Connections, Exchange, Timing, Traffic, measure
from benchmarks._harness import Peer, option_parser, pin
from benchmarks._run import Run, Scenario, chapters_of, rounds_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Served(Scenario):
    """
    A kind of traffic, and who answers it.

    Args:
        traffic: what goes to and fro.
        peers: makes the peers, given the interpreter that has Twisted.
        connect: makes the client, given the server's port and the traffic.
    """

    traffic: Traffic
    peers: Callable[[str], Iterable[Peer]]
    connect: Callable[[int, Traffic], Exchange] = Connections


def traffic_parser(
    name: str, description: str, peers: Iterable[Peer], scenarios: Iterable[str]
) -> argparse.ArgumentParser:
    """Make a parser of the options that comparisons of servers have."""
    keys = dict.fromkeys(peer.key for peer in peers)
    parser = option_parser(name, description, keys, "servers started for each peer and scenario")
    add = parser.add_argument
    choices = [*scenarios]
    add("--scenario", action="append", choices=choices, help="only this one (repeatable)")
    add("--same-cpu", action="store_true", help="pin the client to the CPU of the server")
    return parser


def timing_of(options: argparse.Namespace) -> Timing:
    """Return how long there is traffic in a round."""
    return Timing(0.03, 0.1) if options.quick else Timing(0.15, 0.4)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """
    A comparison.

    Args:
        name: its module's name.
        description: what it does.
        scenarios: what is measured, by the names on the command line.
    """

    name: str
    description: str
    scenarios: Mapping[str, Served]

    @property
    def chapters(self) -> dict[str, str]:
        """Return the chapters of `NOTES.md` that say what limits a row, by the rows' titles."""
        return chapters_of(self.scenarios.values())

    def main(self) -> int:
        """Run what is asked for, print a table for each, and return the exit status."""
        peers = [peer for each in self.scenarios.values() for peer in each.peers(sys.executable)]
        options = traffic_parser(self.name, self.description, peers, self.scenarios).parse_args()
        timing, pinning = timing_of(options), pin(options.same_cpu)
        run = Run(options, f"rounds: {rounds_of(options)}, {timing.measured} s each, {pinning}")
        for key in options.scenario or self.scenarios:
            scenario = self.scenarios[key]
            one = partial(
                measure,
                traffic=scenario.traffic,
                cpu=pinning.server,
                timing=timing,
                connect=scenario.connect,
            )
            run.compare(key, scenario, scenario.peers(options.twisted_python), one)
        return run.end()
