"""asyncio's own tools around Deferreds, and its primitives inside our coroutines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from typing import Any
from unittest import mock

import pytest

from reactorlib.internet.defer import (
    CancelledError,
    Deferred,
    ensureDeferred,
    fail,
    inlineCallbacks,
    succeed,
)

from ._border import OURS, PLAIN, Driver, cancelled, outcome, turns
from .conftest import LoopFactory

# -- the same body under every driver -----------------------------------------


async def sleeps() -> Any:
    await asyncio.sleep(0)
    return await asyncio.sleep(0.001, "slept")


async def queue() -> Any:
    box: asyncio.Queue[int] = asyncio.Queue(maxsize=1)

    async def produce() -> None:
        for i in range(3):
            await box.put(i)

    producer = asyncio.create_task(produce())
    taken = [await box.get() for _ in range(3)]
    await producer
    return taken


async def queue_cancelled() -> Any:
    """Whoever gives up leaves what is put in for the next."""
    box: asyncio.Queue[int] = asyncio.Queue()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await box.get()
    box.put_nowait(1)
    return await box.get()


async def event() -> Any:
    happened = asyncio.Event()
    asyncio.get_running_loop().call_soon(happened.set)
    return await happened.wait()


async def lock() -> Any:
    one = asyncio.Lock()
    order: list[str] = []

    async def holder(name: str) -> None:
        async with one:
            order.append(f"{name} in")
            await asyncio.sleep(0)
            order.append(f"{name} out")

    await asyncio.gather(holder("a"), ensureDeferred(holder("b")), holder("c"))
    assert not one.locked()
    return sorted(order[::2]), [
        first[0] == last[0] for first, last in zip(order[::2], order[1::2], strict=True)
    ]


async def lock_cancelled() -> Any:
    """Whoever is cancelled while it waits for a lock does not hold it."""
    one = asyncio.Lock()
    await one.acquire()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await one.acquire()
    one.release()
    return one.locked()


async def condition() -> Any:
    ready = asyncio.Condition()
    seen: list[int] = []

    async def notify() -> None:
        async with ready:
            seen.append(1)
            ready.notify_all()

    async with ready:
        task = asyncio.create_task(notify())
        await ready.wait_for(lambda: bool(seen))
    await task
    return seen


async def semaphore() -> Any:
    two = asyncio.Semaphore(2)
    most = now = 0

    async def holder() -> None:
        nonlocal most, now
        async with two:
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1

    await asyncio.gather(*(holder() for _ in range(5)))
    return most


async def to_thread() -> Any:
    here = threading.get_ident()
    return await asyncio.to_thread(threading.get_ident) != here


async def to_thread_fails() -> Any:
    return await outcome(asyncio.to_thread(int, "x"))


async def executor() -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, sum, [1, 2])


async def gather_of_everything() -> Any:
    async def coroutine() -> str:
        await asyncio.sleep(0)
        return "coroutine"

    loop = asyncio.get_running_loop()
    future = loop.create_future()
    pending: Deferred[str] = Deferred()
    loop.call_soon(future.set_result, "future")
    loop.call_soon(pending.callback, "pending")
    return await asyncio.gather(
        coroutine(),
        future,
        pending,
        succeed("fired"),
        ensureDeferred(coroutine()),
        asyncio.create_task(coroutine()),
        asyncio.to_thread(str, "thread"),
    )


async def gather_fails() -> Any:
    """The first failure is given at once; the others go on."""
    slow: Deferred[None] = Deferred()
    result = await outcome(asyncio.gather(slow, fail(KeyError("k"))))
    was_cancelled = slow.cancelled()
    slow.callback(None)
    await turns(2)
    return result, was_cancelled


async def wait_for_the_first() -> Any:
    slow: Any = Deferred()
    fast: Any = succeed(1)
    done, pending = await asyncio.wait([slow, fast], return_when=asyncio.FIRST_COMPLETED)
    assert done == {fast}
    assert pending == {slow}
    done, pending = await asyncio.wait([slow], timeout=0)
    assert done == set()
    return not slow.called  # `wait` cancels nothing


async def wait_for_the_first_failure() -> Any:
    slow: Any = Deferred()
    bad: Any = Deferred()
    fast: Any = succeed(1)
    asyncio.get_running_loop().call_soon(bad.errback, KeyError("k"))
    done, pending = await asyncio.wait([slow, bad, fast], return_when=asyncio.FIRST_EXCEPTION)
    assert done == {bad, fast}
    return pending == {slow}


async def as_completed_in_order() -> Any:
    first: Deferred[int] = Deferred()
    second: Deferred[int] = Deferred()
    asyncio.get_running_loop().call_soon(second.callback, 2)
    seen: list[int] = []
    for next_done in asyncio.as_completed([first, second]):
        seen.append(await next_done)
        if not first.called:
            first.callback(1)
    return seen


async def task_group_fails() -> Any:
    """A child's failure cancels the body, and the others; Deferreds and all."""
    body: Deferred[None] = Deferred()
    other: Deferred[None] = Deferred()

    async def waits() -> None:
        await other

    async def fails() -> None:
        await asyncio.sleep(0)
        raise KeyError("k")

    async def group() -> None:
        async with asyncio.TaskGroup() as children:
            children.create_task(waits())
            children.create_task(fails())
            await body

    result = await outcome(group())
    task = asyncio.current_task()
    assert task is not None
    return result, body.cancelled(), other.cancelled(), task.cancelling()


async def task_group_waits() -> Any:
    d: Deferred[int] = Deferred()

    async def waits() -> int:
        return await d

    async with asyncio.TaskGroup() as children:
        child = children.create_task(waits())
        asyncio.get_running_loop().call_soon(d.callback, 5)
    return child.result()


async def shield_then_again() -> Any:
    """What is shielded goes on, and can be awaited again."""
    d: Deferred[int] = Deferred()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.shield(d)
    was_called = d.called
    d.callback(3)
    return was_called, await d


async def timeouts_in_a_row() -> Any:
    task = asyncio.current_task()
    assert task is not None
    seen: list[Any] = []
    for _ in range(3):
        try:
            async with asyncio.timeout(0):
                await Deferred()
        except TimeoutError:
            seen.append(task.cancelling())
        await asyncio.sleep(0)
    return seen


async def async_generator() -> Any:
    async def numbers() -> Any:
        try:
            for i in range(2):
                await asyncio.sleep(0)
                yield i
                yield await succeed(i + 10)
        finally:
            await asyncio.sleep(0)

    return [n async for n in numbers()]


async def async_with() -> Any:
    steps: list[str] = []

    class Manager:
        async def __aenter__(self) -> None:
            await asyncio.sleep(0)
            steps.append("in")

        async def __aexit__(self, *exc_info: object) -> bool:
            await succeed(None)
            await asyncio.sleep(0)
            steps.append("out")
            return True

    async with Manager():
        raise KeyError
    return steps


async def stream() -> Any:
    """A server and a client of asyncio's, both ends."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        writer.write(b"hello\n")
        await writer.drain()
        line = await reader.read()
        writer.close()
        await writer.wait_closed()
    return line


BODIES: dict[Callable[[], Any], Any] = {
    sleeps: "slept",
    queue: [0, 1, 2],
    queue_cancelled: 1,
    event: True,
    lock: (["a in", "b in", "c in"], [True, True, True]),
    lock_cancelled: False,
    condition: [1],
    semaphore: 2,
    to_thread: True,
    to_thread_fails: (
        "raised",
        ValueError,
        ("invalid literal for int() with base 10: 'x'",),
    ),
    executor: 3,
    gather_of_everything: [
        "coroutine",
        "future",
        "pending",
        "fired",
        "coroutine",
        "coroutine",
        "thread",
    ],
    gather_fails: (("raised", KeyError, ("k",)), False),
    wait_for_the_first: True,
    wait_for_the_first_failure: True,
    as_completed_in_order: [2, 1],
    task_group_fails: (
        ("raised", ExceptionGroup, (("raised", KeyError, ("k",)),)),
        True,
        True,
        0,
    ),
    task_group_waits: 5,
    shield_then_again: (False, 3),
    timeouts_in_a_row: [0, 0, 0],
    async_generator: [0, 10, 1, 11],
    async_with: ["in", "out"],
    stream: b"hello\n",
}


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
async def test_body(driver: Driver, body: Callable[[], Any], tidy: Any) -> None:
    assert await driver.outcome(body) == ("result", BODIES[body])
    if body is wait_for_the_first_failure:
        assert tidy == []  # `wait` has seen the failure


# -- what a generator can yield -----------------------------------------------


def full_queue() -> asyncio.Queue[str]:
    box: asyncio.Queue[str] = asyncio.Queue()
    box.put_nowait("item")
    return box


def set_event() -> asyncio.Event:
    happened = asyncio.Event()
    happened.set()
    return happened


#: It has every attribute that it is asked for, and is no future.
A_MOCK = mock.Mock()

YIELDED: dict[str, tuple[Callable[[], Any], Any]] = {
    "a value": (lambda: "value", "value"),
    "None": (lambda: None, None),
    "a list": (list, []),
    "a mock": (lambda: A_MOCK, A_MOCK),
    "a fired Deferred": (lambda: succeed(1), 1),
    "sleep(0)": (lambda: asyncio.sleep(0, "turn"), "turn"),
    "sleep": (lambda: asyncio.sleep(0.001, "slept"), "slept"),
    "a task": (lambda: asyncio.get_running_loop().create_task(asyncio.sleep(0, "task")), "task"),
    "gather": (lambda: asyncio.gather(succeed(1), asyncio.sleep(0, 2)), [1, 2]),
    "shield": (lambda: asyncio.shield(succeed(4)), 4),
    "to_thread": (lambda: asyncio.to_thread(str, 3), "3"),
    "wait_for": (lambda: asyncio.wait_for(succeed(5), 60), 5),
    "run_in_executor": (lambda: asyncio.get_running_loop().run_in_executor(None, str, 6), "6"),
    "Queue.get": (lambda: full_queue().get(), "item"),
    "Event.wait": (lambda: set_event().wait(), True),
    "Lock.acquire": (lambda: asyncio.Lock().acquire(), True),
}


@pytest.mark.parametrize("what", YIELDED)
async def test_a_generator_yields(what: str, tidy: Any) -> None:
    make, value = YIELDED[what]

    @inlineCallbacks
    def body() -> Generator[Any, Any, Any]:
        first = yield make()
        second = yield make()
        return [first, second]

    assert await body() == [value, value]


async def test_a_generator_yields_a_future_that_fails(tidy: Any) -> None:
    loop = asyncio.get_running_loop()

    @inlineCallbacks
    def body(future: asyncio.Future[None]) -> Generator[Any, Any, str]:
        try:
            yield future
        except KeyError as error:
            caught = repr(error)
        assert isinstance((yield asyncio.sleep(0)), type(None))
        return caught

    done, later = loop.create_future(), loop.create_future()
    done.set_exception(KeyError("done"))
    loop.call_soon(later.set_exception, KeyError("later"))
    assert await body(done) == "KeyError('done')"
    assert await body(later) == "KeyError('later')"


async def test_a_yielded_coroutine_runs_in_the_same_task(tidy: Any) -> None:
    """So what is entered in one `yield`, as a time-out, can be left in another."""

    @inlineCallbacks
    def body() -> Generator[Any, Any, Any]:
        async def inner() -> Any:
            await asyncio.sleep(0)
            return asyncio.current_task()

        assert (yield inner()) is asyncio.current_task()
        limit = asyncio.timeout(None)
        yield limit.__aenter__()
        limit.reschedule(0)
        try:
            yield Deferred()
        except CancelledError as error:
            try:
                yield limit.__aexit__(type(error), error, None)
            except TimeoutError:
                return "timed out"

    assert await body() == "timed out"


async def test_a_yielded_coroutine_cleans_up_before_the_generator_goes_on(tidy: Any) -> None:
    steps: list[str] = []

    async def inner() -> None:
        try:
            await Deferred()
        finally:
            await asyncio.sleep(0)
            steps.append("inner")

    @inlineCallbacks
    def body() -> Generator[Any, Any, None]:
        try:
            yield inner()
        finally:
            steps.append("outer")

    d = body()
    (task,) = asyncio.all_tasks() - {asyncio.current_task()}
    task.cancel("stop")
    assert await outcome(d) == cancelled("stop")
    assert steps == ["inner", "outer"]


# -- loops that the test runs -------------------------------------------------


def test_run_until_complete(loop_factory: LoopFactory) -> None:
    loop = loop_factory()
    try:
        assert loop.run_until_complete(succeed(1)) == 1
        d: Deferred[int] = Deferred()
        loop.call_soon(d.callback, 2)
        assert loop.run_until_complete(d) == 2
        with pytest.raises(KeyError):
            loop.run_until_complete(fail(KeyError()))
        cancelled_one: Deferred[int] = Deferred()
        loop.call_soon(cancelled_one.cancel, "why")
        with pytest.raises(CancelledError, match="why"):
            loop.run_until_complete(cancelled_one)
    finally:
        loop.close()


def test_a_deferred_may_be_awaited_in_one_loop_after_another(loop_factory: LoopFactory) -> None:
    d = succeed("kept")

    async def main() -> str:
        return await d

    for _ in range(2):
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            assert runner.run(main()) == "kept"
            assert runner.run(main()) == "kept"


STUBBORN = ["goes", "cleans up"]


@pytest.mark.parametrize("manner", STUBBORN)
def test_a_runner_cancels_and_awaits_our_coroutines(
    loop_factory: LoopFactory, manner: str, driver: Driver
) -> None:
    """As `asyncio.run` does at its end with every task."""
    seen: list[Any] = []
    waits_for: list[Callable[[], Any]] = [
        Deferred,
        lambda: asyncio.sleep(3600),
        lambda: asyncio.get_running_loop().create_future(),
        lambda: asyncio.gather(Deferred(), asyncio.sleep(3600)),
    ]

    def body(what: Callable[[], Any]) -> Callable[[], Any]:
        async def run() -> None:
            try:
                await what()
            except CancelledError:
                if manner == "cleans up":
                    await asyncio.sleep(0.001)
                    await succeed(None)
                seen.append("cancelled")
                raise

        return run

    handles: list[Any] = []

    async def main() -> str:
        handles.extend(driver.start(body(what)).handle for what in waits_for)
        await turns(2)
        return "done"

    reported: list[Any] = []
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: reported.append(context))
        assert runner.run(main()) == "done"
    assert seen == ["cancelled"] * 4
    assert all(handle.cancelled() for handle in handles)
    handles.clear()
    assert reported == []


def test_what_fails_at_shutdown_is_reported_once(loop_factory: LoopFactory, driver: Driver) -> None:
    async def body() -> None:
        try:
            await Deferred()
        finally:
            raise KeyError("at shutdown")

    kept: list[Any] = []  # or nobody would have it but itself, and it could be collected

    async def main() -> None:
        kept.append(driver.start(body))
        await turns(2)

    reported: list[Any] = []
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: reported.append(context))
        runner.run(main())
    assert [repr(context["exception"]) for context in reported] == ["KeyError('at shutdown')"]


# -- what cannot work says so -------------------------------------------------


def test_asyncio_without_a_loop_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.new_event_loop()
    future = loop.create_future()

    async def awaits() -> None:
        await future

    @inlineCallbacks
    def yields() -> Generator[Any, Any, None]:
        yield future

    async def turn() -> None:
        await asyncio.sleep(0)

    errors: list[str] = []
    for d in (ensureDeferred(awaits()), yields(), ensureDeferred(turn())):
        d.addErrback(lambda failure: errors.append(failure.getErrorMessage()))
    loop.close()
    assert len(errors) == 3
    assert all("loop" in error for error in errors)


async def test_a_future_of_another_loop_is_an_error(driver: Driver, tidy: Any) -> None:
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    kind, error, (text,) = await driver.outcome(lambda: future)
    loop.close()
    assert (kind, error) == ("raised", RuntimeError)
    assert "loop" in text


async def test_a_coroutine_that_yields_nonsense_is_told(tidy: Any) -> None:
    class Nonsense:
        def __await__(self) -> Generator[Any, Any, None]:
            yield "nonsense"

    async def body() -> None:
        await Nonsense()

    for result in (
        await outcome(ensureDeferred(body())),
        await outcome(PLAIN.start(body).handle),
    ):
        assert result[:2] == ("raised", RuntimeError)
        assert "nonsense" in result[2][0]


@pytest.mark.parametrize("driver", OURS, ids=lambda driver: driver.name)
async def test_a_coroutine_cannot_await_its_own_task(driver: Driver, tidy: Any) -> None:
    async def body() -> None:
        await asyncio.current_task()  # type: ignore[misc]  # it is not None here

    assert (await driver.outcome(body))[:2] == ("raised", RuntimeError)
