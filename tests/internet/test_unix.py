"""UNIX sockets: their files, the descriptors they carry, and sockets made elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import resource
import shutil
import socket
import stat
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from zope.interface import implementer

from reactorlib.internet import reactor
from reactorlib.internet.error import (
    BadFileError,
    CannotListenError,
    ConnectError,
    ConnectionDone,
    ConnectionLost,
    FileDescriptorOverrun,
    TimeoutError,
    UnsupportedAddressFamily,
    UnsupportedSocketType,
    UserError,
)
from reactorlib.internet.interfaces import IFileDescriptorReceiver
from reactorlib.internet.protocol import Factory
from reactorlib.python.lockfile import FilesystemLock

from ._carriers import (
    CLIENT_TLS,
    SERVER_TLS,
    HalfSide,
    Side,
    _Once,
    _Serve,
    open_descriptors,
    turns,
)

pytestmark = pytest.mark.timeout(30)

LOCAL = "127.0.0.1"
BIG = bytes(range(256)) * 8192  # 2 MiB: more than any socket's buffer


@implementer(IFileDescriptorReceiver)
class FDSide(Side):
    """A side that takes descriptors, and keeps them with how many bytes came before."""

    def __init__(self, hooks: dict[str, Callable[[Side], object]] | None = None) -> None:
        super().__init__(hooks)
        self.descriptors: list[int] = []
        self.before: list[int] = []

    def fileDescriptorReceived(self, descriptor: int) -> None:
        self.descriptors.append(descriptor)
        self.before.append(len(self.data))
        self._note("descriptor")

    async def given(self, count: int) -> list[int]:
        await self.until(lambda: len(self.descriptors) >= count or self.reason)
        return self.descriptors


async def made(side: Side) -> Any:
    """Wait until it is connected; its transport."""
    await side.until(lambda: side.events)
    return side.transport


@contextlib.asynccontextmanager
async def joined(client: Side, server: Side, path: Path) -> AsyncIterator[None]:
    """Connect the two, and see them gone in the end."""
    port = reactor.listenUNIX(path / "s", _Serve(server))
    reactor.connectUNIX(path / "s", _Once(client))
    try:
        for side in (client, server):
            await made(side)
        yield
    finally:
        for side in (client, server):
            if side.reason is None:
                side.transport.abortConnection()
            await side.lost()
        await port.stopListening()
        for side in (client, server):
            for descriptor in getattr(side, "descriptors", ()):
                os.close(descriptor)


def inode(descriptor: int) -> int:
    return os.fstat(descriptor).st_ino


@contextlib.contextmanager
def a_pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    os.set_blocking(ends[0], False)
    try:
        yield ends
    finally:
        for end in ends:
            with contextlib.suppress(OSError):
                os.close(end)


def nobody() -> _Serve:
    return _Serve(None)


async def failure(address: Any, **options: Any) -> BaseException:
    """Why it cannot be connected to."""
    once = _Once(Side())
    reactor.connectUNIX(address, once, **options)
    with pytest.raises(ConnectError) as caught:
        await once.failed
    return caught.value


# -- the file -----------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
async def test_the_mode_of_the_file(tmp_path: Path, mode: int) -> None:
    port = reactor.listenUNIX(tmp_path / "s", nobody(), mode=mode)
    found = os.stat(tmp_path / "s").st_mode
    assert stat.S_ISSOCK(found)
    assert stat.S_IMODE(found) == mode
    await port.stopListening()


async def test_without_a_mode_the_umask_decides(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        port = reactor.listenUNIX(tmp_path / "s", nobody(), mode=None)
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(tmp_path / "s").st_mode) == 0o750
    await port.stopListening()


@pytest.mark.parametrize("kind", [str, os.fsencode, Path])
async def test_a_path_may_be_text_bytes_or_a_path(tmp_path: Path, kind: Any) -> None:
    path = kind(str(tmp_path / "s"))
    server, client = Side(), Side()
    port: Any = reactor.listenUNIX(path, _Serve(server))
    reactor.connectUNIX(path, _Once(client))
    await made(client)
    assert port.getHost().name == os.fsencode(tmp_path / "s")
    assert client.transport.getPeer() == port.getHost()
    client.transport.loseConnection()
    await server.lost()
    await client.lost()
    await port.stopListening()


async def test_the_file_goes_when_the_port_stops(tmp_path: Path) -> None:
    port = reactor.listenUNIX(tmp_path / "s", nobody())
    assert (tmp_path / "s").exists()
    await port.stopListening()
    assert not (tmp_path / "s").exists()


async def test_the_file_stays_if_it_is_not_ours_any_more(tmp_path: Path) -> None:
    """Another server may have replaced it, for a restart without a gap."""
    first = reactor.listenUNIX(tmp_path / "s", nobody())
    await asyncio.sleep(0)
    second = reactor.listenUNIX(tmp_path / "new", nobody())
    os.rename(tmp_path / "new", tmp_path / "s")
    await first.stopListening()
    assert (tmp_path / "s").exists()
    await second.stopListening()


async def test_a_file_that_is_gone_already_does_no_harm(tmp_path: Path) -> None:
    port = reactor.listenUNIX(tmp_path / "s", nobody(), wantPID=True)
    os.unlink(tmp_path / "s")
    os.unlink(tmp_path / "s.lock")
    await port.stopListening()


async def test_a_path_in_use(tmp_path: Path) -> None:
    port = reactor.listenUNIX(tmp_path / "s", nobody())
    with pytest.raises(CannotListenError) as caught:
        reactor.listenUNIX(tmp_path / "s", nobody())
    assert caught.value.port == str(tmp_path / "s")
    assert caught.value.socketError.errno == errno.EADDRINUSE
    assert (tmp_path / "s").exists()
    await port.stopListening()


async def test_a_path_that_is_some_other_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("precious")
    with pytest.raises(CannotListenError):
        reactor.listenUNIX(tmp_path / "s", nobody())
    assert (tmp_path / "s").read_text() == "precious"
    assert isinstance(await failure(tmp_path / "s"), ConnectError)


@pytest.mark.parametrize("missing", ["no/such/directory/s", "s"])
async def test_nobody_is_there(tmp_path: Path, missing: str) -> None:
    why = await failure(tmp_path / missing)
    assert isinstance(why, BadFileError)
    if "/" in missing:
        with pytest.raises(CannotListenError):
            reactor.listenUNIX(tmp_path / missing, nobody())


async def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    """The kernel has room for 107 bytes."""
    path = tmp_path / ("x" * 120)
    with pytest.raises(CannotListenError, match="too long"):
        reactor.listenUNIX(path, nobody())
    with pytest.raises(CannotListenError, match="too long"):
        reactor.listenUNIX(path, nobody(), wantPID=True)
    assert os.listdir(tmp_path) == []  # no lock is left either
    assert "too long" in str(await failure(path))


@pytest.mark.parametrize(
    ("path", "kind"), [("", ValueError), (b"", ValueError), ("a\0b", ValueError), (7, TypeError)]
)
async def test_no_path(path: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        reactor.listenUNIX(path, nobody())
    with pytest.raises(kind):
        reactor.connectUNIX(path, nobody())


async def test_an_abstract_name(tmp_path: Path) -> None:
    name = "\0" + str(tmp_path / "abstract")
    server, client = Side(), Side()
    port = reactor.listenUNIX(name, _Serve(server), mode=0o600, wantPID=True)
    assert os.listdir(tmp_path) == []
    reactor.connectUNIX(name, _Once(client))
    (await made(client)).write(b"hello")
    assert await server.received(5) == b"hello"
    client.transport.loseConnection()
    await server.lost()
    await client.lost()
    with pytest.raises(CannotListenError):
        reactor.listenUNIX(name, nobody())
    await port.stopListening()
    await reactor.listenUNIX(name, nobody()).stopListening()


# -- the lock -----------------------------------------------------------------


def leave_behind(path: Path, with_lock: bool) -> None:
    """A socket, and perhaps its lock, of a process that has died."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.close()
    if with_lock:
        process = subprocess.Popen(["/bin/sh", "-c", "exit 0"])
        process.wait()
        os.symlink(str(process.pid), f"{path}.lock")


async def test_what_a_dead_process_has_left_is_taken_over(tmp_path: Path) -> None:
    leave_behind(tmp_path / "s", with_lock=True)
    port = reactor.listenUNIX(tmp_path / "s", nobody(), wantPID=True)
    assert os.readlink(tmp_path / "s.lock") == str(os.getpid())
    await port.stopListening()
    assert os.listdir(tmp_path) == []


async def test_a_socket_without_a_lock_is_not_taken_over(tmp_path: Path) -> None:
    """Nothing says that nobody listens there."""
    leave_behind(tmp_path / "s", with_lock=False)
    with pytest.raises(CannotListenError):
        reactor.listenUNIX(tmp_path / "s", nobody(), wantPID=True)
    assert os.listdir(tmp_path) == ["s"]


async def test_a_lock_that_is_held(tmp_path: Path) -> None:
    port = reactor.listenUNIX(tmp_path / "s", nobody(), wantPID=True)
    with pytest.raises(CannotListenError, match="lock"):
        reactor.listenUNIX(tmp_path / "s", nobody(), wantPID=True)
    assert sorted(os.listdir(tmp_path)) == ["s", "s.lock"]
    await port.stopListening()


async def test_checkPID(tmp_path: Path) -> None:
    server, client = Side(), Side()
    leave_behind(tmp_path / "s", with_lock=True)
    assert isinstance(await failure(tmp_path / "s", checkPID=True), BadFileError)
    port = reactor.listenUNIX(tmp_path / "s", _Serve(server), wantPID=True)
    reactor.connectUNIX(tmp_path / "s", _Once(client), checkPID=True)
    (await made(client)).loseConnection()
    await server.lost()
    await client.lost()
    await port.stopListening()
    # A socket that nobody has locked is not looked at, though somebody listens there.
    port = reactor.listenUNIX(tmp_path / "s", _Serve(server))
    assert isinstance(await failure(tmp_path / "s", checkPID=True), BadFileError)
    await port.stopListening()


async def test_the_lock_goes_if_the_path_is_no_good(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    with pytest.raises(CannotListenError):
        reactor.listenUNIX(tmp_path / "s", nobody(), wantPID=True)
    lock = FilesystemLock(str(tmp_path / "s.lock"))
    assert lock.lock()
    lock.unlock()


@pytest.mark.parametrize("options", [{"mode": "666"}, {"backlog": "50"}, {"mode": 2**80}])
@pytest.mark.parametrize("wantPID", [False, True])
async def test_an_argument_that_is_no_good_leaves_nothing_behind(
    tmp_path: Path, options: dict[str, Any], wantPID: bool
) -> None:
    with pytest.raises((TypeError, OverflowError)):
        reactor.listenUNIX(tmp_path / "s", nobody(), wantPID=wantPID, **options)
    assert os.listdir(tmp_path) == []
    port = reactor.listenUNIX(tmp_path / "s", nobody(), wantPID=True)
    await port.stopListening()


async def test_a_folder_that_is_not_there_has_no_lock_either(tmp_path: Path) -> None:
    with pytest.raises(CannotListenError) as caught:
        reactor.listenUNIX(tmp_path / "no" / "s", nobody(), wantPID=True)
    assert caught.value.port == str(tmp_path / "no" / "s")
    assert caught.value.socketError.errno == errno.ENOENT


async def test_a_lock_that_cannot_be_had_for_want_of_descriptors_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(*args: Any, **kwargs: Any) -> Any:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patched:
        patched.setattr(socket, "socket", no_more)
        with pytest.raises(CannotListenError, match="Too many open files"):
            reactor.listenUNIX(tmp_path / "s", nobody(), wantPID=True)
    assert os.listdir(tmp_path) == []


async def test_a_factory_that_cannot_say_its_name_leaves_nothing_behind(tmp_path: Path) -> None:
    class Unnamed(Factory[Any]):
        def logPrefix(self) -> str:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        reactor.listenUNIX(tmp_path / "s", Unnamed(), wantPID=True)
    assert os.listdir(tmp_path) == []


# -- a full backlog -----------------------------------------------------------


@pytest.fixture
def full(tmp_path: Path) -> Iterator[socket.socket]:
    """A server with room for one in its backlog, which is taken."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "full"))
    server.listen(0)
    waiting = socket.socket(socket.AF_UNIX)
    waiting.connect(str(tmp_path / "full"))
    yield server
    waiting.close()
    server.close()


async def test_a_full_backlog_is_waited_for(tmp_path: Path, full: socket.socket) -> None:
    client = Side()
    connector = reactor.connectUNIX(tmp_path / "full", _Once(client))
    await asyncio.sleep(0.005)
    assert connector.state == "connecting"
    full.accept()[0].close()
    await made(client)
    full.accept()[0].close()
    assert await client.lost() is ConnectionDone


async def test_a_full_backlog_is_not_waited_for_for_ever(
    tmp_path: Path, full: socket.socket
) -> None:
    assert isinstance(await failure(tmp_path / "full", timeout=0.05), TimeoutError)


async def test_an_attempt_at_a_full_backlog_can_be_broken_off(
    tmp_path: Path, full: socket.socket
) -> None:
    once = _Once(Side())
    connector = reactor.connectUNIX(tmp_path / "full", once, timeout=None)
    await asyncio.sleep(0)
    connector.stopConnecting()
    with pytest.raises(UserError):
        await once.failed


# -- descriptors --------------------------------------------------------------


@pytest.mark.parametrize("way", ["to the server", "to the client"])
async def test_a_descriptor_travels(tmp_path: Path, errors: Any, way: str) -> None:
    taker, giver = FDSide(), Side()
    client, server = (giver, taker) if way == "to the server" else (taker, giver)
    with a_pipe() as (reads, writes):
        async with joined(client, server, tmp_path):
            giver.transport.sendFileDescriptor(writes)
            os.close(writes)  # it was duplicated
            giver.transport.write(b"x")
            (got,) = await taker.given(1)
            assert os.write(got, b"through") == 7
            assert os.read(reads, 9) == b"through"
            assert await taker.received(1) == b"x"


async def test_descriptors_go_both_ways_at_once(tmp_path: Path, errors: Any) -> None:
    one, other = FDSide(), FDSide()
    with a_pipe() as (reads, writes):
        async with joined(one, other, tmp_path):
            for side, end in ((one, reads), (other, writes)):
                side.transport.sendFileDescriptor(end)
                side.transport.write(b"x")
            await one.given(1)
            await other.given(1)
            assert inode(one.descriptors[0]) == inode(other.descriptors[0]) == inode(reads)


async def test_several_in_order_each_with_its_own_byte(tmp_path: Path, errors: Any) -> None:
    giver, taker = Side(), FDSide()
    files = []
    for number in range(300):  # more than one message can carry
        (tmp_path / str(number)).touch()
        files.append(os.open(tmp_path / str(number), os.O_RDONLY))
    try:
        async with joined(giver, taker, tmp_path):
            for file in files:
                giver.transport.sendFileDescriptor(file)
            giver.transport.write(b"x" * len(files) + b"rest")
            assert await taker.given(len(files))
            assert await taker.received(len(files) + 4) == b"x" * len(files) + b"rest"
            assert [inode(got) for got in taker.descriptors] == [inode(file) for file in files]
    finally:
        for file in files:
            os.close(file)


@pytest.mark.parametrize("where", ["made", "data", "outside"])
async def test_data_before_and_after(tmp_path: Path, errors: Any, where: str) -> None:
    """A descriptor comes no later than the byte that carries it, and no byte is lost."""

    def send(side: Side) -> None:
        side.transport.write(b"before")
        side.transport.sendFileDescriptor(writes)
        side.transport.write(b"after")

    giver = Side({where: send})
    taker = FDSide()
    with a_pipe() as (_, writes):
        async with joined(giver, taker, tmp_path):
            if where == "data":
                taker.transport.write(b"go")
            elif where == "outside":
                send(giver)
            assert await taker.received(11) == b"beforeafter"
            assert inode(taker.descriptors[0]) == inode(writes)
            assert taker.before[0] <= 6


async def test_a_server_that_greets_loses_no_descriptor(tmp_path: Path, errors: Any) -> None:
    """uvloop begins to read after connectionMade even where it is told not to."""
    taker = FDSide({"made": lambda side: side.transport.write(b"220 welcome")})
    port = reactor.listenUNIX(tmp_path / "s", _Serve(taker))
    with a_pipe() as (_, writes), socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(tmp_path / "s"))
        socket.send_fds(peer, [b"x"], [writes])
        (got,) = await taker.given(1)
        assert inode(got) == inode(writes)
        os.close(got)
        assert peer.recv(99) == b"220 welcome"
        taker.transport.abortConnection()
        await taker.lost()
    await port.stopListening()


@pytest.mark.parametrize("receives", [False, True])
async def test_much_unsent_data_goes_first(tmp_path: Path, errors: Any, receives: bool) -> None:
    giver = FDSide() if receives else Side()
    taker = FDSide()
    with a_pipe() as (_, writes):
        async with joined(giver, taker, tmp_path):
            taker.transport.pauseProducing()
            giver.transport.write(BIG)
            draining = giver.transport.drain()
            giver.transport.sendFileDescriptor(writes)
            giver.transport.write(BIG)
            assert not draining.called
            taker.transport.resumeProducing()
            assert await taker.received(2 * len(BIG)) == 2 * BIG
            assert inode(taker.descriptors[0]) == inode(writes)
            # What has come in one read with the descriptor may follow it.
            assert len(BIG) - 65536 <= taker.before[0] <= len(BIG)
            await draining
            assert giver.transport.drain().called


async def test_descriptors_that_wait_pause_a_producer(tmp_path: Path, errors: Any) -> None:
    """Each that waits is a duplicate, and a process has no great number of them."""

    class Producer:
        paused = False

        def pauseProducing(self) -> None:
            self.paused = True

        def resumeProducing(self) -> None:
            self.paused = False

        def stopProducing(self) -> None:
            pass

    giver, taker, producer = Side(), FDSide(), Producer()
    with a_pipe() as (_, writes):
        async with joined(giver, taker, tmp_path):
            taker.transport.pauseProducing()
            giver.transport.registerProducer(producer, True)
            sent = 0
            while not producer.paused:
                giver.transport.sendFileDescriptor(writes)
                giver.transport.write(b"x")
                sent += 1
                assert sent < 600
                await asyncio.sleep(0)
            taker.transport.resumeProducing()
            assert await taker.received(sent) == b"x" * sent
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not producer.paused
            giver.transport.unregisterProducer()
            assert len(await taker.given(sent)) == sent


async def test_loseConnection_lets_descriptors_leave(tmp_path: Path, errors: Any) -> None:
    giver, taker = Side(), FDSide()
    with a_pipe() as (_, writes):
        async with joined(giver, taker, tmp_path):
            taker.transport.pauseProducing()
            giver.transport.write(BIG)
            giver.transport.sendFileDescriptor(writes)
            giver.transport.write(b"x")
            giver.transport.loseConnection()
            taker.transport.resumeProducing()
            assert await taker.lost() is ConnectionDone
            assert taker.data == BIG + b"x"
            assert inode(taker.descriptors[0]) == inode(writes)
            assert await giver.lost() is ConnectionDone


@pytest.mark.parametrize("sent", [b"", b"x"])
async def test_more_descriptors_than_bytes(tmp_path: Path, errors: Any, sent: bytes) -> None:
    giver, taker = Side(), FDSide()
    with a_pipe() as (_, writes):
        async with joined(giver, taker, tmp_path):
            before = open_descriptors()
            giver.transport.sendFileDescriptor(writes)
            giver.transport.sendFileDescriptor(writes)
            giver.transport.write(sent)
            giver.transport.loseConnection()
            assert await giver.lost() is FileDescriptorOverrun
            await taker.lost()
            assert len(taker.descriptors) == len(sent)
        assert open_descriptors() < before


async def test_what_is_not_open_cannot_be_sent(tmp_path: Path, errors: Any) -> None:
    giver, taker = Side(), FDSide()
    async with joined(giver, taker, tmp_path):
        with pytest.raises(OSError, match="Bad file descriptor"):
            giver.transport.sendFileDescriptor(10**6)
        giver.transport.write(b"it lives on")
        assert await taker.received(11) == b"it lives on"


async def test_descriptors_are_not_inherited(tmp_path: Path, errors: Any) -> None:
    giver, taker = Side(), FDSide()
    with a_pipe() as (_, writes):
        async with joined(giver, taker, tmp_path):
            os.set_inheritable(writes, True)
            giver.transport.sendFileDescriptor(writes)
            giver.transport.write(b"x")
            (got,) = await taker.given(1)
            assert fcntl.fcntl(got, fcntl.F_GETFD) & fcntl.FD_CLOEXEC


async def test_no_descriptor_is_left_open(tmp_path: Path, errors: Any) -> None:
    """Neither of what is sent, nor of what comes to nobody, nor of what never leaves."""
    before = open_descriptors()
    with a_pipe() as (_, writes):
        for _ in range(3):
            giver, taker = FDSide(), Side()
            async with joined(giver, taker, tmp_path):
                taker.transport.sendFileDescriptor(writes)  # so that it reads them too
                taker.transport.write(b"x")
                for _ in range(20):
                    giver.transport.sendFileDescriptor(writes)
                giver.transport.write(b"y" * 20)
                await taker.received(20)
                await giver.given(1)
                taker.transport.pauseProducing()
                giver.transport.write(BIG)
                for _ in range(20):
                    giver.transport.sendFileDescriptor(writes)
                giver.transport.write(b"z" * 20)
                giver.transport.abortConnection()
                await giver.lost()
    await turns(lambda: open_descriptors() == before)


async def test_a_peer_that_takes_no_descriptors_gets_the_bytes(tmp_path: Path, errors: Any) -> None:
    giver, taker = Side(), Side()
    with a_pipe() as (_, writes):
        async with joined(giver, taker, tmp_path):
            before = open_descriptors()
            giver.transport.sendFileDescriptor(writes)
            giver.transport.write(b"bytes")
            assert await taker.received(5) == b"bytes"
            await turns(lambda: open_descriptors() <= before)


async def test_a_pause_for_a_descriptor_holds_the_bytes_beside_it(
    tmp_path: Path, errors: Any
) -> None:
    giver = Side()
    taker = FDSide({"descriptor": lambda side: side.transport.pauseProducing()})
    with a_pipe() as (_, writes):
        async with joined(giver, taker, tmp_path):
            giver.transport.sendFileDescriptor(writes)
            giver.transport.write(b"xyz")
            await taker.given(1)
            for _ in range(5):
                await asyncio.sleep(0)
            assert not taker.data
            taker.transport.resumeProducing()
            assert not taker.data  # not while the call goes on
            assert await taker.received(3) == b"xyz"


async def test_descriptors_wait_while_reading_is_paused(tmp_path: Path, errors: Any) -> None:
    giver, taker = Side(), FDSide({"made": lambda side: side.transport.pauseProducing()})
    with a_pipe() as (_, writes):
        async with joined(giver, taker, tmp_path):
            giver.transport.sendFileDescriptor(writes)
            giver.transport.write(b"x")
            for _ in range(5):
                await asyncio.sleep(0)
            assert not taker.descriptors
            taker.transport.resumeProducing()
            await taker.given(1)


async def test_an_error_in_fileDescriptorReceived_costs_the_connection(
    tmp_path: Path, errors: Any
) -> None:
    def fail(side: Side) -> None:
        raise RuntimeError("no, thanks")

    giver, taker = Side(), FDSide({"descriptor": fail})
    with a_pipe() as (_, writes):
        async with joined(giver, taker, tmp_path):
            giver.transport.sendFileDescriptor(writes)
            giver.transport.write(b"x")
            assert await taker.lost() is RuntimeError
            await giver.lost()
            assert not taker.data
            assert [str(exception) for exception in errors.take()] == ["no, thanks"]


async def test_no_room_for_a_descriptor_is_no_silent_loss(tmp_path: Path, errors: Any) -> None:
    taker = FDSide()
    port = reactor.listenUNIX(tmp_path / "s", _Serve(taker))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with a_pipe() as (_, writes), socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(tmp_path / "s"))
        await taker.until(lambda: taker.events)
        free = os.dup(writes)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        try:
            socket.send_fds(peer, [b"x"], [writes])
            assert await taker.lost() is ConnectionLost
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert "no room for a file descriptor" in str(taker.reason.value)  # type: ignore[union-attr]
        assert not taker.data
    await port.stopListening()


async def test_tls_over_a_connection_that_took_descriptors(tmp_path: Path, errors: Any) -> None:
    client, server = FDSide(), FDSide()
    with a_pipe() as (_, writes):
        async with joined(client, server, tmp_path):
            client.transport.sendFileDescriptor(writes)
            client.transport.write(b"x")
            await server.given(1)
            server.transport.startTLS(SERVER_TLS)
            client.transport.startTLS(CLIENT_TLS)
            client.transport.write(BIG)
            assert await server.received(1 + len(BIG)) == b"x" + BIG
            with pytest.raises(RuntimeError, match="cannot carry file descriptors"):
                client.transport.sendFileDescriptor(writes)
            server.transport.loseConnection()
            assert await client.lost() is ConnectionDone
            assert await server.lost() is ConnectionDone


async def test_a_producer_goes_on_when_the_first_descriptor_is_sent(
    tmp_path: Path, errors: Any
) -> None:
    """The transport is exchanged below it while it is paused."""

    class Producer:
        def __init__(self) -> None:
            self.calls: list[str] = []

        def pauseProducing(self) -> None:
            self.calls.append("pause")

        def resumeProducing(self) -> None:
            self.calls.append("resume")
            if self.calls.count("resume") == 3:
                giver.transport.unregisterProducer()
            else:
                giver.transport.write(BIG)

        def stopProducing(self) -> None:
            self.calls.append("stop")

    giver, taker = Side(), FDSide()
    producer = Producer()
    with a_pipe() as (_, writes):
        async with joined(giver, taker, tmp_path):
            taker.transport.pauseProducing()
            giver.transport.registerProducer(producer, True)
            giver.transport.write(BIG)
            giver.transport.sendFileDescriptor(writes)
            giver.transport.write(b"x")
            taker.transport.resumeProducing()
            await taker.received(3 * len(BIG) + 1)
            await turns(lambda: producer.calls.count("resume") == 3)
            assert producer.calls == ["pause", "resume"] * 3


class HalfFDSide(FDSide, HalfSide):
    """One that takes descriptors, and wants to know when each direction ends."""


async def test_a_descriptor_after_the_end_of_writing_is_dropped(
    tmp_path: Path, errors: Any
) -> None:
    giver, taker = HalfSide(), HalfFDSide()
    with a_pipe() as (_, writes):
        async with joined(giver, taker, tmp_path):
            giver.transport.loseWriteConnection()
            await taker.until(lambda: "read lost" in taker.events)
            giver.transport.sendFileDescriptor(writes)
            giver.transport.write(b"x")
            taker.transport.write(b"still to come")
            assert await giver.received(13) == b"still to come"
            taker.transport.loseConnection()
            assert await giver.lost() is ConnectionDone
            assert not taker.descriptors


async def test_a_descriptor_after_the_peers_end_is_sent(tmp_path: Path, errors: Any) -> None:
    """And the end is told once, though the transport is exchanged."""
    giver, taker = HalfSide(), HalfFDSide()
    with a_pipe() as (_, writes):
        async with joined(giver, taker, tmp_path):
            taker.transport.loseWriteConnection()
            await giver.until(lambda: "read lost" in giver.events)
            giver.transport.sendFileDescriptor(writes)
            giver.transport.write(b"x")
            await taker.received(1)
            assert len(taker.descriptors) == 1
            giver.transport.loseWriteConnection()
            assert await taker.lost() is ConnectionDone
            assert await giver.lost() is ConnectionDone
            assert giver.events == ["made", "read lost", "write lost", "lost"]


# -- programs at the other end ------------------------------------------------


@pytest.mark.skipif(not shutil.which("nc"), reason="no nc here")
async def test_nc_at_the_other_end(tmp_path: Path, errors: Any) -> None:
    server = Side({"data": lambda side: side.transport.write(b"you: " + bytes(side.data))})
    port = reactor.listenUNIX(tmp_path / "s", _Serve(server))
    nc = await asyncio.create_subprocess_exec(
        "nc",
        "-N",
        "-U",
        str(tmp_path / "s"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    out, _ = await nc.communicate(b"hello")
    assert out == b"you: hello"
    assert await server.lost() is ConnectionDone
    await port.stopListening()


# -- sockets made elsewhere ---------------------------------------------------

FAMILIES = [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX]


def listening(family: int, path: Path) -> socket.socket:
    sock = socket.socket(family)
    place: dict[int, Any] = {
        socket.AF_INET: (LOCAL, 0),
        socket.AF_INET6: ("::1", 0),
        socket.AF_UNIX: str(path / "s"),
    }
    try:
        sock.bind(place[family])
    except OSError:
        sock.close()
        pytest.skip("no such address family here")
    sock.listen()
    return sock


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_port_can_be_adopted(tmp_path: Path, errors: Any, family: int) -> None:
    made_elsewhere = listening(family, tmp_path)
    place = made_elsewhere.getsockname()
    server = Side()
    port = reactor.adoptStreamPort(made_elsewhere.fileno(), family, _Serve(server))
    made_elsewhere.close()  # it was duplicated
    with socket.socket(family) as peer:
        peer.connect(place)
        peer.sendall(b"hello")
        assert await server.received(5) == b"hello"
        assert server.transport.getHost() == port.getHost()
    await server.lost()
    await port.stopListening()
    if family == socket.AF_UNIX:
        assert (tmp_path / "s").exists()  # whoever made it takes it away


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_connection_can_be_adopted(tmp_path: Path, errors: Any, family: int) -> None:
    with listening(family, tmp_path) as listener, socket.socket(family) as peer:
        peer.connect(listener.getsockname())
        accepted, _ = listener.accept()
        server = Side()
        reactor.adoptStreamConnection(accepted.fileno(), family, _Serve(server))
        accepted.close()
        peer.sendall(b"hello")
        assert await server.received(5) == b"hello"
        assert server.transport.sessionno >= 0
        assert f" #{server.transport.sessionno} on " in repr(server.transport)
        server.transport.write(b"and you")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert peer.recv(7) == b"and you"
        peer.close()
        assert await server.lost() is ConnectionDone


def test_sockets_can_be_adopted_before_a_loop_runs(loop_factory: Any, tmp_path: Path) -> None:
    one, other = socket.socketpair()
    listener = listening(socket.AF_UNIX, tmp_path)
    sides: list[Side] = []

    def build(_: object) -> Side:
        sides.append(Side())
        return sides[-1]

    factory: Any = Factory()
    factory.noisy = False
    factory.buildProtocol = build
    reactor.adoptStreamPort(listener.fileno(), socket.AF_UNIX, factory)
    reactor.adoptStreamConnection(other.fileno(), socket.AF_UNIX, factory)
    listener.close()
    other.close()
    one.sendall(b"connection")

    async def main() -> None:
        async with reactor:
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(str(tmp_path / "s"))
                peer.sendall(b"port")
                async with asyncio.timeout(10):
                    while {bytes(side.data) for side in sides} != {b"connection", b"port"}:
                        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
    one.close()


async def test_only_sockets_of_the_right_kind_can_be_adopted(tmp_path: Path) -> None:
    adopters = reactor.adoptStreamPort, reactor.adoptStreamConnection
    before = open_descriptors()
    datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener = listening(socket.AF_INET, tmp_path)
    one, other = socket.socketpair()
    with a_pipe() as (reads, _), datagrams, listener, one, other:
        inside = open_descriptors()
        for adopt in adopters:
            with pytest.raises(UnsupportedAddressFamily):
                adopt(one.fileno(), 4242, nobody())
            with pytest.raises(UnsupportedAddressFamily, match="family"):
                adopt(one.fileno(), socket.AF_INET, nobody())
            with pytest.raises(UnsupportedSocketType, match="not a stream"):
                adopt(datagrams.fileno(), socket.AF_UNIX, nobody())
            with pytest.raises(OSError, match="socket"):
                adopt(reads, socket.AF_UNIX, nobody())
            with pytest.raises(OSError, match="Bad file"):
                adopt(10**6, socket.AF_UNIX, nobody())
        with pytest.raises(UnsupportedSocketType, match="does not listen"):
            reactor.adoptStreamPort(one.fileno(), socket.AF_UNIX, nobody())
        with pytest.raises(UnsupportedSocketType, match="listens, so it is a port"):
            reactor.adoptStreamConnection(listener.fileno(), socket.AF_INET, nobody())
        assert open_descriptors() == inside
    assert open_descriptors() == before


async def test_an_adopted_connection_takes_descriptors(tmp_path: Path, errors: Any) -> None:
    one, other = socket.socketpair()
    taker = FDSide()
    reactor.adoptStreamConnection(other.fileno(), socket.AF_UNIX, _Serve(taker))
    other.close()
    with a_pipe() as (_, writes), one:
        socket.send_fds(one, [b"x"], [writes])
        (got,) = await taker.given(1)
        assert inode(got) == inode(writes)
        os.close(got)
    assert await taker.lost() is ConnectionDone


INHERITS = """
    import os, socket, sys
    from reactorlib.internet import reactor
    from reactorlib.internet.protocol import Factory, Protocol

    class Echo(Protocol):
        def dataReceived(self, data):
            self.transport.write(data)
            self.transport.loseConnection()

        def connectionLost(self, reason):
            served.append(self)
            if len(served) == 2:
                reactor.stop()

    served = []
    for descriptor, made in enumerate(sys.argv[2:], 3):
        os.dup2(int(made), descriptor)
    # https://www.freedesktop.org/software/systemd/man/sd_listen_fds.html
    assert int(os.environ["LISTEN_FDS"]) == 2
    for descriptor in (3, 4):
        with socket.socket(fileno=os.dup(descriptor)) as found:
            family = found.family
        reactor.adoptStreamPort(descriptor, family, Factory.forProtocol(Echo))
        os.close(descriptor)
    if sys.argv[1] == "uvloop":
        import uvloop
        reactor.run(loop_factory=uvloop.new_event_loop)
    else:
        reactor.run()
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_service_manager_may_have_made_the_sockets(tmp_path: Path, loop: str) -> None:
    """They are there before the service is, from descriptor 3 on; who connects early waits."""
    tcp, unix = listening(socket.AF_INET, tmp_path), listening(socket.AF_UNIX, tmp_path)
    with tcp, unix:
        early = []
        for sock in (tcp, unix):
            peer = socket.socket(sock.family)
            peer.settimeout(20)
            peer.connect(sock.getsockname())
            peer.sendall(b"early")
            early.append(peer)
        # Out of the way of the numbers that they get in the child.
        high = [fcntl.fcntl(sock, fcntl.F_DUPFD_CLOEXEC, 10) for sock in (tcp, unix)]
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(INHERITS), loop, *map(str, high)],
            pass_fds=high,
            env={**os.environ, "LISTEN_FDS": "2"},
        )
        for descriptor in high:
            os.close(descriptor)
        try:
            for peer in early:
                assert peer.recv(9) == b"early"
                assert peer.recv(9) == b""
            assert child.wait(20) == 0
        finally:
            child.kill()
            child.wait()
            for peer in early:
                peer.close()
    assert (tmp_path / "s").exists()
