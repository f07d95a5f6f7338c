"""
An exception as a value, to be handed from callback to callback.

A `Failure` keeps the exception and the traceback that it had when it was
caught. The exception stays itself: its notes, its cause, its context and, in a
group, its parts are whatever they were.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Generator
from types import TracebackType
from typing import IO, Any, NoReturn

__all__ = ["Failure", "NoCurrentExceptionError"]

#: An exception class; in `Failure`, `type` is an attribute.
_Type = type[BaseException]


class NoCurrentExceptionError(Exception):
    """`Failure()` was called where no exception is being handled."""


def _name(kind: _Type | str) -> str:
    """The dotted name by which `check` compares."""
    return kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"


class Failure(BaseException):
    """
    An exception with its traceback.

    With no argument it takes the exception that is being handled.

    Attributes:
        value: the exception.
        type: its class.
        tb: its traceback when it was caught; None for one never raised, and
            after `cleanFailure`.

    Raises:
        NoCurrentExceptionError: there is no argument, and no exception.
        TypeError: the argument is not an exception.
    """

    value: BaseException
    type: _Type
    tb: TracebackType | None

    def __init__(
        self,
        exc_value: BaseException | None = None,
        exc_type: _Type | None = None,
        exc_tb: TracebackType | None = None,
        captureVars: bool = False,
    ) -> None:
        if exc_value is None:
            exc_value = sys.exception()
            if exc_value is None:
                raise NoCurrentExceptionError(
                    "Failure() takes the exception being handled, and none is; pass one instead"
                )
        if isinstance(exc_value, Failure):
            # A failure that was raised as an exception is still the same failure.
            exc_tb = exc_tb or exc_value.tb
            exc_value = exc_value.value
        elif not isinstance(exc_value, BaseException):
            raise TypeError(f"a Failure is made of an exception, not of {exc_value!r}")
        self.value = exc_value
        self.type = exc_type or exc_value.__class__
        self.tb = exc_tb or exc_value.__traceback__
        self.captureVars = captureVars

    def check(self, *errorTypes: _Type | str) -> Any:
        """
        Which of the classes the exception is an instance of.

        Args:
            errorTypes: exception classes, or their dotted names.

        Returns:
            the first that matches, or None.
        """
        for wanted in errorTypes:
            if isinstance(wanted, str):
                if wanted in self.parents:
                    return wanted
            elif issubclass(self.type, wanted):
                return wanted
        return None

    def trap(self, *errorTypes: _Type | str) -> Any:
        """
        Like `check`, for the head of an errback: what is not expected is raised
        again, and goes on to the next errback.
        """
        found = self.check(*errorTypes)
        if found is None:
            self.raiseException()
        return found

    @property
    def parents(self) -> list[str]:
        """The dotted names of the exception's class and its bases."""
        return [_name(kind) for kind in self.type.__mro__]

    def raiseException(self) -> NoReturn:
        """Raise the exception, with the traceback it had."""
        raise self.value.with_traceback(self.tb)

    def throwExceptionIntoGenerator(self, g: Generator[Any, Any, Any]) -> Any:
        """Raise the exception inside `g`, where it last yielded; what it yields next."""
        return g.throw(self.value.with_traceback(self.tb))

    def cleanFailure(self) -> None:
        """Drop the traceback, and with it every frame it keeps alive."""
        self.tb = None
        self.value.__traceback__ = None

    def getTracebackObject(self) -> TracebackType | None:
        """The traceback, or None."""
        return self.tb

    def getErrorMessage(self) -> str:
        """The exception's text alone."""
        return str(self.value)

    def getTraceback(self, elideFrameworkCode: bool = False, detail: str = "default") -> str:
        """The traceback as Python prints it: causes, notes and groups included."""
        return "".join(traceback.format_exception(self.type, self.value, self.tb))

    def printTraceback(
        self,
        file: IO[str] | None = None,
        elideFrameworkCode: bool = False,
        detail: str = "default",
    ) -> None:
        """Write `getTraceback()` to `file`, or to standard error."""
        (file or sys.stderr).write(self.getTraceback(elideFrameworkCode, detail))

    def __str__(self) -> str:
        return f"[Failure instance: {self.type}: {self.getErrorMessage()}]"

    __repr__ = __str__
