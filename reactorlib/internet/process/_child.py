"""
A process that we have started: its number, signals, and waiting for its end.

Nobody else's children are touched. There is no handler for SIGCHLD, and no wait
for any child: the loop watches the `pidfd` of this one. Where there is none, or
the loop watches no descriptors, a thread waits for this process, without reaping
it. So the process is reaped in the loop's thread alone; until then its number
is no other process's, and a signal cannot go astray.

Whoever abandons a child (since its loop ends) leaves a thread to reap it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import signal
import sys
import threading
from collections.abc import Callable

from reactorlib.internet.error import ProcessExitedAlready
from reactorlib.python._report import note

__all__ = ["Child"]

_log = logging.getLogger("reactorlib.internet.process")


class Child:
    """
    One process.

    Args:
        pid: its number.
        ended: called once, when it has ended and is reaped, with what the system
            says of it (`os.waitpid`); None if somebody else has been told.
    """

    def __init__(self, pid: int, ended: Callable[[int | None], object]) -> None:
        self.pid = pid
        self._ended = ended
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reaped = False
        self._abandoned = False
        self._in_thread = False
        #: Whether the thread has told the loop.
        self._handed_over = False
        self._lock = threading.Lock()
        self._pidfd: int | None
        try:
            self._pidfd = os.pidfd_open(pid)
        except (AttributeError, OSError):
            self._pidfd = None

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Call `ended`, in a later turn of `loop`, once it has ended."""
        self._loop = loop
        if self._pidfd is not None:
            try:
                loop.add_reader(self._pidfd, self._has_ended)
                return
            except (NotImplementedError, OSError):
                pass
        self._wait_in_thread()

    def _has_ended(self) -> None:
        if not (self._reaped or self._abandoned):
            if self.reap():
                return
            # Traced by a debugger, say: it is there for us once that lets go.
            self._unwatch()
            self._wait_in_thread()

    def reap(self) -> bool:
        """See whether it has ended, and if so, take note; whether it has."""
        if self._reaped:
            return True
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            note(
                _log,
                "process %d was waited for by somebody else, so how it ended is not known",
                self.pid,
                level=logging.WARNING,
            )
            self._over(None)
            return True
        if pid:
            self._over(status)
        return bool(pid)

    def _over(self, status: int | None) -> None:
        self._reaped = True
        self._unwatch()
        self._ended(status)

    def _unwatch(self) -> None:
        pidfd, self._pidfd = self._pidfd, None
        if pidfd is not None:
            if self._loop is not None and not self._loop.is_closed():
                try:
                    self._loop.remove_reader(pidfd)
                except NotImplementedError:
                    pass
            os.close(pidfd)

    def signal(self, number: int) -> None:
        """
        Send it a signal.

        Raises:
            ProcessExitedAlready: it has ended.
            OSError: the signal may not be sent, or is none.
        """
        if self._reaped or self._abandoned:
            raise ProcessExitedAlready
        try:
            if self._pidfd is not None:
                signal.pidfd_send_signal(self._pidfd, number)
            else:
                os.kill(self.pid, number)
        except ProcessLookupError:
            raise ProcessExitedAlready from None

    def abandon(self) -> None:
        """Have it reaped when it ends, whenever that is; nobody is told."""
        self._unwatch()
        with self._lock:
            if self._reaped or self._abandoned:
                return
            self._abandoned = True
            left_to_thread = self._in_thread and not self._handed_over
        if not (left_to_thread or self._reap_quietly(os.WNOHANG)):
            self._wait_in_thread()

    def _reap_quietly(self, how: int) -> bool:
        try:
            return os.waitpid(self.pid, how)[0] != 0
        except ChildProcessError:
            return True

    # -- in a thread ----------------------------------------------------------

    def _wait_in_thread(self) -> None:
        self._in_thread = True
        self._handed_over = False
        name = f"reactorlib waits for process {self.pid}"
        threading.Thread(target=self._wait, name=name, daemon=True).start()

    def _wait(self) -> None:
        _wait_for_end(self.pid)
        with self._lock:
            if not self._abandoned:
                assert self._loop is not None
                try:
                    self._loop.call_soon_threadsafe(self._has_ended)
                    self._handed_over = True
                    return
                except RuntimeError:
                    self._abandoned = True  # the loop has closed meanwhile
        self._reap_quietly(0)


def _wait_for_end(pid: int) -> None:
    """Wait until a child has ended, and leave it to be reaped."""
    if sys.platform == "darwin":
        # os.waitid is there from Python 3.13 on only.
        with contextlib.closing(select.kqueue()) as queue:
            exits = select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
            try:
                queue.control([exits], 1)
            except ProcessLookupError:
                pass  # it has ended already
    else:
        try:
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            pass
