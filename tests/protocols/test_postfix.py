"""tcp_table(5): a table for Postfix."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactorlib.internet import reactor
from reactorlib.internet.defer import Deferred
from reactorlib.internet.protocol import ServerFactory, connectionDone
from reactorlib.internet.task import Clock
from reactorlib.internet.testing import StringTransport
from reactorlib.protocols.postfix import (
    PostfixTCPMapDeferringDictServerFactory,
    PostfixTCPMapDictServerFactory,
    PostfixTCPMapServer,
    quote,
    unquote,
)
from reactorlib.python.failure import Failure

POSTMAP = shutil.which("postmap", path=os.environ["PATH"] + ":/usr/sbin")


class Table:
    """A table whose `get` is given to it."""

    def __init__(self, get: Any) -> None:
        self.get = get


def connected(factory: Any) -> tuple[PostfixTCPMapServer, StringTransport, Clock]:
    protocol, transport, clock = PostfixTCPMapServer(), StringTransport(), Clock()
    vars(protocol).update(callLater=clock.callLater, factory=factory)
    protocol.makeConnection(transport)
    return protocol, transport, clock


@given(st.binary(max_size=60))
def test_what_is_quoted_is_printable_and_comes_back(raw: bytes) -> None:
    quoted = quote(raw)
    assert unquote(quoted) == raw
    assert all(32 < byte < 127 for byte in quoted)


@pytest.mark.parametrize(
    ("quoted", "raw"),
    [(b"a%20b", b"a b"), (b"%", b"%"), (b"%2", b"%2"), (b"%zz%0a", b"%zz\n"), (b"%2541", b"%41")],
)
def test_unquote(quoted: bytes, raw: bytes) -> None:
    assert unquote(quoted) == raw


CHAT = (
    b"get a\nget b%20c\nget none\nget\nput x\nput x y\nfoo\nget a\r\nget long\n",
    b"200 x%25%0A\n200 \n500 \n400 Command 'get' takes 1 parameters.\n"
    b"400 Command 'put' takes 2 parameters.\n500 put is not implemented yet.\n"
    b"400 unknown command\n200 x%25%0A\n400 the value is too long\n",
)
DATA = {b"a": b"x%\n", b"b c": b"", b"long": b"\n" * 1400}


@pytest.mark.parametrize(
    "kind", [PostfixTCPMapDictServerFactory, PostfixTCPMapDeferringDictServerFactory]
)
def test_answers_do_not_depend_on_chunking(kind: Any) -> None:
    asked, answers = CHAT
    for size in range(1, len(asked) + 1):
        protocol, transport, _ = connected(kind(DATA))
        for i in range(0, len(asked), size):
            protocol.dataReceived(asked[i : i + size])
        assert transport.value() == answers


def test_answers_keep_the_order_of_questions() -> None:
    waiting: dict[bytes, Deferred[bytes | None]] = {b"1": Deferred(), b"2": Deferred()}
    protocol, transport, _ = connected(Table(waiting.__getitem__))
    protocol.dataReceived(b"get 1\nget 2\nfoo\n")
    waiting[b"2"].callback(b"two")
    assert (transport.value(), transport.producerState) == (b"", "paused")
    waiting[b"1"].callback(b"one")
    assert transport.value() == b"200 one\n200 two\n400 unknown command\n"
    assert transport.producerState == "producing"


def test_an_error_is_told_in_one_line() -> None:
    def get(key: bytes) -> bytes:
        raise ValueError("no\ngood: " + "x" * 9000)

    protocol, transport, _ = connected(Table(get))
    protocol.dataReceived(b"get a\n")
    answer = transport.value()
    assert answer.startswith(b"400 no good: xx")
    assert (answer.count(b"\n"), len(answer)) == (1, 4096)


@pytest.mark.parametrize("value", ["text", 7, [b"a"]], ids=repr)
@pytest.mark.parametrize("later", [False, True], ids=["at once", "later"])
async def test_what_is_no_value_is_the_tables_mistake(value: Any, later: bool, errors: Any) -> None:
    """tcp_table(5): 400 is an error that may pass. The next request is answered."""
    waiting: Deferred[Any] = Deferred()
    values = {b"bad": waiting if later else value, b"good": b"yes"}
    protocol, transport, _ = connected(Table(values.get))
    protocol.dataReceived(b"get bad\nget good\n")
    if later:
        waiting.callback(value)
    assert transport.value() == b"400 the table has given what is no value\n200 yes\n"
    assert (transport.producerState, protocol.paused) == ("producing", False)
    [error] = errors.take()
    assert type(error) is TypeError
    assert "Table" in str(error)


def test_a_lookup_ends_with_the_connection() -> None:
    waiting: Deferred[bytes | None] = Deferred()
    protocol, transport, clock = connected(Table(lambda key: waiting))
    protocol.dataReceived(b"get a\n")
    protocol.connectionLost(Failure(connectionDone.value))
    assert (waiting.called, transport.value(), clock.calls) == (True, b"", [])


def test_silence_and_long_lines_cost_the_connection() -> None:
    protocol, transport, clock = connected(Table({}.get))
    clock.advance(599)
    protocol.dataReceived(b"get a\n")
    clock.advance(599)
    assert not transport.disconnecting
    clock.advance(1)
    assert transport.disconnecting
    protocol, transport, _ = connected(Table({}.get))
    protocol.dataReceived(b"get " + b"x" * 5000)
    assert transport.disconnecting


async def test_over_a_socket_with_a_coroutine_function() -> None:
    async def get(key: bytes) -> bytes | None:
        await asyncio.sleep(0)
        return key.upper()

    class Tables(ServerFactory[PostfixTCPMapServer]):
        protocol = PostfixTCPMapServer
        noisy = False

    factory = Tables()
    vars(factory)["get"] = get
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
    writer.write(b"get a\nget b\n")
    assert await reader.readexactly(12) == b"200 A\n200 B\n"
    writer.close()
    await writer.wait_closed()
    await port.stopListening()


@pytest.mark.skipif(POSTMAP is None, reason="Postfix is not installed")
async def test_postfix_itself(tmp_path: Path) -> None:
    assert POSTMAP is not None
    (tmp_path / "main.cf").write_text(
        "compatibility_level = 3\nmail_owner = daemon\nsetgid_group = tty\n"
    )
    port = reactor.listenTCP(
        0, PostfixTCPMapDictServerFactory({b"a b": b"x % y"}), interface="127.0.0.1"
    )
    process = await asyncio.create_subprocess_exec(
        *(POSTMAP, "-c", str(tmp_path), "-q", "a b", f"tcp:127.0.0.1:{port.getHost().port}"),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert out == b"x % y\n"
    await port.stopListening()
