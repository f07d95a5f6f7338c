"""Strings that are framed by their length in digits, and a comma."""

from __future__ import annotations

from typing import Any

from reactorlib._sansio.netstrings import NetstringParseError, NetstringParser, encode
from reactorlib.internet.protocol import Protocol

__all__ = ["NetstringReceiver"]


class NetstringReceiver(Protocol):
    """
    Sends and receives netstrings: https://cr.yp.to/proto/netstrings.txt.

    Hangs up on a peer that sends anything else, or a string over `MAX_LENGTH`.

    Attributes:
        MAX_LENGTH: how many bytes a received string may have.
        brokenPeer: 1 after the peer sent what is no netstring, or too long a one;
            all that it sends after that is dropped.
    """

    # As in Twisted: what five digits can say.
    MAX_LENGTH = 99999
    brokenPeer = 0
    __strings: NetstringParser
    __busy = False

    def makeConnection(self, transport: Any) -> None:
        """Take the transport, and expect a netstring."""
        self.__strings = NetstringParser(self.MAX_LENGTH)
        self.brokenPeer = 0
        super().makeConnection(transport)

    def stringReceived(self, string: bytes) -> None:
        """A string came in, without what framed it. For subclasses."""
        raise NotImplementedError("a NetstringReceiver needs a stringReceived()")

    def _give_back(self) -> bytes:
        """What has come and was not delivered: it is the transport's when TLS begins."""
        return self.__strings.take()

    def sendString(self, string: bytes) -> None:
        """Send `string` as a netstring."""
        self.transport.write(encode(string))

    def dataReceived(self, data: bytes) -> None:
        """
        Deliver the strings that `data` completes.

        It may be called while it delivers, with bytes that follow all others.
        """
        if self.brokenPeer:
            return
        strings = self.__strings
        strings.feed(data)
        if self.__busy:
            return
        self.__busy = True
        try:
            strings.limit = self.MAX_LENGTH
            for string in strings.strings():
                self.stringReceived(string)
                strings.limit = self.MAX_LENGTH
        except NetstringParseError:
            if not strings.broken:
                raise  # it is the subclass's own
            self.brokenPeer = 1
            self.transport.loseConnection()
        finally:
            self.__busy = False
