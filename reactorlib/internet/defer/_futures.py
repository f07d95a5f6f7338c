"""How asyncio waits for a Deferred."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from reactorlib.internet.defer import _chain
from reactorlib.internet.defer._chain import Chain
from reactorlib.internet.defer._steps import FUTURE, SETTLED, UNCAUGHT, WAITER, caught
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

if TYPE_CHECKING:
    from typing import Self

    from reactorlib.internet.defer._deferred import Deferred

__all__ = ["FutureFace", "WaitingFuture", "cancel_and_report", "cancel_both"]

_log = logging.getLogger("reactorlib.internet.defer")

T = TypeVar("T")


def cancel_and_report(d: Deferred[Any], msg: object = None) -> None:
    """
    Cancel one of several things, as what a task waits for: the rest goes on whatever comes of it.

    A canceller that raises is reported, were it a `CancelledError`: a task's `cancel()`
    raises nothing.
    """
    try:
        d.cancel(msg)
    except UNCAUGHT:
        raise
    except BaseException as exception:
        report(_log, f"the canceller of {d!r} failed", caught(exception))


class _DoneCallback:
    """A waiter that tells asyncio's `wait`."""

    __slots__ = ("context", "deferred", "fn", "loop")

    def __init__(self, deferred: FutureFace, fn: Callable[[Any], object], context: Any) -> None:
        self.deferred = deferred
        self.fn: Callable[[Any], object] | None = fn
        self.context = context
        self.loop = asyncio.get_running_loop()

    def resume(self, result: Any, failed: bool) -> None:
        if self.fn is not None:
            self.loop.call_soon(self.fn, self.deferred, context=self.context)


class WaitingFuture(asyncio.Future[T]):
    """A future that a Deferred resolves, and that cancels the Deferred."""

    __slots__ = ("_deferred",)

    _deferred: Deferred[T]

    @classmethod
    def of(cls, deferred: Deferred[T], loop: asyncio.AbstractEventLoop) -> WaitingFuture[T]:
        """A future for the result of a Deferred."""
        # With no __init__ of our own it is made in C alone.
        self = cls(loop=loop)
        self._deferred = deferred
        if deferred.called and deferred._settled():
            deferred._resolve(self, deferred.result, isinstance(deferred.result, Failure))
        else:
            deferred._add_step((self, FUTURE))
        return self

    def cancel(self, msg: Any = None) -> bool:
        return cancel_both(self, self._deferred, msg)


def cancel_both(future: asyncio.Future[T], d: Deferred[T], msg: object) -> bool:
    """Cancel a future, and the Deferred that is to resolve it."""
    if not asyncio.Future.cancel(future, msg):
        return False
    # This future is cancelled whatever the canceller does with the Deferred.
    cancel_and_report(d, msg)
    return True


class FutureFace(Chain):
    """The part of a `Deferred` that tells asyncio whether it is done, and how it ended."""

    __slots__ = ()

    def done(self) -> bool:
        """
        Whether there is a result and every callback has run.

        To a coroutine that the result is just being given to it is done, too,
        unless more callbacks follow.
        """
        if self._canceller is SETTLED or self._held != 1:
            return self._settled()
        for step in reversed(self._remaining()):
            if type(step) is not tuple or step[1] not in (WAITER, FUTURE):
                return False
            if getattr(step[0], "_running", False):
                break
        return True

    def cancelled(self) -> bool:
        """Whether the result is a `CancelledError`."""
        failure = self.result if self.done() else None
        return isinstance(failure, Failure) and isinstance(failure.value, asyncio.CancelledError)

    def exception(self) -> BaseException | None:
        """
        The exception that is the result, or None after success.

        Raises:
            asyncio.InvalidStateError: there is no result yet.
            asyncio.CancelledError: the result is one.
        """
        if not self.done():
            raise asyncio.InvalidStateError("this Deferred has no result yet")
        if not isinstance(self.result, Failure):
            return None
        self._see(self.result)
        if isinstance(self.result.value, asyncio.CancelledError):
            raise self.result.value
        return self.result.value

    def add_done_callback(self, fn: Callable[[Self], object], *, context: Any = None) -> None:
        """Have the running loop call `fn(self)` once there is a result, as a future does."""
        waiter = _DoneCallback(self, fn, context)
        if self._settled():
            waiter.resume(self.result, False)
        else:
            self._add_step((waiter, WAITER))

    def remove_done_callback(self, fn: Callable[[Self], object]) -> int:
        """Take `add_done_callback` back; how many times it had been called."""
        found = 0
        for step in self._remaining():
            waiter = step[0] if type(step) is tuple else None
            if isinstance(waiter, _DoneCallback) and waiter.fn == fn:
                waiter.fn = None
                found += 1
        return found


def _fail_future(future: asyncio.Future[Any], failure: Failure) -> None:
    if isinstance(failure.value, asyncio.CancelledError):
        asyncio.Future.cancel(future, *failure.value.args[:1])
        return
    error = failure.value.with_traceback(failure.tb)
    if isinstance(error, StopIteration):
        # In a coroutine it would mean the end, and a future refuses it.
        stop, error = error, RuntimeError("the Deferred failed with StopIteration")
        error.__cause__ = stop
    future.set_exception(error)


_chain.fail_future = _fail_future
