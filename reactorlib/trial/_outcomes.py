"""Why a test was not run, or is expected to fail; and who is told."""

from __future__ import annotations

import unittest
from collections.abc import Iterable
from typing import Any

from zope.interface import implementer

from reactorlib.python.failure import Failure
from reactorlib.trial.itrial import IReporter
from reactorlib.trial.util import excInfoOrFailureToExcInfo

__all__ = ["FailTest", "PyUnitResultAdapter", "SkipTest", "Todo", "makeTodo"]


class FailTest(AssertionError):
    """An assertion does not hold."""

    __module__ = "reactorlib.trial.unittest"  # which is how it is told


class SkipTest(unittest.SkipTest):
    """Raised by a test, or its `setUp`: it cannot be run here. Say why."""


class Todo:
    """
    That a test is expected to fail.

    Attributes:
        reason: why.
        errors: with which exceptions; None for any.
    """

    def __init__(self, reason: str, errors: Iterable[type[BaseException]] | None = None) -> None:
        self.reason = reason
        self.errors = errors

    def __repr__(self) -> str:
        return f"<Todo reason={self.reason!r} errors={self.errors!r}>"

    def expected(self, failure: Failure) -> bool:
        """Whether the test was expected to fail like that."""
        return self.errors is None or bool(failure.check(*self.errors))


def makeTodo(value: Any) -> Todo:
    """
    Make a `Todo` of what a test's attribute `todo` may be.

    Args:
        value: a reason; or a pair of one exception or several, and a reason.

    Raises:
        TypeError: it is none of these.
    """
    if isinstance(value, str):
        return Todo(reason=value)
    if isinstance(value, tuple) and len(value) == 2:
        errors, reason = value
        if isinstance(errors, type):
            errors = [errors]
        return Todo(reason=reason, errors=errors)
    raise TypeError(f"a todo is a reason, or a pair of exceptions and a reason, not {value!r}")


def _raised(error: Any) -> tuple[Any, Any, Any]:
    """A type, value and traceback, which pytest needs for an exception never raised, too."""
    kind, value, tb = excInfoOrFailureToExcInfo(error)
    if tb is None and value is not None and value.__traceback__ is None:
        try:
            raise value
        except BaseException as raised:
            tb = raised.__traceback__
    return kind, value, tb


@implementer(IReporter)
class PyUnitResultAdapter:
    """
    Tells a result of the standard library's `unittest`, or of pytest, what it understands.

    Args:
        original: that result.
    """

    def __init__(self, original: Any) -> None:
        self.original = original

    def __getattr__(self, name: str) -> Any:
        if name == "original":
            raise AttributeError(name)
        return getattr(self.original, name)

    def startTest(self, method: Any) -> None:
        """Pass it on."""
        self.original.startTest(method)

    def stopTest(self, method: Any) -> None:
        """Pass it on."""
        self.original.stopTest(method)

    def addSuccess(self, test: Any) -> None:
        """Pass it on."""
        self.original.addSuccess(test)

    def addError(self, test: Any, error: Any) -> None:
        """Pass it on, as a type, value and traceback."""
        self.original.addError(test, _raised(error))

    def addFailure(self, test: Any, fail: Any) -> None:
        """Pass it on, as a type, value and traceback."""
        self.original.addFailure(test, _raised(fail))

    def addSkip(self, test: Any, reason: Any) -> None:
        """Pass it on."""
        self.original.addSkip(test, str(reason))

    def addExpectedFailure(self, test: Any, error: Any, todo: Any = None) -> None:
        """Pass it on, as a type, value and traceback."""
        self.original.addExpectedFailure(test, _raised(error))

    def addUnexpectedSuccess(self, test: Any, todo: Any = None) -> None:
        """Pass it on."""
        self.original.addUnexpectedSuccess(test)

    def upDownError(self, method: Any, error: Any, warn: bool, printStatus: bool) -> None:
        """Nothing is to be told."""
