"""The kinds of credentials."""

from __future__ import annotations

from typing import Any

from zope.interface import Attribute, Interface

__all__ = [
    "IAnonymous",
    "ICredentials",
    "ISSHPrivateKey",
    "IUsernameDigestHash",
    "IUsernameHashedPassword",
    "IUsernamePassword",
]


class ICredentials(Interface):
    """
    What somebody shows to be let in.

    A kind of its own extends this; the checker that takes it says so in its
    `credentialInterfaces`.
    """


class IUsernamePassword(ICredentials):
    """A name and a password as it was typed in."""

    username = Attribute("The name, in bytes.")
    password = Attribute("The password, in bytes.")

    def checkPassword(password: Any) -> Any:
        """Whether that is the password: a bool, or a Deferred with one."""


class IUsernameHashedPassword(ICredentials):
    """A name, and a proof that the password is known: the password itself is not there."""

    username = Attribute("The name, in bytes.")

    def checkPassword(password: Any) -> Any:
        """Whether the proof was made with that password: a bool, or a Deferred with one."""


class IUsernameDigestHash(ICredentials):
    """A name and a proof that can be checked with a hash of the password, as of HTTP digests."""

    username = Attribute("The name, in bytes.")

    def checkHash(digestHash: Any) -> Any:
        """
        Whether the proof was made with the password of that hash.

        Args:
            digestHash: the hash of `username:realm:password`, in hex.
        """


class IAnonymous(ICredentials):
    """Nothing: somebody who does not say who they are."""


class ISSHPrivateKey(ICredentials):
    """A name and a signature by an SSH key. RFC 4252 section 7."""

    username = Attribute("The name, in bytes.")
    algName = Attribute("The name of the algorithm, in bytes.")
    blob = Attribute("The public key, in bytes as on the wire.")
    sigData = Attribute("What was signed, in bytes; None when the key is only offered.")
    signature = Attribute("The signature, in bytes; None when the key is only offered.")
