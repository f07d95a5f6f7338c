"""UNIX sockets, and sockets that somebody else has made."""

from __future__ import annotations

from typing import Any

from zope.interface import Interface

from reactorlib.internet.interfaces._streams import (
    IConnector,
    IListeningPort,
    ITransport,
)


class IUNIXTransport(ITransport):
    """A connection over a UNIX socket."""

    def sendFileDescriptor(descriptor: int) -> None:
        """
        Send a file descriptor; it is duplicated, and may be closed once it has left.

        It travels with the next byte written, so at least one byte has to be
        written for each descriptor.
        """


class IFileDescriptorReceiver(Interface):
    """A protocol that takes file descriptors."""

    def fileDescriptorReceived(descriptor: int) -> None:
        """
        A file descriptor came in. It is the protocol's own from now on, to close
        it in the end; it is not inherited by child processes.
        """


class IReactorUNIX(Interface):
    """UNIX stream sockets, to and fro."""

    def connectUNIX(
        address: str | bytes, factory: Any, timeout: float | None = 30, checkPID: bool = False
    ) -> IConnector:
        """
        Connect to a UNIX socket.

        Args:
            address: its path; an abstract name begins with a NUL.
            timeout: seconds after which the attempt fails.
            checkPID: whether to look at the lock file beside the path first, and
                fail at once if nobody holds it.
        """

    def listenUNIX(
        address: str | bytes,
        factory: Any,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: bool = False,
    ) -> IListeningPort:
        """
        Accept connections at a path.

        Args:
            address: the path; an abstract name begins with a NUL.
            mode: the permissions of the file.
            wantPID: whether to hold a lock file beside the path, and to take a
                socket that a dead process has left behind.

        Raises:
            CannotListenError: the path is in use, or not to be had.
        """


class IReactorSocket(Interface):
    """Sockets made elsewhere, as by a service manager; the descriptors are duplicated."""

    def adoptStreamPort(fileDescriptor: int, addressFamily: int, factory: Any) -> IListeningPort:
        """Accept connections at a socket that listens already."""

    def adoptStreamConnection(fileDescriptor: int, addressFamily: int, factory: Any) -> Any:
        """Take a connection that stands already."""

    def adoptDatagramPort(
        fileDescriptor: int, addressFamily: int, protocol: Any, maxPacketSize: int = 8192
    ) -> IListeningPort:
        """Take a datagram socket that is bound already."""
