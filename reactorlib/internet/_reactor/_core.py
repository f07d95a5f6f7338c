"""
What a reactor is whatever it does: one loop, its beginning and its end, and time.

It either owns its loop or is attached to it. `run()` makes a loop, runs it, and
ends it as `asyncio.run` ends one. In a loop that runs already the reactor is
attached when it is first used: everything works at once, and nothing of ours
installs a signal handler in that loop, stops it or closes it.

States: waiting for a loop (what is asked of it is kept in `_waiting`) ->
running -> stopping (owned loops only: the shutdown triggers run) -> over.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from reactorlib.internet import _current, _loops, error
from reactorlib.internet._delayed import check_delay
from reactorlib.internet._reactor._signals import SignalledEnd
from reactorlib.internet._reactor._triggers import Triggers
from reactorlib.internet._timers import LoopCall, Timers
from reactorlib.internet._turn import arrived, end_connections, turn_of
from reactorlib.internet.defer import Deferred, maybeDeferred
from reactorlib.internet.interfaces import (
    IReactorCore,
    IReactorTime,
    _ISupportsExitSignalCapturing,
)
from reactorlib.python._asyncio import loop_here, running_loop
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["LoopReactor"]

_log = logging.getLogger("reactorlib.internet.reactor")

_callable = callable  # Twisted has an argument of that name

_Action = Callable[[asyncio.AbstractEventLoop], object]

#: How often whoever is told that an attempt to connect was broken off, because all
#: ends, may begin another: more often than a name has addresses.
_CONNECTING_ROUNDS = 100


@implementer(IReactorCore, IReactorTime, _ISupportsExitSignalCapturing)
class LoopReactor:
    """The part of a reactor that the others build on; see `AsyncioSelectorReactor`."""

    def __reduce__(self) -> tuple[Callable[[], Any], tuple[()]]:
        """Saved and loaded, it is what `reactor` means there and then."""
        return _current.saved_reactor, ()

    def __init__(self, eventLoop: asyncio.AbstractEventLoop | None = None) -> None:
        _raise_allocation_threshold()
        self.running = False
        #: Whether the loop runs; `running` is told later, at the phase "during" of "startup".
        self._started = False
        self._given_loop = eventLoop
        self._loop: asyncio.AbstractEventLoop | None = None
        #: The number of the thread in which it was last seen to run.
        self._thread: int | None = None
        self._owned = False
        #: Whether `run()` is at the point where `crash()` ends it.
        self._looping = False
        self._stopping = False
        #: Whether nothing is to be waited for any more.
        self._hurried = False
        #: The `iterate()` that goes on and is not about to end, or None.
        self._iteration: object | None = None
        #: Whether everything is to be closed before the loop stops.
        self._one_run = False
        #: What closes everything at the end of `run()`, or None.
        self._closes: asyncio.Task[None] | None = None
        #: What handles the signals of this run, or None.
        self._signals: SignalledEnd | None = None
        #: The signal that has ended the last run, or None.
        self._exitSignal: int | None = None
        self._waiting: list[tuple[contextvars.Context, _Action]] = []
        self._waiting_thread: int | None = None
        self._timers = Timers()
        #: What listens: each has `stopListening`.
        self._ports: set[Any] = set()
        #: Those that are connecting: each has `stopConnecting` and `forget`.
        self._connectors: set[Any] = set()
        #: What else has to be broken off when all ends: each has `abandon`, and
        #: takes itself out when it is gone.
        self._held: set[Any] = set()
        #: Our own tasks, which nobody else refers to.
        self._tasks: set[asyncio.Task[Any]] = set()
        self._triggers: dict[str, Triggers] = {}
        loop = running_loop()
        if loop is not None and eventLoop in (None, loop):
            _current.claim(loop, self)
            self._attach(loop)

    # -- the loop -------------------------------------------------------------

    @property
    def _asyncioEventloop(self) -> asyncio.AbstractEventLoop:
        """The loop, for programs written for Twisted's reactor over asyncio."""
        loop = self._loop or self._given_loop
        if loop is None:
            raise AttributeError("the reactor has no loop yet: run() makes it, unless one runs")
        return loop

    def _attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """`loop` runs, and is this reactor's."""
        self._use(loop)
        self._started = True
        self._event("startup").fire(self._starts)

    def _starts(self) -> None:
        self.running = True
        if self._signals is not None:
            assert self._loop is not None
            self._signals.watch(self._loop)

    def _use(self, loop: asyncio.AbstractEventLoop) -> None:
        """`loop` is this reactor's: do what has waited for it."""
        if self._loop is loop:
            return
        self._loop = loop
        self._thread = threading.get_ident()
        self._timers.start(loop)
        waiting, self._waiting = self._waiting, []
        for context, action in waiting:
            context.run(action, loop)

    def _when_looping(self, action: _Action) -> None:
        """Call `action` with the loop, in today's context: now, or when there is one."""
        if self._loop is not None:
            self._must_be_in_its_thread()
            action(self._loop)
        else:
            self._waiting.append((contextvars.copy_context(), action))
            self._waits()

    def _waits(self) -> None:
        self._waiting_thread = threading.get_ident()

    def _waits_in(self, thread: int) -> bool:
        """Whether something waits for a loop in that thread."""
        return not self._started and self._waiting_thread == thread

    def _is_between_turns(self) -> bool:
        """Whether its loop is run by turns, in this thread, and does not run just now."""
        return self._loop is not None and running_loop() is None and loop_here() is self._loop

    def _must_be_in_its_thread(self) -> None:
        """RuntimeError if the loop runs in another thread."""
        loop = self._loop
        if loop is None:
            return
        if loop is running_loop():
            self._thread = threading.get_ident()
        elif loop.is_running():
            raise RuntimeError(
                "this reactor runs in another thread, and only what has 'thread' in its name "
                "can be used here: have it done there, as by "
                "reactor.callFromThread(reactor.callLater, ...); or, for a loop of this "
                "thread's own, begin with installReactor(AsyncioSelectorReactor())"
            )

    # -- running --------------------------------------------------------------

    def run(
        self,
        installSignalHandlers: bool = True,
        *,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
        debug: bool | None = None,
    ) -> None:
        """
        Make a loop, and run it until `stop()`.

        It can be called again afterwards, and in any thread. The end is that of
        `asyncio.run`: after the shutdown triggers, ports and connections are
        closed, tasks cancelled and awaited, asynchronous generators and the
        executor shut down, and the loop closed.

        Args:
            installSignalHandlers: whether SIGINT and SIGTERM are to call
                `stop()`, and a second one, a moment later, to end at once. Only
                the main thread can have them; the previous handlers are put
                back.
            loop_factory: what makes the loop, as `uvloop.new_event_loop`; by default
                what `REACTORLIB_LOOP` in the environment says, `asyncio` or `uvloop`.
            debug: asyncio's debug mode; None leaves it to the environment.

        Raises:
            ReactorAlreadyRunning: the reactor runs, or a loop runs here, in
                which everything works without `run()`.
        """
        if self._stopping and running_loop() is self._loop:
            raise error.ReactorNotRestartable(
                "the reactor is stopping: it can run again when run() has returned"
            )
        if running_loop() is not None:
            raise error.ReactorAlreadyRunning(
                "an asyncio loop runs here already, and the reactor works in it as it is: "
                "leave run() out, and let whoever started the loop end it"
            )
        if self._is_between_turns():
            raise error.ReactorAlreadyRunning(
                "this reactor's loop is run by whoever has called this, as a test case does: "
                "leave run() out; a test returns a Deferred, and the loop runs until it fires"
            )
        if self._started:
            raise error.ReactorAlreadyRunning(
                "the reactor runs already, in another thread; use callFromThread() "
                "to have something done there"
            )
        if self._given_loop is not None:
            if loop_factory is not None:
                raise ValueError("this reactor has a loop already, and run() cannot make another")
            given = self._given_loop
            loop_factory = lambda: given  # noqa: E731
        elif loop_factory is None:
            loop_factory = _loops.chosen()
        runner = asyncio.Runner(loop_factory=loop_factory, debug=debug)
        loop = self._given_loop = runner.get_loop()
        self._owned = True
        self._exitSignal = None
        self._hurried = False
        signals = SignalledEnd(self._signal_stops, self._end_now)
        if installSignalHandlers:
            self._signals = signals
        try:
            with runner, signals:
                _current.bind(loop, self)
                loop.call_soon(self._attach, loop)
                self._looping = self._one_run = True
                try:
                    loop.run_forever()
                except BaseException:  # KeyboardInterrupt, say: the loop's run is over, not ours
                    if self.running and self._looping and not self._stopping:
                        self._stopping = True
                        loop.call_soon(self._shut_down)
                        loop.run_forever()
                    raise
                finally:
                    self._one_run = False
                    closes = self._begin_closing(loop)
                    try:
                        if closes.done():
                            closes.result()
                        else:
                            loop.run_until_complete(closes)
                    except asyncio.CancelledError:
                        pass  # for `_end_now`
        finally:
            self.running = self._started = self._owned = self._stopping = False
            self._looping = False
            self._signals = self._closes = None
            self._loop = self._thread = self._waiting_thread = self._given_loop = None
            self._timers.stop()
            self._has_run()
        signals.raise_again()

    def _begin_closing(self, loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        """The task that closes everything."""
        if self._closes is None:
            self._looping = False
            self._stopping = True
            self._event("startup").break_off()
            self._event("shutdown").forget()
            self._closes = loop.create_task(self._close_all(loop))
            if self._hurried:
                loop.call_soon(self._closes.cancel)  # when it has done its first step
        return self._closes

    def _close_in_this_run(self, loop: asyncio.AbstractEventLoop) -> None:
        """
        Close everything, and end the run of the loop with that.

        In a run of its own it would miss a signal that comes between the two.
        """
        if self._one_run:
            self._begin_closing(loop).add_done_callback(self._stop_loop)

    def _stop_loop(self, closes: asyncio.Task[None]) -> None:
        if self._one_run:  # and nothing else has ended it, like an exception
            closes.get_loop().stop()

    def _has_run(self) -> None:
        """For other families of methods: `run()` is over, and its loop closed."""

    def _signal_stops(self, number: int) -> bool:
        """Stop, for a signal; whether it was not stopping already."""
        if self._stopping:
            return False
        self._exitSignal = number
        self.stop()
        return True

    def _end_now(self) -> None:
        """Wait for nothing more, for a second signal."""
        self._hurried = True
        if self._looping:
            self.crash()
        elif self._closes is not None:
            self._closes.cancel()

    def sigInt(self, number: int, frame: object = None) -> None:
        """Stop as if a signal had come, for programs with handlers of their own."""
        self._exitSignal = number
        if self._started and not self._stopping:
            self.stop()

    sigTerm = sigBreak = sigInt

    def iterate(self, delay: float = 0) -> None:
        """
        Run for `delay` seconds, or for one turn of the loop, and return.

        It is for programs that have a main loop of another kind and look in here
        now and then. The loop is kept for the next time, or for `run()`, which
        closes it in the end.

        Raises:
            ReactorAlreadyRunning: a loop runs here already; await something
                instead, and it goes on.
        """
        if running_loop() is not None:
            raise error.ReactorAlreadyRunning(
                "an asyncio loop runs here already, and cannot run inside itself: "
                "await something, and it goes on meanwhile"
            )
        loop = self._loop if self._is_between_turns() else self._given_loop
        if loop is None:
            loop = self._given_loop = _loops.new_loop()
        if self._loop is None:
            _current.bind(loop, self)
            loop.call_soon(self._use, loop)
        iteration = object()
        # Two turns: what the first finds ready, the second calls.
        ends = loop.call_later(
            check_delay(delay), loop.call_soon, self._end_iteration, loop, iteration
        )
        self._iteration = iteration
        self._looping = True
        try:
            loop.run_forever()
        finally:
            ends.cancel()
            self._looping = False
            self._iteration = None

    def _end_iteration(self, loop: asyncio.AbstractEventLoop, iteration: object) -> None:
        """Once for each: a stop too many, or too late, would end the loop's next run."""
        if iteration is not None and self._iteration is iteration:
            self._iteration = None
            loop.stop()

    def runUntilCurrent(self) -> None:
        """Make the delayed calls that are due: one turn of the loop, as `iterate()`."""
        self.iterate()

    def stop(self) -> None:
        """
        End `run()`, once the shutdown triggers are done.

        Raises:
            ReactorNotRunning: it does not run, or is stopping already; or it is
                attached to a loop that somebody else runs and has to end.
        """
        if self._stopping or not (self._started or self._looping):
            raise error.ReactorNotRunning(
                "the reactor is stopping already"
                if self._stopping
                else "the reactor is not running"
            )
        if not self._owned:
            raise error.ReactorNotRunning(
                "this loop was not started by reactor.run(), and is not the reactor's to stop; "
                "end what was given to asyncio.run(), or whatever else runs the loop"
            )
        loop = self._given_loop  # which is not yet in use while its first callbacks run
        assert loop is not None
        self._stopping = True
        # It may be called in another thread, where nothing else may.
        loop.call_soon_threadsafe(self._shut_down)

    def _shut_down(self) -> None:
        self.fireSystemEvent("shutdown").addBoth(self._shut_down_done)

    def _shut_down_done(self, _: object) -> None:
        if self._looping:  # and not ended meanwhile by a second signal
            self.crash()

    def crash(self) -> None:
        """
        End `run()` now, without the shutdown triggers.

        Raises:
            ReactorNotRunning: as for `stop()`.
        """
        if self._loop is None or not self._looping:
            raise error.ReactorNotRunning("the reactor is not running a loop of its own")
        loop = self._loop
        self._looping = False  # uvloop would carry a second stop over to its next run
        here = running_loop() is loop
        if self._owned:
            schedule = loop.call_soon if here else loop.call_soon_threadsafe
            schedule(self._close_in_this_run, loop)
        elif here:
            self._end_iteration(loop, self._iteration)
        else:
            loop.call_soon_threadsafe(self._end_iteration, loop, self._iteration)

    async def _close_all(self, loop: asyncio.AbstractEventLoop) -> None:
        """
        Close every port and connection, and see them gone; forget delayed calls.

        The first step closes what there is, and the rest waits for it.
        """
        turn = turn_of(loop)
        turn.ending += 1
        broken_off: set[Any] = set()
        rounds = 0
        try:
            while True:
                closed = []
                while self._ports:
                    closed.append(maybeDeferred(self._ports.pop().stopListening))
                for connector in list(self._connectors):
                    self._break_off(connector, broken_off)
                for held in list(self._held):
                    held.abandon()
                await end_connections(loop)
                for closing in closed:
                    closes = closing.asFuture(loop)
                    await asyncio.wait([closes])  # and leave it alone, if this is cancelled
                    if not closes.cancelled() and (exception := closes.exception()) is not None:
                        report(_log, "stopListening() failed", Failure(exception))
                await arrived()
                rounds += 1
                # Somebody may have begun something meanwhile, for what has been closed.
                if not (self._ports or (self._connectors and rounds < _CONNECTING_ROUNDS)):
                    break
            self._timers.drop(keep=self._owned)
        finally:
            for connector in list(self._connectors):
                connector.forget()
            if not self._hurried:  # after which the loop ends with whatever comes
                turn.ending -= 1

    def _break_off(self, connector: Any, broken_off: set[Any]) -> None:
        """An attempt to connect ends, as all does; one made after being told so is forgotten."""
        if connector not in self._connectors:
            return  # it was stopped by whoever was told of another's end
        if connector in broken_off:
            connector.forget()
        else:
            broken_off.add(connector)
            connector.stopConnecting()

    async def __aenter__(self) -> Self:
        """
        Use the reactor in a loop that runs, and leave nothing behind.

        `async with reactor:` ends as `run()` would: with the shutdown triggers,
        every port and connection of the reactor closed, and its delayed calls
        cancelled. The loop runs on.
        """
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._loop is not None
        try:
            await self.fireSystemEvent("shutdown")
        except BaseException:
            self._event("shutdown").forget()  # or they would run when the loop runs on
            raise
        finally:
            await self._close_all(self._loop)

    # -- triggers -------------------------------------------------------------

    def addSystemEventTrigger(
        self,
        phase: str,
        eventType: str,
        callable: Callable[..., Any],
        *args: object,
        **kwargs: object,
    ) -> Any:
        """Have `callable` called around an event; see `IReactorCore`."""
        self._must_be_callable(callable)
        if not self._started:
            self._waits()
        return eventType, self._event(eventType).add(phase, callable, args, kwargs)

    def removeSystemEventTrigger(self, triggerID: Any) -> None:
        """Take a trigger back; ValueError if it has run or was taken back before."""
        eventType, handle = triggerID
        self._event(eventType).remove(handle)

    def fireSystemEvent(self, eventType: str) -> Deferred[None]:
        """Run the triggers of an event; the Deferred fires when all are done."""
        return self._event(eventType).fire()

    def _event(self, eventType: str) -> Triggers:
        return self._triggers.setdefault(eventType, Triggers())

    def callWhenRunning(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> Any:
        """
        Call at once where the loop runs; otherwise as soon as it does.

        Returns:
            None, or what `removeSystemEventTrigger` takes.
        """
        self._must_be_callable(callable)
        if self.running:
            self._must_be_in_its_thread()
            loop = self._loop
            if loop is None or loop.is_running():
                callable(*args, **kwargs)
            else:  # between two turns of one that is run by turns
                loop.call_soon(functools.partial(callable, *args, **kwargs))
            return None
        return self.addSystemEventTrigger("after", "startup", callable, *args, **kwargs)

    # -- time -----------------------------------------------------------------

    def seconds(self) -> float:
        """The time now, in seconds, on the loop's clock."""
        return self._timers.seconds()

    def callLater(
        self, delay: float, callable: Callable[..., Any], *args: object, **kwargs: object
    ) -> LoopCall:
        """
        Call `callable` once, `delay` seconds from now, in today's context.

        Raises:
            ValueError: `delay` is negative, infinite or not a number.
            TypeError: `callable` is not callable.
        """
        if not _callable(callable):
            self._must_be_callable(callable)
        if not 0 <= delay < math.inf:
            check_delay(delay)
        if threading.get_ident() != self._thread:
            if self._loop is None:
                self._waits()
            self._must_be_in_its_thread()
        return self._timers.call_later(delay, callable, args, kwargs)

    def getDelayedCalls(self) -> list[LoopCall]:
        """
        The delayed calls that are neither made nor cancelled, in no order.

        Those that the end of `run()` has dropped are among them until the next run
        begins, though that does not make them.
        """
        return self._timers.outstanding()

    @staticmethod
    def _must_be_callable(function: object) -> None:
        if not callable(function):
            raise TypeError(f"{function!r} is not callable; pass the function, not its result")

    def __repr__(self) -> str:
        if not self._started:
            return "<reactor, waiting for a loop>"
        return f"<reactor, {'running' if self._owned else 'attached to'} {self._loop!r}>"


_threshold_raised = False


def _raise_allocation_threshold() -> None:
    """
    Keep reads out of the system's memory mapper.

    asyncio reads TCP into fresh blocks of 256 KiB, and every loop does so for
    TLS. glibc maps and unmaps blocks of that size for each read, which costs
    several times the read itself, until a larger one has been freed once.
    """
    global _threshold_raised
    if not _threshold_raised:
        _threshold_raised = True
        block = bytearray(1 << 20)
        del block
