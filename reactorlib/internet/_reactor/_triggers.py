"""What is called around an event of the reactor's: when it starts, and when it stops."""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Callable
from typing import Any

from reactorlib.internet.defer import CancelledError, Deferred, maybeDeferred
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

__all__ = ["Triggers"]

_log = logging.getLogger("reactorlib.internet.reactor")

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
        #: What tells that the triggers are done, of each event that goes on.
        self._going_on: list[Deferred[None]] = []

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

    def break_off(self) -> None:
        """Wait for nothing more: what goes on is over, and the rest waits for the next time."""
        going_on, self._going_on = self._going_on, []
        for finished in going_on:
            if not finished.called:  # nor cancelled
                finished.callback(None)

    def forget(self) -> None:
        """Take every trigger back, and wait for nothing more."""
        for triggers in self._phases.values():
            triggers.clear()
        self.break_off()

    def fire(self, happens: Callable[[], object] | None = None) -> Deferred[None]:
        """
        Run all triggers; each is forgotten.

        Args:
            happens: called as the first of the phase "during".

        Returns:
            a Deferred that fires when "after" is done, or the event is broken off.
        """
        finished: Deferred[None] = Deferred()
        self._going_on.append(finished)
        waiting = 1

        def one_done(_: object) -> None:
            nonlocal waiting
            waiting -= 1
            if waiting or finished not in self._going_on:
                return
            if happens is not None:
                happens()
            self._run("during")
            self._run("after")
            if finished in self._going_on:
                self._going_on.remove(finished)
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
