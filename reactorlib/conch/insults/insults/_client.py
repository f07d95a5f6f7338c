"""The other end: what a program sends a terminal, as calls of what draws."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from reactorlib.conch.insults.insults._names import (
    CS_ALTERNATE,
    CS_ALTERNATE_SPECIAL,
    CS_DRAWING,
    CS_UK,
    CS_US,
    G0,
    G1,
)
from reactorlib.conch.insults.insults._sequences import (
    Control,
    Escape,
    Malformed,
    Plain,
    SequenceSplitter,
    numbers,
)
from reactorlib.internet.protocol import Protocol, connectionDone

__all__ = ["ClientProtocol"]

_SHORT = {
    b"D": "index",
    b"M": "reverseIndex",
    b"E": "nextLine",
    b"7": "saveCursor",
    b"8": "restoreCursor",
    b"=": "applicationKeypadMode",
    b">": "numericKeypadMode",
    b"N": "singleShift2",
    b"O": "singleShift3",
    b"H": "horizontalTabulationSet",
    b"c": "reset",
    b"#5": "singleWidthLine",
    b"#6": "doubleWidthLine",
}
_CHARACTER_SETS = {
    b"A": CS_UK,
    b"B": CS_US,
    b"0": CS_DRAWING,
    b"1": CS_ALTERNATE,
    b"2": CS_ALTERNATE_SPECIAL,
}
_PLACES = {b"(": G0, b")": G1}
# Shift-in and shift-out are SI and SO, and, from Twisted, NAK and DC4.
_CHARACTERS = {
    b"\x08": "cursorBackward",
    b"\x0e": "shiftOut",
    b"\x0f": "shiftIn",
    b"\x14": "shiftOut",
    b"\x15": "shiftIn",
}
_RUNS = re.compile(rb"[\x08\x0e\x0f\x14\x15]|[^\x08\x0e\x0f\x14\x15]+")
#: Those with one number, 1 if it is left out.
_COUNTED = {
    b"A": "cursorUp",
    b"B": "cursorDown",
    b"C": "cursorForward",
    b"D": "cursorBackward",
    b"L": "insertLine",
    b"M": "deleteLine",
    b"P": "deleteCharacter",
}
#: Those with a number that says which, 0 if it is left out.
_CHOSEN = {
    (b"J", 0): "eraseToDisplayEnd",
    (b"J", 1): "eraseToDisplayBeginning",
    (b"J", 2): "eraseDisplay",
    (b"K", 0): "eraseToLineEnd",
    (b"K", 1): "eraseToLineBeginning",
    (b"K", 2): "eraseLine",
    (b"g", 0): "tabulationClear",
    (b"g", 3): "tabulationClearAll",
}


class ClientProtocol(Protocol):
    """
    Calls an `ITerminalTransport`'s methods for the control sequences that come in.

    Args:
        terminalFactory: makes it.
        a, kw: the arguments it is called with.

    Attributes:
        terminalFactory: as above.
        terminal: it, while the connection is there.
    """

    terminalFactory: Callable[..., Any] | None = None
    terminal: Any = None

    def __init__(
        self, terminalFactory: Callable[..., Any] | None = None, *a: Any, **kw: Any
    ) -> None:
        if terminalFactory is not None:
            self.terminalFactory = terminalFactory
        self.terminalArgs = a
        self.terminalKwArgs = kw
        self._splitter = SequenceSplitter(b"()#")

    def connectionMade(self) -> None:
        """Make the terminal."""
        if self.terminalFactory is not None:
            self.terminal = self.terminalFactory(*self.terminalArgs, **self.terminalKwArgs)
            self.terminal.factory = self.factory
            self.terminal.makeConnection(self)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """The connection is gone; so it is for the terminal."""
        terminal, self.terminal = self.terminal, None
        if terminal is not None:
            terminal.connectionLost(reason)

    def getHost(self) -> Any:
        """The address here."""
        return self.transport.getHost()

    def getPeer(self) -> Any:
        """The peer's address."""
        return self.transport.getPeer()

    def loseConnection(self) -> None:
        """Close the connection."""
        self.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        """Bytes came in: text and control sequences."""
        self._splitter.feed(data)
        while self.terminal is not None:
            token = self._splitter.next_token()
            if token is None:
                return
            if isinstance(token, Plain):
                self._plain(token.data)
            elif isinstance(token, Escape):
                self._escaped(token.data)
            elif isinstance(token, Malformed):
                self.terminal.unhandledControlSequence(token.data)
            elif not self._controlled(token):
                self.terminal.unhandledControlSequence(b"\x1b[" + token.parameters + token.final)

    def _plain(self, data: bytes) -> None:
        for run in _RUNS.findall(data):
            name = _CHARACTERS.get(run)
            if name is None:
                self.terminal.write(run)
            else:
                getattr(self.terminal, name)()

    def _escaped(self, data: bytes) -> None:
        name = _SHORT.get(data)
        if name is not None:
            getattr(self.terminal, name)()
        elif data in (b"#3", b"#4"):
            self.terminal.doubleHeightLine(data == b"#3")
        elif data[:1] in _PLACES and data[1:] in _CHARACTER_SETS:
            self.terminal.selectCharacterSet(_CHARACTER_SETS[data[1:]], _PLACES[data[:1]])
        else:
            self.terminal.unhandledControlSequence(b"\x1b" + data)

    def _controlled(self, token: Control) -> bool:
        """Whether it is a known sequence, and was acted on."""
        terminal = self.terminal
        final = token.final
        private = token.parameters.startswith(b"?")
        given = numbers(token.parameters.removeprefix(b"?"))
        if given is None:
            return False
        if final in b"hl":
            act = "set" if final == b"h" else "reset"
            name = f"{act}PrivateModes" if private else f"{act}Modes"
            getattr(terminal, name)([mode for mode in given if mode is not None])
            return True
        if private:
            return False
        first = given[0] if given else None
        second = given[1] if len(given) > 1 else None
        if final in _COUNTED and len(given) < 2:
            # ECMA-48 section 8.3: the default, which 0 stands for as well on a VT100, is 1.
            getattr(terminal, _COUNTED[final])(first or 1)
        elif (final, first or 0) in _CHOSEN and len(given) < 2:
            getattr(terminal, _CHOSEN[final, first or 0])()
        elif final == b"m":
            terminal.selectGraphicRendition(*[value or 0 for value in given] or [0])
        elif final in b"Hf" and len(given) <= 2:
            if given:
                terminal.cursorPosition((second or 1) - 1, (first or 1) - 1)
            else:
                terminal.cursorHome()
        elif final == b"r" and len(given) <= 2:
            terminal.setScrollRegion(first, second)
        elif final == b"n" and given == [6]:
            x, y = terminal.reportCursorPosition()
            self.transport.write(b"\x1b[%d;%dR" % (x + 1, y + 1))
        else:
            return False
        return True
