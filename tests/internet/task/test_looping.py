"""A call that is made again and again."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from reactorlib.internet import reactor
from reactorlib.internet.defer import CancelledError, Deferred
from reactorlib.internet.task import Clock, LoopingCall
from reactorlib.python.failure import Failure

variable: ContextVar[str] = ContextVar("variable", default="nothing")


class Boom(Exception):
    pass


def on_clock(f: Callable[..., object], *args: object, **kw: object) -> tuple[Clock, LoopingCall]:
    clock = Clock()
    looping = LoopingCall(f, *args, **kw)
    looping.clock = clock
    return clock, looping


def outcome(d: Deferred[Any]) -> Any:
    if not d.done():
        return "pending"
    result: list[Any] = []
    d.addBoth(result.append)
    return result[0].type if isinstance(result[0], Failure) else result[0]


# -- the beat -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "times"), [(True, [0, 2, 4]), (False, [2, 4])], ids=["now", "later"]
)
def test_it_calls_at_every_interval(now: bool, times: list[float]) -> None:
    made: list[float] = []
    clock, looping = on_clock(lambda: made.append(clock.seconds()))
    looping.start(2, now)
    clock.pump([1] * 4)
    assert made == times
    assert (looping.interval, looping.starttime, looping.running) == (2, 0, True)


def test_it_passes_its_arguments() -> None:
    made: list[Any] = []
    _, looping = on_clock(lambda *args, **kw: made.append((args, kw)), 1, 2, three=3)
    looping.start(1)
    assert made == [((1, 2), {"three": 3})]
    assert (looping.a, looping.kw) == ((1, 2), {"three": 3})


@pytest.mark.parametrize(
    ("advances", "times"),
    [
        ([1.3, 0.7], [0, 1.3, 2]),  # a late call does not move the next
        ([3.5, 0.5], [0, 3.5, 4]),  # what was missed is left out
        ([3, 1], [0, 3, 4]),
    ],
)
def test_it_keeps_to_its_beat(advances: list[float], times: list[float]) -> None:
    made: list[float] = []
    clock, looping = on_clock(lambda: made.append(clock.seconds()))
    looping.start(1)
    clock.pump(advances)
    assert made == pytest.approx(times)


def test_time_that_a_call_takes_is_part_of_the_interval() -> None:
    made: list[float] = []

    def slow() -> None:
        made.append(clock.seconds())
        clock.advance(2.5)

    clock, looping = on_clock(slow)
    looping.start(1)
    assert looping.call is not None
    assert looping.call.getTime() == 3


@pytest.mark.parametrize("start", [0.0, 1.7e9], ids=["small numbers", "large numbers"])
@pytest.mark.parametrize("interval", [0.1, 0.3, 1 / 3, 1e-6])
def test_rounding_makes_no_second_call_at_one_time(start: float, interval: float) -> None:
    """A remainder that is too small to add to the time is no time to wait."""
    made: list[float] = []
    clock, looping = on_clock(lambda: made.append(clock.seconds()))
    clock.advance(start)
    looping.start(interval, now=False)
    for _ in range(100):
        assert looping.call is not None
        clock.rightNow = looping.call.getTime()
        clock.advance(0)
    assert made == sorted(set(made))
    assert len(made) == 100


def test_an_interval_of_nothing_leaves_a_turn_between() -> None:
    made: list[int] = []
    _, looping = on_clock(made.append, 1)
    looping.start(0)
    assert made == [1]
    looping.stop()
    looping.start(0, now=False)
    assert made == [1]


# -- its end ------------------------------------------------------------------


def test_stopping_fires_what_the_start_returned() -> None:
    made: list[int] = []
    clock, looping = on_clock(made.append, 1)
    done = looping.start(1)
    assert outcome(done) == "pending"
    looping.stop()
    assert outcome(done) is looping
    assert not looping.running
    assert clock.getDelayedCalls() == []


def test_it_can_be_stopped_in_its_call() -> None:
    clock, looping = on_clock(lambda: looping.stop())
    assert outcome(looping.start(1)) is looping
    assert clock.getDelayedCalls() == []


def test_it_can_be_started_again() -> None:
    made: list[float] = []
    clock, looping = on_clock(lambda: made.append(clock.seconds()))
    looping.start(1)
    looping.stop()
    clock.advance(0.5)
    looping.start(2)
    clock.pump([1, 1])
    assert made == [0, 0.5, 2.5]


@pytest.mark.parametrize("at", [0, 1], ids=["at once", "later"])
def test_an_error_ends_it(at: int) -> None:
    left = [at]

    def fail() -> None:
        if left[0] == 0:
            raise Boom
        left[0] -= 1

    clock, looping = on_clock(fail)
    done = looping.start(1)
    clock.advance(1)
    assert outcome(done) is Boom
    assert not looping.running
    assert clock.getDelayedCalls() == []


def test_an_error_after_a_stop_in_the_same_call_is_told() -> None:
    def fail() -> None:
        looping.stop()
        raise Boom

    _, looping = on_clock(fail)
    assert outcome(looping.start(1)) is Boom


@pytest.mark.parametrize("method", ["stop", "reset"])
def test_only_what_runs_can_be_stopped_or_reset(method: str) -> None:
    _, looping = on_clock(lambda: None)
    with pytest.raises(AssertionError, match=f"not running; start\\(\\) it before {method}"):
        getattr(looping, method)()


def test_what_runs_cannot_be_started() -> None:
    _, looping = on_clock(lambda: None)
    looping.start(1)
    with pytest.raises(AssertionError, match="running already"):
        looping.start(1)


@pytest.mark.parametrize("interval", [-1, float("nan"), float("inf")])
def test_an_interval_is_a_number_of_seconds(interval: float) -> None:
    _, looping = on_clock(lambda: None)
    with pytest.raises(ValueError, match="interval"):
        looping.start(interval)
    assert not looping.running


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_who_ends_the_program_is_not_held_up(kind: type[BaseException]) -> None:
    def end() -> None:
        raise kind

    _, looping = on_clock(end)
    with pytest.raises(kind):
        looping.start(1)


# -- calls that take their time -----------------------------------------------


def test_the_next_call_waits_for_the_deferred_of_the_last() -> None:
    made: list[float] = []
    waiting: list[Deferred[None]] = []

    def slow() -> Deferred[None]:
        made.append(clock.seconds())
        waiting.append(Deferred())
        return waiting[-1]

    clock, looping = on_clock(slow)
    looping.start(1)
    assert looping.call is None
    clock.pump([1] * 3)
    assert made == [0]
    clock.advance(0.5)
    waiting.pop().callback(None)
    clock.advance(0.5)
    assert made == [0, 4]


def test_the_next_call_waits_for_a_coroutine() -> None:
    made: list[float] = []
    gate: Deferred[None] = Deferred()

    async def slow() -> None:
        made.append(clock.seconds())
        await gate

    clock, looping = on_clock(slow)
    looping.start(1)
    clock.pump([1, 1])
    assert made == [0]
    gate.callback(None)
    clock.advance(1)
    assert made == [0, 3]


def test_a_stop_waits_for_the_call_that_is_under_way() -> None:
    gate: Deferred[None] = Deferred()
    clock, looping = on_clock(lambda: gate)
    done = looping.start(1)
    looping.stop()
    assert not looping.running
    assert outcome(done) == "pending"
    gate.callback(None)
    assert outcome(done) is looping
    assert clock.getDelayedCalls() == []


def test_each_start_has_its_own_end() -> None:
    """Started again while the last call of before is under way, it is called once a beat."""
    gates: list[Deferred[None]] = []

    def slow() -> Deferred[None]:
        gates.append(Deferred())
        return gates[-1]

    clock, looping = on_clock(slow)
    first = looping.start(1)
    looping.stop()
    second = looping.start(1)
    gates[0].callback(None)
    assert outcome(first) is looping
    assert outcome(second) == "pending"
    assert looping.running
    assert clock.getDelayedCalls() == []
    gates[1].callback(None)
    assert len(clock.getDelayedCalls()) == 1
    looping.stop()
    assert outcome(second) is looping


def test_a_failed_deferred_ends_it() -> None:
    gate: Deferred[None] = Deferred()
    _, looping = on_clock(lambda: gate)
    done = looping.start(1)
    gate.errback(Boom())
    assert outcome(done) is Boom
    assert not looping.running


# -- cancelling ---------------------------------------------------------------


def test_cancelling_the_start_stops_it() -> None:
    clock, looping = on_clock(lambda: None)
    done = looping.start(1)
    done.cancel()
    assert outcome(done) is CancelledError
    assert not looping.running
    assert clock.getDelayedCalls() == []
    looping.start(1)
    assert looping.running


def test_cancelling_the_start_cancels_the_call_under_way() -> None:
    cancelled: list[object] = []
    gate: Deferred[None] = Deferred(cancelled.append)
    clock, looping = on_clock(lambda: gate)
    done = looping.start(1)
    done.cancel()
    assert cancelled == [gate]
    assert outcome(done) is CancelledError
    assert clock.getDelayedCalls() == []


def test_an_error_by_which_a_call_ends_when_cancelled_is_told() -> None:
    _, looping = on_clock(lambda: Deferred(lambda d: d.errback(Boom())))
    done = looping.start(1)
    done.cancel()
    assert outcome(done) is Boom


async def test_an_error_of_a_call_that_outlives_its_cancellation_is_reported(errors: Any) -> None:
    gate: Deferred[None] = Deferred()

    async def tenacious() -> None:
        try:
            await Deferred()
        except CancelledError:
            await gate
            raise Boom from None

    clock, looping = on_clock(tenacious)
    done = looping.start(1)
    done.cancel()
    assert outcome(done) is CancelledError
    gate.callback(None)
    gc.collect()
    assert [type(error) for error in errors.take()] == [Boom]
    assert clock.getDelayedCalls() == []


async def test_a_task_that_waits_for_the_end_can_be_cancelled() -> None:
    made: list[int] = []
    looping = LoopingCall(made.append, 1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.005):
            await looping.start(0.001)
    assert made
    assert not looping.running
    assert reactor.getDelayedCalls() == []


# -- starting anew ------------------------------------------------------------


def test_reset_begins_the_interval_anew() -> None:
    made: list[float] = []
    clock, looping = on_clock(lambda: made.append(clock.seconds()))
    looping.start(2, now=False)
    clock.advance(1.5)
    looping.reset()
    clock.advance(1.5)
    assert made == []
    clock.pump([0.5, 2])
    assert made == [3.5, 5.5]


def test_reset_during_a_call_does_nothing() -> None:
    gate: Deferred[None] = Deferred()
    clock, looping = on_clock(lambda: gate)
    looping.start(2)
    clock.advance(1)
    looping.reset()
    gate.callback(None)
    assert looping.call is not None
    assert looping.call.getTime() == 2


# -- counting -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "advances", "counts"),
    [
        (True, [1, 1], [1, 1, 1]),
        (False, [1, 1], [1, 1]),
        (True, [1, 3, 1], [1, 1, 3, 1]),
        (False, [2.5, 0.5], [2, 1]),
        (True, [1.75, 0.25], [1, 1, 1]),
    ],
)
def test_withCount_tells_how_many_were_due(
    now: bool, advances: list[float], counts: list[int]
) -> None:
    made: list[int] = []
    clock = Clock()
    looping = LoopingCall.withCount(made.append)
    looping.clock = clock
    looping.start(1, now)
    clock.pump(advances)
    assert made == counts


def test_withCount_counts_every_beat_once_whatever_the_rounding() -> None:
    made: list[int] = []
    clock = Clock()
    looping = LoopingCall.withCount(made.append)
    looping.clock = clock
    looping.start(0.1, now=False)
    clock.pump([0.1] * 100)
    clock.advance(0.05)
    assert sum(made) == 100
    assert 0 not in made


def test_withCount_counts_what_a_slow_call_missed() -> None:
    made: list[int] = []
    gate: Deferred[None] = Deferred()

    def slow(count: int) -> Deferred[None] | None:
        made.append(count)
        return gate if len(made) == 1 else None

    clock = Clock()
    looping = LoopingCall.withCount(slow)
    looping.clock = clock
    looping.start(1, now=False)
    clock.pump([1, 2.5])
    gate.callback(None)
    clock.advance(0.5)
    assert made == [1, 3]


def test_withCount_without_an_interval_counts_one() -> None:
    made: list[int] = []

    def work(count: int) -> None:
        made.append(count)
        if len(made) == 3:
            looping.stop()

    clock = Clock()
    looping = LoopingCall.withCount(work)
    looping.clock = clock
    looping.start(0, now=False)
    clock.advance(7)
    assert made == [1, 1, 1]


def test_withCount_begins_to_count_anew_with_each_start() -> None:
    made: list[int] = []
    clock = Clock()
    looping = LoopingCall.withCount(made.append)
    looping.clock = clock
    looping.start(1)
    clock.advance(1)
    looping.stop()
    clock.advance(10)
    looping.start(1)
    assert made == [1, 1, 1]


# -- contexts, the reactor, repr ----------------------------------------------


def test_each_call_runs_in_the_context_of_the_start() -> None:
    seen: list[str] = []
    gate: Deferred[None] = Deferred()

    def look() -> Deferred[None] | None:
        seen.append(variable.get())
        variable.set("changed in the call")
        return gate if len(seen) == 2 else None

    clock, looping = on_clock(look)
    token = variable.set("start")
    looping.start(1)
    assert variable.get() == "start"
    variable.set("elsewhere")
    clock.advance(1)
    gate.callback(None)
    clock.advance(1)
    assert seen == ["start"] * 3
    looping.stop()
    variable.reset(token)


async def test_it_runs_on_the_reactor_of_the_loop() -> None:
    made: list[int] = []

    async def work() -> None:
        await asyncio.sleep(0)
        made.append(1)
        if len(made) == 3:
            looping.stop()

    looping = LoopingCall(work)
    assert await looping.start(0.001) is looping
    assert made == [1, 1, 1]


async def test_an_interval_of_nothing_lets_others_have_their_turn() -> None:
    turns = 0

    def work() -> None:
        nonlocal turns
        turns += 1

    looping = LoopingCall(work)
    looping.start(0)
    for _ in range(10):
        await asyncio.sleep(0)
    looping.stop()
    assert 3 < turns < 30


def test_one_that_is_started_before_there_is_a_loop(loop_factory: Any) -> None:
    made: list[int] = []

    def work() -> None:
        made.append(1)
        if len(made) == 3:
            reactor.stop()

    LoopingCall(work).start(0.001)
    assert made == [1]
    reactor.run(installSignalHandlers=False, loop_factory=loop_factory)
    assert len(made) >= 3


async def test_one_whose_call_the_reactor_has_dropped_can_be_stopped() -> None:
    looping = LoopingCall(lambda: None)
    async with reactor:
        done = looping.start(60)
    looping.stop()
    assert await done is looping


def test_repr_names_the_function() -> None:
    def named() -> None: ...

    looping = LoopingCall(named, 1, key=2)
    name = named.__qualname__
    assert repr(looping) == f"LoopingCall<None>({name}, *(1,), **{{'key': 2}})"
    assert "TestCase" not in repr(LoopingCall(object()))  # type: ignore[arg-type]


def test_the_attribute_deferred_is_deprecated() -> None:
    _, looping = on_clock(lambda: None)
    done = looping.start(1)
    with pytest.warns(DeprecationWarning, match="start\\(\\) returns"):
        assert looping.deferred is done
