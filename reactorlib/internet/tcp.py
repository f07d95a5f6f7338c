"""Listening and connecting over TCP."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet._connection import Connection
from reactorlib.internet.address import IPv4Address, IPv6Address, from_sockname
from reactorlib.internet.defer import Deferred, succeed
from reactorlib.internet.interfaces import IConnector, IListeningPort
from reactorlib.python._asyncio import running_loop
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

if TYPE_CHECKING:
    from reactorlib.internet._reactor._core import LoopReactor
    from reactorlib.internet.address import AnyAddress

__all__ = ["Connector", "Port"]

_log = logging.getLogger("reactorlib.internet.tcp")


def check_port(port: object) -> int:
    """
    Return a port number as an int.

    Raises:
        TypeError, ValueError: it is no number, or out of range.
    """
    if isinstance(port, bool) or not isinstance(port, int):
        raise TypeError(f"a TCP port is a number, not {port!r}")
    if not 0 <= port <= 65535:
        raise ValueError(f"a TCP port is a number from 0 to 65535, not {port}")
    return port


@implementer(IListeningPort)
class Port:
    """
    A TCP port that accepts connections.

    The socket is bound and listens from `startListening` on, so that nobody
    who connects is refused; connections are accepted once the loop runs.

    Attributes:
        port, interface, backlog: as asked for.
        factory: what makes a protocol for each connection.
        connected: whether it listens.
    """

    def __init__(
        self,
        port: int,
        factory: Any,
        backlog: int = 50,
        interface: str = "",
        reactor: LoopReactor | None = None,
    ) -> None:
        from reactorlib.internet._current import current_reactor

        self.port = check_port(port)
        self.factory = factory
        self.backlog = backlog
        self.interface = interface or ""
        self.reactor = reactor or current_reactor()
        self.connected = False
        self._socket: socket.socket | None = None
        self._host: AnyAddress | None = None
        self._server: asyncio.AbstractServer | None = None
        self._starting: asyncio.Task[None] | None = None
        self._handed_over = False  # whether asyncio has been given the socket

    def startListening(self) -> None:
        """
        Bind and listen, at once.

        Raises:
            CannotListenError: the address is in use, or not to be had.
        """
        if self.connected:
            return
        sock = self._bind()
        try:
            self.factory.doStart()
        except BaseException:
            sock.close()
            raise
        self._socket = sock
        self._host = from_sockname(sock.getsockname(), sock.family)
        self._handed_over = False
        self.connected = True
        self.reactor._ports.add(self)
        self.reactor._when_looping(lambda loop: self._start_serving(loop, sock))

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.interface else socket.AF_INET
        try:
            # With its protocol named: asyncio looks at that before it sets TCP_NODELAY.
            sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        except OSError as exception:
            raise error.CannotListenError(self.interface, self.port, exception) from exception
        try:
            sock.setblocking(False)
            if os.name == "posix" and sys.platform != "cygwin":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self.interface, self.port))
            sock.listen(self.backlog)
        except OSError as exception:
            sock.close()
            raise error.CannotListenError(self.interface, self.port, exception) from exception
        return sock

    def _start_serving(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        if self._socket is sock:
            task = loop.create_task(self._serve(loop, sock))
            if self._server is None and not task.done():  # as is so after an eager start
                self._starting = task

    async def _serve(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        self._handed_over = True
        try:
            # asyncio waits a turn after it has begun to accept. To stop at any
            # moment, we need the server before that.
            server = await loop.create_server(
                lambda: Connection(self.factory.buildProtocol, loop),
                sock=sock,
                backlog=self.backlog,
                start_serving=False,
            )
            if self._socket is not sock:
                server.close()  # stopped meanwhile
                return
            self._server = server
            self._starting = None
            await server.start_serving()
        except BaseException as exception:
            sock.close()
            if self._socket is sock:
                self._starting = None
                self.stopListening()
            if not isinstance(exception, Exception):
                raise
            report(_log, f"{self!r} cannot accept connections", Failure(exception))

    def stopListening(self) -> Deferred[None]:
        """
        Accept no more. Connections that stand live on.

        Returns:
            a Deferred that fires with None when the address is free. It has
            fired already where the port was not listening.
        """
        if not self.connected:
            return succeed(None)
        self.connected = False
        self.reactor._ports.discard(self)
        sock, self._socket = self._socket, None
        server, self._server = self._server, None
        starting, self._starting = self._starting, None
        assert sock is not None
        if starting is not None and not self._handed_over:
            starting.cancel()
            starting = None
        closed: Deferred[None]
        if starting is not None:
            # asyncio is half-way through taking the socket: it has to finish first.
            closed = Deferred.fromFuture(starting)
        elif server is None:
            sock.close()
            closed = succeed(None)
        elif (loop := _stop_accepting(sock)) is not None:
            closed = Deferred()
            closed.addCallback(lambda _: server.close())  # and the socket with it
            loop.call_soon(closed.callback, None)
        else:
            server.close()
            closed = succeed(None)
        return closed.addCallback(lambda _: self.factory.doStop())

    def loseConnection(self, connDone: object = None) -> Deferred[None]:
        """The same as `stopListening`."""
        return self.stopListening()

    def getHost(self) -> AnyAddress:
        """Where it listens: the address really bound, its port never 0."""
        if self._host is None:
            raise error.NotListeningError
        return self._host

    def __repr__(self) -> str:
        where = f"on {getattr(self._host, 'port', '?')}" if self.connected else "not listening"
        return f"<{self.__class__.__module__}.Port of {self.factory!r} {where}>"


@implementer(IConnector)
class Connector:
    """
    An outgoing connection: made, or to be made, again if need be.

    Attributes:
        host, port, timeout, bindAddress: as asked for.
        factory: what makes the protocol, and is told how attempts end.
        state: "disconnected", "connecting" or "connected".
        transport: the connection while there is one.
    """

    def __init__(
        self,
        host: str,
        port: int | str,
        factory: Any,
        timeout: float | None,
        bindAddress: tuple[str, int] | None,
        reactor: LoopReactor,
    ) -> None:
        if isinstance(port, str):
            try:
                port = socket.getservbyname(port, "tcp")
            except OSError as exception:
                raise error.ServiceNameUnknownError(string=f"{exception} ({port!r})") from exception
        self.host = host
        self.port = check_port(port)
        self.factory = factory
        self.timeout = timeout
        self.bindAddress = bindAddress
        self.reactor = reactor
        self.state = "disconnected"
        self.transport: Connection | None = None
        self._factory_started = False
        #: What tells this attempt from others, and the task that makes it.
        self._attempt: object | None = None
        self._task: asyncio.Task[None] | None = None

    def connect(self) -> None:
        """
        Try, or try again.

        Raises:
            ConnectInProgressError: it is connecting or connected.
        """
        if self.state != "disconnected":
            raise error.ConnectInProgressError(f"cannot connect while {self.state}")
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
        if self.state != "connecting" or self._attempt is not None or self.reactor._closing:
            return
        attempt = self._attempt = object()
        task = loop.create_task(self._try(loop, attempt))
        if self._attempt is attempt:  # an eager task may be over already
            self._task = task

    async def _try(self, loop: asyncio.AbstractEventLoop, attempt: object) -> None:
        gone = False

        def build(address: Any) -> Any:
            if self._attempt is not attempt:
                return None  # stopped at the last moment
            self._attempt = self._task = None
            self.state = "connected"
            self.transport = connection
            self.reactor._connectors.discard(self)
            return self.factory.buildProtocol(address)

        def lost(reason: Failure) -> None:
            nonlocal gone
            gone = True
            if self.transport is connection:
                self._connection_lost(reason)
            elif self._attempt is attempt:
                # The peer has reset it before there was anything to build for.
                self._failed(error.ConnectError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))

        connection = Connection(build, loop, lost)
        failed: Exception
        try:
            async with asyncio.timeout(self.timeout):
                sock = await self._connected_socket(loop)
            # From here on stopConnecting() has its effect in build().
            self._task = None
            try:
                await loop.create_connection(lambda: connection, sock=sock)
            except BaseException:
                gone = not _is_open(sock)
                raise
            finally:
                if gone and sock.fileno() >= 0:
                    # uvloop has closed the file. The socket object must not close
                    # whatever has its number by now.
                    sock.detach()
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
                failed = error.getConnectError(exception)
                failed.__cause__ = exception
        except Exception as exception:
            failed = error.ConnectError(string=f"{type(exception).__name__}: {exception}")
            failed.__cause__ = exception
        if self._attempt is attempt:
            self._failed(failed)

    async def _connected_socket(self, loop: asyncio.AbstractEventLoop) -> socket.socket:
        """A socket connected to the first address of the host that answers."""
        failure: OSError = error.DNSLookupError(f"no address for {self.host!r}")
        for family, kind, proto, _, address in await self._addresses(loop):
            try:
                sock = socket.socket(family, kind, proto)
            except OSError as exception:
                failure = exception  # a family that this host lacks
                continue
            try:
                sock.setblocking(False)
                if self.bindAddress is not None:
                    self._bind(sock)
                await loop.sock_connect(sock, address)
            except OSError as exception:
                sock.close()
                failure = exception
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise failure

    def _bind(self, sock: socket.socket) -> None:
        assert self.bindAddress is not None
        try:
            sock.bind(self.bindAddress)
        except OSError as exception:
            raise error.ConnectBindError(
                exception.errno, f"{exception.strerror} for {self.bindAddress!r}"
            ) from exception

    async def _addresses(self, loop: asyncio.AbstractEventLoop) -> list[Any]:
        try:
            try:
                # A literal address needs no resolver, and so no thread.
                return socket.getaddrinfo(
                    self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
                )
            except socket.gaierror:
                return await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as exception:
            raise error.DNSLookupError(f"{self.host!r}: {exception}") from exception

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

    def getDestination(self) -> IPv4Address | IPv6Address:
        """Where it connects to, as asked for: `host` may be a name."""
        if ":" in self.host:
            return IPv6Address("TCP", self.host, self.port)
        return IPv4Address("TCP", self.host, self.port)

    def __repr__(self) -> str:
        where = self.getDestination()
        return f"<{self.__class__.__module__}.Connector to {where.host}:{where.port}, {self.state}>"


def _stop_accepting(sock: socket.socket) -> asyncio.AbstractEventLoop | None:
    """
    Have a loop that accepts by watching the socket do so no more.

    What it has accepted in this turn becomes a connection in the next, and fails
    if the server is closed by then.

    Returns:
        the loop; None if it accepts in another way.
    """
    loop = running_loop()
    try:
        return loop if loop is not None and loop.remove_reader(sock) else None
    except (NotImplementedError, RuntimeError):
        return None


def _is_open(sock: socket.socket) -> bool:
    """Whether there is a file behind the socket object."""
    try:
        os.fstat(sock.fileno())
    except OSError:
        return False
    return True
