"""
Blocking work in threads, its outcome as a Deferred; and waiting in a thread for the reactor.

`asyncio.to_thread` and `asyncio.run_coroutine_threadsafe` work beside these, on
the same loop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar, overload

from reactorlib.internet._current import thread_reactor
from reactorlib.internet._reactor._threads import Answer
from reactorlib.internet.defer import Deferred
from reactorlib.internet.error import ReactorNotRunning
from reactorlib.python._report import report
from reactorlib.python.failure import Failure
from reactorlib.python.threadpool import ThreadPool

__all__ = [
    "blockingCallFromThread",
    "callMultipleInThread",
    "deferToThread",
    "deferToThreadPool",
]

_log = logging.getLogger("reactorlib.internet.threads")

_P = ParamSpec("_P")
_T = TypeVar("_T")


class _ToThread:
    """A call to be made in a thread, unless it is taken back before."""

    def __init__(
        self,
        reactor: Any,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        # Looked up here: `reactor` might mean another one in the thread, or none.
        self._call_from_thread = reactor.callFromThread
        #: Empty once the call has begun, or has been taken back.
        self._todo = [(function, args, kwargs)]
        self.outcome: Deferred[Any] = Deferred(self._unwanted)

    def __call__(self) -> Any:
        try:
            function, args, kwargs = self._todo.pop()
        except IndexError:
            return None
        return function(*args, **kwargs)

    def _unwanted(self, _: Deferred[Any]) -> None:
        self._todo.clear()

    def done(self, well: bool, result: Any) -> None:
        """In the thread: say how it ended."""
        if self.outcome.called:
            return
        try:
            self._call_from_thread(self._fire, well, result)
        except ReactorNotRunning:
            if not well:
                report(
                    _log, "a function called in a thread outlived the reactor, and failed", result
                )

    def _fire(self, well: bool, result: Any) -> None:
        if self.outcome.called:
            return
        if well and isinstance(result, Deferred):
            well = False
            result = Failure(
                TypeError(
                    f"what was called in a thread returned {result!r}, which is the reactor's: "
                    "call that in the reactor's thread, or wait for it in this one with "
                    "blockingCallFromThread()"
                )
            )
        (self.outcome.callback if well else self.outcome.errback)(result)


def deferToThreadPool(
    reactor: Any,
    threadpool: ThreadPool | Any,
    f: Callable[_P, _T],
    *args: _P.args,
    **kwargs: _P.kwargs,
) -> Deferred[_T]:
    """
    Call `f` in a thread of a pool.

    Args:
        reactor: where the Deferred fires: an `IReactorFromThreads`.
        threadpool: the pool, or anything with its `callInThreadWithCallback`.
        f: what to call there, in a copy of today's context.

    Returns:
        a Deferred with what `f` returns or raises; with `TypeError` if that is a
        Deferred, which belongs to the reactor's thread. Cancelling it takes `f` back
        if it has not begun. What has begun cannot be stopped: the Deferred fails
        with `CancelledError` at once, and what comes of `f` is dropped.

    Raises:
        RuntimeError: the pool has been stopped.
    """
    call = _ToThread(reactor, f, args, kwargs)
    threadpool.callInThreadWithCallback(call.done, call)
    return call.outcome


def deferToThread(f: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
    """Call `f` in a thread of the reactor's pool; otherwise as `deferToThreadPool`."""
    reactor = thread_reactor()
    return deferToThreadPool(reactor, reactor.getThreadPool(), f, *args, **kwargs)


def callMultipleInThread(
    tupleList: Iterable[tuple[Callable[..., Any], Iterable[Any], Mapping[str, Any]]],
) -> None:
    """
    Make several calls in one thread of the reactor's pool, one after another.

    Args:
        tupleList: the calls: function, arguments, keyword arguments. The first
            that raises is the last to be made; it is reported.
    """
    thread_reactor().callInThread(_call_each, tupleList)


def _call_each(
    calls: Iterable[tuple[Callable[..., Any], Iterable[Any], Mapping[str, Any]]],
) -> None:
    for function, args, kwargs in calls:
        function(*args, **kwargs)


@overload
def blockingCallFromThread(
    reactor: Any, f: Callable[_P, Deferred[_T]], *a: _P.args, **kw: _P.kwargs
) -> _T: ...
@overload
def blockingCallFromThread(
    reactor: Any, f: Callable[_P, Coroutine[Any, Any, _T]], *a: _P.args, **kw: _P.kwargs
) -> _T: ...
@overload
def blockingCallFromThread(
    reactor: Any, f: Callable[_P, _T], *a: _P.args, **kw: _P.kwargs
) -> _T: ...
def blockingCallFromThread(reactor: Any, f: Callable[..., Any], *a: Any, **kw: Any) -> Any:
    """
    Call `f` in the reactor's thread, and wait here for what comes of it.

    Where the wait is broken off, by Ctrl-C, what `f` has begun is cancelled.

    Args:
        reactor: an `IReactorFromThreads`. The module `reactor` stands for the one
            that this thread belongs to.
        f: what to call there, in a copy of today's context. If it returns a
            Deferred or a coroutine, the outcome of that is waited for.

    Returns:
        what `f` returns, or the result of the Deferred or coroutine.

    Raises:
        RuntimeError: this is the reactor's own thread, which would wait forever.
        ReactorNotRunning: the reactor has ended before there was an answer.
        BaseException: whatever `f` raises, or its Deferred or coroutine fails with.
    """
    of_reactorlib = getattr(reactor, "_for_threads", None)
    answer = Answer(f, a, kw)
    if of_reactorlib is None:
        reactor.callFromThread(answer.find)
    else:
        reactor = of_reactorlib()
        reactor._find(answer)
    try:
        outcome = answer.wait()
    except BaseException:
        _give_up(reactor, answer)
        raise
    finally:
        if of_reactorlib is not None:
            reactor._answers.discard(answer)
    if isinstance(outcome, Failure):
        outcome.raiseException()
    return outcome


def _give_up(reactor: Any, answer: Answer) -> None:
    try:
        reactor.callFromThread(answer.give_up)
    except ReactorNotRunning:
        pass  # there is nothing to break off
