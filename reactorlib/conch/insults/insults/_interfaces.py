"""The two sides of a terminal, as interfaces."""

from __future__ import annotations

from typing import Any

from zope.interface import Interface

from reactorlib.internet.interfaces import ITransport

__all__ = ["ITerminalProtocol", "ITerminalTransport"]


class ITerminalProtocol(Interface):
    """What is told of somebody at a terminal, and draws on it."""

    def makeConnection(transport: Any) -> None:
        """Take the terminal, an `ITerminalTransport`."""

    def keystrokeReceived(keyID: bytes, modifier: bytes | None) -> None:
        """
        A key was pressed.

        Args:
            keyID: its character, a byte; or, for a key that has none, one of the
                constants of the terminal, such as `UP_ARROW`.
            modifier: what was held down, `ALT`, `SHIFT` or `CONTROL`; or None.
        """

    def terminalSize(width: int, height: int) -> None:
        """The size is so many columns and lines. Until it is known, assume 80 and 24."""

    def unhandledControlSequence(seq: bytes) -> None:
        """A control sequence came that is not known."""

    def connectionLost(reason: Any) -> None:
        """The terminal is gone."""


class ITerminalTransport(ITransport):
    """A terminal to draw on. Columns and lines count from 0."""

    def cursorUp(n: int = 1) -> None:
        """Move the cursor up."""

    def cursorDown(n: int = 1) -> None:
        """Move the cursor down."""

    def cursorForward(n: int = 1) -> None:
        """Move the cursor to the right."""

    def cursorBackward(n: int = 1) -> None:
        """Move the cursor to the left."""

    def cursorPosition(column: int, line: int) -> None:
        """Move the cursor there."""

    def cursorHome() -> None:
        """Move the cursor to the first column of the first line."""

    def index() -> None:
        """Move the cursor down, and scroll where that is not possible."""

    def reverseIndex() -> None:
        """Move the cursor up, and scroll where that is not possible."""

    def nextLine() -> None:
        """Move the cursor to the beginning of the next line, and scroll where there is none."""

    def saveCursor() -> None:
        """Remember where the cursor is, renditions, character sets and origin mode."""

    def restoreCursor() -> None:
        """Put back what was remembered; without that, move the cursor home."""

    def setModes(modes: Any) -> None:
        """Turn modes on, each one of `modes`."""

    def resetModes(mode: Any) -> None:
        """Turn modes off."""

    def setPrivateModes(modes: Any) -> None:
        """Turn modes on, each one of `privateModes`."""

    def resetPrivateModes(modes: Any) -> None:
        """Turn modes of DEC's off."""

    def applicationKeypadMode() -> None:
        """Have the keypad send control sequences."""

    def numericKeypadMode() -> None:
        """Have the keypad send digits."""

    def selectCharacterSet(charSet: bytes, which: bytes) -> None:
        """Put a character set, such as `CS_US`, at `G0` or `G1`."""

    def shiftIn() -> None:
        """Use the character set at G0."""

    def shiftOut() -> None:
        """Use the character set at G1."""

    def singleShift2() -> None:
        """Use the character set at G2 for one character."""

    def singleShift3() -> None:
        """Use the character set at G3 for one character."""

    def selectGraphicRendition(*attributes: Any) -> None:
        """Turn renditions on, such as `BOLD`; `NORMAL` turns all off."""

    def horizontalTabulationSet() -> None:
        """Set a tab stop at the cursor."""

    def tabulationClear() -> None:
        """Clear the tab stop at the cursor."""

    def tabulationClearAll() -> None:
        """Clear all tab stops."""

    def doubleHeightLine(top: bool = True) -> None:
        """Make the line the upper, or the lower, half of one twice as high and wide."""

    def singleWidthLine() -> None:
        """Make the line one of the usual size."""

    def doubleWidthLine() -> None:
        """Make the line twice as wide."""

    def eraseToLineEnd() -> None:
        """Erase from the cursor to the end of the line."""

    def eraseToLineBeginning() -> None:
        """Erase from the beginning of the line to the cursor."""

    def eraseLine() -> None:
        """Erase the line."""

    def eraseToDisplayEnd() -> None:
        """Erase from the cursor to the end of the screen."""

    def eraseToDisplayBeginning() -> None:
        """Erase from the beginning of the screen to the cursor."""

    def eraseDisplay() -> None:
        """Erase the screen."""

    def deleteCharacter(n: int = 1) -> None:
        """Delete characters at the cursor; what is to the right moves there."""

    def insertLine(n: int = 1) -> None:
        """Insert lines at the cursor; what is below moves down."""

    def deleteLine(n: int = 1) -> None:
        """Delete lines at the cursor; what is below moves up."""

    def reportCursorPosition() -> Any:
        """A Deferred with where the cursor is: column and line."""

    def reset() -> None:
        """Put the terminal into the state it was switched on in."""

    def unhandledControlSequence(seq: bytes) -> None:
        """A control sequence came that is not known."""
