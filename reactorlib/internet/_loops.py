"""
What kind of loop this library makes where it makes one itself.

`REACTORLIB_LOOP` in the environment says it for programs that say nothing, and for
the processes that they start.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

__all__ = ["LOOP", "NAMES", "chosen", "new_loop", "uvloop_factory"]

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

#: The variable of the environment.
LOOP = "REACTORLIB_LOOP"

#: What it may be.
NAMES = ("asyncio", "uvloop")


def uvloop_factory() -> LoopFactory:
    """What makes uvloop's loops; ImportError if uvloop is not installed."""
    try:
        from uvloop import new_event_loop
    except ImportError as error:
        raise ImportError(
            "uvloop is not installed: pip install 'reactorlib[fast]'", name="uvloop"
        ) from error
    factory: LoopFactory = new_event_loop
    return factory


def chosen() -> LoopFactory | None:
    """
    What makes the loop that the environment asks for; None where it asks for none.

    Raises:
        ValueError: it asks for a loop that there is not.
        ImportError: for uvloop's, which is not installed.
    """
    name = os.environ.get(LOOP)
    if not name:
        return None
    if name not in NAMES:
        raise ValueError(f"{LOOP} in the environment is {name!r}; it may be {' or '.join(NAMES)}")
    return uvloop_factory() if name == "uvloop" else asyncio.new_event_loop


def new_loop() -> asyncio.AbstractEventLoop:
    """A loop of the kind that the environment asks for; else asyncio's default."""
    return (chosen() or asyncio.new_event_loop)()
