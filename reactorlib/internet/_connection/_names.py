"""Who is at the ends of a connection, and what it is called."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from reactorlib.internet._connection._core import Core
from reactorlib.internet._current import reactor_of
from reactorlib.internet.address import UNIXAddress, from_sockname

if TYPE_CHECKING:
    from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor

__all__ = ["Named"]


class Named(Core):
    """A connection that knows its addresses."""

    __slots__ = ()

    def getHandle(self) -> Any:
        """The socket, to read and set its options; with TLS, the `ssl.SSLObject`."""
        return self.socket

    @property
    def socket(self) -> Any:
        """The socket, to read and set its options."""
        return self._transport.get_extra_info("socket")

    @property
    def reactor(self) -> AsyncioSelectorReactor:
        """The reactor that it belongs to: that of its loop."""
        return reactor_of(self._loop)

    def fileno(self) -> int:
        """The number of the socket's file descriptor; -1 where there is none any more."""
        sock = self._transport.get_extra_info("socket")
        return -1 if sock is None else int(sock.fileno())

    def getPeer(self) -> Any:
        """Where the other end is."""
        return self._address("peername")

    def getHost(self) -> Any:
        """Where this end is."""
        return self._address("sockname")

    def _address(self, which: str) -> Any:
        sock = self._transport.get_extra_info("socket")
        if sock is None:
            return UNIXAddress(None)  # in memory, both ends are without a name
        return from_sockname(self._transport.get_extra_info(which), sock.family)

    @property
    def logstr(self) -> str:
        """What it is called in logs: its protocol, its number, and who the peer is."""
        name = self.logPrefix()
        if self._origin.client:
            return f"{name},client"
        return f"{name},{self.sessionno},{getattr(self.getPeer(), 'host', '')}"

    def logPrefix(self) -> str:
        """The protocol's name in logs."""
        named = getattr(self.protocol, "logPrefix", None)
        if named is not None:
            return str(named())
        return type(self if self.protocol is None else self.protocol).__name__

    def __repr__(self) -> str:
        name = type(self if self.protocol is None else self.protocol).__name__
        if not self.connected:
            return f"<{name}, not connected>"
        state = ", closing" if self.disconnecting else ""
        if self._origin.client:
            return f"<{name} to {_where(self.getPeer())}{state}>"
        number = f" #{self.sessionno}" if self.sessionno >= 0 else ""
        host = self.getHost()
        return f"<{name}{number} on {getattr(host, 'port', None) or _where(host)}{state}>"


def _where(address: Any) -> str:
    """An address, in short."""
    if isinstance(address, UNIXAddress):
        return "nowhere" if address.name is None else repr(os.fsdecode(address.name))
    return f"{address.host}:{address.port}"
