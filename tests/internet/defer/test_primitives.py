"""Locks, semaphores, queues, and the lock in the file system."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reactorlib.internet.defer import (
    AlreadyTryingToLockError,
    CancelledError,
    Deferred,
    DeferredFilesystemLock,
    DeferredLock,
    DeferredQueue,
    DeferredSemaphore,
    QueueOverflow,
    QueueUnderflow,
    TimeoutError,
)
from reactorlib.internet.task import Clock
from reactorlib.python.failure import Failure
from reactorlib.python.lockfile import FilesystemLock


class Boom(Exception):
    pass


Primitive = DeferredLock | DeferredSemaphore
one_at_a_time = pytest.mark.parametrize(
    "make", [DeferredLock, lambda: DeferredSemaphore(1)], ids=["lock", "semaphore"]
)


def outcome(d: Deferred[Any]) -> Any:
    """The value, or the type of the exception; "pending" before. Takes the result."""
    if not d.done():
        return "pending"
    result: list[Any] = []
    d.addBoth(result.append)
    return result[0].type if isinstance(result[0], Failure) else result[0]


# -- locks and semaphores -----------------------------------------------------


@one_at_a_time
def test_it_goes_to_who_waits_longest(make: Callable[[], Primitive]) -> None:
    lock = make()
    first, second, third = (lock.acquire() for _ in range(3))
    assert [outcome(d) for d in (first, second, third)] == [lock, "pending", "pending"]
    lock.release()
    assert [outcome(d) for d in (second, third)] == [lock, "pending"]
    lock.release()
    assert outcome(third) is lock


@one_at_a_time
def test_who_gives_up_is_passed_over(make: Callable[[], Primitive]) -> None:
    lock = make()
    lock.acquire()
    second, third = lock.acquire(), lock.acquire()
    second.cancel()
    assert outcome(second) is CancelledError
    lock.release()
    assert outcome(third) is lock
    third.cancel()  # it has it, and nothing happens
    assert outcome(lock.acquire()) == "pending"


@one_at_a_time
def test_nobody_can_give_back_what_nobody_has(make: Callable[[], Primitive]) -> None:
    lock = make()
    with pytest.raises(RuntimeError):
        lock.release()
    lock.acquire()
    lock.release()
    with pytest.raises(RuntimeError):
        lock.release()


def test_a_lock_says_whether_it_is_locked() -> None:
    lock = DeferredLock()
    assert not lock.locked
    lock.acquire()
    assert lock.locked
    lock.release()
    assert not lock.locked


def test_a_semaphore_counts() -> None:
    semaphore = DeferredSemaphore(2)
    taken = [semaphore.acquire() for _ in range(3)]
    assert [outcome(d) for d in taken] == [semaphore, semaphore, "pending"]
    assert (semaphore.tokens, semaphore.limit) == (0, 2)
    semaphore.release()
    assert semaphore.tokens == 0
    semaphore.release()
    semaphore.release()
    assert semaphore.tokens == 2
    with pytest.raises(RuntimeError):
        semaphore.release()


@pytest.mark.parametrize("tokens", [0, -1])
def test_a_semaphore_has_at_least_one_token(tokens: int) -> None:
    with pytest.raises(ValueError, match=str(tokens)):
        DeferredSemaphore(tokens)


@one_at_a_time
def test_run_holds_it_until_the_outcome_is_there(make: Callable[[], Primitive]) -> None:
    lock = make()
    work = Deferred[int]()
    calls: list[Any] = []

    def begin(*args: object, **kwargs: object) -> Deferred[int]:
        calls.append((args, kwargs))
        return work

    running = lock.run(begin, 1, two=2)
    waiting = lock.run(lambda: "next")
    assert calls == [((1,), {"two": 2})]
    assert outcome(waiting) == "pending"
    work.callback(5)
    assert (outcome(running), outcome(waiting)) == (5, "next")
    assert outcome(lock.acquire()) is lock


def raise_boom() -> None:
    raise Boom


async def boom_later() -> None:
    await asyncio.sleep(0)
    raise Boom


@one_at_a_time
@pytest.mark.parametrize("function", [raise_boom, boom_later])
async def test_run_gives_it_back_after_an_error(
    make: Callable[[], Primitive], function: Callable[[], Any], errors: Any
) -> None:
    lock = make()
    with pytest.raises(Boom):
        await lock.run(function)
    assert outcome(lock.acquire()) is lock


@one_at_a_time
@pytest.mark.parametrize("exit", [KeyboardInterrupt, SystemExit])
def test_run_gives_it_back_when_the_function_exits(
    make: Callable[[], Primitive], exit: type[BaseException]
) -> None:
    """At once, and after a wait; who waits behind has it then."""
    lock = make()

    def exits() -> None:
        raise exit

    with pytest.raises(exit):
        lock.run(exits)
    assert outcome(lock.acquire()) is lock
    lock.run(exits)
    behind = lock.acquire()
    with pytest.raises(exit):
        lock.release()
    assert outcome(behind) is lock


@one_at_a_time
async def test_run_takes_a_coroutine_function(make: Callable[[], Primitive], errors: Any) -> None:
    lock = make()
    order: list[str] = []

    async def work(name: str) -> str:
        order.append(name)
        await asyncio.sleep(0)
        order.append(name)
        return name

    results = await asyncio.gather(lock.run(work, "a"), lock.run(work, "b"))
    assert list(results) == ["a", "b"]
    assert order == ["a", "a", "b", "b"]


@one_at_a_time
def test_cancelling_run_cancels_what_it_is_at(make: Callable[[], Primitive]) -> None:
    lock = make()
    work = Deferred[None]()
    running, waiting = lock.run(lambda: work), lock.run(lambda: None)
    waiting.cancel()
    running.cancel()
    assert (outcome(running), outcome(waiting)) == (CancelledError, CancelledError)
    assert outcome(lock.acquire()) is lock


@one_at_a_time
async def test_async_with_takes_it_and_gives_it_back(
    make: Callable[[], Primitive], errors: Any
) -> None:
    lock = make()
    waiting: list[Deferred[Any]] = []

    async def use() -> None:
        async with lock as held:
            assert held is lock
            waiting.append(lock.acquire())
            assert not waiting[0].called
            raise Boom

    with pytest.raises(Boom):
        await use()
    assert outcome(waiting[0]) is lock


@one_at_a_time
async def test_a_task_cancelled_before_it_knows_that_it_has_it_gives_it_back(
    make: Callable[[], Primitive], errors: Any
) -> None:
    lock = make()
    lock.acquire()

    async def work() -> None:
        async with lock:
            raise AssertionError("not reached")

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    lock.release()
    task.cancel()
    with pytest.raises(CancelledError):
        await task
    assert outcome(lock.acquire()) is lock


@one_at_a_time
async def test_a_task_cancelled_in_the_row_leaves_it(
    make: Callable[[], Primitive], errors: Any
) -> None:
    lock = make()
    lock.acquire()

    async def work() -> None:
        async with lock:
            raise AssertionError("not reached")

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(CancelledError):
        await task
    assert outcome(lock.acquire()) == "pending"  # the first holder still has it
    assert len(lock.waiting) == 1


# -- queues -------------------------------------------------------------------


def test_what_is_put_in_comes_out_in_order() -> None:
    queue = DeferredQueue[int]()
    queue.put(1)
    queue.put(2)
    assert [outcome(queue.get()) for _ in range(3)] == [1, 2, "pending"]


def test_it_comes_out_to_who_waits_longest() -> None:
    queue = DeferredQueue[int]()
    first, second = queue.get(), queue.get()
    queue.put(1)
    assert (outcome(first), outcome(second)) == (1, "pending")
    queue.put(2)
    assert outcome(second) == 2


def test_a_queue_can_be_bounded() -> None:
    queue = DeferredQueue[int](size=1, backlog=1)
    queue.put(1)
    with pytest.raises(QueueOverflow):
        queue.put(2)
    assert outcome(queue.get()) == 1
    waiting = queue.get()
    with pytest.raises(QueueUnderflow):
        queue.get()
    queue.put(3)
    assert outcome(waiting) == 3


def test_a_queue_of_no_size_or_backlog_refuses_at_once() -> None:
    with pytest.raises(QueueOverflow):
        DeferredQueue[int](size=0).put(1)
    with pytest.raises(QueueUnderflow):
        DeferredQueue[int](backlog=0).get()


def test_a_get_that_is_cancelled_loses_nothing() -> None:
    queue = DeferredQueue[int](backlog=1)
    first = queue.get()
    first.cancel()
    assert outcome(first) is CancelledError
    second = queue.get()
    queue.put(1)
    assert outcome(second) == 1


# -- the lock in the file system ----------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "lock")


def test_a_free_lock_is_had_at_once(path: str) -> None:
    clock = Clock()
    lock = DeferredFilesystemLock(path, clock)
    assert outcome(lock.deferUntilLocked(timeout=5)) is None
    assert lock.locked
    assert clock.getDelayedCalls() == []
    lock.unlock()


def test_a_held_lock_is_tried_every_second(path: str) -> None:
    clock = Clock()
    holder = FilesystemLock(path)
    holder.lock()
    lock = DeferredFilesystemLock(path, clock)
    waiting = lock.deferUntilLocked()
    clock.pump([1, 1, 0.5])
    holder.unlock()
    assert outcome(waiting) == "pending"
    clock.advance(0.5)
    assert outcome(waiting) is None
    assert lock.locked
    assert clock.getDelayedCalls() == []


def test_waiting_ends_at_the_timeout(path: str) -> None:
    clock = Clock()
    FilesystemLock(path).lock()
    lock = DeferredFilesystemLock(path, clock)
    waiting = lock.deferUntilLocked(timeout=2.5)
    clock.pump([1, 1])
    assert outcome(waiting) == "pending"
    clock.advance(0.5)
    assert outcome(waiting) is TimeoutError
    assert not lock.locked
    assert clock.getDelayedCalls() == []


def test_one_object_waits_once(path: str) -> None:
    clock = Clock()
    holder = FilesystemLock(path)
    holder.lock()
    lock = DeferredFilesystemLock(path, clock)
    waiting = lock.deferUntilLocked()
    assert outcome(lock.deferUntilLocked()) is AlreadyTryingToLockError
    holder.unlock()
    clock.advance(1)
    assert outcome(waiting) is None
    lock.unlock()
    assert outcome(lock.deferUntilLocked()) is None


def test_cancelling_ends_the_waiting(path: str) -> None:
    clock = Clock()
    FilesystemLock(path).lock()
    lock = DeferredFilesystemLock(path, clock)
    waiting = lock.deferUntilLocked(timeout=9)
    waiting.cancel()
    assert outcome(waiting) is CancelledError
    assert clock.getDelayedCalls() == []
    assert outcome(lock.deferUntilLocked()) == "pending"


def test_a_lock_that_cannot_be_made_fails(tmp_path: Path) -> None:
    clock = Clock()
    lock = DeferredFilesystemLock(str(tmp_path / "no such folder" / "lock"), clock)
    assert issubclass(outcome(lock.deferUntilLocked(timeout=1)), OSError)
    assert clock.getDelayedCalls() == []
