"""Stopping a port with a time of grace: who has been accepted is waited for, however lately."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
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


# -- a stop that nobody waits for any more ------------------------------------


class Held(Factory[Any]):
    """Of protocols that keep their connections."""

    protocol = Protocol
    noisy = False

    def __init__(self) -> None:
        self.made: list[Any] = []
        self.waiting = asyncio.Event()

    def buildProtocol(self, address: Any) -> Any:
        protocol = super().buildProtocol(address)
        self.made.append(protocol)
        self.waiting.set()
        return protocol


async def until_stopped(factory: Held) -> None:
    """A few turns of the loop have to do."""
    for _ in range(10):
        if factory.numPorts == 0:
            return
        await asyncio.sleep(0)
    pytest.fail("the factory was never told of the end of its port")


async def cancelled(stopping: Any) -> None:
    stopping.cancel("no time")
    with pytest.raises(asyncio.CancelledError, match="no time"):
        await stopping


@pytest.mark.parametrize("grace", [None, 30])
@pytest.mark.parametrize("before", [0, 1, 2, 5])  # turns of the loop, while it starts or after
async def test_a_stop_goes_on_when_the_wait_for_it_is_cancelled(
    tmp_path: Path, errors: Any, grace: float | None, before: int
) -> None:
    """The socket's file and its lock go, and the factory is told."""
    factory = Held()
    port = reactor.listenUNIX(tmp_path / "s", factory, wantPID=True)
    for _ in range(before):
        await asyncio.sleep(0)
    stopping = port.stopListening(grace)
    if not stopping.called:
        await cancelled(stopping)
    await until_stopped(factory)
    assert os.listdir(tmp_path) == []
    again = reactor.listenUNIX(tmp_path / "s", factory, wantPID=True)
    await again.stopListening()


async def within_a_timeout(stopping: Any) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await stopping


@pytest.mark.parametrize("turns", [0, 1, 6])
@pytest.mark.parametrize("give_up", [cancelled, within_a_timeout])
async def test_a_cancel_ends_the_grace_and_leaves_the_connections_alone(
    errors: Any, give_up: Callable[[Any], Awaitable[None]], turns: int
) -> None:
    loop = asyncio.get_running_loop()
    factory = Held()
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    with socket.create_connection(("127.0.0.1", port.getHost().port)) as client:
        client.setblocking(False)
        await factory.waiting.wait()
        before = reactor.getDelayedCalls()
        stopping = port.stopListening(grace=30)
        for _ in range(turns):
            await asyncio.sleep(0)
        await give_up(stopping)
        await until_stopped(factory)
        assert reactor.getDelayedCalls() == before  # there is nothing that aborts them
        [protocol] = factory.made
        protocol.transport.write(b"still here")
        assert await loop.sock_recv(client, 100) == b"still here"
        protocol.transport.loseConnection()
        assert await loop.sock_recv(client, 100) == b""


async def test_what_fails_after_the_cancel_is_reported(errors: Any) -> None:
    class Fails(Held):
        def stopFactory(self) -> None:
            raise ZeroDivisionError("as it stops")

    factory = Fails()
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    with socket.create_connection(("127.0.0.1", port.getHost().port)):
        await factory.waiting.wait()
        await cancelled(port.stopListening(grace=30))
        await until_stopped(factory)
        [reported] = errors.take()
        assert isinstance(reported, ZeroDivisionError)
        factory.made[0].transport.loseConnection()


async def test_each_stop_of_a_port_has_its_own_grace(errors: Any) -> None:
    """A port that listens again before its connections are gone, and stops again."""
    factory = Held()
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    with socket.create_connection(("127.0.0.1", port.getHost().port)):
        await factory.waiting.wait()
        first = port.stopListening(grace=30)
        for _ in range(10):
            await asyncio.sleep(0)
        port.startListening()
        second, third = port.stopListening(grace=30), port.stopListening(grace=30)
        assert third.called  # it was not listening
        for _ in range(10):
            await asyncio.sleep(0)
        assert not first.called
        assert not second.called
        factory.made[0].transport.loseConnection()
        async with asyncio.timeout(5):
            await first
            await second


@pytest.mark.parametrize("turns", range(4))
def test_a_stop_that_the_end_of_the_loop_cuts_short_leaves_nothing(
    tmp_path: Path, loop_factory: Any, turns: int
) -> None:
    async def main() -> Held:
        factory = Held()
        port = reactor.listenUNIX(tmp_path / "s", factory, wantPID=True)
        for _ in range(turns):
            await asyncio.sleep(0)
        port.stopListening()
        return factory

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        factory = runner.run(main())
    assert os.listdir(tmp_path) == []
    assert factory.numPorts == 0
