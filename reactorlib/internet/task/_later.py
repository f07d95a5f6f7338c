"""Calling later, with the outcome as a Deferred."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, overload

from reactorlib.internet.defer import Deferred

__all__ = ["deferLater"]

T = TypeVar("T")
_P = ParamSpec("_P")


@overload
def deferLater(clock: Any, delay: float) -> Deferred[None]: ...
@overload
def deferLater(
    clock: Any, delay: float, callable: Callable[_P, Deferred[T]], *args: _P.args, **kw: _P.kwargs
) -> Deferred[T]: ...
@overload
def deferLater(
    clock: Any,
    delay: float,
    callable: Callable[_P, Coroutine[Any, Any, T]],
    *args: _P.args,
    **kw: _P.kwargs,
) -> Deferred[T]: ...
@overload
def deferLater(
    clock: Any, delay: float, callable: Callable[_P, T], *args: _P.args, **kw: _P.kwargs
) -> Deferred[T]: ...
def deferLater(
    clock: Any,
    delay: float,
    callable: Callable[..., Any] | None = None,
    *args: Any,
    **kw: Any,
) -> Deferred[Any]:
    """
    Call a function later.

    Args:
        clock: the `IReactorTime` to wait with, as the reactor.
        delay: seconds from now.
        callable: what to call then; None to wait only.

    Returns:
        a Deferred with the outcome of the call. Cancelling it before then
        cancels the call.
    """
    d: Deferred[Any] = Deferred(lambda _: call.cancel())
    if callable is not None:
        function = callable
        d.addCallback(lambda _: function(*args, **kw))
    call = clock.callLater(delay, d.callback, None)
    return d
