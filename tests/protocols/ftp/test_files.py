"""Files are read and written in threads: nothing that a disk does holds up the loop."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from reactorlib.internet import reactor
from reactorlib.internet.defer import CancelledError, Deferred
from reactorlib.protocols import ftp
from reactorlib.protocols.ftp._files import FileConsumer, _FileReader, _FileWriter
from reactorlib.python.filepath import FilePath

from ._peers import Site


async def soon(awaitable: Any) -> Any:
    async with asyncio.timeout(20):
        return await awaitable


class Slow(io.BytesIO):
    """
    A file whose calls take until they are allowed.

    Attributes:
        began: how many reads or writes have begun.
        fails: what they raise.
        written: what was written, in pieces.
    """

    def __init__(self, data: bytes = b"") -> None:
        super().__init__(data)
        self.may = threading.Semaphore(0)
        self.began = 0
        self.fails: Exception | None = None
        self.written: list[bytes] = []
        self.in_threads: set[bool] = set()
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    def _wait(self) -> None:
        self.in_threads.add(threading.current_thread() is not threading.main_thread())
        self.began += 1
        self._loop.call_soon_threadsafe(self._changed.set)
        assert self.may.acquire(timeout=20)
        if self.fails is not None:
            raise self.fails

    def read(self, size: int | None = -1) -> bytes:
        self._wait()
        return super().read(size)

    def write(self, data: Any) -> int:
        self._wait()
        self.written.append(data)
        return len(data)

    def allow(self, count: int = 1) -> None:
        self.may.release(count)

    async def until_begun(self, count: int) -> None:
        async with asyncio.timeout(20):
            while self.began < count:
                self._changed.clear()
                await self._changed.wait()


class Taker:
    """A consumer that pauses its producer after each piece, if it is to."""

    def __init__(self, pauses: bool = False) -> None:
        self.got: list[bytes] = []
        self.producer: Any = None
        self.pauses = pauses
        self.arrived = asyncio.Event()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def write(self, data: bytes) -> None:
        self.got.append(data)
        if self.pauses:
            self.producer.pauseProducing()
        self.arrived.set()


class Giver:
    """A producer that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.goes_on = asyncio.Event()

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")
        self.goes_on.set()

    def stopProducing(self) -> None:
        self.told.append("stop")


# -- reading --------------------------------------------------------------------


async def test_a_file_is_read_in_a_thread_and_in_order() -> None:
    data = bytes(range(256)) * 4096
    file, taker = Slow(data), Taker()
    sent = _FileReader(file).send(taker)
    await file.until_begun(1)  # and so the loop runs on meanwhile
    file.allow(100)
    await soon(sent)
    assert b"".join(taker.got) == data
    assert (file.in_threads, file.closed, taker.producer) == ({True}, True, None)


async def test_no_more_is_read_than_the_consumer_takes() -> None:
    file, taker = Slow(b"x" * 1_000_000), Taker(pauses=True)
    file.allow(100)
    sent = _FileReader(file).send(taker)
    pieces = 0
    while not sent.called:
        await soon(taker.arrived.wait())
        taker.arrived.clear()
        pieces += 1
        assert file.began == pieces == len(taker.got)
        ended = len(b"".join(taker.got)) == 1_000_000
        taker.producer.resumeProducing()
        if ended:
            await soon(sent)
    assert pieces > 1


@pytest.mark.parametrize("how", ["stop", "cancel"])
async def test_breaking_off_is_at_once_and_the_file_is_closed_after(how: str) -> None:
    file, taker = Slow(b"x" * 1_000_000), Taker()
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()
    close = file.close

    def close_and_tell() -> None:
        close()
        loop.call_soon_threadsafe(closed.set)

    file.close = close_and_tell  # type: ignore[method-assign]
    sent = _FileReader(file).send(taker)
    await file.until_begun(1)
    if how == "stop":
        taker.producer.stopProducing()
        expected: type[BaseException] = ConnectionError
    else:
        sent.cancel()
        expected = CancelledError
        assert taker.producer is None
    with pytest.raises(expected):
        await sent
    assert not file.closed
    file.allow()
    await soon(closed.wait())
    assert taker.got == []


async def test_a_paused_file_that_is_broken_off_is_closed() -> None:
    file, taker = Slow(b"x" * 1_000_000), Taker(pauses=True)
    file.allow(100)
    sent = _FileReader(file).send(taker)
    await soon(taker.arrived.wait())
    taker.producer.stopProducing()
    with pytest.raises(ConnectionError):
        await sent
    async with reactor:  # its threads end their work
        pass


async def test_what_cannot_be_read_fails() -> None:
    file, taker = Slow(b"x"), Taker()
    file.fails = OSError(5, "the disk is broken")
    file.allow()
    with pytest.raises(OSError, match="the disk is broken"):
        await soon(_FileReader(file).send(taker))
    assert file.closed


def test_without_a_loop_it_is_all_done_at_once() -> None:
    class Simple(Taker):
        def __init__(self) -> None:
            self.got = []
            self.pauses = False

            class Nothing:
                def set(self) -> None:
                    pass

            self.arrived = Nothing()  # type: ignore[assignment]

    taker = Simple()
    file = io.BytesIO(b"x" * 300_000)
    assert _FileReader(file).send(taker).called
    assert b"".join(taker.got) == b"x" * 300_000
    written = io.BytesIO()
    consumer = FileConsumer(written)
    consumer.write(b"abc")
    assert written.getvalue() == b"abc"
    consumer.unregisterProducer()
    assert written.closed


# -- writing --------------------------------------------------------------------


async def test_a_file_is_written_in_a_thread_and_in_order() -> None:
    file = Slow()
    writer = _FileWriter(file)
    consumer = await writer.receive()
    pieces = [b"%d " % number for number in range(100)]
    for piece in pieces:
        consumer.write(piece)
    closing = writer.close()
    await file.until_begun(1)
    assert not closing.called
    file.allow(100)
    await soon(closing)
    assert b"".join(file.written) == b"".join(pieces)
    assert (file.in_threads, file.closed) == ({True}, True)
    with pytest.raises(RuntimeError):
        writer.receive()


async def test_a_producer_waits_for_a_slow_disk() -> None:
    file, giver = Slow(), Giver()
    writer = _FileWriter(file)
    consumer = await writer.receive()
    consumer.registerProducer(giver, True)
    written = 0
    while not giver.told:
        consumer.write(b"x" * 65536)
        written += 65536
    assert 1 << 20 < written < 2 << 20
    assert giver.told == ["pause"]
    file.allow(100)
    await soon(giver.goes_on.wait())
    consumer.unregisterProducer()
    await soon(writer.close())
    assert giver.told == ["pause", "resume"]
    assert sum(map(len, file.written)) == written


async def test_what_cannot_be_written_stops_the_producer() -> None:
    file, giver = Slow(), Giver()
    file.fails = OSError(28, "no space left")
    writer = _FileWriter(file)
    consumer = await writer.receive()
    consumer.registerProducer(giver, True)
    consumer.write(b"x")
    consumer.write(b"y")
    file.allow()
    closing = writer.close()
    with pytest.raises(OSError, match="no space left"):
        await soon(closing)
    consumer.write(b"z")
    assert (giver.told, file.began, file.closed) == (["stop"], 1, True)


async def test_a_writer_that_received_nothing_closes_its_file() -> None:
    file = Slow()
    await soon(_FileWriter(file).close())
    assert file.closed


# -- shells ---------------------------------------------------------------------


class Held(ftp.FTPShell):
    """A shell on a disk that answers only when it is allowed to."""

    def __init__(self, root: Path) -> None:
        super().__init__(FilePath(str(root)))
        self.may = threading.Event()

    def _path(self, path: Any) -> Any:
        assert self.may.wait(20)
        return super()._path(path)


@pytest.fixture
async def held(tmp_path: Path) -> AsyncIterator[Held]:
    (tmp_path / "file").write_text("x")
    shell = Held(tmp_path)
    yield shell
    shell.may.set()
    async with reactor:
        pass


CALLS: list[Callable[[Held], Deferred[Any]]] = [
    lambda shell: shell.list([]),
    lambda shell: shell.stat(["file"], ["size"]),
    lambda shell: shell.access([]),
    lambda shell: shell.makeDirectory(["new"]),
    lambda shell: shell.rename(["file"], ["other"]),
    lambda shell: shell.removeFile(["file"]),
]


@pytest.mark.parametrize("call", CALLS)
async def test_shells_ask_the_file_system_in_threads(
    held: Held, call: Callable[[Held], Deferred[Any]]
) -> None:
    asked = call(held)
    await asyncio.sleep(0)
    assert not asked.called
    held.may.set()
    await soon(asked)


@pytest.mark.parametrize("method", ["openForReading", "openForWriting", "openForAppending"])
async def test_a_file_that_nobody_waits_for_is_closed(
    held: Held, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()
    open_path = FilePath.open

    def opened(self: Any, mode: Any = "r") -> Any:
        file = open_path(self, mode)

        class Wrapped:
            def close(self) -> None:
                file.close()
                loop.call_soon_threadsafe(closed.set)

        return Wrapped()

    monkeypatch.setattr(FilePath, "open", opened)
    opening = getattr(held, method)(["file"])
    opening.cancel()
    with pytest.raises(CancelledError):
        await opening
    held.may.set()
    await soon(closed.wait())


# -- a server ---------------------------------------------------------------------


async def test_a_slow_disk_holds_up_one_client_only(tmp_path: Path) -> None:
    site = Site(tmp_path)
    (site.home / "file").write_text("x")
    slow, other = await site.raw(), await site.raw()
    await slow.login()
    await other.login()
    shell = Held(site.home)
    site.served[0].shell = shell
    slow.writer.write(b"SIZE file\r\nNOOP\r\n")
    for _ in range(3):
        assert await other("SIZE file") == "213 1"
    shell.may.set()
    assert [await slow.read(), await slow.read()] == ["213 1", "200 Command OK"]
    await slow.close()
    await other.close()
    await site.close()


async def test_a_full_disk_ends_an_upload(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, errors: Any
) -> None:
    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(28, "No space left on device")

    site = Site(tmp_path)
    client = await site.client("alice", "wonder")
    await soon(client.pwd())

    def open_full(path: Any) -> Any:
        return _FileWriter(Full())

    site.served[0].shell.openForWriting = open_full
    ready, stored = client.storeFile("file")
    consumer = await soon(ready)
    consumer.write(b"x" * 100_000)
    with pytest.raises(ftp.CommandFailed, match="426"):
        await soon(stored)
    await soon(client.quit())
    await site.close()
    assert [type(error) for error in errors.take()] == [OSError]
