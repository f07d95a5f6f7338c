"""
Coroutines that wait for Deferreds, and for anything that asyncio can await.

`CoroutineTask` drives one coroutine, or one generator under `inlineCallbacks`.
To asyncio it is a task: while the coroutine runs inside a loop,
`asyncio.current_task()` is this object, and `asyncio.timeout`, `TaskGroup` and
the libraries on top cancel it as they would cancel a task of asyncio's own. It
differs from one in when it runs: it starts inline in its maker and resumes
inline in whoever fires the Deferred it waits for. It needs no loop until it
awaits something of asyncio's.

States: running (a frame of `_spin` is on the stack); waiting for one of: a
Deferred (`_step` is our step in its chain), a future (`_fut_waiter`), the next
turn of the loop (`_turn`); done. While it waits it is owned by what it waits
for, and in turn owns its Deferred.

Cancellation comes two ways. `cancel()`, asyncio's, detaches from what is waited
for, cancels that, and raises `CancelledError` in the coroutine on the next turn
of the loop. `Deferred.cancel()` (`cancelInline`) cancels what is waited for and
lets its outcome resume the coroutine, at once. A coroutine that is running when
it is cancelled is cancelled where it waits next.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Callable, Coroutine, Generator
from types import CoroutineType, GeneratorType
from typing import Any, NoReturn, ParamSpec, TypeVar, overload

from reactorlib.internet.defer import _chain
from reactorlib.internet.defer._chain import PLAIN, UNCAUGHT, WAITER, caught
from reactorlib.internet.defer._deferred import CancelledError, Deferred
from reactorlib.internet.defer._futures import cancel_for_task
from reactorlib.internet.defer._task import TaskFace
from reactorlib.python._asyncio import running_loop
from reactorlib.python.failure import Failure

__all__ = ["CoroutineTask", "NotACoroutineError", "ensureDeferred", "inlineCallbacks"]

T = TypeVar("T")
_P = ParamSpec("_P")


class NotACoroutineError(TypeError):
    """Something else was given where a coroutine, or a Deferred, is wanted."""


class _Returned(BaseException):
    """Carries the value of `returnValue` out of a generator."""

    def __init__(self, value: object) -> None:
        super().__init__(value)
        self.value = value


class CoroutineTask(TaskFace):
    """One coroutine, driven; see the module's docstring."""

    __slots__ = (
        "_fut_waiter",
        "_must_cancel",
        "_registered",
        "_step",
        "_waiting_on",
    )

    #: Says to Deferred.__await__ that this task takes the Deferred itself.
    _takes_deferreds = True

    # Seldom set, so not worth a slot each.
    _cancel_requests = 0
    _turn: asyncio.Handle | None = None

    def __init__(self, coro: Any) -> None:
        #: What runs: the coroutine, or one that it has yielded and waits for.
        self._coro = coro
        self.deferred = Deferred()
        self.deferred._driver = self
        self._context = contextvars.copy_context()
        self._loop = None
        self._registered = self._running = self._done = self._must_cancel = False
        self._below = None
        self._callbacks = None
        self._fut_waiter: Any = None
        self._waiting_on: Deferred[Any] | None = None
        #: Our step in the Deferred that is waited for. Dropped when the waiting is
        #: broken off, so that the old one, when its turn comes, is known to be stale.
        self._step: Any = None

    # -- running --------------------------------------------------------------

    def start(self) -> None:
        """Run to the first wait, inline."""
        finished = self._enter(None, None)
        if finished is not None and isinstance(finished.result, Failure):
            finished._own_failure(finished.result)

    def resume(self, step: object, result: Any, failed: bool) -> Deferred[Any] | None:
        """The Deferred that is waited for has `result` (a waiter's part)."""
        if step is not self._step:
            return None  # cancelled meanwhile, and no longer waiting for this
        self._waiting_on = None
        if failed:
            return self._enter(None, result.value.with_traceback(result.tb))
        if running_loop() is None and not self._must_cancel:
            return self._context.run(self._spin, result, None)
        return self._enter(result, None)

    def _future_done(self, future: Any) -> None:
        """The future that is waited for is done; called by the loop."""
        if future is not self._fut_waiter:
            return  # cancelled inline meanwhile, and no longer waiting for this
        self._fut_waiter = None
        value = exception = None
        try:
            value = future.result()
        except BaseException as raised:
            # Thrown outside this handler, and without this frame: for the coroutine
            # there is no exception being handled here.
            tb = raised.__traceback__
            exception = raised.with_traceback(tb and tb.tb_next)
        self._settle(self._enter(value, exception, entered=True))

    def _next_turn(self, exception: BaseException | None) -> None:
        """The loop has gone round; called by it."""
        self._turn = None
        self._settle(self._enter(None, exception, entered=True))

    @staticmethod
    def _settle(finished: Deferred[Any] | None) -> None:
        if finished is not None:
            finished._run()

    def _enter(
        self, value: Any, exception: BaseException | None, entered: bool = False
    ) -> Deferred[Any] | None:
        """
        Run the coroutine to its next wait, as the current task, in its context.

        Args:
            entered: whether its context is the current one already.

        Returns:
            its Deferred, to have its steps run, if the coroutine has ended.
        """
        if self._must_cancel:
            self._must_cancel = False
            if not isinstance(exception, CancelledError):
                exception = self._cancelled_error()
        loop = running_loop()
        if loop is None:
            return self._context.run(self._spin, value, exception)
        self._loop = loop
        if not self._registered:
            self._registered = True
            asyncio._register_task(self)  # type: ignore[arg-type]  # a third-party task
        outer = asyncio.current_task(loop)
        if outer is not None:
            asyncio._leave_task(loop, outer)
        asyncio._enter_task(loop, self)  # type: ignore[arg-type]  # likewise
        try:
            if not entered:
                try:
                    return self._context.run(self._spin, value, exception)
                except RuntimeError as refused:
                    tb = refused.__traceback__
                    if tb is None or tb.tb_next is not None:
                        raise
                    # Whoever resumes us runs in our context already: a callback of
                    # the loop, or a task, that was given `get_context()`.
            return self._spin(value, exception)
        finally:
            asyncio._leave_task(loop, self)  # type: ignore[arg-type]  # likewise
            if outer is not None:
                asyncio._enter_task(loop, outer)

    def _spin(self, value: Any, exception: BaseException | None) -> Deferred[Any] | None:
        self._running = True
        try:
            while True:
                coro = self._coro
                try:
                    if exception is None:
                        awaited = coro.send(value)
                    else:
                        # The local name goes, so that the traceback does not lead back here.
                        throw, exception = exception, None
                        try:
                            awaited = coro.throw(throw)
                        finally:
                            del throw
                except (StopIteration, _Returned) as stop:
                    value = stop.value
                    if not self._below:
                        return self._finish(value, False)
                    self._coro = self._below.pop()
                    continue
                except UNCAUGHT:
                    self._done = True
                    self._unregister()
                    # Nothing comes of it any more; whoever waits can still be cancelled.
                    self.deferred._driver = None
                    raise
                except BaseException as raised:
                    if not self._below:
                        return self._finish(caught(raised, self.deferred.debug), True)
                    self._coro = self._below.pop()
                    tb = raised.__traceback__
                    exception = raised.with_traceback((tb and tb.tb_next) or tb)
                    continue
                if isinstance(awaited, Deferred):
                    if awaited.called and (
                        (not awaited.paused and not awaited._steps) or awaited._settled()
                    ):
                        value = awaited.result
                        if type(value) not in PLAIN and isinstance(value, Failure):
                            awaited._see(value)
                            exception = value.value.with_traceback(value.tb)
                            value = None
                        continue
                    self._waiting_on = awaited
                    if self._step is None:
                        self._step = (self, WAITER)
                    if awaited._steps:
                        awaited._steps.append(self._step)
                    else:
                        awaited._steps = [self._step]
                    if not self._must_cancel:
                        return None
                else:
                    value, exception, goes_on = self._wait_for(awaited)
                    if goes_on:
                        continue
                if not self._must_cancel:
                    return None
                self._must_cancel = False
                exception = self._interrupt()
                if exception is None:
                    return None
        finally:
            self._running = False

    def _wait_for(self, awaited: Any) -> tuple[Any, BaseException | None, bool]:
        """
        Wait for something that is not a Deferred.

        Returns:
            a value and an exception to go on with, and whether to go on rather
            than to wait.
        """
        error: BaseException | None
        if getattr(awaited, "_asyncio_future_blocking", None) is not None:
            error = self._wait_for_future(awaited)
        elif isinstance(self._coro, GeneratorType):
            if not isinstance(awaited, CoroutineType):
                # `yield 5` under inlineCallbacks is 5, at once.
                return awaited, None, True
            # It runs as part of this task, as one that is awaited does.
            if self._below is None:
                self._below = []
            self._below.append(self._coro)
            self._coro = awaited
            return None, None, True
        elif awaited is None:
            error = self._wait_for_turn()
        else:
            error = RuntimeError(
                f"a coroutine under a Deferred awaited something that yields {awaited!r}; "
                "it can await Deferreds, coroutines, and what asyncio can await"
            )
        return None, error, error is not None

    def _wait_for_future(self, future: Any) -> BaseException | None:
        loop = self._loop
        if loop is None or running_loop() is None:
            return RuntimeError(
                f"{future!r} belongs to an asyncio loop, and none runs here; "
                "await it from code that the reactor, or a loop, has called"
            )
        if future is self:
            return RuntimeError("a coroutine cannot await its own task")
        get_loop = getattr(future, "get_loop", None)
        if get_loop is not None and get_loop() is not loop:
            return RuntimeError(f"{future!r} belongs to another loop than the one that runs here")
        future._asyncio_future_blocking = False
        self._fut_waiter = future
        future.add_done_callback(self._future_done, context=self._context)
        return None

    def _wait_for_turn(self) -> BaseException | None:
        loop = running_loop()
        if loop is None:
            return RuntimeError("asyncio.sleep(0), or a bare yield, needs a running loop")
        self._turn = loop.call_soon(self._next_turn, None, context=self._context)
        return None

    def _finish(self, result: Any, failed: bool) -> Deferred[Any] | None:
        self._done = True
        self._step = None
        if self._registered:
            self._unregister()
        d = self.deferred
        d._driver = None
        if self._callbacks:
            assert self._loop is not None
            for fn, context in self._callbacks:
                self._loop.call_soon(fn, self, context=context)
            self._callbacks = None
        if d.called:
            return None  # someone else has fired it; the coroutine ran on regardless
        if failed and self._cancel_requests and isinstance(result.value, CancelledError):
            # Cancelled through asyncio, which reports no cancelled task.
            d._seen = result
        d.called = True
        d.result = result
        return d

    def _unregister(self) -> None:
        if self._registered:
            asyncio._unregister_task(self)  # type: ignore[arg-type]  # a third-party task

    # -- cancelling -----------------------------------------------------------

    def cancel(self, msg: Any = None) -> bool:
        """
        Have `CancelledError` raised in the coroutine on the loop's next turn.

        Returns:
            whether it will be; False when the coroutine is done.
        """
        if self._done:
            return False
        self._cancel_requests += 1
        self._cancel_message = msg
        if self._running:
            self._must_cancel = True
        else:
            self._interrupt()
        return True

    def _interrupt(self) -> CancelledError | None:
        """
        Stop waiting, and have the cancellation raised on the next turn.

        Returns:
            what is to be raised at once, in the running coroutine, where there is
            no loop to have a next turn.
        """
        message = self._cancel_message
        if self._fut_waiter is not None:
            if not self._fut_waiter.cancel(msg=message):
                self._must_cancel = True  # the future is done, and its callback on the way
            return None
        if self._turn is not None:
            # Not put off: who cancels once every turn would never be done.
            self._must_cancel = True
            return None
        waiting_on, self._waiting_on, self._step = self._waiting_on, None, None
        loop = running_loop() or self._loop
        if loop is not None and not loop.is_closed():
            self._loop = loop
            error = self._cancelled_error()
            self._turn = loop.call_soon(self._next_turn, error, context=self._context)
        if waiting_on is not None:
            cancel_for_task(waiting_on, message)
        if self._turn is not None or self._done:
            return None
        if self._running:
            return self._cancelled_error()
        self._settle(self._enter(None, self._cancelled_error()))
        return None

    def cancelInline(self, msg: object = None) -> Deferred[Any] | None:
        """
        `Deferred.cancel()`: go on at once with what cancelling gives.

        Returns:
            the Deferred that is waited for; the caller is to cancel it, and its
            outcome resumes the coroutine.
        """
        if self._done:
            return None
        if self._running:
            self._must_cancel = True
            self._cancel_message = msg
            return None
        if self._waiting_on is not None:
            return self._waiting_on
        if self._fut_waiter is not None:
            future = self._fut_waiter
            future.cancel(msg=msg)
            if not future.done():
                return None  # a task, which has to run first
            self._fut_waiter = None
            if not future.cancelled():
                future.exception()  # it was done before; its error counts as seen
        elif self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._cancel_message = msg
        self._settle(self._enter(None, self._cancelled_error()))
        return None

    def cancelling(self) -> int:
        """How many requests to cancel have come and not been taken back."""
        return self._cancel_requests

    def uncancel(self) -> int:
        """Take one request back; how many are left."""
        if self._cancel_requests > 0:
            self._cancel_requests -= 1
            if self._cancel_requests == 0:
                self._must_cancel = False
        return self._cancel_requests


@overload
def ensureDeferred(coro: Deferred[T]) -> Deferred[T]: ...
@overload
def ensureDeferred(coro: Coroutine[Any, Any, T]) -> Deferred[T]: ...
@overload
def ensureDeferred(coro: Generator[Any, Any, T]) -> Deferred[T]: ...
def ensureDeferred(coro: Any) -> Deferred[Any]:
    """
    Run a coroutine, and give its outcome as a Deferred.

    It starts at once, runs until it first has to wait, and may await Deferreds
    and whatever asyncio can await. A Deferred is returned as it is.

    Raises:
        NotACoroutineError: `coro` is neither.
    """
    return coro if isinstance(coro, Deferred) else run_coroutine(coro)


def run_coroutine(coro: Any) -> Deferred[Any]:
    """What `ensureDeferred` and `Deferred.fromCoroutine` do with a coroutine."""
    if not isinstance(coro, (CoroutineType, GeneratorType, Coroutine)):
        raise NotACoroutineError(
            f"{coro!r} is not a coroutine; call the `async def` function and pass what it returns"
        )
    task = CoroutineTask(coro)
    task.start()
    return task.deferred


def inlineCallbacks(
    f: Callable[_P, Generator[Any, Any, T]],
) -> Callable[_P, Deferred[T]]:
    """
    Make a generator function return a Deferred, and wait wherever it yields one.

    `result = yield d` gives the result of `d`, or raises its failure. It may
    yield coroutines and futures too; anything else comes back as it is. What
    the generator returns, or raises, is what the Deferred fires with. An
    `async def` function is taken as well.
    """

    @functools.wraps(f)
    def unwindGenerator(*args: _P.args, **kwargs: _P.kwargs) -> Deferred[T]:
        gen = f(*args, **kwargs)
        if not isinstance(gen, (GeneratorType, CoroutineType)):
            raise TypeError(
                f"inlineCallbacks wants a generator function; {f!r} has no `yield`: "
                f"it returned {gen!r}"
            )
        task = CoroutineTask(gen)
        task.start()
        return task.deferred

    return unwindGenerator


_chain.run_coroutine = run_coroutine


def returnValue(val: object) -> NoReturn:
    """End an `inlineCallbacks` generator with `val`; a plain `return val` does the same."""
    raise _Returned(val)
