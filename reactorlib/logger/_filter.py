"""Observers of some events only."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from zope.interface import Interface, implementer

from reactorlib.logger._interfaces import ILogObserver, LogEvent
from reactorlib.logger._levels import (
    InvalidLogLevelError,
    LogLevel,
    NamedConstant,
    is_level,
)
from reactorlib.logger._observer import Observer, bitbucketLogObserver
from reactorlib.python.constants import Names

__all__ = [
    "FilteringLogObserver",
    "ILogFilterPredicate",
    "LogLevelFilterPredicate",
    "PredicateResult",
]


class PredicateResult(Names):
    """What a predicate says: let it pass, drop it, or ask the next one."""

    yes = NamedConstant()
    no = NamedConstant()
    maybe = NamedConstant()


class ILogFilterPredicate(Interface):
    """Decides about events."""

    def __call__(event: LogEvent) -> NamedConstant:
        """One of `PredicateResult`."""


@implementer(ILogObserver)
class FilteringLogObserver:
    """
    Gives `observer` the events that its predicates let pass, and the others to another.

    The predicates are asked in order; when none has decided, an event passes.
    """

    def __init__(
        self,
        observer: Observer,
        predicates: Iterable[Callable[[LogEvent], NamedConstant]],
        negativeObserver: Observer = bitbucketLogObserver,
    ) -> None:
        self._observer = observer
        self._negative = negativeObserver
        self._predicates = list(predicates)

    def _passes(self, event: LogEvent) -> bool:
        for predicate in self._predicates:
            result = predicate(event)
            if result is PredicateResult.yes:
                return True
            if result is PredicateResult.no:
                return False
            if result is not PredicateResult.maybe:
                raise TypeError(f"Invalid predicate result: {result!r}")
        return True

    def __call__(self, event: LogEvent) -> None:
        if self._passes(event):
            if "log_trace" in event:
                event["log_trace"].append((self, self._observer))
            self._observer(event)
        else:
            self._negative(event)


@implementer(ILogFilterPredicate)
class LogLevelFilterPredicate:
    """Drops events below the level that is set for their namespace, or the nearest above it."""

    def __init__(self, defaultLogLevel: NamedConstant = LogLevel.info) -> None:
        self.defaultLogLevel = defaultLogLevel
        self._levels: dict[str, NamedConstant] = {}

    def logLevelForNamespace(self, namespace: str) -> NamedConstant:
        """The least level that passes in a namespace."""
        name = namespace or ""
        while name:
            if name in self._levels:
                return self._levels[name]
            name = name.rpartition(".")[0]
        return self._levels.get("", self.defaultLogLevel)

    def setLogLevelForNamespace(self, namespace: str, level: NamedConstant) -> None:
        """
        Set the least level for a namespace and those in it; "" or None is the root.

        Raises:
            InvalidLogLevelError: `level` is not one of `LogLevel`.
        """
        if not is_level(level):
            raise InvalidLogLevelError(level)
        self._levels[namespace or ""] = level

    def clearLogLevels(self) -> None:
        """Forget all that was set."""
        self._levels.clear()

    def __call__(self, event: LogEvent) -> NamedConstant:
        level = event.get("log_level")
        namespace = event.get("log_namespace")
        # An event without a level or a namespace is not one that was made here.
        if level is None or not namespace or level < self.logLevelForNamespace(namespace):
            return PredicateResult.no
        return PredicateResult.maybe
