"""Which reactor `reactor` means, thread by thread; and what a thread may ask of another's."""

from __future__ import annotations

import asyncio
import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from reactorlib.internet import main, reactor
from reactorlib.internet._current import current_reactor
from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor
from reactorlib.internet.error import ReactorAlreadyInstalledError, ReactorAlreadyRunning
from reactorlib.internet.protocol import ClientFactory, DatagramProtocol, Factory
from reactorlib.internet.threads import blockingCallFromThread, deferToThread

pytestmark = pytest.mark.timeout(20)

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def in_thread(function: Callable[..., Any], *args: Any) -> Any:
    """Call it in a thread, and wait; what it returns or raises."""
    outcome: list[Any] = []

    def call() -> None:
        try:
            outcome.append((True, function(*args)))
        except BaseException as exception:
            outcome.append((False, exception))

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(10)
    well, result = outcome[0]
    if not well:
        raise result
    return result


@contextmanager
def attached(loop_factory: LoopFactory) -> Iterator[AsyncioSelectorReactor]:
    """A reactor that is attached to the loop of another thread, for a while."""
    loop = loop_factory()
    found: list[AsyncioSelectorReactor] = []
    ready = threading.Event()

    def begin() -> None:
        found.append(current_reactor())
        ready.set()

    loop.call_soon(begin)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def found_by(mine: AsyncioSelectorReactor) -> Any:
    """The reactor in which a call from this thread is made."""
    return blockingCallFromThread(reactor, current_reactor) is mine


# -- which one ----------------------------------------------------------------


async def test_a_thread_of_the_pool_means_the_pools_reactor() -> None:
    async with reactor as mine:
        assert await deferToThread(current_reactor) is mine
        assert await deferToThread(found_by, mine)


def test_a_thread_of_a_pool_means_that_pools_reactor_though_others_run(
    loop_factory: LoopFactory,
) -> None:
    with attached(loop_factory), attached(loop_factory):

        async def main() -> None:
            async with reactor as mine:
                assert await deferToThread(current_reactor) is mine
                assert await deferToThread(found_by, mine)

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(main())


def test_any_thread_means_the_processes_own_reactor_where_that_runs(
    loop_factory: LoopFactory,
) -> None:
    told: list[Any] = []
    mine = current_reactor()

    def look() -> None:
        told.append(current_reactor() is mine)
        told.append(found_by(mine))
        reactor.stop()

    thread = threading.Thread(target=look, daemon=True)
    reactor.callWhenRunning(thread.start)
    with attached(loop_factory):  # which is another
        reactor.run(loop_factory=loop_factory)
        thread.join(10)
    assert told == [True, True]


async def test_a_thread_beside_the_loop_means_the_only_reactor_that_runs() -> None:
    """As those of `asyncio.to_thread`."""
    mine = current_reactor()
    assert await asyncio.to_thread(current_reactor) is mine
    assert await asyncio.to_thread(found_by, mine)
    called = asyncio.Event()
    await asyncio.to_thread(reactor.callFromThread, called.set)
    await called.wait()


def test_the_main_thread_means_it_too(loop_factory: LoopFactory) -> None:
    with attached(loop_factory) as other:
        assert current_reactor() is other
        assert found_by(other)
        called = threading.Event()
        reactor.callFromThread(reactor.callLater, 0, called.set)
        assert called.wait(10)


def test_a_thread_beside_a_reactor_can_have_one_of_its_own(loop_factory: LoopFactory) -> None:
    told: list[Any] = []
    with attached(loop_factory) as other:
        with pytest.raises(RuntimeError, match=r"installReactor\("):
            reactor.callLater(0, print)
        own = AsyncioSelectorReactor()
        main.installReactor(own)
        assert current_reactor() is own
        reactor.callWhenRunning(lambda: told.append(current_reactor()))
        reactor.callWhenRunning(reactor.stop)
        reactor.run(loop_factory=loop_factory)
        assert told == [own]
        assert current_reactor() is other


def test_what_waits_in_a_thread_stays_that_threads(loop_factory: LoopFactory) -> None:
    told: list[str] = []
    reactor.callWhenRunning(told.append, "running")
    with attached(loop_factory):
        reactor.callLater(0, reactor.stop)
        reactor.run(loop_factory=loop_factory)
    assert told == ["running"]


def test_where_several_run_a_call_from_a_thread_raises_and_says_what_to_do(
    loop_factory: LoopFactory,
) -> None:
    with ExitStack() as stack:
        both = [stack.enter_context(attached(loop_factory)) for _ in range(2)]
        for thread in (lambda function: function(), in_thread):
            for call in (
                lambda: reactor.callFromThread(print),
                lambda: reactor.callInThread(print),
                lambda: blockingCallFromThread(reactor, print),
                lambda: deferToThread(print),
            ):
                with pytest.raises(RuntimeError, match="give it the one that it is to use"):
                    thread(call)
            for each in both:
                assert (
                    thread(lambda each=each: blockingCallFromThread(each, current_reactor)) is each
                )


def test_where_none_runs_it_is_the_one_that_waits(loop_factory: LoopFactory) -> None:
    with attached(loop_factory):
        pass
    waiting = current_reactor()
    assert in_thread(current_reactor) is waiting
    told: list[str] = []
    in_thread(reactor.callFromThread, told.append, "called")
    reactor.callFromThread(reactor.stop)
    reactor.run(loop_factory=loop_factory)
    assert told == ["called"]


async def test_a_thread_beside_a_loop_can_run_a_reactor_of_its_own() -> None:
    def work() -> bool:
        own = AsyncioSelectorReactor()
        own.callWhenRunning(lambda: found.append(current_reactor() is own))
        own.callWhenRunning(own.stop)
        own.run()
        return found == [True]

    found: list[bool] = []
    assert current_reactor().running
    assert await asyncio.to_thread(work)


async def test_run_in_a_thread_beside_a_loop_runs_the_processes_own() -> None:
    told: list[Any] = []
    mine = current_reactor()

    def work() -> None:
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        reactor.run()
        thread.join(10)

    def ask() -> None:
        own.callFromThread(told.append, "called")
        own.callFromThread(own.stop)

    own = in_thread(AsyncioSelectorReactor)
    main.installReactor(own)
    await asyncio.to_thread(work)
    assert told == ["called"]
    assert mine.running
    with pytest.raises(ReactorAlreadyRunning):
        await deferToThread(reactor.run)


# -- what a thread may ask of another's reactor -------------------------------


def client() -> Any:
    return ClientFactory[Any]()


@pytest.mark.parametrize(
    "ask",
    [
        lambda r: r.callLater(1, print),
        lambda r: r.callWhenRunning(print),
        lambda r: r.listenTCP(0, Factory[Any](), interface="127.0.0.1"),
        lambda r: r.connectTCP("127.0.0.1", 1, client()),
        lambda r: r.listenUDP(0, DatagramProtocol(), interface="127.0.0.1"),
        lambda r: r.addReader(sys.stdin),
        lambda r: r.addWriter(sys.stdout),
        lambda r: r.resolve("localhost"),
        lambda r: r.spawnProcess(None, sys.executable),
    ],
    ids=["later", "when", "listen", "connect", "UDP", "reader", "writer", "resolve", "spawn"],
)
async def test_what_is_not_for_threads_raises_there_and_names_what_is(ask: Any) -> None:
    async with reactor as mine:
        for each in (mine, reactor):
            for thread in (asyncio.to_thread, deferToThread):
                with pytest.raises(RuntimeError, match=r"reactor\.callFromThread\("):
                    await thread(ask, each)
        assert mine.getDelayedCalls() == []
        assert (mine._ports, mine._connectors, mine._held) == (set(), set(), set())
        assert mine.getReaders() + mine.getWriters() == []


async def test_looking_at_it_is_for_any_thread() -> None:
    async with reactor as mine:
        assert await deferToThread(lambda: reactor.running)
        assert await deferToThread(reactor.seconds) <= reactor.seconds()
        assert await asyncio.to_thread(lambda: mine.getDelayedCalls()) == []


def test_a_loop_that_moves_to_another_thread_takes_its_reactor_along(
    loop_factory: LoopFactory,
) -> None:
    loop = loop_factory()

    async def later() -> int:
        done = asyncio.Event()
        reactor.callLater(0, done.set)
        await done.wait()
        return threading.get_ident()

    here = loop.run_until_complete(later())
    there = in_thread(loop.run_until_complete, later())
    assert here != there
    assert loop.run_until_complete(later()) == here
    loop.close()


# -- installing ---------------------------------------------------------------


def test_a_reactor_can_be_made_the_processes_own(loop_factory: LoopFactory) -> None:
    made = AsyncioSelectorReactor()
    main.installReactor(made)
    main.installReactor(made)
    assert current_reactor() is made
    told: list[bool] = []
    reactor.callWhenRunning(lambda: told.append(current_reactor() is made))
    with pytest.raises(ReactorAlreadyInstalledError, match="in use already"):
        main.installReactor(AsyncioSelectorReactor())
    reactor.callWhenRunning(reactor.stop)
    reactor.run(loop_factory=loop_factory)
    assert told == [True]
    main.installReactor(AsyncioSelectorReactor())


def test_anything_else_can_take_the_place_of_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    import reactorlib.internet

    name = "reactorlib.internet.reactor"
    with pytest.raises(ReactorAlreadyInstalledError, match="imported the reactor already"):
        main.installReactor(object())
    monkeypatch.setattr(reactorlib.internet, "reactor", reactor)  # to be put back
    monkeypatch.delitem(sys.modules, name)
    stand_in: Any = object()
    main.installReactor(stand_in)
    try:
        found: Any = importlib.import_module("reactorlib.internet").reactor
        assert found is stand_in
        assert sys.modules[name] is stand_in
        with pytest.raises(ReactorAlreadyInstalledError):
            main.installReactor(stand_in)
    finally:
        sys.modules.pop(name)
