"""The parts of a test, which begin with `subTest` and are told of one by one."""

from __future__ import annotations

import unittest
from types import TracebackType
from typing import Any, Self

from reactorlib.trial._assertions import Assertions

__all__ = ["Parted", "PartsOver"]

# By these the results of the standard library and pytest know a part, and one that has no name.
_case: Any = unittest.case
_SubTest = _case._SubTest
_NO_MESSAGE = _case._subtest_msg_sentinel


class PartsOver(Exception):
    """A part has failed, and been told of; the others are not wanted."""


class Parted(Assertions):
    """A test that can have parts."""

    #: Who is told of the parts; None where the first that fails is to end the test.
    _told_of_parts: Any = None
    #: The innermost part there is now.
    _part: Any = None
    #: Whether no part of what there is now has failed, or was skipped.
    _parts_passed = True

    def _begin_parts(self, reporter: Any) -> None:
        """The test method begins; None for a reporter that is not to be told of parts."""
        self._told_of_parts = reporter if hasattr(reporter, "addSubTest") else None
        self._part, self._parts_passed = None, True

    def _end_parts(self) -> bool:
        """The test method is over; whether all its parts have passed."""
        self._told_of_parts = self._part = None
        return self._parts_passed

    def subTest(  # type: ignore[override]  # a context manager of its own class
        self, msg: Any = _NO_MESSAGE, **params: Any
    ) -> _Part:
        """
        A part of the test, for `with`. If it fails that is told, and the test goes on after it.

        Where the test is a `todo`, or who is told knows of no parts, it ends the test.

        Args:
            msg, params: what the part is called.
        """
        return _Part(self, msg, params)


class _Part:
    """The context manager of `subTest`."""

    def __init__(self, test: Parted, message: Any, params: dict[str, Any]) -> None:
        self._test, self._message, self._params = test, message, params

    def __enter__(self) -> Self:
        test = self._test
        self._around, self._passed_around = test._part, test._parts_passed
        around = {} if self._around is None else self._around.params
        self._part = test._part = _SubTest(
            test, self._message, {**self._params, **around, **self._params}
        )
        test._parts_passed = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> bool:
        test, reporter = self._test, self._test._told_of_parts
        test._part = self._around
        try:
            if reporter is None:
                return False
            if kind is None:
                if test._parts_passed:
                    reporter.addSubTest(test, self._part, None)
                return False
            test._parts_passed = False
            # What is no Exception ends more than a part: an interrupt, or being cancelled.
            if issubclass(kind, PartsOver) or not issubclass(kind, Exception):
                return False
            if issubclass(kind, unittest.SkipTest):
                reporter.addSkip(self._part, str(value))
                return True
            reporter.addSubTest(test, self._part, (kind, value, tb))
            if getattr(reporter, "failfast", False):
                raise PartsOver from None
            return True
        finally:
            test._parts_passed = test._parts_passed and self._passed_around
