"""People at a terminal with a telnet client, and people with a socket."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from reactorlib.internet import reactor
from reactorlib.internet.protocol import Factory, ProcessProtocol

#: How long anything may take, in seconds; far more than it does.
LIMIT = 20.0

TELNET = shutil.which("telnet")

needs_telnet = pytest.mark.skipif(TELNET is None, reason="no telnet client is installed")


class Screen:
    """
    What somebody has been shown, and what they do next.

    Attributes:
        shown: what has come since the last `expect`.
        everything: what has come at all.
    """

    def __init__(self) -> None:
        self.shown = b""
        self.everything = b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._more = asyncio.Event()

    def type(self, keys: bytes) -> None:
        raise NotImplementedError

    def show(self, data: bytes) -> None:
        self.shown += data
        self.everything += data
        self._more.set()

    def end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
        self._more.set()

    async def expect(self, what: bytes) -> bytes:
        """Wait until it is shown; all that was shown up to its end."""
        try:
            async with asyncio.timeout(LIMIT):
                while (at := self.shown.find(what)) < 0:
                    assert not self.ended.done(), f"the end, after {self.shown!r}"
                    await self.wait_for_more()
        except TimeoutError:
            raise AssertionError(f"no {what!r} in {self.shown!r}") from None
        at += len(what)
        found, self.shown = self.shown[:at], self.shown[at:]
        return found

    async def wait_for_more(self) -> None:
        """Wait until something is shown, or it is over."""
        self._more.clear()
        await self._more.wait()

    async def wait_for_end(self) -> bytes:
        """Wait until it is over; all that was shown since the last `expect`."""
        async with asyncio.timeout(LIMIT):
            await asyncio.shield(self.ended)
        return self.shown


class Terminal(Screen, ProcessProtocol):
    """A program on a pseudo-terminal of 30 lines and 100 columns."""

    transport: Any

    def __init__(self, *command: str) -> None:
        super().__init__()
        script = 'stty rows 30 cols 100; exec "$@"'
        env = {"PATH": os.environ["PATH"], "TERM": "xterm", "HOME": "/nonexistent"}
        reactor.spawnProcess(
            self, "/bin/sh", ["sh", "-c", script, "sh", *command], env=env, usePTY=True
        )

    def outReceived(self, data: bytes) -> None:
        self.show(data)

    def processEnded(self, reason: Any) -> None:
        self.end()

    def type(self, keys: bytes) -> None:
        self.transport.write(keys)

    async def close(self) -> None:
        if not self.ended.done():
            self.transport.signalProcess(signal.SIGKILL)
        await self.wait_for_end()


@asynccontextmanager
async def telnet(port: int) -> AsyncIterator[Terminal]:
    """Somebody with the telnet client."""
    assert TELNET is not None
    terminal = Terminal(TELNET, "127.0.0.1", str(port))
    try:
        yield terminal
    finally:
        await terminal.close()


class Socket(Screen):
    """Somebody with a socket, who sees each byte."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        super().__init__()
        self._writer = writer

    async def read(self, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(65536):
                self.show(data)
        except ConnectionError:
            pass
        finally:
            self.end()

    def type(self, keys: bytes) -> None:
        self._writer.write(keys)

    def hang_up(self) -> None:
        self._writer.close()


@asynccontextmanager
async def raw(port: int) -> AsyncIterator[Socket]:
    """Somebody with a socket."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    peer = Socket(writer)
    task = asyncio.ensure_future(peer.read(reader))
    try:
        yield peer
    finally:
        writer.close()
        await task


@asynccontextmanager
async def serving(factory: Any) -> AsyncIterator[int]:
    """A server; the number of its port."""
    if not isinstance(factory, Factory):
        factory = Factory.forProtocol(factory)
    factory.noisy = False
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    try:
        yield port.getHost().port
    finally:
        async with asyncio.timeout(LIMIT):
            await port.stopListening()
            async with reactor:
                pass
