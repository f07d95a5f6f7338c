"""
Finds tests and runs them: the loader, the suites, and `TrialRunner`, which is what
`python -m reactorlib.trial` runs them with.
"""

from __future__ import annotations

import os
import pdb
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from reactorlib.python import log as _log_module
from reactorlib.python.filepath import FilePath
from reactorlib.trial import reporter, unittest, util
from reactorlib.trial._asyncrunner import _ForceGarbageCollectionDecorator, _iterateTests
from reactorlib.trial._loader import (
    TestLoader,
    _qualNameWalker,  # noqa: F401
    filenameToModule,
    isPackage,
    isPackageDirectory,
    isTestCase,
    name,
    samefile,
)
from reactorlib.trial._results import _ExitWrapper
from reactorlib.trial._suites import (
    NOT_IN_TEST,
    DestructiveTestSuite,
    ErrorHolder,
    LoggedSuite,
    TestHolder,
    TrialSuite,
)
from reactorlib.trial.itrial import ITestCase
from reactorlib.trial.unittest import TestSuite

__all__ = [
    "NOT_IN_TEST",
    "DestructiveTestSuite",
    "ErrorHolder",
    "LoggedSuite",
    "TestHolder",
    "TestLoader",
    "TestSuite",
    "TrialRunner",
    "TrialSuite",
    "filenameToModule",
    "isPackage",
    "isPackageDirectory",
    "isTestCase",
    "name",
    "samefile",
]


class _Runner(Protocol):
    """What runs tests."""

    def run(self, test: Any) -> Any:
        """Run tests; the result."""

    def runUntilFailure(self, test: Any) -> Any:
        """Run tests until one fails; the last result."""


@contextmanager
def _working_directory(path: str) -> Iterator[None]:
    """Be in a new working directory for a while."""
    directory, lock = util._unusedTestDirectory(FilePath(path))
    before = os.getcwd()
    try:
        os.chdir(directory.path)
        try:
            yield
        finally:
            os.chdir(before)
    finally:
        lock.unlock()


@contextmanager
def _log_file(path: str, log: Any) -> Iterator[None]:
    """Log to a file for a while, and have warnings logged."""
    with util.openTestLog(FilePath(path)) as file, warnings.catch_warnings():
        observer = _log_module.FileLogObserver(file)
        log.addObserver(observer.emit)
        warnings.showwarning = log.showwarning
        try:
            yield
        finally:
            log.removeObserver(observer.emit)


class TrialRunner:
    """
    Runs tests in a working directory of their own, with a log there.

    Args:
        reporterFactory: makes what is told how they went, as `reporter.Reporter`.
        mode: `DEBUG` to run them in the debugger; `DRY_RUN` to tell of each that it has
            passed, and run none.
        logfile: the log, from the working directory on.
        stream: where the reporter writes; by default standard output.
        profile: whether they run under the profiler, which writes `profile.data`.
        tracebackFormat: as `tbformat` of `reporter.Reporter`.
        realTimeErrors: as `realtime` of `reporter.Reporter`.
        uncleanWarnings: whether what a test leaves in the reactor is a warning only.
        workingDirectory: it is made anew. Where `_trial_temp` is in use by another run,
            one beside it is taken.
        forceGarbageCollection: whether garbage is collected before and after each test.
        debugger: what has `runcall`; by default `pdb`.
        exitFirst: whether the first test that fails is the last.
        log: has the observers, as the module `reactorlib.python.log`.
    """

    DEBUG = "debug"
    DRY_RUN = "dry-run"

    def __init__(
        self,
        reporterFactory: Callable[..., Any],
        mode: str | None = None,
        logfile: str = "test.log",
        stream: Any = None,
        profile: bool = False,
        tracebackFormat: str = "default",
        realTimeErrors: bool = False,
        uncleanWarnings: bool = False,
        workingDirectory: str = "_trial_temp",
        forceGarbageCollection: bool = False,
        debugger: Any = None,
        exitFirst: bool = False,
        log: Any = _log_module,
    ) -> None:
        self.reporterFactory = reporterFactory
        self.mode = mode
        self.logfile = logfile
        self.stream = sys.stdout if stream is None else stream
        self.profile = profile
        self.tbformat = tracebackFormat
        self.rterrors = realTimeErrors
        self.uncleanWarnings = uncleanWarnings
        self.workingDirectory = workingDirectory
        self._forceGarbageCollection = forceGarbageCollection
        self.debugger = debugger
        self._exitFirst = exitFirst
        self._log = log

    def _makeResult(self) -> Any:
        """Make what is told how tests went."""
        result = self.reporterFactory(self.stream, self.tbformat, self.rterrors, self._log)
        if self._exitFirst:
            result = _ExitWrapper(result)
        if self.uncleanWarnings:
            result = reporter.UncleanWarningsReporterWrapper(result)
        return result

    def run(self, test: Any) -> Any:
        """
        Run tests.

        Returns:
            the result.
        """
        test = unittest.decorate(test, ITestCase)
        return self._run_decorated(test, self._forceGarbageCollection)

    def runUntilFailure(self, test: Any) -> Any:
        """
        Run tests again and again, until one fails.

        Returns:
            the result of the last time.
        """
        test = unittest.decorate(test, ITestCase)
        if self._forceGarbageCollection:
            test = unittest.decorate(test, _ForceGarbageCollectionDecorator)
        count = 0
        while True:
            count += 1
            self.stream.write(f"Test Pass {count}\n")
            result = self._run_decorated(test, False)
            if result.testsRun == 0 or not result.wasSuccessful():
                return result

    def _run_decorated(self, test: Any, force_garbage_collection: bool) -> Any:
        result = self._makeResult()
        suite = TrialSuite([test], force_garbage_collection)
        if self.mode == self.DRY_RUN:
            for single in _iterateTests(suite):
                result.startTest(single)
                result.addSuccess(single)
                result.stopTest(single)
        else:
            with _working_directory(self.workingDirectory), _log_file(self.logfile, self._log):
                self._call(suite.run, result)
        result.done()
        return result

    def _call(self, run: Callable[[Any], Any], result: Any) -> None:
        if self.profile:
            run = util.profiled(run, "profile.data")
        if self.mode == self.DEBUG:
            debugger = pdb.Pdb() if self.debugger is None else self.debugger
            debugger.runcall(run, result)
        else:
            run(result)
