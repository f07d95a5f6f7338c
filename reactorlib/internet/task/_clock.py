"""A clock that stands still until it is told to advance."""

from __future__ import annotations

import contextvars
import heapq
import itertools
from collections.abc import Callable, Iterable
from typing import Any

from zope.interface import implementer

from reactorlib.internet._delayed import DelayedCall, check_delay
from reactorlib.internet.interfaces import IReactorTime

__all__ = ["Clock"]


class _ClockCall(DelayedCall):
    """A call that a `Clock` has promised to make."""

    def __init__(
        self,
        clock: Clock,
        delay: float,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kw: dict[str, Any],
    ) -> None:
        due = clock.seconds() + delay
        super().__init__(due, func, args, kw, _nothing, clock._expect, clock.seconds)
        self._context = contextvars.copy_context()
        #: The number of the one entry that counts; see `Clock._expected`.
        self._entry = 0

    def _make(self) -> None:
        func, args, kw = self.func, self.args, self.kw
        assert func is not None
        self.called = True
        self._forget()
        self._context.run(func, *args, **kw)


def _nothing(_: object) -> None:
    """What a cancelled call leaves behind is skipped when its time comes."""


@implementer(IReactorTime)
class Clock:
    """
    A clock for tests: time passes when `advance` says so, and at no other time.

    It stands in for a reactor wherever only `IReactorTime` is asked for, and makes
    each call in the context in which it was asked for, as a reactor does.

    Attributes:
        rightNow: the time, in seconds.
        calls: the calls still to come, the next one first.
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
        call = _ClockCall(self, check_delay(delay), callable, args, kwargs)
        self._expect(call)
        return call

    def _expect(self, call: _ClockCall) -> None:
        call._entry = next(self._order)
        heapq.heappush(self._expected, (call.getTime(), call._entry, call))

    @property
    def calls(self) -> list[_ClockCall]:
        """The calls still to come, the next one first."""
        return self.getDelayedCalls()

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
                entry[2]._make()

    def pump(self, timings: Iterable[float]) -> None:
        """Advance by each of the amounts in turn."""
        for amount in timings:
            self.advance(amount)
