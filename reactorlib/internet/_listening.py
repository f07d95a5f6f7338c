"""Accepting connections: what ports of every kind share."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from functools import partial
from socket import socket as Socket
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet._connection import Origin, begin
from reactorlib.internet._delayed import check_delay
from reactorlib.internet._grace import Grace
from reactorlib.internet._listening_socket import ListeningSocket
from reactorlib.internet._second_names import ListeningNames
from reactorlib.internet._tls._settings import engine_for
from reactorlib.internet.address import from_sockname
from reactorlib.internet.defer import Deferred, succeed
from reactorlib.internet.interfaces import IListeningPort
from reactorlib.python._asyncio import loop_here
from reactorlib.python._report import note, report
from reactorlib.python.failure import Failure

if TYPE_CHECKING:
    from reactorlib._sansio.tls import TLSEngine
    from reactorlib.internet._connection import Connection
    from reactorlib.internet._reactor._core import LoopReactor
    from reactorlib.internet.address import AnyAddress

__all__ = ["StreamPort"]

_log = logging.getLogger("reactorlib.internet.tcp")

_new = object.__new__


@implementer(IListeningPort)
class StreamPort(ListeningNames):
    """
    Where connections are accepted.

    The socket is bound and listens from `startListening` on, so that nobody
    who connects is refused; connections are accepted once the loop runs.

    Args:
        factory: what makes a protocol for each connection.
        backlog: how many connections may wait to be accepted.
        reactor: whose it is; by default the one of the loop that runs.
        tls: a context factory, for TLS from the first byte.
        adopted: a socket that is bound and listens already.

    Attributes:
        factory, backlog: as asked for.
        connected: whether it listens.
        numberAccepted: how many connections it has accepted.
    """

    _connection: type[Connection]

    def __init__(
        self,
        factory: Any,
        backlog: int = 50,
        reactor: LoopReactor | None = None,
        tls: Any = None,
        adopted: Socket | None = None,
    ) -> None:
        from reactorlib.internet._current import current_reactor

        self.factory = factory
        self.backlog = backlog
        self.reactor = reactor or current_reactor()
        self.connected = False
        self.numberAccepted = 0
        self._tls = None if tls is None else partial(self._engine, tls)
        self._adopted = adopted
        #: What gives its connections time to end, for each stop that waits for that.
        self._graces: set[Grace] = set()
        self._socket: Socket | None = None
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
        self.reactor._must_be_in_its_thread()
        bound, self._adopted = self._adopted or self._bind(), None
        sock = ListeningSocket(bound.detach())
        host = from_sockname(sock.getsockname(), sock.family)
        tls = "" if self._tls is None else " (TLS)"
        try:
            note(_log, f"{_name(self.factory)}{tls} starting on {_place(host)!r}")
            self.factory.doStart()
        except BaseException:
            sock.close()
            self._unbind()
            raise
        self._socket = sock
        self._host = host
        self._handed_over = False
        self.connected = True
        self.reactor._ports.add(self)
        self.reactor._when_looping(lambda loop: self._start_serving(loop, sock))

    def _bind(self) -> Socket:
        """
        A socket that listens.

        Raises:
            CannotListenError: the address is in use, or not to be had.
        """
        raise NotImplementedError

    async def _create_server(
        self,
        loop: asyncio.AbstractEventLoop,
        factory: Callable[[], Connection],
        sock: Socket,
    ) -> asyncio.AbstractServer:
        """asyncio's server for the socket, which does not accept yet."""
        return await loop.create_server(
            factory, sock=sock, backlog=self.backlog, start_serving=False
        )

    def _unbind(self) -> None:
        """The socket is closed: take away what else it has left behind."""

    def _accepted(self, origin: Origin) -> Connection:
        number = self.numberAccepted
        self.numberAccepted = number + 1
        origin.factory = self.factory  # which may have been exchanged
        connection = _new(self._connection)
        begin(connection, origin, number)
        return connection

    def _engine(self, contextFactory: Any, connection: Connection) -> TLSEngine:
        return engine_for(contextFactory, False, connection=connection, factory=self.factory)

    def _start_serving(self, loop: asyncio.AbstractEventLoop, sock: Socket) -> None:
        if self._socket is sock:
            task = loop.create_task(self._serve(loop, sock))
            if self._server is None and not task.done():  # as is so after an eager start
                self._starting = task

    async def _serve(self, loop: asyncio.AbstractEventLoop, sock: Socket) -> None:
        self._handed_over = True
        try:
            # asyncio waits a turn after it has begun to accept. To stop at any
            # moment, we need the server before that.
            origin = Origin(self.factory, loop, tls=self._tls, port=self)
            server = await self._create_server(loop, partial(self._accepted, origin), sock)
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

    def stopListening(self, grace: float | None = None) -> Deferred[None]:
        """
        Accept no more. Connections that stand live on.

        Args:
            grace: seconds for these connections to end by themselves; those that
                are left are aborted. None lets them be.

        Returns:
            a Deferred that fires with None when the address is free and, if there
            is a `grace`, the last connection is gone. It has fired already where
            the port was not listening. Cancelled, it leaves the connections alone.
        """
        if grace is not None:
            check_delay(grace)
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
            closed.addErrback(lambda _: None)  # the loop ends, and the socket is closed
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
        closed.addCallback(lambda _: self._unbind())
        time = None if grace is None else Grace(self, grace)
        if time is not None:
            closed.addCallback(lambda _: time.arrivals()).addCallback(lambda _: time.ends())
        return self._waiting_for(closed.addCallback(self._stopped), time)

    def _waiting_for(self, stopped: Deferred[None], time: Grace | None) -> Deferred[None]:
        """A Deferred that fires as `stopped` does, which goes on when that is cancelled."""
        cancelled = False

        def cancel(_: object) -> None:
            nonlocal cancelled
            cancelled = True
            if time is not None:
                time.give_up()

        def tell(result: Failure | None) -> None:
            if not cancelled:
                waiting.callback(result)
            elif isinstance(result, Failure):
                report(_log, f"{self!r} could not stop in good order", result)

        waiting: Deferred[None] = Deferred(cancel)
        stopped.addBoth(tell)
        return waiting

    def _stopped(self, _: object) -> None:
        kind = "UNIX" if hasattr(self._host, "name") else "TCP" if self._tls is None else "TLS"
        note(_log, f"({kind} Port {_place(self._host)} Closed)")
        self.factory.doStop()

    def _connection_lost(self, connection: Connection, reason: Failure) -> None:
        for time in list(self._graces):
            time.lost(connection)

    @property
    def socket(self) -> Socket | None:
        """The socket that listens, to read and set its options; None while there is none."""
        return self._socket

    def getHost(self) -> AnyAddress:
        """Where it listens: the address really bound, its port never 0."""
        if self._host is None:
            raise error.NotListeningError
        return self._host

    def __repr__(self) -> str:
        where = f"on {self._where()}" if self.connected else "not listening"
        return (
            f"<{self.__class__.__module__}.{self.__class__.__name__} of {self.factory!r} {where}>"
        )

    def _where(self) -> object:
        """Where it listens, for `repr`."""
        raise NotImplementedError


def _stop_accepting(sock: Socket) -> asyncio.AbstractEventLoop | None:
    """
    Have a loop that accepts by watching the socket do so no more.

    What it has accepted in this turn becomes a connection in the next, and fails
    if the server is closed by then.

    Returns:
        the loop; None if it accepts in another way.
    """
    loop = loop_here()
    try:
        return loop if loop is not None and loop.remove_reader(sock) else None
    except (NotImplementedError, RuntimeError):
        return None


def _name(factory: Any) -> str:
    """A factory in logs."""
    named = getattr(factory, "logPrefix", None)
    return factory.__class__.__name__ if named is None else str(named())


def _place(host: Any) -> Any:
    """Where a port is, in logs: its number, or the path of its socket."""
    if hasattr(host, "name"):
        return "a socket without a name" if host.name is None else os.fsdecode(host.name)
    return getattr(host, "port", host)
