"""
What the Deferred benchmark measures of Deferreds by themselves: no event loop runs.

Each program takes a `defer` module, reactorlib's or Twisted's, and returns a
function that does the operation so many times. The result of the last one is
checked, so that nothing is measured that does not work.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

#: What comes from a package named at run time has no types that could be known here.
Unknown = Any

#: Does the operation that many times.
Run = Callable[[int], None]

Program = Callable[[Unknown], Run]

DEPTH = 10
WIDTH = 100


def plus_one(value: int) -> int:
    """Be a callback that does next to nothing."""
    return value + 1


def fire_one(defer: Unknown) -> Run:
    """One callback."""
    Deferred = defer.Deferred

    def run(times: int) -> None:
        for _ in range(times):
            d = Deferred()
            d.addCallback(plus_one)
            d.callback(0)
        assert d.result == 1

    return run


def fire_ten(defer: Unknown, depth: int = DEPTH) -> Run:
    """Ten callbacks, or another number."""
    Deferred = defer.Deferred

    def run(times: int) -> None:
        for _ in range(times):
            d = Deferred()
            for _ in range(depth):
                d.addCallback(plus_one)
            d.callback(0)
        assert d.result == depth

    return run


def chain_fired(defer: Unknown, depth: int = DEPTH) -> Run:
    """Ten callbacks, or another number, each of which returns a fired Deferred."""
    Deferred, succeed = defer.Deferred, defer.succeed

    def later(value: int) -> Unknown:
        return succeed(value + 1)

    def run(times: int) -> None:
        for _ in range(times):
            d = Deferred()
            for _ in range(depth):
                d.addCallback(later)
            d.callback(0)
        assert d.result == depth

    return run


def chain_pending(defer: Unknown) -> Run:
    """Ten callbacks, each of which returns a pending Deferred; those fire one after another."""
    Deferred = defer.Deferred

    def run(times: int) -> None:
        for _ in range(times):
            waiting = [Deferred() for _ in range(DEPTH)]
            each = iter(waiting)

            def later(_: int, each: Unknown = each) -> Unknown:
                return next(each)

            d = Deferred()
            for _ in range(DEPTH):
                d.addCallback(later)
            d.callback(0)
            for number, inner in enumerate(waiting, 1):
                inner.callback(number)
        assert d.result == DEPTH

    return run


def chain_nested(defer: Unknown, depth: int = DEPTH) -> Run:
    """Each of ten Deferreds, or more, waits for the next; the result goes up through all."""
    Deferred = defer.Deferred

    def replace(_: int, inner: Unknown) -> Unknown:
        return inner

    def run(times: int) -> None:
        for _ in range(times):
            outermost = d = Deferred()
            waiting = [d]
            for _ in range(depth):
                inner = Deferred()
                d.addCallback(replace, inner)
                waiting.append(inner)
                d = inner
            for d in waiting:
                d.callback(depth)
        assert outermost.result == depth

    return run


def gather(defer: Unknown) -> Run:
    """`gatherResults` of a hundred, which fire afterwards."""
    Deferred, gatherResults = defer.Deferred, defer.gatherResults

    def run(times: int) -> None:
        for _ in range(times):
            waiting = [Deferred() for _ in range(WIDTH)]
            d = gatherResults(waiting)
            for number, inner in enumerate(waiting):
                inner.callback(number)
        assert d.result == [*range(WIDTH)]

    return run


def inline_fired(defer: Unknown) -> Run:
    """An `inlineCallbacks` generator that yields ten fired Deferreds."""
    succeed = defer.succeed

    def generator() -> Generator[Unknown, int, int]:
        total = 0
        for _ in range(DEPTH):
            total += yield succeed(1)
        return total

    decorated: Unknown = defer.inlineCallbacks(generator)

    def run(times: int) -> None:
        for _ in range(times):
            d = decorated()
        assert d.result == DEPTH

    return run


def inline_pending(defer: Unknown) -> Run:
    """An `inlineCallbacks` generator that yields ten pending Deferreds, which fire in turn."""
    Deferred = defer.Deferred

    def generator(waiting: list[Unknown]) -> Generator[Unknown, int, int]:
        total = 0
        for inner in waiting:
            total += yield inner
        return total

    decorated: Unknown = defer.inlineCallbacks(generator)

    def run(times: int) -> None:
        for _ in range(times):
            waiting = [Deferred() for _ in range(DEPTH)]
            d = decorated(waiting)
            for inner in waiting:
                inner.callback(1)
        assert d.result == DEPTH

    return run


def coroutine_fired(defer: Unknown) -> Run:
    """A coroutine that awaits ten fired Deferreds."""
    succeed, ensureDeferred = defer.succeed, defer.ensureDeferred

    async def coroutine() -> int:
        total = 0
        for _ in range(DEPTH):
            total += await succeed(1)
        return total

    def run(times: int) -> None:
        for _ in range(times):
            d = ensureDeferred(coroutine())
        assert d.result == DEPTH

    return run


def coroutine_pending(defer: Unknown) -> Run:
    """A coroutine that awaits ten pending Deferreds, which fire in turn."""
    Deferred, ensureDeferred = defer.Deferred, defer.ensureDeferred

    async def coroutine(waiting: list[Unknown]) -> int:
        total = 0
        for inner in waiting:
            total += await inner
        return total

    def run(times: int) -> None:
        for _ in range(times):
            waiting = [Deferred() for _ in range(DEPTH)]
            d = ensureDeferred(coroutine(waiting))
            for inner in waiting:
                inner.callback(1)
        assert d.result == DEPTH

    return run


def raise_to_errback(defer: Unknown) -> Run:
    """A callback raises; an errback traps that and returns."""
    Deferred = defer.Deferred

    def fails(_: int) -> None:
        raise ValueError("wrong")

    def recovers(failure: Unknown) -> int:
        failure.trap(ValueError)
        return 1

    def run(times: int) -> None:
        for _ in range(times):
            d = Deferred()
            d.addCallback(fails)
            d.addErrback(recovers)
            d.callback(0)
        assert d.result == 1

    return run


def cancel(defer: Unknown) -> Run:
    """A pending Deferred with a canceller is cancelled; an errback consumes that."""
    Deferred = defer.Deferred

    def canceller(_: Unknown) -> None:
        pass

    def consume(_: Unknown) -> int:
        return 1

    def run(times: int) -> None:
        for _ in range(times):
            d = Deferred(canceller)
            d.addErrback(consume)
            d.cancel()
        assert d.result == 1

    return run
