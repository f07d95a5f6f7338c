"""
The client of the UDP benchmark: the same for every peer, and cheaper than any server.

As in the echo benchmark: blocking sockets, served in turn, each with one datagram
on its way. That many fit into the server's receive buffer, so none is lost.
"""

from __future__ import annotations

import socket
import time

from benchmarks._echo_client import Traffic

#: Seconds without an answer after which a datagram counts as lost.
PATIENCE = 2.0


class Datagrams:
    """The sockets that talk to one server."""

    def __init__(self, port: int, traffic: Traffic) -> None:
        self._payload = traffic.payload
        self._sockets: list[socket.socket] = []
        for _ in range(traffic.connections):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.connect(("127.0.0.1", port))
            sock.settimeout(PATIENCE)
            self._sockets.append(sock)

    def run(self, seconds: float) -> int:
        """
        Exchange datagrams for that long, and leave none on its way.

        Returns:
            The number of datagrams that came back.

        Raises:
            TimeoutError: one was lost.
            ConnectionError: the server is gone, or answered wrongly.
        """
        payload, size = self._payload, len(self._payload) + 1
        end = time.monotonic() + seconds
        for sock in self._sockets:
            sock.send(payload)
        passes = 1
        while time.monotonic() < end:
            for sock in self._sockets:
                sock.recv(size)
                sock.send(payload)
            passes += 1
        for sock in self._sockets:
            if sock.recv(size) != payload:
                raise ConnectionError("the server answered wrongly")
        return passes * len(self._sockets)

    def close(self) -> None:
        """Close every socket."""
        for sock in self._sockets:
            sock.close()
