"""Suites that do more than run their tests, and tests that are only a name."""

from __future__ import annotations

import unittest as pyunit
from typing import Any

from zope.interface import implementer

from reactorlib.trial import _synctest, unittest
from reactorlib.trial._asyncrunner import TestSuite, _ForceGarbageCollectionDecorator
from reactorlib.trial.itrial import ITestCase
from reactorlib.trial.util import excInfoOrFailureToExcInfo

__all__ = [
    "NOT_IN_TEST",
    "DestructiveTestSuite",
    "ErrorHolder",
    "LoggedSuite",
    "TestHolder",
    "TrialSuite",
]

#: The name of the test that has the errors which were logged while no test ran.
NOT_IN_TEST = "<not in test>"


class DestructiveTestSuite(TestSuite):
    """Tests, one after the other, each forgotten when it is over."""

    def _removeTestAtIndex(self, index: int) -> None:
        """Forget it."""
        self._tests[index] = None  # type: ignore[call-overload]  # as unittest's own do


class LoggedSuite(TestSuite):
    """Tests, and what was logged as an error while none of them ran, which is one, too."""

    def run(self, result: Any, debug: bool = False) -> Any:
        """Run the tests, and tell `result`."""
        observer = _synctest._logObserver
        observer._add()
        try:
            super().run(result, debug)
        finally:
            observer._remove()
        for error in observer.flushErrors():
            result.addError(TestHolder(NOT_IN_TEST), error)
        return result


class TrialSuite(TestSuite):
    """
    All tests of a run.

    Args:
        tests: the tests.
        forceGarbageCollection: whether garbage is collected before and after each.
    """

    def __init__(self, tests: Any = (), forceGarbageCollection: bool = False) -> None:
        if forceGarbageCollection:
            tests = [unittest.decorate(test, _ForceGarbageCollectionDecorator) for test in tests]
        super().__init__(LoggedSuite([test]) for test in tests)


@implementer(ITestCase)
class TestHolder:
    """
    A test that is only a name, to tell something about.

    Args:
        description: the name.
    """

    failureException: Any = None
    skip = None

    def __init__(self, description: str) -> None:
        self.description = description

    def __call__(self, result: Any = None) -> Any:
        return self.run(result)

    def id(self) -> str:
        """The name."""
        return self.description

    def shortDescription(self) -> str:
        """The name."""
        return self.description

    def countTestCases(self) -> int:
        """None."""
        return 0

    def run(self, result: Any = None) -> Any:
        """Begin, and be over."""
        result.startTest(self)
        result.stopTest(self)


class ErrorHolder(TestHolder):
    """
    A test that could not be loaded.

    Args:
        description: its name.
        error: why: a Failure, or what `sys.exc_info()` returns.

    Attributes:
        error: why: what `sys.exc_info()` returned.
    """

    def __init__(self, description: str, error: Any) -> None:
        super().__init__(description)
        self.error = excInfoOrFailureToExcInfo(error)

    def __repr__(self) -> str:
        return f"<ErrorHolder description={self.description!r} error={self.error[1]!r}>"

    def run(self, result: Any = None) -> Any:
        """Begin, end with the error, and be over; what says that it is to be skipped is."""
        result.startTest(self)
        if issubclass(self.error[0], pyunit.SkipTest):
            result.addSkip(self, str(self.error[1]))
        else:
            result.addError(self, self.error)
        result.stopTest(self)
