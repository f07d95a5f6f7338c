"""What endpoints connect: the protocol that the factory makes."""

from __future__ import annotations

import asyncio
from typing import Any, reveal_type

from reactorlib.internet import reactor
from reactorlib.internet.endpoints import (
    HostnameEndpoint,
    ProcessEndpoint,
    TCP4ClientEndpoint,
    connectProtocol,
    wrapClientTLS,
)
from reactorlib.internet.protocol import Factory, Protocol


class Mine(Protocol):
    """A protocol."""


class Theirs(asyncio.Protocol):
    """One of asyncio's."""


tcp = TCP4ClientEndpoint(reactor, "localhost", 80)
by_name = HostnameEndpoint(reactor, "localhost", 80)

reveal_type(tcp.connect(Factory.forProtocol(Mine)))  # R: Deferred[Mine]
factory: Factory[Mine] = Factory.forProtocol(Mine)
reveal_type(tcp.connect(factory))  # R: Deferred[Mine]
reveal_type(by_name.connect(factory))  # R: Deferred[Mine]
reveal_type(by_name.connect(Theirs))  # R: Deferred[Theirs]
reveal_type(wrapClientTLS(None, tcp).connect(lambda: Theirs()))  # R: Deferred[Theirs]
reveal_type(ProcessEndpoint(reactor, "cat").connect(factory))  # R: Deferred[Mine]
anything: Any = None
reveal_type(tcp.connect(anything))  # R: Deferred[Any]
reveal_type(connectProtocol(tcp, Mine()))  # R: Deferred[Mine]
