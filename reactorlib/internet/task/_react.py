"""
Run a program that has an end.

`main` runs inside the loop: as a coroutine it may await anything of asyncio's
from its first line on. It is under way while `_Program.run` is; that ends first
either because `main` has ended, and then stops the reactor, or because the
reactor has been stopped (by a signal, or by the program), which cancels it.
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NoReturn

from reactorlib.internet import error
from reactorlib.internet.defer import CancelledError, ensureDeferred
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

__all__ = ["react"]

_log = logging.getLogger("reactorlib.internet.task")


class _Program:
    """One run of `main`, and the status that it leads to."""

    def __init__(self, reactor: Any, main: Callable[..., Any], argv: tuple[Any, ...]) -> None:
        self._reactor = reactor
        self._main = main
        self._argv = argv
        self._stopping = False
        #: What `sys.exit` takes.
        self.status: Any = 0

    def start(self) -> None:
        ensureDeferred(self.run())

    def stopping(self) -> None:
        """The reactor has begun to stop."""
        self._stopping = True

    async def run(self) -> None:
        try:
            outcome = self._main(self._reactor, *self._argv)
            if not inspect.isawaitable(outcome):
                raise TypeError(
                    f"react() wants a function that returns a Deferred or a coroutine; "
                    f"{self._main!r} returned {outcome!r}"
                )
            await outcome
        except SystemExit as exit:
            self.status = exit.code
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except CancelledError as exception:
            if not self._stopping:
                self._failed(exception)
        except BaseException as exception:
            self._failed(exception)
        if not self._stopping:
            try:
                self._reactor.stop()
            except error.ReactorNotRunning:
                pass

    def _failed(self, exception: BaseException) -> None:
        self.status = 1
        report(_log, "main function encountered error", Failure(exception))


def react(
    main: Callable[..., Awaitable[Any]],
    argv: Iterable[object] = (),
    _reactor: Any = None,
    *,
    loop_factory: Callable[[], Any] | None = None,
) -> NoReturn:
    """
    Run the reactor until `main` has ended, then exit.

    `main` is called in the running loop, with the reactor and the elements of
    `argv`. It is a coroutine function, or returns a Deferred. What it fails with
    is reported once, to the loop's exception handler, which logs it.

    `SystemExit` from `main` decides the exit status; otherwise that is 0 after
    success and 1 after a failure. Where the reactor is stopped first, by
    `reactor.stop()` or by SIGINT or SIGTERM, `main` is cancelled once the shutdown
    triggers are done, and the status is 0 unless it then fails or raises
    `SystemExit`: a first signal asks for an orderly end, and got it. A second one
    cuts that short, and the process ends by it.

    Args:
        main: the program.
        argv: what to call it with, besides the reactor.
        loop_factory: what makes the loop, as `uvloop.new_event_loop`.

    Raises:
        SystemExit: always, in the end.
        ReactorAlreadyRunning: a loop runs here; `await main(reactor)` in it.
    """
    if _reactor is None:
        from reactorlib.internet import reactor

        _reactor = reactor
    if getattr(_reactor, "running", False):
        raise error.ReactorAlreadyRunning(
            "react() starts a loop and ends the process; the reactor runs already: "
            "`await main(reactor)` in it instead"
        )
    program = _Program(_reactor, main, tuple(argv))
    _reactor.addSystemEventTrigger("before", "shutdown", program.stopping)
    _reactor.callWhenRunning(program.start)
    _reactor.run(**({} if loop_factory is None else {"loop_factory": loop_factory}))
    sys.exit(program.status)
