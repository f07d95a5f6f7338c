"""Line editing on a terminal: a prompt, a cursor in the line, and the lines before it."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable
from typing import Any

from zope.interface import classImplements

from reactorlib.conch.insults.helper import TerminalBuffer
from reactorlib.conch.insults.insults import (
    FUNCTION_KEYS,
    ITerminalTransport,
    ServerProtocol,
    TerminalProtocol,
    modes,
)
from reactorlib.logger import Logger

__all__ = ["HistoricRecvLine", "LocalTerminalBufferMixin", "RecvLine", "TransportSequence"]

_PRINTABLE = frozenset(bytes([code]) for code in string.printable.encode("ascii"))


class RecvLine(TerminalProtocol):
    """
    Lets somebody edit a line, and has it in `lineReceived` when they press Enter.

    A key that `keyHandlers` has is a command; a printable character of ASCII goes into
    the line; nothing is done for any other.

    Attributes:
        width, height: the size of the terminal, in columns and lines.
        TABSTOP: at each multiple of how many columns the tab key stops.
        MAX_LENGTH: how many characters a line may have; more are refused with a beep.
        ps: the prompts, and pn: which of them is shown.
        lineBuffer: the characters of the line, and lineBufferIndex: before which of them
            the cursor is.
        keyHandlers: what is called for a key; filled in by `connectionMade`.
        mode: "insert", or "typeover" where a character replaces the one at the cursor.
    """

    width = 80
    height = 24
    TABSTOP = 4
    # Far more than fits on a screen; somebody who never presses Enter must end somewhere.
    MAX_LENGTH = 16384
    ps: tuple[bytes, ...] = (b">>> ", b"... ")
    pn = 0
    mode = "insert"

    _log = Logger(namespace="reactorlib.conch.recvline")

    def connectionMade(self) -> None:
        """Show the prompt."""
        self.lineBuffer: list[bytes] = []
        self.lineBufferIndex = 0
        terminal = self.terminal
        self.keyHandlers: dict[bytes, Callable[[], Any]] = {
            terminal.LEFT_ARROW: self.handle_LEFT,
            terminal.RIGHT_ARROW: self.handle_RIGHT,
            terminal.TAB: self.handle_TAB,
            b"\r": self.handle_RETURN,
            b"\n": self.handle_RETURN,
            terminal.BACKSPACE: self.handle_BACKSPACE,
            b"\b": self.handle_BACKSPACE,
            terminal.DELETE: self.handle_DELETE,
            terminal.INSERT: self.handle_INSERT,
            terminal.HOME: self.handle_HOME,
            terminal.END: self.handle_END,
        }
        self.initializeScreen()

    def initializeScreen(self) -> None:
        """Begin with an empty screen, and the prompt."""
        self.terminal.reset()
        self.terminal.write(self.ps[self.pn])
        self.setInsertMode()

    def currentLineBuffer(self) -> tuple[bytes, bytes]:
        """What is before the cursor, and what is at it and behind it."""
        line = b"".join(self.lineBuffer)
        return line[: self.lineBufferIndex], line[self.lineBufferIndex :]

    def setInsertMode(self) -> None:
        """Have what is typed go between what is there."""
        self.mode = "insert"
        self.terminal.setModes([modes.INSERTION_REPLACEMENT])

    def setTypeoverMode(self) -> None:
        """Have what is typed replace what is there."""
        self.mode = "typeover"
        self.terminal.resetModes([modes.INSERTION_REPLACEMENT])

    def drawInputLine(self) -> None:
        """Write the prompt and the line, the cursor where it belongs."""
        self.terminal.write(self.ps[self.pn] + b"".join(self.lineBuffer))
        behind = len(self.lineBuffer) - self.lineBufferIndex
        if behind:
            self.terminal.cursorBackward(behind)

    def terminalSize(self, width: int, height: int) -> None:
        """The size changed: draw anew."""
        self.width = width
        self.height = height
        self.terminal.eraseDisplay()
        self.terminal.cursorHome()
        self.drawInputLine()

    def unhandledControlSequence(self, seq: bytes) -> None:
        """A sequence came that is no known key: nothing is done."""

    def keystrokeReceived(self, keyID: bytes, modifier: bytes | None) -> None:
        """A key was pressed."""
        handle = self.keyHandlers.get(keyID)
        if handle is not None:
            handle()
        elif keyID in _PRINTABLE:
            self.characterReceived(keyID, False)
        else:
            self._log.debug("nothing is done for the key {key!r}", key=keyID)

    def characterReceived(self, ch: bytes, moreCharactersComing: bool) -> None:
        """
        Put a character into the line, and show it.

        Args:
            moreCharactersComing: whether others follow at once, so that what looks at
                the whole line may wait for them.
        """
        if self._take(ch):
            self.terminal.write(ch)

    def _take(self, ch: bytes) -> bool:
        """Put a character into the line; false where that is too long."""
        at = self.lineBufferIndex
        replaces = self.mode != "insert" and at < len(self.lineBuffer)
        if len(self.lineBuffer) >= self.MAX_LENGTH and not replaces:
            self.terminal.write(b"\a")
            return False
        self.lineBuffer[at : at + replaces] = [ch]
        self.lineBufferIndex += 1
        return True

    def handle_TAB(self) -> None:
        """Insert spaces, up to the next stop."""
        for left in reversed(range(self.TABSTOP - self.lineBufferIndex % self.TABSTOP)):
            self.characterReceived(b" ", left > 0)

    def handle_LEFT(self) -> None:
        """Move to the left."""
        if self.lineBufferIndex > 0:
            self.lineBufferIndex -= 1
            self.terminal.cursorBackward()

    def handle_RIGHT(self) -> None:
        """Move to the right."""
        if self.lineBufferIndex < len(self.lineBuffer):
            self.lineBufferIndex += 1
            self.terminal.cursorForward()

    def handle_HOME(self) -> None:
        """Move to the beginning of the line."""
        if self.lineBufferIndex:
            self.terminal.cursorBackward(self.lineBufferIndex)
            self.lineBufferIndex = 0

    def handle_END(self) -> None:
        """Move to the end of the line."""
        behind = len(self.lineBuffer) - self.lineBufferIndex
        if behind:
            self.terminal.cursorForward(behind)
            self.lineBufferIndex = len(self.lineBuffer)

    def handle_BACKSPACE(self) -> None:
        """Delete the character before the cursor."""
        if self.lineBufferIndex > 0:
            self.lineBufferIndex -= 1
            del self.lineBuffer[self.lineBufferIndex]
            self.terminal.cursorBackward()
            self.terminal.deleteCharacter()

    def handle_DELETE(self) -> None:
        """Delete the character at the cursor."""
        if self.lineBufferIndex < len(self.lineBuffer):
            del self.lineBuffer[self.lineBufferIndex]
            self.terminal.deleteCharacter()

    def handle_RETURN(self) -> None:
        """The line is complete."""
        line = b"".join(self.lineBuffer)
        self.lineBuffer = []
        self.lineBufferIndex = 0
        self.terminal.nextLine()
        self.lineReceived(line)

    def handle_INSERT(self) -> None:
        """Change between inserting and replacing."""
        if self.mode == "insert":
            self.setTypeoverMode()
        else:
            self.setInsertMode()

    def lineReceived(self, line: bytes) -> None:
        """A line was entered. For subclasses."""


class HistoricRecvLine(RecvLine):
    """
    Has the lines before this one under the arrow keys.

    Attributes:
        MAX_HISTORY: how many lines are remembered.
        historyLines: the lines, the oldest first, and historyPosition: which of them is
            being edited; their number for the one after them.
    """

    MAX_HISTORY = 1000

    def connectionMade(self) -> None:
        """Show the prompt."""
        self.historyLines: list[bytes] = []
        self.historyPosition = 0
        super().connectionMade()
        self.keyHandlers.update(
            {self.terminal.UP_ARROW: self.handle_UP, self.terminal.DOWN_ARROW: self.handle_DOWN}
        )

    def currentHistoryBuffer(self) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
        """The lines before the one that is being edited, and those from it on."""
        at = self.historyPosition
        return tuple(self.historyLines[:at]), tuple(self.historyLines[at:])

    def _deliverBuffer(self, buf: bytes | Iterable[bytes]) -> None:
        """Put characters into the line, one after another."""
        characters = [bytes([code]) for code in buf] if isinstance(buf, bytes) else list(buf)
        for left, ch in zip(reversed(range(len(characters))), characters, strict=True):
            self.characterReceived(ch, left > 0)

    def _remember(self, line: bytes) -> None:
        self.historyLines.append(line)
        del self.historyLines[: -self.MAX_HISTORY]

    def _show(self, line: bytes) -> None:
        """Replace the line that is being edited."""
        self.handle_HOME()
        self.terminal.eraseToLineEnd()
        self.lineBuffer = []
        self._deliverBuffer(line)

    def handle_UP(self) -> None:
        """The line before."""
        if self.lineBuffer and self.historyPosition == len(self.historyLines):
            self._remember(b"".join(self.lineBuffer))
            self.historyPosition = len(self.historyLines) - 1
        if self.historyPosition > 0:
            self.historyPosition -= 1
            self._show(self.historyLines[self.historyPosition])

    def handle_DOWN(self) -> None:
        """The line after; an empty one after the last."""
        if self.historyPosition < len(self.historyLines) - 1:
            self.historyPosition += 1
            self._show(self.historyLines[self.historyPosition])
        else:
            self.historyPosition = len(self.historyLines)
            self._show(b"")

    def handle_RETURN(self) -> None:
        """The line is complete: remember it, unless it is empty."""
        if self.lineBuffer:
            self._remember(b"".join(self.lineBuffer))
        self.historyPosition = len(self.historyLines)
        super().handle_RETURN()


class TransportSequence:
    """
    Several terminals as one: each method is called on all of them.

    What it returns is what the first of them returned. The keys' names are those of
    `ServerProtocol`.

    Args:
        transports: the terminals, one or more.
    """

    TAB = ServerProtocol.TAB
    BACKSPACE = ServerProtocol.BACKSPACE

    def __init__(self, *transports: Any) -> None:
        assert transports, "a TransportSequence needs a transport"
        self.transports = transports


def _of_all(name: str) -> Callable[..., Any]:
    def call(self: TransportSequence, *args: Any, **kwargs: Any) -> Any:
        answers = [getattr(each, name)(*args, **kwargs) for each in self.transports]
        return answers[0]

    call.__name__ = name
    call.__doc__ = f"`{name}` of each."
    return call


for _name in ITerminalTransport.names(all=True):
    setattr(TransportSequence, _name, _of_all(_name))
for _key in FUNCTION_KEYS:
    setattr(TransportSequence, _key.decode("ascii")[1:-1], _key)
del _name, _key
# The methods are there, if not for a type checker to see.
classImplements(TransportSequence, ITerminalTransport)  # type: ignore[misc]


class LocalTerminalBufferMixin:
    """
    Mixed into a terminal protocol: knows what its terminal shows.

    Attributes:
        terminalCopy: a terminal in memory, a `TerminalBuffer`, that is told the same.
    """

    def makeConnection(self, transport: Any) -> None:
        """Take the terminal."""
        self.terminalCopy = TerminalBuffer()
        self.terminalCopy.connectionMade()
        both = TransportSequence(transport, self.terminalCopy)
        super().makeConnection(both)  # type: ignore[misc]  # the other class has it
