"""Running programs in processes of their own, as an alias lasts for the whole process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def run(
    *arguments: str, cwd: Path, code: str | None = None, **environ: str
) -> tuple[str, str, int]:
    """What `python ARGUMENTS` says on its output and on its errors, and its exit status."""
    done = subprocess.run(
        [sys.executable, *arguments],
        input=None if code is None else textwrap.dedent(code),
        capture_output=True,
        text=True,
        timeout=50,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ},
    )
    return done.stdout, done.stderr, done.returncode


def succeed(code: str, cwd: Path, *arguments: str, **environ: str) -> str:
    """Run a program from the standard input, and give what it prints; it has to end well."""
    printed, errors, status = run("-W", "error", "-", *arguments, cwd=cwd, code=code, **environ)
    assert (errors, status) == ("", 0)
    return printed


ALIAS = "from reactorlib.compat import install_as_twisted; install_as_twisted()\n"
