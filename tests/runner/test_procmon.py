"""Processes that are watched: under a clock with stand-ins, and real ones."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest

from reactorlib.internet import error
from reactorlib.internet.defer import CancelledError
from reactorlib.internet.task import Clock
from reactorlib.logger import Logger, formatEvent
from reactorlib.python.failure import Failure
from reactorlib.python.usage import UsageError
from reactorlib.runner import procmontap
from reactorlib.runner.procmon import LoggingProtocol, ProcessMonitor


class Log(list[dict[str, Any]]):
    """The events that a monitor has logged; whoever wants a line awaits it."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = asyncio.Event()

    def __call__(self, event: dict[str, Any]) -> None:
        self.append(event)
        self._changed.set()

    @property
    def lines(self) -> list[str]:
        return [event["line"] for event in self if "line" in event]

    @property
    def texts(self) -> list[str]:
        return [formatEvent(event) for event in self]

    async def until(self, count: int) -> list[str]:
        """Wait for so many lines."""
        async with asyncio.timeout(20):
            while len(self.lines) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.lines


# -- with stand-ins, under a clock --------------------------------------------


class FakeProcess:
    """Ends a second after SIGTERM, and at once by SIGKILL."""

    takes: float = 1

    def __init__(self, reactor: FakeReactor, protocol: Any) -> None:
        self.reactor = reactor
        self.protocol = protocol
        self.signals: list[str] = []
        self.over = False

    def signalProcess(self, name: str) -> None:
        if self.over:
            raise error.ProcessExitedAlready
        self.signals.append(name)
        self.reactor.callLater(self.takes if name == "TERM" else 0, self.end, 1)

    def end(self, code: int = 0) -> None:
        if not self.over:
            self.over = True
            why = error.ProcessTerminated(code) if code else error.ProcessDone(0)
            self.protocol.processExited(Failure(why))
            self.protocol.processEnded(Failure(why))

    def loseConnection(self) -> None:
        pass


class FakeReactor(Clock):
    """Starts stand-ins, and notes how."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[tuple[float, str, dict[str, Any]]] = []
        self.processes: list[FakeProcess] = []
        self.refuses: Exception | None = None

    def spawnProcess(self, protocol: Any, executable: str, args: Any, **how: Any) -> FakeProcess:
        if self.refuses is not None:
            raise self.refuses
        self.started.append((self.seconds(), executable, {"args": args, **how}))
        process = FakeProcess(self, protocol)
        self.processes.append(process)
        protocol.makeConnection(process)
        return process


@pytest.fixture
def fake() -> FakeReactor:
    return FakeReactor()


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def monitor(fake: FakeReactor, log: Log) -> ProcessMonitor:
    monitor = ProcessMonitor(fake)
    monitor.log = Logger("monitor", observer=log)
    return monitor


def times(fake: FakeReactor) -> list[float]:
    return [when for when, _, _ in fake.started]


def test_it_starts_what_was_added_and_what_is_added_later(
    monitor: ProcessMonitor, fake: FakeReactor
) -> None:
    monitor.addProcess("one", ["/bin/one", "-x"], uid=1, gid=2, env={"A": "b"}, cwd="/tmp")
    assert fake.started == []
    monitor.startService()
    monitor.addProcess("two", ["two"])
    how = {"args": ["/bin/one", "-x"], "uid": 1, "gid": 2, "env": {"A": "b"}, "path": "/tmp"}
    plain: dict[str, Any] = {"args": ["two"], "uid": None, "gid": None, "env": {}, "path": None}
    assert fake.started == [(0, "/bin/one", how), (0, "two", plain)]
    assert isinstance(monitor.protocols["one"], LoggingProtocol)
    monitor.startProcess("one")  # it runs
    assert len(fake.started) == 2


def test_names_are_used_once_and_known(monitor: ProcessMonitor) -> None:
    monitor.addProcess("one", ["one"])
    with pytest.raises(KeyError, match="already exists"):
        monitor.addProcess("one", ["other"])
    for method in (monitor.startProcess, monitor.stopProcess, monitor.removeProcess):
        with pytest.raises(KeyError, match="no process 'two'"):
            method("two")
    wrong: Any
    for wrong in ([], "sleep 10"):
        with pytest.raises(ValueError, match="in a list"):
            monitor.addProcess("three", wrong)


def test_one_that_ends_instantly_waits_twice_as_long_each_time(
    monitor: ProcessMonitor, fake: FakeReactor, log: Log
) -> None:
    monitor.maxRestartDelay = 5
    monitor.addProcess("one", ["one"])
    monitor.startService()
    for delay in (1, 2, 4, 5, 5):
        began = len(fake.started)
        fake.processes[-1].end()
        fake.advance(delay - 0.5)
        assert len(fake.started) == began
        fake.advance(0.5)
        assert len(fake.started) == began + 1
    assert log.texts[0].endswith("is started again in 1 s: it ran for less than 1 s")
    # Having run for the threshold, it has all forgiven.
    fake.advance(monitor.threshold)
    fake.processes[-1].end(3)
    fake.advance(0)
    assert times(fake)[-1] == fake.seconds()
    fake.processes[-1].end()
    fake.advance(1)
    assert times(fake)[-1] == fake.seconds()


def test_what_cannot_be_started_is_tried_again(
    monitor: ProcessMonitor, fake: FakeReactor, log: Log
) -> None:
    fake.refuses = FileNotFoundError(2, "no such program")
    monitor.addProcess("one", ["one"])
    monitor.startService()
    assert monitor.protocols == {}
    assert log.texts[0] == "Cannot start process one"
    fake.refuses = None
    fake.advance(1)
    assert times(fake) == [1]


def test_what_is_wrong_with_the_arguments_is_not(
    monitor: ProcessMonitor, fake: FakeReactor
) -> None:
    fake.refuses = TypeError("uid is a number")
    monitor.addProcess("one", ["one"])
    with pytest.raises(TypeError):
        monitor.startProcess("one")
    assert monitor.protocols == {}


def test_one_that_does_not_end_is_killed(monitor: ProcessMonitor, fake: FakeReactor) -> None:
    monitor.addProcess("one", ["one"])
    monitor.startService()
    fake.advance(2)
    stubborn = fake.processes[0]
    stubborn.takes = 100
    monitor.stopProcess("one")
    monitor.stopProcess("one")
    fake.advance(monitor.killTime - 1)
    assert stubborn.signals == ["TERM"]
    fake.advance(1)
    assert stubborn.signals == ["TERM", "KILL"]
    fake.advance(0)
    fake.advance(0)
    assert times(fake) == [0, 7]
    assert monitor.murder == {}


def test_all_are_started_again(monitor: ProcessMonitor, fake: FakeReactor) -> None:
    for name in ("one", "two"):
        monitor.addProcess(name, [name])
    monitor.startService()
    fake.advance(2)
    monitor.restartAll()
    fake.advance(1)
    fake.advance(0)
    assert times(fake) == [0, 0, 3, 3]


def test_one_that_is_removed_ends_and_stays_so(monitor: ProcessMonitor, fake: FakeReactor) -> None:
    monitor.addProcess("one", ["one"])
    monitor.addProcess("two", ["two"])
    monitor.startService()
    fake.processes[1].end()  # waits
    monitor.removeProcess("one")
    monitor.removeProcess("two")
    fake.pump([1] * 10)
    assert fake.processes[0].signals == ["TERM"]
    assert len(fake.started) == 2
    assert monitor.delay == monitor.timeStarted == monitor.restart == {}


def test_one_that_is_added_again_waits_for_its_end(
    monitor: ProcessMonitor, fake: FakeReactor
) -> None:
    monitor.addProcess("one", ["old"])
    monitor.startService()
    fake.advance(5)
    monitor.removeProcess("one")
    monitor.addProcess("one", ["new"])
    assert len(fake.started) == 1
    fake.advance(1)
    fake.advance(0)
    assert [name for _, name, _ in fake.started] == ["old", "new"]


def test_stopping_ends_all_and_what_was_to_start(
    monitor: ProcessMonitor, fake: FakeReactor
) -> None:
    for name in ("one", "two"):
        monitor.addProcess(name, [name])
    monitor.startService()
    fake.processes[1].end()
    stopped = monitor.stopService()
    assert not stopped.called
    fake.advance(1)
    assert stopped.called
    fake.pump([1] * 10)
    assert len(fake.started) == 2
    assert fake.getDelayedCalls() == []
    monitor.startService()
    assert len(fake.started) == 4


def test_grace_is_less_time_to_end(monitor: ProcessMonitor, fake: FakeReactor) -> None:
    monitor.addProcess("one", ["one"])
    monitor.startService()
    fake.processes[0].takes = 100
    monitor.stopProcess("one")
    stopped = monitor.stopService(grace=2)
    fake.advance(2)
    fake.advance(0)
    assert stopped.called
    assert fake.processes[0].signals == ["TERM", "KILL"]


def test_a_saved_monitor_has_what_is_to_run(monitor: ProcessMonitor) -> None:
    del monitor.log
    monitor.killTime = 7
    monitor.addProcess("one", ["one", "-x"], uid=3, env=None, cwd="/srv")
    monitor.startService()
    saved = pickle.loads(pickle.dumps(monitor))
    assert repr(saved) == repr(monitor) == "<ProcessMonitor one: one -x (uid=3, cwd=/srv)>"
    assert (saved.running, saved.killTime, saved.protocols) == (0, 7, {})


def test_what_is_deprecated_works(monitor: ProcessMonitor, fake: FakeReactor) -> None:
    monitor.addProcess("one", ["one"])
    with pytest.warns(DeprecationWarning, match=r"toTuple|ProcessMonitor\.processes"):
        assert monitor.processes == {"one": (["one"], None, None, {})}
    monitor.startService()
    with pytest.warns(DeprecationWarning, match=r"ProcessMonitor\.connectionLost was deprecated"):
        monitor.connectionLost("one")
    assert monitor.protocols == {}
    fake.advance(1)
    assert len(fake.started) == 2


@pytest.mark.parametrize(
    ("written", "logged"),
    [
        ([b"a\nb\n"], ["a", "b"]),
        ([b"a", b"b\n\n", b"c"], ["ab", "", "c"]),
        ([b"\xff\n"], [repr(b"\xff")]),
        (["ü\n".encode()[:1], "ü\n".encode()[1:]], ["ü"]),
        ([b"x" * 20_000 + b"\nnext\n"], ["x" * 16384, "x" * (20_000 - 16384), "next"]),
        ([b"y" * 10_000] * 4, ["y" * 16384, "y" * 16384, "y" * (40_000 - 2 * 16384)]),
        ([], []),
    ],
)
def test_lines_are_logged(
    monitor: ProcessMonitor, fake: FakeReactor, log: Log, written: list[bytes], logged: list[str]
) -> None:
    monitor.addProcess("one", ["one"])
    monitor.startProcess("one")
    for data in written:
        monitor.protocols["one"].outReceived(data)
    fake.processes[0].end()
    assert log.lines == logged
    assert {(event["tag"], event["stream"]) for event in log} <= {("one", "stdout")}


# -- real ones ----------------------------------------------------------------


@pytest.fixture
async def real(log: Log) -> AsyncIterator[ProcessMonitor]:
    monitor = ProcessMonitor()
    monitor.log = Logger("monitor", observer=log)
    monitor.threshold = 0
    monitor.startService()
    yield monitor
    monitor.killTime = 0
    async with asyncio.timeout(20):
        await monitor.stopService()
    assert monitor.protocols == {}


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


async def test_what_a_real_process_writes(real: ProcessMonitor, log: Log) -> None:
    real.addProcess("talks", shell("echo out; echo err >&2; exec sleep 60"))
    await log.until(2)
    assert {(e["tag"], e["stream"], e["line"]) for e in log} == {
        ("talks", "stdout", "out"),
        ("talks", "stderr", "err"),
    }
    assert set(log.texts) == {"[talks] out", "[talks] err"}


async def test_a_real_process_that_dies_is_there_again(real: ProcessMonitor, log: Log) -> None:
    real.addProcess("dies", shell("echo $$; exec sleep 60"))
    (first,) = await log.until(1)
    os.kill(int(first), signal.SIGKILL)
    second = (await log.until(2))[1]
    assert first != second
    assert any("dies has failed" in text and "signal 9" in text for text in log.texts)


async def test_a_process_left_behind_holds_nothing_up(real: ProcessMonitor, log: Log) -> None:
    """The shell's child has its output, and lives on."""
    real.addProcess("leaves", shell("sleep 60 & echo $!; read _"))
    await log.until(1)
    process = real.protocols["leaves"].transport
    process.signalProcess("KILL")
    try:
        await log.until(2)
        # It is not waited for at the end, either.
        real.killTime = 0.05
        async with asyncio.timeout(20):
            await real.stopService()
    finally:
        for line in log.lines:
            os.kill(int(line), signal.SIGKILL)


async def test_sigterm_then_sigkill(real: ProcessMonitor, log: Log) -> None:
    real.killTime = 0.05
    real.addProcess("ignores", shell("trap '' TERM; echo ready; read _"))
    await log.until(1)
    exited = real.protocols["ignores"].exited
    async with asyncio.timeout(20):
        await real.stopService()
    assert exited.called


async def test_cancelling_the_end_kills(real: ProcessMonitor, log: Log) -> None:
    real.addProcess("ignores", shell("trap '' TERM; echo ready; read _"))
    await log.until(1)
    exited = real.protocols["ignores"].exited
    stopping = real.stopService()
    stopping.cancel()
    with pytest.raises(CancelledError):
        await stopping
    async with asyncio.timeout(20):
        await exited
        await real.stopService()  # waits for what is under way


async def test_no_such_program(real: ProcessMonitor, log: Log) -> None:
    real.threshold = 1
    real.addProcess("none", ["/no/such/program"])
    assert log.texts[0] == "Cannot start process none"
    assert real.restart["none"].active()


# -- the command line -----------------------------------------------------------


def options(*argv: str) -> procmontap.Options:
    parsed = procmontap.Options()
    parsed.parseOptions(argv)
    return parsed


def test_the_command_line() -> None:
    monitor = procmontap.makeService(
        options("-t", "2", "-k", "3", "-m", "4", "-M", "5.5", "ping", "-c", "3")
    )
    assert (monitor.threshold, monitor.killTime) == (2, 3)
    assert (monitor.minRestartDelay, monitor.maxRestartDelay) == (4, 5.5)
    assert repr(monitor) == "<ProcessMonitor ping -c 3: ping -c 3>"


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        ([], "commandline"),
        (["-t", "soon", "x"], "soon"),
        (["-k", "-1", "x"], "'-1' is no time"),
        (["-k", "inf", "x"], "'inf' is no time"),
        (["-m", "9", "-M", "8", "x"], "--minrestartdelay is 9 s"),
    ],
)
def test_what_is_wrong_with_a_command_line(argv: list[str], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        options(*argv)


async def test_the_command_lines_process_has_our_environment(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORD", "here")
    monitor = procmontap.makeService(options("sh", "-c", "echo $WORD; exec sleep 60"))
    monitor.log = Logger("monitor", observer=log)
    async with monitor:
        assert await log.until(1) == ["here"]
