"""
Values that hold for everything that is called from here on, by any key.

They are kept in a `contextvars` variable: timers, threads, callbacks of
transports and tasks that are started under `call` see them too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, TypeVar

__all__ = [
    "ContextTracker",
    "ThreadedContextTracker",
    "call",
    "defaultContextDict",
    "get",
    "installContextTracker",
    "setDefault",
    "theContextTracker",
]

T = TypeVar("T")

#: What `get` finds where no `call` has set it.
defaultContextDict: dict[Any, Any] = {}

setDefault = defaultContextDict.__setitem__

_NOTHING: Mapping[Any, Any] = MappingProxyType({})


class ContextTracker:
    """Keeps track of the values in force."""

    def __init__(self) -> None:
        self._values: ContextVar[Mapping[Any, Any]] = ContextVar("values", default=_NOTHING)

    def callWithContext(
        self, newContext: Mapping[Any, Any], func: Callable[..., T], *args: Any, **kw: Any
    ) -> T:
        """Call `func(*args, **kw)` with the values of `newContext` added to those in force."""
        token = self._values.set({**self._values.get(), **newContext})
        try:
            return func(*args, **kw)
        finally:
            self._values.reset(token)

    def getContext(self, key: Any, default: Any = None) -> Any:
        """The value in force, or else the one of `setDefault`, or else `default`."""
        values = self._values.get()
        return values[key] if key in values else defaultContextDict.get(key, default)


class ThreadedContextTracker(ContextTracker):
    """The same: a variable of `contextvars` is each thread's own."""

    def currentContext(self) -> ContextTracker:
        """What keeps track in this thread."""
        return self


theContextTracker = ThreadedContextTracker()


def call(ctx: Mapping[Any, Any], func: Callable[..., T], *args: Any, **kw: Any) -> T:
    """Call `func(*args, **kw)` with the values of `ctx` added to those in force."""
    return theContextTracker.callWithContext(ctx, func, *args, **kw)


def get(key: Any, default: Any = None) -> Any:
    """The value in force for a key, or else the one of `setDefault`, or else `default`."""
    return theContextTracker.getContext(key, default)


def installContextTracker(ctr: Any) -> None:
    """Have `call` and `get` use another tracker, in the whole process."""
    global theContextTracker
    theContextTracker = ctr
