"""
Fetch poems from several servers at once; second style: Deferreds.

`get_poetry` returns at once, with a promise of a poem to which anybody can add
callbacks. Nothing has to count: a `DeferredList` fires when all of its Deferreds
have. Compare get_poetry_factory.py and get_poetry_async.py, which do the same.

    python slow_poetry.py --port 8010 &
    python slow_poetry.py --port 8011 --poem poems/rose.txt &
    python get_poetry_deferred.py 8010 8011
"""

from __future__ import annotations

import argparse
from typing import Any

import three_ways

from reactorlib.internet import reactor
from reactorlib.internet.defer import Deferred, DeferredList
from reactorlib.internet.endpoints import TCP4ClientEndpoint
from reactorlib.internet.error import ConnectionDone
from reactorlib.internet.protocol import Factory, Protocol, connectionDone
from reactorlib.python.failure import Failure


class PoetryProtocol(Protocol):
    """
    Collects one poem, which is whole when the server hangs up.

    Attributes:
        finished: fires with the poem, or fails with the reason why there is
            none. Cancelling it hangs up.
    """

    def __init__(self) -> None:
        self.poem = bytearray()
        self.finished: Deferred[bytes] = Deferred(lambda _: self.transport.abortConnection())

    def dataReceived(self, data: bytes) -> None:
        """A piece came."""
        self.poem += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """That was all, unless the connection broke."""
        if self.finished.called:
            return  # cancelled: nobody waits for the poem any more
        if reason.check(ConnectionDone):
            self.finished.callback(bytes(self.poem))
        else:
            self.finished.errback(reason)


def get_poetry(host: str, port: int) -> Deferred[bytes]:
    """Fetch a poem; fires with it, or fails."""
    endpoint = TCP4ClientEndpoint(reactor, host, port)
    connected: Deferred[PoetryProtocol] = endpoint.connect(Factory.forProtocol(PoetryProtocol))
    # A callback that returns a Deferred has the chain wait for it.
    return connected.addCallback(lambda protocol: protocol.finished)


def show(outcomes: list[tuple[bool, Any]], servers: list[tuple[str, int]]) -> str | None:
    """Print the poems in the order asked for, and say which ones did not come."""
    problems = []
    for (host, port), (succeeded, outcome) in zip(servers, outcomes, strict=True):
        if succeeded:
            print(outcome.decode())
        else:
            problems.append(f"{host}:{port}: {outcome.getErrorMessage()}")
    return "\n".join(problems) or None


def start(options: argparse.Namespace) -> Deferred[str | None]:
    """Ask for all poems, and print them when all are there."""
    poems = [get_poetry(host, port) for host, port in options.servers]
    return DeferredList(poems, consumeErrors=True).addCallback(show, options.servers)


if __name__ == "__main__":
    parser = three_ways.parser(__doc__)
    parser.add_argument("servers", type=three_ways.address, nargs="+", help="[host:]port ...")
    three_ways.run(start, parser)
