"""One read or write of a descriptor that does not wait."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

import pytest

from reactorlib.internet import error, fdesc


def nothing_comes(data: bytes) -> None:
    pytest.fail(f"{data!r} was read")


@pytest.fixture
def pipe() -> Iterator[list[int]]:
    """The reading and the writing end of a pipe that does not wait. A test may close them."""
    ends = list(os.pipe())
    for fd in ends:
        fdesc.setNonBlocking(fd)
    yield ends
    for fd in ends:
        try:
            os.close(fd)
        except OSError:
            pass


def test_waiting_or_not(pipe: list[int]) -> None:
    for fd in pipe:
        assert not os.get_blocking(fd)
        fdesc.setBlocking(fd)
        assert os.get_blocking(fd)
        fdesc.setNonBlocking(fd)
        assert not os.get_blocking(fd)


def test_inheritance(pipe: list[int]) -> None:
    fdesc._unsetCloseOnExec(pipe[0])
    assert os.get_inheritable(pipe[0])
    fdesc._setCloseOnExec(pipe[0])
    assert not os.get_inheritable(pipe[0])


def test_what_is_written_is_read(pipe: list[int]) -> None:
    got: list[bytes] = []
    assert fdesc.writeToFD(pipe[1], b"hello") == 5
    assert fdesc.readFromFD(pipe[0], got.append) is None
    assert got == [b"hello"]


def test_as_much_as_there_is_room_for(pipe: list[int]) -> None:
    data = bytes(range(256)) * 1000
    sent = fdesc.writeToFD(pipe[1], data)
    assert isinstance(sent, int)
    assert 0 < sent < len(data)
    assert fdesc.writeToFD(pipe[1], data) == 0
    got: list[bytes] = []
    while sum(map(len, got)) < sent:
        assert fdesc.readFromFD(pipe[0], got.append) is None
    assert b"".join(got) == data[:sent]
    assert max(map(len, got)) == 8192


def test_nothing_there(pipe: list[int]) -> None:
    got: list[bytes] = []
    assert fdesc.readFromFD(pipe[0], got.append) is None
    assert got == []


def test_the_end(pipe: list[int]) -> None:
    os.close(pipe[1])
    assert fdesc.readFromFD(pipe[0], nothing_comes) is fdesc.CONNECTION_DONE
    assert isinstance(fdesc.CONNECTION_DONE, error.ConnectionDone)


def test_nobody_reads(pipe: list[int]) -> None:
    os.close(pipe[0])
    assert fdesc.writeToFD(pipe[1], b"x") is fdesc.CONNECTION_LOST
    assert isinstance(fdesc.CONNECTION_LOST, error.ConnectionLost)


def test_what_is_closed(pipe: list[int]) -> None:
    for fd in pipe:
        os.close(fd)
    assert fdesc.readFromFD(pipe[0], nothing_comes) is fdesc.CONNECTION_LOST
    assert fdesc.writeToFD(pipe[1], b"x") is fdesc.CONNECTION_LOST


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EINTR])
def test_interruptions(number: int, pipe: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "read", interrupted)
    monkeypatch.setattr(os, "write", interrupted)
    assert fdesc.readFromFD(pipe[0], nothing_comes) is None
    assert fdesc.writeToFD(pipe[1], b"x") == 0


def test_an_error_of_the_callback_is_the_callers(pipe: list[int]) -> None:
    def broken(data: bytes) -> None:
        raise OSError(errno.EAGAIN, "not from the read")

    os.write(pipe[1], b"x")
    with pytest.raises(OSError, match="not from the read"):
        fdesc.readFromFD(pipe[0], broken)
