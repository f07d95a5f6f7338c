"""
A terminal in memory: what somebody would see, for tests and for programs that watch others.

    client = ClientProtocol(ExpectableBuffer)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from zope.interface import implementer

from reactorlib.conch.insults._rendition import BACKGROUND, COLORS, FOREGROUND, Rendition
from reactorlib.conch.insults.insults import (
    FUNCTION_KEYS,
    G0,
    G1,
    G2,
    G3,
    ITerminalTransport,
    ServerProtocol,
    modes,
    privateModes,
)
from reactorlib.internet.defer import Deferred
from reactorlib.internet.protocol import Protocol
from reactorlib.logger import Logger

__all__ = [
    "BACKGROUND",
    "BLACK",
    "BLUE",
    "CYAN",
    "FOREGROUND",
    "GREEN",
    "MAGENTA",
    "N_COLORS",
    "RED",
    "WHITE",
    "YELLOW",
    "CharacterAttribute",
    "ExpectableBuffer",
    "ExpectationTimeout",
    "TerminalBuffer",
]

BLACK, RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN, WHITE = COLORS.values()
N_COLORS = len(COLORS)

#: How a character looks.
CharacterAttribute = Rendition

_Cell = tuple[Any, Rendition]


@implementer(ITerminalTransport)
class TerminalBuffer(Protocol):
    """
    A terminal that keeps what is written to it. `bytes()` of it is what it shows.

    Attributes:
        width, height: its size.
        fill: what a place shows that has never been written to, left of one that has.
        void: what `getCharacter` has for such a place.
        lines: the places, line by line: a character and how it looks.
        x, y: where the cursor is; x is `width` behind the last column.
        modes, privateModes: those that are on.
    """

    width = 80
    height = 24
    fill = b" "
    void = object()

    TAB = ServerProtocol.TAB
    BACKSPACE = ServerProtocol.BACKSPACE

    _log = Logger(namespace="reactorlib.conch.insults")

    def connectionMade(self) -> None:
        """Switch on."""
        self.reset()

    def reset(self) -> None:
        """An empty screen."""
        self.x = self.y = 0
        self.modes: dict[int, bool] = {}
        self.privateModes = {privateModes.AUTO_WRAP: True, privateModes.CURSOR_MODE: True}
        self.numericKeypad = b"num"
        self.charsets: dict[bytes, bytes] = {}
        self._rendition = Rendition()
        self._shifted: bytes | None = None
        self._saved: tuple[int, int, Rendition] | None = None
        self._region: tuple[int, int] | None = None
        self._tabs = set(range(0, self.width, 8))
        self.lines = [self._empty() for _ in range(self.height)]

    def _empty(self, count: int | None = None) -> list[_Cell]:
        return [(self.void, self._rendition)] * (self.width if count is None else count)

    def getCharacter(self, x: int, y: int) -> _Cell:
        """What is there: the character, a byte or `void`, and how it looks."""
        return self.lines[y][x]

    def __bytes__(self) -> bytes:
        """The lines, without what is empty at their ends."""
        shown = []
        for line in self.lines:
            cells = [self.fill if ch is self.void else ch for ch, _ in line]
            end = len(line)
            while end and line[end - 1][0] is self.void:
                end -= 1
            shown.append(b"".join(cells[:end]))
        return b"\n".join(shown)

    # Writing.

    def write(self, data: bytes | str) -> None:
        """Show text; a newline goes to the beginning of the next line."""
        if isinstance(data, str):
            data = data.encode("utf-8")
        data = data.replace(b"\n", b"\r\n")
        for at in range(len(data)):
            self.insertAtCursor(data[at : at + 1])

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Show several pieces of text."""
        self.write(b"".join(data))

    def insertAtCursor(self, b: bytes) -> None:
        """Show one character, or do what a control character says."""
        if b == b"\r":
            self.x = 0
        elif b == b"\n":
            self.index()
        elif b == b"\b":
            self.cursorBackward()
        elif b == b"\t":
            self.x = min((stop for stop in self._tabs if stop > self.x), default=self.width - 1)
        elif b >= b" " and b != b"\x7f":
            self._show(b)

    def _show(self, b: bytes) -> None:
        if self.x >= self.width:
            if privateModes.AUTO_WRAP in self.privateModes:
                self.nextLine()
            else:
                self.x = self.width - 1
        rendition = self._rendition
        if self._shifted is not None:
            rendition = replace(rendition, charset=self._shifted)
            self._shifted = None
        line = self.lines[self.y]
        if modes.IRM in self.modes:
            line.insert(self.x, (b, rendition))
            line.pop()
        else:
            line[self.x] = (b, rendition)
        self.x += 1

    # Moving.

    def cursorUp(self, n: int = 1) -> None:
        """Move the cursor up."""
        self.y = max(self.y - n, 0)

    def cursorDown(self, n: int = 1) -> None:
        """Move the cursor down."""
        self.y = min(self.y + n, self.height - 1)

    def cursorBackward(self, n: int = 1) -> None:
        """Move the cursor to the left."""
        self.x = max(self.x - n, 0)

    def cursorForward(self, n: int = 1) -> None:
        """Move the cursor to the right."""
        self.x = min(self.x + n, self.width)

    def cursorPosition(self, column: int, line: int) -> None:
        """Move the cursor there."""
        self.x = min(max(column, 0), self.width - 1)
        self.y = min(max(line, 0), self.height - 1)

    def cursorHome(self) -> None:
        """Move the cursor to the first column of the first line."""
        self.x = self.y = 0

    def _scrolling(self) -> tuple[int, int]:
        """The first and the last of the lines that scroll."""
        return self._region or (0, self.height - 1)

    def index(self) -> None:
        """Move the cursor down, or scroll."""
        first, last = self._scrolling()
        if self.y == last:
            del self.lines[first]
            self.lines.insert(last, self._empty())
        else:
            self.cursorDown()

    def reverseIndex(self) -> None:
        """Move the cursor up, or scroll."""
        first, last = self._scrolling()
        if self.y == first:
            del self.lines[last]
            self.lines.insert(first, self._empty())
        else:
            self.cursorUp()

    def nextLine(self) -> None:
        """Move the cursor to the beginning of the next line, or scroll."""
        self.x = 0
        self.index()

    def saveCursor(self) -> None:
        """Remember where the cursor is, and how it writes."""
        self._saved = self.x, self.y, self._rendition

    def restoreCursor(self) -> None:
        """Put back what was remembered; without that, move the cursor home."""
        self.x, self.y, self._rendition = self._saved or (0, 0, self._rendition)

    def setScrollRegion(self, first: int | None = None, last: int | None = None) -> None:
        """Have only these lines scroll. They count from 1; None is for the screen's own end."""
        top = max(first or 1, 1) - 1
        bottom = min(last or self.height, self.height) - 1
        self._region = (top, bottom) if top < bottom else None

    def resetScrollRegion(self) -> None:
        """Have the whole screen scroll."""
        self._region = None

    def reportCursorPosition(self) -> tuple[int, int]:
        """Where the cursor is: its column and its line."""
        return self.x, self.y

    def horizontalTabulationSet(self) -> None:
        """Set a tab stop at the cursor."""
        self._tabs.add(self.x)

    def tabulationClear(self) -> None:
        """Clear the tab stop at the cursor."""
        self._tabs.discard(self.x)

    def tabulationClearAll(self) -> None:
        """Clear all tab stops."""
        self._tabs.clear()

    # Modes, and how it writes.

    def setModes(self, modes: Iterable[int]) -> None:
        """Turn modes on."""
        self.modes.update(dict.fromkeys(modes, True))

    def resetModes(self, modes: Iterable[int]) -> None:
        """Turn modes off."""
        for mode in modes:
            self.modes.pop(mode, None)

    def setPrivateModes(self, modes: Iterable[int]) -> None:
        """Turn modes of DEC's on."""
        self.privateModes.update(dict.fromkeys(modes, True))

    def resetPrivateModes(self, modes: Iterable[int]) -> None:
        """Turn modes of DEC's off."""
        for mode in modes:
            self.privateModes.pop(mode, None)

    def applicationKeypadMode(self) -> None:
        """Have the keypad send control sequences."""
        self.numericKeypad = b"app"

    def numericKeypadMode(self) -> None:
        """Have the keypad send digits."""
        self.numericKeypad = b"num"

    def selectCharacterSet(self, charSet: bytes, which: bytes) -> None:
        """Put a character set at G0 or G1."""
        self.charsets[which] = charSet

    def _use(self, charset: bytes) -> None:
        self._rendition = replace(self._rendition, charset=charset)

    def shiftIn(self) -> None:
        """Use the character set at G0."""
        self._use(G0)

    def shiftOut(self) -> None:
        """Use the character set at G1."""
        self._use(G1)

    def singleShift2(self) -> None:
        """Use the character set at G2 for one character."""
        self._shifted = G2

    def singleShift3(self) -> None:
        """Use the character set at G3 for one character."""
        self._shifted = G3

    def selectGraphicRendition(self, *attributes: Any) -> None:
        """Turn renditions on, such as `BOLD`, or `FOREGROUND + RED`."""
        self._rendition = self._rendition.select(attributes)

    def doubleHeightLine(self, top: bool = True) -> None:
        """Lines have one size here."""

    def singleWidthLine(self) -> None:
        """Lines have one size here."""

    def doubleWidthLine(self) -> None:
        """Lines have one size here."""

    # Erasing.

    def _erase(self, y: int, start: int = 0, end: int | None = None) -> None:
        end = self.width if end is None else min(end, self.width)
        self.lines[y][start:end] = self._empty(max(end - start, 0))

    def eraseLine(self) -> None:
        """Erase the line."""
        self._erase(self.y)

    def eraseToLineEnd(self) -> None:
        """Erase from the cursor to the end of the line."""
        self._erase(self.y, self.x)

    def eraseToLineBeginning(self) -> None:
        """Erase from the beginning of the line to the cursor."""
        self._erase(self.y, 0, self.x + 1)

    def eraseDisplay(self) -> None:
        """Erase the screen."""
        for y in range(self.height):
            self._erase(y)

    def eraseToDisplayEnd(self) -> None:
        """Erase from the cursor to the end of the screen."""
        self.eraseToLineEnd()
        for y in range(self.y + 1, self.height):
            self._erase(y)

    def eraseToDisplayBeginning(self) -> None:
        """Erase from the beginning of the screen to the cursor."""
        for y in range(self.y):
            self._erase(y)
        self.eraseToLineBeginning()

    def deleteCharacter(self, n: int = 1) -> None:
        """Delete characters at the cursor."""
        line = self.lines[self.y]
        del line[self.x : self.x + n]
        line += self._empty(self.width - len(line))

    def insertLine(self, n: int = 1) -> None:
        """Insert lines at the cursor."""
        first, last = self._scrolling()
        if first <= self.y <= last:
            n = min(n, last - self.y + 1)
            del self.lines[last - n + 1 : last + 1]
            self.lines[self.y : self.y] = [self._empty() for _ in range(n)]

    def deleteLine(self, n: int = 1) -> None:
        """Delete lines at the cursor."""
        first, last = self._scrolling()
        if first <= self.y <= last:
            n = min(n, last - self.y + 1)
            del self.lines[self.y : self.y + n]
            end = last - n + 1
            self.lines[end:end] = [self._empty() for _ in range(n)]

    # As a transport.

    def unhandledControlSequence(self, seq: bytes) -> None:
        """A control sequence came that is not known: nothing is done."""
        self._log.debug("nothing is done for the control sequence {seq!r}", seq=seq)

    def getHost(self) -> Any:
        """The address here."""
        return self.transport.getHost()

    def getPeer(self) -> Any:
        """The peer's address."""
        return self.transport.getPeer()

    def loseConnection(self) -> None:
        """Close the connection."""
        self.transport.loseConnection()


for _key in FUNCTION_KEYS:
    setattr(TerminalBuffer, _key.decode("ascii")[1:-1], _key)
del _key


class ExpectationTimeout(Exception):
    """What was expected did not come in time."""


class _Expected:
    """Something that is waited for."""

    def __init__(self, expression: re.Pattern[bytes], d: Deferred[re.Match[bytes]]) -> None:
        self.expression = expression
        self.d = d
        self.timer: Any = None

    def over(self) -> None:
        timer, self.timer = self.timer, None
        if timer is not None and timer.active():
            timer.cancel()


class ExpectableBuffer(TerminalBuffer):
    """A terminal of which one can wait until it shows something."""

    def connectionMade(self) -> None:
        """Switch on."""
        super().connectionMade()
        self._mark = 0  # what is before it has been expected, and came
        self._expecting: list[_Expected] = []

    def write(self, data: bytes | str) -> None:
        """Show text."""
        super().write(data)
        self._check()

    def cursorHome(self) -> None:
        """Move the cursor home; what is looked for may be anywhere again."""
        super().cursorHome()
        self._mark = 0

    def expect(
        self, expression: bytes, timeout: float | None = None, scheduler: Any = None
    ) -> Deferred[re.Match[bytes]]:
        """
        Wait until something is shown, after what was expected before.

        Args:
            expression: what, a regular expression.
            timeout: for how many seconds; None for ever.
            scheduler: whose `callLater`; by default the reactor's.

        Returns:
            a Deferred with the match, or with an `ExpectationTimeout`. Cancelling it
            gives up.
        """
        d: Deferred[re.Match[bytes]] = Deferred(lambda _: self._give_up(expected))
        expected = _Expected(re.compile(expression), d)
        if timeout is not None:
            if scheduler is None:
                from reactorlib.internet import reactor as scheduler
            expected.timer = scheduler.callLater(timeout, self._timed_out, expected)
        self._expecting.append(expected)
        self._check()
        return d

    def _give_up(self, expected: _Expected) -> None:
        if expected in self._expecting:
            self._expecting.remove(expected)
            expected.over()

    def _timed_out(self, expected: _Expected) -> None:
        expected.timer = None
        self._give_up(expected)
        expected.d.errback(ExpectationTimeout())
        self._check()

    def _check(self) -> None:
        shown = bytes(self)
        while self._expecting:
            expected = self._expecting[0]
            match = expected.expression.search(shown[self._mark :])
            if match is None:
                return
            del self._expecting[0]
            expected.over()
            self._mark += match.end()
            expected.d.callback(match)
