"""Whom to trust: the authorities whose signature makes a peer's certificate good."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any

from zope.interface import Interface, implementer

__all__ = [
    "CertificateAuthorities",
    "IOpenSSLTrustRoot",
    "OpenSSLDefaultPaths",
    "platformTrust",
    "trustRootFromCertificates",
]


class IOpenSSLTrustRoot(Interface):
    """Whom to trust. Its method is private: make such objects by the functions here."""

    def _addCACertsToContext(context: ssl.SSLContext) -> None:
        """Have connections with the context trust them."""


@implementer(IOpenSSLTrustRoot)
class CertificateAuthorities:
    """
    Trust these certificates, and what they have signed, and nobody else.

    Args:
        certificates: as `Certificate` takes them, or Certificates.
    """

    def __init__(self, certificates: Iterable[Any]) -> None:
        from reactorlib.internet._tls._certificates import Certificate

        self._ders = [Certificate(certificate).dump() for certificate in certificates]

    def _addCACertsToContext(self, context: ssl.SSLContext) -> None:
        if self._ders:
            context.load_verify_locations(cadata=b"".join(self._ders))
        # A certificate that was given is to be trusted, whoever has signed it.
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN


@implementer(IOpenSSLTrustRoot)
class OpenSSLDefaultPaths:
    """Trust whom this system trusts."""

    def _addCACertsToContext(self, context: ssl.SSLContext) -> None:
        context.load_default_certs()


def trustRootFromCertificates(certificates: Iterable[Any]) -> CertificateAuthorities:
    """
    Trust some certificates, and what they have signed: a `trustRoot`.

    Args:
        certificates: Certificates, PrivateCertificates among them.

    Raises:
        TypeError: something is neither.
    """
    from reactorlib.internet._tls._certificates import CertBase

    trusted = list(certificates)
    for certificate in trusted:
        if not isinstance(certificate, CertBase):
            raise TypeError(
                "certificates items must be reactorlib.internet.ssl.CertBase instances, "
                f"not {certificate!r}"
            )
    return CertificateAuthorities(trusted)


def platformTrust() -> OpenSSLDefaultPaths:
    """
    Trust whom this system trusts: a `trustRoot`.

    It is what OpenSSL was told when it was installed; the environment variables
    SSL_CERT_FILE and SSL_CERT_DIR override it.
    """
    return OpenSSLDefaultPaths()
