"""OpenSSLCipher suites, and parameters for Diffie-Hellman key exchange."""

from __future__ import annotations

import functools
import os
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from zope.interface import implementer

from reactorlib.internet.interfaces import IAcceptableCiphers, ICipher

__all__ = ["AcceptableCiphers", "DiffieHellmanParameters", "OpenSSLCipher", "expand"]


@implementer(ICipher)
@dataclass(frozen=True)
class OpenSSLCipher:
    """
    A cipher suite.

    Attributes:
        fullName: its name, as OpenSSL has it.
    """

    fullName: str


@functools.cache
def expand(cipher_string: str) -> tuple[OpenSSLCipher, ...]:
    """The cipher suites of this OpenSSL that a string of OpenSSL's chooses; maybe none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.set_ciphers(cipher_string)
    except ssl.SSLError:
        return ()
    return tuple(OpenSSLCipher(cipher["name"]) for cipher in context.get_ciphers())


@implementer(IAcceptableCiphers)
class AcceptableCiphers:
    """
    The cipher suites that may be used, the preferred one first.

    TLS 1.3 has its own few, all of them good, which `ssl` does not let anybody
    choose from: what is said here holds for TLS 1.2.
    """

    def __init__(self, ciphers: Iterable[Any]) -> None:
        self._ciphers = tuple(ciphers)

    def selectCiphers(self, availableCiphers: Sequence[Any]) -> tuple[Any, ...]:
        """Those of the available ones that may be used, the preferred one first."""
        return tuple(cipher for cipher in self._ciphers if cipher in availableCiphers)

    @classmethod
    def fromOpenSSLCipherString(cls, cipherString: str) -> AcceptableCiphers:
        """
        The ones that such a string chooses: `"ECDHE+AESGCM:!aNULL"`.

        What this OpenSSL does not have is left out, and may leave none.
        """
        return cls(expand(cipherString))


class DiffieHellmanParameters:
    """
    Parameters for key exchange with DHE ciphers, which only old clients need.

    Args:
        parameters: the file that they are in: a path, or anything with a `path`.
    """

    def __init__(self, parameters: Any) -> None:
        self._dhFile = parameters

    @classmethod
    def fromFile(cls, filePath: Any) -> DiffieHellmanParameters:
        """Parameters in a file, as `openssl dhparam -out dh.pem 2048` makes it."""
        return cls(filePath)

    @property
    def path(self) -> Any:
        """The file's path."""
        return os.fspath(getattr(self._dhFile, "path", self._dhFile))
