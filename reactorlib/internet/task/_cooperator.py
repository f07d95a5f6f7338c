"""
Iterators that share the reactor's time.

A `Cooperator` takes one step of each of its tasks in turn, for a slice of time
(10 ms), then lets the reactor do everything else that waits, and goes on.

A `CooperativeTask` is running (in `Cooperator._tasks`, which is in the order of
the turns); paused (out of it), as often as `_pause_count` says, which includes
once for a Deferred that its iterator has yielded; or over: `_over` then says
how, and `_result` is what `whenDone()` gives.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from reactorlib.internet._current import current_reactor
from reactorlib.internet._delayed import DelayedCall
from reactorlib.internet.defer import Deferred, ensureDeferred
from reactorlib.internet.interfaces import IDelayedCall
from reactorlib.internet.task._errors import (
    NotPaused,
    SchedulerError,
    SchedulerStopped,
    TaskDone,
    TaskFailed,
    TaskStopped,
)
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

if TYPE_CHECKING:
    from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor

__all__ = ["CooperativeTask", "Cooperator", "coiterate", "cooperate"]

_log = logging.getLogger("reactorlib.internet.task")

_I = TypeVar("_I", bound=Iterator[Any])

#: How long a cooperator works at a time, in seconds: what other callbacks may have
#: to wait, and next to nobody notices.
_SLICE = 0.01

#: What an exhausted iterator gives.
_END = object()


class CooperativeTask(Generic[_I]):
    """An iterator that a `Cooperator` works through; `cooperate()` makes them."""

    def __init__(self, iterator: _I, cooperator: Cooperator) -> None:
        if not hasattr(iterator, "__next__"):
            raise TypeError(
                f"{iterator!r} is not an iterator; pass a generator, or iter() of what it is"
            )
        self._iterator = iterator
        self._cooperator = cooperator
        self._context = contextvars.copy_context()
        self._pause_count = 0
        self._observers: list[Deferred[_I]] = []
        self._over: SchedulerError | None = None
        self._result: Any = None
        cooperator._add(self)

    def whenDone(self) -> Deferred[_I]:
        """
        A Deferred of one's own that tells of the end.

        It fires with the iterator once that is exhausted, and fails with what the
        iterator has raised, with what a Deferred that it yielded has failed with,
        with `TaskStopped`, or with `SchedulerStopped`. Cancelling it stops
        nothing.
        """
        if self._over is not None:
            over: Deferred[_I] = Deferred()
            over.callback(self._result)
            return over
        d: Deferred[_I] = Deferred(self._forget)
        self._observers.append(d)
        return d

    def _forget(self, observer: Deferred[_I]) -> None:
        self._observers.remove(observer)

    def pause(self) -> None:
        """
        Take no step until `resume()` has been called as often as this.

        Raises:
            TaskFinished: it is over.
        """
        self._must_not_be_over()
        self._pause_count += 1
        if self._pause_count == 1:
            self._cooperator._remove(self)

    def resume(self) -> None:
        """
        Take one `pause()` back. Of a task that is over nothing comes any more.

        Raises:
            NotPaused: it is not paused.
        """
        if self._pause_count == 0:
            raise NotPaused
        self._pause_count -= 1
        if self._pause_count == 0 and self._over is None:
            self._cooperator._add(self)

    def stop(self) -> None:
        """
        Take no step any more. A Deferred that is waited for is left alone.

        Raises:
            TaskFinished: it is over.
        """
        self._must_not_be_over()
        self._finish(TaskStopped(), Failure(TaskStopped()))

    def _must_not_be_over(self) -> None:
        if self._over is not None:
            raise type(self._over)

    def _abandon(self, _: object) -> None:
        """The only one who waits for it does so no longer."""
        if self._over is None:
            self._observers.clear()
            self.stop()

    def _finish(self, over: SchedulerError, result: _I | Failure) -> None:
        self._over = over
        self._result = result
        if not self._pause_count:
            self._cooperator._remove(self)
        # The last thing, since whoever is told may do anything to the cooperator.
        while self._observers:
            self._observers.pop(0).callback(result)

    def _step(self) -> None:
        """Take one step."""
        try:
            value = self._context.run(next, self._iterator, _END)
        except BaseException as exception:
            self._has_failed(Failure(exception))
            if isinstance(exception, (KeyboardInterrupt, SystemExit)):
                raise
            return
        if self._over is not None:
            return  # the iterator has stopped its own task
        if value is _END:
            self._finish(TaskDone(), self._iterator)
        elif value is not None:
            self._wait_for(value)

    def _has_failed(self, failure: Failure) -> None:
        if self._over is None:
            self._finish(TaskFailed(), failure)
        else:
            report(_log, f"{self._iterator!r} failed in a task that is over", failure)

    def _wait_for(self, value: object) -> None:
        """Wait for what the iterator has yielded, if it is something to wait for."""
        if isinstance(value, Deferred):
            d = value
        elif isinstance(value, CoroutineType):
            d = self._context.run(ensureDeferred, value)
        elif asyncio.isfuture(value):
            d = Deferred.fromFuture(value)
        else:
            return
        self.pause()
        d.addCallbacks(self._has_waited, self._has_waited_in_vain)

    def _has_waited(self, _: object) -> None:
        self.resume()

    def _has_waited_in_vain(self, failure: Failure) -> Failure | None:
        if self._over is not None:
            return failure  # no longer ours
        self._finish(TaskFailed(), failure)
        return None

    def __repr__(self) -> str:
        if self._over is not None:
            state = f"over ({type(self._over).__name__})"
        else:
            state = "paused" if self._pause_count else "running"
        return f"<CooperativeTask of {self._iterator!r}, {state}>"


class _Slice:
    """Whether a slice of time is over; it begins when this is made."""

    def __init__(self) -> None:
        self._end = time.monotonic() + _SLICE

    def __call__(self) -> bool:
        return time.monotonic() >= self._end


def _soon(callable: Callable[[], None]) -> IDelayedCall:
    """The default scheduler: at the next turn of the reactor of the running loop."""
    from reactorlib.internet import reactor

    return reactor.callLater(0, callable)


class Cooperator:
    """
    Works through any number of iterators, a step of each in turn.

    A step is one item of the iterator. Where the item is a Deferred, a coroutine
    or a future, the next step of that iterator waits for it, and its failure is
    the failure of the task. Each iterator runs in the context in which it was
    handed over. A cooperator works in one loop.

    Most programs use `task.cooperate`, whose cooperator is that of the loop:
    several cooperators know nothing of each other.

    Args:
        terminationPredicateFactory: called at the beginning of each slice; what
            it returns is called after each step, and ends the slice by a true
            value. By default a slice lasts 10 ms.
        scheduler: called with a function that it is to call later; what it
            returns has a `cancel()`. By default slices are one turn of the
            reactor apart.
        started: whether to begin at once, rather than with `start()`.
    """

    def __init__(
        self,
        terminationPredicateFactory: Callable[[], Callable[[], bool]] = _Slice,
        scheduler: Callable[[Callable[[], None]], Any] = _soon,
        started: bool = True,
    ) -> None:
        self._predicate_factory = terminationPredicateFactory
        self._scheduler = scheduler
        self._started = started
        self._stopped = False
        #: Those that are not paused, in the order of their turns.
        self._tasks: OrderedDict[CooperativeTask[Any], None] = OrderedDict()
        #: What is to begin the next slice.
        self._call: Any = None

    @property
    def running(self) -> bool:
        """Whether it has been started and not stopped."""
        return self._started and not self._stopped

    def cooperate(self, iterator: _I) -> CooperativeTask[_I]:
        """
        Begin to work through an iterator.

        Returns:
            the task, by which it can be paused and stopped, and asked for the end.

        Raises:
            TypeError: it is not an iterator.
        """
        return CooperativeTask(iterator, self)

    def coiterate(self, iterator: _I, doneDeferred: Deferred[_I] | None = None) -> Deferred[_I]:
        """
        Begin to work through an iterator.

        Args:
            doneDeferred: a Deferred to fire in place of a new one.

        Returns:
            a Deferred that fires and fails as that of `CooperativeTask.whenDone()`.
            Cancelling it stops the work, unless it is one of the caller's own.

        Raises:
            TypeError: it is not an iterator.
        """
        task = CooperativeTask(iterator, self)
        if doneDeferred is None:
            doneDeferred = Deferred(task._abandon)
        task.whenDone().chainDeferred(doneDeferred)
        return doneDeferred

    def start(self) -> None:
        """Begin to take steps, or begin again after a `stop()`."""
        self._stopped = False
        self._started = True
        self._schedule()

    def stop(self) -> None:
        """
        Take no steps any more. Every task fails with `SchedulerStopped`: those that
        run now; those that are paused once they are resumed; new ones at once.
        """
        self._stopped = True
        while self._tasks:
            self._refuse(next(iter(self._tasks)))

    @staticmethod
    def _refuse(task: CooperativeTask[Any]) -> None:
        task._finish(SchedulerStopped(), Failure(SchedulerStopped()))

    def _add(self, task: CooperativeTask[Any]) -> None:
        self._tasks[task] = None
        if self._stopped:
            self._refuse(task)
        else:
            self._schedule()

    def _remove(self, task: CooperativeTask[Any]) -> None:
        del self._tasks[task]
        if not self._tasks and self._call is not None:
            call, self._call = self._call, None
            call.cancel()

    def _schedule(self) -> None:
        if self._call is not None and _dropped(self._call):
            self._call = None
        if self._tasks and self.running and self._call is None:
            self._call = self._scheduler(self._tick)

    def _tick(self) -> None:
        """Work for one slice."""
        self._call = None
        try:
            is_over = self._predicate_factory()
            while self._tasks:
                task = next(iter(self._tasks))
                self._tasks.move_to_end(task)
                task._step()
                if is_over():
                    break
        finally:
            self._schedule()


def _dropped(call: object) -> bool:
    """Whether a reactor has ended before it made a delayed call."""
    return isinstance(call, DelayedCall) and call.func is None


_cooperators: WeakKeyDictionary[AsyncioSelectorReactor, Cooperator] = WeakKeyDictionary()


def _cooperator() -> Cooperator:
    """The cooperator of the current reactor, and so of the loop that runs."""
    reactor = current_reactor()
    cooperator = _cooperators.get(reactor)
    if cooperator is None:
        cooperator = _cooperators[reactor] = Cooperator()
    return cooperator


def cooperate(iterator: _I) -> CooperativeTask[_I]:
    """
    Work through an iterator, a step at a time, while the reactor does other work.

    Every iterator that is given to this in one loop gets its share of the time.
    Where it yields a Deferred, a coroutine or a future, its next step waits for
    that. It runs in the context in which this is called.

    Returns:
        the task, by which it can be paused and stopped, and asked for the end.

    Raises:
        TypeError: it is not an iterator.
    """
    return _cooperator().cooperate(iterator)


def coiterate(iterator: _I) -> Deferred[_I]:
    """
    Work through an iterator as `cooperate` does.

    Returns:
        a Deferred that fires and fails as that of `CooperativeTask.whenDone()`.
        Cancelling it stops the work.

    Raises:
        TypeError: it is not an iterator.
    """
    return _cooperator().coiterate(iterator)
