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
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet.interfaces import (
    IConnector,
    ILoggingContext,
    IProcessProtocol,
    IProtocol,
    IProtocolFactory,
)
from reactorlib.python.failure import Failure

__all__ = [
    "AbstractDatagramProtocol",
    "BaseProtocol",
    "ClientFactory",
    "ConnectedDatagramProtocol",
    "DatagramProtocol",
    "Factory",
    "ProcessProtocol",
    "Protocol",
    "ReconnectingClientFactory",
    "ServerFactory",
    "connectionDone",
]

_log = logging.getLogger(__name__)

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
                _log.info("Starting factory %r", self)
            self.startFactory()
        self.numPorts += 1

    def doStop(self) -> None:
        """A port or connector is done with the factory; the last calls `stopFactory`."""
        if self.numPorts == 0:
            return
        self.numPorts -= 1
        if self.numPorts == 0:
            if self.noisy:
                _log.info("Stopping factory %r", self)
            self.stopFactory()

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

        if self.numPorts == 0:
            self.doStart()
        return AnyConnection(self.buildProtocol, asyncio.get_running_loop())


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


class ReconnectingClientFactory(ClientFactory[P]):
    """
    A client factory that tries again, after longer and longer pauses.

    A protocol that is satisfied with its connection calls
    `self.factory.resetDelay()`, so that the next loss starts from a short pause.

    Attributes:
        initialDelay: the first pause, in seconds.
        maxDelay: the longest pause, in seconds.
        factor: what a pause is multiplied by to give the next.
        jitter: how far a pause strays at random, as a part of itself, so that
            clients of one server do not return all at once; 0 for not at all.
        maxRetries: after how many attempts in a row to give up; None for never.
        retries: how many attempts in a row have been made.
        delay: the pause before jitter, in seconds.
        connector: the connector to try with, once known.
        clock: the IReactorTime to wait with; None for the reactor.
        continueTrying: 0 after `stopTrying`.
    """

    maxDelay: float = 3600
    initialDelay: float = 1.0
    # e: steep enough to spare the server, and a familiar curve to whoever reads the log.
    factor: float = 2.718281828459045
    # Planck's constant's digits, as in Twisted: any tenth or so will do.
    jitter: float = 0.119626565582
    delay: float = initialDelay
    retries = 0
    maxRetries: int | None = None
    connector: Any = None
    clock: Any = None
    continueTrying = 1
    _pending: Any = None
    _unsaved: ClassVar[frozenset[str]] = frozenset(
        {"connector", "clock", "continueTrying", "retries", "delay", "_pending"}
    )

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """Try again."""
        if self.continueTrying:
            self.connector = connector
            self.retry()

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        """Try again."""
        if self.continueTrying:
            self.connector = connector
            self.retry()

    def retry(self, connector: Any = None) -> None:
        """
        Connect again after the pause, unless `stopTrying` or `maxRetries` forbids.

        Args:
            connector: the connector to use; the one known, if None.

        Raises:
            ValueError: none is given, and none is known.
        """
        if not self.continueTrying:
            return
        connector = connector or self.connector
        if connector is None:
            raise ValueError("retry() knows of no connector: pass the one to connect again")
        if self.maxRetries is not None and self.retries >= self.maxRetries:
            if self.noisy:
                _log.info("Giving up on %s after %d attempts", connector, self.retries)
            return
        self._no_pending()
        self.retries += 1
        self.delay = min(self.delay * self.factor, self.maxDelay)
        pause = self.delay
        if self.jitter:
            pause = random.normalvariate(pause, pause * self.jitter)  # not a secret
            pause = max(0.0, pause)
        if self.noisy:
            _log.info("%s will try again in %.1f seconds", connector, pause)
        self._pending = self._clock().callLater(pause, self._again, connector)

    def _again(self, connector: Any) -> None:
        self._pending = None
        connector.connect()

    def _no_pending(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.cancel()

    def _clock(self) -> Any:
        if self.clock is None:
            from reactorlib.internet import reactor

            return reactor
        return self.clock

    def stopTrying(self) -> None:
        """Make no further attempt, and break off the one being made."""
        self._no_pending()
        self.continueTrying = 0
        if self.connector is not None:
            try:
                self.connector.stopConnecting()
            except error.NotConnectingError:
                pass

    def resetDelay(self) -> None:
        """
        Count attempts from none, and let the next pause be the first again. A
        pause that has begun goes on.
        """
        self.delay = self.initialDelay
        self.retries = 0
        self.continueTrying = 1

    def __getstate__(self) -> dict[str, Any]:
        """A saved factory starts afresh: what belongs to this run stays out."""
        return {name: value for name, value in self.__dict__.items() if name not in self._unsaved}


class AbstractDatagramProtocol:
    """
    What every protocol over datagrams has.

    Attributes:
        transport: what to write to; None while there is no port.
        numPorts: how many ports use the protocol now.
        noisy: whether starting and stopping is logged.
    """

    transport: Any = None
    numPorts = 0
    noisy = True

    def makeConnection(self, transport: Any) -> None:
        """
        Take the port, then `doStart`.

        Raises:
            RuntimeError: the protocol has a port already.
        """
        if self.transport is not None:
            raise RuntimeError(
                f"{self!r} is at work on {self.transport!r}; make another protocol for this port"
            )
        self.transport = transport
        try:
            self.doStart()
        except BaseException:
            self.transport = None
            raise

    def doStart(self) -> None:
        """A port begins to use the protocol: calls `startProtocol`."""
        if self.numPorts == 0:
            if self.noisy:
                _log.info("Starting protocol %r", self)
            self.startProtocol()
        self.numPorts += 1

    def doStop(self) -> None:
        """The port is gone: calls `stopProtocol`, with no transport any more."""
        if self.numPorts == 0:
            return
        self.numPorts -= 1
        self.transport = None
        if self.numPorts == 0:
            if self.noisy:
                _log.info("Stopping protocol %r", self)
            self.stopProtocol()

    def startProtocol(self) -> None:
        """
        The port is bound, and datagrams may be written. For subclasses.

        What it raises closes the port, and goes to whoever asked for it.
        """

    def stopProtocol(self) -> None:
        """The port is gone; called last. For subclasses."""

    if TYPE_CHECKING:
        # A ConnectedDatagramProtocol's has no `addr`.
        datagramReceived: Callable[..., object]
    else:

        def datagramReceived(self, datagram: bytes, addr: Any) -> None:
            """
            A datagram came in; it may be empty. For subclasses.

            What it raises is reported, and the port goes on.

            Args:
                addr: where it came from. UDP: the host's IP address and the port, as
                    `transport.write` takes them. UNIX: the path of the socket, None
                    if it has none.
            """

    def __getstate__(self) -> dict[str, Any]:
        """A saved protocol has no port."""
        return {**self.__dict__, "transport": None}


@implementer(ILoggingContext)
class DatagramProtocol(AbstractDatagramProtocol):
    """A protocol over UDP, or over a UNIX datagram socket."""

    def logPrefix(self) -> str:
        """The name in logs: the class's own."""
        return self.__class__.__name__

    def connectionRefused(self) -> None:
        """
        Nothing listens where the port is connected to. For subclasses.

        It is the answer to an earlier datagram, and the port goes on.
        """


class ConnectedDatagramProtocol(DatagramProtocol):
    """
    A protocol over a UNIX datagram socket that talks to one other.

    UDP needs none: there `transport.connect` is all.
    """

    def datagramReceived(self, datagram: bytes) -> None:
        """A datagram came in from the peer; as `DatagramProtocol` otherwise. For subclasses."""

    def connectionFailed(self, failure: Failure) -> None:
        """
        There is no port, and there will be none. For subclasses.

        Args:
            failure: holds a `CannotListenError`, an OSError, or what
                `startProtocol` raised.
        """


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
