"""
The callback chain: what it holds, and how its steps are run.

A chain has a result or it has none yet (`called`), and a list of steps that
wait for it. Steps run as soon as there is a result, in order, each once, inline
in whoever provided the result. A step is a pair:

- `(callback, errback)`, either may be None: takes the result, gives the next one.
- `(outer, CHAIN)`: the chain `outer` waits for this one, because one of its
  callbacks returned it. It takes the result over and leaves None behind.
- `(waiter, WAITER)`: a coroutine or a future waits. It sees the result and
  leaves it in place, so that any number of waiters and later callbacks see it
  too. `waiter.resume(step, result, failed)` may answer with a chain that it has
  provided with a result and whose steps are to run next.

`_run` is a loop over a stack of chains, not a recursion: a chain of any depth,
through callbacks and coroutines alike, uses one Python frame of ours.

A Failure that has run out of steps belongs to an `_Unhandled`, which reports it
when it is dropped. A waiter that has seen the failure has handled it, as far as
the report goes; so has a later callback.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from types import CoroutineType
from typing import Any

from reactorlib.python._report import report
from reactorlib.python.failure import Failure

__all__ = ["CHAIN", "PLAIN", "UNCAUGHT", "WAITER", "Chain", "caught"]

_log = logging.getLogger("reactorlib.internet.defer")

_Step = tuple[Any, Any]

#: In place of an errback: what the other half of the step is.
CHAIN = object()
WAITER = object()

UNCAUGHT = (KeyboardInterrupt, SystemExit)

#: How far a cancellation has come: the canceller has been asked; or there was
#: none, and one late result from whoever works on it is to be ignored.
NO, ASKED, SURPRISE = range(3)

#: Results of these very types need no closer look.
PLAIN = frozenset({type(None), bool, int, float, str, bytes, tuple, list, dict, set})

#: Runs a coroutine for a Deferred. Set by `_coroutine`, which builds on this module.
run_coroutine: Callable[[Any], Any] = NotImplemented


def _steps_done(d: Chain, iterator: Iterator[_Step]) -> int:
    """How many of the steps of `d` the iterator over them has passed."""
    # The iterator is a list's, which has the hint; its type does not say so.
    return len(d._steps) - iterator.__length_hint__()  # type: ignore[attr-defined,no-any-return]


def _go_back(
    outside: list[tuple[Chain, Iterator[_Step]]],
) -> tuple[Chain, Iterator[_Step]] | None:
    """Who was left for another that went first, unless it has been paused meanwhile."""
    while outside:
        d, steps = outside.pop()
        if not d.paused:
            return d, steps
        d._steps = d._steps[_steps_done(d, steps) :]
        d._running = False
    return None


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


class Chain:
    """
    What a `Deferred` is inside.

    Attributes:
        called: whether it has been given a result.
        paused: how often it has been paused; steps run at 0 only.
        result: the result so far; missing before there is one.
    """

    # Slots, and all of them set at once: CPython's shared keys would do as well
    # only if every Deferred were to set the same attributes, early.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_cancelled",
        "_canceller",
        "_chainedTo",
        "_driver",
        "_made",
        "_running",
        "_seen",
        "_steps",
        "_unhandled",
        "called",
        "paused",
        "result",
    )

    debug = False
    result: Any
    #: A list as soon as there are any.
    _steps: Any
    _chainedTo: Any
    _unhandled: _Unhandled | None
    _seen: Failure | None
    #: The CoroutineTask whose outcome this is.
    _driver: Any
    #: One of NO, ASKED and SURPRISE.
    _cancelled: int
    #: Where it was made and where it was given its result, while debugging.
    _made: list[str] | None
    _fired: list[str] | None = None

    def __init__(self, canceller: Callable[[Any], object] | None = None) -> None:
        self.called = False
        self.paused = 0
        self._steps = ()
        self._running = False
        self._cancelled = NO
        self._canceller = canceller
        self._chainedTo = self._unhandled = self._seen = self._driver = self._made = None
        if self.debug:
            self._made = traceback.format_stack()[:-1]

    def _add_step(self, step: _Step) -> None:
        if self._steps:
            self._steps.append(step)
        else:
            self._steps = [step]
        if self.called:
            self._run()

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
        """Run the steps, and those of every Deferred that waited for this one."""
        if self._running or self.paused:
            return
        current: Chain = self
        steps: Iterator[_Step] = iter(self._steps)
        outside: list[tuple[Chain, Iterator[_Step]]] | None = None
        while True:
            current._running = True
            result = current.result
            failed = type(result) not in PLAIN and isinstance(result, Failure)
            awaken: Chain | None = None
            try:
                for step in steps:
                    callback, errback = step
                    if errback is WAITER:
                        if failed:
                            current._seen = result
                        awaken = callback.resume(step, result, failed)
                        if awaken is None and not current.paused:
                            continue
                        break
                    if errback is CHAIN:
                        awaken = current._hand_over(callback)
                        result = None
                        failed = False
                        if awaken is None and not current.paused:
                            continue
                        break
                    function = errback if failed else callback
                    if function is None:
                        continue
                    try:
                        result = function(result)
                    except UNCAUGHT:
                        raise
                    except BaseException as exception:
                        result = caught(exception, current.debug)
                        failed = True
                    else:
                        failed = False
                        if type(result) not in PLAIN:
                            if type(result) is CoroutineType:
                                result = run_coroutine(result)
                            if isinstance(result, Chain):
                                if result.called and not result._steps and not result.paused:
                                    result = result._give_up()
                                elif current._wait_for(result):
                                    break
                                else:
                                    result = current.result
                            failed = type(result) not in PLAIN and isinstance(result, Failure)
                    current.result = result
                    if current.paused:
                        break
                else:
                    current._steps = ()
                    current._running = False
                    if failed:
                        current._own_failure(result)
                    elif current._unhandled is not None:
                        current._handled()
                    if not outside or (back := _go_back(outside)) is None:
                        return
                    current, steps = back
                    continue
            except BaseException:
                # A KeyboardInterrupt goes through; every step has run or it has not.
                for d, passed in [*(outside or ()), (current, steps)]:
                    d._steps = d._steps[_steps_done(d, passed) :]
                    d._running = False
                raise
            # Stopped on the way: something has to be waited for, or goes first.
            done = _steps_done(current, steps)
            if awaken is None or done == len(current._steps):
                del current._steps[:done]
                current._running = False
                if not current._steps and isinstance(current.result, Failure):
                    current._own_failure(current.result)
                elif current._unhandled is not None:
                    current._handled()
            elif outside is None:
                outside = [(current, steps)]
            else:
                outside.append((current, steps))
            if awaken is not None and not awaken._running and not awaken.paused:
                current = awaken
                steps = iter(current._steps)
            elif outside and (back := _go_back(outside)) is not None:
                current, steps = back
            else:
                return

    def _hand_over(self, outer: Chain) -> Chain | None:
        """Give the result to the Deferred that waits for it; that, if it can run now."""
        outer._chainedTo = None
        outer.result = self.result
        outer.paused -= 1
        self.result = None
        return None if outer.paused else outer

    def _give_up(self) -> Any:
        """Let go of the result, to whoever this was returned to."""
        result, self.result = self.result, None
        if self._unhandled is not None:
            self._handled()
        return result

    def _wait_for(self, inner: Chain) -> bool:
        """
        A callback has returned `inner`, which is not settled.

        Returns:
            whether this chain is paused now, until `inner` is; it is not if they
            are the same, which is a failure.
        """
        if inner is self:
            self.result = Failure(
                RuntimeError(
                    "a callback returned the Deferred that it was called by, "
                    "which would wait for itself"
                )
            )
            return False
        self.result = inner
        self._chainedTo = inner
        self.paused += 1
        inner._wait((self, CHAIN))
        return True

    def _own_failure(self, failure: Failure) -> None:
        """No step is left for the failure: have it reported, unless a waiter has seen it."""
        if self._seen is failure:
            if self._unhandled is not None:
                self._handled()
        elif self._unhandled is not None:
            self._unhandled.failure = failure
        else:
            self._unhandled = _Unhandled(failure, self._history())

    def _see(self, failure: Failure) -> None:
        """A waiter has seen the failure, which so counts as handled."""
        self._seen = failure
        if self._unhandled is not None:
            self._handled()

    def _wait(self, step: _Step) -> None:
        """Add a waiter's step to a Deferred that is not settled."""
        if self._steps:
            self._steps.append(step)
        else:
            self._steps = [step]

    def _handled(self) -> None:
        if self._unhandled is not None:
            self._unhandled.failure = None
            self._unhandled = None

    def _settled(self) -> bool:
        """Whether `result` is final for now: all steps have run."""
        if self.called and self._steps and not self._running:
            self._run()  # a KeyboardInterrupt had come between
        return self.called and not self.paused and not self._steps


def caught(exception: BaseException, captureVars: bool = False) -> Failure:
    """A Failure that begins at the user's frame rather than at ours."""
    tb = exception.__traceback__
    # Where a C function raised, our frame is all there is. Elsewhere the exception
    # lets go of it: it leads to the Deferred, and from there back to the failure.
    if tb is not None and tb.tb_next is not None:
        tb = exception.__traceback__ = tb.tb_next
    failure = Failure._caught(exception, tb)
    if captureVars:
        failure.captureVars = True
    return failure
