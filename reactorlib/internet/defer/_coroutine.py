"""
Coroutines and generators as Deferreds.

How one is driven is in `_driver`. Where no loop runs nobody can ask for its task:
there it is made when the coroutine first has to wait, and never if it does not.
"""

from __future__ import annotations

import functools
from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from types import CoroutineType, GeneratorType
from typing import Any, NoReturn, ParamSpec, TypeVar, overload

from reactorlib.internet.defer import _chain
from reactorlib.internet.defer._deferred import Deferred, succeed
from reactorlib.internet.defer._driver import CoroutineTask, Returned
from reactorlib.internet.defer._steps import SETTLED, SPECIAL, UNCAUGHT, caught
from reactorlib.python._asyncio import by_turns, in_a_turn, loop_here, running_loop
from reactorlib.python.failure import Failure

__all__ = [
    "NotACoroutineError",
    "ensureDeferred",
    "inlineCallbacks",
    "returnValue",
    "run_coroutine",
]

T = TypeVar("T")
_P = ParamSpec("_P")


class NotACoroutineError(TypeError):
    """Something else was given where a coroutine, or a Deferred, is wanted."""


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
    if type(coro) is CoroutineType:
        return _start(coro)
    if isinstance(coro, Deferred):
        return coro
    return run_coroutine(coro)


def run_coroutine(coro: Any) -> Deferred[Any]:
    """What `ensureDeferred` and `Deferred.fromCoroutine` do with a coroutine."""
    if type(coro) is not CoroutineType and not isinstance(coro, (GeneratorType, Coroutine)):
        raise NotACoroutineError(
            f"{coro!r} is not a coroutine; call the `async def` function and pass what it returns"
        )
    return _start(coro)


def _start(coro: Any) -> Deferred[Any]:
    context = copy_context()
    loop = running_loop()
    if loop is None:
        loop = loop_here() if by_turns else None
        if loop is None:
            return context.run(_begin, coro, context)
        return in_a_turn(loop, _start_inside, loop, coro, context)
    return _start_inside(loop, coro, context)


def _start_inside(loop: AbstractEventLoop, coro: Any, context: Context) -> Deferred[Any]:
    task = CoroutineTask(coro, context)
    return _begun(task, task.run_inside(loop, context.run, task.spin, None, None))


def _begin(coro: Any, context: Context) -> Deferred[Any]:
    """Run a coroutine to where it first has to wait; then it gets a task, if it does."""
    value: Any = None
    try:
        while True:
            awaited = coro.send(value)
            if type(awaited) is not Deferred or awaited._canceller is not SETTLED:
                break
            value = awaited.result
    except (StopIteration, Returned) as stop:
        value = stop.value
    except UNCAUGHT:
        raise
    except BaseException as raised:
        value = caught(raised)
    else:
        task = CoroutineTask(coro, context)
        return _begun(task, task.take_over(awaited))
    if type(value) not in SPECIAL:
        return succeed(value)
    d: Deferred[Any] = Deferred()
    d._give(value)
    return d


def _begun(task: CoroutineTask, finished: Deferred[Any] | None) -> Deferred[Any]:
    if finished is not None and isinstance(finished.result, Failure):
        finished._own_failure(finished.result)
    return task.deferred


@overload
def inlineCallbacks(f: Callable[_P, Coroutine[Any, Any, T]]) -> Callable[_P, Deferred[T]]: ...
@overload
def inlineCallbacks(f: Callable[_P, Generator[Any, Any, T]]) -> Callable[_P, Deferred[T]]: ...
def inlineCallbacks(f: Callable[_P, Any]) -> Callable[_P, Deferred[Any]]:
    """
    Make a generator function return a Deferred, and wait wherever it yields one.

    `result = yield d` gives the result of `d`, or raises its failure. It may
    yield coroutines and futures too; anything else comes back as it is. What
    the generator returns, or raises, is what the Deferred fires with. An
    `async def` function is taken as well.
    """

    @functools.wraps(f)
    def unwindGenerator(*args: _P.args, **kwargs: _P.kwargs) -> Deferred[Any]:
        try:
            gen = f(*args, **kwargs)
        except Returned as returned:
            raise TypeError(
                f"inlineCallbacks wants a generator function; {f!r} has no `yield`: "
                f"it called returnValue({returned.value!r})"
            ) from None
        if type(gen) is not GeneratorType and type(gen) is not CoroutineType:
            raise TypeError(
                f"inlineCallbacks wants a generator function; {f!r} has no `yield`: "
                f"it returned {gen!r}"
            )
        if running_loop() is not None or by_turns:
            return _start(gen)
        # As _start, without the call.
        context = copy_context()
        return context.run(_begin, gen, context)

    return unwindGenerator


_chain.run_coroutine = run_coroutine


def returnValue(val: object) -> NoReturn:
    """End an `inlineCallbacks` generator with `val`; a plain `return val` does the same."""
    raise Returned(val)
