"""Connections that are passed on: how directions end, and who is not held up by a stall."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from reactorlib.internet import reactor
from reactorlib.internet.endpoints import TCP4ServerEndpoint
from reactorlib.internet.protocol import connectionDone
from reactorlib.protocols import portforward
from reactorlib.protocols.policies import WrappingFactory
from reactorlib.python.failure import Failure

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

#: More than sockets and transports hold between them, in both halves.
MUCH = 64 * 2**20


@contextlib.asynccontextmanager
async def forward(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    wrap: Callable[[Any], Any] = lambda factory: factory,
) -> AsyncIterator[Callable[[], Awaitable[Streams]]]:
    """Connects to a server through a forwarder."""
    opened: list[asyncio.StreamWriter] = []

    async def noted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        await serve(reader, writer)

    server = await asyncio.start_server(noted, "127.0.0.1", 0)
    factory = portforward.ProxyFactory("127.0.0.1", server.sockets[0].getsockname()[1])
    factory.noisy = False
    port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(wrap(factory))

    async def connect() -> Streams:
        streams = await asyncio.open_connection("127.0.0.1", port.getHost().port)
        opened.append(streams[1])
        return streams

    async with asyncio.timeout(30):
        yield connect
    for writer in opened:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    await port.stopListening(grace=10)
    server.close()


@pytest.fixture(autouse=True)
def not_noisy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portforward.Proxy, "noisy", False)


async def answer_at_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says what it was sent, backwards, when it is sent no more."""
    writer.write((await reader.read())[::-1])
    await writer.drain()
    writer.close()


async def test_the_end_of_one_direction_is_passed_on() -> None:
    async with forward(answer_at_the_end) as connect:
        reader, writer = await connect()
        writer.write(b"abc" * 100_000)
        writer.write_eof()
        assert await reader.read() == b"cba" * 100_000


async def test_an_end_before_there_is_a_connection_to_tell_of_it() -> None:
    """Two are enough for one to come before and one after."""
    async with forward(answer_at_the_end) as connect:
        for sent in (b"", b"x"):
            reader, writer = await connect()
            writer.write(sent)
            writer.write_eof()
            assert await reader.read() == sent


async def test_the_server_may_end_first() -> None:
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"that is all")
        writer.write_eof()
        heard.set_result(await reader.read())
        writer.close()

    async with forward(serve) as connect:
        reader, writer = await connect()
        assert await reader.read() == b"that is all"
        writer.write(b"still heard")
        writer.write_eof()
        assert await heard == b"still heard"


async def test_both_connections_are_gone_when_both_directions_are() -> None:
    lost: list[Any] = []
    all_lost = asyncio.Event()

    class Server(portforward.ProxyServer):
        def connectionLost(self, reason: Failure = connectionDone) -> None:
            super().connectionLost(reason)
            lost.append(reason.value)
            all_lost.set()

    def wrap(factory: Any) -> Any:
        factory.protocol = Server
        return factory

    async with forward(answer_at_the_end, wrap) as connect:
        reader, writer = await connect()
        writer.write(b"ab")
        writer.write_eof()
        assert await reader.read() == b"ba"
        await all_lost.wait()
        assert len(lost) == 1


async def test_behind_a_wrapper_that_knows_no_halves_all_ends_at_once() -> None:
    async with forward(answer_at_the_end, WrappingFactory) as connect:
        reader, writer = await connect()
        writer.write(b"ab")
        writer.write_eof()
        assert await reader.read() == b""


@pytest.mark.skipif(shutil.which("nc") is None, reason="nc is not installed")
async def test_nc_hears_an_answer_to_what_it_has_ended() -> None:
    async with forward(answer_at_the_end) as connect:
        _, writer = await connect()
        host, port = writer.get_extra_info("peername")
        nc = await asyncio.create_subprocess_exec(
            *("nc", "-N", host, str(port)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        answer, _ = await nc.communicate(b"stressed")
        assert answer == b"desserts"


class Pushed:
    """Writes as much as is taken, and reads nothing before it is told to."""

    def __init__(self, streams: Streams, byte: bytes) -> None:
        self.reader, self.writer = streams
        self.sent = 0
        self.stop = False
        self._chunk = byte * 65536

    async def push(self) -> None:
        while self.sent < MUCH and not self.stop:
            self.writer.write(self._chunk)
            self.sent += len(self._chunk)
            await self.writer.drain()
        self.writer.write_eof()

    async def pull(self) -> int:
        return len(await self.reader.read())


async def test_two_that_write_and_do_not_read_hold_up_nobody_else() -> None:
    """Nor is more kept for them than sockets and buffers hold."""
    far: asyncio.Future[Streams] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not far.done():
            far.set_result((reader, writer))
            return
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    async with forward(serve) as connect:
        near = Pushed(await connect(), b"n")
        end = Pushed(await far, b"f")
        pushing = [asyncio.ensure_future(one.push()) for one in (near, end)]
        reader, writer = await connect()
        stalled = (-1, -1)
        # Others are served meanwhile; once that changes nothing any more, it is a stall.
        while stalled != (stalled := (near.sent, end.sent)):
            for number in range(100):
                writer.write(b"%d\n" % number)
                assert await reader.readline() == b"%d\n" % number
        assert max(stalled) < MUCH
        # When they read, all of it arrives, and nothing else.
        near.stop = end.stop = True
        near_got, far_got = await asyncio.gather(near.pull(), end.pull())
        assert (near_got, far_got) == (end.sent, near.sent)
        await asyncio.gather(*pushing)
