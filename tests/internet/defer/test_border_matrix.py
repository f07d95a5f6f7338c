"""
Every way to wait, for every outcome, under every driver.

What is expected is what a plain task of asyncio's gets of a future.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any, NamedTuple

import anyio
import pytest

from reactorlib.internet.defer import Deferred, ensureDeferred, inlineCallbacks

from ._border import (
    DRIVERS,
    PLAIN,
    ADeferred,
    AFuture,
    Driver,
    Outcome,
    Run,
    Subject,
    described,
    outcome,
    turns,
)

# -- ways to wait for one thing, and give what it gives -----------------------


async def coroutine(it: Any) -> Any:
    return await it


@inlineCallbacks
def generator(it: Any) -> Generator[Any, Any, Any]:
    value = yield it
    return value


def create_task(it: Any) -> asyncio.Task[Any]:
    return asyncio.get_running_loop().create_task(coroutine(it))


def as_future(it: Any) -> asyncio.Future[Any]:
    if isinstance(it, Deferred):
        return it.asFuture(asyncio.get_running_loop())
    future: asyncio.Future[Any] = it
    return future


async def gather(it: Any) -> Any:
    (value,) = await asyncio.gather(it)
    return value


async def gather_exceptions(it: Any) -> Any:
    value: Any = (await asyncio.gather(it, return_exceptions=True))[0]
    return described(value) if isinstance(value, BaseException) else value


async def wait(it: Any) -> Any:
    done, pending = await asyncio.wait([it])
    assert not pending
    return await done.pop()


async def as_completed(it: Any) -> Any:
    (first,) = asyncio.as_completed([it])
    return await first


async def timeout(it: Any) -> Any:
    async with asyncio.timeout(60):
        return await it


async def timeout_at(it: Any) -> Any:
    async with asyncio.timeout_at(asyncio.get_running_loop().time() + 60):
        return await it


async def task_group(it: Any) -> Any:
    async with asyncio.TaskGroup():
        return await it


async def task_group_child(it: Any) -> Any:
    async with asyncio.TaskGroup() as group:
        child = group.create_task(coroutine(it))
    return child.result()


async def fail_after(it: Any) -> Any:
    with anyio.fail_after(60):
        return await it


async def move_on_after(it: Any) -> Any:
    with anyio.move_on_after(60):
        return await it


async def anyio_shield(it: Any) -> Any:
    with anyio.CancelScope(shield=True):
        return await it


async def anyio_group(it: Any) -> Any:
    async with anyio.create_task_group():
        return await it


async def anyio_child(it: Any) -> Any:
    values: list[Any] = []

    async def child() -> None:
        values.append(await it)

    async with anyio.create_task_group() as group:
        group.start_soon(child)
    return values


Wait = Callable[[Any], Awaitable[Any]]


class Way(NamedTuple):
    """A way to wait, and what in plain asyncio gives what it must give."""

    ours: Wait
    #: Of a future: what must come of a Deferred.
    plain: Wait
    #: Of a future: what must come of a future.
    plain_future: Wait


def same(way: Wait) -> Way:
    return Way(way, way, way)


class Other:
    """Something to await that is neither a future nor a coroutine."""

    def __init__(self, it: Any) -> None:
        self.it = it

    def __await__(self) -> Any:
        return self.it.__await__()


def like_any_other(way: Wait) -> Way:
    """A Deferred is an awaitable: where asyncio makes a task of those, it makes one of it."""
    return Way(way, lambda it: way(Other(it)), way)


WAYS: dict[str, Way] = {
    "itself": like_any_other(lambda it: it),
    "coroutine": same(coroutine),
    "ensureDeferred": Way(lambda it: ensureDeferred(coroutine(it)), create_task, create_task),
    "inlineCallbacks": Way(generator, create_task, create_task),
    "create_task": same(create_task),
    "ensure_future": like_any_other(asyncio.ensure_future),
    "asFuture": same(as_future),
    "gather": like_any_other(gather),
    "gather exceptions": like_any_other(gather_exceptions),
    "wait": same(wait),
    "wait_for": like_any_other(lambda it: asyncio.wait_for(it, 60)),
    "wait_for ever": like_any_other(lambda it: asyncio.wait_for(it, None)),
    "shield": like_any_other(asyncio.shield),
    "as_completed": like_any_other(as_completed),
    "timeout": same(timeout),
    "timeout_at": same(timeout_at),
    "TaskGroup": same(task_group),
    "TaskGroup child": same(task_group_child),
    "anyio fail_after": same(fail_after),
    "anyio move_on_after": same(move_on_after),
    "anyio shield": same(anyio_shield),
    "anyio task group": same(anyio_group),
    "anyio child": same(anyio_child),
}

# -- what happens to it -------------------------------------------------------

FIRED: dict[str, Callable[[Subject], None]] = {
    "result": lambda subject: subject.succeed(42),
    "failure": lambda subject: subject.fail(LookupError("none such")),
    "cancel": lambda subject: subject.cancel("inside"),
    "cancel, no message": lambda subject: subject.cancel(),
}

PENDING: dict[str, Callable[[Subject, Run], object]] = {
    "result": lambda subject, run: subject.succeed(42),
    "failure": lambda subject, run: subject.fail(LookupError("none such")),
    "cancel": lambda subject, run: subject.cancel("inside"),
    "task.cancel": lambda subject, run: run.task.cancel("outside"),
    "task.cancel, no message": lambda subject, run: run.task.cancel(),
    "task.cancel, twice": lambda subject, run: (run.task.cancel("once"), run.task.cancel("twice")),
    "handle.cancel": lambda subject, run: run.handle.cancel("outside"),
}


async def fired(driver: Driver, subject: Subject, way: Wait, event: str) -> tuple[Outcome, bool]:
    FIRED[event](subject)
    return await driver.outcome(lambda: way(subject.it)), subject.cancelled()


async def pending(driver: Driver, subject: Subject, way: Wait, event: str) -> tuple[Outcome, bool]:
    run = driver.start(lambda: way(subject.it))
    await turns(4)
    assert not run.task.done()
    PENDING[event](subject, run)
    result = await outcome(run.handle)
    was_cancelled = subject.cancelled()
    subject.drop()  # some ways, as `shield`, go on waiting for it
    await turns(2)
    return result, was_cancelled


@pytest.mark.parametrize("way", WAYS)
async def test_what_has_fired(driver: Driver, way: str, tidy: Any) -> None:
    ours, plain, plain_future = WAYS[way]
    for event in FIRED:
        expected = await fired(PLAIN, AFuture(), plain, event)
        assert await fired(driver, ADeferred(), ours, event) == expected, event
        expected = await fired(PLAIN, AFuture(), plain_future, event)
        assert await fired(driver, AFuture(), ours, event) == expected, event


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_pending(driver: Driver, way: str, tidy: Any) -> None:
    ours, plain, plain_future = WAYS[way]
    for event in PENDING:
        expected = await pending(PLAIN, AFuture(), plain, event)
        assert await pending(driver, ADeferred(), ours, event) == expected, event
        expected = await pending(PLAIN, AFuture(), plain_future, event)
        assert await pending(driver, AFuture(), ours, event) == expected, event


# -- time-outs ----------------------------------------------------------------


#: What a limit is told to expire by, once the thing is being waited for.
Expire = list[Callable[[], None]]


async def timeout_expires(it: Any, expire: Expire) -> Any:
    async with asyncio.timeout(None) as limit:
        expire.append(lambda: limit.reschedule(asyncio.get_running_loop().time()))
        return await it


async def timeout_now(it: Any, expire: Expire) -> Any:
    async with asyncio.timeout(0):
        return await it


async def timeout_at_now(it: Any, expire: Expire) -> Any:
    async with asyncio.timeout_at(asyncio.get_running_loop().time()):
        return await it


async def outer_timeout(it: Any, expire: Expire) -> Any:
    """The outer time-out is not taken for the inner one."""
    async with asyncio.timeout(None) as limit:
        expire.append(lambda: limit.reschedule(asyncio.get_running_loop().time()))
        async with asyncio.timeout(60):
            return await it


async def fail_after_expires(it: Any, expire: Expire) -> Any:
    with anyio.fail_after(60) as scope:
        expire.append(lambda: setattr(scope, "deadline", anyio.current_time()))
        return await it


async def fail_after_now(it: Any, expire: Expire) -> Any:
    with anyio.fail_after(0):
        return await it


async def move_on_expires(it: Any, expire: Expire) -> Any:
    with anyio.move_on_after(60) as scope:
        expire.append(lambda: setattr(scope, "deadline", anyio.current_time()))
        await it
    assert scope.cancelled_caught
    return "moved on"


async def scope_cancelled(it: Any, expire: Expire) -> Any:
    with anyio.CancelScope() as scope:
        expire.append(scope.cancel)
        await it
    assert scope.cancelled_caught
    return "moved on"


LIMITS: dict[str, Callable[[Any, Expire], Awaitable[Any]]] = {
    "timeout": timeout_expires,
    "timeout(0)": timeout_now,
    "timeout_at": timeout_at_now,
    "timeout, outer": outer_timeout,
    "wait_for": lambda it, expire: asyncio.wait_for(it, 0.002),
    "wait_for(0)": lambda it, expire: asyncio.wait_for(it, 0),
    "fail_after": fail_after_expires,
    "fail_after(0)": fail_after_now,
    "move_on_after": move_on_expires,
    "CancelScope": scope_cancelled,
}


async def timed_out(
    driver: Driver, subject: Subject, way: Wait, limit: str
) -> tuple[Outcome, int, bool]:
    expire: Expire = []

    async def body() -> tuple[Outcome, int]:
        it = way(subject.it)
        result = await outcome(LIMITS[limit](it, expire))
        if isinstance(it, Deferred) and it is not subject.it:
            it.addErrback(lambda failure: None)  # wait_for(0) may not even have begun to wait
        task = asyncio.current_task()
        assert task is not None
        await asyncio.sleep(0)  # no cancellation is left over
        return result, task.cancelling()

    run = driver.start(body)
    await turns(4)
    for call in expire:
        call()
    _, (result, requests) = await outcome(run.handle)
    # Within so short a time asyncio may not have begun to wait.
    was_cancelled = limit != "wait_for" and subject.cancelled()
    subject.drop()  # some ways, as `shield`, go on waiting for it
    await turns(2)
    return result, requests, was_cancelled


@pytest.mark.parametrize("way", [way for way in WAYS if way != "anyio shield"])
async def test_time_out(driver: Driver, way: str, tidy: Any) -> None:
    ours, plain, plain_future = WAYS[way]
    for limit in LIMITS:
        expected = await timed_out(PLAIN, AFuture(), plain, limit)
        assert await timed_out(driver, ADeferred(), ours, limit) == expected, limit
        expected = await timed_out(PLAIN, AFuture(), plain_future, limit)
        assert await timed_out(driver, AFuture(), ours, limit) == expected, limit


# -- what asyncio does not take -----------------------------------------------


async def test_a_task_group_refuses_a_deferred_at_once(driver: Driver, tidy: Any) -> None:
    """asyncio makes tasks of coroutines alone; a coroutine that awaits it does."""
    d: Deferred[None] = Deferred()

    async def body() -> None:
        async with asyncio.TaskGroup() as group:
            with pytest.raises(TypeError):
                group.create_task(d)  # type: ignore[arg-type]  # that is what is tested

    assert await driver.outcome(body) == ("result", None)


def test_the_drivers_are_the_three() -> None:
    assert list(DRIVERS) == ["ensureDeferred", "inlineCallbacks", "task"]
