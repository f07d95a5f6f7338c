"""The parts of a reactor that are not about sockets: delayed calls, and triggers."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import time
from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet.defer import CancelledError, Deferred, maybeDeferred
from reactorlib.internet.interfaces import IDelayedCall
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

__all__ = ["DelayedCall", "Triggers"]

_log = logging.getLogger("reactorlib.internet.reactor")


@implementer(IDelayedCall)
class DelayedCall:
    """
    A call to be made later, once.

    It rides on a timer of the loop's. Moving it to a later time only writes the
    new time down: the timer, when it goes off, sees that it is early and is set
    again. Before there is a loop it keeps its time by the system's clock. The
    call is made in the context in which it was asked for, however it is moved.

    Attributes:
        func, args, kw: what will be called.
        called: whether it has been.
        cancelled: whether it will not be.
    """

    __slots__ = (
        "_calls",
        "_context",
        "_due",
        "_handle",
        "_loop",
        "_set_for",
        "args",
        "called",
        "cancelled",
        "func",
        "kw",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop | None,
        calls: set[DelayedCall],
        delay: float,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kw: dict[str, Any],
    ) -> None:
        self._calls = calls
        self.func: Callable[..., Any] | None = func
        self.args: tuple[Any, ...] = args
        self.kw: dict[str, Any] = kw
        self.called = False
        self.cancelled = False
        self._context: contextvars.Context | None = contextvars.copy_context()
        self._handle: asyncio.Handle | None = None
        self._loop = loop
        if loop is None:
            self._due = time.monotonic() + delay
        else:
            self._set(loop, delay)
        calls.add(self)

    def _set(self, loop: asyncio.AbstractEventLoop, delay: float) -> None:
        self._due = self._set_for = loop.time() + delay
        if delay > 0:
            self._handle = loop.call_at(self._due, self._ring, context=self._context)
        else:
            self._handle = loop.call_soon(self._ring, context=self._context)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """A loop has begun to run: keep time by it from now on."""
        if self.active():
            remaining = max(0.0, self._due - time.monotonic())
            self._loop = loop
            self._set(loop, remaining)

    def _ring(self) -> None:
        if self._due > self._set_for:
            assert self._loop is not None
            self._set_for = self._due
            self._handle = self._loop.call_at(self._due, self._ring, context=self._context)
            return
        func, args, kw = self.func, self.args, self.kw
        self.called = True
        self._forget()
        assert func is not None
        func(*args, **kw)

    def _forget(self) -> None:
        self._calls.discard(self)
        self._handle = self._context = self.func = None
        self.args, self.kw = (), {}

    def _must_be_active(self) -> None:
        if self.cancelled:
            raise error.AlreadyCancelled
        if self.called:
            raise error.AlreadyCalled

    def _now(self) -> float:
        return time.monotonic() if self._loop is None else self._loop.time()

    def getTime(self) -> float:
        """When it is due, on the reactor's clock (`seconds()`)."""
        return self._due

    def active(self) -> bool:
        """Whether it is still to come."""
        return not (self.called or self.cancelled)

    def cancel(self) -> None:
        """
        Do not make the call.

        Raises:
            AlreadyCalled: it has been made.
            AlreadyCancelled: it was cancelled before.
        """
        self._must_be_active()
        self.cancelled = True
        if self._handle is not None:
            self._handle.cancel()
        self._forget()

    def reset(self, secondsFromNow: float) -> None:
        """Make the call `secondsFromNow` seconds from now instead; raises as `cancel`."""
        self._must_be_active()
        self._move(self._now() + check_delay(secondsFromNow))

    def delay(self, secondsLater: float) -> None:
        """Make the call that much later, or sooner if negative; raises as `cancel`."""
        self._must_be_active()
        if not math.isfinite(secondsLater):
            raise ValueError(f"a delay is a finite number of seconds, not {secondsLater!r}")
        self._move(self._due + secondsLater)

    def _move(self, due: float) -> None:
        self._due = due
        if self._loop is not None and due < self._set_for:
            assert self._handle is not None
            self._handle.cancel()
            self._set_for = due
            self._handle = self._loop.call_at(due, self._ring, context=self._context)

    def __repr__(self) -> str:
        if self.cancelled or self.called:
            return f"<DelayedCall {'cancelled' if self.cancelled else 'called'}>"
        remaining = self._due - self._now()
        name = getattr(self.func, "__qualname__", None) or repr(self.func)
        return f"<DelayedCall {name}() in {remaining:.3f} s>"


def check_delay(delay: float) -> float:
    """
    Return `delay`.

    Raises:
        ValueError: it is negative, infinite or not a number.
    """
    if not 0 <= delay < math.inf:
        raise ValueError(f"a delay is a number of seconds, at least 0, not {delay!r}")
    return delay


_PHASES = ("before", "during", "after")
_Trigger = tuple[contextvars.Context, Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class Triggers:
    """
    What is to be called around one kind of event, in three phases.

    The phase "during" waits for whatever "before" returned to fire; a trigger
    that fails is reported, and holds nothing up. Each runs in the context in
    which it was added.
    """

    def __init__(self) -> None:
        self._phases: dict[str, list[_Trigger]] = {phase: [] for phase in _PHASES}

    def add(
        self,
        phase: str,
        callable: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Add a trigger; what `remove` takes."""
        if phase not in self._phases:
            raise KeyError(f"a trigger's phase is one of {', '.join(_PHASES)}, not {phase!r}")
        trigger = (contextvars.copy_context(), callable, args, kwargs)
        self._phases[phase].append(trigger)
        return phase, trigger

    def remove(self, handle: Any) -> None:
        """
        Take a trigger back.

        Raises:
            ValueError: it has run, or was taken back, or never was one.
        """
        phase, trigger = handle
        for index, known in enumerate(self._phases[phase]):
            if known is trigger:
                del self._phases[phase][index]
                return
        raise ValueError(f"{trigger[1]!r} is not waiting for the event any more")

    def forget(self) -> None:
        """Take every trigger back."""
        for triggers in self._phases.values():
            triggers.clear()

    def fire(self) -> Deferred[None]:
        """Run all triggers; each is forgotten. The Deferred fires when "after" is done."""
        finished: Deferred[None] = Deferred()
        waiting = 1

        def one_done(_: object) -> None:
            nonlocal waiting
            waiting -= 1
            if not waiting:
                self._run("during")
                self._run("after")
                finished.callback(None)

        for outcome in self._run("before"):
            waiting += 1
            outcome.addBoth(one_done)
        one_done(None)
        return finished

    def _run(self, phase: str) -> list[Deferred[Any]]:
        outcomes = []
        triggers = self._phases[phase]
        while triggers:
            context, function, args, kwargs = triggers.pop(0)
            outcome = context.run(maybeDeferred, function, *args, **kwargs)
            outcome.addErrback(_report_trigger, phase, function)
            outcomes.append(outcome)
        return outcomes


def _report_trigger(failure: Failure, phase: str, function: object) -> None:
    if failure.check(CancelledError):
        return  # somebody wanted it to end
    report(_log, f"a {phase!r} trigger, {function!r}, failed", failure)
