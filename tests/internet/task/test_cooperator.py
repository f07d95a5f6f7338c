"""Iterators that share the reactor's time."""

from __future__ import annotations

import asyncio
import gc
import itertools
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from reactorlib.internet import reactor
from reactorlib.internet.defer import CancelledError, Deferred, fail, gatherResults, succeed
from reactorlib.internet.task import (
    CooperativeTask,
    Cooperator,
    NotPaused,
    SchedulerError,
    SchedulerStopped,
    TaskDone,
    TaskFailed,
    TaskFinished,
    TaskStopped,
    coiterate,
    cooperate,
)
from reactorlib.python.failure import Failure

variable: ContextVar[str] = ContextVar("variable", default="nothing")


class Boom(Exception):
    pass


class Scheduled:
    def __init__(self, function: Callable[[], None]) -> None:
        self.function = function
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Turns:
    """A scheduler whose turns a test takes."""

    def __init__(self) -> None:
        self.waiting: list[Scheduled] = []

    def __call__(self, function: Callable[[], None]) -> Scheduled:
        assert self.pending == [], "one call at a time is enough"
        self.waiting.append(Scheduled(function))
        return self.waiting[-1]

    @property
    def pending(self) -> list[Scheduled]:
        return [call for call in self.waiting if not call.cancelled]

    def take(self, count: int = 1) -> None:
        for _ in range(count):
            calls, self.waiting = self.pending, []
            for call in calls:
                call.function()


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.fixture
def cooperator(turns: Turns) -> Cooperator:
    """One that takes one step in each turn."""
    return Cooperator(lambda: lambda: True, turns)


def outcome(d: Deferred[Any]) -> Any:
    if not d.done():
        return "pending"
    result: list[Any] = []
    d.addBoth(result.append)
    return result[0].type if isinstance(result[0], Failure) else result[0]


def steps(into: list[Any], items: Any) -> Iterator[None]:
    for item in items:
        into.append(item)
        yield


# -- steps --------------------------------------------------------------------


def test_tasks_take_turns(turns: Turns, cooperator: Cooperator) -> None:
    taken: list[Any] = []
    for items in ("abc", "123", "xyz"):
        cooperator.cooperate(steps(taken, items))
    assert taken == []
    turns.take(9)
    assert "".join(taken) == "a1xb2yc3z"


def test_a_slice_lasts_until_the_predicate_says_so(turns: Turns) -> None:
    taken: list[int] = []
    slices: list[int] = []

    def begin() -> Callable[[], bool]:
        slices.append(len(taken))
        return lambda: len(taken) % 4 == 0

    Cooperator(begin, turns).cooperate(steps(taken, range(100)))
    turns.take(3)
    assert taken == list(range(12))
    assert slices == [0, 4, 8]


def test_the_others_keep_their_order_when_one_ends(turns: Turns, cooperator: Cooperator) -> None:
    taken: list[Any] = []
    for items in ("a", "123", "xyz"):
        cooperator.cooperate(steps(taken, items))
    turns.take(9)
    assert "".join(taken) == "a1x2y3z"


def test_nothing_is_scheduled_while_there_is_nothing_to_do(
    turns: Turns, cooperator: Cooperator
) -> None:
    assert turns.pending == []
    one, two = (cooperator.cooperate(iter(range(9))) for _ in range(2))
    assert len(turns.pending) == 1
    one.stop()
    assert len(turns.pending) == 1
    two.stop()
    assert turns.pending == []
    cooperator.cooperate(iter(()))
    assert len(turns.pending) == 1
    turns.take()
    assert turns.pending == []


@pytest.mark.parametrize("thing", [[1, 2], 5, None, lambda: iter([])])
def test_what_is_no_iterator_is_refused_at_once(cooperator: Cooperator, thing: Any) -> None:
    for method in (cooperator.cooperate, cooperator.coiterate):
        with pytest.raises(TypeError, match="not an iterator"):
            method(thing)


def test_each_iterator_runs_in_the_context_it_came_in(turns: Turns, cooperator: Cooperator) -> None:
    seen: list[str] = []
    gate: Deferred[None] = Deferred()

    def work() -> Iterator[Any]:
        seen.append(variable.get())
        yield gate
        seen.append(variable.get())
        variable.set("its own")
        yield
        seen.append(variable.get())

    token = variable.set("first")
    cooperator.cooperate(work())
    variable.set("second")
    cooperator.cooperate(work())
    variable.set("elsewhere")
    turns.take(2)
    gate.callback(None)
    turns.take(4)
    assert seen == ["first", "second", "first", "second", "its own", "its own"]
    assert variable.get() == "elsewhere"
    variable.reset(token)


# -- the end ------------------------------------------------------------------


def test_an_exhausted_iterator_is_done(turns: Turns, cooperator: Cooperator) -> None:
    iterator = iter([1])
    task = cooperator.cooperate(iterator)
    done, done_too = task.whenDone(), task.whenDone()
    turns.take()
    assert outcome(done) == "pending"
    turns.take()
    assert outcome(done) is outcome(done_too) is outcome(task.whenDone()) is iterator
    for change in (task.stop, task.pause):
        with pytest.raises(TaskDone, match="exhausted"):
            change()


def raises() -> Iterator[None]:
    raise Boom
    yield


def yields_a_failure() -> Iterator[Deferred[None]]:
    yield fail(Boom())


def awaits_a_failure() -> Iterator[Any]:
    async def fails() -> None:
        raise Boom

    yield fails()


@pytest.mark.parametrize("work", [raises, yields_a_failure, awaits_a_failure])
def test_an_error_is_the_end(
    turns: Turns, cooperator: Cooperator, work: Callable[[], Iterator[Any]]
) -> None:
    taken: list[int] = []
    task = cooperator.cooperate(work())
    cooperator.cooperate(steps(taken, range(3)))
    done = task.whenDone()
    turns.take(4)
    assert outcome(done) is outcome(task.whenDone()) is Boom
    with pytest.raises(TaskFailed):
        task.stop()
    assert taken == [0, 1, 2]


def test_a_task_can_be_stopped(turns: Turns, cooperator: Cooperator) -> None:
    taken: list[int] = []
    task = cooperator.cooperate(steps(taken, range(9)))
    done = task.whenDone()
    turns.take(2)
    task.stop()
    assert outcome(done) is TaskStopped
    turns.take()
    assert taken == [0, 1]
    for change in (task.stop, task.pause):
        with pytest.raises(TaskStopped):
            change()


def test_an_error_about_the_state_is_a_new_one_each_time(cooperator: Cooperator) -> None:
    task = cooperator.cooperate(iter([1]))
    task.stop()
    with pytest.raises(TaskFinished) as first:
        task.pause()
    with pytest.raises(TaskFinished) as second:
        task.pause()
    assert first.value is not second.value


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_who_ends_the_program_is_not_held_up(
    turns: Turns, cooperator: Cooperator, kind: type[BaseException]
) -> None:
    def ends() -> Iterator[None]:
        raise kind
        yield

    taken: list[int] = []
    ending = cooperator.cooperate(ends())
    cooperator.cooperate(steps(taken, range(2)))
    done = ending.whenDone()
    with pytest.raises(kind):
        turns.take()
    assert outcome(done) is kind
    turns.take(2)
    assert taken == [0, 1]


def test_an_iterator_may_stop_its_own_task(turns: Turns, cooperator: Cooperator) -> None:
    def work() -> Iterator[Any]:
        task.stop()
        yield Deferred()

    task = cooperator.cooperate(work())
    done = task.whenDone()
    turns.take()
    assert outcome(done) is TaskStopped
    assert turns.pending == []


async def test_an_error_in_a_task_that_is_over_is_reported(errors: Any) -> None:
    def work() -> Iterator[None]:
        task.stop()
        raise Boom
        yield

    turns = Turns()
    task = Cooperator(lambda: lambda: True, turns).cooperate(work())
    turns.take()
    assert [type(error) for error in errors.take()] == [Boom]


# -- waiting ------------------------------------------------------------------


def test_a_step_waits_for_a_deferred(turns: Turns, cooperator: Cooperator) -> None:
    taken: list[Any] = []
    gate: Deferred[str] = Deferred()

    def work() -> Iterator[Any]:
        taken.append("before")
        yield gate
        taken.append("after")

    cooperator.cooperate(work())
    turns.take(3)
    assert taken == ["before"]
    assert turns.pending == []
    gate.callback("result")
    assert taken == ["before"]
    turns.take()
    assert taken == ["before", "after"]


async def test_a_step_waits_for_what_asyncio_awaits() -> None:
    async def slow(result: str) -> None:
        await asyncio.sleep(0)
        taken.append(result)

    def work() -> Iterator[Any]:
        yield slow("coroutine")
        taken.append(1)
        yield asyncio.ensure_future(slow("task"))
        taken.append(2)
        yield succeed(None)
        taken.append(3)

    taken: list[Any] = []
    await coiterate(work())
    assert taken == ["coroutine", 1, "task", 2, 3]


async def test_a_few_tasks_may_share_one_iterator() -> None:
    """So that a few things of many are under way at a time."""
    under_way = most = finished = 0

    async def work() -> None:
        nonlocal under_way, most, finished
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        finished += 1

    many = (work() for _ in range(10))
    await gatherResults([coiterate(many) for _ in range(3)])
    assert (finished, most) == (10, 3)


def test_a_task_is_paused_as_often_as_it_says(turns: Turns, cooperator: Cooperator) -> None:
    taken: list[int] = []
    task = cooperator.cooperate(steps(taken, range(9)))
    task.pause()
    task.pause()
    turns.take(2)
    task.resume()
    turns.take(2)
    assert taken == []
    task.resume()
    assert taken == []
    turns.take()
    assert taken == [0]
    with pytest.raises(NotPaused):
        task.resume()


def test_a_pause_while_it_waits_outlasts_the_waiting(turns: Turns, cooperator: Cooperator) -> None:
    taken: list[str] = []
    gate: Deferred[None] = Deferred()

    def work() -> Iterator[Any]:
        yield gate
        taken.append("after")

    task = cooperator.cooperate(work())
    turns.take()
    task.pause()
    gate.callback(None)
    turns.take()
    assert taken == []
    task.resume()
    turns.take()
    assert taken == ["after"]


def test_a_paused_task_can_be_stopped(turns: Turns, cooperator: Cooperator) -> None:
    task = cooperator.cooperate(iter([1]))
    task.pause()
    task.stop()
    task.resume()
    assert turns.pending == []
    assert outcome(task.whenDone()) is TaskStopped


@pytest.mark.parametrize("succeeds", [True, False])
async def test_stopping_leaves_what_is_waited_for_alone(succeeds: bool, errors: Any) -> None:
    turns = Turns()
    gate: Deferred[None] = Deferred()
    task = Cooperator(lambda: lambda: True, turns).cooperate(iter([gate]))
    turns.take()
    task.stop()
    assert not gate.called
    if succeeds:
        gate.callback(None)
    else:
        gate.errback(Boom())
    del gate, task
    gc.collect()
    assert [type(error) for error in errors.take()] == ([] if succeeds else [Boom])


# -- cancelling ---------------------------------------------------------------


def test_cancelling_whenDone_stops_nothing(turns: Turns, cooperator: Cooperator) -> None:
    iterator = iter([1])
    task = cooperator.cooperate(iterator)
    one, two = task.whenDone(), task.whenDone()
    one.cancel()
    assert outcome(one) is CancelledError
    turns.take(2)
    assert outcome(two) is iterator


def test_one_who_is_told_may_cancel_the_next(turns: Turns, cooperator: Cooperator) -> None:
    task = cooperator.cooperate(iter(()))
    one, two = task.whenDone(), task.whenDone()
    one.addCallback(lambda _: two.cancel())
    turns.take()
    assert outcome(two) is CancelledError


def test_cancelling_coiterate_stops_the_work(turns: Turns, cooperator: Cooperator) -> None:
    taken: list[int] = []
    done = cooperator.coiterate(steps(taken, range(9)))
    turns.take()
    done.cancel()
    assert outcome(done) is CancelledError
    assert turns.pending == []
    assert taken == [0]


async def test_a_task_that_awaits_the_work_can_be_cancelled() -> None:
    taken: list[int] = []

    def forever() -> Iterator[None]:
        while True:
            taken.append(1)
            yield

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.005):
            await coiterate(forever())
    count = len(taken)
    await asyncio.sleep(0)
    assert len(taken) == count > 0


def test_coiterate_fires_the_deferred_it_is_given(turns: Turns, cooperator: Cooperator) -> None:
    mine: Deferred[Any] = Deferred()
    iterator = iter([1])
    assert cooperator.coiterate(iterator, mine) is mine
    turns.take(2)
    assert outcome(mine) is iterator


# -- starting and stopping the cooperator -------------------------------------


def test_one_that_has_not_been_started_waits(turns: Turns) -> None:
    taken: list[int] = []
    cooperator = Cooperator(scheduler=turns, started=False)
    assert not cooperator.running
    cooperator.cooperate(steps(taken, range(2)))
    assert turns.pending == []
    cooperator.start()
    assert cooperator.running
    turns.take()
    assert taken == [0, 1]


def test_stopping_fails_every_task(turns: Turns, cooperator: Cooperator) -> None:
    running, paused = (cooperator.cooperate(iter([1])) for _ in range(2))
    done, done_too = running.whenDone(), paused.whenDone()
    paused.pause()
    cooperator.stop()
    assert not cooperator.running
    assert turns.pending == []
    assert outcome(done) is SchedulerStopped
    assert outcome(done_too) == "pending"
    paused.resume()
    assert outcome(done_too) is SchedulerStopped
    assert outcome(cooperator.coiterate(iter([1]))) is SchedulerStopped
    with pytest.raises(SchedulerStopped):
        cooperator.cooperate(iter([1])).stop()


def test_a_stopped_one_can_be_started_again(turns: Turns, cooperator: Cooperator) -> None:
    cooperator.stop()
    cooperator.start()
    taken: list[int] = []
    cooperator.cooperate(steps(taken, range(2)))
    turns.take(2)
    assert taken == [0, 1]


@pytest.mark.parametrize("by", ["a callback", "the iterator"])
def test_it_can_be_stopped_from_within(turns: Turns, cooperator: Cooperator, by: str) -> None:
    def work() -> Iterator[None]:
        if by == "the iterator":
            cooperator.stop()
        return
        yield

    first, second = cooperator.cooperate(work()), cooperator.cooperate(iter([1]))
    first.whenDone().addBoth(lambda _: cooperator.stop() if by == "a callback" else None)
    turns.take()
    assert outcome(first.whenDone()) is not SchedulerStopped or by == "the iterator"
    assert outcome(second.whenDone()) is SchedulerStopped
    assert turns.pending == []


def test_a_callback_may_add_a_task(turns: Turns, cooperator: Cooperator) -> None:
    taken: list[int] = []
    cooperator.coiterate(iter(())).addCallback(
        lambda _: cooperator.cooperate(steps(taken, range(2)))
    )
    turns.take(3)
    assert taken == [0, 1]


# -- the cooperator of the loop -----------------------------------------------


async def test_the_work_leaves_others_their_turns() -> None:
    """A slice is 10 ms; whoever else waits for a turn of the loop gets one in between."""
    longest = 0.0

    def work() -> Iterator[None]:
        while True:
            time.perf_counter_ns()
            yield

    tasks = [cooperate(work()) for _ in range(3)]
    await asyncio.sleep(0)
    for _ in range(5):
        before = time.process_time()
        await asyncio.sleep(0)
        longest = max(longest, time.process_time() - before)
    for task in tasks:
        task.stop()
    assert 0.005 < longest < 0.1


async def test_many_tasks_that_wait_cost_no_more_than_few() -> None:
    """10,000 tasks, each waiting five times: removing one from among many is one step."""

    def work() -> Iterator[Any]:
        for _ in range(5):
            yield succeed(None)

    before = time.process_time()
    await gatherResults([coiterate(work()) for _ in range(10_000)])
    assert time.process_time() - before < 3


def test_each_loop_has_its_own(loop_factory: Any) -> None:
    """Work that was left when one loop ended does not hold up that of the next."""
    taken: list[str] = []

    async def first() -> None:
        cooperate(steps(taken, iter(lambda: "first", None)))
        await asyncio.sleep(0)

    async def second() -> None:
        await coiterate(steps(taken, ["second"] * 3))

    for main in (first, second, first, second):
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(main())
    assert taken.count("second") == 6
    assert "first" not in taken[taken.index("second") : taken.index("second") + 3]


def test_work_that_is_handed_over_before_there_is_a_loop(loop_factory: Any) -> None:
    taken: list[int] = []
    coiterate(steps(taken, range(3))).addCallback(lambda _: reactor.stop())
    assert taken == []
    reactor.run(installSignalHandlers=False, loop_factory=loop_factory)
    assert taken == [0, 1, 2]


async def test_it_works_after_the_reactor_has_closed_everything() -> None:
    taken: list[int] = []
    async with reactor:
        task = cooperate(steps(taken, itertools.count()))
    done = len(taken)
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(taken) == done
    await coiterate(iter([1, 2, 3, 4]))
    assert len(taken) > done
    task.stop()


async def test_the_deferred_of_a_step_that_never_comes_does_not_hold_the_loop() -> None:
    task = cooperate(iter([Deferred[None]()]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert reactor.getDelayedCalls() == []
    task.stop()


# -- what it looks like -------------------------------------------------------


def test_repr_tells_the_state(turns: Turns, cooperator: Cooperator) -> None:
    task: CooperativeTask[Any] = cooperator.cooperate(iter([1]))
    assert repr(task).endswith(", running>")
    task.pause()
    assert repr(task).endswith(", paused>")
    task.stop()
    assert repr(task).endswith(", over (TaskStopped)>")


@pytest.mark.parametrize(
    ("kind", "base"),
    [
        (SchedulerStopped, SchedulerError),
        (TaskFinished, SchedulerError),
        (TaskDone, TaskFinished),
        (TaskStopped, TaskFinished),
        (TaskFailed, TaskFinished),
        (NotPaused, SchedulerError),
    ],
)
def test_errors_say_what_is_wrong(kind: type[SchedulerError], base: type[Exception]) -> None:
    assert issubclass(kind, base)
    assert str(kind()) != ""
    assert str(kind("this")) == "this"
