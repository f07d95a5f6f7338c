"""How asyncio waits for a Deferred."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from reactorlib.internet.defer._chain import WAITER, caught
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
        if not (deferred.called and deferred._settled()):
            deferred._add_step((self, WAITER))
        else:
            failed = isinstance(deferred.result, Failure)
            if failed:
                deferred._see(deferred.result)
            self.resume(deferred.result, failed)
        return self

    def resume(self, result: Any, failed: bool) -> None:
        if self.done():
            return
        if not failed:
            self.set_result(result)
        elif isinstance(result.value, asyncio.CancelledError):
            super().cancel(*result.value.args[:1])
        else:
            error = result.value.with_traceback(result.tb)
            if isinstance(error, StopIteration):
                # In a coroutine it would mean the end, and a future refuses it.
                stop, error = error, RuntimeError("the Deferred failed with StopIteration")
                error.__cause__ = stop
            self.set_exception(error)

    def cancel(self, msg: Any = None) -> bool:
        if not super().cancel(msg):
            return False
        # This future is cancelled whatever the canceller does with the Deferred.
        cancel_for_task(self._deferred, msg)
        return True
