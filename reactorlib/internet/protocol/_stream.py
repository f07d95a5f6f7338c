"""
Protocols, which talk over one connection each, and the factories that make them.

A `Factory` is an asyncio protocol factory too: it is callable, and what a call
returns stands between asyncio's transport and the protocol that
`buildProtocol` makes once the connection is there. So the same factory goes
into `reactor.listenTCP`, an endpoint, or `loop.create_server`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet.interfaces import (
    IConnector,
    ILoggingContext,
    IProtocol,
    IProtocolFactory,
)
from reactorlib.python._report import note
from reactorlib.python.failure import Failure

__all__ = [
    "BaseProtocol",
    "ClientFactory",
    "Factory",
    "P",
    "Protocol",
    "ServerFactory",
    "connectionDone",
]

_log = logging.getLogger("reactorlib.internet.protocol")

#: The reason `connectionLost` has when nobody passes one.
connectionDone = Failure(error.ConnectionDone())

if TYPE_CHECKING:
    # A factory whose protocol is not said makes any.
    from typing import Self

    from typing_extensions import TypeVar as _TypeVar

    P = _TypeVar("P", bound="BaseProtocol", default=Any)
else:
    P = TypeVar("P")


class BaseProtocol:
    """
    What every protocol has.

    Attributes:
        transport: what to write to; None before there is a connection.
        connected: 1 from `makeConnection` on.
    """

    connected = 0
    transport: Any = None

    def makeConnection(self, transport: Any) -> None:
        """Take the transport, then say so to `connectionMade`."""
        self.connected = 1
        self.transport = transport
        self.connectionMade()

    def connectionMade(self) -> None:
        """The connection stands: greet, or ask. For subclasses."""


@implementer(IProtocol, ILoggingContext)
class Protocol(BaseProtocol):
    """
    A conversation over one connection: subclass it and say what to do.

    Attributes:
        factory: the factory that made it, set before `makeConnection`.
    """

    factory: Any = None

    def logPrefix(self) -> str:
        """The name in logs: the class's own."""
        return self.__class__.__name__

    def dataReceived(self, data: bytes) -> None:
        """
        Bytes came in, cut anywhere, never empty. For subclasses.

        What it raises ends this connection, with that exception as the reason.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone. Called once, after everything else.

        Args:
            reason: holds `ConnectionDone` when the end was orderly,
                `ConnectionLost` or a subclass when it was not, or what
                `dataReceived` raised.
        """


@implementer(IProtocolFactory, ILoggingContext)
class Factory(Generic[P]):
    """
    Makes a protocol for each connection, and keeps what they share.

    Attributes:
        protocol: what makes a protocol when called with no arguments; usually
            its class.
        numPorts: how many ports and connectors use the factory now.
        noisy: whether starting and stopping is logged.
    """

    protocol: Callable[[], P] | None = None
    numPorts = 0
    noisy = True

    @classmethod
    def forProtocol(cls, protocol: Callable[[], P], *args: Any, **kwargs: Any) -> Self:
        """A factory of this class, made with the other arguments, for `protocol`."""
        factory = cls(*args, **kwargs)
        factory.protocol = protocol
        return factory

    def logPrefix(self) -> str:
        """The name in logs: the class's own."""
        return self.__class__.__name__

    def doStart(self) -> None:
        """A port or connector begins to use the factory; the first calls `startFactory`."""
        if self.numPorts == 0:
            if self.noisy:
                self._say("Starting")
            self.startFactory()
        self.numPorts += 1

    def doStop(self) -> None:
        """A port or connector is done with the factory; the last calls `stopFactory`."""
        if self.numPorts == 0:
            return
        self.numPorts -= 1
        if self.numPorts == 0:
            if self.noisy:
                self._say("Stopping")
            self.stopFactory()

    def _say(self, what: str) -> None:
        note(
            _log,
            f"{what} factory %r",
            self,
            log_format=f"{what} factory {{factory!r}}",
            factory=self,
        )

    def startFactory(self) -> None:
        """Called before the first port or connector opens: set up what is shared."""

    def stopFactory(self) -> None:
        """Called after the last port or connector closes: the other end of `startFactory`."""

    def buildProtocol(self, addr: Any) -> P | None:
        """
        A protocol for a new connection.

        Args:
            addr: where the peer is.

        Returns:
            the protocol, its `factory` set; None to refuse the connection.
        """
        if self.protocol is None:
            raise TypeError(
                f"{self.__class__.__name__} has no protocol: set its `protocol` to a Protocol "
                "class, or override buildProtocol()"
            )
        p = self.protocol()
        p.factory = self  # type: ignore[attr-defined]  # BaseProtocol leaves it to subclasses
        return p

    def __call__(self) -> asyncio.BaseProtocol:
        """
        Be an asyncio protocol factory, as for `loop.create_server(factory, ...)`.

        The factory counts as started from the first call on.
        """
        # Only here does a factory know of transports; they know of factories by name alone.
        from reactorlib.internet._any_connection import AnyConnection
        from reactorlib.internet._connection import Origin

        if self.numPorts == 0:
            self.doStart()
        return AnyConnection(Origin(self, asyncio.get_running_loop()))


class ServerFactory(Factory[P]):
    """A factory for the accepting side. It says so, and adds nothing."""


class ClientFactory(Factory[P]):
    """A factory for the connecting side, which is told how attempts end."""

    def startedConnecting(self, connector: IConnector) -> None:
        """An attempt begins. `connector.stopConnecting()` breaks it off."""

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """
        There is no connection. `connector.connect()` tries again.

        Args:
            reason: holds a `ConnectError` or a `DNSLookupError`.
        """

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        """The connection is gone; the protocol has been told. As above otherwise."""
