"""
A test case that may wait.

Every test has a loop of its own, and a reactor attached to it: what one test
leaves behind cannot disturb the next, and is named. While a test runs inside
another, as those of test cases do, it has its own loop too.

The loop runs while a plain test function does, also one that returns nothing. Twisted
calls it before its reactor runs. Here that would break what looks like a plain function
and is not: `@inlineCallbacks` and `ensureDeferred` run until their first wait before
there is a Deferred to be returned, and `asyncio.timeout`, `create_task` and all that
asks for the running loop would find none. So a test that itself calls `asyncio.run` or
`run_until_complete` belongs into a `SynchronousTestCase`, during which no loop runs.
"""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

from reactorlib.internet import defer
from reactorlib.internet._current import reactor_of
from reactorlib.internet._turn import turn_of
from reactorlib.internet.defer import Deferred
from reactorlib.python._asyncio import no_running_loop
from reactorlib.python.failure import Failure
from reactorlib.trial import _synctest, util

__all__ = ["TestCase"]

#: Turns of the loop in which what a test has closed may end by itself: a connection
#: within the process needs a few, one on the way to another process may need more.
_TURNS = 10


class TestCase(_synctest.SynchronousTestCase):
    """
    A test case that may wait.

    `setUp`, the test, `tearDown` and what `addCleanup` was given may return a
    Deferred, a coroutine or any awaitable, which is waited for. All of them run in
    one asyncio task, on a loop of this test's own; `reactor` means the reactor of
    that loop.

    When the test is over, whatever is left in the reactor is an error that says
    what: delayed calls, ports, connections, tasks and threads. It is then closed.

    Attributes:
        timeout: how long each step may take, in seconds; by default
            `util.DEFAULT_TIMEOUT_DURATION`. A method, the class or the module may
            have it.
        loopFactory: what makes the loop; None for asyncio's own.
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
        factory = type(self).loopFactory or asyncio.new_event_loop
        self._left: list[Failure] = []
        with no_running_loop(), asyncio.Runner(loop_factory=factory) as runner:
            loop = runner.get_loop()
            loop.set_exception_handler(_synctest._logObserver.loop_reports)
            # Not `runner.run`, which makes of an interrupt a cancelled task: that would be an
            # error of this test, and the next would begin.
            loop.run_until_complete(self._steps_and_end(reporter, set(threading.enumerate())))

    async def _steps_and_end(self, reporter: Any, threads: set[threading.Thread]) -> None:
        await self._steps(reporter)
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
        left += asyncio.all_tasks() - {asyncio.current_task()} - reactor._tasks
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

    async def _do(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Failure | None:
        seconds = self.getTimeout()
        try:
            async with asyncio.timeout(seconds) as limit:
                await self._value(function(*args, **kwargs))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if isinstance(error, TimeoutError) and limit.expired():
                name = getattr(function, "__name__", repr(function))
                if function == self._the_test:
                    name = self._testMethodName
                return Failure(
                    defer.TimeoutError(f"{self!r} ({name}) still running at {seconds} secs")
                )
            return Failure()
        return None

    async def _value(self, value: Any) -> None:
        if isinstance(value, Deferred | Coroutine) or hasattr(value, "__await__"):
            await value

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
