"""A result that writes tests as a tree, in colours where the terminal has them."""

from __future__ import annotations

import os
import sys
from typing import Any

from reactorlib.trial._reporters import Reporter

__all__ = ["TreeReporter"]

_COLORS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")


class _AnsiColorizer:
    """Writes in colours, by the escape sequences of ECMA-48 section 8.3.117."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    @classmethod
    def supported(cls, stream: Any = None) -> bool:
        """Whether a stream is a terminal that knows colours, and its user wants them."""
        stream = sys.stdout if stream is None else stream
        isatty = getattr(stream, "isatty", None)
        if isatty is None or not isatty() or os.environ.get("NO_COLOR"):
            return False
        try:
            import curses
        except ImportError:
            return False
        try:
            try:
                return curses.tigetnum("colors") > 2
            except curses.error:
                curses.setupterm()
                return curses.tigetnum("colors") > 2
        except Exception:
            return False  # whatever a terminal's description lacks

    def write(self, text: str, color: str) -> None:
        """Write a text, bold and in a colour."""
        self._stream.write(f"\x1b[{30 + _COLORS.index(color)};1m{text}\x1b[0m")


class _NullColorizer:
    """Writes in the colour that there is."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    @classmethod
    def supported(cls, stream: Any = None) -> bool:
        """Any stream will do."""
        return True

    def write(self, text: str, color: str) -> None:
        """Write a text."""
        self._stream.write(text)


class TreeReporter(Reporter):
    """
    Writes a line for each test, under its class and its module.

    Attributes:
        indent: what is before a line for each level.
        columns: how long lines are, in characters.
        currentLine: what has been written of the line so far.
    """

    currentLine = ""
    indent = "  "
    columns = 79

    FAILURE = "red"
    ERROR = "red"
    TODO = "blue"
    SKIP = "blue"
    TODONE = "red"
    SUCCESS = "green"

    def __init__(self, stream: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(stream, *args, **kwargs)
        self._last: list[str] = []
        colorizer = (
            _AnsiColorizer if _AnsiColorizer.supported(self._stream.original) else _NullColorizer
        )
        self._colorizer: Any = colorizer(self._stream)

    def getDescription(self, test: Any) -> str:
        """What a test is called in its line: its method."""
        name: str = test.id()
        return name.rpartition(".")[2]

    # -- what is told ---------------------------------------------------------

    def startTest(self, test: Any) -> None:
        """A test begins."""
        depth = self._testPrelude(test.id())
        self._write("%s%s ... ", self.indent * depth, self.getDescription(test))
        super().startTest(test)

    def addSuccess(self, test: Any) -> None:
        """It has passed."""
        super().addSuccess(test)
        self.endLine("[OK]", self.SUCCESS)

    def addError(self, *args: Any) -> None:
        """It has ended with an error."""
        super().addError(*args)
        self.endLine("[ERROR]", self.ERROR)

    def addFailure(self, *args: Any) -> None:
        """An assertion did not hold."""
        super().addFailure(*args)
        self.endLine("[FAIL]", self.FAILURE)

    def addSkip(self, *args: Any) -> None:
        """It was not run."""
        super().addSkip(*args)
        self.endLine("[SKIPPED]", self.SKIP)

    def addExpectedFailure(self, *args: Any) -> None:
        """It has failed as was expected."""
        super().addExpectedFailure(*args)
        self.endLine("[TODO]", self.TODO)

    def addUnexpectedSuccess(self, *args: Any) -> None:
        """It has passed, which was not expected."""
        super().addUnexpectedSuccess(*args)
        self.endLine("[SUCCESS!?!]", self.TODONE)

    def upDownError(
        self, method: Any, error: Any, warn: bool = True, printStatus: bool = True
    ) -> None:
        """`setUp` or `tearDown` has failed."""
        super().upDownError(method, error, warn, printStatus)
        if printStatus:
            self._write("%s", method)
            self.endLine("[ERROR]", self.ERROR)

    def cleanupErrors(self, errs: Any) -> None:
        """Something was left behind in the reactor."""
        super().cleanupErrors(errs)
        self._write("    cleanup errors")
        self.endLine("[ERROR]", self.ERROR)

    # -- what is written ------------------------------------------------------

    def _getPreludeSegments(self, testID: str) -> list[str]:
        """The module and the class of a test, by what it is called."""
        *above, _ = testID.split(".")
        return above if len(above) < 2 else [".".join(above[:-1]), above[-1]]

    def _testPrelude(self, testID: str) -> int:
        """Write the module and the class of a test, where they are others than before."""
        segments = self._getPreludeSegments(testID)
        same = True
        for depth, segment in enumerate(segments):
            same = same and self._last[depth : depth + 1] == [segment]
            if not same:
                self._writeln("%s%s", self.indent * depth, segment)
        self._last = segments
        return len(segments)

    def _write(self, format: Any, *args: Any) -> None:
        text = str(format) % args if args else str(format)
        self.currentLine = (self.currentLine + text).rpartition("\n")[2]
        super()._write("%s", text)

    def endLine(self, message: str, color: str) -> None:
        """Write a message at the end of the line."""
        self._write(" " * max(0, self.columns - len(self.currentLine) - len(message)))
        self._colorizer.write(message, color)
        self._write("\n")

    def _printSummary(self) -> None:
        status = self._getStatus()
        self._colorizer.write(status, self.SUCCESS if status == "PASSED" else self.FAILURE)
        self._writeln("%s", self._getSummary())
