"""What a worker's tests have told, as it goes to another process."""

from __future__ import annotations

import pickle
import time
from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from reactorlib.python.failure import Failure
from reactorlib.trial._results import TestResult
from reactorlib.trial.itrial import IReporter

__all__ = ["Event", "Recorder", "RemoteError"]

#: What was told: the method, of which test (its number, or the name of another), and
#: the rest.
Event = tuple[str, int | str, tuple[Any, ...]]


class RemoteError(Exception):
    """An exception of another process that cannot be sent: its name and what it says."""


@implementer(IReporter)
class Recorder(TestResult):
    """
    Keeps what is told of some tests so that it can be pickled.

    Attributes:
        events: what was told.
    """

    def __init__(self, tests: Sequence[Any]) -> None:
        super().__init__()
        self.events: list[Event] = []
        self._tests = list(tests)
        self._began = 0.0

    def _add(self, method: str, test: Any, *arguments: Any) -> None:
        which = next((n for n, one in enumerate(self._tests) if one is test), None)
        self.events.append((method, test.id() if which is None else which, arguments))

    def observe(self, event: dict[str, Any]) -> None:
        """Keep a warning that is logged."""
        if "warning" in event:
            warning = {name: event[name] for name in ("category", "filename", "lineno")}
            warning["warning"] = str(event["warning"])
            self.events.append(("warning", "", (warning,)))

    def stop(self) -> None:
        """No further test is to begin, in no process."""
        super().stop()
        self.events.append(("stop", "", ()))

    def startTest(self, test: Any) -> None:
        """A test begins."""
        self._add("startTest", test)
        self._began = time.monotonic()

    def stopTest(self, test: Any) -> None:
        """A test is over."""
        self._add("took", test, time.monotonic() - self._began)
        self._add("stopTest", test)

    def addSuccess(self, test: Any) -> None:
        """It has passed."""
        self._add("addSuccess", test)

    def addError(self, test: Any, error: Any) -> None:
        """It has ended with an error."""
        self._add("addError", test, _portable(self._getFailure(error)))

    def addFailure(self, test: Any, fail: Any) -> None:
        """An assertion did not hold."""
        self._add("addFailure", test, _portable(self._getFailure(fail)))

    def addSkip(self, test: Any, reason: Any) -> None:
        """It was not run."""
        self._add("addSkip", test, str(reason))

    def addExpectedFailure(self, test: Any, error: Any, todo: Any = None) -> None:
        """It has failed as was expected."""
        failure = _portable(self._getFailure(error))
        self._add("addExpectedFailure", test, failure, *_sendable(todo))

    def addUnexpectedSuccess(self, test: Any, todo: Any = None) -> None:
        """It has passed, which was not expected."""
        self._add("addUnexpectedSuccess", test, *_sendable(todo))


def _sendable(todo: Any) -> tuple[Any, ...]:
    """A `Todo` if there is one, with no classes in it that only this process may know."""
    if todo is None:
        return ()
    from reactorlib.trial.unittest import Todo

    return (Todo(todo.reason),)


def _portable(failure: Failure) -> Failure:
    """A failure that comes out of a pickle as it goes in."""
    try:
        pickle.loads(pickle.dumps(failure))  # noqa: S301  # its own
    except Exception:
        kind = failure.type
        name = f"{kind.__module__}.{kind.__qualname__}"
        told = Failure(RemoteError(f"{name}: {failure.getErrorMessage()}"))
        told.frames = failure.frames
        return told
    return failure
