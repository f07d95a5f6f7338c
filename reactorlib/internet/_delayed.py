"""
Calls to be made later, once.

`DelayedCall` is what any clock may give from its `callLater`, and what its calls
have in common.
"""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet.interfaces import IDelayedCall

__all__ = ["DelayedCall", "check_delay"]


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

    # What every call has takes little; the rest is for whoever sets `debug` on one of them.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_clock",
        "_due",
        "args",
        "called",
        "cancelled",
        "func",
        "kw",
    )

    debug = False
    creator: list[str] | None = None

    #: Whose call it is: for this class, what to call as the arguments say.
    _clock: Any
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
        self._clock = cancel, reset, seconds
        if self.debug:
            self.creator = traceback.format_stack()[:-2]

    @property
    def time(self) -> float:
        """When it is due; `getTime()`."""
        return self._due

    def seconds(self) -> float:
        """The time now, on its clock."""
        now: float = self._clock[2]()
        return now

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
        self._clock[0](self)
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

    def _move(self, due: float) -> None:
        """Give it another time, and tell the clock."""
        self._due = due
        self._clock[1](self)

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
