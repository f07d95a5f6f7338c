"""Keys from bytes, and drawing as bytes and back: ECMA-48 and what terminals make of it."""

from __future__ import annotations

import random
from typing import Any

import pytest
from _fuzz import FUZZ_SECONDS, cuttings, fuzz
from zope.interface.verify import verifyClass

from reactorlib.conch.insults import insults
from reactorlib.conch.insults.insults import (
    ClientProtocol,
    ITerminalProtocol,
    ITerminalTransport,
    ServerProtocol,
    TerminalProtocol,
    modes,
    privateModes,
)
from reactorlib.internet.error import ConnectionDone
from reactorlib.internet.testing import StringTransport
from reactorlib.python.failure import Failure

S = ServerProtocol


class Keys(TerminalProtocol):
    def __init__(self) -> None:
        self.got: list[Any] = []

    def keystrokeReceived(self, keyID: bytes, modifier: bytes | None) -> None:
        self.got.append((keyID, modifier))

    def unhandledControlSequence(self, seq: bytes) -> None:
        self.got.append(seq)

    def connectionLost(self, reason: Any) -> None:
        self.got.append(reason.type)


def keyboard() -> tuple[ServerProtocol, Keys]:
    server = ServerProtocol(Keys)
    server.makeConnection(StringTransport())
    return server, server.terminalProtocol


def keys(chunks: list[bytes]) -> list[Any]:
    server, protocol = keyboard()
    for chunk in chunks:
        server.dataReceived(chunk)
    return protocol.got


KEYS: list[tuple[bytes, list[Any]]] = [
    (b"a\xc3\r\x03", [(b"a", None), (b"\xc3", None), (b"\r", None), (b"\x03", None)]),
    (b"\x1b[A\x1b[B\x1b[C\x1b[D",
     [(S.UP_ARROW, None), (S.DOWN_ARROW, None), (S.RIGHT_ARROW, None), (S.LEFT_ARROW, None)]),
    (b"\x1bOA\x1bOP", [(S.UP_ARROW, None), (S.F1, None)]),
    (b"\x1b[OP\x1b[[B", [(S.F1, None), (S.F2, None)]),
    (b"\x1b[H\x1b[F\x1b[1~\x1b[4~", [(S.HOME, None), (S.END, None)] * 2),
    (b"\x1b[2~\x1b[3~\x1b[5~\x1b[6~",
     [(S.INSERT, None), (S.DELETE, None), (S.PGUP, None), (S.PGDN, None)]),
    (b"\x1b[15~\x1b[24~", [(S.F5, None), (S.F12, None)]),
    (b"\x1bx\x1b\x1b", [(b"x", S.ALT), (b"\x1b", S.ALT)]),
    (b"\x1b[Z", [(b"\t", S.SHIFT)]),
    (b"\x1b[1;5C\x1b[3;2~\x1b[1;3A",
     [(S.RIGHT_ARROW, S.CONTROL), (S.DELETE, S.SHIFT), (S.UP_ARROW, S.ALT)]),
    (b"\x1b", []),
    (b"\x1b[", []),
    (b"\x1b[1;", []),
    (b"\x1b[99~x", [b"\x1b[99~", (b"x", None)]),
    (b"\x1b[1;9C", [b"\x1b[1;9C"]),
    (b"\x1b[?1;2c", [b"\x1b[?1;2c"]),
    (b"\x1b[7;8R", [b"\x1b[7;8R"]),  # a position nobody asked for
    (b"\x1bOx", [b"\x1bOx"]),
    (b"\x1b[1\r", [b"\x1b[1", (b"\r", None)]),
    (b"\x1b[" + b"1" * 62, [b"\x1b[" + b"1" * 62]),
    (b"\x1b[1\x1b[A", [b"\x1b[1", (S.UP_ARROW, None)]),
]  # fmt: skip


@pytest.mark.parametrize(("wire", "got"), KEYS)
def test_keys_do_not_depend_on_chunking(wire: bytes, got: list[Any]) -> None:
    for chunks in cuttings(wire, random.Random(1)):
        assert keys(chunks) == got


def make(rng: random.Random) -> bytes:
    return b"".join(
        rng.choice([b"\x1b", b"[", b"O", b"1", b";", b"~", b"A", b"\r", b"?", b" ", b"1" * 40])
        for _ in range(rng.randrange(40))
    )


@pytest.mark.timeout(FUZZ_SECONDS + 60)
def test_any_keys_in_any_pieces() -> None:
    assert fuzz(make, keys) > 1


def test_where_the_cursor_is() -> None:
    server, protocol = keyboard()
    first, second, third = [server.reportCursorPosition() for _ in range(3)]
    seen: list[Any] = []
    first.addCallback(seen.append)
    second.addErrback(lambda _: None)
    second.cancel()
    server.dataReceived(b"\x1b[2;1R\x1b[9;9R")
    assert seen == [(0, 1)]
    third.addErrback(lambda why: seen.append(why.type))
    server.connectionLost(Failure(ConnectionDone()))
    assert seen[1:] == [ConnectionDone]
    assert protocol.got == [ConnectionDone]


def test_nothing_is_heard_after_the_end() -> None:
    server, protocol = keyboard()

    def leave(key: bytes, modifier: bytes | None) -> None:
        protocol.got.append(key)
        server.loseConnection()

    protocol.keystrokeReceived = leave  # type: ignore[assignment,method-assign]
    server.dataReceived(b"ab\x1b[Ac")
    server.dataReceived(b"d")
    assert protocol.got == [b"a"]


class Recorder:
    """Remembers each call of a terminal."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def makeConnection(self, transport: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any) -> None:
            self.calls.append((name, *args))

        return call


DRAWING: list[tuple[Any, ...]] = [
    *((name, 3) for name in ("cursorUp", "cursorDown", "cursorForward", "cursorBackward")),
    *((name, 2) for name in ("deleteCharacter", "insertLine", "deleteLine")),
    *((name,) for name in ("index", "reverseIndex", "saveCursor", "restoreCursor")),
    *((name,) for name in ("applicationKeypadMode", "numericKeypadMode", "shiftIn", "shiftOut")),
    *((name,) for name in ("singleShift2", "singleShift3", "horizontalTabulationSet")),
    *((name,) for name in ("tabulationClear", "tabulationClearAll", "reset", "cursorHome")),
    *((name,) for name in ("singleWidthLine", "doubleWidthLine", "eraseLine", "eraseDisplay")),
    *((name,) for name in ("eraseToLineEnd", "eraseToLineBeginning")),
    *((name,) for name in ("eraseToDisplayEnd", "eraseToDisplayBeginning")),
    ("doubleHeightLine", True),
    ("doubleHeightLine", False),
    ("cursorPosition", 7, 3),
    ("setModes", [modes.IRM, modes.LNM]),
    ("resetModes", [modes.IRM]),
    ("setPrivateModes", [privateModes.AUTO_WRAP]),
    ("resetPrivateModes", [privateModes.CURSOR_MODE, privateModes.COLUMN]),
    ("selectGraphicRendition", insults.BOLD, insults.UNDERLINE),
    ("selectCharacterSet", insults.CS_DRAWING, insults.G1),
    ("setScrollRegion", 2, 9),
    ("setScrollRegion", None, None),
    ("write", b"text"),
]


@pytest.mark.parametrize("call", DRAWING)
def test_what_one_end_draws_the_other_does(call: tuple[Any, ...]) -> None:
    server = ServerProtocol()
    wire = StringTransport()
    server.makeConnection(wire)
    getattr(server, call[0])(*call[1:])
    for chunks in cuttings(wire.value(), random.Random(1)):
        client = ClientProtocol(Recorder)
        client.makeConnection(StringTransport())
        for chunk in chunks:
            client.dataReceived(chunk)
        calls = client.terminal.calls
        if call[0] == "write":
            assert b"".join(data for _, data in calls) == call[1]
        else:
            assert calls == [call]


@pytest.mark.parametrize(
    "wire", [b"\x1b[?5n", b"\x1b[1;2A", b"\x1b[9K", b"\x1b[>1m", b"\x1bq", b"\x1b(x"]
)
def test_what_is_not_known_is_said(wire: bytes) -> None:
    client = ClientProtocol(Recorder)
    client.makeConnection(StringTransport())
    client.dataReceived(wire)
    assert client.terminal.calls == [("unhandledControlSequence", wire)]


@pytest.mark.timeout(FUZZ_SECONDS + 60)
def test_any_drawing_in_any_pieces() -> None:
    def play(chunks: list[bytes]) -> list[Any]:
        client = ClientProtocol(Recorder)
        client.makeConnection(StringTransport())
        client.terminal.reportCursorPosition = lambda: (0, 0)
        for chunk in chunks:
            client.dataReceived(chunk)
        calls: list[Any] = []
        for call in client.terminal.calls:
            if call[0] == "write" and calls and calls[-1][0] == "write":
                calls[-1] = ("write", calls[-1][1] + call[1])
            else:
                calls.append(call)
        return calls

    assert fuzz(make, play) > 1


def test_newlines_and_text() -> None:
    server = ServerProtocol()
    wire = StringTransport()
    server.makeConnection(wire)
    server.write("\u00e9\nb\r\n")
    server.nextLine()
    server.writeSequence([b"c", b"d"])
    assert wire.value() == "\u00e9\r\nb\r\n\r\ncd".encode()
    assert server.lastWrite == b"cd"
    with pytest.raises(ValueError, match="no place for one"):
        server.selectCharacterSet(insults.CS_UK, insults.G3)


def test_the_cursor_stays_on_the_screen() -> None:
    server = ServerProtocol()
    server.makeConnection(StringTransport())
    server.cursorForward(200)
    server.cursorDown(200)
    assert (server.cursorPos.x, server.cursorPos.y) == (79, 23)
    server.saveCursor()
    server.cursorBackward(300)
    server.nextLine()
    assert (server.cursorPos.x, server.cursorPos.y) == (0, 23)
    server.restoreCursor()
    assert (server.cursorPos.x, server.cursorPos.y) == (79, 23)


def test_the_interfaces_hold() -> None:
    verifyClass(ITerminalTransport, ServerProtocol)
    verifyClass(ITerminalProtocol, TerminalProtocol)
