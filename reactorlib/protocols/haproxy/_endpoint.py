"""Endpoints that take connections from a proxy."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from zope.interface import implementer

from reactorlib.internet.endpoints import quoteStringArgument, serverFromString
from reactorlib.internet.endpoints._describe import BadArgument
from reactorlib.internet.endpoints._wrapping import _WrapperServerEndpoint, tls_factory
from reactorlib.internet.interfaces import IStreamServerEndpointStringParser
from reactorlib.protocols.haproxy._wrapper import HEADER_TIMEOUT, HAProxyWrappingFactory, Trusted

__all__ = ["parser", "proxyEndpoint"]


def proxyEndpoint(
    wrappedEndpoint: Any,
    *,
    trusted: Iterable[str] | None = None,
    headerTimeout: float = HEADER_TIMEOUT,
    clock: Any = None,
) -> Any:
    """
    An endpoint that takes connections from a proxy, which says whose they are.

    If TLS is spoken at `wrappedEndpoint`, the header is still the first on the wire.

    Args:
        wrappedEndpoint: where the proxy connects to.
        trusted: whom to believe: networks and addresses, as text; "unix" is for
            UNIX sockets. Connections from others are refused. None for everybody:
            then nobody but the proxy may be able to connect.
        headerTimeout: seconds for the header to come.
        clock: the IReactorTime that tells them; the reactor if None.

    Returns:
        an `IStreamServerEndpoint`.

    Raises:
        ValueError: `trusted` names what is no network.
    """
    if trusted is not None:
        trusted = list(trusted)
        Trusted(trusted)
    beneath_tls = getattr(wrappedEndpoint, "_beneath_tls", None)
    plain, settings = (wrappedEndpoint, None) if beneath_tls is None else beneath_tls()

    def wrap(factory: Any) -> HAProxyWrappingFactory:
        if settings is not None:
            factory = tls_factory(settings, False, factory, clock)
        return HAProxyWrappingFactory(factory, trusted, headerTimeout, clock)

    return _WrapperServerEndpoint(plain, wrap)


@implementer(IStreamServerEndpointStringParser)
class _HAProxyServerParser:
    """`haproxy:`, then the description of where the proxy connects to."""

    prefix = "haproxy"

    def parseStreamServer(
        self,
        reactor: Any,
        *args: str,
        trusted: str | None = None,
        headerTimeout: str = str(HEADER_TIMEOUT),
        **kwargs: str,
    ) -> Any:
        if not args:
            raise BadArgument(
                "", "haproxy: needs the description of an endpoint, as in haproxy:tcp:8080"
            )
        try:
            seconds = float(headerTimeout)
        except ValueError:
            seconds = math.nan
        if not 0 < seconds < math.inf:
            raise BadArgument(
                "headerTimeout", f"headerTimeout is a time in seconds, not {headerTimeout!r}"
            )
        quoted = [_quote(each) for each in args]
        quoted += [f"{name}={quoteStringArgument(value)}" for name, value in kwargs.items()]
        wrapped = serverFromString(reactor, ":".join(quoted))
        try:
            return proxyEndpoint(
                wrapped,
                trusted=None if trusted is None else trusted.split(","),
                headerTimeout=seconds,
            )
        except ValueError as error:
            raise BadArgument("trusted", f"trusted: {error}") from error


def _quote(value: str) -> str:
    """Quote a value that has no name."""
    return quoteStringArgument(value).replace("=", "\\=")


parser = _HAProxyServerParser()
