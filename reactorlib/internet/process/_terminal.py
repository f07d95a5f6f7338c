"""The transport of a process on a terminal."""

from __future__ import annotations

import os
import pty
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from reactorlib.internet._pipe_ends import ReadEnd, TwoEnds, WriteEnd
from reactorlib.internet.interfaces import IConsumer, IDrainable, IProcessTransport, IPushProducer
from reactorlib.internet.process._base import BaseProcess
from reactorlib.internet.process._command import check_command
from reactorlib.internet.process._start import start

if TYPE_CHECKING:
    from reactorlib.internet._reactor._core import LoopReactor

__all__ = ["PTYProcess"]


@implementer(IProcessTransport, IConsumer, IPushProducer, IDrainable)
class PTYProcess(TwoEnds, BaseProcess):
    """
    A process on a terminal, of which we have the other side.

    What it writes comes as its descriptor 1, what it would write to 2 as well.

    Args:
        usePTY: a terminal, as `(master, slave, ttyname)`, which is taken over
            once the process has started; otherwise one is made.
        reactor, executable, args, environment, path, proto, uid, gid: as for
            `Process`.

    Attributes:
        disconnecting: whether we have begun to close our side.
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
        usePTY: Any = None,
    ) -> None:
        super().__init__(reactor, proto)
        if proto is None:
            raise ValueError("without a protocol nobody reads what comes to the terminal")
        command = check_command(executable, args, environment, path, uid, gid)
        given = isinstance(usePTY, (tuple, list))
        master, slave = usePTY[:2] if given else pty.openpty()
        writing = -1
        try:
            writing = os.dup(master)
            pid = start(command, {}, slave)
        except BaseException:
            if writing >= 0:
                os.close(writing)
            if not given:
                os.close(master)
                os.close(slave)
            raise
        os.close(slave)
        self.disconnecting = False
        self._master = master
        self._reader: ReadEnd | None = ReadEnd(
            master, self._context, self._data, lambda _: self._side_lost(reading=True)
        )
        self._writer: WriteEnd | None = WriteEnd(
            writing, self._context, lambda _: self._side_lost(reading=False)
        )
        self._started(pid)

    def _ends(self) -> list[ReadEnd | WriteEnd]:
        return [end for end in (self._reader, self._writer) if end is not None]

    def _data(self, data: bytes) -> None:
        self.proto.childDataReceived(1, data)

    def _side_lost(self, reading: bool) -> None:
        """
        A direction is over, and with the one that is read so is the other.

        A write that fails ends nothing: what the process has written is still to come.
        """
        if reading:
            self._reader = None
            self._master = -1
            if self._writer is not None:
                self._writer.abort()
        else:
            self._writer = None
            if self.disconnecting and self._reader is not None:
                self._reader.close()
        self._see_whether_over()

    def fileno(self) -> int:
        """Our side of the terminal, to set its size, say; -1 once it is closed."""
        return self._master

    def loseConnection(self) -> None:
        """
        Hang up, once everything written has left: the process gets a SIGHUP.
        """
        if not self.disconnecting:
            self.disconnecting = True
            if self._writer is not None:
                self._writer.close()
            elif self._reader is not None:
                self._reader.close()

    def closeStdin(self) -> None:
        """A terminal has both directions or none: this does nothing."""

    def closeStdout(self) -> None:
        """A terminal has both directions or none: this does nothing."""

    def closeStderr(self) -> None:
        """A terminal has both directions or none: this does nothing."""

    def closeChildFD(self, descriptor: int) -> None:
        """A terminal is one; `loseConnection` closes it."""
        raise NotImplementedError("a terminal is closed as a whole: use loseConnection()")

    def writeToChild(self, childFD: int, data: bytes) -> None:
        """A terminal is one; `write` writes to it."""
        raise NotImplementedError("a terminal is one descriptor: use write()")
