"""A call that is made again and again."""

from __future__ import annotations

import contextvars
import warnings
from collections.abc import Callable
from typing import Any, Self

from reactorlib.internet.defer import CancelledError, Deferred, maybeDeferred
from reactorlib.internet.interfaces import IDelayedCall
from reactorlib.python.failure import Failure

__all__ = ["LoopingCall"]


class LoopingCall:
    """
    Call a function every so many seconds.

    It keeps to the beat of its start: a call that comes late does not put off
    those after it, and beats that were missed are left out. Where the function
    returns a Deferred, or is a coroutine function, the next call waits for it.
    Each call is made in the context in which `start()` was called.

    Args:
        f: what to call.
        a, kw: what to call it with.

    Attributes:
        f, a, kw: these.
        clock: the `IReactorTime` that keeps the time: the reactor of the loop
            that runs, unless another is set before the start.
        running: whether it has been started, and neither stopped nor failed.
        interval: seconds from call to call.
        starttime: when it was started, or reset, on the clock.
        call: the delayed call that is to make the next one; None while `f` is
            under way.
    """

    running = False
    interval: float | None = None
    starttime: float | None = None
    call: IDelayedCall | None = None

    #: What the start has returned, until it fires; and so which start this is.
    _deferred: Deferred[Self] | None = None
    #: The outcome of the call that is under way.
    _outcome: Deferred[Any] | None = None
    _context: contextvars.Context | None = None
    #: Whether the first call was made by `start()` itself.
    _called_at_start = False
    #: When calls were last counted; only with `withCount`.
    _counted_at: float | None = None

    def __init__(self, f: Callable[..., object], *a: object, **kw: object) -> None:
        self.f: Callable[..., Any] = f
        self.a: tuple[Any, ...] = a
        self.kw: dict[str, Any] = kw
        from reactorlib.internet import reactor

        self.clock: Any = reactor

    @classmethod
    def withCount(cls, countCallable: Callable[[int], object]) -> Self:
        """
        A looping call that tells how many calls were due.

        `countCallable` gets the number of intervals that have passed since it was
        last called: 1, or more where beats were missed. With an interval of 0 it
        is always 1.
        """

        def counter() -> object:
            count = self._count()
            return countCallable(count) if count > 0 else None

        self = cls(counter)
        return self

    def _count(self) -> int:
        """How many intervals have begun since this was last asked with a result above 0."""
        assert self.interval is not None
        assert self.starttime is not None
        now, last = self.clock.seconds(), self._counted_at
        if self.interval == 0:
            count = 1
        else:
            if last is None:
                last = self.starttime - (self.interval if self._called_at_start else 0)
            count = self._beat(now) - self._beat(last)
        if count > 0:
            self._counted_at = now
        return count

    def _beat(self, when: float) -> int:
        """The number of whole intervals from the start to `when`."""
        assert self.interval is not None
        assert self.starttime is not None
        return int((when - self.starttime) / self.interval)

    @property
    def deferred(self) -> Deferred[Self] | None:
        """What `start()` has returned. Deprecated."""
        warnings.warn(
            "reactorlib.internet.task.LoopingCall.deferred is deprecated; "
            "use the Deferred that start() returns instead",
            DeprecationWarning,
            stacklevel=2,
        )
        return self._deferred

    def start(self, interval: float, now: bool = True) -> Deferred[Self]:
        """
        Begin to call.

        Args:
            interval: seconds from call to call; 0 for as often as the other work of
                the reactor lets it.
            now: whether to make the first call here, rather than one interval later.

        Returns:
            a Deferred that fires with this object once it has been stopped and no
            call is under way, and fails with what a call fails with, which ends
            it. Cancelling the Deferred stops it, and cancels a call that is under
            way.

        Raises:
            ValueError: the interval is negative, infinite or not a number.
            AssertionError: it is running.
        """
        if self.running:
            raise AssertionError("this LoopingCall is running already; stop() it first")
        if not 0 <= interval < float("inf"):
            raise ValueError(f"an interval is a number of seconds, at least 0, not {interval!r}")
        self.running = True
        self.interval = interval
        self.starttime = self.clock.seconds()
        self._called_at_start = now
        self._counted_at = None
        self._context = contextvars.copy_context()
        started: Deferred[Self] = Deferred(self._cancelled)
        self._deferred = started
        if now:
            self()
        else:
            self._schedule_from(self.starttime)
        return started

    def stop(self) -> None:
        """
        Call no more. A call that is under way is left to end by itself.

        Raises:
            AssertionError: it is not running.
        """
        if not self.running:
            raise AssertionError("this LoopingCall is not running; start() it before stop()")
        self.running = False
        if self.call is not None:
            self._drop_call()
            self._settle(self._deferred, self)

    def reset(self) -> None:
        """
        Begin the interval anew: the next call is a whole interval from now.

        While a call is under way this does nothing.

        Raises:
            AssertionError: it is not running.
        """
        if not self.running:
            raise AssertionError("this LoopingCall is not running; start() it before reset()")
        if self.call is not None:
            self._drop_call()
            self.starttime = self.clock.seconds()
            self._schedule_from(self.starttime)

    def _drop_call(self) -> None:
        call, self.call = self.call, None
        assert call is not None
        call.cancel()

    def _cancelled(self, started: Deferred[Self]) -> None:
        """The Deferred of a start is cancelled."""
        if self._deferred is not started:
            return  # stopped, and started anew; the last call of then is under way
        self._deferred = None
        self.running = False
        if self.call is not None:
            self._drop_call()
        elif self._outcome is not None:
            outcome, self._outcome = self._outcome, None
            outcome.cancel()

    def __call__(self) -> None:
        """Make a call, and when it is over, see to the next one."""
        self.call = None
        context = contextvars.copy_context() if self._context is None else self._context.copy()
        started = self._deferred
        outcome: Deferred[Any] = context.run(maybeDeferred, self.f, *self.a, **self.kw)
        self._outcome = outcome
        outcome.addCallbacks(self._is_over, self._has_failed, (started,), {}, (started,), {})

    def _is_over(self, _: object, started: Deferred[Self] | None) -> None:
        if self._deferred is started:
            self._outcome = None
            if self.running:
                self._schedule_from(self.clock.seconds())
                return
        self._settle(started, self)

    def _has_failed(self, failure: Failure, started: Deferred[Self] | None) -> Failure | None:
        if self._deferred is started:
            self._outcome = None
            self.running = False
        if started is None or started.called:
            # The start was cancelled, and the call with it. An error of another
            # kind is nobody's, and is reported.
            return None if failure.check(CancelledError) else failure
        self._settle(started, failure)
        return None

    def _settle(self, started: Deferred[Any] | None, result: object) -> None:
        """The run that began with `started` is over."""
        if self._deferred is started:
            self._deferred = None
        if started is not None and not started.called:
            started.callback(result)

    def _schedule_from(self, when: float) -> None:
        assert self.interval is not None
        assert self.starttime is not None
        delay = self.interval
        if delay > 0:
            until_next = delay - (when - self.starttime) % delay
            # What is too small to change the time is no time: the beat is now, and
            # the next one a whole interval away.
            if when + until_next != when:
                delay = until_next
        self.call = self.clock.callLater(delay, self)

    def __repr__(self) -> str:
        name = getattr(self.f, "__qualname__", None) or getattr(self.f, "__name__", None)
        return f"LoopingCall<{self.interval!r}>({name or repr(self.f)}, *{self.a!r}, **{self.kw!r})"
