"""
The three ways to run a program, side by side.

An example has a function `start(options)` that sets things up: it listens, or
connects. None of its code knows which way it is run.

    --loop reactor   reactor.run() makes a loop of asyncio's, and ends it
    --loop asyncio   asyncio.run() makes the loop; the reactor attaches to it
    --loop uvloop    reactor.run() makes a loop of uvloop's

`start` returns None when the program is to run until SIGINT (Ctrl-C) or SIGTERM,
as servers do. Otherwise it returns a Deferred or a coroutine, and the program is
done when that is: with None for success, with a text that says what went wrong,
or with an exception.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn

from reactorlib.internet import reactor
from reactorlib.internet.defer import Deferred, maybeDeferred
from reactorlib.internet.error import BindError, ConnectError, ConnectionClosed, ReactorNotRunning
from reactorlib.internet.tcp import Port
from reactorlib.python.failure import Failure

Work = Deferred[str | None] | Coroutine[Any, Any, str | None]
Start = Callable[[argparse.Namespace], Work | None]


# -- the first way, and the third ---------------------------------------------


def with_reactor_run(
    start: Start,
    options: argparse.Namespace,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> str | None:
    """Set up, then run until somebody stops the reactor. It catches the signals itself."""
    outcome: list[Any] = []

    def follow(work: Work) -> None:
        done = maybeDeferred(lambda: work)
        done.addBoth(outcome.append)
        done.addBoth(lambda _: stop())

    def stop() -> None:
        try:
            reactor.stop()
        except ReactorNotRunning:
            pass  # a signal has stopped it already

    work = start(options)
    if work is not None:
        reactor.callWhenRunning(follow, work)
    reactor.run(loop_factory=loop_factory)

    if work is None:
        return None
    if not outcome:
        return "interrupted"
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    result: str | None = outcome[0]
    return result


def with_uvloop(start: Start, options: argparse.Namespace) -> str | None:
    """The same on uvloop: only who makes the loop is different."""
    import uvloop

    return with_reactor_run(start, options, loop_factory=uvloop.new_event_loop)


# -- the second way -----------------------------------------------------------


def with_asyncio_run(start: Start, options: argparse.Namespace) -> str | None:
    """Be a guest in somebody else's loop, as in a web framework or a notebook."""
    return asyncio.run(main(start, options))


async def main(start: Start, options: argparse.Namespace) -> str | None:
    """An asyncio program like any other, whose signals are its own business."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)

    # In the end this closes every port and connection.
    async with reactor:
        work = start(options)
        if work is None:
            await stopped.wait()
            return None
        task = asyncio.ensure_future(work)
        task.add_done_callback(lambda _: stopped.set())
        await stopped.wait()
        task.cancel()  # does nothing where the task is done
        return await task


# -- what the examples share --------------------------------------------------

WAYS: dict[str, Callable[[Start, argparse.Namespace], str | None]] = {
    "reactor": with_reactor_run,
    "asyncio": with_asyncio_run,
    "uvloop": with_uvloop,
}


def run(start: Start, parser: argparse.ArgumentParser) -> NoReturn:
    """Run a program as its command line says, and exit: 0, or 1 and a line on stderr."""
    parser.add_argument("--loop", choices=WAYS, default="reactor", help="who runs the loop")
    options = parser.parse_args()
    try:
        problem = WAYS[options.loop](start, options)
    except asyncio.CancelledError:
        problem = "interrupted"
    except (OSError, BindError, ConnectError, ConnectionClosed) as exception:
        problem = str(exception)
    sys.exit(f"{parser.prog}: {problem}" if problem else 0)


def parser(doc: str | None, port: int | None = None) -> argparse.ArgumentParser:
    """A command line whose help is the example's docstring; a server has a default port."""
    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if port is not None:
        made.add_argument("--port", type=int, default=port, help="0 for any that is free")
        made.add_argument("--interface", default="127.0.0.1", help="the address to listen on")
    return made


def address(text: str) -> tuple[str, int]:
    """The type of an argument `[host:]port`."""
    host, _, port = text.rpartition(":")
    return host or "127.0.0.1", int(port)


#: The poem that the examples use unless told otherwise.
POEM = Path(__file__).with_name("poems") / "hope.txt"


def announce(port: Port, hint: str) -> None:
    """
    Say where a server listens.

    Args:
        hint: how to talk to it; `{port}` stands for the port's number.
    """
    where: Any = port.getHost()
    line = f"Listening on {where.host}:{where.port} - try: {hint.format(port=where.port)}"
    # Once the loop runs, a SIGTERM ends the program in good order: not before, so wait.
    reactor.callWhenRunning(print, line, flush=True)
