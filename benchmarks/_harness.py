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


def spread_of(samples: Sequence[Sample]) -> float:
    """Return how far the rounds are apart: the largest cost less the smallest, by the median."""
    costs = [sample.cost for sample in samples]
    return (max(costs) - min(costs)) / statistics.median(costs)


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
    chosen = [peer for peer in peers if not only or peer.key in only]
    for python in {peer.python for peer in chosen}:
        _look_for(python, (need for peer in chosen if peer.python == python for need in peer.needs))
    kept = []
    for peer in chosen:
        missing = [need for need in peer.needs if _FOUND[peer.python, need] is None]
        if missing:
            note(f"{peer.title}: skipped, no {missing[0]}: pip install 'reactorlib[bench]'\n")
        else:
            kept.append(peer)
    return kept


def versions(python: str, packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python and of those packages that an interpreter has."""
    wanted = [*packages]
    _look_for(python, ["Python", *wanted])
    found = {name: _FOUND[python, name] for name in wanted}
    here = {name: version for name, version in found.items() if version is not None}
    return {"Python": _FOUND[python, "Python"] or "?"} | here


#: The version of each package that was looked for, by interpreter and name; None if it cannot
#: be imported. The interpreter itself is "Python".
_FOUND: dict[tuple[str, str], str | None] = {}

#: Prints a line for each of the packages that it is given: its version, or nothing.
_LOOK = """
import importlib, platform, sys
versions = []
for name in sys.argv[1:]:
    try:
        if name == "Python":
            version = platform.python_version()
        else:
            version = getattr(importlib.import_module(name), "__version__", "?")
    except Exception:
        version = ""
    versions.append(version)
print()
print(*versions, sep="\\n")
"""


def _look_for(python: str, packages: Iterable[str]) -> None:
    """Look for what has not been looked for yet, all in one process: starting it takes longest."""
    names = [name for name in dict.fromkeys(packages) if (python, name) not in _FOUND]
    if not names:
        return
    done = subprocess.run(
        [python, "-c", _LOOK, *names],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(),
        check=False,
    )
    # What an import prints comes before.
    lines = done.stdout.split("\n")[-1 - len(names) : -1] if done.returncode == 0 else []
    lines = lines or [""] * len(names)
    _FOUND.update(((python, name), line or None) for name, line in zip(names, lines, strict=True))


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
