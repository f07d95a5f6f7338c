"""
A test case that needs no loop, and how a test is run in general.

`_steps` is the same for both kinds of test case. `_do` does one of them: here it is
over when the function has returned, and in a `TestCase` when what it has returned has
been waited for.
"""

from __future__ import annotations

import gc
import inspect
import os
import sys
import tempfile
import unittest
import warnings
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from reactorlib.python.failure import Failure
from reactorlib.python.monkey import MonkeyPatcher
from reactorlib.trial import util
from reactorlib.trial._logged import LogObserver as _LogObserver
from reactorlib.trial._outcomes import PyUnitResultAdapter, Todo, makeTodo
from reactorlib.trial._parts import Parted, PartsOver
from reactorlib.trial._warned import Warned as _Warning
from reactorlib.trial._warned import collect_warnings as _collectWarnings
from reactorlib.trial._warned import collected, is_from
from reactorlib.trial._warned import forget_shown as _setWarningRegistryToNone
from reactorlib.trial.itrial import IReporter

__all__ = [
    "SynchronousTestCase",
    "_LogObserver",
    "_Warning",
    "_collectWarnings",
    "_setWarningRegistryToNone",
]

#: What all test cases let observe; a test of test cases may put another here.
_logObserver = _LogObserver()

#: How much of a name goes into a path.
_NAME = 32


class SynchronousTestCase(Parted):
    """
    A test case of which nothing has to be waited for.

    It is a `unittest.TestCase`, which pytest and the standard library run as it
    is. A test method, its class or its module may say, with attributes:

    Attributes:
        skip: why it is not run.
        todo: why it is expected to fail, as `makeTodo` takes it.
        suppress: what to do with warnings, a list of what `util.suppress` returns.

    An error that is logged while the test runs fails it, unless the test takes it
    with `flushLoggedErrors`. Warnings are kept until the end for `flushWarnings`.
    """

    #: Whether garbage is collected before and after the test, so that what it does is seen.
    _collects_garbage = False

    def __init__(self, methodName: str = "runTest") -> None:
        super().__init__(methodName)
        self._cleanups_to_come: list[tuple[Callable[..., Any], Any, Any]] = []
        self._warned: list[_Warning] = []
        self._passed = False

    def runTest(self) -> None:
        """Nothing: without the name of a method there is a test that passes."""

    def __eq__(self, other: object) -> bool:
        return self is other  # each is a test to be run

    def __hash__(self) -> int:
        return id(self)

    def shortDescription(self) -> str:
        """The first line of the docstring, or the name of the method."""
        return super().shortDescription() or self._testMethodName

    # -- what is said about the test ------------------------------------------

    @property
    def _parents(self) -> Sequence[Any]:
        """What may say something about the test, the closest first."""
        classes = [cls for cls in type(self).__mro__ if cls.__module__ != "builtins"]
        module = sys.modules.get(type(self).__module__)
        return [getattr(self, self._testMethodName), self, *classes, module]

    def getSkip(self) -> tuple[bool, str | None]:
        """Whether it is not to be run, and why."""
        skip = util.acquireAttribute(self._parents, "skip", None)
        if skip is not None:
            return True, skip
        if util.acquireAttribute(self._parents, "__unittest_skip__", False):
            return True, util.acquireAttribute(self._parents, "__unittest_skip_why__", "")
        return False, None

    def getTodo(self) -> Todo | None:
        """What it is expected to fail with, or None."""
        todo = util.acquireAttribute(self._parents, "todo", None)
        if todo is not None:
            return todo if isinstance(todo, Todo) else makeTodo(todo)
        if util.acquireAttribute(self._parents, "__unittest_expecting_failure__", False):
            return Todo("expected to fail")
        return None

    def getSuppress(self) -> Any:
        """What to do with its warnings."""
        return util.acquireAttribute(self._parents, "suppress", [])

    # -- running it -----------------------------------------------------------

    def run(self, result: Any = None) -> Any:
        """
        Run the test, and tell `result`.

        Args:
            result: an `IReporter`, or a result of the standard library's or pytest's.
        """
        started: Any = None
        if result is None:
            result = started = self.defaultTestResult()
            started.startTestRun()
        reporter: Any = result if IReporter.providedBy(result) else PyUnitResultAdapter(result)
        reporter.startTest(self)
        try:
            skipped, reason = self.getSkip()
            if skipped:
                reporter.addSkip(self, reason)
            else:
                self._run_and_tell(reporter)
        except KeyboardInterrupt:
            if reporter is not result:
                raise  # whoever runs it all ends it all
            result.stop()
        finally:
            reporter.stopTest(self)
            if started is not None:
                started.stopTestRun()
        return result

    __call__ = run

    def _run_and_tell(self, reporter: Any) -> None:
        observer = _logObserver
        self._passed = False
        try:
            with collected(self._warned.append), util.suppressed(self.getSuppress()):
                observer._add()
                try:
                    if self._collects_garbage:
                        gc.collect()
                    self._drive(reporter)
                    if self._collects_garbage:
                        gc.collect()
                finally:
                    observer._remove()
            for failure in observer.flushErrors():
                self._passed = False
                reporter.addError(self, failure)
            self._warn_again(reporter)
            if self._passed:
                reporter.addSuccess(self)
            for failure in self._left_open():
                reporter.addError(self, failure)
        finally:
            observer.flushErrors()
            observer._clearIgnores()
            self._warned.clear()

    def _left_open(self) -> list[Failure]:
        """What says that something is left that does not spoil the test itself."""
        return []

    def _warn_again(self, reporter: Any) -> None:
        """Give the warnings again that the test has not asked for."""
        for warned in self._warned:
            try:
                warnings.warn_explicit(
                    warned.message, warned.category, warned.filename, warned.lineno
                )
            except Warning:
                self._passed = False
                reporter.addError(self, Failure())

    def _drive(self, reporter: Any) -> None:
        """Run the steps."""
        self._steps(reporter)

    def _steps(self, reporter: Any) -> None:
        """Set up, test, clean up and tear down."""
        todo = self.getTodo()
        failure = self._do(self.setUp)
        set_up = failure is None
        if failure is not None:
            self._tell(reporter, failure, None)
        else:
            self._begin_parts(reporter if todo is None else None)
            failure = self._do(self._the_test)
            whole = self._end_parts()
            if failure is not None and not failure.check(PartsOver):
                self._tell(reporter, failure, todo)
            elif todo is not None:
                reporter.addUnexpectedSuccess(self, todo)
            else:
                self._passed = whole
        self._clean_up(reporter)
        if set_up:
            self._tell_error(reporter, self._do(self.tearDown))
            self._clean_up(reporter)  # of what was added by then

    def _clean_up(self, reporter: Any) -> None:
        while self._cleanups_to_come:
            function, args, kwargs = self._cleanups_to_come.pop()
            self._tell_error(reporter, self._do(function, *args, **kwargs))

    def _the_test(self) -> Any:
        method = getattr(self, self._testMethodName)
        if inspect.isgeneratorfunction(method):
            raise TypeError(
                f"{method!r} is a generator function and therefore will never run; "
                "decorate it with inlineCallbacks"
            )
        return method()

    def _do(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Failure | None:
        """Do one step; what it raises."""
        try:
            self._refuse(function(*args, **kwargs))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            return Failure()
        return None

    def _refuse(self, value: Any) -> None:
        """There is nothing to wait with for what a step has returned."""
        if isinstance(value, Coroutine):
            value.close()
            raise TypeError(
                f"{value!r} would have to be waited for: derive from TestCase, "
                "which has a loop, and not from SynchronousTestCase"
            )

    def _tell_error(self, reporter: Any, failure: Failure | None) -> None:
        """Tell how the end has failed, if it has: that is an error, whatever was raised."""
        if failure is not None:
            self._passed = False
            reporter.addError(self, failure)

    def _tell(self, reporter: Any, failure: Failure, todo: Todo | None) -> None:
        """Tell how a step has failed."""
        self._passed = False
        if failure.check(unittest.SkipTest):
            reason = str(failure.value)
            if not failure.value.args:
                code = getattr(self, self._testMethodName).__code__
                warnings.warn_explicit(
                    "Do not raise unittest.SkipTest with no arguments! "
                    "Give a reason for skipping tests!",
                    DeprecationWarning,
                    code.co_filename,
                    code.co_firstlineno,
                )
            reporter.addSkip(self, reason)
        elif todo is not None and todo.expected(failure):
            reporter.addExpectedFailure(self, failure, todo)
        elif failure.check(self.failureException):
            reporter.addFailure(self, failure)
        else:
            reporter.addError(self, failure)

    # -- what a test can use --------------------------------------------------

    def addCleanup(self, f: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """
        Call `f` after the test and before `tearDown`, the last one first.

        It is called whatever has happened, and also where `setUp` has failed.
        """
        self._cleanups_to_come.append((f, args, kwargs))

    def patch(self, obj: Any, attribute: str, value: Any) -> MonkeyPatcher:
        """
        Give an object another attribute until the test is over.

        Returns:
            what has `restore()`, to take it back before that, and `patch()`.
        """
        patch = MonkeyPatcher((obj, attribute, value))
        patch.patch()
        self.addCleanup(patch.restore)
        return patch

    def mktemp(self) -> str:
        """
        A path for a file or a directory of this test alone: there is none yet.

        It is in a directory of the working directory, named after the module.
        """
        names = (type(self).__module__, type(self).__name__, self._testMethodName)
        base = os.path.join(*(name[:_NAME] for name in names))
        if not os.path.isdir(base):
            os.makedirs(base, exist_ok=True)
        made = os.path.basename(tempfile.mkdtemp("", "", base))
        return os.path.join(base, made, "temp")

    def flushLoggedErrors(self, *errorTypes: type[BaseException]) -> list[Failure]:
        """
        Take the errors that have been logged, which then do not fail the test.

        Args:
            errorTypes: only of these types; by default all.
        """
        return _logObserver.flushErrors(*errorTypes)

    def flushWarnings(self, offendingFunctions: Any = None) -> list[dict[str, Any]]:
        """
        Take the warnings that have been given, which then are given no more.

        Args:
            offendingFunctions: only those that name a line of these functions.

        Returns:
            dicts with `message`, `category`, `filename` and `lineno`.

        Raises:
            ValueError: one of them is neither a function nor a method.
        """
        if offendingFunctions is None:
            taken = list(self._warned)
        else:
            taken = [
                warned
                for warned in self._warned
                if [function for function in offendingFunctions if is_from(warned, function)]
            ]
        self._warned[:] = [warned for warned in self._warned if all(warned is not t for t in taken)]
        return [vars(warned).copy() for warned in taken]

    def callDeprecated(self, version: Any, f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """
        Call what is deprecated, claim that it says so, and return what it returns.

        Args:
            version: since when: an object with `package` and `public()`, as
                `incremental.Version`; or a pair of that and the replacement.
        """
        result = f(*args, **kwargs)
        warned = self.flushWarnings([self.callDeprecated])
        since, replacement = version if isinstance(version, tuple) else (version, None)
        if not warned:
            self.fail(f"{f!r} is not deprecated")
        message = warned[0]["message"]
        expected = [since_text(since)]
        if replacement is not None:
            expected.append(
                replacement if isinstance(replacement, str) else replacement.__qualname__
            )
        missing = [text for text in expected if text not in message]
        if len(warned) > 1 or missing or "deprecated" not in message:
            self.fail(f"{f!r} was to say that it is deprecated since {version!r}, not {warned!r}")
        return result

    def getDeprecatedModuleAttribute(
        self, moduleName: str, name: str, version: Any, message: str | None = None
    ) -> Any:
        """Claim that a module's attribute is deprecated since `version`; it is returned."""
        module = __import__(moduleName, fromlist=[""])
        value = getattr(module, name)
        warned = self.flushWarnings([self.getDeprecatedModuleAttribute])
        expected = f"{moduleName}.{name} was deprecated in {since_text(version)}"
        if message is not None:
            expected += f": {message}"
        texts = [one["message"] for one in warned if one["category"] is DeprecationWarning]
        if len(texts) != 1 or not texts[0].startswith(expected):
            self.fail(f"{expected!r} was to be said once, and not {texts!r}")
        return value


def since_text(version: Any) -> str:
    """A version as it is written in a warning."""
    package = "Twisted" if version.package == "twisted" else version.package
    return f"{package} {version.public()}"
