"""Several checkers as one, as a command line names them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zope.interface import implementer

from reactorlib.cred.checkers import ICredentialsChecker
from reactorlib.cred.error import UnauthorizedLogin, UnhandledCredentials
from reactorlib.internet.defer import Deferred, ensureDeferred, maybeDeferred

__all__ = ["AnyOf"]


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
