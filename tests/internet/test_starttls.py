"""TLS that begins in the middle of what has been read."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

import pytest

from reactorlib.internet import reactor
from reactorlib.internet._memory import connect_protocols

from ._carriers import CLIENT_TLS, SERVER_TLS, Side, _Serve

pytestmark = pytest.mark.timeout(20)

#: uvloop reads as much at once; if that much was there, it goes on in the same turn.
UVLOOP_READS = 256_000


class Client:
    """The other end's TLS, whose bytes somebody else carries."""

    def __init__(self) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = CLIENT_TLS.wrap_bio(self._in, self._out, server_hostname="localhost")
        self.shaken = False
        self.got(b"")

    def got(self, ciphertext: bytes) -> bytes:
        """The plaintext in it."""
        self._in.write(ciphertext)
        try:
            if not self.shaken:
                self._tls.do_handshake()
                self.shaken = True
            return self._tls.read(65536)
        except ssl.SSLWantReadError:
            return b""

    def say(self, plaintext: bytes) -> None:
        self._tls.write(plaintext)

    def sends(self) -> bytes:
        return self._out.read()


def starting_tls_after(size: int) -> Side:
    """One that takes what comes after so many bytes as TLS, and answers what it says then."""

    def take(side: Side) -> None:
        data = bytes(side.data)
        if side.transport.TLS:
            side.transport.write(data.upper())
        elif len(data) >= size:
            side.data.clear()
            side.transport.startTLS(SERVER_TLS, unread=data[size:])

    return Side({"data": take})


async def test_what_is_read_in_the_same_turn_comes_after_what_was_unread(errors: Any) -> None:
    """uvloop goes on reading after `dataReceived`, before anything else is called."""
    for cut in (1, 5, 100, -1):
        client = Client()
        hello = client.sends()
        side, server = Side(), starting_tls_after(5)
        _, theirs = connect_protocols(lambda _: side, lambda _: server)  # noqa: B023  # at once
        lower: Any = theirs._transport
        lower.get_protocol().data_received(b"plain" + hello[:cut])
        lower.get_protocol().data_received(hello[cut:])
        assert await side.received(1)
        client.got(bytes(side.data))
        assert client.shaken
        client.say(b"question")
        side.data.clear()
        side.transport.write(client.sends())
        await server.until(lambda: server.data)  # noqa: B023  # at once
        answer = b""
        while not answer:
            await side.received(1)
            answer = client.got(bytes(side.data))
            side.data.clear()
        assert answer == b"QUESTION"
        side.transport.abortConnection()
        await server.lost()
        await side.lost()


async def test_a_read_that_fills_the_buffer_of_the_loop(errors: Any) -> None:
    plain = UVLOOP_READS - 100
    client = Client()
    first = b"p" * plain + client.sends()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        ours.setblocking(False)
        sent = ours.send(first)
        if sent < len(first):
            pytest.skip("this system keeps too little of what was sent over a UNIX socket")
        server = starting_tls_after(plain)
        reactor.adoptStreamConnection(theirs.fileno(), socket.AF_UNIX, _Serve(server))
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            while not client.shaken:
                assert client.got(await loop.sock_recv(ours, 65536)) == b""
                await loop.sock_sendall(ours, client.sends())
            client.say(b"question")
            await loop.sock_sendall(ours, client.sends())
            answer = b""
            while len(answer) < 8:
                answer += client.got(await loop.sock_recv(ours, 65536))
        assert answer == b"QUESTION"
        server.transport.abortConnection()
        await server.lost()
