"""
One port for several processes: a socket each, between which the system spreads connections.

They are bound to one address with SO_REUSEPORT. Each has its own queue of those
that wait to be accepted, and all are made before the processes fork, by the one
that starts them: a queue outlives the process that served it.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from reactorlib.internet import tcp, unix
from reactorlib.internet._hold import filtered

__all__ = ["SpreadPorts"]


class SpreadPorts:
    """
    The TCP ports of a reactor that waits for its loop, for so many processes.

    Where the system does not allow it, as for a socket that another user has bound,
    the processes share the one socket that there is; so they do what is no TCP port.

    Args:
        reactor: whose ports.
        count: how many processes.
    """

    def __init__(self, reactor: Any, count: int) -> None:
        self._ports = [port for port in reactor._ports if isinstance(port, tcp.Port)]
        self._files = [
            port for port in reactor._ports if isinstance(port, (unix.Port, unix.DatagramPort))
        ]
        #: For each process but the first, the descriptor of each port, and what is to
        #: take its place.
        self._sockets: list[dict[int, socket.socket]] = [{} for _ in range(count - 1)]
        for port in self._ports:
            original = port._socket
            assert original is not None
            made = _more(original, port.backlog, count - 1)
            for sockets, one in zip(self._sockets, made, strict=False):
                sockets[original.fileno()] = one

    def take(self, number: int) -> None:
        """In the process of that number: have the ports listen at its own sockets."""
        if number > 0:
            for descriptor, sock in self._sockets[number - 1].items():
                os.dup2(sock.fileno(), descriptor, inheritable=False)
        for sockets in self._sockets:
            for sock in sockets.values():
                sock.close()
            sockets.clear()

    def hold_back(self) -> bool:
        """Let nobody new in, at any of the sockets; whether that can be done."""
        sockets = [port._socket for port in self._ports if port._socket is not None]
        sockets += [sock for made in self._sockets for sock in made.values()]
        done = [filtered(sock) for sock in sockets]
        return True in done

    def close(self) -> None:
        """In the process that started the others: keep no queue alive any more, and no file."""
        for file in self._files:
            file._unbind()
        for sockets in self._sockets:
            for sock in sockets.values():
                sock.close()
            sockets.clear()
        for port in self._ports:
            if port._socket is not None:
                # The port still knows its socket; what it is a socket of goes.
                with socket.socket(port._socket.family) as unbound:
                    os.dup2(unbound.fileno(), port._socket.fileno(), inheritable=False)


def _more(original: socket.socket, backlog: int, count: int) -> list[socket.socket]:
    """So many more sockets at the address of one that listens; none if that cannot be."""
    made: list[socket.socket] = []
    try:
        original.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        for _ in range(count):
            sock = socket.socket(original.family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            made.append(sock)
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if original.family == socket.AF_INET6:
                only = original.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
            sock.bind(original.getsockname())
            sock.listen(backlog)
    except (OSError, AttributeError):
        for sock in made:
            sock.close()
        return []
    return made
