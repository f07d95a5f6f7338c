"""
Fetch poems from several servers at once; third style: coroutines.

A Deferred can be awaited, and so everything of asyncio's can be used with it:
here `gather`, which runs the coroutines at once, and `timeout`, which cancels the
Deferred that is being waited for when time is up. Compare get_poetry_factory.py
and get_poetry_deferred.py, which do the same.

    python slow_poetry.py --port 8010 &
    python slow_poetry.py --port 8011 --poem poems/rose.txt &
    python get_poetry_async.py 8010 8011
    python get_poetry_async.py --timeout 1 8010 8011
"""

from __future__ import annotations

import argparse
import asyncio

import three_ways

from reactorlib.internet import reactor
from reactorlib.internet.defer import Deferred
from reactorlib.internet.endpoints import TCP4ClientEndpoint
from reactorlib.internet.error import ConnectionDone
from reactorlib.internet.protocol import Factory, Protocol, connectionDone
from reactorlib.python.failure import Failure


class PoetryProtocol(Protocol):
    """
    Collects one poem, which is whole when the server hangs up.

    Attributes:
        finished: fires when the connection is lost: with None if all has come, or
            with why it has not. Nobody may be waiting for that any more, so it is no
            failure, which would be reported.
    """

    def __init__(self) -> None:
        self.poem = bytearray()
        self.finished: Deferred[BaseException | None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """A piece came."""
        self.poem += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """That was all, unless the connection broke."""
        self.finished.callback(None if reason.check(ConnectionDone) else reason.value)


async def get_poetry(host: str, port: int, limit: float) -> str:
    """
    Fetch a poem, within `limit` seconds.

    Raises:
        TimeoutError: it has not come by then, or not all of it.
        ConnectError, ConnectionLost: there is no connection, or no more.
    """
    endpoint = TCP4ClientEndpoint(reactor, host, port)
    try:
        async with asyncio.timeout(limit):
            protocol = await endpoint.connect(Factory.forProtocol(PoetryProtocol))
            try:
                problem = await protocol.finished
            finally:
                protocol.transport.loseConnection()
            if problem is not None:
                raise problem
    except TimeoutError:
        raise TimeoutError(f"no whole poem within {limit:g} seconds") from None
    return bytes(protocol.poem).decode()


async def start(options: argparse.Namespace) -> str | None:
    """Ask for all poems, and print them in the order asked for."""
    fetching = [get_poetry(host, port, options.timeout) for host, port in options.servers]
    outcomes = await asyncio.gather(*fetching, return_exceptions=True)
    problems = []
    for (host, port), outcome in zip(options.servers, outcomes, strict=True):
        if isinstance(outcome, BaseException):
            problems.append(f"{host}:{port}: {outcome}")
        else:
            print(outcome)
    return "\n".join(problems) or None


if __name__ == "__main__":
    parser = three_ways.parser(__doc__)
    parser.add_argument("servers", type=three_ways.address, nargs="+", help="[host:]port ...")
    parser.add_argument("--timeout", type=float, default=30, help="seconds for each poem")
    three_ways.run(start, parser)
