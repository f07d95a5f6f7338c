"""Waiting for a lock in the file system."""

from __future__ import annotations

from typing import Any

from reactorlib.internet.defer._deferred import Deferred
from reactorlib.internet.defer._functions import TimeoutError, fail
from reactorlib.python.failure import Failure
from reactorlib.python.lockfile import FilesystemLock

__all__ = ["AlreadyTryingToLockError", "DeferredFilesystemLock"]


class AlreadyTryingToLockError(Exception):
    """`deferUntilLocked` was called again before it had ended."""


class DeferredFilesystemLock(FilesystemLock):
    """
    A lock between processes that can be waited for.

    No system call tells when a link goes away, so it is tried once a second.

    Args:
        name: the path of the lock.
        scheduler: the `IReactorTime` to wait with; the reactor by default.
    """

    _interval = 1
    _waiting: Deferred[None] | None = None
    _tryLockCall: Any = None
    _timeoutCall: Any = None

    def __init__(self, name: str, scheduler: Any = None) -> None:
        super().__init__(name)
        if scheduler is None:
            from reactorlib.internet import reactor as scheduler
        self._scheduler = scheduler

    def deferUntilLocked(self, timeout: float | None = None) -> Deferred[None]:
        """
        Take the lock as soon as it can be had.

        Args:
            timeout: seconds to wait at most; None for no limit.

        Returns:
            a Deferred that fires with None when the lock is held. It fails with
            `TimeoutError`, or with `AlreadyTryingToLockError` if this object
            waits for the lock already. Cancelling it ends the waiting.
        """
        if self._waiting is not None:
            return fail(AlreadyTryingToLockError("deferUntilLocked() is waiting already"))
        d: Deferred[None] = Deferred(lambda _: self._end())
        self._waiting = d
        if timeout is not None:
            self._timeoutCall = self._scheduler.callLater(timeout, self._timed_out, timeout)
        self._try()
        return d

    def _try(self) -> None:
        self._tryLockCall = None
        try:
            taken = self.lock()
        except Exception:
            self._end(Failure())
            return
        if taken:
            self._end(None)
        else:
            self._tryLockCall = self._scheduler.callLater(self._interval, self._try)

    def _timed_out(self, timeout: float) -> None:
        self._end(Failure(TimeoutError(f"no lock of {self.name!r} within {timeout} seconds")))

    def _end(self, *outcome: Any) -> None:
        """Stop waiting; with an outcome, give it."""
        d, self._waiting = self._waiting, None
        tryLockCall, self._tryLockCall = self._tryLockCall, None
        timeoutCall, self._timeoutCall = self._timeoutCall, None
        for call in (tryLockCall, timeoutCall):
            if call is not None and call.active():
                call.cancel()
        if outcome and d is not None:
            d.callback(*outcome)
