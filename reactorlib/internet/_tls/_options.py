"""
The settings of TLS connections, and the `ssl.SSLContext`s made of them.

An `ssl.SSLContext` is for one side only, and the application protocols (ALPN)
are part of it. So settings make several of them, each when it is first needed,
and keep them.
"""

from __future__ import annotations

import functools
import inspect
import logging
import ssl
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from zope.interface import implementer

from reactorlib.internet._tls._ciphers import DiffieHellmanParameters, expand
from reactorlib.internet._tls._pem import certificate_pem, key_pem, load_pair
from reactorlib.internet._tls._trust import CertificateAuthorities, IOpenSSLTrustRoot
from reactorlib.internet._tls._versions import TLSVersion
from reactorlib.internet.interfaces import (
    IAcceptableCiphers,
    IOpenSSLClientConnectionCreator,
    IOpenSSLContextFactory,
    IOpenSSLServerConnectionCreator,
)
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

__all__ = [
    "CertificateOptions",
    "NameCallback",
    "switch",
]

_log = logging.getLogger("reactorlib.internet.ssl")

_F = TypeVar("_F", bound=Callable[..., None])

#: What `ssl` asks a server when the client has said which host it wants.
NameCallback = Callable[[ssl.SSLObject, str | None, ssl.SSLContext], int | None]

#: What a context depends on: the side, the application protocols, and that callback.
_Key = tuple[bool, tuple[str, ...], NameCallback | None]

#: Twisted's `verifyDepth`, which is no limit in practice.
_DEPTH = 9


def _exclusive(*pairs: tuple[str, str]) -> Callable[[_F], _F]:
    """Refuse a call that gives both arguments of a pair, whatever their values."""

    def decorate(function: _F) -> _F:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> None:
            given = signature.bind(*args, **kwargs).arguments
            for one, other in pairs:
                if one in given and other in given:
                    raise TypeError(f"{one} and {other} are mutually exclusive")
            function(*args, **kwargs)

        return checked  # type: ignore[return-value]  # it has the same signature

    return decorate


@implementer(
    IOpenSSLContextFactory, IOpenSSLServerConnectionCreator, IOpenSSLClientConnectionCreator
)
class CertificateOptions:
    """
    The settings of TLS connections: usually a server's.

    A client uses `optionsForClientTLS(hostname)`. These here are for a client only
    where there is no host name to check: nothing but `trustRoot` is checked then,
    and nothing at all without it.

    Without more arguments it is TLS 1.2 and 1.3, with the ciphers that Python
    holds good, no compression, no renegotiation and no resumption of sessions.

    Args:
        privateKey: the key that goes with `certificate`: of a KeyPair (`.original`, or
            the KeyPair), of the package `cryptography`, of pyOpenSSL, or in PEM.
        certificate: what to show: of a Certificate (`.original`, or the Certificate)
            and so on, or in PEM. PEM may hold its chain as well.
        method: refused; use the versions below.
        verify: see `trustRoot`, which is better.
        caCerts: certificates of authorities, for `verify`.
        verifyDepth: `ssl` cannot limit it.
        requireCertificate: with `verify`, whether the peer has to have a
            certificate, or only a good one if any.
        verifyOnce: nothing is ever renegotiated, so it makes no difference.
        enableSingleUseKeys: OpenSSL always has them.
        enableSessions: whether clients may resume sessions that this server keeps.
        fixBrokenPeers: turn on OpenSSL's workarounds for old peers.
        enableSessionTickets: whether clients may resume sessions that they keep.
        extraCertChain: the certificates that certify `certificate`.
        acceptableCiphers: the ciphers of TLS 1.2 that may be used.
        dhParameters: for key exchange with DHE ciphers.
        trustRoot: the peer has to have a certificate, and this certifies it: a
            Certificate, `platformTrust()`, or `trustRootFromCertificates(...)`.
        acceptableProtocols: application protocols (ALPN), the preferred one first.
        raiseMinimumTo: allow no lower TLSVersion, even if the default is lower.
        insecurelyLowerMinimumTo: allow TLSVersions below the default.
        lowerMaximumSecurityTo: allow no higher TLSVersion.
        contextForServerName: called, for a server, with the host name that the
            client asks for or None; another `ssl.SSLContext`, whose certificate is
            shown instead, or None. An error there is reported, and the handshake
            fails.

    Raises:
        TypeError: arguments that exclude each other.
        ValueError: arguments that mean nothing together, or that `ssl` cannot do.
    """

    #: The lowest version when nothing is said.
    _defaultMinimumTLSVersion = TLSVersion.TLSv1_2
    #: Whether a client checks the server's name. `optionsForClientTLS` does.
    _checks_name = False

    @_exclusive(
        ("trustRoot", "requireCertificate"),
        ("trustRoot", "verify"),
        ("trustRoot", "caCerts"),
        ("method", "insecurelyLowerMinimumTo"),
        ("method", "raiseMinimumTo"),
        ("raiseMinimumTo", "insecurelyLowerMinimumTo"),
        ("method", "lowerMaximumSecurityTo"),
    )
    def __init__(
        self,
        privateKey: Any = None,
        certificate: Any = None,
        method: Any = None,
        verify: bool = False,
        caCerts: Sequence[Any] | None = None,
        verifyDepth: int = _DEPTH,
        requireCertificate: bool = True,
        verifyOnce: bool = True,
        enableSingleUseKeys: bool = True,
        enableSessions: bool = False,
        fixBrokenPeers: bool = False,
        enableSessionTickets: bool = False,
        extraCertChain: Sequence[Any] | None = None,
        acceptableCiphers: Any = None,
        dhParameters: DiffieHellmanParameters | None = None,
        trustRoot: Any = None,
        acceptableProtocols: Sequence[bytes] | None = None,
        raiseMinimumTo: TLSVersion | ssl.TLSVersion | None = None,
        insecurelyLowerMinimumTo: TLSVersion | ssl.TLSVersion | None = None,
        lowerMaximumSecurityTo: TLSVersion | ssl.TLSVersion | None = None,
        contextForServerName: Callable[[bytes | None], ssl.SSLContext | None] | None = None,
    ) -> None:
        if (privateKey is None) != (certificate is None):
            raise ValueError("Specify neither or both of privateKey and certificate")
        if extraCertChain is not None and privateKey is None:
            raise ValueError(
                "an extraCertChain certifies a certificate: give that too, and its key"
            )
        if verify and not caCerts:
            raise ValueError(
                "verify needs caCerts, to say who may certify; or better, use trustRoot"
            )
        if method is not None:
            raise ValueError(
                "method is not supported, since it is OpenSSL's: use raiseMinimumTo, "
                "insecurelyLowerMinimumTo and lowerMaximumSecurityTo"
            )
        if verifyDepth not in (_DEPTH, None):
            raise ValueError(
                "verifyDepth is not supported: ssl has no such setting. Limit the length of "
                "chains in the authority's certificate (its basicConstraints)"
            )
        self.privateKey = privateKey
        self.certificate = certificate
        self.extraCertChain: Sequence[Any] = [] if extraCertChain is None else extraCertChain
        self.verify = verify
        self.caCerts = caCerts
        self.verifyDepth = verifyDepth
        self.requireCertificate = requireCertificate
        self.verifyOnce = verifyOnce
        self.enableSingleUseKeys = enableSingleUseKeys
        self.enableSessions = enableSessions
        self.fixBrokenPeers = fixBrokenPeers
        self.enableSessionTickets = enableSessionTickets
        self.dhParameters = dhParameters
        self.trustRoot: Any = None
        if trustRoot is not None:
            self.verify = self.requireCertificate = True
            self.trustRoot = IOpenSSLTrustRoot(trustRoot)
        elif verify:
            assert caCerts is not None
            self.trustRoot = CertificateAuthorities(caCerts)
        self._minimum, self._maximum = self._versions(
            raiseMinimumTo, insecurelyLowerMinimumTo, lowerMaximumSecurityTo
        )
        self._ciphers = ""
        if acceptableCiphers is not None:
            self._ciphers = _cipher_string(acceptableCiphers)
            if not self._ciphers and self._minimum < TLSVersion.TLSv1_3:
                raise ValueError(
                    "the acceptableCiphers are for TLS 1.3 alone: add raiseMinimumTo=TLSv1_3"
                )
        self._protocols = check_protocols(acceptableProtocols or ())
        self._context_for_name = contextForServerName
        self._contexts: dict[_Key, ssl.SSLContext] = {}

    def _versions(
        self,
        at_least: TLSVersion | ssl.TLSVersion | None,
        lowest: TLSVersion | ssl.TLSVersion | None,
        highest: TLSVersion | ssl.TLSVersion | None,
    ) -> tuple[TLSVersion, TLSVersion | None]:
        """The lowest and the highest version; None for the highest there is."""
        default = self._defaultMinimumTLSVersion
        if at_least is not None and highest is not None and at_least > highest:
            raise ValueError("raiseMinimumTo needs to be lower than lowerMaximumSecurityTo")
        if at_least is not None:
            lowest = max(TLSVersion(at_least), default)
        if lowest is None:
            lowest = default if highest is None else min(TLSVersion(highest), default)
        if highest is not None and lowest > highest:
            raise ValueError(
                "insecurelyLowerMinimumTo needs to be lower than lowerMaximumSecurityTo"
            )
        if highest == TLSVersion.SSLv3:
            raise ValueError("SSLv3 alone is not supported: OpenSSL has dropped it")
        return TLSVersion(lowest), None if highest is None else TLSVersion(highest)

    # -- contexts -------------------------------------------------------------

    def getContext(self, isClient: bool = False) -> ssl.SSLContext:
        """
        The settings as an `ssl.SSLContext`, always the same one.

        Args:
            isClient: for which side. It is one for servers, if not said.
        """
        return self._context(isClient, ())

    def serverConnectionForTLS(self, protocol: Any) -> ssl.SSLContext:
        """The settings of a server's connection: an `ssl.SSLContext`."""
        return self.getContext()

    def clientConnectionForTLS(self, protocol: Any) -> tuple[ssl.SSLContext, str | None]:
        """The settings of a client's connection: an `ssl.SSLContext`, and no host name."""
        return self.getContext(isClient=True), None

    def _settings_for(
        self, is_client: bool, protocols: Iterable[bytes] = (), on_name: NameCallback | None = None
    ) -> tuple[ssl.SSLContext, str | None]:
        """
        The context of a connection, and the host name to check.

        Args:
            protocols: application protocols that go before `acceptableProtocols`.
            on_name: the context's `sni_callback`, unless there is a `contextForServerName`.
        """
        if type(self).getContext is not CertificateOptions.getContext:
            return self.getContext(), None  # a subclass makes its own
        return self._context(is_client, check_protocols(protocols), on_name), None

    def _context(
        self, is_client: bool, protocols: tuple[str, ...], on_name: NameCallback | None = None
    ) -> ssl.SSLContext:
        protocols += tuple(name for name in self._protocols if name not in protocols)
        key = (is_client, protocols, on_name)
        context = self._contexts.get(key)
        if context is None:
            context = self._contexts[key] = self._make(*key)
        return context

    def _make(
        self, is_client: bool, protocols: tuple[str, ...], on_name: NameCallback | None
    ) -> ssl.SSLContext:
        kind = ssl.PROTOCOL_TLS_CLIENT if is_client else ssl.PROTOCOL_TLS_SERVER
        context = ssl.SSLContext(kind)
        context.options |= ssl.OP_NO_RENEGOTIATION
        if self.fixBrokenPeers:
            context.options |= ssl.OP_ALL
        self._set_versions(context)
        self._set_sessions(context, is_client)
        if self._ciphers:
            context.set_ciphers(self._ciphers)
        if self.dhParameters is not None:
            context.load_dh_params(self.dhParameters.path)
        if protocols:
            context.set_alpn_protocols(protocols)
        if self.certificate is not None:
            chain = [certificate_pem(each) for each in (self.certificate, *self.extraCertChain)]
            load_pair(context, b"\n".join(chain), key_pem(self.privateKey))
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if self.verify:
            required = self.requireCertificate
            context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
            self.trustRoot._addCACertsToContext(context)
        if is_client:
            context.check_hostname = self._checks_name
            # RFC 9525 section 2: the common name is no host name any more.
            context.hostname_checks_common_name = False
        elif self._context_for_name is not None:
            context.sni_callback = functools.partial(switch, self._context_for_name)
        elif on_name is not None:
            context.sni_callback = on_name
        return context

    def _set_versions(self, context: ssl.SSLContext) -> None:
        with warnings.catch_warnings():
            # Whoever asks for TLS 1.1 or lower has to say "insecurely" for it.
            warnings.simplefilter("ignore", DeprecationWarning)
            if self._minimum == TLSVersion.SSLv3:
                context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            else:
                context.minimum_version = ssl.TLSVersion(self._minimum)
            if self._maximum is not None:
                context.maximum_version = ssl.TLSVersion(self._maximum)

    def _set_sessions(self, context: ssl.SSLContext, is_client: bool) -> None:
        if not self.enableSessionTickets:
            context.options |= ssl.OP_NO_TICKET
            if not (self.enableSessions or is_client):
                context.num_tickets = 0  # what stands for sessions in TLS 1.3

    def __getstate__(self) -> dict[str, Any]:
        """What can be saved: all but the contexts."""
        return self.__dict__ | {"_contexts": {}}


def check_protocols(names: Iterable[bytes]) -> tuple[str, ...]:
    """
    Names of application protocols, as `ssl` takes them.

    Raises:
        TypeError: one is not bytes.
        ValueError: one is empty, too long, or not ASCII.
    """
    checked = []
    for name in names:
        if not isinstance(name, bytes):
            raise TypeError(f"the name of an application protocol is bytes, not {name!r}")
        if not (0 < len(name) < 256 and name.isascii()):
            raise ValueError(f"{name!r} cannot be the name of an application protocol for ssl")
        checked.append(name.decode("ascii"))
    return tuple(checked)


def _cipher_string(acceptable: Any) -> str:
    chosen = IAcceptableCiphers(acceptable).selectCiphers(expand("ALL"))
    if not chosen:
        raise ValueError("of the acceptableCiphers, this OpenSSL has none")
    # Those of TLS 1.3 are not for ssl to choose: alone, they would be refused.
    return ":".join(each.fullName for each in chosen if not each.fullName.startswith("TLS_"))


def switch(
    choose: Callable[[bytes | None], ssl.SSLContext | None],
    connection: ssl.SSLObject,
    name: str | None,
    context: ssl.SSLContext,
) -> int | None:
    """A server's connection is to show the certificate of the context that is chosen."""
    try:
        chosen = choose(None if name is None else name.encode("ascii"))
        if chosen is not None:
            connection.context = chosen
    except Exception:
        report(_log, "choosing a certificate by server name failed", Failure())
        return int(ssl.AlertDescription.ALERT_DESCRIPTION_INTERNAL_ERROR)
    return None
