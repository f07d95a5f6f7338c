"""
What a callback chain holds: its steps, its result, and who answers for a failure.

A chain has a result or it has none yet (`called`), and a list of steps that
wait for it. A step is the callback alone, where there is no errback, or else a
pair:

- `(callback, errback)`, the former may be None: takes the result, gives the next one.
- `(outer, CHAIN)`: the chain `outer` waits for this one, because one of its
  callbacks returned it. It takes the result over and leaves None behind.
- `(waiter, WAITER)`: a coroutine or a future waits. It sees the result and
  leaves it in place, so that any number of waiters and later callbacks see it
  too. `waiter.resume(result, failed)` may answer with a chain that it has
  provided with a result and whose steps are to run next.
- `(future, FUTURE)`: a future of asyncio's waits likewise.

A Failure that has run out of steps belongs to an `_Unhandled`, which reports it
when it is dropped. A waiter that has seen the failure has handled it, as far as
the report goes; so has a later callback.

How the steps are run is in `_chain`.
"""

from __future__ import annotations

import logging
import os
import traceback
import weakref
from collections.abc import Callable
from types import CoroutineType
from typing import Any

from reactorlib.python._report import report
from reactorlib.python.failure import SPECIAL, Failure, counter, new_failures

__all__ = [
    "ASKED",
    "CHAIN",
    "FUTURE",
    "SETTLED",
    "SPECIAL",
    "SURPRISE",
    "UNCAUGHT",
    "WAITER",
    "Interrupted",
    "Step",
    "Steps",
    "caught",
    "remember",
    "stack",
]

_log = logging.getLogger("reactorlib.internet.defer")

Step = Callable[[Any], Any] | tuple[Any, Any]

#: In place of an errback: what the other half of the step is.
CHAIN = object()
WAITER = object()
FUTURE = object()

UNCAUGHT = (KeyboardInterrupt, SystemExit)

#: In place of the canceller, how far a cancellation has come: the canceller has
#: been asked; or there was none, and one late result from whoever works on it is
#: to be ignored.
ASKED = object()
SURPRISE = object()

#: In place of the canceller: there is nothing to cancel, nor to look at, for the result is
#: an ordinary one, all steps have run, and the chain is not paused. One that is like that
#: need not have this; one that has it is like that, and may lack `_held` and `_note`.
SETTLED = object()

#: In `called`, in place of False: the Deferred has remembered where it was made, and
#: is to remember where it is fired.
REMEMBERS: Any = 0

# A Failure, a Deferred or a coroutine is more than a value to a step. The subclasses of
# the first two register themselves.
SPECIAL.add(CoroutineType)


class _Unhandled:
    """Owns the failure that a Deferred ended with, and reports it when dropped."""

    __slots__ = ("failure", "origin")

    def __init__(self, failure: Failure, origin: str) -> None:
        self.failure: Failure | None = failure
        self.origin = origin

    def __del__(self) -> None:
        if self.failure is not None:
            message = "Unhandled error in Deferred"
            if self.origin:
                message += f"\n{self.origin}"
            report(_log, message, self.failure)


class Interrupted(list[Step]):
    """Steps that a KeyboardInterrupt has left; they run when the next one is added."""

    __slots__ = ("_chain",)

    def __init__(self, chain: Steps, steps: list[Step]) -> None:
        super().__init__(steps)
        self._chain = chain

    def append(self, step: Step, /) -> None:
        super().append(step)
        self._chain._run_left()


class _Gone:
    """In place of a waiter that waits no longer."""

    __slots__ = ()

    def resume(self, result: Any, failed: bool) -> None:
        """Do nothing."""


_GONE: Step = (_Gone(), WAITER)


class Steps:
    """
    What a `Deferred` has inside; `Chain` runs it.

    Attributes:
        called: whether it has been given a result.
        result: the result so far; missing before there is one. While it waits
            for another chain it is that.
        debug: whether `remember` is on.
    """

    # As few as can be, and all but `result` set at once: each costs time in every
    # Deferred there is.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_canceller",
        "_held",
        "_note",
        "_step",
        "_steps",
        "called",
        "result",
    )

    debug = False
    called: bool
    result: Any
    #: The first step; also while it runs.
    _step: Any
    #: A list of the steps after that, if there are any, or it is paused. When it has been
    #: paused there is no `_step`: all are in the list, and so they are while those run.
    _steps: Any
    #: 0 when there is no result, or when all steps have run; 1 while they run; 2 more for
    #: each time it is paused; -1 where a KeyboardInterrupt has left some.
    _held: int
    #: What to ask when it is cancelled: a function; or what drives the coroutine whose
    #: outcome this is; or one of ASKED, SURPRISE and SETTLED.
    _canceller: Any
    #: Once there is a result, what is out of the ordinary, if anything is: the failure
    #: that a waiter has seen, or the `_Unhandled` of one that nobody has. It is missing
    #: before, and while the first step of one that succeeded runs.
    _note: Any
    #: Refers to the chain that `chainDeferred` has tied this one to.
    _tied: weakref.ref[Steps] | None = None
    #: Where it was made and where it was given its result, while debugging.
    _made: list[str] | None = None
    _fired: list[str] | None = None

    def __init__(self, canceller: Callable[[Any], object] | None = None) -> None:
        self.called = False
        self._step = None
        self._steps = None
        self._held = 0
        self._canceller = canceller

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        SPECIAL.add(cls)

    @property
    def paused(self) -> int:
        """How often it has been paused; steps run at 0 only."""
        return 0 if self._canceller is SETTLED else max(self._held, 0) >> 1

    @property
    def _chainedTo(self) -> Steps | None:
        """The chain that this one waits for, if it does."""
        if self._canceller is SETTLED:
            return None
        if self.called:
            other = self.result if self._held > 1 else None
        else:
            other = self._tied and self._tied()
        return other if isinstance(other, Steps) else None

    def _add_step(self, step: Step) -> None:
        if self._steps is not None:
            self._steps.append(step)
        elif self._step is None:
            self._step = step
            if self.called:
                self._run()
        else:
            self._steps = [step]

    def _unsettle(self) -> None:
        """Something is to change, for one that was settled."""
        self._canceller = self._note = None
        self._held = 0

    def _remaining(self) -> list[Step]:
        """The steps that have not run, and some that have, or do."""
        steps = list(self._steps or ())
        if self._step is not None:
            steps.insert(0, self._step)
        return steps

    def _drop_waiter(self, step: Step) -> None:
        """A waiter waits no longer. A failure still counts as seen: it was cancelled for it."""
        if self._step is step:
            self._step = _GONE
            return
        steps = self._steps or []
        # The last: one before it may have run already.
        for index in reversed(range(len(steps))):
            if steps[index] is step:
                steps[index] = _GONE
                return

    def _history(self) -> str:
        """Where this Deferred was made and fired, if debugging has kept it."""
        told = ""
        for mark, what, stack in (("C", "created", self._made), ("I", "fired", self._fired)):
            if stack is not None:
                lines = "".join(stack).splitlines()
                told += f" This Deferred was {what} here:\n"
                told += "".join(f" {mark}:{line}\n" for line in lines)
        return told

    def _run(self) -> None:
        """Run the steps: see `Chain`."""
        raise NotImplementedError

    def _run_left(self) -> None:
        """Run the steps that a KeyboardInterrupt has left."""
        if self._held == -1:
            self._held = 0
        self._run()

    def _settled(self) -> bool:
        """Whether `result` is final for now: all steps have run."""
        if self._canceller is SETTLED:
            return True
        if self._held == -1:
            self._run_left()
        return self.called and not self._held

    # -- who answers for a failure --------------------------------------------

    def _own_failure(self, failure: Failure) -> None:
        """No step is left for the failure: have it reported, unless a waiter has seen it."""
        note = self._note
        if type(note) is _Unhandled:
            note.failure = failure
        elif note is not failure:
            self._note = _Unhandled(failure, self._history())

    def _see(self, failure: Failure) -> None:
        """A waiter has seen the failure, which so counts as handled."""
        self._handled()
        self._note = failure

    def _handled(self) -> None:
        """There is no failure any more, or somebody has it."""
        note = self._note
        if type(note) is _Unhandled:
            note.failure = None
            self._note = None


SPECIAL.add(Steps)

#: Whether `remember` is on.
remembering = False
_plain_init = Steps.__init__


def _remembering_init(self: Steps, canceller: Callable[[Any], object] | None = None) -> None:
    _plain_init(self, canceller)
    self._made = stack()
    self.called = REMEMBERS


def stack() -> list[str]:
    """Where the program is, up to where it called this package."""
    frames = traceback.extract_stack()
    while frames and os.path.dirname(frames[-1].filename) == os.path.dirname(__file__):
        frames.pop()
    return traceback.format_list(frames)


def remember(on: bool) -> None:
    """Whether chains made from now on remember where they are made and fired."""
    global remembering
    Steps.debug = remembering = on
    # So that nothing is asked, and no time lost, where this is off.
    Steps.__init__ = _remembering_init if on else _plain_init  # type: ignore[method-assign]


def caught(exception: BaseException) -> Failure:
    """A Failure that begins at the user's frame rather than at ours."""
    tb = exception.__traceback__
    # Where a C function raised, our frame is all there is. Elsewhere the exception
    # lets go of it: it leads to the Deferred, and from there back to the failure.
    if tb is not None and (inner := tb.tb_next) is not None:
        exception.__traceback__ = tb = inner
    # As failure_of, without the call.
    failure = next(new_failures)
    failure.value = exception
    failure.type = type(exception)
    failure.tb = tb
    failure.count = next(counter)
    if remembering:
        failure.captureVars = True
    return failure
