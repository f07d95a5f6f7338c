"""
The reactor over uvloop's loop.

It is the same reactor; its `run()` makes a loop of uvloop's where none is asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from reactorlib.internet import _current
from reactorlib.internet._loops import uvloop_factory
from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor

__all__ = ["UvloopReactor", "check", "install"]


def check() -> None:
    """ImportError if uvloop is not installed."""
    uvloop_factory()


class UvloopReactor(AsyncioSelectorReactor):
    """A reactor whose loop is uvloop's."""

    def run(
        self,
        installSignalHandlers: bool = True,
        *,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
        debug: bool | None = None,
    ) -> None:
        """Make a loop of uvloop's, and run it until `stop()`; else as `AsyncioSelectorReactor`."""
        if loop_factory is None and self._given_loop is None:
            loop_factory = uvloop_factory()
        super().run(installSignalHandlers, loop_factory=loop_factory, debug=debug)


def install() -> None:
    """
    Let the process's own reactor be one over uvloop.

    Raises:
        ImportError: uvloop is not installed.
        ReactorAlreadyInstalledError: there is a reactor, which runs or has been
            asked for something.
    """
    check()
    reactor = UvloopReactor()
    if not reactor._started:
        _current.install(reactor)
