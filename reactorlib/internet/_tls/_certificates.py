"""Certificates: with and without their keys, and requests for them."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from reactorlib.internet._tls._keys import YEAR, KeyPair, PublicKey, is_pem
from reactorlib.internet._tls._names import DistinguishedName
from reactorlib.internet._tls._trust import CertificateAuthorities, IOpenSSLTrustRoot
from reactorlib.internet._tls._versions import FILETYPE_ASN1, FILETYPE_PEM
from reactorlib.internet.error import CertificateError, VerifyError

if TYPE_CHECKING:
    from cryptography import x509

    from reactorlib.internet._tls._options import CertificateOptions

__all__ = ["CertBase", "Certificate", "CertificateRequest", "PrivateCertificate", "own_certificate"]

_Certificate = TypeVar("_Certificate", bound="Certificate")
_PrivateCertificate = TypeVar("_PrivateCertificate", bound="PrivateCertificate")
_Request = TypeVar("_Request", bound="CertificateRequest")

#: The certificate, and what certifies it, in PEM, that each context of ours shows.
own_certificate: WeakKeyDictionary[ssl.SSLContext, bytes] = WeakKeyDictionary()


class CertBase:
    """
    What certificates and requests have in common.

    Attributes:
        original: the same, as the package `cryptography` has it.
    """

    original: Any

    def getSubject(self) -> DistinguishedName:
        """Who it is for. Fields that a DistinguishedName does not have are left out."""
        return _copy_name(self.original.subject)

    def __conform__(self, interface: Any) -> Any:
        """Anywhere that asks whom to trust, a certificate says: whom I have certified."""
        return CertificateAuthorities([self]) if interface is IOpenSSLTrustRoot else None


class Certificate(CertBase):
    """
    A certificate: somebody says whose a key is.

    Certificates are equal if their bytes are.

    Args:
        original: the certificate, as the package `cryptography` has it, or
            pyOpenSSL; or its bytes in DER, which are looked into when needed.

    Raises:
        ValueError: it is in PEM.
    """

    _der: bytes

    def __init__(self, original: Any) -> None:
        convert = getattr(original, "to_cryptography", None)
        if isinstance(original, Certificate):
            original = original._der
        elif convert is not None:
            original = convert()
        self._original: x509.Certificate | None = None
        if isinstance(original, bytes):
            if original.lstrip().startswith(b"-----BEGIN"):
                raise ValueError("this is PEM, and DER is expected: use loadPEM()")
            self._der = original
        else:
            self._original = original
            self._der = _dump(original, FILETYPE_ASN1)

    @property
    def original(self) -> x509.Certificate:
        """The same, as the package `cryptography` has it."""
        if self._original is None:
            from reactorlib.internet._tls import _crypto

            self._original = _crypto.load_certificate(self._der, pem=False)
        return self._original

    # -- to and from bytes ----------------------------------------------------

    @classmethod
    def _load(cls: type[_Certificate], data: str | bytes, format: int) -> _Certificate:
        from reactorlib.internet._tls import _crypto

        if isinstance(data, str):
            data = data.encode("ascii")
        return cls(_crypto.load_certificate(data, is_pem(format)))

    @classmethod
    def load(
        cls: type[_Certificate],
        requestData: str | bytes,
        format: int = FILETYPE_ASN1,
        args: tuple[Any, ...] = (),
    ) -> _Certificate:
        """
        Read a certificate.

        Args:
            requestData: the certificate; of PEM, the first that is in it.
            format: FILETYPE_PEM or FILETYPE_ASN1.
            args: more arguments for a subclass.

        Raises:
            ValueError: it is none.
        """
        loaded = cls._load(requestData, format)
        return cls(loaded.original, *args) if args else loaded

    @classmethod
    def loadPEM(cls: type[_Certificate], data: str | bytes) -> _Certificate:
        """Read a certificate from PEM."""
        return cls.load(data, FILETYPE_PEM)

    def dump(self, format: int = FILETYPE_ASN1) -> bytes:
        """Its bytes."""
        return ssl.DER_cert_to_PEM_cert(self._der).encode() if is_pem(format) else self._der

    def dumpPEM(self) -> bytes:
        """Its text."""
        return self.dump(FILETYPE_PEM)

    # -- whose is it ----------------------------------------------------------

    @classmethod
    def peerFromTransport(cls: type[_Certificate], transport: Any) -> _Certificate:
        """
        The certificate that the other end of a connection has shown.

        Raises:
            CertificateError: it has shown none, or the connection is not in TLS.
        """
        return cls(_from_transport(transport, "peer"))

    @classmethod
    def hostFromTransport(cls: type[_Certificate], transport: Any) -> _Certificate:
        """
        The certificate that this end of a connection shows if asked.

        Raises:
            CertificateError: it has none, or the connection is not in TLS, or its
                settings are a plain `ssl.SSLContext`, which does not tell.
        """
        return cls(_from_transport(transport, "host"))

    # -- what is in it --------------------------------------------------------

    def getIssuer(self) -> DistinguishedName:
        """Who has signed it."""
        return _copy_name(self.original.issuer)

    def getPublicKey(self) -> PublicKey:
        """The key that it is about."""
        return PublicKey(self.original.public_key())

    def serialNumber(self) -> int:
        """Its number with whoever has signed it."""
        return self.original.serial_number

    def digest(self, method: str = "md5") -> bytes:
        """
        Its fingerprint: `b"C4:96:11:..."`.

        Args:
            method: a hash that `hashlib` knows; "sha256" is one to rely on.
        """
        name = "sha1" if method == "sha" else method
        digest = hashlib.new(name, self._der, usedforsecurity=False)
        return digest.digest().hex(":").upper().encode()

    def _inspect(self) -> str:
        return "\n".join(
            [
                "Certificate For Subject:",
                self.getSubject().inspect(),
                "\nIssuer:",
                self.getIssuer().inspect(),
                f"\nSerial Number: {self.serialNumber()}",
                f"Digest: {self.digest().decode()}",
            ]
        )

    def inspect(self) -> str:
        """All of it as text, for people."""
        return "\n".join([self._inspect(), self.getPublicKey().inspect()])

    def __eq__(self, other: object) -> bool:
        return self._der == other._der if isinstance(other, Certificate) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._der)

    def __repr__(self) -> str:
        names = (self.getSubject(), self.getIssuer())
        subject, issuer = (str(name.get("commonName", "")) for name in names)
        return f"<{self.__class__.__name__} Subject={subject} Issuer={issuer}>"


class CertificateRequest(CertBase):
    """
    A request for a certificate, to be sent to an authority.

    Args:
        original: the request, as the package `cryptography` has it.
    """

    original: x509.CertificateSigningRequest

    def __init__(self, original: x509.CertificateSigningRequest) -> None:
        self.original = original

    def getSubject(self) -> DistinguishedName:
        """
        Who asks.

        Raises:
            ValueError: the name has a field that a DistinguishedName has not, and
                that an authority would sign unseen.
        """
        return _copy_name(self.original.subject, strict=True)

    @classmethod
    def load(
        cls: type[_Request], requestData: bytes, requestFormat: int = FILETYPE_ASN1
    ) -> _Request:
        """
        Read a request.

        Raises:
            ValueError: it is none.
            VerifyError: it is not signed by its own key.
        """
        from reactorlib.internet._tls import _crypto

        request, good = _crypto.load_request(requestData, is_pem(requestFormat))
        if not good:
            raise VerifyError(f"the request of {request.subject!r} is not signed by its own key")
        return cls(request)

    def dump(self, format: int = FILETYPE_ASN1) -> bytes:
        """Its bytes."""
        return _dump(self.original, format)


class PrivateCertificate(Certificate):
    """
    A certificate, and its private key.

    Attributes:
        privateKey: the KeyPair.
    """

    privateKey: KeyPair

    @classmethod
    def fromCertificateAndKeyPair(
        cls: type[_PrivateCertificate], certificateInstance: Certificate, privateKey: KeyPair
    ) -> _PrivateCertificate:
        """
        The two of them as one.

        Raises:
            VerifyError: the certificate is not about that key.
        """
        self = cls(certificateInstance)
        if not privateKey.matches(self.getPublicKey()):
            raise VerifyError("Certificate public and private keys do not match.")
        self.privateKey = privateKey
        return self

    @classmethod
    def load(  # type: ignore[override]  # as in Twisted: a certificate alone is not enough
        cls: type[_PrivateCertificate],
        data: bytes,
        privateKey: KeyPair,
        format: int = FILETYPE_ASN1,
    ) -> _PrivateCertificate:
        """
        Read the certificate that goes with a key.

        Raises:
            ValueError: it is none.
            VerifyError: it is not about that key.
        """
        return cls.fromCertificateAndKeyPair(Certificate._load(data, format), privateKey)

    @classmethod
    def loadPEM(cls: type[_PrivateCertificate], data: str | bytes) -> _PrivateCertificate:
        """Read both from one piece of PEM, in any order; raises as `load`."""
        if isinstance(data, str):
            data = data.encode("ascii")
        return cls.load(data, KeyPair.load(data, FILETYPE_PEM), FILETYPE_PEM)

    def newCertificate(
        self: _PrivateCertificate, newCertData: bytes, format: int = FILETYPE_ASN1
    ) -> _PrivateCertificate:
        """Another certificate for the same key."""
        return self.load(newCertData, self.privateKey, format)

    def dumpPEM(self) -> bytes:
        """Both as text: keep it secret."""
        return self.dump(FILETYPE_PEM) + self.privateKey.dump(FILETYPE_PEM)

    def inspect(self) -> str:
        """All of it as text, for people; of the private key, no more than what it is."""
        return "\n".join([self._inspect(), self.privateKey.inspect()])

    def options(self, *authorities: CertBase) -> CertificateOptions:
        """
        TLS settings for whoever this certificate is for.

        Args:
            authorities: if there are any, the peer has to have a certificate, and
                one that they have signed.
        """
        from reactorlib.internet._tls._options import CertificateOptions

        key, certificate = self.privateKey.original, self.original
        if authorities:
            trust = CertificateAuthorities(authorities)
            return CertificateOptions(key, certificate, trustRoot=trust)
        return CertificateOptions(key, certificate)

    # -- being an authority ---------------------------------------------------

    def certificateRequest(
        self, format: int = FILETYPE_ASN1, digestAlgorithm: str = "sha256"
    ) -> bytes:
        """Ask for a certificate for the same name and key."""
        return self.privateKey.certificateRequest(self.getSubject(), format, digestAlgorithm)

    def signCertificateRequest(
        self,
        requestData: bytes,
        verifyDNCallback: Callable[[DistinguishedName], Any],
        serialNumber: int,
        requestFormat: int = FILETYPE_ASN1,
        certificateFormat: int = FILETYPE_ASN1,
    ) -> Any:
        """Sign a request, if it is to be: as `KeyPair.signCertificateRequest`."""
        return self.privateKey.signCertificateRequest(
            self.getSubject(),
            requestData,
            verifyDNCallback,
            serialNumber,
            requestFormat,
            certificateFormat,
        )

    def signRequestObject(
        self,
        certificateRequest: CertificateRequest,
        serialNumber: int,
        secondsToExpiry: int = YEAR,
        digestAlgorithm: str = "sha256",
    ) -> Certificate:
        """Sign a request, whoever asks: as `KeyPair.signRequestObject`."""
        return self.privateKey._sign(
            self.original.subject,
            certificateRequest,
            serialNumber,
            secondsToExpiry,
            digestAlgorithm,
        )

    def __repr__(self) -> str:
        return f"{super().__repr__()} with {self.privateKey!r}"


def _dump(original: Any, format: int) -> bytes:
    from reactorlib.internet._tls import _crypto

    return _crypto.dump_certificate(original, is_pem(format))


def _copy_name(name: x509.Name, strict: bool = False) -> DistinguishedName:
    from reactorlib.internet._tls import _crypto

    return DistinguishedName(**dict(_crypto.names_in(name, strict)))


def _from_transport(transport: Any, which: str) -> Any:
    """What a Certificate is made of, for one end of a connection."""
    handle = transport.getHandle()
    certificate: Any = None
    if isinstance(handle, (ssl.SSLObject, ssl.SSLSocket)):
        if which == "peer":
            try:
                certificate = handle.getpeercert(binary_form=True)
            except ValueError:
                pass  # the handshake is not done
        else:
            chain = own_certificate.get(handle.context)
            certificate = None if chain is None else Certificate.loadPEM(chain)
    else:
        method = getattr(handle, f"get_{which}_certificate", None)
        if method is None:
            raise CertificateError(f"non-TLS transport {transport!r} has no {which} certificate")
        certificate = method()
    if certificate is None:
        raise CertificateError(f"TLS transport {transport!r} has no {which} certificate")
    return certificate
