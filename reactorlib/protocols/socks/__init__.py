"""
A SOCKS server: connections that clients ask to have made for them.

    reactor.listenTCP(1080, SOCKSFactory(), interface="127.0.0.1")

SOCKS 4 and 4A, and SOCKS 5 (RFC 1928) without a login or with a name and a password
(RFC 1929): CONNECT and BIND. Without an `authorize`, whoever can reach the port can
reach what this host can, its own services too.
"""

from __future__ import annotations

from reactorlib.protocols.socks._either import SOCKS, SOCKSFactory
from reactorlib.protocols.socks._ends import (
    SOCKSv4Incoming,
    SOCKSv4IncomingFactory,
    SOCKSv4Outgoing,
)
from reactorlib.protocols.socks._v4 import SOCKSv4, SOCKSv4Factory
from reactorlib.protocols.socks._v5 import SOCKSv5, SOCKSv5Factory

__all__ = [
    "SOCKS",
    "SOCKSFactory",
    "SOCKSv4",
    "SOCKSv4Factory",
    "SOCKSv4Incoming",
    "SOCKSv4IncomingFactory",
    "SOCKSv4Outgoing",
    "SOCKSv5",
    "SOCKSv5Factory",
]
