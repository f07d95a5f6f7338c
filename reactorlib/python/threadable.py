"""
Small things for programs with threads: locks on methods, and which thread is which.

New code takes `threading` itself. A thread is one for I/O while an asyncio loop
runs in it; `registerAsIOThread` names one for programs that have another kind of
main loop.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from reactorlib.python._asyncio import running_loop

__all__ = [
    "XLock",
    "getThreadID",
    "init",
    "ioThread",
    "isInIOThread",
    "registerAsIOThread",
    "synchronize",
    "threaded",
    "unpickle_lock",
]

#: The number of the thread that `registerAsIOThread` was called in, or None.
ioThread: int | None = None

#: Whether there are threads. There always are.
threaded = True


class XLock:
    """A lock that its owner can take again, and that is pickled as a free one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it; whether that was possible in `timeout` seconds (-1: no limit)."""
        return self._lock.acquire(blocking, timeout)

    def release(self) -> None:
        """Give it back once; RuntimeError if this thread does not have it."""
        self._lock.release()

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[Callable[[], XLock], tuple[()]]:
        return unpickle_lock, ()


def unpickle_lock() -> XLock:
    """A new lock: what a pickled one becomes."""
    return XLock()


_making_locks = threading.Lock()


def synchronize(*klasses: type) -> None:
    """
    Let only one thread at a time into an object's methods.

    Each class names the methods in its attribute `synchronized`. They share one
    lock for each instance, which a method may hold already when it calls another.
    """
    for klass in klasses:
        for name in klass.synchronized:  # type: ignore[attr-defined]  # that is the interface
            setattr(klass, name, _synchronized(klass.__dict__[name]))


def _synchronized(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def locked(self: Any, *args: Any, **kwargs: Any) -> Any:
        attributes = self.__dict__
        if "_threadable_lock" not in attributes:
            with _making_locks:
                attributes.setdefault("_threadable_lock", XLock())
        with attributes["_threadable_lock"]:
            return function(self, *args, **kwargs)

    return locked


def init(with_threads: int = 1) -> None:
    """
    Kept for programs that call it: threads need no preparation.

    Raises:
        RuntimeError: `with_threads` is false, and there is no way back.
    """
    if not with_threads:
        raise RuntimeError("threads cannot be switched off")


def getThreadID() -> int:
    """The number of this thread."""
    return threading.get_ident()


def isInIOThread() -> bool:
    """Whether an asyncio loop runs in this thread, or it is the registered one."""
    return running_loop() is not None or ioThread == threading.get_ident()


def registerAsIOThread() -> None:
    """This thread is the one for I/O. One in which an asyncio loop runs is so anyway."""
    global ioThread
    ioThread = threading.get_ident()
