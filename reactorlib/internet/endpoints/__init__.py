"""Endpoints: where to listen or connect, apart from what is spoken there."""

from __future__ import annotations

from reactorlib.internet._tls._directory import autoReloadingDirectoryOfPEMs
from reactorlib.internet.endpoints._attempt import _WrappingFactory, _WrappingProtocol
from reactorlib.internet.endpoints._clients import (
    SSL4ClientEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
)
from reactorlib.internet.endpoints._describe import DescriptionError, _parse, quoteStringArgument
from reactorlib.internet.endpoints._hostname import HostnameEndpoint, _SimpleHostnameResolver
from reactorlib.internet.endpoints._kinds import clientFromString, serverFromString
from reactorlib.internet.endpoints._process import (
    ProcessEndpoint,
    StandardErrorBehavior,
    _WrapIProtocol,
)
from reactorlib.internet.endpoints._server_kinds import (
    _StandardIOParser,
    _SystemdParser,
    _TCP6ServerParser,
)
from reactorlib.internet.endpoints._servers import (
    AdoptedStreamServerEndpoint,
    SSL4ServerEndpoint,
    StandardIOEndpoint,
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    UNIXServerEndpoint,
)
from reactorlib.internet.endpoints._wrapping import (
    _TLSServerEndpoint,
    _WrapperEndpoint,
    _WrapperServerEndpoint,
    connectProtocol,
    wrapClientTLS,
    wrapServerTLS,
)

__all__ = [
    "AdoptedStreamServerEndpoint",
    "DescriptionError",
    "HostnameEndpoint",
    "ProcessEndpoint",
    "SSL4ClientEndpoint",
    "SSL4ServerEndpoint",
    "StandardErrorBehavior",
    "StandardIOEndpoint",
    "TCP4ClientEndpoint",
    "TCP4ServerEndpoint",
    "TCP6ClientEndpoint",
    "TCP6ServerEndpoint",
    "UNIXClientEndpoint",
    "UNIXServerEndpoint",
    "autoReloadingDirectoryOfPEMs",
    "clientFromString",
    "connectProtocol",
    "quoteStringArgument",
    "serverFromString",
    "wrapClientTLS",
    "wrapServerTLS",
]

# Twisted's own names for some of what is inside, where programs look for them.
_ALSO = (
    _SimpleHostnameResolver,
    _StandardIOParser,
    _SystemdParser,
    _TCP6ServerParser,
    _TLSServerEndpoint,
    _WrapIProtocol,
    _WrapperEndpoint,
    _WrapperServerEndpoint,
    _WrappingFactory,
    _WrappingProtocol,
    _parse,
)
