"""The identification protocol, RFC 1413."""

from __future__ import annotations

import getpass
import logging
import os
import socket
import sys
from typing import Any

import pytest

from reactorlib.internet import reactor
from reactorlib.internet.defer import CancelledError, Deferred
from reactorlib.internet.protocol import ClientCreator, Factory, connectionDone
from reactorlib.internet.testing import StringTransport
from reactorlib.protocols.ident import (
    HiddenUser,
    IdentClient,
    IdentError,
    IdentServer,
    InvalidPort,
    NoUser,
    ProcServerMixin,
)
from reactorlib.python.failure import Failure


class Server(IdentServer):
    """Its answers are in a table, by the port here; also what it was asked."""

    answers: dict[int, Any]

    def lookup(self, serverAddress: tuple[str, int], clientAddress: tuple[str, int]) -> Any:
        self.asked = serverAddress, clientAddress
        answer = self.answers[serverAddress[1]]
        if isinstance(answer, Exception):
            raise answer
        return answer


def serve(**answers: Any) -> tuple[Server, StringTransport]:
    protocol, transport = Server(), StringTransport()
    protocol.answers = {int(port[1:]): answer for port, answer in answers.items()}
    protocol.makeConnection(transport)
    return protocol, transport


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        (b"23, 6193", b"23, 6193 : USERID : UNIX : stjohns\r\n"),
        (b" 23 ,6193 ", b"23, 6193 : USERID : UNIX : stjohns\r\n"),
        (b"24, 1", b"24, 1 : ERROR : NO-USER\r\n"),
        (b"25, 1", b"25, 1 : ERROR : HIDDEN-USER\r\n"),
        (b"26, 1", b"26, 1 : ERROR : UNKNOWN-ERROR\r\n"),
        (b"0, 1", b"0, 1 : ERROR : INVALID-PORT\r\n"),
        (b"1, 65536", b"1, 65536 : ERROR : INVALID-PORT\r\n"),
        (b"-1, 5", b"-1, 5 : ERROR : INVALID-PORT\r\n"),
    ],
)
def test_queries(query: bytes, answer: bytes) -> None:
    for size in (1, 3, 100):
        protocol, transport = serve(
            p23=("UNIX", "stjohns"), p24=NoUser(), p25=HiddenUser(), p26=IdentError()
        )
        data = query + b"\r\n"
        for i in range(0, len(data), size):
            protocol.dataReceived(data[i : i + size])
        assert (transport.value(), transport.disconnecting) == (answer, False)


@pytest.mark.parametrize(
    "query",
    [b"", b"1", b"1,", b"1,2,3", b"a, b", b"1, \xff", b"1 2", b"9" * 20 + b", 1", b"x" * 1001],
)
def test_what_is_no_query_costs_the_connection(query: bytes) -> None:
    protocol, transport = serve()
    protocol.dataReceived(query + b"\r\n")
    assert (transport.value(), transport.disconnecting) == (b"", True)


@pytest.mark.parametrize(
    "answer", [ValueError("ours"), ("UNIX", "a\r\n1, 1"), ("A : B", "c"), None]
)
def test_a_lookup_that_fails_is_reported(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    protocol, transport = serve(p23=answer)
    with caplog.at_level(logging.CRITICAL):
        protocol.dataReceived(b"23, 1\r\n")
    assert transport.value() == b"23, 1 : ERROR : UNKNOWN-ERROR\r\n"
    assert [record.getMessage() for record in caplog.records] == ["a lookup for ident failed"]


def test_a_lookup_may_take_its_time() -> None:
    waiting: Deferred[tuple[str, str]] = Deferred()
    protocol, transport = serve(p23=waiting)
    protocol.dataReceived(b"23, 1\r\n")
    assert transport.value() == b""
    waiting.callback(("UNIX", "zoë"))
    assert transport.value() == "23, 1 : USERID : UNIX : zoë\r\n".encode()


def outcome(waiting: Deferred[Any]) -> Any:
    seen: list[Any] = []
    waiting.addCallbacks(seen.append, lambda failure: seen.append(failure.type))
    return seen[0] if seen else None


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (b"23, 6193 : USERID : UNIX : stjohns", ("UNIX", "stjohns")),
        (b"23,6193:USERID:UNIX, UTF-8:zo\xc3\xab:x", ("UNIX, UTF-8", "zoë:x")),
        (b"23, 6193 : ERROR : NO-USER", NoUser),
        (b"23, 6193 : ERROR : INVALID-PORT", InvalidPort),
        (b"23, 6193 : ERROR : HIDDEN-USER", HiddenUser),
        (b"23, 6193 : ERROR : UNKNOWN-ERROR", IdentError),
        (b"23, 6193 : ERROR : X-OTHER", IdentError),
        (b"0, 0 : ERROR : UNKNOWN-ERROR", IdentError),
        (b"24, 6193 : USERID : UNIX : stjohns", IdentError),
        (b"23, 6193 : USERID : UNIX", IdentError),
        (b"nonsense", IdentError),
        (b"", IdentError),
    ],
)
def test_answers(answer: bytes, result: Any) -> None:
    for size in (1, 100):
        client, transport = IdentClient(), StringTransport()
        client.makeConnection(transport)
        waiting = client.lookup(23, 6193)
        assert transport.value() == b"23, 6193\r\n"
        data = answer + b"\r\n"
        for i in range(0, len(data), size):
            client.dataReceived(data[i : i + size])
        assert outcome(waiting) == result


def test_queries_wait_for_each_other_and_end_with_the_connection() -> None:
    client, transport = IdentClient(), StringTransport()
    client.makeConnection(transport)
    first, second, third = client.lookup(1, 2), client.lookup(3, 4), client.lookup(5, 6)
    first.cancel()
    assert (outcome(first), transport.value()) == (CancelledError, b"1, 2\r\n")
    client.dataReceived(b"1, 2 : USERID : UNIX : a\r\n")
    assert transport.value() == b"1, 2\r\n3, 4\r\n"
    client.connectionLost(Failure(connectionDone.value))
    assert [outcome(d) for d in (second, third, client.lookup(7, 8))] == [IdentError] * 3


def test_an_answer_to_nothing_costs_the_connection() -> None:
    client, transport = IdentClient(), StringTransport()
    client.makeConnection(transport)
    client.dataReceived(b"1, 2 : USERID : UNIX : a\r\n")
    assert transport.disconnecting


ROW = "0: {}:0016 {}:D431 01 00000000:00000000 02:000AB4C4 00000000  1000 0 5 2 0"


@pytest.mark.skipif(sys.byteorder != "little", reason="the row is of another machine")
@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("0100007F", "127.0.0.1"),
        ("00000000000000000000000001000000", "::1"),
        ("B80D0120000000000000000001000000", "2001:db8::1"),
        ("0000000000000000FFFF00000100007F", "::ffff:127.0.0.1"),
    ],
)
def test_rows_of_the_table(host: str, shown: str) -> None:
    here, there, uid = ProcServerMixin().parseLine(ROW.format(host, host))
    assert (here[1], there[1], uid) == (22, 54321, 1000)
    assert socket.getaddrinfo(here[0], 0)[0][4][0] == socket.getaddrinfo(shown, 0)[0][4][0]


def test_a_user_without_a_name() -> None:
    def nobody(uid: int) -> Any:
        raise KeyError(uid)

    with pytest.raises(NoUser):
        ProcServerMixin().getUsername(12345, nobody)
    with pytest.raises(NoUser):
        ProcServerMixin().getUsername(12345, None)


class Linux(ProcServerMixin, IdentServer):
    """Tells the truth."""


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="there is no /proc")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_whose_this_connection_is(host: str) -> None:
    """The connection that is asked for is the one that asks."""
    if host == "::1" and not os.path.exists("/proc/net/tcp6"):
        pytest.skip("there is no IPv6")
    factory: Factory[Linux] = Factory.forProtocol(Linux)
    factory.noisy = False
    port = reactor.listenTCP(0, factory, interface=host)
    number = port.getHost().port
    client = await ClientCreator(reactor, IdentClient).connectTCP(host, number)
    own = client.transport.getHost().port
    assert await client.lookup(number, own) == ("LINUX", getpass.getuser())
    with pytest.raises(NoUser):
        await client.lookup(number, 1)
    with pytest.raises(InvalidPort):
        await client.lookup(0, own)
    client.transport.loseConnection()
    await port.stopListening()
