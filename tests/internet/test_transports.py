"""
One table of behaviour for everything that carries a connection, on every loop.

`actor` does something and `peer` sees it; each case runs with the client as the
actor, and with the server.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from reactorlib.internet import error, reactor
from reactorlib.internet._connection._core import READ_CLOSED
from reactorlib.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from reactorlib.internet.interfaces import ISSLTransport

from ._carriers import (
    CARRIERS,
    CLIENT_TLS,
    ENCRYPTED,
    ENDS_ALIKE,
    SERVER_TLS,
    HalfSide,
    Side,
    turns,
    writing,
)

pytestmark = pytest.mark.timeout(30)

#: Where the test has connected before TLS begins.
LATE_TLS = ("starttls", "tls in memory")

BIG = bytes(range(256)) * 8192  # 2 MiB


@pytest.fixture(params=list(CARRIERS))
def carrier(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=["client acts", "server acts"])
def client_acts(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "client acts")


class Net:
    """Connects two sides over the carrier of the test."""

    def __init__(self, carrier: str, client_acts: bool, path: Path) -> None:
        self.carrier = carrier
        self.encrypted = carrier in ENCRYPTED
        self.client_acts = client_acts
        self._path = path

    @asynccontextmanager
    async def __call__(
        self, actor: Any = None, peer: Any = None, early: bool = False
    ) -> AsyncIterator[tuple[Any, Any]]:
        """Connect; unless it is to be `early`, wait until a TLS handshake is over."""
        actor = actor or Side()
        peer = peer or Side()
        client, server = (actor, peer) if self.client_acts else (peer, actor)
        async with CARRIERS[self.carrier](client, server, self._path):
            try:
                if self.encrypted and not early:
                    for side in (client, server):
                        await side.until(lambda side=side: side.shaken or side.reason)
                yield actor, peer
            finally:
                for side in (client, server):
                    if side.reason is None:
                        side.transport.abortConnection()
                for side in (client, server):
                    await side.lost()


@pytest.fixture
def net(carrier: str, client_acts: bool, tmp_path: Path, errors: Any) -> Net:
    return Net(carrier, client_acts, tmp_path)


def ordered(side: Side) -> bool:
    """Whether `made` came first, and `lost` once and last."""
    return side.events[0] == "made" and side.events[-1] == "lost" and side.events.count("lost") == 1


# -- bytes --------------------------------------------------------------------


async def test_bytes_arrive_whole_and_in_order_both_ways(net: Net) -> None:
    async with net(early=True) as (actor, peer):
        actor.transport.write(BIG)
        peer.transport.writeSequence([BIG[:1000], BIG[1000:]])
        assert await peer.received(len(BIG)) == BIG
        assert await actor.received(len(BIG)) == BIG


async def test_what_connectionMade_writes_arrives(net: Net) -> None:
    if net.carrier in LATE_TLS:
        pytest.skip("it would come in the middle of the handshake")
    async with net(Side({"made": lambda side: side.transport.write(b"hello")})) as (_, peer):
        assert await peer.received(5) == b"hello"


# -- the end ------------------------------------------------------------------


async def test_lose(net: Net) -> None:
    async with net() as (actor, peer):
        actor.transport.loseConnection()
        assert "lost" not in actor.events  # not while the call goes on
        assert await actor.lost() is ConnectionDone
        assert await peer.lost() is ConnectionDone
        assert ordered(actor)
        assert ordered(peer)


async def test_lose_with_unsent_data(net: Net) -> None:
    async with net() as (actor, peer):
        actor.transport.write(BIG)
        actor.transport.loseConnection()
        assert await peer.lost() is ConnectionDone
        assert peer.data == BIG
        assert await actor.lost() is ConnectionDone


async def test_lose_during_the_handshake_ends_it(net: Net) -> None:
    if not net.encrypted:
        pytest.skip("there is no handshake")
    async with net(early=True) as (actor, peer):
        actor.transport.loseConnection()
        assert await actor.lost() is ConnectionDone
        assert await peer.lost() is ConnectionLost


async def test_lose_during_the_handshake_still_sends_what_is_written(net: Net) -> None:
    async with net(early=True) as (actor, peer):
        actor.transport.write(BIG)
        actor.transport.loseConnection()
        assert await actor.lost() is ConnectionDone
        assert await peer.lost() is ConnectionDone
        assert peer.data == BIG


async def test_lose_on_both_sides_at_once(net: Net) -> None:
    async with net() as (actor, peer):
        actor.transport.loseConnection()
        peer.transport.loseConnection()
        assert await actor.lost() is ConnectionDone
        assert await peer.lost() is ConnectionDone


async def test_lose_twice_is_lose(net: Net) -> None:
    async with net() as (actor, peer):
        actor.transport.loseConnection()
        actor.transport.loseConnection()
        assert await actor.lost() is ConnectionDone
        actor.transport.loseConnection()
        assert await peer.lost() is ConnectionDone


async def test_abort(net: Net) -> None:
    async with net() as (actor, peer):
        await settled(actor, peer)
        actor.transport.abortConnection()
        assert "lost" not in actor.events
        assert await actor.lost() is ConnectionAborted
        expected = ConnectionDone if net.carrier in ENDS_ALIKE else ConnectionLost
        assert issubclass(await peer.lost(), expected)
        assert ordered(actor)
        assert ordered(peer)


async def test_abort_drops_what_has_not_left(net: Net) -> None:
    async with net() as (actor, peer):
        await settled(actor, peer)
        peer.transport.pauseProducing()
        actor.transport.write(BIG * 4)
        actor.transport.abortConnection()
        assert await actor.lost() is ConnectionAborted
        peer.transport.resumeProducing()
        await peer.lost()
        assert len(peer.data) < 4 * len(BIG)


async def test_abort_while_it_closes(net: Net) -> None:
    async with net() as (actor, peer):
        await settled(actor, peer)
        peer.transport.pauseProducing()
        actor.transport.write(BIG * 4)
        actor.transport.loseConnection()
        actor.transport.abortConnection()
        assert await actor.lost() is ConnectionAborted


async def settled(actor: Side, peer: Side) -> None:
    """Have both sides hear from each other, so that a handshake is over."""
    actor.transport.write(b".")
    peer.transport.write(b".")
    await actor.received(1)
    await peer.received(1)
    actor.data.clear()
    peer.data.clear()


@pytest.mark.parametrize("how", ["loseConnection", "abortConnection", "loseWriteConnection"])
async def test_writing_after_the_end_does_nothing(net: Net, how: str) -> None:
    async with net() as (actor, peer):
        await settled(actor, peer)
        actor.transport.write(b"before")
        await peer.received(6)
        getattr(actor.transport, how)()
        actor.transport.write(b"after")
        actor.transport.writeSequence([b"after", b"wards"])
        await peer.lost()
        assert peer.data == b"before"
        await actor.lost()
        actor.transport.write(b"too late")
        actor.transport.loseConnection()
        actor.transport.abortConnection()


@pytest.mark.parametrize("how", ["loseConnection", "abortConnection"])
async def test_the_end_may_begin_in_dataReceived(net: Net, how: str) -> None:
    def end(side: Side) -> None:
        side.transport.write(b"bye")
        getattr(side.transport, how)()
        assert "lost" not in side.events

    async with net(Side({"data": end})) as (actor, peer):
        peer.transport.write(b"go")
        expected = ConnectionDone if how == "loseConnection" else ConnectionAborted
        assert await actor.lost() is expected
        await peer.lost()
        if how == "loseConnection":
            assert peer.data == b"bye"
        assert ordered(actor)


async def test_no_data_comes_after_loseConnection(net: Net) -> None:
    async with net(Side({"data": lambda side: side.transport.loseConnection()})) as (actor, peer):
        peer.transport.write(BIG)
        await actor.lost()
        assert actor.events.count("data") == 1


async def test_no_data_comes_after_connectionLost(net: Net) -> None:
    """Not even what was decrypted before, and is asked for when it is too late."""
    if not net.encrypted or net.client_acts:
        pytest.skip("only the end of a server's handshake may have plain bytes behind it")
    async with net(early=True) as (actor, peer):
        actor.transport.pauseProducing()  # during the handshake, which goes on
        peer.transport.write(b"unread")
        await turns(lambda: actor.transport._transport._unread)
        actor.transport._transport._lower.abort()
        actor.transport.resumeProducing()
        await actor.lost()
        await turns(lambda: peer.reason)
        assert actor.events[-1] == "lost"


async def test_connectionLost_may_close_again(net: Net) -> None:
    def again(side: Side) -> None:
        side.transport.loseConnection()
        side.transport.abortConnection()
        side.transport.write(b"x")
        side.transport.pauseProducing()
        side.transport.resumeProducing()
        side.transport.unregisterProducer()

    async with net(Side({"lost": again})) as (actor, peer):
        peer.transport.loseConnection()
        assert await actor.lost() is ConnectionDone


async def test_a_stream_that_is_cut_off_is_told_from_one_that_ends(net: Net) -> None:
    """RFC 8446 section 6.1: without a close_notify, data may be missing."""
    if not net.encrypted:
        pytest.skip("a plain stream has no mark at its end")
    async with net() as (actor, peer):
        await settled(actor, peer)
        actor.transport.write(b"half a mess")
        await peer.received(11)
        actor.transport._transport._lower.close()
        assert await peer.lost() is ConnectionLost
        assert "close_notify" in str(peer.reason.value)


# -- half-close ---------------------------------------------------------------


async def test_half_close(net: Net) -> None:
    async with net(HalfSide(), HalfSide()) as (actor, peer):
        actor.transport.write(BIG)
        actor.transport.loseWriteConnection()
        await peer.until(lambda: "read lost" in peer.events)
        assert peer.data == BIG
        await actor.until(lambda: "write lost" in actor.events)
        peer.transport.write(BIG)
        assert await actor.received(len(BIG)) == BIG
        assert "lost" not in actor.events + peer.events
        peer.transport.loseConnection()
        assert await actor.lost() is ConnectionDone
        assert await peer.lost() is ConnectionDone
        assert ordered(actor)
        assert ordered(peer)


async def test_half_close_on_both_sides_is_the_end(net: Net) -> None:
    async with net(HalfSide(), HalfSide()) as (actor, peer):
        actor.transport.loseWriteConnection()
        await peer.until(lambda: "read lost" in peer.events)
        peer.transport.write(b"last words")
        peer.transport.loseWriteConnection()
        assert await actor.lost() is ConnectionDone
        assert await peer.lost() is ConnectionDone
        assert actor.data == b"last words"


async def test_a_peer_that_knows_no_half_close_closes(net: Net) -> None:
    async with net(HalfSide(), Side()) as (actor, peer):
        peer.transport.write(b"answer")
        actor.transport.loseWriteConnection()
        assert await peer.lost() is ConnectionDone
        assert await actor.lost() is ConnectionDone
        assert actor.data == b"answer"


async def test_the_peers_end_is_told_once(net: Net) -> None:
    """Whatever is said of reading afterwards."""
    async with net(HalfSide(), HalfSide()) as (actor, peer):
        await settled(actor, peer)
        peer.transport.loseWriteConnection()
        await actor.until(lambda: "read lost" in actor.events)
        actor.transport.pauseProducing()
        actor.transport.resumeProducing()
        actor.transport.write(b"answer")
        assert await peer.received(6) == b"answer"
        await asyncio.sleep(0)  # what came of resuming would have been seen by now
        assert actor.events.count("read lost") == 1


@pytest.mark.parametrize("size", [0, 1000])
async def test_the_end_of_writing_waits_for_the_handshake(net: Net, size: int) -> None:
    if not net.encrypted:
        pytest.skip("there is no handshake")
    shaken: list[bool] = []

    def say_all(side: Side) -> None:
        side.transport.write(BIG[:size])
        side.transport.loseWriteConnection()

    actor = HalfSide({"write lost": lambda side: shaken.append(side.shaken)})
    if net.carrier not in LATE_TLS:
        actor.hooks["made"] = say_all
    async with net(actor, HalfSide(), early=True) as (_, peer):
        if net.carrier in LATE_TLS:
            say_all(actor)
        await actor.until(lambda: "write lost" in actor.events)
        assert shaken == [True]
        await peer.until(lambda: "read lost" in peer.events)
        assert peer.data == BIG[:size]
        peer.transport.write(b"answer")
        assert await actor.received(6) == b"answer"


async def test_the_peers_end_leaves_what_is_written(net: Net) -> None:
    """The peer has said that it sends no more; it may read for as long as it likes."""
    async with net(HalfSide(), Side()) as (actor, peer):
        await settled(actor, peer)
        actor.transport.pauseProducing()
        peer.transport.write(BIG)
        actor.transport.loseWriteConnection()
        await turns(lambda: peer.transport.disconnecting)
        actor.transport.resumeProducing()
        assert await actor.lost() is ConnectionDone
        assert actor.data == BIG


# -- errors -------------------------------------------------------------------


class Oops(Exception):
    pass


def fail(side: Side) -> None:
    raise Oops(side)


@pytest.mark.parametrize("where", ["made", "data", "read lost", "write lost"])
async def test_an_error_costs_that_connection_and_is_reported_once(
    net: Net, errors: Any, where: str
) -> None:
    actor = HalfSide({where: fail})
    peer = Side()
    async with net(actor, peer) if where != "made" else failing(net, actor, peer):
        if where == "data":
            peer.transport.write(b"x")
        elif where == "read lost":
            peer.transport.loseWriteConnection()
        elif where == "write lost":
            actor.transport.loseWriteConnection()
        assert await actor.lost() is Oops
        await peer.lost()
        assert ordered(actor)
        assert [type(exception) for exception in errors.take()] == [Oops]


@asynccontextmanager
async def failing(net: Net, actor: Side, peer: Side) -> AsyncIterator[None]:
    if net.carrier in LATE_TLS:
        pytest.skip("it is over before TLS begins")
    if net.carrier == "pipes":
        pytest.skip("whoever makes the transport is told, by the exception")
    async with net(actor, peer):
        yield


async def test_an_error_in_connectionLost_is_reported(net: Net, errors: Any) -> None:
    async with net(Side({"lost": fail})) as (actor, peer):
        peer.transport.loseConnection()
        await actor.lost()
        await peer.lost()
        assert [type(exception) for exception in errors.take()] == [Oops]


# -- flow ---------------------------------------------------------------------


async def test_pause_holds_the_peer_up_and_loses_nothing(net: Net) -> None:
    async with net() as (actor, peer):
        await settled(actor, peer)
        actor.transport.pauseProducing()
        peer.transport.write(BIG * 4)
        draining = peer.transport.drain()
        assert not draining.called
        assert not actor.data
        actor.transport.resumeProducing()
        assert len(await actor.received(4 * len(BIG))) == 4 * len(BIG)
        assert await draining is None


async def test_pause_in_connectionMade(net: Net) -> None:
    async with net(Side({"made": lambda side: side.transport.pauseProducing()})) as (actor, peer):
        peer.transport.write(b"early")
        actor.transport.write(b"x")
        await peer.received(1)
        assert not actor.data
        actor.transport.resumeProducing()
        assert await actor.received(5) == b"early"


class Push:
    """Produces pieces by itself, until it is paused; `left` of them."""

    def __init__(self, transport: Any, left: int, at_end: Any) -> None:
        self.transport = transport
        self.left = left
        self.at_end = at_end
        self.calls: list[str] = []
        self.paused = False
        asyncio.get_running_loop().call_soon(self.produce)

    def produce(self) -> None:
        if self.left and not self.paused and "stop" not in self.calls:
            self.left -= 1
            self.transport.write(BIG[:65536])
            if not self.left:
                self.at_end()
            asyncio.get_running_loop().call_soon(self.produce)

    def pauseProducing(self) -> None:
        self.calls.append("pause")
        self.paused = True

    def resumeProducing(self) -> None:
        self.calls.append("resume")
        self.paused = False
        self.produce()

    def stopProducing(self) -> None:
        self.calls.append("stop")


class Deaf:
    """Does not listen; the test produces."""

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        pass

    def stopProducing(self) -> None:
        pass


async def test_a_push_producer_is_paused_and_resumed(net: Net) -> None:
    async with net() as (actor, peer):
        await settled(actor, peer)
        peer.transport.pauseProducing()
        producer = Push(actor.transport, 100, actor.transport.unregisterProducer)
        actor.transport.registerProducer(producer, True)
        await turns(lambda: "pause" in producer.calls)
        assert producer.left > 20
        peer.transport.resumeProducing()
        assert len(await peer.received(100 * 65536)) == 100 * 65536
        assert producer.calls[:2] == ["pause", "resume"]
        assert "stop" not in producer.calls


async def test_loseConnection_waits_for_the_producer(net: Net) -> None:
    async with net() as (actor, peer):
        await settled(actor, peer)
        producer = Push(actor.transport, 20, actor.transport.unregisterProducer)
        actor.transport.registerProducer(producer, True)
        actor.transport.loseConnection()
        assert await peer.lost() is ConnectionDone
        assert len(peer.data) == 20 * 65536
        assert await actor.lost() is ConnectionDone


@pytest.mark.parametrize("how", ["loseConnection", "loseWriteConnection"])
@pytest.mark.parametrize("notices", [True, False], ids=["notices", "closes"])
async def test_the_peers_end_does_not_cut_the_producer_off(
    net: Net, how: str, notices: bool
) -> None:
    """A client may send its request, and the end, and read what comes of it."""
    async with net(HalfSide() if notices else Side(), HalfSide()) as (actor, peer):
        await settled(actor, peer)
        actor.transport.registerProducer(Deaf(), True)
        getattr(actor.transport, how)()
        peer.transport.write(b"request")
        peer.transport.loseWriteConnection()
        if how == "loseWriteConnection":
            await actor.received(7)
        if net.carrier != "pipes":  # where no more is read
            await turns(lambda: actor.transport._marks & READ_CLOSED)
        for start in range(0, len(BIG), 65536):
            actor.transport.write(BIG[start : start + 65536])
            await asyncio.sleep(0)
        assert "lost" not in actor.events
        actor.transport.unregisterProducer()
        assert await peer.lost() is ConnectionDone
        assert await actor.lost() is ConnectionDone
        assert peer.data == BIG
        assert actor.data == (b"" if how == "loseConnection" else b"request")


@pytest.mark.parametrize("when", ["at once", "later"])
@pytest.mark.parametrize("paused", [True, False], ids=["paused", "reading"])
async def test_nothing_is_received_after_loseConnection_while_there_is_a_producer(
    net: Net, when: str, paused: bool
) -> None:
    """Nor does what the peer goes on sending cost it a byte of what is produced."""

    def lose(side: Side) -> None:
        if paused:
            side.transport.pauseProducing()
        side.transport.registerProducer(Deaf(), True)
        side.transport.loseConnection()
        side.transport.resumeProducing()  # which is too late

    if when == "at once" and net.carrier in LATE_TLS:
        pytest.skip("TLS cannot begin on a connection that closes")
    actor = Side({"made": lose} if when == "at once" else None)
    async with net(actor, HalfSide()) as (_, peer):
        if when == "later":
            await settled(actor, peer)
            actor.data.clear()
            lose(actor)
        peer.transport.write(BIG)
        peer.transport.loseWriteConnection()
        if net.carrier != "pipes":  # where no more is read
            await turns(lambda: actor.transport._marks & READ_CLOSED)
        actor.transport.write(BIG)
        actor.transport.unregisterProducer()
        assert await peer.received(len(BIG)) == BIG
        assert await actor.lost() is ConnectionDone
        assert not actor.data


async def test_a_producer_is_paused_while_reading_is_paused_from_the_start(net: Net) -> None:
    async with net(Side({"made": lambda side: side.transport.pauseProducing()})) as (actor, peer):
        peer.transport.pauseProducing()
        producer = Push(actor.transport, 200, actor.transport.unregisterProducer)
        actor.transport.registerProducer(producer, True)
        await turns(lambda: "pause" in producer.calls)
        peer.transport.resumeProducing()
        assert len(await peer.received(200 * 65536)) == 200 * 65536
        assert producer.calls[:2] == ["pause", "resume"]


class Pull:
    """Writes a piece each time it is asked."""

    def __init__(self, transport: Any, left: int) -> None:
        self.transport = transport
        self.left = left
        self.stopped = 0

    def resumeProducing(self) -> None:
        self.left -= 1
        self.transport.write(BIG[:10000])
        if not self.left:
            self.transport.unregisterProducer()
            self.transport.write(b"the end")

    def stopProducing(self) -> None:
        self.stopped += 1


async def test_a_pull_producer_is_asked_piece_by_piece(net: Net) -> None:
    async with net() as (actor, peer):
        actor.transport.registerProducer(Pull(actor.transport, 200), False)
        data = await peer.received(2000007)
        assert data == BIG[:10000] * 200 + b"the end"


async def test_a_pull_producer_waits_for_a_slow_peer(net: Net) -> None:
    async with net() as (actor, peer):
        await settled(actor, peer)
        peer.transport.pauseProducing()
        producer = Pull(actor.transport, 2000)
        actor.transport.registerProducer(producer, False)
        await turns(lambda: writing(actor)._choked)
        left = producer.left
        assert left > 500
        peer.transport.resumeProducing()
        assert len(await peer.received(20000007)) == 20000007


@pytest.mark.parametrize("streaming", [True, False])
async def test_the_producer_is_stopped_when_the_connection_is_lost(
    net: Net, streaming: bool
) -> None:
    async with net() as (actor, peer):
        await settled(actor, peer)
        producer = Pull(actor.transport, 10**9)
        if streaming:
            actor.transport.registerProducer(producer, True)
        else:
            peer.transport.pauseProducing()
            actor.transport.registerProducer(producer, False)
        peer.transport.abortConnection()
        await actor.lost()
        assert producer.stopped == 1
        # A producer that comes too late is told so at once.
        actor.transport.registerProducer(producer, streaming)
        assert producer.stopped == 2


@pytest.mark.parametrize("how", ["loseConnection", "loseWriteConnection"])
@pytest.mark.parametrize("streaming", [True, False])
async def test_a_producer_that_comes_after_the_end_of_writing_is_stopped(
    net: Net, how: str, streaming: bool
) -> None:
    async with net(HalfSide()) as (actor, peer):
        actor.transport.drain()
        getattr(actor.transport, how)()
        producer = Pull(actor.transport, 9)
        actor.transport.registerProducer(producer, streaming)
        assert (producer.stopped, producer.left) == (1, 9)
        peer.transport.loseConnection()
        await actor.lost()


async def test_a_second_producer_is_refused(net: Net) -> None:
    async with net() as (actor, _):
        actor.transport.registerProducer(Pull(actor.transport, 9), True)
        with pytest.raises(RuntimeError, match="has not been unregistered"):
            actor.transport.registerProducer(Pull(actor.transport, 9), True)
        actor.transport.unregisterProducer()


async def test_an_error_in_the_producer_costs_the_connection(net: Net, errors: Any) -> None:
    class Bad(Pull):
        def resumeProducing(self) -> None:
            raise Oops

    async with net() as (actor, _):
        actor.transport.registerProducer(Bad(actor.transport, 9), False)
        assert await actor.lost() is Oops
        assert [type(exception) for exception in errors.take()] == [Oops]


async def test_drain_fires_at_once_while_there_is_room(net: Net) -> None:
    async with net() as (actor, peer):
        await settled(actor, peer)
        actor.transport.write(b"x")
        assert actor.transport.drain().called


@pytest.mark.parametrize("how", ["loseConnection", "abortConnection", "loseWriteConnection"])
async def test_it_may_be_closed_as_soon_as_there_is_room(net: Net, how: str) -> None:
    """asyncio says that there is in the middle of writing, where it cannot be closed."""
    async with net() as (actor, peer):
        await settled(actor, peer)
        writing(actor)._transport.set_write_buffer_limits(0)
        peer.transport.pauseProducing()
        actor.transport.write(BIG * 4)
        draining = actor.transport.drain()
        draining.addCallback(lambda _: getattr(actor.transport, how)())
        assert not draining.called
        peer.transport.resumeProducing()
        expected = ConnectionAborted if how == "abortConnection" else ConnectionDone
        assert await actor.lost() is expected
        await peer.lost()


async def test_drain_fails_when_the_connection_is_lost(net: Net) -> None:
    async with net() as (actor, peer):
        await settled(actor, peer)
        peer.transport.pauseProducing()
        actor.transport.write(BIG * 4)
        cancelled = actor.transport.drain()
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        draining = actor.transport.drain()
        actor.transport.abortConnection()
        with pytest.raises(ConnectionAborted):
            await draining
        with pytest.raises(ConnectionAborted):
            await actor.transport.drain()


@pytest.mark.parametrize("how", ["drained", "lost"])
async def test_a_drain_can_be_cancelled_by_another(net: Net, how: str) -> None:
    async with net() as (actor, peer):
        await settled(actor, peer)
        peer.transport.pauseProducing()
        actor.transport.write(BIG * 4)
        first, second, third = (actor.transport.drain() for _ in range(3))
        outcomes: list[Any] = []
        first.addBoth(lambda _: second.cancel()).addBoth(outcomes.append)
        second.addBoth(outcomes.append)
        third.addBoth(outcomes.append)
        if how == "drained":
            peer.transport.resumeProducing()
        else:
            actor.transport.abortConnection()
        await turns(lambda: len(outcomes) == 3)
        assert outcomes[0].check(asyncio.CancelledError)
        assert outcomes[1] is None
        assert outcomes[2] is None if how == "drained" else outcomes[2].check(ConnectionAborted)


async def test_a_peer_that_does_not_take_the_answers_is_not_read_from(net: Net) -> None:
    """It costs a bounded amount of memory, with no producer and no drain."""

    def echo(side: Side) -> None:
        data = bytes(side.data)
        side.data.clear()
        side.transport.write(data)

    async with net(Side({"data": echo})) as (actor, peer):
        peer.transport.pauseProducing()
        sent = 0
        while sent < 64:
            peer.transport.write(BIG)
            sent += 1
            draining = peer.transport.drain()
            # What is under way settles in far fewer turns than these.
            for _ in range(2000):
                if draining.called:
                    break
                await asyncio.sleep(0)
            else:
                draining.cancel()
                draining.addErrback(lambda failure: failure.trap(asyncio.CancelledError))
                break
        assert sent < 64
        assert writing(actor)._transport.get_write_buffer_size() < 2 * len(BIG)
        peer.transport.resumeProducing()
        assert len(await peer.received(sent * len(BIG))) == sent * len(BIG)


# -- who, and in which context ------------------------------------------------

asked: contextvars.ContextVar[str] = contextvars.ContextVar("asked", default="nobody")


async def test_a_connection_is_encrypted_or_not(net: Net) -> None:
    if net.carrier == "pipes":
        pytest.skip("pipes carry plain bytes, and have no TLS to ask about")
    async with net() as (actor, peer):
        for side in (actor, peer):
            assert side.transport.TLS is net.encrypted
            assert ISSLTransport.providedBy(side.transport) == net.encrypted


async def test_producers_are_called_in_the_connections_context(net: Net) -> None:
    seen: list[str] = []

    class Noting(Push):
        def pauseProducing(self) -> None:
            seen.append(asked.get())
            super().pauseProducing()

        def resumeProducing(self) -> None:
            seen.append(asked.get())
            super().resumeProducing()

    async with net() as (actor, peer):
        await settled(actor, peer)
        asked.set("somebody else")
        peer.transport.pauseProducing()
        actor.transport.registerProducer(
            Noting(actor.transport, 100, actor.transport.unregisterProducer), True
        )
        await turns(lambda: seen)
        peer.transport.resumeProducing()
        await peer.received(100 * 65536)
        assert set(seen) == {"nobody"}


# -- ports --------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tcp", "unix", "tls"])
async def test_a_port_can_give_its_connections_time_to_end(kind: str, tmp_path: Path) -> None:
    one, other = Side(), Side()
    from ._carriers import _Once, _Serve

    factory = _Serve(None)
    sides = iter([one, other])
    factory.buildProtocol = lambda addr: next(sides)  # type: ignore[method-assign]
    port: Any
    if kind == "unix":
        port = reactor.listenUNIX(tmp_path / "s", factory)
    elif kind == "tls":
        port = reactor.listenSSL(0, factory, SERVER_TLS, interface="127.0.0.1")
    else:
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    clients = [Side(), Side()]
    for client in clients:
        if kind == "unix":
            reactor.connectUNIX(tmp_path / "s", _Once(client))
        elif kind == "tls":
            reactor.connectSSL("127.0.0.1", port.getHost().port, _Once(client), CLIENT_TLS)
        else:
            reactor.connectTCP("127.0.0.1", port.getHost().port, _Once(client))
        await client.until(partial(getattr, client, "events"))
        client.transport.write(b".")
    for side in (one, other):
        await side.received(1)
    stopped = port.stopListening(grace=0.05)
    one.transport.loseConnection()
    assert await one.lost() is ConnectionDone
    await stopped
    assert await other.lost() is ConnectionAborted
    for client in clients:
        await client.lost()


async def test_a_grace_that_is_no_time_is_refused() -> None:
    from ._carriers import _Serve

    port = reactor.listenTCP(0, _Serve(None), interface="127.0.0.1")
    with pytest.raises(ValueError, match="a delay is a number of seconds"):
        port.stopListening(grace=-1)
    await port.stopListening()


def test_every_reason_is_an_ended_connection() -> None:
    for kind in (ConnectionAborted, ConnectionDone, ConnectionLost):
        assert issubclass(kind, error.ConnectionClosed)
