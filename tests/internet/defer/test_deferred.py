"""A Deferred on its own: callbacks, results, pausing, chaining, cancelling, awaiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from reactorlib.internet.defer import (
    AlreadyCalledError,
    CancelledError,
    Deferred,
    ensureDeferred,
    fail,
    succeed,
)
from reactorlib.python.failure import Failure


class Boom(Exception):
    pass


def fires(value: object) -> Callable[[Deferred[Any]], None]:
    return lambda d: d.callback(value)


def outcome(d: Deferred[Any]) -> Any:
    """What `d` has fired with: the value, or the type of the exception; "pending" before."""
    if not d.done():
        return "pending"
    result: Any = []
    d.addBoth(result.append)
    (found,) = result
    return found.type if isinstance(found, Failure) else found


def gives(value: Any) -> Callable[[object], Any]:
    """A callback that returns `value`."""
    return lambda _: value


def notes(told: list[Any], what: object) -> Callable[[Any], Any]:
    """A callback that notes that it was called, and changes nothing."""

    def note(result: Any) -> Any:
        told.append(what)
        return result

    return note


def pause(d: Deferred[Any], _: object) -> None:
    d.pause()


def raise_boom(_: object) -> None:
    raise Boom


# -- callbacks ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda result: result + 1, 2),
        (lambda _: None, None),
        (raise_boom, Boom),
        (lambda _: Failure(Boom()), Boom),
        (lambda _: succeed(5), 5),
        (lambda _: fail(Boom()), Boom),
        (lambda _: succeed(1).addCallback(lambda n: succeed(n + 1)), 2),
    ],
    ids=["value", "None", "raises", "Failure", "fired", "failed", "nested"],
)
def test_what_a_callback_returns_is_the_next_result(function: Any, expected: Any) -> None:
    before, after = Deferred[int](), Deferred[int]()
    before.addCallback(function)
    before.callback(1)
    after.callback(1)
    after.addCallback(function)
    assert outcome(before) == outcome(after) == expected


class SpecialFailure(Failure):
    pass


class SpecialDeferred(Deferred[int]):
    pass


def test_subclasses_of_failures_and_deferreds_are_both() -> None:
    assert outcome(succeed(1).addCallback(lambda _: SpecialFailure(Boom()))) is Boom
    d = Deferred[int]()
    d.callback(SpecialFailure(Boom()))
    assert outcome(d) is Boom
    inner = SpecialDeferred()
    waiting = succeed(1).addCallback(lambda _: inner)
    assert outcome(waiting) == "pending"
    inner.callback(5)
    assert outcome(waiting) == 5
    with pytest.raises(TypeError):
        Deferred[Any]().callback(inner)


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_step_may_pause_and_add_more_wherever_it_stands(steps: int) -> None:
    told: list[str] = []
    d = Deferred[None]()

    def pause_and_add(_: object) -> None:
        d.pause()
        d.addCallback(notes(told, "added"))
        assert d.paused == 1

    for _ in range(steps):
        d.addCallback(notes(told, "before"))
    d.addCallback(pause_and_add)
    d.callback(None)
    assert told == ["before"] * steps
    assert not d.done()
    d.unpause()
    assert told == [*["before"] * steps, "added"]
    assert d.done()


async def test_a_coroutine_function_is_a_callback() -> None:
    async def twice(n: int) -> int:
        await asyncio.sleep(0)
        return 2 * n

    async def recover(failure: Failure) -> str:
        await asyncio.sleep(0)
        return failure.type.__name__

    assert await succeed(4).addCallback(twice) == 8
    assert await fail(Boom()).addErrback(recover) == "Boom"
    assert await fail(Boom()).addBoth(recover) == "Boom"
    assert await fail(Boom()).addCallbacks(twice, recover) == "Boom"


def test_a_coroutine_function_is_a_callback_without_a_loop() -> None:
    gate = Deferred[int]()

    async def wait(n: int) -> int:
        return n + await gate

    d = succeed(1).addCallback(wait).addCallback(lambda n: n * 10)
    assert outcome(d) == "pending"
    gate.callback(2)
    assert outcome(d) == 30


@pytest.mark.parametrize("success", [True, False])
@pytest.mark.parametrize(
    ("method", "on_success", "on_failure"),
    [
        ("addCallback", "called", "passed"),
        ("addErrback", "passed", "called"),
        ("addBoth", "called", "called"),
    ],
)
def test_each_half_of_a_step_is_for_its_kind_of_result(
    method: str, on_success: str, on_failure: str, success: bool
) -> None:
    d = Deferred[int]()
    getattr(d, method)(lambda result, *args, **kwargs: (args, kwargs), 1, two=2)
    if success:
        d.callback(0)
        expected: Any = 0
    else:
        d.errback(Boom())
        expected = Boom
    if (on_success if success else on_failure) == "called":
        expected = ((1,), {"two": 2})
    assert outcome(d) == expected


def test_addCallbacks_passes_each_half_its_own_arguments() -> None:
    def tell(result: object, *args: object, **kwargs: object) -> object:
        return (args, kwargs)

    def add(d: Deferred[Any]) -> Deferred[Any]:
        return d.addCallbacks(tell, tell, (1,), {"a": 2}, (3,), {"b": 4})

    assert outcome(add(succeed(0))) == ((1,), {"a": 2})
    assert outcome(add(fail(Boom()))) == ((3,), {"b": 4})
    assert outcome(succeed(7).addCallbacks(tell, None, None, None, None, None)) == ((), {})
    assert outcome(succeed(7).addCallbacks(None, tell)) == 7


def test_steps_run_in_order_once_and_inline() -> None:
    d = Deferred[int]()
    ran: list[int] = []
    for n in range(5):
        d.addCallback(notes(ran, n))
    assert ran == []
    d.callback(0)
    assert ran == [0, 1, 2, 3, 4]
    d.addCallback(lambda _: ran.append(5))
    assert ran == [0, 1, 2, 3, 4, 5]


def test_a_callback_that_a_callback_adds_runs_after_those_there_are() -> None:
    d = Deferred[None]()
    ran: list[str] = []

    def first(_: object) -> None:
        d.addCallback(lambda _: ran.append("added"))
        ran.append("first")

    d.addCallback(first).addCallback(lambda _: ran.append("second"))
    d.callback(None)
    assert ran == ["first", "second", "added"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_is_never_captured(error: type[BaseException]) -> None:
    """The steps that have run do not run again; those that have not still can."""

    def interrupt(_: object) -> None:
        raise error

    d = Deferred[int]()
    ran: list[str] = []
    d.addCallback(notes(ran, "before"))
    d.addCallback(interrupt)
    d.addCallback(notes(ran, "after"))
    with pytest.raises(error):
        d.callback(3)
    d.addCallback(lambda n: n + 1)
    assert ran == ["before", "after"]
    assert outcome(d) == 4


# -- results ------------------------------------------------------------------


@pytest.mark.parametrize("first", ["callback", "errback"])
@pytest.mark.parametrize("second", ["callback", "errback"])
def test_only_one_result_is_taken(first: str, second: str) -> None:
    d = Deferred[Any]()
    values = {"callback": 1, "errback": Boom()}
    getattr(d, first)(values[first])
    with pytest.raises(AlreadyCalledError):
        getattr(d, second)(values[second])
    assert outcome(d) == (1 if first == "callback" else Boom)


def test_callback_refuses_a_deferred() -> None:
    d = Deferred[Any]()
    with pytest.raises(TypeError, match="not a Deferred"):
        d.callback(Deferred[int]())
    assert not d.called


def test_errback_takes_failures_exceptions_and_the_one_being_handled() -> None:
    for given in (Boom(), Failure(Boom())):
        assert outcome(fail(given)) is Boom
    d = Deferred[None]()
    try:
        raise Boom
    except Boom:
        d.errback()
    assert outcome(d) is Boom
    with pytest.raises(TypeError):
        Deferred[None]().errback("a string")  # type: ignore[arg-type]


# -- Deferreds that wait for Deferreds ----------------------------------------


def test_the_result_of_a_returned_deferred_moves_and_none_stays() -> None:
    inner, outer = Deferred[int](), Deferred[None]()
    outer.addCallback(lambda _: inner)
    outer.callback(None)
    assert outcome(outer) == "pending"
    inner.callback(5)
    assert (outcome(outer), outcome(inner)) == (5, None)


def test_what_a_returned_deferred_still_has_to_do_comes_first() -> None:
    inner, outer = Deferred[int](), Deferred[None]()
    ran: list[str] = []
    inner.addCallback(notes(ran, "inner")).addCallback(lambda n: n + 1)
    outer.addCallback(lambda _: inner).addCallback(notes(ran, "outer"))
    outer.callback(None)
    inner.addCallback(notes(ran, "inner, added later"))
    inner.callback(5)
    assert ran == ["inner", "outer", "inner, added later"]
    assert (outcome(outer), outcome(inner)) == (6, None)


def test_a_deferred_cannot_wait_for_itself() -> None:
    d = Deferred[None]()
    d.addCallback(lambda _: d)
    d.callback(None)
    assert outcome(d) is RuntimeError


def test_chainDeferred_passes_the_result_on() -> None:
    for succeeds in (True, False):
        source, target = Deferred[int](), Deferred[int]()
        source.chainDeferred(target)
        if succeeds:
            source.callback(1)
        else:
            source.errback(Boom())
        assert outcome(target) == (1 if succeeds else Boom)
        assert outcome(source) is None


def test_a_deferred_that_had_its_result_does_not_wait_for_what_is_chained_to_it() -> None:
    source, done = Deferred[int](), succeed(0)
    source.chainDeferred(done)
    done.cancel()
    assert not source.called


def test_a_paused_deferred_runs_no_steps() -> None:
    d = Deferred[int]()
    ran: list[int] = []
    d.addCallback(ran.append)
    d.pause()
    d.pause()
    d.callback(1)
    d.unpause()
    assert ran == []
    d.unpause()
    assert ran == [1]


def test_pausing_takes_effect_at_the_next_step_wherever_it_comes_from() -> None:
    """From a callback, from a coroutine that waits, from a Deferred that waited."""
    for pauser in ("callback", "coroutine", "coroutine that waits on", "outer"):
        d = Deferred[int]()
        ran: list[str] = []

        async def waits(d: Deferred[int] = d) -> None:
            await d
            d.pause()

        async def waits_on(d: Deferred[int] = d) -> None:
            await d
            d.pause()
            await Deferred[None]()

        if pauser == "callback":
            d.addCallback(partial(pause, d))
        elif pauser == "coroutine":
            ensureDeferred(waits())
        elif pauser == "coroutine that waits on":
            ensureDeferred(waits_on())
        else:
            outer = succeed(None).addCallback(gives(d))
            outer.addCallback(partial(pause, d))
        d.addCallback(notes(ran, "ran"))
        d.callback(1)
        assert (pauser, ran) == (pauser, [])
        d.unpause()
        assert (pauser, ran) == (pauser, ["ran"])


# -- cancelling ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("canceller", "expected"),
    [
        (None, CancelledError),
        (lambda d: None, CancelledError),
        (fires("kept"), "kept"),
        (lambda d: d.errback(Boom()), Boom),
    ],
    ids=["none", "does nothing", "fires", "fails"],
)
def test_cancel_asks_the_canceller(canceller: Any, expected: Any) -> None:
    d = Deferred[Any](canceller)
    d.cancel()
    assert outcome(d) == expected


def test_a_canceller_that_raises_does_not_stop_the_cancellation() -> None:
    d = Deferred[Any](raise_boom)
    with pytest.raises(Boom):
        d.cancel()
    assert outcome(d) is CancelledError


def test_a_canceller_runs_once_though_it_cancels_again() -> None:
    calls: list[Deferred[Any]] = []

    def canceller(d: Deferred[Any]) -> None:
        calls.append(d)
        d.cancel()

    d = Deferred[Any](canceller)
    for _ in range(10_000):
        d.cancel()
    assert calls == [d]
    assert outcome(d) is CancelledError


def test_a_cancellation_keeps_its_message() -> None:
    inner, outer = Deferred[None](), succeed(None)
    outer.addCallback(lambda _: inner)
    outer.cancel("enough")
    assert outcome(inner) is None
    seen: list[Failure] = []
    outer.addErrback(seen.append)
    assert seen[0].value.args == ("enough",)


def test_cancelling_goes_down_to_what_is_waited_for() -> None:
    asked: list[str] = []
    innermost = Deferred[None](lambda _: asked.append("innermost"))
    middle = Deferred[None](lambda _: asked.append("middle"))
    outer = Deferred[None](lambda _: asked.append("outer"))
    for waiting, awaited in ((middle, innermost), (outer, middle)):
        waiting.addCallback(gives(awaited))
        waiting.callback(None)
    outer.cancel()
    assert asked == ["innermost"]
    assert outcome(outer) is CancelledError


def test_cancel_after_the_result_does_nothing() -> None:
    d = succeed(1)
    d.cancel()
    assert outcome(d) == 1


def test_the_result_that_comes_after_a_cancellation_is_dropped_once() -> None:
    """Without a canceller, whoever works on the result cannot know."""
    d = Deferred[int]()
    d.cancel()
    d.callback(1)
    with pytest.raises(AlreadyCalledError):
        d.callback(1)
    with_canceller = Deferred[int](lambda _: None)
    with_canceller.cancel()
    with pytest.raises(AlreadyCalledError):
        with_canceller.callback(1)
    assert outcome(d) is outcome(with_canceller) is CancelledError


@pytest.mark.timeout(10)
def test_cancelling_those_that_wait_for_each_other_comes_to_an_end() -> None:
    """Nothing can come of a ring, but the program goes on."""
    first, second, outside = Deferred[Any](), Deferred[Any](), Deferred[Any]()
    first.addCallback(lambda _: second)
    second.addCallback(lambda _: first)
    outside.addCallback(lambda _: first)
    for d in (first, second, outside):
        d.callback(None)
    for d in (first, second, outside):
        d.cancel()
        assert outcome(d) == "pending"


# -- awaiting -----------------------------------------------------------------


async def test_any_number_of_waiters_of_any_kind_see_the_same_result(errors: Any) -> None:
    for succeeds in (True, False):
        d = Deferred[int]()

        async def wait(d: Deferred[int] = d) -> int:
            return await d

        loop = asyncio.get_running_loop()
        waiters: list[asyncio.Future[Any] | Deferred[Any]] = [
            asyncio.ensure_future(wait()),
            asyncio.ensure_future(wait()),
            d.asFuture(loop),
            ensureDeferred(wait()),
            asyncio.ensure_future(asyncio.wait_for(d, 10)),
        ]
        await asyncio.sleep(0)
        if succeeds:
            d.callback(5)
        else:
            d.errback(Boom("x"))
        results: list[Any] = await asyncio.gather(*waiters, wait(), d, return_exceptions=True)
        if succeeds:
            assert results == [5] * 7
            assert outcome(d) == 5
        else:
            assert [repr(error) for error in results] == ["Boom('x')"] * 7
            assert outcome(d) is Boom


async def test_awaiting_leaves_the_result_in_place(errors: Any) -> None:
    d = succeed(5)
    assert (await d, await d, outcome(d)) == (5, 5, 5)
    failed: Deferred[None] = fail(Boom())
    for _ in range(2):
        with pytest.raises(Boom):
            await failed


async def test_asyncio_takes_a_deferred_where_it_takes_an_awaitable(errors: Any) -> None:
    loop = asyncio.get_running_loop()

    def later(value: int) -> Deferred[int]:
        d = Deferred[int]()
        loop.call_soon(d.callback, value)
        return d

    async def wait(value: int) -> int:
        return await later(value)

    assert await asyncio.wait_for(later(1), 10) == 1
    assert await asyncio.shield(later(2)) == 2
    assert list(await asyncio.gather(later(3), later(4))) == [3, 4]
    assert [await each for each in asyncio.as_completed([later(5)])] == [5]
    async with asyncio.TaskGroup() as group:
        task = group.create_task(wait(6))
    assert task.result() == 6


def test_run_until_complete_takes_a_deferred(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    loop = loop_factory()
    d = Deferred[int]()
    loop.call_soon(d.callback, 7)
    assert loop.run_until_complete(d) == 7
    loop.close()


async def test_a_cancelled_task_is_cancelled_whatever_the_canceller_does(errors: Any) -> None:
    d = Deferred[str](fires("kept"))

    async def wait() -> str:
        return await d

    task = asyncio.ensure_future(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(CancelledError):
        await task
    assert outcome(d) == "kept"


@pytest.mark.parametrize("ending", ["result", "error", "cancelled"])
async def test_fromFuture_has_the_result_of_the_future(ending: str, errors: Any) -> None:
    future = asyncio.get_running_loop().create_future()
    d = Deferred.fromFuture(future)
    match ending:
        case "result":
            future.set_result(5)
        case "error":
            future.set_exception(Boom())
        case _:
            future.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert outcome(d) == {"result": 5, "error": Boom, "cancelled": CancelledError}[ending]


async def test_cancelling_crosses_between_future_and_deferred(errors: Any) -> None:
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    Deferred.fromFuture(future).addErrback(lambda f: f.trap(CancelledError)).cancel()
    await asyncio.sleep(0)
    assert future.cancelled()
    d = Deferred[None]()
    d.asFuture(loop).cancel()
    assert outcome(d) is CancelledError


async def test_asyncio_wait_and_what_a_future_answers(errors: Any) -> None:
    pending, done, failed = Deferred[int](), succeed(1), Deferred[int]()
    failed.errback(Boom())
    assert (pending.done(), done.done(), failed.done()) == (False, True, True)
    assert isinstance(failed.exception(), Boom)
    assert done.exception() is None
    with pytest.raises(asyncio.InvalidStateError):
        pending.exception()
    assert not pending.cancelled()
    called: list[Any] = []
    pending.add_done_callback(called.append)
    pending.add_done_callback(called.append)
    assert pending.remove_done_callback(called.append) == 2
    pending.add_done_callback(called.append)
    pending.cancel()
    assert called == []  # the loop calls it
    await asyncio.sleep(0)
    assert called == [pending]
    assert pending.cancelled()
    with pytest.raises(CancelledError):
        pending.exception()


def test_a_coroutine_may_have_a_deferred_for_a_result() -> None:
    """As any other value: nothing waits for it."""
    inner = Deferred[None]()

    async def gives_it(wait: Deferred[None]) -> Deferred[None]:
        await wait
        return inner

    for wait in (succeed(None), Deferred[None]()):
        d = ensureDeferred(gives_it(wait))
        if not wait.called:
            wait.callback(None)
        assert d.done()
        assert d.result is inner
        assert "current result" in repr(d)
        d.cancel()
        assert not inner.called


def test_repr_tells_the_state() -> None:
    pending, inner, outer = Deferred[int](), Deferred[int](), succeed(None)
    outer.addCallback(lambda _: inner)
    assert repr(pending) == f"<Deferred at {id(pending):#x}>"
    assert repr(succeed(3)).endswith("current result: 3>")
    assert f"waiting on Deferred at {id(inner):#x}" in repr(outer)


def test_a_deferred_from_succeed_can_be_paused_cancelled_and_shown() -> None:
    """It sets up less than others do, and is like them nonetheless."""
    d = succeed(1)
    assert (d.called, d.paused, d.done(), d.exception()) == (True, 0, True, None)
    assert repr(d).endswith("current result: 1>")
    d.cancel()
    d.pause()
    seen: list[int] = []
    d.addCallback(seen.append)
    assert (seen, d.paused, d.done()) == ([], 1, False)
    d.unpause()
    assert (seen, d.paused, d.done()) == ([1], 0, True)


async def test_one_of_several_waiting_tasks_is_cancelled_with_the_deferred_at_once() -> None:
    """Whichever it is, the canceller is asked once, inside `task.cancel()`."""
    for which in (0, 1):
        asked: list[object] = []
        d = Deferred[int](asked.append)

        async def wait(d: Deferred[int] = d) -> int:
            return await d

        tasks = [asyncio.create_task(wait()) for _ in range(2)]
        await asyncio.sleep(0)
        tasks[which].cancel("enough")
        assert asked == [d]
        assert tasks[which].cancel()  # asked for again, before it has run
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(outcome) for outcome in done] == [CancelledError] * 2
        assert len(asked) == 1
