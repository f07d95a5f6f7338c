"""Whom an event names as its `system`: the transport whose protocol logs."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from reactorlib.internet import reactor
from reactorlib.internet.protocol import DatagramProtocol, Factory, Protocol
from reactorlib.python import context, log

from ._datagrams import LOCAL, soon

pytestmark = pytest.mark.timeout(20)


@pytest.fixture
def logged() -> Iterator[list[tuple[str, str]]]:
    """What was logged by `msg`: the system, and the text."""
    seen: list[tuple[str, str]] = []

    def observer(event: log.EventDict) -> None:
        if len(event["message"]) == 2:  # ours, and nothing that the ports say
            seen.append((event["system"], event["message"][1]))

    log.addObserver(observer)
    yield seen
    log.removeObserver(observer)


def say(text: str) -> None:
    log.msg("said", text)


class Talker(Protocol):
    """Logs whatever it is told of."""

    def __init__(self) -> None:
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.later: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def logPrefix(self) -> str:
        return "Talk"

    def connectionMade(self) -> None:
        say("made")

    def dataReceived(self, data: bytes) -> None:
        say("received")
        log.callWithContext({"system": "inner"}, say, "inside")
        reactor.callLater(0, self.after)

    def after(self) -> None:
        say("later")
        self.later.set_result(None)

    def connectionLost(self, reason: Any = None) -> None:
        say("lost")
        self.lost.set_result(None)


async def test_a_connection_is_named_while_its_protocol_is_called(
    logged: list[tuple[str, str]],
) -> None:
    talker = Talker()
    factory: Factory[Any] = Factory()
    factory.buildProtocol = lambda addr: talker  # type: ignore[method-assign]
    port = reactor.listenTCP(0, factory, interface=LOCAL)
    with socket.create_connection((LOCAL, port.getHost().port)) as peer:
        peer.send(b"x")
        await soon(talker.later)
    await soon(talker.lost)
    await port.stopListening()
    name = f"Talk,0,{LOCAL}"
    assert logged == [
        (name, "made"),
        (name, "received"),
        ("inner", "inside"),
        ("-", "later"),
        (name, "lost"),
    ]
    say("outside")
    assert logged[-1] == ("-", "outside")


async def test_a_connection_knows_its_reactor() -> None:
    talker = Talker()
    factory: Factory[Any] = Factory()
    factory.buildProtocol = lambda addr: talker  # type: ignore[method-assign]
    port = reactor.listenTCP(0, factory, interface=LOCAL)
    with socket.create_connection((LOCAL, port.getHost().port)) as peer:
        peer.send(b"x")
        await soon(talker.later)
        transport: Any = talker.transport
        async with reactor as mine:
            assert transport.reactor is mine
    await soon(talker.lost)


async def test_a_client_is_named_as_one(logged: list[tuple[str, str]]) -> None:
    server = socket.create_server((LOCAL, 0))
    talker = Talker()
    factory: Any = Factory()
    factory.buildProtocol = lambda addr: talker
    factory.startedConnecting = lambda connector: None
    factory.clientConnectionLost = lambda connector, reason: None
    connector = reactor.connectTCP(LOCAL, server.getsockname()[1], factory)
    peer, _ = await soon(asyncio.to_thread(server.accept))
    with server, peer:
        peer.send(b"x")
        await soon(talker.later)
        connector.disconnect()
        await soon(talker.lost)
    assert [system for system, text in logged if text in ("made", "received", "lost")] == [
        "Talk,client"
    ] * 3


class Listener(DatagramProtocol):
    noisy = False

    def __init__(self) -> None:
        self.heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        say("datagram")
        self.heard.set_result(None)


async def test_a_datagram_port_is_named(logged: list[tuple[str, str]]) -> None:
    listener = Listener()
    port = reactor.listenUDP(0, listener, interface=LOCAL)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.sendto(b"x", (LOCAL, port.getHost().port))
        await soon(listener.heard)
    say("outside")
    await port.stopListening()
    assert logged == [("Listener (UDP)", "datagram"), ("-", "outside")]


async def test_a_prefix_that_fails_costs_only_the_name(logged: list[tuple[str, str]]) -> None:
    listener: Any = Listener()
    port = reactor.listenUDP(0, listener, interface=LOCAL)
    listener.logPrefix = lambda: 1 // 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.sendto(b"x", (LOCAL, port.getHost().port))
        await soon(listener.heard)
    del listener.logPrefix
    await port.stopListening()
    assert logged == [("(buggy logPrefix method)", "datagram")]


def test_where_no_loop_runs_there_is_no_name(logged: list[tuple[str, str]]) -> None:
    say("nowhere")
    assert logged == [("-", "nowhere")]
    ambient = context.get(log.ILogContext)
    assert ambient == ambient.copy() == {"system": "-"}
    assert list(ambient) == ["system"]
    assert len(ambient) == 1
    with pytest.raises(KeyError):
        ambient["sys"]


async def test_datagram_ports_say_where_they_listen() -> None:
    events: list[log.EventDict] = []
    log.addObserver(events.append)
    try:
        port = reactor.listenUDP(0, Listener(), interface=LOCAL)
        number = port.getHost().port
        await port.stopListening()
    finally:
        log.removeObserver(events.append)
    assert [event["message"] for event in events if event["message"]] == [
        (f"Listener starting on {number}",),
        (f"(UDP Port {number} Closed)",),
    ]
