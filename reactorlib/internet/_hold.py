"""
Ending a port without a reset for those who have just connected.

A port that is closed resets whoever has connected and was not accepted yet, and
there is always somebody between the last accept and the close. Linux lets a socket
that listens have a filter. With one that drops what begins a connection, a SYN
without ACK (RFC 9293 section 3.5), nobody new is let in, those who are half-way come
in, and are accepted. Who is dropped tries again a second later, and is refused then,
or is served by the program that listens there next.
"""

from __future__ import annotations

import array
import socket
import struct
import sys
from typing import Any

from reactorlib.internet import tcp

__all__ = ["ARRIVAL", "filtered", "hold_back"]

#: How long those who are half-way in may take, in seconds: longer than most round
#: trips, and shorter than anybody minds at the end of a program.
ARRIVAL = 0.15

_SO_ATTACH_FILTER = 26

#: The classic BPF program, each instruction with its code, jumps and operand. It sees
#: the TCP header, whose byte 13 has the flags.
_DROP_SYN = (
    (0x30, 0, 0, 13),  # load the byte
    (0x54, 0, 0, 0x12),  # of it, SYN and ACK
    (0x15, 0, 1, 0x02),  # is it SYN alone?
    (0x06, 0, 0, 0),  # then keep nothing,
    (0x06, 0, 0, 0xFFFFFFFF),  # else all
)


def hold_back(reactor: Any) -> bool:
    """
    Let nobody new in at the TCP ports of a reactor.

    Returns:
        whether that can be done here, and there are such ports.
    """
    ports = [port for port in reactor._ports if isinstance(port, tcp.Port)]
    done = [filtered(port._socket) for port in ports if port._socket is not None]
    return True in done


def filtered(sock: socket.socket) -> bool:
    """Let nobody new in at a socket; whether that can be done."""
    if not sys.platform.startswith("linux"):
        return False
    program = array.array("B", b"".join(struct.pack("=HBBI", *each) for each in _DROP_SYN))
    address, _ = program.buffer_info()
    try:
        option = struct.pack("@HP", len(_DROP_SYN), address)
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, option)
    except OSError:
        return False
    return True
