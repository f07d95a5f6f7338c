"""Services that do something now and then, or a step at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from reactorlib.application.service import Service
from reactorlib.application.service._service import cancel_after
from reactorlib.internet import task
from reactorlib.internet.defer import Deferred, succeed
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

__all__ = ["CooperatorService", "TimerService"]

_log = logging.getLogger("reactorlib.application.internet")


class TimerService(Service):
    """
    Call a function again and again, the first time when the service is started.

    An error ends the calls: it is reported, and the service does not run any more.

    Args:
        step: seconds from call to call.
        callable: what to call; it may be a coroutine function, and the next call
            waits for it.

    Attributes:
        clock: the `IReactorTime` to wait with; None for the reactor.
    """

    clock: Any = None

    def __init__(self, step: float, callable: Callable[..., Any], *args: Any, **kwargs: Any):
        self.step = step
        self.call = (callable, args, kwargs)
        self._loop: task.LoopingCall | None = None
        self._finished: Deferred[Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """A saved service has no call to come."""
        return {**super().__getstate__(), "_loop": None, "_finished": None, "clock": None}

    def startService(self) -> None:
        """Call for the first time."""
        super().startService()
        callable, args, kwargs = self.call
        self._loop = task.LoopingCall(callable, *args, **kwargs)
        if self.clock is not None:
            self._loop.clock = self.clock
        self._finished = self._loop.start(self.step)
        self._finished.addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        self.running = 0
        report(_log, f"{self!r}: what it calls failed, and is called no more", failure)

    def stopService(self, grace: float | None = None) -> Deferred[Any]:
        """
        Call no more.

        Args:
            grace: seconds for a call that is under way; then it is cancelled.

        Returns:
            a Deferred that fires when a call that is under way is over. Cancelling
            it cancels that call.
        """
        super().stopService(grace)
        loop, finished = self._loop, self._finished
        self._loop = self._finished = None
        if loop is None or finished is None:
            return succeed(None)
        if loop.running:
            loop.stop()
        return finished if grace is None else cancel_after(grace, finished)


class CooperatorService(Service):
    """Iterators whose steps are taken while the service runs; see `task.Cooperator`."""

    def __init__(self) -> None:
        self.coop = task.Cooperator(started=False)

    def __getstate__(self) -> dict[str, Any]:
        """A saved service has no iterators."""
        state = super().__getstate__()
        del state["coop"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.coop = task.Cooperator(started=False)

    def coiterate(self, iterator: Any) -> Deferred[Any]:
        """Have an iterator stepped through; the Deferred fires when it is exhausted."""
        return self.coop.coiterate(iterator)

    def startService(self) -> None:
        """Begin, or go on."""
        super().startService()
        self.coop.start()

    def stopService(self, grace: float | None = None) -> None:
        """Take no further step. What was waited for fails with `SchedulerStopped`."""
        super().stopService(grace)
        self.coop.stop()
