"""Messages with something beside the data, over socket pairs."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

import pytest

from reactorlib.python.sendmsg import SCM_RIGHTS, getSocketFamily, recvmsg, sendmsg


@pytest.fixture(params=[socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["stream", "datagram"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair(socket.AF_UNIX, request.param)
    with here, there:
        yield here, there


Pair = tuple[socket.socket, socket.socket]


def test_a_message_arrives(pair: Pair) -> None:
    here, there = pair
    assert sendmsg(here, b"hello") == 5
    received = recvmsg(there)
    assert (received.data, received.ancillary, received.flags) == (b"hello", [], 0)
    assert tuple(received) == (b"hello", [], 0)


def test_a_descriptor_travels_beside_it(pair: Pair) -> None:
    here, there = pair
    reading, writing = os.pipe()
    try:
        beside = [(socket.SOL_SOCKET, SCM_RIGHTS, struct.pack("i", writing))]
        assert sendmsg(here, b"x", beside) == 1
    finally:
        os.close(writing)
    received = recvmsg(there)
    ((level, kind, packed),) = received.ancillary
    assert (received.data, level, kind) == (b"x", socket.SOL_SOCKET, SCM_RIGHTS)
    (copy,) = struct.unpack("i", packed)
    os.write(copy, b"through the copy")
    os.close(copy)
    assert os.read(reading, 100) == b"through the copy"
    assert os.read(reading, 100) == b""
    os.close(reading)


def test_no_more_is_taken_than_asked_for(pair: Pair) -> None:
    here, there = pair
    sendmsg(here, b"123456")
    received = recvmsg(there, 4)
    assert received.data == b"1234"
    cut = here.type == socket.SOCK_DGRAM
    assert bool(received.flags & socket.MSG_TRUNC) == cut


def test_flags_are_passed_on(pair: Pair) -> None:
    here, there = pair
    with pytest.raises(BlockingIOError):
        recvmsg(there, flags=socket.MSG_DONTWAIT)
    sendmsg(here, b"x")
    assert recvmsg(there, flags=socket.MSG_PEEK).data == b"x"
    assert recvmsg(there).data == b"x"


def test_a_message_for_which_there_is_no_room_is_refused(pair: Pair) -> None:
    here, _ = pair

    def fill() -> None:
        for _ in range(100_000):
            sendmsg(here, bytes(1024), flags=socket.MSG_DONTWAIT)

    with pytest.raises(BlockingIOError):
        fill()


def test_the_systems_errors_are_raised(pair: Pair) -> None:
    here, _ = pair
    here.close()
    for operation in (lambda: sendmsg(here, b"x"), lambda: recvmsg(here)):
        with pytest.raises(OSError, match="Bad file descriptor"):
            operation()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
def test_the_family_of_a_socket(family: int) -> None:
    with socket.socket(family) as sock:
        assert getSocketFamily(sock) == family
