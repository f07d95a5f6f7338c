"""A client of memcached, against bytes in memory and against memcached itself."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from _fuzz import chunkings
from hypothesis import given, settings
from hypothesis import strategies as st

from reactorlib.internet import reactor
from reactorlib.internet.defer import CancelledError, Deferred, TimeoutError
from reactorlib.internet.error import ConnectionDone
from reactorlib.internet.protocol import ClientCreator
from reactorlib.internet.task import Clock
from reactorlib.internet.testing import StringTransportWithDisconnection
from reactorlib.protocols.memcache import (
    ClientError,
    MemCacheProtocol,
    NoSuchCommand,
    ServerError,
)

# -- in memory ----------------------------------------------------------------


class Stuck(StringTransportWithDisconnection):
    """A transport whose peer takes nothing more, so that only `abortConnection` ends it."""

    def loseConnection(self) -> None:
        self.disconnecting = True

    def abortConnection(self) -> None:
        super().loseConnection()


def connected(transport: Any = None) -> tuple[MemCacheProtocol, Any, Clock]:
    clock = Clock()
    protocol = MemCacheProtocol()
    vars(protocol)["callLater"] = clock.callLater
    transport = transport or StringTransportWithDisconnection()
    transport.protocol = protocol
    protocol.makeConnection(transport)
    return protocol, transport, clock


def outcome(waiting: Deferred[Any]) -> Any:
    """What it has fired with, the type of an error, or None if it waits."""
    seen: list[Any] = []
    waiting.addCallbacks(seen.append, lambda failure: seen.append(failure.type))
    return seen[0] if seen else None


SENT = (
    b"get a\r\nset b 1 2 3\r\nx\r\n\r\nincr c 5\r\ngets a b\r\nstats items\r\n"
    b"delete a\r\nversion\r\nflush_all\r\ncas a 0 0 1 77\r\nz\r\nget none\r\ndecr c 1\r\n"
)
ANSWERS = (
    b"VALUE a 7 8\r\nEND\r\n12\n\r\nEND\r\n"  # a value may look like an answer
    b"STORED\r\n"
    b"12\r\n"
    b"VALUE a 0 0 55\r\n\r\nVALUE b 1 2 56\r\n\r\n\r\nEND\r\n"
    b"STAT items:1:number 2\r\nSTAT empty \r\nEND\r\n"
    b"NOT_FOUND\r\n"
    b"VERSION 1.6.18 x\r\n"
    b"OK\r\n"
    b"EXISTS\r\n"
    b"END\r\n"
    b"SERVER_ERROR out of memory\r\n"
)
RESULTS = [
    (7, b"END\r\n12\n"),
    True,
    12,
    {b"a": (0, b"55", b""), b"b": (1, b"56", b"\r\n")},
    {b"items:1:number": b"2", b"empty": b""},
    False,
    b"1.6.18 x",
    True,
    False,
    (0, None),
    ServerError,
]


def test_answers_do_not_depend_on_chunking() -> None:
    for chunks in chunkings(ANSWERS):
        protocol, transport, clock = connected()
        waiting: list[Deferred[Any]] = [
            protocol.get(b"a"),
            protocol.set(b"b", b"x\r\n", 1, 2),
            protocol.increment(b"c", 5),
            protocol.getMultiple(iter([b"a", b"b"]), True),
            protocol.stats(b"items"),
            protocol.delete(b"a"),
            protocol.version(),
            protocol.flushAll(),
            protocol.checkAndSet(b"a", b"z", b"77"),
            protocol.get(b"none"),
            protocol.decrement(b"c"),
        ]
        assert transport.value() == SENT
        for chunk in chunks:
            protocol.dataReceived(chunk)
        assert [outcome(d) for d in waiting] == RESULTS
        assert clock.calls == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=6), st.data())
def test_any_values_arrive_however_they_are_cut(values: list[bytes], data: Any) -> None:
    wire = b"".join(
        b"VALUE k %d %d\r\n%s\r\nEND\r\n" % (i, len(v), v) for i, v in enumerate(values)
    )
    protocol, _, _ = connected()
    waiting = [protocol.get(b"k") for _ in values]
    at = 0
    while at < len(wire):
        size = data.draw(st.integers(1, len(wire) - at))
        protocol.dataReceived(wire[at : at + size])
        at += size
    assert [outcome(d) for d in waiting] == list(enumerate(values))


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        ("get", b"STORED\r\n"),
        ("get", b"12\r\n"),
        ("get", b"VALUE other 0 1\r\nx\r\nEND\r\n"),
        ("get", b"VALUE k 0 1\r\nxy\r\n"),
        ("get", b"VALUE k 0\r\n"),
        ("get", b"VALUE k 0 -1\r\n"),
        ("get", b"VALUE k 0 99999999999\r\n"),
        ("get", b"VALUE k 0 1\x0b\r\n"),
        ("get", b"<html>\r\n"),
        ("get", b"\r\n"),
        ("get", b"END\r\nEND\r\n"),
        ("get", b"x" * 20000),
        ("version", b"END\r\n"),
        ("delete", b"VALUE k 0 1\r\nx\r\n"),
        ("increment", b"STORED\r\n"),
        ("flushAll", b"1\r\n"),
    ],
)
def test_an_answer_that_does_not_fit_is_the_servers_fault(ask: str, answer: bytes) -> None:
    protocol, transport, _ = connected()
    arguments = [] if ask in ("version", "flushAll") else [b"k"]
    outcome(getattr(protocol, ask)(*arguments))
    with pytest.raises(RuntimeError, match=r"the server|the value"):
        protocol.dataReceived(answer)
    transport.loseConnection()


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (b"ERROR\r\n", NoSuchCommand, ""),
        (b"CLIENT_ERROR bad data\r\n", ClientError, "b'bad data'"),
        (b"SERVER_ERROR too large\r\n", ServerError, "b'too large'"),
    ],
)
def test_errors_of_the_server(answer: bytes, error: type[Exception], text: str) -> None:
    protocol, _, _ = connected()
    first, second = protocol.set(b"k", b"v"), protocol.get(b"k")
    seen: list[Any] = []
    first.addErrback(lambda failure: seen.append(failure.value))
    protocol.dataReceived(answer + b"END\r\n")
    assert (type(seen[0]), str(seen[0])) == (error, text)
    assert outcome(second) == (0, None)


BAD_KEYS = [b"", b"a b", b"a\r\nflush_all", b"a\n", b"\x00", b"\x7f", b"a" * 251, "a", 1, None]


@pytest.mark.parametrize("key", BAD_KEYS, ids=repr)
def test_a_bad_key_is_refused_before_anything_is_sent(key: Any) -> None:
    """protocol.txt, "Keys": no control characters or whitespace, at most 250 bytes."""
    protocol, transport, clock = connected()
    refused: tuple[Deferred[Any], ...] = (
        protocol.get(key),
        protocol.getMultiple([b"good", key]),
        protocol.set(key, b"v"),
        protocol.append(key, b"v"),
        protocol.increment(key),
        protocol.delete(key),
        protocol.checkAndSet(key, b"v", b"1"),
    )
    for waiting in refused:
        assert outcome(waiting) is ClientError
    assert (transport.value(), clock.calls) == (b"", [])


def test_other_bad_arguments_are_refused_as_well() -> None:
    protocol, transport, _ = connected()
    bad: Any = "1"
    refused: tuple[Deferred[Any], ...] = (
        protocol.set(b"k", bad),
        protocol.set(b"k", b"v", bad),
        protocol.set(b"k", b"v", 0, bad),
        protocol.checkAndSet(b"k", b"v", b""),
        protocol.checkAndSet(b"k", b"v", b"1\r\nflush_all"),
        protocol.increment(b"k", bad),
        protocol.stats(b"items\r\nflush_all"),
    )
    for waiting in refused:
        assert outcome(waiting) is ClientError
    assert transport.value() == b""


class Huge(bytes):
    """A value that says that it has 2 GiB, less two bytes."""

    def __len__(self) -> int:
        return 2**31 - 2


@pytest.mark.parametrize("flags", [-1, 2**32, pytest.param(10**5000, id="long")])
def test_flags_that_a_server_cannot_read_are_refused(flags: int) -> None:
    """
    protocol.txt, "Storage commands": 32 bits. memcached answers a line that it cannot
    read, and then reads the value as a command.
    """
    protocol, transport, clock = connected()
    for store in (protocol.set, protocol.add, protocol.replace):
        assert outcome(store(b"k", b"flush_all", flags)) is ClientError
    assert outcome(protocol.checkAndSet(b"k", b"flush_all", b"1", flags)) is ClientError
    assert (transport.value(), clock.calls) == (b"", [])


@pytest.mark.parametrize("expiry", [2**31, 2**32, 2**63, -(2**31) - 1])
def test_expiries_that_a_server_cannot_keep_are_refused(expiry: int) -> None:
    protocol, transport, clock = connected()
    assert outcome(protocol.set(b"k", b"flush_all", 0, expiry)) is ClientError
    assert outcome(protocol.checkAndSet(b"k", b"flush_all", b"1", 0, expiry)) is ClientError
    assert (transport.value(), clock.calls) == (b"", [])


@pytest.mark.parametrize("cas", [b"9" * 40, b"%d" % 2**64, b"9" * 10000, b"0" * 20 + b"1"])
def test_identifiers_of_more_than_64_bits_are_refused(cas: bytes) -> None:
    protocol, transport, clock = connected()
    assert outcome(protocol.checkAndSet(b"k", b"flush_all", cas)) is ClientError
    assert (transport.value(), clock.calls) == (b"", [])


@pytest.mark.parametrize("amount", [-1, 2**64])
def test_amounts_that_a_server_cannot_add_are_refused(amount: int) -> None:
    """protocol.txt, "Increment/Decrement": an unsigned number of 64 bits."""
    protocol, transport, clock = connected()
    assert outcome(protocol.increment(b"k", amount)) is ClientError
    assert outcome(protocol.decrement(b"k", amount)) is ClientError
    assert (transport.value(), clock.calls) == (b"", [])


def test_a_value_whose_length_a_server_cannot_read_is_refused() -> None:
    protocol, transport, clock = connected()
    assert outcome(protocol.set(b"k", Huge(b"flush_all"))) is ClientError
    assert outcome(protocol.append(b"k", Huge(b"flush_all"))) is ClientError
    assert (transport.value(), clock.calls) == (b"", [])


def test_the_least_and_greatest_numbers_are_sent() -> None:
    protocol, transport, _ = connected()
    protocol.set(b"k", b"v", 2**32 - 1, 2**31 - 1)
    protocol.checkAndSet(b"k", b"v", b"%d" % (2**64 - 1), 0, -(2**31))
    protocol.increment(b"k", 2**64 - 1)
    protocol.decrement(b"k", 0)
    assert transport.value() == (
        b"set k 4294967295 2147483647 1\r\nv\r\n"
        b"cas k 0 -2147483648 1 18446744073709551615\r\nv\r\n"
        b"incr k 18446744073709551615\r\ndecr k 0\r\n"
    )


def test_a_key_of_the_longest_length_is_taken() -> None:
    protocol, transport, _ = connected()
    protocol.get(b"k" * 250)
    assert transport.value() == b"get " + b"k" * 250 + b"\r\n"


def test_no_keys_need_no_server() -> None:
    protocol, transport, _ = connected()
    assert (outcome(protocol.getMultiple([])), transport.value()) == ({}, b"")


def test_time_runs_out_for_all_at_once() -> None:
    protocol, _, clock = connected()
    first = protocol.get(b"a")
    clock.advance(59)
    second = protocol.get(b"b")
    assert outcome(first) is None
    clock.advance(1)
    assert (outcome(second), clock.calls) == (TimeoutError, [])
    assert outcome(protocol.get(b"c")) is RuntimeError


def test_half_an_answer_does_not_stop_the_time() -> None:
    for part in (b"VALUE a 0 5\r\n12", b"VALUE a 0 1\r\n1\r\nEN"):
        protocol, _, clock = connected()
        waiting = protocol.get(b"a")
        clock.advance(59)
        protocol.dataReceived(part)
        clock.advance(1)
        assert outcome(waiting) is TimeoutError


def test_a_server_that_takes_nothing_is_hung_up_on_in_the_end() -> None:
    transport = Stuck()
    protocol, _, clock = connected(transport)
    waiting = protocol.get(b"a")
    clock.advance(60)
    assert outcome(waiting) is TimeoutError
    assert (transport.disconnecting, transport.connected) == (True, True)
    clock.advance(60)
    assert (transport.connected, clock.calls) == (False, [])


def test_the_end_of_the_connection_ends_commands() -> None:
    protocol, transport, clock = connected()
    waiting: list[Deferred[Any]] = [protocol.get(b"a"), protocol.version()]
    transport.loseConnection()
    assert [outcome(d) for d in waiting] == [ConnectionDone, ConnectionDone]
    assert outcome(protocol.get(b"a")) is RuntimeError
    assert clock.calls == []


def test_a_cancelled_command_keeps_its_place() -> None:
    protocol, _, _ = connected()
    first, second = protocol.get(b"a"), protocol.get(b"b")
    first.cancel()
    assert outcome(first) is CancelledError
    protocol.dataReceived(b"VALUE a 0 1\r\n1\r\nEND\r\nVALUE b 0 1\r\n2\r\nEND\r\n")
    assert outcome(second) == (0, b"2")


# -- memcached ----------------------------------------------------------------

needs_memcached = pytest.mark.skipif(
    shutil.which("memcached") is None, reason="memcached is not installed"
)


@contextlib.asynccontextmanager
async def server(where: Path) -> AsyncIterator[MemCacheProtocol]:
    """A memcached that listens at a UNIX socket, and a connection to it."""
    path = str(where / "socket")
    process = await asyncio.create_subprocess_exec(
        *("memcached", "-s", path, "-u", getpass.getuser(), "-t", "1", "-m", "8", "-vv"),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        while line := await process.stderr.readline():
            if b"server listening" in line:
                break
        client = await ClientCreator(reactor, MemCacheProtocol).connectUNIX(path)
        yield client
        client.transport.loseConnection()
    finally:
        process.terminate()
        await process.communicate()


@needs_memcached
async def test_memcached_itself(tmp_path: Path) -> None:
    async with asyncio.timeout(30), server(tmp_path) as client:
        assert (await client.version())[:1].isdigit()
        assert await client.get(b"k") == (0, None)
        assert await client.replace(b"k", b"v") is False
        assert await client.add(b"k", b"v", flags=42) is True
        assert await client.add(b"k", b"w") is False
        assert await client.get(b"k") == (42, b"v")
        assert await client.replace(b"k", b"w", flags=1) is True
        assert await client.append(b"k", b"+") is True
        assert await client.prepend(b"k", b"-") is True
        assert await client.append(b"none", b"+") is False
        assert await client.get(b"k") == (1, b"-w+")

        flags, identifier, value = await client.get(b"k", withIdentifier=True)
        assert (flags, value) == (1, b"-w+")
        assert await client.checkAndSet(b"k", b"mine", identifier) is True
        assert await client.checkAndSet(b"k", b"late", identifier) is False
        assert await client.checkAndSet(b"none", b"late", identifier) is False
        assert await client.getMultiple([b"k", b"none"]) == {b"k": (0, b"mine"), b"none": (0, None)}
        both = await client.getMultiple([b"k", b"none"], withIdentifier=True)
        assert both[b"k"][1].isdigit()
        assert both[b"none"] == (0, b"", None)

        assert await client.set(b"n", b"9") is True
        assert await client.increment(b"n", 3) == 12
        assert await client.decrement(b"n", 100) == 0
        assert await client.increment(b"none") is False
        with pytest.raises(ClientError, match="non-numeric"):
            await client.increment(b"k")
        assert await client.set(b"gone", b"1", expireTime=-1) is True
        assert await client.get(b"gone") == (0, None)

        assert b"pid" in await client.stats()
        assert b"maxbytes" in await client.stats(b"settings")
        assert await client.stats(b"reset") == {}
        assert await client.delete(b"k") is True
        assert await client.delete(b"k") is False
        assert await client.flushAll() is True
        assert await client.get(b"n") == (0, None)


@needs_memcached
async def test_memcached_reads_no_value_as_a_command(tmp_path: Path) -> None:
    """What we send for the least and greatest numbers it understands; others are not sent."""
    async with asyncio.timeout(30), server(tmp_path) as client:
        assert await client.set(b"mine", b"1") is True
        for flags, expiry in ((-1, 0), (2**32, 0), (0, 2**31), (0, 2**63), (0, -(2**63) - 1)):
            with pytest.raises(ClientError, match="is not from"):
                await client.set(b"k", b"flush_all", flags, expiry)
        with pytest.raises(ClientError, match="identifier"):
            await client.checkAndSet(b"mine", b"flush_all", b"9" * 40)
        assert await client.get(b"mine") == (0, b"1")
        assert await client.set(b"k", b"v", 2**32 - 1, 2**31 - 1) is True
        assert await client.get(b"k") == (2**32 - 1, b"v")
        assert await client.checkAndSet(b"k", b"w", b"%d" % (2**64 - 1)) is False
        assert await client.set(b"k", b"v", 0, -(2**31)) is True
        assert await client.get(b"k") == (0, None)
        assert await client.set(b"n", b"0") is True
        assert await client.increment(b"n", 2**64 - 1) == 2**64 - 1
        assert await client.decrement(b"n", 2**64 - 1) == 0


@needs_memcached
async def test_memcached_with_large_values_and_many_commands(tmp_path: Path) -> None:
    async with asyncio.timeout(30), server(tmp_path) as client:
        large = bytes(range(256)) * 2000
        assert await client.set(b"large", large) is True
        assert await client.get(b"large") == (0, large)
        with pytest.raises(ServerError, match="too large"):
            await client.set(b"too", b"x" * 1024 * 1024)
        waiting: list[Deferred[Any]] = []
        for i in range(100):
            waiting += [client.set(b"%d" % i, b"v%d" % i), client.get(b"%d" % i)]
        results = await asyncio.gather(*waiting)
        assert results == [r for i in range(100) for r in (True, (0, b"v%d" % i))]
