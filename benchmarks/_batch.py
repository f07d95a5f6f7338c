"""
What the children share that repeat one operation and print what the best repeat took.

They print one line: how many operations there were, and of the repeat that took
the least CPU time the user, system and wall-clock seconds.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterable
from importlib import import_module
from typing import Any

#: What comes from a package named at run time has no types that could be known here.
Unknown = Any


class Sampler:
    """CPU and wall-clock time of the best of several repeats; of this process, all its threads."""

    def __init__(self, count: int, repeats: int) -> None:
        self.count = count
        self.left = repeats
        self._best: tuple[float, float, float] | None = None

    def start(self) -> None:
        """A repeat begins."""
        self._start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()

    def stop(self) -> bool:
        """It ends; whether there is another to come."""
        before, since = self._start
        elapsed, now = time.perf_counter() - since, resource.getrusage(resource.RUSAGE_SELF)
        sample = (now.ru_utime - before.ru_utime, now.ru_stime - before.ru_stime, elapsed)
        if self._best is None or sum(sample[:2]) < sum(self._best[:2]):
            self._best = sample
        self.left -= 1
        return self.left > 0

    def report(self) -> None:
        """Print the best."""
        assert self._best is not None
        print(self.count, *self._best, flush=True)


def parse_arguments(description: str | None, operations: Iterable[str]) -> argparse.Namespace:
    """Read the command line: whose, on which loop, what, how many, and how often."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("package", choices=["raw", "reactorlib", "twisted"])
    parser.add_argument("loop", choices=["asyncio", "epoll", "uvloop"])
    parser.add_argument("operation", choices=[*operations])
    parser.add_argument("count", type=int)
    parser.add_argument("repeats", type=int)
    return parser.parse_args()


def reactor_of(package: str, loop: str) -> tuple[Unknown, dict[str, Unknown]]:
    """Return the reactor of reactorlib or of Twisted, and what its `run` takes for that loop."""
    options = {}
    if package == "twisted":
        import_module(f"twisted.internet.{loop}reactor").install()
    elif loop == "uvloop":
        options["loop_factory"] = import_module("uvloop").new_event_loop
    return import_module(f"{package}.internet.reactor"), options
