"""Standard input and output as a transport: over pipes, sockets, terminals and files."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import pty
import socket
import subprocess
import sys
import tty
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from zope.interface import implementer
from zope.interface.verify import verifyClass

from reactorlib.internet import error, reactor
from reactorlib.internet._pipe_transport import waits
from reactorlib.internet.defer import Deferred
from reactorlib.internet.error import ConnectionDone, ConnectionLost
from reactorlib.internet.interfaces import (
    IAddress,
    IConsumer,
    IHalfCloseableProtocol,
    IPushProducer,
    ITransport,
)
from reactorlib.internet.protocol import Protocol
from reactorlib.internet.stdio import PipeAddress, StandardIO
from reactorlib.python.failure import Failure

from ._process import LoopFactory, nothing_stays_open, open_fds, soon

pytestmark = pytest.mark.timeout(20)

#: More than a pipe, a socket or a terminal holds.
BIG = bytes(range(32, 127)) * 20_000


class Talk(Protocol):
    """Keeps what it is told, in order."""

    def __init__(self, **hooks: Callable[[Any], object]) -> None:
        self.hooks = hooks
        self.events: list[str] = []
        self.data = b""
        self.reason: Any = None
        self.over: Deferred[None] = Deferred()
        self._changed = asyncio.Event()

    def _note(self, event: str) -> None:
        self.events.append(event)
        self._changed.set()
        if event in self.hooks:
            self.hooks[event](self)

    async def until(self, condition: Callable[[Talk], object]) -> None:
        async with asyncio.timeout(5):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()

    def connectionMade(self) -> None:
        self._note("made")

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        self._note("data")

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        assert self.reason is None
        self.reason = reason.value
        self._note("lost")
        self.over.callback(None)


@implementer(IHalfCloseableProtocol)
class HalfTalk(Talk):
    def readConnectionLost(self) -> None:
        self._note("read lost")

    def writeConnectionLost(self) -> None:
        self._note("write lost")


class Ends:
    """
    A standard input and output, and the other ends of both.

    Attributes:
        stdin, stdout: our ends.
        there_in, there_out: the other ends, to write to and to read from.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        if kind == "pipes":
            self.stdin, self.there_in = os.pipe()
            self.there_out, self.stdout = os.pipe()
        elif kind == "sockets":
            self.stdin, self.there_in = _socketpair()
            self.there_out, self.stdout = _socketpair()
        elif kind == "one socket":
            self.stdin, self.there_in = _socketpair()
            self.stdout, self.there_out = os.dup(self.stdin), os.dup(self.there_in)
        else:
            self.there_in, self.stdin = pty.openpty()
            tty.setraw(self.stdin)
            self.stdout, self.there_out = os.dup(self.stdin), os.dup(self.there_in)
        os.set_blocking(self.there_in, False)
        os.set_blocking(self.there_out, False)
        self.ours = [self.stdin, self.stdout]
        self.theirs = [self.there_in, self.there_out]

    def close_there(self, fd: int | None = None) -> None:
        for number in self.theirs if fd is None else [fd]:
            os.close(number)
        self.theirs = [number for number in self.theirs if fd not in (number, None)] if fd else []

    def close(self) -> None:
        for fd in self.ours + self.theirs:
            os.close(fd)

    async def send(self, data: bytes) -> None:
        view = memoryview(data)
        async with asyncio.timeout(5):
            while view:
                try:
                    view = view[os.write(self.there_in, view) :]
                except BlockingIOError:
                    pass
                await asyncio.sleep(0)

    async def receive(self, size: int) -> bytes:
        """So many bytes, or fewer if it ends before."""
        data = b""
        async with asyncio.timeout(5):
            while len(data) < size:
                await asyncio.sleep(0)
                try:
                    piece = os.read(self.there_out, min(65536, size - len(data)))
                except BlockingIOError:
                    continue
                except OSError:  # a terminal that has hung up
                    break
                if not piece:
                    break
                data += piece
        return data


def _socketpair() -> tuple[int, int]:
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


@pytest.fixture(params=["pipes", "sockets", "one socket", "terminal"])
async def ends(request: pytest.FixtureRequest) -> AsyncIterator[Ends]:
    ends = Ends(request.param)
    async with reactor:
        yield ends
    ends.close()


@pytest.fixture
async def pipes() -> AsyncIterator[Ends]:
    ends = Ends("pipes")
    async with reactor:
        yield ends
    ends.close()


def connect(ends: Ends, protocol: Protocol) -> StandardIO:
    return StandardIO(protocol, ends.stdin, ends.stdout)


def test_interfaces() -> None:
    verifyClass(ITransport, StandardIO)
    verifyClass(IConsumer, StandardIO)
    verifyClass(IPushProducer, StandardIO)
    assert IAddress.implementedBy(PipeAddress)


# -- talking ------------------------------------------------------------------


async def test_a_conversation(ends: Ends) -> None:
    talk = Talk()
    transport = connect(ends, talk)
    assert talk.events == ["made"]
    assert talk.transport is transport
    transport.write(b"one ")
    transport.writeSequence([b"two ", b"three"])
    assert await ends.receive(13) == b"one two three"
    await ends.send(b"hello")
    await talk.until(lambda talk: talk.data == b"hello")
    transport.write(b"!")
    assert await ends.receive(1) == b"!"
    transport.loseConnection()
    transport.loseConnection()
    assert transport.disconnecting
    transport.write(b"dropped")
    await soon(talk.over)
    assert type(talk.reason) is ConnectionDone
    assert transport.disconnected
    transport.write(b"dropped")
    transport.writeSequence([b"dropped"])
    for quiet in (
        transport.pauseProducing,
        transport.resumeProducing,
        transport.stopProducing,
        transport.loseWriteConnection,
        transport.unregisterProducer,
    ):
        quiet()
    assert talk.events[-1] == "lost"


async def test_everything_written_leaves_before_the_end(ends: Ends) -> None:
    talk = Talk()
    transport = connect(ends, talk)
    transport.write(BIG)
    transport.loseConnection()
    assert await ends.receive(len(BIG)) == BIG
    await soon(talk.over)
    assert type(talk.reason) is ConnectionDone


async def test_much_is_read(ends: Ends) -> None:
    talk = Talk()
    connect(ends, talk)
    await ends.send(BIG)
    await talk.until(lambda talk: len(talk.data) == len(BIG))
    assert talk.data == BIG


async def test_nothing_is_read_while_paused(ends: Ends) -> None:
    talk = Talk(made=lambda talk: talk.transport.pauseProducing())
    transport = connect(ends, talk)
    os.write(ends.there_in, b"x")
    for _ in range(20):
        await asyncio.sleep(0)
    assert talk.data == b""
    transport.startReading()
    await talk.until(lambda talk: talk.data == b"x")
    transport.stopReading()
    os.write(ends.there_in, b"y")
    for _ in range(20):
        await asyncio.sleep(0)
    assert talk.data == b"x"
    transport.resumeProducing()
    await talk.until(lambda talk: talk.data == b"xy")


async def test_nothing_is_read_after_lose_connection(pipes: Ends) -> None:
    talk = Talk()
    transport = connect(pipes, talk)
    transport.write(BIG)
    os.write(pipes.there_in, b"x")
    transport.loseConnection()
    transport.resumeProducing()
    assert await pipes.receive(len(BIG)) == BIG
    await soon(talk.over)
    assert talk.data == b""


async def test_addresses(pipes: Ends) -> None:
    transport = connect(pipes, Talk())
    assert isinstance(transport.getHost(), PipeAddress)
    assert repr(transport.getPeer()) == "PipeAddress()"
    with pytest.raises(TypeError, match="bytes, not text"):
        transport.write("x")  # type: ignore[arg-type]


# -- the end ------------------------------------------------------------------


async def test_the_end_of_input(ends: Ends) -> None:
    """What is written still leaves; then the connection is lost."""
    talk = Talk()
    transport = connect(ends, talk)
    if ends.kind != "pipes":
        ends.close_there()
    else:
        transport.write(BIG)
        ends.close_there(ends.there_in)
        while not transport.disconnecting:
            await asyncio.sleep(0)
        transport.write(b"dropped: it is over")
        assert talk.reason is None
        assert await ends.receive(len(BIG)) == BIG
    await soon(talk.over)
    assert type(talk.reason) is ConnectionDone


async def test_one_direction_may_end_before_the_other(pipes: Ends) -> None:
    talk = HalfTalk()
    transport = connect(pipes, talk)
    pipes.close_there(pipes.there_in)
    await talk.until(lambda talk: "read lost" in talk.events)
    transport.write(b"still here")
    assert await pipes.receive(10) == b"still here"
    transport.loseConnection()
    await soon(talk.over)
    assert talk.events == ["made", "read lost", "lost"]


async def test_output_may_end_before_input(pipes: Ends) -> None:
    talk = HalfTalk()
    transport = connect(pipes, talk)
    pipes.close_there(pipes.there_out)
    await talk.until(lambda talk: "write lost" in talk.events)
    transport.write(b"dropped")
    with pytest.raises(error.ConnectionClosed):
        await transport.drain()
    await pipes.send(b"more")
    await talk.until(lambda talk: talk.data == b"more")
    pipes.close_there(pipes.there_in)
    await soon(talk.over)
    assert talk.events == ["made", "write lost", "data", "read lost", "lost"]


async def test_who_does_not_want_to_know_does_not_hear_that_output_is_broken(pipes: Ends) -> None:
    talk = Talk()
    transport = connect(pipes, talk)
    pipes.close_there(pipes.there_out)
    transport.write(b"x")
    await pipes.send(b"more")
    await talk.until(lambda talk: talk.data == b"more")
    transport.write(b"dropped")
    transport.loseConnection()  # with no output left to wait for
    await soon(talk.over)
    assert talk.events == ["made", "data", "lost"]


async def test_losing_the_write_connection(pipes: Ends) -> None:
    talk = HalfTalk()
    transport = connect(pipes, talk)
    transport.write(BIG)
    transport.loseWriteConnection()
    transport.write(b"dropped")
    assert await pipes.receive(len(BIG)) == BIG
    await talk.until(lambda talk: "write lost" in talk.events)
    await pipes.send(b"more")
    await talk.until(lambda talk: talk.data == b"more")
    transport.loseConnection()
    await soon(talk.over)


async def test_breaking_while_closing(pipes: Ends) -> None:
    talk = Talk()
    transport = connect(pipes, talk)
    transport.write(BIG)
    transport.loseConnection()
    pipes.close_there(pipes.there_out)
    await soon(talk.over)
    assert type(talk.reason) is ConnectionLost


class Broken(Exception):
    pass


def break_(talk: Talk) -> None:
    raise Broken


@pytest.mark.parametrize("kind", [Talk, HalfTalk])
@pytest.mark.parametrize("where", ["data", "read lost", "write lost", "lost"])
async def test_an_error_in_the_protocol_ends_the_connection(
    where: str, kind: type[Talk], pipes: Ends, errors: Any
) -> None:
    if kind is Talk and where in ("read lost", "write lost"):
        pytest.skip("it is not told of that")
    talk = kind(**{where: break_})
    transport = connect(pipes, talk)
    if where == "data":
        await pipes.send(b"x")
    elif where == "lost":
        transport.loseConnection()
    else:
        pipes.close_there(pipes.there_in if where == "read lost" else pipes.there_out)
    await talk.until(lambda talk: "lost" in talk.events)
    assert [type(exception) for exception in errors.take()] == [Broken]
    assert type(talk.reason) is (ConnectionDone if where == "lost" else Broken)
    assert transport.disconnected


async def test_an_error_in_connection_made_is_the_callers(pipes: Ends) -> None:
    with nothing_stays_open():
        with pytest.raises(Broken):
            connect(pipes, Talk(made=break_))
        await asyncio.sleep(0)
        gc.collect()


async def test_descriptors_that_are_not_open() -> None:
    for stdin, stdout in ((4095, 1), (0, 4095)):
        with nothing_stays_open(), pytest.raises(OSError, match="Bad file descriptor"):
            StandardIO(Talk(), stdin, stdout)


async def test_a_reactor_that_ends(pipes: Ends) -> None:
    talk = Talk()
    async with reactor:
        transport = connect(pipes, talk)
        transport.write(BIG)
    assert type(talk.reason) is ConnectionLost
    assert "the reactor shut down" in str(talk.reason)
    assert os.get_blocking(pipes.stdin)


# -- what it leaves behind ----------------------------------------------------


async def test_the_descriptors_stay_open_and_wait_again(ends: Ends) -> None:
    before = open_fds()
    talk = Talk()
    transport = connect(ends, talk)
    os.write(ends.there_in, b"x")
    await talk.until(lambda talk: talk.data == b"x")
    assert not os.get_blocking(ends.stdin)
    transport.loseConnection()
    await soon(talk.over)
    await asyncio.sleep(0)
    assert open_fds() == before
    assert os.get_blocking(ends.stdin)
    assert os.get_blocking(ends.stdout)


async def test_those_that_did_not_wait_do_not_afterwards(pipes: Ends) -> None:
    os.set_blocking(pipes.stdin, False)
    talk = Talk()
    connect(pipes, talk).loseConnection()
    await soon(talk.over)
    assert not os.get_blocking(pipes.stdin)
    assert os.get_blocking(pipes.stdout)


async def test_their_numbers_may_be_others_by_then(pipes: Ends) -> None:
    talk = Talk()
    transport = connect(pipes, talk)
    other = os.pipe()
    os.set_blocking(other[0], False)
    os.dup2(other[0], pipes.stdin)
    transport.loseConnection()
    await soon(talk.over)
    assert not os.get_blocking(other[0])
    for fd in other:
        os.close(fd)


async def test_those_that_were_closed_meanwhile(pipes: Ends) -> None:
    talk = Talk()
    transport = connect(pipes, talk)
    for fd in pipes.ours:
        os.close(fd)
    pipes.ours = []
    transport.write(b"through the duplicate")
    assert await pipes.receive(21) == b"through the duplicate"
    transport.loseConnection()
    await soon(talk.over)


def test_they_wait_again_when_a_program_ends_without_a_word() -> None:
    master, slave = pty.openpty()
    program = f"""
import sys, os
sys.path[:] = {sys.path!r}
import asyncio
from reactorlib.internet.protocol import Protocol
from reactorlib.internet.stdio import StandardIO
async def main():
    StandardIO(Protocol())
    await asyncio.sleep(0)
    assert not os.get_blocking(0)
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        stdin=slave,
        stdout=slave,
        check=False,
        timeout=20,
    )
    assert done.returncode == 0
    assert os.get_blocking(slave)
    os.close(master)
    os.close(slave)


# -- producers ----------------------------------------------------------------


class Producer:
    """Writes pieces until it is told to pause, or one at a time."""

    def __init__(self, transport: Any, streaming: bool) -> None:
        self.transport = transport
        self.streaming = streaming
        self.left = 100
        self.paused = False
        self.pauses = 0
        self.stopped = False

    def pauseProducing(self) -> None:
        self.paused = True
        self.pauses += 1

    def resumeProducing(self) -> None:
        self.paused = False
        while self.left and not self.paused:
            self.left -= 1
            self.transport.write(b"x" * 20_000)
            if not self.streaming:
                break
        if not self.left:
            self.transport.unregisterProducer()

    def stopProducing(self) -> None:
        self.stopped = True


@pytest.mark.parametrize("streaming", [True, False])
async def test_producers(streaming: bool, ends: Ends) -> None:
    talk = Talk()
    transport = connect(ends, talk)
    producer = Producer(transport, streaming)
    transport.registerProducer(producer, streaming)
    if streaming:
        producer.resumeProducing()
        assert producer.paused
    transport.loseConnection()  # once the producer is done
    assert await ends.receive(2_000_000) == b"x" * 2_000_000
    await soon(talk.over)
    assert not producer.stopped
    assert (producer.pauses > 1) is streaming
    late = Producer(transport, True)
    transport.registerProducer(late, True)
    assert late.stopped


async def test_draining(ends: Ends) -> None:
    transport = connect(ends, Talk())
    await soon(transport.drain())
    transport.write(BIG)
    drained = transport.drain()
    assert not drained.called
    received = asyncio.create_task(ends.receive(len(BIG)))
    await soon(drained)
    assert await received == BIG


# -- files --------------------------------------------------------------------


@pytest.fixture
def file_ends(tmp_path: Path) -> Iterator[Callable[[bytes], tuple[int, int]]]:
    """Opens a file with some content to read from, and another to write to."""
    opened: list[int] = []

    def files(content: bytes) -> tuple[int, int]:
        (tmp_path / "in").write_bytes(content)
        opened.append(os.open(tmp_path / "in", os.O_RDONLY))
        opened.append(os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT))
        return opened[0], opened[1]

    yield files
    for fd in opened:
        os.close(fd)


@pytest.mark.parametrize("content", [b"", b"hello", BIG])
async def test_from_a_file_to_a_file(
    content: bytes, file_ends: Callable[[bytes], tuple[int, int]], tmp_path: Path
) -> None:
    talk = Talk(data=lambda talk: talk.transport.write(talk.data[-1:]))
    StandardIO(talk, *file_ends(content))
    await soon(talk.over)
    assert talk.data == content
    assert type(talk.reason) is ConnectionDone
    assert len((tmp_path / "out").read_bytes()) == talk.events.count("data")


async def test_pausing_while_a_file_is_read(
    file_ends: Callable[[bytes], tuple[int, int]],
) -> None:
    talk = Talk(data=lambda talk: talk.transport.pauseProducing())
    transport = StandardIO(talk, *file_ends(BIG))
    transport.pauseProducing()
    transport.resumeProducing()
    while talk.reason is None:
        seen = len(talk.data)
        transport.pauseProducing()
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(talk.data) == seen
        transport.resumeProducing()
        await talk.until(_more_than(seen))
    assert talk.data == BIG


def _more_than(seen: int) -> Callable[[Talk], object]:
    return lambda talk: len(talk.data) > seen or talk.reason


@pytest.mark.parametrize("turns", range(5))
async def test_stopping_while_a_file_is_read(
    turns: int, file_ends: Callable[[bytes], tuple[int, int]]
) -> None:
    """A piece may be on its way in a thread."""
    before = open_fds()
    talk = Talk()
    stdin, stdout = file_ends(BIG)
    transport = StandardIO(talk, stdin, stdout)
    for _ in range(turns):
        await asyncio.sleep(0)
    transport.loseConnection()
    await soon(talk.over)
    assert len(talk.data) < len(BIG)
    await asyncio.get_running_loop().shutdown_default_executor()
    await asyncio.sleep(0)
    assert open_fds().keys() - before.keys() == {stdin, stdout}


async def test_a_file_cannot_be_written(
    file_ends: Callable[[bytes], tuple[int, int]], pipes: Ends
) -> None:
    stdin, _ = file_ends(b"")
    talk = HalfTalk()
    transport = StandardIO(talk, pipes.stdin, stdin)
    transport.write(b"to what is open to be read")
    await talk.until(lambda talk: "write lost" in talk.events)
    transport.loseConnection()
    await soon(talk.over)


async def test_a_folder_cannot_be_read(tmp_path: Path, pipes: Ends) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    talk = Talk()
    StandardIO(talk, folder, pipes.stdout)
    await soon(talk.over)
    assert type(talk.reason) is ConnectionLost
    assert isinstance(talk.reason.__cause__, IsADirectoryError)
    os.close(folder)


@pytest.mark.parametrize("streaming", [True, False])
async def test_producing_into_a_file(
    streaming: bool, file_ends: Callable[[bytes], tuple[int, int]], pipes: Ends, tmp_path: Path
) -> None:
    _, stdout = file_ends(b"")
    talk = Talk()
    transport = StandardIO(talk, pipes.stdin, stdout)
    producer = Producer(transport, streaming)
    transport.registerProducer(producer, streaming)
    if streaming:
        producer.resumeProducing()
    transport.loseConnection()
    await soon(talk.over)
    assert (tmp_path / "out").read_bytes() == b"x" * 2_000_000


async def test_dev_null(pipes: Ends) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    talk = Talk(made=lambda talk: talk.transport.write(b"x" * 1000))
    StandardIO(talk, null, null)
    await soon(talk.over)
    assert type(talk.reason) is ConnectionDone
    assert talk.events == ["made", "lost"]
    os.close(null)


def test_what_there_is_to_wait_for(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    opened = {
        "file": os.open(tmp_path / "file", os.O_RDONLY),
        "folder": os.open(tmp_path, os.O_RDONLY),
        "null": os.open(os.devnull, os.O_RDONLY),
        "zero": os.open("/dev/zero", os.O_RDONLY),
    }
    for name, pair in {
        "pipe": os.pipe(),
        "socket": _socketpair(),
        "terminal": pty.openpty(),
    }.items():
        opened[name], opened[f"other {name}"] = pair
    found = {name for name, fd in opened.items() if waits(fd)}
    for fd in opened.values():
        os.close(fd)
    assert found == opened.keys() - {"file", "folder", "null", "zero"}


# -- loops and contexts -------------------------------------------------------

_who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


@pytest.mark.parametrize("how", ["lose", "end", "shutdown"])
async def test_callbacks_run_in_the_context_of_the_making(how: str, pipes: Ends) -> None:
    seen: list[str] = []
    note = {"data": 0, "read lost": 0, "write lost": 0, "lost": 0}
    talk = HalfTalk(**dict.fromkeys(note, lambda talk: seen.append(_who.get())))
    token = _who.set("the maker")
    async with reactor:
        transport = connect(pipes, talk)
        _who.reset(token)
        await pipes.send(b"x")
        await talk.until(lambda talk: talk.data)
        if how == "lose":
            transport.loseConnection()
        elif how == "end":
            pipes.close_there()
        if how != "shutdown":
            await soon(talk.over)
    assert set(seen) == {"the maker"}


def test_before_there_is_a_loop(loop_factory: LoopFactory) -> None:
    ends = Ends("pipes")

    class Early(Protocol):
        data = b""

        def connectionMade(self) -> None:
            self.transport.write(b"early")

        def dataReceived(self, data: bytes) -> None:
            self.data += data
            self.transport.loseConnection()

        def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
            reactor.stop()

    early = Early()
    StandardIO(early, ends.stdin, ends.stdout, reactor)
    os.write(ends.there_in, b"x")
    reactor.run(loop_factory=loop_factory)
    assert early.data == b"x"
    assert os.read(ends.there_out, 10) == b"early"
    ends.close()


ECHO = f"""
import sys
sys.path[:] = {sys.path!r}
import asyncio, uvloop
from reactorlib.internet import reactor
from reactorlib.internet.stdio import StandardIO
from reactorlib.protocols.basic import LineReceiver
class Echo(LineReceiver):
    delimiter = b"\\n"
    def lineReceived(self, line):
        self.sendLine(line[::-1])
    def connectionLost(self, reason):
        reactor.stop()
StandardIO(Echo())
reactor.run(loop_factory=getattr(sys.modules[sys.argv[1]], "new_event_loop"))
print("and it prints")
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize(
    "redirect", ["| {} | cat", "> in; {} < in > out; cat out", "| {} > out; cat out"]
)
def test_in_a_shell(loop: str, redirect: str, tmp_path: Path) -> None:
    """A filter, as one writes them, between whatever a shell connects it to."""
    (tmp_path / "echo.py").write_text(ECHO)
    filter = f"{sys.executable} echo.py {loop}"
    done = subprocess.run(
        ["/bin/sh", "-c", f"printf 'abc\\ndef\\n' {redirect.format(filter)}"],
        cwd=tmp_path,
        check=True,
        timeout=20,
        stdout=subprocess.PIPE,
    )
    assert done.stdout == b"cba\nfed\nand it prints\n"
