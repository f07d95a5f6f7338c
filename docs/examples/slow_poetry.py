"""
A poetry server that takes its time: a few bytes, a pause, a few bytes more.

It shows time without sleeping. `reactor.callLater` asks to be called back, and
meanwhile all the other connections are served. What was asked for and is not
wanted any more has to be cancelled: here, when the listener leaves early.

    python slow_poetry.py --bytes 10 --delay 0.1
    nc localhost 8010

The programs get_poetry_factory.py, get_poetry_deferred.py and
get_poetry_async.py fetch poems from several such servers at once.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import three_ways

from reactorlib.internet import reactor
from reactorlib.internet.base import DelayedCall
from reactorlib.internet.protocol import Factory, Protocol, connectionDone
from reactorlib.python.failure import Failure


class SlowPoet(Protocol):
    """One recital."""

    factory: PoetryFactory
    next_piece: DelayedCall | None = None

    def connectionMade(self) -> None:
        """Begin."""
        self.position = 0
        self.recite()

    def recite(self) -> None:
        """Send a piece, and see to it that the next one follows."""
        end = self.position + self.factory.size
        self.transport.write(self.factory.poem[self.position : end])
        self.position = end
        if end < len(self.factory.poem):
            self.next_piece = reactor.callLater(self.factory.delay, self.recite)
        else:
            self.next_piece = None
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The listener has left, perhaps before the end."""
        if self.next_piece is not None:
            self.next_piece.cancel()


class PoetryFactory(Factory[SlowPoet]):
    """
    Makes the recitals.

    Args:
        poem: what to recite.
        size: how many bytes to send at a time.
        delay: the pause between them, in seconds.
    """

    protocol = SlowPoet

    def __init__(self, poem: bytes, size: int, delay: float) -> None:
        self.poem = poem
        self.size = size
        self.delay = delay


def start(options: argparse.Namespace) -> None:
    """Read the poem once, and listen."""
    factory = PoetryFactory(options.poem.read_bytes(), options.bytes, options.delay)
    port = reactor.listenTCP(options.port, factory, interface=options.interface)
    three_ways.announce(port, "nc localhost {port}")


if __name__ == "__main__":
    parser = three_ways.parser(__doc__, port=8010)
    parser.add_argument("--poem", type=Path, default=three_ways.POEM, help="a text file")
    parser.add_argument("--bytes", type=int, default=10, help="how many to send at a time")
    parser.add_argument("--delay", type=float, default=0.1, help="seconds between them")
    three_ways.run(start, parser)
