"""Editing a line, and the lines before it."""

from __future__ import annotations

from typing import Any

import pytest
from zope.interface.verify import verifyObject

from reactorlib.conch.insults.insults import ITerminalTransport, ServerProtocol
from reactorlib.conch.recvline import HistoricRecvLine, TransportSequence
from reactorlib.internet.testing import StringTransport

UP, DOWN, RIGHT, LEFT = b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D"
HOME, INSERT, DELETE, END = b"\x1b[1~", b"\x1b[2~", b"\x1b[3~", b"\x1b[4~"


class Lines(HistoricRecvLine):
    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def lineReceived(self, line: bytes) -> None:
        self.lines.append(line)


def at_terminal() -> tuple[ServerProtocol, Lines, StringTransport]:
    server = ServerProtocol(Lines)
    wire = StringTransport()
    server.makeConnection(wire)
    return server, server.terminalProtocol, wire


@pytest.mark.parametrize(
    ("typed", "lines"),
    [
        (b"one\rtwo\n", [b"one", b"two"]),
        (b"ac" + LEFT + b"b\r", [b"abc"]),
        (b"ac" + LEFT * 9 + RIGHT + b"b" + RIGHT * 9 + b"d\r", [b"abcd"]),
        (b"abc" + HOME + b"x" + END + b"y\r", [b"xabcy"]),
        (b"abc\x7f\x08x\r", [b"ax"]),
        (b"\x7fabc" + HOME + b"\x7f" + DELETE + END + DELETE + b"\r", [b"bc"]),
        (b"abc" + INSERT + LEFT * 2 + b"XYZ" + INSERT + LEFT + b"w\r", [b"aXYwZ"]),
        (b"\tx\ty\r", [b"    x   y"]),
        (b"a\x01\x02\xc3\xa9b\x1b[99~\r", [b"ab"]),
        (b"one\rtwo\r" + UP + b"\r", [b"one", b"two", b"two"]),
        (b"one\rtwo\r" + UP * 9 + b"!\r", [b"one", b"two", b"one!"]),
        (b"one\rtwo\r" + UP * 2 + DOWN + b"\r", [b"one", b"two", b"two"]),
        (b"one\r" + b"part" + UP + DOWN + b"ial\r", [b"one", b"partial"]),
        (b"one\r" + UP + DOWN + b"\r", [b"one", b""]),
        (UP + DOWN + b"x\r", [b"x"]),
    ],
)
def test_editing(typed: bytes, lines: list[bytes]) -> None:
    server, protocol, _ = at_terminal()
    for i in range(len(typed)):
        server.dataReceived(typed[i : i + 1])
    assert protocol.lines == lines


def test_a_line_has_a_limit() -> None:
    server, protocol, wire = at_terminal()
    protocol.MAX_LENGTH = 5
    server.dataReceived(b"abcdefg")
    assert wire.value().endswith(b"abcde\a\a")
    server.dataReceived(INSERT + LEFT + b"xy\r")
    assert protocol.lines == [b"abcdx"]


def test_history_has_a_limit() -> None:
    server, protocol, _ = at_terminal()
    protocol.MAX_HISTORY = 2
    server.dataReceived(b"1\r2\r3\r")
    assert protocol.currentHistoryBuffer() == ((b"2", b"3"), ())
    server.dataReceived(UP)
    assert protocol.currentHistoryBuffer() == ((b"2",), (b"3",))


def test_a_new_size_draws_anew() -> None:
    server, protocol, wire = at_terminal()
    server.dataReceived(b"abc" + LEFT)
    wire.clear()
    protocol.terminalSize(100, 30)
    assert wire.value() == b"\x1b[2J\x1b[H>>> abc\x1b[1D"
    assert (protocol.width, protocol.height) == (100, 30)


def test_several_terminals_as_one() -> None:
    servers = [ServerProtocol(), ServerProtocol()]
    wires: list[Any] = []
    for server in servers:
        wires.append(StringTransport())
        server.makeConnection(wires[-1])
    both = TransportSequence(*servers)
    verifyObject(ITerminalTransport, both)
    both.cursorUp(2)  # type: ignore[attr-defined]
    both.write(b"x")  # type: ignore[attr-defined]
    assert [wire.value() for wire in wires] == [b"\x1b[2Ax"] * 2
    assert both.UP_ARROW == ServerProtocol.UP_ARROW  # type: ignore[attr-defined]
    with pytest.raises(AssertionError):
        TransportSequence()
