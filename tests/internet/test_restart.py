"""`run` and `stop`, again and again in one process, with something of everything in each run."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reactorlib.internet import reactor, task
from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor
from reactorlib.internet.defer import Deferred, ensureDeferred
from reactorlib.internet.error import AlreadyCancelled, ConnectionLost
from reactorlib.internet.protocol import ClientFactory, Factory, ProcessProtocol, Protocol
from reactorlib.python.failure import Failure

from ._uses import LOCAL, USES, Hears, nothing_left, soon

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

pytestmark = pytest.mark.timeout(30)


class Held(Protocol):
    """One side of a connection that nobody closes."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def connectionMade(self) -> None:
        self.program.made += 1
        if self.program.made == 2:
            self.program.connected.callback(None)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.program.lost.append(reason.type)


class Cat(ProcessProtocol):
    """A process that would run forever."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def processEnded(self, reason: Failure) -> None:
        self.program.ended += 1


class Program:
    """
    What is done in one run: a use of everything, and one of everything left open.

    Args:
        number: the port to listen at, or 0.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.made = self.ended = 0
        self.connected: Deferred[None] = Deferred()
        self.lost: list[type] = []
        self.told: list[str] = []
        self.failed: list[Failure] = []

    def begin(self) -> None:
        """Before `run()`: it waits for the loop."""
        factory = Factory[Any]()
        factory.noisy = False
        factory.buildProtocol = lambda addr: Held(self)  # type: ignore[method-assign]
        port = reactor.listenTCP(self.number, factory, interface=LOCAL)
        self.number = port.getHost().port
        client = ClientFactory[Any]()
        client.noisy = False
        client.buildProtocol = factory.buildProtocol  # type: ignore[method-assign]
        reactor.connectTCP(LOCAL, self.number, client)
        reactor.listenUDP(self.number, Hears(), interface=LOCAL)
        reactor.addSystemEventTrigger("before", "shutdown", self.told.append, "shutdown")
        reactor.callInThread(reactor.callFromThread, self.told.append, "thread")
        reactor.callWhenRunning(self.work)

    def work(self) -> None:
        ensureDeferred(self.use_everything()).addErrback(self.failed.append).addBoth(
            lambda _: reactor.stop()
        )

    async def use_everything(self) -> None:
        reactor.spawnProcess(Cat(self), "cat", ["cat"], env=None)
        task.LoopingCall(lambda: None).start(0.001)
        reactor.callLater(1000, self.told.append, "too late")
        for use in USES.values():
            await use()
        await soon(self.connected)

    def check(self) -> None:
        for failure in self.failed:
            failure.raiseException()
        assert self.told == ["thread", "shutdown"]
        assert self.lost == [ConnectionLost] * 2
        assert self.ended == 1
        assert not reactor.running
        # Nothing is kept alive by what was dropped.
        assert {call.func for call in reactor.getDelayedCalls()} <= {None}


@pytest.fixture
def watching(loop_factory: LoopFactory) -> Iterator[LoopFactory]:
    reported: list[Any] = []

    def make() -> asyncio.AbstractEventLoop:
        loop = loop_factory()
        loop.set_exception_handler(lambda _, context: reported.append(context))
        return loop

    yield make
    gc.collect()
    assert reported == []


def run_again_and_again(times: int, factory: LoopFactory) -> None:
    number = 0
    for _ in range(times):
        program = Program(number)
        program.begin()
        reactor.run(loop_factory=factory)
        program.check()
        number = program.number  # which is free again


def test_five_runs(watching: LoopFactory) -> None:
    run_again_and_again(1, watching)
    with nothing_left():
        run_again_and_again(5, watching)


def test_five_runs_in_another_thread(watching: LoopFactory) -> None:
    run_again_and_again(1, watching)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            run_again_and_again(5, watching)
        except BaseException as error:
            errors.append(error)

    with nothing_left():
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(20)
        assert not thread.is_alive()
        assert errors == []


def test_runs_between_attached_loops(watching: LoopFactory) -> None:
    """`run()` and `asyncio.run` in turn: each loop has a reactor, and none is in another's way."""
    run_again_and_again(1, watching)
    with nothing_left():
        for _ in range(2):
            run_again_and_again(1, watching)
            with asyncio.Runner(loop_factory=watching) as runner:
                for use in USES.values():
                    runner.run(use())


def test_a_run_after_a_crash_begins_afresh(watching: LoopFactory) -> None:
    told: list[str] = []
    with nothing_left():
        port = reactor.listenTCP(0, Factory[Any].forProtocol(Protocol), interface=LOCAL)
        number = port.getHost().port
        late = reactor.callLater(1000, told.append, "late")
        reactor.addSystemEventTrigger("before", "shutdown", told.append, "shutdown of the first")
        reactor.callWhenRunning(reactor.crash)
        reactor.run(loop_factory=watching)
        assert not port.connected
        late.cancel()
        again = reactor.listenTCP(number, Factory[Any].forProtocol(Protocol), interface=LOCAL)
        reactor.callWhenRunning(reactor.callLater, 0, reactor.stop)
        reactor.run(loop_factory=watching)
        assert not again.connected
        assert told == []
        del port, again


@pytest.mark.parametrize("event", ["startup", "shutdown"])
def test_what_a_run_has_waited_for_is_nothing_to_the_next(
    event: str, watching: LoopFactory
) -> None:
    """A trigger's Deferred that fires when its run is over neither runs nor ends anything."""
    told: list[str] = []
    waits: Deferred[None] = Deferred()

    def cut_short() -> Deferred[None]:
        reactor.callLater(0, reactor.crash)
        return waits

    def fire() -> None:
        waits.callback(None)
        told.append(f"running {reactor.running}")
        reactor.callLater(0.001, goes_on)

    def goes_on() -> None:
        told.append("goes on")
        reactor.stop()

    reactor.addSystemEventTrigger("before", event, cut_short)
    if event == "shutdown":
        reactor.callWhenRunning(reactor.stop)
    reactor.run(loop_factory=watching)

    reactor.addSystemEventTrigger("before", "startup", soon_after, fire)
    reactor.addSystemEventTrigger("after", "startup", told.append, "startup")
    reactor.addSystemEventTrigger("before", "shutdown", told.append, "shutdown")
    reactor.run(loop_factory=watching)
    assert told == ["running False", "startup", "goes on", "shutdown"]


def soon_after(call: Callable[[], None]) -> Deferred[None]:
    """Fires when that has been called, and a little more has been done."""
    called: Deferred[None] = Deferred()
    reactor.callLater(0, call)
    reactor.callLater(0.0005, called.callback, None)
    return called


async def test_a_shutdown_that_was_cancelled_is_over() -> None:
    """The loop runs on, and what a trigger has waited for may come when all is used again."""
    told: list[str] = []
    waits: Deferred[None] = Deferred()

    async def use() -> None:
        async with reactor:
            reactor.addSystemEventTrigger("before", "shutdown", lambda: waits)
            reactor.addSystemEventTrigger("during", "shutdown", told.append, "first")

    using = asyncio.ensure_future(use())
    for _ in range(3):
        await asyncio.sleep(0)
    using.cancel()
    await asyncio.wait([using])
    assert using.cancelled()
    async with reactor:
        reactor.addSystemEventTrigger("during", "shutdown", told.append, "second")
        waits.callback(None)
        assert told == []
    assert told == ["second"]


@pytest.mark.parametrize("delay", [0, 0.01])
@pytest.mark.parametrize("in_thread", [False, True])
def test_an_iteration_that_ends_early_does_not_end_the_next(
    delay: float, in_thread: bool, watching: LoopFactory
) -> None:
    """Whatever has been asked to stop the loop is taken back with it."""
    told: list[str] = []

    def crash() -> None:
        if in_thread:
            thread = threading.Thread(target=made.crash)
            thread.start()
            thread.join()
        else:
            made.crash()

    def turns(left: int, then: Callable[[], object]) -> None:
        if left:
            made.callLater(0, turns, left - 1, then)
        else:
            then()

    def due() -> None:
        told.append("due")
        crash()

    def last() -> None:
        told.append("last")
        made.stop()

    made = AsyncioSelectorReactor(watching())
    made.callLater(0, crash)
    made.iterate(delay)
    made.callLater(2 * delay, turns, 10, due)
    made.iterate(10)
    assert told == ["due"]
    made.callLater(0, crash)
    made.iterate(delay)
    made.callLater(2 * delay, turns, 10, last)
    made.run()
    assert told == ["due", "last"]


def test_calls_that_a_run_leaves_stay_active_and_are_never_made(watching: LoopFactory) -> None:
    """
    Nobody has cancelled them; but a run ends as `asyncio.run` does, and the next is another.

    Promise 12.
    """
    told: list[str] = []
    kept = reactor.callLater(1000, told.append, "kept")
    cancelled = reactor.callLater(1000, told.append, "cancelled")
    moved = reactor.callLater(1000, told.append, "moved")
    reactor.callWhenRunning(reactor.callLater, 0, reactor.stop)
    reactor.run(loop_factory=watching)
    left = [kept, cancelled, moved]
    assert sorted(reactor.getDelayedCalls()) == left
    assert all(call.active() for call in left)

    cancelled.cancel()
    assert not cancelled.active()
    with pytest.raises(AlreadyCancelled):
        cancelled.cancel()
    moved.reset(0)
    moved.delay(-1)
    with pytest.raises(ValueError, match="a delay"):
        moved.reset(-1)
    assert set(reactor.getDelayedCalls()) == {kept, moved}

    asked = reactor.callLater(0.01, reactor.stop)
    assert set(reactor.getDelayedCalls()) == {kept, moved, asked}
    reactor.callWhenRunning(lambda: told.append(str(reactor.getDelayedCalls() == [asked])))
    reactor.run(loop_factory=watching)
    assert told == ["True"]
    assert asked.called
    assert kept.active()
    kept.cancel()
    assert reactor.getDelayedCalls() == []


def test_what_a_run_leaves_keeps_nothing_alive(watching: LoopFactory) -> None:
    class Marker:
        def call(self) -> None: ...

    marker = Marker()
    kept = reactor.callLater(1000, marker.call)
    gone = weakref.ref(marker)
    del marker
    reactor.callWhenRunning(reactor.callLater, 0, reactor.stop)
    reactor.run(loop_factory=watching)
    assert gone() is None
    assert reactor.getDelayedCalls() == [kept]
