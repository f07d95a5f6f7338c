"""What processes write, line by line in the log."""

from __future__ import annotations

from typing import Any

from reactorlib.internet.defer import Deferred
from reactorlib.internet.protocol import ProcessProtocol
from reactorlib.protocols.basic import LineReceiver
from reactorlib.python.failure import Failure

__all__ = ["DummyTransport", "LineLogger", "LoggingProtocol", "transport"]


class DummyTransport:
    """The transport of a `LineLogger`, which has no connection to lose."""

    disconnecting = 0

    def loseConnection(self) -> None:
        """Nothing is lost."""


#: The one that all share.
transport = DummyTransport()


class LineLogger(LineReceiver):
    """
    Logs what a process writes, line by line; a longer line in pieces of `MAX_LENGTH`.

    Attributes:
        tag: the name of the process.
        stream: "stdout" or "stderr".
        service: the `ProcessMonitor` whose log it is.
    """

    tag: str | None = None
    stream: str | None = None
    delimiter = b"\n"
    service: Any = None

    def lineReceived(self, line: bytes) -> None:
        """Log it: as text, or as it is seen in Python where it is no UTF-8."""
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            text = repr(line)
        self.service.log.info("[{tag}] {line}", tag=self.tag, line=text, stream=self.stream)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Log as much as a line may have, and go on with the rest."""
        self.lineReceived(line[: self.MAX_LENGTH])
        self.setLineMode(line[self.MAX_LENGTH :])

    def finish(self) -> None:
        """Log the last line, if it has no end."""
        rest = self.clearLineBuffer()
        if rest:
            self.lineReceived(rest)


class LoggingProtocol(ProcessProtocol):
    """
    Logs what a process writes, and tells the monitor of its end.

    Attributes:
        service: the `ProcessMonitor`.
        name: the name of the process.
        exited: fires when the process has ended.
        closed: fires when, besides, nothing holds its output open any more.
    """

    service: Any = None
    name: str = ""

    def __init__(self) -> None:
        self.exited: Deferred[None] = Deferred()
        self.closed: Deferred[None] = Deferred()
        self._out = self._err = LineLogger()

    def connectionMade(self) -> None:
        """It runs."""
        self._out, self._err = self._logger("stdout"), self._logger("stderr")

    def _logger(self, stream: str) -> LineLogger:
        logger = LineLogger()
        logger.tag, logger.stream, logger.service = self.name, stream, self.service
        logger.makeConnection(transport)
        return logger

    def outReceived(self, data: bytes) -> None:
        """Log lines of its output."""
        self._out.dataReceived(data)

    def errReceived(self, data: bytes) -> None:
        """Log lines of its error output."""
        self._err.dataReceived(data)

    def processExited(self, reason: Failure) -> None:
        """
        It has ended, whoever else holds its output open: a process that it has left
        behind keeps no other from being started.
        """
        self._exit(reason)

    def processEnded(self, reason: Failure) -> None:
        """All that it wrote is there."""
        self._out.finish()
        self._err.finish()
        self._exit(reason)
        self.closed.callback(None)

    def _exit(self, reason: Failure) -> None:
        if not self.exited.called:
            self.exited.callback(None)
            self.service._exited(self, reason)
