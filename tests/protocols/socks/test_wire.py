"""What a SOCKS client says, from bytes: SOCKS 4 and 4A, RFC 1928, RFC 1929."""

from __future__ import annotations

import random
import socket
from typing import Any

import pytest
from _fuzz import FUZZ_SECONDS, cuttings, fuzz

from reactorlib.protocols.socks._wire import (
    InvalidRequest,
    Reader4,
    Reader5,
    Request,
    UnknownAddressType,
    reply4,
    reply5,
)

V4 = socket.inet_aton("192.0.2.1")
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::1")
LONG = b"x" * 255

GREETING, LOGIN = b"\5\2\0\2", b"\1\5alice\6secret"

GOOD4 = [
    (b"\4\1\0\x50" + V4 + b"\0", Request(1, "192.0.2.1", None, 80)),
    (b"\4\2\x12\x34" + V4 + b"bob\0", Request(2, "192.0.2.1", None, 0x1234, b"bob")),
    (b"\4\1\0\x50\0\0\0\1me\0a.example\0", Request(1, None, b"a.example", 80, b"me")),
    (b"\4\1\0\x50\0\0\0\xff\0" + LONG + b"\0", Request(1, None, LONG, 80)),
    (b"\4\1\0\x50\0\0\0\0\0", Request(1, "0.0.0.0", None, 80)),  # 0.0.0.0 is no mark of 4A
    (b"\4\1\0\x50" + V4 + LONG + b"\0", Request(1, "192.0.2.1", None, 80, LONG)),
    (b"\4\x09\0\x50" + V4 + b"\0", Request(9, "192.0.2.1", None, 80)),
]
BAD4 = [
    (b"\5", InvalidRequest),
    (b"GET / HTTP/1.1\r\n\r\n", InvalidRequest),
    (b"\4\1\0\x50" + V4 + LONG + b"y", InvalidRequest),
    (b"\4\1\0\x50\0\0\0\1\0" + LONG + b"y", InvalidRequest),
    (b"\4\1\0\x50\0\0\0\1me\0\0", InvalidRequest),
]

GOOD5 = [
    (b"\5\1\0\1" + V4 + b"\0\x50", Request(1, "192.0.2.1", None, 80)),
    (b"\5\2\0\4" + V6 + b"\x12\x34", Request(2, "2001:db8::1", None, 0x1234)),
    (b"\5\1\0\3\x09a.example\0\x50", Request(1, None, b"a.example", 80)),
    (b"\5\3\0\3\xff" + LONG + b"\0\x50", Request(3, None, LONG, 80)),
]
BAD5 = [
    (b"\4", InvalidRequest),
    (GREETING + b"\0", InvalidRequest),
    (GREETING + LOGIN + b"\4", InvalidRequest),
    (GREETING + LOGIN + b"\5\1\0\2\0", UnknownAddressType),
    (GREETING + LOGIN + b"\5\1\0\3\0", InvalidRequest),
]


def read4(chunks: list[bytes]) -> tuple[Any, bytes]:
    """The request or the type of the error, asked for after each chunk; and the rest."""
    reader, request = Reader4(), None
    for chunk in chunks:
        reader.feed(chunk)
        if request is None:
            try:
                request = reader.next_request()
            except InvalidRequest as error:
                return type(error), b""
    return request, reader.take_rest()


def read5(chunks: list[bytes]) -> tuple[list[Any], bytes]:
    """All that the client has said, with a login, or the type of the error; and the rest."""
    reader = Reader5()
    steps = [reader.next_greeting, reader.next_login, reader.next_request]
    said: list[Any] = []
    for chunk in chunks:
        reader.feed(chunk)
        try:
            while len(said) < 3 and (next_said := steps[len(said)]()) is not None:
                said.append(next_said)
        except InvalidRequest as error:
            return [*said, type(error)], b""
    return said, reader.take_rest()


RNG = random.Random(1)


@pytest.mark.parametrize("rest", [b"", b"\4\1\0more\0"])
@pytest.mark.parametrize(("wire", "request_"), GOOD4)
def test_a_request_of_version_4_does_not_depend_on_chunking(
    wire: bytes, request_: Request, rest: bytes
) -> None:
    for chunks in cuttings(wire + rest, RNG):
        assert read4(chunks) == (request_, rest)
    for end in range(len(wire)):
        assert read4([wire[:end]])[0] is None


@pytest.mark.parametrize(("wire", "error"), BAD4)
def test_what_is_wrong_with_version_4(wire: bytes, error: type[Exception]) -> None:
    for chunks in cuttings(wire, RNG):
        assert read4(chunks) == (error, b"")


@pytest.mark.parametrize("rest", [b"", b"\5\1\0more"])
@pytest.mark.parametrize(("wire", "request_"), GOOD5)
def test_version_5_does_not_depend_on_chunking(wire: bytes, request_: Request, rest: bytes) -> None:
    whole = GREETING + LOGIN + wire
    for chunks in cuttings(whole + rest, RNG):
        assert read5(chunks) == ([b"\0\2", (b"alice", b"secret"), request_], rest)
    for end in range(len(whole)):
        assert len(read5([whole[:end]])[0]) < 3


@pytest.mark.parametrize(("wire", "error"), BAD5)
def test_what_is_wrong_with_version_5(wire: bytes, error: type[Exception]) -> None:
    for chunks in cuttings(wire, RNG):
        assert read5(chunks)[0][-1] is error


def test_an_empty_password() -> None:
    """RFC 1929 has no such thing; clients do."""
    assert read5([GREETING, b"\1\1a\0"])[0][1] == (b"a", b"")


def test_the_answers() -> None:
    """RFC 1928 section 6."""
    assert reply4(90, "192.0.2.1", 80) == b"\0\x5a\0\x50" + V4
    assert reply4(91) == b"\0\x5b" + bytes(6)
    assert reply5(0, "192.0.2.1", 80) == b"\5\0\0\1" + V4 + b"\0\x50"
    assert reply5(0, "2001:db8::1%eth0", 80) == b"\5\0\0\4" + V6 + b"\0\x50"
    assert reply5(5) == b"\5\5\0\1" + bytes(6)


@pytest.mark.timeout(FUZZ_SECONDS + 60)
def test_any_pieces_of_version_4() -> None:
    fuzz(lambda rng: rng.choice(GOOD4)[0] + rng.randbytes(rng.randrange(5)), read4)


@pytest.mark.timeout(FUZZ_SECONDS + 60)
def test_any_pieces_of_version_5() -> None:
    fuzz(
        lambda rng: GREETING + LOGIN + rng.choice(GOOD5)[0] + rng.randbytes(rng.randrange(5)),
        read5,
    )
