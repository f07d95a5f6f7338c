"""
Everything that is asked of the `cryptography` package.

It is in the extra `tls`: this module is imported when a certificate or a key is
made or looked into, and not before.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from typing import Any

from reactorlib.internet._tls._versions import TYPE_DSA, TYPE_EC, TYPE_ED25519, TYPE_RSA

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_der_private_key,
        load_pem_private_key,
    )
    from cryptography.x509.oid import NameOID
except ImportError as missing:
    raise ImportError(
        "to make or to look into certificates and keys takes the package cryptography: "
        "pip install 'reactorlib[tls]'"
    ) from missing

__all__ = [
    "describe_key",
    "dump_certificate",
    "dump_key",
    "dump_public_key",
    "generate_key",
    "load_certificate",
    "load_key",
    "load_request",
    "make_request",
    "name_of",
    "names_in",
    "sign",
]

_OIDS = {
    "commonName": NameOID.COMMON_NAME,
    "organizationName": NameOID.ORGANIZATION_NAME,
    "organizationalUnitName": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "localityName": NameOID.LOCALITY_NAME,
    "stateOrProvinceName": NameOID.STATE_OR_PROVINCE_NAME,
    "countryName": NameOID.COUNTRY_NAME,
    "emailAddress": NameOID.EMAIL_ADDRESS,
}
_BY_OID = {oid: name for name, oid in _OIDS.items()}

_CURVES: dict[int, type[ec.EllipticCurve]] = {
    256: ec.SECP256R1,
    384: ec.SECP384R1,
    521: ec.SECP521R1,
}

_DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {
    "sha224": hashes.SHA224,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}

_PRIVATE_KEY = re.compile(rb"-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)


# -- names ------------------------------------------------------------------------


def name_of(fields: Mapping[str, bytes]) -> x509.Name:
    """The X.509 name with those fields, which have their long names."""
    return x509.Name(
        [x509.NameAttribute(_OIDS[field], value.decode()) for field, value in fields.items()]
    )


def names_in(name: x509.Name, strict: bool = False) -> Iterable[tuple[str, str]]:
    """
    The fields of an X.509 name. If one is there several times, the first counts.

    Raises:
        ValueError: with `strict`, the name has a field that is not known here.
    """
    found: dict[str, str] = {}
    for attribute in name:
        field = _BY_OID.get(attribute.oid)
        if field is not None:
            value = attribute.value
            found.setdefault(field, value if isinstance(value, str) else value.decode())
        elif strict:
            raise ValueError(f"Unknown X509 name attribute: {attribute.oid!r}")
    return found.items()


# -- keys -------------------------------------------------------------------------


def generate_key(kind: int, size: int) -> Any:
    """A new private key. `size` is in bits."""
    if kind == TYPE_RSA:
        return rsa.generate_private_key(public_exponent=65537, key_size=size)
    if kind == TYPE_DSA:
        return dsa.generate_private_key(key_size=size)
    if kind == TYPE_EC:
        if size not in _CURVES:
            raise ValueError(f"the size of an EC key is one of {sorted(_CURVES)}, not {size}")
        return ec.generate_private_key(_CURVES[size]())
    if kind == TYPE_ED25519:
        return ed25519.Ed25519PrivateKey.generate()
    raise ValueError(f"{kind!r} is no kind of key: use TYPE_RSA, TYPE_EC or TYPE_ED25519")


def load_key(data: bytes, pem: bool, passphrase: bytes | None) -> Any:
    """A private key; of PEM, the first that there is."""
    if not pem:
        return load_der_private_key(data, passphrase)
    found = _PRIVATE_KEY.search(data)
    if found is None:
        raise ValueError("there is no private key in this PEM")
    return load_pem_private_key(found[0], passphrase)


def dump_key(key: Any, pem: bool) -> bytes:
    """A private key in PKCS #8, not encrypted."""
    encoding = Encoding.PEM if pem else Encoding.DER
    dumped: bytes = key.private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption())
    return dumped


def dump_public_key(key: Any) -> bytes:
    """A public key, or the public half of a private one, in DER."""
    public = key.public_key() if hasattr(key, "public_key") else key
    dumped: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return dumped


def describe_key(key: Any) -> tuple[int, str]:
    """Its size in bits, and the name of its kind."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.key_size, "RSA"
    if isinstance(key, dsa.DSAPrivateKey):
        return key.key_size, "DSA"
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.key_size, "EC"
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return 256, "Ed25519"
    return getattr(key, "key_size", 0), "(Unknown Type!)"


def _digest(key: Any, algorithm: str) -> Any:
    """What to sign with: an Ed25519 key hashes for itself."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return None
    try:
        return _DIGESTS[algorithm]()
    except KeyError:
        raise ValueError(
            f"{algorithm!r} is no digest to sign with: use one of {', '.join(_DIGESTS)}"
        ) from None


# -- certificates -----------------------------------------------------------------


def load_certificate(data: bytes, pem: bool) -> x509.Certificate:
    """A certificate; of PEM, the first that there is."""
    return x509.load_pem_x509_certificate(data) if pem else x509.load_der_x509_certificate(data)


def dump_certificate(original: Any, pem: bool) -> bytes:
    """A certificate, or a request for one."""
    dumped: bytes = original.public_bytes(Encoding.PEM if pem else Encoding.DER)
    return dumped


def host_names(certificate: x509.Certificate) -> list[str]:
    """The host names that a certificate is for; with none, the common name may be meant."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return [str(each.value) for each in common]
    return extension.value.get_values_for_type(x509.DNSName)


def has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether one certificate certifies another."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def valid_from(certificate: x509.Certificate) -> datetime.datetime:
    """Since when a certificate is valid."""
    return certificate.not_valid_before_utc


def load_request(data: bytes, pem: bool) -> tuple[x509.CertificateSigningRequest, bool]:
    """A certificate request, and whether it is signed with its own key."""
    request = x509.load_pem_x509_csr(data) if pem else x509.load_der_x509_csr(data)
    try:
        return request, request.is_signature_valid
    except UnsupportedAlgorithm:
        return request, False


def make_request(key: Any, name: x509.Name, digest: str) -> x509.CertificateSigningRequest:
    """A certificate request for `name`, signed with its key."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(key, _digest(key, digest))


def sign(
    key: Any,
    issuer: x509.Name,
    subject: x509.Name,
    public_key: Any,
    serial: int,
    seconds: float,
    digest: str,
) -> x509.Certificate:
    """
    Certify that `public_key` is the key of `subject`, from now on.

    A certificate that is signed with its own key is an authority, which may sign
    others; others may not.
    """
    if serial < 1:
        # RFC 5280 section 4.1.2.2.
        raise ValueError(f"the serial number of a certificate is positive, not {serial}")
    now = datetime.datetime.now(datetime.UTC)
    authority = subject == issuer and dump_public_key(key) == dump_public_key(public_key)
    builder = (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(public_key)
        .serial_number(serial)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(seconds=seconds))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        # RFC 5280 sections 4.2.1.1 and 4.2.1.2: clients that check strictly want both.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
    )
    if authority:
        # And an authority has to say that it is one here, too: section 4.2.1.3.
        usage = x509.KeyUsage(
            digital_signature=True,
            key_encipherment=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(key, _digest(key, digest))
