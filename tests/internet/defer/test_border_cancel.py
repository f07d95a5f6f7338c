"""Promise 4: cancelling, from inside and outside, whatever stands in the way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator
from typing import Any

import pytest

from reactorlib.internet.defer import (
    CancelledError,
    Deferred,
    ensureDeferred,
    fail,
    inlineCallbacks,
    succeed,
)

from ._border import OURS, PLAIN, ADeferred, AFuture, Driver, Subject, cancelled, outcome, turns

# -- identity and messages ----------------------------------------------------


def test_it_is_asyncios_own() -> None:
    assert CancelledError is asyncio.CancelledError


async def nested(it: Any, depth: int) -> Any:
    if depth == 0:
        return await it
    return await ensureDeferred(nested(it, depth - 1))


@inlineCallbacks
def generators(it: Any, depth: int) -> Generator[Any, Any, Any]:
    result = yield generators(it, depth - 1) if depth else it
    return result


async def tasks(it: Any, depth: int) -> Any:
    if depth == 0:
        return await it
    return await asyncio.create_task(tasks(it, depth - 1))


HOPS: dict[str, Callable[[Any, int], Any]] = {
    "ensureDeferred": nested,
    "inlineCallbacks": generators,
    "tasks": tasks,
}


@pytest.mark.parametrize("msg", ["why", None, 42])
@pytest.mark.parametrize("hops", HOPS)
async def test_the_message_is_kept_end_to_end(
    driver: Driver, hops: str, msg: Any, tidy: Any
) -> None:
    args = () if msg is None else (msg,)

    def started(it: Any) -> Any:
        return driver.start(lambda: HOPS[hops](it, 3))

    d: Deferred[None] = Deferred()
    from_inside = started(d)
    await turns(5)
    d.cancel(msg)
    assert await outcome(from_inside.handle) == cancelled(*args)

    d = Deferred()
    by_task = started(d)
    await turns(5)
    by_task.task.cancel(msg)
    assert await outcome(by_task.handle) == cancelled(*args)
    assert d.cancelled()
    assert await outcome(d) == cancelled(*args)

    d = Deferred()
    by_handle = started(d)
    await turns(5)
    by_handle.handle.cancel(msg)
    assert await outcome(by_handle.handle) == cancelled(*args)
    assert d.cancelled()
    assert await outcome(d) == cancelled(*args)


def test_the_message_goes_down_the_chain() -> None:
    outer: Deferred[Any] = succeed(None)
    inner: Deferred[None] = Deferred()
    outer.addCallback(lambda _: inner)
    seen: list[Any] = []
    outer.addErrback(lambda failure: seen.append(failure.value.args))
    outer.cancel("why")
    assert seen == [("why",)]


# -- idempotent and cheap -----------------------------------------------------

MANY = 10_000


def test_many_cancels_are_one() -> None:
    asked: list[Any] = []
    results: list[Any] = []
    d: Deferred[None] = Deferred(asked.append)
    d.addErrback(lambda failure: results.append(failure.value.args))
    for i in range(MANY):
        d.cancel(f"number {i}")
    assert asked == [d]
    assert results == [("number 0",)]


def test_many_cancels_of_what_has_a_result_are_none() -> None:
    d = succeed(1)
    for _ in range(MANY):
        d.cancel()
    assert d.result == 1


def test_many_cancels_of_a_chain_are_one() -> None:
    asked: list[Any] = []
    inner: Deferred[None] = Deferred(asked.append)
    outer = succeed(None).addCallback(lambda _: inner)
    results: list[Any] = []
    outer.addErrback(lambda failure: results.append(failure.value.args))
    for _ in range(MANY):
        outer.cancel("once")
    assert asked == [inner]
    assert results == [("once",)]


def test_a_canceller_that_cancels_again_is_asked_once() -> None:
    asked: list[Any] = []

    def canceller(d: Deferred[Any]) -> None:
        asked.append(d)
        for _ in range(MANY):
            d.cancel()

    d: Deferred[None] = Deferred(canceller)
    d.cancel("first")
    assert asked == [d]
    seen: list[Any] = []
    d.addErrback(lambda failure: seen.append(failure.value.args))
    assert seen == [("first",)]


async def test_many_cancels_of_a_task_ask_the_canceller_once(driver: Driver, tidy: Any) -> None:
    asked: list[Any] = []
    thrown: list[Any] = []

    async def body() -> None:
        d: Deferred[None] = Deferred(asked.append)
        try:
            await d
        except CancelledError as error:
            thrown.append(error.args)
            await asyncio.sleep(0)
            thrown.append("no second")
            raise

    run = driver.start(body)
    await turns(2)
    for i in range(MANY):
        assert run.task.cancel(f"number {i}")
    assert run.task.cancelling() == MANY
    assert await outcome(run.handle) == cancelled("number 0")
    assert len(asked) == 1
    assert thrown == [("number 0",), "no second"]
    assert not run.task.cancel()


@pytest.mark.parametrize("driver", OURS, ids=lambda driver: driver.name)
async def test_many_cancels_of_a_coroutine_that_has_ended_are_none(
    driver: Driver, tidy: Any
) -> None:
    async def body() -> int:
        return 1

    handle = driver.start(body).handle
    for _ in range(MANY):
        handle.cancel()
    assert await handle == 1


# -- a task is cancelled whatever the canceller does --------------------------


def fires_a_result(d: Deferred[Any]) -> None:
    d.callback("from the canceller")


def fires_a_failure(d: Deferred[Any]) -> None:
    d.errback(LookupError("from the canceller"))


def raises(d: Deferred[Any]) -> None:
    raise LookupError("the canceller")


def raises_a_cancellation(d: Deferred[Any]) -> None:
    raise asyncio.CancelledError("the canceller")


def does_nothing(d: Deferred[Any]) -> None:
    pass


#: What is reported of a canceller.
REPORTED: dict[Callable[[Deferred[Any]], object] | None, str] = {
    raises: "LookupError('the canceller')",
    raises_a_cancellation: "CancelledError('the canceller')",
}


CANCELLERS: list[Callable[[Deferred[Any]], object] | None] = [
    None,
    fires_a_result,
    fires_a_failure,
    raises,
    raises_a_cancellation,
    does_nothing,
]


@pytest.mark.parametrize("canceller", CANCELLERS)
@pytest.mark.parametrize("way", ["itself", "ensureDeferred", "asFuture", "in a task"])
async def test_a_cancelled_task_is_cancelled(
    driver: Driver, way: str, canceller: Callable[[Deferred[Any]], object] | None, tidy: Any
) -> None:
    d: Deferred[Any] = Deferred(canceller)
    ways: dict[str, Callable[[], Any]] = {
        "itself": lambda: d,
        "ensureDeferred": lambda: ensureDeferred(nested(d, 0)),
        "asFuture": lambda: d.asFuture(asyncio.get_running_loop()),
        "in a task": lambda: asyncio.create_task(nested(d, 0)),
    }
    run = driver.start(ways[way])
    await turns(3)
    assert run.task.cancel("stop")
    assert await outcome(run.handle) == cancelled("stop")
    assert run.task.cancelled()
    assert d.called
    if canceller in REPORTED:
        assert [repr(error) for error in tidy.take()] == [REPORTED[canceller]]


@pytest.mark.parametrize("canceller", CANCELLERS)
async def test_a_time_out_is_one(
    driver: Driver, canceller: Callable[[Deferred[Any]], object] | None, tidy: Any
) -> None:
    async def body() -> None:
        async with asyncio.timeout(0):
            await Deferred(canceller)

    assert await driver.outcome(body) == ("raised", TimeoutError, ())
    if canceller in REPORTED:
        assert [repr(error) for error in tidy.take()] == [REPORTED[canceller]]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("canceller", [raises, raises_a_cancellation])
async def test_a_canceller_that_raises_does_not_keep_a_group(
    driver: Driver, canceller: Callable[[Deferred[Any]], object], tidy: Any
) -> None:
    """Every task of it is cancelled, and so is who waits in its body."""

    async def body() -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            group.create_task(nested(Deferred(canceller), 0))
            group.create_task(nested(Deferred(), 0))
            loop.call_soon(group.create_task, nested(fail(LookupError("boom")), 0))
            await Deferred[None]()

    kind, raised, _ = await driver.outcome(body)
    assert (kind, raised) == ("raised", ExceptionGroup)
    assert [repr(error) for error in tidy.take()] == [REPORTED[canceller]]


@pytest.mark.parametrize("driver", OURS, ids=lambda driver: driver.name)
@pytest.mark.parametrize(
    ("canceller", "expected"),
    [
        (None, cancelled("stop")),
        (does_nothing, cancelled("stop")),
        (fires_a_result, ("result", "from the canceller")),
        (fires_a_failure, ("raised", LookupError, ("from the canceller",))),
    ],
)
def test_deferred_cancel_gives_what_the_canceller_gives(
    driver: Driver, canceller: Callable[[Deferred[Any]], object], expected: Any
) -> None:
    """As in Twisted: inline, and with no loop."""
    handle = driver.start(lambda: Deferred(canceller)).handle
    handle.cancel("stop")
    assert handle.called
    result: list[Any] = []
    ensureDeferred(outcome(handle)).addCallback(result.append)
    assert result == [expected]


def test_what_a_canceller_raises_goes_to_who_called_cancel() -> None:
    d: Deferred[None] = Deferred(raises)
    with pytest.raises(LookupError):
        d.cancel("stop")
    seen: list[Any] = []
    d.addErrback(lambda failure: seen.append(failure.value.args))
    assert seen == [("stop",)]


# -- a coroutine that refuses, or takes its time ------------------------------


async def subjects(make: type[Subject]) -> list[Subject]:
    return [make() for _ in range(3)]


async def cleans_up(waits: list[Subject], steps: list[Any]) -> None:
    """As a database driver does: tell the server, wait for its answer, then go."""
    try:
        await waits[0].it
    except CancelledError as error:
        steps.append(error.args)
        await waits[1].it
        steps.append("cleaned")
        raise


async def shields_cleanup(waits: list[Subject], steps: list[Any]) -> None:
    try:
        await waits[0].it
    finally:
        await asyncio.shield(waits[1].it)
        steps.append("cleaned")


async def goes_on(waits: list[Subject], steps: list[Any]) -> str:
    """Takes the request back, as a time-out does, and goes on."""
    task = asyncio.current_task()
    assert task is not None
    try:
        await waits[0].it
    except CancelledError:
        steps.append((task.cancelling(), task.uncancel(), task.cancelling()))
    await waits[1].it
    return "went on"


async def raises_another(waits: list[Subject], steps: list[Any]) -> None:
    try:
        await waits[0].it
    except CancelledError as error:
        raise LookupError("instead") from error


async def waits_for_cleanup_of_a_task(waits: list[Subject], steps: list[Any]) -> None:
    """Cancelling goes on to the task that is awaited, and it has time to end."""
    inner = asyncio.create_task(cleans_up(waits, steps))
    try:
        await inner
    finally:
        steps.append(inner.done())


COROUTINES = [cleans_up, shields_cleanup, goes_on, raises_another, waits_for_cleanup_of_a_task]
HOW: dict[str, Callable[[Any], object]] = {
    "task.cancel": lambda run: run.task.cancel("stop"),
    "handle.cancel": lambda run: run.handle.cancel("stop"),
}


async def cancelled_like(
    driver: Driver, make: type[Subject], body: Any, how: str, again: bool
) -> tuple[Any, ...]:
    waits = await subjects(make)
    steps: list[Any] = []
    run = driver.start(lambda: body(waits, steps))
    await turns(3)
    HOW[how](run)
    await turns(5)
    if again:
        run.task.cancel("again")
        await turns(5)
    waits[1].drop() if waits[1].it.done() else waits[1].succeed(None)
    result = await outcome(run.handle)
    requests = run.task.cancelling()
    for subject in waits:
        subject.drop()
    await turns(3)
    return result, steps, run.task.cancelled(), requests


@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("body", COROUTINES)
async def test_a_coroutine_cancelled_by_its_task(
    driver: Driver, body: Any, again: bool, tidy: Any
) -> None:
    expected = await cancelled_like(PLAIN, AFuture, body, "task.cancel", again)
    assert await cancelled_like(driver, ADeferred, body, "task.cancel", again) == expected
    assert await cancelled_like(driver, AFuture, body, "task.cancel", again) == expected


@pytest.mark.parametrize("body", [c for c in COROUTINES if c is not goes_on])
async def test_a_coroutine_cancelled_by_its_deferred(driver: Driver, body: Any, tidy: Any) -> None:
    """The same, but that nobody has asked through asyncio."""
    *expected, requests = await cancelled_like(PLAIN, AFuture, body, "handle.cancel", False)
    assert requests == 1
    for make in (ADeferred, AFuture):
        *result, requests = await cancelled_like(driver, make, body, "handle.cancel", False)
        assert result == expected
        assert requests == (driver is PLAIN)


async def test_cancelled_after_the_deferred_and_before_the_turn(tidy: Any) -> None:
    """`cancel()` comes, then the result: the task is cancelled all the same."""

    async def body(it: Any) -> Any:
        return await it

    for driver in [PLAIN, *OURS]:
        d: Deferred[int] = Deferred(lambda d: None)
        run = driver.start(lambda d=d: body(d))  # type: ignore[misc]  # bound now, not later
        await turns(2)
        run.task.cancel("stop")
        assert d.called
        assert await outcome(run.handle) == cancelled("stop")


async def test_a_future_that_was_done_when_the_deferred_is_cancelled(tidy: Any) -> None:
    """The future is done and the loop has not said so yet: the cancel still counts, once."""
    for finish in ("set_result", "set_exception", "cancel"):
        future = asyncio.get_running_loop().create_future()
        steps: list[Any] = []

        async def body(future: asyncio.Future[Any] = future, steps: list[Any] = steps) -> str:
            try:
                await future
            except CancelledError as error:
                steps.append(error.args)
            for i in range(3):
                await asyncio.sleep(0)
                steps.append(i)
            return "ended"

        d = ensureDeferred(body())
        {
            "set_result": lambda f=future: f.set_result(1),
            "set_exception": lambda f=future: f.set_exception(KeyError()),
            "cancel": lambda f=future: f.cancel("stop"),
        }[finish]()
        d.cancel("stop")
        assert steps == [("stop",)]
        assert await d == "ended"
        assert steps == [("stop",), 0, 1, 2]


async def test_deferred_cancel_while_a_future_is_awaited_throws_once(tidy: Any) -> None:
    steps: list[Any] = []

    async def body() -> str:
        try:
            await asyncio.sleep(3600)
        except CancelledError as error:
            steps.append(error.args)
        for i in range(3):
            await asyncio.sleep(0)
            steps.append(i)
        return "ended"

    d = ensureDeferred(body())
    d.cancel("stop")
    assert steps == [("stop",)]
    assert await d == "ended"
    assert steps == [("stop",), 0, 1, 2]


async def test_cancel_every_turn_does_not_put_it_off(driver: Driver, tidy: Any) -> None:
    """Two that cancel once a turn each, as cancel scopes do, do not starve the task."""

    async def body() -> None:
        await Deferred()

    run = driver.start(body)
    await turns(2)
    loop = asyncio.get_running_loop()
    asked = 0

    def again() -> None:
        nonlocal asked
        asked += 1
        if asked < 50 and run.task.cancel("stop"):
            loop.call_soon(again)

    again()
    again()
    assert await outcome(run.handle) == cancelled("stop")
    assert asked < 20


# -- a coroutine that is cancelled while it runs ------------------------------


async def test_cancelled_while_it_runs(driver: Driver, tidy: Any) -> None:
    """Where it waits next; what is there already is no wait."""

    async def body() -> Any:
        task = asyncio.current_task()
        assert task is not None
        task.cancel("myself")
        value = await succeed("at once")
        return value, await outcome(Deferred()), await outcome(asyncio.sleep(0, "then"))

    assert await driver.outcome(body) == (
        "result",
        ("at once", cancelled("myself"), ("result", "then")),
    )


async def test_a_fired_deferred_stays_usable_after_a_cancel(tidy: Any) -> None:
    d = succeed("kept")

    @inlineCallbacks
    def body() -> Generator[Any, Any, Any]:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        yield d
        try:
            yield Deferred()
        except CancelledError:
            pass
        return (yield d)

    assert await body() == "kept"
    assert await d == "kept"


@pytest.mark.parametrize("how", ["cancel", "fired, then cancel"])
def test_cancelled_while_it_runs_without_a_loop(how: str) -> None:
    trigger: Deferred[None] = Deferred()
    waited: list[Any] = []

    async def body() -> Any:
        await trigger
        own.cancel("myself")
        d: Deferred[None] = Deferred(waited.append)
        return await outcome(d), await succeed(1)

    own = ensureDeferred(body())
    trigger.callback(None)
    assert own.called
    assert own.result == (cancelled("myself"), 1)
    assert len(waited) == 1


async def test_taking_the_request_back_before_it_is_delivered(driver: Driver, tidy: Any) -> None:
    """A plain task of Python 3.13 does so; before that the cancellation stays."""

    async def body() -> Any:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        task.cancel()
        assert task.uncancel() == 1
        return await outcome(asyncio.sleep(0)), task.uncancel(), task.uncancel()

    assert await driver.outcome(body) == ("result", (cancelled(), 0, 0))


def test_a_deep_nest_is_cancelled_without_recursion() -> None:
    d: Deferred[Any] = Deferred()
    innermost = d
    for _ in range(MANY):
        d = ensureDeferred(nested(d, 0))
    d.cancel("deep")
    assert innermost.cancelled()
    seen: list[Any] = []
    d.addErrback(lambda failure: seen.append(failure.value.args))
    assert seen == [("deep",)]


async def test_a_deep_nest_is_cancelled_by_its_task(tidy: Any) -> None:
    d: Deferred[Any] = Deferred()
    innermost = d
    for _ in range(MANY - 1):
        d = ensureDeferred(nested(d, 0))
    run = OURS[0].start(lambda: nested(d, 0))
    run.task.cancel("deep")
    assert await outcome(run.handle) == cancelled("deep")
    assert innermost.cancelled()


# -- what is never captured ---------------------------------------------------

EXITS = [KeyboardInterrupt, SystemExit]


@pytest.mark.parametrize("exit", EXITS)
def test_a_callback_that_exits(exit: type[BaseException]) -> None:
    """It goes through to who fired the Deferred; the steps behind it still run, once."""
    ran: list[Any] = []
    d: Deferred[int] = Deferred()

    def exits(result: int) -> None:
        ran.append("exits")
        raise exit

    d.addCallback(ran.append)
    d.addCallback(exits)
    d.addBoth(lambda result: ran.append("behind"))
    with pytest.raises(exit):
        d.callback(1)
    assert ran == [1, "exits"]
    d.addCallback(lambda result: ran.append("added"))
    assert ran == [1, "exits", "behind", "added"]


@pytest.mark.parametrize("exit", EXITS)
@pytest.mark.parametrize("fired", [True, False])
def test_the_only_callback_exits(exit: type[BaseException], fired: bool) -> None:
    ran: list[Any] = []

    def exits(result: int) -> None:
        ran.append(result)
        raise exit

    d: Deferred[int] = Deferred()
    if fired:
        d.callback(1)
        with pytest.raises(exit):
            d.addCallback(exits)
    else:
        d.addCallback(exits)
        with pytest.raises(exit):
            d.callback(1)
    assert d.done()
    d.addCallback(ran.append)
    assert ran == [1, 1]


@pytest.mark.parametrize("exit", EXITS)
@pytest.mark.parametrize("driver", OURS, ids=lambda driver: driver.name)
@pytest.mark.parametrize("position", range(3))
def test_what_is_behind_a_coroutine_that_exits(
    driver: Driver, exit: type[BaseException], position: int
) -> None:
    """Runs, once, with the next step that is added, or when the pause is over."""
    d: Deferred[int] = Deferred()
    ran: list[Any] = []

    async def body() -> None:
        await d
        ran.append("exits")
        raise exit

    def step(result: int) -> int:
        ran.append(result)
        return result + 1

    for each in range(3):
        if each == position:
            driver.start(body)
        d.addCallback(step)
    with pytest.raises(exit):
        d.callback(0)
    assert ran == [*range(position), "exits"]
    d.pause()
    d.addCallback(step)
    assert len(ran) == position + 1
    d.unpause()
    assert ran == [*range(position), "exits", *range(position, 4)]
    assert d.result == 4


@pytest.mark.parametrize("exit", EXITS)
@pytest.mark.parametrize("driver", OURS, ids=lambda driver: driver.name)
def test_what_a_callback_that_exits_leaves_can_be_awaited(
    driver: Driver, exit: type[BaseException]
) -> None:
    def exits(result: int) -> None:
        raise exit

    d: Deferred[int] = Deferred()
    d.addCallback(exits)
    waited_before = driver.start(lambda: d).handle
    with pytest.raises(exit):
        d.callback(1)
    waits_now = driver.start(lambda: d).handle
    assert waits_now.called
    assert waited_before.called


@pytest.mark.parametrize("exit", EXITS)
@pytest.mark.parametrize("driver", OURS, ids=lambda driver: driver.name)
def test_a_coroutine_that_exits(driver: Driver, exit: type[BaseException]) -> None:
    """It goes through to who resumed it; nobody is told that there is a result."""

    async def body() -> None:
        await d
        raise exit

    d: Deferred[None] = Deferred()
    handle = driver.start(body).handle
    waiting = driver.start(lambda: handle).handle
    with pytest.raises(exit):
        d.callback(None)
    assert d.called
    assert not handle.called
    assert not waiting.called
    waiting.cancel("nothing comes of it")
    assert waiting.cancelled()
    waiting.addErrback(lambda failure: None)


@pytest.mark.parametrize("exit", EXITS)
@pytest.mark.parametrize("driver", OURS, ids=lambda driver: driver.name)
def test_a_coroutine_that_exits_at_once(driver: Driver, exit: type[BaseException]) -> None:
    async def body() -> None:
        raise exit

    with pytest.raises(exit):
        driver.start(body)


@pytest.mark.parametrize("exit", EXITS)
def test_a_coroutine_that_exits_inside_a_loop(
    exit: type[BaseException], driver: Driver, loop_factory: Any
) -> None:
    """It ends the run, as of a plain task, and is over; the loop can go on."""
    runs: list[Any] = []

    async def body() -> None:
        await asyncio.sleep(0)
        raise exit

    async def main() -> None:
        runs.append(driver.start(body))
        await Deferred()

    async def after() -> Any:
        task = asyncio.current_task()
        assert runs[0].task not in asyncio.all_tasks()
        await asyncio.sleep(0)
        return task is not None and asyncio.current_task() is task

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        with pytest.raises(exit):
            runner.run(main())
        assert runner.run(after())
        assert runs[0].task.done()
        if driver is PLAIN:
            assert isinstance(runs[0].task.exception(), exit)


@pytest.mark.parametrize("exit", EXITS)
def test_a_canceller_that_exits(exit: type[BaseException]) -> None:
    def canceller(d: Deferred[Any]) -> None:
        raise exit

    d: Deferred[None] = Deferred(canceller)
    with pytest.raises(exit):
        d.cancel()
    assert d.cancelled()
    d.addErrback(lambda failure: None)


# -- what a future must not be given ------------------------------------------


async def test_a_failure_with_stop_iteration(
    driver: Driver, tidy: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """In a coroutine it would mean the end: it comes out as a RuntimeError, and no one hangs."""
    d: Deferred[None] = Deferred()
    run = driver.start(lambda: asyncio.wait_for(nested(d, 0), 60))
    await turns(3)
    d.errback(StopIteration("stop"))
    assert (await outcome(run.handle))[:2] == ("raised", RuntimeError)
    assert (await driver.outcome(lambda: nested(d, 0)))[:2] == ("raised", RuntimeError)
    assert caplog.records == [] or caplog.records[-1].levelno < logging.ERROR
