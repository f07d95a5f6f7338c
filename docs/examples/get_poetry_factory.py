"""
Fetch poems from several servers at once; first style: methods that are called.

The protocol collects one poem and tells its factory; the factory passes it on to
the functions that it was given. There is one factory for each poem. Compare
get_poetry_deferred.py and get_poetry_async.py, which do the same.

    python slow_poetry.py --port 8010 &
    python slow_poetry.py --port 8011 --poem poems/rose.txt &
    python get_poetry_factory.py 8010 8011
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import three_ways

from reactorlib.internet import reactor
from reactorlib.internet.defer import Deferred
from reactorlib.internet.error import ConnectionDone
from reactorlib.internet.interfaces import IConnector
from reactorlib.internet.protocol import ClientFactory, Protocol, connectionDone
from reactorlib.python.failure import Failure


class PoetryProtocol(Protocol):
    """Collects one poem, which is whole when the server hangs up."""

    factory: PoetryFactory

    def connectionMade(self) -> None:
        """Nothing has come yet."""
        self.poem = bytearray()

    def dataReceived(self, data: bytes) -> None:
        """A piece came."""
        self.poem += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """That was all, unless the connection broke."""
        if reason.check(ConnectionDone):
            self.factory.poem_received(bytes(self.poem))
        else:
            self.factory.poem_failed(reason)


class PoetryFactory(ClientFactory[PoetryProtocol]):
    """
    Fetches one poem; calls exactly one of two functions, once.

    Args:
        poem_received: called with the poem.
        poem_failed: called with the reason why there is none.
    """

    protocol = PoetryProtocol

    def __init__(
        self,
        poem_received: Callable[[bytes], object],
        poem_failed: Callable[[Failure], object],
    ) -> None:
        self.poem_received = poem_received
        self.poem_failed = poem_failed

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """The server could not be reached."""
        self.poem_failed(reason)


class Collection:
    """Counts the poems that are still to come; the callbacks have to be kept somewhere."""

    def __init__(self, count: int) -> None:
        self.missing = count
        self.problems: list[str] = []
        self.done: Deferred[str | None] = Deferred()

    def fetch(self, host: str, port: int) -> None:
        """Ask for one poem."""

        def received(poem: bytes) -> None:
            print(poem.decode())
            self.one_less()

        def failed(reason: Failure) -> None:
            self.problems.append(f"{host}:{port}: {reason.getErrorMessage()}")
            self.one_less()

        reactor.connectTCP(host, port, PoetryFactory(received, failed))

    def one_less(self) -> None:
        """One poem has come or failed; the last one ends the program."""
        self.missing -= 1
        if self.missing == 0:
            self.done.callback("\n".join(self.problems) or None)


def start(options: argparse.Namespace) -> Deferred[str | None]:
    """Ask for all poems; each is printed as it comes."""
    collection = Collection(len(options.servers))
    for host, port in options.servers:
        collection.fetch(host, port)
    return collection.done


if __name__ == "__main__":
    parser = three_ways.parser(__doc__)
    parser.add_argument("servers", type=three_ways.address, nargs="+", help="[host:]port ...")
    three_ways.run(start, parser)
