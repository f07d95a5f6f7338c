"""
The reactor: running, stopping, being attached, and what it leaves behind.

Programs that end by a signal run in a process of their own.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import signal
import socket
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, cast

import pytest

from reactorlib.internet import reactor
from reactorlib.internet._current import current_reactor
from reactorlib.internet.address import IPv4Address
from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor, install
from reactorlib.internet.base import ReactorBase
from reactorlib.internet.defer import Deferred
from reactorlib.internet.error import (
    ConnectionLost,
    ReactorAlreadyInstalledError,
    ReactorAlreadyRunning,
    ReactorNotRestartable,
    ReactorNotRunning,
    UserError,
)
from reactorlib.internet.interfaces import IReactorCore, IReactorTCP, IReactorTime
from reactorlib.internet.protocol import ClientFactory, Factory, Protocol
from reactorlib.python.failure import Failure

from ._programs import child, ending, read_until

pytestmark = pytest.mark.timeout(20)

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

LOCAL = "127.0.0.1"


def nothing() -> None:
    pass


def number_of(port: Any) -> int:
    address = port.getHost()
    assert isinstance(address, IPv4Address)
    return address.port


def quiet(make: Callable[[], Any] = Protocol) -> Factory[Any]:
    factory = Factory[Any].forProtocol(make)
    factory.noisy = False
    return factory


@pytest.fixture
def seen() -> Iterator[list[dict[str, Any]]]:
    """
    What is reported to the exception handler of the loop that `watching` made.

    Whatever the test does not take out fails it.
    """
    reported: list[dict[str, Any]] = []
    yield reported
    gc.collect()
    assert reported == []


@pytest.fixture
def watching(loop_factory: LoopFactory, seen: list[dict[str, Any]]) -> LoopFactory:
    """Makes a loop whose reports go to `seen`."""

    def make() -> asyncio.AbstractEventLoop:
        loop = loop_factory()
        loop.set_exception_handler(lambda _, context: seen.append(context))
        return loop

    return make


def in_thread(function: Callable[[], object]) -> list[Any]:
    """Call it in a thread, and wait; what it returned or raised, in a list."""
    outcome: list[Any] = []

    def call() -> None:
        try:
            outcome.append(function())
        except BaseException as exception:
            outcome.append(exception)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    return outcome


# -- running and stopping -----------------------------------------------------


def test_run_runs_until_stop(watching: LoopFactory) -> None:
    told: list[object] = []

    def begun() -> None:
        told.append(reactor.running)
        told.append(asyncio.get_running_loop() is not None)
        reactor.callLater(0.001, reactor.stop)

    reactor.callWhenRunning(begun)
    assert not reactor.running
    reactor.run(loop_factory=watching)
    assert told == [True, True]
    assert not reactor.running


def test_run_can_be_called_again(watching: LoopFactory) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    def begun() -> None:
        loops.append(asyncio.get_running_loop())
        reactor.stop()

    for _ in range(5):
        reactor.callWhenRunning(begun)
        reactor.run(loop_factory=watching)
    assert len(set(loops)) == 5
    assert all(loop.is_closed() for loop in loops)


def test_the_same_reactor_object_can_run_again(watching: LoopFactory) -> None:
    own = AsyncioSelectorReactor()
    told: list[str] = []
    for number in range(3):
        own.callWhenRunning(told.append, f"begun {number}")
        own.addSystemEventTrigger("before", "shutdown", told.append, f"ended {number}")
        own.callLater(0.001, own.stop)
        own.run(loop_factory=watching)
    assert told == [f"{what} {number}" for number in range(3) for what in ("begun", "ended")]


def test_run_makes_a_loop_of_asyncios_own_unless_told_otherwise() -> None:
    kinds: list[type] = []

    def begun() -> None:
        kinds.append(type(asyncio.get_running_loop()))
        reactor.stop()

    reactor.callWhenRunning(begun)
    reactor.run()
    fresh = asyncio.new_event_loop()
    fresh.close()
    assert kinds == [type(fresh)]


@pytest.mark.parametrize("debug", [True, False])
def test_run_takes_asyncios_debug_mode(watching: LoopFactory, debug: bool) -> None:
    told: list[bool] = []
    reactor.callWhenRunning(lambda: told.append(asyncio.get_running_loop().get_debug()))
    reactor.callWhenRunning(reactor.stop)
    reactor.run(loop_factory=watching, debug=debug)
    assert told == [debug]


def test_a_reactor_runs_the_loop_it_was_given(watching: LoopFactory) -> None:
    loop = watching()
    own = AsyncioSelectorReactor(loop)
    told: list[asyncio.AbstractEventLoop] = []
    own.callWhenRunning(lambda: told.append(asyncio.get_running_loop()))
    own.callWhenRunning(own.stop)
    own.run()
    assert told == [loop]
    assert loop.is_closed()


def test_run_in_a_second_thread(watching: LoopFactory) -> None:
    told: list[str] = []

    def run() -> None:
        reactor.callWhenRunning(lambda: told.append(threading.current_thread().name))
        reactor.callWhenRunning(reactor.stop)
        reactor.run(loop_factory=watching)

    for _ in range(2):
        assert in_thread(run) == [None]
    assert len(told) == 2
    assert threading.current_thread().name not in told


def test_what_was_asked_for_here_happens_when_another_thread_runs_the_reactor(
    watching: LoopFactory,
) -> None:
    told: list[int] = []
    reactor.callWhenRunning(lambda: told.append(threading.get_ident()))
    reactor.callLater(0, reactor.stop)
    assert in_thread(lambda: reactor.run(loop_factory=watching)) == [None]
    assert told != [threading.get_ident()]
    assert len(told) == 1


def test_two_loops_in_two_threads_have_a_reactor_each(loop_factory: LoopFactory) -> None:
    both = threading.Barrier(2, timeout=5)

    async def main() -> tuple[AsyncioSelectorReactor, bytes]:
        received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        class Receiver(Protocol):
            def dataReceived(self, data: bytes) -> None:
                received.set_result(data)

        async with reactor:
            both.wait()
            port = reactor.listenTCP(0, quiet(Receiver), interface=LOCAL)
            with socket.create_connection((LOCAL, number_of(port))) as sock:
                sock.sendall(b"hello")
                async with asyncio.timeout(5):
                    data = await received
            return current_reactor(), data

    def run() -> tuple[AsyncioSelectorReactor, bytes]:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(main())

    outcomes: list[Any] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(run()), daemon=True) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    (first, one), (second, two) = outcomes
    assert first is not second
    assert (one, two) == (b"hello", b"hello")


def test_two_reactors_run_in_two_threads_at_once(watching: LoopFactory) -> None:
    both = threading.Barrier(2, timeout=5)

    def run() -> bool:
        own = AsyncioSelectorReactor()
        found: list[AsyncioSelectorReactor] = []
        own.callWhenRunning(both.wait)
        own.callWhenRunning(lambda: found.append(current_reactor()))
        own.callWhenRunning(own.stop)
        own.run(loop_factory=watching)
        return found == [own]

    outcomes: list[bool] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(run()), daemon=True) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert outcomes == [True, True]


def test_a_loop_that_cannot_be_made_loses_nothing(watching: LoopFactory) -> None:
    def fail() -> asyncio.AbstractEventLoop:
        raise ZeroDivisionError

    told: list[str] = []
    reactor.callWhenRunning(told.append, "begun")
    reactor.callLater(0, reactor.stop)
    with pytest.raises(ZeroDivisionError):
        reactor.run(loop_factory=fail)
    assert not reactor.running
    reactor.run(loop_factory=watching)
    assert told == ["begun"]


# -- what cannot work ---------------------------------------------------------


async def test_run_in_a_running_loop_raises_and_says_what_to_do() -> None:
    for each in (reactor, AsyncioSelectorReactor()):
        with pytest.raises(ReactorAlreadyRunning, match=r"leave run\(\) out"):
            each.run()


def test_run_while_it_runs_raises_and_says_what_to_do(watching: LoopFactory) -> None:
    errors: list[Any] = []

    def begun() -> None:
        try:
            reactor.run()
        except Exception as exception:
            errors.append(exception)
        errors.extend(in_thread(reactor.run))
        reactor.stop()

    reactor.callWhenRunning(begun)
    reactor.run(loop_factory=watching)
    here, there = errors
    assert type(here) is type(there) is ReactorAlreadyRunning
    assert "leave run() out" in str(here)
    assert "in another thread" in str(there)


def test_stop_when_it_does_not_run_raises() -> None:
    with pytest.raises(ReactorNotRunning, match="is not running"):
        reactor.stop()
    with pytest.raises(ReactorNotRunning, match="not running"):
        reactor.crash()


async def test_stop_in_a_loop_that_others_run_raises_and_says_what_to_do() -> None:
    with pytest.raises(ReactorNotRunning, match=r"asyncio\.run"):
        reactor.stop()
    with pytest.raises(ReactorNotRunning):
        reactor.crash()
    assert reactor.running


def test_stop_twice_raises(watching: LoopFactory) -> None:
    told: list[str] = []

    def twice() -> None:
        reactor.stop()
        with pytest.raises(ReactorNotRunning, match="stopping already"):
            reactor.stop()
        told.append("twice")

    reactor.callWhenRunning(twice)
    reactor.run(loop_factory=watching)
    assert told == ["twice"]


def test_stop_may_be_called_in_another_thread(watching: LoopFactory) -> None:
    """It wakes the loop, which would otherwise wait forever."""
    reactor.callWhenRunning(lambda: thread.start())
    thread = threading.Thread(target=reactor.stop, daemon=True)
    reactor.run(loop_factory=watching)
    thread.join(5)


def test_crash_may_be_called_in_another_thread(watching: LoopFactory) -> None:
    reactor.callWhenRunning(lambda: thread.start())
    thread = threading.Thread(target=reactor.crash, daemon=True)
    reactor.run(loop_factory=watching)
    thread.join(5)


def test_running_is_told_when_startup_happens(watching: LoopFactory) -> None:
    told: list[bool] = []
    for phase in ("before", "during", "after"):
        reactor.addSystemEventTrigger(phase, "startup", lambda: told.append(reactor.running))
    reactor.callWhenRunning(reactor.stop)
    reactor.run(loop_factory=watching)
    assert told == [False, True, True]


def test_signals_are_handled_from_startup_on(loop_factory: LoopFactory) -> None:
    told: list[bool] = []

    def look() -> None:
        told.append(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)

    for phase in ("before", "during"):
        reactor.addSystemEventTrigger(phase, "startup", look)
    reactor.callWhenRunning(reactor.stop)
    reactor.run(loop_factory=loop_factory)
    assert told == [True, False]


def test_what_a_given_loop_does_first_may_stop_the_run(watching: LoopFactory) -> None:
    """It comes before the reactor's own start."""
    loop = watching()
    own = AsyncioSelectorReactor(loop)
    loop.call_soon(own.stop)
    own.run()
    assert loop.is_closed()


def test_run_in_a_shutdown_trigger_raises_and_says_what_to_do(watching: LoopFactory) -> None:
    told: list[str] = []

    def again() -> None:
        with pytest.raises(ReactorNotRestartable, match="has returned"):
            reactor.run()
        told.append("refused")

    reactor.addSystemEventTrigger("after", "shutdown", again)
    reactor.callWhenRunning(reactor.stop)
    reactor.run(loop_factory=watching)
    assert told == ["refused"]


@pytest.mark.parametrize("method", ["sigInt", "sigTerm", "sigBreak"])
def test_a_program_can_pass_its_signals_on(watching: LoopFactory, method: str) -> None:
    own = AsyncioSelectorReactor()
    own.callWhenRunning(getattr(own, method), 15)
    own.run(loop_factory=watching)
    assert own._exitSignal == 15
    own.callWhenRunning(own.stop)
    own.run(loop_factory=watching)
    assert own._exitSignal is None


def test_stop_before_anything_else_has_run(watching: LoopFactory) -> None:
    reactor.addSystemEventTrigger("before", "startup", reactor.stop)
    told: list[str] = []
    reactor.callWhenRunning(told.append, "begun")
    reactor.run(loop_factory=watching)
    assert told == ["begun"]


def test_crash_ends_without_the_shutdown_triggers(watching: LoopFactory) -> None:
    told: list[str] = []
    for phase in ("before", "during", "after"):
        reactor.addSystemEventTrigger(phase, "shutdown", told.append, phase)
    reactor.callWhenRunning(reactor.crash)
    reactor.run(loop_factory=watching)
    assert told == []


def test_a_trigger_that_is_cancelled_is_no_error(watching: LoopFactory) -> None:
    told: list[str] = []
    hanging: Deferred[None] = Deferred()
    reactor.addSystemEventTrigger("before", "shutdown", lambda: hanging)
    reactor.addSystemEventTrigger("during", "shutdown", told.append, "during")
    reactor.callWhenRunning(reactor.stop)
    reactor.callLater(0.005, hanging.cancel)
    reactor.run(loop_factory=watching)
    assert told == ["during"]


def test_crash_while_a_trigger_is_waited_for(watching: LoopFactory) -> None:
    """What it was waiting for is cancelled with all other tasks, and ends nothing twice."""
    told: list[str] = []

    async def hang() -> None:
        reactor.callLater(0.001, reactor.crash)
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            told.append("cancelled")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            told.append("cleaned up")

    reactor.addSystemEventTrigger("before", "shutdown", hang)
    reactor.addSystemEventTrigger("during", "shutdown", told.append, "during")
    reactor.callWhenRunning(reactor.stop)
    reactor.run(loop_factory=watching)
    assert told == ["cancelled", "cleaned up"]


def test_stop_while_all_ends_raises(watching: LoopFactory) -> None:
    """And does not disturb the end."""
    told: list[str] = []

    async def work() -> None:
        reactor.callLater(0.001, reactor.crash)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            for end in (reactor.stop, reactor.crash):
                try:
                    end()
                except ReactorNotRunning:
                    told.append("refused")
            await asyncio.sleep(0)
            told.append("cleaned up")

    tasks: list[Any] = []
    reactor.callWhenRunning(lambda: tasks.append(asyncio.get_running_loop().create_task(work())))
    reactor.run(loop_factory=watching)
    assert told == ["refused", "refused", "cleaned up"]


def test_an_interrupt_closes_everything_too(watching: LoopFactory) -> None:
    """As when Ctrl-C is left to Python."""
    lost: list[Failure] = []

    class Held(Protocol):
        def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]
            lost.append(reason)

        def connectionMade(self) -> None:
            reactor.callLater(0, interrupt)

    def interrupt() -> None:
        raise KeyboardInterrupt

    port = reactor.listenTCP(0, quiet(Held), interface=LOCAL)
    with socket.create_connection((LOCAL, number_of(port))) as sock:
        with pytest.raises(KeyboardInterrupt):
            reactor.run(loop_factory=watching)
        sock.settimeout(5)
        assert sock.recv(1) == b""
    assert [reason.type for reason in lost] == [ConnectionLost]
    assert not port.connected


# -- triggers -----------------------------------------------------------------


def test_triggers_come_phase_by_phase(watching: LoopFactory) -> None:
    told: list[str] = []
    for event in ("shutdown", "startup"):
        for phase in ("after", "during", "before"):
            for which in ("1", "2"):
                reactor.addSystemEventTrigger(phase, event, told.append, f"{phase} {event} {which}")
    reactor.callLater(0, told.append, "run")
    reactor.callLater(0.001, reactor.stop)
    reactor.run(loop_factory=watching)
    startup, shutdown = told[: told.index("run")], told[told.index("run") + 1 :]
    for event, found in (("startup", startup), ("shutdown", shutdown)):
        assert found == [
            f"{phase} {event} {which}"
            for phase in ("before", "during", "after")
            for which in ("1", "2")
        ]


def test_what_before_returns_is_waited_for(watching: LoopFactory) -> None:
    """Deferreds and coroutines alike, all at once."""
    told: list[str] = []
    deferred: Deferred[None] = Deferred()

    def returns_deferred() -> Deferred[None]:
        return deferred

    def fire() -> None:
        told.append("deferred")
        deferred.callback(None)

    async def coroutine() -> None:
        done = asyncio.Event()
        reactor.callLater(0.001, done.set)
        await done.wait()
        told.append("coroutine")
        reactor.callLater(0.001, fire)

    reactor.addSystemEventTrigger("during", "shutdown", told.append, "during")
    reactor.addSystemEventTrigger("before", "shutdown", returns_deferred)
    reactor.addSystemEventTrigger("before", "shutdown", coroutine)
    reactor.addSystemEventTrigger("before", "shutdown", told.append, "plain")
    reactor.callWhenRunning(reactor.stop)
    reactor.run(loop_factory=watching)
    assert told == ["plain", "coroutine", "deferred", "during"]


@pytest.mark.parametrize("event", ["startup", "shutdown"])
@pytest.mark.parametrize("phase", ["before", "during", "after"])
def test_a_failing_trigger_is_reported_and_holds_nothing_up(
    watching: LoopFactory, seen: list[dict[str, Any]], event: str, phase: str
) -> None:
    told: list[str] = []
    mistakes = [ZeroDivisionError(str(number)) for number in range(3)]

    def fails() -> None:
        raise mistakes[0]

    def fails_later() -> Deferred[None]:
        deferred: Deferred[None] = Deferred()
        reactor.callLater(0, deferred.errback, mistakes[1])
        return deferred

    async def fails_too() -> None:
        raise mistakes[2]

    for function in (fails, fails_later, fails_too):
        reactor.addSystemEventTrigger(phase, event, function)
    reactor.addSystemEventTrigger(phase, event, told.append, phase)
    reactor.addSystemEventTrigger("after", event, told.append, "last")
    reactor.callLater(0.005, reactor.stop)
    reactor.run(loop_factory=watching)
    assert told == [phase, "last"]
    assert sorted(str(context["exception"]) for context in seen) == ["0", "1", "2"]
    assert all(phase in context["message"] for context in seen)
    seen.clear()


def test_a_trigger_can_be_taken_back(watching: LoopFactory) -> None:
    told: list[str] = []
    kept = reactor.addSystemEventTrigger("during", "shutdown", told.append, "kept")
    taken = reactor.addSystemEventTrigger("during", "shutdown", told.append, "taken")
    when = reactor.callWhenRunning(told.append, "begun")
    reactor.removeSystemEventTrigger(taken)
    reactor.removeSystemEventTrigger(when)
    with pytest.raises(ValueError, match="not waiting for the event any more"):
        reactor.removeSystemEventTrigger(taken)
    own = current_reactor()
    reactor.callWhenRunning(reactor.stop)
    reactor.run(loop_factory=watching)
    assert told == ["kept"]
    with pytest.raises(ValueError, match="not waiting for the event any more"):
        own.removeSystemEventTrigger(kept)


def test_equal_triggers_are_two(watching: LoopFactory) -> None:
    told: list[str] = []
    first = reactor.addSystemEventTrigger("during", "startup", told.append, "x")
    reactor.addSystemEventTrigger("during", "startup", told.append, "x")
    reactor.removeSystemEventTrigger(first)
    reactor.callWhenRunning(reactor.stop)
    reactor.run(loop_factory=watching)
    assert told == ["x"]


def test_a_trigger_added_by_a_trigger_of_the_same_phase_comes_too(watching: LoopFactory) -> None:
    told: list[str] = []

    def first() -> None:
        reactor.addSystemEventTrigger("during", "shutdown", told.append, "second")

    reactor.addSystemEventTrigger("during", "shutdown", first)
    reactor.callWhenRunning(reactor.stop)
    reactor.run(loop_factory=watching)
    assert told == ["second"]


async def test_an_event_of_ones_own() -> None:
    told: list[str] = []
    gate: Deferred[None] = Deferred()
    reactor.addSystemEventTrigger("before", "eclipse", lambda: gate)
    reactor.addSystemEventTrigger("after", "eclipse", told.append, "dark")
    over = reactor.fireSystemEvent("eclipse")
    assert (told, over.called) == ([], False)
    gate.callback(None)
    assert (told, over.called) == (["dark"], True)
    await reactor.fireSystemEvent("eclipse")
    assert told == ["dark"]


async def test_bad_triggers_raise_at_the_call() -> None:
    with pytest.raises(KeyError, match="before, during, after"):
        reactor.addSystemEventTrigger("between", "startup", nothing)
    for add in (
        lambda what: reactor.addSystemEventTrigger("before", "shutdown", what),
        reactor.callWhenRunning,
    ):
        with pytest.raises(TypeError, match="pass the function, not its result"):
            add(cast(Any, "nothing"))


async def test_callWhenRunning_calls_at_once_where_a_loop_runs() -> None:
    told: list[object] = []
    assert reactor.callWhenRunning(lambda *args, **kw: told.append((args, kw)), 1, two=2) is None
    assert told == [((1,), {"two": 2})]


# -- signals ------------------------------------------------------------------


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_program_in_good_order(loop_name: str, number: int) -> None:
    """With exit status 0, the shutdown triggers run, and the handlers as they were."""
    process = child(
        """
        before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
        reactor.addSystemEventTrigger("during", "shutdown", say, "shutting down")
        reactor.callWhenRunning(say, "ready")
        reactor.run(loop_factory=loops.new_event_loop)
        assert before == [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
        say("the end")
        """,
        loop_name,
    )
    read_until(process, "ready\n")
    os.kill(process.pid, number)
    assert ending(process) == ("shutting down\nthe end\n", 0)


@pytest.mark.parametrize(
    "numbers",
    [
        (signal.SIGINT, signal.SIGINT),
        (signal.SIGTERM, signal.SIGINT),
        (signal.SIGINT, signal.SIGTERM),
    ],
    ids=["INT INT", "TERM INT", "INT TERM"],
)
@pytest.mark.parametrize("kind", ["deferred", "coroutine"])
def test_a_second_signal_ends_a_shutdown_that_hangs(
    loop_name: str, numbers: tuple[int, int], kind: str
) -> None:
    process = child(
        """
        def deferred():
            say("waiting")
            return Deferred()

        async def coroutine():
            say("waiting")
            await asyncio.Event().wait()

        _signals._SAME_SIGNAL = 0
        hangs = deferred if sys.argv[2] == "deferred" else coroutine
        reactor.addSystemEventTrigger("before", "shutdown", hangs)
        reactor.addSystemEventTrigger("during", "shutdown", say, "never said")
        reactor.callWhenRunning(say, "ready")
        try:
            reactor.run(loop_factory=loops.new_event_loop)
        finally:
            say("the end")
        """,
        loop_name,
        kind,
    )
    read_until(process, "ready\n")
    os.kill(process.pid, numbers[0])
    read_until(process, "waiting\n")
    os.kill(process.pid, numbers[1])
    rest, status = ending(process)
    assert status == -numbers[1]  # as if the signal had ended it
    assert "again: ending now" in rest
    assert ("the end\n" in rest) == (numbers[1] == signal.SIGINT)
    assert "never said" not in rest


def test_a_signal_that_is_sent_twice_at_once_is_one(loop_name: str) -> None:
    """As `timeout` and others do, which send it to the process and to its group."""
    process = child(
        """
        _signals._SAME_SIGNAL = 1000
        done = Deferred()

        def wait():
            say("waiting")
            os.kill(os.getpid(), signal.SIGTERM)
            reactor.callLater(0.05, done.callback, None)
            return done

        reactor.addSystemEventTrigger("before", "shutdown", wait)
        reactor.addSystemEventTrigger("during", "shutdown", say, "shutting down")
        reactor.callWhenRunning(os.kill, os.getpid(), signal.SIGTERM)
        reactor.run(loop_factory=loops.new_event_loop)
        say("the end")
        """,
        loop_name,
    )
    assert ending(process) == ("waiting\nshutting down\nthe end\n", 0)


def test_a_handler_of_the_programs_own_is_respected(loop_name: str) -> None:
    process = child(
        """
        signal.signal(signal.SIGINT, lambda number, frame: say("mine"))
        mine = signal.getsignal(signal.SIGINT)
        reactor.callWhenRunning(say, "ready")
        reactor.run(loop_factory=loops.new_event_loop)
        assert signal.getsignal(signal.SIGINT) is mine
        say("the end")
        """,
        loop_name,
    )
    read_until(process, "ready\n")
    os.kill(process.pid, signal.SIGINT)
    read_until(process, "mine\n")
    os.kill(process.pid, signal.SIGTERM)
    assert ending(process) == ("the end\n", 0)


def test_no_handlers_if_none_are_wanted(loop_name: str) -> None:
    process = child(
        """
        reactor.callWhenRunning(say, "ready")
        try:
            reactor.run(installSignalHandlers=False, loop_factory=loops.new_event_loop)
        except KeyboardInterrupt:
            say("interrupted")
        """,
        loop_name,
    )
    read_until(process, "ready\n")
    os.kill(process.pid, signal.SIGINT)
    assert ending(process) == ("interrupted\n", 0)


async def test_an_attached_reactor_installs_no_handlers() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    reactor.callLater(0, nothing)
    assert [signal.getsignal(number) for number in numbers] == before


def test_a_reactor_in_another_thread_installs_no_handlers(watching: LoopFactory) -> None:
    before = signal.getsignal(signal.SIGINT)
    found: list[Any] = []

    def run() -> None:
        reactor.callWhenRunning(lambda: found.append(signal.getsignal(signal.SIGINT)))
        reactor.callWhenRunning(reactor.stop)
        reactor.run(loop_factory=watching)

    assert in_thread(run) == [None]
    assert found == [before]


# -- before a loop runs -------------------------------------------------------


class Greeter(Protocol):
    def connectionMade(self) -> None:
        self.transport.write(b"hello")
        self.transport.loseConnection()


class Client(ClientFactory[Any]):
    noisy = False

    def __init__(self, told: list[Any], done: Callable[[], object]) -> None:
        self.told = told
        self.done = done

    def buildProtocol(self, addr: Any) -> Protocol:
        return Taker(self.told)

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        self.done()


class Taker(Protocol):
    def __init__(self, told: list[Any]) -> None:
        self.told = told

    def dataReceived(self, data: bytes) -> None:
        self.told.append(data)


def ask(done: Callable[[], object]) -> tuple[list[Any], socket.socket]:
    """Ask the reactor for one of everything, and connect to its port."""
    told: list[Any] = []
    reactor.callWhenRunning(told.append, "running")
    port = reactor.listenTCP(0, quiet(Greeter), interface=LOCAL)
    reactor.callLater(0, told.append, "called")
    reactor.connectTCP(LOCAL, number_of(port), Client(told, done))
    sock = socket.create_connection((LOCAL, number_of(port)))
    sock.settimeout(5)
    assert told == []
    return told, sock


def test_what_was_asked_for_before_happens_when_run_begins(watching: LoopFactory) -> None:
    told, sock = ask(lambda: reactor.stop())
    with sock:
        reactor.run(loop_factory=watching)
        assert sock.recv(10) == b"hello"
    assert told == ["running", "called", b"hello"]


def test_what_was_asked_for_before_happens_in_the_first_loop_that_uses_the_reactor(
    watching: LoopFactory,
) -> None:
    done = asyncio.Event()
    told, sock = ask(lambda: done.set())
    waiting = current_reactor()

    async def main() -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        assert told == []
        async with reactor, asyncio.timeout(5):
            assert current_reactor() is waiting
            assert told == ["running"]
            await done.wait()

    with sock:
        with asyncio.Runner(loop_factory=watching) as runner:
            runner.run(main())
        assert sock.recv(10) == b"hello"
    assert told == ["running", "called", b"hello"]


def test_a_loop_in_another_thread_does_not_take_what_waits_in_this_one(
    watching: LoopFactory,
) -> None:
    told: list[str] = []
    reactor.callWhenRunning(told.append, "running")

    async def main() -> bool:
        return bool(reactor.running)

    assert in_thread(lambda: asyncio.run(main())) == [True]
    assert told == []
    reactor.callWhenRunning(reactor.stop)
    reactor.run(loop_factory=watching)
    assert told == ["running"]


_asked_by: contextvars.ContextVar[str] = contextvars.ContextVar("asked_by", default="nobody")


def test_what_was_asked_for_runs_in_the_context_of_who_asked(watching: LoopFactory) -> None:
    """Promise 13."""
    told: list[str] = []

    def note() -> None:
        told.append(_asked_by.get())

    async def note_later() -> None:
        await asyncio.sleep(0)
        note()

    def asks(name: str, what: Callable[[], object]) -> None:
        context = contextvars.copy_context()
        context.run(_asked_by.set, name)
        context.run(what)

    asks("when", lambda: reactor.callWhenRunning(note))
    asks("later", lambda: reactor.callLater(0, note))
    asks("before", lambda: reactor.addSystemEventTrigger("before", "shutdown", note))
    asks("coroutine", lambda: reactor.addSystemEventTrigger("before", "shutdown", note_later))
    asks("after", lambda: reactor.addSystemEventTrigger("after", "shutdown", note))
    reactor.callLater(0.001, reactor.stop)
    reactor.run(loop_factory=watching)
    assert told == ["when", "later", "before", "coroutine", "after"]


# -- the end of a run ---------------------------------------------------------


def test_a_run_ends_as_asyncio_run_ends(watching: LoopFactory) -> None:
    told: list[str] = []
    kept: list[Any] = []

    async def generate() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            told.append("generator closed")

    async def work() -> None:
        kept.append(generator := generate())
        await anext(generator)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0)
            told.append("task done")

    class Held(Protocol):
        def connectionMade(self) -> None:
            reactor.callLater(0.001, reactor.stop)

        def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]
            told.append(f"lost: {reason.type.__name__}")

    def begun() -> None:
        loop = asyncio.get_running_loop()
        kept.append(loop)
        kept.append(loop.create_task(work()))
        kept.append(loop.run_in_executor(None, nothing))

    reactor.callWhenRunning(begun)
    port = reactor.listenTCP(0, quiet(Held), interface=LOCAL)
    reactor.addSystemEventTrigger("after", "shutdown", told.append, "after shutdown")
    late = reactor.callLater(1000, nothing)
    with socket.create_connection((LOCAL, number_of(port))) as sock:
        reactor.run(loop_factory=watching)
        sock.settimeout(5)
        assert sock.recv(1) == b""
    assert told == ["after shutdown", "lost: ConnectionLost", "task done", "generator closed"]
    assert kept[0].is_closed()
    assert reactor.getDelayedCalls() == [late]
    assert late.func is None
    late.cancel()  # whoever made it may still do so
    assert not port.connected
    socket.create_server((LOCAL, number_of(port))).close()


def test_a_port_that_cannot_be_stopped_keeps_nothing_else_from_it(
    watching: LoopFactory, seen: list[dict[str, Any]]
) -> None:
    class Broken(Factory[Any]):
        noisy = False

        def stopFactory(self) -> None:
            raise ZeroDivisionError

    ports = [reactor.listenTCP(0, Broken(), interface=LOCAL) for _ in range(2)]
    ports.append(reactor.listenTCP(0, quiet(), interface=LOCAL))
    reactor.callLater(0.001, reactor.stop)
    reactor.run(loop_factory=watching)
    assert [port.connected for port in ports] == [False] * 3
    assert [type(context["exception"]) for context in seen] == [ZeroDivisionError] * 2
    seen.clear()


class Stubborn(ClientFactory[Any]):
    """Connects again at once, whatever happens."""

    noisy = False
    protocol = Protocol

    def __init__(self) -> None:
        self.told: list[type] = []
        self.stopped = 0

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.told.append(reason.type)
        connector.connect()

    clientConnectionLost = clientConnectionFailed

    def stopFactory(self) -> None:
        self.stopped += 1


@pytest.mark.parametrize("when", [0, 0.01], ids=["connecting", "connected"])
def test_a_client_that_always_connects_again_does_not_keep_the_run_from_ending(
    watching: LoopFactory, when: float
) -> None:
    with socket.create_server((LOCAL, 0)) as listener:
        factory = Stubborn()
        connector = reactor.connectTCP(LOCAL, listener.getsockname()[1], factory)
        reactor.callLater(when, reactor.stop)
        reactor.run(loop_factory=watching)
    # Each attempt that it was asked about ends, the one after the connection too.
    assert factory.told in ([UserError], [ConnectionLost, UserError])
    assert connector.state == "disconnected"
    assert factory.stopped == 1


def test_a_task_can_use_the_reactor_while_all_ends(watching: LoopFactory) -> None:
    told: list[object] = []

    async def work() -> None:
        mine = current_reactor()
        reactor.callLater(0.001, reactor.stop)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            reactor.callLater(1000, nothing)
            told.append(current_reactor() is mine)

    tasks: list[Any] = []
    reactor.callWhenRunning(lambda: tasks.append(asyncio.get_running_loop().create_task(work())))
    reactor.run(loop_factory=watching)
    assert told == [True]


# -- attached to a loop -------------------------------------------------------


async def test_there_is_one_reactor_for_each_loop() -> None:
    mine = current_reactor()
    assert current_reactor() is mine

    async def elsewhere() -> AsyncioSelectorReactor:
        return current_reactor()

    assert await asyncio.create_task(elsewhere()) is mine
    (other,) = in_thread(lambda: asyncio.run(elsewhere()))
    assert isinstance(other, AsyncioSelectorReactor)
    assert other is not mine


def test_each_loop_in_turn_has_its_own(loop_factory: LoopFactory) -> None:
    async def main() -> AsyncioSelectorReactor:
        assert reactor.running
        return current_reactor()

    found = []
    for _ in range(3):
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            found.append(runner.run(main()))
    assert len(set(map(id, found))) == 3
    assert not reactor.running


def test_reactors_of_closed_loops_are_not_kept(loop_factory: LoopFactory) -> None:
    async def main() -> AsyncioSelectorReactor:
        return current_reactor()

    found = []
    for _ in range(5):
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            found.append(weakref.ref(runner.run(main())))
    del runner
    gc.collect()
    assert sum(ref() is not None for ref in found) <= 1


def test_nothing_of_ours_stops_or_closes_a_loop_that_others_run(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with reactor:
            reactor.callLater(1000, nothing)

    loop = loop_factory()
    try:
        loop.run_until_complete(main())
        assert not loop.is_closed()
        loop.run_until_complete(main())
        assert not loop.is_closed()
    finally:
        loop.close()


async def test_async_with_closes_everything_and_leaves_the_loop_running(errors: Any) -> None:
    told: list[str] = []
    connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    class Held(Protocol):
        def connectionMade(self) -> None:
            connected.set_result(None)

        def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]
            told.append(f"lost: {reason.type.__name__}")

    async with asyncio.timeout(5):
        async with reactor as mine:
            assert mine is current_reactor()
            port = reactor.listenTCP(0, quiet(Held), interface=LOCAL)
            late = reactor.callLater(1000, nothing)
            reactor.addSystemEventTrigger("before", "shutdown", told.append, "before")
            reader, writer = await asyncio.open_connection(LOCAL, number_of(port))
            await connected
        assert told == ["before", "lost: ConnectionLost"]
        assert not port.connected
        assert not reactor.getDelayedCalls()
        late.cancel()  # whoever made it may still do so
        try:
            assert await reader.read() == b""
        except ConnectionResetError:
            pass
        writer.close()
        # The reactor can be used on.
        assert current_reactor() is mine
        assert reactor.running
        done = asyncio.Event()
        reactor.callLater(0, done.set)
        await done.wait()


async def test_async_with_closes_everything_when_its_body_fails(errors: Any) -> None:
    ports: list[Any] = []

    async def fail() -> None:
        async with reactor:
            ports.append(reactor.listenTCP(0, quiet(), interface=LOCAL))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert not ports[0].connected


async def test_async_with_closes_everything_when_it_is_cancelled_at_the_end(errors: Any) -> None:
    """Though a shutdown trigger hangs."""
    ports: list[Any] = []

    async def use() -> None:
        async with reactor:
            ports.append(reactor.listenTCP(0, quiet(), interface=LOCAL))
            reactor.addSystemEventTrigger("before", "shutdown", Deferred)

    task = asyncio.create_task(use())
    for _ in range(5):
        await asyncio.sleep(0)
    assert ports[0].connected
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not ports[0].connected


async def test_two_ends_at_once_both_end(errors: Any) -> None:
    """Two users of one loop leave `async with reactor` in the same turn."""
    connected = asyncio.Event()

    class Held(Protocol):
        def connectionMade(self) -> None:
            connected.set()

    async def use() -> None:
        async with reactor:
            await connected.wait()

    async with asyncio.timeout(5):
        port = reactor.listenTCP(0, quiet(Held), interface=LOCAL)
        tasks = [asyncio.create_task(use()) for _ in range(3)]
        with socket.create_connection((LOCAL, number_of(port))):
            await asyncio.gather(*tasks)


@pytest.mark.parametrize("how", ["connecting", "connected"])
async def test_async_with_ends_a_client_that_always_connects_again(errors: Any, how: str) -> None:
    with socket.create_server((LOCAL, 0)) as listener:
        listener.setblocking(False)
        factory = Stubborn()
        async with asyncio.timeout(5):
            async with reactor:
                connector = reactor.connectTCP(LOCAL, listener.getsockname()[1], factory)
                if how == "connected":
                    sock, _ = await asyncio.get_running_loop().sock_accept(listener)
                    sock.close()
                    while not factory.told:
                        await asyncio.sleep(0)
        assert connector.state == "disconnected"
        assert factory.stopped == 1


# -- the module ---------------------------------------------------------------


def test_the_module_stands_for_the_reactor() -> None:
    for interface in (IReactorCore, IReactorTime, IReactorTCP):
        assert interface.providedBy(reactor)
        assert interface.implementedBy(AsyncioSelectorReactor)
        for name in interface:
            assert hasattr(reactor, name)
    assert {"callLater", "run", "listenTCP"} <= set(dir(reactor))
    for name in ("nonesuch", "__nonesuch__"):
        with pytest.raises(AttributeError, match=name):
            getattr(reactor, name)


def test_what_a_test_puts_back_stands_for_no_single_reactor(
    monkeypatch: pytest.MonkeyPatch, watching: LoopFactory
) -> None:
    """`monkeypatch` puts back what it has found: the method of the reactor of that moment."""

    async def replace_and_put_back() -> object:
        with monkeypatch.context() as patch:
            patch.setattr(reactor, "getReaders", lambda: [7])
            assert reactor.getReaders() == [7]
        return cast(Any, reactor.getReaders).__self__

    async def look() -> object:
        return cast(Any, reactor.getReaders).__self__

    with asyncio.Runner(loop_factory=watching) as runner:
        first = runner.run(replace_and_put_back())
    with asyncio.Runner(loop_factory=watching) as runner:
        second = runner.run(look())
        assert second is not first


def test_install_gives_run_a_loop(watching: LoopFactory) -> None:
    loop = watching()
    install(loop)
    told: list[asyncio.AbstractEventLoop] = []
    reactor.callWhenRunning(lambda: told.append(asyncio.get_running_loop()))
    reactor.callWhenRunning(reactor.stop)
    with pytest.raises(ReactorAlreadyInstalledError):
        install()
    reactor.run()
    assert told == [loop]


async def test_install_in_a_loop_that_has_no_reactor_yet_is_harmless() -> None:
    install(asyncio.get_running_loop())
    assert reactor.running
    with pytest.raises(ReactorAlreadyInstalledError):
        install()


def test_every_reactor_is_a_ReactorBase() -> None:
    assert isinstance(AsyncioSelectorReactor(), ReactorBase)


def test_what_is_imported_as_the_reactor_is_one() -> None:
    """Programs look which reactor is installed, and this is the answer that they expect."""
    assert isinstance(reactor, AsyncioSelectorReactor)
    assert isinstance(reactor, ReactorBase)

    class Other(AsyncioSelectorReactor):
        pass

    assert not isinstance(reactor, Other)
    assert isinstance(Other(), AsyncioSelectorReactor)
    assert not isinstance(object(), AsyncioSelectorReactor)


async def test_the_module_stands_for_the_reactor_of_the_running_loop() -> None:
    assert reactor.getReaders == current_reactor().getReaders
    assert reactor.running is True


def test_callLater_kept_from_one_loop_is_that_of_the_next(watching: LoopFactory) -> None:
    kept: list[Any] = []

    async def keep() -> None:
        kept[:] = [reactor.callLater, reactor.seconds]

    async def use() -> None:
        called = asyncio.Event()
        call = kept[0](0, called.set)
        assert reactor.getDelayedCalls() == [call]
        assert kept[1]() == pytest.approx(asyncio.get_running_loop().time(), abs=1)
        await called.wait()

    for program in (keep, use):
        with asyncio.Runner(loop_factory=watching) as runner:
            runner.run(program())


async def test_a_reactor_made_by_hand_is_that_of_the_running_loop() -> None:
    made = AsyncioSelectorReactor()
    assert made.running
    assert current_reactor() is made
    with pytest.raises(ReactorAlreadyInstalledError, match="has its reactor"):
        AsyncioSelectorReactor()


def test_iterate_runs_a_little_and_keeps_its_loop(watching: LoopFactory) -> None:
    made = AsyncioSelectorReactor(watching())
    seen: list[str] = []
    made.callLater(0, seen.append, "called")
    made.iterate()
    assert seen == ["called"]
    made.callLater(0.01, seen.append, "later")
    made.iterate(0.02)
    assert seen == ["called", "later"]
    made.callLater(0, seen.append, "current")
    made.runUntilCurrent()
    assert seen.pop() == "current"
    made.callWhenRunning(seen.append, "running")
    made.callWhenRunning(made.stop)
    made.run()
    assert seen == ["called", "later", "running"]


async def test_iterate_in_a_running_loop_raises_and_says_what_to_do() -> None:
    with pytest.raises(ReactorAlreadyRunning, match="await something"):
        reactor.iterate()


def test_the_reactor_that_waits_says_so() -> None:
    assert repr(AsyncioSelectorReactor()) == "<reactor, waiting for a loop>"


async def test_the_reactor_says_what_it_is() -> None:
    assert repr(current_reactor()).startswith("<reactor, attached to ")
