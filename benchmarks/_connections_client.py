"""
The clients of the connections benchmark: the same for every peer, on blocking sockets.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks._child import Child, ChildFailed
from benchmarks._echo_client import Traffic
from benchmarks._harness import Peer

#: Seconds for a measurement of memory: some handshakes take long, if little CPU time.
_DEADLINE = 120.0

#: How many connections come from one address of the loopback interface: it has fewer
#: than thirty thousand ports to give.
FROM_ONE_ADDRESS = 10_000

#: How many connections are made before the server has to have accepted them: as many as
#: every system lets wait.
PACE = 100

#: Linux's: the port is chosen when it is known where to connect to, which takes less searching.
_BIND_ADDRESS_NO_PORT = 24 if sys.platform == "linux" else None


def _connected(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def one_of_many(number: int, port: int) -> socket.socket:
    """Return a connection that comes from an address with ports to spare for it."""
    connection = socket.socket()
    if _BIND_ADDRESS_NO_PORT is not None:
        connection.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
    connection.bind((f"127.0.0.{2 + number // FROM_ONE_ADDRESS}", 0))
    connection.connect(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def client_context(pem: Path) -> ssl.SSLContext:
    """Return what a client needs that trusts this one certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(pem)
    return context


class Reconnecting:
    """Connect, exchange one message, close: again and again."""

    def __init__(self, port: int, traffic: Traffic) -> None:
        self._port = port
        self._payload = traffic.payload

    def run(self, seconds: float) -> int:
        """Do so for that long; the number of connections."""
        end = time.monotonic() + seconds
        count = 0
        while time.monotonic() < end:
            with self._connection() as connection:
                connection.sendall(self._payload)
                if connection.recv(len(self._payload)) != self._payload:
                    raise ConnectionError("the server answered wrongly")
            count += 1
        return count

    def _connection(self) -> socket.socket:
        return _connected(self._port)

    def close(self) -> None:
        """Nothing is left open."""


class Handshaking(Reconnecting):
    """Connect, shake hands, exchange one message, close."""

    def __init__(self, port: int, traffic: Traffic, context: ssl.SSLContext) -> None:
        super().__init__(port, traffic)
        self._context = context

    def _connection(self) -> socket.socket:
        return self._context.wrap_socket(_connected(self._port), server_hostname="localhost")


class Encrypted:
    """Open connections, with a payload to and fro on each in turn."""

    def __init__(self, port: int, traffic: Traffic, context: ssl.SSLContext) -> None:
        self._payload = traffic.payload
        self._answer = memoryview(bytearray(len(traffic.payload)))
        self._sockets = [
            context.wrap_socket(_connected(port), server_hostname="localhost")
            for _ in range(traffic.connections)
        ]

    def run(self, seconds: float) -> int:
        """
        Exchange payloads for that long, and leave none on its way.

        Returns:
            The number of payloads that came back.

        Raises:
            ConnectionError: the server closed a connection, or answered wrongly.
        """
        end = time.monotonic() + seconds
        for connection in self._sockets:
            connection.sendall(self._payload)
        passes = 1
        while time.monotonic() < end:
            for connection in self._sockets:
                self._receive(connection)
                connection.sendall(self._payload)
            passes += 1
        for connection in self._sockets:
            self._receive(connection)
            if self._answer != self._payload:
                raise ConnectionError("the server answered wrongly")
        return passes * len(self._sockets)

    def _receive(self, connection: ssl.SSLSocket) -> None:
        received = 0
        while received < len(self._answer):
            size = connection.recv_into(self._answer[received:])
            if not size:
                raise ConnectionError("the server closed the connection")
            received += size

    def close(self) -> None:
        """Close every connection."""
        for connection in self._sockets:
            connection.close()


class Memory(NamedTuple):
    """Bytes for each connection: resident, and, if the server traces them, Python's objects."""

    resident: float
    allocated: float


def memory_each(peer: Peer, count: int, cpu: int | None, context: ssl.SSLContext | None) -> Memory:
    """
    Measure what idle connections cost a fresh server, each of which has echoed a byte.

    The more there are the better it repeats: the allocator takes memory from the system by
    the megabyte.

    Raises:
        ChildFailed: the server ended, stalled, or answered wrongly.
    """
    with Child(peer.python, peer.command, cpu, _DEADLINE) as server:
        port = int(server.read_line())
        try:
            # The first ones pay for what is made once.
            with _idle(port, 50, context):
                before = server.memory()
                with _idle(port, count, context):
                    after = server.memory()
        except OSError as error:
            raise ChildFailed(peer.command, str(error)) from error
    return Memory((after[0] - before[0]) / count, (after[1] - before[1]) / count)


@contextlib.contextmanager
def _idle(port: int, count: int, context: ssl.SSLContext | None) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for first in range(0, count, PACE):
            some = []
            for number in range(first, min(first + PACE, count)):
                connection = stack.enter_context(one_of_many(number, port))
                if context is not None:
                    connection = context.wrap_socket(connection, server_hostname="localhost")
                    stack.enter_context(connection)
                connection.sendall(b"x")
                some.append(connection)
            for connection in some:
                if connection.recv(1) != b"x":
                    raise ConnectionError("the server answered wrongly")
        yield


def raise_limit() -> int:
    """Allow as many descriptors as the system does; how many a client may open of them."""
    import resource  # what the benchmarks are called, and aim at, is known on any platform

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard - 200
