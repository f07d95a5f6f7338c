"""
A server that hangs up on a peer which has said nothing for a while.

It shows a timer that is moved rather than made anew: `reset` on a delayed call
costs next to nothing, so it may be called for every single read.

    python idle_timeout.py --seconds 5
    nc localhost 8013       (type something now and then; then stop)
"""

from __future__ import annotations

import argparse

import three_ways

from reactorlib.internet import reactor
from reactorlib.internet.base import DelayedCall
from reactorlib.internet.protocol import Factory, Protocol, connectionDone
from reactorlib.python.failure import Failure


class Counter(Protocol):
    """Counts the bytes of a peer that keeps talking."""

    factory: CounterFactory
    idle: DelayedCall

    def connectionMade(self) -> None:
        """The clock starts."""
        self.count = 0
        self.idle = reactor.callLater(self.factory.seconds, self.timed_out)

    def dataReceived(self, data: bytes) -> None:
        """The peer lives: the clock starts again."""
        self.idle.reset(self.factory.seconds)
        self.count += len(data)
        self.transport.write(f"{self.count} bytes so far\r\n".encode())

    def timed_out(self) -> None:
        """Nothing came for too long."""
        self.transport.write(f"nothing for {self.factory.seconds:g} s: goodbye\r\n".encode())
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """A clock that nobody needs is stopped."""
        if self.idle.active():
            self.idle.cancel()


class CounterFactory(Factory[Counter]):
    """Makes the counters, which share how long they wait, in seconds."""

    protocol = Counter

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


def start(options: argparse.Namespace) -> None:
    """Listen."""
    factory = CounterFactory(options.seconds)
    port = reactor.listenTCP(options.port, factory, interface=options.interface)
    three_ways.announce(port, "nc localhost {port}")


if __name__ == "__main__":
    parser = three_ways.parser(__doc__, port=8013)
    parser.add_argument("--seconds", type=float, default=10, help="how long to wait for a byte")
    three_ways.run(start, parser)
