"""Every parser of `protocols.basic` and `stateful`, with random input cut in every way."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from _fuzz import FUZZ_SECONDS, fuzz

from reactorlib._sansio.netstrings import encode
from reactorlib.protocols.basic import (
    Int8StringReceiver,
    Int16StringReceiver,
    Int32StringReceiver,
    LineOnlyReceiver,
    LineReceiver,
    NetstringReceiver,
)
from reactorlib.protocols.stateful import StatefulProtocol


class Transport:
    disconnecting = False

    def loseConnection(self) -> None:
        self.disconnecting = True

    def pauseProducing(self) -> None: ...

    def resumeProducing(self) -> None: ...


class Seen:
    """What a protocol has delivered; it does what the strings say."""

    MAX_LENGTH = 12
    transport: Any

    def __init__(self) -> None:
        self.events: list[object] = []

    def stringReceived(self, string: bytes) -> None:
        self.events.append(string)
        if string == b"quit":
            self.transport.loseConnection()
        elif string == b"pause" and hasattr(self, "pauseProducing"):
            self.pauseProducing()

    lineReceived = stringReceived

    def lengthLimitExceeded(self, length: int) -> None:
        self.events.append(length)
        self.transport.loseConnection()

    def lineLengthExceeded(self, line: bytes) -> None:
        self.events.append("too long")
        self.transport.loseConnection()


class Lines(Seen, LineReceiver): ...


class OnlyLines(Seen, LineOnlyReceiver): ...


class Netstrings(Seen, NetstringReceiver): ...


class Int8(Seen, Int8StringReceiver): ...


class Int16(Seen, Int16StringReceiver): ...


class Int32(Seen, Int32StringReceiver): ...


class Stateful(Seen, StatefulProtocol):
    """Strings after one byte of length, of which two bits are another state."""

    def getInitialState(self) -> Any:
        return self.head, 1

    def head(self, data: bytes) -> Any:
        if data[0] > 12:
            self.lengthLimitExceeded(data[0])
            return None
        return self.body, data[0]

    def body(self, data: bytes) -> Any:
        self.stringReceived(data)
        return self.head, 1


def words(rng: random.Random) -> list[bytes]:
    some = [b"", b"a", b"\r", b"\n", b"quit", b"pause", b"x" * 12, b"x" * 13, rng.randbytes(5)]
    return rng.choices(some, [4, 4, 2, 2, 1, 2, 2, 1, 3], k=rng.randrange(12))


def prefixed(size: int) -> Callable[[bytes], bytes]:
    return lambda word: len(word).to_bytes(size, "big") + word


PARSERS: list[tuple[Callable[[], Any], Callable[[bytes], bytes]]] = [
    (Lines, lambda word: word + b"\r\n"),
    (OnlyLines, lambda word: word + b"\r\n"),
    (Netstrings, encode),
    (Int8, prefixed(1)),
    (Int16, prefixed(2)),
    (Int32, prefixed(4)),
    (Stateful, prefixed(1)),
]


@pytest.mark.timeout(FUZZ_SECONDS + 60)
@pytest.mark.parametrize(("protocol", "frame"), PARSERS, ids=lambda p: getattr(p, "__name__", ""))
def test_what_is_delivered_does_not_depend_on_the_cutting(
    protocol: Callable[[], Any], frame: Callable[[bytes], bytes]
) -> None:
    def play(chunks: list[bytes]) -> object:
        p = protocol()
        p.makeConnection(Transport())
        for chunk in chunks:
            p.dataReceived(chunk)
            # Woken sometimes, and at the end for good.
            if len(chunk) % 2:
                wake(p)
        wake(p)
        return p.events, p.transport.disconnecting

    def wake(p: Any) -> None:
        while getattr(p, "paused", False):
            p.resumeProducing()

    assert fuzz(lambda rng: b"".join(map(frame, words(rng))), play)
