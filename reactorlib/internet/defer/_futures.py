"""How asyncio waits for a Deferred."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from reactorlib.internet.defer import _chain
from reactorlib.internet.defer._chain import FUTURE, caught
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

if TYPE_CHECKING:
    from reactorlib.internet.defer._deferred import Deferred

__all__ = ["DoneCallback", "WaitingFuture", "cancel_for_task"]

_log = logging.getLogger("reactorlib.internet.defer")

T = TypeVar("T")


def cancel_for_task(d: Deferred[Any], msg: object) -> None:
    """
    Cancel what a task waits for; the task is cancelled whatever comes of it.

    A canceller that raises is reported: a task's `cancel()` raises nothing.
    """
    try:
        d.cancel(msg)
    except Exception as exception:
        report(_log, f"the canceller of {d!r} failed", caught(exception))


class DoneCallback:
    """A waiter that tells asyncio's `wait`."""

    __slots__ = ("context", "deferred", "fn", "loop")

    def __init__(self, deferred: Deferred[Any], fn: Callable[[Any], object], context: Any) -> None:
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
    cancel_for_task(d, msg)
    return True


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
