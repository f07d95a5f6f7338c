"""Where a protocol takes credentials, and gets what their owner may use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zope.interface import Interface, providedBy

from reactorlib.cred import error
from reactorlib.internet.defer import Deferred, fail, maybeDeferred

__all__ = ["IRealm", "Portal"]


class IRealm(Interface):
    """What an application gives to those who are let in: an object each, their avatar."""

    def requestAvatar(avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        """
        What somebody may use.

        Args:
            avatarId: who it is, as the checker said; `checkers.ANONYMOUS` for
                nobody in particular.
            mind: what the protocol gave, for the avatar to reach the client.
            interfaces: what the protocol can use, best first.

        Returns:
            the interface chosen, an avatar that provides it, and what to call
            with no arguments when it is no longer used; or a Deferred or
            coroutine with these three.
        """


class Portal:
    """
    Lets people in: finds the checker for what they show, and asks the realm for their avatar.

    Args:
        realm: an `IRealm`.
        checkers: `ICredentialsChecker`s, each for all kinds of credentials it takes.

    Attributes:
        realm: the realm.
        checkers: the checker for each kind of credentials.
    """

    def __init__(self, realm: Any, checkers: Iterable[Any] = ()) -> None:
        self.realm = realm
        self.checkers: dict[Any, Any] = {}
        for checker in checkers:
            self.registerChecker(checker)

    def listCredentialsInterfaces(self) -> list[Any]:
        """The kinds of credentials that somebody can show here."""
        return list(self.checkers)

    def registerChecker(self, checker: Any, *credentialInterfaces: Any) -> None:
        """
        Have a checker check credentials.

        Args:
            checker: an `ICredentialsChecker`.
            credentialInterfaces: the kinds of credentials; by default all that it
                takes. It replaces other checkers of the same kind.
        """
        for kind in credentialInterfaces or checker.credentialInterfaces:
            self.checkers[kind] = checker

    def login(self, credentials: Any, mind: Any, *interfaces: Any) -> Deferred[Any]:
        """
        Let somebody in.

        Args:
            credentials: what they show: an `ICredentials`.
            mind: given to the realm.
            interfaces: what the caller can use, best first.

        Returns:
            a Deferred with what `IRealm.requestAvatar` returns. It fails with
            `UnauthorizedLogin` if name or proof is wrong, with
            `UnhandledCredentials` if there is no checker for such credentials,
            and with what the realm fails with. Cancelling it cancels the check.
        """
        for kind, checker in self.checkers.items():
            if kind.providedBy(credentials):
                d: Deferred[Any] = maybeDeferred(checker.requestAvatarId, credentials)
                return d.addCallback(self.realm.requestAvatar, mind, *interfaces)
        kinds = ", ".join(kind.__identifier__ for kind in providedBy(credentials))
        return fail(error.UnhandledCredentials(f"no checker for {kinds or repr(credentials)}"))
