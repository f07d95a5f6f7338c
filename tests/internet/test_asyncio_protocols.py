"""asyncio's protocol factories at endpoints, and Factories at asyncio's loops."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reactorlib.internet import error, reactor
from reactorlib.internet.defer import Deferred
from reactorlib.internet.endpoints import (
    HostnameEndpoint,
    ProcessEndpoint,
    SSL4ClientEndpoint,
    SSL4ServerEndpoint,
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    UNIXClientEndpoint,
    UNIXServerEndpoint,
    connectProtocol,
    wrapClientTLS,
    wrapServerTLS,
)
from reactorlib.internet.protocol import Factory, Protocol

from ._carriers import CLIENT_TLS, SERVER_TLS, Side

pytestmark = pytest.mark.timeout(30)

LOCAL = "127.0.0.1"


class Watched:
    """What an asyncio protocol is told, and waiting for it."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.data = b""
        self.keep = False
        self.changed = asyncio.Event()
        self.error: BaseException | None = None
        self.transport: Any = None

    def note(self, what: str) -> None:
        self.told.append(what)
        self.changed.set()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.note("made")

    def eof_received(self) -> bool:
        self.note("eof")
        return self.keep

    def connection_lost(self, exc: BaseException | None) -> None:
        self.error = exc
        self.note("lost")

    def pause_writing(self) -> None:
        self.note("pause")

    def resume_writing(self) -> None:
        self.note("resume")

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def received(self, data: bytes) -> None:
        await self.until(lambda: self.data == data)

    async def lost(self) -> BaseException | None:
        await self.until(lambda: "lost" in self.told)
        return self.error


class Streaming(Watched, asyncio.Protocol):
    def data_received(self, data: bytes) -> None:
        self.data += data
        self.note("data")


class Buffered(Watched, asyncio.BufferedProtocol):
    """With a buffer smaller than what comes."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = bytearray(3)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data += self.buffer[:nbytes]
        self.note("data")


class Serving:
    """An asyncio protocol factory that keeps what it has made."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.made: list[Any] = []

    def __call__(self) -> Any:
        self.made.append(self.kind())
        return self.made[-1]


def pair_of(where: str, tmp_path: Path) -> tuple[Any, Callable[[Any], Any]]:
    """A server's endpoint, and a client's for its port."""
    if where == "unix":
        path = str(tmp_path / "socket")
        return UNIXServerEndpoint(reactor, path), lambda _: UNIXClientEndpoint(reactor, path)
    if where == "ssl":
        return (
            SSL4ServerEndpoint(reactor, 0, SERVER_TLS, interface=LOCAL),
            lambda port: SSL4ClientEndpoint(reactor, LOCAL, port.getHost().port, CLIENT_TLS),
        )
    server: Any = TCP4ServerEndpoint(reactor, 0, interface=LOCAL)
    if where == "tls over tcp":
        return wrapServerTLS(SERVER_TLS, server), lambda port: wrapClientTLS(
            CLIENT_TLS, TCP4ClientEndpoint(reactor, LOCAL, port.getHost().port)
        )
    if where == "name":
        return server, lambda port: HostnameEndpoint(reactor, LOCAL, port.getHost().port)
    return server, lambda port: TCP4ClientEndpoint(reactor, LOCAL, port.getHost().port)


WHERE = ["tcp", "name", "unix", "ssl", "tls over tcp"]


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("kind", [Streaming, Buffered])
async def test_asyncio_protocols_talk(
    tmp_path: Path, errors: Any, where: str, kind: type[Watched]
) -> None:
    async with reactor:
        serving = Serving(kind)
        server, client_for = pair_of(where, tmp_path)
        port = await server.listen(serving)
        client = await client_for(port).connect(kind)
        assert type(client) is kind
        assert client.told == ["made"]
        client.transport.write(b"hello ")
        client.transport.writelines([b"wor", b"ld"])
        client.transport.write(bytearray(b"!"))
        async with asyncio.timeout(5):
            while not serving.made:
                await asyncio.sleep(0)
        [other] = serving.made
        await other.received(b"hello world!")
        other.transport.write(b"goodbye")
        await client.received(b"goodbye")
        assert not client.transport.is_closing()
        client.transport.close()
        assert client.transport.is_closing()
        client.transport.write(b"dropped")
        assert await client.lost() is None
        assert await other.lost() is None
        assert other.data == b"hello world!"
        assert other.told[-2:] == ["eof", "lost"]


@pytest.mark.parametrize("where", WHERE)
async def test_an_asyncio_protocol_with_one_of_ours(
    tmp_path: Path, errors: Any, where: str
) -> None:
    async with reactor:
        side = Side()
        server, client_for = pair_of(where, tmp_path)
        port = await server.listen(Factory.forProtocol(lambda: side))
        client = await client_for(port).connect(Streaming)
        client.transport.write(b"hello")
        assert await side.received(5) == b"hello"
        side.transport.write(b"goodbye")
        side.transport.loseConnection()
        assert await client.lost() is None
        assert client.data == b"goodbye"
        assert client.told[-2:] == ["eof", "lost"]


async def test_what_a_transport_knows(tmp_path: Path, errors: Any) -> None:
    async with reactor:
        serving = Serving(Streaming)
        server, client_for = pair_of("ssl", tmp_path)
        port = await server.listen(serving)
        client = await client_for(port).connect(Streaming)
        transport = client.transport
        assert transport.get_extra_info("peername") == (LOCAL, port.getHost().port)
        assert transport.get_extra_info("sockname")[0] == LOCAL
        assert transport.get_extra_info("nothing", 7) == 7
        assert transport.get_extra_info("ssl_object") is not None
        assert isinstance(transport.get_extra_info("sslcontext"), ssl.SSLContext)
        assert not transport.can_write_eof()
        with pytest.raises(NotImplementedError):
            transport.write_eof()
        assert transport.get_protocol() is client
        transport.set_protocol(replacement := Streaming())
        transport.close()
        await replacement.lost()
        server, client_for = pair_of("unix", tmp_path)
        await server.listen(serving)
        client = await client_for(None).connect(Streaming)
        assert client.transport.get_extra_info("peername") == str(tmp_path / "socket")
        assert client.transport.get_extra_info("socket").family == socket.AF_UNIX
        client.transport.abort()
        assert await client.lost() is None


async def test_half_closing(tmp_path: Path, errors: Any) -> None:
    """`eof_received` that returns true keeps the other direction open."""

    def keeping() -> Streaming:
        protocol = Streaming()
        protocol.keep = True
        return protocol

    async with reactor:
        serving = Serving(keeping)
        server, client_for = pair_of("tcp", tmp_path)
        client = await client_for(await server.listen(serving)).connect(Streaming)
        client.transport.write(b"question")
        assert client.transport.can_write_eof()
        client.transport.write_eof()
        async with asyncio.timeout(5):
            while not serving.made:
                await asyncio.sleep(0)
        [other] = serving.made
        await other.until(lambda: "eof" in other.told)
        other.transport.write(b"answer")
        other.transport.close()
        await client.received(b"answer")
        assert await client.lost() is None
        assert await other.lost() is None


async def test_flow_control(tmp_path: Path, errors: Any) -> None:
    """A reader that pauses makes the writer pause, and both go on."""
    async with reactor:
        serving = Serving(Streaming)
        server, client_for = pair_of("tcp", tmp_path)
        client = await client_for(await server.listen(serving)).connect(Streaming)
        client.transport.write(b"x")
        async with asyncio.timeout(5):
            while not serving.made:
                await asyncio.sleep(0)
        [other] = serving.made
        await other.received(b"x")
        other.transport.pause_reading()
        assert not other.transport.is_reading()
        sent = 1
        while "pause" not in client.told:
            client.transport.write(bytes(1 << 20))
            sent += 1 << 20
            await asyncio.sleep(0)
        assert "resume" not in client.told
        other.transport.resume_reading()
        assert other.transport.is_reading()
        await client.until(lambda: "resume" in client.told)
        await other.until(lambda: len(other.data) == sent)
        client.transport.close()
        await other.lost()


async def test_a_reset_is_what_asyncio_calls_it(tmp_path: Path, errors: Any) -> None:
    async with reactor:
        server, client_for = pair_of("tcp", tmp_path)
        side = Side()
        port = await server.listen(Factory.forProtocol(lambda: side))
        client = await client_for(port).connect(Streaming)
        client.transport.write(b"x")
        await side.received(1)
        side.transport.abortConnection()
        reset = await client.lost()
        assert isinstance(reset, ConnectionResetError)
        assert isinstance(reset.__cause__, error.ConnectionLost)


async def test_a_process_speaks_to_an_asyncio_protocol(errors: Any) -> None:
    async with reactor:
        cat = await ProcessEndpoint(reactor, "/bin/cat", ["cat"]).connect(Streaming)
        assert cat.transport.get_extra_info("peername") is None
        cat.transport.write(b"hello")
        await cat.received(b"hello")
        cat.transport.write_eof()
        assert await cat.lost() is None


async def test_connectProtocol(tmp_path: Path, errors: Any) -> None:
    async with reactor:
        serving = Serving(Streaming)
        server, client_for = pair_of("tcp", tmp_path)
        endpoint = client_for(await server.listen(serving))
        mine = Streaming()
        assert await connectProtocol(endpoint, mine) is mine
        other = Side()
        assert await connectProtocol(endpoint, other) is other
        mine.transport.close()
        other.transport.loseConnection()
        await mine.lost()
        await other.lost()


@pytest.mark.parametrize("make", [lambda: None, object, lambda: Protocol()])
async def test_what_makes_no_asyncio_protocol(tmp_path: Path, errors: Any, make: Any) -> None:
    async with reactor:
        server, client_for = pair_of("tcp", tmp_path)
        endpoint = client_for(await server.listen(Factory.forProtocol(Side)))
        with pytest.raises(TypeError, match="no asyncio protocol: an endpoint takes a Factory"):
            await endpoint.connect(make)


# -- and the other way round --------------------------------------------------


class Echo(Protocol):
    def __init__(self) -> None:
        self.received = b""
        self.done: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self.transport.write(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.done.callback(self.received)


@pytest.mark.parametrize("over_tls", [False, True])
async def test_a_factory_is_an_asyncio_protocol_factory(errors: Any, over_tls: bool) -> None:
    """`loop.create_server` and `loop.create_connection` take one."""
    loop = asyncio.get_running_loop()
    server_side, client_side = Echo(), Side()
    tls: dict[str, Any] = {"ssl": SERVER_TLS} if over_tls else {}
    server = await loop.create_server(Factory.forProtocol(lambda: server_side), LOCAL, 0, **tls)
    number = server.sockets[0].getsockname()[1]
    tls = {"ssl": CLIENT_TLS, "server_hostname": "localhost"} if over_tls else {}
    await loop.create_connection(Factory.forProtocol(lambda: client_side), LOCAL, number, **tls)
    client_side.transport.write(b"hello")
    assert await client_side.received(5) == b"hello"
    client_side.transport.loseConnection()
    async with asyncio.timeout(5):
        assert await server_side.done == b"hello"
    await client_side.lost()
    server.close()
    await server.wait_closed()
