"""SOCKS 4 and 4A."""

from __future__ import annotations

import ipaddress
from typing import Any

from reactorlib.internet.protocol import Factory
from reactorlib.protocols.socks._ends import SOCKSv4Incoming
from reactorlib.protocols.socks._tunnel import Authorize, Tunnel
from reactorlib.protocols.socks._wire import InvalidRequest, Reader4, reply4

__all__ = ["SOCKSv4", "SOCKSv4Factory"]

_GRANTED, _REJECTED = 90, 91


class SOCKSv4(Tunnel):
    """
    A server of SOCKS 4 and 4A: CONNECT and BIND, to IPv4 addresses and names.

    The user's name is what the client says, and proves nothing.
    """

    def __init__(self, logging: str | None = None, reactor: Any = None) -> None:
        super().__init__(logging, reactor)
        self._reader = Reader4()

    @property
    def _buffered(self) -> Reader4:
        return self._reader

    def _advance(self) -> None:
        if self._busy:
            return
        try:
            request = self._reader.next_request()
        except InvalidRequest as error:
            self._failed(error)
            return
        if request is not None:
            self._start(self._serve(request))

    def _can_reach(self, host: str) -> bool:
        return ":" not in host

    def _succeeded(self, host: str, port: int) -> None:
        self.makeReply(_GRANTED, port=port, ip=host)

    def _accept_reply(self, end: SOCKSv4Incoming) -> None:
        self.makeReply(_GRANTED)

    def _failed(self, error: BaseException) -> None:
        self.makeReply(_REJECTED)

    def makeReply(self, reply: int, version: int = 0, port: int = 0, ip: str = "0.0.0.0") -> None:  # noqa: S104
        """
        Reply; and close, unless the request is granted.

        Args:
            reply: 90 for granted, 91 for rejected or failed.
            version: of the reply, which is 0.
            port: to tell the client.
            ip: likewise, an IPv4 address.
        """
        self.transport.write(reply4(reply, str(ipaddress.IPv4Address(ip)), port, version))
        if reply != _GRANTED:
            self._close()


class SOCKSv4Factory(Factory[SOCKSv4]):
    """
    Serves SOCKS 4 and 4A.

    Args:
        log: the path of a file to which all that is passed on is added; None for none.
        authorize: called as `SOCKSv4.authorize` is, in its place; None allows all.
        reactor: what connects and listens; None for the one that runs.
    """

    protocol = SOCKSv4

    def __init__(
        self,
        log: str | None = None,
        authorize: Authorize | None = None,
        reactor: Any = None,
    ) -> None:
        self.logging = log
        self.authorize = authorize
        self.reactor = reactor

    def buildProtocol(self, addr: Any) -> SOCKSv4:
        """The client's end."""
        protocol = self.protocol(self.logging, self.reactor)
        protocol.factory = self
        return protocol
