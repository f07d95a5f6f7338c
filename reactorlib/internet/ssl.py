"""
TLS settings: certificates, keys, whom to trust, which versions and ciphers.

A server needs a certificate and its key:

    options = PrivateCertificate.loadPEM(pem).options()      # from memory
    options = ReloadingOptions("key.pem", "certificate.pem") # from files, kept up to date

and a client needs to know whom it wants to talk to:

    options = optionsForClientTLS("example.com")

Either goes wherever a `contextFactory` is asked for: `reactor.listenSSL`,
`reactor.connectSSL`, `transport.startTLS`, endpoints, `TLSMemoryBIOFactory`. So
does a plain `ssl.SSLContext`, as one has it in asyncio: it is used as it is, and
checks the host name that is connected to if it is told to check any.

All of it stands on the standard library's `ssl`. To make certificates, or to look
into them, takes the package cryptography: `pip install 'reactorlib[tls]'`.
"""

from __future__ import annotations

import enum
from ssl import SSLCertVerificationError as VerificationError

from reactorlib.internet._tls._certificates import (
    CertBase,
    Certificate,
    CertificateRequest,
    PrivateCertificate,
)
from reactorlib.internet._tls._ciphers import (
    AcceptableCiphers,
    DiffieHellmanParameters,
    OpenSSLCipher,
)
from reactorlib.internet._tls._client import ClientTLSOptions, optionsForClientTLS
from reactorlib.internet._tls._directory import DirectoryOptions
from reactorlib.internet._tls._keys import KeyPair, PublicKey
from reactorlib.internet._tls._legacy import (
    ClientContextFactory,
    ContextFactory,
    DefaultOpenSSLContextFactory,
)
from reactorlib.internet._tls._names import DN, DistinguishedName
from reactorlib.internet._tls._options import CertificateOptions
from reactorlib.internet._tls._reload import ReloadingOptions
from reactorlib.internet._tls._sni import SNIOptions
from reactorlib.internet._tls._trust import (
    CertificateAuthorities,
    IOpenSSLTrustRoot,
    OpenSSLDefaultPaths,
    platformTrust,
    trustRootFromCertificates,
)
from reactorlib.internet._tls._versions import (
    FILETYPE_ASN1,
    FILETYPE_PEM,
    TYPE_DSA,
    TYPE_EC,
    TYPE_ED25519,
    TYPE_RSA,
    TLSVersion,
)
from reactorlib.internet.error import VerifyError
from reactorlib.internet.interfaces import ICipher

__all__ = [
    "DN",
    "FILETYPE_ASN1",
    "FILETYPE_PEM",
    "TYPE_DSA",
    "TYPE_EC",
    "TYPE_ED25519",
    "TYPE_RSA",
    "AcceptableCiphers",
    "CertBase",
    "Certificate",
    "CertificateOptions",
    "CertificateRequest",
    "ClientContextFactory",
    "ContextFactory",
    "DefaultOpenSSLContextFactory",
    "DiffieHellmanParameters",
    "DirectoryOptions",
    "DistinguishedName",
    "KeyPair",
    "OpenSSLDefaultPaths",
    "PrivateCertificate",
    "ProtocolNegotiationSupport",
    "PublicKey",
    "ReloadingOptions",
    "SNIOptions",
    "TLSVersion",
    "VerificationError",
    "optionsForClientTLS",
    "platformTrust",
    "protocolNegotiationMechanisms",
    "supported",
    "trustRootFromCertificates",
]

#: TLS is always there.
supported = True

# Twisted's own names for some of the above, which programs import in spite of their
# being private there.
OpenSSLAcceptableCiphers = AcceptableCiphers
OpenSSLCertificateAuthorities = CertificateAuthorities
OpenSSLCertificateOptions = CertificateOptions
OpenSSLDiffieHellmanParameters = DiffieHellmanParameters
_ALSO = (ClientTLSOptions, ICipher, IOpenSSLTrustRoot, OpenSSLCipher, VerifyError)


class ProtocolNegotiationSupport(enum.Flag):
    """How application protocols can be agreed on. It is always by ALPN."""

    NOSUPPORT = 0
    NPN = 1
    ALPN = 2


def protocolNegotiationMechanisms() -> ProtocolNegotiationSupport:
    """How application protocols can be agreed on: by ALPN."""
    return ProtocolNegotiationSupport.ALPN
