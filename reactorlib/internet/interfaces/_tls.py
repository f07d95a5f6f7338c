"""
TLS: transports that encrypt, and what says how they do.

The names are Twisted's, so some of them speak of OpenSSL. What stands behind
them is the standard library's `ssl`: where Twisted has an `OpenSSL.SSL.Context`,
these have an `ssl.SSLContext`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zope.interface import Attribute, Interface

from reactorlib.internet.interfaces._streams import IProtocol, ITCPTransport

if TYPE_CHECKING:
    import ssl


class ITLSTransport(ITCPTransport):
    """A connection that can go on in TLS."""

    def startTLS(contextFactory: Any) -> None:
        """
        Begin a TLS handshake; everything after it is encrypted.

        Args:
            contextFactory: for a client `ssl.optionsForClientTLS(host)`, for a
                server `ssl.CertificateOptions`; or anything else that
                `reactorlib.internet.ssl` knows, an `ssl.SSLContext` among it.
        """


class ISSLTransport(ITCPTransport):
    """A connection in TLS."""

    def getPeerCertificate() -> Any:
        """The `ssl.Certificate` that the peer has shown, or None."""


class INegotiated(ISSLTransport):
    """A connection in TLS that may have agreed on what is spoken in it (ALPN)."""

    negotiatedProtocol: bytes | None = Attribute(
        "The name of the application protocol that both sides have agreed on. None if they "
        "have not, and before the handshake is done."
    )


class IHandshakeListener(IProtocol):
    """A protocol that wants to know when the TLS handshake is done."""

    def handshakeCompleted() -> None:
        """
        The handshake is done, and nothing has come or gone since.

        The transport can say who the peer is and what was agreed on; if that is not
        good enough, `transport.abortConnection()` leaves all that was written unsent.
        """


class IProtocolNegotiationFactory(Interface):
    """A factory whose protocols can speak in one of several ways, chosen by ALPN."""

    def acceptableProtocols() -> Sequence[bytes]:
        """The names of the application protocols, the preferred one first."""


class IOpenSSLContextFactory(Interface):
    """What makes, or keeps, the TLS settings of one kind of connection."""

    def getContext() -> ssl.SSLContext:
        """The settings."""


class IOpenSSLClientConnectionCreator(Interface):
    """What has TLS settings for each connection of a client."""

    def clientConnectionForTLS(tlsProtocol: Any) -> tuple[ssl.SSLContext, str | None]:
        """
        The settings, and the name or address of the server.

        Args:
            tlsProtocol: the transport that is about to speak TLS.

        Returns:
            a client's context, and what its certificate has to be for; None for
            the latter only with a context that does not check it.
        """


class IOpenSSLServerConnectionCreator(Interface):
    """What has TLS settings for each connection of a server."""

    def serverConnectionForTLS(tlsProtocol: Any) -> ssl.SSLContext:
        """
        The settings.

        Args:
            tlsProtocol: the transport that is about to speak TLS.
        """


class ICipher(Interface):
    """A cipher suite."""

    fullName: str = Attribute("Its name, as OpenSSL has it.")


class IAcceptableCiphers(Interface):
    """Which cipher suites may be used."""

    def selectCiphers(availableCiphers: Sequence[ICipher]) -> Sequence[ICipher]:
        """Those of the available ones that are acceptable, the preferred one first."""
