"""The small modules: wire, stateful, loopback, portforward, pcp, htb."""

from __future__ import annotations

import asyncio
import gc
import os
import struct
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from reactorlib.internet import reactor
from reactorlib.internet.address import IPv4Address, UNIXAddress
from reactorlib.internet.defer import CancelledError, Deferred
from reactorlib.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from reactorlib.internet.protocol import Factory, Protocol, connectionDone
from reactorlib.internet.task import Clock
from reactorlib.protocols import htb, loopback, pcp, portforward, wire
from reactorlib.protocols.stateful import StatefulProtocol
from reactorlib.python.failure import Failure


def quiet(protocol: Callable[[], Any]) -> Factory[Any]:
    factory: Factory[Any] = Factory.forProtocol(protocol)
    factory.noisy = False
    return factory


# -- wire ---------------------------------------------------------------------


async def ask(protocol: Callable[[], Any], send: bytes = b"") -> bytes:
    """What a server says until it hangs up, or to what we send before we do."""
    port = reactor.listenTCP(0, quiet(protocol), interface="127.0.0.1")
    reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
    writer.write(send)
    if send:
        writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    await port.stopListening()
    return answer


async def test_services_say_something_and_hang_up() -> None:
    assert await ask(wire.QOTD) == b"An apple a day keeps the doctor away.\r\n"
    assert await ask(wire.Who) == b"root\r\n"
    said = await ask(wire.Daytime)
    parsed = time.strptime(said.decode().removesuffix("\r\n"), "%a %b %d %H:%M:%S %Y")
    assert abs(time.mktime(parsed) - time.mktime(time.gmtime())) < 60


async def test_time_is_since_1900() -> None:
    """RFC 868: 2,208,988,800 corresponds to 00:00 1 Jan 1970 GMT."""
    (seconds,) = struct.unpack("!I", await ask(wire.Time))
    assert abs(seconds - 2208988800 - time.time()) < 60


async def test_echo_and_discard() -> None:
    assert await ask(wire.Echo, b"hello") == b"hello"
    assert await ask(wire.Discard, b"hello") == b""


async def test_chargen_goes_on_until_the_peer_leaves() -> None:
    lost: Deferred[Any] = Deferred()

    class Server(wire.Chargen):
        def connectionLost(self, reason: Failure = connectionDone) -> None:
            lost.callback(None)

    port = reactor.listenTCP(0, quiet(Server), interface="127.0.0.1")
    reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
    noise = wire.Chargen.noise
    assert await reader.readexactly(len(noise) * 500) == noise * 500
    writer.transport.abort()
    await lost
    await port.stopListening()


# -- stateful -----------------------------------------------------------------


class Bare:
    """A transport that only knows whether it closes."""

    disconnecting = False


def test_a_state_takes_what_it_asks_for() -> None:
    class Receiver(StatefulProtocol):
        def getInitialState(self) -> Any:
            return self.first, 2

        def first(self, data: bytes) -> Any:
            seen.append(data)
            return None if len(seen) < 2 else (self.nothing, 0)

        def nothing(self, data: bytes) -> Any:
            seen.append(data)
            return self.last, 3

        def last(self, data: bytes) -> Any:
            seen.append(data)
            if data == b"fff":
                self.transport.disconnecting = True

    wire_bytes = b"aabb" + b"ccc" + b"dddfffggg"
    for size in range(1, len(wire_bytes) + 1):
        seen: list[bytes] = []
        p = Receiver()
        p.makeConnection(Bare())
        for i in range(0, len(wire_bytes), size):
            p.dataReceived(wire_bytes[i : i + size])
        assert seen == [b"aa", b"bb", b"", b"ccc", b"ddd", b"fff"]


def test_a_state_that_cannot_end_is_an_error() -> None:
    class Receiver(StatefulProtocol):
        def getInitialState(self) -> Any:
            return (lambda data: None), 0

    p = Receiver()
    p.makeConnection(Bare())
    with pytest.raises(RuntimeError, match="no bytes"):
        p.dataReceived(b"a")


def test_give_back_takes_what_waits() -> None:
    class Receiver(StatefulProtocol):
        def getInitialState(self) -> Any:
            return seen.append, 3

    seen: list[bytes] = []
    p = Receiver()
    p.makeConnection(Bare())
    p.dataReceived(b"aaab")
    p.dataReceived(b"b")
    assert (seen, p._give_back(), p._give_back()) == ([b"aaa"], b"bb", b"")


# -- loopback -----------------------------------------------------------------


class Talker(Protocol):
    """Says what it is told to, remembers what it hears, and how it ended."""

    def __init__(self, say: bytes = b"", lose: int | None = None) -> None:
        self.say = say
        self.lose = lose
        self.heard: list[bytes] = []
        self.ends: list[type[BaseException]] = []

    def connectionMade(self) -> None:
        if self.say:
            self.transport.write(self.say)
        if self.lose == 0:
            self.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        self.heard.append(data)
        if self.lose is not None and sum(map(len, self.heard)) >= self.lose:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ends.append(reason.type)


WAYS: dict[str, Any] = {
    "memory": loopback.loopbackAsync,
    "tcp": lambda s, c: loopback.loopbackTCP(s, c, noisy=False),
    "unix": lambda s, c: loopback.loopbackUNIX(s, c, noisy=False),
}


@pytest.mark.parametrize("way", WAYS)
async def test_two_protocols_talk(way: str) -> None:
    server, client = Talker(b"hello"), Talker(b"a" * 100, lose=5)
    assert await WAYS[way](server, client) is None
    assert b"".join(client.heard) == b"hello"
    assert b"".join(server.heard) == b"a" * 100
    assert (server.ends, client.ends) == ([ConnectionDone], [ConnectionDone])


@pytest.mark.parametrize("way", WAYS)
async def test_a_loopback_may_be_cancelled(way: str) -> None:
    server, client = Talker(), Talker()
    deferred = WAYS[way](server, client)
    deferred.cancel()
    with pytest.raises(CancelledError):
        await deferred
    if way == "memory":
        assert (server.ends, client.ends) == ([ConnectionAborted], [ConnectionAborted])


async def test_pump_policies() -> None:
    for policy, heard in (
        (loopback.identityPumpPolicy, [b"a", b"b"]),
        (loopback.collapsingPumpPolicy, [b"ab"]),
    ):
        client = Talker()
        server = Talker(b"a")
        deferred = loopback.loopbackAsync(server, client, policy)
        server.transport.write(b"b")
        server.transport.loseConnection()
        server.transport.write(b"late")
        await deferred
        assert client.heard == heard


async def test_an_error_in_memory_fails_the_deferred() -> None:
    class Broken(Talker):
        def dataReceived(self, data: bytes) -> None:
            raise ZeroDivisionError

    server, client = Talker(b"a"), Broken()
    with pytest.raises(ZeroDivisionError):
        await loopback.loopbackAsync(server, client)
    assert (server.ends, client.ends) == ([ZeroDivisionError], [ZeroDivisionError])


async def test_abort_in_memory_drops_what_was_written() -> None:
    server, client = Talker(b"dropped"), Talker()
    deferred = loopback.loopbackAsync(server, client)
    server.transport.abortConnection()
    await deferred
    assert (client.heard, client.ends, server.ends) == ([], [ConnectionLost], [ConnectionAborted])


async def test_nothing_in_memory_keeps_what_has_ended() -> None:
    server, client = Talker(b"hello"), Talker(lose=5)
    gc.collect()
    gc.disable()
    try:
        await loopback.loopbackAsync(server, client)
        await asyncio.sleep(0)  # what was waited for is forgotten
        watched = [weakref.ref(server.transport), weakref.ref(server), weakref.ref(client)]
        del server, client
        assert [ref() for ref in watched] == [None] * 3
    finally:
        gc.enable()


async def test_a_server_may_hang_up_at_once() -> None:
    class Server(Talker):
        def makeConnection(self, transport: Any) -> None:
            super().makeConnection(transport)
            transport.loseConnection()

    client = Talker()
    await loopback.loopbackTCP(Server(), client, noisy=False)
    assert client.ends == [ConnectionDone]


def test_relay() -> None:
    target = Talker()
    relay = loopback.LoopbackRelay(target)
    relay.writeSequence([b"a", b"b"])
    relay.loseConnection()
    assert target.heard == []
    relay.clearBuffer()
    relay.clearBuffer()
    assert (target.heard, target.ends) == ([b"ab"], [ConnectionDone])


# -- portforward --------------------------------------------------------------


class Forward:
    """A port that is passed on to a server, and the server's protocols."""

    def __init__(self, protocol: Callable[[], Any]) -> None:
        self.server = reactor.listenTCP(0, quiet(protocol), interface="127.0.0.1")
        factory = portforward.ProxyFactory("127.0.0.1", self.server.getHost().port)
        factory.noisy = False
        self.port = reactor.listenTCP(0, factory, interface="127.0.0.1")

    async def __aenter__(self) -> Any:
        return await asyncio.open_connection("127.0.0.1", self.port.getHost().port)

    async def __aexit__(self, *_: object) -> None:
        await self.port.stopListening()
        await self.server.stopListening()


@pytest.fixture(autouse=True)
def not_noisy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portforward.Proxy, "noisy", False)


async def test_a_connection_is_passed_on_both_ways() -> None:
    lost: Deferred[Any] = Deferred()

    class Server(wire.Echo):
        def connectionLost(self, reason: Failure = connectionDone) -> None:
            lost.callback(None)

    async with Forward(Server) as (reader, writer):
        sent = os.urandom(3_000_000)

        async def send() -> None:
            writer.write(sent)
            await writer.drain()

        _, got = await asyncio.gather(send(), reader.readexactly(len(sent)))
        assert got == sent
        writer.close()
        await writer.wait_closed()
        await lost


async def test_when_the_server_hangs_up_what_it_said_still_arrives() -> None:
    async with Forward(wire.QOTD) as (reader, writer):
        assert await reader.read() == b"An apple a day keeps the doctor away.\r\n"
        writer.close()
        await writer.wait_closed()


async def test_nowhere_to_pass_it_on_to_closes_the_connection() -> None:
    forward = Forward(wire.Echo)
    await forward.server.stopListening()
    async with forward as (reader, writer):
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


# -- pcp ----------------------------------------------------------------------


class Ends:
    """A consumer and a producer; the proxy is between them."""

    def __init__(self, kind: Any = pcp.ProducerConsumerProxy) -> None:
        self.written: list[bytes] = []
        self.calls: list[str] = []
        self.proxy = kind(self)
        self.proxy.bufferSize = 10

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.calls.append("register")

    def unregisterProducer(self) -> None:
        self.calls.append("unregister")

    def finish(self) -> None:
        self.calls.append("finish")

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


def test_a_proxy_keeps_a_limited_amount() -> None:
    ends = Ends()
    ends.proxy.registerProducer(ends, True)
    ends.proxy.pauseProducing()
    ends.proxy.write(b"x" * 10)
    assert ends.calls == ["register"]
    ends.proxy.write(b"y")
    assert ends.calls == ["register", "pause"]
    ends.proxy.unregisterProducer()
    assert ends.calls == ["register", "pause"]  # it has not everything yet
    ends.proxy.resumeProducing()
    assert ends.written == [b"x" * 10 + b"y"]
    assert ends.calls == ["register", "pause", "unregister"]


def test_a_stopped_proxy_drops_what_comes() -> None:
    for kind in (pcp.BasicProducerConsumerProxy, pcp.ProducerConsumerProxy):
        ends = Ends(kind)
        ends.proxy.registerProducer(ends, True)
        ends.proxy.stopProducing()
        ends.proxy.write(b"a")
        assert (ends.written, ends.calls) == ([], ["register", "stop"])


# -- htb ----------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(htb, "time", clock.seconds)
    return clock


class Slow(htb.Bucket):
    maxburst = 100
    rate = 10


def test_a_bucket_fills_and_drains(clock: Clock) -> None:
    bucket = Slow()
    assert [bucket.add(60), bucket.add(60), bucket.add(1)] == [60, 40, 0]
    clock.advance(2.55)
    assert bucket.add(60) == 25
    clock.advance(9)
    assert not bucket.drip()
    clock.advance(1)
    assert bucket.drip()
    assert htb.Bucket().add(10**9) == 10**9


def test_a_bucket_in_another_takes_what_fits_in_both(clock: Clock) -> None:
    parent = Slow()
    one, other = Slow(parent), Slow(parent)
    assert [one.add(70), other.add(70), one.add(70)] == [70, 30, 0]
    assert (one.content, other.content, parent.content) == (70, 30, 100)


def test_filters_know_the_bucket(clock: Clock) -> None:
    class At:
        def __init__(self, host: str, port: int = 80) -> None:
            self.host, self.port = host, port

        def getPeer(self) -> Any:
            return IPv4Address("TCP", self.host, 1)

        def getHost(self) -> Any:
            return IPv4Address("TCP", "10.0.0.1", self.port)

    class Local(At):
        def getPeer(self) -> Any:
            return UNIXAddress(None)

        getHost = getPeer

    everybody = htb.FilterByServer()
    by_host = htb.FilterByHost(everybody)
    by_host.bucketFactory = Slow
    one = by_host.getBucketFor(At("10.0.0.2"))
    assert by_host.getBucketFor(At("10.0.0.2", 443)) is one
    other = by_host.getBucketFor(At("10.0.0.3"))
    assert other is not one
    assert other.parentBucket is one.parentBucket is everybody.buckets[80]
    by_host.getBucketFor(Local(""))
    one.add(100)
    one._refcount = other._refcount = 0
    clock.advance(1)
    by_host.sweep()
    assert list(by_host.buckets) == ["10.0.0.2"]
    clock.advance(1201)
    assert by_host.getBucketFor(At("10.0.0.3")) is not other
    assert "10.0.0.2" not in by_host.buckets


def test_what_does_not_fit_is_sent_when_it_does(clock: Clock) -> None:
    class Shaped(htb.ShapedConsumer):
        def callLater(self, period: float, func: Any) -> Any:
            return clock.callLater(period, func)

    ends = Ends(lambda consumer: Shaped(consumer, Slow()))
    ends.proxy.resumeProducing()
    ends.proxy.write(b"x" * 150)
    assert b"".join(ends.written) == b"x" * 100
    clock.advance(2.4)
    assert sum(map(len, ends.written)) == 100
    clock.pump([0.1, 2.5])
    assert b"".join(ends.written) == b"x" * 150
    assert ends.proxy.bucket._refcount == 1
    ends.proxy.stopProducing()
    assert ends.proxy.bucket._refcount == 0
    assert clock.getDelayedCalls() == []


async def test_a_shaped_server_sends_no_faster_than_its_bucket() -> None:
    class Quick(htb.Bucket):
        maxburst = 1000
        rate = 100_000

    class Server(Protocol):
        def connectionMade(self) -> None:
            self.transport.writeSequence([b"x" * 2000, b"y" * 4000])
            self.transport.loseConnection()

    filter = htb.FilterByHost()
    filter.bucketFactory = Quick
    factory = quiet(htb.ShapedProtocolFactory(Server, filter))
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    begin = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
    assert await reader.read() == b"x" * 2000 + b"y" * 4000
    assert time.monotonic() - begin >= 5000 / Quick.rate
    writer.close()
    await writer.wait_closed()
    await port.stopListening()
    (bucket,) = filter.buckets.values()
    assert bucket._refcount == 0
