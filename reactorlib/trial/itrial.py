"""The interfaces of test cases, and of what is told how they went."""

from __future__ import annotations

import unittest
from typing import Any

from zope.interface import Attribute, Interface, classImplements

from reactorlib.plugin import GROUP

__all__ = ["IReporter", "IReporterWithDurations", "ITestCase"]


class ITestCase(Interface):
    """A test."""

    skip: Any = Attribute("Why it is not run; None if it is.")
    failureException: Any = Attribute("What is raised when an assertion does not hold.")

    def __call__(result: Any = None) -> Any:
        """Run, and tell `result`; as `run`."""

    def countTestCases() -> int:
        """How many tests it is."""

    def id() -> str:
        """What it is called, with its module."""

    def run(result: Any = None) -> Any:
        """Run, and tell `result`."""

    def shortDescription() -> str | None:
        """One line about it."""


class IReporter(Interface):
    """What is told how tests went. Errors come as `Failure`s."""

    shouldStop: bool = Attribute("Whether no further test is to begin.")
    testsRun: Any = Attribute("How many tests have begun.")

    def startTest(method: Any) -> None:
        """A test begins."""

    def stopTest(method: Any) -> None:
        """A test is over."""

    def addSuccess(test: Any) -> None:
        """It has passed."""

    def addError(test: Any, error: Any) -> None:
        """It has ended with an error; this may come more than once."""

    def addFailure(test: Any, failure: Any) -> None:
        """An assertion did not hold."""

    def addSkip(test: Any, reason: str) -> None:
        """It was not run."""

    def addExpectedFailure(test: Any, failure: Any, todo: Any = None) -> None:
        """It has failed as was expected."""

    def addUnexpectedSuccess(test: Any, todo: Any = None) -> None:
        """It has passed, which was not expected."""

    def wasSuccessful() -> bool:
        """Whether no test has failed or ended with an error."""

    def done() -> None:
        """All tests are over; nothing more is told."""


IReporter.setTaggedValue(GROUP, "reactorlib.reporters")


class IReporterWithDurations(IReporter):
    """What is also told how long tests took."""

    collectedDurations: Any = Attribute("Pairs of a test, as text, and seconds.")

    def addDuration(test: Any, elapsed: float) -> None:
        """A test has taken so many seconds."""


classImplements(unittest.TestCase, ITestCase)  # type: ignore[misc]  # it is asked for `skip`
