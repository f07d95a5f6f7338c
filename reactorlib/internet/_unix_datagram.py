"""UNIX datagram sockets: messages that keep apart, to and from paths on this host."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet._datagram import BaseDatagramPort, no_datagram
from reactorlib.internet._socket_file import SocketFile
from reactorlib.internet.address import UNIXAddress
from reactorlib.internet.interfaces import (
    IListeningPort,
    ILoggingContext,
    ISystemHandle,
    IUNIXDatagramConnectedTransport,
    IUNIXDatagramTransport,
)
from reactorlib.python.failure import Failure

if TYPE_CHECKING:
    from reactorlib.internet._reactor._core import LoopReactor

    #: What names a UNIX socket.
    Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]

__all__ = ["ConnectedDatagramPort", "DatagramPort"]


#: The length of Linux's longest abstract name. uvloop, which is not told how long a
#: name is, fills it up with NULs to that.
_LONGEST = 108


class _UNIXDatagramPort(BaseDatagramPort):
    """What both kinds share: a socket with a path, or an abstract name, or none."""

    _kind = "UNIX"

    def __init__(
        self,
        addr: Path | None,
        proto: Any,
        maxPacketSize: int,
        mode: int,
        reactor: LoopReactor | None,
    ) -> None:
        super().__init__(None if addr is None else os.fspath(addr), proto, maxPacketSize, reactor)
        self.addressFamily = socket.AF_UNIX
        self.mode = mode
        self._file: SocketFile | None = None

    def _bind(self) -> socket.socket:
        path = self.port
        try:
            sock = socket.socket(self.addressFamily, self.socketType)
            try:
                sock.setblocking(False)
                if path:
                    sock.bind(path)
                    if path[:1] not in ("\0", b"\0"):
                        self._file = SocketFile(path)
                        os.chmod(path, self.mode)
            except BaseException:
                sock.close()
                self._unbind()
                raise
        except OSError as exception:
            raise error.CannotListenError(None, path, exception) from exception
        return sock

    def _unbind(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                file.remove()
            except OSError as exception:
                self._report(f"{os.fsdecode(self.port)!r} cannot be removed", exception)

    def _where(self) -> Any:
        return repr(self.port)

    def getHost(self) -> UNIXAddress:
        """Where it is; a socket with no path has the name None."""
        address: UNIXAddress = super().getHost()
        return address


@implementer(IListeningPort, IUNIXDatagramTransport, ILoggingContext, ISystemHandle)
class DatagramPort(_UNIXDatagramPort):
    """
    A UNIX datagram port: a protocol's transport, and what `listenUNIXDatagram` returns.

    Attributes:
        port: its path.
        mode: the permissions of the file.
    """

    def __init__(
        self,
        addr: Path | None,
        proto: Any,
        maxPacketSize: int = 8192,
        mode: int = 0o666,
        reactor: LoopReactor | None = None,
    ) -> None:
        super().__init__(addr, proto, maxPacketSize, mode, reactor)

    def _deliver(self, data: bytes, addr: Any) -> None:
        if type(addr) is bytes and len(addr) == _LONGEST:
            addr = addr.rstrip(b"\0")
        self.protocol.datagramReceived(data, addr or None)

    def write(self, datagram: bytes, address: Path) -> None:
        """
        Send a datagram now, or not at all. Does nothing once the port is closing.

        It is lost if the other socket has no room for it: whoever must not lose
        any has to wait for answers.

        Raises:
            MessageLengthError: the datagram is too long for the system.
            OSError: nobody listens at that path.
            TypeError: the datagram is text, or anything else that is not bytes.
        """
        sock = self.socket
        if sock is None or self._stopping:
            return
        try:
            sock.sendto(datagram, os.fspath(address))
        except OSError as exception:
            self._not_sent(datagram, exception)
        except TypeError as exception:
            raise no_datagram(datagram, exception) from None


@implementer(IListeningPort, IUNIXDatagramConnectedTransport, ILoggingContext, ISystemHandle)
class ConnectedDatagramPort(_UNIXDatagramPort):
    """
    A UNIX datagram socket that talks to one other; what `connectUNIXDatagram` returns.

    Attributes:
        remoteaddr: the path of the other.
        port: its own path, None if it has none.
        mode: the permissions of its own file.
    """

    _to_one = True

    def __init__(
        self,
        addr: Path,
        proto: Any,
        maxPacketSize: int = 8192,
        mode: int = 0o666,
        bindAddress: Path | None = None,
        reactor: LoopReactor | None = None,
    ) -> None:
        super().__init__(bindAddress, proto, maxPacketSize, mode, reactor)
        self.remoteaddr = os.fspath(addr)

    def startListening(self) -> None:
        """
        Connect, and tell the protocol.

        What goes wrong, in `startProtocol` too, goes to the protocol's
        `connectionFailed`, and there is no port.
        """
        try:
            super().startListening()
        except Exception as exception:
            self.protocol.connectionFailed(Failure(exception))

    def _bind(self) -> socket.socket:
        sock = super()._bind()
        try:
            sock.connect(self.remoteaddr)
        except BaseException:
            sock.close()
            self._unbind()
            raise
        return sock

    def _deliver(self, data: bytes, addr: Any) -> None:
        self.protocol.datagramReceived(data)

    def write(self, data: bytes) -> None:
        """
        Send a datagram to the peer now, or not at all. Does nothing once the
        port is closing.

        It is lost if the peer has no room for it. If there is no peer any more,
        `connectionRefused` is called.

        Raises:
            MessageLengthError: the datagram is too long for the system.
            TypeError: the datagram is text, or anything else that is not bytes.
        """
        sock = self.socket
        if sock is None or self._stopping:
            return
        try:
            sock.send(data)
        except OSError as exception:
            self._not_sent(data, exception)
        except TypeError as exception:
            raise no_datagram(data, exception) from None

    def getPeer(self) -> UNIXAddress:
        """Where the other end is."""
        return UNIXAddress(self.remoteaddr)
