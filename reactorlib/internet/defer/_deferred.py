"""
`Deferred`: adding steps to a chain, giving it a result, cancelling, awaiting.

How the steps are run is in `_chain`; how asyncio waits for one in `_futures`.

Cancellation. `cancel` follows the chain to the innermost Deferred that is
still waited for, and asks its canceller. A coroutine's Deferred has the
coroutine for a canceller; it decides itself when it ends (`_driver`).
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from itertools import repeat, starmap
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

from reactorlib.internet.defer import _chain, _steps
from reactorlib.internet.defer._chain import _run_others
from reactorlib.internet.defer._futures import FutureFace, WaitingFuture, cancel_both
from reactorlib.internet.defer._steps import (
    ASKED,
    CHAIN,
    FUTURE,
    SETTLED,
    SPECIAL,
    SURPRISE,
    UNCAUGHT,
    WAITER,
    caught,
    stack,
)
from reactorlib.python._asyncio import running_loop
from reactorlib.python.failure import Failure, counter, failure_of, new_failures

__all__ = ["AlreadyCalledError", "CancelledError", "Deferred", "remember", "succeed"]

T = TypeVar("T")
_Next = TypeVar("_Next")
_Other = TypeVar("_Other")
_P = ParamSpec("_P")

_Future = asyncio.Future

#: Cancellation is asyncio's own: one `except` catches both.
CancelledError = asyncio.CancelledError


class AlreadyCalledError(Exception):
    """A Deferred was given a second result. It keeps the first."""


def _with_arguments(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Callable[[Any], Any]:
    """What takes the result alone."""
    return lambda result: function(result, *args, **kwargs)


class Deferred(FutureFace, Generic[T]):
    """
    A result that may not be there yet, and what is to be done with it.

    Await it, or give it callbacks. The argument's `canceller`, if there is one,
    is called with the Deferred when it is cancelled before it has a result; it
    may give a result itself, and otherwise the result is a `CancelledError`.

    Attributes:
        called: whether it has been given a result.
        paused: how often it has been paused; steps run at 0 only.
        result: the result so far; missing before there is one.
        debug: whether Deferreds remember where they were made and fired;
            `setDebugging` decides.
    """

    __slots__ = ()

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
        if errback is not None:
            self._add_step((callback, errback))
        elif callback is not None:
            self._add_step(callback)
        return self

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
        if args or kwargs or callback is None:
            callback = _with_arguments(callback, args, kwargs)
        # As _add_step, without the call: this is the busiest line of many programs.
        steps = self._steps
        if steps is not None:
            steps.append(callback)
        elif self._step is None:
            self._step = callback
            if self.called:
                self._run()
        else:
            self._steps = [callback]
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
        steps = self._steps
        if steps is not None:
            steps.append((None, errback))
        elif self._step is None:
            self._step = (None, errback)
            if self.called:
                self._run()
        else:
            self._steps = [(None, errback)]
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
            d._tied = weakref.ref(self)
        return self.addCallbacks(d.callback, d.errback)

    # -- giving the result ----------------------------------------------------

    def callback(self, result: T | Failure) -> None:
        """
        Give the result, and run the steps.

        Raises:
            AlreadyCalledError: there is one already.
            TypeError: `result` is a Deferred; return it from a callback instead.
        """
        if self.called is not False or type(result) in SPECIAL:
            if isinstance(result, Deferred):
                raise TypeError(
                    "callback() takes a result, not a Deferred; to wait for another Deferred, "
                    "return it from a callback or use chainDeferred()"
                )
            self._fire(result)
            return
        # As _fire and _give, without the calls: each Deferred comes by here. The canceller
        # goes last, since nobody asks it any more.
        self.called = True
        self.result = result
        step = self._step
        if step is None:
            if self._steps is None:
                self._canceller = SETTLED
            else:
                self._canceller = self._note = None
                self._run()
            return
        # The first step. As _run, for one that is plain or waits: without its frame, and
        # without asking what only failures need.
        self._held = 1
        awaken = None
        try:
            if type(step) is not tuple:
                result = step(result)
            else:
                callback, errback = step
                if errback is WAITER:
                    awaken = callback.resume(result, False)
                    if awaken is None and self._steps is None:
                        # As below, where the result is known to be what it was.
                        self._step = None
                        self._canceller = SETTLED
                        return
                elif errback is FUTURE:
                    if not callback.done():
                        callback.set_result(result)
                elif errback is CHAIN:
                    awaken = self._hand_over(callback)
                    result = None  # type: ignore[assignment]  # whatever steps give, from here on
                elif callback is not None:
                    result = callback(result)
        except Exception as exception:
            result = caught(exception)
        except BaseException as exception:
            if isinstance(exception, UNCAUGHT):
                self._canceller = self._note = None
                self._interrupted()
                raise
            result = caught(exception)
        self.result = result
        steps = self._steps
        if type(result) not in SPECIAL:
            if steps is None:
                self._step = None
                self._canceller = SETTLED
                if awaken is not None:
                    awaken._run()
                return
            self._canceller = self._note = None
            if awaken is None and self._held == 1:
                # As _go_on, without the call.
                self._step = None
                steps = iter(steps)
                awaken = self._advance(steps, result, False)
                if awaken is not None:
                    _run_others(self, steps, awaken)
                return
        else:
            self._canceller = self._note = None
            if type(result) is Deferred and self._held == 1 and not result.called:
                # It is waited for. As _go_on, without the calls.
                result._add_step((self, CHAIN))
                self._held = 2
                if steps is not None and len(steps) == 1:
                    self._step = steps[0]
                    self._steps = None
                else:
                    self._step = None
                return
            if type(result) is Failure and self._held == 1 and steps and len(steps) == 1:
                # Most often it has been raised, and there is one errback.
                self._step = steps[0]
                self._steps = None
                self._held = 0
                del result
                self._fail(self.result)
                return
        del result
        awaken = self._go_on(awaken)
        if awaken is not None:
            awaken._run()

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
            fail = failure_of(fail, fail.__traceback__)
        if self.called is not False:
            self._fire(fail)
        else:
            self._canceller = None
            self._fail(fail)

    def _fire(self, result: Any) -> None:
        if self.called:
            if self._canceller is SURPRISE:
                self._canceller = None
                return
            history = self._history()
            raise AlreadyCalledError(*([history] if history else []))
        self._canceller = None
        self._give(result)

    def _give(self, result: Any) -> None:
        if self._made is not None:
            self._fired = stack()
        self.called = True
        self.result = result
        self._note = None
        if self._step is not None or self._steps is not None:
            self._run()
        elif type(result) in SPECIAL and isinstance(result, Failure) and not self._held:
            self._own_failure(result)

    def pause(self) -> None:
        """Run no more steps until `unpause` is called as often."""
        if self._canceller is SETTLED:
            self._unsettle()
        self._held = max(self._held, 0) + 2
        if not self._held & 1:
            self._all_steps()
        elif self._steps is None:
            self._steps = []  # whoever runs the first one sees by that

    def unpause(self) -> None:
        """Take one `pause` back."""
        if self._canceller is SETTLED:
            self._unsettle()
        self._held -= 2
        if self.called:
            self._run()

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
        canceller = self._canceller
        if self.called or type(canceller) is _chain.driver:
            innermost = self._innermost(msg)
            if innermost is None:
                return
            target = innermost
            canceller = target._canceller
        if canceller is ASKED:
            return
        try:
            if canceller is None:
                target._canceller = SURPRISE
            else:
                target._canceller = ASKED
                canceller(target)
        finally:
            if not target.called:
                # As failure_of, without the call.
                failure = next(new_failures)
                failure.value = CancelledError() if msg is None else CancelledError(msg)
                failure.type = CancelledError
                failure.tb = None
                failure.count = next(counter)
                if target.called is False:
                    target._fail(failure)
                else:
                    target._give(failure)

    def _innermost(self, msg: object) -> Deferred[Any] | None:
        """
        Whom to cancel for this one: the Deferred at the end of the chain.

        Returns:
            that; None when there is none, or when it is done already.
        """
        target: Deferred[Any] = self
        mark, hops = target, 0
        while True:
            following: Any
            if target.called:
                following = target._chainedTo
                if following is None:
                    return None
            elif type(target._canceller) is _chain.driver:
                task: Any = target._canceller
                following = task.cancelInline(msg)
                if following is None:
                    return None
            else:
                return target
            target = following
            hops += 1
            if target is mark:
                return None  # they wait for each other in a ring, which nothing can end
            if hops & (hops - 1) == 0:
                mark = target

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
        d: Deferred[_Next] = _chain.run_coroutine(coro)
        return d

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
        if self._canceller is SETTLED:
            return self.result  # type: ignore[no-any-return]  # a T by now
        if self.called and not self._held:
            result: Any = self.result
            if type(result) in SPECIAL and isinstance(result, Failure):
                self._see(result)
                # The traceback keeps this frame, which must not lead back to it.
                try:
                    raise result.value.with_traceback(result.tb)
                finally:
                    del self, result
            return result  # type: ignore[no-any-return]  # as above
        loop = running_loop()
        if loop is not None:
            task = asyncio.current_task(loop)
            # Whoever drives a coroutine of ours takes the Deferred itself.
            if task is not None and type(task) is not _chain.driver:
                waiter: asyncio.Future[Any]
                if self.called or self._step is not None or self._steps is not None:
                    waiter = WaitingFuture.of(self, loop)
                else:
                    # The same, but of the one class for which asyncio has short ways.
                    waiter = _Future(loop=loop)
                    waiter.cancel = self._cancel_waiting  # type: ignore[method-assign]
                    self._step = (waiter, FUTURE)
                try:
                    return (yield from waiter)  # type: ignore[no-any-return]  # as above
                finally:
                    del self, waiter
        try:
            return (yield self)  # type: ignore[no-any-return]  # as above
        finally:
            del self

    __iter__ = __await__

    def _cancel_waiting(self, msg: object = None) -> bool:
        """The `cancel` of the future that a task has been given, which is the first step."""
        step = self._step
        if step is None and self._steps:
            step = self._steps[0]
        if type(step) is not tuple or type(step[0]) is not _Future:
            return False  # it has been resolved
        return cancel_both(step[0], self, msg)

    def asFuture(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[T]:
        """
        A future with the same result; the Deferred keeps it too.

        Cancelling the future cancels the Deferred.
        """
        return WaitingFuture.of(self, loop)

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
            except UNCAUGHT:
                raise
            except BaseException:
                d.errback()
            else:
                d.callback(result)

        future.add_done_callback(settle)
        return d

    def __repr__(self) -> str:
        name = self.__class__.__name__
        at = f"{id(self):#x}"
        waits_for = self._chainedTo
        if waits_for is not None:
            return f"<{name} at {at} waiting on Deferred at {id(waits_for):#x}>"
        if not self.called:
            return f"<{name} at {at}>"
        return f"<{name} at {at} current result: {self.result!r}>"

    __str__ = __repr__


def succeed(result: T) -> Deferred[T]:
    """A Deferred that has the result already."""
    d: Deferred[T]
    if type(result) in SPECIAL:
        d = Deferred()
        d.callback(result)
    else:
        # What is needed of Chain.__init__, without having C call it.
        d = next(_new)
        d.called = True
        d.result = result
        d._step = d._steps = None
        d._canceller = SETTLED
    return d


#: Deferreds with nothing in them yet. It leaves `__init__` out, and to take the next costs
#: less than to call `object.__new__`.
_plain_new: Iterator[Deferred[Any]] = starmap(object.__new__, repeat((Deferred,)))
_new = _plain_new


def _new_remembering(cls: type[Deferred[T]]) -> Deferred[T]:
    d = object.__new__(cls)
    d._made = d._fired = stack()
    return d


def remember(on: bool) -> None:
    """Whether Deferreds made from now on remember where they are made and fired."""
    global _new
    _steps.remember(on)
    # So that nothing is asked, and no time lost, where this is off.
    _new = map(_new_remembering, repeat(Deferred)) if on else _plain_new


_chain.deferred = Deferred

if TYPE_CHECKING:
    #: What a callback may return to have its result waited for.
    _Later: TypeAlias = Deferred[_Next] | Coroutine[Any, Any, _Next]

    _check_awaitable: Awaitable[int] = Deferred[int]()
