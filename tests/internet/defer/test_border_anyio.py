"""anyio and sniffio inside our coroutines, and Deferreds inside anyio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any

import anyio
import anyio.abc
import anyio.from_thread
import anyio.to_thread
import pytest
import sniffio

from reactorlib.internet.defer import CancelledError, Deferred, ensureDeferred, inlineCallbacks

from ._border import OURS, Driver, cancelled, outcome, turns


async def library() -> Any:
    here = sniffio.current_async_library()
    await anyio.sleep(0)
    return here, sniffio.current_async_library()


async def fail_after() -> Any:
    with pytest.raises(TimeoutError):
        with anyio.fail_after(0.001):
            await Deferred()
    return await anyio.sleep(0)


async def move_on_after() -> Any:
    d: Deferred[None] = Deferred()
    with anyio.move_on_after(0.001) as scope:
        await d
    return scope.cancelled_caught, d.cancelled()


async def scopes_nested() -> Any:
    """Only the scope that was cancelled is left."""
    with anyio.CancelScope() as outer:
        with anyio.CancelScope() as inner:
            asyncio.get_running_loop().call_soon(inner.cancel)
            await Deferred()
        await anyio.sleep(0)
    return inner.cancelled_caught, outer.cancelled_caught


async def scopes_nested_outer() -> Any:
    with anyio.CancelScope() as outer:
        with anyio.CancelScope() as inner:
            asyncio.get_running_loop().call_soon(outer.cancel)
            await Deferred()
        raise AssertionError
    await anyio.sleep(0)
    return inner.cancelled_caught, outer.cancelled_caught


async def both_scopes() -> Any:
    """Both are cancelled, and both go on asking, every turn."""
    with anyio.CancelScope() as outer:
        with anyio.CancelScope() as inner:
            asyncio.get_running_loop().call_soon(inner.cancel)
            asyncio.get_running_loop().call_soon(outer.cancel)
            await Deferred()
        await anyio.sleep(0)
        raise AssertionError
    await anyio.sleep(0)
    return outer.cancelled_caught


async def scope_through_deferreds() -> Any:
    """A scope's cancellation goes through a Deferred into what stands behind it."""
    steps: list[str] = []

    async def inner() -> None:
        try:
            await Deferred()
        finally:
            steps.append("inner")

    with anyio.move_on_after(0.001) as scope:
        await ensureDeferred(inner())
    return scope.cancelled_caught, steps


async def shielded_cleanup() -> Any:
    steps: list[str] = []
    with anyio.move_on_after(0.001) as scope:
        try:
            await Deferred()
        finally:
            with anyio.CancelScope(shield=True):
                d: Deferred[str] = Deferred()
                asyncio.get_running_loop().call_later(0.001, d.callback, "cleaned")
                steps.append(await d)
                await anyio.sleep(0)
    return scope.cancelled_caught, steps


async def stubborn() -> Any:
    """anyio cancels again whatever is awaited in a cancelled scope."""
    times = 0
    with anyio.CancelScope() as scope:
        scope.cancel()
        for _ in range(3):
            try:
                await Deferred()
            except CancelledError:
                times += 1
        await anyio.sleep(0)
    return times, scope.cancelled_caught


async def group() -> Any:
    seen: list[str] = []

    async def child(name: str, d: Deferred[str]) -> None:
        seen.append(name + await d)

    ds: list[Deferred[str]] = [Deferred() for _ in range(3)]
    for i, d in enumerate(ds):
        asyncio.get_running_loop().call_later(0.001 * (3 - i), d.callback, "!")
    async with anyio.create_task_group() as tasks:
        for name, d in zip("abc", ds, strict=True):
            tasks.start_soon(child, name, d)
    return sorted(seen)


async def group_fails() -> Any:
    waiting: Deferred[None] = Deferred()
    body: Deferred[None] = Deferred()

    async def waits() -> None:
        await waiting

    async def fails() -> None:
        await anyio.sleep(0)
        raise LookupError("child")

    async def run() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(waits)
            tasks.start_soon(fails)
            await body

    result = await outcome(run())
    await anyio.sleep(0)
    return result, waiting.cancelled(), body.cancelled()


async def group_cancelled() -> Any:
    """From inside one of our own coroutines, which is no child of the group."""
    d: Deferred[None] = Deferred()
    async with anyio.create_task_group() as tasks:

        async def cancels() -> None:
            await asyncio.sleep(0)
            tasks.cancel_scope.cancel()

        canceller = ensureDeferred(cancels())
        await d
    await canceller
    return tasks.cancel_scope.cancelled_caught, d.cancelled()


async def start() -> Any:
    async def child(*, task_status: anyio.abc.TaskStatus[str]) -> None:
        d: Deferred[None] = Deferred()
        task_status.started("ready")
        await d

    async with anyio.create_task_group() as tasks:
        value = await tasks.start(child)
        tasks.cancel_scope.cancel()
    return value


async def threads() -> Any:
    def work() -> Any:
        return anyio.from_thread.run(asyncio.sleep, 0, "back")

    return await anyio.to_thread.run_sync(work)


async def primitives() -> Any:
    send, receive = anyio.create_memory_object_stream[int](1)
    event, lock = anyio.Event(), anyio.Lock()

    async def produce() -> None:
        async with send:
            for i in range(3):
                async with lock:
                    await send.send(i)
        event.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(produce)
        async with receive:
            got = [i async for i in receive]
        await event.wait()
    return got


async def timeouts_of_both_libraries() -> Any:
    """Each takes its own cancellation, and no other."""
    result = []
    with anyio.move_on_after(60) as scope:
        with pytest.raises(TimeoutError):  # noqa: PT012  # three scopes, one wait
            async with asyncio.timeout(0):
                with anyio.move_on_after(60):
                    await Deferred()
        result.append(scope.cancelled_caught)
    async with asyncio.timeout(60) as limit:
        with anyio.move_on_after(0) as inner:
            async with asyncio.timeout(60):
                await Deferred()
        result.append(inner.cancelled_caught)
        await anyio.sleep(0)
    result.append(limit.expired())
    return result


async def info() -> Any:
    task = anyio.get_current_task()
    return task.id == id(asyncio.current_task()), task in anyio.get_running_tasks()


BODIES: dict[Callable[[], Any], Any] = {
    library: ("asyncio", "asyncio"),
    fail_after: None,
    move_on_after: (True, True),
    scopes_nested: (True, False),
    scopes_nested_outer: (False, True),
    both_scopes: True,
    scope_through_deferreds: (True, ["inner"]),
    shielded_cleanup: (True, ["cleaned"]),
    stubborn: (3, True),
    group: ["a!", "b!", "c!"],
    group_fails: (
        ("raised", ExceptionGroup, (("raised", LookupError, ("child",)),)),
        True,
        True,
    ),
    group_cancelled: (True, True),
    start: "ready",
    threads: "back",
    primitives: [0, 1, 2],
    timeouts_of_both_libraries: [False, True, False],
    info: (True, True),
}


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
async def test_body(driver: Driver, body: Callable[[], Any], tidy: Any) -> None:
    async def run() -> Any:
        result = await body()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await anyio.sleep(0)  # no cancellation is left over
        return result

    assert await driver.outcome(run) == ("result", BODIES[body])


async def test_a_native_cancel_goes_through_scopes(driver: Driver, tidy: Any) -> None:
    async def body() -> None:
        with anyio.CancelScope():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(anyio.sleep, 3600)
                await Deferred()

    run = driver.start(body)
    await turns(3)
    run.task.cancel("native")
    assert await outcome(run.handle) == cancelled("native")


@pytest.mark.parametrize("driver", OURS, ids=lambda driver: driver.name)
async def test_deferred_cancel_goes_through_scopes(driver: Driver, tidy: Any) -> None:
    async def body() -> None:
        with anyio.CancelScope():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(anyio.sleep, 3600)
                await Deferred()

    run = driver.start(body)
    await turns(3)
    run.handle.cancel("native")
    assert await outcome(run.handle) == cancelled("native")


async def test_our_coroutines_in_the_way_of_a_thread(tidy: Any) -> None:
    """anyio looks at every task there is when it starts a thread."""
    d: Deferred[None] = Deferred()
    runs = [driver.start(lambda: d) for driver in OURS]
    assert await anyio.to_thread.run_sync(lambda: 5) == 5
    assert await asyncio.create_task(anyio.to_thread.run_sync(lambda: 6)) == 6
    d.callback(None)
    for run in runs:
        await run.handle


async def test_a_scope_in_a_generator(tidy: Any) -> None:
    @inlineCallbacks
    def body() -> Generator[Any, Any, Any]:
        d: Deferred[None] = Deferred()
        with anyio.move_on_after(0.001) as scope:
            yield d
        with anyio.move_on_after(0.001) as second:
            yield anyio.sleep(3600)
        tasks = anyio.create_task_group()
        yield tasks.__aenter__()
        seen: list[str] = []

        async def child() -> None:
            await anyio.sleep(0)
            seen.append("child")

        tasks.start_soon(child)
        yield tasks.__aexit__(None, None, None)
        return scope.cancelled_caught, d.cancelled(), second.cancelled_caught, seen

    assert await body() == (True, True, True, ["child"])
