"""Several Deferreds at once: DeferredList, gatherResults, race."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import pytest

from reactorlib.internet.defer import (
    FAILURE,
    SUCCESS,
    CancelledError,
    Deferred,
    DeferredList,
    FailureGroup,
    FirstError,
    fail,
    gatherResults,
    race,
    succeed,
)
from reactorlib.python.failure import Failure


class Boom(Exception):
    pass


def three(canceller: Any = None) -> list[Deferred[Any]]:
    return [Deferred(canceller) for _ in range(3)]


def outcome(d: Deferred[Any]) -> Any:
    """The value or the Failure; "pending" before."""
    if not d.done():
        return "pending"
    result: list[Any] = []
    d.addBoth(result.append)
    return result[0]


def pairs(d: Deferred[Any]) -> list[Any]:
    """The result of a DeferredList, the types of exceptions in place of Failures."""
    return [(ok, result if ok else result.type) for ok, result in outcome(d)]


# -- DeferredList -------------------------------------------------------------


def test_a_list_fires_when_all_have_fired_in_the_order_of_the_list() -> None:
    first, second, third = ds = three()
    both = DeferredList(ds, consumeErrors=True)
    third.callback(3)
    first.callback(1)
    assert outcome(both) == "pending"
    second.errback(Boom())
    assert pairs(both) == [(SUCCESS, 1), (FAILURE, Boom), (SUCCESS, 3)]


def test_a_list_of_nothing() -> None:
    assert outcome(DeferredList([])) == []
    assert outcome(DeferredList([], fireOnOneErrback=True)) == []
    # There is no first success to wait for, and there never will be.
    assert outcome(DeferredList([], fireOnOneCallback=True)) == "pending"


def test_each_deferred_keeps_its_result() -> None:
    d = succeed(1)
    DeferredList([d])
    assert outcome(d) == 1


@pytest.mark.parametrize("consume", [True, False])
def test_consumeErrors_leaves_none(consume: bool) -> None:
    d: Deferred[Any] = fail(Boom())
    both = DeferredList([d], consumeErrors=consume)
    assert pairs(both) == [(False, Boom)]
    left = outcome(d)
    assert (left is None) if consume else left.check(Boom)


def test_the_first_success_can_decide() -> None:
    ds = three()
    first = DeferredList(ds, fireOnOneCallback=True, consumeErrors=True)
    ds[2].errback(Boom())
    assert outcome(first) == "pending"
    ds[1].callback("it")
    ds[0].callback("too late")
    assert outcome(first) == ("it", 1)


def test_all_failed_where_one_success_was_wanted() -> None:
    ds = three()
    first = DeferredList(ds, fireOnOneCallback=True, consumeErrors=True)
    for d in ds:
        d.errback(Boom())
    assert pairs(first) == [(False, Boom)] * 3


def test_the_first_failure_can_decide() -> None:
    ds = three()
    first = DeferredList(ds, fireOnOneErrback=True, consumeErrors=True)
    ds[0].callback(1)
    ds[1].errback(Boom("why"))
    ds[2].errback(Boom("later"))
    error = outcome(first).value
    assert isinstance(error, FirstError)
    assert error.index == 1
    assert error.subFailure.value.args == ("why",)
    assert error.__cause__ is error.subFailure.value
    assert repr(error) == "FirstError[#1, Boom('why')]"
    assert str(error).startswith("FirstError[#1, [Failure instance: ")


def test_first_errors_are_equal_when_they_say_the_same() -> None:
    failure = Failure(Boom())
    assert FirstError(failure, 1) == FirstError(failure, 1)
    assert FirstError(failure, 1) != FirstError(failure, 2)
    assert FirstError(failure, 1) != 1
    assert len({FirstError(failure, 1)}) == 1


def test_cancelling_a_list_cancels_each() -> None:
    ds = three()
    both = DeferredList(ds, consumeErrors=True)
    both.cancel()
    assert pairs(both) == [(False, CancelledError)] * 3


@pytest.mark.parametrize("error", [Boom, CancelledError])
def test_a_canceller_that_fails_spares_no_other(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: object) -> None:
        raise error

    ds = [Deferred[Any](refuse), Deferred[Any]()]
    both = DeferredList(ds, consumeErrors=True)
    both.cancel()
    assert pairs(both) == [(False, CancelledError)] * 2
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is error


def test_cancelling_a_list_that_fired_cancels_what_it_then_waits_for() -> None:
    inner = Deferred[None]()
    both = DeferredList([succeed(1)])
    both.addCallback(lambda _: inner)
    both.cancel()
    assert outcome(both).check(CancelledError)


# -- gatherResults ------------------------------------------------------------


def test_gatherResults_gives_the_values() -> None:
    ds = three()
    gathered = gatherResults(ds)
    for value, d in enumerate(ds):
        d.callback(value)
    assert outcome(gathered) == [0, 1, 2]
    assert outcome(gatherResults([])) == []


def test_gatherResults_fails_at_once() -> None:
    ds = three()
    gathered = gatherResults(ds, consumeErrors=True)
    ds[2].errback(Boom())
    error = outcome(gathered).value
    assert (type(error), error.index, error.subFailure.type) == (FirstError, 2, Boom)
    assert outcome(ds[2]) is None


@pytest.mark.parametrize(
    "gather",
    [partial(gatherResults, consumeErrors=True), partial(DeferredList, consumeErrors=True), race],
)
def test_what_is_no_deferred_is_refused_and_the_others_are_left_alone(gather: Any) -> None:
    d: Deferred[int] = Deferred()
    with pytest.raises(TypeError, match=r"takes Deferreds, not 3; ensureDeferred\(\)"):
        gather([d, 3])
    d.errback(Boom())
    assert outcome(d).check(Boom)


@pytest.mark.parametrize("called", [False, True])
def test_gatherResults_of_deferreds_that_wait_or_are_paused(called: bool) -> None:
    ds = three()
    ds[0].addCallback(lambda value: value + 10)
    ds[1].pause()
    if called:
        for value, d in enumerate(ds):
            d.callback(value)
    gathered = gatherResults(ds)
    if not called:
        for value, d in enumerate(ds):
            d.callback(value)
    assert outcome(gathered) == "pending"
    ds[1].unpause()
    assert outcome(gathered) == [10, 1, 2]


async def test_gatherResults_of_coroutines_and_awaits(errors: Any) -> None:
    async def value(n: int) -> int:
        return n

    assert await gatherResults([Deferred.fromCoroutine(value(n)) for n in range(3)]) == [0, 1, 2]


def test_cancelling_gathered_results_cancels_each() -> None:
    ds = three()
    gathered = gatherResults(ds, consumeErrors=True)
    gathered.cancel()
    assert outcome(gathered).check(FirstError)
    assert [outcome(d) for d in ds] == [None] * 3


# -- race ---------------------------------------------------------------------


def test_a_race_is_won_by_the_first_success_and_the_others_are_cancelled() -> None:
    cancelled: list[Deferred[Any]] = []
    ds = three(cancelled.append)
    winner = race(ds)
    ds[0].errback(Boom())
    assert outcome(winner) == "pending"
    ds[1].callback("first")
    assert outcome(winner) == (1, "first")
    assert cancelled == [ds[2]]


def test_a_canceller_that_still_succeeds_does_not_win() -> None:
    late = Deferred[str](lambda d: d.callback("late"))
    early = Deferred[str]()
    winner = race([late, early])
    early.callback("early")
    assert outcome(winner) == (1, "early")


def test_a_race_that_all_lose_fails_with_every_failure_in_their_order() -> None:
    ds = three()
    winner = race(ds)
    for index in (2, 0, 1):
        ds[index].errback(Boom(index))
    error = outcome(winner).value
    assert isinstance(error, FailureGroup)
    assert [failure.value.args for failure in error.failures] == [(0,), (1,), (2,)]


def test_cancelling_a_race_cancels_all() -> None:
    ds = three()
    winner = race(ds)
    winner.cancel()
    error = outcome(winner).value
    assert isinstance(error, FailureGroup)
    assert [failure.type for failure in error.failures] == [CancelledError] * 3


@pytest.mark.parametrize("error", [Boom, CancelledError])
def test_a_loser_whose_canceller_raises_is_reported_and_spares_no_other(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: object) -> None:
        raise error

    ds = [Deferred[Any](), Deferred[Any](refuse), Deferred[Any]()]
    winner = race(ds)
    ds[0].callback("won")
    assert outcome(winner) == (0, "won")
    assert all(d.called for d in ds)
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is error
    assert outcome(ds[0]) is None


def test_what_becomes_of_the_list_is_nothing_to_the_race() -> None:
    ds = three()
    first, second, third = ds
    winner = race(ds)
    ds.clear()
    second.callback("won")
    assert outcome(winner) == (1, "won")
    assert first.called
    assert third.called
    ds = three()
    winner = race(ds)
    runners = [*ds]
    ds.append(Deferred())
    for d in runners:
        d.errback(Boom())
    assert len(outcome(winner).value.failures) == 3


def test_a_race_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="no Deferreds"):
        race([])


def test_a_race_of_those_that_have_fired() -> None:
    assert outcome(race([fail(Boom()), succeed("a"), succeed("b")])) == (1, "a")


def test_losers_are_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ds = three()
    race(ds).addErrback(lambda failure: failure.trap(FailureGroup))
    for d in ds:
        d.errback(Boom())
    del ds
    assert caplog.records == []
