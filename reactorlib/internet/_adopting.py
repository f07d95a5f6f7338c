"""Sockets that somebody else has made."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection

from reactorlib.internet import error

__all__ = ["adopt"]

_NAMES = {socket.SOCK_STREAM: "a stream", socket.SOCK_DGRAM: "for datagrams"}


def adopt(
    descriptor: int, family: int, kind: socket.SocketKind, families: Collection[int]
) -> socket.socket:
    """
    A socket of our own over a duplicate of somebody's descriptor.

    Args:
        family, kind: what it has to be.
        families: those that can be used.

    Raises:
        UnsupportedAddressFamily: the family is none of those, or not the socket's own.
        UnsupportedSocketType: the socket is of another type.
        OSError: it is no socket.
    """
    if family not in families:
        raise error.UnsupportedAddressFamily(family)
    duplicate = os.dup(descriptor)
    try:
        sock = socket.socket(family, kind, fileno=duplicate)
    except BaseException:
        os.close(duplicate)
        raise
    try:
        found = sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)
        if found != kind:
            raise error.UnsupportedSocketType(
                f"descriptor {descriptor} is a socket of type {found}, not {_NAMES[kind]}"
            )
        if hasattr(socket, "SO_DOMAIN"):
            known = sock.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN)
            if known != family:
                raise error.UnsupportedAddressFamily(
                    f"descriptor {descriptor} is a socket of family {known}, not {family}"
                )
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock
