"""
One connection: asyncio's protocol on one side, Twisted's transport on the other.

A `Connection` is what asyncio's transport calls, and what a Twisted protocol
writes to. It is one small object, since there is one for every connection, and
it adds to the path of a read no more than this: writes made while a read is
handled are kept back and leave together when `dataReceived` has returned (see
`_turn`).

States: made (no transport) -> open -> disconnecting (`loseConnection`: what is
written still leaves) -> lost. `_ending` is the exception that says why, once it
is known before asyncio says that the connection is gone. Each direction can end
by itself before that (half-close).

Backpressure. `_choked` is whether asyncio's write buffer is over its limit; a
producer, and whoever drains, hear of it through a `Flow`. A protocol that has
neither is protected too: while it answers what it reads, and the peer does not
take the answers, no more is read from that peer.

TLS is another asyncio transport between this object and the loop's; see
`_tls_transport`. A connection with TLS is an object of another class, so that
`ISSLTransport` and its methods are there exactly then.
"""

from reactorlib.internet._connection._connection import Connection
from reactorlib.internet._connection._core import Builder, Origin, begin

__all__ = ["Builder", "Connection", "Origin", "begin"]
