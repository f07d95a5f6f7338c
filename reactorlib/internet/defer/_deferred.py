"""
The callback chain.

A Deferred has a result or it has none yet (`called`), and a list of steps that
wait for it. Steps run as soon as there is a result, in order, each once, inline
in whoever provided the result. A step is a pair:

- `(callback, errback)`, each None or `(function, args, kwargs)`: takes the
  result, gives the next one.
- `(_CHAIN, outer)`: the Deferred `outer` waits for this one, because one of its
  callbacks returned it. It takes the result over and leaves None behind.
- `(_WAITER, waiter)`: a coroutine or a future waits. It sees the result and
  leaves it in place, so that any number of waiters and later callbacks see it
  too. `waiter.resume(step, result)` may answer with a Deferred that it has
  provided with a result and whose steps are to run next.

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
    Protocol,
    TypeVar,
    cast,
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
_P = ParamSpec("_P")

#: Cancellation is asyncio's own: one `except` catches both.
CancelledError = asyncio.CancelledError


class AlreadyCalledError(Exception):
    """A Deferred was given a second result. It keeps the first."""


class _Waiter(Protocol):
    def resume(self, step: object, result: Any) -> Deferred[Any] | None: ...


_Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
_Steps = Iterator[tuple[Any, Any]]
_CHAIN = ("chain",)
_WAITER = ("waiter",)
_UNCAUGHT = (KeyboardInterrupt, SystemExit)


def _call(
    function: Callable[..., Any] | None,
    args: tuple[Any, ...] | None,
    kwargs: dict[str, Any] | None,
) -> _Call | None:
    """One half of a step."""
    return None if function is None else (function, args or (), kwargs or {})


def _steps_done(d: Deferred[Any], iterator: _Steps) -> int:
    """How many of the steps of `d` the iterator over them has passed."""
    return len(d._steps) - iterator.__length_hint__()  # type: ignore[attr-defined,no-any-return]


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

    called = False
    paused = 0
    debug = False
    result: Any

    _steps: list[tuple[Any, Any]]
    _running = False
    _cancelling = False
    _surprise_allowed = False
    _chainedTo: Deferred[Any] | None = None
    _driver: Any = None
    _unhandled: _Unhandled | None = None
    _seen: Failure | None = None
    #: Where it was made and where it was given its result, while debugging.
    _made: list[str] | None = None
    _fired: list[str] | None = None

    def __init__(self, canceller: Callable[[Deferred[Any]], object] | None = None) -> None:
        self._canceller = canceller
        self._steps = []
        if self.debug:
            self._made = traceback.format_stack()[:-1]

    # -- adding steps ---------------------------------------------------------

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
        self._steps.append(
            (
                _call(callback, callbackArgs, callbackKeywords),
                _call(errback, errbackArgs, errbackKeywords),
            )
        )
        if self.called:
            self._run()
        return self

    @overload
    def addCallback(
        self,
        callback: Callable[Concatenate[T, _P], Deferred[_Next]],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[_Next]: ...
    @overload
    def addCallback(
        self,
        callback: Callable[Concatenate[T, _P], Coroutine[Any, Any, _Next]],
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
        self._steps.append(((callback, args, kwargs), None))
        if self.called:
            self._run()
        return self

    @overload
    def addErrback(
        self,
        errback: Callable[Concatenate[Failure, _P], Deferred[_Next]],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[T | _Next]: ...
    @overload
    def addErrback(
        self,
        errback: Callable[Concatenate[Failure, _P], Failure],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[T]: ...
    @overload
    def addErrback(
        self,
        errback: Callable[Concatenate[Failure, _P], Coroutine[Any, Any, _Next]],
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
        self._steps.append((None, (errback, args, kwargs)))
        if self.called:
            self._run()
        return self

    def addBoth(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> Deferred[Any]:
        """Add a step that gets success and failure alike."""
        call = (callback, args, kwargs)
        self._steps.append((call, call))
        if self.called:
            self._run()
        return self

    def chainDeferred(self, d: Deferred[T]) -> Deferred[None]:
        """Give `d` the result, whichever it is; None is left here."""
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
        if isinstance(result, Deferred):
            raise TypeError(
                "callback() takes a result, not a Deferred; to wait for another Deferred, "
                "return it from a callback or use chainDeferred()"
            )
        self._fire(result)

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
            fail = Failure(fail)
        self._fire(fail)

    def _fire(self, result: Any) -> None:
        if self.called:
            if self._surprise_allowed:
                # Cancelled without a canceller: whoever works on the result
                # does not know that nobody wants it any more.
                self._surprise_allowed = False
                return
            history = self._history()
            raise AlreadyCalledError(*([history] if history else []))
        if self.debug:
            self._fired = traceback.format_stack()[:-2]
        self.called = True
        self._canceller = None
        if self._chainedTo is not None:
            self._chainedTo = None
        self.result = result
        if self._steps:
            self._run()
        elif isinstance(result, Failure) and not self.paused:
            self._own_failure()

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
        iterator: _Steps = iter(self._steps)
        outside: list[tuple[Deferred[Any], _Steps]] = []
        while True:
            current._running = True
            result = current.result
            awaken: Deferred[Any] | None = None
            try:
                for step in iterator:
                    kind, other = step
                    if kind is _WAITER:
                        if isinstance(result, Failure):
                            current._seen = result
                        awaken = other.resume(step, result)
                        if awaken is not None:
                            break
                        continue
                    if kind is _CHAIN:
                        other._chainedTo = None
                        other.result = result
                        other.paused -= 1
                        current.result = result = None
                        if other.paused:
                            continue
                        awaken = other
                        break
                    call = other if isinstance(result, Failure) else kind
                    if call is None:
                        continue
                    function, args, kwargs = call
                    try:
                        if args or kwargs:
                            result = function(result, *args, **kwargs)
                        else:
                            result = function(result)
                    except _UNCAUGHT:
                        raise
                    except BaseException as exception:
                        result = _caught(exception)
                    else:
                        if isinstance(result, CoroutineType):
                            result = current.fromCoroutine(result)
                        if isinstance(result, Deferred):
                            inner = result
                            if inner is current:
                                result = Failure(
                                    RuntimeError(
                                        "a callback returned the Deferred that it was called by, "
                                        "which would wait for itself"
                                    )
                                )
                            elif inner._settled():
                                result = inner.result
                                inner.result = None
                                inner._handled()
                            else:
                                current.result = inner
                                current._chainedTo = inner
                                current.paused += 1
                                inner._steps.append((_CHAIN, current))
                                break
                    current.result = result
                    if current.paused:
                        break
            except BaseException:
                # A KeyboardInterrupt goes through; every step has run or it has not.
                for d, steps in [*outside, (current, iterator)]:
                    del d._steps[: _steps_done(d, steps)]
                    d._running = False
                raise
            done = _steps_done(current, iterator)
            if awaken is None or done == len(current._steps):
                del current._steps[:done]
                current._running = False
                current._own_failure()
            else:
                outside.append((current, iterator))
            if awaken is not None and not awaken._running and not awaken.paused:
                current = awaken
                iterator = iter(awaken._steps)
            elif outside:
                current, iterator = outside.pop()
            else:
                return

    def _own_failure(self) -> None:
        """Have the failure reported that no step is left for, if there is one."""
        result = self.result
        if isinstance(result, Failure) and not self._steps:
            if self._seen is not result:
                if self._unhandled is not None:
                    self._unhandled.failure = result
                else:
                    self._unhandled = _Unhandled(result, self._history())
        elif self._unhandled is not None:
            self._handled()

    def _handled(self) -> None:
        if self._unhandled is not None:
            self._unhandled.failure = None
            self._unhandled = None

    def _settled(self) -> bool:
        """Whether `result` is final for now: all steps have run."""
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
        while target.called:
            if target._chainedTo is None:
                return
            target = target._chainedTo
        if target._driver is not None:
            target._driver.cancelInline(msg)
        elif not target._cancelling:
            target._cancelling = True
            canceller = target._canceller
            try:
                if canceller is None:
                    target._surprise_allowed = True
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
        from reactorlib.internet.defer._coroutine import run_coroutine

        return run_coroutine(coro)

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
        if not self._settled():
            waiter = _future_for_task(self)
            if waiter is None:
                return cast(T, (yield self))
            return (yield from waiter)
        result = self.result
        if isinstance(result, Failure):
            self._seen = result
            self._handled()
            raise result.value.with_traceback(result.tb)
        return cast(T, result)

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
        self._seen = self.result
        self._handled()
        if isinstance(self.result.value, CancelledError):
            raise self.result.value
        return self.result.value

    def add_done_callback(self, fn: Callable[[Self], object], *, context: Any = None) -> None:
        """Have the running loop call `fn(self)` once there is a result, as a future does."""
        waiter = _DoneCallback(self, fn, context)
        if self._settled():
            waiter.resume(None, self.result)
        else:
            self._steps.append((_WAITER, waiter))

    def remove_done_callback(self, fn: Callable[[Self], object]) -> int:
        """Take `add_done_callback` back; how many times it had been called."""
        found = 0
        for kind, other in self._steps:
            if kind is _WAITER and isinstance(other, _DoneCallback) and other.fn == fn:
                other.fn = None
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
    # Where a C function raised, our frame is all there is.
    return Failure(exception, None, (tb and tb.tb_next) or tb, Deferred.debug)


class _DoneCallback:
    """A waiter that tells asyncio's `wait`."""

    __slots__ = ("context", "deferred", "fn", "loop")

    def __init__(self, deferred: Deferred[Any], fn: Callable[[Any], object], context: Any) -> None:
        self.deferred = deferred
        self.fn: Callable[[Any], object] | None = fn
        self.context = context
        self.loop = asyncio.get_running_loop()

    def resume(self, step: object, result: Any) -> None:
        if self.fn is not None:
            self.loop.call_soon(self.fn, self.deferred, context=self.context)


class _WaitingFuture(asyncio.Future[T]):
    """A future that a Deferred resolves, and that cancels the Deferred."""

    __slots__ = ("_deferred",)

    def __init__(self, deferred: Deferred[T], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._deferred = deferred
        if deferred._settled():
            if isinstance(deferred.result, Failure):
                deferred._seen = deferred.result
                deferred._handled()
            self.resume(None, deferred.result)
        else:
            deferred._steps.append((_WAITER, self))

    def resume(self, step: object, result: Any) -> None:
        if self.done():
            return
        if not isinstance(result, Failure):
            self.set_result(result)
        elif isinstance(result.value, CancelledError):
            super().cancel(*result.value.args[:1])
        else:
            result.value.__traceback__ = result.tb
            self.set_exception(result.value)

    def cancel(self, msg: Any = None) -> bool:
        if not super().cancel(msg):
            return False
        # This future is cancelled whatever the canceller does with the Deferred.
        self._deferred.cancel(msg)
        return True


def _future_for_task(d: Deferred[T]) -> asyncio.Future[T] | None:
    """
    What a pending Deferred yields where a task of asyncio's own awaits it, or
    None where whoever drives the coroutine takes the Deferred itself.
    """
    loop = running_loop()
    if loop is None:
        return None
    task = asyncio.current_task(loop)
    if task is None or getattr(task, "_takes_deferreds", False):
        return None
    return _WaitingFuture(d, loop)


if TYPE_CHECKING:
    _check_awaitable: Awaitable[int] = Deferred[int]()
