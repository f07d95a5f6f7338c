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
from reactorlib.internet.defer._deferred import AlreadyCalledError, CancelledError, Deferred
from reactorlib.internet.defer._filelock import AlreadyTryingToLockError, DeferredFilesystemLock
from reactorlib.internet.defer._functions import (
    TimeoutError,
    execute,
    fail,
    getDebugging,
    logError,
    maybeDeferred,
    passthru,
    setDebugging,
    succeed,
    timeout,
)
from reactorlib.internet.defer._gather import (
    FAILURE,
    SUCCESS,
    DeferredList,
    FirstError,
    gatherResults,
)
from reactorlib.internet.defer._primitives import (
    DeferredLock,
    DeferredQueue,
    DeferredSemaphore,
    QueueOverflow,
    QueueUnderflow,
)
from reactorlib.internet.defer._race import FailureGroup, race
from reactorlib.python.failure import Failure as Failure

__all__ = [
    "FAILURE",
    "SUCCESS",
    "AlreadyCalledError",
    "AlreadyTryingToLockError",
    "CancelledError",
    "Deferred",
    "DeferredFilesystemLock",
    "DeferredList",
    "DeferredLock",
    "DeferredQueue",
    "DeferredSemaphore",
    "FailureGroup",
    "FirstError",
    "NotACoroutineError",
    "QueueOverflow",
    "QueueUnderflow",
    "TimeoutError",
    "ensureDeferred",
    "execute",
    "fail",
    "gatherResults",
    "getDebugging",
    "inlineCallbacks",
    "logError",
    "maybeDeferred",
    "passthru",
    "race",
    "returnValue",
    "setDebugging",
    "succeed",
    "timeout",
]
