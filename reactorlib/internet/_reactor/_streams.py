"""The reactor's streams: TCP, with TLS or without, UNIX sockets, and sockets made elsewhere."""

from __future__ import annotations

import asyncio
import itertools
import socket
from typing import Any, TypeVar

from zope.interface import implementer

from reactorlib.internet import error, tcp, unix
from reactorlib.internet._adopting import adopt
from reactorlib.internet._connecting import lent
from reactorlib.internet._connection import Origin
from reactorlib.internet._listening import StreamPort
from reactorlib.internet._reactor._core import LoopReactor
from reactorlib.internet._tcp_connection import TCPConnection
from reactorlib.internet._tls._settings import check_settings
from reactorlib.internet._unix_connection import UNIXConnection
from reactorlib.internet.interfaces import IReactorSSL, IReactorTCP, IReactorUNIX

__all__ = ["StreamReactor"]

_Port = TypeVar("_Port", bound=StreamPort)

#: What connections that somebody else has accepted are numbered with.
_adopted = itertools.count()


@implementer(IReactorTCP, IReactorSSL, IReactorUNIX)
class StreamReactor(LoopReactor):
    """Makes ports that accept connections, and connectors that make them."""

    # -- TCP ------------------------------------------------------------------

    def listenTCP(
        self, port: int | tcp.Binding, factory: Any, backlog: int = 50, interface: str = ""
    ) -> tcp.Port:
        """Accept connections at a port, bound before this returns; see `IReactorTCP`."""
        return _listening(tcp.Port(port, factory, backlog, interface, self))

    def connectTCP(
        self,
        host: str,
        port: int | str,
        factory: Any,
        timeout: float | None = 30,
        bindAddress: tuple[str, int] | tcp.Binding | None = None,
    ) -> tcp.Connector:
        """Connect to a host; see `IReactorTCP`."""
        connector = tcp.Connector(host, port, factory, timeout, bindAddress, self)
        connector.connect()
        return connector

    # -- TLS ------------------------------------------------------------------

    def listenSSL(
        self, port: int, factory: Any, contextFactory: Any, backlog: int = 50, interface: str = ""
    ) -> tcp.Port:
        """Accept connections that speak TLS from the first byte; see `IReactorSSL`."""
        check_settings(contextFactory, False)
        return _listening(tcp.Port(port, factory, backlog, interface, self, contextFactory))

    def connectSSL(
        self,
        host: str,
        port: int | str,
        factory: Any,
        contextFactory: Any,
        timeout: float | None = 30,
        bindAddress: tuple[str, int] | tcp.Binding | None = None,
    ) -> tcp.Connector:
        """Connect to a host, and speak TLS from the first byte; see `IReactorSSL`."""
        check_settings(contextFactory, True, host)
        connector = tcp.Connector(host, port, factory, timeout, bindAddress, self, contextFactory)
        connector.connect()
        return connector

    # -- UNIX sockets ---------------------------------------------------------

    def listenUNIX(
        self,
        address: Any,
        factory: Any,
        backlog: int = 50,
        mode: int | None = 0o666,
        wantPID: bool = False,
    ) -> unix.Port:
        """Accept connections at a path, bound before this returns; see `IReactorUNIX`."""
        return _listening(unix.Port(address, factory, backlog, mode, self, wantPID))

    def connectUNIX(
        self,
        address: Any,
        factory: Any,
        timeout: float | None = 30,
        checkPID: bool = False,
    ) -> unix.Connector:
        """Connect to a UNIX socket; see `IReactorUNIX`."""
        connector = unix.Connector(address, factory, timeout, self, checkPID)
        connector.connect()
        return connector

    # -- sockets made elsewhere -----------------------------------------------

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: int, factory: Any) -> StreamPort:
        """
        Accept connections at a socket that somebody else has bound, as a service
        manager does. The descriptor is duplicated; the caller may close its own.

        Raises:
            UnsupportedAddressFamily: `addressFamily` is neither AF_INET, AF_INET6 nor
                AF_UNIX, or not the socket's own.
            UnsupportedSocketType: it is no stream socket, or does not listen.
            OSError: it is no socket.
        """
        sock = _adopt(fileDescriptor, addressFamily, listens=True)
        if addressFamily == socket.AF_UNIX:
            name = sock.getsockname() or b"\0unnamed"
            return _listening(unix.Port(name, factory, reactor=self, adopted=sock))
        interface, number = sock.getsockname()[:2]
        return _listening(
            tcp.Port(number, factory, interface=interface, reactor=self, adopted=sock)
        )

    def adoptStreamConnection(self, fileDescriptor: int, addressFamily: int, factory: Any) -> None:
        """
        Take a connection that somebody else has accepted. The descriptor is
        duplicated; `factory` builds the protocol once the loop has taken it.

        Raises:
            UnsupportedAddressFamily, UnsupportedSocketType, OSError: as `adoptStreamPort`,
                but it must not listen.
        """
        sock = _adopt(fileDescriptor, addressFamily, listens=False)
        over_unix = addressFamily == socket.AF_UNIX
        kind = UNIXConnection if over_unix else TCPConnection

        def begin(loop: asyncio.AbstractEventLoop) -> None:
            connection = kind(Origin(factory, loop), next(_adopted))
            opening = loop.create_task(_take(loop, connection, sock))
            self._tasks.add(opening)
            opening.add_done_callback(self._tasks.discard)

        self._when_looping(begin)


async def _take(loop: asyncio.AbstractEventLoop, connection: Any, sock: socket.socket) -> None:
    """Give an accepted socket to the loop."""
    try:
        with lent(sock):
            await loop.connect_accepted_socket(lambda: connection, sock)
    except BaseException:
        sock.close()
        raise


def _listening(port: _Port) -> _Port:
    port.startListening()
    return port


def _adopt(descriptor: int, family: int, listens: bool) -> socket.socket:
    """A stream socket of our own over a duplicate of somebody's descriptor."""
    families = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX
    sock = adopt(descriptor, family, socket.SOCK_STREAM, families)
    try:
        if listens != sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            wrong = "does not listen, so it is no port" if listens else "listens, so it is a port"
            raise error.UnsupportedSocketType(f"descriptor {descriptor} is a socket that {wrong}")
    except BaseException:
        sock.close()
        raise
    return sock
