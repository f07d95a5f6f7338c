"""Making connections: what connectors of every kind share."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet._connection import Builder, Origin
from reactorlib.internet._tls._settings import engine_for
from reactorlib.internet._turn import turn_of
from reactorlib.internet.interfaces import IConnector
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

if TYPE_CHECKING:
    from reactorlib._sansio.tls import TLSEngine
    from reactorlib.internet._connection import Connection
    from reactorlib.internet._reactor._core import LoopReactor
    from reactorlib.internet.address import AnyAddress

__all__ = ["StreamConnector"]

_log = logging.getLogger("reactorlib.internet.tcp")


@implementer(IConnector)
class StreamConnector:
    """
    An outgoing connection: made, or to be made, again if need be.

    Args:
        factory: what makes the protocol, and is told how attempts end.
        timeout: seconds for an attempt; None for as long as the system tries.
        reactor: whose it is.
        tls: a context factory, for TLS from the first byte.

    Attributes:
        factory, timeout, reactor: as given.
        state: "disconnected", "connecting" or "connected".
        transport: the connection while there is one.
    """

    _connection: type[Connection]

    def __init__(
        self, factory: Any, timeout: float | None, reactor: LoopReactor, tls: Any = None
    ) -> None:
        self.factory = factory
        self.timeout = timeout
        self.reactor = reactor
        self.state = "disconnected"
        self.transport: Connection | None = None
        self._tls = None if tls is None else partial(self._engine, tls)
        self._factory_started = False
        #: What tells this attempt from others, and the task that makes it.
        self._attempt: object | None = None
        self._task: asyncio.Task[None] | None = None

    def _engine(self, contextFactory: Any, connection: Connection) -> TLSEngine:
        return engine_for(
            contextFactory,
            True,
            connection=connection,
            factory=self.factory,
            hostname=self._hostname(),
        )

    def _hostname(self) -> str | None:
        """Whom the peer's certificate has to be for, if its settings do not say."""
        return None

    def connect(self) -> None:
        """
        Try, or try again.

        Raises:
            ConnectInProgressError: it is connecting or connected.
        """
        if self.state != "disconnected":
            raise error.ConnectInProgressError(f"cannot connect while {self.state}")
        self.reactor._must_be_in_its_thread()
        if not self._factory_started:
            self.factory.doStart()
            self._factory_started = True
        self.state = "connecting"
        self.reactor._connectors.add(self)
        try:
            self.factory.startedConnecting(self)
        except BaseException:
            self.forget()
            raise
        self.reactor._when_looping(self._begin)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        if self.state != "connecting" or self._attempt is not None:
            return
        if turn_of(loop).ending:
            return  # whoever closes everything breaks it off
        attempt = self._attempt = object()
        task = loop.create_task(self._try(loop, attempt))
        if self._attempt is attempt:  # an eager task may be over already
            self._task = task

    async def _try(self, loop: asyncio.AbstractEventLoop, attempt: object) -> None:
        def build(address: Any) -> Any:
            if self._attempt is not attempt:
                return None  # stopped at the last moment
            self._attempt = self._task = None
            self.state = "connected"
            self.transport = connection
            self.reactor._connectors.discard(self)
            return self.factory.buildProtocol(address)

        def lost(_: object, reason: Failure) -> None:
            if self.transport is connection:
                self._connection_lost(reason)
            elif self._attempt is attempt:
                self._failed(_never_begun(reason.value))

        origin = Origin(Builder(build), loop, lost=lost, tls=self._tls, client=True)
        connection = self._connection(origin)
        failed: Exception
        try:
            async with asyncio.timeout(self.timeout):
                sock = await self._connected_socket(loop)
            # From here on stopConnecting() has its effect in build().
            self._task = None
            with lent(sock):
                await self._open(loop, connection, sock)
            return
        except asyncio.CancelledError:
            if self._attempt is attempt:
                # Not by stopConnecting(): the loop is ending.
                self._failed(error.UserError(string="the loop ended"))
            raise
        except (error.ConnectError, error.DNSLookupError) as exception:
            failed = exception
        except OSError as exception:
            if isinstance(exception, TimeoutError) and exception.errno is None:
                failed = error.TimeoutError()
            else:
                failed = _connect_error(exception)
                failed.__cause__ = exception
        except Exception as exception:
            failed = _because_of(exception)
        if self._attempt is attempt:
            self._failed(failed)

    async def _connected_socket(self, loop: asyncio.AbstractEventLoop) -> socket.socket:
        """
        A socket that is connected to where this is to connect to.

        Raises:
            OSError, ConnectError, DNSLookupError: it cannot be had.
        """
        raise NotImplementedError

    async def _open(
        self, loop: asyncio.AbstractEventLoop, connection: Connection, sock: socket.socket
    ) -> None:
        """Give the loop the socket, for the connection."""
        await loop.create_connection(lambda: connection, sock=sock)

    def _connection_lost(self, reason: Failure) -> None:
        self._ended()
        self._tell(self.factory.clientConnectionLost, self, reason)
        self._stop_factory()

    def _failed(self, exception: Exception) -> None:
        self._ended()
        self._tell(self.factory.clientConnectionFailed, self, Failure(exception))
        self._stop_factory()

    def forget(self) -> None:
        """There is no attempt any more, and the factory is not told."""
        self._ended()
        self._stop_factory()

    def _ended(self) -> None:
        self.state = "disconnected"
        self.transport = self._attempt = self._task = None
        self.reactor._connectors.discard(self)

    def _stop_factory(self) -> None:
        """The factory has been told; unless it tries again, it is done with."""
        if self.state == "disconnected" and self._factory_started:
            self._factory_started = False
            self._tell(self.factory.doStop)

    def _tell(self, hook: Callable[..., object], *args: object) -> None:
        """Call the factory; an error there is reported, and changes nothing here."""
        try:
            hook(*args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exception:
            report(_log, f"{hook!r} failed", Failure(exception))

    def stopConnecting(self) -> None:
        """
        Break the attempt off; `clientConnectionFailed` gets a `UserError`.

        Raises:
            NotConnectingError: there is no attempt.
        """
        if self.state != "connecting":
            raise error.NotConnectingError
        task = self._task
        self._attempt = self._task = None
        if task is not None:
            task.cancel()
        self._failed(error.UserError())

    def disconnect(self) -> None:
        """Break off whatever there is: the attempt, or the connection."""
        if self.state == "connecting":
            self.stopConnecting()
        elif self.transport is not None:
            self.transport.loseConnection()

    def getDestination(self) -> AnyAddress:
        """Where it connects to, as asked for."""
        raise NotImplementedError


def _connect_error(exception: OSError) -> error.ConnectError:
    if isinstance(exception, socket.gaierror) or exception.errno is None:
        return error.getConnectError(exception)
    # Not the exception's own text, in which loops differ.
    return error.getConnectError((exception.errno, os.strerror(exception.errno)))


def _because_of(exception: BaseException) -> error.ConnectError:
    """What to say where something has failed that is not the network."""
    failed = error.ConnectError(string=f"{type(exception).__name__}: {exception}")
    failed.__cause__ = exception
    return failed


def _never_begun(why: BaseException) -> error.ConnectError:
    """The same where the connection has ended before there was anything to build for."""
    if isinstance(why, error.ConnectionClosed):  # the peer has reset it
        return error.ConnectError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
    return _because_of(why)


@contextlib.contextmanager
def lent(sock: socket.socket) -> Iterator[None]:
    """
    Give the loop a socket in the body of this.

    uvloop may close the file meanwhile without the socket object's knowledge. That
    must not close whatever has its number by then.
    """
    file = _file(sock)
    try:
        yield
    finally:
        if sock.fileno() >= 0 and _file(sock) != file:
            sock.detach()


def _file(sock: socket.socket) -> int | None:
    """What tells the file behind the socket object from others; None if there is none."""
    try:
        return os.fstat(sock.fileno()).st_ino
    except OSError:
        return None
