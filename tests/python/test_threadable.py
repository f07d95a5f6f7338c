"""Locks on methods, and which thread is for I/O."""

from __future__ import annotations

import pickle
import threading

import pytest

from reactorlib.python import threadable


class Counter:
    synchronized = ["add", "add_two"]

    def __init__(self) -> None:
        self.inside = 0
        self.worst = 0
        self.entered = threading.Barrier(2)

    def add(self) -> None:
        self.inside += 1
        self.worst = max(self.worst, self.inside)
        try:
            # The other thread never comes here as well.
            self.entered.wait(0.01)
        except threading.BrokenBarrierError:
            pass
        self.inside -= 1

    def add_two(self) -> None:
        self.add()
        self.add()


threadable.synchronize(Counter)


def test_one_thread_at_a_time_is_in_a_synchronized_method() -> None:
    counter = Counter()
    threads = [threading.Thread(target=method) for method in (counter.add, counter.add_two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert counter.worst == 1
    assert counter.add.__name__ == "add"


def test_two_objects_do_not_wait_for_each_other() -> None:
    one, two = Counter(), Counter()
    one.add()  # which makes its lock
    with one.__dict__["_threadable_lock"]:
        thread = threading.Thread(target=two.add)
        thread.start()
        thread.join(10)
        assert not thread.is_alive()


def test_a_lock_can_be_taken_again_by_its_owner_only() -> None:
    lock = threadable.XLock()
    taken: list[bool] = []
    with lock, lock:
        thread = threading.Thread(target=lambda: taken.append(lock.acquire(False)))
        thread.start()
        thread.join(10)
    assert taken == [False]
    assert lock.acquire(timeout=0)
    lock.release()
    with pytest.raises(RuntimeError):
        lock.release()


def test_a_pickled_lock_is_free() -> None:
    lock = threadable.XLock()
    with lock:
        copy = pickle.loads(pickle.dumps(lock))
    assert type(copy) is threadable.XLock
    assert copy.acquire(False)


def test_threads_cannot_be_switched_off() -> None:
    threadable.init()
    assert threadable.threaded
    with pytest.raises(RuntimeError, match="cannot be switched off"):
        threadable.init(0)


async def test_the_thread_of_a_loop_is_for_io() -> None:
    found: list[bool] = []
    assert threadable.isInIOThread()
    thread = threading.Thread(target=lambda: found.append(threadable.isInIOThread()))
    thread.start()
    thread.join(10)
    assert found == [False]


def test_another_thread_can_be_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threadable, "ioThread", None)
    assert not threadable.isInIOThread()
    threadable.registerAsIOThread()
    assert threadable.isInIOThread()
    assert threadable.ioThread == threadable.getThreadID() == threading.get_ident()
