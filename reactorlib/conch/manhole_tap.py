"""
A service that lets people in to a Python prompt in the running program.

Over telnet, with a login. What is typed there, passwords too, goes over the network as
it is: listen at a loopback address, and let people come through SSH or a VPN.
"""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

from zope.interface import implementer

from reactorlib.application import service, strports
from reactorlib.application.internet import StreamServerEndpointService
from reactorlib.conch import telnet
from reactorlib.conch.insults.insults import ServerProtocol
from reactorlib.conch.manhole import ColoredManhole
from reactorlib.cred import checkers, portal, strcred
from reactorlib.cred._any_of import AnyOf
from reactorlib.cred.credentials import IUsernamePassword
from reactorlib.internet.protocol import ServerFactory
from reactorlib.python import usage

__all__ = ["Options", "chainedProtocolFactory", "makeService", "makeTelnetProtocol"]

_log = logging.getLogger("reactorlib.conch.manhole_tap")

#: What stands in passwd(5) in the place of a password, for those who have none there.
_NO_PASSWORD = (b"", b"x", b"*")

_NO_SSH = (
    "a manhole over SSH is not there yet: use --telnetPort, and reach it through an SSH tunnel"
)


class makeTelnetProtocol:
    """
    Makes the protocol of a telnet connection that begins with a login.

    Args:
        portal: where people log in; it has an `ITelnetProtocol` for them.
    """

    def __init__(self, portal: Any) -> None:
        self.portal = portal

    def __call__(self) -> telnet.TelnetTransport:
        """The protocol."""
        return telnet.TelnetTransport(telnet.AuthenticatingTelnetProtocol, self.portal)


class chainedProtocolFactory:
    """
    Makes the protocol of a terminal that has a Python prompt.

    Args:
        namespace: the names that sessions begin with. Each has a copy of its own.
        plain: whether to edit lines by `recvline`. By default that is done only where
            prompt_toolkit is not installed.
    """

    def __init__(self, namespace: Mapping[str, Any] | None, plain: bool = False) -> None:
        self.namespace = namespace
        self.plain = plain or importlib.util.find_spec("prompt_toolkit") is None

    def __call__(self) -> Any:
        """The protocol."""
        if self.plain:
            return ServerProtocol(ColoredManhole, self.namespace)
        from reactorlib.conch.manhole._prompt import PromptManhole

        return PromptManhole(self.namespace)


@implementer(portal.IRealm)
class _Realm:
    """Gives everybody who is let in a terminal."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        """A telnet protocol that has a terminal."""
        if telnet.ITelnetProtocol not in interfaces:
            raise NotImplementedError("a manhole has ITelnetProtocol to offer only")
        _log.info("%r is in the manhole", avatarId)

        def log_out() -> None:
            _log.info("%r has left the manhole", avatarId)

        return telnet.ITelnetProtocol, telnet.TelnetBootstrapProtocol(self._make), log_out


class _PasswordFile(checkers.FilePasswordDB):
    """A file as passwd(5) has it; who has no password there is not let in."""

    def getUser(self, username: bytes) -> tuple[bytes, bytes]:
        """The name and the password; KeyError where there is none."""
        name, password = super().getUser(username)
        if password in _NO_PASSWORD or password.startswith(b"!"):
            raise KeyError(username)
        return name, password


class Options(usage.Options, strcred.AuthOptionMixin):
    """Where to listen, and who may come in."""

    supportedInterfaces = (IUsernamePassword,)

    optParameters = [  # noqa: RUF012
        [
            "telnetPort",
            "t",
            None,
            "where to listen for telnet: a port of 127.0.0.1, or endpoint",
        ],
        ["sshPort", "s", None, "where to listen for SSH: not there yet"],
        ["passwd", "p", "/etc/passwd", "file with a line name:password for each user"],
        ["sshKeyDir", None, None, "directory of the SSH host keys: not there yet"],
        ["sshKeyName", None, None, "file name of the SSH host key: not there yet"],
        ["sshKeySize", None, None, "bits of the SSH host key: not there yet", int],
    ]

    optFlags = [["plain", None, "do not use prompt_toolkit, even if it is there"]]  # noqa: RUF012

    longdesc = """\
Lets people in to a Python prompt in the running program, where they may do whatever the
program may. --auth TYPE:ARGUMENT says who they are, such as --auth hashed:FILE, in place of
--passwd; in /etc/passwd there are no passwords nowadays, so that it lets nobody in. Telnet
sends everything as it is, passwords too: listen at a loopback address only."""

    compData = usage.Completions(optActions={"passwd": usage.CompleteFiles()})

    def __init__(self) -> None:
        super().__init__()
        self["namespace"] = None

    def postOptions(self) -> None:
        """
        Look at the whole.

        Raises:
            UsageError: there is nowhere to listen.
        """
        if self["telnetPort"] is None and self["sshPort"] is None:
            raise usage.UsageError("At least one of --telnetPort and --sshPort must be specified")


def _port(description: str) -> str:
    """An endpoint's description, from that or from a number."""
    if description.isascii() and description.isdigit():
        return f"tcp:{usage.portCoerce(description)}:interface=127.0.0.1"
    return description


def _checkers(options: Mapping[str, Any]) -> list[Any]:
    known = options.get("credCheckers")
    if known:
        return list(known) if len(known) == 1 else [AnyOf(known)]
    file = options["passwd"]
    if not os.access(file, os.R_OK):
        raise usage.UsageError(f"the passwords in {file!r} cannot be read")
    return [_PasswordFile(file, cache=True)]


def makeService(options: Mapping[str, Any]) -> service.MultiService:
    """
    The service.

    Args:
        options: `Options`, or a mapping with "telnetPort", "passwd" or "credCheckers",
            and "namespace": the names that sessions begin with, or None.

    Raises:
        UsageError: the place to listen at, or the file of passwords, is none; or
            "sshPort" is given.
    """
    if options.get("sshPort") is not None:
        raise usage.UsageError(_NO_SSH)
    make = chainedProtocolFactory(options.get("namespace"), bool(options.get("plain")))
    factory = ServerFactory.forProtocol(
        makeTelnetProtocol(portal.Portal(_Realm(make), _checkers(options)))
    )
    try:
        child: StreamServerEndpointService = strports.service(
            _port(str(options["telnetPort"])), factory
        )
    except ValueError as why:
        raise usage.UsageError(f"cannot listen at {options['telnetPort']!r}: {why}") from why
    whole = service.MultiService()
    child.setServiceParent(whole)
    return whole
