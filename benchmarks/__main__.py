"""
Run the benchmarks, and keep what they print in `RESULTS.md`.

Usage: python -m benchmarks [--quick] [--only NAME] [--help]
"""

from __future__ import annotations

import argparse
import datetime
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks._report import machine
from benchmarks._results import kept, section, write

RESULTS = Path(__file__).with_name("RESULTS.md")


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


def measure(part: Part, options: argparse.Namespace) -> str | None:
    """What the benchmark prints; None if it fails. What it says of failed peers is shown."""
    command = [sys.executable, "-m", f"benchmarks.{part.module}", *part.options]
    command += ["--twisted-python", options.twisted_python]
    command += ["--quick"] if options.quick else []
    command += ["--rounds", str(options.rounds)] if options.rounds else []
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(f"{part.command}: exit status {done.returncode}\n{done.stdout}", file=sys.stderr)
        return None
    return done.stdout


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
    """Run what was asked for, and return how many benchmarks failed."""
    options = parse_arguments()
    if options.summarize:
        write(options.results, kept(options.results), TITLES)
        return 0
    print(", ".join(machine().values()), file=sys.stderr)
    failed = 0
    for key in options.only or PARTS:
        part = PARTS[key]
        if options.quick and part.options and not options.only:
            continue  # it is measured without them
        begun = time.monotonic()
        printed = measure(part, options)
        print(f"{part.command}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
        if printed is None:
            failed += 1
            continue
        text = section(part.title, part.command, printed, datetime.date.today())
        if options.quick:
            print(text, flush=True)
        else:  # after each: an hour's results do not depend on the last of them
            write(options.results, kept(options.results) | {part.title: text}, TITLES)
    return failed


if __name__ == "__main__":
    sys.exit(main())
