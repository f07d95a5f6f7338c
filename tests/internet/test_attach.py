"""
Everything that a reactor does, wherever somebody else runs the loop.

A table: each use of a reactor (`_uses`) in each place. There is no `run()` in any
of them, nothing of ours stops or closes the loop, and nothing is left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from reactorlib.internet import reactor
from reactorlib.internet._current import current_reactor
from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor

from ._uses import LOCAL, USES, Use, nothing_left

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

pytestmark = pytest.mark.timeout(30)

every_use = pytest.mark.parametrize("use", USES.values(), ids=USES)


@pytest.fixture
def reported() -> Iterator[list[Any]]:
    """What any loop of the test reports; there should be nothing."""
    seen: list[Any] = []
    yield seen
    gc.collect()
    assert seen == []


@pytest.fixture
def watching(loop_factory: LoopFactory, reported: list[Any]) -> LoopFactory:
    def make() -> asyncio.AbstractEventLoop:
        loop = loop_factory()
        loop.set_exception_handler(lambda _, context: reported.append(context))
        return loop

    return make


# -- the places ---------------------------------------------------------------


def in_asyncio_run(use: Use, factory: LoopFactory) -> None:
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(use())


def in_a_loop_that_is_run_piece_by_piece(use: Use, factory: LoopFactory) -> None:
    """As by a library that calls `run_until_complete` for each request."""
    loop = factory()
    try:
        for _ in range(2):
            loop.run_until_complete(use())
            assert not loop.is_closed()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


def in_a_lifespan(use: Use, factory: LoopFactory) -> None:
    """Of a web application: when it starts, in a request, and when it ends."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with reactor:
            await use()
            yield
            await use()

    async def answer(request: Request) -> PlainTextResponse:
        await use()
        return PlainTextResponse("done")

    async def serve() -> None:
        app = Starlette(routes=[Route("/", answer)], lifespan=lifespan)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client,
        ):
            response = await client.get("http://app/")
            assert response.text == "done"

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve())


def in_another_thread(use: Use, factory: LoopFactory) -> None:
    outcome: list[Any] = []

    def work() -> None:
        try:
            in_asyncio_run(use, factory)
        except BaseException as exception:
            outcome.append(exception)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    assert outcome == []


PLACES = [
    in_asyncio_run,
    in_a_loop_that_is_run_piece_by_piece,
    in_a_lifespan,
    in_another_thread,
]


#: The uses that have been made in this process.
used: set[Use] = set()


@every_use
@pytest.mark.parametrize("place", PLACES)
def test_it_works_and_leaves_nothing(
    place: Callable[[Use, LoopFactory], None], use: Use, watching: LoopFactory
) -> None:
    if use not in used:  # what is made once in a process is made now
        in_asyncio_run(use, watching)
        used.add(use)
    with nothing_left():
        place(use, watching)


@every_use
async def test_it_works_in_a_loop_of_pytests(use: Use, errors: Any) -> None:
    loop = asyncio.get_running_loop()
    await use()
    assert loop.is_running()


async def test_it_all_works_at_once(errors: Any) -> None:
    async with reactor:
        await asyncio.gather(*(use() for use in USES.values() for _ in range(3)))


def test_it_all_works_in_two_threads_at_once(watching: LoopFactory) -> None:
    """Each has its own reactor."""
    both = threading.Barrier(2, timeout=10)
    outcomes: list[Any] = []

    async def work() -> AsyncioSelectorReactor:
        mine = current_reactor()
        both.wait()
        for use in USES.values():
            await use()
            assert current_reactor() is mine
        return mine

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=watching) as runner:
                outcomes.append(runner.run(work()))
        except BaseException as exception:
            both.abort()
            outcomes.append(exception)

    in_asyncio_run(USES["tls"], watching)
    with nothing_left():
        threads = [threading.Thread(target=run, daemon=True) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert [type(outcome) for outcome in outcomes] == [AsyncioSelectorReactor] * 2
        assert outcomes[0] is not outcomes[1]
        outcomes.clear()


# -- notebooks ----------------------------------------------------------------


@pytest.fixture(scope="module")
def shell() -> Iterator[Any]:
    """What runs the cells of a notebook; without its history."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config

        config = Config()
        config.HistoryManager.enabled = False
        shell = InteractiveShell(config=config)  # type: ignore[no-untyped-call]
    yield shell
    shell.restore_sys_module_state()  # type: ignore[no-untyped-call]


@pytest.fixture
def notebook(shell: Any) -> Any:
    shell.reset(new_session=False)
    return shell


async def run_cell(notebook: Any, source: str) -> Any:
    """Run a cell as a notebook's kernel does, in its loop; the value of its last line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = await notebook.run_cell_async(
            source, transformed_cell=notebook.transform_cell(source), store_history=False
        )
    result.raise_error()
    return result.result


CELL = """
import asyncio
from reactorlib.internet import reactor
from reactorlib.internet.defer import Deferred
from reactorlib.internet.protocol import Factory, Protocol

class Echo(Protocol):
    def dataReceived(self, data):
        self.transport.write(data)
        lines.append(data)

lines = []
factory = Factory.forProtocol(Echo)
factory.noisy = False
ticks = Deferred()
tick = reactor.callLater(0.001, ticks.callback, None)
if "port" in globals():
    await port.stopListening()
port = reactor.listenTCP(NUMBER, factory, interface="127.0.0.1")
await ticks
reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
writer.write(b"hello")
answer = await reader.readexactly(5)
writer.close()
answer, len(lines), len(reactor.getDelayedCalls())
"""


async def test_a_cell_of_a_notebook_runs_again(notebook: Any, errors: Any) -> None:
    """At the same port, which the second run frees first; nothing happens twice."""
    with socket.create_server((LOCAL, 0)) as free:
        number = free.getsockname()[1]
    cell = CELL.replace("NUMBER", str(number))
    loop = asyncio.get_running_loop()
    for _ in range(2):
        assert await run_cell(notebook, cell) == (b"hello", 1, 0)
        assert loop.is_running()
    await run_cell(notebook, "await port.stopListening()")
    socket.create_server((LOCAL, number)).close()


async def test_async_with_in_a_cell_leaves_nothing(notebook: Any, errors: Any) -> None:
    body = CELL.replace("NUMBER", "0").strip().splitlines()
    cell = "async with reactor:\n" + "\n".join("    " + line for line in body)
    cell = "from reactorlib.internet import reactor\n" + cell
    numbers = []
    for _ in range(2):
        await run_cell(notebook, cell)
        await run_cell(notebook, "port_is_open = port.connected\nnumber = port.getHost().port")
        assert notebook.user_ns["answer"] == b"hello"
        assert not notebook.user_ns["port_is_open"]
        del notebook.user_ns["port"]
        numbers.append(notebook.user_ns["number"])
    for number in numbers:
        socket.create_server((LOCAL, number)).close()


@every_use
async def test_every_use_works_in_a_cell_and_again(notebook: Any, use: Use, errors: Any) -> None:
    notebook.user_ns["use"] = use
    for _ in range(2):
        await run_cell(notebook, "await use()")


# -- whose loop it is ---------------------------------------------------------


@every_use
def test_a_loop_that_nobody_ends_well_hangs_nothing(use: Use, loop_factory: LoopFactory) -> None:
    """It is closed at once after the use: no thread keeps the process, and none waits."""
    loop = loop_factory()
    before = {thread for thread in threading.enumerate() if not thread.daemon}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        loop.run_until_complete(use())
        executor = getattr(loop, "_default_executor", None)
        loop.close()
        gc.collect()
    if executor is not None:
        executor.shutdown()
    assert {thread for thread in threading.enumerate() if not thread.daemon} <= before
    # The threads of its reactor's pool are daemons, and end when the next reactor takes its place.
    del loop, executor
    with asyncio.Runner() as runner:
        runner.run(touch())
    gc.collect()
    for thread in threading.enumerate():
        if thread.name.startswith("PoolThread-"):
            thread.join(10)
            assert not thread.is_alive()


async def touch() -> None:
    reactor.seconds()


def test_a_process_that_only_attaches_ends_by_itself() -> None:
    """With the pool's threads at work, and no `async with`."""
    program = (
        "import asyncio, threading, time\n"
        "from reactorlib.internet import reactor\n"
        "async def main():\n"
        "    asyncio.get_running_loop().slow_callback_duration = 10\n"
        "    begun = asyncio.Event()\n"
        "    def work():\n"
        "        reactor.callFromThread(begun.set)\n"
        "        time.sleep(0.05)\n"
        "        print('worked', flush=True)\n"
        "    reactor.callInThread(work)\n"
        "    await begun.wait()\n"
        "asyncio.run(main())\n"
        "print('over', [t.name for t in threading.enumerate() if not t.daemon])\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=20,
        cwd=os.getcwd(),
    )
    assert (done.stdout, done.stderr, done.returncode) == ("worked\nover ['MainThread']\n", "", 0)
