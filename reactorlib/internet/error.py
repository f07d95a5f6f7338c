"""
What can go wrong with the network: the exceptions, and the reasons why
connections are lost.

A reason arrives wrapped in a `Failure`, and its type says who ended the
connection: `ConnectionDone` the other side (or both), in an orderly way;
`ConnectionAborted` this side, without waiting; any other `ConnectionLost` the
network or a peer that broke off.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

__all__ = [
    "AlreadyCalled",
    "AlreadyCancelled",
    "BadFileError",
    "BindError",
    "CannotListenError",
    "ConnectBindError",
    "ConnectError",
    "ConnectInProgressError",
    "ConnectingCancelledError",
    "ConnectionAborted",
    "ConnectionClosed",
    "ConnectionDone",
    "ConnectionLost",
    "ConnectionRefusedError",
    "DNSLookupError",
    "NoProtocol",
    "NoRouteError",
    "NotConnectingError",
    "NotListeningError",
    "ReactorAlreadyRunning",
    "ReactorNotRunning",
    "ServiceNameUnknownError",
    "TCPTimedOutError",
    "TimeoutError",
    "UnknownHostError",
    "UserError",
    "getConnectError",
]


class _Told:
    """Mix-in: the text is `MESSAGE`, then the arguments, then a full stop."""

    MESSAGE = ""
    args: tuple[Any, ...]

    def __str__(self) -> str:
        details = " ".join(map(str, self.args))
        return f"{self.MESSAGE}: {details}." if details else f"{self.MESSAGE}."


class BindError(_Told, Exception):
    """A local address could not be bound."""

    MESSAGE = "An error occurred binding to an interface"


class CannotListenError(BindError):
    """
    A port could not be opened, at the call that asked for it.

    Attributes:
        interface: the interface asked for; None or empty for all of them.
        port: the port number, or the path of a UNIX socket.
        socketError: the OSError behind it.
    """

    def __init__(self, interface: str | None, port: int | str, socketError: OSError) -> None:
        super().__init__(interface, port, socketError)
        self.interface = interface
        self.port = port
        self.socketError = socketError

    def __str__(self) -> str:
        return f"Couldn't listen on {self.interface or 'any'}:{self.port}: {self.socketError}."


class DNSLookupError(_Told, OSError):
    """A host name could not be resolved."""

    MESSAGE = "DNS lookup failed"


class ConnectInProgressError(Exception):
    """A connector was asked to connect while it was connecting or connected."""


class ConnectError(_Told, Exception):
    """
    A connection could not be made.

    Attributes:
        osError: the OSError or error number behind it, if there is one.
    """

    MESSAGE = "An error occurred while connecting"

    def __init__(self, osError: object = None, string: str = "") -> None:
        super().__init__(*([string] if string else []))
        self.osError = osError

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.osError, *self.args), self.__dict__

    def __str__(self) -> str:
        details = [str(part) for part in (self.osError, self.args[0] if self.args else "") if part]
        return ": ".join([self.MESSAGE, *details]) + "."


class ConnectBindError(ConnectError):
    """The local address of an outgoing connection could not be bound."""

    MESSAGE = "Couldn't bind"


class UnknownHostError(ConnectError):
    """The host is not known."""

    MESSAGE = "Hostname couldn't be looked up"


class NoRouteError(ConnectError):
    """No route leads to the host."""

    MESSAGE = "No route to host"


class ConnectionRefusedError(ConnectError):
    """The host answered that nothing listens there."""

    MESSAGE = "Connection was refused by other side"


class TCPTimedOutError(ConnectError):
    """The operating system gave up on an answer."""

    MESSAGE = "TCP connection timed out"


class BadFileError(ConnectError):
    """The path of a UNIX socket is missing, or is something else."""

    MESSAGE = "File used for UNIX socket is no good"


class ServiceNameUnknownError(ConnectError):
    """A port was given by a service name that this host does not know."""

    MESSAGE = "Service name given as port is unknown"


class UserError(ConnectError):
    """The caller broke the attempt off."""

    MESSAGE = "User aborted connection"


class TimeoutError(UserError):
    """The caller's own time limit passed before the connection was made."""

    MESSAGE = "User timeout caused connection failure"


_CONNECT_ERRORS: dict[int, type[ConnectError]] = {
    errno.ENETUNREACH: NoRouteError,
    errno.EHOSTUNREACH: NoRouteError,
    errno.ECONNREFUSED: ConnectionRefusedError,
    errno.ETIMEDOUT: TCPTimedOutError,
    errno.ENOENT: BadFileError,
    errno.EADDRNOTAVAIL: ConnectBindError,
    errno.EADDRINUSE: ConnectBindError,
}


def getConnectError(e: OSError | tuple[int, str] | Exception) -> ConnectError:
    """The `ConnectError` that says what an operating system's error means."""
    if isinstance(e, OSError) and e.errno is None:
        return ConnectError(string=str(e))
    number, *texts = (e.args if isinstance(e, Exception) else e) or ("",)
    if not isinstance(number, int):
        return ConnectError(string=" ".join(map(str, (number, *texts))))
    text = str(texts[0]) if texts and texts[0] else os.strerror(number)
    if isinstance(e, socket.gaierror):
        return UnknownHostError(number, text)
    return _CONNECT_ERRORS.get(number, ConnectError)(number, text)


class ConnectionClosed(Exception):
    """A connection has ended, well or badly."""


class ConnectionLost(_Told, ConnectionClosed):
    """The connection broke: a reset, a time-out, an error here."""

    MESSAGE = "Connection to the other side was lost in a non-clean fashion"


class ConnectionAborted(ConnectionLost):
    """This side ended the connection at once, without sending what was queued."""

    MESSAGE = "Connection was aborted locally using ITCPTransport.abortConnection"


class ConnectionDone(_Told, ConnectionClosed):
    """The connection was closed in an orderly way."""

    MESSAGE = "Connection was closed cleanly"


class AlreadyCalled(_Told, ValueError):
    """A delayed call was changed after it had run."""

    MESSAGE = "Tried to cancel an already-called event"


class AlreadyCancelled(_Told, ValueError):
    """A delayed call was changed after it had been cancelled."""

    MESSAGE = "Tried to cancel an already-cancelled event"


class NotConnectingError(_Told, RuntimeError):
    """A connector was asked to stop an attempt that it was not making."""

    MESSAGE = "The Connector was not connecting when it was asked to stop connecting"


class NotListeningError(_Told, RuntimeError):
    """A port was asked to stop listening and was not listening."""

    MESSAGE = "The Port was not listening when it was asked to stop listening"


class ReactorNotRunning(RuntimeError):
    """The reactor does not run, or its loop is not the reactor's to stop."""


class ReactorAlreadyRunning(RuntimeError):
    """`run()` was called where a loop runs already."""


class ConnectingCancelledError(Exception):
    """
    What the Deferred of an endpoint's `connect()` fails with when it is
    cancelled before there is a connection.

    Attributes:
        address: where it was connecting to.
    """

    def __init__(self, address: object) -> None:
        super().__init__(address)
        self.address = address


class NoProtocol(Exception):
    """The factory that was to give a protocol for a new connection gave None."""
