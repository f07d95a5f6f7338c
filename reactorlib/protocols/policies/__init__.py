"""
Wrappers: what stands between a transport and a protocol, and looks like the
other one to each. And a time limit to mix into a protocol.

A `WrappingFactory` makes them around the protocols of another factory.
"""

from __future__ import annotations

from reactorlib.protocols.policies._limits import (
    LimitConnectionsByPeer,
    LimitTotalConnectionsFactory,
)
from reactorlib.protocols.policies._logging import (
    SpewingFactory,
    SpewingProtocol,
    TrafficLoggingFactory,
    TrafficLoggingProtocol,
)
from reactorlib.protocols.policies._throttling import ThrottlingFactory, ThrottlingProtocol
from reactorlib.protocols.policies._timeouts import TimeoutFactory, TimeoutMixin, TimeoutProtocol
from reactorlib.protocols.policies._wrapping import ProtocolWrapper, WrappingFactory

__all__ = [
    "LimitConnectionsByPeer",
    "LimitTotalConnectionsFactory",
    "ProtocolWrapper",
    "SpewingFactory",
    "SpewingProtocol",
    "ThrottlingFactory",
    "ThrottlingProtocol",
    "TimeoutFactory",
    "TimeoutMixin",
    "TimeoutProtocol",
    "TrafficLoggingFactory",
    "TrafficLoggingProtocol",
    "WrappingFactory",
]
