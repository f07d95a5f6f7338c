"""Starting TLS: a command of AMP's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from reactorlib.internet.defer import Deferred
from reactorlib.protocols.amp._arguments import String
from reactorlib.protocols.amp._box import AmpBox
from reactorlib.protocols.amp._command import Command

if TYPE_CHECKING:
    from reactorlib.protocols.amp._arguments import Arguments
    from reactorlib.protocols.amp._protocol import BinaryBoxProtocol
    from reactorlib.python.failure import Failure

__all__ = ["NoCertificate", "StartTLS"]

_CERTIFICATE = b"tls_localCertificate"
_AUTHORITIES = b"tls_verifyAuthorities"


class NoCertificate:
    """
    Stands for a certificate where there is none: what is sent is encrypted, and nobody is known.

    Args:
        client: whether it is for the side that asks for TLS.
    """

    def __init__(self, client: bool) -> None:
        self.client = client

    def options(self, *authorities: Any) -> Any:
        """The settings. A server needs a certificate all the same: it makes one for itself."""
        from reactorlib.internet.ssl import DN, CertificateOptions, KeyPair

        options: dict[str, Any] = {}
        if authorities:
            options.update(verify=True, requireCertificate=True)
            options["caCerts"] = [authority.original for authority in authorities]
        if self.client:
            return CertificateOptions(**options)
        name = DN(commonName="AMP without a certificate")
        key = KeyPair.generate()
        signed = key.signCertificateRequest(name, key.certificateRequest(name), lambda _: True, 1)
        own = key.newCertificate(signed)
        return CertificateOptions(
            privateKey=own.privateKey.original, certificate=own.original, **options
        )


class _Local(String):
    """An argument for this side alone, which does not go into the box."""

    def fromBox(self, name: bytes, strings: AmpBox, objects: dict[str, Any], proto: Any) -> None:
        pass


class _TLSBox(AmpBox):
    """The answer to `StartTLS`, after which TLS begins."""

    __slots__: list[str] = []

    def _sendTo(self, proto: BinaryBoxProtocol) -> None:
        wire = AmpBox(self)
        certificate = wire.pop(_CERTIFICATE, None)
        authorities = wire.pop(_AUTHORITIES, None)
        wire._sendTo(proto)
        proto._startTLS(certificate, authorities)


class StartTLS(Command):
    """
    Go on in TLS. The one who asks is TLS's client. It sends no other box before the
    answer; if that is a refusal, or is not waited for, the connection is closed: what
    would have been sent was meant for TLS.

    A responder returns a dictionary with its `tls_localCertificate`, a
    `PrivateCertificate`, and `tls_verifyAuthorities`, those whose word it takes for
    the peer's. Without a certificate nobody is known, and everything is encrypted.

    Args:
        tls_localCertificate: the certificate of this side; None for none.
        tls_verifyAuthorities: `Certificate`s, of which one must have signed the
            peer's; None to take any.
    """

    arguments: ClassVar[Arguments] = [
        (_CERTIFICATE, _Local(optional=True)),
        (_AUTHORITIES, _Local(optional=True)),
    ]
    response: ClassVar[Arguments] = arguments
    responseType = _TLSBox

    def __init__(
        self, *, tls_localCertificate: Any = None, tls_verifyAuthorities: Any = None, **kw: Any
    ) -> None:
        self.certificate = tls_localCertificate
        self.authorities = tls_verifyAuthorities
        super().__init__(**kw)

    def _doCommand(self, proto: Any) -> Deferred[Any] | None:
        proto._checkTLS(self.certificate)
        answer = super()._doCommand(proto)
        proto._prepareTLS(self.certificate, self.authorities)

        def start(response: Any) -> Any:
            proto._startTLS(self.certificate, self.authorities)
            return response

        def refused(failure: Failure) -> Failure:
            proto._refuseTLS()
            return failure

        return None if answer is None else answer.addCallback(start).addErrback(refused)
