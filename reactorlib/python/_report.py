"""Where errors go that no caller is there to take."""

from __future__ import annotations

import logging
from typing import Any

from reactorlib.python._asyncio import running_loop
from reactorlib.python.failure import Failure

__all__ = ["report"]


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
    loop = running_loop()
    if loop is None:
        log.critical(message, exc_info=(failure.type, failure.value, failure.tb))
    else:
        loop.call_exception_handler({"message": message, "exception": failure.value, **context})
