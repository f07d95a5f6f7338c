"""
Which reactor `reactor` means.

There is one reactor for each loop. Where a loop runs, `reactor` means its
reactor, made when first asked for. Elsewhere it means the process's own: the
one that `run()` has started in another thread or, before that, one that waits
for a loop. What it is asked to do meanwhile happens when its loop begins, which
is either the one that `run()` makes or the first that runs in the thread where
it was asked.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from reactorlib.internet.error import ReactorAlreadyInstalledError
from reactorlib.python._asyncio import running_loop

if TYPE_CHECKING:
    from reactorlib.internet._reactor._core import LoopReactor
    from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor

__all__ = ["current_reactor", "reactor_of", "retire"]

_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncioSelectorReactor] = WeakKeyDictionary()
_lock = threading.Lock()
_default: AsyncioSelectorReactor | None = None


def current_reactor() -> AsyncioSelectorReactor:
    """The reactor that `reactor` stands for here and now."""
    loop = running_loop()
    if loop is not None:
        return reactor_of(loop)
    global _default
    with _lock:
        if _default is None:
            from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor

            _default = AsyncioSelectorReactor()
        return _default


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
    with _lock:
        # A reactor keeps its loop alive, and so its entry: those of loops that
        # have been closed have to be taken out.
        for known in [known for known in _by_loop if known.is_closed()]:
            del _by_loop[known]
        _by_loop[loop] = reactor


def _take_waiting() -> AsyncioSelectorReactor | None:
    """The process's reactor, if things asked of it in this thread wait for a loop."""
    global _default
    with _lock:
        waiting = _default
        if waiting is None or not waiting._waits_in(threading.get_ident()):
            return None
        _default = None
        return waiting


def retire(reactor: LoopReactor) -> None:
    """`reactor` has run: the next `run()` starts with a new one."""
    global _default
    with _lock:
        if _default is reactor:
            _default = None
