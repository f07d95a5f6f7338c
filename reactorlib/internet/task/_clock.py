"""A clock that stands still until it is told to advance."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable
from typing import Any

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet.base import check_delay
from reactorlib.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Clock"]


@implementer(IDelayedCall)
class _ClockCall:
    """A call that a `Clock` has promised to make."""

    def __init__(
        self,
        clock: Clock,
        due: float,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kw: dict[str, Any],
    ) -> None:
        self._clock = clock
        self._due = due
        self.func = func
        self.args = args
        self.kw = kw
        self.called = False
        self.cancelled = False
        #: The number of the one entry that counts; see `Clock._expected`.
        self._entry = 0

    def getTime(self) -> float:
        return self._due

    def active(self) -> bool:
        return not (self.called or self.cancelled)

    def _must_be_active(self) -> None:
        if self.cancelled:
            raise error.AlreadyCancelled
        if self.called:
            raise error.AlreadyCalled

    def cancel(self) -> None:
        self._must_be_active()
        self.cancelled = True

    def reset(self, secondsFromNow: float) -> None:
        self._must_be_active()
        self._move(self._clock.seconds() + secondsFromNow)

    def delay(self, secondsLater: float) -> None:
        self._must_be_active()
        self._move(self._due + secondsLater)

    def _move(self, due: float) -> None:
        self._due = due
        self._clock._expect(self)

    def __repr__(self) -> str:
        state = "called" if self.called else "cancelled" if self.cancelled else "waiting"
        return f"<DelayedCall {self.func!r} at {self._due}, {state}>"


@implementer(IReactorTime)
class Clock:
    """
    A clock for tests: time passes when `advance` says so, and at no other time.

    It stands in for a reactor wherever only `IReactorTime` is asked for.

    Attributes:
        rightNow: the time, in seconds.
    """

    rightNow = 0.0

    def __init__(self) -> None:
        #: When, a number that keeps calls of one moment in order, and the call.
        #: A call that was moved or cancelled leaves entries behind that are skipped.
        self._expected: list[tuple[float, int, _ClockCall]] = []
        self._order = itertools.count()

    def seconds(self) -> float:
        """The time now, in seconds."""
        return self.rightNow

    def callLater(
        self, delay: float, callable: Callable[..., Any], *args: object, **kwargs: object
    ) -> _ClockCall:
        """Promise to call `callable` when `delay` more seconds have passed."""
        call = _ClockCall(self, self.rightNow + check_delay(delay), callable, args, kwargs)
        self._expect(call)
        return call

    def _expect(self, call: _ClockCall) -> None:
        call._entry = next(self._order)
        heapq.heappush(self._expected, (call._due, call._entry, call))

    def getDelayedCalls(self) -> list[_ClockCall]:
        """The calls still to come, the next one first."""
        entries = sorted(entry for entry in self._expected if self._valid(entry))
        return [call for _, _, call in entries]

    @staticmethod
    def _valid(entry: tuple[float, int, _ClockCall]) -> bool:
        _, number, call = entry
        return call.active() and call._entry == number

    def advance(self, amount: float) -> None:
        """
        Let `amount` seconds pass, and make every call that is due by then, in order.

        What a call raises is raised here; the calls after it stay due.
        """
        self.rightNow += amount
        while self._expected and self._expected[0][0] <= self.rightNow:
            entry = heapq.heappop(self._expected)
            if self._valid(entry):
                call = entry[2]
                call.called = True
                call.func(*call.args, **call.kw)

    def pump(self, timings: Iterable[float]) -> None:
        """Advance by each of the amounts in turn."""
        for amount in timings:
            self.advance(amount)
