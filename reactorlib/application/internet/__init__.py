"""
Services that use the network, or time.

`StreamServerEndpointService` and `ClientService` take endpoints, and so work over
whatever there is an endpoint for. Those named after a method of the reactor's
(`TCPServer`, `UNIXClient` ...) take that method's arguments.
"""

from __future__ import annotations

from reactorlib.application.internet._client import ClientService, backoffPolicy
from reactorlib.application.internet._listening import StreamServerEndpointService
from reactorlib.application.internet._reactor_calls import (
    MulticastServer,
    SSLClient,
    SSLServer,
    TCPClient,
    TCPServer,
    UDPServer,
    UNIXClient,
    UNIXDatagramClient,
    UNIXDatagramServer,
    UNIXServer,
)
from reactorlib.application.internet._timed import CooperatorService, TimerService

__all__ = [
    "ClientService",
    "CooperatorService",
    "MulticastServer",
    "SSLClient",
    "SSLServer",
    "StreamServerEndpointService",
    "TCPClient",
    "TCPServer",
    "TimerService",
    "UDPServer",
    "UNIXClient",
    "UNIXDatagramClient",
    "UNIXDatagramServer",
    "UNIXServer",
    "backoffPolicy",
]
