"""
A port forwarder: whoever connects to it is connected to somebody else.

It shows a factory around another: who is silent for too long is closed, and one
host has a few connections only. Neither side is read faster than the other takes.

    python port_forwarder.py www.example.org:80
    nc localhost 8010
"""

from __future__ import annotations

import argparse

import three_ways

from reactorlib.internet import reactor
from reactorlib.protocols.policies import LimitConnectionsByPeer, TimeoutFactory
from reactorlib.protocols.portforward import ProxyFactory


def start(options: argparse.Namespace) -> None:
    """Listen."""
    host, port = options.target
    limited = LimitConnectionsByPeer(ProxyFactory(host, port))
    limited.maxConnectionsPerPeer = options.connections
    factory = TimeoutFactory(limited, options.seconds)
    three_ways.announce(
        reactor.listenTCP(options.port, factory, interface=options.interface), "nc localhost {port}"
    )


if __name__ == "__main__":
    parser = three_ways.parser(__doc__, port=8010)
    parser.add_argument("target", type=three_ways.address, metavar="HOST:PORT")
    parser.add_argument("--seconds", type=float, default=600, help="silence before it closes")
    parser.add_argument("--connections", type=int, default=20, help="how many a host may have")
    three_ways.run(start, parser)
