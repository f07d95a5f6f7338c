"""
Who is told how tests went: results, which keep it, and reporters, which write it.

A reporter of another package is an entry point, or a plugin, that provides
`IReporter`; `--help-reporters` lists them.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

from zope.interface import implementer

from reactorlib.python.failure import Failure
from reactorlib.trial._reporters import (
    MinimalReporter,
    Reporter,
    SafeStream,
    TextReporter,
    TimingTextReporter,
    VerboseTextReporter,
)
from reactorlib.trial._results import (
    TestResult,
    TestResultDecorator,
    _AdaptedReporter,  # noqa: F401
    _ExitWrapper,  # noqa: F401
)
from reactorlib.trial._tree import (
    TreeReporter,
    _AnsiColorizer,  # noqa: F401
    _NullColorizer,  # noqa: F401
)
from reactorlib.trial.itrial import IReporter
from reactorlib.trial.util import DirtyReactorAggregateError, excInfoOrFailureToExcInfo

try:
    from subunit import TestProtocolClient
except ImportError:
    TestProtocolClient = None

__all__ = [
    "BrokenTestCaseWarning",
    "MinimalReporter",
    "Reporter",
    "SafeStream",
    "SubunitReporter",
    "TestResult",
    "TestResultDecorator",
    "TextReporter",
    "TimingTextReporter",
    "TreeReporter",
    "UncleanWarningsReporterWrapper",
    "VerboseTextReporter",
]


class BrokenTestCaseWarning(Warning):
    """Something is wrong with a test case, and not with what it tests."""


class UncleanWarningsReporterWrapper(TestResultDecorator):
    """Takes what tests leave behind in the reactor as a warning, and not as an error."""

    def addError(self, test: Any, error: Any) -> None:
        """Pass an error on, or warn."""
        if isinstance(error, Failure) and error.check(DirtyReactorAggregateError):
            warnings.warn(error.getErrorMessage(), stacklevel=1)
        else:
            self._originalReporter.addError(test, error)


@implementer(IReporter)
class SubunitReporter:
    """
    Writes the subunit protocol, version 1, for other programs to read.

    Args:
        stream: where to: a binary stream, or a text stream that has one as its `buffer`.
        tbformat, realtime, publisher: not used.

    Raises:
        Exception: the package `python-subunit` is missing.
    """

    testsRun = None

    def __init__(
        self,
        stream: Any = None,
        tbformat: str = "default",
        realtime: bool = False,
        publisher: Any = None,
    ) -> None:
        if TestProtocolClient is None:
            raise Exception("Subunit not available")
        stream = sys.stdout if stream is None else stream
        self._subunit = TestProtocolClient(getattr(stream, "buffer", stream))
        self._successful = True

    @property
    def shouldStop(self) -> bool:
        """Whether no further test is to begin."""
        return bool(self._subunit.shouldStop)

    def stop(self) -> Any:
        """Let no further test begin."""
        return self._subunit.stop()

    def wasSuccessful(self) -> bool:
        """Whether no test has failed or ended with an error."""
        return self._successful

    def done(self) -> None:
        """Nothing is to be written at the end."""

    def startTest(self, test: Any) -> Any:
        """A test begins."""
        return self._subunit.startTest(test)

    def stopTest(self, test: Any) -> Any:
        """A test is over."""
        return self._subunit.stopTest(test)

    def addSuccess(self, test: Any) -> Any:
        """It has passed."""
        return self._subunit.addSuccess(test)

    def addSkip(self, test: Any, reason: Any) -> Any:
        """It was not run; a success to a subunit that has no word for it."""
        add_skip = getattr(self._subunit, "addSkip", None)
        if add_skip is None:
            return self.addSuccess(test)
        return add_skip(test, reason if isinstance(reason, str) else str(reason))

    def addError(self, test: Any, err: Any) -> Any:
        """It has ended with an error."""
        self._successful = False
        return self._subunit.addError(test, excInfoOrFailureToExcInfo(err))

    def addFailure(self, test: Any, err: Any) -> Any:
        """An assertion did not hold."""
        self._successful = False
        return self._subunit.addFailure(test, excInfoOrFailureToExcInfo(err))

    def addExpectedFailure(self, test: Any, failure: Any, todo: Any = None) -> Any:
        """It has failed as was expected; a success to a subunit that has no word for it."""
        expected = getattr(self._subunit, "addExpectedFailure", None)
        if expected is None:
            return self.addSuccess(test)
        return expected(test, excInfoOrFailureToExcInfo(failure))

    def addUnexpectedSuccess(self, test: Any, todo: Any = None) -> Any:
        """It has passed, which was not expected, and for which subunit has no word."""
        return self.addSuccess(test)
