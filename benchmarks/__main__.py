"""
Run the benchmarks, and keep what they print in `RESULTS.md`.

Usage: python -m benchmarks [--quick] [--only NAME] [--help]
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks._report import machine
from benchmarks._results import kept, section, write
from benchmarks._run import LEFT_OUT

RESULTS = Path(__file__).with_name("RESULTS.md")

#: Seconds after which a part is given up, so that an unattended run goes on. The longest
#: takes less than half of that.
PATIENCE = 7200.0


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the results: what is run for it, and what it is called."""

    title: str
    module: str
    options: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """As one types it."""
        return " ".join(["python -m", f"benchmarks.{self.module}", *self.options])


PARTS = {
    "echo": Part("Echo, a CPU each", "echo"),
    "echo-same-cpu": Part("Echo, one CPU for client and server", "echo", ("--same-cpu",)),
    "lines": Part("Lines and strings", "lines"),
    "defer": Part("Deferreds", "defer"),
    "timers": Part("Timers", "timers"),
    "connections": Part("Connections and TLS", "connections"),
    "udp": Part("Datagrams", "udp"),
    "threads": Part("Threads", "threads"),
    "processes": Part("Processes", "processes"),
    "amp": Part("AMP", "amp"),
    "imports": Part("Imports", "imports"),
    "scaling": Part("As the work grows", "scaling"),
}

TITLES = [part.title for part in PARTS.values()]


def chapters() -> dict[str, str]:
    """Return the chapters of `NOTES.md` that say what limits a row, by the rows' titles."""
    found: dict[str, str] = {}
    for part in PARTS.values():
        found |= importlib.import_module(f"benchmarks.{part.module}").CHAPTERS
    return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a benchmark printed, and what went wrong, if anything did."""

    printed: str
    failure: str | None = None
    #: Whether it came to its end, so that what it printed is whole.
    whole: bool = True


def measure(part: Part, options: argparse.Namespace) -> Outcome:
    """Run a benchmark. What it says of failed peers is shown."""
    command = [sys.executable, "-m", f"benchmarks.{part.module}", *part.options]
    command += ["--twisted-python", options.twisted_python]
    command += ["--quick"] if options.quick else []
    command += ["--rounds", str(options.rounds)] if options.rounds else []
    # In a session of its own, so that all of it can be ended, whichever signals it ignores.
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            printed, _ = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            printed = stop(process)
            return Outcome(printed, f"not at its end after {PATIENCE:g} s", whole=False)
        except BaseException:
            stop(process)
            raise
    if process.returncode == LEFT_OUT:
        return Outcome(printed, "peers were left out")
    if process.returncode:
        return Outcome(printed, f"exit status {process.returncode}", whole=False)
    return Outcome(printed)


def stop(process: subprocess.Popen[str]) -> str:
    """End a benchmark, and all that it has started; return what it printed."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()[0]


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="benchmarks",
        description="Run the benchmarks, and keep what they print in benchmarks/RESULTS.md.",
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="one short round of each, printed and not kept")
    add("--rounds", type=int, help="fewer or more than five")
    add("--only", action="append", choices=PARTS, help="only this one (repeatable)")
    add("--results", metavar="FILE", type=Path, default=RESULTS, help="another file of results")
    add(
        "--summarize",
        action="store_true",
        help="measure nothing: sum up the targets and draw the plots of what was measured",
    )
    add(
        "--twisted-python",
        metavar="PYTHON",
        default=sys.executable,
        help="an interpreter that has Twisted, if this one has not",
    )
    return parser.parse_args()


def main() -> int:
    """
    Run what was asked for, and return how many benchmarks failed.

    Each is kept as it ends: an hour's results do not depend on the last of them. One that
    left peers out is kept with a note that says so; one that broke off is shown, and what
    was measured before stays.
    """
    options = parse_arguments()
    if options.summarize:
        write(options.results, kept(options.results), TITLES, chapters())
        return 0
    print(", ".join(machine().values()), file=sys.stderr)
    failed = []
    for key in options.only or PARTS:
        part = PARTS[key]
        if options.quick and part.options and not options.only:
            continue  # it is measured without them
        begun = time.monotonic()
        outcome = measure(part, options)
        print(f"{part.command}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
        if outcome.failure is not None:
            failed.append(f"failed: {part.command}: {outcome.failure}")
        if not outcome.whole:
            print(outcome.printed, file=sys.stderr, flush=True)
            continue
        text = section(part.title, part.command, outcome.printed, datetime.date.today())
        if options.quick:
            print(text, flush=True)
        else:
            write(options.results, kept(options.results) | {part.title: text}, TITLES, chapters())
    for line in failed:
        print(line, file=sys.stderr)
    return len(failed)


def exit_on(number: int, frame: object) -> None:
    """End as if interrupted: the part that runs, in a session of its own, ends as well."""
    sys.exit(128 + number)


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores one of them
            signal.signal(number, exit_on)
    sys.exit(main())
