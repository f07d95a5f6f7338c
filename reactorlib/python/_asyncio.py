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
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["no_running_loop", "running_loop", "set_clock_resolution"]


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

    Where none does, nothing happens.

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
    _set_running_loop(None)
    try:
        yield
    finally:
        _set_running_loop(outer)


def set_clock_resolution(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    """
    Say within how many seconds of now a timer of one of asyncio's own loops is due.

    It is asyncio's own resolution, that of the system's clock, for a loop that has no
    such setting.
    """
    if hasattr(loop, "_clock_resolution"):
        loop._clock_resolution = seconds
