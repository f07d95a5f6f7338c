"""Promises 3 and 5: all who wait see the same; what nobody saw is reported, once."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest

from reactorlib.internet.defer import CancelledError, Deferred, ensureDeferred, inlineCallbacks
from reactorlib.python.failure import Failure

from ._border import OURS, Driver, cancelled, described, outcome, turns

# -- who can wait -------------------------------------------------------------

Results = list[Any]


def kept(value: Any) -> Any:
    """What a callback got, as an outcome."""
    return described(value.value) if isinstance(value, Failure) else ("result", value)


def callback(d: Deferred[Any], seen: Results) -> None:
    def see(result: Any) -> Any:
        seen.append(kept(result))
        return result

    d.addBoth(see)


def coroutine(d: Deferred[Any], seen: Results) -> None:
    ensureDeferred(outcome(d)).addCallback(seen.append)


def generator(d: Deferred[Any], seen: Results) -> None:
    @inlineCallbacks
    def body() -> Generator[Any, Any, None]:
        try:
            result = yield d
        except BaseException as error:
            seen.append(described(error))
        else:
            seen.append(("result", result))

    body()


def in_a_task(awaitable: Awaitable[Any], seen: Results) -> None:
    async def body() -> None:
        seen.append(await outcome(awaitable))

    asyncio.create_task(body()).add_done_callback(lambda task: task.result())


def future(d: Deferred[Any], seen: Results) -> None:
    in_a_task(d.asFuture(asyncio.get_running_loop()), seen)


def gathered(d: Deferred[Any], seen: Results) -> None:
    async def body() -> Any:
        (value,) = await asyncio.gather(d)
        return value

    in_a_task(body(), seen)


def shielded(d: Deferred[Any], seen: Results) -> None:
    async def body() -> Any:
        try:
            await asyncio.shield(d)
        except CancelledError:
            pass  # asyncio.shield does not always keep the message
        return await d

    in_a_task(body(), seen)


def waited(d: Any, seen: Results) -> None:
    async def body() -> Any:
        await asyncio.wait([d])
        return await d

    in_a_task(body(), seen)


WAITERS = [callback, coroutine, generator, in_a_task, future, gathered, shielded, waited]

FIRE: dict[str, tuple[Callable[[Deferred[Any]], None], Any]] = {
    "result": (lambda d: d.callback(42), ("result", 42)),
    "None": (lambda d: d.callback(None), ("result", None)),
    "failure": (lambda d: d.errback(LookupError("no")), ("raised", LookupError, ("no",))),
    "cancel": (lambda d: d.cancel("why"), cancelled("why")),
}


@pytest.mark.parametrize("event", FIRE)
async def test_all_who_wait_see_the_same(event: str, tidy: Any) -> None:
    """Any two, in either order, and all of them; before it fires and after."""
    fire, expected = FIRE[event]
    mixes = [*itertools.product(WAITERS, repeat=2), WAITERS, WAITERS[::-1], WAITERS * 10]
    for mix in mixes:
        d: Deferred[Any] = Deferred()
        before: Results = []
        after: Results = []
        for wait in mix:
            wait(d, before)
        await turns(3)
        assert before == []
        fire(d)
        for wait in mix:
            wait(d, after)
        await turns(6)
        assert before == [expected] * len(mix), mix
        assert after == [expected] * len(mix), mix
        last: Results = []
        callback(d, last)
        assert last == [expected]
        d.addErrback(lambda failure: None)


async def test_callbacks_change_the_result_for_who_comes_behind_them(tidy: Any) -> None:
    d: Deferred[int] = Deferred()
    seen: Results = []
    coroutine(d, seen)
    d.addCallback(lambda value: value + 1)
    coroutine(d, seen)
    inner: Deferred[int] = Deferred()
    d.addCallback(lambda _: inner)
    coroutine(d, seen)
    in_a_task(d, seen)
    await turns(2)
    d.callback(1)
    assert seen == [("result", 1), ("result", 2)]
    inner.callback(10)
    await turns(2)
    assert seen == [("result", 1), ("result", 2), ("result", 10), ("result", 10)]


async def test_one_who_is_cancelled_cancels_for_all(tidy: Any) -> None:
    """As with two who await one task of asyncio's; `shield` is there for the other wish."""
    d: Deferred[int] = Deferred()
    seen: Results = []
    coroutine(d, seen)
    task = asyncio.ensure_future(d)
    await turns(2)
    task.cancel("one")
    assert await outcome(task) == cancelled("one")
    assert seen == [cancelled("one")]


async def test_a_waiter_that_has_gone_is_not_resumed(tidy: Any) -> None:
    d: Deferred[int] = Deferred()
    seen: Results = []
    for driver in OURS:
        run = driver.start(lambda: asyncio.shield(d))
        in_a_task(run.handle, seen)
        run.task.cancel("gone")
    await turns(5)
    d.callback(1)
    await turns(5)
    assert seen == [cancelled("gone")] * 2
    assert await d == 1


# -- nothing awaited is reported ----------------------------------------------


@pytest.mark.parametrize("wait", WAITERS[1:])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_what_was_awaited_is_not_reported(
    wait: Callable[[Deferred[Any], Results], None], when: str, errors: Any
) -> None:
    d: Deferred[Any] = Deferred()
    seen: Results = []
    if when == "after":
        d.errback(LookupError("no"))
    wait(d, seen)
    await turns(2)
    if when == "before":
        d.errback(LookupError("no"))
    await turns(5)
    assert len(seen) == 1
    del d
    gc.collect()
    assert errors == []


async def test_a_failed_task_of_ours_that_was_awaited_is_not_reported(tidy: Any) -> None:
    """By its task, too, which is what `asyncio.current_task()` gives out."""

    async def fails() -> None:
        await asyncio.sleep(0)
        raise LookupError("no")

    for driver in OURS:
        run = driver.start(fails)
        assert await outcome(run.task) == ("raised", LookupError, ("no",))
        run = driver.start(fails)
        result = await asyncio.gather(run.task, return_exceptions=True)
        assert repr(result) == "[LookupError('no')]"
        run = driver.start(fails)
        await asyncio.wait([run.task])
        assert repr(run.task.exception()) == "LookupError('no')"
        del run
    gc.collect()
    assert tidy == []


async def test_a_cancelled_task_of_ours_in_gather(tidy: Any) -> None:
    for driver in OURS:
        run = driver.start(Deferred)
        gathering = asyncio.gather(run.task)
        run.task.cancel("why")
        assert await outcome(gathering) == cancelled("why")
        run = driver.start(Deferred)
        gathering_all = asyncio.gather(run.task, return_exceptions=True)
        run.task.cancel("why")
        (error,) = await gathering_all
        assert described(error) == cancelled("why")


async def test_cancelled_through_asyncio_is_not_reported(driver: Driver, errors: Any) -> None:
    """Nobody awaits it. asyncio says nothing of cancelled tasks either."""
    run = driver.start(Deferred)
    await turns(2)
    run.task.cancel()
    await turns(3)
    del run
    gc.collect()
    assert errors == []


# -- what nobody saw is reported, once ----------------------------------------


def drop(d: Deferred[Any]) -> None:
    pass


def drop_a_chain(d: Deferred[Any]) -> None:
    outer: Deferred[None] = Deferred()
    outer.addCallback(lambda _: d)
    outer.callback(None)


def drop_a_coroutine(d: Deferred[Any]) -> None:
    async def body() -> None:
        await d

    ensureDeferred(body())


def drop_a_generator(d: Deferred[Any]) -> None:
    @inlineCallbacks
    def body() -> Generator[Any, Any, None]:
        yield d

    body()


def drop_several(d: Deferred[Any]) -> None:
    """One failure, through three hands, all but the last of which pass it on."""

    async def body() -> None:
        await ensureDeferred(inner())

    async def inner() -> None:
        await d

    ensureDeferred(body()).addCallback(lambda _: None)


DROPPED = [drop, drop_a_chain, drop_a_coroutine, drop_a_generator, drop_several]


@pytest.mark.parametrize("dropped", DROPPED)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_reported_to_the_loop_once(
    dropped: Callable[[Deferred[Any]], None], when: str, tidy: Any
) -> None:
    d: Deferred[Any] = Deferred()
    if when == "before":
        d.errback(LookupError("no"))
        dropped(d)
    else:
        dropped(d)
        d.errback(LookupError("no"))
    del d
    gc.collect()
    await turns(2)
    assert [repr(error) for error in tidy.take()] == ["LookupError('no')"]


@pytest.mark.parametrize("dropped", DROPPED)
def test_reported_to_logging_once(
    dropped: Callable[[Deferred[Any]], None], caplog: pytest.LogCaptureFixture
) -> None:
    d: Deferred[Any] = Deferred()
    dropped(d)
    d.errback(LookupError("no"))
    del d
    gc.collect()
    (record,) = caplog.records
    assert record.levelno >= logging.ERROR
    assert record.exc_info is not None
    assert repr(record.exc_info[1]) == "LookupError('no')"


async def test_as_a_future_it_is_the_futures_to_report(errors: Any) -> None:
    d: Deferred[None] = Deferred()
    future = d.asFuture(asyncio.get_running_loop())
    d.errback(LookupError("no"))
    del d, future
    gc.collect()
    await turns(2)
    assert [repr(error) for error in errors.take()] == ["LookupError('no')"]


async def test_a_future_as_a_deferred(tidy: Any) -> None:
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    d: Deferred[Any] = Deferred.fromFuture(future)
    loop.call_soon(future.set_exception, LookupError("no"))
    assert await outcome(d) == ("raised", LookupError, ("no",))
    future = loop.create_future()
    d = Deferred.fromFuture(future)
    d.cancel()
    with pytest.raises(CancelledError):
        await d
    assert future.cancelled()
