"""
The signals that end a reactor's own run.

The first asks for an orderly end: `stop()`. The next one, while that goes on,
ends it now, and when everything is put back it is raised once more, so that the
process ends as the signal ends any other: by KeyboardInterrupt after Ctrl-C,
and by SIGTERM itself.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from reactorlib.python._report import note

__all__ = ["SignalledEnd"]

_log = logging.getLogger("reactorlib.internet.reactor")

_SIGNALS = ("SIGINT", "SIGTERM", "SIGBREAK")

#: A signal that comes again within so many seconds is the same one. A terminal,
#: `timeout` or `npm` sends it to us and to our process group; uvloop calls twice
#: for one that arrives while it handles another. Nobody presses Ctrl-C so fast.
_SAME_SIGNAL = 0.2


class SignalledEnd:
    """
    Which signals have come during one run.

    Args:
        stop: called with a signal's number, begins the orderly end; what it
            answers says whether none had begun before.
        crash: ends at once.

    At the end of a `with` block all handlers are as they were.
    """

    def __init__(self, stop: Callable[[int], bool], crash: Callable[[], object]) -> None:
        self._stop = stop
        self._crash = crash
        self._came_at = 0.0
        self._again: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._previous: dict[int, Any] = {}

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Handle the signals from now on, if this is the main thread."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._loop = loop
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            if number is None:
                continue
            handler = signal.getsignal(number)
            if name == "SIGINT" and handler is not signal.default_int_handler:
                continue  # the program has a handler of its own
            try:
                loop.add_signal_handler(number, self._came, number)
            except NotImplementedError:
                continue
            self._previous[number] = handler

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            assert self._loop is not None
            self._loop.remove_signal_handler(number)
            if handler is not None:
                signal.signal(number, handler)

    def raise_again(self) -> None:
        """Raise the signal that has cut the end short, if one has."""
        if self._again is not None:
            signal.raise_signal(self._again)

    def _came(self, number: int) -> None:
        name = signal.Signals(number).name
        now = time.monotonic()
        same = now < self._came_at + _SAME_SIGNAL
        if self._stop(number):
            self._came_at = now
            note(_log, "Received %s: shutting down", name)
        elif not same:
            self._again = number
            note(_log, "Received %s again: ending now", name, level=logging.WARNING)
            self._crash()
