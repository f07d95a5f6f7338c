"""
Compare Deferreds: reactorlib's, real Twisted's, and the futures and tasks of asyncio.

Usage: python -m benchmarks.defer [--quick] [--help]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._child import Child, ChildFailed
from benchmarks._defer_child import OPERATIONS
from benchmarks._harness import (
    Peer,
    Results,
    Sample,
    importable,
    median_of,
    option_parser,
    pin,
    speed_ratio,
    spread_of,
)
from benchmarks._report import SPREAD, format_table, note, results_json
from benchmarks._run import Run, rounds_of

TWISTED = "x Twisted"
ASYNCIO = "x asyncio"


#: Chapters of `NOTES.md`.
ALONE, IN_A_LOOP, IN_A_TASK = (
    "The rows",
    "A coroutine of ours in a loop",
    "Awaiting in a plain Task",
)


@dataclass(frozen=True, slots=True)
class Row:
    """
    An operation.

    Args:
        title: what it is, for the reader.
        twisted, asyncio: the speed ratios that reactorlib aims at: information, not a verdict.
        chapter: the heading in `NOTES.md` under which stands what limits it.
    """

    title: str
    twisted: float | None = None
    asyncio: float | None = None
    chapter: str = ALONE


ROWS = {
    "fire-one": Row("create, one callback, fire", 2.5),
    "fire-ten": Row("create, ten callbacks, fire", 2.1),
    "chain-fired": Row("ten callbacks that return a fired Deferred", 2.3),
    "chain-pending": Row("ten callbacks that return a pending Deferred"),
    "chain-nested": Row("ten Deferreds, each waits for the next"),
    "gather": Row("gatherResults of 100", 2.2),
    "inline-fired": Row("inlineCallbacks, ten yields of fired", 4.2),
    "inline-pending": Row("inlineCallbacks, ten yields of pending", 2.2),
    "coroutine-fired": Row("coroutine, ten awaits of fired", 1.8),
    "coroutine-pending": Row("coroutine, ten awaits of pending", 2.1),
    "raise": Row("callback raises, errback traps", 3.7),
    "cancel": Row("create, cancel, errback", 4.5),
    "loop-fired": Row("in a loop: coroutine, ten awaits of fired", asyncio=0.85, chapter=IN_A_LOOP),
    "loop-pending": Row(
        "in a loop: coroutine, ten awaits of pending", asyncio=0.8, chapter=IN_A_LOOP
    ),
    "task-await": Row("in a Task: await a pending Deferred", asyncio=1 / 1.5, chapter=IN_A_TASK),
    "as-future": Row("in a Task: await pending.asFuture()"),
}

#: The chapters of `NOTES.md` that say what limits a row, by the rows' titles.
CHAPTERS = {row.title: row.chapter for row in ROWS.values()}


@dataclass(frozen=True, slots=True)
class Effort:
    """How many fresh processes a peer gets; in each the best of `repeats` of `seconds` counts."""

    rounds: int
    repeats: int
    seconds: float

    @property
    def deadline(self) -> float:
        """Return the seconds after which a process has stalled: a round of three, and more."""
        return 30 + 10 * len(ROWS) * self.repeats * self.seconds

    def __str__(self) -> str:
        return f"rounds: {self.rounds}, in each the best of {self.repeats} of {self.seconds} s"


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = option_parser(
        "defer", "Compare Deferreds.", OPERATIONS, "processes started for each peer"
    )
    add = parser.add_argument
    add("--rows", nargs="+", choices=ROWS, default=[*ROWS], metavar="ROW", help=", ".join(ROWS))
    return parser.parse_args()


def defer_peers(twisted_python: str) -> list[Peer]:
    """Return what is compared."""
    child = "benchmarks._defer_child"
    beside = {TWISTED: "twisted", ASYNCIO: "asyncio"}
    return [
        Peer("reactorlib", "reactorlib", (child, "reactorlib"), ("reactorlib",), beside=beside),
        Peer("twisted", "Twisted", (child, "twisted"), ("twisted",), twisted_python),
        Peer("asyncio", "asyncio", (child, "asyncio")),
    ]


def measure_round(
    peers: Sequence[Peer],
    effort: Effort,
    cpu: int | None,
    results: dict[str, Results],
    note: Callable[[str], None],
) -> list[Peer]:
    """
    Measure every row once, in a fresh process for each peer, and add to the results.

    The processes live side by side and take turns, so the peers of a row are
    measured within the same second. A peer that fails is reported through
    `note` and left out of the results.

    Returns:
        the peers that did not fail.
    """
    with ExitStack() as stack:
        children = {
            peer.key: stack.enter_context(Child(peer.python, peer.command, cpu, effort.deadline))
            for peer in peers
        }
        for row, of_row in results.items():
            for peer in peers:
                if peer.key not in children or row not in OPERATIONS[peer.key]:
                    continue
                try:
                    answer = children[peer.key].ask(f"{row} {effort.seconds} {effort.repeats}")
                except ChildFailed as error:
                    note(f"{peer.title}: left out, {error}\n")
                    del children[peer.key]
                    for anywhere in results.values():
                        anywhere.pop(peer.key, None)
                    continue
                count, cpu_seconds, elapsed = answer.split()
                sample = Sample(int(count), float(cpu_seconds), 0.0, float(elapsed))
                of_row.setdefault(peer.key, []).append(sample)
        return [peer for peer in peers if peer.key in children]


def table(peers: Sequence[Peer], results: dict[str, Results]) -> str:
    """Lay out medians, ratios and targets, a line for each row."""
    header = ["operation", *(f"{peer.title} ns" for peer in peers), SPREAD]
    header += [TWISTED, "target", ASYNCIO, "target"]
    return format_table(
        header,
        [
            [
                ROWS[row].title,
                *(_nanoseconds(of_row.get(peer.key)) for peer in peers),
                f"{max(map(spread_of, of_row.values())):.0%}",
                _ratio(of_row, "twisted"),
                _target(ROWS[row].twisted),
                _ratio(of_row, "asyncio"),
                _target(ROWS[row].asyncio),
            ]
            for row, of_row in results.items()
            if of_row
        ],
    )


def _nanoseconds(samples: Sequence[Sample] | None) -> str:
    return f"{median_of(samples, lambda sample: sample.cost) * 1e9:,.0f}" if samples else ""


def _ratio(of_row: Results, baseline: str) -> str:
    if "reactorlib" not in of_row or baseline not in of_row:
        return ""
    return f"{speed_ratio(of_row['reactorlib'], of_row[baseline]):.2f}"


def _target(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2g}"


def main() -> int:
    """Run the rows asked for, print a table, and return the exit status."""
    options = parse_arguments()
    each = (1, 0.03) if options.quick else (3, 0.1)
    effort = Effort(rounds_of(options), *each)
    pinning = pin(same_cpu=False)
    run = Run(options, str(effort), ["reactorlib"])
    print(flush=True)

    peers = importable(defer_peers(options.twisted_python), note, options.peer)
    results: dict[str, Results] = {row: {} for row in options.rows}
    running = peers
    for _ in range(effort.rounds):
        running = measure_round(running, effort, pinning.server, results, note)[::-1]
    print(table(peers, results))
    run.left_out("Deferreds", (peer for peer in peers if peer not in running))
    for row, of_row in results.items():
        run.keep(row, results_json(peers, of_row))
    return run.end()


if __name__ == "__main__":
    sys.exit(main())
