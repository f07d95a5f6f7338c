"""
Have a poem transformed by poetry_transform.py.

It shows how a protocol becomes a method that can be awaited: `transform` sends a
request and returns a Deferred, and the answer, when it comes, fires it.

    python poetry_transform.py &
    python transform_client.py 8012 shout
    python transform_client.py 8012 backwards --poem poems/rose.txt
"""

from __future__ import annotations

import argparse
from pathlib import Path

import three_ways

from reactorlib.internet import reactor
from reactorlib.internet.defer import Deferred
from reactorlib.internet.endpoints import TCP4ClientEndpoint
from reactorlib.internet.protocol import Factory, connectionDone
from reactorlib.protocols.basic import NetstringReceiver
from reactorlib.python.failure import Failure


class TransformClient(NetstringReceiver):
    """Asks for one transformation at a time."""

    answer: Deferred[bytes] | None = None

    def transform(self, name: str, poem: bytes) -> Deferred[bytes]:
        """
        Ask for a transformation.

        Returns:
            a Deferred that fires with the poem as it is then, and fails with
            ConnectionError if the server hangs up instead.
        """
        self.sendString(name.encode() + b"." + poem)
        self.answer = Deferred()
        return self.answer

    def stringReceived(self, string: bytes) -> None:
        """The answer came."""
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.callback(string)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """No answer will come any more."""
        if self.answer is not None:
            self.answer.errback(ConnectionError("the server hung up without an answer"))


async def start(options: argparse.Namespace) -> None:
    """Connect, ask, print, hang up."""
    poem: bytes = options.poem.read_bytes()
    host, port = options.server
    endpoint = TCP4ClientEndpoint(reactor, host, port)
    client: TransformClient = await endpoint.connect(Factory.forProtocol(TransformClient))
    transformed = await client.transform(options.name, poem)
    print(transformed.decode())
    client.transport.loseConnection()


if __name__ == "__main__":
    parser = three_ways.parser(__doc__)
    parser.add_argument("server", type=three_ways.address, help="[host:]port")
    parser.add_argument("name", help="the name of a transformation")
    parser.add_argument("--poem", type=Path, default=three_ways.POEM, help="a text file")
    three_ways.run(start, parser)
