"""Random bytes, that nobody can guess and others."""

from __future__ import annotations

import os
import random
import warnings

__all__ = ["RandomFactory", "SecureRandomNotAvailable", "insecureRandom", "secureRandom"]


class SecureRandomNotAvailable(RuntimeError):
    """The system gives no random numbers that nobody can guess."""


class SourceNotAvailable(RuntimeError):
    """This system has no such source of random numbers."""


class RandomFactory:
    """The two sources of random bytes; the functions of this module are methods of one."""

    #: What the insecure numbers are made with.
    getrandbits = staticmethod(random.getrandbits)

    def _os_urandom(self, nbytes: int) -> bytes:
        try:
            return os.urandom(nbytes)
        except NotImplementedError as cause:
            raise SourceNotAvailable from cause

    _osUrandom = _os_urandom

    def secureRandom(self, nbytes: int, fallback: bool = False) -> bytes:
        """
        Bytes that nobody can guess: for keys, tokens and salts.

        Args:
            nbytes: how many.
            fallback: whether others will do, with a warning, where the system
                has none of them.

        Raises:
            SecureRandomNotAvailable: the system has none, and others will not do.
        """
        try:
            return self._osUrandom(nbytes)
        except SourceNotAvailable as cause:
            if not fallback:
                raise SecureRandomNotAvailable("no secure source of random numbers") from cause
        warnings.warn(
            "urandom unavailable - proceeding with non-cryptographically secure random source",
            RuntimeWarning,
            stacklevel=2,
        )
        return self.insecureRandom(nbytes)

    def insecureRandom(self, nbytes: int) -> bytes:
        """Bytes that can be guessed: for everything that guards nothing."""
        if self.getrandbits is None:
            return bytes(random.choices(range(256), k=nbytes))
        return self.getrandbits(nbytes * 8).to_bytes(nbytes, "big")


_factory = RandomFactory()
secureRandom = _factory.secureRandom
insecureRandom = _factory.insecureRandom
