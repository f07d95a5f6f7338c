"""The benchmarks run: each kind of child once, as shortly as it can be."""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path

import pytest

import benchmarks
from benchmarks.__main__ import PARTS
from benchmarks._results import section

ROOT = Path(benchmarks.__file__).parent.parent

#: What is run, of one or two peers, and a part of a heading that it prints.
RUNS = {
    "echo": (["--scenario", "count", "--peer", "uvloop", "--peer", "reactorlib-uvloop"], "counted"),
    "lines": (
        ["--scenario", "int32-1k", "--peer", "raw", "--peer", "reactorlib", "--count", "1000"],
        "32-bit",
    ),
    "timers": (["--scenario", "soon", "--peer", "reactorlib-asyncio"], "callLater(0)"),
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
    assert any(heading in line for line in text.splitlines() if line.startswith("### "))
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
