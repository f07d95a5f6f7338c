"""A loop that watches no descriptors for others, as that of Windows; its own transports work."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

__all__ = ["RefusingLoop"]


def _refuse(name: str) -> Any:
    def method(self: RefusingLoop, *args: Any) -> Any:
        # asyncio's own socket calls take their watches away again by these names.
        if sys._getframe(1).f_globals["__name__"].startswith("asyncio."):
            return getattr(super(RefusingLoop, self), name)(*args)
        raise NotImplementedError

    return method


class RefusingLoop(asyncio.SelectorEventLoop):
    """`asyncio.SelectorEventLoop` without `add_reader` and its kin."""

    add_reader = _refuse("add_reader")
    add_writer = _refuse("add_writer")
    remove_reader = _refuse("remove_reader")
    remove_writer = _refuse("remove_writer")
