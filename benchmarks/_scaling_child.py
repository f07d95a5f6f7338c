"""
Measure one operation on more and more timers, for one peer; run in a child process.

It prints a line for each size: how many timers there were in all, and the user, system
and wall-clock seconds that they took. The loop runs throughout. Small sizes are
repeated, with turns of the loop in between.

Usage: python -m benchmarks._scaling_child PEER LOOP fire|cancel SIZE...
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks._batch import Sampler
from benchmarks._timers_child import (
    FIRED,
    TURN,
    Operation,
    Timers,
    far,
    fire,
    nothing,
    run,
)

#: Small sizes are repeated until there were this many timers, but not more often than that.
TIMERS, TIMES = 20_000, 500


def cancel(timers: Timers, count: int) -> Iterator[Any]:
    """Make timers, and cancel them all."""
    clock = timers.clock
    yield TURN
    for handle in [clock.callLater(far(number), nothing) for number in range(count)]:
        handle.cancel()
    yield TURN
    yield []


OPERATIONS: dict[str, Operation] = {"fire": fire, "cancel": cancel}


class Series:
    """An operation that is measured at one size after another while the loop runs."""

    def __init__(self, timers: Timers, operation: Operation, sizes: list[int]) -> None:
        self._timers = timers
        self._operation = operation
        self._sizes = sizes

    def begin(self) -> None:
        """Begin with the next size, if there is one."""
        if not self._sizes:
            self._timers.stop()
            return
        self._size = self._sizes.pop(0)
        self._left = max(1, min(TIMES, TIMERS // self._size))
        self._sampler = Sampler(self._size * self._left, 1)
        gc.collect()
        self._after_turns(2, self._measure)

    def _measure(self) -> None:
        self._sampler.start()
        self._once()

    def _once(self) -> None:
        running = self._operation(self._timers, self._size)
        next(running)
        if next(running) == FIRED:
            self._timers.fired = self._end_of_one
        else:
            # The turns in which a loop does what a cancelled timer leaves.
            self._after_turns(2, self._end_of_one)

    def _end_of_one(self) -> None:
        self._left -= 1
        if self._left:
            self._timers.clock.callLater(0, self._once)
        else:
            self._sampler.stop()
            self._sampler.report()
            self.begin()

    def _after_turns(self, turns: int, function: Callable[[], None]) -> None:
        if turns:
            self._timers.clock.callLater(0, self._after_turns, turns - 1, function)
        else:
            function()


def main() -> None:
    """Measure, print and end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", choices=["raw", "reactorlib", "twisted"])
    parser.add_argument("loop", choices=["asyncio", "epoll", "uvloop"])
    parser.add_argument("operation", choices=OPERATIONS)
    parser.add_argument("sizes", type=int, nargs="+")
    options = parser.parse_args()

    def begin(timers: Timers) -> None:
        Series(timers, OPERATIONS[options.operation], options.sizes).begin()

    run(options.package, options.loop, begin)


if __name__ == "__main__":
    main()
