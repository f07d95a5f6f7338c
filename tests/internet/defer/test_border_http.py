"""httpx and aiohttp as clients, and their time-outs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx
import pytest

from reactorlib.internet.defer import Deferred, ensureDeferred

from ._border import Driver, cancelled, outcome, turns

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"


@dataclass
class Server:
    """Answers `/`; is silent for ever on `/silent`."""

    url: str
    #: Fires when the next request to `/silent` is there.
    asked: Deferred[None]
    gone: asyncio.Event


@pytest.fixture
async def server(tidy: Any) -> AsyncIterator[Server]:
    gone = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET /silent "):
            if not served.asked.called:
                served.asked.callback(None)
            await reader.read()  # until the client gives up
            gone.set()
        else:
            writer.write(ANSWER)
        writer.close()
        try:
            await writer.wait_closed()
        except ConnectionError:
            pass

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    served = Server(f"http://127.0.0.1:{port}", Deferred(), gone)
    yield served
    listening.close()
    await listening.wait_closed()
    await turns(5)


Get = Callable[[str, float | None], Any]


async def httpx_get(url: str, limit: float | None) -> bytes:
    # Without TLS settings, which cost more than the whole test.
    transport = httpx.AsyncHTTPTransport(verify=False)
    # For the answer alone: on a busy machine, to connect may take longer.
    timeout = httpx.Timeout(None, read=limit)
    async with httpx.AsyncClient(transport=transport, timeout=timeout) as client:
        return (await client.get(url)).content


async def aiohttp_get(url: str, limit: float | None) -> bytes:
    timeout = aiohttp.ClientTimeout(total=limit)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
        return await response.read()


CLIENTS = [httpx_get, aiohttp_get]
clients = pytest.mark.parametrize("get", CLIENTS, ids=["httpx", "aiohttp"])


@clients
async def test_an_answer(driver: Driver, get: Get, server: Server) -> None:
    async def body() -> Any:
        return await get(server.url, 30), await ensureDeferred(get(server.url, 30))

    assert await driver.outcome(body) == ("result", (b"hello", b"hello"))


@clients
async def test_answers_all_at_once(driver: Driver, get: Get, server: Server) -> None:
    async def body() -> Any:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(get(server.url, 30)) for _ in range(3)]
            ours = ensureDeferred(get(server.url, 30))
        return [task.result() for task in tasks], await ours

    assert await driver.outcome(body) == ("result", ([b"hello"] * 3, b"hello"))


@clients
async def test_the_clients_own_time_out(driver: Driver, get: Get, server: Server) -> None:
    async def body() -> Any:
        with pytest.raises((httpx.ReadTimeout, TimeoutError)):
            await get(f"{server.url}/silent", 0.3)
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling(), await get(server.url, 30)

    assert await driver.outcome(body) == ("result", (0, b"hello"))
    if server.asked.called:  # aiohttp's limit is for everything, and may have come before
        await server.gone.wait()


@clients
async def test_a_time_out_around_the_client(driver: Driver, get: Get, server: Server) -> None:
    async def times_out() -> None:
        async with asyncio.timeout(None) as limit:
            server.asked.addCallback(lambda _: limit.reschedule(0))
            await get(f"{server.url}/silent", None)

    async def body() -> Any:
        with pytest.raises(TimeoutError):
            await times_out()
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling(), await get(server.url, 30)

    assert await driver.outcome(body) == ("result", (0, b"hello"))
    await server.gone.wait()


@clients
@pytest.mark.parametrize("how", ["task", "handle"])
async def test_cancelled_while_it_waits(driver: Driver, get: Get, how: str, server: Server) -> None:
    run = driver.start(lambda: get(f"{server.url}/silent", None))
    await server.asked
    (run.task if how == "task" else run.handle).cancel("enough")
    assert await outcome(run.handle) == cancelled("enough")
    await server.gone.wait()
