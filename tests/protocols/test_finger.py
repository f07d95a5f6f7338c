"""Finger, RFC 1288."""

from __future__ import annotations

import asyncio

import pytest

from reactorlib.internet import reactor
from reactorlib.internet.protocol import Factory
from reactorlib.internet.testing import StringTransport
from reactorlib.protocols.finger import Finger

REFUSED = b"Finger forwarding service denied\n"


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        (b"alice\r\n", b"Login: alice\nNo such user\n"),
        (b"/W alice\r\n", b"Login: alice\nNo such user\n"),
        (b"/w  alice \r\n", b"Login: alice\nNo such user\n"),
        (b"\x1b[2Jx\xff\r\n", b"Login: ?[2Jx?\nNo such user\n"),
        (b"\r\n", b"Finger online list denied\n"),
        (b"/W\r\n", b"Finger online list denied\n"),
        (b"alice@host\r\n", REFUSED),
        (b"@host\r\n", REFUSED),
        (b"alice@a@b\r\n", REFUSED),
        (b"x" * 2000, b""),
    ],
)
def test_answers(query: bytes, answer: bytes) -> None:
    for chunks in ([query], [query[i : i + 1] for i in range(len(query))]):
        protocol, transport = Finger(), StringTransport()
        protocol.makeConnection(transport)
        for chunk in chunks:
            protocol.dataReceived(chunk)
        assert (transport.value(), transport.disconnecting) == (answer, True)


def test_a_subclass_is_told_what_was_asked() -> None:
    """RFC 1288 section 2.3: of several hosts the last one is asked."""
    seen: list[object] = []

    class Server(Finger):
        def getUser(self, slash_w: bool, user: bytes) -> None:
            seen.append((slash_w, user))

        def getDomain(self, slash_w: bool) -> None:
            seen.append(slash_w)

        def forwardQuery(self, slash_w: bool, user: bytes, host: bytes) -> None:
            seen.append((slash_w, user, host))

    protocol = Server()
    protocol.makeConnection(StringTransport())
    protocol.dataReceived(b"a\r\n/W a\r\n\r\n/W\r\na@b@c\r\n")
    assert seen == [(False, b"a"), (True, b"a"), False, True, (False, b"a@b", b"c")]


async def test_over_a_socket() -> None:
    factory: Factory[Finger] = Factory.forProtocol(Finger)
    factory.noisy = False
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
    writer.write(b"alice\r\n")
    assert await reader.read() == b"Login: alice\nNo such user\n"
    writer.close()
    await writer.wait_closed()
    await port.stopListening()
