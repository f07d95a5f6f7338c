"""The prompt on any terminal: line editing, history, and colours."""

from __future__ import annotations

from collections import deque
from typing import Any

from reactorlib.conch.manhole._colors import lastColorizedLine
from reactorlib.conch.manhole._interpreter import ManholeInterpreter
from reactorlib.conch.recvline import HistoricRecvLine
from reactorlib.internet.defer import Deferred

__all__ = [
    "CTRL_A",
    "CTRL_BACKSLASH",
    "CTRL_C",
    "CTRL_D",
    "CTRL_E",
    "CTRL_L",
    "ColoredManhole",
    "Manhole",
]

CTRL_A = b"\x01"
CTRL_C = b"\x03"
CTRL_D = b"\x04"
CTRL_E = b"\x05"
CTRL_L = b"\x0c"
CTRL_BACKSLASH = b"\x1c"


class Manhole(HistoricRecvLine):
    """
    A Python prompt.

    Ctrl-C forgets the line, or cancels what a statement awaits; Ctrl-D on an empty line
    and Ctrl-\\ leave; Ctrl-L clears the screen; Ctrl-A and Ctrl-E go to the ends of the
    line. What is typed while something is awaited comes after it.

    Args:
        namespace: the names that sessions begin with. Each has a copy of its own.

    Attributes:
        namespace: the session's names; None for those of a fresh console.
        interpreter: the `ManholeInterpreter`.
    """

    namespace: dict[str, Any] | None = None
    # Keys; what is typed while something is awaited, by hand or pasted.
    _MAX_AHEAD = 65536

    def __init__(self, namespace: dict[str, Any] | None = None) -> None:
        if namespace is not None:
            self.namespace = namespace.copy()
        self._ahead: deque[tuple[bytes, bytes | None]] = deque()
        self._replaying = False
        self._left = False

    def connectionMade(self) -> None:
        """Show the prompt."""
        super().connectionMade()
        self.interpreter = ManholeInterpreter(self, self.namespace)
        self.keyHandlers.update(
            {
                CTRL_C: self.handle_INT,
                CTRL_D: self.handle_EOF,
                CTRL_L: self.handle_FF,
                CTRL_A: self.handle_HOME,
                CTRL_E: self.handle_END,
                CTRL_BACKSLASH: self.handle_QUIT,
            }
        )

    def connectionLost(self, reason: Any) -> None:
        """Somebody left: what they await is cancelled."""
        self._left = True
        self._ahead.clear()
        self.interpreter.close()
        super().connectionLost(reason)

    def keystrokeReceived(self, keyID: bytes, modifier: bytes | None) -> None:
        """A key was pressed."""
        if self.interpreter.running is not None or self._replaying:
            if keyID == CTRL_C:
                self._ahead.clear()
                self.interpreter.interrupt()
                return
            if keyID != CTRL_BACKSLASH:
                if len(self._ahead) < self._MAX_AHEAD:
                    self._ahead.append((keyID, modifier))
                else:
                    self.terminal.write(b"\a")
                return
        super().keystrokeReceived(keyID, modifier)

    def handle_INT(self) -> None:
        """Ctrl-C: forget the line, and the statement it belongs to."""
        self.lineBuffer = []
        self.lineBufferIndex = 0
        self.interpreter.resetBuffer()
        self.pn = 0
        self.terminal.nextLine()
        self.terminal.write(b"KeyboardInterrupt")
        self.terminal.nextLine()
        self.terminal.write(self.ps[self.pn])

    def handle_EOF(self) -> None:
        """Ctrl-D: leave, if the line is empty."""
        if self.lineBuffer:
            self.terminal.write(b"\a")
        else:
            self.handle_QUIT()

    def handle_FF(self) -> None:
        """Ctrl-L: clear the screen."""
        self.terminal.eraseDisplay()
        self.terminal.cursorHome()
        self.drawInputLine()

    def handle_QUIT(self) -> None:
        """Leave."""
        self._left = True
        self.terminal.loseConnection()

    def terminalSize(self, width: int, height: int) -> None:
        """The size changed."""
        if self.interpreter.running is None:
            super().terminalSize(width, height)
        else:
            self.width = width
            self.height = height

    def _needsNewline(self) -> bool:
        return not self.terminal.lastWrite.endswith((b"\n", b"\x1bE"))

    def addOutput(self, data: str | bytes, isAsync: bool | None = None) -> None:
        """
        Show something.

        Args:
            isAsync: whether it comes while a line is being edited, which is then shown
                again after it. By default that is found out.
        """
        if self._left:
            return
        editing = self.interpreter.running is None and not self.interpreter.inside
        if isAsync is None:
            isAsync = editing
        if not (isAsync and editing):
            self.terminal.write(data)
            return
        self.terminal.eraseLine()
        self.terminal.cursorBackward(self.lineBufferIndex + len(self.ps[self.pn]))
        self.terminal.write(data)
        if self._needsNewline():
            self.terminal.nextLine()
        self._draw_again()

    def _draw_again(self) -> None:
        self.drawInputLine()

    def lineReceived(self, line: bytes) -> None:
        """A line was entered."""
        more = self.interpreter.push(line)
        if isinstance(more, Deferred):
            more.addCallback(self._prompt)
        else:
            self._prompt(more)

    def _prompt(self, more: bool) -> None:
        """Ask for the next line, and take what was typed ahead."""
        if self._left:
            return
        self.pn = 1 if more else 0
        if self._needsNewline():
            self.terminal.nextLine()
        self.terminal.write(self.ps[self.pn])
        if self._replaying:
            return
        self._replaying = True
        try:
            while self._ahead and self.interpreter.running is None and not self._left:
                super().keystrokeReceived(*self._ahead.popleft())
        finally:
            self._replaying = False


class ColoredManhole(Manhole):
    """A Python prompt in colours."""

    # Characters of a statement that is coloured anew at each key; more takes too long.
    _MAX_COLORED = 4096
    _unshown = b""

    def getSource(self) -> str:
        """What has been entered of the statement, and the line that is being edited."""
        line = b"".join(self.lineBuffer).decode("utf-8", "replace")
        return "\n".join([*self.interpreter.buffer, line])

    def characterReceived(self, ch: bytes, moreCharactersComing: bool) -> None:
        """Put a character into the line, and show the line."""
        if self._take(ch):
            self._unshown += ch
        if moreCharactersComing or not self._unshown:
            return
        unshown, self._unshown = self._unshown, b""
        at_end = self.lineBufferIndex == len(self.lineBuffer)
        # A space has no colour, and gives what is before it no other. What does not fit
        # into one line of the screen cannot be drawn anew in its place.
        if (unshown == b" " and at_end) or self._length() >= self.width:
            self.terminal.write(unshown)
        else:
            self._draw_again()

    def _length(self) -> int:
        return len(self.ps[self.pn]) + len(self.lineBuffer)

    def _draw_again(self) -> None:
        self.terminal.eraseLine()
        self.terminal.cursorBackward(self._length())
        self.drawInputLine()

    def drawInputLine(self) -> None:
        """Write the prompt and the line, the cursor where it belongs."""
        source = self.getSource() if hasattr(self, "interpreter") else ""
        if len(source) > self._MAX_COLORED:
            super().drawInputLine()
            return
        self.terminal.write(self.ps[self.pn] + lastColorizedLine(source))
        behind = len(self.lineBuffer) - self.lineBufferIndex
        if behind:
            self.terminal.cursorBackward(behind)
