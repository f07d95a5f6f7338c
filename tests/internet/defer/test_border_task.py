"""Promises 7, 8 and 13: a coroutine under a Deferred is a task to whoever asks."""

from __future__ import annotations

import asyncio
import contextvars
import io
import sys
from collections.abc import Generator
from typing import Any

import pytest

from reactorlib.internet.defer import (
    CancelledError,
    Deferred,
    ensureDeferred,
    inlineCallbacks,
    succeed,
)

from ._border import OURS, PLAIN, Driver, cancelled, outcome, turns
from .conftest import LoopFactory

ours = pytest.mark.parametrize("driver", OURS, ids=lambda driver: driver.name)

# -- inline -------------------------------------------------------------------


@ours
def test_it_starts_and_resumes_inline_without_a_loop(driver: Driver) -> None:
    steps: list[Any] = []
    d: Deferred[str] = Deferred()

    async def body() -> str:
        steps.append("started")
        steps.append(await succeed("fired"))
        steps.append(await d)
        return "result"

    handle = driver.start(body).handle
    assert steps == ["started", "fired"]
    d.callback("resumed")
    assert steps == ["started", "fired", "resumed"]
    assert handle.result == "result"


@ours
async def test_a_fired_deferred_costs_no_turn(driver: Driver, tidy: Any) -> None:
    d: Deferred[str] = Deferred()
    handle = driver.start(lambda: d).handle
    d.callback("at once")
    assert handle.called
    assert await handle == "at once"


@ours
@pytest.mark.parametrize("fail", [False, True])
@pytest.mark.parametrize("before", range(3))
def test_what_was_awaited_is_done(driver: Driver, before: int, fail: bool) -> None:
    """To those whom it resumes, if no callback follows; and so is all that it tells."""
    d: Deferred[Any] = Deferred()
    seen: list[Any] = []

    async def body() -> None:
        try:
            await d
        except LookupError:
            pass
        seen.append((d.done(), d.cancelled(), d.done() and repr(d.exception())))

    def note(result: Any) -> Any:
        seen.append(d.done())
        return result

    for _ in range(before):
        d.addBoth(lambda result: result)
    driver.start(body)
    driver.start(body)
    d.addBoth(note)
    driver.start(body)
    driver.start(body)
    d.errback(LookupError()) if fail else d.callback(1)
    told = (True, False, "LookupError()" if fail else "None")
    assert seen == [(False, False, False)] * 2 + [False] + [told] * 2
    assert d.done()
    d.addErrback(lambda failure: None)


@ours
async def test_asyncios_cancel_comes_on_the_next_turn(driver: Driver, tidy: Any) -> None:
    run = driver.start(Deferred)
    run.task.cancel()
    assert not run.handle.called
    await turns(1)
    assert run.handle.called
    assert await outcome(run.handle) == cancelled()


@ours
async def test_deferreds_cancel_comes_inline(driver: Driver, tidy: Any) -> None:
    for what in (
        Deferred,
        lambda: asyncio.sleep(0),
        lambda: asyncio.sleep(3600),
        lambda: asyncio.get_running_loop().create_future(),
    ):
        handle = driver.start(what).handle
        handle.cancel("inline")
        assert handle.called
        assert await outcome(handle) == cancelled("inline")


# -- current_task -------------------------------------------------------------


def current() -> Any:
    return asyncio.current_task()


async def test_current_task_is_one_object(driver: Driver, tidy: Any) -> None:
    seen: list[Any] = []

    async def body() -> None:
        seen.append(current())
        await succeed(None)
        seen.append(current())
        await asyncio.sleep(0)
        seen.append(current())
        await later
        seen.append(current())
        await asyncio.create_task(asyncio.sleep(0))
        seen.append(current())
        with pytest.raises(LookupError):
            await failing
        seen.append(current())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await Deferred()
        seen.append(current())

    later: Deferred[None] = Deferred()
    failing: Deferred[None] = Deferred()
    asyncio.get_running_loop().call_later(0.001, later.callback, None)
    asyncio.get_running_loop().call_later(0.002, failing.errback, LookupError())
    run = driver.start(body)
    await run.handle
    assert len(seen) == 7
    assert set(map(id, seen)) == {id(run.task)}


@ours
async def test_current_task_is_put_back(driver: Driver, tidy: Any) -> None:
    """Also when what runs inside fails, exits, or resumes others."""
    outside = current()
    inside: list[Any] = []

    async def nests() -> None:
        me = current()
        inside.append(me)
        handle = driver.start(fails).handle
        assert current() is me
        with pytest.raises(LookupError):
            await handle
        d: Deferred[None] = Deferred()
        handle = driver.start(lambda: d).handle
        d.callback(None)
        assert current() is me
        with pytest.raises(KeyboardInterrupt):
            driver.start(exits)
        assert current() is me
        await handle

    async def fails() -> None:
        inside.append(current())
        raise LookupError

    async def exits() -> None:
        inside.append(current())
        raise KeyboardInterrupt

    handle = driver.start(nests).handle
    assert current() is outside
    assert await handle is None
    assert current() is outside
    with pytest.raises(KeyboardInterrupt):
        driver.start(exits)
    assert current() is outside
    assert len(set(map(id, [*inside, outside]))) == len(inside) + 1


async def test_current_task_in_a_callback_of_the_loop(tidy: Any) -> None:
    """Where there is no task outside."""
    seen: list[Any] = []
    d: Deferred[None] = Deferred()

    def start() -> None:
        assert current() is None
        for driver in OURS:
            seen.append((driver.start(inside), current()))
        assert current() is None

    async def inside() -> Any:
        before = current()
        await d
        return before is not None and current() is before

    def fire() -> None:
        d.callback(None)
        assert current() is None

    asyncio.get_running_loop().call_soon(start)
    await turns(1)
    asyncio.get_running_loop().call_soon(fire)
    await turns(1)
    for run, after in seen:
        assert after is None
        assert await run.handle is True


@ours
async def test_a_plain_task_that_fires_stays_current(driver: Driver, tidy: Any) -> None:
    d: Deferred[None] = Deferred()

    async def waits() -> Any:
        await d
        return current()

    async def fires() -> Any:
        before = current()
        d.callback(None)
        return current() is before

    run = driver.start(waits)
    assert await asyncio.create_task(fires())
    assert await run.handle is run.task


@ours
async def test_it_is_in_all_tasks_until_it_ends(driver: Driver, tidy: Any) -> None:
    d: Deferred[None] = Deferred()
    run = driver.start(lambda: d)
    assert run.task in asyncio.all_tasks()
    d.callback(None)
    assert run.task not in asyncio.all_tasks()
    run = driver.start(Deferred)
    run.handle.cancel()
    assert run.task not in asyncio.all_tasks()
    run.handle.addErrback(lambda failure: None)


@ours
def test_started_before_a_loop_and_resumed_inside_one(
    driver: Driver, loop_factory: LoopFactory
) -> None:
    d: Deferred[None] = Deferred()
    seen: list[Any] = []

    async def body() -> str:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        await d
        seen.append(current() in asyncio.all_tasks())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await Deferred()
        return await asyncio.sleep(0.001, "slept")

    handle = driver.start(body).handle

    async def main() -> str:
        d.callback(None)
        result: str = await handle
        return result

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(main()) == "slept"
    assert seen == [True]


@ours
def test_started_in_one_loop_and_resumed_in_the_next(
    driver: Driver, loop_factory: LoopFactory
) -> None:
    """A loop that stops without shutting down leaves it waiting for its Deferred."""
    d: Deferred[None] = Deferred()
    handles: list[Any] = []

    async def body() -> Any:
        await asyncio.sleep(0)
        await d
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    async def first() -> None:
        handles.append(driver.start(body).handle)
        await turns(2)

    async def second() -> Any:
        d.callback(None)
        return await handles[0] is asyncio.get_running_loop()

    for main, expected in ((first, None), (second, True)):
        loop = loop_factory()
        assert loop.run_until_complete(main()) is expected
        loop.close()


# -- what else a task can do --------------------------------------------------


async def test_names(driver: Driver, tidy: Any) -> None:
    run = driver.start(Deferred)
    other = driver.start(Deferred)
    if driver is not PLAIN:  # an eager one has none in Python 3.13.0
        assert run.task.get_name() != other.task.get_name()
    assert run.task.get_name() == run.task.get_name()
    run.task.set_name("mine")
    assert run.task.get_name() == "mine"
    assert "mine" in repr(run.task)
    for each in (run, other):
        each.task.cancel()
        await outcome(each.handle)


async def test_coroutine_stack_and_context(driver: Driver, tidy: Any) -> None:
    async def body() -> None:
        await Deferred()

    run = driver.start(body)
    await turns(2)
    coro = run.task.get_coro()
    name = "_yield" if driver.name == "inlineCallbacks" else "_await"
    assert coro.__name__ == name
    (frame,) = run.task.get_stack()
    assert frame.f_code.co_name == name
    assert run.task.get_stack(limit=0) == []
    printed = io.StringIO()
    run.task.print_stack(file=printed)
    assert name in printed.getvalue()
    assert run.task.get_loop() is asyncio.get_running_loop()
    if sys.version_info >= (3, 12):
        assert isinstance(run.task.get_context(), contextvars.Context)
    run.task.cancel()
    await outcome(run.handle)
    assert run.task.get_stack() == []


async def test_the_states_of_a_task(driver: Driver, tidy: Any) -> None:
    async def fails() -> None:
        await asyncio.sleep(0)
        raise LookupError("no")

    run = driver.start(lambda: asyncio.sleep(0, 5))
    assert (run.task.done(), run.task.cancelled()) == (False, False)
    with pytest.raises(asyncio.InvalidStateError):
        run.task.result()
    with pytest.raises(asyncio.InvalidStateError):
        run.task.exception()
    with pytest.raises(RuntimeError):
        run.task.set_result(1)
    with pytest.raises(RuntimeError):
        run.task.set_exception(LookupError())
    await run.handle
    assert (run.task.done(), run.task.cancelled()) == (True, False)
    assert (run.task.result(), run.task.exception()) == (5, None)

    run = driver.start(fails)
    await outcome(run.handle)
    assert (run.task.done(), run.task.cancelled()) == (True, False)
    assert repr(run.task.exception()) == "LookupError('no')"
    with pytest.raises(LookupError, match="no"):
        run.task.result()

    run = driver.start(Deferred)
    await turns(2)
    run.task.cancel("why")
    await outcome(run.handle)
    assert (run.task.done(), run.task.cancelled()) == (True, True)
    for ask in (run.task.result, run.task.exception):
        # asyncio's own task tells the message once.
        with pytest.raises(CancelledError, match="why" if driver is not PLAIN else None):
            ask()


async def test_done_callbacks(driver: Driver, tidy: Any) -> None:
    called: list[Any] = []
    d: Deferred[None] = Deferred()
    run = driver.start(lambda: d)
    dropped = called.insert
    run.task.add_done_callback(called.append)
    run.task.add_done_callback(called.append)
    run.task.add_done_callback(dropped)
    assert run.task.remove_done_callback(dropped) == 1
    assert run.task.remove_done_callback(dropped) == 0
    await turns(2)
    d.callback(None)
    if driver is not PLAIN:
        assert called == []  # the loop calls them, on its next turn
    await turns(3)
    assert called == [run.task] * 2
    run.task.add_done_callback(called.append)
    await turns(2)
    assert called == [run.task] * 3


async def test_a_task_can_be_awaited(driver: Driver, tidy: Any) -> None:
    """What `asyncio.current_task()` gave can be handed to others, ours or not."""
    run = driver.start(lambda: asyncio.sleep(0, 5))
    assert list(await asyncio.gather(run.task, asyncio.wait_for(run.task, 60))) == [5, 5]
    done, _ = await asyncio.wait([run.task])
    assert done == {run.task}
    assert await driver.outcome(lambda: run.task) == ("result", 5)
    waiting = driver.start(Deferred)
    follower = driver.start(lambda: waiting.task)
    await turns(2)
    follower.task.cancel("both")
    assert await outcome(follower.handle) == cancelled("both")
    # asyncio's own task tells the message once.
    told = () if driver is PLAIN else ("both",)
    assert await outcome(waiting.handle) == cancelled(*told)
    assert waiting.task.cancelled()


async def test_cancel_requests_are_counted(driver: Driver, tidy: Any) -> None:
    async def body() -> Any:
        task = current()
        seen = []
        try:
            await Deferred()
        except CancelledError:
            seen.append(task.cancelling())
        seen += [task.uncancel(), task.uncancel(), task.uncancel()]
        seen.append(await outcome(asyncio.sleep(0)))
        return seen

    run = driver.start(body)
    await turns(2)
    assert run.task.cancelling() == 0
    assert run.task.cancel()
    assert run.task.cancel()
    assert run.task.cancelling() == 2
    assert await run.handle == [2, 1, 0, 0, ("result", None)]


# -- contextvars --------------------------------------------------------------

var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="default")


async def test_context_variables_stay_inside(driver: Driver, tidy: Any) -> None:
    async def body() -> Any:
        seen = [var.get()]
        token = var.set("inside")
        for wait in (
            lambda: succeed(None),
            lambda: asyncio.sleep(0),
            lambda: d,
            lambda: asyncio.to_thread(lambda: None),
        ):
            await wait()
            seen.append(var.get())
        var.reset(token)  # in the context in which it was set
        seen.append(var.get())
        var.set("left behind")
        return seen

    d: Deferred[None] = Deferred()
    token = var.set("maker")
    handle = driver.start(body).handle
    var.set("changed")
    asyncio.get_running_loop().call_later(0.001, d.callback, None)
    assert await handle == ["maker", "inside", "inside", "inside", "inside", "maker"]
    assert var.get() == "changed"
    var.reset(token)
    assert var.get() == "default"


@ours
def test_context_variables_without_a_loop(driver: Driver) -> None:
    async def body() -> Any:
        token = var.set("inside")
        await d
        seen = var.get()
        var.reset(token)
        return seen, var.get()

    d: Deferred[None] = Deferred()
    context = contextvars.copy_context()
    handle = context.run(driver.start, body).handle
    token = var.set("who fires")
    d.callback(None)
    assert handle.result == ("inside", "default")
    assert var.get() == "who fires"
    var.reset(token)


@ours
async def test_what_resumes_another_keeps_its_context(driver: Driver, tidy: Any) -> None:
    d: Deferred[None] = Deferred()

    async def waits() -> str:
        var.set("who waits")
        await d
        return var.get()

    async def fires() -> str:
        var.set("who fires")
        d.callback(None)
        return var.get()

    first = driver.start(waits).handle
    second = driver.start(fires).handle
    assert (await first, await second, var.get()) == ("who waits", "who fires", "default")


@ours
async def test_resumed_by_who_runs_in_the_same_context(driver: Driver, tidy: Any) -> None:
    """A context cannot be entered twice; who was given it is in it already."""

    async def body() -> str:
        token = var.set("inside")
        await d
        var.reset(token)
        return var.get()

    async def fires() -> None:
        d.callback(None)

    loop = asyncio.get_running_loop()
    for how in ("call_soon", "create_task"):
        d: Deferred[None] = Deferred()
        run = driver.start(body)
        context = run.task.get_context()
        if how == "call_soon":
            loop.call_soon(d.callback, None, context=context)
        else:
            await loop.create_task(fires(), context=context)
        assert await run.handle == "default"


@ours
def test_resumed_in_its_own_context_without_a_loop(driver: Driver) -> None:
    """And where it goes on, no exception is being handled."""

    async def body() -> Any:
        token = var.set("inside")
        await d
        var.reset(token)
        return var.get(), sys.exception()

    d: Deferred[None] = Deferred()
    handle = driver.start(body).handle
    handle._canceller.get_context().run(d.callback, None)
    assert handle.result == ("default", None)


async def test_context_variables_in_an_async_generator(driver: Driver, tidy: Any) -> None:
    async def numbers() -> Any:
        token = var.set("generator")
        try:
            yield var.get()
            await asyncio.sleep(0)
            yield var.get()
        finally:
            var.reset(token)

    async def body() -> Any:
        seen = [value async for value in numbers()]
        return [*seen, var.get()]

    assert await driver.outcome(body) == ("result", ["generator", "generator", "default"])


# -- exceptions that are being handled ----------------------------------------


async def test_no_exception_leaks_into_the_coroutine(driver: Driver, tidy: Any) -> None:
    """After it is dealt with, nothing is "being handled", and nothing is its context."""

    async def body() -> Any:
        seen: list[Any] = []
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_exception, LookupError())
        for what in (future, asyncio.create_task(fails())):
            try:
                await what
            except LookupError:
                pass
            seen.append(sys.exception())
            try:
                raise KeyError
            except KeyError as error:
                seen.append(error.__context__)
        return seen

    async def fails() -> None:
        raise LookupError

    assert await driver.outcome(body) == ("result", [None] * 4)


# -- deep ---------------------------------------------------------------------

DEEP = 10_000


async def passes_on(it: Any) -> Any:
    return await it


@inlineCallbacks
def yields_on(it: Any) -> Generator[Any, Any, Any]:
    result = yield it
    return result


@pytest.mark.parametrize("kind", ["coroutines", "generators", "mixed"])
@pytest.mark.parametrize("event", ["result", "failure"])
def test_a_deep_nest_resumes_without_recursion(kind: str, event: str) -> None:
    d: Deferred[Any] = Deferred()
    outermost = d
    for i in range(DEEP):
        if kind == "generators" or (kind == "mixed" and i % 2):
            outermost = yields_on(outermost)
        else:
            outermost = ensureDeferred(passes_on(outermost))
    results: list[Any] = []
    outermost.addBoth(results.append)
    if event == "result":
        d.callback("deep")
        assert results == ["deep"]
    else:
        d.errback(LookupError("deep"))
        assert repr(results[0].value) == "LookupError('deep')"


async def test_a_deep_nest_inside_a_loop(tidy: Any) -> None:
    async def sleeps() -> str:
        return await asyncio.sleep(0, "deep")

    d = ensureDeferred(sleeps())
    for _ in range(DEEP):
        d = ensureDeferred(passes_on(d))
    assert await d == "deep"
    task = asyncio.current_task()
    assert asyncio.all_tasks() == {task}


def test_many_fired_deferreds_in_a_row_do_not_recurse() -> None:
    async def body() -> int:
        total = 0
        for _ in range(DEEP):
            total += await succeed(1)
        return total

    @inlineCallbacks
    def generator() -> Generator[Any, Any, int]:
        total = 0
        for _ in range(DEEP):
            total += yield succeed(1)
        return total

    assert ensureDeferred(body()).result == DEEP
    assert generator().result == DEEP


def test_two_that_fire_each_other_do_not_recurse() -> None:
    """Ping and pong, each resumed by the other, inline."""
    pings: list[Deferred[int]] = [Deferred() for _ in range(200)]
    pongs: list[Deferred[int]] = [Deferred() for _ in range(200)]

    async def ping() -> int:
        for i in range(200):
            await pings[i]
            pongs[i].callback(i)
        return 1

    async def pong() -> int:
        for i in range(200):
            await pongs[i]
            if i + 1 < 200:
                pings[i + 1].callback(i)
        return 2

    first, second = ensureDeferred(ping()), ensureDeferred(pong())
    pings[0].callback(0)
    assert (first.result, second.result) == (1, 2)
