"""
A test case that may wait.

Every test has a loop of its own, and a reactor attached to it: what one test
leaves behind cannot disturb the next, and is named. While a test runs inside
another, as those of test cases do, it has its own loop too.

The loop runs while something is waited for, and while what is a coroutine does its
work. A plain function is called while it does not run, as in Twisted; see `_turns`.
What is a coroutine, but cannot be told by the function - one that a plain function
gives to `ensureDeferred` - is begun by the driver of coroutines as if the loop ran.
"""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

from reactorlib.internet import defer
from reactorlib.internet._current import reactor_of
from reactorlib.internet._loops import new_loop
from reactorlib.internet._turn import turn_of
from reactorlib.internet.defer import Deferred
from reactorlib.internet.defer._driver import CoroutineTask
from reactorlib.python._asyncio import no_running_loop
from reactorlib.python.failure import Failure
from reactorlib.trial import _synctest, util
from reactorlib.trial._turns import Turns, begins_inside

__all__ = ["TestCase"]

#: Turns of the loop in which what a test has closed may end by itself: a connection
#: within the process needs a few, one on the way to another process may need more.
_TURNS = 10


class TestCase(_synctest.SynchronousTestCase):
    """
    A test case that may wait.

    `setUp`, the test, `tearDown` and what `addCleanup` was given may return a
    Deferred, a coroutine or any awaitable, which is waited for. The test has a loop of
    its own, and `reactor` means the reactor of that loop. It runs while something is
    waited for: plain functions are called outside of it; coroutine functions, and
    those of `inlineCallbacks`, inside, all in one asyncio task.

    When the test is over, whatever is left in the reactor is an error that says
    what: delayed calls, ports, connections, tasks and threads. It is then closed. A
    coroutine that waits for a Deferred is nothing of the reactor's.

    Attributes:
        timeout: how long each step may take, in seconds; by default
            `util.DEFAULT_TIMEOUT_DURATION`. A method, the class or the module may
            have it.
        loopFactory: what makes the loop; None for what `REACTORLIB_LOOP` in the
            environment says, or asyncio's own.
    """

    loopFactory: Callable[[], asyncio.AbstractEventLoop] | None = None

    def getTimeout(self) -> float | None:
        """How long each step may take, in seconds; None for as long as it takes."""
        timeout = util.acquireAttribute(self._parents, "timeout", util.DEFAULT_TIMEOUT_DURATION)
        try:
            return None if timeout is None else float(timeout)
        except (TypeError, ValueError):
            warnings.warn(
                "'timeout' attribute needs to be a number.", DeprecationWarning, stacklevel=2
            )
            return float(util.DEFAULT_TIMEOUT_DURATION)

    def _drive(self, reporter: Any) -> None:
        factory = type(self).loopFactory or new_loop
        self._left: list[Failure] = []
        with no_running_loop(), asyncio.Runner(loop_factory=factory) as runner:
            loop = runner.get_loop()
            loop.set_exception_handler(_synctest._logObserver.loop_reports)
            threads = set(threading.enumerate())
            # Not `runner.run`, which makes of an interrupt a cancelled task: that would be an
            # error of this test, and the next would begin.
            with Turns(loop) as self._turns:
                self._turns.run(_begin)
                self._steps(reporter)
                self._turns.run(lambda: self._end(reporter, threads))

    async def _end(self, reporter: Any, threads: set[threading.Thread]) -> None:
        """Find what is left behind, and close it."""
        loop = asyncio.get_running_loop()
        reactor = reactor_of(loop)
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        calls = reactor.getDelayedCalls()
        if calls:
            self._passed = False
            reporter.addError(self, Failure(util.DirtyReactorAggregateError(map(repr, calls))))
        left: list[Any] = [*reactor._ports, *reactor._connectors]
        left += [one for one in turn_of(loop).open if one.connected and not one.disconnecting]
        for task in asyncio.all_tasks() - {asyncio.current_task()} - reactor._tasks:
            if isinstance(task, CoroutineTask) and task.leave_loop():
                continue  # whatever is to fire its Deferred is named itself, if it is the loop's
            left.append(task)
        # Those of `asyncio.to_thread` and of looking names up stay for more work.
        await loop.shutdown_default_executor()
        pool = reactor.threadpool
        ours = set(pool.threads) if pool is not None else set()
        left += [
            thread
            for thread in threading.enumerate()
            if thread not in threads | ours and not thread.daemon
        ]
        if left:
            self._left.append(Failure(util.DirtyReactorAggregateError([], map(repr, left))))
        async with reactor:
            pass

    def _left_open(self) -> list[Failure]:
        left, self._left = self._left, []
        return left

    def _do(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Failure | None:
        name = getattr(function, "__name__", repr(function))
        written = function
        if function == self._the_test:
            name = self._testMethodName
            written = getattr(self, name)
        seconds = self.getTimeout()
        turns = self._turns
        when = None if seconds is None else turns.loop.time() + seconds
        try:
            if begins_inside(written):
                return turns.run(lambda: self._wait(function, args, kwargs, when, name))
            value = turns.call(function, *args, **kwargs)
            if isinstance(value, Deferred | Coroutine) or hasattr(value, "__await__"):
                return turns.run(lambda: self._wait(lambda: value, (), {}, when, name))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            return Failure()
        return None

    async def _wait(
        self, function: Callable[..., Any], args: Any, kwargs: Any, when: float | None, name: str
    ) -> Failure | None:
        """Call a function in the loop, and wait until `when`; with what it has failed."""
        try:
            async with asyncio.timeout_at(when) as limit:
                value = function(*args, **kwargs)
                if isinstance(value, Deferred | Coroutine) or hasattr(value, "__await__"):
                    await value
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if isinstance(error, TimeoutError) and limit.expired():
                seconds = self.getTimeout()
                return Failure(
                    defer.TimeoutError(f"{self!r} ({name}) still running at {seconds} secs")
                )
            return Failure()
        return None

    def assertFailure(
        self, deferred: Deferred[Any], *expectedFailures: type[BaseException]
    ) -> Deferred[Any]:
        """
        Claim that a Deferred fails with one of some exceptions.

        Returns:
            the Deferred, which fires with the exception; return or await it.
        """

        def succeeded(result: object) -> None:
            self.fail(f"did not catch an error, instead got {result!r}")

        def failed(failure: Failure) -> BaseException:
            if failure.check(*expectedFailures):
                return failure.value
            self.fail(
                f"\nExpected: {expectedFailures!r}\nGot:\n{failure.getErrorMessage()}\n"
                f"{failure.getBriefTraceback()}"
            )

        return deferred.addCallbacks(succeeded, failed)

    failUnlessFailure = assertFailure


async def _begin() -> None:
    reactor_of(asyncio.get_running_loop())
