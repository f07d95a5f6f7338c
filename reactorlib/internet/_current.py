"""
Which reactor `reactor` means.

There is one reactor for each loop. Where a loop runs, `reactor` means its
reactor, made when first asked for; where one is run by turns, as by a GUI toolkit
or for a test, also between them. In a thread without a loop it means the first of
these that there is:

1. in a thread of a reactor's pool, that reactor;
2. the process's own, which `run()` has started in another thread, or which waits
   for a loop that this thread is to run;
3. the only reactor that runs, attached to a loop of another thread;
4. the process's own, which waits for a loop. What it is asked to do meanwhile
   happens when its loop begins, which is either the one that `run()` makes or the
   first that runs in the thread where it was asked.

The third is for threads beside the loop, as `asyncio.to_thread` starts them. What
can be called in any thread, such as `callFromThread`, raises where several run;
and nothing but `run()` and `iterate()` ever means the fourth where one runs.

A thread may also be the first to use `reactor` beside a loop that never has. What
it asks of any thread's kind is for the main thread's loop, so the fourth is handed
to that loop if it runs already: nothing else there might ever ask for it.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import TYPE_CHECKING, Any, cast
from weakref import ref

from reactorlib.internet.error import ReactorAlreadyInstalledError
from reactorlib.python._asyncio import by_turns, loop_here, running_loop

if TYPE_CHECKING:
    from collections.abc import Callable

    from reactorlib.internet._reactor._core import LoopReactor
    from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor

__all__ = [
    "current_reactor",
    "known_reactor",
    "reactor_of",
    "saved_reactor",
    "this_thread",
    "thread_reactor",
]

#: Not by weak references, which take several times as long to look up: a reactor
#: keeps its loop alive anyhow. Closed ones go when the next is added.
_by_loop: dict[asyncio.AbstractEventLoop, AsyncioSelectorReactor] = {}

#: The reactor of that loop, or None. It is the dictionary's own method, the fastest answer.
known_reactor = cast(
    "Callable[[asyncio.AbstractEventLoop | None], AsyncioSelectorReactor | None]", _by_loop.get
)

_lock = threading.Lock()
_default: AsyncioSelectorReactor | None = None


#: What a reactor has that may be used in any thread.
_FOR_ANY_THREAD = {
    "_for_threads",
    "callFromThread",
    "callInThread",
    "getThreadPool",
    "suggestThreadPoolSize",
    "wakeUp",
}

#: What makes a loop of this thread's own.
_FOR_A_LOOP_HERE = {"iterate", "run"}


class _Thread(threading.local):
    """
    What is known of a thread.

    Attributes:
        reactor: the one of whose pool the thread is, or None.
        has_looked: whether it has looked for a loop to hand the waiting reactor to.
    """

    reactor: ref[AsyncioSelectorReactor] | None = None
    has_looked = False


this_thread = _Thread()


def current_reactor() -> AsyncioSelectorReactor:
    """The reactor that `reactor` stands for here and now."""
    found = _here()
    if found is not None:
        return found
    with _lock:
        running = _beside()
        return running[0] if len(running) == 1 else _own()


def thread_reactor() -> AsyncioSelectorReactor:
    """
    The reactor that a call which any thread may make is meant for.

    Raises:
        RuntimeError: several run, and nothing tells which.
    """
    found = _here()
    if found is not None:
        return found
    with _lock:
        running = _beside()
        if len(running) > 1:
            raise RuntimeError(
                f"{len(running)} reactors run in this process, and this thread belongs to "
                "none of them: give it the one that it is to use, which is what "
                "`async with reactor as mine:` calls `mine`"
            )
        if running:
            return running[0]
        own = _own()
        _offer(own)
        return own


def reactor_for(name: str) -> AsyncioSelectorReactor:
    """The reactor that `reactor` stands for in `reactor.NAME`."""
    if name in _FOR_ANY_THREAD:
        return thread_reactor()
    if name in _FOR_A_LOOP_HERE:
        found = _here()
        if found is None:
            with _lock:
                found = _own()
        return found
    return current_reactor()


def _here() -> AsyncioSelectorReactor | None:
    """The reactor of the loop that runs in this thread, or of the pool it is from."""
    loop = loop_here()
    if loop is not None:
        return reactor_of(loop)
    mine = this_thread.reactor
    return None if mine is None else mine()


def _beside() -> list[AsyncioSelectorReactor]:
    """
    The reactors that run beside this thread, which has no loop. The lock is held.

    None counts if the process's own one runs, or waits for this thread's loop.
    """
    own = _default
    if own is not None and (own._started or own._waits_in(threading.get_ident())):
        return []
    turned = set(by_turns.values())
    return [reactor for loop, reactor in _by_loop.items() if loop.is_running() or loop in turned]


def _own() -> AsyncioSelectorReactor:
    """The process's own reactor, made when first asked for. The lock is held."""
    global _default
    if _default is None:
        from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor

        _default = AsyncioSelectorReactor()
    return _default


def _offer(own: AsyncioSelectorReactor) -> None:
    """
    Hand the process's own reactor to the main thread's loop, if that runs. The lock is held.

    asyncio does not say which loops run in other threads, and to look through all
    objects for them takes some milliseconds: so each thread looks once.
    """
    main = threading.main_thread().ident
    if this_thread.has_looked or own._started or threading.get_ident() == main:
        return
    this_thread.has_looked = True
    if own._waiting_thread not in (None, main):
        return
    for loop in _running_loops():
        own._waiting_thread = main
        try:
            loop.call_soon_threadsafe(_accept)
        except RuntimeError:
            pass  # it has been closed meanwhile


def _running_loops() -> list[asyncio.AbstractEventLoop]:
    """The loops that run, in any thread."""
    # By its type, not by isinstance, which asks the object itself.
    loops = [it for it in gc.get_objects() if issubclass(type(it), asyncio.AbstractEventLoop)]
    return [loop for loop in loops if _runs(loop)]


def _runs(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return loop.is_running()
    except Exception:  # one that is only half made, or somebody's stand-in
        return False


def _accept() -> None:
    """The loop takes over the reactor that waits, if it is the main thread's."""
    loop = running_loop()
    if loop is not None and threading.current_thread() is threading.main_thread():
        reactor_of(loop)


def saved_reactor() -> Any:
    """What is loaded in the place of a saved reactor: whatever `reactor` means then."""
    from reactorlib.internet import reactor

    return reactor


def belong(reactor: ref[LoopReactor]) -> None:
    """This thread is one of the reactor's pool."""
    this_thread.reactor = cast("ref[AsyncioSelectorReactor]", reactor)  # which every reactor is


def install(reactor: AsyncioSelectorReactor) -> None:
    """
    Let a reactor that waits for its loop be the process's own.

    Raises:
        ReactorAlreadyInstalledError: there is one, and it runs, or has been
            asked for something.
    """
    global _default
    with _lock:
        own = _default
        if own is not None and own is not reactor and (own._started or own._waiting_thread):
            raise ReactorAlreadyInstalledError(
                "the process's own reactor is in use already; install another before that, "
                "or call this one's own run()"
            )
        _default = reactor
        reactor._waits()


def reactor_of(loop: asyncio.AbstractEventLoop) -> AsyncioSelectorReactor:
    """The reactor of a loop that runs in this thread."""
    reactor = _by_loop.get(loop)
    if reactor is None:
        reactor = _take_waiting()
        if reactor is None:
            from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor

            return AsyncioSelectorReactor()  # which attaches itself
        bind(loop, reactor)
        reactor._attach(loop)
    return reactor


def claim(loop: asyncio.AbstractEventLoop, reactor: LoopReactor) -> None:
    """
    Let a reactor made by hand be the one of the loop that runs.

    Raises:
        ReactorAlreadyInstalledError: the loop has one.
    """
    if loop in _by_loop:
        raise ReactorAlreadyInstalledError(
            "the loop that runs here has its reactor, which `reactor` stands for; use that"
        )
    bind(loop, reactor)


def bind(loop: asyncio.AbstractEventLoop, reactor: LoopReactor) -> None:
    """Let `reactor` be the one of `loop`."""
    whole = cast("AsyncioSelectorReactor", reactor)  # which every reactor is
    with _lock:
        for known in [known for known in _by_loop if known.is_closed()]:
            del _by_loop[known]
        _by_loop[loop] = whole


def _take_waiting() -> AsyncioSelectorReactor | None:
    """The process's reactor, if things asked of it in this thread wait for a loop."""
    global _default
    with _lock:
        waiting = _default
        if waiting is None or not waiting._waits_in(threading.get_ident()):
            return None
        _default = None
        return waiting
