"""
What every process transport has: how it begins and ends.

A process is over in two steps. It has exited when it is reaped: `processExited`.
It has ended when, besides, every end that we have of its pipes is lost:
`processEnded`. Either can be first, for what it wrote may still be on its way, and
a process that it has started may hold a pipe open for longer.

Whatever the protocol raises is reported, and changes nothing of this.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import signal
from typing import TYPE_CHECKING, Any

from reactorlib.internet import error
from reactorlib.internet._pipe_ends import ReadEnd, WriteEnd
from reactorlib.internet.process._child import Child
from reactorlib.python._asyncio import loop_here
from reactorlib.python._report import report
from reactorlib.python.failure import Failure, failure_of

if TYPE_CHECKING:
    from reactorlib.internet._reactor._core import LoopReactor

__all__ = ["BaseProcess", "reapAllProcesses", "reapProcessHandlers"]

_log = logging.getLogger("reactorlib.internet.process")

#: The processes that have been started and not been reaped, by number.
reapProcessHandlers: dict[int, BaseProcess] = {}


def reapAllProcesses() -> None:
    """
    See which processes of this thread's loop have ended, now rather than soon.

    Nobody has to call it.
    """
    for process in list(reapProcessHandlers.values()):
        process.reapProcess()


def _forget_closed_loops() -> None:
    """Let go of processes whose loops were closed without a word to us."""
    for process in list(reapProcessHandlers.values()):
        if process._loop is not None and process._loop.is_closed():
            process.abandon()


class BaseProcess:
    """
    What both kinds have.

    Attributes:
        pid: the number of the process; None once it is reaped.
        status: how it ended, as `os.waitpid` has it; None before.
        proto: who is told; None once everything has been.
    """

    def __init__(self, reactor: LoopReactor, proto: Any) -> None:
        self.proto = proto
        self.pid: int | None = None
        self.status: int | None = None
        self._reactor = reactor
        self._context = contextvars.copy_context()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._exited_known = False
        self._abandoned = False

    # -- the beginning --------------------------------------------------------

    def _started(self, pid: int) -> None:
        """It runs: have it watched, and tell the protocol."""
        _forget_closed_loops()
        self.pid = pid
        self._child = Child(pid, self._reaped)
        reapProcessHandlers[pid] = self
        self._reactor._held.add(self)
        self._reactor._when_looping(self._attach)
        self._tell("makeConnection", self)

    def _attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """A loop runs: read, write, and wait for the end."""
        self._loop = loop
        for end in self._ends():
            end.attach(loop)
        self._child.watch(loop)

    def _ends(self) -> list[ReadEnd | WriteEnd]:
        """What we still have of it."""
        raise NotImplementedError

    # -- the end --------------------------------------------------------------

    def reapProcess(self) -> None:
        """See whether it has ended; it does nothing in another thread than the loop's."""
        if self._loop is None or self._loop is loop_here():
            self._child.reap()

    def _reaped(self, status: int | None) -> None:
        self._unlist()
        self.status = status
        self._context.copy().run(self._exited)

    def _unlist(self) -> None:
        """Its number is not ours to use any more."""
        pid, self.pid = self.pid, None
        if pid is not None and reapProcessHandlers.get(pid) is self:
            del reapProcessHandlers[pid]

    def _exited(self) -> None:
        self._exited_known = True
        self._tell("processExited", failure_of(self._why(), None))
        self._see_whether_over()

    def _why(self) -> BaseException:
        """What the protocol is told of the end."""
        status = self.status
        if not self._exited_known:
            return _let_go()
        if status is None:
            return error.ProcessTerminated()
        if os.WIFSIGNALED(status):
            return error.ProcessTerminated(None, os.WTERMSIG(status), status)
        code = os.WEXITSTATUS(status)
        return error.ProcessTerminated(code, None, status) if code else error.ProcessDone(status)

    def _see_whether_over(self) -> None:
        if (self._exited_known or self._abandoned) and not self._ends():
            self._reactor._held.discard(self)
            self._tell("processEnded", failure_of(self._why(), None))
            self.proto = None

    def _tell(self, what: str, *args: object) -> None:
        """Call the protocol; what it raises is reported, and that is all."""
        proto = self.proto
        if proto is None:
            return
        try:
            getattr(proto, what)(*args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exception:
            report(_log, f"{what}() failed", Failure(exception), protocol=proto)

    def abandon(self) -> None:
        """
        The reactor ends, and the process may live on.

        Our ends are closed, at once; it is reaped when it ends, but nobody is
        told any more.
        """
        if self._abandoned:
            return
        self._abandoned = True
        self._reactor._held.discard(self)
        self._unlist()
        self._child.abandon()
        for end in self._ends():
            try:
                end.abort()
            except RuntimeError:
                pass  # a transport of the loop's own, which is closed
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon(self._see_whether_over, context=self._context.copy())

    # -- what the protocol calls ----------------------------------------------

    def signalProcess(self, signalID: str | int) -> None:
        """
        Send it a signal.

        Args:
            signalID: "KILL", "TERM", "INT", or the rest of another signal's
                name; or a number.

        Raises:
            ProcessExitedAlready: it has ended.
            ValueError: there is no such signal.
            OSError: it may not be signalled by us.
        """
        if isinstance(signalID, str):
            try:
                number: int = signal.Signals[f"SIG{signalID.removeprefix('SIG')}"]
            except KeyError:
                raise ValueError(f"there is no signal {signalID!r}") from None
        else:
            number = signalID
        if self.pid is None:
            raise error.ProcessExitedAlready
        self._child.signal(number)

    def getHost(self) -> Any:
        """A process has no address."""
        raise NotImplementedError("a process has no address of its own")

    def getPeer(self) -> Any:
        """A process has no address."""
        raise NotImplementedError("a process has no address")

    def __repr__(self) -> str:
        return f"<{self.__class__.__name__} pid={self.pid} status={self.status}>"


def _let_go() -> error.ProcessTerminated:
    """What ended was not the process."""
    reason = error.ProcessTerminated()
    reason.args = ("the reactor has shut down; the process may still run",)
    return reason
