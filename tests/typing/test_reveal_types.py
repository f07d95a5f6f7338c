"""
The types that a user's checker sees.

Each file in `cases` is checked as the project is, strictly. A line with a comment
`# R: type` reveals that type, module names left out. What has to be an error is
marked as ignored there; should it be none any more, the ignoring is the error.
"""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CASES = sorted((Path(__file__).parent / "cases").glob("*.py"))

Line = tuple[str, int]


@functools.cache
def mypy() -> tuple[dict[Line, str], list[str]]:
    """What each line reveals, and what else mypy has to say."""
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml"]
    options = ["--no-pretty", "--no-error-summary", "--hide-error-context", "--no-color-output"]
    run = subprocess.run(
        [*command, *options, *map(str, CASES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    revealed: dict[Line, str] = {}
    other = run.stderr.splitlines()
    for message in run.stdout.splitlines():
        found = re.fullmatch(r'(.*?):(\d+): note: Revealed type is "(.*)"', message)
        if found is None:
            other.append(message)
        else:
            file, line, type_ = found.groups()
            # reactorlib.internet.defer._deferred.Deferred[builtins.int]
            plain = re.sub(r"\b(?:[a-z_]\w*\.)+(?=\w)", "", type_)
            revealed[Path(file).name, int(line)] = plain
    return revealed, other


def expected(case: Path) -> dict[Line, str]:
    """What the comments say."""
    types: dict[Line, str] = {}
    for number, line in enumerate(case.read_text().splitlines(), 1):
        _, marked, type_ = line.partition("# R: ")
        assert marked or not line.lstrip().startswith("reveal_type("), f"no type: {line}"
        if marked:
            types[case.name, number] = type_.strip()
    return types


@pytest.mark.timeout(180)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_types_are_what_the_case_says(case: Path) -> None:
    revealed, _ = mypy()
    assert {line: type_ for line, type_ in revealed.items() if line[0] == case.name} == expected(
        case
    )


@pytest.mark.timeout(180)
def test_there_are_no_errors_but_those_expected() -> None:
    _, other = mypy()
    assert other == []


def test_there_are_cases() -> None:
    assert sum(len(expected(case)) for case in CASES) > 50
