"""What the tests of command lines share: services from arguments, and programs at the other end."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any

from reactorlib.cred.passwords import hashPassword
from reactorlib.internet.address import IPv4Address

#: Hashing takes long on purpose; once is enough.
hashed = functools.cache(hashPassword)


def make(module: ModuleType, *argv: str) -> Any:
    """The service that a command line makes."""
    options = module.Options()
    options.parseOptions(argv)
    return module.makeService(options)


@contextlib.asynccontextmanager
async def running(module: ModuleType, *argv: str) -> AsyncIterator[tuple[str, int]]:
    """Where the service of a command line listens, for as long as it runs."""
    service = make(module, *argv)
    async with asyncio.timeout(40):
        service.privilegedStartService()
        await service.startService()
        try:
            where: IPv4Address = service.getHost()
            yield where.host, where.port
        finally:
            await service.stopService(grace=0)


async def run(*argv: str, stdin: bytes = b"") -> tuple[int | None, bytes]:
    """Run a program: its exit status, and what it has written to its output."""
    program = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        out, _ = await program.communicate(stdin)
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    return program.returncode, out


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends back what it gets."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def web() -> AsyncIterator[int]:
    """The port of a server that answers each request of HTTP with "here"."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nhere")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
