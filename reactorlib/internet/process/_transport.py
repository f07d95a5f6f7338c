"""The transport of a process with pipes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet._pipe_ends import ReadEnd, WriteEnd
from reactorlib.internet.defer import Deferred, fail
from reactorlib.internet.interfaces import IConsumer, IDrainable, IProcessTransport, IPushProducer
from reactorlib.internet.process._base import BaseProcess
from reactorlib.internet.process._command import check_command, check_fds
from reactorlib.internet.process._start import start
from reactorlib.python.failure import Failure

if TYPE_CHECKING:
    from reactorlib.internet._reactor._core import LoopReactor

__all__ = ["Process"]

_DEFAULT_FDS: Mapping[int, int | str] = {0: "w", 1: "r", 2: "r"}


@implementer(IProcessTransport, IConsumer, IPushProducer, IDrainable)
class Process(BaseProcess):
    """
    A process, and our ends of its pipes.

    Programs do not make it: `reactor.spawnProcess` does.

    Args:
        reactor: whose loop reads and writes.
        executable, args, environment, path, uid, gid, childFDs: as for
            `spawnProcess`.
        proto: the protocol; it may be None where no pipe is asked for.

    Attributes:
        pipes: our ends, by what they are to the process.
    """

    def __init__(
        self,
        reactor: LoopReactor,
        executable: bytes | str,
        args: Iterable[bytes | str],
        environment: Mapping[Any, Any] | None,
        path: bytes | str | None,
        proto: Any,
        uid: int | None = None,
        gid: int | None = None,
        childFDs: Mapping[int, int | str] | None = None,
    ) -> None:
        super().__init__(reactor, proto)
        wanted = _DEFAULT_FDS if childFDs is None else childFDs
        check_fds(wanted)
        if proto is None and not all(isinstance(target, int) for target in wanted.values()):
            raise ValueError("without a protocol nobody reads or writes: give childFDs numbers")
        command = check_command(executable, args, environment, path, uid, gid)
        self.pipes: dict[int, ReadEnd | WriteEnd] = {}
        self._written_to = {fd for fd, target in wanted.items() if target == "w"}
        theirs: dict[int, int] = {}
        ours: dict[int, int] = {}
        try:
            for fd, target in wanted.items():
                if isinstance(target, int):
                    continue
                reading, writing = os.pipe()
                theirs[fd], ours[fd] = (writing, reading) if target == "r" else (reading, writing)
            fds = {fd: theirs.get(fd, target) for fd, target in wanted.items()}
            pid = start(command, fds)  # type: ignore[arg-type]  # what is left are numbers
        except BaseException:
            for number in ours.values():
                os.close(number)
            raise
        finally:
            for number in theirs.values():
                os.close(number)
        for fd, number in ours.items():
            self.pipes[fd] = self._end_for(fd, number, writes=wanted[fd] == "w")
        self._started(pid)

    def _end_for(self, fd: int, number: int, writes: bool) -> ReadEnd | WriteEnd:
        def data(data: bytes) -> None:
            self.proto.childDataReceived(fd, data)

        def lost(reason: Failure) -> None:
            del self.pipes[fd]
            self._tell("childConnectionLost", fd)
            self._see_whether_over()

        if writes:
            return WriteEnd(number, self._context, lost, piped=True)
        return ReadEnd(number, self._context, data, lost, piped=True)

    def _ends(self) -> list[ReadEnd | WriteEnd]:
        return list(self.pipes.values())

    # -- writing --------------------------------------------------------------

    def writeToChild(self, childFD: int, data: bytes) -> None:
        """
        Write to what is `childFD` to the process. Once that is closed, it is dropped.

        Raises:
            KeyError: that is nothing which it reads from us.
        """
        if childFD not in self._written_to:
            raise KeyError(f"childFDs has no 'w' for {childFD}: nothing can be written there")
        end = self.pipes.get(childFD)
        if isinstance(end, WriteEnd):
            end.write(data)

    def _stdin(self) -> WriteEnd | None:
        end = self.pipes.get(0)
        return end if isinstance(end, WriteEnd) else None

    def write(self, data: bytes) -> None:
        """Write to its input; dropped if it has none, or no more."""
        stdin = self._stdin()
        if stdin is not None:
            stdin.write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Write several pieces to its input, as one."""
        stdin = self._stdin()
        if stdin is not None:
            stdin.write_sequence(data)

    def drain(self) -> Deferred[None]:
        """
        Wait until the process has read enough of what is written to write more.

        Returns:
            a Deferred that fires with None; it fails if its input is lost first.
        """
        stdin = self._stdin()
        return fail(error.ConnectionDone()) if stdin is None else stdin.drain()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Let `producer` know when to write to its input; it is stopped if there is none."""
        stdin = self._stdin()
        if stdin is None:
            producer.stopProducing()
        else:
            stdin.register(producer, streaming)

    def unregisterProducer(self) -> None:
        """Forget the producer. If the input was to be closed, it now is."""
        stdin = self._stdin()
        if stdin is not None:
            stdin.unregister()

    # -- reading --------------------------------------------------------------

    def pauseProducing(self) -> None:
        """Read nothing until `resumeProducing`; the process is held up in the end."""
        for end in self.pipes.values():
            if isinstance(end, ReadEnd):
                end.pause()

    def resumeProducing(self) -> None:
        """Read on."""
        for end in self.pipes.values():
            if isinstance(end, ReadEnd):
                end.resume()

    def stopProducing(self) -> None:
        """Close everything, as `loseConnection`."""
        self.loseConnection()

    # -- closing --------------------------------------------------------------

    def closeChildFD(self, childFD: int) -> None:
        """
        Close our end of what is `childFD` to the process, once everything written
        has left. There may be none, or no more.
        """
        end = self.pipes.get(childFD)
        if end is not None:
            end.close()

    def closeStdin(self) -> None:
        """Close its input, once everything written has left."""
        self.closeChildFD(0)

    def closeStdout(self) -> None:
        """Read its output no more."""
        self.closeChildFD(1)

    def closeStderr(self) -> None:
        """Read its error output no more."""
        self.closeChildFD(2)

    def loseConnection(self) -> None:
        """Close its input, output and error output. It is not told to end otherwise."""
        for fd in (0, 1, 2):
            self.closeChildFD(fd)
