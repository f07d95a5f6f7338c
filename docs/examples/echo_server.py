"""
An echo server: whatever a client sends comes back to it.

It shows the two objects that every server is made of. A protocol is one
conversation: there is one for each connection. A factory makes them.

    python echo_server.py
    nc localhost 8000
"""

from __future__ import annotations

import argparse

import three_ways

from reactorlib.internet import reactor
from reactorlib.internet.protocol import Factory, Protocol


class Echo(Protocol):
    """One conversation."""

    def dataReceived(self, data: bytes) -> None:
        """Bytes came in, cut anywhere: for an echo it does not matter where."""
        self.transport.write(data)


def start(options: argparse.Namespace) -> None:
    """Listen."""
    factory: Factory[Echo] = Factory.forProtocol(Echo)
    port = reactor.listenTCP(options.port, factory, interface=options.interface)
    three_ways.announce(port, "nc localhost {port}")


if __name__ == "__main__":
    three_ways.run(start, three_ways.parser(__doc__, port=8000))
