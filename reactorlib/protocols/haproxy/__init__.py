"""
HAProxy's PROXY protocol: a proxy in front says whose connection it passes on.

It is a header before everything else, before TLS as well, in text (version 1) or
binary (version 2); either is recognised. `proxyEndpoint` reads it on the server's
side, and so does the description `haproxy:tcp:8080` of `serverFromString`.

Specification: https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
"""

from __future__ import annotations

from reactorlib.protocols.haproxy._endpoint import proxyEndpoint
from reactorlib.protocols.haproxy._wire import InvalidProxyHeader, ProxyHeader
from reactorlib.protocols.haproxy._wrapper import HAProxyProtocolWrapper, HAProxyWrappingFactory

__all__ = [
    "HAProxyProtocolWrapper",
    "HAProxyWrappingFactory",
    "InvalidProxyHeader",
    "ProxyHeader",
    "proxyEndpoint",
]
