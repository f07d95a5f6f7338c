"""
The callback chain: what it holds, and how its steps are run.

A chain has a result or it has none yet (`called`), and a list of steps that
wait for it. Steps run as soon as there is a result, in order, each once, inline
in whoever provided the result. A step is the callback alone, where there is no
errback, or else a pair:

- `(callback, errback)`, the former may be None: takes the result, gives the next one.
- `(outer, CHAIN)`: the chain `outer` waits for this one, because one of its
  callbacks returned it. It takes the result over and leaves None behind.
- `(waiter, WAITER)`: a coroutine or a future waits. It sees the result and
  leaves it in place, so that any number of waiters and later callbacks see it
  too. `waiter.resume(result, failed)` may answer with a chain that it has
  provided with a result and whose steps are to run next.
- `(future, FUTURE)`: a future of asyncio's waits likewise.

Most Deferreds ever have one step, and most steps are callbacks that return
something plain; both are done in the fewest lines that will do, since a line is
what costs here. The steps of one chain are run in three places, all of which
agree:

- `Deferred.callback`, when there is one step and the result is a success;
- `_run`, when there is one, for every kind of result;
- `_advance`, when there are several: until they end, until the chain is paused,
  or until another has to go first.

`_run` and `_run_others` go from chain to chain in a loop, and the latter keeps
those that stand back in a list. So a chain of any depth, through callbacks and
coroutines alike, uses a handful of Python frames of ours.

A Failure that has run out of steps belongs to an `_Unhandled`, which reports it
when it is dropped. A waiter that has seen the failure has handled it, as far as
the report goes; so has a later callback.
"""

from __future__ import annotations

import logging
import os
import traceback
import weakref
from collections.abc import Callable, Iterator
from types import CoroutineType
from typing import Any

from reactorlib.python._report import report
from reactorlib.python.failure import SPECIAL, Failure, counter, new_failures

__all__ = [
    "CHAIN",
    "FUTURE",
    "SETTLED",
    "SPECIAL",
    "UNCAUGHT",
    "WAITER",
    "Chain",
    "caught",
    "remember",
    "stack",
]

_log = logging.getLogger("reactorlib.internet.defer")

_Step = Callable[[Any], Any] | tuple[Any, Any]

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

#: Runs a coroutine for a Deferred, and the class of what drives it, which stands
#: for the canceller. Set by `_coroutine` and `_driver`, which build on this module.
run_coroutine: Callable[[Any], Any] = NotImplemented
#: Gives a future a failure. Set by `_futures`.
fail_future: Callable[[Any, Failure], None] = NotImplemented
driver: type = NotImplemented

#: The class `Deferred`; to ask for it takes less than to ask for `Chain` and what is derived.
deferred: Any = NotImplemented


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


class _Interrupted(list[_Step]):
    """Steps that a KeyboardInterrupt has left; they run when the next one is added."""

    __slots__ = ("_chain",)

    def __init__(self, chain: Chain, steps: list[_Step]) -> None:
        super().__init__(steps)
        self._chain = chain

    def append(self, step: _Step, /) -> None:
        super().append(step)
        self._chain._run_left()


class _Gone:
    """In place of a waiter that waits no longer."""

    __slots__ = ()

    def resume(self, result: Any, failed: bool) -> None:
        """Do nothing."""


_GONE: _Step = (_Gone(), WAITER)


class Chain:
    """
    What a `Deferred` is inside.

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
    _tied: weakref.ref[Chain] | None = None
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
    def _chainedTo(self) -> Chain | None:
        """The chain that this one waits for, if it does."""
        if self._canceller is SETTLED:
            return None
        if self.called:
            other = self.result if self._held > 1 else None
        else:
            other = self._tied and self._tied()
        return other if isinstance(other, Chain) else None

    def _add_step(self, step: _Step) -> None:
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

    def _remaining(self) -> list[_Step]:
        """The steps that have not run, and some that have, or do."""
        steps = list(self._steps or ())
        if self._step is not None:
            steps.insert(0, self._step)
        return steps

    def _drop_waiter(self, step: _Step) -> None:
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

    # -- running the steps ----------------------------------------------------

    def _run(self) -> None:
        """Run the steps, and those of every Deferred that waited for this one."""
        if self._canceller is SETTLED:
            self._unsettle()
        current = self
        while not current._held:
            step = current._step
            if step is None:
                current._held = 1
                if current._steps is None:
                    current._end()
                    return
                steps = iter(current._steps)
                result = None
                awaken = current._advance(
                    steps, current.result, isinstance(current.result, Failure)
                )
                if awaken is None:
                    return
                if current._held & 1:
                    _run_others(current, steps, awaken)
                    return
                current = awaken
                continue
            # The first, and most often the only one. As _advance does it, without an iterator.
            callback = errback = None
            if type(step) is tuple:
                callback, errback = step
                if errback is CHAIN and current._steps is None:
                    # Nobody's code runs, so there is little to do.
                    awaken = current._hand_over(callback)
                    current._step = None
                    if current._note is not None:
                        current._handled()
                    if awaken is None:
                        return
                    current = awaken
                    continue
            current._held = 1
            result = current.result
            awaken = None
            try:
                failed = type(result) in SPECIAL and isinstance(result, Failure)
                if errback is None:
                    if not failed:
                        result = step(result)
                elif callback is None:
                    if failed:
                        result = errback(result)
                elif errback is WAITER:
                    if failed:
                        current._see(result)
                    awaken = callback.resume(result, failed)
                elif errback is FUTURE:
                    current._resolve(callback, result, failed)
                elif errback is CHAIN:
                    awaken = current._hand_over(callback)
                    result = None
                else:
                    result = errback(result) if failed else callback(result)
            except UNCAUGHT:
                current._interrupted()
                raise
            except BaseException as exception:
                result = caught(exception)
            current.result = result
            if type(result) in SPECIAL or current._steps is not None:
                result = None
                awaken = current._go_on(awaken)
            else:
                current._step = None
                current._held = 0
                if current._note is not None:
                    current._handled()
            if awaken is None:
                return
            current = awaken

    def _run_left(self) -> None:
        """Run the steps that a KeyboardInterrupt has left."""
        if self._held == -1:
            self._held = 0
        self._run()

    def _fail(self, failure: Failure) -> None:
        """Give a chain its result, a failure, where it is not to remember where that was."""
        self.called = True
        self.result = failure
        self._note = None
        step = self._step
        if type(step) is not tuple or step[0] is not None:
            self._run()
            return
        # The first step is an errback. As _run, without asking what the result and the step are.
        self._held = 1
        try:
            result = step[1](failure)
        except UNCAUGHT:
            self._interrupted()
            raise
        except BaseException as exception:
            result = caught(exception)
        self.result = result
        if type(result) in SPECIAL or self._steps is not None:
            del failure, result
            self._go_on(None)
        else:
            self._step = None
            self._held = 0

    def _all_steps(self) -> Iterator[_Step]:
        """
        An iterator over the steps, and over what is added to them meanwhile.

        All are in the list from then on. None may be running.
        """
        steps = self._steps
        if steps is None:
            steps = self._steps = []
        if self._step is not None:
            steps.insert(0, self._step)
            self._step = None
        return iter(steps)

    def _advance(self, steps: Iterator[_Step], result: Any, failed: bool) -> Chain | None:
        """
        Run steps until they end or stop.

        Args:
            steps: those that are left.
            result: the chain's result so far.
            failed: whether that is a Failure.

        Returns:
            a chain whose steps are to run before the rest of these.
        """
        awaken: Chain | None = None
        while True:
            try:
                if failed:
                    step: Any
                    for step in steps:
                        if type(step) is not tuple:
                            continue
                        callback, errback = step
                        if callback is None:
                            result = errback(result)
                            failed = False
                        elif errback is WAITER:
                            self._see(result)
                            awaken = callback.resume(result, True)
                            if awaken is None and self._held == 1:
                                continue
                        elif errback is FUTURE:
                            self._resolve(callback, result, True)
                            continue
                        elif errback is CHAIN:
                            awaken = self._hand_over(callback)
                            result = None
                            failed = False
                        else:
                            result = errback(result)
                            failed = False
                        break
                    else:
                        self._end()
                        return None
                else:
                    for step in steps:
                        if type(step) is not tuple:
                            result = step(result)
                        else:
                            callback, errback = step
                            if callback is None:
                                continue
                            if errback is WAITER:
                                awaken = callback.resume(result, False)
                                if awaken is None and self._held == 1:
                                    continue
                                break
                            if errback is FUTURE:
                                self._resolve(callback, result, False)
                                continue
                            if errback is CHAIN:
                                awaken = self._hand_over(callback)
                                result = None
                                break
                            result = callback(result)
                        if type(result) in SPECIAL:
                            # As _take, for what is most frequent.
                            if type(result) is not deferred:
                                break
                            if result._canceller is not SETTLED:
                                if result.called or self._held != 1:
                                    break
                                result._add_step((self, CHAIN))
                                self._held = 3
                                self.result = result
                                self._stop(steps)
                                return None
                            returned = result
                            result = returned.result
                            returned.result = None
                        self.result = result
                        if self._held != 1:
                            break
                    else:
                        self._steps = None
                        self._held = 0
                        if self._note is not None:
                            self._handled()
                        return None
                if not failed and type(result) in SPECIAL:
                    result = self._take(result)
                    failed = isinstance(result, Failure)
            except Exception as exception:
                result = caught(exception)
                failed = True
            except BaseException as exception:
                if isinstance(exception, UNCAUGHT):
                    self._interrupted(steps)
                    raise
                result = caught(exception)
                failed = True
            self.result = result
            if awaken is not None or self._held != 1:
                break
        if awaken is None or not _left(steps):
            self._stop(steps)
        return awaken

    def _go_on(self, awaken: Chain | None) -> Chain | None:
        """
        Go on after the first step, where there is more to do than to forget it.

        What the step has given is in `result`, and in no frame: the traceback of a
        failure leads to the frames of ours that called the step.

        Args:
            awaken: a chain whose steps are to run before others of this one.

        Returns:
            a chain whose steps are to run now.
        """
        if type(self.result) in SPECIAL:
            try:
                self.result = self._take(self.result)
            except BaseException:
                self._interrupted()
                raise
        if self._steps is None:
            self._end()
            return awaken
        self._step = None
        steps = iter(self._steps)
        if awaken is None and self._held == 1:
            awaken = self._advance(steps, self.result, isinstance(self.result, Failure))
        elif awaken is None or not _left(steps):
            self._stop(steps)
        if awaken is not None:
            _run_others(self, steps, awaken)
        return None

    def _end(self) -> None:
        """Stop: all steps have run, though the chain may be paused."""
        self._step = self._steps = None
        self._held -= 1
        result = self.result
        if type(result) in SPECIAL and isinstance(result, Failure):
            self._own_failure(result)
        elif self._note is not None:
            self._handled()

    def _stop(self, steps: Iterator[_Step]) -> None:
        """Stop before the end, or at it: something has to be waited for, or goes first."""
        left = steps.__length_hint__()  # type: ignore[attr-defined]  # a list's iterator has it
        if not left:
            self._end()
            return
        if left == 1:
            self._step = self._steps[-1]
            self._steps = None
        else:
            del self._steps[:-left]
        self._held -= 1
        if self._note is not None:
            self._handled()

    def _interrupted(self, steps: Iterator[_Step] | None = None) -> None:
        """
        A KeyboardInterrupt goes through.

        Args:
            steps: those that are left; None after the first, which no other runs before.
        """
        if steps is None:
            self._step = None
            steps = iter(self._steps or [])
        left = _left(steps)
        self._steps = _Interrupted(self, self._steps[-left:]) if left else None
        self._held -= 1
        if left and not self._held:
            self._held = -1

    def _take(self, returned: Any) -> Any:
        """
        What to go on with after a callback has returned a Deferred, a coroutine or a Failure.

        Returns:
            the result; or the Deferred, if that has none yet, and this one is
            paused until then.
        """
        if type(returned) is CoroutineType:
            returned = run_coroutine(returned)
        if not isinstance(returned, Chain):
            return returned
        if returned._canceller is SETTLED:
            result, returned.result = returned.result, None
            return result
        if returned.called and returned._settled():
            result, returned.result = returned.result, None
            if returned._note is not None:
                returned._handled()
            return result
        if returned is self:
            return Failure(
                RuntimeError(
                    "a callback returned the Deferred that it was called by, "
                    "which would wait for itself"
                )
            )
        self._held += 2
        if returned._step is None and returned._steps is None:
            returned._step = (self, CHAIN)
        else:
            returned._add_step((self, CHAIN))
        return returned

    def _hand_over(self, outer: Chain) -> Chain | None:
        """Give the result to the Deferred that waits for it; that, if it can run now."""
        outer.result = self.result
        outer._held -= 2
        self.result = None
        return None if outer._held else outer

    def _resolve(self, future: Any, result: Any, failed: bool) -> None:
        """Give the result to the future by which somebody waits, unless that is cancelled."""
        if failed:
            self._see(result)
        if future.done():
            return
        if failed:
            fail_future(future, result)
        else:
            future.set_result(result)

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


SPECIAL.add(Chain)

#: Whether `remember` is on.
remembering = False
_plain_init = Chain.__init__


def _remembering_init(self: Chain, canceller: Callable[[Any], object] | None = None) -> None:
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
    Chain.debug = remembering = on
    # So that nothing is asked, and no time lost, where this is off.
    Chain.__init__ = _remembering_init if on else _plain_init  # type: ignore[method-assign]


def _left(steps: Iterator[_Step]) -> int:
    """How many steps an iterator has not come to."""
    # It is a list's, which has the hint; its type does not say so.
    return steps.__length_hint__()  # type: ignore[attr-defined,no-any-return]


def _run_others(current: Chain, steps: Iterator[_Step], awaken: Chain | None) -> None:
    """Run the steps of `awaken`, and of all that wakes, then the rest of those of `current`."""
    standing_back: list[tuple[Chain, Iterator[_Step]]] = []
    try:
        while True:
            if awaken is not None and current._held & 1:
                standing_back.append((current, steps))
            if awaken is not None and not awaken._held:
                current = awaken
                current._held = 1
                steps = current._all_steps()
            else:
                while standing_back:
                    current, steps = standing_back.pop()
                    if current._held == 1:
                        break
                    current._stop(steps)  # it has been paused meanwhile
                else:
                    return
            result = current.result
            awaken = current._advance(steps, result, isinstance(result, Failure))
    except BaseException:
        for d, passed in standing_back:
            d._interrupted(passed)
        raise


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
