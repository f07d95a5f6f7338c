"""The pool of threads: who does what work, how many there are, and their end."""

from __future__ import annotations

import contextvars
import gc
import logging
import pickle
import queue
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reactorlib.python.failure import Failure
from reactorlib.python.threadpool import ThreadPool

pytestmark = pytest.mark.timeout(20)


class Work:
    """Calls that say when they have begun, and go on when they are told to."""

    def __init__(self) -> None:
        self.begun: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.go_on = threading.Event()

    def __call__(self, number: int = 0) -> None:
        self.begun.put(number)
        assert self.go_on.wait(10)

    def wait_for(self, number: int) -> list[int]:
        """Wait until so many have begun; which."""
        return [self.begun.get(timeout=10) for _ in range(number)]


@pytest.fixture
def work() -> Iterator[Work]:
    made = Work()
    yield made
    made.go_on.set()


@pytest.fixture
def pools() -> Iterator[Callable[..., ThreadPool]]:
    """Makes pools that are started, and stops them after the test."""
    made: list[ThreadPool] = []

    def make(least: int = 0, most: int = 3) -> ThreadPool:
        pool = ThreadPool(least, most, "test")
        made.append(pool)
        pool.start()
        return pool

    yield make
    for pool in made:
        pool.stop()


def settled(pool: ThreadPool) -> None:
    """Wait until no thread of the pool has anything to do."""
    crew = pool._crew
    while True:
        with crew.lock:
            if crew.idle == crew.size and not crew.backlog:
                return


def result_of(pool: ThreadPool, function: Callable[..., Any], *args: Any) -> tuple[bool, Any]:
    outcomes: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
    pool.callInThreadWithCallback(lambda *outcome: outcomes.put(outcome), function, *args)
    return outcomes.get(timeout=10)


# -- how many -----------------------------------------------------------------


@pytest.mark.parametrize("least", [0, 2, 3])
def test_it_starts_with_the_minimum(pools: Any, least: int) -> None:
    pool = pools(least, 3)
    assert len(pool.threads) == pool.workers == least
    assert all(thread.name.startswith("PoolThread-test-") for thread in pool.threads)


def test_it_grows_to_the_maximum_and_no_further(pools: Any, work: Work) -> None:
    pool = pools(1, 3)
    for number in range(5):
        pool.callInThread(work, number)
    assert sorted(work.wait_for(3)) == [0, 1, 2]
    assert (pool.workers, len(pool.working), len(pool.waiters), pool.q.qsize()) == (3, 3, 0, 2)
    work.go_on.set()
    assert sorted(work.wait_for(2)) == [3, 4]
    settled(pool)
    assert (pool.workers, len(pool.working), len(pool.waiters), pool.q.qsize()) == (3, 0, 3, 0)


def test_an_idle_thread_is_used_again(pools: Any) -> None:
    pool = pools(0, 3)
    first = result_of(pool, threading.get_ident)
    settled(pool)
    assert result_of(pool, threading.get_ident) == first
    assert pool.workers == 1


def test_a_thread_is_started_for_work_that_others_wait_for(pools: Any) -> None:
    """No thread counts as idle while work is on its way to it."""
    pool = pools(0, 10)
    for _ in range(100):
        event = threading.Event()
        waiting = [threading.Event() for _ in range(3)]
        for each in waiting:
            pool.callInThread(lambda each=each, event=event: event.wait(10) and each.set())
        pool.callInThread(event.set)
        assert all(each.wait(10) for each in waiting)


def test_work_waits_for_the_start(work: Work) -> None:
    pool = ThreadPool(0, 3)
    for number in range(5):
        pool.callInThread(work, number)
    assert (pool.workers, pool.q.qsize()) == (0, 5)
    pool.start()
    assert work.wait_for(3)
    assert pool.workers == 3
    work.go_on.set()
    pool.stop()
    assert len(work.wait_for(2)) == 2


def test_it_can_be_made_larger(pools: Any, work: Work) -> None:
    pool = pools(0, 1)
    for _ in range(4):
        pool.callInThread(work)
    work.wait_for(1)
    pool.adjustPoolsize(maxthreads=3)
    work.wait_for(2)
    assert (pool.min, pool.max, pool.workers, pool.q.qsize()) == (0, 3, 3, 1)
    pool.adjustPoolsize(5, 5)
    work.wait_for(1)
    assert pool.workers == 5


def test_it_can_be_made_smaller(pools: Any, work: Work) -> None:
    """Idle threads end at once, others when they have done their work."""
    pool = pools(4, 4)
    pool.callInThread(work)
    pool.callInThread(work)
    work.wait_for(2)
    while len(pool.waiters) < 2:
        pass  # the others have begun, and take a moment to be idle
    threads = pool.threads
    pool.adjustPoolsize(0, 1)
    pool.adjustPoolsize(0, 1)  # nothing more
    assert pool.workers == 2
    work.go_on.set()
    settled(pool)
    assert pool.workers == 1
    while sum(thread.is_alive() for thread in threads) > 1:
        pass  # those that were sent away take a moment to go
    assert len(pool.threads) == 1
    assert result_of(pool, abs, -1) == (True, 1)


def test_a_pool_of_none_does_its_work_when_it_has_threads_again(pools: Any, work: Work) -> None:
    pool = pools(0, 1)
    pool.callInThread(work, 1)
    work.wait_for(1)
    pool.callInThread(work, 2)
    pool.adjustPoolsize(0, 0)
    work.go_on.set()
    assert work.wait_for(1) == [2]  # the last thread leaves nothing behind
    while pool.workers:
        pass
    pool.callInThread(work, 3)
    assert pool.q.qsize() == 1
    pool.adjustPoolsize(0, 1)
    assert work.wait_for(1) == [3]


def test_single_threads_can_be_added_and_sent_away(pools: Any, work: Work) -> None:
    pool = pools(0, 2)
    for _ in range(3):
        pool.startAWorker()
    assert pool.workers == 2
    settled(pool)
    pool.stopAWorker()
    assert pool.workers == 1
    pool.callInThread(work)
    work.wait_for(1)
    pool.stopAWorker()
    work.go_on.set()
    while pool.workers:
        pass
    assert result_of(pool, abs, -1) == (True, 1)


def test_a_thread_that_is_sent_away_leaves_no_work_behind(pools: Any, work: Work) -> None:
    pool = pools(0, 1)
    pool.callInThread(work, 1)
    work.wait_for(1)
    pool.callInThread(work, 2)
    pool.stopAWorker()
    work.go_on.set()
    assert work.wait_for(1) == [2]
    while pool.workers:
        pass  # and then it goes


@pytest.mark.parametrize("sizes", [(-1, 3), (4, 3)])
def test_sizes_that_cannot_be_are_refused(sizes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="maximum is no less"):
        ThreadPool(*sizes)
    with pytest.raises(ValueError, match="maximum is no less"):
        ThreadPool().adjustPoolsize(*sizes)


def test_where_the_system_has_no_more_threads_the_others_do_the_work(work: Work) -> None:
    class Poor(ThreadPool):
        def threadFactory(self, **kwargs: Any) -> threading.Thread:
            thread = threading.Thread(**kwargs)
            if self.workers:
                thread.start = no_more  # type: ignore[method-assign]
            return thread

    def no_more() -> None:
        raise RuntimeError("can't start new thread")

    pool = Poor(0, 3)
    pool.start()
    pool.callInThread(work, 1)
    pool.callInThread(work, 2)
    assert work.wait_for(1) == [1]
    assert (pool.workers, pool.q.qsize()) == (1, 1)
    work.go_on.set()
    pool.stop()
    assert work.wait_for(1) == [2]


def test_where_the_system_has_no_threads_at_all_the_caller_is_told() -> None:
    class Poorest(ThreadPool):
        def threadFactory(self, **kwargs: Any) -> threading.Thread:
            thread = threading.Thread(**kwargs)
            thread.start = no_more  # type: ignore[method-assign]
            return thread

    def no_more() -> None:
        raise RuntimeError("can't start new thread")

    pool = Poorest(0, 3)
    pool.start()
    with pytest.raises(RuntimeError, match="can't start"):
        pool.callInThread(abs, -1)
    assert (pool.workers, pool.threads) == (0, [])
    pool.stop()


def test_dumpStats_logs_what_there_is(pools: Any, caplog: pytest.LogCaptureFixture) -> None:
    pool = pools(2, 2)
    settled(pool)
    with caplog.at_level(logging.INFO):
        pool.dumpStats()
    assert caplog.messages[:2] == ["waiters: 2", "workers: 0"]
    assert caplog.messages[2].count("PoolThread-test-") == 2


def test_currentThread_is_deprecated(pools: Any) -> None:
    with pytest.warns(DeprecationWarning, match="please use threading.current_thread instead"):
        assert pools(0, 1).currentThread() is threading.current_thread()


# -- the calls ----------------------------------------------------------------


def test_what_a_call_returns_or_raises_is_told_in_its_thread(pools: Any) -> None:
    pool = pools(0, 1)
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def tell(well: bool, result: Any) -> None:
        told.put((well, result, threading.get_ident()))

    def fail() -> None:
        raise ZeroDivisionError

    pool.callInThreadWithCallback(
        tell, lambda *args, **kw: (args, kw, threading.get_ident()), 1, a=2
    )
    well, (args, kw, thread), told_in = told.get(timeout=10)
    assert (well, args, kw) == (True, (1,), {"a": 2})
    assert thread == told_in != threading.get_ident()
    pool.callInThreadWithCallback(tell, fail)
    well, failure, _ = told.get(timeout=10)
    assert not well
    assert failure.type is ZeroDivisionError
    assert failure.frames[-1][0] == "fail"


def test_even_SystemExit_is_told(pools: Any) -> None:
    """It would otherwise end the thread, and nobody would know."""
    pool = pools(0, 1)
    well, failure = result_of(pool, sys.exit, 3)
    assert (well, failure.type, failure.value.code) == (False, SystemExit, 3)
    assert result_of(pool, abs, -1) == (True, 1)


def test_an_error_that_nobody_is_told_of_is_reported(
    pools: Any, caplog: pytest.LogCaptureFixture
) -> None:
    pool = pools(0, 1)
    pool.callInThread(lambda: 1 // 0)
    pool.callInThreadWithCallback(None, lambda: 1 // 0)
    pool.callInThreadWithCallback(lambda well, result: 1 // 0, abs, -1)
    settled(pool)
    assert [record.exc_info and record.exc_info[0] for record in caplog.records] == [
        ZeroDivisionError
    ] * 3
    assert result_of(pool, abs, -1) == (True, 1)


_asked_by = contextvars.ContextVar("_asked_by", default="nobody")


def test_a_call_has_a_copy_of_its_makers_context(pools: Any) -> None:
    pool = pools(0, 1)
    told: queue.SimpleQueue[str] = queue.SimpleQueue()

    def call() -> None:
        told.put(_asked_by.get())
        _asked_by.set("the thread")

    for name in ("one", "two"):
        context = contextvars.copy_context()
        context.run(_asked_by.set, name)
        context.run(
            pool.callInThreadWithCallback, lambda well, result: told.put(_asked_by.get()), call
        )
        assert [told.get(timeout=10) for _ in range(2)] == [name, "the thread"]
        assert context[_asked_by] == name


def test_nothing_is_kept_of_a_call_that_was_made(pools: Any) -> None:
    """Not even while its result is told."""

    class Thing:
        pass

    pool = pools(0, 1)
    kept: queue.SimpleQueue[Any] = queue.SimpleQueue()
    go_on = threading.Event()
    thing = Thing()
    ref = weakref.ref(thing)

    def call(thing: Thing) -> Thing:
        return Thing()

    def tell(well: bool, result: Thing) -> None:
        assert go_on.wait(10)
        kept.put(ref())
        kept.put(weakref.ref(result))

    pool.callInThreadWithCallback(tell, call, thing)
    del thing
    go_on.set()
    assert kept.get(timeout=10) is None
    result = kept.get(timeout=10)
    settled(pool)
    assert result() is None


def test_work_from_many_threads_at_once_is_all_done(pools: Any) -> None:
    pool = pools(1, 4)
    done: queue.SimpleQueue[int] = queue.SimpleQueue()

    def give(base: int) -> None:
        for number in range(500):
            pool.callInThread(done.put, base + number)

    givers = [threading.Thread(target=give, args=(base,)) for base in range(0, 2000, 500)]
    for giver in givers:
        giver.start()
    for giver in givers:
        giver.join(10)
    assert sorted(done.get(timeout=10) for _ in range(2000)) == list(range(2000))
    assert pool.workers <= 4


# -- the end ------------------------------------------------------------------


def test_stop_waits_for_all_work(work: Work) -> None:
    pool = ThreadPool(0, 2)
    pool.start()
    for number in range(5):
        pool.callInThread(work, number)
    work.wait_for(2)
    threads = pool.threads
    work.go_on.set()
    pool.stop()
    assert sorted(work.wait_for(3)) == [2, 3, 4]
    assert not any(thread.is_alive() for thread in threads)
    assert (pool.started, pool.joined, pool.threads) == (False, True, [])


def test_a_stopped_pool_takes_no_work(pools: Any) -> None:
    pool = pools()
    pool.stop()
    with pytest.raises(RuntimeError, match="takes no more work"):
        pool.callInThread(abs, -1)
    pool.adjustPoolsize(2)
    assert pool.threads == []


def test_a_stopped_pool_can_be_started_again(pools: Any) -> None:
    pool = pools(1, 1)
    pool.stop()
    pool.start()
    pool.start()  # nothing more
    assert (pool.started, pool.joined, pool.workers) == (True, False, 1)
    assert result_of(pool, abs, -1) == (True, 1)


class Busy:
    """A lock; whoever is the next to want it waits until something else is done."""

    def __init__(self, lock: Any, meanwhile: Callable[[], object]) -> None:
        self.lock = lock
        self.meanwhile: Callable[[], object] | None = meanwhile

    def __enter__(self) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        self.lock.acquire()

    def __exit__(self, *exc: object) -> None:
        self.lock.release()


@pytest.mark.parametrize("least", [0, 1])
def test_work_given_while_it_begins_to_stop_is_done(pools: Any, least: int) -> None:
    """Or refused, from the moment when it takes none any more; never taken and lost."""
    pool = pools(least, 1)
    settled(pool)
    done: list[int] = []
    pool._crew.lock = Busy(pool._crew.lock, lambda: pool.callInThread(done.append, 1))
    pool.stop()
    assert done == [1]
    with pytest.raises(RuntimeError, match="takes no more work"):
        pool.callInThread(done.append, 2)


def test_two_that_stop_it_at_once_both_wait_for_its_work(pools: Any, work: Work) -> None:
    pool = pools(0, 1)
    crew = pool._crew
    pool.callInThread(work)
    work.wait_for(1)
    threads = pool.threads

    def stop() -> None:
        work.go_on.set()
        pool.stop()

    crew.lock = Busy(crew.lock, stop)
    pool.stop()
    assert not any(thread.is_alive() for thread in threads)
    assert (pool.started, pool.joined) == (False, True)
    pool.start()
    assert result_of(pool, abs, -1) == (True, 1)


def test_stop_in_a_thread_of_its_own_does_not_wait_for_that(pools: Any) -> None:
    pool = pools(2, 2)
    threads = pool.threads
    assert result_of(pool, pool.stop) == (True, None)
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize("forget", [False, True])
def test_the_end_can_be_waited_for_elsewhere(work: Work, forget: bool) -> None:
    pool = ThreadPool(0, 1)
    pool.start()
    gone = threading.Event()
    for number in range(3):
        pool.callInThread(work, number)
    work.wait_for(1)
    pool._end(gone.set, forget)
    assert not gone.is_set()
    work.go_on.set()
    assert gone.wait(10)
    assert work.begun.qsize() == (0 if forget else 2)


def test_the_end_of_a_pool_without_threads_is_told_at_once() -> None:
    pool = ThreadPool(0, 1)
    pool.start()
    gone = threading.Event()
    pool._end(gone.set)
    assert gone.is_set()


def test_a_pool_that_is_forgotten_ends(pools: Any) -> None:
    pool = ThreadPool(2, 2)
    pool.start()
    threads = pool.threads
    del pool
    gc.collect()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


def test_a_pool_that_nobody_stops_does_not_keep_the_process() -> None:
    """And finishes what it was given."""
    program = """
from reactorlib.python.threadpool import ThreadPool
import threading
go_on = threading.Event()
pool = ThreadPool(0, 1)
pool.start()
pool.callInThread(go_on.wait)
for number in range(3):
    pool.callInThread(print, number, flush=True)
other = ThreadPool(2, 2)
other.start()
go_on.set()
"""
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=15,
    )
    assert (found.stdout, found.stderr, found.returncode) == ("0\n1\n2\n", "", 0)


def test_a_pickled_pool_keeps_its_bounds() -> None:
    copy = pickle.loads(pickle.dumps(ThreadPool(7, 20, "x")))
    assert (copy.min, copy.max, copy.started) == (7, 20, False)


def test_a_failure_that_is_told_can_be_raised(pools: Any) -> None:
    _, failure = result_of(pools(0, 1), int, "x")
    assert isinstance(failure, Failure)
    with pytest.raises(ValueError, match="invalid literal"):
        failure.raiseException()
