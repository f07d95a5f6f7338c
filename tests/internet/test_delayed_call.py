"""Calls to be made later: `callLater`, and what it returns."""

from __future__ import annotations

import asyncio
import contextvars
import math
import random
import re
import weakref
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from reactorlib.internet import reactor
from reactorlib.internet._current import current_reactor
from reactorlib.internet.base import DelayedCall
from reactorlib.internet.error import AlreadyCalled, AlreadyCancelled
from reactorlib.internet.interfaces import IDelayedCall, IReactorTime
from reactorlib.internet.task import Clock
from reactorlib.internet.testing import ClockEventLoop

pytestmark = pytest.mark.timeout(20)

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

#: Seconds that no test lives to see.
NEVER = 1000.0


def nothing() -> None:
    pass


class Order(list[Any]):
    """What was called, in order."""

    def __init__(self) -> None:
        self._noted = asyncio.Event()

    def note(self, what: object = None) -> None:
        self.append(what)
        self._noted.set()

    async def upto(self, length: int) -> list[Any]:
        """The first calls, once there are as many."""
        async with asyncio.timeout(5):
            while len(self) < length:
                self._noted.clear()
                await self._noted.wait()
        return self


class TimersSet(list[float]):
    """The times at which the loop was asked to call, by `call_at`."""


@pytest.fixture
async def timers(monkeypatch: pytest.MonkeyPatch) -> TimersSet:
    timers = TimersSet()
    loop = asyncio.get_running_loop()
    call_at = loop.call_at

    def counting(when: float, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        timers.append(when)
        return call_at(when, *args, **kwargs)

    monkeypatch.setattr(loop, "call_at", counting)
    return timers


async def test_calls_come_in_the_order_of_their_times() -> None:
    order = Order()
    for delay in (0.15, 0.05, 0, 0.1):
        reactor.callLater(delay, order.note, delay)
    assert order == []  # not even the one with no delay
    assert await order.upto(4) == [0, 0.05, 0.1, 0.15]


async def test_calls_with_no_delay_come_in_the_order_in_which_they_were_asked_for() -> None:
    order = Order()
    for number in range(10):
        reactor.callLater(0, order.note, number)
    assert await order.upto(10) == list(range(10))


async def test_arguments_are_passed_on() -> None:
    seen: list[object] = []
    done = asyncio.Event()

    def call(*args: object, **kwargs: object) -> None:
        seen.append((args, kwargs))
        done.set()

    reactor.callLater(0, call, 1, 2, three=3)
    async with asyncio.timeout(5):
        await done.wait()
    assert seen == [((1, 2), {"three": 3})]


async def test_it_is_what_the_interface_says() -> None:
    call = reactor.callLater(NEVER, nothing)
    assert IDelayedCall.providedBy(call)
    assert IReactorTime.providedBy(reactor)
    assert call.active()
    assert not call.called
    assert not call.cancelled
    assert (call.func, call.args, call.kw) == (nothing, (), {})
    call.cancel()


async def test_time_is_the_loops() -> None:
    loop = asyncio.get_running_loop()
    assert loop.time() <= reactor.seconds() <= loop.time()
    before = reactor.seconds()
    call = reactor.callLater(NEVER, nothing)
    assert before + NEVER <= call.getTime() <= reactor.seconds() + NEVER
    call.cancel()


async def test_a_cancelled_call_is_not_made() -> None:
    order = Order()
    call = reactor.callLater(0, order.note, "cancelled")
    later = reactor.callLater(0.001, order.note, "cancelled")
    call.cancel()
    later.cancel()
    assert not call.active()
    reactor.callLater(0.005, order.note, "made")
    assert await order.upto(1) == ["made"]


CHANGES: list[tuple[str, Callable[[DelayedCall], object]]] = [
    ("cancel", lambda call: call.cancel()),
    ("reset", lambda call: call.reset(1)),
    ("delay", lambda call: call.delay(1)),
]


@pytest.mark.parametrize("change", [c for _, c in CHANGES], ids=[name for name, _ in CHANGES])
async def test_a_call_that_is_over_cannot_be_changed(
    change: Callable[[DelayedCall], object],
) -> None:
    cancelled = reactor.callLater(NEVER, nothing)
    cancelled.cancel()
    with pytest.raises(AlreadyCancelled):
        change(cancelled)
    order = Order()
    called = reactor.callLater(0, order.note)
    await order.upto(1)
    assert called.called
    assert not called.active()
    with pytest.raises(AlreadyCalled):
        change(called)


async def test_a_call_is_over_while_it_is_made() -> None:
    """It cannot cancel itself, but may ask for the next one."""
    order = Order()

    def call() -> None:
        order.note(current.active())
        with pytest.raises(AlreadyCalled):
            current.cancel()
        reactor.callLater(0, order.note, "next")

    current = reactor.callLater(0, call)
    assert await order.upto(2) == [False, "next"]


async def test_what_is_over_keeps_nothing_alive() -> None:
    call = reactor.callLater(NEVER, nothing, object())
    call.cancel()
    assert (call.func, call.args, call.kw) == (None, (), {})


def reset_twice(call: DelayedCall) -> None:
    call.reset(NEVER)
    call.reset(0.02)


MOVES: list[tuple[str, float, Callable[[DelayedCall], object]]] = [
    ("reset to later", 0.001, lambda call: call.reset(0.02)),
    ("reset to sooner", NEVER, lambda call: call.reset(0.02)),
    ("delay to later", 0.001, lambda call: call.delay(0.02)),
    ("delay to sooner", NEVER, lambda call: call.delay(0.02 - NEVER)),
    ("reset from no delay", 0, lambda call: call.reset(0.02)),
    ("reset twice", 0.001, reset_twice),
]


@pytest.mark.parametrize(
    ("first", "move"), [move[1:] for move in MOVES], ids=[move[0] for move in MOVES]
)
async def test_a_call_can_be_moved(first: float, move: Callable[[DelayedCall], object]) -> None:
    order = Order()
    begun = reactor.seconds()
    moved = reactor.callLater(first, order.note, "moved")
    move(moved)
    assert begun + 0.02 <= moved.getTime() + 1e-6 <= reactor.seconds() + 0.022
    reactor.callLater(0.01, order.note, "before")
    assert await order.upto(2) == ["before", "moved"]
    assert reactor.seconds() >= moved.getTime() - 0.002  # uvloop counts milliseconds
    assert moved.called


async def test_a_delay_into_the_past_means_now() -> None:
    order = Order()
    reactor.callLater(NEVER, order.note).delay(-2 * NEVER)
    await order.upto(1)


async def test_reset_to_no_delay_means_now() -> None:
    order = Order()
    reactor.callLater(NEVER, order.note).reset(0)
    assert order == []
    await order.upto(1)


async def test_moving_to_later_does_not_touch_the_loop(timers: TimersSet) -> None:
    """Promise 14: it costs an attribute write."""
    call = reactor.callLater(10, nothing)
    assert len(timers) == 1
    for step in range(1000):
        call.reset(10 + step)
        call.delay(1)
    assert len(timers) == 1
    call.reset(5)
    assert len(timers) == 2
    call.cancel()


async def test_a_moved_call_is_set_again_once(timers: TimersSet) -> None:
    order = Order()
    call = reactor.callLater(0.001, order.note)
    for _ in range(100):
        call.reset(0.01)
    call.delay(0)
    await order.upto(1)
    assert timers.count(call.getTime()) == 1
    assert len(timers) == 3  # the first, the second, and that of upto()


async def test_getDelayedCalls() -> None:
    order = Order()
    assert reactor.getDelayedCalls() == []
    first = reactor.callLater(NEVER, nothing)
    second = reactor.callLater(NEVER, nothing)
    third = reactor.callLater(0, order.note)
    assert set(reactor.getDelayedCalls()) == {first, second, third}
    await order.upto(1)
    first.cancel()
    assert reactor.getDelayedCalls() == [second]
    reactor.getDelayedCalls().clear()  # a list of the caller's own
    assert reactor.getDelayedCalls() == [second]
    second.cancel()


BAD_DELAYS = [-1, -1e-9, math.nan, math.inf, -math.inf]


@pytest.mark.parametrize("delay", BAD_DELAYS)
async def test_a_bad_delay_raises_at_the_call(delay: float) -> None:
    with pytest.raises(ValueError, match="a delay is a number of seconds, at least 0"):
        reactor.callLater(delay, nothing)
    call = reactor.callLater(NEVER, nothing)
    due = call.getTime()
    with pytest.raises(ValueError, match="a delay is a number of seconds, at least 0"):
        call.reset(delay)
    assert call.getTime() == due
    assert reactor.getDelayedCalls() == [call]
    call.cancel()


@pytest.mark.parametrize("delay", [math.nan, math.inf, -math.inf])
async def test_a_bad_change_of_delay_raises_at_the_call(delay: float) -> None:
    call = reactor.callLater(NEVER, nothing)
    with pytest.raises(ValueError, match="a delay is a finite number of seconds"):
        call.delay(delay)
    call.cancel()


@pytest.mark.parametrize("delay", ["1", None, [], b"1"])
async def test_a_delay_that_is_no_number_raises_at_the_call(delay: Any) -> None:
    with pytest.raises(TypeError):
        reactor.callLater(delay, nothing)
    assert reactor.getDelayedCalls() == []


@pytest.mark.parametrize("callable", [None, 7, "nothing", b""])
async def test_what_is_not_callable_raises_at_the_call(callable: Any) -> None:
    with pytest.raises(TypeError, match="pass the function, not its result"):
        reactor.callLater(0, callable)
    assert reactor.getDelayedCalls() == []


def test_bad_arguments_raise_with_no_loop_too() -> None:
    with pytest.raises(ValueError, match="a delay"):
        reactor.callLater(-1, nothing)
    with pytest.raises(TypeError, match="pass the function"):
        reactor.callLater(0, cast(Any, nothing()))
    assert reactor.getDelayedCalls() == []


async def test_an_error_in_a_call_is_reported_once_and_others_go_on(errors: Any) -> None:
    mistake = ZeroDivisionError("mine")
    order = Order()

    def fail() -> None:
        raise mistake

    failing = reactor.callLater(0, fail)
    reactor.callLater(0, order.note)
    reactor.callLater(0.001, order.note)
    await order.upto(2)
    assert errors.take() == [mistake]
    assert failing.called
    assert reactor.getDelayedCalls() == []


async def test_repr() -> None:
    call = reactor.callLater(100, nothing)
    said = re.fullmatch(
        rf"<DelayedCall 0x{id(call):x} \[([0-9.]+)s\] called=0 cancelled=0 nothing\(\)>", repr(call)
    )
    assert said is not None
    assert float(said[1]) == pytest.approx(100, abs=5)
    call.cancel()
    assert repr(call) == f"<DelayedCall 0x{id(call):x} called=0 cancelled=1>"
    order = Order()
    called = reactor.callLater(0, order.note, "x")
    assert "Order.note('x')" in repr(called)
    await order.upto(1)
    assert repr(called) == f"<DelayedCall 0x{id(called):x} called=1 cancelled=0>"


async def test_under_debug_a_call_says_where_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, errors: Any
) -> None:
    assert reactor.callLater(0, nothing).creator is None
    monkeypatch.setattr(DelayedCall, "debug", True)
    called = asyncio.Event()

    def fail() -> None:
        called.set()
        raise ZeroDivisionError

    call = reactor.callLater(0, fail)
    assert call.creator is not None
    assert "reactor.callLater(0, fail)" in call.creator[-1]
    assert "reactor.callLater(0, fail)" in repr(call)
    await called.wait()
    (mistake,) = errors.take()
    assert "reactor.callLater(0, fail)" in mistake.__notes__[0]


async def test_calls_compare_by_their_times() -> None:
    soon, late = reactor.callLater(10, nothing), reactor.callLater(20, nothing)
    assert sorted([late, soon]) == [soon, late]
    assert (soon < late, late < soon, soon <= late, late <= soon) == (True, False, True, False)
    assert soon != late
    for call in (soon, late):
        call.cancel()


def test_a_clock_of_ones_own_makes_its_calls_with_the_same_class() -> None:
    told: list[Any] = []
    call = DelayedCall(
        12,
        nothing,
        (3,),
        {"A": 5},
        lambda call: told.append(("cancelled", call.active())),
        lambda call: told.append(("moved", call.getTime())),
        lambda: 1.5,
    )
    assert call.getTime() == call.time == 12
    assert repr(call) == (
        f"<DelayedCall 0x{id(call):x} [10.5s] called=0 cancelled=0 nothing(3, A=5)>"
    )
    call.reset(1)
    call.delay(2)
    call.cancel()
    assert told == [("moved", 2.5), ("moved", 4.5), ("cancelled", True)]
    with pytest.raises(AlreadyCancelled):
        call.cancel()


# -- the context --------------------------------------------------------------

asked_by: contextvars.ContextVar[str] = contextvars.ContextVar("asked_by", default="nobody")


@pytest.mark.parametrize(
    ("first", "move"),
    [(0, lambda call: None), (0.001, lambda call: None), *[move[1:] for move in MOVES]],
    ids=["no delay", "a delay", *[move[0] for move in MOVES]],
)
async def test_a_call_runs_in_the_context_in_which_it_was_asked_for(
    first: float, move: Callable[[DelayedCall], object]
) -> None:
    """Promise 13: whoever moves it makes no difference."""
    order = Order()
    context = contextvars.copy_context()
    context.run(asked_by.set, "the asker")
    call = context.run(reactor.callLater, first, lambda: order.note(asked_by.get()))
    asked_by.set("the mover")
    move(call)
    assert await order.upto(1) == ["the asker"]


# -- before there is a loop ---------------------------------------------------


def test_calls_asked_for_before_the_loop_are_made_in_it(loop_factory: LoopFactory) -> None:
    order = Order()
    context = contextvars.copy_context()
    context.run(asked_by.set, "early")
    for delay in (0.1, 0.0, 0.05):
        reactor.callLater(delay, order.note, delay)
    context.run(reactor.callLater, 0.15, lambda: order.note(asked_by.get()))
    cancelled = reactor.callLater(0.0, order.note, "cancelled")
    cancelled.cancel()
    assert len(reactor.getDelayedCalls()) == 4

    async def main() -> None:
        assert order == []
        reactor.getDelayedCalls()  # the first use of the reactor in this loop
        assert order == []
        assert await order.upto(4) == [0.0, 0.05, 0.1, "early"]
        assert reactor.getDelayedCalls() == []

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def test_calls_from_before_the_loop_that_are_due_come_in_order(loop_factory: LoopFactory) -> None:
    order = Order()
    for number in range(50):
        reactor.callLater(0, order.note, number)

    async def main() -> None:
        reactor.getDelayedCalls()
        assert await order.upto(50) == list(range(50))

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def test_calls_can_be_moved_before_there_is_a_loop(loop_factory: LoopFactory) -> None:
    order = Order()
    sooner = reactor.callLater(NEVER, order.note, "sooner")
    later = reactor.callLater(0, order.note, "later")
    delayed = reactor.callLater(0, order.note, "delayed")
    now = reactor.seconds()
    sooner.reset(0.05)
    later.reset(0.15)
    delayed.delay(0.1)
    assert now + 0.05 <= sooner.getTime() <= reactor.seconds() + 0.05
    with pytest.raises(ValueError, match="a delay"):
        sooner.reset(-1)

    async def main() -> None:
        reactor.getDelayedCalls()
        assert await order.upto(3) == ["sooner", "delayed", "later"]
        with pytest.raises(AlreadyCalled):
            sooner.cancel()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


# -- many of them -------------------------------------------------------------


async def test_the_loop_has_one_timer_for_all_calls(timers: TimersSet) -> None:
    calls = [reactor.callLater(NEVER + number, nothing) for number in range(1000)]
    assert len(timers) == 1
    for call in calls:
        call.cancel()
    calls = [reactor.callLater(NEVER / 2, nothing), reactor.callLater(NEVER / 3, nothing)]
    for call in calls:
        call.cancel()


async def test_what_is_cancelled_does_not_pile_up() -> None:
    calls = [reactor.callLater(NEVER, nothing) for _ in range(50)]
    seen = []
    for _ in range(10_000):
        call = reactor.callLater(NEVER, nothing)
        seen.append(weakref.ref(call))
        call.cancel()
    del call
    assert sum(ref() is not None for ref in seen) <= 200
    assert set(reactor.getDelayedCalls()) == set(calls)
    for call in calls:
        call.cancel()


async def test_no_timer_is_left_when_no_call_is(timers: TimersSet) -> None:
    for _ in range(10):  # of one turn of the loop: all have the same timer
        reactor.callLater(NEVER, nothing).cancel()
    assert len(timers) == 1
    for _ in range(3):
        await asyncio.sleep(0)
    reactor.callLater(2 * NEVER, nothing).cancel()
    assert len(timers) == 2  # the first was there no more


async def test_what_is_moved_to_sooner_does_not_pile_up() -> None:
    call = reactor.callLater(NEVER * 2, nothing)
    others = [reactor.callLater(NEVER, nothing) for _ in range(10)]
    for step in range(10_000):
        call.reset(NEVER * 2 - step / 10)
    for other in others:
        other.cancel()
        reactor.callLater(NEVER, nothing).cancel()
    assert len(current_reactor()._timers.heap) <= 200
    assert reactor.getDelayedCalls() == [call]
    call.cancel()


@pytest.mark.parametrize("delay", [0, 0.001])
async def test_a_call_can_cancel_or_move_one_that_is_due_as_well(delay: float) -> None:
    order = Order()

    def change() -> None:
        order.note("change")
        cancelled.cancel()
        moved.reset(0.02)

    reactor.callLater(delay, change)
    cancelled = reactor.callLater(delay, order.note, "cancelled")
    moved = reactor.callLater(delay, order.note, "moved")
    reactor.callLater(0.01, order.note, "between")
    assert await order.upto(3) == ["change", "between", "moved"]


@pytest.mark.parametrize("delay", [0, 0.001])
def test_an_interruption_in_a_call_leaves_the_others_to_come(
    delay: float, loop_factory: LoopFactory
) -> None:
    order = Order()

    def interrupt() -> None:
        raise KeyboardInterrupt

    async def begin() -> None:
        reactor.callLater(delay, interrupt)
        for number in range(3):
            reactor.callLater(delay, order.note, number)
        await order.upto(3)

    loop = loop_factory()
    try:
        main = loop.create_task(begin())
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(main)
        loop.run_until_complete(main)
        assert order == [0, 1, 2]
    finally:
        loop.close()


class Model:
    """What should be called when, by a plain list."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[tuple[float, int]] = []

    def advance(self, to: float) -> Iterator[tuple[float, int]]:
        for due, number in sorted(self.calls):
            if due <= to:
                self.calls.remove((due, number))
                yield due, number
        self.now = to


@pytest.mark.parametrize("seed", range(40))
def test_calls_are_made_as_a_plain_list_has_it(seed: int) -> None:
    """Random programs; the loop's time is a clock's."""
    chance = random.Random(seed)
    made: list[tuple[float, int]] = []

    async def program(clock: Clock) -> None:
        model = Model()
        begun = reactor.seconds()
        calls: dict[int, Any] = {}

        def note(number: int) -> None:
            made.append((round(reactor.seconds() - begun, 6), number))
            del calls[number]

        for number in range(300):
            what = chance.choice(["make", "make", "cancel", "reset", "delay", "advance"])
            # No two have the same time: that of each says which it is.
            time = model.now + chance.randrange(1, 1000) + (number + 1) / 1000
            if what == "make":
                calls[number] = reactor.callLater(time - model.now, note, number)
                model.calls.append((time, number))
            elif what == "advance":
                expected = list(model.advance(model.now + chance.randrange(200)))
                made.clear()
                await asyncio.sleep(model.now + begun - reactor.seconds())
                assert made == [(round(due, 6), each) for due, each in expected]
            elif model.calls:
                due, which = chance.choice(model.calls)
                model.calls.remove((due, which))
                if what == "cancel":
                    calls.pop(which).cancel()
                else:
                    if what == "reset":
                        calls[which].reset(time - model.now)
                    else:
                        calls[which].delay(time - due)
                    model.calls.append((time, which))
            assert len(reactor.getDelayedCalls()) == len(model.calls)
            assert set(reactor.getDelayedCalls()) == set(calls.values())
        for call in calls.values():
            call.cancel()

    clock = Clock()
    with asyncio.Runner(loop_factory=lambda: ClockEventLoop(clock)) as runner:
        runner.run(program(clock))
