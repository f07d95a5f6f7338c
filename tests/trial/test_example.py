"""The example runs under pytest with nothing configured, and under unittest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "-c", "/dev/null"],
            "3 passed",
        ),
        (["unittest"], "Ran 3 tests"),
    ],
    ids=["pytest", "unittest"],
)
def test_the_example(arguments: list[str], expected: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", *arguments, "test_echo_trial.py"],
        cwd=EXAMPLES,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert expected in done.stdout + done.stderr
