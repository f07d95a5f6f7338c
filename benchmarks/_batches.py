"""
What the benchmarks share whose children repeat one operation and print what it took.

They are `lines`, `timers`, `threads`, `processes` and `amp`: each says what its child does,
and how often; see `_batch.py` for the children.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from benchmarks._harness import Effort, Peer, measure_batch, option_parser, pin
from benchmarks._peers import compared, raw
from benchmarks._run import Run, Scenario, chapters_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(Scenario):
    """
    What is done in a round.

    Args:
        share: how many operations there are, beside the usual number.
    """

    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Benchmark:
    """
    A comparison.

    Args:
        name: its module's name; its child is `_NAME_child`.
        description: what it does.
        scenarios: what is measured, by the names on the command line.
        quick, full: how much is done.
        count_help: what `--count` counts.
        raw: whether there are peers with nothing but the loop.
        least: the fewest operations that a scenario has.
        cast: yields who is compared, where it is not the usual peers: given the child, and
            what its command says last.
    """

    name: str
    description: str
    scenarios: Mapping[str, Batch]
    quick: Effort
    full: Effort
    count_help: str
    raw: bool = True
    least: int = 1
    cast: Callable[[str, tuple[str, ...], str], Iterator[Peer]] | None = None

    def peers(self, key: str, effort: Effort, twisted_python: str) -> Iterator[Peer]:
        """Yield what is compared."""
        child = f"benchmarks._{self.name}_child"
        tail = (key, str(effort.count), str(effort.repeats))
        if self.cast is not None:
            yield from self.cast(child, tail, twisted_python)
            return
        if self.raw:
            yield from raw((child, "raw"), tail)
        yield from compared(child, tail, twisted_python)

    def parse_arguments(self) -> argparse.Namespace:
        """Read the command line."""
        key = next(iter(self.scenarios))
        peers = [peer.key for peer in self.peers(key, self.quick, sys.executable)]
        parser = option_parser(
            self.name, self.description, peers, "processes for each peer and scenario"
        )
        add = parser.add_argument
        add("--count", type=int, help=self.count_help)
        add("--scenario", action="append", choices=self.scenarios, help="only this (repeatable)")
        return parser.parse_args()

    @property
    def chapters(self) -> dict[str, str]:
        """Return the chapters of `NOTES.md` that say what limits a row, by the rows' titles."""
        return chapters_of(self.scenarios.values())

    def main(self) -> int:
        """Run what is asked for, print a table for each, and return the exit status."""
        options = self.parse_arguments()
        effort = (self.quick if options.quick else self.full).chosen(options)
        one = partial(measure_batch, cpu=pin(same_cpu=False).server)
        run = Run(options, str(effort))
        for key in options.scenario or self.scenarios:
            scenario = self.scenarios[key]
            part = replace(effort, count=max(self.least, int(effort.count * scenario.share)))
            run.compare(key, scenario, self.peers(key, part, options.twisted_python), one)
        return run.end()
