"""A SOCKS server: connections that clients ask to have made, versions 4, 4A and 5."""

from __future__ import annotations

from typing import Any

from reactorlib.application.internet import StreamServerEndpointService
from reactorlib.cred import strcred
from reactorlib.cred._any_of import AnyOf
from reactorlib.cred.credentials import IUsernamePassword, UsernamePassword
from reactorlib.protocols.socks import SOCKSFactory
from reactorlib.python import usage
from reactorlib.tap._common import listen

__all__ = ["Options", "makeService"]


class Options(usage.Options, strcred.AuthOptionMixin):
    """Where to listen, and who may use it."""

    synopsis = "[-i <interface>] [-p <port>] [-l <file>] [--auth <type:argument>]"
    longdesc = """\
Serves SOCKS 4, 4A and 5. Whoever can reach the port can reach what this host can, its own
services too: see to it that nobody else can, or ask for a login with --auth, such as --auth
file:PATH for a file with a line name:password for each user. SOCKS 4 has no passwords, and is
refused then."""

    supportedInterfaces = (IUsernamePassword,)

    optParameters = [  # noqa: RUF012
        ["interface", "i", "127.0.0.1", "local interface to which we listen"],
        ["port", "p", 1080, "Port on which to listen", usage.portCoerce],
        ["log", "l", None, "file to log connection data to"],
    ]

    compData = usage.Completions(
        optActions={
            "log": usage.CompleteFiles("*.log"),
            "interface": usage.CompleteNetInterfaces(),
        }
    )


class _Logins:
    """Asks checkers about a name and a password, as `SOCKSFactory` wants them asked."""

    def __init__(self, checkers: Any) -> None:
        self._checker = AnyOf(checkers)

    async def __call__(self, name: bytes, password: bytes) -> bool:
        await self._checker.requestAvatarId(UsernamePassword(name, password))
        return True


def makeService(config: Any) -> StreamServerEndpointService:
    """
    The server.

    Args:
        config: what the command line has said.

    Raises:
        UsageError: the port or the interface is none.
    """
    checkers = config.get("credCheckers")
    factory = SOCKSFactory(config["log"], checkLogin=_Logins(checkers) if checkers else None)
    return listen(config["port"], factory, config["interface"])
