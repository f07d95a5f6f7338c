"""
An asyncio loop whose time is a `Clock`'s.

Such a loop never waits. When nobody has anything to do, asyncio asks its selector
to wait until the next timer is due; here the selector moves the clock to that
moment instead. So `asyncio.sleep(3600)` takes as long as a turn of the loop, and
every timer is still called at its time, in order.
"""

from __future__ import annotations

import asyncio
import selectors
from operator import itemgetter
from typing import Any, NoReturn

from reactorlib.internet.task import Clock
from reactorlib.python._asyncio import set_clock_resolution

__all__ = ["ClockEventLoop"]

_NO_SOCKETS = (
    "a ClockEventLoop passes time over, which a socket or a pipe does not: "
    "connect the two sides in memory, as with a Link, or run on another loop"
)


class _Selector(selectors.DefaultSelector):
    """Looks whether something has happened, and never waits for it."""

    loop: ClockEventLoop

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Take the pipe by which the loop wakes itself, and nothing else."""
        if self.get_map():
            raise RuntimeError(_NO_SOCKETS)
        return super().register(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What has happened; where nothing has, and nobody is ready, let time pass."""
        happened = super().select(0)
        if not happened and (timeout is None or timeout > 0):
            self.loop._idle(timeout)
        return happened


class ClockEventLoop(asyncio.SelectorEventLoop):
    """
    An asyncio loop for tests: it tells the time of a `Clock`, and never waits.

    It is a loop factory as it is: `asyncio.Runner(loop_factory=ClockEventLoop)`,
    `reactor.run(loop_factory=ClockEventLoop)`. `asyncio.sleep`, `asyncio.timeout`,
    `loop.call_later`, `reactor.callLater` and `clock.callLater` all go by its clock.

    Where nobody has anything to do the clock jumps to the next timer. With `jumps`
    false it stands still until the test moves it, with `await loop.advance(...)`,
    which lets everything happen at its own moment; or with `clock.advance(...)`,
    after which everything that is due happens at once.

    A test that waits for what can never come is not left hanging: where no timer
    is set, or the clock stands still, the loop ends with a RuntimeError. Sockets,
    pipes and threads go by real time, and are refused.

    Args:
        clock: by default a new one.
        jumps: whether the clock jumps to the next timer when all wait.

    Attributes:
        clock: the clock.
    """

    def __init__(self, clock: Clock | None = None, *, jumps: bool = True) -> None:
        self.clock = Clock() if clock is None else clock
        self._jumps = jumps
        self._settling: list[tuple[float, asyncio.Future[float | None]]] = []
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)
        # asyncio calls what is due within this of now, in seconds. Added to a clock that is
        # months ahead, its own nanosecond would be nothing, and what is due never called.
        set_clock_resolution(self, 1e-6)

    def time(self) -> float:
        """The time now, in seconds: the clock's."""
        return self.clock.seconds()

    def run_in_executor(  # type: ignore[override]  # whatever the arguments, it never returns
        self, executor: Any, func: Any, *args: Any
    ) -> NoReturn:
        """Refuse: a thread goes by real time."""
        raise RuntimeError(
            "a ClockEventLoop passes time over, which a thread does not: "
            "call the function itself, or run on another loop"
        )

    async def _refuse(self, *args: Any, **options: Any) -> NoReturn:
        raise RuntimeError(_NO_SOCKETS)

    # Which would fail by themselves, with a socket half made.
    create_connection = create_server = create_datagram_endpoint = _refuse
    create_unix_connection = create_unix_server = _refuse

    async def advance(self, seconds: float) -> None:
        """
        Let that much time pass, and everything that is due meanwhile happen at its moment.

        What was ready before comes first; and when it returns, everybody waits for
        something later. Of several at once, each returns at its own moment; what has moved
        the clock further meanwhile has the last word.

        Raises:
            ValueError: `seconds` is negative.
        """
        if seconds < 0:
            raise ValueError(f"time does not run backwards: {seconds!r} seconds")
        end = self.clock.seconds() + seconds
        while True:
            due = await self._settled(end)
            if due is None or due > end:
                break
            self._move_to(due)
        self._move_to(end)
        await self._settled(end)

    def _settled(self, end: float) -> asyncio.Future[float | None]:
        """Wait until nobody has anything to do; when the next timer is due, or None."""
        settled: asyncio.Future[float | None] = self.create_future()
        self._settling.append((end, settled))
        return settled

    def _idle(self, timeout: float | None) -> None:
        """All wait: for a timer in `timeout` seconds, or with None for none of the loop's."""
        now = self.clock.seconds()
        times = [] if timeout is None else [now + timeout]
        calls = self.clock.getDelayedCalls()
        if calls:
            times.append(calls[0].getTime())
        due = max(now, min(times)) if times else None
        self._settling = [waits for waits in self._settling if not waits[1].done()]
        if self._settling:
            # The one that is to go the shortest way; what it finds there comes before the others.
            first = min(self._settling, key=itemgetter(0))
            self._settling.remove(first)
            first[1].set_result(due)
        elif due is None:
            raise RuntimeError(
                "everything on this ClockEventLoop waits, and no timer is set: "
                "the test would wait forever"
            )
        elif self._jumps:
            self._move_to(due)
        else:
            raise RuntimeError(
                f"everything on this ClockEventLoop waits, and its clock stands still at {now}: "
                f"the next timer is due at {due}, and `await loop.advance(...)` goes there"
            )

    def _move_to(self, moment: float) -> None:
        """
        Move the clock, and never back.

        What a call of its own raises is reported, and the others are made.
        """
        try:
            self.clock.advance(max(0.0, moment - self.clock.seconds()))
        except Exception as exception:
            self.call_exception_handler(
                {"message": "a call of the clock failed", "exception": exception}
            )
            self.call_soon(self._move_to, max(moment, self.clock.seconds()))
