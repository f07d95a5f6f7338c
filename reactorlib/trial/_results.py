"""What keeps how tests went, and what stands before it and changes what it is told."""

from __future__ import annotations

import time
import unittest
from collections.abc import Callable
from typing import Any

from zope.interface import directlyProvides, implementer, providedBy

from reactorlib.python.failure import Failure
from reactorlib.trial._outcomes import Todo, makeTodo
from reactorlib.trial.itrial import IReporterWithDurations

__all__ = ["TestResult", "TestResultDecorator"]


@implementer(IReporterWithDurations)
class TestResult(unittest.TestResult):
    """
    Keeps how tests went.

    It takes errors as Failures and as what `sys.exc_info()` returns, and keeps them
    as Failures.

    Attributes:
        successes: how many tests have passed.
        skips: pairs of a test and the reason.
        errors, failures: pairs of a test and a Failure.
        expectedFailures: a test, a Failure and a `Todo` each.
        unexpectedSuccesses: pairs of a test and a `Todo`.
        collectedDurations: pairs of a test, as text, and seconds, as far as the
            tests have told them.
    """

    _DEFAULT_TODO = "Test expected to fail"

    successes: int
    errors: list[tuple[Any, Any]]
    failures: list[tuple[Any, Any]]

    def __init__(self) -> None:
        super().__init__()
        self.successes = 0
        self.skips: list[tuple[Any, Any]] = []
        self.expectedFailures: list[Any] = []
        self.unexpectedSuccesses: list[Any] = []
        self.collectedDurations: list[tuple[str, float]] = []
        self._testStarted: float | None = None
        self._lastTime: float | None = None

    def __repr__(self) -> str:
        return (
            f"<{type(self).__module__}.{type(self).__qualname__} run={self.testsRun} "
            f"errors={len(self.errors)} failures={len(self.failures)} "
            f"todos={len(self.expectedFailures)} dones={len(self.unexpectedSuccesses)} "
            f"skips={len(self.skips)}>"
        )

    def _getTime(self) -> float:
        """Now, in seconds; a subclass may go by another clock."""
        return time.monotonic()

    @staticmethod
    def _getFailure(error: Any) -> Failure:
        """
        An error as a Failure.

        Raises:
            TypeError: it is neither that nor what `sys.exc_info()` returns.
        """
        if isinstance(error, Failure):
            return error
        if isinstance(error, tuple) and len(error) == 3:
            kind, value, tb = error
            return Failure(value, kind, tb)
        raise TypeError(f"an error is a Failure, or what sys.exc_info() returns, and not {error!r}")

    def _began_before(self, seconds: float) -> None:
        """The test that is told of has begun so many seconds ago, in another process."""
        self._testStarted = self._getTime() - seconds

    def startTest(self, test: Any) -> None:
        """A test begins."""
        super().startTest(test)
        self._testStarted = self._getTime()

    def stopTest(self, test: Any) -> None:
        """A test is over."""
        super().stopTest(test)
        if self._testStarted is not None:
            self._lastTime = self._getTime() - self._testStarted

    def addSuccess(self, test: Any) -> None:
        """It has passed."""
        self.successes += 1

    def addError(self, test: Any, error: Any) -> None:
        """It has ended with an error."""
        self.errors.append((test, self._getFailure(error)))

    def addFailure(self, test: Any, fail: Any) -> None:
        """An assertion did not hold."""
        self.failures.append((test, self._getFailure(fail)))

    def addSkip(self, test: Any, reason: Any) -> None:
        """It was not run."""
        self.skips.append((test, reason))

    def addExpectedFailure(self, test: Any, error: Any, todo: Todo | None = None) -> None:
        """It has failed as was expected."""
        todo = makeTodo(self._DEFAULT_TODO) if todo is None else todo
        self.expectedFailures.append((test, self._getFailure(error), todo))

    def addUnexpectedSuccess(self, test: Any, todo: Todo | None = None) -> None:
        """It has passed, which was not expected; that does not make the run fail."""
        todo = makeTodo(self._DEFAULT_TODO) if todo is None else todo
        self.unexpectedSuccesses.append((test, todo))

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        """A part of a test, begun with `subTest`, is over; it counts if it has failed."""
        if err is None:
            return
        if issubclass(err[0], test.failureException):
            self.addFailure(subtest, err)
        else:
            self.addError(subtest, err)

    def addDuration(self, test: Any, elapsed: float) -> None:
        """A test has taken so many seconds."""
        self.collectedDurations.append((str(test), elapsed))

    def wasSuccessful(self) -> bool:
        """Whether no test has failed or ended with an error."""
        return not (self.failures or self.errors)

    def done(self) -> None:
        """All tests are over."""


@implementer(IReporterWithDurations)
class TestResultDecorator:
    """
    Tells another result whatever it is told; for subclasses that change some of it.

    Args:
        original: that result.
    """

    def __init__(self, original: Any) -> None:
        self._originalReporter = original

    def __getattr__(self, name: str) -> Any:
        if name == "_originalReporter":
            raise AttributeError(name)
        return getattr(self._originalReporter, name)


class _ExitWrapper(TestResultDecorator):
    """Ends the run with the first test that fails."""

    def addError(self, test: Any, error: Any) -> None:
        """Pass it on, and let no further test begin."""
        self._originalReporter.stop()
        self._originalReporter.addError(test, error)

    def addFailure(self, test: Any, fail: Any) -> None:
        """Pass it on, and let no further test begin."""
        self._originalReporter.stop()
        self._originalReporter.addFailure(test, fail)

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        """Pass it on, and let no further test begin if it has failed."""
        if err is not None:
            self._originalReporter.stop()
        self._originalReporter.addSubTest(test, subtest, err)


_ABOUT_TESTS = {
    "startTest",
    "stopTest",
    "addSuccess",
    "addError",
    "addFailure",
    "addSkip",
    "addExpectedFailure",
    "addUnexpectedSuccess",
    "addSubTest",
}


class _AdaptedReporter:
    """
    Tells a result of other tests than it is told of.

    Args:
        original: the result.
        testAdapter: called with a test; returns the one that the result is told of.
    """

    def __init__(self, original: Any, testAdapter: Callable[[Any], Any]) -> None:
        self._originalReporter, self._adapt = original, testAdapter
        directlyProvides(self, providedBy(original))

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._originalReporter, name)
        if name not in _ABOUT_TESTS:
            return value
        return lambda test, *args, **kwargs: value(self._adapt(test), *args, **kwargs)
