"""Processes, as their protocols see them: what is written and read, and how they end."""

from __future__ import annotations

import asyncio
import colorsys
import contextvars
import fcntl
import gc
import importlib
import keyword
import os
import pty
import signal
import stat
import struct
import subprocess
import termios
import threading
import tty
import types
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from zope.interface.verify import verifyClass, verifyObject

from reactorlib.internet import error, process, reactor
from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor
from reactorlib.internet.defer import Deferred
from reactorlib.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from reactorlib.internet.interfaces import (
    IProcessProtocol,
    IProcessTransport,
    IReactorProcess,
)
from reactorlib.internet.protocol import ProcessProtocol

from ._process import SH, LoopFactory, Told, children, is_zombie_or_gone, nothing_stays_open, soon

pytestmark = pytest.mark.timeout(30)

#: More than a pipe holds, and than asyncio buffers.
BIG = bytes(range(256)) * 4096


def run(told: Told, script: str, **how: Any) -> Any:
    """Run a script of the shell's, in our environment."""
    how.setdefault("env", None)
    return reactor.spawnProcess(told, SH, ["sh", "-c", script], **how)


async def ended(script: str, **how: Any) -> Told:
    """What the protocol of such a script was told."""
    told = Told()
    run(told, script, **how)
    await soon(told.ended)
    return told


def test_interfaces() -> None:
    verifyClass(IReactorProcess, AsyncioSelectorReactor)
    verifyClass(IProcessTransport, process.Process)
    verifyClass(IProcessTransport, process.PTYProcess)
    verifyObject(IProcessProtocol, ProcessProtocol())
    assert IReactorProcess.providedBy(reactor)


# -- talking ------------------------------------------------------------------


async def test_a_conversation() -> None:
    told = Told()
    transport: Any = reactor.spawnProcess(told, "/bin/cat", ["cat"])
    assert told.transport is transport
    assert IProcessTransport.providedBy(transport)
    assert told.events == ["made"]
    pid = transport.pid
    assert pid in children()
    assert process.reapProcessHandlers[pid] is transport
    transport.write(b"one ")
    transport.writeSequence([b"two ", b"three "])
    transport.writeToChild(0, b"four")
    await soon(told.until(lambda told: told.out == b"one two three four"))
    transport.closeStdin()
    reason = await soon(told.ended)
    assert isinstance(reason, ProcessDone)
    assert (reason.exitCode, reason.signal, reason.status) == (0, None, 0)
    assert transport.pid is None
    assert pid not in process.reapProcessHandlers
    assert is_zombie_or_gone(pid) == "gone"
    assert told.events[-1] == "ended"
    for event in ("made", ("lost", 0), ("lost", 1), ("lost", 2), "exited", "ended"):
        assert told.events.count(event) == 1


async def test_the_protocol_tells_output_and_error_output_apart() -> None:
    seen: list[tuple[object, ...]] = []
    over: Deferred[None] = Deferred()

    class Seen(ProcessProtocol):
        def outReceived(self, data: bytes) -> None:
            seen.append(("out", data))

        def errReceived(self, data: bytes) -> None:
            seen.append(("err", data))

        def inConnectionLost(self) -> None:
            seen.append(("in lost",))

        def outConnectionLost(self) -> None:
            seen.append(("out lost",))

        def errConnectionLost(self) -> None:
            seen.append(("err lost",))

        def processEnded(self, reason: object) -> None:
            over.callback(None)

    reactor.spawnProcess(Seen(), SH, ["sh", "-c", "echo o; echo e >&2; exec sleep 0"], env=None)
    await soon(over)
    assert sorted(seen, key=repr) == [
        ("err lost",),
        ("err", b"e\n"),
        ("in lost",),
        ("out lost",),
        ("out", b"o\n"),
    ]


async def test_everything_written_arrives_before_the_input_is_closed() -> None:
    told = Told()
    transport = reactor.spawnProcess(told, "/bin/cat", ["cat"])
    transport.write(BIG)
    transport.write(bytearray(b"the end"))  # type: ignore[arg-type]  # as Twisted takes it
    transport.closeStdin()
    transport.write(b"too late")
    await soon(told.ended)
    assert told.out == BIG + b"the end"


async def test_other_descriptors() -> None:
    told = Told()
    transport = run(told, "cat <&3 >&5; echo done >&5", childFDs={1: "r", 3: "w", 5: "r"})
    transport.writeToChild(3, b"three ")
    transport.closeChildFD(3)
    await soon(told.ended)
    assert told.data == {5: b"three done\n"}
    assert {event for event in told.events if event[0] == "lost"} == {  # type: ignore[index]
        ("lost", 1),
        ("lost", 3),
        ("lost", 5),
    }


async def test_what_is_not_there_to_write_to() -> None:
    told = Told()
    transport = run(told, "exec cat", childFDs={0: "w", 1: "r"})
    with pytest.raises(KeyError, match="childFDs has no 'w' for 13"):
        transport.writeToChild(13, b"x")
    with pytest.raises(KeyError):
        transport.writeToChild(1, b"x")
    transport.closeChildFD(13)  # assumed to be closed already
    with pytest.raises(TypeError, match="bytes, not text"):
        transport.write("x")
    with pytest.raises(TypeError, match="bytes, not int"):
        transport.write(3)
    transport.closeStdin()
    await soon(told.ended)
    transport.writeToChild(0, b"dropped: it was there once")
    transport.write(b"dropped")
    transport.writeSequence([b"dropped"])
    transport.closeStdin()
    transport.loseConnection()
    with pytest.raises(NotImplementedError, match="no address"):
        transport.getPeer()
    with pytest.raises(NotImplementedError, match="no address"):
        transport.getHost()


async def test_closing_our_end_of_the_output() -> None:
    """The process finds nobody reading, and a signal ends it; see SIGPIPE."""
    told = Told(data=lambda told: told.transport.closeStdout())
    run(told, "while :; do echo more; done")
    reason = await soon(told.ended)
    assert isinstance(reason, ProcessTerminated)
    assert reason.signal == signal.SIGPIPE
    before = told.events.index(("lost", 1))
    assert ("data", 1) not in told.events[before:]


async def test_lose_connection_closes_all_three() -> None:
    told = Told()
    transport = run(told, "trap '' PIPE; cat; exit 7")
    transport.loseConnection()
    reason = await soon(told.ended)
    assert isinstance(reason, ProcessTerminated)
    assert reason.exitCode == 7


async def test_who_ends_without_reading() -> None:
    """What could not be written is dropped, silently."""
    told = Told()
    transport = run(told, "exec true")
    transport.write(BIG)
    assert isinstance(await soon(told.ended), ProcessDone)
    assert ("lost", 0) in told.events


# -- the end ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "code", "number"),
    [
        ("exit 0", 0, None),
        ("exit 1", 1, None),
        ("exit 255", 255, None),
        ("kill -KILL $$", None, signal.SIGKILL),
        ("kill -TERM $$", None, signal.SIGTERM),
        ("kill -PIPE $$", None, signal.SIGPIPE),
    ],
)
async def test_reasons(script: str, code: int | None, number: int | None) -> None:
    told = await ended(script)
    reason: Any = await soon(told.ended)
    status: Any = reason.status
    assert type(reason) is (ProcessDone if code == 0 else ProcessTerminated)
    assert (reason.exitCode, reason.signal) == (code, number)
    if number is None:
        assert os.WEXITSTATUS(status) == code
    else:
        assert os.WTERMSIG(status) == number


async def test_exited_is_not_ended_while_somebody_holds_the_output_open() -> None:
    """A process that it has started goes on writing."""
    told = Told()
    transport = run(
        told,
        "(read line; echo $line) <&3 & exec 3<&- ; echo started",
        childFDs={
            1: "r",
            3: "w",
        },
    )
    await soon(told.exited)
    assert transport.pid is None
    assert "ended" not in told.events
    with pytest.raises(ProcessExitedAlready):
        transport.signalProcess("TERM")
    transport.writeToChild(3, b"a line\n")
    await soon(told.ended)
    assert told.out == b"started\na line\n"


async def test_pipes_may_close_long_before_the_process_ends() -> None:
    told = Told()
    transport = run(told, "exec 1>&- 2>&-; read line; exit 0")
    await soon(told.until(lambda told: {("lost", 1), ("lost", 2)} <= set(told.events)))
    assert "exited" not in told.events
    transport.closeStdin()
    await soon(told.ended)


async def test_without_pipes() -> None:
    told = Told()
    transport = run(told, "exit 3", childFDs={})
    reason: Any = await soon(told.ended)
    assert reason.exitCode == 3
    assert told.events == ["made", "exited", "ended"]
    assert "status=768" in repr(transport)


async def test_without_a_protocol() -> None:
    transport = reactor.spawnProcess(None, SH, ["sh", "-c", "exit 0"], childFDs={0: 0, 1: 1, 2: 2})
    pid = transport.pid
    while pid in process.reapProcessHandlers:
        await asyncio.sleep(0)
    assert transport.status == 0
    with pytest.raises(ValueError, match="without a protocol"):
        reactor.spawnProcess(None, SH)
    with pytest.raises(ValueError, match="without a protocol"):
        reactor.spawnProcess(None, SH, usePTY=True)


# -- signals ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["TERM", "KILL", "INT", "HUP", "SIGUSR1", signal.SIGTERM, 10])
async def test_signals(name: str | int) -> None:
    told = Told()
    transport = run(told, "echo up; exec cat")
    await soon(told.got)
    transport.signalProcess(name)
    reason: Any = await soon(told.ended)
    expected = name if isinstance(name, int) else getattr(signal, "SIG" + name[-4:].lstrip("G"))
    assert reason.signal == {"SIGUSR1": signal.SIGUSR1}.get(str(name), expected)
    with pytest.raises(ProcessExitedAlready):
        transport.signalProcess(name)


async def test_a_signal_that_is_none() -> None:
    told = Told()
    transport = run(told, "exec cat")
    with pytest.raises(ValueError, match="no signal 'NONE'"):
        transport.signalProcess("NONE")
    with pytest.raises(OSError, match="Invalid argument"):
        transport.signalProcess(4711)
    transport.signalProcess("KILL")
    await soon(told.ended)


async def test_a_process_that_is_stopped_has_not_ended() -> None:
    told = Told()
    transport = run(told, "exec cat")
    transport.write(b"1")
    await soon(told.got)
    transport.signalProcess("STOP")
    while is_zombie_or_gone(transport.pid) != "T":
        await asyncio.sleep(0)
    transport.write(b"2")
    for _ in range(20):
        await asyncio.sleep(0)
    assert told.out == b"1"
    assert "exited" not in told.events
    transport.signalProcess("CONT")
    await soon(told.until(lambda told: told.out == b"12"))
    transport.closeStdin()
    assert isinstance(await soon(told.ended), ProcessDone)


async def test_a_signal_reaches_no_other_process() -> None:
    """
    Until the process is reaped, its number is nobody else's; from then on no
    signal is sent.
    """
    told = Told()
    transport = run(told, "exit 0", childFDs={})
    pid = transport.pid
    while is_zombie_or_gone(pid) != "Z":  # without letting the loop run
        pass
    transport.signalProcess("KILL")  # to the zombie, which takes no notice
    assert isinstance(await soon(told.ended), ProcessDone)
    for call in ("kill", "pidfd_send_signal"):
        assert hasattr(os if call == "kill" else signal, call)
    with pytest.raises(ProcessExitedAlready):
        transport.signalProcess("KILL")


# -- holding up ---------------------------------------------------------------


async def test_a_paused_process_is_held_up() -> None:
    """What it writes stays in the pipe, and then with it."""
    size = 3 << 20
    told = Told(data=lambda told: told.transport.pauseProducing())
    transport = run(told, f"head -c {size} /dev/zero; echo over >&2")
    await soon(told.got)
    received = len(told.out)
    assert received <= 1 << 16
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(told.out) == received
    assert told.err == b""
    told.hooks.clear()
    transport.resumeProducing()
    await soon(told.ended)
    assert len(told.out) == size
    assert told.err == b"over\n"


async def test_pausing_at_once() -> None:
    told = Told(made=lambda told: told.transport.pauseProducing())
    transport = run(told, "echo hello")
    await soon(told.exited)
    for _ in range(20):
        await asyncio.sleep(0)
    assert told.out == b""
    assert "ended" not in told.events
    transport.resumeProducing()
    await soon(told.ended)
    assert told.out == b"hello\n"


PIECE = 1 << 20  # more than the system's buffers hold: part of it always waits


class Pushing:
    """A push producer: writes until it is told to pause."""

    def __init__(self, transport: Any, pieces: int) -> None:
        self.transport = transport
        self.left = pieces
        self.paused = False
        self.pauses = 0
        self.stopped = False

    def start(self) -> None:
        self.transport.registerProducer(self, True)
        self.go_on()

    def go_on(self) -> None:
        while self.left and not (self.paused or self.stopped):
            self.left -= 1
            self.transport.write(b"x" * PIECE)
        if not self.left:
            self.transport.unregisterProducer()

    def pauseProducing(self) -> None:
        self.paused = True
        self.pauses += 1

    def resumeProducing(self) -> None:
        self.paused = False
        self.go_on()

    def stopProducing(self) -> None:
        self.stopped = True


class Pulled:
    """A pull producer: writes a piece whenever it is asked."""

    def __init__(self, transport: Any, pieces: int, piece: bytes = b"x" * 65536) -> None:
        self.transport = transport
        self.left = pieces
        self.piece = piece
        self.stopped = False

    def resumeProducing(self) -> None:
        self.left -= 1
        self.transport.write(self.piece)
        if not self.left:
            self.transport.unregisterProducer()

    def stopProducing(self) -> None:
        self.stopped = True


async def test_a_push_producer_waits_for_the_process() -> None:
    told = Told()
    transport = run(told, "read go <&3; wc -c", childFDs={0: "w", 1: "r", 3: "w"})
    producer = Pushing(transport, 20)
    producer.start()
    assert producer.paused
    assert producer.left >= 19
    transport.closeStdin()  # once the producer is done
    transport.writeToChild(3, b"go\n")
    await soon(told.ended)
    assert producer.pauses >= 19  # after each piece
    assert not producer.stopped
    assert told.out.strip() == b"%d" % (20 * PIECE)


async def test_a_pull_producer_is_asked_piece_by_piece() -> None:
    told = Told()
    transport = run(told, "wc -c")
    producer = Pulled(transport, 100)
    transport.registerProducer(producer, False)
    with pytest.raises(RuntimeError, match="has not been unregistered"):
        transport.registerProducer(Pulled(transport, 1), False)
    transport.closeStdin()
    await soon(told.ended)
    assert told.out.strip() == b"6553600"
    assert not producer.stopped


async def test_a_producer_is_stopped_when_nobody_reads_any_more() -> None:
    told = Told()
    transport = run(told, "read line; exec 0<&-; cat <&3", childFDs={0: "w", 1: "r", 3: "w"})
    producer = Pushing(transport, 1000)
    producer.start()
    transport.write(b"\n")
    await soon(told.until(lambda told: ("lost", 0) in told.events))
    assert producer.stopped
    late = Pushing(transport, 1)
    transport.registerProducer(late, True)
    assert late.stopped
    transport.unregisterProducer()
    with pytest.raises(error.ConnectionClosed):
        await transport.drain()
    transport.closeChildFD(3)
    await soon(told.ended)


async def test_a_producer_that_writes_as_long_as_it_may_is_paused_when_a_write_fails() -> None:
    told = Told()
    transport: Any = run(told, "exit 0")
    while is_zombie_or_gone(transport.pid) != "Z":  # without letting the loop run
        pass
    producer = Pushing(transport, 1 << 40)
    producer.start()
    assert producer.paused
    await soon(told.ended)
    assert producer.stopped


async def test_draining() -> None:
    told = Told()
    transport = run(told, "read go <&3; exec cat", childFDs={0: "w", 1: "r", 3: "w"})
    await soon(transport.drain())
    transport.write(BIG)
    drained = transport.drain()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not drained.called
    transport.writeToChild(3, b"go\n")
    await soon(drained)
    transport.write(BIG)
    lost = transport.drain()
    transport.signalProcess("KILL")
    with pytest.raises(error.ConnectionLost):
        await soon(lost)
    await soon(told.ended)


# -- errors of the protocol ---------------------------------------------------


class Broken(Exception):
    pass


def break_(told: Told) -> None:
    raise Broken


@pytest.mark.parametrize("where", ["made", "data", "lost", "exited", "ended"])
@pytest.mark.parametrize("pty", [False, True])
async def test_an_error_in_the_protocol_is_reported_and_loses_nothing(
    where: str, pty: bool, errors: Any
) -> None:
    if where == "lost" and pty:
        pytest.skip("a terminal has no single descriptors")
    told = Told(**{where: break_})
    transport = run(told, "echo out", usePTY=pty)
    pid = transport.pid
    await soon(told.ended)
    await asyncio.sleep(0)
    assert [type(exception) for exception in errors.take()] == (
        [Broken] * (3 if where == "lost" else 1)
    )
    assert told.events[-1] == "ended"
    assert told.events.count("exited") == 1
    assert is_zombie_or_gone(pid) == "gone"


async def test_an_error_over_data_costs_the_pipe(errors: Any) -> None:
    told = Told(data=break_)
    run(told, "echo one; trap '' PIPE; read line; echo two; echo three >&2; exit 5")
    await soon(told.until(lambda told: ("lost", 1) in told.events))
    assert [type(exception) for exception in errors.take()] == [Broken]
    told.hooks.clear()
    told.transport.write(b"\n")
    reason: Any = await soon(told.ended)
    assert reason.exitCode == 5
    assert told.out == b"one\n"
    assert told.err.endswith(b"three\n")


async def test_an_error_of_the_producer_closes_the_input(errors: Any) -> None:
    class Bad(Pulled):
        def resumeProducing(self) -> None:
            raise Broken

    told = Told()
    transport = run(told, "exec cat")
    transport.registerProducer(Bad(transport, 1), False)
    await soon(told.ended)
    assert [type(exception) for exception in errors.take()] == [Broken]


@pytest.mark.parametrize("where", ["made", "data", "lost", "exited", "ended"])
def test_keyboard_interrupt_goes_through(where: str, loop_factory: LoopFactory) -> None:
    """It ends the run, and no zombie is left."""

    def interrupt(told: Told) -> None:
        told.hooks.clear()  # once
        raise KeyboardInterrupt

    told = Told(**{where: interrupt})
    pids: list[int] = []

    async def main() -> None:
        async with reactor:
            try:
                pids.append(run(told, "echo x").pid)
            except KeyboardInterrupt:
                pids.extend(process.reapProcessHandlers)
                raise
            await told.ended
            await asyncio.Event().wait()

    with asyncio.Runner(loop_factory=loop_factory) as runner, pytest.raises(KeyboardInterrupt):
        runner.run(main())
    assert len(pids) == 1
    _wait_until_gone(pids[0])


def _wait_until_gone(pid: int) -> None:
    for _ in range(100_000):
        if is_zombie_or_gone(pid) == "gone":
            return
    pytest.fail(f"process {pid} is {is_zombie_or_gone(pid)}")


# -- terminals ----------------------------------------------------------------


async def test_a_terminal() -> None:
    told = Told()
    transport = run(
        told,
        "stty -echo; tty >/dev/null && ps -o pid=,sid=,tpgid= -p $$; read x; echo got $x; exit 3",
        usePTY=True,
    )
    assert IProcessTransport.providedBy(told.transport)
    await soon(told.until(lambda told: told.out.endswith(b"\n")))
    pid, session, foreground = map(int, told.out.split())
    assert pid == session == foreground == transport.pid  # its own, and in command of it
    transport.write(b"what is ")
    transport.writeSequence([b"typed", b"\n"])
    reason: Any = await soon(told.ended)
    assert reason.exitCode == 3
    assert told.out.endswith(b"got what is typed\r\n")
    assert {event for event in told.events if event not in ("made", "exited", "ended")} == {
        ("data", 1)
    }
    assert transport.fileno() == -1


async def test_the_size_of_a_terminal() -> None:
    told = Told()
    transport = run(told, "read x; stty size", usePTY=True)
    fcntl.ioctl(transport.fileno(), termios.TIOCSWINSZ, struct.pack("4H", 33, 99, 0, 0))
    transport.write(b"\n")
    await soon(told.ended)
    assert b"33 99" in told.out


async def test_hanging_up() -> None:
    told = Told()
    transport = run(told, "echo up; exec cat", usePTY=True)
    await soon(told.got)
    transport.write(b"first ")
    transport.loseConnection()
    transport.loseConnection()
    assert transport.disconnecting
    reason: Any = await soon(told.ended)
    assert reason.signal == signal.SIGHUP
    transport.write(b"dropped")
    transport.writeSequence([b"dropped"])
    transport.loseConnection()
    transport.pauseProducing()
    transport.resumeProducing()
    producer = Pushing(transport, 1)
    transport.registerProducer(producer, True)
    assert producer.stopped
    transport.unregisterProducer()
    with pytest.raises(error.ConnectionDone):
        await transport.drain()


async def test_a_terminal_is_one() -> None:
    told = Told()
    transport = run(told, "exec cat", usePTY=True)
    transport.closeStdin()
    transport.closeStdout()
    transport.closeStderr()
    with pytest.raises(NotImplementedError):
        transport.closeChildFD(0)
    with pytest.raises(NotImplementedError):
        transport.writeToChild(0, b"x")
    producer = Pulled(transport, 2)
    producer.left = 1
    transport.registerProducer(producer, False)
    transport.stopProducing()
    await soon(told.ended)
    with pytest.raises(ValueError, match="leave out either"):
        run(told, "true", usePTY=True, childFDs={0: "w"})


async def test_all_that_is_written_to_a_terminal_is_read() -> None:
    told = Told()
    run(told, "stty -opost; head -c 300000 /dev/zero | tr '\\0' x; echo over", usePTY=True)
    await soon(told.ended)
    assert told.out.endswith(b"xxxxover\n")
    assert told.out.count(b"x") == 300_000


async def test_a_paused_terminal_holds_its_process_up() -> None:
    told = Told(made=lambda told: told.transport.pauseProducing())
    transport = run(told, "head -c 300000 /dev/zero | tr '\\0' x", usePTY=True)
    for _ in range(50):
        await asyncio.sleep(0)
    assert told.out == b""
    assert "exited" not in told.events
    transport.resumeProducing()
    await soon(told.ended)
    assert told.out.count(b"x") == 300_000


async def test_much_is_typed() -> None:
    told = Told()
    transport = run(told, "stty raw -echo; echo ready; head -c 200000 | wc -c", usePTY=True)
    await soon(told.got)
    transport.write(b"x" * 200_000)
    await soon(transport.drain())
    await soon(told.ended)
    assert b"200000" in told.out


async def test_a_given_terminal() -> None:
    with nothing_stays_open():
        master, slave = pty.openpty()
        tty.setraw(slave)
        told = Told()
        transport = run(told, "tty", usePTY=(master, slave, "what its name is does not matter"))
        name = os.ttyname(slave) if transport.fileno() != master else told
        assert name is told
        await soon(told.ended)
        assert told.out.startswith(b"/dev/pts/")
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(master)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(slave)


# -- loops, threads, contexts -------------------------------------------------

_who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


async def test_callbacks_run_in_the_context_of_the_spawning() -> None:
    seen: dict[object, str] = {}

    def note(told: Told) -> None:
        seen[told.events[-1]] = _who.get()

    told = Told(made=note, data=note, lost=note, exited=note, ended=note)
    token = _who.set("the spawner")
    transport = run(told, "cat; echo e >&2")
    _who.reset(token)
    _who.set("somebody else")
    transport.write(b"x")
    await soon(told.got)
    transport.pauseProducing()
    transport.resumeProducing()
    transport.closeStdin()
    await soon(told.ended)
    assert set(seen.values()) == {"the spawner"}
    assert len(seen) == 8


@pytest.mark.parametrize("pty", [False, True])
def test_before_there_is_a_loop(pty: bool, loop_factory: LoopFactory) -> None:
    """It starts at once; what is written waits, and so does what has happened."""
    told = Told(ended=lambda _: reactor.stop())
    how: dict[str, Any] = {"usePTY": True} if pty else {}
    transport = run(told, "read x; echo $x", **how)
    transport.registerProducer(Pulled(transport, 3, b"early "), False)
    waiter = transport.drain()
    assert transport.pid in children()
    assert told.events == ["made"]
    assert not waiter.called
    waiter.addCallback(lambda _: transport.write(b"late\n"))
    pid = transport.pid
    reactor.run(loop_factory=loop_factory)
    assert told.out.strip().startswith(b"early ")
    assert b"late" in told.out
    assert is_zombie_or_gone(pid) == "gone"


def test_in_another_thread_than_the_main_one(loop_factory: LoopFactory) -> None:
    told = Told(ended=lambda _: reactor.stop())

    def whole_program() -> None:
        reactor.callWhenRunning(run, told, "echo $$")
        reactor.run(loop_factory=loop_factory, installSignalHandlers=False)

    thread = threading.Thread(target=whole_program)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert told.events[-1] == "ended"
    assert _reason(told).exitCode == 0


def _reason(told: Told) -> Any:
    found: list[Any] = []
    told.ended.addCallback(found.append)
    return found[0]


@pytest.mark.parametrize("pty", [False, True])
def test_a_loop_that_ends_while_pipes_are_being_attached(
    pty: bool, loop_factory: LoopFactory
) -> None:
    with nothing_stays_open():
        told = Told()

        async def main() -> None:
            run(told, "exec cat", usePTY=pty)

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(main())
        _sweep()
        pid = told.transport.pid
        assert pid is None
        gc.collect()


def _sweep() -> None:
    """What the next start of a process does with those whose loops are closed."""

    async def main() -> None:
        async with reactor:
            await ended("true")

    asyncio.run(main())


# -- nobody's zombies ---------------------------------------------------------


async def test_two_hundred_at_once() -> None:
    with nothing_stays_open():
        protocols = [Told() for _ in range(200)]
        for number, told in enumerate(protocols):
            run(told, f"read x; exit {number % 7}")
        pids = {told.transport.pid for told in protocols}
        assert len(pids) == 200
        assert pids <= children()
        for told in protocols:
            told.transport.write(b"\n")
        for number, told in enumerate(protocols):
            reason: Any = await soon(told.ended)
            assert reason.exitCode == number % 7
        assert not pids & children()
        await asyncio.sleep(0)


async def test_other_peoples_children_are_left_alone() -> None:
    told = Told()
    run(told, "read x")
    popen = subprocess.Popen([SH, "-c", "exit 5"])
    forked = os.posix_spawn(SH, [SH, "-c", "exit 6"], {})
    exec_ = await asyncio.create_subprocess_exec(SH, "-c", "exit 7")
    told.transport.write(b"\n")
    await soon(told.ended)
    assert await soon(exec_.wait()) == 7
    process.reapAllProcesses()
    assert os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]) == 6
    assert popen.wait() == 5


async def test_somebody_else_may_wait_for_ours(caplog: pytest.LogCaptureFixture) -> None:
    """How it ended is not known then, but that it did is."""
    told = Told()
    transport = run(told, "exit 3")
    os.waitpid(transport.pid, 0)
    with pytest.raises(ProcessExitedAlready):
        transport.signalProcess("TERM")
    reason: Any = await soon(told.ended)
    assert type(reason) is ProcessTerminated
    assert (reason.exitCode, reason.signal, reason.status) == (None, None, None)
    assert "waited for by somebody else" in caplog.text


async def test_reaping_now() -> None:
    told = Told()
    transport = run(told, "exit 3", childFDs={})
    while is_zombie_or_gone(transport.pid) != "Z":
        pass
    process.reapAllProcesses()
    assert told.events == ["made", "exited", "ended"]
    transport.reapProcess()
    await asyncio.sleep(0)
    assert told.events == ["made", "exited", "ended"]


@pytest.fixture(params=["pidfd", "thread"])
def how_to_wait(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """With the system's way to watch a process, and without."""
    if request.param == "thread":
        monkeypatch.delattr(os, "pidfd_open")
    return request.param


async def test_each_way_to_wait(how_to_wait: str) -> None:
    told = Told()
    transport = run(told, "echo up; exec cat")
    pid = transport.pid
    in_thread = how_to_wait == "thread" or "Refusing" in repr(asyncio.get_running_loop())
    assert _is_waited_for(pid) is in_thread
    await soon(told.got)
    transport.signalProcess("TERM")
    reason: Any = await soon(told.ended)
    assert reason.signal == signal.SIGTERM
    assert is_zombie_or_gone(pid) == "gone"
    while _is_waited_for(pid):
        await asyncio.sleep(0)


def _is_waited_for(pid: int) -> bool:
    """Whether there is a thread for it."""
    names = [thread.name for thread in threading.enumerate()]
    return f"reactorlib waits for process {pid}" in names


async def test_a_reactor_that_ends_lets_go_of_its_processes(how_to_wait: str) -> None:
    """They live on, with our ends closed, and are reaped when they end."""
    with nothing_stays_open():
        over, told, early = Told(), Told(), Told()
        async with reactor:
            run(over, "exit 1")
            await soon(over.ended)
            transport = run(told, "trap '' HUP PIPE; exec sleep 100")
            pid = transport.pid
            run(early, "exit 2")
            while is_zombie_or_gone(early.transport.pid) != "Z":
                pass
        reason: Any = await soon(told.ended)
        assert type(reason) is ProcessTerminated
        assert "the reactor has shut down" in str(reason)
        assert "exited" not in told.events
        assert told.events[-1] == "ended"
        await soon(early.ended)
        assert is_zombie_or_gone(pid) in "RS"
        with pytest.raises(ProcessExitedAlready):
            transport.signalProcess("TERM")
        transport.abandon()
        os.kill(pid, signal.SIGKILL)
        _wait_until_gone(pid)
        await asyncio.sleep(0)


@pytest.mark.parametrize("pty", [False, True])
def test_an_owned_run_that_ends_lets_go_of_its_processes(
    pty: bool, loop_factory: LoopFactory
) -> None:
    with nothing_stays_open():
        told = Told(data=lambda _: reactor.stop())
        reactor.callWhenRunning(run, told, "trap '' HUP; echo up; exec sleep 100", usePTY=pty)
        pids: list[int] = []
        reactor.addSystemEventTrigger("before", "shutdown", lambda: pids.append(told.transport.pid))
        reactor.run(loop_factory=loop_factory)
        assert told.events[-1] == "ended"
        os.kill(pids[0], signal.SIGKILL)
        _wait_until_gone(pids[0])


def test_a_loop_that_ends_without_a_word(loop_factory: LoopFactory, how_to_wait: str) -> None:
    """The next process that is started finds the ones it has left."""
    with nothing_stays_open():
        told = Told()

        async def main() -> None:
            # Not one that ends with its input: closing a loop may take turns, in which
            # that would be seen to end.
            run(told, "exec sleep 100")

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(main())
        pid = told.transport.pid
        assert pid in process.reapProcessHandlers
        _sweep()
        assert pid not in process.reapProcessHandlers
        os.kill(pid, signal.SIGKILL)
        _wait_until_gone(pid)
        gc.collect()


async def test_a_process_is_not_kept_alive_by_what_has_ended() -> None:
    told = await ended("true")
    gone = weakref.ref(told.transport)
    del told
    while gone() is not None:  # as a thread that has waited for it may still do
        gc.collect()
        await asyncio.sleep(0)


# -- many, beside threads -----------------------------------------------------


def _busy(stop: threading.Event, module: types.ModuleType) -> None:
    """What other threads do: allocate, import, open and close files."""
    while not stop.is_set():
        with open("/dev/null", "rb") as file:
            file.read(1)
        importlib.reload(module)
        stop.wait(0.0005)


async def _many(count: int, start: Callable[[Told], Any]) -> None:
    stop = threading.Event()
    modules = [colorsys, keyword, stat]
    threads = [threading.Thread(target=_busy, args=(stop, module)) for module in modules]
    for thread in threads:
        thread.start()
    try:
        for _ in range(count // 20):
            protocols = [Told() for _ in range(20)]
            for told in protocols:
                start(told)
            for told in protocols:
                assert isinstance(await soon(told.ended), ProcessDone)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_thousand_beside_threads() -> None:
    await _many(1000, lambda told: reactor.spawnProcess(told, "/bin/true", ["true"]))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "how",
    [
        {"childFDs": {1: "r", 3: "w", 7: "r"}},
        {"childFDs": {1: "r", 3: "w", 7: "r"}, "path": "/"},
        {"usePTY": True},
        {"usePTY": True, "path": "/"},
    ],
    ids=["spawn", "fork", "spawn-pty", "fork-pty"],
)
async def test_a_thousand_of_another_kind_beside_threads(how: dict[str, Any]) -> None:
    await _many(1000, lambda told: reactor.spawnProcess(told, "/bin/true", ["true"], **how))


@pytest.mark.parametrize(
    "how",
    [{}, {"childFDs": {1: "r", 3: "w"}}, {"childFDs": {1: "r"}, "path": "/"}],
    ids=["popen", "spawn", "fork"],
)
async def test_each_kind_beside_threads(how: dict[str, Any]) -> None:
    await _many(20, lambda told: reactor.spawnProcess(told, "/bin/true", ["true"], **how))
