"""A terminal in memory, formatted text, and writes that leave together."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from _fuzz import FUZZ_SECONDS, cuttings, fuzz
from zope.interface.verify import verifyClass

from reactorlib.conch.insults import helper
from reactorlib.conch.insults.helper import (
    BACKGROUND,
    FOREGROUND,
    CharacterAttribute,
    ExpectableBuffer,
    ExpectationTimeout,
    TerminalBuffer,
)
from reactorlib.conch.insults.insults import (
    BLINK,
    BOLD,
    G1,
    G2,
    UNDERLINE,
    ClientProtocol,
    ITerminalTransport,
    ServerProtocol,
)
from reactorlib.conch.insults.text import assembleFormattedText
from reactorlib.conch.insults.text import attributes as A
from reactorlib.conch.mixin import BufferingMixin
from reactorlib.conch.recvline import HistoricRecvLine, LocalTerminalBufferMixin
from reactorlib.internet.task import Clock
from reactorlib.internet.testing import StringTransport


class Small(TerminalBuffer):
    width = 10
    height = 4


def drawn(chunks: list[bytes]) -> Any:
    client = ClientProtocol(Small)
    client.makeConnection(StringTransport())
    for chunk in chunks:
        client.dataReceived(chunk)
    return client.terminal


@pytest.mark.parametrize(
    ("wire", "lines", "cursor"),
    [
        (b"abc", [b"abc"], (3, 0)),
        (b"abc\r\nd", [b"abc", b"d"], (1, 1)),
        (b"abc\nd", [b"abc", b"d"], (1, 1)),
        (b"abc\x08X\x07", [b"abX"], (3, 0)),
        (b"a\tb", [b"a       b"], (9, 0)),
        (b"a\t\tb", [b"a        b"], (10, 0)),
        (b"0123456789ab", [b"0123456789", b"ab"], (2, 1)),
        (b"\x1b[?7l0123456789ab", [b"012345678b"], (10, 0)),
        (b"1\n2\n3\n4\n5", [b"2", b"3", b"4", b"5"], (1, 3)),
        (b"abc\x1b[2D\x1b[4hX", [b"aXbc"], (2, 0)),
        (b"abc\x1b[2D\x1b[4h\x1b[4lX", [b"aXc"], (2, 0)),
        (b"abcdef\x1b[4D\x1b[2P", [b"abef"], (2, 0)),
        (b"\x1b[2;4Hx", [b"", b"   x"], (4, 1)),
        (b"abc\x1b[H\x1b[99;99Hx", [b"abc", b"", b"", b"         x"][:4], None),
        (b"abc\x1b[2D\x1b[K", [b"a"], (1, 0)),
        (b"abc\x1b[2D\x1b[1K", [b"  c"], (1, 0)),
        (b"abc\x1b[2K", [b""], (3, 0)),
        (b"1\n2\n3\x1b[2;1H\x1b[J", [b"1"], (0, 1)),
        (b"1\n2\n3\x1b[2;1H\x1b[1J", [b"", b"", b"3"], (0, 1)),
        (b"1\n2\n3\x1b[2J", [b""], (1, 2)),
        (b"1\n2\n3\x1b[2;1H\x1b[L", [b"1", b"", b"2", b"3"], (0, 1)),
        (b"1\n2\n3\x1b[2;1H\x1b[9M", [b"1"], (0, 1)),
        (b"1\n2\n3\n4\x1b[2;3r\x1b[3;1H\x1bD", [b"1", b"3", b"", b"4"], (0, 2)),
        (b"1\n2\n3\n4\x1b[2;3r\x1b[2;1H\x1bM", [b"1", b"", b"2", b"4"], (0, 1)),
        (b"1\n2\n3\n4\x1b[2;3r\x1b[2;1H\x1b[9L", [b"1", b"", b"", b"4"], (0, 1)),
        (b"1\n2\n3\n4\x1b[2;3r\x1b[r\x1b[4;1H\x1bE5", [b"2", b"3", b"4", b"5"], (1, 3)),
        (b"ab\x1b7\x1b[3;3H\x1b8c", [b"abc"], (3, 0)),
        (b"abc\x1b8x", [b"xbc"], (1, 0)),
        (b"abc\x1b[g\x1b[3g\x1b[5G\x1bH\x1bc", [b""], (0, 0)),
        (b"\x1b[5C\x1bH\r\tx", [b"     x"], (6, 0)),
        (b"\x1b#3\x1b#5\x1b#6\x1b=\x1b>\x1b(Ax", [b"x"], (1, 0)),
    ],
)
def test_what_is_drawn_is_shown(
    wire: bytes, lines: list[bytes], cursor: tuple[int, int] | None
) -> None:
    for chunks in cuttings(wire, random.Random(1)):
        terminal = drawn(chunks)
        assert bytes(terminal).split(b"\n") == lines + [b""] * (4 - len(lines))
        if cursor is not None:
            assert terminal.reportCursorPosition() == cursor


@pytest.mark.timeout(FUZZ_SECONDS + 60)
def test_whatever_is_drawn_the_screen_stays_whole() -> None:
    finals = [bytes([code]) for code in range(0x40, 0x7F)]

    def make(rng: random.Random) -> bytes:
        return b"".join(
            rng.choice(
                [
                    b"text\n",
                    bytes([rng.randrange(256)]),
                    b"\x1b" + rng.choice(finals),
                    b"\x1b[%d" % rng.randrange(20) + rng.choice(finals),
                    b"\x1b[%d;%d" % (rng.randrange(9), rng.randrange(99))
                    + rng.choice([b"H", b"r", b"m"]),
                    rng.choice([b"\x1b[4h", b"\x1b[4l", b"\x1b[?7l", b"\x1b[?7h"]),
                ]
            )
            for _ in range(rng.randrange(30))
        )

    def play(chunks: list[bytes]) -> Any:
        terminal = drawn(chunks)
        assert [len(line) for line in terminal.lines] == [10] * 4
        assert 0 <= terminal.x <= 10
        assert 0 <= terminal.y < 4
        return bytes(terminal), terminal.reportCursorPosition()

    assert fuzz(make, play) > 1


def test_how_characters_look() -> None:
    terminal = drawn([b"\x1b[1;4;31;42ma\x1b[22;24;39mb\x1b[49;5mc\x1b[0md\x0ee\x0f\x1bNfg"])
    looks = [terminal.getCharacter(x, 0)[1] for x in range(7)]
    assert looks == [
        CharacterAttribute(bold=True, underline=True, foreground=helper.RED, background=2),
        CharacterAttribute(background=helper.GREEN),
        CharacterAttribute(blink=True),
        CharacterAttribute(),
        CharacterAttribute(charset=G1),
        CharacterAttribute(charset=G2),
        CharacterAttribute(),
    ]
    assert terminal.getCharacter(9, 0)[0] is terminal.void
    terminal.selectGraphicRendition(str(BOLD), UNDERLINE, BLINK, FOREGROUND + 3, BACKGROUND + 4)


def test_a_terminal_in_memory_is_a_terminal() -> None:
    verifyClass(ITerminalTransport, TerminalBuffer)
    assert TerminalBuffer.UP_ARROW == ServerProtocol.UP_ARROW  # type: ignore[attr-defined]
    terminal = drawn([])
    terminal.writeSequence([b"a", b"b"])
    terminal.write("\u00e9")
    assert bytes(terminal).split(b"\n")[0] == "ab\u00e9".encode()
    terminal.unhandledControlSequence(b"\x1b[x")
    terminal.loseConnection()
    assert terminal.transport.transport.disconnecting


def expectable() -> ExpectableBuffer:
    buffer = ExpectableBuffer()
    buffer.makeConnection(StringTransport())
    return buffer


def test_waiting_for_what_is_shown() -> None:
    buffer = expectable()
    got: list[bytes] = []
    for expression in (b"one", b"t.o", b"o"):
        buffer.expect(expression).addCallback(lambda match: got.append(match.group()))
    buffer.write(b"two o")
    assert got == []
    buffer.write(b"ne two")
    assert got == [b"one", b"two"]
    buffer.write(b"x")
    assert got == [b"one", b"two"]
    buffer.write(b"o")
    assert got == [b"one", b"two", b"o"]
    buffer.cursorHome()
    buffer.expect(b"two").addCallback(lambda match: got.append(match.group()))
    assert got[3:] == [b"two"]


def test_waiting_has_an_end() -> None:
    buffer = expectable()
    clock = Clock()
    buffer.write(b"here")
    got: list[Any] = []
    buffer.expect(b"never", 5, clock).addErrback(lambda why: got.append(why.type))
    later = buffer.expect(b"here", 9, clock).addCallback(lambda match: got.append(match.group()))
    clock.advance(5)
    assert got == [ExpectationTimeout, b"here"]
    assert not clock.getDelayedCalls()
    assert later.called
    given_up = buffer.expect(b"never", 5, clock)
    given_up.addErrback(lambda _: None)
    given_up.cancel()
    assert not clock.getDelayedCalls()


def test_a_protocol_that_knows_what_is_shown() -> None:
    class Lines(LocalTerminalBufferMixin, HistoricRecvLine):
        pass

    server = ServerProtocol(Lines)
    wire = StringTransport()
    server.makeConnection(wire)
    server.dataReceived(b"abc\x1b[DX")
    assert bytes(server.terminalProtocol.terminalCopy).startswith(b">>> abXc\n")
    assert wire.value().endswith(b"X")


@pytest.mark.parametrize(
    ("formatted", "text"),
    [
        (A.normal["plain"], "plain"),
        (A.bold["x"], "\x1b[1mx"),
        (A.bold[A.blink["a", -A.bold["b"], "c"]], "\x1b[1;5ma\x1b[0;5mb\x1b[1;5mc"),
        (A.normal[A.fg.red["a"], A.bg.green["b"]], "\x1b[31ma\x1b[0;42mb"),
        (A.normal[A.bold["a"], "b"], "\x1b[1ma\x1b[0mb"),
        (A.underline["a", ["b", A.normal["c"]], "d"], "\x1b[4mab\x1b[0mc\x1b[4md"),
        (A.reverseVideo[A.fg.blue["a"], ""], "\x1b[7;34ma"),
    ],
)
def test_formatted_text(formatted: Any, text: str) -> None:
    assert assembleFormattedText(formatted) == text


def test_formatted_text_shows_as_it_says() -> None:
    wire = assembleFormattedText(A.bold["a", A.fg.red["b"], "c"]).encode()
    terminal = drawn([wire])
    assert [terminal.getCharacter(x, 0)[1] for x in range(3)] == [
        CharacterAttribute(bold=True),
        CharacterAttribute(bold=True, foreground=helper.RED),
        CharacterAttribute(bold=True),
    ]
    with pytest.raises(AttributeError, match="no colour 'puce'"):
        A.fg.puce  # noqa: B018
    with pytest.raises(TypeError, match=re.escape("and not of 1")):
        assembleFormattedText(A.bold[1])


async def test_writes_leave_together() -> None:
    class Buffered(BufferingMixin):
        flushed: Any = None

        def flush(self) -> None:
            super().flush()
            self.flushed.callback(None)

    from reactorlib.internet.defer import Deferred

    protocol = Buffered()
    protocol.transport = wire = StringTransport()
    for _ in range(2):
        protocol.flushed = Deferred()
        protocol.write(b"a")
        protocol.write(b"b")
        assert wire.value() == b""
        await protocol.flushed
        assert wire.value() == b"ab"
        wire.clear()
