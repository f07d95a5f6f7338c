"""
The errors that are logged while a test runs, which fail it.

They come from the loop's exception handler, from `reactorlib.logger` and
`reactorlib.python.log`, and from what the standard library's logging is told by
this library and asyncio.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from reactorlib.python.failure import Failure
from reactorlib.python.log import theLogPublisher

__all__ = ["LogObserver"]


class LogObserver(logging.Handler):
    """Keeps errors until somebody asks for them."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._errors: list[Failure] = []
        self._ignored: list[type[BaseException]] = []
        self._added = 0

    def _add(self) -> None:
        """Observe, until `_remove` has been called as often."""
        self._added += 1
        if self._added == 1:
            for name in ("reactorlib", "asyncio"):
                logging.getLogger(name).addHandler(self)
            theLogPublisher.addObserver(self.gotEvent)

    def _remove(self) -> None:
        self._added -= 1
        if self._added == 0:
            for name in ("reactorlib", "asyncio"):
                logging.getLogger(name).removeHandler(self)
            theLogPublisher.removeObserver(self.gotEvent)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what a record of the standard library's logging says of an exception."""
        if record.exc_info and record.exc_info[1] is not None:
            kind, value, tb = record.exc_info
            self._keep(Failure(value, kind, tb))

    def gotEvent(self, event: dict[str, Any]) -> None:
        """Keep the failure of a log event that is an error."""
        if event.get("isError") and "failure" in event:
            self._keep(event["failure"])

    def loop_reports(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Keep what a loop's exception handler is told."""
        error = context.get("exception")
        if isinstance(error, BaseException):
            self._keep(Failure(error))
        else:
            self._keep(Failure(RuntimeError(context.get("message", repr(context)))))

    def _keep(self, failure: Failure) -> None:
        if any(kept.value is failure.value for kept in self._errors):
            return  # reported in two ways
        if not (self._ignored and failure.check(*self._ignored)):
            self._errors.append(failure)

    def getErrors(self) -> list[Failure]:
        """Those kept."""
        return self._errors

    def flushErrors(self, *errorTypes: type[BaseException]) -> list[Failure]:
        """Take those of some types, or all, out, and return them."""
        if errorTypes:
            flushed = [kept for kept in self._errors if kept.check(*errorTypes)]
        else:
            flushed = list(self._errors)
        self._errors = [kept for kept in self._errors if all(kept is not one for one in flushed)]
        return flushed

    def _ignoreErrors(self, *errorTypes: type[BaseException]) -> None:
        self._ignored.extend(errorTypes)

    def _clearIgnores(self) -> None:
        self._ignored = []
