"""
A service of an inetd.conf whose program is run.

The socket is ours, and no transport is made of what it accepts: not a byte of it is to
be read on this side.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections import deque
from typing import Any, Literal

from zope.interface import implementer

from reactorlib.application.service import Service
from reactorlib.internet import reactor as _reactor
from reactorlib.internet.address import from_sockname
from reactorlib.internet.defer import Deferred, DeferredList, succeed
from reactorlib.internet.error import CannotListenError
from reactorlib.internet.interfaces import IReadDescriptor
from reactorlib.python._report import note
from reactorlib.python.failure import Failure
from reactorlib.python.lockfile import FilesystemLock
from reactorlib.runner._programs import Program, check_rights, run_program
from reactorlib.runner.inetdconf import InetdService

__all__ = ["InetdServer"]

_log = logging.getLogger("reactorlib.runner.inetd")

_BACKLOG = 128
# How many connections are accepted before others have their turn.
_AT_ONCE = 16
# Seconds for which a service rests that was started too often, as in inetd(8).
_REST = 600.0
# Seconds until it is tried again to accept, when the system had no room for it.
_RETRY = 1.0


@implementer(IReadDescriptor)
class InetdServer(Service):
    """
    Runs a program for what comes to a port or UNIX socket, with that as its 0, 1 and 2.

    - A stream that does not wait: for each connection, with the connection.
    - A stream that waits: for one connection after another, with the connection; or,
      with `listener`, with the listening socket, for the program to accept.
    - Datagrams: with the socket, when there is one to be read.

    Where it waits, nothing is looked at until the program has ended. A service that is
    started more often than its `rate` a minute rests for ten minutes.

    Args:
        service: the line of inetd.conf.
        listener: whether the program of a stream that waits gets the listening socket.
        reactor: what starts programs, and whose time it is.

    Attributes:
        programs: those that run.
    """

    def __init__(
        self, service: InetdService, listener: bool = False, reactor: Any = _reactor
    ) -> None:
        self.service = service
        self.listener = listener
        self._reactor = reactor
        self._forget()

    def _forget(self) -> None:
        self._socket: socket.socket | None = None
        self._lock: FilesystemLock | None = None
        self._watched = False
        self._later: Any = None
        self._starts: deque[float] = deque()
        self.programs: dict[Program, Deferred[None]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """A saved service has no socket."""
        kept = ("service", "listener", "name", "parent")
        return {key: value for key, value in super().__getstate__().items() if key in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reactor = _reactor
        self._forget()

    # -- the service --------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """
        Listen.

        Raises:
            CannotListenError: the address is in use, or not to be had.
            InvalidInetdConfError: there is no such user or group.
            PermissionError: only root can run programs as that user.
        """
        super().privilegedStartService()
        check_rights(self.service)
        self._listen()

    def startService(self) -> None:
        """Begin to run programs."""
        super().startService()
        if self._socket is None:
            self.privilegedStartService()
        self._watch()

    def stopService(self, grace: float | None = None) -> Deferred[Any]:
        """
        Run no more programs. Those that run go on, whose connections they have.

        Args:
            grace: seconds for them to end; then they are sent SIGTERM, and not waited for
                any longer. None lets them be.

        Returns:
            a Deferred that fires when nothing is listened at and, with `grace`, no
            program is waited for.
        """
        super().stopService(grace)
        self._unwatch()
        later, self._later = self._later, None
        if later is not None:
            later.cancel()
        self._close()
        if grace is None or not self.programs:
            return succeed(None)
        ended: Deferred[Any] = DeferredList(list(self.programs.values()))
        stopped: Deferred[Any] = Deferred(lambda _: late.cancel())

        def give_up() -> None:
            for program in list(self.programs):
                program.terminate()
            stopped.callback(None)

        def done(_: object) -> None:
            if not stopped.called:
                late.cancel()
                stopped.callback(None)

        late = self._reactor.callLater(grace, give_up)
        ended.addCallback(done)
        return stopped

    def getHost(self) -> Any:
        """Where it listens: the address really bound; RuntimeError while it does not."""
        sock = self._socket
        if sock is None:
            raise RuntimeError(f"{self!r} does not listen: start it first")
        kind: Literal["TCP", "UDP"] = "TCP" if self._is_stream else "UDP"
        return from_sockname(sock.getsockname(), sock.family, kind)

    # -- the socket ---------------------------------------------------------------

    @property
    def _is_stream(self) -> bool:
        return self.service.socketType == "stream"

    def _listen(self) -> None:
        service = self.service
        where: Any
        if service.protocol == "unix":
            self._lock_path(str(service.port))
            family, where = socket.AF_UNIX, service.port
        elif self._is_ipv6:
            family, where = socket.AF_INET6, (service.address or "::", service.port)
        else:
            family, where = socket.AF_INET, (service.address or "0.0.0.0", service.port)  # noqa: S104
        sock = socket.socket(family, socket.SOCK_STREAM if self._is_stream else socket.SOCK_DGRAM)
        try:
            if self._is_ipv6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if self._is_stream and service.protocol != "unix":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(where)
            if service.protocol == "unix":
                # Like a port: whoever gets to its folder.
                os.chmod(service.port, 0o666)  # noqa: S103
            if self._is_stream:
                sock.listen(_BACKLOG)
        except OSError as why:
            sock.close()
            self._unlock_path()
            raise CannotListenError(service.address or None, service.port, why) from why
        sock.setblocking(False)
        self._socket = sock
        note(_log, "%s starting on %s", service, service.port or sock.getsockname()[1])

    @property
    def _is_ipv6(self) -> bool:
        protocol = self.service.protocol
        return protocol.endswith("6") or (protocol != "unix" and ":" in self.service.address)

    def _lock_path(self, path: str) -> None:
        """Take the path; a socket that a dead process has left behind is removed."""
        lock = FilesystemLock(f"{path}.lock")
        try:
            if not lock.lock():
                raise OSError(errno.EADDRINUSE, "another process holds its lock file")
            if not lock.clean and os.path.exists(path):
                os.unlink(path)
        except OSError as why:
            raise CannotListenError(None, path, why) from why
        self._lock = lock

    def _unlock_path(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            try:
                lock.unlock()
            except (OSError, ValueError):
                pass  # somebody has taken it away, or has it now

    def _close(self) -> None:
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()
            if self._lock is not None:
                try:
                    os.unlink(str(self.service.port))
                except OSError:
                    pass  # somebody has taken it away
        self._unlock_path()

    # -- watching -----------------------------------------------------------------

    def fileno(self) -> int:
        """The socket's."""
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        """The name of the service."""
        return f"inetd {self.service.name}"

    def connectionLost(self, reason: Failure) -> None:
        """The socket is watched no more."""
        self._watched = False

    def _watch(self) -> None:
        self._later = None
        if self._socket is not None and not self._watched:
            self._watched = True
            self._socket.setblocking(False)
            self._reactor.addReader(self)

    def _unwatch(self) -> None:
        if self._watched:
            self._watched = False
            self._reactor.removeReader(self)

    def _rest(self, seconds: float) -> None:
        self._unwatch()
        if self._later is None:
            self._later = self._reactor.callLater(seconds, self._watch)

    def doRead(self) -> None:
        """A connection, or a datagram, is there."""
        sock = self._socket
        if sock is None:
            return
        if not self._is_stream or (self.service.wait and self.listener):
            self._run(sock, waits=True)
            return
        for _ in range(1 if self.service.wait else _AT_ONCE):
            try:
                connection, _peer = sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as why:
                _log.error("%s: no connection can be accepted: %s", self.service, why)
                self._rest(_RETRY)
                return
            with connection:
                self._run(connection, waits=self.service.wait)
            if not self._watched:
                return

    # -- programs -----------------------------------------------------------------

    def _run(self, sock: socket.socket, waits: bool) -> None:
        if not self._may_start():
            _log.error(
                "%s: started more than %d times in a minute: it rests for %d s",
                self.service,
                self.service.rate,
                _REST,
            )
            self._rest(_REST)
            return
        program = run_program(self._reactor, self.service, sock, self._ended)
        if program is None:
            if sock is self._socket:
                self._rest(_REST)  # what is there would have it run again and again
            return
        self.programs[program] = Deferred()
        if waits:
            self._unwatch()

    def _may_start(self) -> bool:
        now = self._reactor.seconds()
        starts = self._starts
        while starts and starts[0] <= now - 60:
            starts.popleft()
        if len(starts) >= self.service.rate:
            starts.clear()
            return False
        starts.append(now)
        return True

    def _ended(self, program: Program) -> None:
        ended = self.programs.pop(program, None)
        if self.running and self._later is None:
            self._watch()
        if ended is not None:
            ended.callback(None)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.service}>"
