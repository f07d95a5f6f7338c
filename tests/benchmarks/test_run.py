"""A run of a benchmark: what it does with each scenario, and what it says of failures."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pytest

from benchmarks._child import ChildFailed
from benchmarks._harness import Peer, Sample, Target
from benchmarks._run import LEFT_OUT, Run, Scenario, chapters_of, rounds_of

RAW = Peer("asyncio", "asyncio", ("module",))
OURS = Peer("reactorlib-asyncio", "reactorlib on asyncio", ("module",), beside={"x raw": "asyncio"})

SCENARIO = Scenario("Something", "message", (Target("x raw", 0.97),), "A chapter")


def options(**said: object) -> argparse.Namespace:
    usual: dict[str, object] = {"quick": False, "rounds": 3, "peer": None, "json": None}
    return argparse.Namespace(**(usual | {"twisted_python": sys.executable} | said))


def test_a_scenario_is_measured_in_rounds_printed_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def measure(peer: Peer) -> Sample:
        asked.append(peer.key)
        # The machine is half as fast in the second round, for both.
        return Sample(10, (2 if peer is OURS else 1) * (2 if 2 < len(asked) <= 4 else 1), 0, 1)

    run = Run(options(json=tmp_path / "samples"), "rounds: 3", [], [])
    results = run.compare("some", SCENARIO, [RAW, OURS], measure)
    assert asked == [RAW.key, OURS.key, OURS.key, RAW.key, RAW.key, OURS.key]
    assert results.keys() == {RAW.key, OURS.key}
    assert run.end() == 0
    printed = capsys.readouterr()
    assert "\nSomething\n\n| peer " in printed.out
    assert printed.out.endswith("target: x raw at least 0.97: reactorlib on asyncio 0.50\n")
    assert printed.err == ""
    [raw, ours] = json.loads((tmp_path / "samples").read_text())["scenarios"]["some"]
    assert (raw["peer"], len(raw["samples"]), ours["ratios"]) == ("asyncio", 3, {"x raw": 0.5})


def test_a_peer_that_fails_is_noted_and_the_exit_status_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def measure(peer: Peer) -> Sample:
        if peer is OURS:
            raise ChildFailed(peer.command, "stalled")
        return Sample(1, 1.0, 0, 1)

    run = Run(options(), "rounds: 3", [], [])
    run.compare("some", SCENARIO, [RAW, OURS], measure)
    assert run.end() == LEFT_OUT
    printed = capsys.readouterr()
    assert "\nnote: reactorlib on asyncio: left out, module: stalled\n" in printed.out
    assert "\n| asyncio " in printed.out
    assert printed.err == "left out: Something: reactorlib on asyncio\n"


def test_only_those_are_measured_who_are_asked_for() -> None:
    run = Run(options(peer=["asyncio"]), "rounds: 3", [], [])
    peers, results = run.interleaved("Something", [RAW, OURS], lambda peer: peer.title)
    assert peers == [RAW]
    assert results == {"asyncio": ["asyncio"] * 3}


@pytest.mark.parametrize(
    ("said", "rounds"),
    [
        ({"rounds": None}, 5),
        ({"rounds": None, "quick": True}, 1),
        ({"quick": True}, 3),
    ],
)
def test_there_are_as_many_rounds_as_asked_for(said: dict[str, object], rounds: int) -> None:
    assert rounds_of(options(**said)) == rounds


def test_a_scenario_can_have_a_chapter_that_says_what_limits_it() -> None:
    assert chapters_of([SCENARIO, Scenario("Other", "line")]) == {"Something": "A chapter"}
