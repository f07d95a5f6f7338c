"""
Calls to be made later, once.

`DelayedCall` is what any clock may give from its `callLater`, and what its calls
have in common; `LoopCall` is the one of a reactor, and rides on a timer of the
loop's.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
import time
import traceback
from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet.interfaces import IDelayedCall

__all__ = ["DelayedCall", "LoopCall", "check_delay"]


def check_delay(delay: float) -> float:
    """
    Return `delay`.

    Raises:
        ValueError: it is negative, infinite or not a number.
    """
    if not 0 <= delay < math.inf:
        raise ValueError(f"a delay is a number of seconds, at least 0, not {delay!r}")
    return delay


@implementer(IDelayedCall)
class DelayedCall:
    """
    A call to be made later, once.

    Programs get them from `callLater`. A clock of one's own makes them with this
    class, and makes the calls itself: it looks at `getTime()`, and sets `called`.

    Args:
        time: when the call is due, in seconds, on the clock of `seconds`.
        func, args, kw: what will be called.
        cancel: called with this object before it is cancelled.
        reset: called with this object after it was given another time.
        seconds: tells the time.

    Attributes:
        called: whether it has been made.
        cancelled: whether it will not be.
        debug: set it to True on the class, and each call remembers in `creator`
            where it was asked for; what it raises says so.
        creator: lines of text, as of a traceback, or None.
    """

    debug = False
    creator: list[str] | None = None

    _due: float
    func: Callable[..., Any] | None
    args: tuple[Any, ...]
    kw: dict[str, Any]
    called: bool
    cancelled: bool

    def __init__(
        self,
        time: float,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kw: dict[str, Any],
        cancel: Callable[[Any], object],
        reset: Callable[[Any], object],
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._due = time
        self.func = func
        self.args = args
        self.kw = kw
        self.called = False
        self.cancelled = False
        self._cancel = cancel
        self._reset = reset
        self._seconds = seconds
        if self.debug:
            self.creator = traceback.format_stack()[:-2]

    @property
    def time(self) -> float:
        """When it is due; `getTime()`."""
        return self._due

    def seconds(self) -> float:
        """The time now, on its clock."""
        return self._seconds()

    def getTime(self) -> float:
        """When it is due, on its clock, which is the reactor's `seconds()`."""
        return self._due

    def active(self) -> bool:
        """Whether it is still to come."""
        return not (self.called or self.cancelled)

    def cancel(self) -> None:
        """
        Do not make the call.

        Raises:
            AlreadyCalled: it has been made.
            AlreadyCancelled: it was cancelled before.
        """
        self._must_be_active()
        self._unset()
        self.cancelled = True
        self._forget()

    def reset(self, secondsFromNow: float) -> None:
        """Make the call `secondsFromNow` seconds from now instead; raises as `cancel`."""
        self._must_be_active()
        self._move(self.seconds() + check_delay(secondsFromNow))

    def delay(self, secondsLater: float) -> None:
        """Make the call that much later, or sooner if negative; raises as `cancel`."""
        self._must_be_active()
        if not math.isfinite(secondsLater):
            raise ValueError(f"a delay is a finite number of seconds, not {secondsLater!r}")
        self._move(self._due + secondsLater)

    def _must_be_active(self) -> None:
        if self.cancelled:
            raise error.AlreadyCancelled
        if self.called:
            raise error.AlreadyCalled

    def _unset(self) -> None:
        """Tell the clock that it is cancelled."""
        self._cancel(self)

    def _move(self, due: float) -> None:
        """Give it another time, and tell the clock."""
        self._due = due
        self._reset(self)

    def _forget(self) -> None:
        """It is over, and keeps nothing alive."""
        self.func = None
        self.args, self.kw = (), {}

    def __lt__(self, other: DelayedCall) -> bool:
        return self._due < other._due

    def __le__(self, other: DelayedCall) -> bool:
        return self._due <= other._due

    def __repr__(self) -> str:
        text = f"<DelayedCall 0x{id(self):x}"
        if self.active():
            text += f" [{round(self._due - self.seconds(), 6)}s]"
        text += f" called={self.called:d} cancelled={self.cancelled:d}"
        if self.func is not None:
            name = getattr(self.func, "__qualname__", None) or repr(self.func)
            arguments = [*map(repr, self.args), *(f"{key}={self.kw[key]!r}" for key in self.kw)]
            text += f" {name}({', '.join(arguments)})"
        if self.creator is not None:
            text += "\n\ntraceback at creation:\n\n" + "".join(self.creator)
        return text + ">"


_NO_KEYWORDS: dict[str, Any] = {}


class LoopCall(DelayedCall):
    """
    A call that a reactor will make.

    Moving it to a later time only writes the new time down: the timer, when it
    goes off, sees that it is early and is set again. While the reactor has no
    loop, it keeps its time by the system's clock. The call is made in the context
    in which it was asked for, however it is moved.
    """

    __slots__ = (
        "_calls",
        "_context",
        "_due",
        "_handle",
        "_loop",
        "_set_for",
        "args",
        "called",
        "cancelled",
        "func",
        "kw",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop | None,
        calls: set[LoopCall],
        delay: float,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kw: dict[str, Any],
    ) -> None:
        self._calls = calls
        self.func = func
        self.args = args
        self.kw = kw
        self.called = self.cancelled = False
        self._context: contextvars.Context | None = contextvars.copy_context()
        self._handle: asyncio.Handle | None = None
        self._loop = loop
        if loop is None:
            self._due = time.monotonic() + delay
        else:
            # As _set, without the call: programs make many timers.
            self._due = self._set_for = due = loop.time() + delay
            if delay > 0:
                self._handle = loop.call_at(due, self, context=self._context)
            else:
                self._handle = loop.call_soon(self, context=self._context)
        if self.debug:
            self.creator = traceback.format_stack()[:-2]
        calls.add(self)

    def seconds(self) -> float:
        """The time now, on the reactor's clock."""
        return time.monotonic() if self._loop is None else self._loop.time()

    def _set(self, loop: asyncio.AbstractEventLoop, delay: float) -> None:
        self._due = self._set_for = loop.time() + delay
        if delay > 0:
            self._handle = loop.call_at(self._due, self, context=self._context)
        else:
            self._handle = loop.call_soon(self, context=self._context)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """A loop has begun to run: keep time by it from now on."""
        if self.active():
            remaining = max(0.0, self._due - time.monotonic())
            self._loop = loop
            self._set(loop, remaining)

    def drop(self) -> None:
        """
        The loop ends, and the call is not made, though nobody has cancelled it.

        Whoever has it may still do so.
        """
        self._unset()
        self._loop = None
        self._forget()

    def __call__(self) -> None:
        """
        The loop's timer goes off.

        The loop is given this object rather than a method of it, which would be
        one more object for each timer.
        """
        if self._due > self._set_for:
            assert self._loop is not None
            self._set_for = self._due
            self._handle = self._loop.call_at(self._due, self, context=self._context)
            return
        func, args, kw = self.func, self.args, self.kw
        assert func is not None
        self.called = True
        # As _forget, without the calls.
        self._calls.discard(self)
        self._handle = self._context = self.func = None
        self.args = ()
        self.kw = _NO_KEYWORDS
        if self.creator is None:
            func(*args, **kw)
            return
        try:
            func(*args, **kw)
        except BaseException as exception:
            exception.add_note("This delayed call was asked for here:\n" + "".join(self.creator))
            raise

    def cancel(self) -> None:
        if self.cancelled or self.called:
            self._must_be_active()
        if self._handle is not None:
            self._handle.cancel()
        self.cancelled = True
        self._calls.discard(self)
        self._handle = self._context = self.func = None
        self.args = ()
        self.kw = _NO_KEYWORDS

    cancel.__doc__ = DelayedCall.cancel.__doc__

    def _unset(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    def _move(self, due: float) -> None:
        self._due = due
        if self._loop is not None and due < self._set_for:
            self._unset()
            self._set_for = due
            self._handle = self._loop.call_at(due, self, context=self._context)

    def _forget(self) -> None:
        super()._forget()
        self._calls.discard(self)
        self._handle = self._context = None
