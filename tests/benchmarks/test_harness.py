"""Ratios, targets, and growth: what is computed from samples."""

from __future__ import annotations

import platform
import sys
from dataclasses import replace

import pytest

from benchmarks._child import ChildFailed
from benchmarks._connections_client import Memory
from benchmarks._harness import (
    Peer,
    Sample,
    Target,
    importable,
    interleave,
    speed_ratio,
    spread_of,
    versions,
)
from benchmarks._report import format_table, target_lines
from benchmarks.connections import memory_table, memory_targets
from benchmarks.scaling import AXES, GROWTH, at_each, chosen_sizes, growth, table


def sample(cost: float) -> Sample:
    """What took so many seconds for each unit."""
    return Sample(count=10, user=cost * 10, system=0.0, elapsed=1.0)


def peer(key: str) -> Peer:
    beside = {"x raw": "asyncio"} if key.startswith("reactorlib") else {}
    return Peer(key, key.replace("-", " on "), ("module",), beside=beside)


def test_peers_take_turns_in_alternating_order() -> None:
    asked: list[str] = []

    def measure(peer: Peer) -> int:
        asked.append(peer.key)
        return len(asked)

    results = interleave([peer("a"), peer("b")], 3, measure, pytest.fail)
    assert asked == ["a", "b", "b", "a", "a", "b"]
    assert results == {"a": [1, 4, 5], "b": [2, 3, 6]}


def test_a_peer_that_fails_is_left_out() -> None:
    notes: list[str] = []

    def measure(peer: Peer) -> int:
        if peer.key == "b":
            raise ChildFailed(peer.command, "stalled")
        return 1

    assert interleave([peer("a"), peer("b")], 2, measure, notes.append) == {"a": [1, 1]}
    assert notes == ["b: left out, module: stalled\n"]


def test_a_ratio_is_the_median_of_those_within_a_round() -> None:
    ours = [sample(1), sample(10), sample(3)]
    theirs = [sample(2), sample(10), sample(12)]
    assert speed_ratio(ours, theirs) == pytest.approx(2)


def test_the_spread_is_from_the_cheapest_round_to_the_dearest() -> None:
    assert spread_of([sample(3), sample(5), sample(4)]) == pytest.approx(0.5)
    assert spread_of([sample(3)]) == 0


def test_a_package_that_an_interpreter_has_not_is_said_and_its_peers_are_skipped() -> None:
    notes: list[str] = []
    here, gone = (
        replace(peer("asyncio"), needs=("json",)),
        replace(peer("gone"), needs=("json", "no_such_package_anywhere")),
    )
    assert importable([gone, here], notes.append) == [here]
    assert notes == [
        "gone: skipped, no no_such_package_anywhere: pip install 'reactorlib[bench]'\n"
    ]
    found = versions(sys.executable, ["json", "no_such_package_anywhere", "this"])
    assert found["Python"] == platform.python_version()
    assert found.keys() == {"Python", "json", "this"}  # although the last one prints a poem


def test_memory_is_compared_within_a_round() -> None:
    peers = [peer("asyncio"), peer("reactorlib-asyncio")]
    found = {
        "asyncio": [Memory(1000, 900), Memory(2000, 900), Memory(1000, 900)],
        "reactorlib-asyncio": [Memory(1300, 950), Memory(2400, 950), Memory(1400, 950)],
    }
    assert [*memory_targets(peers, found)] == [
        "target: bytes over raw at most 350: reactorlib on asyncio 400"
    ]
    last = memory_table(peers, found).splitlines()[-1]
    cells = [cell.strip() for cell in last.strip("|").split("|")]
    assert cells == ["reactorlib on asyncio", "1,400", "79%", "950", "0.77", ""]


def test_a_target_can_be_meant_for_one_loop() -> None:
    peers = [peer("reactorlib-asyncio"), peer("reactorlib-uvloop")]
    results = {
        "asyncio": [sample(2)],
        "reactorlib-asyncio": [sample(2)],
        "reactorlib-uvloop": [sample(1)],
    }
    targets = [Target("x raw", 0.97), Target("x raw", 3.3, "uvloop"), Target("x Twisted", 2)]
    assert target_lines(targets, peers, results) == [
        "target: x raw at least 0.97: reactorlib on asyncio 1.00, reactorlib on uvloop 2.00",
        "target: x raw at least 3.3: reactorlib on uvloop 2.00",
    ]


def test_tables_align_text_left_and_numbers_right() -> None:
    assert format_table(["a", "b", "c"], [["text", "more", "1"], ["x", "y", "100"]], text=2) == (
        "| a    | b    |   c |\n| ---- | ---- | --: |\n| text | more |   1 |\n| x    | y    | 100 |"
    )


@pytest.mark.parametrize(
    ("costs", "expected"), [([3, 3, 3], 1), ([30, 3, 3], 1), ([3, 3, 6], 2), ([9, 2, 5], 2.5)]
)
def test_growth_is_what_a_unit_costs_at_last_beside_the_least(
    costs: list[float], expected: float
) -> None:
    assert growth(costs) == expected


def test_a_table_has_a_line_for_each_size() -> None:
    results = {
        "asyncio": [[sample(2e-6), sample(1e-6)], [sample(2e-6), sample(1e-6)]],
        "reactorlib-asyncio": [[sample(1e-6), sample(4e-6)], [sample(1e-6), sample(2e-6)]],
    }
    peers = [peer("asyncio"), peer("reactorlib-asyncio")]
    lines = table(AXES["timers"], peers, [1, 1000], at_each(results, 2)).splitlines()
    del lines[1]  # the rule
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in lines] == [
        ["timers", "asyncio", "reactorlib on asyncio", "asyncio: x raw", "spread"],
        ["1", "2.00", "1.00", "2.00", "0%"],
        ["1,000", "1.00", "3.00", "0.38", "67%"],
        [GROWTH, "1.00", "3.00", "", ""],
    ]


def test_there_are_no_more_connections_than_may_be_open() -> None:
    sizes = chosen_sizes(AXES["busy"], quick=False, most=None, connections=15_000)
    assert sizes == [1, 10, 100, 1000, 10_000, 15_000]
    assert chosen_sizes(AXES["busy"], quick=False, most=100, connections=15_000) == [1, 10, 100]
    assert chosen_sizes(AXES["timers"], quick=False, most=None, connections=5)[-1] == 1_000_000
