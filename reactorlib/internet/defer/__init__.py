"""
Deferreds: results that are not there yet, and the coroutines that wait for them.

A `Deferred` is a chain of callbacks. It needs no event loop, and any coroutine
can await it: one of asyncio's, one under `ensureDeferred` or `inlineCallbacks`.
"""

from reactorlib.internet.defer._coroutine import (
    NotACoroutineError,
    ensureDeferred,
    inlineCallbacks,
    returnValue,
)
from reactorlib.internet.defer._deferred import (
    AlreadyCalledError,
    CancelledError,
    Deferred,
    fail,
    maybeDeferred,
    succeed,
)
from reactorlib.internet.defer._gather import DeferredList, FirstError, gatherResults

__all__ = [
    "AlreadyCalledError",
    "CancelledError",
    "Deferred",
    "DeferredList",
    "FirstError",
    "NotACoroutineError",
    "ensureDeferred",
    "fail",
    "gatherResults",
    "inlineCallbacks",
    "maybeDeferred",
    "returnValue",
    "succeed",
]
