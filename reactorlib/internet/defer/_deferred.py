"""
The callback chain.

A Deferred has a result or it has none yet (`called`), and a list of steps that
wait for it. Steps run as soon as there is a result, in order, each once, inline
in whoever provided the result. A step is a pair:

- `(callback, errback)`, either may be None: takes the result, gives the next one.
- `(outer, _CHAIN)`: the Deferred `outer` waits for this one, because one of its
  callbacks returned it. It takes the result over and leaves None behind.
- `(waiter, _WAITER)`: a coroutine or a future waits. It sees the result and
  leaves it in place, so that any number of waiters and later callbacks see it
  too. `waiter.resume(step, result, failed)` may answer with a Deferred that it
  has provided with a result and whose steps are to run next.

`_run` is a loop over a stack of Deferreds, not a recursion: a chain of any
depth, through callbacks and coroutines alike, uses one Python frame of ours.

Failures. A Failure that has run out of steps belongs to a `_Unhandled`, which
reports it when it is dropped. A waiter that has seen the failure has handled
it, as far as the report goes; so has a later callback.

Cancellation. `cancel` follows the chain to the innermost Deferred that is
still waited for, and asks its canceller. A coroutine's Deferred has the
coroutine for a canceller; it decides itself when it ends (`_driver`).
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from types import CoroutineType
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    ParamSpec,
    TypeAlias,
    TypeVar,
    overload,
)

from reactorlib.python._asyncio import running_loop
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

if TYPE_CHECKING:
    from typing import Self

__all__ = ["AlreadyCalledError", "CancelledError", "Deferred"]

_log = logging.getLogger("reactorlib.internet.defer")

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
_Next = TypeVar("_Next")
_Other = TypeVar("_Other")
_P = ParamSpec("_P")

#: Cancellation is asyncio's own: one `except` catches both.
CancelledError = asyncio.CancelledError


class AlreadyCalledError(Exception):
    """A Deferred was given a second result. It keeps the first."""


_Step = tuple[Any, Any]

#: In place of an errback: what the other half of the step is.
_CHAIN = object()
_WAITER = object()

_UNCAUGHT = (KeyboardInterrupt, SystemExit)

#: How far a cancellation has come: the canceller has been asked; or there was
#: none, and one late result from whoever works on it is to be ignored.
_NO, _ASKED, _SURPRISE = range(3)

#: Results of these very types need no closer look.
_PLAIN = frozenset({type(None), bool, int, float, str, bytes, tuple, list, dict, set})

#: Runs a coroutine for a Deferred. Set by `_coroutine`, which stands on this module.
_run_coroutine: Callable[[Any], Deferred[Any]] = NotImplemented


def _with_arguments(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Callable[[Any], Any]:
    """What takes the result alone."""
    return lambda result: function(result, *args, **kwargs)


def _steps_done(d: Deferred[Any], iterator: Iterator[_Step]) -> int:
    """How many of the steps of `d` the iterator over them has passed."""
    return len(d._steps) - iterator.__length_hint__()  # type: ignore[attr-defined,no-any-return]


def _go_back(
    outside: list[tuple[Deferred[Any], Iterator[_Step]]],
) -> tuple[Deferred[Any], Iterator[_Step]] | None:
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


class Deferred(Generic[T]):
    """
    A result that may not be there yet, and what is to be done with it.

    Await it, or give it callbacks. The argument's `canceller`, if there is one,
    is called with the Deferred when it is cancelled before it has a result; it
    may give a result itself, and otherwise the result is a `CancelledError`.

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
    _chainedTo: Deferred[Any] | None
    _unhandled: _Unhandled | None
    _seen: Failure | None
    #: The CoroutineTask whose outcome this is.
    _driver: Any
    #: One of _NO, _ASKED and _SURPRISE.
    _cancelled: int
    #: Where it was made and where it was given its result, while debugging.
    _made: list[str] | None
    _fired: list[str] | None = None

    def __init__(self, canceller: Callable[[Deferred[Any]], object] | None = None) -> None:
        self.called = False
        self.paused = 0
        self._steps = ()
        self._running = False
        self._cancelled = _NO
        self._canceller = canceller
        self._chainedTo = self._unhandled = self._seen = self._driver = self._made = None
        if self.debug:
            self._made = traceback.format_stack()[:-1]

    # -- adding steps ---------------------------------------------------------

    @overload
    def addCallbacks(
        self,
        callback: Callable[..., _Later[_Next] | Failure],
        errback: None = None,
        callbackArgs: tuple[Any, ...] | None = (),
        callbackKeywords: dict[str, Any] | None = None,
        errbackArgs: tuple[Any, ...] | None = (),
        errbackKeywords: dict[str, Any] | None = None,
    ) -> Deferred[_Next]: ...
    @overload
    def addCallbacks(
        self,
        callback: Callable[..., _Later[_Next] | Failure],
        errback: Callable[..., _Later[_Other] | Failure],
        callbackArgs: tuple[Any, ...] | None = (),
        callbackKeywords: dict[str, Any] | None = None,
        errbackArgs: tuple[Any, ...] | None = (),
        errbackKeywords: dict[str, Any] | None = None,
    ) -> Deferred[_Next | _Other]: ...
    @overload
    def addCallbacks(
        self,
        callback: Callable[..., _Later[_Next] | Failure],
        errback: Callable[..., _Other | Failure],
        callbackArgs: tuple[Any, ...] | None = (),
        callbackKeywords: dict[str, Any] | None = None,
        errbackArgs: tuple[Any, ...] | None = (),
        errbackKeywords: dict[str, Any] | None = None,
    ) -> Deferred[_Next | _Other]: ...
    @overload
    def addCallbacks(
        self,
        callback: Callable[..., _Next | Failure],
        errback: None = None,
        callbackArgs: tuple[Any, ...] | None = (),
        callbackKeywords: dict[str, Any] | None = None,
        errbackArgs: tuple[Any, ...] | None = (),
        errbackKeywords: dict[str, Any] | None = None,
    ) -> Deferred[_Next]: ...
    @overload
    def addCallbacks(
        self,
        callback: Callable[..., _Next | Failure],
        errback: Callable[..., _Later[_Other] | Failure],
        callbackArgs: tuple[Any, ...] | None = (),
        callbackKeywords: dict[str, Any] | None = None,
        errbackArgs: tuple[Any, ...] | None = (),
        errbackKeywords: dict[str, Any] | None = None,
    ) -> Deferred[_Next | _Other]: ...
    @overload
    def addCallbacks(
        self,
        callback: Callable[..., _Next | Failure],
        errback: Callable[..., _Other | Failure],
        callbackArgs: tuple[Any, ...] | None = (),
        callbackKeywords: dict[str, Any] | None = None,
        errbackArgs: tuple[Any, ...] | None = (),
        errbackKeywords: dict[str, Any] | None = None,
    ) -> Deferred[_Next | _Other]: ...
    @overload
    def addCallbacks(
        self,
        callback: None,
        errback: Callable[..., _Later[_Other] | Failure],
        callbackArgs: tuple[Any, ...] | None = (),
        callbackKeywords: dict[str, Any] | None = None,
        errbackArgs: tuple[Any, ...] | None = (),
        errbackKeywords: dict[str, Any] | None = None,
    ) -> Deferred[T | _Other]: ...
    @overload
    def addCallbacks(
        self,
        callback: None,
        errback: Callable[..., _Other | Failure],
        callbackArgs: tuple[Any, ...] | None = (),
        callbackKeywords: dict[str, Any] | None = None,
        errbackArgs: tuple[Any, ...] | None = (),
        errbackKeywords: dict[str, Any] | None = None,
    ) -> Deferred[T | _Other]: ...
    def addCallbacks(
        self,
        callback: Callable[..., Any] | None,
        errback: Callable[..., Any] | None = None,
        callbackArgs: tuple[Any, ...] | None = (),
        callbackKeywords: dict[str, Any] | None = None,
        errbackArgs: tuple[Any, ...] | None = (),
        errbackKeywords: dict[str, Any] | None = None,
    ) -> Deferred[Any]:
        """
        Add a step: `callback(result)` after success, `errback(failure)` after a
        failure. Its return value, or what it raises, is the result for the next.

        Either may be None: the result then passes this step unchanged. Either
        may be a coroutine function, or return a Deferred: the next step waits
        for it.
        """
        if callback is not None and (callbackArgs or callbackKeywords):
            callback = _with_arguments(callback, callbackArgs or (), callbackKeywords or {})
        if errback is not None and (errbackArgs or errbackKeywords):
            errback = _with_arguments(errback, errbackArgs or (), errbackKeywords or {})
        self._add_step((callback, errback))
        return self

    def _add_step(self, step: _Step) -> None:
        if self._steps:
            self._steps.append(step)
        else:
            self._steps = [step]
        if self.called:
            self._run()

    @overload
    def addCallback(
        self,
        callback: Callable[Concatenate[T, _P], _Later[_Next] | Failure],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[_Next]: ...
    @overload
    def addCallback(
        self,
        callback: Callable[Concatenate[T, _P], _Next | Failure],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[_Next]: ...
    @overload
    def addCallback(
        self,
        callback: Callable[Concatenate[T, _P], _Next],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[_Next]: ...
    def addCallback(self, callback: Any, *args: Any, **kwargs: Any) -> Deferred[Any]:
        """Add a step for success; a failure passes it."""
        if args or kwargs:
            callback = _with_arguments(callback, args, kwargs)
        # As _add_step, without the call: this is the busiest line of many programs.
        if self._steps:
            self._steps.append((callback, None))
        else:
            self._steps = [(callback, None)]
        if self.called:
            self._run()
        return self

    @overload
    def addErrback(
        self,
        errback: Callable[Concatenate[Failure, _P], _Later[_Next] | Failure],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[T | _Next]: ...
    @overload
    def addErrback(
        self,
        errback: Callable[Concatenate[Failure, _P], _Next | Failure],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[T | _Next]: ...
    @overload
    def addErrback(
        self,
        errback: Callable[Concatenate[Failure, _P], _Next],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[T | _Next]: ...
    def addErrback(self, errback: Any, *args: Any, **kwargs: Any) -> Deferred[Any]:
        """Add a step for failure; a success passes it."""
        if args or kwargs:
            errback = _with_arguments(errback, args, kwargs)
        if self._steps:
            self._steps.append((None, errback))
        else:
            self._steps = [(None, errback)]
        if self.called:
            self._run()
        return self

    @overload
    def addBoth(
        self,
        callback: Callable[Concatenate[T | Failure, _P], _Later[_Next] | Failure],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[_Next]: ...
    @overload
    def addBoth(
        self,
        callback: Callable[Concatenate[T | Failure, _P], _Next | Failure],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[_Next]: ...
    @overload
    def addBoth(self, callback: Callable[[T | Failure], T | Failure]) -> Deferred[T]: ...
    @overload
    def addBoth(
        self,
        callback: Callable[Concatenate[T | Failure, _P], _Next],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[_Next]: ...
    def addBoth(self, callback: Any, *args: Any, **kwargs: Any) -> Deferred[Any]:
        """Add a step that gets success and failure alike."""
        if args or kwargs:
            callback = _with_arguments(callback, args, kwargs)
        self._add_step((callback, callback))
        return self

    def chainDeferred(self, d: Deferred[T]) -> Deferred[None]:
        """Give `d` the result, whichever it is; None is left here."""
        if not d.called:
            d._chainedTo = self
        return self.addCallbacks(d.callback, d.errback)

    # -- giving the result ----------------------------------------------------

    def callback(self, result: T | Failure) -> None:
        """
        Give the result, and run the steps.

        Raises:
            AlreadyCalledError: there is one already.
            TypeError: `result` is a Deferred; return it from a callback instead.
        """
        if self.called or self._made is not None or type(result) not in _PLAIN:
            if isinstance(result, Deferred):
                raise TypeError(
                    "callback() takes a result, not a Deferred; to wait for another Deferred, "
                    "return it from a callback or use chainDeferred()"
                )
            self._fire(result)
            return
        # As _fire, without the call.
        self.called = True
        self._canceller = self._chainedTo = None
        self.result = result
        if self._steps:
            self._run()

    def errback(self, fail: Failure | BaseException | None = None) -> None:
        """
        Give a failure as the result, and run the steps.

        Args:
            fail: the failure, or an exception to make one of; None for the
                exception that is being handled.

        Raises:
            AlreadyCalledError: there is a result already.
        """
        if fail is None:
            fail = Failure(captureVars=self.debug)
        elif not isinstance(fail, Failure):
            if not isinstance(fail, BaseException):
                raise TypeError(f"errback() takes a Failure or an exception, not {fail!r}")
            fail = Failure._caught(fail, fail.__traceback__)
        self._fire(fail)

    def _fire(self, result: Any) -> None:
        if self.called:
            if self._cancelled == _SURPRISE:
                self._cancelled = _ASKED
                return
            history = self._history()
            raise AlreadyCalledError(*([history] if history else []))
        if self.debug:
            self._fired = traceback.format_stack()[:-2]
        self.called = True
        self._canceller = self._chainedTo = None
        self.result = result
        if self._steps:
            self._run()
        elif type(result) not in _PLAIN and isinstance(result, Failure) and not self.paused:
            self._own_failure(result)

    def _history(self) -> str:
        """Where this Deferred was made and fired, if debugging has kept it."""
        told = ""
        for mark, what, stack in (("C", "created", self._made), ("I", "fired", self._fired)):
            if stack is not None:
                lines = "".join(stack).splitlines()
                told += f" This Deferred was {what} here:\n"
                told += "".join(f" {mark}:{line}\n" for line in lines)
        return told

    def pause(self) -> None:
        """Run no more steps until `unpause` is called as often."""
        self.paused += 1

    def unpause(self) -> None:
        """Take one `pause` back."""
        self.paused -= 1
        if self.called:
            self._run()

    # -- running the steps ----------------------------------------------------

    def _run(self) -> None:
        """Run the steps, and those of every Deferred that waited for this one."""
        if self._running or self.paused:
            return
        current: Deferred[Any] = self
        steps: Iterator[_Step] = iter(self._steps)
        outside: list[tuple[Deferred[Any], Iterator[_Step]]] | None = None
        while True:
            current._running = True
            result = current.result
            failed = type(result) not in _PLAIN and isinstance(result, Failure)
            awaken: Deferred[Any] | None = None
            try:
                for step in steps:
                    callback, errback = step
                    if errback is _WAITER:
                        if failed:
                            current._seen = result
                        awaken = callback.resume(step, result, failed)
                        if awaken is None and not current.paused:
                            continue
                        break
                    if errback is _CHAIN:
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
                    except _UNCAUGHT:
                        raise
                    except BaseException as exception:
                        result = _caught(exception)
                        failed = True
                    else:
                        failed = False
                        if type(result) not in _PLAIN:
                            if type(result) is CoroutineType:
                                result = _run_coroutine(result)
                            if isinstance(result, Deferred):
                                if not current._take_over(result):
                                    break
                                result = current.result
                            failed = type(result) not in _PLAIN and isinstance(result, Failure)
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

    def _hand_over(self, outer: Deferred[Any]) -> Deferred[Any] | None:
        """Give the result to the Deferred that waits for it; that, if it can run now."""
        outer._chainedTo = None
        outer.result = self.result
        outer.paused -= 1
        self.result = None
        return None if outer.paused else outer

    def _take_over(self, inner: Deferred[Any]) -> bool:
        """
        A callback has returned `inner`: its result becomes this one's.

        Returns:
            whether it is there already; if not, this Deferred is paused until then.
        """
        if inner is self:
            self.result = Failure(
                RuntimeError(
                    "a callback returned the Deferred that it was called by, "
                    "which would wait for itself"
                )
            )
            return True
        if inner.called and not inner.paused and not inner._steps:
            self.result = inner.result
            inner.result = None
            if inner._unhandled is not None:
                inner._handled()
            return True
        self.result = inner
        self._chainedTo = inner
        self.paused += 1
        if inner._steps:
            inner._steps.append((self, _CHAIN))
        else:
            inner._steps = [(self, _CHAIN)]
        return False

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

    # -- cancelling -----------------------------------------------------------

    def cancel(self, msg: object = None) -> None:
        """
        Say that nobody wants the result.

        Before there is one, the canceller is called, once; unless it gives a
        result itself, the result is a `CancelledError`. While a callback's
        Deferred is being waited for, that one is cancelled. Otherwise nothing
        happens, however often it is called.

        Args:
            msg: what the `CancelledError` is to say.
        """
        target: Deferred[Any] = self
        mark, hops = self, 0
        while True:
            if target.called:
                if target._chainedTo is None:
                    return
                target = target._chainedTo
            elif target._driver is not None:
                awaited = target._driver.cancelInline(msg)
                if awaited is None:
                    return
                target = awaited
            else:
                break
            hops += 1
            if target is mark:
                return  # they wait for each other in a ring, which nothing can end
            if hops & (hops - 1) == 0:
                mark = target
        if target._cancelled == _NO:
            target._cancelled = _ASKED
            canceller = target._canceller
            try:
                if canceller is None:
                    target._cancelled = _SURPRISE
                else:
                    canceller(target)
            finally:
                if not target.called:
                    target.errback(CancelledError() if msg is None else CancelledError(msg))

    # -- awaiting -------------------------------------------------------------

    @classmethod
    def fromCoroutine(
        cls, coro: Coroutine[Any, Any, _Next] | Generator[Any, Any, _Next]
    ) -> Deferred[_Next]:
        """
        Run a coroutine, and give its outcome as a Deferred; as `ensureDeferred`.

        Raises:
            NotACoroutineError: `coro` is none.
        """
        return _run_coroutine(coro)

    def addTimeout(
        self,
        timeout: float,
        clock: Any,
        onTimeoutCancel: Callable[[Any, float], Any] | None = None,
    ) -> Deferred[T]:
        """
        Cancel this Deferred if it has no result in time.

        Steps that were added before see the `CancelledError`; those after see a
        `TimeoutError`, unless a canceller or a step has given another outcome.

        Args:
            timeout: seconds from now.
            clock: the `IReactorTime` to keep time with, as the reactor.
            onTimeoutCancel: called with the outcome of the cancellation and with
                `timeout`; what it returns goes on in its place.

        Returns:
            this Deferred.
        """
        timed_out = False

        def give_up() -> None:
            nonlocal timed_out
            timed_out = True
            self.cancel()

        call = clock.callLater(timeout, give_up)

        def translate(outcome: Any) -> Any:
            if call.active():
                call.cancel()
            if not timed_out:
                return outcome
            if onTimeoutCancel is not None:
                return onTimeoutCancel(outcome, timeout)
            if isinstance(outcome, Failure):
                from reactorlib.internet.defer._functions import TimeoutError

                outcome.trap(CancelledError)
                raise TimeoutError(timeout, "Deferred") from outcome.value
            return outcome

        return self.addBoth(translate)

    def __await__(self) -> Generator[Any, Any, T]:
        if self.called and not self.paused and not self._steps:
            result: Any = self.result
            if type(result) not in _PLAIN and isinstance(result, Failure):
                self._see(result)
                # The traceback keeps this frame, which must not lead back to it.
                try:
                    raise result.value.with_traceback(result.tb)
                finally:
                    del self, result
            return result  # type: ignore[no-any-return]
        waiter: Any = self
        if (loop := running_loop()) is not None:
            waiter = _for_task(self, loop)
        try:
            if waiter is self:
                return (yield waiter)  # type: ignore[no-any-return]
            return (yield from waiter)  # type: ignore[no-any-return]
        finally:
            del self, waiter

    __iter__ = __await__

    def asFuture(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[T]:
        """
        A future with the same result; the Deferred keeps it too.

        Cancelling the future cancels the Deferred.
        """
        return _WaitingFuture(self, loop)

    @classmethod
    def fromFuture(cls, future: asyncio.Future[_Next]) -> Deferred[_Next]:
        """
        A Deferred with the result that `future` gets; cancelling it cancels the
        future.
        """
        d: Deferred[_Next] = Deferred(lambda _: future.cancel())

        def settle(future: asyncio.Future[_Next]) -> None:
            if d.called:
                return  # the Deferred was cancelled, and the future after it
            try:
                result = future.result()
            except _UNCAUGHT:
                raise
            except BaseException:
                d.errback()
            else:
                d.callback(result)

        future.add_done_callback(settle)
        return d

    # -- being waited for by asyncio.wait -------------------------------------

    def done(self) -> bool:
        """Whether there is a result and every callback has run."""
        return self._settled()

    def cancelled(self) -> bool:
        """Whether the result is a `CancelledError`."""
        if not self._settled():
            return False
        return isinstance(self.result, Failure) and isinstance(self.result.value, CancelledError)

    def exception(self) -> BaseException | None:
        """
        The exception that is the result, or None after success.

        Raises:
            asyncio.InvalidStateError: there is no result yet.
            CancelledError: the result is one.
        """
        if not self._settled():
            raise asyncio.InvalidStateError("this Deferred has no result yet")
        if not isinstance(self.result, Failure):
            return None
        self._see(self.result)
        if isinstance(self.result.value, CancelledError):
            raise self.result.value
        return self.result.value

    def add_done_callback(self, fn: Callable[[Self], object], *, context: Any = None) -> None:
        """Have the running loop call `fn(self)` once there is a result, as a future does."""
        waiter = _DoneCallback(self, fn, context)
        if self._settled():
            waiter.resume(None, self.result, False)
        else:
            self._wait((waiter, _WAITER))

    def remove_done_callback(self, fn: Callable[[Self], object]) -> int:
        """Take `add_done_callback` back; how many times it had been called."""
        found = 0
        for waiter, _ in self._steps:
            if isinstance(waiter, _DoneCallback) and waiter.fn == fn:
                waiter.fn = None
                found += 1
        return found

    def __repr__(self) -> str:
        name = self.__class__.__name__
        at = f"{id(self):#x}"
        if self._chainedTo is not None:
            return f"<{name} at {at} waiting on Deferred at {id(self._chainedTo):#x}>"
        if not self.called:
            return f"<{name} at {at}>"
        return f"<{name} at {at} current result: {self.result!r}>"

    __str__ = __repr__


def _caught(exception: BaseException) -> Failure:
    """A Failure that begins at the user's frame rather than at ours."""
    tb = exception.__traceback__
    # Where a C function raised, our frame is all there is. Elsewhere the exception
    # lets go of it: it leads to the Deferred, and from there back to the failure.
    if tb is not None and tb.tb_next is not None:
        tb = exception.__traceback__ = tb.tb_next
    failure = Failure._caught(exception, tb)
    if Deferred.debug:
        failure.captureVars = True
    return failure


def _cancel_for_task(d: Deferred[Any], msg: object) -> None:
    """
    Cancel what a task waits for; the task is cancelled whatever comes of it.

    A canceller that raises is reported: a task's `cancel()` raises nothing.
    """
    try:
        d.cancel(msg)
    except Exception as exception:
        report(_log, f"the canceller of {d!r} failed", _caught(exception))


class _DoneCallback:
    """A waiter that tells asyncio's `wait`."""

    __slots__ = ("context", "deferred", "fn", "loop")

    def __init__(self, deferred: Deferred[Any], fn: Callable[[Any], object], context: Any) -> None:
        self.deferred = deferred
        self.fn: Callable[[Any], object] | None = fn
        self.context = context
        self.loop = asyncio.get_running_loop()

    def resume(self, step: object, result: Any, failed: bool) -> None:
        if self.fn is not None:
            self.loop.call_soon(self.fn, self.deferred, context=self.context)


class _WaitingFuture(asyncio.Future[T]):
    """A future that a Deferred resolves, and that cancels the Deferred."""

    __slots__ = ("_deferred",)

    def __init__(self, deferred: Deferred[T], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._deferred = deferred
        if deferred._settled():
            failed = isinstance(deferred.result, Failure)
            if failed:
                deferred._see(deferred.result)
            self.resume(None, deferred.result, failed)
        else:
            deferred._wait((self, _WAITER))

    def resume(self, step: object, result: Any, failed: bool) -> None:
        if self.done():
            return
        if not failed:
            self.set_result(result)
        elif isinstance(result.value, CancelledError):
            super().cancel(*result.value.args[:1])
        else:
            error = result.value.with_traceback(result.tb)
            if isinstance(error, StopIteration):
                # In a coroutine it would mean the end, and a future refuses it.
                stop, error = error, RuntimeError("the Deferred failed with StopIteration")
                error.__cause__ = stop
            self.set_exception(error)

    def cancel(self, msg: Any = None) -> bool:
        if not super().cancel(msg):
            return False
        # This future is cancelled whatever the canceller does with the Deferred.
        _cancel_for_task(self._deferred, msg)
        return True


def _for_task(d: Deferred[T], loop: asyncio.AbstractEventLoop) -> asyncio.Future[T] | Deferred[T]:
    """
    What is waited for where a loop runs: a future, if it is a task of asyncio's
    own that waits; the Deferred itself, if whoever drives the coroutine takes it.
    """
    task = asyncio.current_task(loop)
    if task is None or hasattr(task, "_takes_deferreds"):
        return d
    return _WaitingFuture(d, loop)


if TYPE_CHECKING:
    #: What a callback may return to have its result waited for.
    _Later: TypeAlias = Deferred[_Next] | Coroutine[Any, Any, _Next]

    _check_awaitable: Awaitable[int] = Deferred[int]()
