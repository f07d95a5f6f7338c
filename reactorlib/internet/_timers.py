"""
The delayed calls of a reactor.

The loop has one timer: for the first of them. Their times are in a heap, of nothing
but numbers, which takes a part of what the loop's own heap of timers does; and
`calls` says what is to be called at each of them. So a call costs no more than the
loop's timer does, though it can be asked about and moved.

Moving a call to a later time only writes the new time down: when the time comes that
it is `_set_for`, it is seen to be early, and set for the other. Moving it to an earlier
time sets it anew, and cancelling it takes it out of `calls`. The times that then mean
nothing stay in the heap until they come, or until there are many more of them than of
the rest.

Calls without a delay are the loop's, one by one: they keep their place among
everything else that the loop is asked to call soon.

A call that is over, made or cancelled or dropped, has no `func` any more.

While the reactor has no loop, the time is the system's clock, and nothing is set.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import time
import traceback
from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any, Protocol, final

from reactorlib.internet._delayed import DelayedCall, check_delay
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

__all__ = ["LoopCall", "Timers"]

_log = logging.getLogger("reactorlib.internet.reactor")

_NO_KEYWORDS: dict[str, Any] = {}

#: How many times that mean nothing are left alone, and how many for each that does.
_FEW, _SHARE = 100, 4

_FOREVER = math.inf

_Context = contextvars.Context
_copy_context = contextvars.copy_context
_new = object.__new__


class _Clock(Protocol):
    """What tells the time: a loop."""

    def time(self) -> float: ...


class _SystemClock:
    """The system's, where there is no loop."""

    @staticmethod
    def time() -> float:
        return time.monotonic()


_system_clock = _SystemClock()


@final
class LoopCall(DelayedCall):
    """
    A call that a reactor will make, in the context in which it was asked for.

    `Timers` makes them, and fills them in: `__init__` would be one more call for
    each timer.
    """

    __slots__ = ("_context", "_set_for")

    _clock: Timers
    _context: contextvars.Context | None
    _set_for: float

    def seconds(self) -> float:
        """The time now, on the reactor's clock."""
        return self._clock.seconds()

    def cancel(self) -> None:
        if self.func is None:
            self._must_be_active()
            self.cancelled = True  # it was dropped before
            return
        self.cancelled = True
        # As _forget, without the call.
        self.func = self._context = None
        self.args = ()
        self.kw = _NO_KEYWORDS
        timers, at = self._clock, self._set_for
        calls, heap = timers.calls, timers.heap
        if calls.get(at) is self:
            del calls[at]
            if heap[-1] == at:
                heap.pop()  # the last of a heap is nobody's parent
        elif not timers.take_out(self):
            timers.soon.discard(self)
            return
        if len(heap) > timers.most or not (calls or timers.disarms):
            timers.clear_out()

    cancel.__doc__ = DelayedCall.cancel.__doc__

    def reset(self, secondsFromNow: float) -> None:
        if self.func is None or not 0 <= secondsFromNow < _FOREVER:
            self._must_be_active()
            check_delay(secondsFromNow)
        timers = self._clock
        self._due = due = timers.clock.time() + secondsFromNow
        if due < self._set_for:
            timers.advance(self)

    reset.__doc__ = DelayedCall.reset.__doc__

    def _move(self, due: float) -> None:
        self._due = due
        if due < self._set_for:
            self._clock.advance(self)

    def _forget(self) -> None:
        super()._forget()
        self._context = None

    def __call__(self) -> None:
        """The loop makes a call that has no delay, in its context."""
        func, args, kw, timers = self.func, self.args, self.kw, self._clock
        if func is None:
            return
        timers.soon.discard(self)
        if self._due > self._set_for:  # it has one by now
            timers.put(self)
            return
        # It is over before it begins. As _forget, without the call.
        self.called = True
        self.func = self._context = None
        self.args = ()
        self.kw = _NO_KEYWORDS
        try:
            func(*args, **kw)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exception:
            self.report(func, exception)

    def report(self, func: Callable[..., Any], exception: BaseException) -> None:
        """Say that `func`, which was called, has failed; in the context of the call."""
        if self.creator is not None:
            exception.add_note("This delayed call was asked for here:\n" + "".join(self.creator))
        report(_log, f"an error in a delayed call of {func!r}", Failure(exception))


class Timers:
    """
    The delayed calls of one reactor.

    Attributes:
        calls: those that have a delay, by the times that they are set for: a call, or
            several in their order.
        clock: what tells the time.
        disarms: whether the loop is about to look if its timer is still needed.
        heap: all those times, and some that mean nothing any more.
        most: how many of them there may be before somebody counts.
        soon: the calls that have no delay.
    """

    __slots__ = (
        "__weakref__",
        "_armed",
        "_due",
        "_handle",
        "_left",
        "_loop",
        "calls",
        "clock",
        "disarms",
        "heap",
        "most",
        "soon",
    )

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self.clock: _Clock = _system_clock
        self.heap: list[float] = []
        self.calls: dict[float, LoopCall | dict[LoopCall, None]] = {}
        self.most = _FEW
        #: Calls whose time has come.
        self._due: deque[LoopCall] = deque()
        #: What the loop's timer is set for. Nothing is earlier than what it is without a loop.
        self._armed = -math.inf
        self._handle: asyncio.TimerHandle | None = None
        self.disarms = False
        self.soon: set[LoopCall] = set()
        #: The calls that the last run of the reactor's own has dropped.
        self._left: list[LoopCall] = []

    def seconds(self) -> float:
        """The time now."""
        return self.clock.time()

    def call_later(
        self, delay: float, func: Callable[..., Any], args: tuple[Any, ...], kw: dict[str, Any]
    ) -> LoopCall:
        """See `callLater`; the arguments are right."""
        call: LoopCall = _new(LoopCall)
        call._clock = self
        call.func = func
        call.args = args
        call.kw = kw or _NO_KEYWORDS
        call.called = call.cancelled = False
        call._context = context = _copy_context()
        call._due = call._set_for = due = self.clock.time() + delay
        if delay > 0 or self._loop is None:
            if self.calls.setdefault(due, call) is not call:
                self._share(due, call)
            else:
                heappush(self.heap, due)
                if due < self._armed:
                    self._arm(due)
        else:
            self._loop.call_soon(call, context=context)
            self.soon.add(call)
        if call.debug:
            call.creator = traceback.format_stack()[:-2]
        return call

    def put(self, call: LoopCall) -> None:
        """It is to be made at another time than the one that it was set for."""
        due = call._set_for = call._due
        if self.calls.setdefault(due, call) is not call:
            self._share(due, call)
            return
        heappush(self.heap, due)
        if due < self._armed:
            self._arm(due)

    def _share(self, due: float, call: LoopCall) -> None:
        """It has the same time as another, and comes after it."""
        others = self.calls[due]
        if type(others) is LoopCall:
            self.calls[due] = {others: None, call: None}
        else:
            others[call] = None

    def take_out(self, call: LoopCall) -> bool:
        """It is not to be made when it was set for; False if that has come, or is soon."""
        at = call._set_for
        found = self.calls.get(at)
        if found is call:
            del self.calls[at]
        elif found is not None and type(found) is not LoopCall and call in found:
            del found[call]
            if not found:
                del self.calls[at]
        else:
            return False
        return True

    def advance(self, call: LoopCall) -> None:
        """It is to be made earlier than it was set for."""
        if self.take_out(call):
            self.put(call)
            if len(self.heap) > self.most:
                self.clear_out()

    def _arm(self, due: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        assert self._loop is not None
        self._armed = due
        # The timer is nobody's, and keeps nobody's context alive.
        self._handle = self._loop.call_at(due, self, context=_Context())

    def _arm_for_the_first(self) -> None:
        heap, calls = self.heap, self.calls
        while heap and heap[0] not in calls:
            heappop(heap)
        if heap:
            self._arm(heap[0])
        else:
            self._armed = math.inf

    def __call__(self) -> None:
        """The loop's timer goes off."""
        assert self._loop is not None
        # uvloop's counts whole milliseconds, and may say that it is a little earlier.
        now = max(self._loop.time(), self._armed)
        heap, calls, due = self.heap, self.calls, self._due
        while heap and heap[0] <= now:
            found = calls.pop(heappop(heap), None)
            if type(found) is LoopCall:
                due.append(found)
            elif found is not None:
                due.extend(found)
        self._handle = None
        # First, for one of them may run the loop, if something has made that possible.
        self._arm_for_the_first()
        self._make_due()

    def _make_due(self) -> None:
        due = self._due
        try:
            while due:
                call = due.popleft()
                func, context = call.func, call._context
                if func is None or context is None:
                    continue
                if call._due > call._set_for:
                    self.put(call)
                    continue
                args, kw = call.args, call.kw
                # It is over before it begins. As _forget, without the call.
                call.called = True
                call.func = call._context = None
                call.args = ()
                call.kw = _NO_KEYWORDS
                try:
                    if args or kw:
                        context.run(func, *args, **kw)
                    else:
                        context.run(func)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as exception:
                    context.run(call.report, func, exception)
        finally:
            if due and self._loop is not None:  # KeyboardInterrupt, say
                self._loop.call_soon(self._make_due, context=_Context())

    def clear_out(self) -> None:
        """Take the times out that mean nothing, if they are many, or all."""
        heap, calls = self.heap, self.calls
        self.most = _FEW + _SHARE * len(calls)
        if calls and len(heap) <= self.most:
            return
        heap[:] = calls
        heapify(heap)
        # The next call may be asked for at once, and can have the timer as it is.
        if not (heap or self.disarms or self._loop is None or self._loop.is_closed()):
            self.disarms = True
            self._loop.call_soon(self._disarm, context=_Context())

    def _disarm(self) -> None:
        """Nothing is left behind where nothing is to come."""
        self.disarms = False
        if not self.calls and self._handle is not None:
            self.heap.clear()
            self._handle.cancel()
            self._handle = None
            self._armed = math.inf

    def to_come(self) -> list[LoopCall]:
        """The calls that are still to come, in no order."""
        found = [*self.soon, *(call for call in self._due if call.func is not None)]
        for calls in self.calls.values():
            if type(calls) is LoopCall:
                found.append(calls)
            else:
                found += calls
        return found

    def outstanding(self) -> list[LoopCall]:
        """Those, and before the next run what the last one has dropped and nobody has cancelled."""
        return [*self.to_come(), *(call for call in self._left if not call.cancelled)]

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """A loop has begun to run: keep time by it from now on."""
        waiting = sorted(self.to_come(), key=LoopCall.getTime)
        self._forget()
        self._left = []
        self._loop = self.clock = loop
        self._armed = math.inf
        before, now = time.monotonic(), loop.time()
        for call in waiting:
            call._due = now + max(0.0, call._due - before)
            self.put(call)

    def drop(self, keep: bool) -> None:
        """
        Drop all calls: they are not made, though nobody has cancelled them, and may still do so.

        Args:
            keep: whether they are outstanding all the same, until another loop begins.
        """
        calls = self.to_come()
        for call in calls:
            call._forget()
        if keep:
            self._left += calls
        self._forget()

    def stop(self) -> None:
        """The loop has ended: drop all calls, and wait for another loop."""
        self.drop(keep=True)
        self._loop = None
        self.clock = _system_clock
        self._armed = -math.inf

    def _forget(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._loop is not None:
            self._armed = math.inf
        self.heap.clear()
        self.calls.clear()
        self._due.clear()
        self.soon.clear()
