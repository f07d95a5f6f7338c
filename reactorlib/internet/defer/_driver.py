"""
What drives a coroutine that waits for Deferreds, and for anything that asyncio can await.

`CoroutineTask` drives one coroutine, or one generator under `inlineCallbacks`.
To asyncio it is a task: while the coroutine runs inside a loop,
`asyncio.current_task()` is this object, and `asyncio.timeout`, `TaskGroup` and
the libraries on top cancel it as they would cancel a task of asyncio's own. It
differs from one in when it runs: it starts inline in its maker and resumes
inline in whoever fires the Deferred it waits for. It needs no loop until it
awaits something of asyncio's.

States: waiting for one of: a Deferred (`_waiting_on`; `_step` is our step in its
chain), a future (`_fut_waiter`), the next turn of the loop (`_turn`); done; or
else running, which is to say that a frame of `spin` is on the stack. While it
waits it is owned by what it waits for, and in turn owns its Deferred.

Cancellation comes two ways. `cancel()`, asyncio's, detaches from what is waited
for, cancels that, and raises `CancelledError` in the coroutine on the next turn
of the loop. `Deferred.cancel()` (`cancelInline`) cancels what is waited for and
lets its outcome resume the coroutine, at once. A coroutine that is running when
it is cancelled is cancelled where it waits next.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from types import CoroutineType, GeneratorType
from typing import Any

from reactorlib.internet.defer import _chain
from reactorlib.internet.defer._deferred import CancelledError, Deferred
from reactorlib.internet.defer._futures import cancel_and_report
from reactorlib.internet.defer._steps import SETTLED, SPECIAL, UNCAUGHT, WAITER, caught
from reactorlib.internet.defer._task import TaskFace
from reactorlib.python._asyncio import by_turns, in_a_turn, loop_here, running_loop
from reactorlib.python.failure import Failure

__all__ = ["CoroutineTask", "Returned"]


class Returned(BaseException):
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
        "_send",
        "_step",
        "_waiting_on",
    )

    # Seldom set, so not worth a slot each.
    _cancel_requests = 0
    _turn: asyncio.Handle | None = None

    def __init__(self, coro: Any, context: contextvars.Context) -> None:
        #: What runs: the coroutine, or one that it has yielded and waits for.
        self._coro = coro
        self._send = coro.send
        self._context = context
        self.deferred: Deferred[Any] = Deferred(self)  # type: ignore[arg-type]  # its driver
        self._loop = None
        self._registered = self._done = self._must_cancel = False
        self._below = self._callbacks = None
        self._fut_waiter: Any = None
        self._waiting_on: Deferred[Any] | None = None
        #: Our step in any Deferred that is waited for.
        self._step: Any = (self, WAITER)

    @property
    def _running(self) -> bool:
        return (
            not self._done
            and self._waiting_on is None
            and self._fut_waiter is None
            and self._turn is None
        )

    # -- running --------------------------------------------------------------

    def resume(self, result: Any, failed: bool) -> Deferred[Any] | None:
        """The Deferred that is waited for has `result` (a waiter's part)."""
        self._waiting_on = None
        loop = running_loop()
        if failed:
            return self.enter(loop, None, result.value.with_traceback(result.tb))
        if self._must_cancel or (by_turns if loop is None else not self._registered):
            return self.enter(loop, result, None)
        # As enter, run_inside and spin, for the most frequent turn: to the next Deferred that
        # has no result. The coroutine is entered directly, not by a function inside its context.
        try:
            if loop is None:
                awaited = self._context.run(self._send, result)
            else:
                self._loop = loop
                outer = asyncio.current_task(loop)
                if outer is not None:
                    asyncio._leave_task(loop, outer)
                asyncio._enter_task(loop, self)  # type: ignore[arg-type]  # a third-party task
                try:
                    awaited = self._context.run(self._send, result)
                finally:
                    asyncio._leave_task(loop, self)  # type: ignore[arg-type]  # a third-party task
                    if outer is not None:
                        asyncio._enter_task(loop, outer)
        except (StopIteration, Returned) as stop:
            if not self._below:
                return self._finish(stop.value)
            value, exception, entered = stop.value, None, False
        except UNCAUGHT:
            self._abandon()
            raise
        except BaseException as raised:
            entered = _is_entered(raised)
            if not entered:
                if not self._below:
                    return self._finish(caught(raised))
                value, exception = None, _without_our_frame(raised)
        else:
            if not isinstance(awaited, Deferred) or awaited.called or self._must_cancel:
                return self.run_inside(loop, self._context.run, self.take_over, awaited)
            self._waiting_on = awaited
            if awaited._step is None and awaited._steps is None:
                awaited._step = self._step
            else:
                awaited._add_step(self._step)
            return None
        if entered:
            return self.run_inside(loop, self.spin, result, None)
        assert self._below is not None
        self._switch_to(self._below.pop())
        return self.run_inside(loop, self._context.run, self.spin, value, exception)

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
        self._settle(self.enter(self._loop, value, exception, entered=True))

    def _next_turn(self, exception: BaseException | None) -> None:
        """The loop has gone round; called by it."""
        self._turn = None
        self._settle(self.enter(self._loop, None, exception, entered=True))

    @staticmethod
    def _settle(finished: Deferred[Any] | None) -> None:
        if finished is not None:
            finished._run()

    def enter(
        self,
        loop: asyncio.AbstractEventLoop | None,
        value: Any,
        exception: BaseException | None,
        entered: bool = False,
    ) -> Deferred[Any] | None:
        """
        Run the coroutine to its next wait, as the current task, in its context.

        Args:
            loop: the loop that runs, if one does.
            entered: whether its context is the current one already.

        Returns:
            its Deferred, to have its steps run, if the coroutine has ended.
        """
        if loop is None and by_turns:
            mine = loop_here()
            if mine is not None:
                return in_a_turn(mine, self.enter, mine, value, exception, entered)
        if self._must_cancel:
            self._must_cancel = False
            if not isinstance(exception, CancelledError):
                exception = self._cancelled_error()
        function = self.spin if entered else self._spin_inside
        return self.run_inside(loop, function, value, exception)

    def run_inside(
        self,
        loop: asyncio.AbstractEventLoop | None,
        function: Callable[..., Deferred[Any] | None],
        *args: Any,
    ) -> Deferred[Any] | None:
        """
        Call a function as the current task.

        Args:
            loop: the loop that runs, if one does.
        """
        if loop is None:
            return function(*args)
        self._loop = loop
        if not self._registered:
            self._registered = True
            asyncio._register_task(self)  # type: ignore[arg-type]  # a third-party task
        outer = asyncio.current_task(loop)
        if outer is not None:
            asyncio._leave_task(loop, outer)
        asyncio._enter_task(loop, self)  # type: ignore[arg-type]  # a third-party task
        try:
            return function(*args)
        finally:
            asyncio._leave_task(loop, self)  # type: ignore[arg-type]  # a third-party task
            if outer is not None:
                asyncio._enter_task(loop, outer)

    def _spin_inside(self, value: Any, exception: BaseException | None) -> Deferred[Any] | None:
        try:
            return self._context.run(self.spin, value, exception)
        except RuntimeError as refused:
            if not _is_entered(refused):
                raise
        return self.spin(value, exception)

    def spin(self, value: Any, exception: BaseException | None) -> Deferred[Any] | None:
        """Run the coroutine to its next wait; as `enter`, but called where that has led."""
        while True:
            try:
                if exception is None:
                    awaited = self._send(value)
                else:
                    # The local name goes, so that the traceback does not lead back here.
                    throw, exception = exception, None
                    try:
                        awaited = self._coro.throw(throw)
                    finally:
                        del throw
            except (StopIteration, Returned) as stop:
                value = stop.value
                if not self._below:
                    return self._finish(value)
            except UNCAUGHT:
                self._abandon()
                raise
            except BaseException as raised:
                if not self._below:
                    return self._finish(caught(raised))
                exception = _without_our_frame(raised)
            else:
                if type(awaited) is Deferred and awaited._canceller is SETTLED:
                    value = awaited.result
                    continue
                value, exception, goes_on = self._handle(awaited)
                if goes_on:
                    continue
                return None
            self._switch_to(self._below.pop())

    def _switch_to(self, coro: Any) -> None:
        self._coro = coro
        self._send = coro.send

    def take_over(self, awaited: Any) -> Deferred[Any] | None:
        """Go on after the coroutine has yielded something."""
        value, exception, goes_on = self._handle(awaited)
        return self.spin(value, exception) if goes_on else None

    def _handle(self, awaited: Any) -> tuple[Any, BaseException | None, bool]:
        """
        Wait for what the coroutine has yielded.

        Returns:
            a value and an exception to go on with, and whether to go on rather
            than to wait.
        """
        if not isinstance(awaited, Deferred):
            value, exception, goes_on = self._wait_for(awaited)
            if goes_on:
                return value, exception, True
        elif awaited.called and awaited._settled():
            result = awaited.result
            if not isinstance(result, Failure):
                return result, None, True
            awaited._see(result)
            return None, result.value.with_traceback(result.tb), True
        else:
            self._waiting_on = awaited
            awaited._add_step(self._step)
        if not self._must_cancel:
            return None, None, False
        self._must_cancel = False
        exception = self._interrupt(running=True)
        return None, exception, exception is not None

    def _wait_for(self, awaited: Any) -> tuple[Any, BaseException | None, bool]:
        """
        Wait for something that is not a Deferred.

        Returns:
            a value and an exception to go on with, and whether to go on rather
            than to wait.
        """
        error: BaseException | None
        if getattr(type(awaited), "_asyncio_future_blocking", None) is not None:
            error = self._wait_for_future(awaited)
        elif isinstance(self._coro, GeneratorType):
            if not isinstance(awaited, CoroutineType):
                # `yield 5` under inlineCallbacks is 5, at once.
                return awaited, None, True
            # It runs as part of this task, as one that is awaited does.
            if self._below is None:
                self._below = []
            self._below.append(self._coro)
            self._switch_to(awaited)
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

    def _finish(self, result: Any) -> Deferred[Any] | None:
        self._done = True
        if self._registered:
            self._unregister()
        if self._callbacks:
            assert self._loop is not None
            for fn, context in self._callbacks:
                self._loop.call_soon(fn, self, context=context)
            self._callbacks = None
        d = self.deferred
        self._step = None  # it leads back here
        if d.called:
            # Someone else has fired it; the coroutine ran on regardless.
            self._let_go()
            return None
        d._canceller = d._note = None
        if type(result) in SPECIAL and self._cancel_requests and self._cancellation_of(result):
            d._note = result  # cancelled through asyncio, which reports no cancelled task
        d.called = True
        d.result = result
        return d

    def _abandon(self) -> None:
        """
        A KeyboardInterrupt goes through. Nothing comes of the coroutine any more, but
        whoever waits for it can still be cancelled.
        """
        self._done = True
        self._step = None
        self._unregister()
        self._let_go()

    def _let_go(self) -> None:
        """Nothing is left that cancelling the Deferred could stop."""
        if self.deferred._canceller is self:
            self.deferred._canceller = None

    def _unregister(self) -> None:
        if self._registered:
            asyncio._unregister_task(self)  # type: ignore[arg-type]  # a third-party task

    def leave_loop(self) -> bool:
        """
        Let a loop forget this task, which may end without it; nobody cancels it then.

        Returns:
            whether it waits for a Deferred, and so for nothing of the loop's.
        """
        if self._waiting_on is None:
            return False
        self._unregister()
        self._registered = False
        return True

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

    def _interrupt(self, running: bool = False) -> CancelledError | None:
        """
        Stop waiting, and have the cancellation raised on the next turn.

        Args:
            running: whether the coroutine is about to wait, rather than to be waiting.

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
        waiting_on, self._waiting_on = self._waiting_on, None
        if waiting_on is not None:
            waiting_on._drop_waiter(self._step)
        loop = running_loop() or self._loop
        if loop is not None and not loop.is_closed():
            self._loop = loop
            error = self._cancelled_error()
            self._turn = loop.call_soon(self._next_turn, error, context=self._context)
        if waiting_on is not None:
            cancel_and_report(waiting_on, message)
        if self._turn is not None or self._done:
            return None
        if running:
            return self._cancelled_error()
        self._settle(self.enter(running_loop(), None, self._cancelled_error()))
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
        self._settle(self.enter(running_loop(), None, self._cancelled_error()))
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


def _is_entered(raised: BaseException) -> bool:
    """
    Whether `Context.run` has refused: whoever resumes a coroutine runs in its context
    already, as a callback of the loop, or a task, that was given `get_context()`.
    """
    tb = raised.__traceback__
    return (
        type(raised) is RuntimeError
        and (tb is None or tb.tb_next is None)
        and "cannot enter context" in str(raised)
    )


def _without_our_frame(raised: BaseException) -> BaseException:
    tb = raised.__traceback__
    return raised.with_traceback((tb and tb.tb_next) or tb)


_chain.driver = CoroutineTask
