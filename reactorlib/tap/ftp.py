"""An FTP server: the directories of users, and one for anybody to read."""

from __future__ import annotations

import os
import re
from typing import Any

from reactorlib.application.internet import StreamServerEndpointService
from reactorlib.cred import checkers, strcred
from reactorlib.cred._any_of import AnyOf
from reactorlib.cred.credentials import IAnonymous, IUsernamePassword
from reactorlib.cred.portal import Portal
from reactorlib.protocols.ftp import FTPFactory, FTPRealm
from reactorlib.python import usage
from reactorlib.python.deprecate import deprecated
from reactorlib.python.versions import Version
from reactorlib.tap._common import listen

__all__ = ["Options", "makeService"]


def _port_range(text: str) -> range:
    found = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", text)
    if found is None:
        raise ValueError(f"{text!r} is not of the form FIRST-LAST")
    first, last = usage.portCoerce(found[1]), usage.portCoerce(found[2])
    if not 0 < first <= last:
        raise ValueError(f"there are no ports from {first} to {last}")
    return range(first, last + 1)


class Options(usage.Options, strcred.AuthOptionMixin):
    """Where to listen, who may log in, and where their files are."""

    synopsis = "[options]"
    longdesc = """\
Serves files by FTP. The anonymous user reads what is below --root; each other user reads and
writes the directory of their name below --home, with the rights of this process. Passwords
and files go over the network as they are."""

    supportedInterfaces = (IAnonymous, IUsernamePassword)

    optParameters = [  # noqa: RUF012
        ["port", "p", "2121", "set the port number, or an endpoint"],
        ["root", "r", "/usr/local/ftp", "define the root of the ftp-site."],
        ["userAnonymous", "", "anonymous", "Name of the anonymous user."],
        ["home", None, "/home", "where the directories of the other users are."],
        [
            "passive-ports",
            None,
            None,
            "ports for data connections in passive mode, as 5000-5100; by default any.",
            _port_range,
        ],
    ]

    optFlags = [["no-anonymous", None, "let nobody in who has no password"]]  # noqa: RUF012

    compData = usage.Completions(
        optActions={"root": usage.CompleteDirs(), "home": usage.CompleteDirs()}
    )

    def __init__(self) -> None:
        super().__init__()
        self.addChecker(checkers.AllowAnonymousAccess())

    @deprecated(Version("Twisted", 11, 1, 0), "--auth file:FILENAME")
    def opt_password_file(self, filename: str) -> None:
        """
        Deprecated: --auth file:FILENAME is the same.
        """
        self.addChecker(checkers.FilePasswordDB(filename))


def makeService(config: Any) -> StreamServerEndpointService:
    """
    The server.

    Args:
        config: what the command line has said.

    Raises:
        UsageError: the port is none, or there is no such directory.
    """
    known = list(config["credCheckers"])
    if config["no-anonymous"]:
        known = [checker for checker in known if IAnonymous not in checker.credentialInterfaces]
        if not known:
            raise usage.UsageError("with --no-anonymous it takes an --auth to let anybody in")
    elif not os.path.isdir(config["root"]):
        raise usage.UsageError(f"--root {config['root']} is no directory for the anonymous user")
    realm = FTPRealm(config["root"], config["home"])
    factory = FTPFactory(Portal(realm, [AnyOf(known)]), config["userAnonymous"])
    factory.allowAnonymous = not config["no-anonymous"]
    if config["passive-ports"] is not None:
        factory.passivePortRange = config["passive-ports"]
    return listen(config["port"], factory)
