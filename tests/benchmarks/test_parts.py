"""The benchmarks run: each kind of child once, as shortly as it can be."""

from __future__ import annotations

import argparse
import datetime
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import benchmarks
from benchmarks import __main__ as command
from benchmarks.__main__ import PARTS, Outcome, Part, measure
from benchmarks._results import kept, section, write

ROOT = Path(benchmarks.__file__).parent.parent

#: What is run, of one or two peers, and a part of a heading that it prints.
RUNS = {
    "echo": (["--scenario", "count", "--peer", "uvloop", "--peer", "reactorlib-uvloop"], "counted"),
    "lines": (
        ["--scenario", "int32-1k", "--peer", "raw", "--peer", "reactorlib", "--count", "1000"],
        "32-bit",
    ),
    "timers": (["--scenario", "soon", "--peer", "reactorlib-asyncio"], "callLater(0)"),
    "udp": (["--scenario", "small", "--peer", "asyncio", "--peer", "reactorlib-asyncio"], "64 B"),
    "connections": (
        ["--scenario", "memory", "--peer", "uvloop", "--peer", "reactorlib-uvloop"],
        "Memory",
    ),
    "defer": (["--rows", "fire-one", "--peer", "reactorlib"], ""),
    "imports": (["--peer", "asyncio", "--peer", "reactorlib"], "import"),
}

#: The axes of the scaling benchmark, and a peer of each.
AXES = {
    "busy": "reactorlib-uvloop",
    "idle": "asyncio",
    "messages": "reactorlib-asyncio",
    "lines": "uvloop",
    "timers": "reactorlib-uvloop",
    "cancelled": "asyncio",
    "callbacks": "asyncio",
    "fired": "reactorlib",
    "nested": "reactorlib",
}


def run(module: str, *options: str) -> str:
    """What a benchmark prints, as a section of the results."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", "--quick", *options],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=50,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "left out" not in done.stdout
    return section("Title", "command", done.stdout, datetime.date(2026, 11, 28))


@pytest.mark.parametrize(
    "module",
    [
        module if module == "lines" else pytest.param(module, marks=pytest.mark.slow)
        for module in RUNS
    ],
)
def test_a_benchmark_prints_a_section(module: str) -> None:
    options, heading = RUNS[module]
    text = run(module, *options)
    headings = [line for line in text.splitlines() if line.startswith("### ")]
    assert any(heading in line for line in headings) or not heading
    assert "| reactorlib" in text or "| from reactorlib" in text


@pytest.mark.parametrize(
    "axis",
    [axis if axis == "callbacks" else pytest.param(axis, marks=pytest.mark.slow) for axis in AXES],
)
def test_an_axis_of_the_scaling_benchmark_prints_a_table(axis: str) -> None:
    text = run("scaling", "--axis", axis, "--peer", AXES[axis], "--most", "100")
    sizes = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]
    assert sizes[-1] == "largest / least"
    assert all(size.isdecimal() for size in sizes[2:-1])
    assert f"](plots/{axis}.svg)" in text


def test_every_part_has_a_module() -> None:
    for part in PARTS.values():
        assert (ROOT / "benchmarks" / f"{part.module}.py").exists()


ABOUT = "CPU: an abacus\ncores: 2\nkernel: Linux\nversions: 1\nTwisted: 2\nrun: rounds: 5\n\n"

OPTIONS = argparse.Namespace(twisted_python=sys.executable, quick=True, rounds=None)


def test_a_run_goes_on_when_a_part_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = {
        "echo": Outcome(f"{ABOUT}New\n\nnote: uvloop: left out", "peers were left out"),
        "lines": Outcome("CPU: an abacus\n", "exit status 1", whole=False),
        "timers": Outcome(f"{ABOUT}New"),
    }
    results = tmp_path / "RESULTS.md"
    before = section(PARTS["lines"].title, "command", f"{ABOUT}Old", datetime.date(2026, 1, 1))
    write(results, {PARTS["lines"].title: before}, command.TITLES)
    monkeypatch.setattr(command, "measure", lambda part, options: outcomes[part.module])
    only = [word for part in outcomes for word in ("--only", part)]
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--results", str(results), *only])

    assert command.main() == 2
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "failed: python -m benchmarks.echo: peers were left out",
        "failed: python -m benchmarks.lines: exit status 1",
    ]
    sections = kept(results)
    assert sections[PARTS["lines"].title] == before
    assert "### New\n\nNote: uvloop: left out." in sections[PARTS["echo"].title]
    assert "### New" in sections[PARTS["timers"].title]


def test_a_part_that_breaks_off_is_told_from_one_that_left_peers_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = measure(Part("Title", "imports", ("--no-such-option",)), OPTIONS)
    assert (outcome.failure, outcome.whole) == ("exit status 2", False)
    # The peer's interpreter has all that is needed, and then ends before it has measured.
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exec {sys.executable} "$@"\nexit 1\n')
    python.chmod(0o755)
    options = argparse.Namespace(twisted_python=str(python), quick=True, rounds=None)
    part = Part("Title", "imports", ("--peer", "asyncio", "--peer", "epoll"))
    outcome = measure(part, options)
    assert (outcome.failure, outcome.whole) == ("peers were left out", True)
    assert "note: from twisted.internet import reactor: left out" in outcome.printed
    assert "| import asyncio " in outcome.printed


@dataclass(frozen=True, slots=True)
class Stalling:
    """An interpreter of a peer that says that it has begun, and waits for ever."""

    python: Path
    reader: int

    def said(self) -> bytes | None:
        """What it says next; nothing when it has ended, None if it says nothing for long."""
        readable = select.select([self.reader], [], [], 40)[0]
        return os.read(self.reader, 100) if readable else None


@pytest.fixture
def stalling(tmp_path: Path) -> Iterator[Stalling]:
    pipe, python = tmp_path / "pipe", tmp_path / "python"
    os.mkfifo(pipe)
    looks = f'[ "$1" = -c ] && exec {sys.executable} "$@"'
    python.write_text(f"#!/bin/sh\n{looks}\nexec 3> {pipe}\necho begun >&3\nexec sleep 600\n")
    python.chmod(0o755)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield Stalling(python, reader)
    finally:
        os.close(reader)


def test_a_part_that_does_not_end_is_given_up_and_leaves_nothing_behind(
    stalling: Stalling, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Impatient(subprocess.Popen[str]):
        begun = False

        def communicate(
            self, input: str | None = None, timeout: float | None = None
        ) -> tuple[str, str]:
            if not self.begun:
                self.begun = stalling.said() == b"begun\n"
                raise subprocess.TimeoutExpired(self.args, command.PATIENCE)
            return super().communicate(input, timeout)

    monkeypatch.setattr(subprocess, "Popen", Impatient)
    options = argparse.Namespace(twisted_python=str(stalling.python), quick=True, rounds=None)
    outcome = measure(Part("Title", "amp", ("--peer", "twisted-epoll")), options)
    assert (outcome.failure, outcome.whole) == ("not at its end after 7200 s", False)
    assert stalling.said() == b""


@pytest.mark.slow
def test_a_run_that_is_terminated_leaves_nothing_behind(stalling: Stalling) -> None:
    arguments = ["--quick", "--only", "imports", "--twisted-python", str(stalling.python)]
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks", *arguments], cwd=ROOT, stderr=subprocess.DEVNULL
    ) as process:
        try:
            assert stalling.said() == b"begun\n"
            process.terminate()
            assert process.wait(20) == 128 + signal.SIGTERM
        finally:
            process.kill()
    assert stalling.said() == b""
