"""Twisted's older classes for TLS settings, on which programs still build their own."""

from __future__ import annotations

import ssl
from typing import Any

from zope.interface import implementer

from reactorlib.internet._tls._certificates import own_certificate
from reactorlib.internet._tls._pem import refuse_passphrase
from reactorlib.internet.interfaces import IOpenSSLContextFactory

__all__ = ["ClientContextFactory", "ContextFactory", "DefaultOpenSSLContextFactory"]


@implementer(IOpenSSLContextFactory)
class ContextFactory:
    """The settings of a server; `getContext` is for subclasses to write."""

    isClient = 0

    def getContext(self) -> ssl.SSLContext:
        """The settings as an `ssl.SSLContext`."""
        raise NotImplementedError(f"{self.__class__.__name__} needs a getContext()")


class DefaultOpenSSLContextFactory(ContextFactory):
    """
    The settings of a server, with its key and certificate from files.

    Args:
        privateKeyFileName: the path of the private key, in PEM.
        certificateFileName: the path of the certificate, and of what certifies it, in
            PEM.
        sslmethod: refused, unless it is `ssl.PROTOCOL_TLS_SERVER`, which it is anyway.

    Raises:
        OSError: a file cannot be read.
        ssl.SSLError: (an OSError, too) they are not what they should be, or do not
            belong together.
        ValueError: the key is encrypted, or `sslmethod` is refused.
    """

    _context: ssl.SSLContext | None = None

    def __init__(
        self, privateKeyFileName: Any, certificateFileName: Any, sslmethod: Any = None
    ) -> None:
        if sslmethod not in (None, ssl.PROTOCOL_TLS_SERVER):
            raise ValueError(
                f"sslmethod={sslmethod!r} is not supported: use CertificateOptions, which takes "
                "the lowest and the highest version"
            )
        self.privateKeyFileName = privateKeyFileName
        self.certificateFileName = certificateFileName
        self.sslmethod = ssl.PROTOCOL_TLS_SERVER
        self.cacheContext()

    def cacheContext(self) -> None:
        """Read the files, if they have not been."""
        if self._context is None:
            context = _context(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(
                self.certificateFileName, self.privateKeyFileName, refuse_passphrase
            )
            with open(self.certificateFileName, "rb") as file:
                own_certificate[context] = file.read()
            self._context = context

    def getContext(self) -> ssl.SSLContext:
        """The settings as an `ssl.SSLContext`, always the same one."""
        self.cacheContext()
        assert self._context is not None
        return self._context

    def __getstate__(self) -> dict[str, Any]:
        """What can be saved: all but the context."""
        return {name: value for name, value in self.__dict__.items() if name != "_context"}


@implementer(IOpenSSLContextFactory)
class ClientContextFactory:
    """
    The settings of a client that talks to anybody, with TLS 1.2 or higher.

    It does not check who the server is: `optionsForClientTLS` does.

    Attributes:
        method: for subclasses to choose a version by, in Twisted; refused here.
    """

    isClient = 1
    method: Any = None

    def getContext(self) -> ssl.SSLContext:
        """
        The settings as an `ssl.SSLContext`, a new one each time.

        Raises:
            ValueError: there is a `method`.
        """
        if self.method not in (None, ssl.PROTOCOL_TLS_CLIENT):
            raise ValueError(
                f"method={self.method!r} is not supported: use optionsForClientTLS, or change "
                "what getContext() returns"
            )
        context = _context(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


def _context(kind: int) -> ssl.SSLContext:
    """A context for TLS 1.2 or higher, which not every build of Python sees to."""
    context = ssl.SSLContext(kind)
    context.options |= ssl.OP_NO_RENEGOTIATION
    if context.minimum_version < ssl.TLSVersion.TLSv1_2:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
