"""
A proxy for a poetry server: it fetches the poem once, and then knows it.

It shows that a function which returns a Deferred need not always wait. Whoever
calls `PoemCache.get` gets a Deferred: one that will fire when the poem has come,
or one that has fired already, because it was there. The caller cannot tell, and
has no need to: its callbacks run in both cases.

    python slow_poetry.py --port 8010 &
    python poetry_proxy.py --port 8014 8010
    nc localhost 8014       (slow; and the second time at once)
"""

from __future__ import annotations

import argparse

import three_ways
from get_poetry_deferred import get_poetry

from reactorlib.internet import reactor
from reactorlib.internet.defer import Deferred, succeed
from reactorlib.internet.protocol import Factory, Protocol, connectionDone
from reactorlib.python.failure import Failure


class PoemCache:
    """The poem of one server, fetched when it is first wanted."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.poem: bytes | None = None

    def get(self) -> Deferred[bytes]:
        """The poem, now or later. Each caller gets a Deferred of its own."""
        if self.poem is not None:
            return succeed(self.poem)
        return get_poetry(self.host, self.port).addCallback(self.keep)

    def keep(self, poem: bytes) -> bytes:
        """Remember a poem, and pass it on to the next callback."""
        self.poem = poem
        return poem


class PoetryProxy(Protocol):
    """One client."""

    factory: ProxyFactory

    def connectionMade(self) -> None:
        """Answer, and hang up, whenever the poem is there."""
        self.answer = self.factory.cache.get().addErrback(self.apologise)
        self.answer.addCallback(self.transport.write)
        self.answer.addCallback(lambda _: self.transport.loseConnection())

    def apologise(self, failure: Failure) -> bytes:
        """What to say instead of the poem. It has not been kept: the next one tries again."""
        return f"No poem today: {failure.getErrorMessage()}\n".encode()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Who has left needs no poem; where it has been sent, this does nothing."""
        self.answer.cancel()


class ProxyFactory(Factory[PoetryProxy]):
    """Makes a protocol for each client; they share the cache."""

    protocol = PoetryProxy

    def __init__(self, cache: PoemCache) -> None:
        self.cache = cache


def start(options: argparse.Namespace) -> None:
    """Listen; the poem is not fetched before somebody wants it."""
    factory = ProxyFactory(PoemCache(*options.server))
    port = reactor.listenTCP(options.port, factory, interface=options.interface)
    three_ways.announce(port, "nc localhost {port}")


if __name__ == "__main__":
    parser = three_ways.parser(__doc__, port=8014)
    parser.add_argument("server", type=three_ways.address, help="[host:]port of the original")
    three_ways.run(start, parser)
