"""A Python prompt into the running program, over telnet: the classic one, with one user."""

from __future__ import annotations

from typing import Any

from reactorlib.application.service import MultiService
from reactorlib.conch import manhole_tap
from reactorlib.cred import checkers, strcred
from reactorlib.cred.credentials import IUsernamePassword
from reactorlib.python import usage

__all__ = ["Options", "makeService"]


class Options(usage.Options, strcred.AuthOptionMixin):
    """Where to listen, and who may come in."""

    synopsis = "[-p <port>] [-u <name>] -w <password>"
    longdesc = """\
Lets one user in to a Python prompt in the running program, where they may do whatever the
program may. The password on a command line is seen by others on this host: --auth file:FILE
keeps it out of sight. Telnet sends everything as it is, passwords too: listen at a loopback
address only."""

    supportedInterfaces = (IUsernamePassword,)

    optParameters = [  # noqa: RUF012
        ["username", "u", "admin", "set the login username"],
        ["port", "p", "4040", "where to listen: a port of 127.0.0.1, or an endpoint"],
        ["password", "w", None, "set the password; there is none by default"],
    ]

    optFlags = [["plain", None, "do not use prompt_toolkit, even if it is there"]]  # noqa: RUF012

    def postOptions(self) -> None:
        """
        Look at the whole.

        Raises:
            UsageError: nobody could log in.
        """
        if not self["password"] and not self.get("credCheckers"):
            raise usage.UsageError("it takes a --password, or an --auth, to let anybody in")


def makeService(config: Any) -> MultiService:
    """
    The service.

    Args:
        config: what the command line has said.

    Raises:
        UsageError: there is no such place to listen at.
    """
    known = list(config.get("credCheckers", ()))
    if config["password"]:
        users = checkers.InMemoryUsernamePasswordDatabaseDontUse()
        users.addUser(config["username"].encode("utf-8"), config["password"].encode("utf-8"))
        known.append(users)
    return manhole_tap.makeService(
        {
            "telnetPort": config["port"],
            "credCheckers": known,
            "namespace": None,
            "plain": config["plain"],
        }
    )
