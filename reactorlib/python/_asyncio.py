"""
The one place that touches what asyncio has but does not document.

`asyncio.get_running_loop()` is the documented question, and answers "none" by
an exception, which costs more than a whole Deferred. asyncio also exports the
form that answers None; where a Python should lack it, the documented one
serves. For the others there is no documented form: each says here what happens
where a Python should lack it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

__all__ = [
    "by_turns",
    "in_a_turn",
    "loop_here",
    "no_running_loop",
    "running_loop",
    "runs_by_turns",
    "set_clock_resolution",
    "set_event_loop",
]

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _documented_running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


#: The loop that runs in this thread, or None.
running_loop: Callable[[], asyncio.AbstractEventLoop | None] = getattr(
    asyncio, "_get_running_loop", _documented_running_loop
)

_set_running_loop: Callable[[asyncio.AbstractEventLoop | None], None] | None = getattr(
    asyncio, "_set_running_loop", None
)


@contextmanager
def no_running_loop() -> Iterator[None]:
    """
    Let another loop run here, while one does.

    Its current task, which from Python 3.14 on is the thread's, is put aside with it.
    Where no loop runs, nothing happens.

    Raises:
        RuntimeError: one does, and this Python cannot put it aside.
    """
    outer = running_loop()
    if outer is None:
        yield
        return
    if _set_running_loop is None:
        raise RuntimeError(
            f"{outer!r} runs in this thread, and this Python lets no other run meanwhile: "
            "call this in a thread of its own, as with asyncio.to_thread"
        )
    task = asyncio.current_task(outer)
    if task is not None:
        asyncio._leave_task(outer, task)
    _set_running_loop(None)
    try:
        yield
    finally:
        _set_running_loop(outer)
        if task is not None:
            asyncio._enter_task(outer, task)


#: By thread, the loop that somebody runs there by turns; between two of them none runs.
by_turns: dict[int, asyncio.AbstractEventLoop] = {}


@contextmanager
def runs_by_turns(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """
    Say that a loop is run in this thread by turns.

    It, and its reactor, are meant between two turns as well; a coroutine under a
    Deferred that begins or goes on there is run as if the loop ran.
    """
    thread = threading.get_ident()
    before = by_turns.get(thread)
    by_turns[thread] = loop
    try:
        yield
    finally:
        if before is None:
            del by_turns[thread]
        else:
            by_turns[thread] = before


def loop_here() -> asyncio.AbstractEventLoop | None:
    """The loop that runs in this thread, or does so by turns, or None."""
    loop = running_loop()
    if loop is None and by_turns:
        return by_turns.get(threading.get_ident())
    return loop


def in_a_turn(
    loop: asyncio.AbstractEventLoop,
    function: Callable[_P, _T],
    *args: _P.args,
    **kwargs: _P.kwargs,
) -> _T:
    """
    Call a function as if `loop` ran; it is this thread's, which runs it by turns.

    Where this Python has no means to, it is just called.
    """
    if _set_running_loop is None:
        return function(*args, **kwargs)
    _set_running_loop(loop)
    try:
        return function(*args, **kwargs)
    finally:
        _set_running_loop(None)


@contextmanager
def set_event_loop(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """
    Let `asyncio.get_event_loop()` give a loop of this thread while it does not run, too.

    It gives afterwards what it gave before; where this Python does not tell what that
    was, nothing.
    """
    find = getattr(asyncio.events, "_get_event_loop_policy", None) or asyncio.get_event_loop_policy
    local = getattr(find(), "_local", None)
    before = None if local is None else vars(local).copy()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        if before is None:
            asyncio.set_event_loop(None)
        else:
            vars(local).clear()
            vars(local).update(before)


def set_clock_resolution(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    """
    Say within how many seconds of now a timer of one of asyncio's own loops is due.

    It is asyncio's own resolution, that of the system's clock, for a loop that has no
    such setting.
    """
    if hasattr(loop, "_clock_resolution"):
        loop._clock_resolution = seconds
