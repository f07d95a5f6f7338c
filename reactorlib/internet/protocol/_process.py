"""Protocols that talk with a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from reactorlib.internet.interfaces import IProcessProtocol
from reactorlib.internet.protocol._stream import BaseProtocol

if TYPE_CHECKING:
    from reactorlib.python.failure import Failure

__all__ = ["ProcessProtocol"]


@implementer(IProcessProtocol)
class ProcessProtocol(BaseProtocol):
    """
    A conversation with a process: subclass it and say what to do.

    What its methods raise is reported. It ends nothing, but for `childDataReceived`:
    that costs the pipe which the data came from.

    Attributes:
        transport: an `IProcessTransport`.
    """

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """
        The process has written. 1 goes to `outReceived`, 2 to `errReceived`.

        Args:
            childFD: the descriptor, as the process numbers it.
            data: cut anywhere, never empty.
        """
        if childFD == 1:
            self.outReceived(data)
        elif childFD == 2:
            self.errReceived(data)

    def outReceived(self, data: bytes) -> None:
        """The process has written to its output. For subclasses."""

    def errReceived(self, data: bytes) -> None:
        """The process has written to its error output. For subclasses."""

    def childConnectionLost(self, childFD: int) -> None:
        """
        A pipe is closed, at either end. 0, 1 and 2 go to the three methods below.

        Args:
            childFD: the descriptor, as the process numbers it.
        """
        if childFD == 0:
            self.inConnectionLost()
        elif childFD == 1:
            self.outConnectionLost()
        elif childFD == 2:
            self.errConnectionLost()

    def inConnectionLost(self) -> None:
        """The input of the process is closed. For subclasses."""

    def outConnectionLost(self) -> None:
        """The output of the process is closed. For subclasses."""

    def errConnectionLost(self) -> None:
        """The error output of the process is closed. For subclasses."""

    def processExited(self, reason: Failure) -> None:
        """
        The process has ended. What it has written may still come. For subclasses.

        Args:
            reason: holds `ProcessDone` if its exit code was 0, otherwise
                `ProcessTerminated`.
        """

    def processEnded(self, reason: Failure) -> None:
        """
        The process has ended, and all its pipes are closed: called once, last.
        For subclasses.

        Without a `processExited` before, it is the reactor that has shut down, and
        the process may live on.

        Args:
            reason: as for `processExited`.
        """
