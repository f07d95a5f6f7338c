"""
Checkers from text, as of a command line: "file:/etc/service.passwords".

The word before the colon names the kind, and what follows is for it to read.
Other packages add kinds by entry points of the group `reactorlib.cred`, each an
`ICheckerFactory`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from zope.interface import Attribute, Interface, implementer

from reactorlib.cred import checkers, passwords

__all__ = [
    "ICheckerFactory",
    "InvalidAuthArgumentString",
    "InvalidAuthType",
    "StrcredException",
    "UnsupportedInterfaces",
    "findCheckerFactories",
    "findCheckerFactory",
    "makeChecker",
]


class ICheckerFactory(Interface):
    """A kind of checker that can be made of text."""

    authType = Attribute("The word that names it.")
    authHelp = Attribute("What it is and what it takes, for the user.")
    argStringFormat = Attribute("The form of the text, in a few words.")
    credentialInterfaces = Attribute("The kinds of credentials that its checkers take.")

    def generateChecker(argstring: str) -> Any:
        """
        Make a checker.

        Raises:
            InvalidAuthArgumentString: the text has the wrong form.
        """


class StrcredException(Exception):
    """A checker cannot be made of a text."""


class InvalidAuthType(StrcredException):
    """There is no such kind."""


class InvalidAuthArgumentString(StrcredException):
    """What follows the colon has the wrong form."""


class UnsupportedInterfaces(StrcredException):
    """The checker takes no credentials that the program can make."""


@implementer(ICheckerFactory)
class _Kind:
    """A kind of this package."""

    def __init__(
        self,
        type: str,
        help: str,
        format: str,
        interfaces: Any,
        make: Callable[[str], Any],
    ) -> None:
        self.authType = type
        self.authHelp = help
        self.argStringFormat = format
        self.credentialInterfaces = interfaces
        self.generateChecker = make


def _anonymous(argstring: str) -> Any:
    return checkers.AllowAnonymousAccess()


def _memory(argstring: str) -> Any:
    checker = checkers.InMemoryUsernamePasswordDatabaseDontUse()
    if argstring:
        parts = argstring.split(":")
        if len(parts) % 2:
            raise InvalidAuthArgumentString("each name needs a password: name:password:...")
        for name, password in zip(parts[::2], parts[1::2], strict=True):
            checker.addUser(name.encode(), password.encode())
    return checker


def _readable(argstring: str) -> str:
    if not argstring.strip():
        raise InvalidAuthArgumentString("the name of a file is needed")
    if not os.path.isfile(argstring):
        raise InvalidAuthArgumentString(f"{argstring!r} is not a file")
    return argstring


def _file(argstring: str) -> Any:
    return checkers.FilePasswordDB(_readable(argstring), cache=True)


def _hashed(argstring: str) -> Any:
    return checkers.FilePasswordDB(_readable(argstring), hash=passwords.storedHash, cache=True)


_OWN = (
    _Kind(
        "anonymous",
        "Anybody is let in, with no name.",
        "nothing",
        checkers.AllowAnonymousAccess.credentialInterfaces,
        _anonymous,
    ),
    _Kind(
        "file",
        "A file with a line name:password for each user, in plain text.",
        "the path of the file",
        checkers.FilePasswordDB("").credentialInterfaces,
        _file,
    ),
    _Kind(
        "hashed",
        "A file with a line name:hash for each user, the hashes made by "
        "reactorlib.cred.passwords.hashPassword().",
        "the path of the file",
        checkers.HashedPasswordDB.credentialInterfaces,
        _hashed,
    ),
    _Kind(
        "memory",
        "Names and passwords as they stand here, where others may read them: for tests.",
        "name:password:name:password...",
        checkers.InMemoryUsernamePasswordDatabaseDontUse.credentialInterfaces,
        _memory,
    ),
)


def findCheckerFactories() -> Iterator[Any]:
    """All kinds of checkers that there are: those of this package, then others."""
    import importlib.metadata

    yield from _OWN
    for entry in importlib.metadata.entry_points(group="reactorlib.cred"):
        yield entry.load()


def findCheckerFactory(authType: str) -> Any:
    """
    The kind of that name.

    Raises:
        InvalidAuthType: there is none.
    """
    for factory in findCheckerFactories():
        if factory.authType == authType:
            return factory
    raise InvalidAuthType(authType)


def makeChecker(description: str) -> Any:
    """
    A checker from a text.

    Args:
        description: the kind, a colon, and what it takes; the kind alone where it
            takes nothing.

    Raises:
        InvalidAuthType: there is no such kind.
        InvalidAuthArgumentString: what follows has the wrong form.
    """
    kind, _, argstring = description.partition(":")
    return findCheckerFactory(kind).generateChecker(argstring)
