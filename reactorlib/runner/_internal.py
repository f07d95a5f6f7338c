"""
The services that an inetd has itself, on datagrams: RFC 862, 863, 864, 867 and 868.

Two of them whose datagrams are made to look like each other's would talk for ever, and
one datagram could make another host be sent many times as much. So nothing is answered
that comes from a port at which such a service may be, and no answer to a stranger is
longer than 512 bytes.
"""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Callable
from typing import Any

from reactorlib.internet.protocol import DatagramProtocol
from reactorlib.protocols.wire import Chargen

__all__ = ["DatagramService", "internalDatagrams"]

# Below that are the ports of services; clients ask from above.
_FIRST_USER_PORT = 1024
# Seconds from 1900, where RFC 868 begins, to 1970.
_EPOCH = 2208988800


def _echo(data: bytes) -> bytes:
    return data


def _discard(data: bytes) -> None:
    return None


def _chargen(data: bytes) -> bytes:
    """From 0 to 512 characters: RFC 864."""
    line = Chargen.noise + b"\r\n"
    return (line * 8)[: random.randrange(513)]


def _daytime(data: bytes) -> bytes:
    return time.asctime(time.gmtime()).encode("ascii") + b"\r\n"


def _time(data: bytes) -> bytes:
    return struct.pack("!I", (int(time.time()) + _EPOCH) % 2**32)


#: What each answers to a datagram; None for nothing.
internalDatagrams: dict[str, Callable[[bytes], bytes | None]] = {
    "echo": _echo,
    "discard": _discard,
    "chargen": _chargen,
    "daytime": _daytime,
    "time": _time,
}


class DatagramService(DatagramProtocol):
    """
    Answers each datagram by itself.

    Args:
        name: which of `internalDatagrams`.
    """

    noisy = False

    def __init__(self, name: str) -> None:
        self.name = name

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Answer, unless it comes from a service's port, or from nobody that has a name."""
        if isinstance(addr, tuple) and addr[1] < _FIRST_USER_PORT:
            return
        answer = internalDatagrams[self.name](datagram)
        if answer is not None and addr:
            self.transport.write(answer, addr)
