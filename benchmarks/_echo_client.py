"""
The client of the echo benchmark: the same for every peer, and cheaper than any server.

It uses blocking sockets and no event loop: every connection has one payload on its
way, and the connections are served in turn, so a pass costs one `recv` and one
`send` a connection while the server always has the other connections to work on.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from benchmarks._child import Child, ChildFailed
from benchmarks._harness import Peer, Sample


@dataclass(frozen=True, slots=True)
class Traffic:
    """
    What the client sends and gets back.

    Args:
        payload: the bytes that each connection sends at once, and must receive again.
        connections: how many there are.
        messages: how many messages the payload counts as.
    """

    payload: bytes
    connections: int
    messages: int = 1


@dataclass(frozen=True, slots=True)
class Timing:
    """How many seconds of traffic come before the measurement, and how many are measured."""

    warm_up: float
    measured: float


class Exchange(Protocol):
    """A client's side of the traffic with one server."""

    def run(self, seconds: float) -> int:
        """Exchange payloads for that long; the number of messages that came back."""

    def close(self) -> None:
        """Close every socket."""


class Connections:
    """The open connections to one server."""

    def __init__(self, port: int, traffic: Traffic) -> None:
        self.set_traffic(traffic)
        self._sockets: list[socket.socket] = []
        for _ in range(traffic.connections):
            connection = socket.create_connection(("127.0.0.1", port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(connection)

    def set_traffic(self, traffic: Traffic) -> None:
        """Carry that from now on."""
        self._traffic = traffic
        self._expected = self.expected(traffic)
        self._answer = bytearray(len(self._expected))

    def expected(self, traffic: Traffic) -> bytes:
        """Return what a server answers to a payload."""
        return traffic.payload

    def run(self, seconds: float) -> int:
        """
        Exchange payloads for that long, and leave none on its way.

        Returns:
            The number of messages that came back.

        Raises:
            ConnectionError: the server closed a connection, or answered wrongly.
        """
        payload = self._traffic.payload
        end = time.monotonic() + seconds
        for connection in self._sockets:
            connection.sendall(payload)
        passes = 1
        while time.monotonic() < end:
            for connection in self._sockets:
                self._receive(connection)
                connection.sendall(payload)
            passes += 1
        for connection in self._sockets:
            self._receive(connection)
            if self._answer != self._expected:
                raise ConnectionError("the server answered wrongly")
        return passes * self._traffic.connections * self._traffic.messages

    def _receive(self, connection: socket.socket) -> None:
        size = len(self._answer)
        if connection.recv_into(self._answer, size, socket.MSG_WAITALL) != size:
            raise ConnectionError("the server closed the connection")

    def close(self) -> None:
        """Close every connection."""
        for connection in self._sockets:
            connection.close()


class Counted(Connections):
    """Connections on which a server counts the lines until an empty one, and says how many."""

    def set_traffic(self, traffic: Traffic) -> None:
        """Carry that from now on."""
        self._traffic = traffic
        self._expected = self.expected(traffic)
        self._answer = bytearray(len(self._expected))

    def expected(self, traffic: Traffic) -> bytes:
        """Return the count as a server writes it."""
        return b"%d\r\n" % traffic.messages


def measure(
    peer: Peer,
    traffic: Traffic,
    cpu: int | None,
    timing: Timing,
    connect: Callable[[int, Traffic], Exchange] = Connections,
) -> Sample:
    """
    Measure a fresh server, pinned to `cpu`; its start and the warm-up are not counted.

    Args:
        connect: what makes the client, given the server's port.

    Raises:
        ChildFailed: the server ended, stalled, or answered wrongly.
    """
    with Child(peer.python, peer.command, cpu) as server:
        try:
            connections = connect(int(server.read_line()), traffic)
            measured = sample(server, connections, timing)
            connections.close()
        except OSError as error:
            raise ChildFailed(peer.command, str(error)) from error
    return measured


def sample(server: Child, connections: Exchange, timing: Timing) -> Sample:
    """Return what traffic costs a server; the warm-up is not counted."""
    connections.run(timing.warm_up)
    before, start = server.cpu_time(), time.perf_counter()
    count = connections.run(timing.measured)
    elapsed, after = time.perf_counter() - start, server.cpu_time()
    return Sample(count, after.user - before.user, after.system - before.system, elapsed)
