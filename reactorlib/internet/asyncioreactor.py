"""
The reactor: Twisted's names over one asyncio loop.

What it does is in `_reactor`, a class for each family of methods.
"""

from __future__ import annotations

from reactorlib.internet._reactor._streams import StreamReactor

__all__ = ["AsyncioSelectorReactor"]


class AsyncioSelectorReactor(StreamReactor):
    """
    A reactor.

    Programs seldom make one: `from reactorlib.internet import reactor` stands
    for the right one everywhere.

    Args:
        eventLoop: a loop for `run()` to run; by default `run()` makes one.

    Attributes:
        running: whether its loop runs.
    """
