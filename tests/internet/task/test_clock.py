"""A clock that a test moves, and calls that are put off with it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from reactorlib.internet import reactor
from reactorlib.internet.defer import CancelledError, Deferred, succeed
from reactorlib.internet.error import AlreadyCalled, AlreadyCancelled
from reactorlib.internet.interfaces import IDelayedCall, IReactorTime
from reactorlib.internet.task import Clock, deferLater
from reactorlib.python.failure import Failure

variable: ContextVar[str] = ContextVar("variable", default="nothing")


class Boom(Exception):
    pass


def test_it_is_what_it_stands_in_for() -> None:
    clock = Clock()
    assert verifyObject(IReactorTime, clock)
    assert verifyObject(IDelayedCall, clock.callLater(1, lambda: None))


def test_time_passes_when_it_is_told_to() -> None:
    clock = Clock()
    assert clock.seconds() == 0
    clock.advance(1.5)
    clock.advance(0)
    assert clock.seconds() == clock.rightNow == 1.5


def test_a_call_is_made_when_it_is_due_and_once() -> None:
    clock = Clock()
    calls: list[Any] = []
    clock.callLater(2, lambda *args, **kwargs: calls.append((args, kwargs)), 1, two=2)
    clock.advance(1)
    assert calls == []
    clock.advance(1)
    clock.advance(9)
    assert calls == [((1,), {"two": 2})]


def test_calls_are_made_in_the_order_of_their_times_and_then_of_their_making() -> None:
    clock = Clock()
    made: list[str] = []
    for name, delay in [("c", 3), ("a", 1), ("b1", 2), ("b2", 2)]:
        clock.callLater(delay, made.append, name)
    clock.advance(5)
    assert made == ["a", "b1", "b2", "c"]


def test_what_is_put_off_during_an_advance_waits_for_its_own_time() -> None:
    clock = Clock()
    made: list[float] = []

    def again() -> None:
        made.append(clock.seconds())
        clock.callLater(1, again)

    clock.callLater(1, again)
    clock.callLater(2, clock.callLater, 0, made.append, -1)
    clock.pump([1, 1, 1])
    assert made == [1, 2, -1, 3]


@pytest.mark.parametrize("delay", [-1, float("nan"), float("inf")])
def test_a_delay_is_a_number_of_seconds(delay: float) -> None:
    with pytest.raises(ValueError, match="delay"):
        Clock().callLater(delay, lambda: None)


def test_a_call_can_be_cancelled() -> None:
    clock = Clock()
    made: list[int] = []
    call = clock.callLater(1, made.append, 1)
    assert call.active()
    call.cancel()
    assert not call.active()
    clock.advance(2)
    assert made == []


@pytest.mark.parametrize(
    ("move", "due"),
    [
        (lambda call: call.reset(5), 6),
        (lambda call: call.reset(0.5), 1.5),
        (lambda call: call.delay(5), 7),
        (lambda call: call.delay(-0.5), 1.5),
    ],
)
def test_a_call_can_be_moved(move: Any, due: float) -> None:
    clock = Clock()
    made: list[float] = []
    call = clock.callLater(2, lambda: made.append(clock.seconds()))
    clock.advance(1)
    move(call)
    assert call.getTime() == due
    assert clock.getDelayedCalls() == [call]
    clock.pump([0.5] * 16)
    assert made == [due]


def test_a_call_that_is_moved_away_and_back_is_one_call() -> None:
    clock = Clock()
    made: list[str] = []
    call = clock.callLater(5, made.append, "moved")
    clock.callLater(5, made.append, "stayed")
    call.reset(10)
    call.reset(5)
    assert clock.getDelayedCalls().count(call) == 1
    clock.advance(5)
    assert made == ["stayed", "moved"]


@pytest.mark.parametrize("method", ["cancel", "reset", "delay"])
def test_a_call_that_is_over_cannot_be_changed(method: str) -> None:
    clock = Clock()
    args = [] if method == "cancel" else [1]
    called, cancelled = clock.callLater(0, lambda: None), clock.callLater(0, lambda: None)
    cancelled.cancel()
    clock.advance(0)
    with pytest.raises(AlreadyCalled):
        getattr(called, method)(*args)
    with pytest.raises(AlreadyCancelled):
        getattr(cancelled, method)(*args)


def test_the_calls_to_come_are_listed_next_one_first() -> None:
    clock = Clock()
    late, early, cancelled = (clock.callLater(delay, lambda: None) for delay in (3, 1, 2))
    cancelled.cancel()
    assert clock.getDelayedCalls() == clock.calls == [early, late]
    clock.advance(1)
    assert clock.getDelayedCalls() == [late]


def test_a_call_runs_in_the_context_in_which_it_was_asked_for() -> None:
    """As with the reactor, which a clock stands in for."""
    clock = Clock()
    seen: list[str] = []

    def look() -> None:
        seen.append(variable.get())
        variable.set("its own")

    token = variable.set("asked")
    call = clock.callLater(1, look)
    variable.set("moved")
    call.reset(2)
    clock.advance(2)
    assert seen == ["asked"]
    assert variable.get() == "moved"
    variable.reset(token)


def test_an_error_is_the_advancers_and_the_other_calls_stay() -> None:
    clock = Clock()
    made: list[str] = []

    def raise_boom() -> None:
        raise Boom

    clock.callLater(1, raise_boom)
    clock.callLater(1, made.append, "after")
    with pytest.raises(Boom):
        clock.advance(1)
    assert made == []
    clock.advance(0)
    assert made == ["after"]


def test_repr_tells_when() -> None:
    clock = Clock()
    call = clock.callLater(1.5, len, "x")
    assert "[1.5s]" in repr(call)
    clock.advance(1)
    assert "[0.5s]" in repr(call)


# -- deferLater ---------------------------------------------------------------


async def test_deferLater_can_be_cancelled_after_the_reactor_has_dropped_the_call() -> None:
    async with reactor:
        d = deferLater(reactor, 60)
    d.cancel()
    assert outcome(d) is CancelledError


def outcome(d: Deferred[Any]) -> Any:
    if not d.done():
        return "pending"
    result: list[Any] = []
    d.addBoth(result.append)
    return result[0].type if isinstance(result[0], Failure) else result[0]


async def add(a: int, b: int) -> int:
    return a + b


def raise_boom() -> None:
    raise Boom


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), None),
        ((lambda a, b: a + b, 1, 2), 3),
        ((add, 1, 2), 3),
        ((lambda: succeed(3),), 3),
        ((raise_boom,), Boom),
    ],
    ids=["nothing", "value", "coroutine function", "Deferred", "raises"],
)
def test_deferLater_gives_the_outcome(arguments: tuple[Any, ...], expected: Any) -> None:
    clock = Clock()
    d: Deferred[Any] = deferLater(clock, 2, *arguments)
    clock.advance(1)
    assert outcome(d) == "pending"
    clock.advance(1)
    assert outcome(d) == expected


def test_cancelling_deferLater_cancels_the_call() -> None:
    clock = Clock()
    called: list[int] = []
    d = deferLater(clock, 1, called.append, 1)
    d.cancel()
    assert clock.getDelayedCalls() == []
    clock.advance(1)
    assert called == []
    assert outcome(d) is CancelledError
