"""
Messages with something beside the data, such as file descriptors: sendmsg(2), recvmsg(2).

The names are those of old; `socket.sendmsg` and `socket.recvmsg` do the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from socket import CMSG_SPACE, SCM_RIGHTS
from socket import socket as Socket
from typing import NamedTuple

__all__ = ["SCM_RIGHTS", "ReceivedMessage", "getSocketFamily", "recvmsg", "sendmsg"]


class ReceivedMessage(NamedTuple):
    """
    What `recvmsg` returns.

    Attributes:
        data: the bytes that came.
        ancillary: what came beside them: level, type and bytes of each.
        flags: what is to be known of the message: `MSG_TRUNC`, `MSG_CTRUNC` ...
    """

    data: bytes
    ancillary: list[tuple[int, int, bytes]]
    flags: int


def sendmsg(
    socket: Socket,
    data: bytes,
    ancillary: Sequence[tuple[int, int, bytes]] = (),
    flags: int = 0,
) -> int:
    """
    Send a message.

    Args:
        ancillary: what to send beside the data: level, type and bytes of each,
            such as `(SOL_SOCKET, SCM_RIGHTS, struct.pack("i", descriptor))`.
        flags: of the `MSG_` constants.

    Returns:
        how many bytes of the data were taken.

    Raises:
        OSError: what the system says.
    """
    return socket.sendmsg([data], ancillary, flags)


def recvmsg(
    socket: Socket, maxSize: int = 8192, cmsgSize: int = 4096, flags: int = 0
) -> ReceivedMessage:
    """
    Receive a message.

    Args:
        maxSize: the most bytes of data to take.
        cmsgSize: the most bytes to take beside the data.
        flags: of the `MSG_` constants.

    Raises:
        OSError: what the system says.
    """
    data, ancillary, told, _ = socket.recvmsg(maxSize, CMSG_SPACE(cmsgSize), flags)
    return ReceivedMessage(data, ancillary, told)


def getSocketFamily(socket: Socket) -> int:
    """The socket's family, an `AF_` constant."""
    return socket.family
