"""Threads: into them, and back to the reactor."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zope.interface import Interface

if TYPE_CHECKING:
    from reactorlib.python.threadpool import ThreadPool


class IReactorFromThreads(Interface):
    """What other threads may ask of a reactor."""

    def callFromThread(callable: Callable[..., Any], /, *args: object, **kwargs: object) -> None:
        """
        Have the reactor's thread call `callable`, soon, after what was asked before.

        It may be called in any thread, the reactor's own one included.
        """


class IReactorInThreads(Interface):
    """Calls in threads."""

    def callInThread(callable: Callable[..., Any], /, *args: object, **kwargs: object) -> None:
        """Have a thread of the reactor's pool call `callable`, which may block there."""


class IReactorThreads(IReactorFromThreads, IReactorInThreads):
    """Both directions, and the pool that the threads come from."""

    def getThreadPool() -> ThreadPool:
        """The reactor's pool of threads, made when first asked for."""

    def suggestThreadPoolSize(size: int) -> None:
        """How many threads the pool may have at most."""
