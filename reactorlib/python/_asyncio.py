"""
The one place that touches what asyncio exports but does not document.

`asyncio.get_running_loop()` is the documented question, and answers "none" by
an exception, which costs more than a whole Deferred. asyncio also exports the
form that answers None; where a Python should lack it, the documented one
serves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["running_loop"]


def _documented_running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


#: The loop that runs in this thread, or None.
running_loop: Callable[[], asyncio.AbstractEventLoop | None] = getattr(
    asyncio, "_get_running_loop", _documented_running_loop
)
