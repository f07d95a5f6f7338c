"""
A client of the echo server: it says a few lines and prints what comes back.

It shows a client's factory, which is told of connections that could not be made,
and a Deferred, by which the program learns that all is done.

    python echo_server.py &
    python echo_client.py 8000 "Hello, world!" "What a fine day it is."
"""

from __future__ import annotations

import argparse

import three_ways

from reactorlib.internet import reactor
from reactorlib.internet.defer import Deferred
from reactorlib.internet.interfaces import IConnector
from reactorlib.internet.protocol import ClientFactory, connectionDone
from reactorlib.protocols.basic import LineReceiver
from reactorlib.python.failure import Failure


class EchoClient(LineReceiver):
    """Says its lines, and hangs up when it has heard as many."""

    factory: EchoClientFactory

    def connectionMade(self) -> None:
        """Say all lines at once: there is no need to wait for each answer."""
        self.expected = len(self.factory.lines)
        for line in self.factory.lines:
            self.sendLine(line.encode())

    def lineReceived(self, line: bytes) -> None:
        """Print an answer."""
        print("The server said:", line.decode())
        self.expected -= 1
        if self.expected == 0:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Say how it went."""
        if self.expected:
            self.factory.done.callback(f"{self.expected} lines did not come back")
        else:
            self.factory.done.callback(None)


class EchoClientFactory(ClientFactory[EchoClient]):
    """Makes the one client, and knows what it is to say."""

    protocol = EchoClient

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.done: Deferred[str | None] = Deferred()

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """Nobody is there."""
        self.done.errback(reason)


def start(options: argparse.Namespace) -> Deferred[str | None]:
    """Connect."""
    host, port = options.server
    factory = EchoClientFactory(options.lines)
    reactor.connectTCP(host, port, factory)
    return factory.done


if __name__ == "__main__":
    parser = three_ways.parser(__doc__)
    parser.add_argument("server", type=three_ways.address, help="[host:]port")
    parser.add_argument("lines", nargs="*", default=["Hello, world!"], help="what to say")
    three_ways.run(start, parser)
