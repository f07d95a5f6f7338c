"""Programs that get a socket as their input, output and error output."""

from __future__ import annotations

import errno
import grp
import logging
import os
import pwd
from collections.abc import Callable
from typing import Any

from reactorlib.internet import error
from reactorlib.internet.protocol import ProcessProtocol
from reactorlib.python.failure import Failure
from reactorlib.runner.inetdconf import InetdService, InvalidInetdConfError

__all__ = ["Program", "identity", "run_program"]

_log = logging.getLogger("reactorlib.runner.inetd")


def identity(service: InetdService) -> tuple[int | None, int | None]:
    """
    The numbers of the user and the group that a service's program runs as.

    Raises:
        InvalidInetdConfError: there is no such user or group.
    """
    try:
        known = _user(service.user)
        gid = known.pw_gid if service.group is None else _group(service.group)
    except KeyError as why:
        raise InvalidInetdConfError(f"{service}: {why.args[0]}") from None
    return known.pw_uid, gid


def _user(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except (KeyError, OverflowError):
        raise KeyError(f"there is no user {name!r}") from None


def _group(name: str) -> int:
    try:
        return (grp.getgrgid(int(name)) if name.isdigit() else grp.getgrnam(name)).gr_gid
    except (KeyError, OverflowError):
        raise KeyError(f"there is no group {name!r}") from None


def check_rights(service: InetdService) -> None:
    """
    See whether this process may run a service's program as whom it says.

    Raises:
        PermissionError: it may not.
    """
    uid, gid = identity(service)
    if os.geteuid() != 0 and os.getuid() != 0 and (uid, gid) != (os.getuid(), os.getgid()):
        raise PermissionError(
            errno.EPERM, f"{service}: only root can run a program as {service.user!r}"
        )


class Program(ProcessProtocol):
    """
    A program that runs.

    Args:
        ended: called with this when it has.
    """

    def __init__(self, ended: Callable[[Program], object]) -> None:
        self._ended = ended

    def terminate(self) -> None:
        """Have it end: SIGTERM."""
        try:
            self.transport.signalProcess("TERM")
        except error.ProcessExitedAlready:
            pass

    def processExited(self, reason: Failure) -> None:
        """It has ended."""
        self._ended(self)


def run_program(
    reactor: Any,
    service: InetdService,
    sock: Any,
    ended: Callable[[Program], object],
    stderr: int | None = None,
) -> Program | None:
    """
    Run a service's program on a socket; with the socket itself, it blocks.

    Args:
        reactor: what starts it.
        service: what and as whom.
        sock: what has the socket: anything with a `fileno()`. It is not closed.
        ended: called when the program has ended.
        stderr: the descriptor that is its error output, in place of the socket.

    Returns:
        it; None if it could not be started, which is logged.
    """
    program = Program(ended)
    descriptor = sock.fileno()
    try:
        uid, gid = identity(service)
        # Whether it blocks is the socket's matter, and not that of who holds it.
        os.set_blocking(descriptor, True)
        reactor.spawnProcess(
            program,
            service.program,
            service.programArgs,
            env=None,
            uid=uid,
            gid=gid,
            childFDs={0: descriptor, 1: descriptor, 2: descriptor if stderr is None else stderr},
        )
    except (OSError, InvalidInetdConfError) as why:
        reason = getattr(why, "strerror", None) or why
        _log.error("%s: %s cannot be run: %s", service, service.program, reason)
        return None
    return program
