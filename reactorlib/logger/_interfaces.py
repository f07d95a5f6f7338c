"""What an event is, and what observes it."""

from __future__ import annotations

from typing import Any

from zope.interface import Interface

__all__ = ["ILogObserver", "LogEvent", "LogTrace"]

#: What was logged: fields of the caller's, and, beginning with `log_`, those of `Logger`.
LogEvent = dict[str, Any]

#: For finding out who observes: pairs of who gave an event, and to whom.
LogTrace = list[tuple[Any, Any]]


class ILogObserver(Interface):
    """Anything that is called with each event: often a plain function."""

    def __call__(event: LogEvent) -> None:
        """
        Take an event, which others may be given too: do not change what it had.

        The keys that reactorlib itself sets are `log_logger`, `log_level`,
        `log_namespace`, `log_source`, `log_format`, `log_time` (seconds since
        the epoch) and, with an exception, `log_failure`.
        """
