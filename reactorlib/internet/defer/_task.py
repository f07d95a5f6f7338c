"""What asyncio and its libraries ask of a task, answered for a coroutine of ours."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import traceback
from collections.abc import Callable, Generator
from typing import IO, Any, NoReturn

from reactorlib.internet.defer._deferred import CancelledError, Deferred
from reactorlib.python.failure import Failure

__all__ = ["TaskFace"]

_names = itertools.count(1)


class TaskFace:
    """
    The part of `CoroutineTask` that only tells: outcome, name, place, context.

    Cancelling and running are the task's own.
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_below",
        "_callbacks",
        "_context",
        "_coro",
        "_done",
        "_loop",
        "deferred",
    )

    deferred: Deferred[Any]
    _coro: Any
    _context: contextvars.Context
    _loop: asyncio.AbstractEventLoop | None
    _done: bool
    #: Coroutines that have yielded the one that runs, the first one first.
    _below: list[Any] | None
    #: The name and the shape that asyncio's own task has: anyio looks here.
    _callbacks: list[tuple[Callable[[Any], object], Any]] | None

    # Seldom set, so not worth a slot each.
    _asyncio_future_blocking = False
    _name: str | None = None
    _cancel_message: Any = None

    @property
    def _running(self) -> bool:
        raise NotImplementedError

    def done(self) -> bool:
        """Whether the coroutine has ended."""
        return self._done

    def cancelled(self) -> bool:
        """Whether it ended by `CancelledError`."""
        return self._done and self._cancellation() is not None

    def _cancellation(self) -> CancelledError | None:
        return self._cancellation_of(getattr(self.deferred, "result", None))

    @staticmethod
    def _cancellation_of(result: object) -> CancelledError | None:
        if isinstance(result, Failure) and isinstance(result.value, CancelledError):
            return result.value
        return None

    def result(self) -> Any:
        """What the Deferred's `result` is, or an exception, as of a task."""
        exception = self.exception()
        if exception is not None:
            try:
                raise exception.with_traceback(self.deferred.result.tb)
            finally:
                del exception  # its traceback leads here
        return getattr(self.deferred, "result", None)

    def exception(self) -> BaseException | None:
        """The exception that ended it, as of a task."""
        if not self._done:
            raise asyncio.InvalidStateError("the coroutine is still running")
        result = getattr(self.deferred, "result", None)
        if not isinstance(result, Failure):
            return None
        self.deferred._see(result)
        if isinstance(result.value, CancelledError):
            raise result.value
        return result.value

    def _cancelled_error(self) -> CancelledError:
        message = self._cancel_message
        return CancelledError() if message is None else CancelledError(message)

    def _make_cancelled_error(self) -> CancelledError:
        """What `asyncio.gather` asks a cancelled task for."""
        return self._cancellation() or self._cancelled_error()

    def add_done_callback(self, fn: Callable[[Any], object], *, context: Any = None) -> None:
        """Have the loop call `fn(self)` once the coroutine has ended."""
        context = context or contextvars.copy_context()
        if self._done:
            self.get_loop().call_soon(fn, self, context=context)
        elif self._callbacks is None:
            self._callbacks = [(fn, context)]
        else:
            self._callbacks.append((fn, context))

    def remove_done_callback(self, fn: Callable[[Any], object]) -> int:
        """Take `add_done_callback` back; how many times it had been called."""
        callbacks = self._callbacks or []
        kept = [entry for entry in callbacks if entry[0] != fn]
        self._callbacks = kept
        return len(callbacks) - len(kept)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop in which it runs."""
        if self._loop is None:
            raise RuntimeError("the coroutine has not run inside a loop yet")
        return self._loop

    def get_coro(self) -> Any:
        """The coroutine."""
        return self._below[0] if self._below else self._coro

    def get_context(self) -> contextvars.Context:
        """The context in which it runs: a copy of its maker's."""
        return self._context

    def get_name(self) -> str:
        """Its name; made up when nobody has given one."""
        if self._name is None:
            self._name = f"Deferred-{next(_names)}"
        return self._name

    def set_name(self, value: object) -> None:
        """Give it a name."""
        self._name = str(value)

    def set_result(self, result: object) -> NoReturn:
        """Refuse, as a task does."""
        raise RuntimeError("a task's result is what its coroutine returns")

    def set_exception(self, exception: object) -> NoReturn:
        """Refuse, as a task does."""
        raise RuntimeError("a task's exception is what its coroutine raises")

    def get_stack(self, *, limit: int | None = None) -> list[Any]:
        """The frame where the coroutine waits, in a list; empty when it has ended."""
        coro = self.get_coro()
        frame = getattr(coro, "cr_frame", None) or getattr(coro, "gi_frame", None)
        return [] if frame is None or limit == 0 else [frame]

    def print_stack(self, *, limit: int | None = None, file: IO[str] | None = None) -> None:
        """Print where the coroutine waits."""
        for frame in self.get_stack(limit=limit):
            traceback.print_stack(frame, limit=1, file=file)

    def __await__(self) -> Generator[Any, Any, Any]:
        if not self._done:
            self._asyncio_future_blocking = True
            yield self
        return self.result()

    __iter__ = __await__

    def __repr__(self) -> str:
        state = "done" if self._done else "running" if self._running else "waiting"
        coro = self.get_coro()
        name = getattr(coro, "__qualname__", repr(coro))
        return f"<CoroutineTask {self.get_name()} {state} coro=<{name}()>>"
