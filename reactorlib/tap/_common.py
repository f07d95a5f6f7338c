"""What several command lines have in common: where to listen, and who may log in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zope.interface import implementer

from reactorlib.application import strports
from reactorlib.application.internet import StreamServerEndpointService
from reactorlib.cred.checkers import ICredentialsChecker
from reactorlib.cred.error import UnauthorizedLogin, UnhandledCredentials
from reactorlib.internet.defer import Deferred, ensureDeferred, maybeDeferred
from reactorlib.internet.endpoints import quoteStringArgument
from reactorlib.python.usage import UsageError, portCoerce

__all__ = ["AnyOf", "listen"]


def listen(port: Any, factory: Any, interface: str = "") -> StreamServerEndpointService:
    """
    A service at a port.

    Args:
        port: its number, or an endpoint's description such as `tcp:8007`.
        factory: what makes a protocol for each connection.
        interface: the address to listen at, where `port` is a number.

    Raises:
        UsageError: there is no such port, or the description is wrong.
    """
    text = str(port)
    try:
        if text.isascii() and text.isdigit():
            text = f"tcp:{portCoerce(text)}"
            if interface:
                text += f":interface={quoteStringArgument(interface)}"
        return strports.service(text, factory)
    except ValueError as why:
        raise UsageError(f"cannot listen at {port!r}: {why}") from why


@implementer(ICredentialsChecker)
class AnyOf:
    """
    Lets in whom any of several checkers lets in; they are asked in turn.

    Args:
        checkers: the checkers.
    """

    def __init__(self, checkers: Iterable[Any]) -> None:
        self.checkers = list(checkers)

    @property
    def credentialInterfaces(self) -> tuple[Any, ...]:
        """All kinds that one of them takes."""
        kinds = [kind for checker in self.checkers for kind in checker.credentialInterfaces]
        return tuple(dict.fromkeys(kinds))

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """A Deferred with the name; it fails with `UnauthorizedLogin` if none lets them in."""
        return ensureDeferred(self._ask(credentials))

    async def _ask(self, credentials: Any) -> Any:
        for checker in self.checkers:
            if not any(kind.providedBy(credentials) for kind in checker.credentialInterfaces):
                continue
            try:
                return await maybeDeferred(checker.requestAvatarId, credentials)
            except (UnauthorizedLogin, UnhandledCredentials):
                continue
        raise UnauthorizedLogin
