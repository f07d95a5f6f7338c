"""
How the steps of a callback chain are run; what it holds is in `_steps`.

Steps run as soon as there is a result, in order, each once, inline in whoever
provided the result. Most Deferreds ever have one step, and most steps are
callbacks that return something plain; both are done in the fewest lines that
will do, since a line is what costs here. The steps of one chain are run in
three places, all of which agree:

- `Deferred.callback`, when there is one step and the result is a success;
- `_run`, when there is one, for every kind of result;
- `_advance`, when there are several: until they end, until the chain is paused,
  or until another has to go first.

`_run` and `_run_others` go from chain to chain in a loop, and the latter keeps
those that stand back in a list. So a chain of any depth, through callbacks and
coroutines alike, uses a handful of Python frames of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import CoroutineType
from typing import Any

from reactorlib.internet.defer._steps import (
    CHAIN,
    FUTURE,
    SETTLED,
    UNCAUGHT,
    WAITER,
    Interrupted,
    Step,
    Steps,
    caught,
)
from reactorlib.python.failure import SPECIAL, Failure

__all__ = ["Chain"]

#: Runs a coroutine for a Deferred, and the class of what drives it, which stands
#: for the canceller. Set by `_coroutine` and `_driver`, which build on this module.
run_coroutine: Callable[[Any], Any] = NotImplemented
#: Gives a future a failure. Set by `_futures`.
fail_future: Callable[[Any, Failure], None] = NotImplemented
driver: type = NotImplemented

#: The class `Deferred`; to ask for it takes less than to ask for `Chain` and what is derived.
deferred: Any = NotImplemented


class Chain(Steps):
    """What a `Deferred` is inside: steps, and how they are run."""

    __slots__ = ()

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

    def _all_steps(self) -> Iterator[Step]:
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

    def _advance(self, steps: Iterator[Step], result: Any, failed: bool) -> Chain | None:
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

    def _stop(self, steps: Iterator[Step]) -> None:
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

    def _interrupted(self, steps: Iterator[Step] | None = None) -> None:
        """
        A KeyboardInterrupt goes through.

        Args:
            steps: those that are left; None after the first, which no other runs before.
        """
        if steps is None:
            self._step = None
            steps = iter(self._steps or [])
        left = _left(steps)
        self._steps = Interrupted(self, self._steps[-left:]) if left else None
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


def _left(steps: Iterator[Step]) -> int:
    """How many steps an iterator has not come to."""
    # It is a list's, which has the hint; its type does not say so.
    return steps.__length_hint__()  # type: ignore[attr-defined,no-any-return]


def _run_others(current: Chain, steps: Iterator[Step], awaken: Chain | None) -> None:
    """Run the steps of `awaken`, and of all that wakes, then the rest of those of `current`."""
    standing_back: list[tuple[Chain, Iterator[Step]]] = []
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
