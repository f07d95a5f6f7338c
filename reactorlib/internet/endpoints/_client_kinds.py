"""The kinds of client endpoints that a description can name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from reactorlib.internet._tls._client import optionsForClientTLS
from reactorlib.internet._tls._options import CertificateOptions
from reactorlib.internet.endpoints import _values as values
from reactorlib.internet.endpoints._clients import (
    SSL4ClientEndpoint,
    TCP4ClientEndpoint,
    UNIXClientEndpoint,
)
from reactorlib.internet.endpoints._describe import BadArgument
from reactorlib.internet.endpoints._hostname import HostnameEndpoint
from reactorlib.internet.endpoints._wrapping import wrapClientTLS
from reactorlib.internet.interfaces import IStreamClientEndpointStringParserWithReactor

__all__ = ["CLIENT_KINDS"]


@implementer(IStreamClientEndpointStringParserWithReactor)
class _ClientParser:
    """A kind: `_make` takes what its descriptions may say, by name."""

    prefix: str
    _make: Callable[..., Any]

    def parseStreamClient(self, reactor: Any, *args: str, **kwargs: str) -> Any:
        return self._make(reactor, *args, **kwargs)


class _TCPClientParser(_ClientParser):
    prefix = "tcp"

    def _make(
        self,
        reactor: Any,
        host: str,
        port: str,
        timeout: str = "30",
        bindAddress: str | None = None,
    ) -> Any:
        return TCP4ClientEndpoint(
            reactor,
            host,
            values.port_number("port", port),
            values.seconds("timeout", timeout),
            bindAddress,
        )


class _SSLClientParser(_ClientParser):
    prefix = "ssl"

    def _make(
        self,
        reactor: Any,
        host: str,
        port: str,
        timeout: str = "30",
        bindAddress: str | None = None,
        privateKey: str | None = None,
        certKey: str | None = None,
        caCertsDir: str | None = None,
    ) -> Any:
        options: dict[str, Any] = _own("certKey", certKey, privateKey)
        if caCertsDir is not None:
            options["trustRoot"] = values.trust("caCertsDir", caCertsDir)
        return SSL4ClientEndpoint(
            reactor,
            host,
            values.port_number("port", port),
            CertificateOptions(**options),
            values.seconds("timeout", timeout),
            bindAddress,
        )


def _own(name: str, certificate: str | None, key: str | None) -> dict[str, Any]:
    """What a client shows, if it shows anything, as arguments of `CertificateOptions`."""
    if certificate is None and key is None:
        return {}
    # Either may be in the other's file.
    key = certificate if key is None else key
    certificate = key if certificate is None else certificate
    assert key is not None
    assert certificate is not None
    return {
        "privateKey": values.pem("privateKey", key),
        "certificate": values.pem(name, certificate),
    }


class _TLSClientParser(_ClientParser):
    prefix = "tls"

    def _make(
        self,
        reactor: Any,
        host: str,
        port: str | None = None,
        timeout: str = "30",
        bindAddress: str | None = None,
        certificate: str | None = None,
        privateKey: str | None = None,
        trustRoots: str | None = None,
        endpoint: str | None = None,
    ) -> Any:
        if endpoint is not None:
            from reactorlib.internet.endpoints._kinds import clientFromString

            below = clientFromString(reactor, endpoint)
        elif port is None:
            raise BadArgument("port", "tls: needs an argument 'port'")
        else:
            below = HostnameEndpoint(
                reactor,
                host,
                values.port_number("port", port),
                values.seconds("timeout", timeout),
                bindAddress,
            )
        try:
            settings = optionsForClientTLS(
                host,
                None if trustRoots is None else values.trust("trustRoots", trustRoots),
                extraCertificateOptions=_own("certificate", certificate, privateKey),
            )
        except BadArgument:
            raise
        except ValueError as error:
            raise BadArgument("host", str(error)) from error
        return wrapClientTLS(settings, below)


class _UNIXClientParser(_ClientParser):
    prefix = "unix"

    def _make(self, reactor: Any, path: str, lockfile: str = "0", timeout: str = "30") -> Any:
        return UNIXClientEndpoint(
            reactor,
            path,
            values.seconds("timeout", timeout),
            values.flag("lockfile", lockfile),
        )


CLIENT_KINDS: dict[str, Any] = {
    parser.prefix: parser
    for parser in (
        _TCPClientParser(),
        _SSLClientParser(),
        _TLSClientParser(),
        _UNIXClientParser(),
    )
}
