"""What the tests of datagrams share: a protocol that listens, and plain sockets to talk to it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from reactorlib.internet.address import IPv4Address, IPv6Address
from reactorlib.internet.protocol import DatagramProtocol
from reactorlib.internet.udp import Port

LOCAL = "127.0.0.1"

T = TypeVar("T")


async def soon(awaitable: Awaitable[T]) -> T:
    """What it gives; a failure if that takes seconds."""
    async with asyncio.timeout(5):
        return await awaitable


class Hearer(DatagramProtocol):
    """Keeps what it is told, and does with a datagram what `on_datagram` says."""

    noisy = False
    transport: Any

    def __init__(self, on_datagram: Callable[[Hearer, bytes, Any], object] | None = None) -> None:
        self.on_datagram = on_datagram
        self.told: list[str] = []
        self.received: list[tuple[bytes, Any]] = []
        self._woken = asyncio.Event()

    def startProtocol(self) -> None:
        self.told.append("start")

    def stopProtocol(self) -> None:
        self.told.append("stop")

    def connectionRefused(self) -> None:
        self.told.append("refused")
        self._woken.set()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.received.append((datagram, addr))
        self._woken.set()
        if self.on_datagram is not None:
            self.on_datagram(self, datagram, addr)

    @property
    def data(self) -> list[bytes]:
        return [datagram for datagram, _ in self.received]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self._woken.clear()
                await self._woken.wait()

    async def has(self, *data: bytes) -> None:
        await self.until(lambda: len(self.received) >= len(data))
        assert self.data == list(data)


def echo(protocol: Hearer, datagram: bytes, addr: Any) -> None:
    protocol.transport.write(datagram, addr)


def number_of(port: Port) -> int:
    host = port.getHost()
    assert isinstance(host, IPv4Address | IPv6Address)
    return host.port


class Peer:
    """The other end: a plain socket, which may be connected to a port."""

    def __init__(self, to: Port | None = None, host: str = LOCAL) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.sock.bind((host, 0))
        self.address = self.sock.getsockname()[:2]
        if to is not None:
            self.sock.connect((host, number_of(to)))
        self.sock.setblocking(False)

    def send(self, data: bytes) -> None:
        self.sock.send(data)

    async def receive(self) -> bytes:
        return await soon(asyncio.get_running_loop().sock_recv(self.sock, 1 << 16))


def free_number() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((LOCAL, 0))
        number: int = sock.getsockname()[1]
        return number
