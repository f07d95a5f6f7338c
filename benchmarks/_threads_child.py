"""
Measure one way into threads or back, for one peer; run in a child process.

It prints one line: how many calls there were, and of the repeat that took the
least CPU time, over all threads, the user, system and wall-clock seconds.

Usage: python -m benchmarks._threads_child PEER LOOP OPERATION COUNT REPEATS
"""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module

from benchmarks._batch import Sampler, Unknown, parse_arguments, reactor_of

#: As many threads as a reactor's pool has.
THREADS = 10

#: Calls before the first that counts: they start the threads.
WARM_UP = 200


@dataclass(frozen=True, slots=True)
class Threads:
    """
    A loop's or a reactor's threads, as a program uses them.

    Args:
        defer: calls its first argument in a thread, and then the second in the loop.
        call_in_thread: calls a function in a thread.
        call_from_thread: has the loop call a function.
        stop: ends the loop.
    """

    defer: Callable[[Callable[[], object], Callable[[Unknown], object]], object]
    call_in_thread: Callable[[Callable[[], object]], object]
    call_from_thread: Callable[[Callable[[], object]], object]
    stop: Callable[[], object]


def nothing() -> None:
    """What is called."""


def one_by_one(threads: Threads, count: int, done: Callable[[], object]) -> None:
    """Call in a thread, wait for the result, and call again."""
    chain(threads, count, 1, done)


def side_by_side(threads: Threads, count: int, done: Callable[[], object]) -> None:
    """The same with as many calls under way as there are threads."""
    chain(threads, count, THREADS, done)


def chain(threads: Threads, count: int, width: int, done: Callable[[], object]) -> None:
    """Make calls in threads, `width` at a time."""
    begun = returned = 0

    def begin() -> None:
        nonlocal begun
        begun += 1
        threads.defer(nothing, one_returned)

    def one_returned(_: Unknown) -> None:
        nonlocal returned
        returned += 1
        if begun < count:
            begin()
        elif returned == count:
            done()

    for _ in range(min(width, count)):
        begin()


def into(threads: Threads, count: int, done: Callable[[], object]) -> None:
    """Give many calls to threads, whose results nobody wants."""
    made = itertools.count(1)

    def work() -> None:
        if next(made) == count:
            threads.call_from_thread(done)

    for _ in range(count):
        threads.call_in_thread(work)


def back(threads: Threads, count: int, done: Callable[[], object]) -> None:
    """Have a thread ask the loop for many calls."""
    made = 0

    def one() -> None:
        nonlocal made
        made += 1
        if made == count:
            done()

    def flood() -> None:
        for _ in range(count):
            threads.call_from_thread(one)

    threads.call_in_thread(flood)


Operation = Callable[[Threads, int, Callable[[], object]], None]

OPERATIONS: dict[str, Operation] = {
    "one-by-one": one_by_one,
    "side-by-side": side_by_side,
    "into": into,
    "back": back,
}


class Measurement:
    """An operation that is measured while the loop runs."""

    def __init__(self, threads: Threads, operation: Operation, sampler: Sampler) -> None:
        self._threads = threads
        self._operation = operation
        self._sampler = sampler

    def begin(self) -> None:
        """Warm up first."""
        self._operation(self._threads, WARM_UP, self._again)

    def _again(self) -> None:
        # From a call of its own, in which nothing of the last repeat is under way.
        self._threads.call_from_thread(self._measure)

    def _measure(self) -> None:
        gc.collect()
        self._sampler.start()
        self._operation(self._threads, self._sampler.count, self._end)

    def _end(self) -> None:
        if self._sampler.stop():
            self._again()
        else:
            self._sampler.report()
            self._threads.stop()


def run_raw(loop_name: str, begin: Callable[[Threads], None]) -> None:
    """Measure a loop's own ways: its executor, and `call_soon_threadsafe`."""
    loop: asyncio.AbstractEventLoop = import_module(loop_name).new_event_loop()
    executor = ThreadPoolExecutor(THREADS)
    loop.set_default_executor(executor)

    def defer(function: Callable[[], object], done: Callable[[Unknown], object]) -> None:
        loop.run_in_executor(None, function).add_done_callback(done)

    threads = Threads(defer, executor.submit, loop.call_soon_threadsafe, loop.stop)
    loop.call_soon(begin, threads)
    loop.run_forever()
    executor.shutdown()


def run_reactor(package: str, loop: str, begin: Callable[[Threads], None]) -> None:
    """Measure the ways of reactorlib or Twisted: they run the same program."""
    reactor, options = reactor_of(package, loop)
    deferToThread: Unknown = import_module(f"{package}.internet.threads").deferToThread

    def defer(function: Callable[[], object], done: Callable[[Unknown], object]) -> None:
        deferToThread(function).addCallback(done)

    def start() -> None:
        # Looked up for each call, as programs do.
        begin(
            Threads(
                defer,
                lambda function: reactor.callInThread(function),
                lambda function: reactor.callFromThread(function),
                reactor.stop,
            )
        )

    reactor.callWhenRunning(start)
    reactor.run(**options)


def main() -> None:
    """Measure, print and end."""
    options = parse_arguments(__doc__, OPERATIONS)

    def begin(threads: Threads) -> None:
        operation = OPERATIONS[options.operation]
        Measurement(threads, operation, Sampler(options.count, options.repeats)).begin()

    if options.package == "raw":
        run_raw(options.loop, begin)
    else:
        run_reactor(options.package, options.loop, begin)


if __name__ == "__main__":
    main()
