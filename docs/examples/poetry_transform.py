"""
A service that transforms poems.

It shows messages rather than a stream of bytes. A request is a netstring, a
transformation's name, a full stop and the poem:

    19:shout.O Rose, thou!,

and the answer is another: the poem, transformed. `NetstringReceiver` does the
framing, and hangs up on whoever sends something else.

    python poetry_transform.py
    python transform_client.py 8012 shout
    printf '19:shout.O Rose, thou!,' | nc -N localhost 8012
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import three_ways

from reactorlib.internet import reactor
from reactorlib.internet.protocol import Factory
from reactorlib.protocols.basic import NetstringReceiver

# -- transformations: plain Python --------------------------------------------


def backwards(poem: str) -> str:
    """The last line first."""
    return "\n".join(reversed(poem.split("\n")))


TRANSFORMATIONS: dict[str, Callable[[str], str]] = {
    "lower": str.lower,
    "shout": str.upper,
    "backwards": backwards,
}

# -- the protocol -------------------------------------------------------------


class TransformProtocol(NetstringReceiver):
    """One client, with any number of requests."""

    def stringReceived(self, string: bytes) -> None:
        """A request came; one that makes no sense is answered by hanging up."""
        name, dot, poem = string.decode(errors="replace").partition(".")
        transform = TRANSFORMATIONS.get(name)
        if not dot or transform is None:
            self.transport.loseConnection()
            return
        self.sendString(transform(poem).encode())


def start(options: argparse.Namespace) -> None:
    """Listen."""
    factory: Factory[TransformProtocol] = Factory.forProtocol(TransformProtocol)
    port = reactor.listenTCP(options.port, factory, interface=options.interface)
    three_ways.announce(port, "python transform_client.py {port} shout")


if __name__ == "__main__":
    three_ways.run(start, three_ways.parser(__doc__, port=8012))
