"""What programs log with."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Protocol, Self

from reactorlib.logger._interfaces import LogEvent
from reactorlib.logger._levels import InvalidLogLevelError, LogLevel, NamedConstant, is_level
from reactorlib.python.failure import Failure

__all__ = ["Logger", "Operation"]


class Operation(Protocol):
    """How the block under `Logger.failuresHandled` ended; it has not before its end."""

    @property
    def succeeded(self) -> bool:
        """It ended without an exception."""

    @property
    def failed(self) -> bool:
        """An exception came out of it."""

    @property
    def failure(self) -> Failure | None:
        """That exception."""


class _Handling:
    """One block whose exceptions are logged."""

    def __init__(self, log: Callable[[Failure], None]) -> None:
        self._log = log
        self.succeeded = False
        self.failure: Failure | None = None

    @property
    def failed(self) -> bool:
        return self.failure is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> bool:
        if value is None:
            self.succeeded = True
            return False
        if not isinstance(value, Exception):
            return False  # a cancellation, an interrupt: its addressee is further out
        self.failure = Failure(value, kind, tb)
        self._log(self.failure)
        return True


class _Handler:
    """The same for any number of blocks, one after another or one in another."""

    def __init__(self, log: Callable[[Failure], None]) -> None:
        self._log = log

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> bool:
        return _Handling(self._log).__exit__(kind, value, tb)


class Logger:
    """
    Makes events of a namespace.

    As a class attribute it is a descriptor: an instance's logger has the class
    as its namespace, and the instance as `log_source`.
    """

    namespace: str
    source: object | None

    def __init__(
        self,
        namespace: str | None = None,
        source: object | None = None,
        observer: Callable[[LogEvent], Any] | None = None,
    ) -> None:
        """
        Args:
            namespace: whose events they are, in dotted names; the calling
                module's if None. It is the name of the logger in `logging`.
            source: the object that logs.
            observer: who is given them; None for `globalLogPublisher`.
        """
        if namespace is None:
            namespace = sys._getframe(1).f_globals.get("__name__", "<unknown>")
        if observer is None:
            from reactorlib.logger._global import globalLogPublisher

            observer = globalLogPublisher
        self.namespace = namespace
        self.source = source
        self.observer = observer

    def __get__(self, instance: object | None, owner: type | None = None) -> Self:
        owner = owner or type(instance)
        return self.__class__(
            f"{owner.__module__}.{owner.__name__}",
            owner if instance is None else instance,
            self.observer,
        )

    def __repr__(self) -> str:
        return f"<{self.__class__.__name__} {self.namespace!r}>"

    def emit(self, level: NamedConstant, format: str | None = None, **kwargs: object) -> None:
        """
        Make an event, and give it to the observer.

        Args:
            level: one of `LogLevel`. Anything else is logged as a failure.
            format: the message, with fields of `kwargs` as `str.format` has
                them; `{name()}` calls. It is not filled until someone looks.
        """
        if not is_level(level):
            self.failure(
                "Got invalid log level {invalidLevel!r} in {logger}.emit().",
                failure=Failure(InvalidLogLevelError(level)),
                invalidLevel=level,
                logger=self,
            )
            return
        event: LogEvent = kwargs
        event.update(
            log_logger=self,
            log_level=level,
            log_namespace=self.namespace,
            log_source=self.source,
            log_format=format,
            log_time=time.time(),
        )
        if "log_trace" in event:
            event["log_trace"].append((self, self.observer))
        self.observer(event)

    def failure(
        self,
        format: str,
        failure: Failure | None = None,
        level: NamedConstant = LogLevel.critical,
        **kwargs: object,
    ) -> None:
        """Log an exception: `failure`, or the one being handled."""
        if failure is None:
            failure = Failure()
        self.emit(level, format, log_failure=failure, **kwargs)

    def failuresHandled(
        self, format: str, level: NamedConstant = LogLevel.critical, **kwargs: object
    ) -> AbstractContextManager[Operation]:
        """
        A block whose exceptions are logged, and end there.

        The block's `as` has `succeeded`, `failed` and `failure` afterwards.
        Cancellation, `KeyboardInterrupt` and `SystemExit` go through.
        """
        return _Handling(lambda failure: self.failure(format, failure, level, **kwargs))

    def failureHandler(
        self, staticMessage: str, level: NamedConstant = LogLevel.critical
    ) -> AbstractContextManager[None]:
        """`failuresHandled` without fields, made once and used for many blocks."""
        return _Handler(lambda failure: self.failure(staticMessage, failure, level))

    def debug(self, format: str | None = None, **kwargs: object) -> None:
        """Log at level debug."""
        self.emit(LogLevel.debug, format, **kwargs)

    def info(self, format: str | None = None, **kwargs: object) -> None:
        """Log at level info."""
        self.emit(LogLevel.info, format, **kwargs)

    def warn(self, format: str | None = None, **kwargs: object) -> None:
        """Log at level warn."""
        self.emit(LogLevel.warn, format, **kwargs)

    def error(self, format: str | None = None, **kwargs: object) -> None:
        """Log at level error."""
        self.emit(LogLevel.error, format, **kwargs)

    def critical(self, format: str | None = None, **kwargs: object) -> None:
        """Log at level critical."""
        self.emit(LogLevel.critical, format, **kwargs)


def _loggerFor(obj: object) -> Logger:
    """The logger of an object that has none of its own: named after its class."""
    return Logger().__get__(obj, obj.__class__)
