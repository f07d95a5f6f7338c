"""The functions around Deferreds; timeouts; what is reported when nobody handles it."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reactorlib.internet.defer import (
    AlreadyCalledError,
    CancelledError,
    Deferred,
    TimeoutError,
    ensureDeferred,
    execute,
    fail,
    getDebugging,
    inlineCallbacks,
    logError,
    maybeDeferred,
    passthru,
    returnValue,
    setDebugging,
    succeed,
    timeout,
)
from reactorlib.internet.task import Clock
from reactorlib.python.failure import Failure


class Boom(Exception):
    pass


def raise_boom(*_: object) -> None:
    raise Boom("raised")


async def add(a: int, b: int) -> int:
    return a + b


async def boom() -> None:
    raise Boom


def outcome(d: Deferred[Any]) -> Any:
    """The value, or the type of the exception; "pending" before. Takes the result."""
    if not d.done():
        return "pending"
    result: list[Any] = []
    d.addBoth(result.append)
    return result[0].type if isinstance(result[0], Failure) else result[0]


@pytest.fixture
def debugging() -> Iterator[None]:
    setDebugging(True)
    yield
    setDebugging(False)


# -- values and calls ---------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "args", "expected"),
    [
        (lambda a, b: a + b, (1, 2), 3),
        (raise_boom, (), Boom),
        (lambda: Failure(Boom()), (), Boom),
        (add, (1, 2), 3),
        (boom, (), Boom),
        (lambda: succeed(4), (), 4),
        (lambda: fail(Boom()), (), Boom),
    ],
    ids=["value", "raises", "Failure", "coroutine", "coroutine raises", "Deferred", "failed"],
)
def test_maybeDeferred_makes_one_of_any_outcome(
    function: Callable[..., Any], args: tuple[Any, ...], expected: Any
) -> None:
    assert outcome(maybeDeferred(function, *args)) == expected


def test_maybeDeferred_gives_the_deferred_itself() -> None:
    d = Deferred[None]()
    assert maybeDeferred(lambda: d) is d


def test_maybeDeferred_passes_keywords() -> None:
    assert outcome(maybeDeferred(add, 1, b=2)) == 3


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("call", [maybeDeferred, execute])
def test_what_ends_the_program_goes_through(
    call: Callable[..., Any], error: type[BaseException]
) -> None:
    def interrupt() -> None:
        raise error

    with pytest.raises(error):
        call(interrupt)


def test_execute_calls_a_function() -> None:
    assert outcome(execute(int, "12")) == 12
    assert outcome(execute(int, "ab", base=12)) == 131
    assert outcome(execute(raise_boom)) is Boom


def test_succeed_and_fail_have_fired() -> None:
    assert outcome(succeed(None)) is None
    assert outcome(fail(Boom())) is Boom
    assert outcome(fail(Failure(Boom()))) is Boom
    try:
        raise Boom
    except Boom:
        assert outcome(fail()) is Boom


def test_succeed_takes_what_callback_takes() -> None:
    with pytest.raises(TypeError):
        succeed(Deferred[None]())
    assert outcome(succeed(Failure(Boom()))) is Boom


def test_passthru_changes_nothing() -> None:
    thing = object()
    assert passthru(thing) is thing
    assert outcome(succeed(1).addCallback(passthru)) == 1


# -- timeouts -----------------------------------------------------------------


def test_a_result_in_time_stops_the_clock() -> None:
    clock = Clock()
    d = Deferred[int]()
    assert d.addTimeout(5, clock) is d
    clock.advance(4)
    d.callback(1)
    assert outcome(d) == 1
    assert clock.getDelayedCalls() == []
    assert outcome(succeed(2).addTimeout(5, clock)) == 2
    assert clock.getDelayedCalls() == []


def test_too_late_is_a_TimeoutError() -> None:
    clock = Clock()
    seen: list[Any] = []
    d = Deferred[int]()

    def see(failure: Failure) -> Failure:
        seen.append(failure.type)
        return failure

    d.addErrback(see)
    d.addTimeout(5, clock)
    clock.advance(5)
    assert seen == [CancelledError]
    assert outcome(d) is TimeoutError
    assert TimeoutError is asyncio.TimeoutError


@pytest.mark.parametrize(
    ("canceller", "expected"),
    [(lambda d: d.callback("kept"), "kept"), (lambda d: d.errback(Boom()), Boom)],
)
def test_a_canceller_can_give_another_outcome(canceller: Any, expected: Any) -> None:
    clock = Clock()
    d = Deferred[Any](canceller).addTimeout(1, clock)
    clock.advance(1)
    assert outcome(d) == expected


def test_onTimeoutCancel_decides_the_outcome() -> None:
    clock = Clock()
    seen: list[Any] = []

    def instead(result: Failure, after: float) -> str:
        seen.append((result.type, after))
        return "instead"

    d = Deferred[str]().addTimeout(3, clock, instead)
    clock.advance(3)
    assert outcome(d) == "instead"
    assert seen == [(CancelledError, 3)]


def test_a_cancellation_by_hand_is_no_timeout() -> None:
    clock = Clock()
    d = Deferred[None]().addTimeout(3, clock)
    d.cancel()
    assert outcome(d) is CancelledError
    assert clock.getDelayedCalls() == []


def test_a_coroutine_can_be_timed_out() -> None:
    clock = Clock()
    gate = Deferred[None]()

    async def wait() -> None:
        await gate

    d = ensureDeferred(wait()).addTimeout(2, clock)
    clock.advance(2)
    assert outcome(d) is TimeoutError
    assert outcome(gate) is CancelledError


def test_timeout_is_deprecated() -> None:
    d = Deferred[object]()
    with pytest.warns(DeprecationWarning, match="addTimeout"):
        timeout(d)
    assert outcome(d) is TimeoutError


# -- what nobody handles ------------------------------------------------------


def reported(caplog: pytest.LogCaptureFixture) -> list[Any]:
    """The types of the exceptions that have been logged as unhandled."""
    gc.collect()
    records = [record for record in caplog.records if "Unhandled" in record.getMessage()]
    return [record.exc_info and record.exc_info[0] for record in records]


def never_handled() -> None:
    fail(Boom())


def raised_and_never_handled() -> None:
    succeed(1).addCallback(raise_boom)


def handled_then_raised_again() -> None:
    fail(Boom()).addErrback(lambda _: None).addCallback(raise_boom)


def failed_in_a_coroutine() -> None:
    ensureDeferred(boom())


def passed_on_to_a_deferred_that_is_dropped() -> None:
    inner, outer = Deferred[None](), succeed(None)
    outer.addCallback(lambda _: inner)
    inner.errback(Boom())


@pytest.mark.parametrize(
    "make",
    [
        never_handled,
        raised_and_never_handled,
        handled_then_raised_again,
        failed_in_a_coroutine,
        passed_on_to_a_deferred_that_is_dropped,
    ],
)
def test_an_unhandled_failure_is_logged_once(
    make: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    make()
    assert reported(caplog) == [Boom]
    gc.collect()
    assert reported(caplog) == [Boom]


def handled() -> None:
    fail(Boom()).addErrback(lambda _: None)


def handled_later() -> None:
    d: Deferred[Any] = fail(Boom())
    d.addCallback(passthru)
    d.addErrback(lambda _: None)


def awaited() -> None:
    async def wait(d: Deferred[None]) -> None:
        with pytest.raises(Boom):
            await d

    ensureDeferred(wait(fail(Boom())))
    pending = Deferred[None]()
    ensureDeferred(wait(pending))
    pending.errback(Boom())


def looked_at() -> None:
    assert isinstance(fail(Boom()).exception(), Boom)


def taken_over() -> None:
    succeed(None).addCallback(lambda _: fail(Boom())).addErrback(lambda _: None)


@pytest.mark.parametrize("make", [handled, handled_later, awaited, looked_at, taken_over])
def test_a_handled_failure_is_not_reported(
    make: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    make()
    assert reported(caplog) == []


def test_awaiting_counts_even_after_time_without_a_handler(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It had no step left, was paused, and a coroutine came while it was."""

    def run() -> None:
        d: Deferred[None] = fail(Boom())
        d.pause()

        async def wait() -> None:
            with pytest.raises(Boom):
                await d

        ensureDeferred(wait())
        d.unpause()

    run()
    assert reported(caplog) == []


async def test_inside_a_loop_its_exception_handler_is_told(
    errors: Any, caplog: pytest.LogCaptureFixture
) -> None:
    never_handled()
    raised_and_never_handled()
    gc.collect()
    assert [context["message"] for context in errors] == ["Unhandled error in Deferred"] * 2
    assert [type(error) for error in errors.take()] == [Boom, Boom]
    assert reported(caplog) == []


def test_a_report_has_the_traceback_of_the_error(caplog: pytest.LogCaptureFixture) -> None:
    raised_and_never_handled()
    gc.collect()
    (record,) = caplog.records
    assert record.levelno == logging.CRITICAL
    text = logging.Formatter().format(record)
    assert "in raise_boom" in text
    assert "Boom: raised" in text


def test_logError_reports_and_passes_the_failure_on(caplog: pytest.LogCaptureFixture) -> None:
    d = fail(Boom()).addErrback(logError)
    assert reported(caplog) == [Boom]
    assert caplog.messages == ["Unhandled Error"]
    assert outcome(d) is Boom
    del d
    assert reported(caplog) == [Boom]


def test_returnValue_without_a_generator_is_a_mistake() -> None:
    @inlineCallbacks
    def plain() -> Any:
        returnValue(7)

    with pytest.raises(TypeError, match=r"plain.*has no `yield`: it called returnValue\(7\)"):
        plain()


# -- debugging ----------------------------------------------------------------


def test_debugging_is_a_switch() -> None:
    assert getDebugging() is False
    setDebugging(True)
    try:
        assert getDebugging() is True
    finally:
        setDebugging(False)
    assert getDebugging() is False


def make_here() -> Deferred[Any]:
    return Deferred()


def fire_here(d: Deferred[Any]) -> None:
    d.callback(1)


@pytest.mark.usefixtures("debugging")
def test_a_second_result_tells_where_it_was_made_and_fired() -> None:
    d = make_here()
    fire_here(d)
    with pytest.raises(AlreadyCalledError) as caught:
        d.callback(2)
    created, fired = str(caught.value).split("This Deferred was fired here:")
    assert "This Deferred was created here:" in created
    assert "in make_here" in created
    assert "in make_here" not in fired
    assert "in fire_here" in fired


def test_without_debugging_a_second_result_tells_nothing() -> None:
    d = make_here()
    fire_here(d)
    with pytest.raises(AlreadyCalledError) as caught:
        d.callback(2)
    assert caught.value.args == ()


@pytest.mark.usefixtures("debugging")
def test_an_unhandled_failure_tells_where_it_was_made(caplog: pytest.LogCaptureFixture) -> None:
    make_here().errback(Boom())
    gc.collect()
    (record,) = caplog.records
    assert "in make_here" in record.getMessage()


@pytest.mark.usefixtures("debugging")
def test_failures_keep_variables_while_debugging() -> None:
    def has_a_variable(_: object) -> None:
        marked = 12345
        raise Boom(marked)

    seen: list[Failure] = []
    succeed(None).addCallback(has_a_variable).addErrback(seen.append)
    assert ("marked", 12345) in seen[0].frames[-1][3]
    setDebugging(False)
    succeed(None).addCallback(has_a_variable).addErrback(seen.append)
    assert seen[1].frames[-1][3] == ()
