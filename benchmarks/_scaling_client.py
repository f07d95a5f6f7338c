"""
What the scaling benchmark does to one peer: more and more of the same, in one process.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Protocol

from benchmarks._child import Child, ChildFailed
from benchmarks._connections_client import PACE, one_of_many
from benchmarks._echo_client import Connections, Timing, Traffic, sample
from benchmarks._harness import Peer, Sample

#: Seconds after which a process has stalled, whatever it does a million times.
DEADLINE = 600.0


class Measure(Protocol):
    """Measures a peer at each of the sizes; the CPU and the timing are the run's."""

    def __call__(
        self, peer: Peer, sizes: Sequence[int], cpu: int | None, timing: Timing
    ) -> list[Sample]: ...


class Crowd(Connections):
    """Connections that become more; all of them are busy, or some."""

    def __init__(self, port: int) -> None:
        super().__init__(port, Traffic(b"", 0))
        self._port = port
        self._open: list[socket.socket] = []

    def grow(self, count: int) -> None:
        """Have that many open."""
        while (number := len(self._open)) < count:
            connection = one_of_many(number, self._port)
            self._open.append(connection)
            if number % PACE == 0:
                self._wait(connection)

    def _wait(self, connection: socket.socket) -> None:
        """Until the server has accepted this one: what comes now, it answers."""
        connection.sendall(b"\r\n")
        if connection.recv(2, socket.MSG_WAITALL) != b"\r\n":
            raise ConnectionError("the server answered wrongly")

    def carry(self, traffic: Traffic) -> None:
        """Have so many connections carry that, from now on."""
        self.set_traffic(traffic)
        self._sockets = self._open[: traffic.connections]

    def close(self) -> None:
        """Close every connection."""
        for connection in self._open:
            connection.close()


def measure_traffic(
    peer: Peer,
    traffic: Sequence[tuple[int, Traffic]],
    cpu: int | None,
    timing: Timing,
) -> list[Sample]:
    """
    Measure one server with one kind of traffic after another.

    Args:
        traffic: how many connections are open, and what some of them carry.

    Raises:
        ChildFailed: the server ended, stalled, or answered wrongly.
    """
    samples = []
    with Child(peer.python, peer.command, cpu, DEADLINE) as server:
        try:
            crowd = Crowd(int(server.read_line()))
            try:
                for count, carried in traffic:
                    crowd.grow(count)
                    crowd.carry(carried)
                    samples.append(sample(server, crowd, timing))
            finally:
                crowd.close()
        except OSError as error:
            raise ChildFailed(peer.command, str(error)) from error
    return samples


def measure_timers(peer: Peer, sizes: Sequence[int], cpu: int | None) -> list[Sample]:
    """
    Measure a loop with more and more timers.

    Raises:
        ChildFailed: it ended or stalled.
    """
    command = (*peer.command, *map(str, sizes))
    samples = []
    with Child(peer.python, command, cpu, DEADLINE) as child:
        for _ in sizes:
            count, user, system, elapsed = child.read_line().split()
            samples.append(Sample(int(count), float(user), float(system), float(elapsed)))
    return samples


def measure_chains(
    peer: Peer, sizes: Sequence[int], cpu: int | None, operation: str, seconds: float
) -> list[Sample]:
    """
    Measure longer and longer chains of Deferreds.

    Raises:
        ChildFailed: the process ended or stalled.
    """
    samples = []
    with Child(peer.python, peer.command, cpu, DEADLINE) as child:
        for size in sizes:
            times, cpu_seconds, elapsed = child.ask(f"{operation}:{size} {seconds} 2").split()
            samples.append(Sample(int(times) * size, float(cpu_seconds), 0.0, float(elapsed)))
    return samples
