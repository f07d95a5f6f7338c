"""Where errors go that no caller is there to take."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from reactorlib.python._asyncio import running_loop
from reactorlib.python.failure import Failure

__all__ = ["note", "report", "show", "show_note", "shown", "who_is_told"]

#: Shows a report to log observers, by the logger's name, what failed, and the failure.
#: `reactorlib.logger` puts it here when it is imported; where nobody does, nobody observes.
show: Callable[[str, str, Failure], None] | None = None

#: The same for what is noted: the logger's name, the level, the text, and what belongs to it.
show_note: Callable[[str, int, str, Mapping[str, Any]], None] | None = None

#: Names, for logs, the transport whose protocol is being told of something in this thread,
#: or answers None. `reactorlib.internet` puts it here when it has transports.
who_is_told: Callable[[], str | None] | None = None


class _Shown(threading.local):
    #: What observers have been shown, while the report of it goes on in this thread.
    exception: BaseException | None = None


shown = _Shown()


def report(log: logging.Logger, message: str, failure: Failure, **context: Any) -> None:
    """
    Report an error once: to the running loop's exception handler, or to `log`.

    Args:
        log: where it goes when no loop runs in this thread.
        message: what failed, in a few words.
        context: more keys for the exception handler, as asyncio names them
            (`protocol`, `transport`), or of our own.
    """
    failure.value.__traceback__ = failure.tb
    if show is None:
        _hand_over(log, message, failure, context)
        return
    show(log.name, message, failure)
    outer, shown.exception = shown.exception, failure.value
    try:
        _hand_over(log, message, failure, context)
    finally:
        shown.exception = outer


def _hand_over(
    log: logging.Logger, message: str, failure: Failure, context: dict[str, Any]
) -> None:
    loop = running_loop()
    if loop is None:
        log.critical(message, exc_info=(failure.type, failure.value, failure.tb))
    else:
        loop.call_exception_handler({"message": message, "exception": failure.value, **context})


def note(
    log: logging.Logger, text: str, *args: Any, level: int = logging.INFO, **fields: Any
) -> None:
    """
    Log what happens in operation, if rarely.

    Args:
        text, args: as for `log.info`.
        fields: more keys of the event that observers are given; a `log_format` makes its
            text of them.
    """
    if show_note is None:
        log.log(level, text, *args, stacklevel=2)
    else:
        text = text % args if args else text
        show_note(log.name, level, text, fields)
        log.log(level, "%s", text, extra={"log_event": {"log_text": text}}, stacklevel=2)
