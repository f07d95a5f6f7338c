"""The settings of a client that makes sure whom it talks to."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from zope.interface import implementer

from reactorlib.internet._tls._options import CertificateOptions, NameCallback
from reactorlib.internet._tls._trust import platformTrust
from reactorlib.internet.interfaces import IOpenSSLClientConnectionCreator

__all__ = ["ClientTLSOptions", "ascii_host", "optionsForClientTLS"]


@implementer(IOpenSSLClientConnectionCreator)
class ClientTLSOptions:
    """
    The settings of a client: what `optionsForClientTLS` makes.

    Args:
        options: everything but the name.
        hostname: whom the server's certificate has to be for.
    """

    def __init__(self, options: CertificateOptions, hostname: str) -> None:
        self._options = options
        self._name = ascii_host(hostname)

    def getContext(self) -> ssl.SSLContext:
        """The settings as an `ssl.SSLContext`; it has to be given the host name."""
        return self._options.getContext(isClient=True)

    def clientConnectionForTLS(self, tlsProtocol: Any) -> tuple[ssl.SSLContext, str | None]:
        """The settings of a connection: an `ssl.SSLContext`, and the host name."""
        return self.getContext(), self._name

    def _settings_for(
        self, is_client: bool, protocols: Iterable[bytes] = (), on_name: NameCallback | None = None
    ) -> tuple[ssl.SSLContext, str | None]:
        """
        The context of a connection, and the host name to check.

        Raises:
            ValueError: it is a server's connection.
        """
        if not is_client:
            raise ValueError(
                "optionsForClientTLS() is for clients: a server uses CertificateOptions"
            )
        return self._options._settings_for(True, protocols)[0], self._name


def optionsForClientTLS(
    hostname: str,
    trustRoot: Any = None,
    clientCertificate: Any = None,
    acceptableProtocols: Sequence[bytes] | None = None,
    *,
    extraCertificateOptions: Mapping[str, Any] | None = None,
    sendServerName: bool | None = None,
) -> ClientTLSOptions:
    """
    The settings of a client that makes sure whom it talks to.

    Args:
        hostname: the server's name or address, as it was asked for. Its certificate
            has to be for that. A name is sent to the server, too, which may have
            certificates for several.
        trustRoot: who may certify the server: a Certificate, or the result of
            `trustRootFromCertificates`. Whoever this system trusts, if None.
        clientCertificate: the PrivateCertificate to show if the server asks.
        acceptableProtocols: application protocols (ALPN), the preferred one first.
        extraCertificateOptions: more arguments for `CertificateOptions`.
        sendServerName: `ssl` sends names and no addresses, as the standard wants;
            anything else is refused.

    Raises:
        TypeError: `hostname` is not text.
        ValueError: `hostname` cannot be one, or `sendServerName` is not to be had.
    """
    if not isinstance(hostname, str):
        raise TypeError(
            f"optionsForClientTLS requires text for host names, not {hostname.__class__.__name__}"
        )
    if sendServerName is not None and sendServerName == _is_address(hostname):
        raise ValueError(
            f"sendServerName={sendServerName} is not supported for {hostname!r}: ssl sends the "
            "names that it checks, and no addresses"
        )
    extra = dict(extraCertificateOptions or {})
    if clientCertificate is not None:
        extra["privateKey"] = clientCertificate.privateKey
        extra["certificate"] = clientCertificate
    options = CertificateOptions(
        trustRoot=platformTrust() if trustRoot is None else trustRoot,
        acceptableProtocols=acceptableProtocols,
        **extra,
    )
    options._checks_name = True
    return ClientTLSOptions(options, hostname)


def ascii_host(hostname: str) -> str:
    """
    A host name in the form that certificates have it in; or an address.

    Raises:
        ValueError: it can be neither.
    """
    if _is_address(hostname):
        return hostname.partition("%")[0]
    try:
        name = hostname.removesuffix(".").encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError(f"{hostname!r} cannot be a host name: {error}") from error
    if not name or name.startswith("."):
        raise ValueError(f"{hostname!r} cannot be a host name")
    return name


def _is_address(hostname: str) -> bool:
    try:
        ipaddress.ip_address(hostname)
    except ValueError:
        return False
    return True
