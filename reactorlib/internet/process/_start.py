"""
How a program is started.

Nobody else's descriptor may get into it, ignored signals are to be ignored no
longer, and the loop is not to be held up. There are three ways, each used where
the ones before it cannot do what is asked:

1. `subprocess.Popen` for descriptors 0, 1 and 2, and others that keep their
   number: its C code closes all the rest in the child, uses vfork (0.12 ms,
   however large this process is), and can change folder and user.
2. `os.posix_spawn` for any other arrangement of descriptors, for a terminal, and
   where this process ignores more signals than Python does. It knows neither
   folder nor user. Before Python 3.13 it cannot close the rest either: what may
   be inherited is listed and closed one by one, so that it costs more with many
   open descriptors (0.2 ms; 9 ms with 10,000).
3. `Popen` with a function that runs in the forked child. It costs a copy of this
   process's page tables (1 ms; 15 ms with 500 MiB), and Python runs after a fork
   beside threads; so the function does no more than system calls on numbers
   made ready before.

Errors, an executable that is not there among them, come from all three at once,
as OSError.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Iterable, Mapping
from functools import lru_cache

from reactorlib.internet.process._command import Command
from reactorlib.internet.process._file_actions import _getFileActions

__all__ = ["start"]

#: What `Popen` has a child ignore no longer.
_RESTORED = {
    getattr(signal, name) for name in ("SIGPIPE", "SIGXFZ", "SIGXFSZ") if hasattr(signal, name)
}

_SIGNALS = sorted(map(int, signal.valid_signals()))

#: Whether `os.posix_spawn` is one that we know: glibc and musl take the closing of
#: what is not open, and a session's leader gets the terminal that it opens.
_CAN_SPAWN = sys.platform == "linux" and hasattr(os, "posix_spawn")

#: What has a child close everything from some number on, if there is that.
_CLOSEFROM: int | None = getattr(os, "POSIX_SPAWN_CLOSEFROM", None)

#: Up to which number descriptors are looked at one by one.
_FEW = 256


def start(command: Command, fds: Mapping[int, int], tty: int | None = None) -> int:
    """
    Start a program.

    Args:
        fds: which descriptor of ours each of its is to be. All others are closed.
        tty: the slave of a terminal to control the program, in a session of its
            own. It is its 0, 1 and 2, and `fds` is empty.

    Returns:
        the number of the process. The caller has to wait for it.

    Raises:
        OSError: it could not be started.
    """
    ignored = _ignored_signals()
    plain = tty is None and _keeps_numbers(fds) and ignored <= _RESTORED
    if plain and not _hides_privileges(command):
        return _popen(
            command,
            stdin=fds[0],
            stdout=fds[1],
            stderr=fds[2],
            pass_fds=[fd for fd in fds if fd > 2],
        )
    if command.here_as_us and _CAN_SPAWN:
        terminal = None if tty is None else _name_of(tty)
        if tty is None or terminal is not None:
            return _spawn(command, fds, ignored, terminal)
    return _fork(command, fds, ignored, tty)


def _ignored_signals() -> frozenset[int]:
    """The signals that this process ignores, and a program would too."""
    try:
        # A file of Python's would make three times as many system calls. What is looked
        # for ends before the first page, if we are in no more than some hundred groups.
        fd = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)
        try:
            status = os.read(fd, 4096)
        finally:
            os.close(fd)
        return _in_mask(int(status.partition(b"SigIgn:")[2].split(None, 1)[0], 16))
    except (OSError, LookupError, ValueError):
        return frozenset(
            number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_IGN
        )


@lru_cache(16)
def _in_mask(mask: int) -> frozenset[int]:
    return frozenset(number for number in _SIGNALS if mask >> (number - 1) & 1)


def _keeps_numbers(fds: Mapping[int, int]) -> bool:
    return {0, 1, 2} <= fds.keys() and all(fd < 3 or fd == ours for fd, ours in fds.items())


def _hides_privileges(command: Command) -> bool:
    """Whether this process has put off the privileges that it needs to change user."""
    return command.identity is not None and os.geteuid() != 0 and os.getuid() == 0


def _popen(command: Command, **how: object) -> int:
    identity = command.identity
    if identity is not None and not _hides_privileges(command):
        how.update(user=identity.uid, group=identity.gid, extra_groups=identity.groups)
    started = subprocess.Popen(  # type: ignore[call-overload]  # noqa: S603  # what was asked for
        command.args,
        executable=command.executable,
        env=command.env,
        cwd=command.path,
        **how,
    )
    started.returncode = 0  # it is ours to wait for, and not for `subprocess` to wonder about
    pid: int = started.pid
    return pid


def _spawn(
    command: Command, fds: Mapping[int, int], ignored: frozenset[int], terminal: str | None
) -> int:
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]]
    above = 3 if terminal is not None else max(fds, default=-1) + 1
    close_rest: list[tuple[int, ...]] = []
    if _CLOSEFROM is None or above > _FEW:
        ours = _open_fds()
    else:
        ours = _states({*range(above), *fds.values()})
        close_rest.append((_CLOSEFROM, above))
    if terminal is None:
        actions = [*_getFileActions(ours, fds, os.POSIX_SPAWN_CLOSE, os.POSIX_SPAWN_DUP2)]
    else:
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, terminal, os.O_RDWR, 0),
            (os.POSIX_SPAWN_DUP2, 0, 1),
            (os.POSIX_SPAWN_DUP2, 0, 2),
        ]
        actions += [(os.POSIX_SPAWN_CLOSE, fd) for fd, closes in ours if fd > 2 and not closes]
    actions += close_rest
    return os.posix_spawn(
        command.executable,
        command.args,
        os.environ if command.env is None else command.env,
        file_actions=actions,
        setsid=terminal is not None,
        setsigdef=ignored,
    )


def _open_fds() -> list[tuple[int, bool]]:
    """The descriptors that are open, as `_states` has them."""
    return _states(map(int, os.listdir("/proc/self/fd")))


def _states(fds: Iterable[int]) -> list[tuple[int, bool]]:
    """Those that are open, and whether each closes by itself when a program starts."""
    found = []
    for fd in fds:
        try:
            found.append((fd, not os.get_inheritable(fd)))
        except OSError:
            pass  # not open, or not any more
    return found


def _name_of(tty: int) -> str | None:
    """The path of a terminal, if it leads there from here."""
    try:
        name = os.ttyname(tty)
        return name if os.path.samestat(os.stat(name), os.fstat(tty)) else None
    except OSError:
        return None


def _fork(
    command: Command, fds: Mapping[int, int], ignored: frozenset[int], tty: int | None
) -> int:
    if tty is not None:
        fds = dict.fromkeys(range(3), tty)
    kept = [fd for fd in fds if fd > 2]
    lent: list[int] = []
    try:
        # What is to be moved is put above where anything moves to ...
        above = max(fds, default=0) + 1
        moves = []
        for fd, ours in fds.items():
            source = fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, max(above, 3))
            lent.append(source)
            moves.append((source, fd))
        # ... and each number there is taken here: `Popen` does not pass on what is
        # not open, and is to have its own pipe elsewhere.
        lent += [fcntl.fcntl(moves[0][0], fcntl.F_DUPFD_CLOEXEC, fd) for fd in kept]
        identity = command.identity if _hides_privileges(command) else None
        signals = sorted(ignored - _RESTORED)
        gone = [fd for fd in range(3) if fd not in fds]

        def arrange() -> None:
            for source, fd in moves:
                os.dup2(source, fd)
            for fd in gone:
                os.closerange(fd, fd + 1)  # which is content if there is none
            if tty is not None:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            for number in signals:
                signal.signal(number, signal.SIG_DFL)
            if identity is not None:
                os.seteuid(0)
                if identity.groups is not None:
                    os.setgroups(identity.groups)
                os.setgid(identity.gid)
                if identity.uid is not None:
                    os.setuid(identity.uid)

        return _popen(command, pass_fds=kept, start_new_session=tty is not None, preexec_fn=arrange)
    except subprocess.SubprocessError as exception:
        raise PermissionError(
            errno.EPERM, "the system refused the process its user, group or terminal"
        ) from exception
    finally:
        for fd in lent:
            os.close(fd)
