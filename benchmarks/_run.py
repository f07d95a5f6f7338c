"""
What every benchmark does with its scenarios: measure, print, keep, and say what failed.

A scenario is measured by whatever function takes a peer and returns a sample. Who takes
part, the rounds in turn, the table, the targets and the file of samples are the same for all.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks._harness import (
    Measured,
    Peer,
    Results,
    Sample,
    Target,
    importable,
    interleave,
)
from benchmarks._report import describe, note, results_json, results_table, target_lines

#: The exit status of a benchmark that measured all but some peers. One that breaks off has
#: Python's own, 1; one that is asked for something it has not, 2.
LEFT_OUT = 3


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    What is measured.

    Args:
        title: what it is, for the reader.
        unit: what is counted, such as "message".
        targets: what reactorlib aims at.
        chapter: the heading in `NOTES.md` under which stands what limits it.
    """

    title: str
    unit: str
    targets: tuple[Target, ...] = ()
    chapter: str = ""


def chapters_of(scenarios: Iterable[Scenario]) -> dict[str, str]:
    """Return the chapters by the titles of the scenarios."""
    return {each.title: each.chapter for each in scenarios if each.chapter}


def rounds_of(options: argparse.Namespace) -> int:
    """Return how many rounds the command line asks for."""
    return int(options.rounds or (1 if options.quick else 5))


class Run:
    """
    A run of a benchmark, as the command line wants it. It begins by describing itself.

    Args:
        options: of the command line.
        effort: how much is measured, for the reader.
        packages, theirs: what is compared here, and in the interpreter that has Twisted.
    """

    def __init__(
        self,
        options: argparse.Namespace,
        effort: str,
        packages: Sequence[str] = ("reactorlib", "uvloop"),
        theirs: Sequence[str] = ("twisted",),
    ) -> None:
        self._options = options
        self._about = describe(options.twisted_python, packages, effort, theirs)
        self._rounds = rounds_of(options)
        self._samples: dict[str, object] = {}
        self._failed: list[str] = []

    def compare(
        self,
        key: str,
        scenario: Scenario,
        peers: Iterable[Peer],
        measure: Callable[[Peer], Sample],
        *,
        milliseconds: bool = False,
    ) -> Results:
        """
        Measure a scenario, print its table and its targets, and keep the samples.

        Args:
            key: its name on the command line.
            peers: who is compared; those that are not asked for, or missing, are left out.
            measure: measures one of them once.
            milliseconds: the times are in these, rather than in microseconds.
        """
        chosen, results = self.interleaved(scenario.title, peers, measure)
        print(results_table(chosen, results, scenario.unit, milliseconds=milliseconds))
        for line in target_lines(scenario.targets, chosen, results):
            print(f"\n{line}")
        self.keep(key, results_json(chosen, results))
        return results

    def interleaved(
        self, title: str, peers: Iterable[Peer], measure: Callable[[Peer], Measured]
    ) -> tuple[list[Peer], dict[str, list[Measured]]]:
        """Print a heading; return who takes part, and what the rounds measured of whom."""
        print(f"\n{title}\n", flush=True)
        chosen = importable(peers, note, self._options.peer)
        results = interleave(chosen, self._rounds, measure, note)
        self.left_out(title, (peer for peer in chosen if peer.key not in results))
        return chosen, results

    def left_out(self, title: str, peers: Iterable[Peer]) -> None:
        """These have failed there."""
        self._failed += [f"{title}: {peer.title}" for peer in peers]

    def keep(self, key: str, samples: object) -> None:
        """Have the file of samples say that."""
        self._samples[key] = samples

    def end(self) -> int:
        """Write the file of samples, if it is wanted; say what failed; return the exit status."""
        if self._options.json:
            content = {**self._about, "scenarios": self._samples}
            self._options.json.write_text(json.dumps(content, indent=2) + "\n")
        for failed in self._failed:
            print(f"left out: {failed}", file=sys.stderr)
        return LEFT_OUT if self._failed else 0
