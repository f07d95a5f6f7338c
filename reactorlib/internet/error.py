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
    "AlreadyListened",
    "BadFileError",
    "BindError",
    "CannotListenError",
    "CertificateError",
    "ConnectBindError",
    "ConnectError",
    "ConnectInProgressError",
    "ConnectingCancelledError",
    "ConnectionAborted",
    "ConnectionClosed",
    "ConnectionDone",
    "ConnectionFdescWentAway",
    "ConnectionLost",
    "ConnectionRefusedError",
    "DNSLookupError",
    "FileDescriptorOverrun",
    "InvalidAddressError",
    "MessageLengthError",
    "MulticastJoinError",
    "NoProtocol",
    "NoRouteError",
    "NotConnectingError",
    "NotListeningError",
    "PeerVerifyError",
    "ProcessDone",
    "ProcessExitedAlready",
    "ProcessTerminated",
    "ReactorAlreadyInstalledError",
    "ReactorAlreadyRunning",
    "ReactorNotRestartable",
    "ReactorNotRunning",
    "SSLError",
    "ServiceNameUnknownError",
    "TCPTimedOutError",
    "TimeoutError",
    "UnknownHostError",
    "UnsupportedAddressFamily",
    "UnsupportedSocketType",
    "UserError",
    "VerifyError",
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


class MulticastJoinError(Exception):
    """A multicast group could not be joined, or left. Its arguments say why."""


class MessageLengthError(_Told, Exception):
    """A datagram is longer than the network takes."""

    MESSAGE = "Message is too long to send"


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

    def __init__(self, osError: object = None, string: object = "") -> None:
        super().__init__(*([string] if string else []))
        self.osError = osError

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.osError, *self.args), self.__dict__

    def __str__(self) -> str:
        parts = (self.osError or "", self.args[0] if self.args else "")
        return ": ".join([self.MESSAGE, *filter(None, map(str, parts))]) + "."


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


class SSLError(ConnectError):
    """The TLS library refused."""

    MESSAGE = "An SSL error occurred"


class VerifyError(_Told, Exception):
    """What the peer showed of itself could not be verified."""

    MESSAGE = "Could not verify something that was supposed to be signed"


class PeerVerifyError(VerifyError):
    """The peer showed no certificate that holds."""

    MESSAGE = "The peer rejected our verify error"


class CertificateError(Exception):
    """The peer's certificate is not for the host that was asked for."""

    MESSAGE = "We did not find a certificate where we expected to find one."


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
    number, *texts = (e.args if isinstance(e, Exception) else e) or (e,)
    if not isinstance(number, int):
        return ConnectError(string=" ".join(map(str, (number, *texts))) if texts else number)
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


class FileDescriptorOverrun(ConnectionLost):
    """
    More file descriptors were sent than bytes to carry them.

    Each descriptor given to `sendFileDescriptor` travels with at least one byte
    given to `write`.
    """

    MESSAGE = "A mis-use of IUNIXTransport.sendFileDescriptor caused the connection to be closed"


class ConnectionFdescWentAway(ConnectionLost):
    """The file descriptor of a connection was closed behind its back."""

    MESSAGE = "The file descriptor of the connection was closed elsewhere"


class ProcessDone(ConnectionDone):
    """
    A process has ended well, with exit code 0.

    Attributes:
        exitCode: 0.
        signal: None.
        status: what the operating system said (`os.waitpid`).
    """

    def __init__(self, status: int | None) -> None:
        Exception.__init__(self, "process finished with exit code 0")
        self.exitCode = 0
        self.signal = None
        self.status = status

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.status,)

    def __str__(self) -> str:
        return "process finished with exit code 0"


class ProcessTerminated(ConnectionLost):
    """
    A process has ended with another exit code than 0, or by a signal.

    Attributes:
        exitCode: its exit code; None if a signal ended it.
        signal: the signal that ended it, or None.
        status: what the operating system said (`os.waitpid`).
    """

    def __init__(
        self,
        exitCode: int | None = None,
        signal: int | None = None,
        status: int | None = None,
    ) -> None:
        self.exitCode = exitCode
        self.signal = signal
        self.status = status
        told = "process ended"
        if exitCode is not None:
            told += f" with exit code {exitCode}"
        if signal is not None:
            told += f" by signal {signal}"
        Exception.__init__(self, told)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.exitCode, self.signal, self.status)

    def __str__(self) -> str:
        return str(self.args[0])


class ProcessExitedAlready(Exception):
    """The process has ended, and takes no signal any more."""


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


class ReactorNotRestartable(RuntimeError):
    """Kept for programs that catch it: here a reactor can run again."""


class ReactorAlreadyInstalledError(AssertionError):
    """A reactor was made for a loop that has one."""


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


class UnsupportedAddressFamily(Exception):
    """A socket of this address family (AF_INET, AF_UNIX ...) cannot be used there."""


class UnsupportedSocketType(Exception):
    """A socket of this type (SOCK_STREAM, SOCK_DGRAM ...) cannot be used there."""


class AlreadyListened(Exception):
    """A file descriptor that can be listened on once was used before."""


class InvalidAddressError(ValueError):
    """
    An address is neither IPv4 nor IPv6, or not the one of the two that is wanted.

    Attributes:
        address: what was given.
        message: what is wrong with it.
    """

    def __init__(self, address: object, message: str) -> None:
        super().__init__(f"{address!r}: {message}")
        self.address = address
        self.message = message
