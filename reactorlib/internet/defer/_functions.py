"""Deferreds from values, exceptions and calls; and the debugging switch."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import Any, ParamSpec, TypeVar, overload

from reactorlib.internet.defer._coroutine import run_coroutine
from reactorlib.internet.defer._deferred import Deferred, remember, succeed
from reactorlib.internet.defer._steps import UNCAUGHT, caught
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

__all__ = [
    "TimeoutError",
    "execute",
    "fail",
    "getDebugging",
    "logError",
    "maybeDeferred",
    "passthru",
    "setDebugging",
    "succeed",
    "timeout",
]

_log = logging.getLogger("reactorlib.internet.defer")

T = TypeVar("T")
_P = ParamSpec("_P")

#: What `addTimeout` fails with: Python's own, which `asyncio.timeout` raises too.
TimeoutError = asyncio.TimeoutError


def fail(result: Failure | BaseException | None = None) -> Deferred[Any]:
    """A Deferred that has failed already; None for the exception being handled."""
    d: Deferred[Any] = Deferred()
    d.errback(result)
    return d


@overload
def maybeDeferred(
    f: Callable[_P, Deferred[T]], *args: _P.args, **kwargs: _P.kwargs
) -> Deferred[T]: ...
@overload
def maybeDeferred(
    f: Callable[_P, Coroutine[Any, Any, T]], *args: _P.args, **kwargs: _P.kwargs
) -> Deferred[T]: ...
@overload
def maybeDeferred(f: Callable[_P, T], *args: _P.args, **kwargs: _P.kwargs) -> Deferred[T]: ...
def maybeDeferred(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Deferred[Any]:
    """
    Call `f` and give its outcome as a Deferred, whatever it is: a value, an
    exception, a Failure, a coroutine, or a Deferred already.
    """
    try:
        result = f(*args, **kwargs)
    except UNCAUGHT:
        raise
    except BaseException as exception:
        return fail(caught(exception))
    if isinstance(result, Deferred):
        return result
    if isinstance(result, Failure):
        return fail(result)
    if isinstance(result, CoroutineType):
        return run_coroutine(result)
    return succeed(result)


def execute(callable: Callable[_P, T], *args: _P.args, **kwargs: _P.kwargs) -> Deferred[T]:
    """Call a function, and give what it returns or raises as a Deferred that has fired."""
    try:
        result = callable(*args, **kwargs)
    except UNCAUGHT:
        raise
    except BaseException as exception:
        return fail(caught(exception))
    return succeed(result)


def passthru(arg: T) -> T:
    """Return the argument: a step that changes nothing."""
    return arg


def logError(err: Failure) -> Failure:
    """An errback that reports the failure as an error, and passes it on."""
    report(_log, "Unhandled Error", err)
    return err


def timeout(deferred: Deferred[object]) -> None:
    """Fail `deferred` with `TimeoutError`. Deprecated: `Deferred.addTimeout` keeps time too."""
    warnings.warn(
        "reactorlib.internet.defer.timeout is deprecated; use Deferred.addTimeout instead",
        DeprecationWarning,
        stacklevel=2,
    )
    deferred.errback(Failure(TimeoutError("Callback timed out")))


def setDebugging(on: bool) -> None:
    """
    Whether each Deferred is to remember where it was made and where it fired,
    and failures the variables of their frames.

    An unhandled failure and an `AlreadyCalledError` then tell. It costs a stack
    trace for each Deferred.
    """
    remember(bool(on))


def getDebugging() -> bool:
    """Whether `setDebugging` is on."""
    return Deferred.debug
