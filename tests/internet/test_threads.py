"""Into threads and back: what runs where, in which order and context, and how it ends."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import queue
import subprocess
import sys
import textwrap
import threading
import traceback
import weakref
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

import pytest

import reactorlib
from reactorlib.internet import reactor
from reactorlib.internet._current import current_reactor
from reactorlib.internet._reactor._threads import Answer
from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor
from reactorlib.internet.defer import CancelledError, Deferred, ensureDeferred, fail, succeed
from reactorlib.internet.error import ReactorNotRunning
from reactorlib.internet.interfaces import (
    IReactorFromThreads,
    IReactorInThreads,
    IReactorThreads,
)
from reactorlib.internet.threads import (
    blockingCallFromThread,
    callMultipleInThread,
    deferToThread,
    deferToThreadPool,
)
from reactorlib.python.threadpool import ThreadPool

pytestmark = pytest.mark.timeout(20)

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


class InThread(threading.Thread):
    """A call in a thread; `result` waits for what it returns, or raises what it raises."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        super().__init__(daemon=True)
        self._call = function, args
        self._error: BaseException | None = None
        self._result: Any = None
        self.start()

    def run(self) -> None:
        function, args = self._call
        try:
            self._result = function(*args)
        except BaseException as exception:
            self._error = exception

    def result(self) -> Any:
        self.join(10)
        assert not self.is_alive()
        if self._error is not None:
            raise self._error
        return self._result

    async def outcome(self) -> Any:
        """The same, while the loop runs on."""
        async with asyncio.timeout(10):
            while self.is_alive():
                await asyncio.sleep(0.001)
        return self.result()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What holds threads up; it is opened after the test at the latest."""
    event = threading.Event()
    yield event
    event.set()


def pool_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("PoolThread-")]


@pytest.fixture(autouse=True)
def no_threads_left() -> Iterator[None]:
    before = pool_threads()
    yield
    gc.collect()
    for thread in pool_threads():
        if thread not in before:
            thread.join(10)
    assert [thread for thread in pool_threads() if thread not in before] == []


_asked_by = contextvars.ContextVar("_asked_by", default="nobody")


def asks(name: str, function: Callable[..., Any], *args: Any) -> Any:
    context = contextvars.copy_context()
    context.run(_asked_by.set, name)
    return context.run(function, *args)


def run(begun: Callable[[], object], loop_factory: LoopFactory) -> None:
    reactor.callWhenRunning(begun)
    reactor.run(loop_factory=loop_factory, installSignalHandlers=False)


# -- deferToThread ------------------------------------------------------------


async def test_deferToThread_gives_what_the_function_returns() -> None:
    def work(*args: Any, **kwargs: Any) -> Any:
        return args, kwargs, threading.get_ident()

    async with reactor:
        args, kwargs, thread = await deferToThread(work, 1, 2, three=3)
    assert (args, kwargs) == ((1, 2), {"three": 3})
    assert thread != threading.get_ident()


async def test_deferToThread_fails_with_what_the_function_raises() -> None:
    def work() -> None:
        raise ZeroDivisionError("here")

    async with reactor:
        with pytest.raises(ZeroDivisionError, match="here") as caught:
            await deferToThread(work)
    assert "in work" in "".join(traceback.format_exception(caught.value))


@pytest.mark.timeout(20)
async def test_a_deferred_from_a_thread_is_an_error_that_says_what_to_do(errors: Any) -> None:
    """Promise 11: it never hangs."""
    async with reactor:
        with pytest.raises(TypeError, match=r"returned <Deferred.*blockingCallFromThread\(\)"):
            await deferToThread(lambda: succeed(5))


async def test_the_deferred_fires_in_the_reactors_thread_and_in_the_makers_context() -> None:
    told: list[Any] = []
    async with reactor:
        done = asks("maker", deferToThread, _asked_by.get)
        done.addCallback(told.append)
        done.addCallback(lambda _: told.extend([threading.get_ident(), _asked_by.get()]))
        await done
    assert told == ["maker", threading.get_ident(), "maker"]


async def test_cancelling_what_has_begun_drops_its_result(errors: Any, gate: Any) -> None:
    begun = asyncio.Event()
    finished: list[str] = []

    def work() -> None:
        reactor.callFromThread(begun.set)
        gate.wait(10)
        finished.append("finished")
        raise ZeroDivisionError

    async with reactor:
        done = deferToThread(work)
        await begun.wait()
        done.cancel()
        with pytest.raises(CancelledError):
            await done
        assert finished == []
        gate.set()
    assert finished == ["finished"]


async def test_cancelling_what_has_not_begun_takes_it_back(gate: Any) -> None:
    class Thing:
        pass

    called: list[Any] = []
    async with reactor:
        reactor.suggestThreadPoolSize(1)
        first = deferToThread(gate.wait, 10)
        thing = Thing()
        kept = weakref.ref(thing)
        second = deferToThread(called.append, thing)
        third = deferToThread(called.append, "third")
        second.cancel()
        del thing
        gc.collect()
        assert kept() is None
        with pytest.raises(CancelledError):
            await second
        gate.set()
        await third
        await first
    assert called == ["third"]


async def test_a_task_that_waits_for_a_thread_can_be_cancelled(gate: Any) -> None:
    async with reactor:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await deferToThread(gate.wait, 10)
        gate.set()


async def test_deferToThreadPool_takes_any_pool() -> None:
    class Here:
        def callInThreadWithCallback(
            self, done: Callable[[bool, Any], object], function: Callable[[], Any]
        ) -> None:
            done(True, function())

    pool = ThreadPool(0, 1)
    pool.start()
    try:
        async with reactor:
            for each in (pool, Here()):
                assert await deferToThreadPool(reactor, each, abs, -1) == 1
    finally:
        pool.stop()
    with pytest.raises(RuntimeError, match="has been stopped"):
        deferToThreadPool(reactor, pool, abs, -1)


def test_deferToThreadPool_may_be_the_first_to_use_the_reactor(loop_factory: Any) -> None:
    """Nothing has asked for the loop's reactor before: the thread cannot know it."""
    pool = ThreadPool(0, 1)
    pool.start()

    async def main() -> int:
        async with asyncio.timeout(5):
            return await deferToThreadPool(reactor, pool, abs, -1)

    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            assert runner.run(main()) == 1
    finally:
        pool.stop()


async def test_callMultipleInThread_makes_the_calls_in_order() -> None:
    told: list[Any] = []
    done: Deferred[None] = Deferred()
    async with reactor:
        callMultipleInThread(
            [(told.append, [number], {}) for number in range(5)]
            + [(lambda **kw: told.append(kw), [], {"a": 1})]
            + [(reactor.callFromThread, [done.callback, None], {})]
        )
        await done
    assert told == [0, 1, 2, 3, 4, {"a": 1}]


# -- callInThread -------------------------------------------------------------


def test_callInThread_waits_for_the_loop(loop_factory: LoopFactory) -> None:
    told: list[Any] = []

    def work(name: str, stop: bool = False) -> None:
        told.append((name, _asked_by.get(), threading.get_ident() != main))
        reactor.callFromThread(reactor.stop)

    main = threading.get_ident()
    asks("me", reactor.callInThread, work, "called")
    pool = reactor.getThreadPool()
    assert (told, pool.started) == ([], False)
    reactor.run(loop_factory=loop_factory)
    assert told == [("called", "me", True)]
    assert (pool.started, pool.joined) == (False, True)


async def test_an_error_in_callInThread_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    async with reactor:
        reactor.callInThread(lambda: 1 // 0)
        reactor.suggestThreadPoolSize(1)
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


async def test_what_is_not_callable_is_refused() -> None:
    nothing: Any = "nothing"
    for call in (reactor.callInThread, reactor.callFromThread):
        with pytest.raises(TypeError, match="pass the function"):
            call(nothing)


async def test_the_pool_has_at_most_ten_threads_unless_it_is_told_otherwise() -> None:
    async with reactor:
        pool = reactor.getThreadPool()
        assert (pool.min, pool.max) == (0, 10)
        reactor.suggestThreadPoolSize(17)
        assert (pool.min, pool.max) == (0, 17)
        assert reactor.getThreadPool() is reactor.threadpool is pool


def test_many_threads_that_ask_for_the_pool_at_once_get_one(loop_factory: LoopFactory) -> None:
    start = threading.Barrier(8)

    def ask() -> ThreadPool:
        start.wait(10)
        return reactor.getThreadPool()

    async def main() -> None:
        async with reactor:
            threads = [InThread(ask) for _ in range(8)]
            assert len({id(await thread.outcome()) for thread in threads}) == 1
            assert await deferToThread(abs, -1) == 1

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def test_a_pool_that_its_user_has_stopped_is_no_obstacle(loop_factory: LoopFactory) -> None:
    def begun() -> None:
        reactor.getThreadPool().stop()
        with pytest.raises(RuntimeError, match="has been stopped"):
            reactor.callInThread(print)
        reactor.stop()

    reactor.getThreadPool()
    run(begun, loop_factory)


def test_what_a_thread_asks_for_first_is_done_in_the_main_threads_loop(
    loop_factory: LoopFactory,
) -> None:
    told: list[bool] = []

    async def main() -> None:
        async with reactor:
            assert await deferToThread(lambda: told) == [True]

    gave = InThread(reactor.callInThread, lambda: told.append(True))
    gave.result()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def test_a_call_into_a_thread_after_the_end_of_a_loop_raises(loop_factory: LoopFactory) -> None:
    async def main() -> AsyncioSelectorReactor:
        return current_reactor()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        mine = runner.run(main())
    for _ in range(2):
        with pytest.raises(ReactorNotRunning, match="loop has ended"):
            mine.callInThread(print)


# -- callFromThread -----------------------------------------------------------


async def test_calls_from_a_thread_are_made_in_order_in_the_reactors_thread() -> None:
    told: list[Any] = []
    done = asyncio.Event()

    def work() -> None:
        for number in range(1000):
            reactor.callFromThread(told.append, (number, threading.get_ident()))
        reactor.callFromThread(done.set)

    async with reactor:
        reactor.callInThread(work)
        await done.wait()
    assert [number for number, _ in told] == list(range(1000))


async def test_calls_from_many_threads_are_all_made() -> None:
    counts = dict.fromkeys(range(4), 0)
    done = asyncio.Event()

    def count(which: int, number: int) -> None:
        assert counts[which] == number
        counts[which] += 1
        if all(count == 2000 for count in counts.values()):
            done.set()

    def work(which: int) -> None:
        for number in range(2000):
            mine.callFromThread(count, which, number)

    async with reactor as mine:
        for which in counts:
            reactor.callInThread(work, which)
        async with asyncio.timeout(10):
            await done.wait()


async def test_the_loop_is_woken_once_for_many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    woken: list[Any] = []
    wake = loop.call_soon_threadsafe

    def call_soon_threadsafe(*args: Any, **kwargs: Any) -> Any:
        woken.append(args)
        return wake(*args, **kwargs)

    monkeypatch.setattr(loop, "call_soon_threadsafe", call_soon_threadsafe)
    told: list[int] = []
    mine = current_reactor()

    def work() -> None:
        for number in range(1000):
            mine.callFromThread(told.append, number)

    InThread(work).result()  # the loop stands still meanwhile
    assert len(woken) == 1
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert told == list(range(1000))


async def test_it_wakes_a_loop_that_sleeps() -> None:
    done = asyncio.Event()
    async with reactor as mine, asyncio.timeout(10):
        thread = InThread(lambda: mine.callFromThread(done.set))
        await done.wait()
        thread.result()


async def test_wakeUp_may_be_called_anywhere() -> None:
    mine = current_reactor()
    InThread(mine.wakeUp).result()
    mine.wakeUp()
    AsyncioSelectorReactor.wakeUp(mine)


async def test_what_calls_ask_for_comes_between_them() -> None:
    """A call that asks for itself again leaves time for the rest."""
    told: list[str] = []

    def first() -> None:
        reactor.callFromThread(told.append, "asked for last")
        reactor.callLater(0, told.append, "asked for later")

    reactor.callFromThread(first)
    reactor.callFromThread(told.append, "asked for at once")
    for _ in range(4):
        await asyncio.sleep(0)
    assert told == ["asked for at once", "asked for later", "asked for last"]


async def test_a_call_that_fails_is_reported_once_and_holds_nothing_up(errors: Any) -> None:
    told: list[str] = []
    mistake = ZeroDivisionError()

    def fails() -> None:
        raise mistake

    reactor.callFromThread(fails)
    reactor.callFromThread(told.append, "called")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert told == ["called"]
    assert errors.take() == [mistake]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interruption_goes_through_and_the_other_calls_stay(
    loop_factory: LoopFactory, interruption: type[BaseException]
) -> None:
    told: list[str] = []

    def interrupt() -> None:
        raise interruption

    loop = loop_factory()
    own = AsyncioSelectorReactor(loop)
    own.callFromThread(interrupt)
    own.callFromThread(told.append, "called")
    with pytest.raises(interruption):
        own.iterate()
    own.iterate()
    assert told == ["called"]
    loop.close()


async def test_calls_run_in_the_context_of_who_asked() -> None:
    told: list[str] = []
    async with reactor as mine:
        thread = InThread(asks, "thread", mine.callFromThread, lambda: told.append(_asked_by.get()))
        thread.result()
        asks("here", reactor.callFromThread, lambda: told.append(_asked_by.get()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert told == ["thread", "here"]


def test_calls_wait_for_run(loop_factory: LoopFactory) -> None:
    told: list[Any] = []
    InThread(reactor.callFromThread, told.append, 1).result()
    reactor.callFromThread(told.append, 2)
    reactor.callFromThread(reactor.stop)
    assert told == []
    reactor.run(loop_factory=loop_factory)
    assert told == [1, 2]


def test_calls_wait_for_the_first_loop_of_the_main_thread(loop_factory: LoopFactory) -> None:
    told: list[Any] = []
    InThread(reactor.callFromThread, told.append, 1).result()

    async def main() -> None:
        assert reactor.running
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
    assert told == [1]


def test_a_thread_is_the_first_to_use_the_reactor_beside_a_loop(loop_factory: LoopFactory) -> None:
    """Nothing in the main thread asks for it; with a second thread, and a second call."""
    told: list[Any] = []

    async def main() -> None:
        done = asyncio.Event()
        for name in ("first", "second"):
            value.set(name)
            await asyncio.to_thread(lambda name=name: reactor.callFromThread(tell, name))  # type: ignore[misc]
        await asyncio.to_thread(lambda: reactor.callFromThread(done.set))
        await done.wait()

    def tell(name: str) -> None:
        told.append((name, value.get(), threading.current_thread() is threading.main_thread()))

    value: contextvars.ContextVar[str] = contextvars.ContextVar("value")
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
    assert told == [("first", "first", True), ("second", "second", True)]


@pytest.mark.parametrize(
    "ask",
    [
        lambda: blockingCallFromThread(reactor, lambda: threading.current_thread()),
        lambda: blockingCallFromThread(reactor, deferToThread, lambda: threading.main_thread()),
    ],
)
def test_a_thread_waits_for_an_answer_of_a_loop_that_never_used_the_reactor(
    ask: Callable[[], Any], loop_factory: LoopFactory
) -> None:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(asyncio.to_thread(ask)) is threading.main_thread()


def test_what_waits_already_comes_with_the_call_of_a_thread(loop_factory: LoopFactory) -> None:
    told: list[str] = []
    reactor.callWhenRunning(told.append, "before")

    async def main() -> None:
        done = asyncio.Event()
        await asyncio.to_thread(lambda: reactor.callFromThread(done.set))
        await done.wait()
        assert told == ["before"]

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def test_a_thread_does_not_take_the_loop_of_another_thread_for_the_main_ones(
    loop_factory: LoopFactory,
) -> None:
    told: list[str] = []

    async def bystands() -> None:
        thread = InThread(lambda: reactor.callFromThread(told.append, "called"))
        await asyncio.to_thread(thread.result)
        await asyncio.to_thread(gc.collect)
        assert told == []

    def beside() -> None:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(bystands())

    InThread(beside).result()
    reactor.callFromThread(reactor.stop)
    reactor.run(loop_factory=loop_factory)
    assert told == ["called"]


def test_loops_that_cannot_say_whether_they_run_are_none(loop_factory: LoopFactory) -> None:
    class Nothing(asyncio.AbstractEventLoop):
        pass

    stands_in = Nothing()  # type: ignore[abstract]
    with pytest.raises(NotImplementedError):
        stands_in.is_running()
    test_a_thread_is_the_first_to_use_the_reactor_beside_a_loop(loop_factory)


def test_a_call_after_the_end_of_run_raises(loop_factory: LoopFactory) -> None:
    """Whoever keeps the reactor is told; the next run is none of its business."""
    own = AsyncioSelectorReactor()
    told: list[str] = []
    for name in ("first", "second"):
        own.callWhenRunning(own.stop)
        own.callWhenRunning(own.callFromThread, told.append, name)
        own.run(loop_factory=loop_factory)
        with pytest.raises(ReactorNotRunning, match="loop has ended"):
            InThread(own.callFromThread, told.append, "never").result()
    assert told == ["first", "second"]


def test_a_call_after_the_end_of_a_loop_raises(loop_factory: LoopFactory) -> None:
    async def main() -> AsyncioSelectorReactor:
        return current_reactor()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        mine = runner.run(main())
    with pytest.raises(ReactorNotRunning, match="loop has ended"):
        mine.callFromThread(print)
    mine.wakeUp()  # which changes nothing


# -- blockingCallFromThread ---------------------------------------------------


async def test_a_thread_gets_what_the_call_returns() -> None:
    def here(*args: Any, **kwargs: Any) -> Any:
        return args, kwargs, threading.get_ident(), _asked_by.get()

    def later() -> Deferred[str]:
        fires: Deferred[str] = Deferred()
        reactor.callLater(0.001, fires.callback, "fired")
        return fires

    async def coroutine() -> str:
        await asyncio.sleep(0)
        return "coroutine"

    def work() -> Any:
        return [
            blockingCallFromThread(mine, here, 1, two=2),
            blockingCallFromThread(reactor, later),
            blockingCallFromThread(reactor, coroutine),
        ]

    async with reactor as mine:
        found = await asks("me", deferToThread, work)
    assert found == [((1,), {"two": 2}, threading.get_ident(), "me"), "fired", "coroutine"]


async def test_a_thread_gets_what_the_call_raises_with_its_traceback() -> None:
    def raises() -> None:
        raise ZeroDivisionError

    async def coroutine_raises() -> None:
        await asyncio.sleep(0)
        raises()

    def work(function: Callable[[], Any]) -> str:
        try:
            blockingCallFromThread(reactor, function)
        except ZeroDivisionError as exception:
            return "".join(traceback.format_exception(exception))
        return "nothing"

    async with reactor:
        for function in (raises, coroutine_raises, lambda: ensureDeferred(coroutine_raises())):
            told = await deferToThread(work, function)
            assert "in raises" in told
            assert "in work" in told
        assert "ZeroDivisionError" in await deferToThread(work, lambda: fail(ZeroDivisionError()))


async def test_the_reactors_own_thread_cannot_wait_for_it() -> None:
    for each in (reactor, current_reactor()):
        with pytest.raises(RuntimeError, match="call the function itself"):
            blockingCallFromThread(each, print)


def test_a_thread_can_wait_for_a_reactor_that_does_not_run_yet(loop_factory: LoopFactory) -> None:
    def stop() -> str:
        reactor.stop()
        return "stopping"

    thread = InThread(blockingCallFromThread, reactor, stop)
    reactor.run(loop_factory=loop_factory)
    assert thread.result() == "stopping"


def test_any_other_reactor_will_do() -> None:
    class Other:
        def callFromThread(self, function: Callable[..., Any], *args: Any) -> None:
            function(*args)

    assert blockingCallFromThread(Other(), lambda: fail(ValueError("x")).addErrback(str))


def test_who_waits_when_the_reactor_ends_is_told(loop_factory: LoopFactory) -> None:
    """And does not hold up the end: the thread may be one of the pool."""
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    cancelled: list[str] = []

    def never() -> Deferred[None]:
        waiting.put("waiting")
        if waiting.qsize() == 2:
            reactor.callLater(0, reactor.stop)
        return Deferred(lambda _: cancelled.append("cancelled"))

    def wait() -> str:
        try:
            blockingCallFromThread(mine, never)
        except ReactorNotRunning as exception:
            told.append(str(exception))
        return "done"

    told: list[str] = []
    mine = current_reactor()
    reactor.callInThread(wait)
    outside = InThread(wait)
    reactor.run(loop_factory=loop_factory)
    assert outside.result() == "done"
    assert len(told) == 2
    assert "gives no more answers" in told[0]


@pytest.mark.parametrize("how", ["async with", "the end of the loop"])
def test_who_waits_when_an_attached_reactor_ends_is_told(
    loop_factory: LoopFactory, how: str
) -> None:
    async def main() -> tuple[InThread, Any]:
        begun = asyncio.Event()

        def never() -> Deferred[None]:
            begun.set()
            return Deferred()

        mine = current_reactor()
        outside = InThread(blockingCallFromThread, mine, never)
        inside = deferToThread(blockingCallFromThread, mine, never)
        told = inside.addErrback(lambda failure: failure.trap(ReactorNotRunning))
        await begun.wait()
        if how == "async with":
            async with mine:
                pass
            assert await told is ReactorNotRunning
            assert await deferToThread(blockingCallFromThread, mine, lambda: 1) == 1
        return outside, told

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        outside, _ = runner.run(main())
    with pytest.raises(ReactorNotRunning, match="gives no more answers"):
        outside.result()


def test_no_answer_comes_after_the_end(loop_factory: LoopFactory) -> None:
    own = AsyncioSelectorReactor()
    own.callWhenRunning(own.stop)
    own.run(loop_factory=loop_factory)
    with pytest.raises(ReactorNotRunning):
        blockingCallFromThread(own, print)


async def test_a_wait_that_is_interrupted_cancels_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = threading.Event()
    cancelled = asyncio.Event()

    def call() -> Deferred[None]:
        begun.set()
        return Deferred(lambda _: cancelled.set())

    def interrupted(answer: Answer) -> None:
        assert begun.wait(10)
        raise KeyboardInterrupt

    monkeypatch.setattr(Answer, "wait", interrupted)
    async with reactor as mine:
        thread = InThread(blockingCallFromThread, mine, call)
        await cancelled.wait()
        with pytest.raises(KeyboardInterrupt):
            await thread.outcome()


# -- the end ------------------------------------------------------------------


def test_the_pool_ends_with_the_run_and_what_it_does_still_arrives(
    loop_factory: LoopFactory, gate: threading.Event
) -> None:
    told: list[str] = []

    def work(name: str) -> str:
        gate.wait(10)
        return name

    def begun() -> None:
        reactor.suggestThreadPoolSize(1)
        for name in ("begun", "waiting"):
            deferToThread(work, name).addCallback(told.append)
        reactor.addSystemEventTrigger("after", "shutdown", gate.set)
        reactor.stop()

    run(begun, loop_factory)
    assert told == ["begun", "waiting"]
    assert pool_threads() == []


def test_the_pool_works_until_the_phase_during(loop_factory: LoopFactory) -> None:
    told: list[int] = []

    def begun() -> None:
        reactor.addSystemEventTrigger(
            "before", "shutdown", lambda: deferToThread(abs, -1).addCallback(told.append)
        )
        reactor.stop()

    run(begun, loop_factory)
    assert told == [1]


def test_a_task_can_use_threads_while_all_ends(loop_factory: LoopFactory) -> None:
    told: list[int] = []

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            told.append(await deferToThread(abs, -1))

    tasks: list[Any] = []

    def begun() -> None:
        tasks.append(asyncio.get_running_loop().create_task(work()))
        reactor.callInThread(abs, -1)
        reactor.callLater(0.001, reactor.stop)

    run(begun, loop_factory)
    assert told == [1]


def test_a_crash_does_not_wait_for_threads(
    loop_factory: LoopFactory, gate: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    begun = threading.Event()
    told: list[str] = []

    def work() -> None:
        begun.set()
        gate.wait(10)

    def start() -> None:
        reactor.suggestThreadPoolSize(1)
        kept.append(deferToThread(work))
        kept.append(deferToThread(told.append, "never"))
        assert begun.wait(10)
        reactor.crash()

    kept: list[Any] = []
    run(start, loop_factory)
    assert not gate.is_set()
    (thread,) = pool_threads()
    gate.set()
    thread.join(10)
    assert told == []
    assert caplog.records == []


def test_a_failure_that_outlives_the_reactor_is_reported(
    loop_factory: LoopFactory, gate: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    begun = threading.Event()

    def work() -> None:
        begun.set()
        gate.wait(10)
        raise ZeroDivisionError

    def start() -> None:
        kept.append(deferToThread(work))
        assert begun.wait(10)
        reactor.crash()

    kept: list[Any] = []
    run(start, loop_factory)
    (thread,) = pool_threads()
    gate.set()
    thread.join(10)
    (record,) = caplog.records
    assert "outlived the reactor" in record.message
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


def test_the_pool_is_not_kept_after_the_run(loop_factory: LoopFactory) -> None:
    own = AsyncioSelectorReactor()
    before = weakref.ref(own.getThreadPool())
    own.callWhenRunning(own.stop)
    own.run(loop_factory=loop_factory)
    gc.collect()
    assert before() is None


def test_the_pool_ends_with_shutdown_even_if_nothing_has_run() -> None:
    own = AsyncioSelectorReactor()
    pool = own.getThreadPool()
    own.fireSystemEvent("shutdown")
    assert (pool.joined, own.threadpool) == (True, None)


async def test_the_pool_ends_with_async_with_and_the_next_use_makes_another(gate: Any) -> None:
    async with reactor:
        first = reactor.getThreadPool()
        working = deferToThread(gate.wait, 10)
        reactor.addSystemEventTrigger("after", "shutdown", gate.set)
    assert await working
    assert pool_threads() == []
    assert reactor.threadpool is None
    async with reactor:
        assert reactor.getThreadPool() is not first
        assert await deferToThread(abs, -1) == 1


async def test_what_threads_ask_for_last_is_closed_too() -> None:
    """They may ask for it while the end waits for them."""
    calls: list[Any] = []
    refused: list[str] = []
    gate = threading.Event()

    def work() -> None:
        gate.wait(10)
        try:
            blockingCallFromThread(mine, print)
        except ReactorNotRunning as exception:
            refused.append(str(exception))
        mine.callFromThread(lambda: calls.append(mine.callLater(1000, print)))

    async with reactor as mine:
        mine.callInThread(work)
        mine.addSystemEventTrigger(
            "after", "shutdown", asyncio.get_running_loop().call_soon, gate.set
        )
    assert len(refused) == len(calls) == 1
    assert not calls[0].active() or mine.getDelayedCalls() == []


def test_the_pool_ends_with_a_loop_that_others_run(loop_factory: LoopFactory) -> None:
    """With no `async with`: as the default executor does, in `asyncio.run`."""
    gate = threading.Event()
    told: list[str] = []

    def work() -> None:
        gate.wait(10)
        told.append("done")

    async def main() -> None:
        reactor.callInThread(work)
        assert await deferToThread(abs, -1) == 1
        asyncio.get_running_loop().call_soon(gate.set)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
    assert told == ["done"]
    assert pool_threads() == []


def test_other_generators_can_use_threads_while_the_loop_ends(loop_factory: LoopFactory) -> None:
    told: list[int] = []

    async def generate() -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            told.append(await deferToThread(abs, -1))

    async def main() -> None:
        assert await deferToThread(abs, -1) == 1
        generators.append(generate())
        await anext(generators[0])

    generators: list[Any] = []
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
    assert told == [1]
    gc.collect()


def test_the_threads_of_a_loop_that_just_stops_end_with_the_reactor(
    loop_factory: LoopFactory,
) -> None:
    """Nobody says that it ends, and nothing is left of it when it is forgotten."""

    async def main() -> None:
        assert await deferToThread(abs, -1) == 1

    for _ in range(3):
        loop = loop_factory()
        loop.run_until_complete(main())
        loop.close()
    del loop

    async def other() -> None:
        assert reactor.running  # which forgets the loops that are closed

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(other())


def program(source: str, *arguments: str) -> tuple[str, str, int]:
    """Run a program: what it says, its errors, its exit status."""
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(source), *arguments],
        capture_output=True,
        text=True,
        timeout=15,
        cwd=os.path.dirname(os.path.dirname(reactorlib.__file__)),
    )
    return found.stdout, found.stderr, found.returncode


START = """
import asyncio, sys, threading
if sys.argv[1] == "uvloop":
    import uvloop as loops
else:
    import asyncio as loops
from reactorlib.internet import reactor
from reactorlib.internet.threads import blockingCallFromThread, deferToThread
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize(
    "end",
    [
        "with asyncio.Runner(loop_factory=loops.new_event_loop) as runner: runner.run(main())",
        "loop = loops.new_event_loop(); loop.run_until_complete(main()); loop.close()",
        "reactor.callWhenRunning(begin, reactor.stop)\n"
        "reactor.run(loop_factory=loops.new_event_loop)",
        "reactor.callWhenRunning(begin, reactor.crash)\n"
        "reactor.run(loop_factory=loops.new_event_loop)",
    ],
    ids=["Runner", "close", "run", "crash"],
)
def test_no_thread_keeps_the_process(loop: str, end: str) -> None:
    """Whatever way the loop ends; and what a thread has begun is finished."""
    source = START + textwrap.dedent(
        """
        gate = threading.Event()

        def work():
            gate.wait(10)
            print("worked", flush=True)

        async def main():
            reactor.callInThread(work)
            print(await deferToThread(abs, -1), flush=True)
            gate.set()

        def begin(then):
            asyncio.ensure_future(main()).add_done_callback(lambda _: then())

        """
    )
    assert program(source + end, loop) == ("1\nworked\n", "", 0)


# -- interfaces ---------------------------------------------------------------


def test_the_reactor_says_what_it_provides() -> None:
    for interface in (IReactorThreads, IReactorFromThreads, IReactorInThreads):
        assert interface.providedBy(reactor)
        assert interface.implementedBy(AsyncioSelectorReactor)
        for name in interface:
            assert hasattr(reactor, name)


def test_a_thread_with_a_loop_of_its_own_talks_to_another(loop_factory: LoopFactory) -> None:
    """`reactor` means its own there; a method that was taken elsewhere is of that one."""
    heard: list[tuple[str, int]] = []

    async def beside(call: Callable[..., object], done: Callable[[], object]) -> None:
        reactor.callFromThread(lambda: heard.append(("its own", threading.get_ident())))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        call(lambda: heard.append(("the other", threading.get_ident())))
        call(done)

    async def main() -> int:
        ended = asyncio.Event()
        told = beside(reactor.callFromThread, ended.set)
        thread = threading.Thread(target=asyncio.run, args=(told,))
        thread.start()
        await ended.wait()
        await asyncio.to_thread(thread.join)
        assert thread.ident is not None
        return thread.ident

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        beside_it = runner.run(main())
    assert heard == [("its own", beside_it), ("the other", threading.get_ident())]
