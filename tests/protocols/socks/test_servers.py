"""SOCKS servers on real sockets: curl, and clients written out."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from reactorlib.cred.error import UnauthorizedLogin
from reactorlib.internet import reactor
from reactorlib.internet.defer import Deferred, fail, succeed
from reactorlib.internet.task import Clock
from reactorlib.internet.testing import StringTransport
from reactorlib.protocols.socks import (
    SOCKSFactory,
    SOCKSv4Factory,
    SOCKSv4Outgoing,
    SOCKSv5,
    SOCKSv5Factory,
)

pytestmark = pytest.mark.timeout(30)

LOCAL = "127.0.0.1"
HERE = socket.inet_aton(LOCAL)
BODY = os.urandom(300_000)

curl = shutil.which("curl")
needs_curl = pytest.mark.skipif(curl is None, reason="no curl here")


@asynccontextmanager
async def proxy(factory: Any) -> AsyncIterator[int]:
    """The port of a SOCKS server; in the end its connections are waited for."""
    factory.noisy = False
    there: set[Any] = set()
    gone = asyncio.Event()
    build = factory.buildProtocol

    def counted(addr: Any) -> Any:
        protocol = build(addr)
        lost = protocol.connectionLost
        there.add(protocol)

        def told(*reason: Any) -> None:
            lost(*reason)
            there.discard(protocol)
            gone.set()

        protocol.connectionLost = told
        return protocol

    factory.buildProtocol = counted
    port = reactor.listenTCP(0, factory, interface=LOCAL)
    try:
        yield port.getHost().port
    finally:
        await port.stopListening()
        while there:
            gone.clear()
            await gone.wait()


@asynccontextmanager
async def host(serve: Any) -> AsyncIterator[int]:
    """The port of the host that is asked for; in the end its connections are waited for."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(reader, writer)
        writer.close()
        await writer.wait_closed()

    def started(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(handle(reader, writer)))

    server = await asyncio.start_server(started, LOCAL, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*tasks)


async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)
    await writer.drain()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def fetch(*arguments: str) -> tuple[int | None, bytes]:
    """curl's return code, and what it got."""
    process = await asyncio.create_subprocess_exec(
        str(curl), "-s", "-q", "--noproxy", "", "--max-time", "20", *arguments,
        stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    out, _ = await process.communicate()
    return process.returncode, out


async def right(name: bytes, password: bytes) -> bool:
    return (name, password) == (b"alice", b"secret")


def right_later(name: bytes, password: bytes) -> Deferred[bool]:
    if (name, password) == (b"alice", b"secret"):
        return succeed(True)
    return fail(UnauthorizedLogin())


#: The versions that each factory serves.
WAYS = [
    (SOCKSv4Factory, "--socks4", LOCAL),
    (SOCKSv4Factory, "--socks4a", "localhost"),
    (SOCKSv5Factory, "--socks5", LOCAL),
    (SOCKSv5Factory, "--socks5-hostname", "localhost"),
    (SOCKSFactory, "--socks4", LOCAL),
    (SOCKSFactory, "--socks4a", "localhost"),
    (SOCKSFactory, "--socks5", LOCAL),
    (SOCKSFactory, "--socks5-hostname", "localhost"),
]


@needs_curl
@pytest.mark.parametrize(("factory", "way", "name"), WAYS)
async def test_curl(factory: Any, way: str, name: str) -> None:
    async with host(web) as port, proxy(factory()) as socks:
        url = f"http://{name}:{port}/"
        assert await fetch(way, f"{LOCAL}:{socks}", url) == (0, BODY)


@needs_curl
@pytest.mark.parametrize("factory", [SOCKSv5Factory, SOCKSFactory])
@pytest.mark.parametrize("check", [right, right_later])
@pytest.mark.parametrize(
    ("user", "code"),
    [("alice:secret", 0), ("alice:wrong", 97), ("alice:", 97), (None, 97)],
)
async def test_curl_with_a_password(factory: Any, check: Any, user: str | None, code: int) -> None:
    """97 is curl's CURLE_PROXY."""
    arguments = [] if user is None else ["--proxy-user", user]
    async with host(web) as port, proxy(factory(checkLogin=check)) as socks:
        got = await fetch("--socks5", f"{LOCAL}:{socks}", *arguments, f"http://{LOCAL}:{port}/")
    assert got == (code, b"" if code else BODY)


@needs_curl
async def test_a_password_that_nobody_asks_for() -> None:
    async with host(web) as port, proxy(SOCKSv5Factory()) as socks:
        url = f"http://{LOCAL}:{port}/"
        got = await fetch("--socks5", f"{LOCAL}:{socks}", "--proxy-user", "a:b", url)
    assert got == (0, BODY)


def port_bytes(port: int) -> bytes:
    return port.to_bytes(2)


def free_port() -> int:
    with socket.socket() as s:
        s.bind((LOCAL, 0))
        return int(s.getsockname()[1])


async def say(port: int, data: bytes) -> bytes:
    """All that the server answers until it closes."""
    reader, writer = await asyncio.open_connection(LOCAL, port)
    writer.write(data)
    answer = await reader.read()
    await leave(writer)
    return answer


async def leave(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


def reject(*_: object) -> bool:
    return False


async def reject_later(*_: object) -> bool:
    return False


NO = b"\5\0\0\1" + bytes(6)


def refused(code: int) -> bytes:
    return b"\5\0\5" + bytes([code]) + b"\0\1" + bytes(6)


async def test_what_version_5_refuses() -> None:
    """RFC 1928 section 6: the reply says why, and the connection is closed."""
    closed = port_bytes(free_port())
    async with proxy(SOCKSv5Factory()) as socks:
        start = b"\5\1\0"
        assert await say(socks, start + b"\5\1\0\1" + HERE + closed) == refused(5)
        assert await say(socks, start + b"\5\3\0\1" + HERE + closed) == refused(7)
        assert await say(socks, start + b"\5\1\0\2" + HERE + closed) == refused(8)
        assert await say(socks, start + b"\5\1\0\3\2\xff\xfe" + closed) == refused(4)
        assert await say(socks, b"\5\1\1") == b"\5\xff"
        assert await say(socks, b"GET / HTTP/1.0\r\n\r\n") == b""


async def test_a_name_without_an_address() -> None:
    async with proxy(SOCKSv5Factory()) as socks:
        assert await say(socks, b"\5\1\0\5\1\0\3\x09a.invalid\0\x50") == refused(4)


async def test_what_version_4_refuses() -> None:
    closed, no = port_bytes(free_port()), b"\0\x5b" + bytes(6)
    for factory in (SOCKSv4Factory, SOCKSFactory):
        async with proxy(factory()) as socks:
            assert await say(socks, b"\4\1" + closed + HERE + b"\0") == no
            assert await say(socks, b"\4\7" + closed + HERE + b"\0") == no
    async with host(echo) as port, proxy(SOCKSFactory(checkLogin=right)) as socks:
        there = port_bytes(port)
        assert await say(socks, b"\4\1" + there + HERE + b"\0") == no  # it has no passwords
        assert await say(socks, b"GET") == b""


@pytest.mark.parametrize("hook", [reject, reject_later])
async def test_authorize_decides(hook: Any) -> None:
    asked: list[Any] = []

    def authorize(*of: Any) -> Any:
        asked.append(of)
        return hook()

    async with proxy(SOCKSFactory(authorize=authorize)) as socks:
        assert await say(socks, b"\5\1\0\5\1\0\1" + HERE + b"\0\x50") == refused(2)
        assert await say(socks, b"\4\1\0\x50" + HERE + b"bob\0") == b"\0\x5b" + bytes(6)
    async with proxy(SOCKSFactory(authorize=authorize, checkLogin=right)) as socks:
        login = b"\5\1\2\1\5alice\6secret\5\2\0\1" + HERE + b"\0\x50"
        assert (await say(socks, login))[:6] == b"\5\2\1\0\5\2"
    assert asked == [(1, LOCAL, 80, b""), (1, LOCAL, 80, b"bob"), (2, LOCAL, 80, b"alice")]


async def test_a_rule_for_an_address_holds_however_it_is_written() -> None:
    """RFC 4291 section 2.5.5.2: ::ffff:127.0.0.1 is 127.0.0.1."""
    asked: list[str] = []

    def authorize(code: int, server: str, port: int, user: bytes) -> bool:
        asked.append(server)
        return False

    mapped = socket.inet_pton(socket.AF_INET6, f"::ffff:{LOCAL}")
    async with proxy(SOCKSv5Factory(authorize=authorize)) as socks:
        for address in (b"\4" + mapped, b"\3\x10::ffff:127.0.0.1", b"\3\x09127.0.0.1"):
            assert await say(socks, b"\5\1\0\5\1\0" + address + b"\0\x50") == refused(2)
    assert asked == [LOCAL] * 3


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
async def test_ipv6() -> None:
    """CONNECT from one client to the port for which another has asked with BIND."""
    loopback = socket.inet_pton(socket.AF_INET6, "::1")
    async with proxy(SOCKSv5Factory()) as socks:
        near, near_writer = await asyncio.open_connection(LOCAL, socks)
        near_writer.write(b"\5\1\0\5\2\0\4" + loopback + b"\0\0")
        assert await near.readexactly(2 + 20) == b"\5\0\5\0\0\4" + bytes(16)
        port = await near.readexactly(2)
        far, far_writer = await asyncio.open_connection(LOCAL, socks)
        far_writer.write(b"\5\1\0\5\1\0\4" + loopback + port + b"early")
        granted = await far.readexactly(2 + 22)
        assert granted[:22] == b"\5\0\5\0\0\4" + loopback
        assert await near.readexactly(22) == granted[2:]  # both name the same socket
        assert await near.readexactly(5) == b"early"
        near_writer.write(b"answer")
        await leave(near_writer)
        assert await far.read() == b"answer"
        await leave(far_writer)


async def test_much_data_in_both_directions_right_after_the_request(tmp_path: Path) -> None:
    """What comes with the request, and before the reply, is passed on in order."""
    sent = os.urandom(3_000_000)
    async with host(echo) as port, proxy(SOCKSv5Factory(str(tmp_path / "log"))) as socks:
        reader, writer = await asyncio.open_connection(LOCAL, socks)

        async def send() -> None:
            writer.write(b"\5\1\0\5\1\0\1" + HERE + port_bytes(port) + sent)
            await writer.drain()

        sending = asyncio.create_task(send())
        assert (await reader.readexactly(2 + 10))[:6] == b"\5\0\5\0\0\1"
        assert await reader.readexactly(len(sent)) == sent
        await sending
        await leave(writer)
    lines = (tmp_path / "log").read_text().splitlines()
    assert f">{LOCAL}:{port}\tb" in lines[0]
    assert any(f"<{LOCAL}:{port}\tb" in line for line in lines)


@pytest.mark.parametrize("version", [4, 5])
async def test_bind(version: int) -> None:
    """RFC 1928 section 4: a reply when the port is there, one when somebody has come."""
    if version == 4:
        request, skip, size = b"\4\2\0\0" + HERE + b"\0", 0, 8
    else:
        request, skip, size = b"\5\1\0\5\2\0\1" + HERE + b"\0\0", 2, 10
    async with proxy(SOCKSFactory()) as socks:
        reader, writer = await asyncio.open_connection(LOCAL, socks)
        writer.write(request)
        await reader.readexactly(skip)
        first = await reader.readexactly(size)
        assert first[1] == (90 if version == 4 else 0)
        port = first[2:4] if version == 4 else first[8:]
        assert (first[4:] if version == 4 else first[4:8]) == HERE
        far, far_writer = await asyncio.open_connection(LOCAL, int.from_bytes(port))
        second = await reader.readexactly(size)
        if version == 4:
            assert second == b"\0\x5a" + bytes(6)
        else:
            name = far_writer.get_extra_info("sockname")
            assert second == b"\5\0\0\1" + HERE + port_bytes(name[1])
        writer.write(b"ping")
        assert await far.readexactly(4) == b"ping"
        far_writer.write(b"pong")
        await leave(far_writer)
        assert await reader.read() == b"pong"
        await leave(writer)
        with pytest.raises(ConnectionRefusedError):  # it took one connection, and no other
            await asyncio.open_connection(LOCAL, int.from_bytes(port))


async def test_bind_refuses_another_host() -> None:
    async with proxy(SOCKSv5Factory()) as socks:
        reader, writer = await asyncio.open_connection(LOCAL, socks)
        writer.write(b"\5\1\0\5\2\0\1\xc0\0\2\1\0\0")
        first = await reader.readexactly(12)
        far, far_writer = await asyncio.open_connection(LOCAL, int.from_bytes(first[10:]))
        assert await reader.read() == NO[:1] + b"\2" + NO[2:]
        assert await far.read() == b""
        await leave(writer)
        await leave(far_writer)


async def test_a_client_that_leaves_ends_the_listening() -> None:
    lost: Deferred[None] = Deferred()

    class Told(SOCKSv5):
        def connectionLost(self, *reason: Any) -> None:
            super().connectionLost(*reason)
            lost.callback(None)

    factory = SOCKSv5Factory()
    factory.protocol = Told
    async with proxy(factory) as socks:
        reader, writer = await asyncio.open_connection(LOCAL, socks)
        writer.write(b"\5\1\0\5\2\0\1" + HERE + b"\0\0")
        first = await reader.readexactly(12)
        await leave(writer)
        await lost
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(LOCAL, int.from_bytes(first[10:]))


# -- on a clock -------------------------------------------------------------------


class Pending(SOCKSv5):
    """Whose connections are made when a test says so."""

    cancelled = False

    def connectClass(self, host: str, port: int, klass: Any, *args: Any) -> Deferred[Any]:
        self.end = klass(*args)
        self.asked: Deferred[Any] = Deferred(self._note)
        return self.asked

    def _note(self, _: object) -> None:
        self.cancelled = True


class Transport(StringTransport):
    def abortConnection(self) -> None:
        self.aborting = True

    aborting = False


def pending() -> tuple[Pending, Transport, Clock]:
    clock, transport = Clock(), Transport()
    protocol = Pending(None, clock)
    protocol.makeConnection(transport)
    return protocol, transport, clock


CONNECT = b"\5\1\0\5\1\0\1" + HERE + b"\0\x50"


def test_a_client_that_says_nothing_is_dropped() -> None:
    protocol, transport, clock = pending()
    protocol.dataReceived(CONNECT[:-1])
    clock.advance(SOCKSv5.handshakeTimeout - 0.1)
    assert not transport.aborting
    clock.advance(0.2)
    assert transport.aborting


def test_a_connection_that_takes_too_long_is_given_up() -> None:
    protocol, transport, clock = pending()
    protocol.dataReceived(CONNECT)
    clock.advance(SOCKSv5.connectTimeout)
    assert protocol.cancelled
    assert transport.value() == refused(4)
    assert transport.disconnecting
    assert not clock.getDelayedCalls()


def test_a_client_that_leaves_breaks_the_attempt_off() -> None:
    protocol, _, clock = pending()
    protocol.dataReceived(CONNECT)
    protocol.connectionLost()
    assert protocol.cancelled
    assert not clock.getDelayedCalls()


def test_neither_side_is_read_faster_than_the_other_takes_it() -> None:
    protocol, transport, clock = pending()
    protocol.dataReceived(CONNECT + b"x" * SOCKSv5.maxEarly)
    assert transport.producerState == "producing"
    protocol.dataReceived(b"y")
    assert transport.producerState == "paused"
    end, far = protocol.end, Transport()
    assert isinstance(end, SOCKSv4Outgoing)
    end.makeConnection(far)
    assert far.producerState == "paused"  # until the client has its reply
    protocol.asked.callback(end)
    assert (transport.producerState, far.producerState) == ("producing", "producing")
    assert far.value() == b"x" * SOCKSv5.maxEarly + b"y"
    assert (transport.producer, far.producer) == (far, transport)
    assert (transport.streaming, far.streaming) == (True, True)
    assert not clock.getDelayedCalls()
    end.connectionLost()
    assert transport.disconnecting
    assert transport.producer is None


# -- how directions end ---------------------------------------------------------


async def connected(socks: int, version: int, port: int) -> Any:
    """The streams of a connection to that port, through the server."""
    reader, writer = await asyncio.open_connection(LOCAL, socks)
    if version == 4:
        writer.write(b"\4\1" + port.to_bytes(2) + HERE + b"\0")
        assert (await reader.readexactly(8))[1] == 90
    else:
        writer.write(b"\5\1\0" + b"\5\1\0\1" + HERE + port.to_bytes(2))
        assert (await reader.readexactly(12))[:4] == b"\5\0\5\0"
    return reader, writer


HALVES = [(SOCKSv4Factory, 4), (SOCKSv5Factory, 5), (SOCKSFactory, 4), (SOCKSFactory, 5)]


@pytest.mark.parametrize(("factory", "version"), HALVES)
async def test_a_client_that_has_sent_all_hears_the_answer(factory: Any, version: int) -> None:
    async def backwards(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read())[::-1])
        await writer.drain()

    async with host(backwards) as port, proxy(factory()) as socks:
        reader, writer = await connected(socks, version, port)
        writer.write(BODY)
        writer.write_eof()
        assert await reader.read() == BODY[::-1]
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(("factory", "version"), HALVES)
async def test_a_host_that_has_sent_all_hears_more(factory: Any, version: int) -> None:
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"that is all")
        writer.write_eof()
        heard.set_result(await reader.read())

    async with host(first) as port, proxy(factory()) as socks:
        reader, writer = await connected(socks, version, port)
        assert await reader.read() == b"that is all"
        writer.write(b"still heard")
        writer.write_eof()
        assert await heard == b"still heard"
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("factory", [SOCKSv4Factory, SOCKSv5Factory, SOCKSFactory])
@pytest.mark.parametrize("sent", [b"", b"\5", b"\4\1"])
async def test_a_client_that_ends_before_its_request_is_gone(factory: Any, sent: bytes) -> None:
    async with proxy(factory()) as socks:
        reader, writer = await asyncio.open_connection(LOCAL, socks)
        writer.write(sent)
        writer.write_eof()
        await reader.read()  # to the end
        writer.close()
        await writer.wait_closed()
