"""
From whatever a user gives as TLS settings, to what a connection is made with.

`contextFactory` may be, everywhere: an `ssl.SSLContext`; one of the classes of
`reactorlib.internet.ssl`; a provider of `IOpenSSLClientConnectionCreator` or
`IOpenSSLServerConnectionCreator`; anything whose `getContext()` returns an
`ssl.SSLContext`.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any

from reactorlib._sansio.tls import TLSEngine
from reactorlib.internet._tls._options import NameCallback
from reactorlib.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
    IProtocolNegotiationFactory,
)

__all__ = ["check_settings", "engine_for", "protocols_of", "settings_for"]


def engine_for(
    contextFactory: Any,
    isClient: bool,
    *,
    connection: Any = None,
    factory: Any = None,
    hostname: str | None = None,
) -> TLSEngine:
    """
    The TLS engine of a new connection.

    Args:
        contextFactory: the settings, in any form.
        isClient: whether this side begins.
        connection: the transport that is about to speak TLS, for creators.
        factory: what makes the protocols that will speak over TLS. If it provides
            `IProtocolNegotiationFactory`, its protocols are offered.
        hostname: a client's server, for settings that do not know it themselves.

    Raises:
        TypeError: it can be no settings.
        ValueError: they are for the other side, or miss a host name.
    """
    context, name = settings_for(
        contextFactory,
        isClient,
        connection=connection,
        protocols=protocols_of(factory),
        hostname=hostname,
    )
    return TLSEngine(context, server_side=not isClient, server_hostname=name)


def check_settings(contextFactory: Any, isClient: bool, hostname: str | None = None) -> None:
    """
    Refuse at once what no connection could be made with.

    Creators, which see the connection, are not asked.

    Raises:
        TypeError, ValueError: as `engine_for`.
        OSError: (`ssl.SSLError` is one) a key or certificate is no good.
    """
    creators = IOpenSSLClientConnectionCreator if isClient else IOpenSSLServerConnectionCreator
    known = hasattr(contextFactory, "_settings_for")
    if known or not creators.providedBy(contextFactory):
        context, name = settings_for(contextFactory, isClient, hostname=hostname)
        if isClient:
            TLSEngine(context, server_hostname=name)  # which looks at the name


def protocols_of(factory: Any) -> Iterable[bytes]:
    """The application protocols of a factory, if it says them."""
    negotiation: Any = IProtocolNegotiationFactory(factory, None)
    return () if negotiation is None else negotiation.acceptableProtocols()


def settings_for(
    contextFactory: Any,
    isClient: bool,
    *,
    connection: Any = None,
    protocols: Iterable[bytes] = (),
    hostname: str | None = None,
    on_name: NameCallback | None = None,
) -> tuple[ssl.SSLContext, str | None]:
    """
    The context of a new connection, and for a client the server's name.

    A context that the user has made is left as it is.

    Args:
        protocols: application protocols to offer.
        on_name: the `sni_callback` of the context.

    Raises:
        TypeError, ValueError: as `engine_for`.
    """
    name = hostname
    known = getattr(contextFactory, "_settings_for", None)
    if isinstance(contextFactory, ssl.SSLContext):
        context: Any = contextFactory
    elif known is not None:
        context, name = known(isClient, protocols, on_name)
    elif isClient and IOpenSSLClientConnectionCreator.providedBy(contextFactory):
        context, name = contextFactory.clientConnectionForTLS(connection)
    elif not isClient and IOpenSSLServerConnectionCreator.providedBy(contextFactory):
        context = contextFactory.serverConnectionForTLS(connection)
    else:
        getContext = getattr(contextFactory, "getContext", None)
        if getContext is None:
            raise TypeError(
                f"{contextFactory!r} cannot be TLS settings: use CertificateOptions, "
                "optionsForClientTLS() or an ssl.SSLContext"
            )
        context = getContext()
    if not isinstance(context, ssl.SSLContext):
        raise TypeError(
            f"{contextFactory!r} makes {context!r}, and it has to make an ssl.SSLContext of the "
            "standard library's"
        )
    wrong = ssl.PROTOCOL_TLS_SERVER if isClient else ssl.PROTOCOL_TLS_CLIENT
    if context.protocol == wrong:
        have, need = ("servers", "client") if isClient else ("clients", "server")
        raise ValueError(f"{contextFactory!r} makes contexts for {have}, and this is a {need}")
    return context, name if isClient else None
