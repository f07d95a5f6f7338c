"""
Compare how costs grow: with connections, the size of messages, timers, and chains of Deferreds.

Usage: python -m benchmarks.scaling [--quick] [--help]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._connections_client import raise_limit
from benchmarks._echo_client import Timing, Traffic
from benchmarks._harness import (
    Peer,
    Results,
    Sample,
    median_of,
    option_parser,
    pin,
    speed_ratio,
    spread_of,
)
from benchmarks._peers import RAW, TWISTED, compared, raw
from benchmarks._report import SPREAD, format_table, results_json
from benchmarks._run import Run, rounds_of
from benchmarks._scaling_client import Measure, measure_chains, measure_timers, measure_traffic
from benchmarks.echo import LINE

#: The last row of each table: how many times as much a unit costs at the largest size as at
#: the one where it costs least.
GROWTH = "largest / least"

CONNECTIONS = "benchmarks._connections_child"
TIMERS = "benchmarks._scaling_child"
CHAINS = "benchmarks._defer_child"


@dataclass(frozen=True, slots=True)
class Axis:
    """
    What grows, and what is measured meanwhile.

    Args:
        title: for the reader.
        grows: what there is more and more of.
        unit: what is counted.
        peers: who is compared.
        measure: measures one of them.
        sizes, quick: how much there is of what grows.
        symbol: the unit of the times, "us" or "ns".
        by_size: a unit is as big as the size says.
    """

    title: str
    grows: str
    unit: str
    peers: Callable[[str], Iterable[Peer]]
    measure: Measure
    sizes: tuple[int, ...]
    quick: tuple[int, ...]
    symbol: str = "us"
    by_size: bool = False

    @property
    def scale(self) -> float:
        """How many of the unit of times are a second."""
        return {"us": 1e6, "ns": 1e9}[self.symbol]


def server_peers(twisted_python: str) -> Iterable[Peer]:
    """Yield echo servers that many can connect to at once."""
    yield from raw((CONNECTIONS, "raw"))
    yield from compared(CONNECTIONS, (), twisted_python)


def line_peers(twisted_python: str) -> Iterable[Peer]:
    """Yield servers that answer lines; the raw ones with all answers at once."""
    yield from raw(("benchmarks._echo_raw", "--out-of-trap"), ("lines-joined",))
    yield from compared("benchmarks._echo_twisted", ("lines",), twisted_python)


def timer_peers(operation: str, twisted_python: str) -> Iterable[Peer]:
    """Yield what has timers."""
    yield from raw((TIMERS, "raw"), (operation,))
    yield from compared(TIMERS, (operation,), twisted_python)


def chain_peers(futures: bool, twisted_python: str) -> Iterable[Peer]:
    """Yield what has Deferreds, and asyncio, whose futures have callbacks too."""
    if futures:
        yield Peer("asyncio", "asyncio", (CHAINS, "asyncio"))
    beside = {RAW: "asyncio", TWISTED: "twisted"}
    yield Peer("reactorlib", "reactorlib", (CHAINS, "reactorlib"), ("reactorlib",), beside=beside)
    yield Peer("twisted", "Twisted", (CHAINS, "twisted"), ("twisted",), twisted_python)


def echo_on(
    peer: Peer, sizes: Sequence[int], cpu: int | None, timing: Timing, busy: int | None = None
) -> list[Sample]:
    """Measure messages on more and more connections, of which all are busy, or so many."""
    traffic = [
        (size, Traffic(b"x" * 64, size if busy is None else min(busy, size))) for size in sizes
    ]
    return measure_traffic(peer, traffic, cpu, timing)


def echo_of(peer: Peer, sizes: Sequence[int], cpu: int | None, timing: Timing) -> list[Sample]:
    """Measure messages that grow."""
    traffic = [(4, Traffic(b"x" * size, 4)) for size in sizes]
    return measure_traffic(peer, traffic, cpu, timing)


def lines_of(peer: Peer, sizes: Sequence[int], cpu: int | None, timing: Timing) -> list[Sample]:
    """Measure more and more lines in each burst."""
    traffic = [(4, Traffic(LINE * size, 4, size)) for size in sizes]
    return measure_traffic(peer, traffic, cpu, timing)


def timers(peer: Peer, sizes: Sequence[int], cpu: int | None, timing: Timing) -> list[Sample]:
    """Measure more and more timers. They take what time they need."""
    return measure_timers(peer, sizes, cpu)


def chains(
    peer: Peer, sizes: Sequence[int], cpu: int | None, timing: Timing, operation: str
) -> list[Sample]:
    """Measure longer and longer chains."""
    return measure_chains(peer, sizes, cpu, operation, timing.measured / 4)


def powers(*exponents: int) -> tuple[int, ...]:
    """Return powers of ten."""
    return tuple(10**exponent for exponent in exponents)


def chain_axis(title: str, unit: str, operation: str, futures: bool = False) -> Axis:
    """Return an axis of chains of Deferreds."""
    peers = partial(chain_peers, futures)
    measure = partial(chains, operation=operation)
    quick = powers(0, 3)
    return Axis(title, f"{unit}s", unit, peers, measure, powers(0, 1, 2, 3, 4), quick, "ns")


AXES = {
    "busy": Axis(
        "64 B ping-pong over open connections, all of them busy",
        "connections",
        "message",
        server_peers,
        echo_on,
        (1, 10, 100, 1000, 10_000, 20_000),
        (1, 200),
    ),
    "idle": Axis(
        "64 B ping-pong over 50 of the open connections, the others idle",
        "connections",
        "message",
        server_peers,
        partial(echo_on, busy=50),
        (50, 200, 1000, 5000, 20_000),
        (50, 400),
    ),
    "messages": Axis(
        "Messages to and fro on 4 connections",
        "bytes",
        "message",
        server_peers,
        echo_of,
        tuple(64 * 4**power for power in range(8)),
        (64, 65536),
        by_size=True,
    ),
    "lines": Axis(
        "Bursts of lines of 30 B on 4 connections, each line answered (raw: joined)",
        "lines",
        "line",
        line_peers,
        lines_of,
        (1, 3, 10, 30, 100, 300, 1000),
        (1, 100),
    ),
    "timers": Axis(
        "Create timers and see them fire",
        "timers",
        "timer",
        partial(timer_peers, "fire"),
        timers,
        powers(0, 1, 2, 3, 4, 5, 6),
        powers(0, 4),
    ),
    "cancelled": Axis(
        "Create timers and cancel them",
        "timers",
        "timer",
        partial(timer_peers, "cancel"),
        timers,
        powers(0, 1, 2, 3, 4, 5, 6),
        powers(0, 4),
    ),
    "callbacks": chain_axis("Callbacks on one Deferred", "callback", "fire-ten", futures=True),
    "fired": chain_axis(
        "Callbacks on one Deferred, each returns a fired one", "callback", "chain-fired"
    ),
    "nested": chain_axis("Deferreds, each waits for the next", "Deferred", "chain-nested"),
}

#: The chapters of `NOTES.md` that say what limits a row, by the rows' titles.
#: No row has a target.
CHAPTERS: dict[str, str] = {}


def at_each(results: Mapping[str, Sequence[Sequence[Sample]]], number: int) -> list[Results]:
    """Return what was measured at each size, given what each round measured at all."""
    return [
        {key: [samples[place] for samples in rounds] for key, rounds in results.items()}
        for place in range(number)
    ]


def growth(costs: Sequence[float]) -> float:
    """Return how many times the least cost of a unit the last is: 1 is flat, or better."""
    return costs[-1] / min(costs)


def table(axis: Axis, peers: Sequence[Peer], sizes: Sequence[int], by_size: list[Results]) -> str:
    """
    Lay out the medians and ratios, a line for each size, and how much they grow.

    The spread is the largest of the peers'.
    """
    measured = [peer for peer in peers if peer.key in by_size[0]]
    medians = {
        peer.key: [
            median_of(results[peer.key], lambda sample: sample.cost * axis.scale)
            for results in by_size
        ]
        for peer in measured
    }
    compared = [
        (peer, column, key)
        for column in (RAW, TWISTED)
        for peer in measured
        if (key := peer.beside.get(column)) in medians
    ]
    header = [axis.grows, *(peer.title for peer in measured)]
    header += [f"{peer.title.rpartition(' ')[2]}: {column}" for peer, column, _ in compared]
    header.append(SPREAD)
    rows = [
        [
            f"{size:,}",
            *(f"{costs[place]:.{_digits(costs)}f}" for costs in medians.values()),
            *(
                f"{speed_ratio(by_size[place][peer.key], by_size[place][key]):.2f}"
                for peer, _, key in compared
            ),
            f"{max(map(spread_of, by_size[place].values())):.0%}",
        ]
        for place, size in enumerate(sizes)
    ]
    units = sizes if axis.by_size else [1] * len(sizes)
    grown = [
        growth([cost / unit for cost, unit in zip(costs, units, strict=True)])
        for costs in medians.values()
    ]
    rows.append([GROWTH, *(f"{each:.2f}" for each in grown), *([""] * (len(compared) + 1))])
    return format_table(header, rows)


def _digits(costs: Sequence[float]) -> int:
    """Return the decimals that are worth writing."""
    return 2 if min(costs) < 10 else 1 if min(costs) < 100 else 0


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    keys = [peer.key for peer in server_peers(sys.executable)]
    keys += [peer.key for peer in chain_peers(False, sys.executable)]
    parser = option_parser(
        "scaling", "Compare how costs grow.", keys, "processes for each peer and axis"
    )
    add = parser.add_argument
    add("--axis", action="append", choices=AXES, help="only this one (repeatable)")
    add("--most", type=int, help="leave out what is larger than that")
    return parser.parse_args()


def chosen_sizes(axis: Axis, quick: bool, most: int | None, connections: int) -> list[int]:
    """Return the sizes to measure: as many connections at the most as may be open."""
    sizes = axis.quick if quick else axis.sizes
    if axis.grows == "connections":
        sizes = tuple(min(size, connections) for size in sizes)
    return sorted({size for size in sizes if most is None or size <= most})


def main() -> int:
    """Measure the axes asked for, print a table for each, and return the exit status."""
    options = parse_arguments()
    timing = Timing(0.02, 0.05) if options.quick else Timing(0.1, 0.3)
    limit = raise_limit()
    pinning = pin(same_cpu=False)
    each = f"a process for all sizes, {timing.measured} s of each, {pinning}"
    run = Run(options, f"rounds: {rounds_of(options)}, {each}")
    for key in options.axis or AXES:
        axis = AXES[key]
        sizes = chosen_sizes(axis, options.quick, options.most, limit)
        one = partial(axis.measure, sizes=sizes, cpu=pinning.server, timing=timing)
        peers, results = run.interleaved(axis.title, axis.peers(options.twisted_python), one)
        if results:
            by_size = at_each(results, len(sizes))
            print(table(axis, peers, sizes, by_size))
            print(f"\nplot: {key}: CPU {axis.symbol}/{axis.unit}")
            samples = zip(sizes, by_size, strict=True)
            run.keep(key, {str(size): results_json(peers, found) for size, found in samples})
    return run.end()


if __name__ == "__main__":
    sys.exit(main())
