"""
What the Deferred benchmark measures inside a running loop: Deferreds and asyncio's futures.

A loop turn costs a system call, which would hide what is to be compared. So a
hundred of each operation are under way at a time, as in a busy server, and share
the turns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from benchmarks._defer_programs import DEPTH, WIDTH, Run, Unknown, plus_one

#: How many operations are under way at a time.
BATCH = 100

#: How many times a task awaits, where what counts is one `await`.
AWAITS = 100

Loop = asyncio.AbstractEventLoop

#: Starts one operation inside the loop; returns the Deferred or future to ask for its outcome.
Start = Callable[[], Unknown]

Coro = Callable[[], Coroutine[Unknown, Any, int]]


def of_deferred(d: Unknown) -> Unknown:
    """Return the result of a Deferred, or None while it has none."""
    return d.result if d.called else None


def of_future(future: Unknown) -> Unknown:
    """Return the result of a future, or None while it has none."""
    return future.result() if future.done() else None


def of_cancelled(future: Unknown) -> Unknown:
    """Return True for a cancelled future, and None for others."""
    return future.cancelled() or None


def in_batches(
    make: Callable[[Loop], Start],
    outcome: Callable[[Unknown], Unknown],
    expected: object,
    batch: int = BATCH,
    counted: int = 1,
) -> Run:
    """
    Run an operation in a loop, from its callbacks rather than from a task.

    Operations end in the order in which they started: when the last of a batch
    is done, all are.

    Args:
        make: given the loop, returns what starts one operation.
        outcome: returns the outcome of what was started, or None while there is none.
        expected: that outcome.
        batch: how many are started at a time.
        counted: how many operations each of them counts as.
    """

    def run(times: int) -> None:
        loop = asyncio.new_event_loop()
        start = make(loop)
        left = -(-times // counted)
        last: Unknown = None

        def turn() -> None:
            nonlocal last, left
            if last is None or outcome(last) is not None:
                if left <= 0:
                    loop.stop()
                    return
                for _ in range(min(left, batch)):
                    last = start()
                left -= batch
            loop.call_soon(turn)

        loop.call_soon(turn)
        loop.run_forever()
        loop.close()
        assert outcome(last) == expected

    return run


# -- Deferreds ------------------------------------------------------------------


def _await_fired(defer: Unknown, times: int) -> Coro:
    succeed = defer.succeed

    async def coroutine() -> int:
        total = 0
        for _ in range(times):
            total += await succeed(1)
        return total

    return coroutine


def _await_pending(defer: Unknown, loop: Loop, times: int) -> Coro:
    Deferred, call_soon = defer.Deferred, loop.call_soon

    async def coroutine() -> int:
        total = 0
        for _ in range(times):
            d = Deferred()
            call_soon(d.callback, 1)
            total += await d
        return total

    return coroutine


def _await_as_future(defer: Unknown, loop: Loop, times: int) -> Coro:
    Deferred, call_soon = defer.Deferred, loop.call_soon

    async def coroutine() -> int:
        total = 0
        for _ in range(times):
            d = Deferred()
            call_soon(d.callback, 1)
            total += await d.asFuture(loop)
        return total

    return coroutine


def _in_coroutines(defer: Unknown, make: Callable[[Loop], Coro]) -> Run:
    """Run each under `ensureDeferred`."""
    ensureDeferred = defer.ensureDeferred

    def starting(loop: Loop) -> Start:
        coroutine = make(loop)
        return lambda: ensureDeferred(coroutine())

    return in_batches(starting, of_deferred, DEPTH)


def loop_coroutine_fired(defer: Unknown) -> Run:
    """A coroutine under a Deferred that awaits ten fired Deferreds."""
    return _in_coroutines(defer, lambda loop: _await_fired(defer, DEPTH))


def loop_coroutine_pending(defer: Unknown) -> Run:
    """A coroutine under a Deferred that awaits ten Deferreds, fired by the loop."""
    return _in_coroutines(defer, lambda loop: _await_pending(defer, loop, DEPTH))


def task_await_pending(defer: Unknown) -> Run:
    """One `await` of a pending Deferred in a task of asyncio's."""
    return _in_tasks(lambda loop: _await_pending(defer, loop, AWAITS), AWAITS, AWAITS)


def task_await_as_future(defer: Unknown) -> Run:
    """One `await d.asFuture(loop)` in a task of asyncio's."""
    return _in_tasks(lambda loop: _await_as_future(defer, loop, AWAITS), AWAITS, AWAITS)


# -- asyncio's futures and tasks -------------------------------------------------


def _await_done_futures(loop: Loop, times: int) -> Coro:
    create_future = loop.create_future

    async def coroutine() -> int:
        total = 0
        for _ in range(times):
            future = create_future()
            future.set_result(1)
            total += await future
        return total

    return coroutine


def _await_pending_futures(loop: Loop, times: int) -> Coro:
    create_future, call_soon = loop.create_future, loop.call_soon

    async def coroutine() -> int:
        total = 0
        for _ in range(times):
            future = create_future()
            call_soon(future.set_result, 1)
            total += await future
        return total

    return coroutine


def _in_tasks(make: Callable[[Loop], Coro], expected: int, counted: int = 1) -> Run:
    """Run each in a task of asyncio's."""

    def starting(loop: Loop) -> Start:
        create_task, coroutine = loop.create_task, make(loop)
        return lambda: create_task(coroutine())

    return in_batches(starting, of_future, expected, counted=counted)


def asyncio_task_done() -> Run:
    """A task that awaits ten futures that are done."""
    return _in_tasks(lambda loop: _await_done_futures(loop, DEPTH), DEPTH)


def asyncio_task_pending() -> Run:
    """A task that awaits ten futures, resolved by the loop."""
    return _in_tasks(lambda loop: _await_pending_futures(loop, DEPTH), DEPTH)


def asyncio_await_pending() -> Run:
    """One `await` of a pending future."""
    return _in_tasks(lambda loop: _await_pending_futures(loop, AWAITS), AWAITS, AWAITS)


def asyncio_fire(callbacks: int) -> Run:
    """A future with so many callbacks."""

    def called_back(future: asyncio.Future[int]) -> None:
        plus_one(future.result())

    def starting(loop: Loop) -> Start:
        create_future = loop.create_future

        def start() -> asyncio.Future[int]:
            future = create_future()
            for _ in range(callbacks):
                future.add_done_callback(called_back)
            future.set_result(0)
            return future  # its callbacks run before it is asked

        return start

    # No more callbacks at a time than ten of them have in a full batch.
    batch = max(1, min(BATCH, BATCH * DEPTH // callbacks))
    return in_batches(starting, of_future, 0, batch)


def asyncio_cancel() -> Run:
    """A future with one callback is cancelled."""

    def consume(_: asyncio.Future[int]) -> int:
        return 1

    def starting(loop: Loop) -> Start:
        create_future = loop.create_future

        def start() -> asyncio.Future[int]:
            future = create_future()
            future.add_done_callback(consume)
            future.cancel()
            return future

        return start

    return in_batches(starting, of_cancelled, True)


def asyncio_gather() -> Run:
    """`asyncio.gather` of a hundred futures, which are resolved afterwards."""

    def starting(loop: Loop) -> Start:
        create_future = loop.create_future

        def start() -> asyncio.Future[list[int]]:
            waiting = [create_future() for _ in range(WIDTH)]
            gathered = asyncio.gather(*waiting)
            for number, future in enumerate(waiting):
                future.set_result(number)
            return gathered

        return start

    return in_batches(starting, of_future, [*range(WIDTH)], batch=1)
