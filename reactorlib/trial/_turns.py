"""
The loop of one test, which runs while something is waited for.

Plain functions are called while it does not run, as Twisted calls them: so they can
run loops themselves, or wait in other ways. What they ask of the loop, and of its
reactor, happens when it runs next. What has to begin inside the loop, and all that is
waited for, does so in one task, which rests in between. Functions and task share one
context: what `setUp` sets there is there in the test.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

from reactorlib.python._asyncio import runs_by_turns, set_event_loop

__all__ = ["Turns", "begins_inside"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


def begins_inside(function: Any) -> bool:
    """
    Whether it is a coroutine function, or one that `inlineCallbacks` has made.

    So are functions around one, by `functools.wraps`.
    """
    while isinstance(function, functools.partial):
        function = function.func
    try:
        function = inspect.unwrap(function)
    except ValueError:  # it goes round in a circle
        return False
    return inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function)


class Turns:
    """
    A loop that runs by turns: a context manager.

    Args:
        loop: a loop that does not run; whoever made it ends it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._context = contextvars.copy_context()
        self._by_turns = runs_by_turns(loop)
        self._task: asyncio.Task[None] | None = None
        #: What the task is given to do, and where to say that it is done.
        self._given: asyncio.Future[tuple[Callable[[], Awaitable[Any]], asyncio.Future[Any]]]

    def __enter__(self) -> Turns:
        self._by_turns.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._by_turns.__exit__(None, None, None)

    def call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call a function while the loop does not run."""
        with set_event_loop(self.loop):
            return self._context.run(function, *args, **kwargs)

    def run(self, function: Callable[[], Awaitable[_T]]) -> _T:
        """
        Call a function in the task, wait there for what it returns, and give its outcome.

        An exception ends the task, and comes out here; there is another one the next time.
        """
        if self._task is None or self._task.done():
            self._given = self.loop.create_future()
            self._task = self.loop.create_task(self._work(), context=self._context)
        done: asyncio.Future[_T] = self.loop.create_future()
        self._given.set_result((function, done))
        try:
            self.loop.run_until_complete(done)
        except BaseException:
            if not done.done():  # an interrupt, or somebody has stopped the loop
                done.cancel()
                if self._task.done() and not self._task.cancelled():
                    self._task.exception()  # it is the one that is raised here
                self._task = None
            raise
        return done.result()

    async def _work(self) -> None:
        while True:
            function, done = await self._given
            self._given = self.loop.create_future()
            try:
                outcome = await function()
            except (KeyboardInterrupt, SystemExit):
                raise  # out of the loop
            except BaseException as error:
                if not done.done():
                    done.set_exception(error)
                return
            if done.done():  # nobody waits for it any more
                return
            done.set_result(outcome)
