"""
Several processes that serve together, and the one that looks after them.

Who owns what. The supervisor binds every port before there is a worker, and keeps
the sockets: one for each worker and TCP port, between which the system spreads
connections, so that those which wait to be accepted by a worker that dies are
accepted by its successor. A worker is a fork of the supervisor: it has the
application as it was loaded, and makes its own loop. The supervisor has no loop; it
waits, in one poll, for signals, for what workers say, and for the next deadline.

States of a worker: starting (it has not said that it is ready) -> serving -> ended,
and after a pause starting again. The pause grows while workers end soon after they
start. If one cannot start at all before all have once been ready, everything ends:
nothing is half-started.

Signals. SIGTERM and SIGINT: nobody new is let in where the system can do that, and a
moment later, when those who were half-way have been accepted, the sockets are given
up and workers told to drain; those that have not ended some seconds after their time
of grace are killed. A second one is passed on, too, and has them end at once. SIGHUP
is passed on, or ends all where there is a terminal. When the supervisor dies, however
that happens, a pipe tells the workers, and they drain.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

__all__ = ["StartFailed", "Supervisor", "Worker"]

_log = logging.getLogger("reactorlib.application.workers")

#: The pause before a worker that ended soon is started again: doubled each time, in seconds.
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 30.0
#: A worker that has served for so long, in seconds, has not ended soon.
_LONG_ENOUGH = 10.0
#: What workers are given beyond their time of grace before they are killed, in seconds.
_BEYOND_GRACE = 5.0

_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


class StartFailed(Exception):
    """A worker could not start; the text is what it said."""


class Worker:
    """
    What a worker knows of itself.

    Attributes:
        number: its place among the workers, from 0.
        life: a descriptor that can be read, and is at its end, when the supervisor
            is gone.
    """

    def __init__(self, number: int, report: int, life: int) -> None:
        self.number = number
        self.life = life
        self._report: int | None = report

    def ready(self) -> None:
        """Say that it has started."""
        self._say(b"1")

    def failed(self, why: str) -> None:
        """Say that it could not start."""
        self._say(b"0" + why.encode("utf-8", "backslashreplace")[:1000])

    def _say(self, what: bytes) -> None:
        if self._report is not None:
            with contextlib.suppress(OSError):
                os.write(self._report, what)
                os.close(self._report)
            self._report = None


class _Place:
    """One of the workers, or the pause until there is one again."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.pid: int | None = None
        self.report: int | None = None
        self.began = 0.0
        self.soon = 0  # how many times in a row it has ended soon
        self.again: float | None = None


class Supervisor:
    """
    Starts workers, starts them again when they die, and ends them.

    Args:
        count: how many.
        work: called in each worker with a `Worker`; what it returns is the exit status.
        take: called in each worker first, with its number: it takes its sockets.
        hold_back: called when all is to end: nobody new is to be let in. It answers
            for how many seconds those who are half-way may come in.
        give_up: called after that: nothing is to be accepted any more.
        ready: called when all have once been ready.
        grace: how many seconds workers take to drain.
        reload: called at SIGHUP, with what passes it on; None if SIGHUP is to end
            all, as it does at a terminal.
        rotate: called at SIGUSR1; then workers are told to reload.
        interval: how often to call `alive`, in seconds; None for never.
        alive: see `interval`.
    """

    def __init__(
        self,
        count: int,
        work: Callable[[Worker], int],
        *,
        take: Callable[[int], object],
        hold_back: Callable[[], float],
        give_up: Callable[[], object],
        ready: Callable[[], object],
        grace: float,
        reload: Callable[[Callable[[], object]], object] | None = lambda pass_on: pass_on(),
        rotate: Callable[[], object] = lambda: None,
        interval: float | None = None,
        alive: Callable[[], object] = lambda: None,
    ) -> None:
        self._work = work
        self._take = take
        self._hold_back = hold_back
        self._give_up = give_up
        self._tell_ready = ready
        self._grace = grace
        self._reload = reload
        self._rotate = rotate
        self._interval = interval
        self._alive = alive
        self._next_alive = 0.0
        self._places = [_Place(number) for number in range(count)]
        self._poll = select.poll()
        self._ended_by: int | None = None
        self._drain_at: float | None = None
        self._kill_at: float | None = None
        self._was_ready: set[int] | None = set()  # None once all have been
        self._failure: str | None = None

    # -- the one wait -------------------------------------------------------------

    def run(self) -> int | None:
        """
        Look after the workers until a signal ends them.

        Returns:
            the number of that signal.

        Raises:
            StartFailed: a worker could not start.
        """
        self._wakeup, wakeup = os.pipe()
        os.set_blocking(self._wakeup, False)
        os.set_blocking(wakeup, False)
        self._life, self._life_of_mine = os.pipe()
        before = {number: signal.signal(number, _noted) for number in _SIGNALS}
        previous = signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        self._poll.register(self._wakeup, select.POLLIN)
        try:
            while self._failure is None and self._go_on():
                self._hear()
            if self._failure is not None:
                self._end_all()
                raise StartFailed(self._failure)
        finally:
            signal.set_wakeup_fd(previous)
            for number, handler in before.items():
                signal.signal(number, handler)
            for descriptor in (self._wakeup, wakeup, self._life, self._life_of_mine):
                os.close(descriptor)
        return self._ended_by

    def _go_on(self) -> bool:
        """Start and kill those whose time it is; whether there is more to wait for."""
        now = time.monotonic()
        if self._interval is not None and now >= self._next_alive:
            self._next_alive = now + self._interval
            self._alive()
        for place in self._places:
            if place.pid is None and self._ended_by is None and (place.again or 0.0) <= now:
                self._start(place)
            elif place.pid is not None and self._kill_at is not None and self._kill_at <= now:
                _log.warning("Worker %d has not ended in time: killing it", place.number)
                _send(place.pid, signal.SIGKILL)
        if self._kill_at is not None and self._kill_at <= now:
            self._kill_at = None
        if self._drain_at is not None and self._drain_at <= now:
            self._drain()
        return self._ended_by is None or any(place.pid is not None for place in self._places)

    def _hear(self) -> None:
        """Wait for what comes, or until something is due."""
        for descriptor, _ in self._poll.poll(self._timeout()):
            if descriptor == self._wakeup:
                self._signals()
                continue
            place = next((each for each in self._places if each.report == descriptor), None)
            # A worker that has ended is heard when it is waited for, which may have been now.
            if place is not None:
                self._heard(place, descriptor)

    def _timeout(self) -> float | None:
        """How long to wait for anything, in milliseconds; None for ever."""
        times = [each for each in (self._drain_at, self._kill_at) if each is not None]
        if self._ended_by is None:
            times += [p.again for p in self._places if p.pid is None and p.again is not None]
        if self._interval is not None:
            times.append(self._next_alive)
        if not times:
            return None
        # Rounded up, so that it is time when the wait is over.
        return max(0.0, (min(times) - time.monotonic()) * 1000) + 1

    # -- workers ------------------------------------------------------------------

    def _start(self, place: _Place) -> None:
        listen, report = os.pipe()
        os.set_blocking(listen, False)
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._be(place, report)
        os.close(report)
        place.pid, place.report, place.again = pid, listen, None
        place.began = time.monotonic()
        self._poll.register(listen, select.POLLIN)

    def _be(self, place: _Place, report: int) -> None:
        """Be a worker; it does not return."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                # A terminal sends SIGINT to all; it is the supervisor that answers.
                mine = number not in (signal.SIGINT, signal.SIGUSR1)
                signal.signal(number, signal.SIG_DFL if mine else signal.SIG_IGN)
            os.close(self._wakeup)
            os.close(self._life_of_mine)
            for other in self._places:
                if other.report is not None:
                    os.close(other.report)
            self._take(place.number)
            status = self._work(Worker(place.number, report, self._life))
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        except BaseException:
            _log.critical("Worker %d has failed", place.number, exc_info=True)
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
            os._exit(status)

    def _heard(self, place: _Place, report: int) -> None:
        """A worker says that it is ready, or why not; or it has ended before it could."""
        try:
            said = os.read(report, 4096)
        except BlockingIOError:  # it has ended, and a process that it forked has not
            said = b""
        self._forget_report(place)
        if said == b"1":
            if self._was_ready is not None:
                self._was_ready.add(place.number)
                if len(self._was_ready) == len(self._places) and self._ended_by is None:
                    self._was_ready = None
                    self._tell_ready()
            return
        why = said[1:].decode("utf-8", "replace") or "it ended while it started"
        if self._was_ready is not None and self._ended_by is None:
            self._failure = why
        elif self._ended_by is None:
            _log.error("Worker %d cannot start: %s", place.number, why)

    def _forget_report(self, place: _Place) -> None:
        if place.report is not None:
            self._poll.unregister(place.report)
            os.close(place.report)
            place.report = None

    def _reap(self) -> None:
        now = time.monotonic()
        for place in self._places:
            if place.pid is None:
                continue
            pid, status = os.waitpid(place.pid, os.WNOHANG)
            if not pid:
                continue
            place.pid = None
            if place.report is not None:
                self._heard(place, place.report)
            if self._ended_by is not None:
                continue
            long = now - place.began >= _LONG_ENOUGH
            place.soon = 0 if long else place.soon + 1
            pause = 0.0
            if place.soon > 1:
                pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(place.soon - 2, 20))
            place.again = now + pause
            _log.error(
                "Worker %d (process %d) %s; starting another in %.2f s",
                place.number,
                pid,
                _how(status),
                pause,
            )

    # -- signals ------------------------------------------------------------------

    def _signals(self) -> None:
        try:
            came = os.read(self._wakeup, 4096)
        except BlockingIOError:
            return
        # Each once: a burst of the same signal says no more than one.
        for number in dict.fromkeys(came):
            if number == signal.SIGCHLD:
                self._reap()
            elif number in (signal.SIGTERM, signal.SIGINT):
                self._end(number)
            elif number == signal.SIGHUP:
                self._hang_up()
            elif number == signal.SIGUSR1 and self._ended_by is None:
                self._rotate()
                self._pass_on_reload()

    def _hang_up(self) -> None:
        if self._reload is None:
            self._end(signal.SIGHUP)
        elif self._ended_by is None:
            self._reload(self._pass_on_reload)

    def _pass_on_reload(self) -> None:
        self._send_all(signal.SIGHUP)

    def _end(self, number: int) -> None:
        if self._ended_by is None:
            _log.info("Received %s: draining the workers", _name(number))
            self._ended_by = number
            self._drain_at = time.monotonic() + self._hold_back()
        else:
            self._drain()

    def _drain(self) -> None:
        """Have the workers end; a second time, without waiting for anything."""
        if self._drain_at is not None:
            self._drain_at = None
            self._kill_at = time.monotonic() + self._grace + _BEYOND_GRACE
            self._give_up()
        self._send_all(signal.SIGTERM)

    def _end_all(self) -> None:
        """End the workers that there are, as the start of one has failed."""
        self._ended_by = signal.SIGTERM
        self._kill_at = time.monotonic() + _BEYOND_GRACE
        self._give_up()
        self._send_all(signal.SIGTERM)
        while self._go_on():
            self._hear()

    def _send_all(self, number: int) -> None:
        for place in self._places:
            if place.pid is not None:
                _send(place.pid, number)


def _noted(number: int, frame: Any) -> None:
    """The pipe of `set_wakeup_fd` has the number."""


def _send(pid: int, number: int) -> None:
    # It has not been waited for, so the number is its own still.
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"was killed by {_name(-code)}" if code < 0 else f"has exited with {code}"


def _name(number: int) -> str:
    """What a signal is called. Most of the real-time ones have no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
