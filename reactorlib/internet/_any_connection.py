"""A connection for which the loop decides what it is: what calling a factory makes."""

from __future__ import annotations

import asyncio
import socket

from reactorlib.internet._connection import Connection
from reactorlib.internet._tcp_connection import TCPConnection
from reactorlib.internet._unix_connection import UNIXConnection

__all__ = ["AnyConnection"]


class AnyConnection(TCPConnection):
    """It becomes one of another class as soon as it has a transport."""

    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        sock = transport.get_extra_info("socket")
        over_unix = sock is not None and sock.family == socket.AF_UNIX
        kind: type[Connection] = UNIXConnection if over_unix else TCPConnection
        if transport.get_extra_info("ssl_object") is not None:
            kind = kind._secure  # the loop does TLS itself
        self.__class__ = kind  # type: ignore[assignment]
        self.connection_made(transport)
