"""
An inetd: a program for each connection, with the connection as its input and output.

`reactorlib.runner.inetdtap` makes a service of an inetd.conf. What is here runs the
program of one line for the connections of any port:

    reactor.listenTCP(8000, InetdFactory(service))
"""

from __future__ import annotations

from typing import Any

from reactorlib.internet import reactor as _reactor
from reactorlib.internet.protocol import Factory, Protocol
from reactorlib.protocols import wire
from reactorlib.runner._internal import DatagramService, internalDatagrams
from reactorlib.runner._listening import InetdServer
from reactorlib.runner._programs import run_program
from reactorlib.runner.inetdconf import InetdService

__all__ = [
    "DatagramService",
    "InetdFactory",
    "InetdProtocol",
    "InetdServer",
    "internalDatagrams",
    "internalProtocols",
]

#: The services that an inetd has itself, on connections.
internalProtocols: dict[str, type[Protocol]] = {
    "echo": wire.Echo,
    "discard": wire.Discard,
    "chargen": wire.Chargen,
    "daytime": wire.Daytime,
    "time": wire.Time,
}


class InetdProtocol(Protocol):
    """Hands its connection over to a program, at once, and is done with it."""

    factory: InetdFactory

    def connectionMade(self) -> None:
        """Run the program, with the connection as its 0, 1 and 2."""
        self.transport.pauseProducing()
        errors = self.factory.stderrFile
        run_program(
            _reactor,
            self.factory.service,
            self.transport,
            lambda _: None,
            None if errors is None else errors.fileno(),
        )
        self.transport.loseConnection()


class InetdFactory(Factory[InetdProtocol]):
    """
    Runs a program for each connection. Whether the service is one that waits does not
    matter here.

    Args:
        service: which program, and as whom it runs.

    Attributes:
        stderrFile: a file that is to be its error output; None for the connection.
    """

    protocol = InetdProtocol
    stderrFile: Any = None

    def __init__(self, service: InetdService) -> None:
        self.service = service
