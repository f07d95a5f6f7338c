"""
A terminal protocol on the terminal that the program was started from.

    python -m reactorlib.conch.stdio

is a Python prompt in a process of its own, with a loop that runs while it waits.
"""

from __future__ import annotations

import importlib
import os
import sys
import termios
import tty
from collections.abc import Callable, Sequence
from typing import Any

from reactorlib.conch.insults.insults import ServerProtocol
from reactorlib.conch.manhole import ColoredManhole
from reactorlib.internet.defer import Deferred
from reactorlib.internet.protocol import ProcessProtocol
from reactorlib.internet.stdio import StandardIO
from reactorlib.python.failure import Failure

__all__ = [
    "ConsoleManhole",
    "TerminalProcessProtocol",
    "UnexpectedOutputError",
    "main",
    "runWithProtocol",
]


class UnexpectedOutputError(Exception):
    """A process wrote to its standard error, which it is not expected to do."""


class TerminalProcessProtocol(ProcessProtocol):
    """
    A process's standard output as the bytes of a connection, its input as the way back.

    Args:
        proto: the protocol that receives them.

    Attributes:
        onConnection: a Deferred that fires with None when the process runs.
    """

    transport: Any

    def __init__(self, proto: Any) -> None:
        self.proto = proto
        self.onConnection: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        """The process runs."""
        self.proto.makeConnection(self)
        self.onConnection.callback(None)

    def write(self, data: bytes) -> None:
        """Send it to the process."""
        self.transport.write(data)

    def outReceived(self, data: bytes) -> None:
        """The process wrote to its output."""
        if self.proto is not None:
            self.proto.dataReceived(data)

    def errReceived(self, data: bytes) -> None:
        """The process wrote to its standard error: that is the end."""
        self.transport.loseConnection()
        self._lost(Failure(UnexpectedOutputError(data)))

    def processEnded(self, reason: Failure) -> None:
        """The process ended."""
        self._lost(reason)

    def _lost(self, reason: Failure) -> None:
        proto, self.proto = self.proto, None
        if proto is not None:
            proto.connectionLost(reason)


class ConsoleManhole(ColoredManhole):
    """A Python prompt at whose end the reactor is stopped."""

    def connectionLost(self, reason: Any) -> None:
        """Stop the reactor."""
        from reactorlib.internet import reactor

        super().connectionLost(reason)
        if reactor.running:
            reactor.stop()


def runWithProtocol(klass: Callable[[], Any]) -> None:
    """
    Run a terminal protocol on standard input and output, until the reactor is stopped.

    The terminal is in raw mode meanwhile, and as it was before afterwards.

    Args:
        klass: makes the protocol, an `ITerminalProtocol`.
    """
    from reactorlib.internet import reactor

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setraw(terminal)
    try:
        reactor.callWhenRunning(lambda: StandardIO(ServerProtocol(klass)))
        reactor.run()
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)
        os.write(terminal, b"\r\x1bc\r")


def main(argv: Sequence[str] | None = None) -> None:
    """
    Run the terminal protocol that a command line names, or a Python prompt.

    Args:
        argv: the arguments: a dotted name, or nothing.

    Raises:
        ValueError, ImportError, AttributeError: there is no such protocol.
    """
    argv = sys.argv[1:] if argv is None else argv
    klass: Any = ConsoleManhole
    if argv:
        module, _, name = argv[0].rpartition(".")
        klass = getattr(importlib.import_module(module), name)
    runWithProtocol(klass)


if __name__ == "__main__":
    main()
