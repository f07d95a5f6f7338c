"""
What somebody shows to be let in.

A protocol makes credentials of what the peer sent, and takes them to
`portal.Portal.login`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import socket
import time
import warnings
from typing import Any

from zope.interface import implementer

from reactorlib.cred._compare import same_secret
from reactorlib.cred._digest import (
    DigestCredentialFactory,
    DigestedCredentials,
    calcHA1,
    calcHA2,
    calcResponse,
)
from reactorlib.cred._interfaces import (
    IAnonymous,
    ICredentials,
    ISSHPrivateKey,
    IUsernameDigestHash,
    IUsernameHashedPassword,
    IUsernamePassword,
)

__all__ = [
    "Anonymous",
    "CramMD5Credentials",
    "DigestCredentialFactory",
    "DigestedCredentials",
    "IAnonymous",
    "ICredentials",
    "ISSHPrivateKey",
    "IUsernameDigestHash",
    "IUsernameHashedPassword",
    "IUsernamePassword",
    "SSHPrivateKey",
    "UsernamePassword",
    "calcHA1",
    "calcHA2",
    "calcResponse",
]


@implementer(IUsernamePassword)
class UsernamePassword:
    """A name and a password as it was typed in."""

    def __init__(self, username: bytes, password: bytes) -> None:
        self.username = username
        self.password = password

    def checkPassword(self, password: bytes) -> bool:
        """Whether that is the password."""
        return same_secret(self.password, password)


@implementer(IAnonymous)
class Anonymous:
    """Somebody who does not say who they are."""


@implementer(ISSHPrivateKey)
class SSHPrivateKey:
    """A name, and a signature by an SSH key."""

    def __init__(
        self,
        username: bytes,
        algName: bytes,
        blob: bytes,
        sigData: bytes | None,
        signature: bytes | None,
    ) -> None:
        self.username = username
        self.algName = algName
        self.blob = blob
        self.sigData = sigData
        self.signature = signature


@implementer(IUsernameHashedPassword)
class CramMD5Credentials:
    """
    The answer to a challenge, made with the password. RFC 2195.

    Args:
        host: the server's name, for the challenge; by default that of this machine.

    Attributes:
        challenge: what was sent; empty before `getChallenge`.
        response: the proof, in hex.
        username: the name, from the response.
    """

    username: bytes | None = None
    challenge = b""
    response = b""

    def __init__(self, host: bytes | None = None) -> None:
        self.host = host

    def getChallenge(self) -> bytes:
        """The challenge to send; the same at each call."""
        if not self.challenge:
            host = socket.gethostname().encode() if self.host is None else self.host
            # RFC 2195 section 2: random digits, a timestamp, the primary host name.
            self.challenge = b"<%d.%d@%s>" % (secrets.randbits(62), int(time.time()), host)
        return self.challenge

    def setResponse(self, response: bytes) -> None:
        """
        Take the answer.

        Raises:
            ValueError: it is not a name, a space and a proof.
        """
        # RFC 2195 section 2: the digest has no space in it, the name may.
        username, space, proof = response.rstrip().rpartition(b" ")
        if not space:
            raise ValueError("a CRAM-MD5 response is a user name, a space and a digest")
        self.username, self.response = username, proof

    def moreChallenges(self) -> bool:
        """Whether there is another round: never."""
        return False

    def checkPassword(self, password: bytes) -> bool:
        """Whether the proof was made with that password."""
        if isinstance(password, str):
            password = password.encode()
        expected = hmac.new(password, self.challenge, hashlib.md5).hexdigest()
        return same_secret(expected.encode(), bytes(self.response).lower())


@implementer(IUsernameHashedPassword)
class _UsernameHashedPassword:
    """A name and a hash of the password, which is compared as it is. Deprecated."""

    def __init__(self, username: bytes, hashed: bytes) -> None:
        self.username = username
        self.hashed = hashed

    def checkPassword(self, password: bytes) -> bool:
        """Whether that is the hash."""
        return same_secret(self.hashed, password)


_UsernameHashedPassword.__name__ = _UsernameHashedPassword.__qualname__ = "UsernameHashedPassword"


def __getattr__(name: str) -> Any:
    if name == "UsernameHashedPassword":
        warnings.warn(
            f"{__name__}.UsernameHashedPassword was deprecated in Twisted 21.2.0: "
            f"Use {__name__}.UsernamePassword instead.",
            DeprecationWarning,
            stacklevel=2,
        )
        return _UsernameHashedPassword
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
