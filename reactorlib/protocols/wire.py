"""The small services of early networks: each says or does one thing."""

from __future__ import annotations

import struct
import time
from typing import Any

from zope.interface import implementer

from reactorlib.internet.interfaces import IPullProducer
from reactorlib.internet.protocol import Protocol

__all__ = ["QOTD", "Chargen", "Daytime", "Discard", "Echo", "Time", "Who"]

# Seconds from 1900, where RFC 868 begins, to 1970.
_EPOCH = 2208988800


class Echo(Protocol):
    """Send back what comes: RFC 862."""

    def dataReceived(self, data: bytes) -> None:
        """Send it back."""
        self.transport.write(data)


class Discard(Protocol):
    """Drop what comes: RFC 863."""

    def dataReceived(self, data: bytes) -> None:
        """Drop it."""


@implementer(IPullProducer)
class Chargen(Protocol):
    """
    Send characters for as long as the peer takes them: RFC 864.

    Attributes:
        noise: what is sent again and again.
    """

    noise = b'@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~ !"#$%&?'

    def connectionMade(self) -> None:
        """Begin."""
        self.transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        """Send the characters once."""
        self.transport.write(self.noise)

    def pauseProducing(self) -> None:
        """Nothing: it sends only what it is asked for."""

    def stopProducing(self) -> None:
        """Close the connection."""
        self.transport.unregisterProducer()
        self.transport.loseConnection()


class QOTD(Protocol):
    """Say something, and close: RFC 865."""

    def connectionMade(self) -> None:
        """Say it."""
        self.transport.write(self.getQuote())
        self.transport.loseConnection()

    def getQuote(self) -> bytes:
        """What is said. For subclasses."""
        return b"An apple a day keeps the doctor away.\r\n"


class Who(Protocol):
    """Say who is logged in, and close: RFC 866."""

    def connectionMade(self) -> None:
        """Say it."""
        self.transport.write(self.getUsers())
        self.transport.loseConnection()

    def getUsers(self) -> bytes:
        """Who is logged in, a line for each. For subclasses."""
        return b"root\r\n"


class Daytime(Protocol):
    """Say the time of day in words, in UTC, and close: RFC 867."""

    def connectionMade(self) -> None:
        """Say it."""
        self.transport.write(time.asctime(time.gmtime()).encode("ascii") + b"\r\n")
        self.transport.loseConnection()


class Time(Protocol):
    """Say the time in four bytes, and close: RFC 868."""

    def connectionMade(self) -> None:
        """Say the seconds since 1900, which begin again at 0 in 2036."""
        seconds: Any = int(time.time()) + _EPOCH
        self.transport.write(struct.pack("!I", seconds % 2**32))
        self.transport.loseConnection()
