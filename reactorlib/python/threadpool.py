"""
A pool of threads that work is given to.

The threads share a `_Crew`, which is all that they refer to; the `ThreadPool` is
what its user holds. A pool that is forgotten is collected, and its threads end.

Work goes from hand to hand, under one lock: to an idle thread, which waits at the
crew's `door`; else to a new thread, while there are fewer than `max`; else to the
backlog, from which a thread takes its next work before it becomes idle. A thread
counts as idle only while nothing is on its way to it, so work never waits while
a thread could have been started for it. (`concurrent.futures` has a pool too. It
takes no work before it starts, starts no threads ahead, does not shrink, and
cannot tell idle threads from busy ones, all of which this one has to.)

The threads are daemons, so that a pool that nobody stops does not keep the
process: when Python exits, each pool finishes what it has been given, as
`concurrent.futures` does, and Ctrl-C ends even that.
"""

from __future__ import annotations

import atexit
import contextvars
import functools
import logging
import queue
import threading
import warnings
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from reactorlib.python._report import report
from reactorlib.python.failure import Failure

__all__ = ["ThreadPool"]

_log = logging.getLogger("reactorlib.python.threadpool")

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: What is told how work ended: whether well, and the result or the Failure.
_OnResult = Callable[[bool, Any], object]


class _Work:
    """A call to be made in a thread, in the context in which it was asked for."""

    __slots__ = ("args", "context", "function", "kwargs", "on_result")

    def __init__(
        self,
        on_result: _OnResult | None,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self.context = contextvars.copy_context()
        self.on_result = on_result
        self.function: Callable[..., Any] | None = function
        self.args = args
        self.kwargs = kwargs

    def perform(self) -> None:
        """Make the call, and tell how it ended."""
        well, result = self._outcome()
        on_result, self.on_result = self.on_result, None
        if on_result is not None:
            try:
                on_result(well, result)
            except BaseException as exception:
                report(_log, f"{on_result!r} failed", Failure(exception))
        elif not well:
            report(_log, "a function called in a thread failed", result)

    def _outcome(self) -> tuple[bool, Any]:
        """Make the call; nothing of it is kept when it has returned."""
        function, args, kwargs = self.function, self.args, self.kwargs
        self.function, self.args, self.kwargs = None, (), {}
        assert function is not None
        try:
            return True, function(*args, **kwargs)
        except BaseException as exception:
            # Even SystemExit: it is handed to whoever asked, not swallowed.
            return False, Failure(exception)


class _Crew:
    """
    The threads of a pool between `start` and `stop`, and what they share.

    Attributes:
        threads: those that live, and maybe some that have ended.
        living: how many have not ended.
        size: how many of these have not been sent away.
        idle: how many have nothing to do, and nothing on its way to them.
        limit: how many there may be.
        leaving: how many are to end when they are idle, whatever the limit.
        passing: whether each is to end when it is idle.
        ending: whether all are to end, once the backlog is worked off.
        gone: what the last one calls when it ends.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.door: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self.backlog: deque[_Work] = deque()
        self.threads: list[threading.Thread] = []
        self.living = 0
        self.size = 0
        self.idle = 0
        self.limit = 0
        self.leaving = 0
        self.passing = False
        self.ending = False
        self.gone: Callable[[], object] | None = None

    def work(self, work: _Work | None, begin: Callable[[], object] | None) -> None:
        """What a thread does until it is sent away."""
        if begin is not None:
            begin()
        while work is not None or (work := self._next()) is not None:
            work.context.run(work.perform)
            work = None
        with self.lock:
            self.living -= 1
            gone = None if self.living else self.gone
        if gone is not None:
            gone()

    def _next(self) -> _Work | None:
        """Wait for something to do; None to end."""
        with self.lock:
            # One that is to leave may be the only one: it works off what waits first.
            if self.leaving and not self.backlog:
                self.leaving -= 1
                self.size -= 1
                return None
            # The last one does not leave work behind.
            if self.size > self.limit and (self.size > 1 or not self.backlog):
                self.size -= 1
                return None
            if self.backlog:
                return self.backlog.popleft()
            if self.passing or self.ending:
                self.size -= 1
                return None
            self.idle += 1
        work = self.door.get()
        if work is None and self.ending:
            self.door.put(None)  # for the next one
        return work

    def send_away(self, number: int) -> None:
        """That many idle threads are to end. The lock is held."""
        for _ in range(min(number, self.idle)):
            self.idle -= 1
            self.size -= 1
            self.door.put(None)

    def end(self) -> None:
        """
        All are to end. It takes no lock, as the garbage collector may call it at
        any moment: the first idle thread to hear of it tells the next.
        """
        self.ending = True
        self.door.put(None)

    def leave(self) -> None:
        """Nobody waits for it when Python exits."""
        _at_work.discard(self)


#: The crews that may have threads.
_at_work: weakref.WeakSet[_Crew] = weakref.WeakSet()


@functools.cache
def _finish_at_exit() -> None:
    """When Python exits, let every crew finish."""

    def finish() -> None:
        crews = list(_at_work)
        for crew in crews:
            crew.end()
        for crew in crews:
            for thread in crew.threads:
                thread.join()

    atexit.register(finish)


class _Backlog:
    """The work that waits for a thread, as far as `ThreadPool.q` shows it."""

    def __init__(self, backlog: deque[_Work]) -> None:
        self._backlog = backlog

    def qsize(self) -> int:
        """How much there is."""
        return len(self._backlog)


class ThreadPool:
    """
    A pool of threads.

    Work may be given to it in any thread, and before it is started: then it is
    done once it is. It starts with `min` threads, and has more, up to `max`, as
    long as there is work for them.

    Args:
        minthreads: how many threads there are at least.
        maxthreads: how many there are at most.
        name: goes into the names of the threads.

    Attributes:
        min, max, name: as given, or as adjusted.
        started: whether it runs.
        joined: whether it has been stopped.
        threadFactory: what makes a thread; called as `threading.Thread` is.
    """

    min = 5
    max = 20
    joined = False
    started = False
    name: str | None = None
    threadFactory: Callable[..., threading.Thread] = threading.Thread

    #: Called first in each thread, if not None.
    _begin: Callable[[], object] | None = None

    #: Whether each thread ends as soon as it has nothing to do.
    _passing = False

    def __init__(self, minthreads: int = 5, maxthreads: int = 20, name: str | None = None) -> None:
        _check_size(minthreads, maxthreads)
        self.min = minthreads
        self.max = maxthreads
        self.name = name
        self._named = 0
        self._crew = _Crew()
        self._forgotten: weakref.finalize[Any, Any] | None = None

    # -- what there is --------------------------------------------------------

    @property
    def threads(self) -> list[threading.Thread]:
        """The threads that live."""
        return [thread for thread in self._crew.threads if thread.is_alive()]

    @property
    def workers(self) -> int:
        """How many threads there are, but for those told to end."""
        return self._crew.size

    @property
    def waiters(self) -> list[None]:
        """A list as long as the number of threads with nothing to do."""
        return [None] * self._crew.idle

    @property
    def working(self) -> list[None]:
        """A list as long as the number of threads at work."""
        crew = self._crew
        with crew.lock:
            return [None] * (crew.size - crew.idle)

    @property
    def q(self) -> _Backlog:
        """What waits for a thread: its method `qsize` tells how much."""
        return _Backlog(self._crew.backlog)

    @staticmethod
    def currentThread() -> threading.Thread:
        """Deprecated: `threading.current_thread()`."""
        warnings.warn(
            f"{__name__}.ThreadPool.currentThread was deprecated in Twisted 22.1.0; "
            "please use threading.current_thread instead",
            DeprecationWarning,
            stacklevel=2,
        )
        return threading.current_thread()

    def dumpStats(self) -> None:
        """Log how many threads are idle, how many are at work, and which there are."""
        _log.info("waiters: %d", len(self.waiters))
        _log.info("workers: %d", len(self.working))
        _log.info("total: %s", self.threads)

    # -- work -----------------------------------------------------------------

    def callInThread(self, func: Callable[_P, object], *args: _P.args, **kw: _P.kwargs) -> None:
        """
        Call `func` in a thread; an exception there is reported, to logging.

        Raises:
            RuntimeError: the pool has been stopped.
        """
        self._give(_Work(None, func, args, kw))

    def callInThreadWithCallback(
        self,
        onResult: Callable[[bool, _T | Failure], object] | None,
        func: Callable[_P, _T],
        *args: _P.args,
        **kw: _P.kwargs,
    ) -> None:
        """
        Call `func` in a thread, and then `onResult` in the same one.

        Both run in a copy of today's context.

        Args:
            onResult: called with True and what `func` returned, or with False
                and the Failure. It should do little: as a rule it tells the
                reactor, by `callFromThread`. None to be told nothing.

        Raises:
            RuntimeError: the pool has been stopped.
        """
        self._give(_Work(onResult, func, args, kw))

    def _give(self, work: _Work) -> None:
        crew = self._crew
        with crew.lock:
            if self.joined or crew.ending:
                raise RuntimeError("this pool of threads has been stopped, and takes no more work")
            if crew.idle:
                crew.idle -= 1
                crew.door.put(work)
            elif crew.size < crew.limit:
                self._add_thread(work)
            else:
                crew.backlog.append(work)

    def _add_thread(self, work: _Work | None) -> None:
        """Start a thread. The crew's lock is held."""
        crew = self._crew
        self._named += 1
        thread = self.threadFactory(
            target=crew.work,
            args=(work, self._begin),
            name=f"PoolThread-{self.name or id(self)}-{self._named}",
        )
        thread.daemon = True
        crew.threads = [*self.threads, thread]
        crew.living += 1
        crew.size += 1
        try:
            thread.start()
        except BaseException as exception:
            crew.threads.remove(thread)
            crew.living -= 1
            crew.size -= 1
            if work is None or not crew.size or not isinstance(exception, RuntimeError):
                raise
            # The system has no more threads to give; those that live do it in time.
            crew.backlog.append(work)

    # -- size -----------------------------------------------------------------

    def start(self) -> None:
        """Start the threads, and with them the work that waits."""
        if self.started:
            return
        self.joined = False
        self.started = True
        _finish_at_exit()
        _at_work.add(self._crew)
        self._crew.passing = self._passing
        self._forgotten = weakref.finalize(self, self._crew.end)
        self._forgotten.atexit = False
        self.adjustPoolsize()

    def adjustPoolsize(self, minthreads: int | None = None, maxthreads: int | None = None) -> None:
        """
        Change how many threads there are to be; None leaves a bound as it is.

        Threads that are too many end as soon as they are idle.

        Raises:
            ValueError: the minimum is negative, or above the maximum.
        """
        least = self.min if minthreads is None else minthreads
        most = self.max if maxthreads is None else maxthreads
        _check_size(least, most)
        self.min, self.max = least, most
        crew = self._crew
        with crew.lock:
            if self.started:
                crew.limit = most
                crew.send_away(crew.size - most)
                while crew.size < most and (crew.backlog or crew.size < least):
                    self._add_thread(crew.backlog.popleft() if crew.backlog else None)

    def startAWorker(self) -> None:
        """Start one more thread, unless there are as many as there may be."""
        crew = self._crew
        with crew.lock:
            if crew.size < crew.limit:
                self._add_thread(crew.backlog.popleft() if crew.backlog else None)

    def stopAWorker(self) -> None:
        """End one thread: an idle one, or the next to become idle."""
        crew = self._crew
        with crew.lock:
            if crew.idle:
                crew.send_away(1)
            elif crew.leaving < crew.size:
                crew.leaving += 1

    # -- the end --------------------------------------------------------------

    def stop(self) -> None:
        """
        Take no more work, and wait until what there is has been done.

        It blocks. Called in one of the pool's own threads, it does not wait for
        that one.
        """
        for thread in self._end().threads:
            if thread is not threading.current_thread():
                thread.join()

    def _end(self, gone: Callable[[], object] | None = None, forget: bool = False) -> _Crew:
        """
        Take no more work, and have the threads end when none is left; do not wait.

        Args:
            gone: called when the threads are gone, in the last one, or at once.
            forget: whether to leave the work that waits undone.
        """
        crew, fresh = self._crew, _Crew()
        with crew.lock:
            # What is given meanwhile comes before this, and is done, or after it, and is refused.
            if self._crew is crew:
                self.joined = True
                self.started = False
                self._crew = fresh
                if self._forgotten is not None:
                    self._forgotten.detach()
            if forget:
                crew.backlog.clear()
            if gone is not None:
                crew.gone = gone
            nobody = not crew.living
            crew.end()
        if nobody and gone is not None:
            gone()
        return crew

    def __getstate__(self) -> dict[str, int]:
        return {"min": self.min, "max": self.max}

    def __setstate__(self, state: dict[str, int]) -> None:
        self.__init__(state["min"], state["max"])  # type: ignore[misc]  # as when it was made


def _check_size(least: int, most: int) -> None:
    if not 0 <= least <= most:
        raise ValueError(
            f"a pool has from 0 threads up, and its maximum is no less: not {least} to {most}"
        )
