"""
The delayed calls of a reactor.

They are in one heap, and the loop has one timer: for the first of them. The heap
compares tuples, which costs a part of what the loop's own heap of timers does, so
that a call costs no more than the loop's timer does, though it can be asked about
and moved.

An entry of the heap counts as long as its time is the one that its call is `_set_for`.
Moving a call to a later time only writes the new time down: the entry, when its time
comes, sees that it is early and goes back. Moving it to an earlier time makes another
entry. What no longer counts stays until its time comes, or until there is more of
that than of the rest.

Calls without a delay are the loop's, one by one: they keep their place among
everything else that the loop is asked to call soon.

While the reactor has no loop, the time is the system's clock, and nothing is set.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import logging
import math
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from typing import Any

from reactorlib.internet._delayed import DelayedCall
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

__all__ = ["LoopCall", "Timers"]

_log = logging.getLogger("reactorlib.internet.reactor")

_NO_KEYWORDS: dict[str, Any] = {}

#: The time that a call is set for when it is over.
_OVER = -1.0

#: How many entries that do not count are left alone.
_FEW = 100

_Entry = tuple[float, int, "LoopCall"]

_Context = contextvars.Context
_copy_context = contextvars.copy_context
_new = object.__new__


class LoopCall(DelayedCall):
    """
    A call that a reactor will make, in the context in which it was asked for.

    `Timers` makes them, and fills them in: `__init__` would be one more call for
    each timer.
    """

    __slots__ = ("_context", "_handle", "_set_for", "_timers")

    _timers: Timers | None
    _context: contextvars.Context | None
    _handle: asyncio.Handle | None  # of the loop, for a call without a delay
    _set_for: float

    def seconds(self) -> float:
        """The time now, on the reactor's clock."""
        return time.monotonic() if self._timers is None else self._timers.seconds()

    def cancel(self) -> None:
        if self.cancelled or self.called:
            self._must_be_active()
        timers, handle = self._timers, self._handle
        self.cancelled = True
        # As _forget, without the call.
        self._timers = self._handle = self._context = self.func = None
        self._set_for = _OVER
        self.args = ()
        self.kw = _NO_KEYWORDS
        if timers is None:
            pass
        elif handle is not None:
            handle.cancel()
            timers.soon.discard(self)
        else:
            timers.dead = dead = timers.dead + 1
            size = len(timers.heap)
            if dead * 2 > size and (dead > _FEW or dead >= size):
                timers.clear_out()

    cancel.__doc__ = DelayedCall.cancel.__doc__

    def drop(self) -> None:
        """
        The loop ends, and the call is not made, though nobody has cancelled it.

        Whoever has it may still do so.
        """
        if self._handle is not None:
            self._handle.cancel()
        self._forget()

    def _move(self, due: float) -> None:
        self._due = due
        if due < self._set_for and self._handle is None and self._timers is not None:
            self._timers.dead += 1
            self._timers.put(self)

    def _forget(self) -> None:
        super()._forget()
        self._timers = self._handle = self._context = None
        self._set_for = _OVER

    def __call__(self) -> None:
        """The loop makes a call that has no delay, in its context."""
        timers = self._timers
        assert timers is not None
        timers.soon.discard(self)
        self._handle = None
        if self._due > self._set_for:  # it has one by now
            timers.put(self)
        else:
            self.make()

    def make(self) -> None:
        """Make the call; its context is entered. It is over before it begins."""
        func, args, kw = self.func, self.args, self.kw
        assert func is not None
        self.called = True
        # As _forget, without the call.
        self._timers = self._handle = self._context = self.func = None
        self._set_for = _OVER
        self.args = ()
        self.kw = _NO_KEYWORDS
        try:
            func(*args, **kw)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exception:
            if self.creator is not None:
                exception.add_note(
                    "This delayed call was asked for here:\n" + "".join(self.creator)
                )
            report(_log, f"an error in a delayed call of {func!r}", Failure(exception))


class Timers:
    """
    The delayed calls of one reactor.

    Attributes:
        dead: how many entries there are about that do not count.
        heap: the entries: time, number, call.
        soon: the calls that have no delay.
    """

    __slots__ = (
        "__weakref__",
        "_armed",
        "_disarms",
        "_due",
        "_handle",
        "_loop",
        "_numbers",
        "dead",
        "heap",
        "soon",
    )

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self.heap: list[_Entry] = []
        #: Keeps calls of one time in the order in which they were asked for.
        self._numbers = itertools.count()
        #: Entries whose time has come.
        self._due: deque[_Entry] = deque()
        #: What the loop's timer is set for. Nothing is earlier than what it is without a loop.
        self._armed = -math.inf
        self._handle: asyncio.TimerHandle | None = None
        #: Whether the loop is about to look if the timer is still needed.
        self._disarms = False
        self.dead = 0
        self.soon: set[LoopCall] = set()

    def seconds(self) -> float:
        """The time now."""
        return time.monotonic() if self._loop is None else self._loop.time()

    def call_later(
        self, delay: float, func: Callable[..., Any], args: tuple[Any, ...], kw: dict[str, Any]
    ) -> LoopCall:
        """See `callLater`; the arguments are right."""
        call: LoopCall = _new(LoopCall)
        call._timers = self
        call.func = func
        call.args = args
        call.kw = kw or _NO_KEYWORDS
        call.called = call.cancelled = False
        call._context = _copy_context()
        call._handle = call.creator = None
        loop = self._loop
        due = (time.monotonic() if loop is None else loop.time()) + delay
        call._due = call._set_for = due
        if delay > 0 or loop is None:
            heappush(self.heap, (due, next(self._numbers), call))
            if due < self._armed:
                self._arm(due)
        else:
            call._handle = loop.call_soon(call, context=call._context)
            self.soon.add(call)
        if call.debug:
            call.creator = traceback.format_stack()[:-2]
        return call

    def put(self, call: LoopCall) -> None:
        """Its time is another than the one that it is set for."""
        due = call._set_for = call._due
        heappush(self.heap, (due, next(self._numbers), call))
        if due < self._armed:
            self._arm(due)

    def _arm(self, due: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        assert self._loop is not None
        self._armed = due
        # The timer is nobody's, and keeps nobody's context alive.
        self._handle = self._loop.call_at(due, self, context=_Context())

    def _arm_for_the_first(self) -> None:
        heap = self.heap
        while heap and heap[0][2]._set_for != heap[0][0]:
            heappop(heap)
            self.dead -= 1
        if heap:
            self._arm(heap[0][0])
        else:
            self._armed = math.inf

    def __call__(self) -> None:
        """The loop's timer goes off."""
        assert self._loop is not None
        # uvloop's counts whole milliseconds, and may say that it is a little earlier.
        now = max(self._loop.time(), self._armed)
        heap, due = self.heap, self._due
        while heap and heap[0][0] <= now:
            due.append(heappop(heap))
        self._handle = None
        # First, for one of them may run the loop, if something has made that possible.
        self._arm_for_the_first()
        self._make_due()

    def _make_due(self) -> None:
        due = self._due
        try:
            while due:
                at, _, call = due.popleft()
                if call._set_for != at:
                    self.dead -= 1
                elif call._due > at:
                    self.put(call)
                else:
                    context = call._context
                    assert context is not None
                    context.run(call.make)
        finally:
            if due and self._loop is not None:  # KeyboardInterrupt, say
                self._loop.call_soon(self._make_due, context=_Context())

    def clear_out(self) -> None:
        """Take out the entries that do not count."""
        heap = self.heap
        heap[:] = [entry for entry in heap if entry[2]._set_for == entry[0]]
        heapify(heap)
        self.dead = sum(call._set_for != at for at, _, call in self._due)
        # The next call may be asked for at once, and can have the timer as it is.
        if not (heap or self._disarms or self._loop is None or self._loop.is_closed()):
            self._disarms = True
            self._loop.call_soon(self._disarm, context=_Context())

    def _disarm(self) -> None:
        """Nothing is left behind where nothing is to come."""
        self._disarms = False
        if not self.heap and self._handle is not None:
            self._handle.cancel()
            self._handle = None
            self._armed = math.inf

    def _entries(self) -> Iterator[_Entry]:
        for entry in (*self._due, *self.heap):
            if entry[2]._set_for == entry[0]:
                yield entry

    def to_come(self) -> list[LoopCall]:
        """The calls that are still to come, in no order."""
        return [*self.soon, *dict.fromkeys(call for _, _, call in self._entries())]

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """A loop has begun to run: keep time by it from now on."""
        waiting = sorted(self.to_come(), key=LoopCall.getTime)
        self._forget()
        self._loop = loop
        self._armed = math.inf
        before, now = time.monotonic(), loop.time()
        for call in waiting:
            call._due = now + max(0.0, call._due - before)
            self.put(call)

    def drop(self) -> None:
        """Drop all calls."""
        for call in self.to_come():
            call.drop()
        self._forget()

    def stop(self) -> None:
        """The loop has ended: drop all calls, and wait for another loop."""
        self.drop()
        self._loop = None
        self._armed = -math.inf

    def _forget(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._loop is not None:
            self._armed = math.inf
        self.heap.clear()
        self._due.clear()
        self.soon.clear()
        self.dead = 0
