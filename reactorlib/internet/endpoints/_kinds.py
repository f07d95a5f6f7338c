"""
From a description to an endpoint.

A kind is looked for in this package, and only if it is none of these among the
entry points of the packages that are installed:

    [project.entry-points."reactorlib.endpoints.server"]
    carrier-pigeon = "pigeons.endpoints:parser"

`parser` provides `IStreamServerEndpointStringParser`; for clients the group is
`reactorlib.endpoints.client` and the interface
`IStreamClientEndpointStringParserWithReactor`. After the entry points come drop-ins:
modules with plugins in a folder `reactorlib/plugins`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from reactorlib.internet.endpoints._client_kinds import CLIENT_KINDS, _ClientParser
from reactorlib.internet.endpoints._describe import (
    Description,
    UnknownKind,
    as_text,
    call,
    take_apart,
)
from reactorlib.internet.endpoints._server_kinds import SERVER_KINDS, _ServerParser
from reactorlib.internet.interfaces import (
    IStreamClientEndpointStringParserWithReactor,
    IStreamServerEndpointStringParser,
)
from reactorlib.plugin import entryPointPlugins, getPlugins

__all__ = ["clientFromString", "serverFromString"]

SERVER_GROUP = "reactorlib.endpoints.server"
CLIENT_GROUP = "reactorlib.endpoints.client"

INTERFACES: Mapping[str, Any] = {
    SERVER_GROUP: IStreamServerEndpointStringParser,
    CLIENT_GROUP: IStreamClientEndpointStringParserWithReactor,
}

#: Kinds whose parsers are on the floors above: the module, and the parser in it.
ABOVE: Mapping[str, Mapping[str, tuple[str, str]]] = {
    SERVER_GROUP: {"haproxy": ("reactorlib.protocols.haproxy._endpoint", "parser")},
    CLIENT_GROUP: {},
}


def _parser(description: Description, kinds: Mapping[str, Any], group: str) -> Any:
    """What makes the endpoints of a kind."""
    kind = description.kind
    for name in (kind, kind.lower()):
        if name in kinds:
            return kinds[name]
        if name in ABOVE[group]:
            module, attribute = ABOVE[group][name]
            return getattr(import_module(module), attribute)
    others = entryPointPlugins(group)
    for found in others:
        if found.name == kind:
            return found.load()
    dropped = list(getPlugins(INTERFACES[group], import_module("reactorlib.plugins")))
    for parser in dropped:
        if parser.prefix == kind:
            return parser
    known = {*kinds, *ABOVE[group], *(each.name for each in others)}
    raise UnknownKind(description.text, kind, known | {parser.prefix for parser in dropped})


def serverFromString(reactor: Any, description: str | bytes) -> Any:
    """
    The server endpoint that a description says.

    Args:
        reactor: the reactor to listen with.
        description: such as `tcp:8080:interface=127.0.0.1`; the page on endpoints
            in the documentation has a table of them all.

    Returns:
        an `IStreamServerEndpoint`.

    Raises:
        ValueError: the description is no good; it is a `DescriptionError`, which
            shows where, unless the kind is another package's and says so itself.
    """
    parts = take_apart(as_text(description))
    parser = _parser(parts, SERVER_KINDS, SERVER_GROUP)
    make = parser._make if isinstance(parser, _ServerParser) else parser.parseStreamServer
    return call(make, reactor, parts)


def clientFromString(reactor: Any, description: str | bytes) -> Any:
    """
    The client endpoint that a description says.

    Args:
        reactor: the reactor to connect with.
        description: such as `tls:example.com:443`; the page on endpoints in the
            documentation has a table of them all.

    Returns:
        an `IStreamClientEndpoint`.

    Raises:
        ValueError: the description is no good; it is a `DescriptionError`, which
            shows where, unless the kind is another package's and says so itself.
    """
    parts = take_apart(as_text(description))
    parser = _parser(parts, CLIENT_KINDS, CLIENT_GROUP)
    make = parser._make if isinstance(parser, _ClientParser) else parser.parseStreamClient
    return call(make, reactor, parts, skip_named=True)
