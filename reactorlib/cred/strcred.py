"""
Checkers from text, as of a command line: "file:/etc/service.passwords".

The word before the colon names the kind, and what follows is for it to read.
Other packages add kinds as plugins that provide `ICheckerFactory`, by entry points of
the group `reactorlib.cred` or as drop-ins.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from zope.interface import Attribute, Interface, implementer

from reactorlib.cred import checkers, passwords
from reactorlib.plugin import GROUP, getPlugins
from reactorlib.python import usage

__all__ = [
    "AuthOptionMixin",
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


ICheckerFactory.setTaggedValue(GROUP, "reactorlib.cred")


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
    yield from _OWN
    yield from getPlugins(ICheckerFactory)


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


class AuthOptionMixin:
    """
    Gives an `Options` class the option `--auth`, and help for it.

    What was asked for is under two keys: `credCheckers` has the checkers, in
    order, and `credInterfaces` those of each kind of credentials.

    Attributes:
        supportedInterfaces: the kinds of credentials that the program can make;
            None for any.
        authOutput: where the help goes.
    """

    supportedInterfaces: Any = None
    authOutput: Any = sys.stdout

    def supportsInterface(self, interface: Any) -> bool:
        """Whether the program can make credentials of that kind."""
        return self.supportedInterfaces is None or interface in self.supportedInterfaces

    def supportsCheckerFactory(self, factory: Any) -> bool:
        """Whether checkers of that kind are of use to the program."""
        return any(map(self.supportsInterface, factory.credentialInterfaces))

    def addChecker(self: Any, checker: Any) -> None:
        """
        Add a checker.

        Raises:
            UnsupportedInterfaces: the program can make none of the credentials
                that it takes.
        """
        kinds = [kind for kind in checker.credentialInterfaces if self.supportsInterface(kind)]
        if not kinds:
            raise UnsupportedInterfaces([kind.__name__ for kind in checker.credentialInterfaces])
        for kind in kinds:
            self.setdefault("credInterfaces", {}).setdefault(kind, []).append(checker)
        self.setdefault("credCheckers", []).append(checker)

    def opt_auth(self, description: str) -> None:
        """Let in whom this says, as type:argument; --help-auth lists the types."""
        try:
            self.addChecker(makeChecker(description))
        except UnsupportedInterfaces as why:
            raise usage.UsageError(f"{description!r} checks nothing that is used here") from why
        except InvalidAuthType as why:
            raise usage.UsageError(f"--help-auth lists the types, and {why} is none") from why
        except InvalidAuthArgumentString as why:
            raise usage.UsageError(f"in --auth {description}: {why}") from why

    def _useful(self) -> Iterator[Any]:
        return filter(self.supportsCheckerFactory, findCheckerFactories())

    def opt_help_auth(self) -> NoReturn:
        """List the types of --auth and exit."""
        lines = ["--auth TYPE[:ARGUMENT] takes these types:"]
        factories = list(self._useful())
        width = max((len(factory.authType) for factory in factories), default=0)
        for factory in factories:
            lines.append(f"  {factory.authType:<{width}}  {factory.argStringFormat}")
        lines.append("--help-auth-type=TYPE tells more.")
        print("\n".join(lines), file=self.authOutput)
        sys.exit(0)

    def opt_help_auth_type(self, authType: str) -> NoReturn:
        """Describe a type of --auth and exit."""
        try:
            factory = findCheckerFactory(authType)
        except InvalidAuthType as why:
            raise usage.UsageError(f"--help-auth lists the types, and {why} is none") from why
        text = f"--auth {factory.authType}:ARGUMENT\n{factory.authHelp.strip()}\n"
        text += f"ARGUMENT: {factory.argStringFormat}"
        if not self.supportsCheckerFactory(factory):
            text += "\nIt checks nothing that is used here."
        print(text, file=self.authOutput)
        sys.exit(0)
