"""A connection over TCP, and what TLS adds to one."""

from __future__ import annotations

import socket

from zope.interface import implementer

from reactorlib.internet._connection import Connection
from reactorlib.internet._secure import Secure
from reactorlib.internet.interfaces import INegotiated, ITLSTransport

__all__ = ["SecureTCPConnection", "TCPConnection"]


@implementer(ITLSTransport)
class TCPConnection(Connection):
    """A connection with the options that TCP has."""

    __slots__ = ()

    def getTcpNoDelay(self) -> bool:
        """Whether small pieces leave at once. True at first: asyncio sets it."""
        return self._option(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Whether small pieces are to leave at once."""
        self._set_option(socket.IPPROTO_TCP, socket.TCP_NODELAY, enabled)

    def getTcpKeepAlive(self) -> bool:
        """Whether the system probes the peer while nothing is said."""
        return self._option(socket.SOL_SOCKET, socket.SO_KEEPALIVE)

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Whether the system is to probe the peer while nothing is said."""
        self._set_option(socket.SOL_SOCKET, socket.SO_KEEPALIVE, enabled)

    def _option(self, level: int, option: int) -> bool:
        return bool(self._transport.get_extra_info("socket").getsockopt(level, option))

    def _set_option(self, level: int, option: int, enabled: bool) -> None:
        self._transport.get_extra_info("socket").setsockopt(level, option, int(enabled))


@implementer(INegotiated)
class SecureTCPConnection(Secure, TCPConnection):
    """A TCP connection that is encrypted."""

    __slots__ = ()


TCPConnection._secure = SecureTCPConnection
