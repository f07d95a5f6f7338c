"""The example runs under pytest with nothing configured, under unittest, and by our own command."""

from __future__ import annotations

import shutil
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
        (["reactorlib.trial"], "PASSED (successes=3)"),
    ],
    ids=["pytest", "unittest", "reactor-trial"],
)
def test_the_example(arguments: list[str], expected: str, tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "test_echo_trial.py", tmp_path)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", *arguments, "test_echo_trial.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert expected in done.stdout + done.stderr
