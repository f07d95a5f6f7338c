"""What test cases have in common, and what their users set."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from reactorlib.python.failure import Failure

__all__ = [
    "DEFAULT_TIMEOUT_DURATION",
    "DirtyReactorAggregateError",
    "acquireAttribute",
    "excInfoOrFailureToExcInfo",
    "suppress",
]

#: How long a test may take, in seconds, unless it says otherwise.
DEFAULT_TIMEOUT_DURATION = 120.0

_NOTHING = object()


class DirtyReactorAggregateError(Exception):
    """
    A test has left something behind in its reactor.

    Attributes:
        delayedCalls: the calls still to come.
        selectables: what else: ports, connections, tasks, threads.
    """

    def __init__(self, delayedCalls: Iterable[object], selectables: Iterable[object] = ()) -> None:
        self.delayedCalls = list(delayedCalls)
        self.selectables = list(selectables or ())
        super().__init__(self.delayedCalls, self.selectables)

    def __str__(self) -> str:
        text = "Reactor was unclean."
        if self.delayedCalls:
            text += (
                "\nDelayedCalls: (set reactorlib.internet.base.DelayedCall.debug = True to debug)\n"
            )
            text += "\n".join(map(str, self.delayedCalls))
        if self.selectables:
            text += "\nSelectables:\n" + "\n".join(map(str, self.selectables))
        return text


def acquireAttribute(objects: Sequence[object], attr: str, default: Any = _NOTHING) -> Any:
    """
    An attribute of the first of several objects that has it.

    Raises:
        AttributeError: none has it, and there is no default.
    """
    for candidate in objects:
        if hasattr(candidate, attr):
            return getattr(candidate, attr)
    if default is _NOTHING:
        raise AttributeError(f"none of {list(objects)!r} has an attribute {attr!r}")
    return default


def excInfoOrFailureToExcInfo(err: Any) -> tuple[Any, Any, Any]:
    """Turn a Failure into a type, value and traceback; leave those as they are."""
    if isinstance(err, Failure):
        return err.type, err.value, err.getTracebackObject()
    return err  # type: ignore[no-any-return]  # as documented


def suppress(action: str = "ignore", **kwarg: Any) -> tuple[tuple[str], dict[str, Any]]:
    """
    What to do with some warnings, for the attribute `suppress` of a test.

    A test method, its class and its module may have a list of these as `suppress`;
    the list of the method, if there is one, stands for all of them.

    Args:
        action: as `warnings.filterwarnings` takes it.
        kwarg: the rest of its arguments: `message`, `category`, `module`.
    """
    return (action,), kwarg


@contextmanager
def suppressed(filters: Iterable[tuple[tuple[Any, ...], dict[str, Any]]]) -> Iterator[None]:
    """Have warnings go by some more filters, as `suppress` returns them."""
    with warnings.catch_warnings():
        for args, kw in filters:
            warnings.filterwarnings(*args, **kw)
        yield
