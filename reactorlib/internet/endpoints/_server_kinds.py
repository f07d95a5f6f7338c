"""The kinds of server endpoints that a description can name."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from reactorlib.internet._tls._directory import DirectoryOptions
from reactorlib.internet._tls._options import CertificateOptions
from reactorlib.internet._tls._reload import ReloadingOptions
from reactorlib.internet.endpoints import _values as values
from reactorlib.internet.endpoints._describe import BadArgument
from reactorlib.internet.endpoints._servers import (
    AdoptedStreamServerEndpoint,
    SSL4ServerEndpoint,
    StandardIOEndpoint,
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    UNIXServerEndpoint,
)
from reactorlib.internet.endpoints._wrapping import wrapServerTLS
from reactorlib.internet.interfaces import IStreamServerEndpointStringParser
from reactorlib.internet.ssl import Certificate, DiffieHellmanParameters, TLSVersion
from reactorlib.python.systemd import ListenFDs

__all__ = ["SERVER_KINDS"]


@implementer(IStreamServerEndpointStringParser)
class _ServerParser:
    """A kind: `_make` takes what its descriptions may say, by name."""

    prefix: str
    _make: Callable[..., Any]

    def parseStreamServer(self, reactor: Any, *args: str, **kwargs: str) -> Any:
        return self._make(reactor, *args, **kwargs)


class _TCPServerParser(_ServerParser):
    prefix = "tcp"

    def _make(self, reactor: Any, port: str, interface: str = "", backlog: str = "50") -> Any:
        return TCP4ServerEndpoint(
            reactor, values.port_number("port", port), values.number("backlog", backlog), interface
        )


class _TCP6ServerParser(_ServerParser):
    prefix = "tcp6"

    def _make(self, reactor: Any, port: str, backlog: str = "50", interface: str = "::") -> Any:
        return TCP6ServerEndpoint(
            reactor, values.port_number("port", port), values.number("backlog", backlog), interface
        )


class _UNIXServerParser(_ServerParser):
    prefix = "unix"

    def _make(
        self,
        reactor: Any,
        address: str,
        mode: str = "666",
        backlog: str = "50",
        lockfile: str = "1",
    ) -> Any:
        return UNIXServerEndpoint(
            reactor,
            address,
            values.number("backlog", backlog),
            values.octal("mode", mode),
            values.flag("lockfile", lockfile),
        )


#: What Twisted's `sslmethod` names, as the highest version.
_METHODS: dict[str, TLSVersion | None] = {
    "SSLv23_METHOD": None,
    "TLS_METHOD": None,
    "TLSv1_METHOD": TLSVersion.TLSv1_0,
    "TLSv1_1_METHOD": TLSVersion.TLSv1_1,
    "TLSv1_2_METHOD": TLSVersion.TLSv1_2,
}


class _SSLServerParser(_ServerParser):
    prefix = "ssl"

    def _make(
        self,
        reactor: Any,
        port: str,
        privateKey: str = "server.pem",
        certKey: str | None = None,
        sslmethod: str | None = None,
        interface: str = "",
        backlog: str = "50",
        extraCertChain: str | None = None,
        dhParameters: str | None = None,
    ) -> Any:
        options: dict[str, Any] = {}
        if sslmethod is not None:
            if sslmethod not in _METHODS:
                known = ", ".join(_METHODS)
                raise BadArgument("sslmethod", f"sslmethod is one of {known}, not {sslmethod!r}")
            options["lowerMaximumSecurityTo"] = _METHODS[sslmethod]
        if extraCertChain is not None:
            chain = values.certificates(values.pem("extraCertChain", extraCertChain))
            if not chain:
                raise BadArgument(
                    "extraCertChain",
                    f"Specified chain file '{extraCertChain}' doesn't contain any valid "
                    "certificates in PEM format.",
                )
            options["extraCertChain"] = [Certificate.loadPEM(each) for each in chain]
        if dhParameters is not None:
            options["dhParameters"] = DiffieHellmanParameters.fromFile(dhParameters)
        key = values.pem("privateKey", privateKey)
        certificate = key if certKey is None else values.pem("certKey", certKey)
        settings = CertificateOptions(key, certificate, **options)
        if dhParameters is None:  # that file is read when it is used
            try:
                settings.getContext()
            except (ssl.SSLError, ValueError) as error:
                raise BadArgument(
                    "privateKey",
                    f"{privateKey!r} and {certKey or privateKey!r} are no key and certificate: "
                    f"{error}",
                ) from error
        return SSL4ServerEndpoint(
            reactor,
            values.port_number("port", port),
            settings,
            values.number("backlog", backlog),
            interface,
        )


class _TLSServerParser(_ServerParser):
    prefix = "tls"

    def _make(
        self,
        reactor: Any,
        path: str | None = None,
        port: str | None = None,
        backlog: str = "50",
        interface: str = "::",
        privateKey: str | None = None,
        certificate: str | None = None,
    ) -> Any:
        if privateKey is not None and port is None:
            # "tls:443:privateKey=..." has no path before the port.
            number = values.port_number("path", path or "")
            path = None
        elif port is None:
            raise BadArgument("port", "tls: needs an argument 'port'")
        else:
            number = values.port_number("port", port)
        if (path is None) == (privateKey is None):
            raise BadArgument(
                "privateKey", "tls: needs either a path of certificates or a privateKey"
            )
        if path is not None and os.path.isdir(path):
            settings: Any = DirectoryOptions(path)
        elif path is not None:
            settings = _from_files("path", path, path)
        else:
            assert privateKey is not None
            settings = _from_files("privateKey", privateKey, certificate or privateKey)
        plain = TCP6ServerEndpoint(reactor, number, values.number("backlog", backlog), interface)
        return wrapServerTLS(settings, plain)


def _from_files(name: str, key: str, certificate: str) -> ReloadingOptions:
    try:
        return ReloadingOptions(key, certificate)
    except (ssl.SSLError, ValueError) as error:
        raise BadArgument(
            name, f"{key!r} and {certificate!r} are no key and certificate: {error}"
        ) from error
    except OSError as error:
        at = name if error.filename == key else "certificate"
        raise BadArgument(at, f"{error.filename!r} cannot be read: {error.strerror}") from error


_DOMAINS = {
    "INET": socket.AF_INET,
    "INET6": socket.AF_INET6,
    "UNIX": getattr(socket, "AF_UNIX", None),
}


def _family(domain: str | None, descriptor: int) -> int:
    """The family of a socket: as said, or as it is."""
    if domain is None:
        try:
            with socket.socket(fileno=os.dup(descriptor)) as found:
                return found.family
        except OSError as error:
            raise BadArgument(
                "domain", f"descriptor {descriptor} is no socket: {error.strerror}"
            ) from error
    family = _DOMAINS.get(domain.upper().removeprefix("AF_"))
    if family is None:
        raise BadArgument("domain", f"domain is INET, INET6 or UNIX, not {domain!r}")
    return family


class _SystemdParser(_ServerParser):
    prefix = "systemd"

    #: What a service manager has handed over; None until somebody asks.
    _sddaemon: ListenFDs | None = None

    def _make(
        self,
        reactor: Any,
        domain: str | None = None,
        index: str | None = None,
        name: str | None = None,
    ) -> Any:
        if (index is None) == (name is None):
            raise BadArgument("name", "systemd: needs either the index or the name of a descriptor")
        if self._sddaemon is None:
            # The environment says it once, and to one process only.
            self._sddaemon = ListenFDs.fromEnvironment()
        if index is not None:
            inherited = self._sddaemon.inheritedDescriptors()
            place = values.number("index", str(index))
            if place >= len(inherited):
                raise BadArgument(
                    "index",
                    f"the service manager has handed over {len(inherited)} descriptors, so there "
                    f"is no index {place}",
                )
            fileno = inherited[place]
        else:
            by_name = self._sddaemon.inheritedNamedDescriptors()
            if name not in by_name:
                known = ", ".join(map(repr, by_name)) or "none"
                raise BadArgument(
                    "name",
                    f"the service manager has handed over no descriptor {name!r}; there are: "
                    f"{known}",
                )
            fileno = by_name[name]
        return AdoptedStreamServerEndpoint(reactor, fileno, _family(domain, fileno))


class _DescriptorParser(_ServerParser):
    prefix = "fd"

    def _make(self, reactor: Any, fileno: str, domain: str | None = None) -> Any:
        descriptor = values.number("fileno", fileno)
        return AdoptedStreamServerEndpoint(reactor, descriptor, _family(domain, descriptor))


class _StandardIOParser(_ServerParser):
    prefix = "stdio"

    def _make(self, reactor: Any) -> Any:
        return StandardIOEndpoint(reactor)


SERVER_KINDS: dict[str, Any] = {
    parser.prefix: parser
    for parser in (
        _TCPServerParser(),
        _TCP6ServerParser(),
        _UNIXServerParser(),
        _SSLServerParser(),
        _TLSServerParser(),
        _SystemdParser(),
        _DescriptorParser(),
        _StandardIOParser(),
    )
}
