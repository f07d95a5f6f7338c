"""
An asyncio loop that is a guest in the main loop of a GUI toolkit.

The toolkit runs; the loop, and so its reactor, takes a turn whenever it has
something to do. Nobody polls, and there is no thread: a selector's own file
(epoll's, kqueue's) is readable while any file that it watches is ready, so the
toolkit watches that one, and its timer goes off when the loop's next call is due.

A turn is `loop.run_forever()` with a selector that does not wait: it answers
what is ready, remembers how long the loop would have waited, and calls
`loop.stop()`, upon which asyncio finishes the turn and returns. These are all
documented, so the loop is asyncio's own, with the transports, tasks and time-outs
of any other. Turns are taken until the loop would have waited, or `_SLICE` is
over, and then the toolkit has its turn.

Between turns the loop does not run: `asyncio.get_running_loop()` finds none in
what the toolkit calls. `reactor` means the right one there all the same, and what
is asked of it, or of the loop, wakes the loop.

States of a `GuestLoop`: by itself (it waits as any loop does: so it begins and
ends) -> hosted, in which it is either in its turns (`_turning`), or armed: the
file is watched, or a timer set, or both.
"""

from __future__ import annotations

import asyncio
import contextvars
import selectors
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVarTuple, Unpack

from reactorlib.internet import _current
from reactorlib.internet.error import ReactorAlreadyRunning
from reactorlib.python._asyncio import running_loop, runs_by_turns

if TYPE_CHECKING:
    from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor

__all__ = ["Guest", "GuestLoop", "Toolkit"]

_Args = TypeVarTuple("_Args")

#: For how long the loop may go on while its work does not end, in seconds: what a
#: window may be late without anybody noticing.
_SLICE = 0.01


class Toolkit(Protocol):
    """
    What a loop asks of its host.

    Attributes:
        ended_by: the KeyboardInterrupt or SystemExit that has ended the main loop
            and could not go through it, or None.
    """

    ended_by: BaseException | None

    def watch(self, fd: int, ready: Callable[[], object]) -> None:
        """Call `ready` when a file is readable, until `unwatch`."""

    def unwatch(self, fd: int) -> None:
        """Watch that file no more. It may not have been watched."""

    def after(self, seconds: float, function: Callable[[], object]) -> Any:
        """Call a function later, once; what `cancel` takes."""

    def cancel(self, timer: Any) -> None:
        """Do not make the call. It may have been made."""


class _Selector(selectors.BaseSelector):
    """
    The system's selector, which does not wait while `end_turn` is set.

    Attributes:
        end_turn: called when the loop asks what is ready, if it is hosted.
        wait: for how long the loop would have waited when it last asked, in
            seconds: 0 if it had things to do; None for ever.
    """

    def __init__(self) -> None:
        self._inner = selectors.DefaultSelector()
        if not hasattr(self._inner, "fileno"):
            self._inner.close()
            raise NotImplementedError(
                "a guest loop needs a selector with a file of its own, as epoll and kqueue "
                f"have; this system's is {type(self._inner).__name__}"
            )
        self.end_turn: Callable[[], object] | None = None
        self.wait: float | None = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.end_turn is None:
            return self._inner.select(timeout)
        events = self._inner.select(0)
        self.wait = 0 if events else timeout if timeout is None else max(timeout, 0)
        self.end_turn()
        return events

    def fileno(self) -> int:
        return int(self._inner.fileno())

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()


class GuestLoop(asyncio.SelectorEventLoop):
    """
    asyncio's loop, run by a toolkit turn by turn while it is hosted.

    Args:
        toolkit: whose main loop it is a guest in.
    """

    def __init__(self, toolkit: Toolkit) -> None:
        self._toolkit = toolkit
        self._turns = _Selector()
        self._hosted = self._turning = False
        self._timer: Any = None
        #: Whether the timer is to go off at once.
        self._soon = False
        super().__init__(self._turns)

    def host(self, hosted: bool) -> None:
        """Let the toolkit begin to run it, or leave it to itself."""
        self._hosted = hosted
        if hosted:
            self._arm(0)
        else:
            self._disarm()

    def take_turns(self) -> None:
        """Go on until there is nothing to do, or the time is up."""
        self._disarm()
        if running_loop() is not None:
            # The toolkit was called from a turn, as by a dialog that is waited for, or
            # from another loop that a handler runs. It cannot go on until that is over.
            self._arm(_SLICE, watch=False)
            return
        until = time.monotonic() + _SLICE
        wait: float | None = 0
        self._turning = True
        self._turns.end_turn = self.stop
        try:
            while wait == 0 and time.monotonic() < until:
                self.run_forever()
                wait = self._turns.wait
        finally:
            self._turns.end_turn = None
            self._turning = False
            if self._hosted:
                # With more to do, its files are not watched: Tk draws only when
                # nothing else is the case.
                self._arm(wait, watch=wait != 0)

    def _arm(self, wait: float | None, watch: bool = True) -> None:
        self._disarm()
        if watch:
            self._toolkit.watch(self._turns.fileno(), self.take_turns)
        if wait is not None:
            self._timer = self._toolkit.after(wait, self.take_turns)
            self._soon = wait == 0

    def _disarm(self) -> None:
        self._soon = False
        self._toolkit.unwatch(self._turns.fileno())
        if self._timer is not None:
            timer, self._timer = self._timer, None
            self._toolkit.cancel(timer)

    def _wake(self) -> None:
        """Something has been asked for, maybe by what the toolkit has called."""
        if self._hosted and not self._turning and not self._soon:
            self._arm(0)

    def call_soon(
        self,
        callback: Callable[[Unpack[_Args]], object],
        *args: *_Args,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        handle = super().call_soon(callback, *args, context=context)
        self._wake()
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[_Args]], object],
        *args: *_Args,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = super().call_at(when, callback, *args, context=context)
        self._wake()
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[_Args]], object],
        *args: *_Args,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)


class Guest:
    """
    Runs a loop, with its reactor, in a toolkit's main loop: a context manager.

    It gives the reactor, which is attached, as to any loop that somebody else runs.
    At the end, ports and connections are closed and tasks cancelled, as
    `async with reactor:` and `asyncio.run` do. What has ended the program, as Ctrl-C,
    goes on from there where it could not go through the toolkit's main loop.

    Args:
        toolkit: whose main loop it is.
    """

    def __init__(self, toolkit: Toolkit) -> None:
        self._toolkit = toolkit

    def __enter__(self) -> AsyncioSelectorReactor:
        if running_loop() is not None:
            raise ReactorAlreadyRunning(
                "a loop runs here already, and cannot be a guest; use install() in it"
            )
        self._runner = asyncio.Runner(loop_factory=lambda: GuestLoop(self._toolkit))
        try:
            self._reactor = self._runner.run(_reactor_here())
        except BaseException:
            self._runner.close()
            raise
        self._turns = runs_by_turns(self._loop)
        self._turns.__enter__()
        self._loop.host(True)
        return self._reactor

    @property
    def _loop(self) -> GuestLoop:
        loop = self._runner.get_loop()
        assert isinstance(loop, GuestLoop)
        return loop

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.host(False)
        with self._runner:
            try:
                self._runner.run(self._reactor.__aexit__(exc_type, exc, traceback))
            finally:
                self._turns.__exit__(None, None, None)
        if exc is None and self._toolkit.ended_by is not None:
            raise self._toolkit.ended_by


async def _reactor_here() -> AsyncioSelectorReactor:
    return _current.current_reactor()
