"""
Measure one operation on timers, for one peer; run in a child process.

The loop runs throughout, as in a program. What is measured includes the turns of
the loop that follow, since that is where some loops do what a cancelled timer
costs. It prints one line: how many timers, and of the repeat that took the least
CPU time the user, system and wall-clock seconds.

Usage: python -m benchmarks._timers_child PEER OPERATION COUNT REPEATS
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from benchmarks._batch import Sampler, Unknown, parse_arguments, reactor_of

#: An operation does its part each time it is resumed, and yields where the loop is
#: to go on: `TURN` for one turn, `FIRED` until every timer has fired.
TURN, FIRED = "turn", "fired"

#: Seconds: far enough away for timers that do not fire while they are measured.
FAR = 60.0


class Timers:
    """
    A loop's or a reactor's timers, as a program uses them.

    Args:
        clock: has `callLater`, which is looked up for each call, as programs do.
        reset: moves timers to so many seconds from now, and returns them.
        stop: ends the loop.
    """

    def __init__(
        self,
        clock: Unknown,
        reset: Callable[[list[Unknown], float], list[Unknown]],
        stop: Callable[[], object],
    ) -> None:
        self.clock = clock
        self.reset = reset
        self.stop = stop
        self.left = 0
        self.fired: Callable[[], object] = nothing

    def fire(self) -> None:
        """One of the timers that are waited for."""
        self.left -= 1
        if not self.left:
            self.fired()


def nothing() -> None:
    """What timers call that do not fire."""


def far(number: int) -> float:
    """Return a delay; they differ, and do not come in order."""
    return FAR + number * 7919 % 10007 / 1000


def make(timers: Timers, count: int) -> list[Unknown]:
    """Return that many timers."""
    clock = timers.clock
    return [clock.callLater(far(number), nothing) for number in range(count)]


Operation = Callable[[Timers, int], Iterator[Any]]

# Each yields first when it is ready to be measured, and last when it has been.


def create(timers: Timers, count: int) -> Iterator[Any]:
    """Make timers that stay."""
    yield TURN
    handles = make(timers, count)
    yield TURN
    yield handles


def create_cancel(timers: Timers, count: int) -> Iterator[Any]:
    """Make a timer and cancel it, as a request with a time-out does."""
    clock = timers.clock
    yield TURN
    for number in range(count):
        clock.callLater(far(number), nothing).cancel()
    yield TURN
    yield []


def cancel(timers: Timers, count: int) -> Iterator[Any]:
    """Cancel timers, all at once."""
    handles = make(timers, count)
    yield TURN
    for handle in handles:
        handle.cancel()
    yield TURN
    yield []


def reset_later(timers: Timers, count: int) -> Iterator[Any]:
    """Put timers off, as a connection that has a time-out does with each read."""
    handles = make(timers, count)
    yield TURN
    handles = timers.reset(handles, 2 * FAR)
    yield TURN
    yield handles


def reset_sooner(timers: Timers, count: int) -> Iterator[Any]:
    """Move timers to an earlier time."""
    handles = make(timers, count)
    yield TURN
    handles = timers.reset(handles, FAR / 2)
    yield TURN
    yield handles


def fire(timers: Timers, count: int) -> Iterator[Any]:
    """Make timers that are due within 10 ms, and see them fire."""
    timers.left = count
    clock, done = timers.clock, timers.fire
    yield TURN
    for number in range(count):
        clock.callLater(number * 7919 % 10007 / 1e6, done)
    yield FIRED
    yield []


def soon(timers: Timers, count: int) -> Iterator[Any]:
    """Have functions called in the next turn."""
    timers.left = count
    clock, done = timers.clock, timers.fire
    yield TURN
    for _ in range(count):
        clock.callLater(0, done)
    yield FIRED
    yield []


OPERATIONS: dict[str, Operation] = {
    "create": create,
    "create-cancel": create_cancel,
    "cancel": cancel,
    "reset-later": reset_later,
    "reset-sooner": reset_sooner,
    "fire": fire,
    "soon": soon,
}


class Measurement:
    """An operation that is measured while the loop runs."""

    def __init__(self, timers: Timers, operation: Operation, sampler: Sampler) -> None:
        self._timers = timers
        self._operation = operation
        self._sampler = sampler

    def begin(self) -> None:
        """Prepare a repeat, and let the loop settle."""
        gc.collect()
        self._running = self._operation(self._timers, self._sampler.count)
        next(self._running)
        # Two turns: uvloop starts a timer anew on the first.
        self._after_turns(2, self._measure)

    def _measure(self) -> None:
        self._sampler.start()
        if next(self._running) == FIRED:
            self._timers.fired = self._end
        else:
            self._after_turns(2, self._end)

    def _end(self) -> None:
        again = self._sampler.stop()
        for handle in next(self._running):
            handle.cancel()
        self._after_turns(2, self.begin if again else self._finish)

    def _finish(self) -> None:
        self._sampler.report()
        self._timers.stop()

    def _after_turns(self, turns: int, function: Callable[[], None]) -> None:
        if turns:
            self._timers.clock.callLater(0, self._after_turns, turns - 1, function)
        else:
            function()


def run_raw(loop_name: str, begin: Callable[[Timers], None]) -> None:
    """Measure a loop's own timers; to move one is to cancel it and make another."""
    loop: asyncio.AbstractEventLoop = import_module(loop_name).new_event_loop()

    def reset(handles: list[asyncio.TimerHandle], delay: float) -> list[asyncio.TimerHandle]:
        moved = []
        for handle in handles:
            handle.cancel()
            moved.append(loop.call_later(delay, nothing))
        return moved

    clock = SimpleNamespace(callLater=loop.call_later)
    loop.call_soon(begin, Timers(clock, reset, loop.stop))
    loop.run_forever()


def run_reactor(package: str, loop: str, begin: Callable[[Timers], None]) -> None:
    """Measure the timers of reactorlib or Twisted: they run the same program."""
    reactor, options = reactor_of(package, loop)

    def reset(calls: list[Unknown], delay: float) -> list[Unknown]:
        for call in calls:
            call.reset(delay)
        return calls

    def start() -> None:
        begin(Timers(reactor, reset, reactor.stop))

    reactor.callWhenRunning(start)
    reactor.run(**options)


def run(package: str, loop: str, begin: Callable[[Timers], None]) -> None:
    """Have `begin` measure the timers of a loop, or of a reactor on it."""
    if package == "raw":
        run_raw(loop, begin)
    else:
        run_reactor(package, loop, begin)


def main() -> None:
    """Measure, print and end."""
    options = parse_arguments(__doc__, OPERATIONS)

    def begin(timers: Timers) -> None:
        operation = OPERATIONS[options.operation]
        Measurement(timers, operation, Sampler(options.count, options.repeats)).begin()

    run(options.package, options.loop, begin)


if __name__ == "__main__":
    main()
