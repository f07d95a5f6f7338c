"""
What the benchmarks share: peers, interleaved rounds, medians and ratios.

Peers are measured in turn within a round, so that whatever else the machine does
falls on all of them, and ratios are taken within a round before the median is.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TypeVar

from benchmarks._child import Child, ChildFailed, environment


@dataclass(frozen=True, slots=True)
class Peer:
    """
    One of the things compared.

    Args:
        key: its name on the command line.
        title: its name in the table.
        command: the module that runs it and the arguments, as after `python -m`.
        needs: packages without which it is skipped.
        python: the interpreter that it runs in.
        beside: the baselines to compare it with: column title to peer key.
    """

    key: str
    title: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    python: str = sys.executable
    beside: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """What one round measured for one peer; times are seconds."""

    count: int
    user: float
    system: float
    elapsed: float

    @property
    def cost(self) -> float:
        """CPU seconds for each unit."""
        return (self.user + self.system) / self.count

    @property
    def user_cost(self) -> float:
        """CPU seconds outside the kernel for each unit."""
        return self.user / self.count

    @property
    def rate(self) -> float:
        """Units for each second of wall-clock time."""
        return self.count / self.elapsed


@dataclass(frozen=True, slots=True)
class Target:
    """
    A ratio that reactorlib aims at: information, not a verdict.

    Args:
        column: the title of the ratio's column.
        ratio: the least that is wanted.
        loop: the only loop for which it is meant.
    """

    column: str
    ratio: float
    loop: str | None = None

    def is_for(self, peer: Peer) -> bool:
        """Return whether it is meant for this one."""
        return self.loop is None or peer.key == f"reactorlib-{self.loop}"


@dataclass(frozen=True, slots=True)
class Effort:
    """
    How many fresh processes a peer gets, and what each does.

    Args:
        rounds: the processes.
        count: the operations in a repeat.
        repeats: how often a process repeats them; the best counts.
        unit: what they are, for the reader.
    """

    rounds: int
    count: int
    repeats: int
    unit: str

    def chosen(self, options: argparse.Namespace) -> Effort:
        """Return this, with what the command line says instead."""
        return replace(
            self, rounds=options.rounds or self.rounds, count=options.count or self.count
        )

    def __str__(self) -> str:
        each = f"in each the best of {self.repeats} of {self.count:,} {self.unit}"
        return f"rounds: {self.rounds}, {each}"


#: What each peer measured, by peer key, in order of the rounds.
Results = dict[str, list[Sample]]

#: What is measured of a peer in a round.
Measured = TypeVar("Measured")


def option_parser(
    prog: str, description: str, peers: Iterable[str], rounds: str
) -> argparse.ArgumentParser:
    """
    Make a parser of the options that every comparison has.

    Args:
        prog: the module's name.
        description: what it does.
        peers: the keys that `--peer` takes.
        rounds: what a round is, for `--help`.
    """
    parser = argparse.ArgumentParser(prog=prog, description=description)
    add = parser.add_argument
    add("--quick", action="store_true", help="one short round, to see that it runs")
    add("--rounds", type=int, help=f"{rounds} (default: 5)")
    add("--peer", action="append", choices=[*peers], help="only this one (repeatable)")
    add("--json", metavar="FILE", type=Path, help="write every sample there")
    add(
        "--twisted-python",
        metavar="PYTHON",
        default=sys.executable,
        help="an interpreter that has Twisted, if this one has not",
    )
    return parser


def measure_batch(peer: Peer, cpu: int | None) -> Sample:
    """Measure a peer whose child repeats one operation, in a process of its own."""
    with Child(peer.python, peer.command, cpu) as child:
        count, user, system, elapsed = child.read_line().split()
    return Sample(int(count), float(user), float(system), float(elapsed))


def interleave(
    peers: Sequence[Peer],
    rounds: int,
    measure: Callable[[Peer], Measured],
    note: Callable[[str], None],
) -> dict[str, list[Measured]]:
    """
    Measure every peer once in each round, in alternating order.

    A peer that fails is reported through `note` and left out of the results.
    """
    results: dict[str, list[Measured]] = {peer.key: [] for peer in peers}
    for number in range(rounds):
        for peer in peers if number % 2 == 0 else reversed(peers):
            if peer.key not in results:
                continue
            try:
                results[peer.key].append(measure(peer))
            except ChildFailed as error:
                note(f"{peer.title}: left out, {error}\n")
                del results[peer.key]
    return results


def median_of(samples: Iterable[Sample], figure: Callable[[Sample], float]) -> float:
    """Return the median of one figure."""
    return statistics.median(map(figure, samples))


def speed_ratio(ours: Sequence[Sample], baseline: Sequence[Sample]) -> float:
    """
    Return how many times as fast as the baseline we are, by CPU time: above 1 is faster.

    It is the median of the ratios within each round.
    """
    pairs = zip(ours, baseline, strict=True)
    return statistics.median(theirs.cost / mine.cost for mine, theirs in pairs)


def ratios(peer: Peer, results: Results) -> dict[str, float]:
    """Return the peer's speed ratio for each of its baselines that was measured."""
    return {
        column: speed_ratio(results[peer.key], results[key])
        for column, key in peer.beside.items()
        if key in results
    }


def importable(
    peers: Iterable[Peer], note: Callable[[str], None], only: Container[str] | None = None
) -> list[Peer]:
    """
    Return the peers whose packages can be imported, and say of the others what is missing.

    Args:
        peers: those that there are.
        note: called with what is missing.
        only: the keys of those that are asked for; all, if it is empty or None.
    """
    kept = []
    for peer in peers:
        if only and peer.key not in only:
            continue
        for package in peer.needs:
            if not _has(peer.python, package):
                note(f"{peer.title}: skipped, no {package}: pip install 'reactorlib[bench]'\n")
                break
        else:
            kept.append(peer)
    return kept


@cache
def _has(python: str, package: str) -> bool:
    return _run(python, f"import {package}") is not None


def versions(python: str, packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python and of those packages that an interpreter has."""
    found = {"Python": _run(python, "import platform; print(platform.python_version())") or "?"}
    for package in packages:
        version = _run(python, f"import {package}; print({package}.__version__)")
        if version is not None:
            found[package] = version
    return found


def _run(python: str, code: str) -> str | None:
    """Return what the code prints in that interpreter, or None if it fails."""
    done = subprocess.run(
        [python, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(),
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else None


@dataclass(frozen=True, slots=True)
class Pinning:
    """The CPUs that client and server run on; None where the platform cannot pin."""

    client: int | None
    server: int | None

    def __str__(self) -> str:
        if self.client is None:
            return "not pinned"
        return "one CPU for both" if self.client == self.server else "a CPU each"


def pin(same_cpu: bool) -> Pinning:
    """Pin this process, the client, to one CPU and choose another for the server if there is."""
    if not hasattr(os, "sched_setaffinity"):
        return Pinning(None, None)
    cpus = sorted(os.sched_getaffinity(0))
    pinning = Pinning(cpus[-1] if same_cpu else cpus[0], cpus[-1])
    assert pinning.client is not None
    os.sched_setaffinity(0, {pinning.client})
    return pinning
