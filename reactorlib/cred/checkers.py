"""
Who is it, then: what looks at credentials, and says whose they are.

Secrets are compared in a time that does not depend on them. What takes long on
purpose, hashing, is done in a thread.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from zope.interface import Attribute, Interface, implementer

from reactorlib.cred import credentials as _credentials
from reactorlib.cred import error, passwords
from reactorlib.cred._compare import as_bytes, same_secret
from reactorlib.internet import threads
from reactorlib.internet.defer import Deferred, fail, maybeDeferred, succeed

__all__ = [
    "ANONYMOUS",
    "AllowAnonymousAccess",
    "FilePasswordDB",
    "HashedPasswordDB",
    "ICredentialsChecker",
    "InMemoryUsernamePasswordDatabaseDontUse",
    "OnDiskUsernamePasswordDatabase",
]

_log = logging.getLogger("reactorlib.cred.checkers")

#: The avatar's name of somebody who did not say theirs.
ANONYMOUS: tuple[()] = ()


class ICredentialsChecker(Interface):
    """Something that checks credentials of certain kinds."""

    credentialInterfaces = Attribute("The kinds of credentials that it takes: interfaces.")

    def requestAvatarId(credentials: Any) -> Any:
        """
        Say whose credentials they are.

        Args:
            credentials: of one of the kinds.

        Returns:
            the name of their avatar, for the realm, or `ANONYMOUS`; or a
            Deferred or coroutine with it. Failing with `UnauthorizedLogin` means
            that they are not good.
        """


@implementer(ICredentialsChecker)
class AllowAnonymousAccess:
    """Lets anybody in, as nobody in particular."""

    credentialInterfaces = (_credentials.IAnonymous,)

    def requestAvatarId(self, credentials: Any) -> Deferred[tuple[()]]:
        """A Deferred with `ANONYMOUS`."""
        return succeed(ANONYMOUS)


def _decide(matched: Any, username: Any) -> Any:
    """The name, if the password was right."""
    if not matched:
        raise error.UnauthorizedLogin()
    return username


@implementer(ICredentialsChecker)
class InMemoryUsernamePasswordDatabaseDontUse:
    """
    Passwords in plain text, in memory: for tests and demonstrations.

    Args:
        users: password by name; the names are encoded.

    Attributes:
        users: password by name.
    """

    credentialInterfaces = (
        _credentials.IUsernamePassword,
        _credentials.IUsernameHashedPassword,
    )

    def __init__(self, **users: bytes) -> None:
        self.users: dict[Any, Any] = {name.encode("ascii"): users[name] for name in users}

    def addUser(self, username: bytes, password: bytes) -> None:
        """Add somebody, or change their password."""
        self.users[username] = password

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """A Deferred with the user name."""
        for name in (credentials.username, as_bytes(credentials.username)):
            if name in self.users:
                break
        else:
            return fail(error.UnauthorizedLogin())
        matched: Deferred[Any] = maybeDeferred(credentials.checkPassword, self.users[name])
        return matched.addCallback(_decide, credentials.username)


@implementer(ICredentialsChecker)
class FilePasswordDB:
    """
    Names and passwords in a file, one user on each line.

    Args:
        filename: the path.
        delim: what separates the fields of a line.
        usernameField, passwordField: which fields they are, from 0.
        caseSensitive: if false, names are compared in lower case.
        hash: called in a thread with the name, the password that was typed in
            and what the file has; returns what the file would have if the
            password is right. `passwords.storedHash` is one. Without it the
            file has the passwords themselves.
        cache: whether to read the file only when it has changed.
    """

    def __init__(
        self,
        filename: Any,
        delim: bytes = b":",
        usernameField: int = 0,
        passwordField: int = 1,
        caseSensitive: bool = True,
        hash: Callable[[bytes, bytes, bytes], bytes] | None = None,
        cache: bool = False,
    ) -> None:
        self.filename = filename
        self.delim = delim
        self.ufield = usernameField
        self.pfield = passwordField
        self.caseSensitive = caseSensitive
        self.hash = hash
        self.cache = cache
        self._known: dict[bytes, bytes] = {}
        self._read: object = None
        # A proof made with the password cannot be checked with its hash.
        kinds: tuple[Any, ...] = (_credentials.IUsernamePassword,)
        if hash is None:
            kinds += (_credentials.IUsernameHashedPassword,)
        self.credentialInterfaces = kinds

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_known": {}, "_read": None}

    def _load(self) -> Iterator[tuple[bytes, bytes]]:
        last = max(self.ufield, self.pfield)
        with open(self.filename, "rb") as file:
            for line in file:
                fields = line.rstrip(b"\r\n").split(self.delim)
                if last < len(fields):
                    name = fields[self.ufield]
                    yield name if self.caseSensitive else name.lower(), fields[self.pfield]

    def getUser(self, username: bytes) -> tuple[bytes, bytes]:
        """
        What the file has about somebody.

        Returns:
            the name, in lower case where case does not matter, and the password
            or its hash.

        Raises:
            KeyError: there is nobody of that name.
            UnauthorizedLogin: the file cannot be read.
        """
        username = cast(bytes, as_bytes(username))
        if not self.caseSensitive:
            username = username.lower()
        try:
            if self.cache:
                found = os.stat(self.filename)
                state = found.st_mtime_ns, found.st_size, found.st_ino
                if self._read != state:
                    self._known = dict(self._load())
                    self._read = state
                return username, self._known[username]
            for name, password in self._load():
                if name == username:
                    return name, password
        except OSError as cause:
            _log.error("the passwords in %r cannot be read: %s", self.filename, cause)
            raise error.UnauthorizedLogin() from cause
        raise KeyError(username)

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """A Deferred with the user name."""
        try:
            name, password = self.getUser(credentials.username)
        except KeyError:
            return fail(error.UnauthorizedLogin())
        except error.UnauthorizedLogin as cause:
            return fail(cause)
        matched: Deferred[Any]
        if self.hash is None:
            matched = maybeDeferred(credentials.checkPassword, password)
        elif _credentials.IUsernamePassword.providedBy(credentials):
            matched = threads.deferToThread(
                self.hash,
                cast(bytes, as_bytes(credentials.username)),
                cast(bytes, as_bytes(credentials.password)),
                password,
            )
            matched.addCallback(same_secret, password)
        else:
            return fail(error.UnhandledCredentials("a hash is checked with the password only"))
        return matched.addCallback(_decide, name)


#: Another name of `FilePasswordDB`.
OnDiskUsernamePasswordDatabase = FilePasswordDB


@implementer(ICredentialsChecker)
class HashedPasswordDB:
    """
    Hashes of passwords by name, made by `passwords.hashPassword`.

    A name that is not there takes as long to refuse as a wrong password.

    Args:
        users: the hash of each user's password. It is looked into at each login,
            and may be any mapping.
    """

    credentialInterfaces = (_credentials.IUsernamePassword,)

    def __init__(self, users: Mapping[bytes, bytes]) -> None:
        self.users = users

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """A Deferred with the user name."""
        stored = self.users.get(cast(bytes, as_bytes(credentials.username)))
        matched: Deferred[Any] = threads.deferToThread(
            passwords.verifyPassword, credentials.password, stored
        )
        return matched.addCallback(_decide, credentials.username)
