"""Keys: public ones, which can only be compared, and pairs, which sign."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from reactorlib.internet._tls._names import DistinguishedName
from reactorlib.internet._tls._versions import FILETYPE_ASN1, FILETYPE_PEM, TYPE_RSA
from reactorlib.internet.defer import Deferred
from reactorlib.internet.error import VerifyError

if TYPE_CHECKING:
    from reactorlib.internet._tls._certificates import (
        Certificate,
        CertificateRequest,
        PrivateCertificate,
    )

__all__ = ["YEAR", "KeyPair", "PublicKey", "is_pem"]

#: Seconds.
YEAR = 60 * 60 * 24 * 365

_KeyPair = TypeVar("_KeyPair", bound="KeyPair")


def is_pem(format: int) -> bool:
    """
    Whether a format is PEM.

    Raises:
        ValueError: it is neither that nor DER.
    """
    if format in (FILETYPE_PEM, FILETYPE_ASN1):
        return format == FILETYPE_PEM
    raise ValueError(f"Unsupported format: {format!r} is neither FILETYPE_PEM nor FILETYPE_ASN1")


class PublicKey:
    """
    The public half of a key.

    Args:
        original: the key, as the package `cryptography` has it, or pyOpenSSL.

    Attributes:
        original: the key, as the package `cryptography` has it.
    """

    def __init__(self, original: Any) -> None:
        convert = getattr(original, "to_cryptography_key", None)
        self.original: Any = original if convert is None else convert()

    def matches(self, otherKey: PublicKey) -> bool:
        """Whether the other one is the same, or of the same pair."""
        return self.keyHash() == otherKey.keyHash()

    def keyHash(self) -> str:
        """32 hexadecimal digits that stand for the public key."""
        from reactorlib.internet._tls import _crypto

        public = _crypto.dump_public_key(self.original)
        return hashlib.md5(public, usedforsecurity=False).hexdigest()

    def inspect(self) -> str:
        """A line about it."""
        return f"Public Key with Hash: {self.keyHash()}"

    def __repr__(self) -> str:
        return f"<{self.__class__.__name__} {self.keyHash()}>"


class KeyPair(PublicKey):
    """
    A private key, and so the public one too.

    Args:
        original: the private key, as the package `cryptography` has it, or pyOpenSSL.
    """

    @classmethod
    def generate(cls: type[_KeyPair], kind: int = TYPE_RSA, size: int = 2048) -> _KeyPair:
        """
        Make a new one. An RSA key takes some tenths of a second.

        Args:
            kind: TYPE_RSA, TYPE_EC, TYPE_ED25519 or TYPE_DSA.
            size: bits. For TYPE_EC 256, 384 or 521; TYPE_ED25519 has but one size.
        """
        from reactorlib.internet._tls import _crypto

        return cls(_crypto.generate_key(kind, size))

    @classmethod
    def load(
        cls: type[_KeyPair],
        data: bytes,
        format: int = FILETYPE_ASN1,
        passphrase: bytes | None = None,
    ) -> _KeyPair:
        """
        Read a private key.

        Args:
            data: the key; PEM may hold other things besides.
            format: FILETYPE_PEM or FILETYPE_ASN1.
            passphrase: what an encrypted key is encrypted with.

        Raises:
            ValueError: it is none, or the passphrase is wrong.
            TypeError: a passphrase is needed, or is given and not needed.
        """
        from reactorlib.internet._tls import _crypto

        return cls(_crypto.load_key(data, is_pem(format), passphrase))

    def dump(self, format: int = FILETYPE_ASN1) -> bytes:
        """The private key, not encrypted."""
        from reactorlib.internet._tls import _crypto

        return _crypto.dump_key(self.original, is_pem(format))

    def inspect(self) -> str:
        """A line about it."""
        from reactorlib.internet._tls import _crypto

        bits, kind = _crypto.describe_key(self.original)
        return f"{bits}-bit {kind} Key Pair with Hash: {self.keyHash()}"

    def newCertificate(self, newCertData: bytes, format: int = FILETYPE_ASN1) -> PrivateCertificate:
        """The certificate in `newCertData`, together with this key."""
        from reactorlib.internet._tls._certificates import PrivateCertificate

        return PrivateCertificate.load(newCertData, self, format)

    def requestObject(
        self, distinguishedName: DistinguishedName, digestAlgorithm: str = "sha256"
    ) -> CertificateRequest:
        """Ask for a certificate that this key is the key of `distinguishedName`."""
        from reactorlib.internet._tls import _crypto
        from reactorlib.internet._tls._certificates import CertificateRequest

        name = _crypto.name_of(distinguishedName)
        return CertificateRequest(_crypto.make_request(self.original, name, digestAlgorithm))

    def certificateRequest(
        self,
        distinguishedName: DistinguishedName,
        format: int = FILETYPE_ASN1,
        digestAlgorithm: str = "sha256",
    ) -> bytes:
        """The same, in bytes to send to an authority."""
        return self.requestObject(distinguishedName, digestAlgorithm).dump(format)

    def signCertificateRequest(
        self,
        issuerDistinguishedName: DistinguishedName,
        requestData: bytes,
        verifyDNCallback: Callable[[DistinguishedName], Any],
        serialNumber: int,
        requestFormat: int = FILETYPE_ASN1,
        certificateFormat: int = FILETYPE_ASN1,
        secondsToExpiry: int = YEAR,
        digestAlgorithm: str = "sha256",
    ) -> Any:
        """
        Be an authority: sign a request, if it is to be.

        Args:
            issuerDistinguishedName: who signs.
            verifyDNCallback: called with who asks; whether to sign, or a Deferred
                that fires with that.

        Returns:
            the certificate, in bytes; a Deferred that fires with it if the
            callback has given one.

        Raises:
            VerifyError: it was not to be signed, or the request is not signed by
                its own key. The Deferred fails with the former.
        """
        from reactorlib.internet._tls._certificates import CertificateRequest

        request = CertificateRequest.load(requestData, requestFormat)
        subject = request.getSubject()

        def verified(good: object) -> bytes:
            if not good:
                raise VerifyError(f"{verifyDNCallback!r} has rejected the request of {subject!r}")
            certificate = self.signRequestObject(
                issuerDistinguishedName, request, serialNumber, secondsToExpiry, digestAlgorithm
            )
            return certificate.dump(certificateFormat)

        answer = verifyDNCallback(subject)
        return answer.addCallback(verified) if isinstance(answer, Deferred) else verified(answer)

    def signRequestObject(
        self,
        issuerDistinguishedName: DistinguishedName,
        requestObject: CertificateRequest,
        serialNumber: int,
        secondsToExpiry: int = YEAR,
        digestAlgorithm: str = "sha256",
    ) -> Certificate:
        """
        Be an authority: sign a request, whoever asks.

        The certificate holds from now on, for `secondsToExpiry`. If it is signed
        with its own key, it is one of an authority.

        Raises:
            ValueError: the serial number is not positive.
        """
        from reactorlib.internet._tls import _crypto

        return self._sign(
            _crypto.name_of(issuerDistinguishedName),
            requestObject,
            serialNumber,
            secondsToExpiry,
            digestAlgorithm,
        )

    def _sign(
        self, issuer: Any, request: CertificateRequest, serial: int, seconds: int, digest: str
    ) -> Certificate:
        from reactorlib.internet._tls import _crypto
        from reactorlib.internet._tls._certificates import Certificate

        return Certificate(
            _crypto.sign(
                self.original,
                issuer,
                _crypto.name_of(request.getSubject()),
                request.original.public_key(),
                serial,
                seconds,
                digest,
            )
        )

    def selfSignedCert(self, serialNumber: int, **kw: str | bytes) -> PrivateCertificate:
        """A certificate signed with this key itself; the keywords are a DistinguishedName."""
        from reactorlib.internet._tls._certificates import PrivateCertificate

        name = DistinguishedName(**kw)
        certificate = self.signRequestObject(name, self.requestObject(name), serialNumber)
        return PrivateCertificate.fromCertificateAndKeyPair(certificate, self)
