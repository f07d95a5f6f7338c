"""
The reactor and threads: its pool, calls from elsewhere, and those who wait for one.

Calls that come from threads go through the reactor's `_Inbox`. It wakes the loop
once for however many calls there are, and keeps them until there is a loop.

The pool begins with the loop. It ends with the run, after the phase "during" of
"shutdown": nothing blocks while the last threads finish, and what they have to
say still arrives. A loop that others run says that it ends by closing the
asynchronous generators that were begun in it, which `asyncio.run` and its like
see to: one of those is ours (`_until_the_end`). A loop that is closed without
that leaves idle threads behind; they end when the reactor is collected, or with
the process, which they do not keep.

Whoever waits in another thread for an answer (`blockingCallFromThread`) is told
when none will come, for the thread itself may be what the end waits for.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import queue
import threading
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Any, ParamSpec

from zope.interface import implementer

from reactorlib.internet import _current, error
from reactorlib.internet._reactor._core import LoopReactor
from reactorlib.internet.defer import Deferred, maybeDeferred
from reactorlib.internet.interfaces import IReactorThreads
from reactorlib.python._asyncio import loop_here, running_loop
from reactorlib.python._report import report
from reactorlib.python.failure import Failure
from reactorlib.python.threadpool import ThreadPool, _Crew

__all__ = ["Answer", "ThreadReactor"]

_log = logging.getLogger("reactorlib.internet.reactor")

_P = ParamSpec("_P")

_callable = callable  # Twisted has an argument of that name
_copy_context = contextvars.copy_context

_Call = tuple[contextvars.Context, Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class _Inbox:
    """
    The calls that are to be made in a loop, in the order in which they were asked for.

    No lock is needed: whoever puts a call in looks afterwards whether the loop
    knows of it (`awake`), and the loop, when it has made the calls it found,
    says that it sleeps before it looks whether there are more.

    Attributes:
        calls: what is to be called.
        loop: where, or None.
        awake: whether it knows that there is something.
    """

    __slots__ = ("_over", "awake", "calls", "loop")

    def __init__(self) -> None:
        self.calls: deque[_Call] = deque()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.awake = False
        self._over = False

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """`loop` makes the calls from now on."""
        self._over = False
        self.loop = loop
        if self.calls:
            self.wake(loop)

    def close(self) -> None:
        """There is no loop any more, and what nobody has called is forgotten."""
        self._over = True
        self.loop = None
        self.awake = False
        self.calls.clear()

    def put(self, call: _Call) -> None:
        """
        Have a call made.

        Raises:
            ReactorNotRunning: the loop has ended, and nothing is ever called there.
        """
        loop = self.loop
        if self._over if loop is None else loop.is_closed():
            raise error.ReactorNotRunning(
                "the reactor's loop has ended, and calls nothing any more: a thread that "
                "outlives it has to see to that"
            )
        self.calls.append(call)
        if loop is None:
            loop = self.loop  # it may have begun in between
        if loop is not None and not self.awake:
            self.wake(loop)

    def wake(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let the loop know that there is something; in any thread."""
        self.awake = True
        if running_loop() is loop:
            loop.call_soon(self._deliver)
        else:
            loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        calls = self.calls
        try:
            # What these put in comes after whatever else they have asked for.
            for _ in range(len(calls)):
                context, function, args, kwargs = calls.popleft()
                try:
                    if kwargs:
                        context.run(function, *args, **kwargs)
                    elif args:
                        context.run(function, *args)
                    else:
                        context.run(function)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as exception:
                    report(_log, f"callFromThread: {function!r} failed", Failure(exception))
        finally:
            self.awake = False
            if calls and self.loop is not None:
                self.wake(self.loop)


class Answer:
    """
    What a thread waits for: the outcome of a call in the reactor's thread.

    Args:
        function: what to call; it may return a Deferred or a coroutine.
    """

    def __init__(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._call = function, args, kwargs
        self._outcomes: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._pending: Deferred[Any] | None = None
        self._unwanted = False

    def find(self) -> None:
        """Make the call; in the reactor's thread."""
        if not self._unwanted:
            function, args, kwargs = self._call
            self._pending = maybeDeferred(function, *args, **kwargs)
            self._pending.addBoth(self._outcomes.put)

    def give_up(self) -> None:
        """Nobody waits any more; in the reactor's thread."""
        self._unwanted = True
        if self._pending is not None:
            self._pending.cancel()

    def abandon(self) -> None:
        """None will come; in any thread."""
        why = "the reactor ends, and gives no more answers to threads that wait for one"
        self._outcomes.put(Failure(error.ReactorNotRunning(why)))

    def wait(self) -> Any:
        """Wait for it, in the thread that wants it: the result, or a Failure."""
        return self._outcomes.get()


@implementer(IReactorThreads)
class ThreadReactor(LoopReactor):
    """
    Calls into threads, and from threads.

    Attributes:
        threadpool: the reactor's pool, or None before it is asked for.
    """

    def __init__(self, eventLoop: asyncio.AbstractEventLoop | None = None) -> None:
        self.threadpool: ThreadPool | None = None
        self._pool_starts: Any = None
        self._pool_lock = threading.Lock()
        #: The crews of pools that are ending, by what fires when they are gone.
        self._pools_ending: dict[asyncio.Future[None], _Crew] = {}
        self._inbox = _Inbox()
        #: Those who wait for an answer; none is taken in while all ends.
        self._answers: set[Answer] = set()
        self._answering = True
        self._watch: AsyncGenerator[None, None] | None = None
        self._loop_ends = False
        super().__init__(eventLoop)

    # -- from threads ---------------------------------------------------------

    def callFromThread(
        self, callable: Callable[_P, object], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> None:
        """
        Have the reactor's thread call `callable`, in today's context.

        Any thread may ask for it, and the calls are made in the order in which
        they were asked for. Before there is a loop they wait for it: for that of
        `run()`, or the first in which the main thread uses the reactor.

        Raises:
            ReactorNotRunning: the loop has ended, so it would never be called.
            TypeError: `callable` is not callable.
        """
        if not _callable(callable):
            self._must_be_callable(callable)
        inbox = self._inbox
        loop = inbox.loop
        if loop is None or loop.is_closed():
            inbox.put((_copy_context(), callable, args, kwargs))
            if self._loop is None:
                self._waits_still(self._waiting_thread)
            return
        # As put, without the call.
        inbox.calls.append((_copy_context(), callable, args, kwargs))
        if not inbox.awake:
            inbox.wake(loop)

    def _waits_still(self, thread: int | None) -> None:
        """Whatever thread asks for it, it is for the loop of `thread`, or the main one."""
        self._waiting_thread = thread or threading.main_thread().ident

    def wakeUp(self) -> None:
        """Have the loop look around, if it waits for something; in any thread."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(_nothing)

    def _for_threads(self) -> ThreadReactor:
        """This reactor itself, where `reactor` stands for it in a thread."""
        return self

    def _find(self, answer: Answer) -> None:
        """
        Have an answer found for another thread.

        Raises:
            ReactorNotRunning: there will be none.
            RuntimeError: this is the reactor's own thread.
        """
        if self._loop is not None and loop_here() is self._loop:
            raise RuntimeError(
                "the reactor's own thread cannot wait for the reactor: "
                "call the function itself here, and await what it returns"
            )
        self._answers.add(answer)
        try:
            if self._answering:
                self.callFromThread(self._answer, answer)
            else:
                answer.abandon()
        except BaseException:
            self._answers.discard(answer)
            raise

    def _answer(self, answer: Answer) -> None:
        self._watch_the_end()  # of which the thread will have to be told
        answer.find()

    def _refuse_answers(self) -> None:
        self._answering = False
        for answer in list(self._answers):
            answer.abandon()

    # -- into threads ---------------------------------------------------------

    def getThreadPool(self) -> ThreadPool:
        """The reactor's pool of threads: at most 10, unless `suggestThreadPoolSize` says else."""
        pool = self.threadpool
        if pool is None:
            with self._pool_lock:
                pool = self.threadpool or self._make_pool()
        return pool

    def _make_pool(self) -> ThreadPool:
        if self.running:
            self.callFromThread(self._watch_the_end)
        pool = ThreadPool(0, 10, "reactorlib.internet.reactor")
        me: weakref.ref[LoopReactor] = weakref.ref(self)
        pool._begin = lambda: _current.belong(me)
        pool._passing = self._loop_ends  # nobody will say once more that it ends
        self.threadpool = pool
        waiting = self._waiting_thread
        self.addSystemEventTrigger("during", "shutdown", self._stopThreadPool)
        if self.running:
            pool.start()
        else:
            self._pool_starts = self.addSystemEventTrigger("after", "startup", self._start_pool)
        if self._loop is None:
            self._waits_still(waiting)
        return pool

    def _start_pool(self) -> None:
        self._pool_starts = None
        if self.threadpool is not None:
            self.threadpool.start()

    def callInThread(
        self, callable: Callable[_P, object], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> None:
        """
        Have a thread of the pool call `callable`, in a copy of today's context.

        Before the loop runs, it waits. An exception there is reported.

        Raises:
            ReactorNotRunning: the loop, which others ran, has been closed.
            TypeError: `callable` is not callable.
        """
        self._must_be_callable(callable)
        self.getThreadPool().callInThread(callable, *args, **kwargs)

    def suggestThreadPoolSize(self, size: int) -> None:
        """How many threads the pool may have at most."""
        self.getThreadPool().adjustPoolsize(maxthreads=size)

    # -- the end --------------------------------------------------------------

    def _use(self, loop: asyncio.AbstractEventLoop) -> None:
        super()._use(loop)
        self._answering = True
        self._inbox.open(loop)

    def _attach(self, loop: asyncio.AbstractEventLoop) -> None:
        super()._attach(loop)
        if self.threadpool is not None:
            self._watch_the_end()

    def _stopThreadPool(self, forget: bool = False) -> None:
        """
        The pool takes no more work, and its threads end when they have done theirs.

        In the loop, that is waited for later, in `_close_all`; elsewhere, here.
        (Twisted's trial knows this by its name.)

        Args:
            forget: whether they leave undone what they have not begun, and nobody
                waits for them.
        """
        with self._pool_lock:
            pool, self.threadpool = self.threadpool, None
            starts, self._pool_starts = self._pool_starts, None
        if pool is None:
            return
        if starts is not None:
            self.removeSystemEventTrigger(starts)
        loop = self._loop
        if forget:
            crew = pool._end(forget=True)
            if self._hurried:
                crew.leave()
            return
        if loop is None or running_loop() is not loop:
            pool.stop()
            return
        gone = loop.create_future()
        self._pools_ending[gone] = pool._crew
        pool._end(lambda: self._pool_is_gone(gone))

    def _pool_is_gone(self, gone: asyncio.Future[None]) -> None:
        """In the last thread of a pool, which ends."""
        try:
            self.callFromThread(_settle, gone)
        except error.ReactorNotRunning:
            pass  # and so nobody waits for it

    async def _pools_gone(self) -> bool:
        """Wait until the pools that are ending have no threads; whether there were any."""
        waited = False
        while self._pools_ending:
            waited = True
            gone = next(iter(self._pools_ending))
            await asyncio.wait([gone])
            crew = self._pools_ending.pop(gone, None)
            for thread in crew.threads if crew is not None else ():
                thread.join()  # it has nothing left to do but to end
        return waited

    async def _close_all(self, loop: asyncio.AbstractEventLoop) -> None:
        self._refuse_answers()
        try:
            await super()._close_all(loop)
            # If it has not begun to end, all ends too suddenly to wait for it.
            self._stopThreadPool(forget=True)
            if await self._pools_gone():
                await super()._close_all(loop)  # what the threads have begun since
        finally:
            self._answering = True

    def _end_now(self) -> None:
        super()._end_now()
        for crew in self._pools_ending.values():
            crew.leave()

    def _has_run(self) -> None:
        super()._has_run()
        self._stopThreadPool(forget=True)
        self._pools_ending.clear()  # for whose threads a second signal has not waited
        self._inbox.close()
        self._refuse_answers()

    def _watch_the_end(self) -> None:
        """Be told when a loop that others run ends; in the loop."""
        if self._watch is None and not self._owned and running_loop() is self._loop:
            self._watch = self._until_the_end()
            try:
                self._watch.__anext__().send(None)
            except StopIteration:
                pass  # it has begun: the loop knows of it

    async def _until_the_end(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self._loop_ends = True
            self._refuse_answers()
            self._stopThreadPool()
            await self._pools_gone()


def _nothing() -> None:
    pass


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
