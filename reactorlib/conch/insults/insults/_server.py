"""Somebody's terminal, for a program that draws on it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from zope.interface import implementer

from reactorlib.conch.insults.insults._interfaces import ITerminalProtocol, ITerminalTransport
from reactorlib.conch.insults.insults._names import (
    _KEY_NAMES,
    CS_ALTERNATE,
    CS_ALTERNATE_SPECIAL,
    CS_DRAWING,
    CS_UK,
    CS_US,
    FUNCTION_KEYS,
    G0,
    G1,
)
from reactorlib.conch.insults.insults._sequences import (
    Control,
    Escape,
    Malformed,
    Plain,
    SequenceSplitter,
    Token,
    numbers,
)
from reactorlib.internet.defer import Deferred
from reactorlib.internet.protocol import Protocol, connectionDone
from reactorlib.logger import Logger

__all__ = ["ServerProtocol", "TerminalProtocol", "Vector"]

_KEY = dict(zip(_KEY_NAMES, FUNCTION_KEYS, strict=True))
_SHIFT, _ALT, _CONTROL = _KEY["SHIFT"], _KEY["ALT"], _KEY["CONTROL"]

#: The keys that are ESC [ or ESC O, and one byte.
_BY_FINAL = {
    b"A": _KEY["UP_ARROW"],
    b"B": _KEY["DOWN_ARROW"],
    b"C": _KEY["RIGHT_ARROW"],
    b"D": _KEY["LEFT_ARROW"],
    b"E": _KEY["NUMPAD_MIDDLE"],
    b"F": _KEY["END"],
    b"H": _KEY["HOME"],
    b"P": _KEY["F1"],
    b"Q": _KEY["F2"],
    b"R": _KEY["F3"],
    b"S": _KEY["F4"],
}
#: The keys that are ESC [, a number, and "~".
_BY_NUMBER = {
    1: "HOME",
    2: "INSERT",
    3: "DELETE",
    4: "END",
    5: "PGUP",
    6: "PGDN",
    7: "HOME",
    8: "END",
    11: "F1",
    12: "F2",
    13: "F3",
    14: "F4",
    15: "F5",
    17: "F6",
    18: "F7",
    19: "F8",
    20: "F9",
    21: "F10",
    23: "F11",
    24: "F12",
}
#: What xterm sends for what is held down, as the second parameter.
_HELD = {2: _SHIFT, 3: _ALT, 5: _CONTROL}

_CHARACTER_SETS = {
    CS_UK: b"A",
    CS_US: b"B",
    CS_DRAWING: b"0",
    CS_ALTERNATE: b"1",
    CS_ALTERNATE_SPECIAL: b"2",
}
_PLACES = {G0: b"(", G1: b")"}


class Vector:
    """A column and a line, or a width and a height."""

    def __init__(self, x: int, y: int) -> None:
        self.x = x
        self.y = y


@implementer(ITerminalProtocol)
class TerminalProtocol:
    """
    What is told of somebody at a terminal. To be subclassed.

    Attributes:
        terminal: the terminal, an `ITerminalTransport`.
    """

    terminal: Any = None

    def makeConnection(self, terminal: Any) -> None:
        """Take the terminal, then say so to `connectionMade`."""
        self.terminal = terminal
        self.connectionMade()

    def connectionMade(self) -> None:
        """The terminal is there: draw. For subclasses."""

    def keystrokeReceived(self, keyID: bytes, modifier: bytes | None) -> None:
        """A key was pressed; see `ITerminalProtocol`. For subclasses."""

    def terminalSize(self, width: int, height: int) -> None:
        """The size is so many columns and lines. For subclasses."""

    def unhandledControlSequence(self, seq: bytes) -> None:
        """A control sequence came that is not known. For subclasses."""

    def connectionLost(self, reason: Any) -> None:
        """The terminal is gone. For subclasses."""


@implementer(ITerminalTransport)
class ServerProtocol(Protocol):
    """
    Knows which keys were pressed from what a terminal sends, and how to have it draw.

    Args:
        protocolFactory: makes the protocol, an `ITerminalProtocol`.
        a, kw: the arguments it is called with.

    Attributes:
        protocolFactory: as above.
        terminalProtocol: the protocol, while the connection is there.
        lastWrite: what was written last, newlines as LF.
        termSize: the size that is assumed: a `Vector`.
        cursorPos: where the cursor is, if it was only moved by the methods here.
        scrollRegion: the lines that scroll, or None.
    """

    protocolFactory: Callable[..., Any] | None = None
    terminalProtocol: Any = None

    TAB = b"\t"
    BACKSPACE = b"\x7f"
    UP_ARROW = _KEY["UP_ARROW"]
    DOWN_ARROW = _KEY["DOWN_ARROW"]
    RIGHT_ARROW = _KEY["RIGHT_ARROW"]
    LEFT_ARROW = _KEY["LEFT_ARROW"]
    HOME = _KEY["HOME"]
    INSERT = _KEY["INSERT"]
    DELETE = _KEY["DELETE"]
    END = _KEY["END"]
    PGUP = _KEY["PGUP"]
    PGDN = _KEY["PGDN"]
    NUMPAD_MIDDLE = _KEY["NUMPAD_MIDDLE"]
    F1 = _KEY["F1"]
    F2 = _KEY["F2"]
    F3 = _KEY["F3"]
    F4 = _KEY["F4"]
    F5 = _KEY["F5"]
    F6 = _KEY["F6"]
    F7 = _KEY["F7"]
    F8 = _KEY["F8"]
    F9 = _KEY["F9"]
    F10 = _KEY["F10"]
    F11 = _KEY["F11"]
    F12 = _KEY["F12"]
    ALT = _ALT
    SHIFT = _SHIFT
    CONTROL = _CONTROL

    lastWrite = b""
    scrollRegion: tuple[int | None, int | None] | None = None

    _log = Logger(namespace="reactorlib.conch.insults")

    def __init__(
        self, protocolFactory: Callable[..., Any] | None = None, *a: Any, **kw: Any
    ) -> None:
        if protocolFactory is not None:
            self.protocolFactory = protocolFactory
        self.protocolArgs = a
        self.protocolKwArgs = kw
        self.termSize = Vector(80, 24)
        self.cursorPos = Vector(0, 0)
        self._saved: Vector | None = None
        self._reports: deque[Deferred[tuple[int, int]]] = deque()
        self._splitter = SequenceSplitter(b"O", b"O[")

    def getHost(self) -> Any:
        """The address here."""
        return self.transport.getHost()

    def getPeer(self) -> Any:
        """The peer's address."""
        return self.transport.getPeer()

    def connectionMade(self) -> None:
        """Make the protocol, and give it the terminal."""
        if self.protocolFactory is not None:
            self.terminalProtocol = self.protocolFactory(*self.protocolArgs, **self.protocolKwArgs)
            if self.factory is not None:
                self.terminalProtocol.factory = self.factory
            self.terminalProtocol.makeConnection(self)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """The connection is gone; so it is for the protocol."""
        protocol, self.terminalProtocol = self.terminalProtocol, None
        reports, self._reports = self._reports, deque()
        for d in reports:
            d.errback(reason)
        if protocol is not None:
            protocol.connectionLost(reason)

    # What the terminal sends.

    def dataReceived(self, data: bytes) -> None:
        """Bytes came in: keys."""
        self._splitter.feed(data)
        while (token := self._splitter.next_token()) is not None:
            if self._deaf():
                return
            self._received(token)

    def _deaf(self) -> bool:
        """Whether nobody hears of keys any more."""
        return self.terminalProtocol is None or bool(
            getattr(self.transport, "disconnecting", False)
        )

    def _received(self, token: Token) -> None:
        if isinstance(token, Plain):
            data = token.data
            for i in range(len(data)):
                self.terminalProtocol.keystrokeReceived(data[i : i + 1], None)
                if self._deaf():
                    return
        elif isinstance(token, Malformed):
            self.unhandledControlSequence(token.data)
        elif isinstance(token, Escape):
            self._escaped(token.data)
        else:
            self._controlled(token)

    def _escaped(self, data: bytes) -> None:
        if len(data) == 1:
            self.terminalProtocol.keystrokeReceived(data, _ALT)
        elif data[1:] in _BY_FINAL:
            self.terminalProtocol.keystrokeReceived(_BY_FINAL[data[1:]], None)
        else:
            self.unhandledControlSequence(b"\x1b" + data)

    def _controlled(self, token: Control) -> None:
        parameters, final = token.parameters, token.final
        key: bytes | None = None
        modifier: bytes | None = None
        given = numbers(parameters)
        if parameters in (b"", b"O"):
            key = _BY_FINAL.get(final)
            if final == b"Z":
                key, modifier = self.TAB, _SHIFT
        elif parameters == b"[" and b"A" <= final <= b"E":
            # The Linux console's F1 to F5.
            key = _KEY[f"F{final[0] - 64}"]
        elif given:
            first = given[0]
            held = _HELD.get(given[1] or 0) if len(given) == 2 else None
            if final == b"~" and first is not None and (len(given) == 1 or held):
                name = _BY_NUMBER.get(first)
                key, modifier = _KEY[name] if name else None, held
            elif final == b"R" and len(given) == 2 and self._reports:
                line, column = given
                self._reports.popleft().callback(((column or 1) - 1, (line or 1) - 1))
                return
            elif held and first == 1:
                key, modifier = _BY_FINAL.get(final), held
        if key is None:
            self.unhandledControlSequence(b"\x1b[" + parameters + final)
        else:
            self.terminalProtocol.keystrokeReceived(key, modifier)

    def unhandledControlSequence(self, buf: bytes) -> None:
        """A sequence came that is no known key: tell the protocol."""
        self.terminalProtocol.unhandledControlSequence(buf)

    # What it is sent.

    def write(self, data: bytes | str) -> None:
        """Send text; newlines become CR LF, and a str is UTF-8."""
        if not data:
            return
        if isinstance(data, str):
            data = data.encode("utf-8")
        self.lastWrite = data
        self.transport.write(data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send several pieces as one."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Put the terminal back as it was, and close the connection."""
        self.reset()
        self.transport.loseConnection()

    def _control(self, what: bytes) -> None:
        self.write(b"\x1b[" + what)

    def _move(self, x: int, y: int) -> None:
        self.cursorPos.x = min(max(x, 0), self.termSize.x - 1)
        self.cursorPos.y = min(max(y, 0), self.termSize.y - 1)

    def cursorUp(self, n: int = 1) -> None:
        """Move the cursor up."""
        self._move(self.cursorPos.x, self.cursorPos.y - n)
        self._control(b"%dA" % n)

    def cursorDown(self, n: int = 1) -> None:
        """Move the cursor down."""
        self._move(self.cursorPos.x, self.cursorPos.y + n)
        self._control(b"%dB" % n)

    def cursorForward(self, n: int = 1) -> None:
        """Move the cursor to the right."""
        self._move(self.cursorPos.x + n, self.cursorPos.y)
        self._control(b"%dC" % n)

    def cursorBackward(self, n: int = 1) -> None:
        """Move the cursor to the left."""
        self._move(self.cursorPos.x - n, self.cursorPos.y)
        self._control(b"%dD" % n)

    def cursorPosition(self, column: int, line: int) -> None:
        """Move the cursor there; the first column, and the first line, is 0."""
        self._move(column, line)
        self._control(b"%d;%dH" % (line + 1, column + 1))

    def cursorHome(self) -> None:
        """Move the cursor to the first column of the first line."""
        self._move(0, 0)
        self._control(b"H")

    def index(self) -> None:
        """Move the cursor down, and scroll where that is not possible."""
        self._move(self.cursorPos.x, self.cursorPos.y + 1)
        self.write(b"\x1bD")

    def reverseIndex(self) -> None:
        """Move the cursor up, and scroll where that is not possible."""
        self._move(self.cursorPos.x, self.cursorPos.y - 1)
        self.write(b"\x1bM")

    def nextLine(self) -> None:
        """Move the cursor to the beginning of the next line."""
        self._move(0, self.cursorPos.y + 1)
        # ESC E does not scroll everywhere.
        self.write(b"\n")

    def saveCursor(self) -> None:
        """Remember where the cursor is, and how it writes."""
        self._saved = Vector(self.cursorPos.x, self.cursorPos.y)
        self.write(b"\x1b7")

    def restoreCursor(self) -> None:
        """Put the cursor back where it was remembered."""
        saved = self._saved or Vector(0, 0)
        self._move(saved.x, saved.y)
        self.write(b"\x1b8")

    def setModes(self, modes: Iterable[int]) -> None:
        """Turn modes on."""
        self._control(_list(modes) + b"h")

    def resetModes(self, modes: Iterable[int]) -> None:
        """Turn modes off."""
        self._control(_list(modes) + b"l")

    def setPrivateModes(self, modes: Iterable[int]) -> None:
        """Turn modes of DEC's on."""
        self._control(b"?" + _list(modes) + b"h")

    def resetPrivateModes(self, modes: Iterable[int]) -> None:
        """Turn modes of DEC's off."""
        self._control(b"?" + _list(modes) + b"l")

    def applicationKeypadMode(self) -> None:
        """Have the keypad send control sequences."""
        self.write(b"\x1b=")

    def numericKeypadMode(self) -> None:
        """Have the keypad send digits."""
        self.write(b"\x1b>")

    def selectCharacterSet(self, charSet: bytes, which: bytes) -> None:
        """
        Put a character set at G0 or G1.

        Raises:
            ValueError: there is no such set or place.
        """
        try:
            self.write(b"\x1b" + _PLACES[which] + _CHARACTER_SETS[charSet])
        except KeyError as why:
            raise ValueError(f"no character set, or no place for one: {why}") from None

    def shiftIn(self) -> None:
        """Use the character set at G0."""
        self.write(b"\x0f")

    def shiftOut(self) -> None:
        """Use the character set at G1."""
        self.write(b"\x0e")

    def singleShift2(self) -> None:
        """Use the character set at G2 for one character."""
        self.write(b"\x1bN")

    def singleShift3(self) -> None:
        """Use the character set at G3 for one character."""
        self.write(b"\x1bO")

    def selectGraphicRendition(self, *attributes: Any) -> None:
        """Turn renditions on, such as `BOLD`; numbers, or text of such."""
        self._control(_list(attributes) + b"m")

    def horizontalTabulationSet(self) -> None:
        """Set a tab stop at the cursor."""
        self.write(b"\x1bH")

    def tabulationClear(self) -> None:
        """Clear the tab stop at the cursor."""
        self._control(b"g")

    def tabulationClearAll(self) -> None:
        """Clear all tab stops."""
        self._control(b"3g")

    def doubleHeightLine(self, top: bool = True) -> None:
        """Make the line the upper, or the lower, half of one twice as high and wide."""
        self.write(b"\x1b#3" if top else b"\x1b#4")

    def singleWidthLine(self) -> None:
        """Make the line one of the usual size."""
        self.write(b"\x1b#5")

    def doubleWidthLine(self) -> None:
        """Make the line twice as wide."""
        self.write(b"\x1b#6")

    def eraseToLineEnd(self) -> None:
        """Erase from the cursor to the end of the line."""
        self._control(b"K")

    def eraseToLineBeginning(self) -> None:
        """Erase from the beginning of the line to the cursor."""
        self._control(b"1K")

    def eraseLine(self) -> None:
        """Erase the line."""
        self._control(b"2K")

    def eraseToDisplayEnd(self) -> None:
        """Erase from the cursor to the end of the screen."""
        self._control(b"J")

    def eraseToDisplayBeginning(self) -> None:
        """Erase from the beginning of the screen to the cursor."""
        self._control(b"1J")

    def eraseDisplay(self) -> None:
        """Erase the screen."""
        self._control(b"2J")

    def deleteCharacter(self, n: int = 1) -> None:
        """Delete characters at the cursor."""
        self._control(b"%dP" % n)

    def insertLine(self, n: int = 1) -> None:
        """Insert lines at the cursor."""
        self._control(b"%dL" % n)

    def deleteLine(self, n: int = 1) -> None:
        """Delete lines at the cursor."""
        self._control(b"%dM" % n)

    def setScrollRegion(self, first: int | None = None, last: int | None = None) -> None:
        """Have only these lines scroll. They count from 1; None is for the screen's own end."""
        self.scrollRegion = None if first is last is None else (first, last)
        ends = [b"" if line is None else b"%d" % line for line in (first, last)]
        self._control(b";".join(ends) + b"r")

    def resetScrollRegion(self) -> None:
        """Have the whole screen scroll."""
        self.setScrollRegion()

    def reportCursorPosition(self) -> Deferred[tuple[int, int]]:
        """Ask where the cursor is: a Deferred with its column and its line, from 0."""
        # One that is cancelled waits on, for the answer that belongs to it.
        d: Deferred[tuple[int, int]] = Deferred()
        self._reports.append(d)
        self._control(b"6n")
        return d

    def reset(self) -> None:
        """Put the terminal into the state it was switched on in."""
        self.cursorPos = Vector(0, 0)
        self._saved = self.scrollRegion = None
        self.write(b"\x1bc")


def _list(values: Iterable[Any]) -> bytes:
    return b";".join(b"%d" % int(value) for value in values)
