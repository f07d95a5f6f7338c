"""What the command line of the daemon says, on POSIX systems."""

from __future__ import annotations

from typing import Any, ClassVar

from reactorlib.application import app
from reactorlib.python import usage
from reactorlib.scripts import _users

__all__ = ["ServerOptions"]


def _umask(value: str) -> int:
    return int(value, 8)


class ServerOptions(app.ServerOptions):
    """The options of the daemon on POSIX systems."""

    synopsis = "Usage: twistd [options]"

    optFlags: ClassVar[Any] = [
        ["nodaemon", "n", "don't daemonize, don't use default umask of 0077"],
        ["originalname", None, "Don't try to change the process name"],
        ["syslog", None, "Log to syslog, not to file"],
        [
            "euid",
            "",
            "Set only the effective user: the right to turn back is kept. Only for root; "
            "use it with caution.",
        ],
    ]
    optParameters: ClassVar[Any] = [
        ["prefix", None, "twisted", "use the given prefix when syslogging"],
        ["pidfile", "", "twistd.pid", "Name of the pidfile"],
        ["chroot", None, None, "Chroot to a supplied directory before running"],
        ["uid", "u", None, "The uid to run as.", _users.user],
        [
            "gid",
            "g",
            None,
            "The gid to run as. If not specified, that of the given --uid.",
            _users.group,
        ],
        ["umask", None, None, "The (octal) file creation mask to apply.", _umask],
    ]
    compData = usage.Completions(
        optActions={
            "pidfile": usage.CompleteFiles("*.pid"),
            "chroot": usage.CompleteDirs(),
            "gid": usage.CompleteGroups(),
            "uid": usage.CompleteUsernames(),
        },
    )
