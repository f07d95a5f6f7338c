"""Suites of tests, and tests around tests."""

from __future__ import annotations

import gc
import unittest
from collections.abc import Iterator
from typing import Any

from zope.interface import implementer

from reactorlib.trial import _synctest
from reactorlib.trial._outcomes import PyUnitResultAdapter
from reactorlib.trial._results import _AdaptedReporter
from reactorlib.trial._synctest import SynchronousTestCase
from reactorlib.trial.itrial import IReporter, ITestCase

__all__ = ["TestDecorator", "TestSuite", "decorate"]


class TestSuite(unittest.TestSuite):
    """
    Tests, one after the other. They are kept, and can be run again.

    What a class or a module of tests has to set up, and to tear down, is done as the
    standard library's suites do it.
    """

    def _removeTestAtIndex(self, index: int) -> None:
        """Keep it."""


@implementer(ITestCase)
class TestDecorator:
    """
    A test around another test; for subclasses that do something before and after it.

    What is told of the test is told of this one. Its `__class__` is the other's, by
    which a suite knows what has to be set up for the class and the module of a test.
    """

    def __init__(self, original: Any) -> None:
        self._originalTest = original

    @property  # type: ignore[misc]  # it is the other's, and not to be set
    def __class__(self) -> Any:
        return self._originalTest.__class__

    def __getattr__(self, name: str) -> Any:
        return getattr(self._originalTest, name)

    def __call__(self, result: Any = None) -> Any:
        return self.run(result)

    def run(self, result: Any = None) -> Any:
        """Run the test."""
        return self._originalTest.run(_AdaptedReporter(result, lambda _: self))


class _ForceGarbageCollectionDecorator(TestDecorator):
    """
    Collects garbage before and after the test.

    An error that is logged meanwhile is one of the test, whoever's test case it is.
    """

    def run(self, result: Any = None) -> Any:
        """Run the test."""
        innermost = self._originalTest
        while isinstance(innermost, TestDecorator):
            innermost = innermost._originalTest
        if isinstance(innermost, SynchronousTestCase):
            innermost._collects_garbage = True  # while errors are still its own
            return super().run(result)
        observer = _synctest._logObserver
        observer._add()
        try:
            gc.collect()
            outcome = super().run(result)
            gc.collect()
        finally:
            observer._remove()
        for failure in observer.flushErrors():
            reporter = result if IReporter.providedBy(result) else PyUnitResultAdapter(result)
            reporter.addError(self, failure)
        return outcome


def decorate(test: Any, decorator: Any) -> Any:
    """
    Put something around each test of a suite, in place, or around one test.

    Args:
        decorator: called with a test; returns one.

    Returns:
        the suite, or the decorated test.
    """
    if not isinstance(test, unittest.TestSuite):
        return decorator(test)
    tests = list(test)
    _clearSuite(test)
    while tests:
        test.addTest(decorate(tests.pop(0), decorator))
    return test


def _clearSuite(suite: unittest.TestSuite) -> None:
    """Take all tests out of a suite."""
    suite._tests = []


def _iterateTests(test: Any) -> Iterator[Any]:
    """Each test of a suite, from left to right; or the one test."""
    if isinstance(test, unittest.TestSuite):
        for inner in test:
            yield from _iterateTests(inner)
    else:
        yield test
