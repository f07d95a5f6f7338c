"""Stopping a port with a time of grace: who has been accepted is waited for, however lately."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from reactorlib.internet import reactor
from reactorlib.internet._hold import hold_back
from reactorlib.internet.protocol import Factory, Protocol


class Answers(Protocol):
    """Answers when it has been asked, a moment later, and hangs up."""

    def dataReceived(self, data: bytes) -> None:
        reactor.callLater(0.01, self.answer, data)

    def answer(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data.upper())
        self.transport.loseConnection()

    def connectionLost(self, reason: object = None) -> None:
        factory: Any = self.factory
        factory.lost += 1


class Counts(Factory[Any]):
    protocol = Answers
    made = lost = 0

    def buildProtocol(self, address: Any) -> Any:
        self.made += 1
        return super().buildProtocol(address)


@pytest.mark.parametrize("turns", range(8))
async def test_who_is_accepted_just_before_the_stop_is_waited_for(turns: int) -> None:
    """However many turns of the loop lie between the connection and the stop."""
    loop = asyncio.get_running_loop()
    factory = Counts()
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    for _ in range(5):
        await asyncio.sleep(0)
    with socket.create_connection(("127.0.0.1", port.getHost().port)) as client:
        client.sendall(b"hello")
        client.setblocking(False)
        for _ in range(turns):
            await asyncio.sleep(0)
        await port.stopListening(grace=20)
        assert factory.lost == factory.made
        try:
            answer = await loop.sock_recv(client, 100)
        except ConnectionResetError:
            answer = b""
    # What was closed before it was accepted, nobody has seen.
    assert answer == (b"HELLO" if factory.made else b"")


async def test_nobody_new_is_let_in_at_a_port_that_is_held_back() -> None:
    loop = asyncio.get_running_loop()
    port = reactor.listenTCP(0, Counts(), interface="127.0.0.1")
    where = ("127.0.0.1", port.getHost().port)
    early = socket.create_connection(where)
    if not hold_back(reactor):
        pytest.skip("only Linux can do that")
    with early, socket.socket() as late:
        late.setblocking(False)
        connecting = asyncio.ensure_future(loop.sock_connect(late, where))
        early.setblocking(False)
        await loop.sock_sendall(early, b"hello")
        assert await loop.sock_recv(early, 100) == b"HELLO"
        assert not connecting.done()
        await port.stopListening(grace=5)
        connecting.cancel()
        await asyncio.wait([connecting])
