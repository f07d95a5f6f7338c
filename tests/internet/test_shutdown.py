"""
The end of a run: under load, by signals, and by exceptions that are meant to end the program.

What one signal does on its own is in `test_reactor`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reactorlib.internet import reactor, task
from reactorlib.internet.defer import Deferred, ensureDeferred
from reactorlib.internet.protocol import DatagramProtocol, Factory, ProcessProtocol, Protocol

from ._programs import child, ending, read_until
from ._uses import LOCAL, nothing_left

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

pytestmark = pytest.mark.timeout(30)


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


# -- a server with much to do -------------------------------------------------

BUSY = """
from collections import Counter
from reactorlib.internet import task, threads
from reactorlib.internet.protocol import DatagramProtocol, Factory, ProcessProtocol, Protocol

told = []                        # what has happened at the end, in order
lost = Counter()                 # how often each connection was lost
reasons = Counter()
kept = []
before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]

class Echo(Protocol):
    def connectionMade(self):
        lost[self] = 0
        task.LoopingCall(self.tick).start(0.001)
        self.tick_later()
        if len(lost) == 200:
            say("ready")
    def tick(self):
        self.transport.write(b".")
    def tick_later(self):
        reactor.callLater(0, self.tick_later)
    def dataReceived(self, data):
        self.transport.write(data)
    def connectionLost(self, reason):
        lost[self] += 1
        reasons[reason.type.__name__] += 1

class Cat(ProcessProtocol):
    def connectionMade(self):
        self.transport.write(b"x" * 1000)
    def outReceived(self, data):
        self.transport.write(data)
    def processEnded(self, reason):
        reasons["process: " + reason.type.__name__] += 1

class Ping(DatagramProtocol):
    noisy = False
    def startProtocol(self):
        self.transport.write(b"x", ("127.0.0.1", self.transport.getHost().port))
    def datagramReceived(self, datagram, addr):
        self.transport.write(datagram, addr)

def in_thread(times=0):
    time.sleep(0.001)
    if not told:
        reactor.callFromThread(lambda: None)
        reactor.callInThread(in_thread)

async def generate():
    try:
        yield
    finally:
        await asyncio.sleep(0)
        told.append("generator closed")

async def work():
    kept.append(generator := generate())
    await anext(generator)
    try:
        while True:
            await asyncio.sleep(0)
    finally:
        await asyncio.sleep(0)
        told.append("task cleaned up")

def wait_a_little():
    told.append("before")
    done = Deferred()
    reactor.callLater(0.05, done.callback, None)
    return done

def begun():
    loop = asyncio.get_running_loop()
    loop.slow_callback_duration = 10
    kept.append(loop)
    kept.append(loop.create_task(work()))
    loop.run_in_executor(None, time.sleep, 0.05)
    for _ in range(5):
        reactor.callInThread(in_thread)
        reactor.spawnProcess(Cat(), "cat", ["cat"], env=None)
    kept.append(reactor.listenUDP(0, Ping(), "127.0.0.1"))
    say(port.getHost().port)

factory = Factory.forProtocol(Echo)
factory.noisy = False
port = reactor.listenTCP(0, factory, 500, "127.0.0.1")
reactor.callWhenRunning(begun)
reactor.addSystemEventTrigger("before", "shutdown", wait_a_little)
reactor.addSystemEventTrigger("during", "shutdown", told.append, "during")
reactor.addSystemEventTrigger("after", "shutdown", told.append, "after")
# uvloop takes seconds for this much in its debug mode.
reactor.run(loop_factory=loops.new_event_loop, debug=sys.argv[1] == "asyncio")
say(json.dumps({
    "told": told,
    "lost": sorted(Counter(lost.values()).items()),
    "reasons": reasons,
    "signal": reactor._exitSignal,
    "closed": kept[0].is_closed() and not port.connected,
    "handlers": before == [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)],
    "threads": [t.name for t in threading.enumerate() if t is not threading.main_thread()
                and not t.name.startswith("reactorlib waits for process")],
}))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_busy_server_ends_in_good_order(loop_name: str, number: int) -> None:
    process = child(BUSY, loop_name, dev=True)
    with contextlib.ExitStack() as stack:
        port = int(read_until(process, "\n"))
        socks = [
            stack.enter_context(socket.create_connection((LOCAL, port), 10)) for _ in range(200)
        ]
        for sock in socks:
            sock.sendall(b"x" * 10_000)
        read_until(process, "ready\n")
        os.kill(process.pid, number)
        for sock in socks:
            try:
                while sock.recv(1 << 16):
                    pass
            except ConnectionResetError:
                pass
        said, status = ending(process)
        assert status == 0, said
    socket.create_server((LOCAL, port)).close()
    assert json.loads(said) == {
        "told": ["before", "during", "after", "task cleaned up", "generator closed"],
        "lost": [[1, 200]],
        "reasons": {"ConnectionLost": 200, "process: ProcessTerminated": 5},
        "signal": number,
        "closed": True,
        "handlers": True,
        "threads": [],
    }


# -- signals ------------------------------------------------------------------


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_waits_for_no_thread(loop_name: str, second: int) -> None:
    """One of the pool's that never ends; the triggers are done by then."""
    process = child(
        """
        def hang():
            say("ready")
            threading.Event().wait()

        _signals._SAME_SIGNAL = 0
        reactor.callInThread(hang)
        reactor.addSystemEventTrigger("after", "shutdown", say, "waiting")
        try:
            reactor.run(loop_factory=loops.new_event_loop)
        finally:
            say("the end")
        """,
        loop_name,
    )
    read_until(process, "ready\n")
    os.kill(process.pid, signal.SIGINT)
    read_until(process, "waiting\n")
    os.kill(process.pid, second)
    said, status = ending(process)
    assert "again: ending now" in said
    assert ("the end\n" in said) == (second == signal.SIGINT)
    assert status == -second


def test_a_second_signal_leaves_no_file_of_a_socket(loop_name: str, tmp_path: Path) -> None:
    """It ends the wait for the ports, and not what they do to stop."""
    process = child(
        """
        from reactorlib.internet.protocol import Factory, Protocol

        class Told(Factory):
            protocol = Protocol
            noisy = False
            def stopFactory(self):
                say("stopped")

        def hang():
            say("waiting")
            return Deferred()

        _signals._SAME_SIGNAL = 0
        reactor.listenUNIX(sys.argv[2], Told(), wantPID=True)
        reactor.addSystemEventTrigger("before", "shutdown", hang)
        reactor.callWhenRunning(say, "ready")
        reactor.run(loop_factory=loops.new_event_loop)
        """,
        loop_name,
        str(tmp_path / "s"),
    )
    read_until(process, "ready\n")
    os.kill(process.pid, signal.SIGINT)
    read_until(process, "waiting\n")
    os.kill(process.pid, signal.SIGINT)
    said, _ = ending(process)
    assert "stopped\n" in said
    assert os.listdir(tmp_path) == []


def test_a_run_after_a_second_signal_does_not_wait_for_the_threads_of_the_first(
    loop_name: str,
) -> None:
    process = child(
        """
        def hang():
            say("ready")
            released.wait()

        released = threading.Event()
        _signals._SAME_SIGNAL = 0
        reactor.callInThread(hang)
        reactor.addSystemEventTrigger("after", "shutdown", say, "waiting")
        try:
            reactor.run(loop_factory=loops.new_event_loop)
        except KeyboardInterrupt:
            say("interrupted")
        for _ in range(2):
            reactor.callInThread(reactor.callFromThread, reactor.stop)
            reactor.run(loop_factory=loops.new_event_loop)
            say("ended")
            released.set()
        """,
        loop_name,
    )
    read_until(process, "ready\n")
    os.kill(process.pid, signal.SIGINT)
    read_until(process, "waiting\n")
    os.kill(process.pid, signal.SIGINT)
    said, status = ending(process)
    assert said.endswith("interrupted\nended\nended\n")
    assert status == 0


def test_an_exception_in_a_trigger_holds_nothing_up_after_a_signal(loop_name: str) -> None:
    process = child(
        """
        def fail():
            raise ZeroDivisionError("in a trigger")

        for phase in ("before", "during", "after"):
            reactor.addSystemEventTrigger(phase, "shutdown", fail)
        reactor.addSystemEventTrigger("after", "shutdown", say, "after")
        reactor.callWhenRunning(say, "ready")
        reactor.run(loop_factory=loops.new_event_loop)
        say("the end")
        """,
        loop_name,
    )
    read_until(process, "ready\n")
    os.kill(process.pid, signal.SIGTERM)
    said, status = ending(process)
    assert status == 0
    assert said.count("ZeroDivisionError: in a trigger") == 3
    assert said.endswith("after\nthe end\n")


def test_a_program_can_end_by_the_signal_that_has_stopped_it(loop_name: str) -> None:
    process = child(
        """
        reactor.callWhenRunning(say, "ready")
        reactor.run(loop_factory=loops.new_event_loop)
        signal.raise_signal(reactor._exitSignal)
        """,
        loop_name,
    )
    read_until(process, "ready\n")
    os.kill(process.pid, signal.SIGTERM)
    assert ending(process) == ("", -signal.SIGTERM)


def test_a_signal_before_startup_is_done_is_pythons(loop_name: str) -> None:
    """Who waits for a trigger of "startup" that never ends can press Ctrl-C."""
    process = child(
        """
        def hang():
            reactor.callLater(0, say, "ready")
            return Deferred()

        reactor.addSystemEventTrigger("before", "startup", hang)
        try:
            reactor.run(loop_factory=loops.new_event_loop)
        except KeyboardInterrupt:
            say(f"interrupted {reactor.running}")
        """,
        loop_name,
    )
    read_until(process, "ready\n")
    os.kill(process.pid, signal.SIGINT)
    assert ending(process) == ("interrupted False\n", 0)


def test_control_c_in_a_loop_of_others(loop_name: str) -> None:
    """It is asyncio's: the reactor's part is that `async with` closes everything."""
    process = child(
        """
        from reactorlib.internet.protocol import Factory, Protocol

        async def main():
            handlers = signal.getsignal(signal.SIGTERM)
            async with reactor:
                reactor.addSystemEventTrigger("before", "shutdown", say, "shutdown")
                port = reactor.listenTCP(0, Factory.forProtocol(Protocol), interface="127.0.0.1")
                assert handlers == signal.getsignal(signal.SIGTERM)
                say("ready")
                try:
                    await asyncio.Event().wait()
                finally:
                    kept.append(port)

        kept = []
        try:
            with asyncio.Runner(loop_factory=loops.new_event_loop) as runner:
                runner.run(main())
        finally:
            say(kept[0].connected)
        """,
        loop_name,
    )
    read_until(process, "ready\n")
    os.kill(process.pid, signal.SIGINT)
    said, status = ending(process)
    assert said.startswith("shutdown\nFalse\nTraceback")
    assert status == -signal.SIGINT


# -- what ends a program from within ------------------------------------------


def a_protocol(method: str, fail: Callable[..., Any]) -> None:
    """A connection whose protocol fails in `method`."""
    factory = Factory[Any].forProtocol(type("Fails", (Protocol,), {method: fail}))
    factory.noisy = False
    port = reactor.listenTCP(0, factory, interface=LOCAL)
    with socket.create_connection((LOCAL, port.getHost().port)) as sock:
        sock.send(b"x")


def a_datagram(fail: Callable[..., Any]) -> None:
    protocol = type("Fails", (DatagramProtocol,), {"datagramReceived": fail, "noisy": False})()
    port = reactor.listenUDP(0, protocol, LOCAL)
    port.write(b"x", (LOCAL, port.getHost().port))


def a_process(method: str, fail: Callable[..., Any]) -> None:
    protocol = type("Fails", (ProcessProtocol,), {method: fail})()
    reactor.spawnProcess(protocol, "echo", ["echo", "x"], env=None)


def a_callback(fail: Callable[..., Any]) -> None:
    fired: Deferred[None] = Deferred()
    fired.addCallback(fail)
    reactor.callLater(0, fired.callback, None)


def a_trigger(fail: Callable[..., Any]) -> None:
    reactor.addSystemEventTrigger("before", "shutdown", fail)
    reactor.callLater(0, reactor.stop)


def a_coroutine(fail: Callable[..., Any]) -> None:
    async def later() -> None:
        await task.deferLater(reactor, 0, lambda: None)
        fail()

    ensureDeferred(later())


FAILING: dict[str, Callable[[Callable[..., Any]], object]] = {
    "callLater": lambda fail: reactor.callLater(0, fail),
    "callWhenRunning": lambda fail: reactor.callWhenRunning(fail),
    "callFromThread": lambda fail: reactor.callFromThread(fail),
    "from a thread": lambda fail: reactor.callInThread(reactor.callFromThread, fail),
    "LoopingCall": lambda fail: task.LoopingCall(fail).start(0),
    "connectionMade": lambda fail: a_protocol("connectionMade", fail),
    "dataReceived": lambda fail: a_protocol("dataReceived", fail),
    "connectionLost": lambda fail: a_protocol("connectionLost", fail),
    "datagramReceived": a_datagram,
    "outReceived": lambda fail: a_process("outReceived", fail),
    "processEnded": lambda fail: a_process("processEnded", fail),
    "a callback": a_callback,
    "a trigger": a_trigger,
    "a coroutine": a_coroutine,
}


@pytest.fixture
def watching(loop_factory: LoopFactory) -> Iterator[LoopFactory]:
    reported: list[Any] = []

    def make() -> asyncio.AbstractEventLoop:
        loop = loop_factory()
        loop.set_exception_handler(lambda _, context: reported.append(context))
        return loop

    yield make
    gc.collect()
    # asyncio says so itself of a task that ended so, though it raises it too.
    assert [c for c in reported if c["message"] != "Task exception was never retrieved"] == []


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("begin", FAILING.values(), ids=FAILING)
def test_what_ends_a_program_ends_the_run(
    begin: Callable[[Callable[..., Any]], object], kind: type[BaseException], watching: LoopFactory
) -> None:
    """From whatever callback it comes, with everything closed; and the reactor can run again."""
    raised = kind(3)

    def fail(*_: Any) -> None:
        if not failed:
            failed.append(True)
            raise raised

    def run() -> None:
        port = reactor.listenTCP(0, Factory[Any].forProtocol(Protocol), interface=LOCAL)
        reactor.callWhenRunning(begin, fail)
        with pytest.raises(kind) as caught:
            reactor.run(loop_factory=watching)
        assert caught.value is raised
        assert not port.connected
        raised.__traceback__ = None

    def run_well() -> None:
        reactor.callWhenRunning(reactor.stop)
        reactor.run(loop_factory=watching)

    failed: list[bool] = []
    with nothing_left():
        run()
        run_well()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_the_triggers_run_all_the_same(kind: type[BaseException], watching: LoopFactory) -> None:
    """As they do where `asyncio.run` ends for it, in `async with reactor`."""
    told: list[str] = []

    def fail() -> None:
        raise kind(3)

    def finish() -> Deferred[None]:
        told.append("before")
        return task.deferLater(reactor, 0.001, told.append, "finished")

    for phase in ("after", "during"):
        reactor.addSystemEventTrigger(phase, "shutdown", told.append, phase)
    reactor.addSystemEventTrigger("before", "shutdown", finish)
    reactor.callLater(0, fail)
    with nothing_left(), pytest.raises(kind):
        reactor.run(loop_factory=watching)
    assert told == ["before", "finished", "during", "after"]


def test_a_second_interrupt_ends_the_triggers(watching: LoopFactory) -> None:
    """Whoever waits for one that never ends can press Ctrl-C again."""
    told: list[str] = []

    def interrupt(text: str) -> None:
        raise KeyboardInterrupt(text)

    def hang() -> Deferred[None]:
        reactor.callLater(0, interrupt, "second")
        return Deferred()

    reactor.addSystemEventTrigger("before", "shutdown", hang)
    reactor.addSystemEventTrigger("after", "shutdown", told.append, "after")
    reactor.callLater(0, interrupt, "first")
    with nothing_left(), pytest.raises(KeyboardInterrupt, match="second") as caught:
        reactor.run(loop_factory=watching)
    assert str(caught.value.__context__) == "first"
    assert told == []
    caught.value.__traceback__ = None


def test_an_interrupt_within_the_triggers_ends_them(watching: LoopFactory) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    told: list[str] = []
    reactor.addSystemEventTrigger("during", "shutdown", interrupt)
    reactor.addSystemEventTrigger("after", "shutdown", told.append, "after")
    reactor.callWhenRunning(reactor.stop)
    with nothing_left(), pytest.raises(KeyboardInterrupt):
        reactor.run(loop_factory=watching)
    assert told == []


def test_sys_exit_is_the_programs_status(loop_name: str) -> None:
    process = child(
        """
        reactor.callLater(0, sys.exit, 3)
        reactor.run(loop_factory=loops.new_event_loop)
        """,
        loop_name,
        dev=True,
    )
    assert ending(process) == ("", 3)


def test_a_storm_of_calls_does_not_keep_a_run_from_ending(watching: LoopFactory) -> None:
    calls = 0

    def again() -> None:
        nonlocal calls
        calls += 1
        reactor.callLater(0, again)
        reactor.callLater(0.0001, again if calls < 500 else lambda: None)
        reactor.callFromThread(lambda: None)

    reactor.callWhenRunning(again)
    reactor.callLater(0.02, reactor.stop)
    reactor.run(loop_factory=watching)
    assert calls > 1
    assert {call.func for call in reactor.getDelayedCalls()} <= {None}  # all are dropped


def test_calls_made_while_all_ends_end_nothing_late(watching: LoopFactory) -> None:
    """What is asked for after the last trigger is closed, or dropped, with the rest."""
    told: list[str] = []

    class Late(Protocol):
        def connectionMade(self) -> None:
            reactor.stop()

        def connectionLost(self, reason: Any = None) -> None:
            reactor.callLater(0, told.append, "too late")
            ports.append(reactor.listenTCP(0, factory, interface=LOCAL))

    factory = Factory[Any].forProtocol(Late)
    factory.noisy = False
    ports = [reactor.listenTCP(0, factory, interface=LOCAL)]
    with socket.create_connection((LOCAL, ports[0].getHost().port)):
        reactor.run(loop_factory=watching)
    assert len(ports) > 1
    assert [port.connected for port in ports] == [False] * len(ports)
    assert {call.func for call in reactor.getDelayedCalls()} <= {None}  # all are dropped
