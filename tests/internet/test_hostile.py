"""Peers that mean no good, and shortages: what they may cost, and what goes on in spite of them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import resource
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from reactorlib.internet import _tls_transport, reactor
from reactorlib.internet._memory import connect_protocols
from reactorlib.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from reactorlib.internet.protocol import Factory
from reactorlib.protocols.basic import LineReceiver

from ._carriers import (
    CLIENT_TLS,
    LOCAL,
    SERVER_TLS,
    Side,
    _Once,
    _Serve,
    open_descriptors,
    turns,
)
from ._storm import Storm, leftovers

pytestmark = pytest.mark.timeout(60)

_RESET = struct.pack("ii", 1, 0)


class Accepts(Factory[Any]):
    """Makes a side for each connection, and keeps them."""

    noisy = False

    def __init__(self, hooks: dict[str, Callable[[Side], object]] | None = None) -> None:
        self.sides: list[Side] = []
        self._hooks = hooks

    def buildProtocol(self, addr: object) -> Side:
        self.sides.append(Side(self._hooks))
        return self.sides[-1]


def echo(side: Side) -> None:
    side.transport.write(bytes(side.data))
    side.data.clear()


# -- peers that never read ----------------------------------------------------


class Cost(NamedTuple):
    """What a server in another process says of itself."""

    connections: int
    received: int
    fullest: int
    resident: int


class EchoServer:
    """`_echo_child.py`, as a context manager."""

    def __init__(self, loop: str) -> None:
        child = Path(__file__).with_name("_echo_child.py")
        self._process = subprocess.Popen(
            [sys.executable, str(child), loop],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self.port = int(self._out.readline())

    def __enter__(self) -> EchoServer:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.communicate()

    def cost(self) -> Cost:
        print(file=self._in, flush=True)
        return Cost(*map(int, self._out.readline().split()))

    def settled(self) -> Cost:
        """The cost when nothing changes any more."""
        before = self.cost()
        while (now := self.cost())[:2] != before[:2]:
            before = now
        return now


@contextlib.contextmanager
def peers(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Sockets that are connected to a port, and have little room for what they are sent."""
    with contextlib.ExitStack() as stack:
        sockets = []
        for _ in range(count):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect((LOCAL, port))
            sock.setblocking(False)
            sockets.append(sock)
        yield sockets


def affordable(count: int) -> int:
    """So many connections as this process may have descriptors for."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if count > hard - 200:
        print(f"{hard - 200} connections instead of {count}: RLIMIT_NOFILE is {hard}")
        count = hard - 200
    return count


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_connections_that_never_read(loop: str, count: int) -> None:
    """Each costs a few KiB, and what it has not taken."""
    count = affordable(count)
    with EchoServer(loop) as server:
        with peers(server.port, 50):  # so that nothing is done for the first time
            while server.cost().connections < 50:
                pass
        before = server.settled()
        with peers(server.port, count) as sockets:
            for sock in sockets:
                sock.send(b"x" * 1000)
            while (cost := server.cost()).received < before.received + 1000 * count:
                pass
            assert cost.connections == count
            each = (cost.resident - before.resident) / count
            assert each < 12 * 1024
        while server.cost().connections:
            pass


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_peers_that_send_for_ever_and_never_read(loop: str) -> None:
    """They are not read from either, once 64 KiB and two reads of answers wait for them."""
    with EchoServer(loop) as server, peers(server.port, 20) as sockets:
        data = b"x" * 65536
        stuck = 0
        while stuck < len(sockets):
            stuck = 0
            for sock in sockets:
                try:
                    while True:
                        sock.send(data)
                except BlockingIOError:
                    stuck += 1
            before = server.settled().received
            if stuck == len(sockets) and any(_takes_more(sock) for sock in sockets):
                stuck = 0
        cost = server.settled()
        assert cost.received == before
        assert 0 < cost.fullest <= 65536 + 2 * 262144


def _takes_more(sock: socket.socket) -> bool:
    try:
        return sock.send(b"x" * 65536) > 0
    except BlockingIOError:
        return False


# -- peers that send little, and slowly ---------------------------------------


@pytest.mark.parametrize("hello", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"])
async def test_half_open_handshakes_time_out(
    errors: Any, monkeypatch: pytest.MonkeyPatch, hello: bytes
) -> None:
    monkeypatch.setattr(_tls_transport, "HANDSHAKE_TIMEOUT", 0.1)
    before = open_descriptors()
    factory = Accepts()
    port: Any = reactor.listenSSL(0, factory, SERVER_TLS, interface=LOCAL)
    with peers(port.getHost().port, 50) as sockets:
        for sock in sockets:
            sock.send(hello)
        await turns(lambda: len(factory.sides) == 50)
        for side in factory.sides:
            assert await side.lost() is ConnectionLost
            assert "no TLS handshake within" in str(side.reason.value)  # type: ignore[union-attr]
    # Who means it is served as ever.
    good = Side()
    reactor.connectSSL(LOCAL, port.getHost().port, _Once(good), CLIENT_TLS)
    await good.until(lambda: good.shaken)
    good.transport.loseConnection()
    assert await good.lost() is ConnectionDone
    await factory.sides[-1].lost()
    await port.stopListening()
    del sock, sockets
    await turns(lambda: open_descriptors() == before)


class Lines(LineReceiver):
    MAX_LENGTH = 1 << 30

    def lineReceived(self, line: bytes) -> None:
        self.transport.write(line)


def cost_of(feed: Callable[[bytes], object], data: bytes) -> float:
    """CPU seconds for the data, byte by byte."""
    pieces = [data[i : i + 1] for i in range(len(data))]
    gc.collect()
    start = time.process_time()
    for piece in pieces:
        feed(piece)
    return time.process_time() - start


@pytest.mark.parametrize("what", ["plain", "one line", "TLS"])
async def test_the_cost_of_single_bytes_is_linear(errors: Any, what: str) -> None:
    """Eight times as many bytes take about eight times as long, and not sixty-four."""

    async def measure(size: int) -> float:
        protocol: Any = Lines() if what == "one line" else Side({"data": lambda _: None})
        peer = Side()
        end: Any
        _, end = connect_protocols(lambda _: peer, lambda _: protocol)
        if what == "TLS":
            end.startTLS(SERVER_TLS)
            peer.transport.startTLS(CLIENT_TLS)
            await peer.until(lambda: peer.shaken)
            await protocol.until(lambda: protocol.shaken)
            engine = peer.transport._transport._engine
            engine.write(b"x" * size)
            data = b""
            while more := engine.take():
                data += more
            cost = cost_of(end._transport.data_received, data)
            assert len(protocol.data) == size
        else:
            cost = cost_of(end.data_received, b"x" * size)
        for side in (end, peer.transport):
            side.abortConnection()
        await peer.lost()
        return cost

    small = min([await measure(3000) for _ in range(3)])
    large = min([await measure(24_000) for _ in range(3)])
    assert large < 24 * small


# -- shortages ----------------------------------------------------------------


@contextlib.contextmanager
def descriptors_left(count: int) -> Iterator[None]:
    """Let the process open only so many more."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = [socket.socket() for _ in range(count)]
    highest = max(sock.fileno() for sock in spare)
    for sock in spare:
        sock.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
async def test_out_of_descriptors(
    tmp_path: Path, errors: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """
    Connections that stand live on, and accepting goes on when there is room again.

    asyncio reports the shortage, and lets those wait who come meanwhile; uvloop hangs
    up on them.
    """
    from asyncio import constants

    monkeypatch.setattr(constants, "ACCEPT_RETRY_DELAY", 0.05)
    loop = asyncio.get_running_loop()
    factory = Accepts({"data": echo})
    port: Any
    if kind == "unix":
        port = reactor.listenUNIX(tmp_path / "s", factory)
        place: Any = str(tmp_path / "s")
        clients = [socket.socket(socket.AF_UNIX) for _ in range(12)]
    else:
        port = reactor.listenTCP(0, factory, interface=LOCAL)
        place = (LOCAL, port.getHost().port)
        clients = [socket.socket() for _ in range(12)]
    first, late = clients[0], clients[-1]
    for client in clients:
        client.setblocking(False)

    async def served(client: socket.socket) -> bool:
        async with asyncio.timeout(10):
            await loop.sock_sendall(client, b"x")
            return await loop.sock_recv(client, 1) == b"x"

    try:
        await loop.sock_connect(first, place)
        assert await served(first)
        with descriptors_left(5):
            for client in clients[1:-1]:
                await loop.sock_connect(client, place)
            await turns(lambda: len(factory.sides) == 6)
            for client in clients[:6]:
                assert await served(client)
            if type(loop).__module__.startswith("asyncio"):
                await turns(lambda: errors)
            for client in clients[1:6]:
                client.close()
            await turns(lambda: sum(side.reason is None for side in factory.sides) >= 1)
            for client in clients[6:-1]:
                if type(loop).__module__.startswith("asyncio"):
                    assert await served(client)
                else:
                    with contextlib.suppress(ConnectionError):
                        assert not await served(client)
                client.close()
            await loop.sock_connect(late, place)
            assert await served(late)
            assert await served(first)
    finally:
        for client in clients:
            client.close()
    for side in factory.sides:
        await side.lost()
    reported = errors.take()
    assert all(isinstance(error, OSError) and error.errno == errno.EMFILE for error in reported)
    assert len(reported) < 10  # once for each time it was tried
    await port.stopListening()


async def test_no_descriptor_to_connect_with(errors: Any) -> None:
    factory = Accepts()
    port: Any = reactor.listenTCP(0, factory, interface=LOCAL)
    with descriptors_left(1):
        spare = socket.socket()
        once = _Once(Side())
        reactor.connectTCP(LOCAL, port.getHost().port, once)
        with pytest.raises(Exception, match="Too many open files"):
            await once.failed
        spare.close()
    await port.stopListening()


# -- peers that break off -----------------------------------------------------


@pytest.mark.parametrize(
    "then", ["loseConnection", "loseWriteConnection", "abortConnection", "write", "pauseProducing"]
)
async def test_whatever_is_done_after_an_unseen_reset(errors: Any, then: str) -> None:
    """The peer has reset the connection, and the loop has not looked yet."""
    side = Side()
    port: Any = reactor.listenTCP(0, _Serve(side), interface=LOCAL)
    with socket.socket() as peer:
        peer.connect((LOCAL, port.getHost().port))
        await side.until(lambda: side.events)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    if then == "write":
        for _ in range(10):
            side.transport.write(b"x")
    else:
        getattr(side.transport, then)()
    if then == "pauseProducing":
        side.transport.resumeProducing()
    kind = await side.lost()
    assert issubclass(kind, (ConnectionLost, ConnectionDone))
    if then == "abortConnection":
        assert kind is ConnectionAborted
    assert side.events.count("lost") == 1
    await port.stopListening()


# -- storms -------------------------------------------------------------------

KINDS = ["tcp", "unix", "tls"]


async def rage(kind: str, seed: int, seconds: float, path: Path) -> list[str]:
    before = open_descriptors()
    storm = Storm(kind, seed, path)
    await storm.rage(seconds)
    assert storm.ledger.made > 20
    return await leftovers(storm, before)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_storm_leaves_nothing_behind(tmp_path: Path, errors: Any, kind: str) -> None:
    """Each end is lost once, and no descriptor, task, timer, object or error is left."""
    assert await rage(kind, 1, 0.3, tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
async def test_a_long_storm_leaves_nothing_behind(tmp_path: Path, errors: Any, kind: str) -> None:
    assert await rage(kind, 2, 20, tmp_path) == []
