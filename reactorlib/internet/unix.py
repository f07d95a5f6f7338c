"""Listening and connecting over UNIX sockets: streams; and datagrams, from `_unix_datagram`."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from reactorlib.internet import error
from reactorlib.internet._connecting import StreamConnector
from reactorlib.internet._listening import StreamPort
from reactorlib.internet._socket_file import SocketFile
from reactorlib.internet._unix_connection import UNIXConnection
from reactorlib.internet._unix_datagram import ConnectedDatagramPort, DatagramPort
from reactorlib.internet.address import UNIXAddress
from reactorlib.python.lockfile import FilesystemLock, isLocked

if TYPE_CHECKING:
    from reactorlib.internet._connection import Connection
    from reactorlib.internet._reactor._core import LoopReactor

__all__ = ["ConnectedDatagramPort", "Connector", "DatagramPort", "Port"]

_Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]


def _check_path(path: object) -> bytes:
    """
    Return the path of a UNIX socket as bytes.

    Raises:
        TypeError, ValueError: it is none.
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(f"a UNIX socket's address is a path, not {path!r}")
    name = os.fsencode(path)
    if not name:
        raise ValueError("a UNIX socket's address is a path, and this one is empty")
    if b"\0" in name[1:]:
        raise ValueError(f"a path cannot have a NUL byte in it: {path!r}")
    return name


class Port(StreamPort):
    """
    A UNIX socket that accepts connections.

    Args:
        fileName: its path; an abstract name begins with a NUL.
        factory: what makes a protocol for each connection.
        backlog: how many connections may wait to be accepted.
        mode: the permissions of the file.
        reactor: whose it is; by default the one of the loop that runs.
        wantPID: whether to hold a lock file beside the path, and to take a socket
            that a dead process has left behind.
        adopted: a socket that is bound and listens already. Its file is not ours
            to take away.

    Attributes:
        port, mode, wantPID: as asked for; `port` is the path.
    """

    _connection = UNIXConnection

    def __init__(
        self,
        fileName: _Path,
        factory: Any,
        backlog: int = 50,
        mode: int | None = 0o666,
        reactor: LoopReactor | None = None,
        wantPID: bool = False,
        adopted: socket.socket | None = None,
    ) -> None:
        super().__init__(factory, backlog, reactor, adopted=adopted)
        self._path = _check_path(fileName)
        self.port = fileName
        self.mode = mode
        self.wantPID = wantPID
        self._lock: FilesystemLock | None = None
        self._file: SocketFile | None = None

    @property
    def _in_file_system(self) -> bool:
        return not self._path.startswith(b"\0")

    def _bind(self) -> socket.socket:
        sock: socket.socket | None = None
        try:
            if self.wantPID and self._in_file_system:
                self._take_lock()
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.setblocking(False)
            sock.bind(self._path)
            if self._in_file_system:
                self._file = SocketFile(self._path)
                if self.mode is not None:
                    os.chmod(self._path, self.mode)  # bytes
            sock.listen(self.backlog)
        except BaseException as exception:
            if sock is not None:
                sock.close()
            self._unbind()
            if isinstance(exception, OSError):
                name = os.fsdecode(self._path)
                raise error.CannotListenError(None, name, exception) from exception
            raise
        return sock

    def _take_lock(self) -> None:
        name = os.fsdecode(self._path)
        lock = FilesystemLock(name + ".lock")
        if not lock.lock():
            in_use = OSError(errno.EADDRINUSE, "another process holds its lock file")
            raise error.CannotListenError(None, name, in_use)
        self._lock = lock
        if not lock.clean:
            # Its last owner died, and cannot have taken the socket away.
            try:
                os.unlink(self._path)
            except FileNotFoundError:
                pass

    def _give_lock(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            try:
                lock.unlock()
            except (OSError, ValueError):
                pass  # somebody has taken it away, or has it now

    def _unlink(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.remove()

    def _unbind(self) -> None:
        try:
            self._unlink()
        finally:
            self._give_lock()

    async def _create_server(
        self,
        loop: asyncio.AbstractEventLoop,
        factory: Callable[[], Connection],
        sock: socket.socket,
    ) -> asyncio.AbstractServer:
        # From Python 3.13 on, loops would take away the file of a socket that is not
        # theirs to clean up after. Ours goes with `_unlink`.
        options: dict[str, Any] = {} if sys.version_info < (3, 13) else {"cleanup_socket": False}
        return await loop.create_unix_server(
            factory, sock=sock, backlog=self.backlog, start_serving=False, **options
        )

    def __repr__(self) -> str:
        kind = type(self.factory)
        where = f"on {os.fsdecode(self._path)!r}" if self.connected else "(not listening)"
        return f"<{kind.__module__}.{kind.__name__} {where}>"


class Connector(StreamConnector):
    """
    An outgoing connection to a UNIX socket.

    Args:
        address: its path; an abstract name begins with a NUL.
        factory: what makes the protocol, and is told how attempts end.
        timeout: seconds for an attempt; None for as long as the system tries.
        reactor: whose it is.
        checkPID: whether to look at the lock file beside the path first, and to
            fail if nobody holds it.

    Attributes:
        address, checkPID: as asked for.
    """

    _connection = UNIXConnection

    def __init__(
        self,
        address: _Path,
        factory: Any,
        timeout: float | None,
        reactor: LoopReactor,
        checkPID: bool = False,
    ) -> None:
        super().__init__(factory, timeout, reactor)
        self._path = _check_path(address)
        self.address = address
        self.checkPID = checkPID

    async def _connected_socket(self, loop: asyncio.AbstractEventLoop) -> socket.socket:
        if self.checkPID and not isLocked(os.fsdecode(self._path) + ".lock"):
            raise error.BadFileError(string=f"nobody listens at {self.address!r}")
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            await _connect(sock, self._path)
        except BaseException:
            sock.close()
            raise
        return sock

    async def _open(
        self, loop: asyncio.AbstractEventLoop, connection: Connection, sock: socket.socket
    ) -> None:
        await loop.create_unix_connection(lambda: connection, sock=sock)

    def getDestination(self) -> UNIXAddress:
        """Where it connects to."""
        return UNIXAddress(self._path)

    def __repr__(self) -> str:
        where = os.fsdecode(self._path)
        return f"<{self.__class__.__module__}.Connector to {where!r}, {self.state}>"


#: Seconds before a second attempt where a listener's backlog is full; doubled each time.
_BACKLOG_WAIT = 0.01


async def _connect(sock: socket.socket, path: bytes) -> None:
    """
    Connect, and try again while the listener's backlog is full.

    A UNIX socket connects at once or not at all: where TCP would wait, it answers
    EAGAIN, and nothing tells when there is room.
    """
    wait = _BACKLOG_WAIT
    while True:
        try:
            sock.connect(path)
        except BlockingIOError:
            await asyncio.sleep(wait)
            wait = min(2 * wait, 1.0)
        else:
            return
