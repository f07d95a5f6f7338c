"""
A service that stays connected.

One coroutine does the work while the service runs: connect, prepare, wait for the
loss, pause, again. Stopping the service cancels it, wherever it is, and it closes
what it has on its way out. So there is one place for each state, and none to
forget.

                 failed: pause (retryPolicy)
              +------------------------------+
              v                              |
    start -> connecting -> preparing -> connected -> lost
                 (stop, anywhere: cancelled -> disconnecting -> stopped)

A service that is started again while it still disconnects begins once that is over.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Callable, Iterator
from typing import Any

from zope.interface import directlyProvides, providedBy

from reactorlib.application.service import Service
from reactorlib.application.service._service import cancel_after
from reactorlib.internet.defer import (
    CancelledError,
    Deferred,
    ensureDeferred,
    fail,
    maybeDeferred,
    succeed,
)
from reactorlib.internet.task import deferLater
from reactorlib.python._report import note, report
from reactorlib.python.failure import Failure

__all__ = ["ClientService", "backoffPolicy"]

_log = logging.getLogger("reactorlib.application.internet")


def backoffPolicy(
    initialDelay: float = 1.0,
    maxDelay: float = 60.0,
    factor: float = 1.5,
    jitter: Callable[[], float] = random.random,
) -> Callable[[int], float]:
    """
    A policy that waits longer after each failure.

    Args:
        initialDelay: the first pause, in seconds.
        maxDelay: the longest, in seconds, before jitter.
        factor: what a pause is multiplied by to give the next.
        jitter: gives seconds to be added to each pause, so that the clients of one
            server do not return all at once.

    Returns:
        a function from the number of failures in a row to seconds.
    """
    # Beyond this the power is over the limit, and might be over what a float holds.
    most = 0
    while factor > 1 and initialDelay * factor**most < maxDelay and most < 10_000:
        most += 1

    def policy(attempt: int) -> float:
        delay = initialDelay * factor ** min(attempt, most) if factor > 1 else initialDelay
        return min(delay, maxDelay) + jitter()

    return policy


_DEFAULT_POLICY = backoffPolicy()


class _Watched:
    """
    Stands between a connection and its protocol, to see when it is lost.

    Attributes:
        protocol: the program's own.
        lost: whether the connection is.
    """

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self.transport: Any = None
        self.lost = False
        self._waiting: list[Callable[[], object]] = []
        directlyProvides(self, providedBy(protocol))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.protocol, name)

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport
        self.protocol.makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def connectionLost(self, reason: Failure) -> None:
        self.lost = True
        try:
            self.protocol.connectionLost(reason)
        finally:
            waiting, self._waiting = self._waiting, []
            for call in waiting:
                call()

    def when_lost(self) -> Deferred[None]:
        gone: Deferred[None] = Deferred()
        self.call_when_lost(lambda: None if gone.called else gone.callback(None))
        return gone

    def call_when_lost(self, call: Callable[[], object]) -> None:
        if self.lost:
            call()
        else:
            self._waiting.append(call)


class _WatchingFactory:
    """The program's factory, each of whose protocols is watched."""

    def __init__(self, factory: Any, refuses: Callable[[], bool]) -> None:
        self._factory = factory
        self._refuses = refuses
        directlyProvides(self, providedBy(factory))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._factory, name)

    def buildProtocol(self, addr: Any) -> _Watched | None:
        if self._refuses():
            return None
        protocol = self._factory.buildProtocol(addr)
        return None if protocol is None else _Watched(protocol)


class _Waiter(Deferred[Any]):
    """Who waits for a connection, and after how many more failures no longer."""

    failures_left: int | None = None


class ClientService(Service):
    """
    Stay connected: connect, and do so again after each loss, until stopped.

    Args:
        endpoint: an `IStreamClientEndpoint`.
        factory: what makes the protocol of each connection.
        retryPolicy: from the number of failures in a row, the loss of a connection
            being the first, to the seconds to wait; by default `backoffPolicy()`,
            which is also used, and the error reported, where this one fails.
        clock: the `IReactorTime` to wait with; by default the reactor.
        prepareConnection: called with each new protocol, before anyone else has it;
            it may be a coroutine function. If it fails, the connection is closed,
            and the attempt has failed.
    """

    def __init__(
        self,
        endpoint: Any,
        factory: Any,
        retryPolicy: Callable[[int], float] | None = None,
        clock: Any = None,
        prepareConnection: Callable[[Any], object] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._factory = factory
        self._policy = retryPolicy
        self._clock = clock
        self._prepare = prepareConnection
        self._run: Deferred[None] | None = None
        self._stopping: Deferred[None] | None = None
        self._stopped = False  # after a first start
        self._current: _Watched | None = None  # what programs are given
        self._open: _Watched | None = None  # what is to be closed, prepared or not
        self._waiters: list[_Waiter] = []

    def __getstate__(self) -> dict[str, Any]:
        """A saved service is not connected, and nobody waits for it."""
        state = {**super().__getstate__(), "_stopped": False, "_waiters": [], "_clock": None}
        state.update(dict.fromkeys(("_run", "_stopping", "_current", "_open")))
        return state

    # -- what programs call ---------------------------------------------------

    def whenConnected(self, failAfterFailures: int | None = None) -> Deferred[Any]:
        """
        Wait for a connection.

        Args:
            failAfterFailures: how many attempts may fail from now on before the
                Deferred does; None for any number.

        Returns:
            a Deferred that fires with the protocol, at once where there is one. It
            fails with why the last attempt failed, or with `CancelledError` when
            the service is stopped.
        """
        if self._current is not None:
            return succeed(self._current.protocol)
        if self._stopped and not self.running:
            return fail(CancelledError("the service is stopped"))
        if failAfterFailures is not None and failAfterFailures < 1:
            raise ValueError(f"failAfterFailures is {failAfterFailures}: 1 or more, or None")
        waiter = _Waiter(self._forget)
        waiter.failures_left = failAfterFailures
        self._waiters.append(waiter)
        return waiter

    def _forget(self, waiter: Deferred[Any]) -> None:
        """It is cancelled; perhaps by one who is told in the same breath."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)

    def _all_waiters(self) -> Iterator[_Waiter]:
        """Let go of those who wait, and go through them; not through who is cancelled meanwhile."""
        waiters, self._waiters = self._waiters, []
        return (waiter for waiter in waiters if not waiter.called)

    def startService(self) -> None:
        """Begin to connect."""
        if self.running:
            note(
                _log,
                "%r is running already, so starting it does nothing",
                self,
                level=logging.WARNING,
            )
            return
        super().startService()
        if self._stopping is None:
            self._begin()

    def _begin(self) -> None:
        self._run = ensureDeferred(self._keep_connected())

    def stopService(self, grace: float | None = None) -> Deferred[None]:
        """
        Disconnect, or give up the attempt, and connect no more. Who waits for a
        connection is told `CancelledError`.

        Args:
            grace: seconds for the connection to close; then it is aborted.

        Returns:
            a Deferred that fires when the connection is gone.
        """
        super().stopService(grace)
        self._stopped = True
        for waiter in self._all_waiters():
            waiter.errback(CancelledError("the service was stopped"))
        if self._stopping is None:
            run, self._run = self._run, None
            if run is None or (run.called and not run.paused):
                return succeed(None)
            self._stopping = run.addBoth(self._has_stopped)
            run.cancel()
        gone: Deferred[None] = Deferred(lambda _: self._abort())
        stopping = self._stopping
        if stopping is None:
            return succeed(None)

        def tell(result: Any) -> Any:
            if not gone.called:
                gone.callback(None)
            return result

        stopping.addBoth(tell)
        return gone if grace is None else cancel_after(grace, gone)

    def _has_stopped(self, result: Any) -> None:
        self._stopping = None
        if self.running:  # it was started again meanwhile
            self._begin()

    def _abort(self) -> None:
        """Close what there is at once."""
        if self._open is not None:
            _abort(self._open.transport)

    # -- the work -------------------------------------------------------------

    async def _keep_connected(self) -> None:
        failures = 0
        factory = _WatchingFactory(self._factory, lambda: not self.running)
        while True:
            try:
                watched = await self._connect(factory)
            except (Exception, CancelledError) as error:
                # An endpoint fails with what it likes when it is cancelled.
                if self._stopping is not None:
                    raise CancelledError("the service was stopped") from error
                if not isinstance(error, CancelledError):
                    failure = Failure()
                elif _is_cancelled():
                    raise
                else:
                    failure = Failure(_cancelled_by_others(error))
                self._tell_of_failure(failure)
                failures += 1
                pause = self._pause(failures)
                note(_log, "%r: %s; next attempt in %.1f s", self, failure.getErrorMessage(), pause)
                await deferLater(self._the_clock(), pause)
                continue
            if self._stopping is not None:  # it could not be cancelled any more
                await self._close(watched)
                raise CancelledError("the service was stopped")
            self._current = self._open = watched
            for waiter in self._all_waiters():
                waiter.callback(watched.protocol)
            try:
                await self._until_lost(watched)
            finally:
                self._current = self._open = None
            failures = 1  # a loss counts as the first
            await deferLater(self._the_clock(), self._pause(failures))

    def _pause(self, failures: int) -> float:
        """The seconds to wait after so many failures."""
        if self._policy is not None:
            try:
                pause = self._policy(failures)
                if 0 <= pause < math.inf:
                    return pause
                raise ValueError(f"it is to return a number of seconds, not {pause!r}")
            except Exception as error:
                report(_log, f"retryPolicy of {self!r} failed; the default is used", Failure(error))
        return _DEFAULT_POLICY(failures)

    async def _connect(self, factory: _WatchingFactory) -> _Watched:
        watched: _Watched = await self._endpoint.connect(factory)
        if self._prepare is None:
            return watched
        self._open = watched
        prepared = maybeDeferred(self._prepare, watched.protocol)
        watched.call_when_lost(prepared.cancel)
        try:
            await prepared
        except BaseException:
            was_lost = watched.lost
            await self._close(watched)
            if was_lost and self.running:
                raise ConnectionError("the connection was lost while it was prepared") from None
            raise
        return watched

    async def _until_lost(self, watched: _Watched) -> None:
        """Wait for the loss; cancelled, bring it about and wait for it all the same."""
        try:
            await watched.when_lost()
        except CancelledError:
            await self._close(watched)
            raise

    async def _close(self, watched: _Watched) -> None:
        """Close a connection, and wait until it is lost, cancelled or not."""
        self._open = watched
        cancelled = False
        if not watched.lost:
            watched.transport.loseConnection()
        while not watched.lost:
            try:
                await watched.when_lost()
            except CancelledError:
                cancelled = True
        self._open = None
        if cancelled:
            raise CancelledError

    def _tell_of_failure(self, failure: Failure) -> None:
        for waiter in list(self._waiters):
            # One who is told may cancel others, or stop the service.
            if waiter.failures_left is not None and waiter in self._waiters:
                waiter.failures_left -= 1
                if waiter.failures_left <= 0:
                    self._waiters.remove(waiter)
                    waiter.errback(failure)

    def _the_clock(self) -> Any:
        if self._clock is None:
            from reactorlib.internet import reactor

            return reactor
        return self._clock


def _is_cancelled() -> bool:
    """Whether asyncio has cancelled the task that this is called in, as it does at the end."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs, and so none ends
        return False
    return task is not None and task.cancelling() > 0


def _cancelled_by_others(error: CancelledError) -> ConnectionError:
    """What an attempt has failed with in which something was cancelled, but not by us."""
    failed = ConnectionError("the attempt to connect was cancelled, and not by this service")
    failed.__cause__ = error
    return failed


def _abort(transport: Any) -> None:
    """Close at once, or as fast as the transport can."""
    abort = getattr(transport, "abortConnection", None)
    if abort is None:
        transport.loseConnection()
    else:
        abort()
