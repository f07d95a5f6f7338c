"""
Results that write how tests went, to be read by people.

What begins with an underscore here and is named as in Twisted is there to be
overridden: reporters of other packages do.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import unittest
from collections.abc import Callable, Sequence
from typing import Any

from reactorlib.internet import defer
from reactorlib.python import reflect
from reactorlib.python.util import untilConcludes
from reactorlib.trial._outcomes import Todo
from reactorlib.trial._results import TestResult

__all__ = [
    "MinimalReporter",
    "Reporter",
    "SafeStream",
    "TextReporter",
    "TimingTextReporter",
    "VerboseTextReporter",
]


def _folder(file: str) -> str:
    return os.path.dirname(os.path.abspath(file)) + os.sep


_ASSERTING = (_folder(__file__), _folder(unittest.__file__))

#: Where the calls are that lead to a test, and those from an assertion to what it raises.
_RUNNING = (
    *_ASSERTING,
    reflect.__file__,
    importlib.__file__,
    "<frozen importlib",
    _folder(asyncio.__file__),
    _folder(defer.__file__),
)


class SafeStream:
    """
    Writes to a stream, again when a signal interrupts it.

    Args:
        original: the stream.
    """

    def __init__(self, original: Any) -> None:
        self.original = original

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)

    def write(self, *a: Any, **kw: Any) -> Any:
        """Write, as the stream does."""
        return untilConcludes(self.original.write, *a, **kw)

    def flush(self) -> None:
        """Write out what the stream keeps, if it keeps anything."""
        flush = getattr(self.original, "flush", None)
        if flush is not None:
            untilConcludes(flush)


class Reporter(TestResult):
    """
    Writes at the end which tests have failed, and why, and how many there were.

    Args:
        stream: where to.
        tbformat: how tracebacks look: "default", "brief" or "verbose", as
            `Failure.getTraceback` takes it.
        realtime: whether errors are written at once, too.
        publisher: a log publisher, the warnings of which are written; None for none.
    """

    _separator = "-" * 79
    _doubleSeparator = "=" * 79

    def __init__(
        self,
        stream: Any = None,
        tbformat: str = "default",
        realtime: bool = False,
        publisher: Any = None,
    ) -> None:
        super().__init__()
        self._stream = SafeStream(sys.stdout if stream is None else stream)
        self.tbformat = tbformat
        self.realtime = realtime
        self._startTime: float | None = None
        self._warningCache: set[tuple[Any, ...]] = set()
        self._publisher = publisher
        if publisher is not None:
            publisher.addObserver(self._observeWarnings)

    # -- writing --------------------------------------------------------------

    def _write(self, format: Any, *args: Any) -> None:
        """Write a text; with arguments, put these into it with `%`."""
        text = str(format)
        self._stream.write(text % args if args else text)
        self._stream.flush()

    def _writeln(self, format: Any, *args: Any) -> None:
        """Write a line, as `_write`."""
        self._write(format, *args)
        self._write("\n")

    def _observeWarnings(self, event: dict[str, Any]) -> None:
        """Write a warning that is logged, once for each test."""
        if "warning" not in event:
            return
        key = (event["filename"], event["lineno"], event["category"], str(event["warning"]))
        if key in self._warningCache:
            return
        self._warningCache.add(key)
        category = event["category"].rpartition(".")[2]
        self._writeln("%s:%d: %s: %s", event["filename"], event["lineno"], category, key[3])

    # -- what is told ---------------------------------------------------------

    def startTest(self, test: Any) -> None:
        """A test begins; the first one begins the run."""
        super().startTest(test)
        if self._startTime is None:
            self._startTime = self._getTime()
        self._warningCache.clear()

    def addError(self, test: Any, error: Any) -> None:
        """It has ended with an error."""
        super().addError(test, error)
        if self.realtime:
            self._write("%s", self._formatFailureTraceback(self.errors[-1][1]))

    def addFailure(self, test: Any, fail: Any) -> None:
        """An assertion did not hold."""
        super().addFailure(test, fail)
        if self.realtime:
            self._write("%s", self._formatFailureTraceback(self.failures[-1][1]))

    def upDownError(
        self, method: Any, error: Any, warn: bool = True, printStatus: bool = True
    ) -> None:
        """`setUp` or `tearDown` has failed; write it, if `warn`."""
        if warn:
            self._write("%s", self._formatFailureTraceback(self._getFailure(error)))

    def cleanupErrors(self, errs: Any) -> None:
        """Something was left behind in the reactor; write it."""
        self._write("%s", self._formatFailureTraceback(self._getFailure(errs)))

    def done(self) -> None:
        """All tests are over: write what there is to be said."""
        if self._publisher is not None:
            self._publisher.removeObserver(self._observeWarnings)
            self._publisher = None
        self._printErrors()
        self._writeln(self._separator)
        if self._startTime is not None:
            self._writeln("Ran %d tests in %.3fs", self.testsRun, self._getTime() - self._startTime)
        self._writeln("")
        self._printSummary()

    # -- what is written ------------------------------------------------------

    def _trimFrames(self, frames: Sequence[Any]) -> list[Any]:
        """
        The frames of a traceback without what leads to the test, and without what is
        inside an assertion.
        """
        first, last = 0, len(frames)
        if last < 2:
            return list(frames)
        while first < last and frames[first][1].startswith(_RUNNING):
            first += 1
        while first < last and frames[last - 1][1].startswith(_ASSERTING):
            last -= 1
        return list(frames[first:last] or frames[-1:])

    def _formatFailureTraceback(self, fail: Any) -> str:
        """A Failure, or a text, as it is written."""
        if isinstance(fail, str):
            return fail.rstrip() + "\n"
        frames = fail.frames
        fail.frames = self._trimFrames(frames)
        try:
            text: str = fail.getTraceback(detail=self.tbformat)
        finally:
            fail.frames = frames
        return text

    def _groupResults(
        self, results: Sequence[Any], formatter: Callable[..., str]
    ) -> list[tuple[str, list[Any]]]:
        """Bring those tests together of which the same is to be written."""
        groups: dict[str, list[Any]] = {}
        for test, *outcome in results:
            groups.setdefault(formatter(*outcome), []).append(test)
        return list(groups.items())

    def _printResults(
        self, flavor: str, errors: Sequence[Any], formatter: Callable[..., str]
    ) -> None:
        """Write each outcome once, under the heading `flavor`, and the tests that had it."""
        for text, tests in self._groupResults(errors, formatter):
            self._writeln(self._doubleSeparator)
            self._writeln("%s", flavor)
            self._write("%s", text)
            self._writeln("")
            for test in tests:
                self._writeln("%s", test.id())

    def _printExpectedFailure(self, error: Any, todo: Todo) -> str:
        return f"Reason: {todo.reason!r}\n{self._formatFailureTraceback(error)}"

    def _printUnexpectedSuccess(self, todo: Todo) -> str:
        reason = f"Reason: {todo.reason!r}\n"
        if todo.errors:
            names = ", ".join(str(error) for error in todo.errors)
            reason += f"Expected errors: {names}\n"
        return reason

    def _printErrors(self) -> None:
        """Write of all tests that have not simply passed."""
        self._writeln("")  # the end of the line about the tests
        self._printResults("[SKIPPED]", self.skips, lambda reason: f"{reason}\n")
        self._printResults("[TODO]", self.expectedFailures, self._printExpectedFailure)
        self._printResults("[FAIL]", self.failures, self._formatFailureTraceback)
        self._printResults("[ERROR]", self.errors, self._formatFailureTraceback)
        self._printResults("[SUCCESS!?!]", self.unexpectedSuccesses, self._printUnexpectedSuccess)

    def _getSummary(self) -> str:
        """How many tests went in which way."""
        counts = {
            "skips": len(self.skips),
            "expectedFailures": len(self.expectedFailures),
            "failures": len(self.failures),
            "errors": len(self.errors),
            "unexpectedSuccesses": len(self.unexpectedSuccesses),
            "successes": self.successes,
        }
        some = [f"{name}={count}" for name, count in counts.items() if count]
        return f" ({', '.join(some)})" if some else ""

    def _getStatus(self) -> str:
        """How the run went, in a word."""
        if not self.wasSuccessful():
            return "FAILED"
        return "INTERRUPTED" if self.shouldStop else "PASSED"

    def _printSummary(self) -> None:
        """Write the last line."""
        self._writeln("%s%s", self._getStatus(), self._getSummary())


class MinimalReporter(Reporter):
    """
    Writes numbers only: how long it took, in seconds; how many tests there were, twice;
    how many had an error, failed, and were skipped.
    """

    def _printErrors(self) -> None:
        """Nothing is written of single tests."""

    def _printSummary(self) -> None:
        took = 0 if self._startTime is None else self._getTime() - self._startTime
        numbers = (
            took,
            self.testsRun,
            self.testsRun,
            len(self.errors),
            len(self.failures),
            len(self.skips),
        )
        self._writeln(" ".join(map(str, numbers)))


class TextReporter(Reporter):
    """Writes a letter for each test, as soon as it is over."""

    def addSuccess(self, test: Any) -> None:
        """It has passed."""
        super().addSuccess(test)
        self._write(".")

    def addError(self, *args: Any) -> None:
        """It has ended with an error."""
        super().addError(*args)
        self._write("E")

    def addFailure(self, *args: Any) -> None:
        """An assertion did not hold."""
        super().addFailure(*args)
        self._write("F")

    def addSkip(self, *args: Any) -> None:
        """It was not run."""
        super().addSkip(*args)
        self._write("S")

    def addExpectedFailure(self, *args: Any) -> None:
        """It has failed as was expected."""
        super().addExpectedFailure(*args)
        self._write("T")

    def addUnexpectedSuccess(self, *args: Any) -> None:
        """It has passed, which was not expected."""
        super().addUnexpectedSuccess(*args)
        self._write("!")


class VerboseTextReporter(Reporter):
    """Writes a line for each test."""

    def startTest(self, tm: Any) -> None:
        """A test begins."""
        self._write("%s ... ", tm.id())
        super().startTest(tm)

    def addSuccess(self, test: Any) -> None:
        """It has passed."""
        super().addSuccess(test)
        self._write("[OK]")

    def addError(self, *args: Any) -> None:
        """It has ended with an error."""
        super().addError(*args)
        self._write("[ERROR]")

    def addFailure(self, *args: Any) -> None:
        """An assertion did not hold."""
        super().addFailure(*args)
        self._write("[FAILURE]")

    def addSkip(self, *args: Any) -> None:
        """It was not run."""
        super().addSkip(*args)
        self._write("[SKIPPED]")

    def addExpectedFailure(self, *args: Any) -> None:
        """It has failed as was expected."""
        super().addExpectedFailure(*args)
        self._write("[TODO]")

    def addUnexpectedSuccess(self, *args: Any) -> None:
        """It has passed, which was not expected."""
        super().addUnexpectedSuccess(*args)
        self._write("[SUCCESS!?!]")

    def stopTest(self, test: Any) -> None:
        """A test is over."""
        super().stopTest(test)
        self._write("\n")


class TimingTextReporter(VerboseTextReporter):
    """Writes a line for each test, and how long it has taken, in seconds."""

    def stopTest(self, method: Any) -> None:
        """A test is over."""
        super().stopTest(method)
        if self._lastTime is not None:
            self._writeln("(%.03f secs)", self._lastTime)
