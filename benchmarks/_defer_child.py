"""
Measure operations of one peer, as they are asked for; run in a child process.

Each line on stdin is `KEY SECONDS REPEATS`, or `KEY:DEPTH SECONDS REPEATS` for chains of
other lengths than ten. The answer is the repeat that took the least CPU time: how many
operations, CPU seconds, wall-clock seconds.

Usage: python -m benchmarks._defer_child reactorlib|twisted|asyncio
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module

from benchmarks import _defer_loop as loop
from benchmarks import _defer_programs as alone
from benchmarks._defer_programs import Program, Run, Unknown

DEFERRED: dict[str, Program] = {
    "fire-one": alone.fire_one,
    "fire-ten": alone.fire_ten,
    "chain-fired": alone.chain_fired,
    "chain-pending": alone.chain_pending,
    "chain-nested": alone.chain_nested,
    "gather": alone.gather,
    "inline-fired": alone.inline_fired,
    "inline-pending": alone.inline_pending,
    "coroutine-fired": alone.coroutine_fired,
    "coroutine-pending": alone.coroutine_pending,
    "raise": alone.raise_to_errback,
    "cancel": alone.cancel,
    "loop-fired": loop.loop_coroutine_fired,
    "loop-pending": loop.loop_coroutine_pending,
    "as-future": loop.task_await_as_future,
}

#: What Twisted cannot do: a task of asyncio's cannot await its Deferreds.
REACTORLIB_ONLY: dict[str, Program] = {"task-await": loop.task_await_pending}

ASYNCIO: dict[str, Callable[[], Run]] = {
    "fire-one": partial(loop.asyncio_fire, 1),
    "fire-ten": partial(loop.asyncio_fire, 10),
    "gather": loop.asyncio_gather,
    "cancel": loop.asyncio_cancel,
    "loop-fired": loop.asyncio_task_done,
    "loop-pending": loop.asyncio_task_pending,
    "task-await": loop.asyncio_await_pending,
    "as-future": loop.asyncio_await_pending,
}

#: Which operations each peer has.
OPERATIONS: dict[str, frozenset[str]] = {
    "reactorlib": frozenset(DEFERRED | REACTORLIB_ONLY),
    "twisted": frozenset(DEFERRED),
    "asyncio": frozenset(ASYNCIO),
}


#: Operations that can be deeper than ten.
DEEPER: dict[str, Callable[[Unknown, int], Run]] = {
    "fire-ten": alone.fire_ten,
    "chain-fired": alone.chain_fired,
    "chain-nested": alone.chain_nested,
}


def find(peer: str, key: str, depth: str) -> Run:
    """Return what does the operation."""
    if depth:
        if peer == "asyncio":
            return loop.asyncio_fire(int(depth))
        return DEEPER[key](import_module(f"{peer}.internet.defer"), int(depth))
    if peer == "asyncio":
        return ASYNCIO[key]()
    return (DEFERRED | REACTORLIB_ONLY)[key](import_module(f"{peer}.internet.defer"))


def timed(run: Run, times: int) -> tuple[float, float]:
    """Return the CPU seconds and the wall-clock seconds that so many operations take."""
    start, cpu = time.perf_counter(), time.process_time()
    run(times)
    return time.process_time() - cpu, time.perf_counter() - start


def measure(run: Run, seconds: float, repeats: int) -> tuple[int, float, float]:
    """
    Measure the operation.

    The garbage collector works as ever, and starts from a clean heap.

    Args:
        run: does it.
        seconds: how long each repeat is to take, at least.
        repeats: how often to measure.

    Returns:
        the best repeat: number of operations, CPU seconds, wall-clock seconds.
    """
    times, cpu = 1, 0.0
    while True:  # this warms up, too
        cpu, _ = timed(run, times)
        if cpu >= seconds / 5:
            break
        times *= 4
    times = int(times * 1.05 * seconds / cpu) + 1
    gc.collect()
    best = min(timed(run, times) for _ in range(repeats))
    return times, *best


def main() -> None:
    """Answer until stdin closes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=OPERATIONS)
    peer = parser.parse_args().peer
    for line in sys.stdin:
        operation, seconds, repeats = line.split()
        key, _, depth = operation.partition(":")
        run = find(peer, key, depth)
        print(*measure(run, float(seconds), int(repeats)), flush=True)


if __name__ == "__main__":
    main()
