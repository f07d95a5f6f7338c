"""Digest authentication of HTTP and SIP: RFC 2617, and the hashes of RFC 7616."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from zope.interface import implementer

from reactorlib.cred._compare import same_secret
from reactorlib.cred._interfaces import IUsernameDigestHash, IUsernameHashedPassword
from reactorlib.cred.error import LoginFailed

__all__ = [
    "DigestCredentialFactory",
    "DigestedCredentials",
    "calcHA1",
    "calcHA2",
    "calcResponse",
]

#: The hash of each algorithm.
_HASHES: dict[bytes, Callable[..., Any]] = {
    b"md5": hashlib.md5,
    b"md5-sess": hashlib.md5,
    b"sha": hashlib.sha1,
    b"sha-256": hashlib.sha256,
    b"sha-256-sess": hashlib.sha256,
}

#: One `name=value` of a header, and what goes before it.
_FIELD = re.compile(
    rb"""[\s,]* ([^\s=,"]+) [ \t]*=[ \t]* (?: "((?:[^"\\]|\\.)*)" | ([^,"]*) )""", re.VERBOSE
)

# A header of a browser is some hundreds of bytes long.
_MAX_RESPONSE = 16384


def _hash(algorithm: bytes, *parts: bytes) -> bytes:
    return bytes(_HASHES[algorithm](b":".join(parts)).hexdigest(), "ascii")


def calcHA1(
    pszAlg: bytes,
    pszUserName: bytes | None,
    pszRealm: bytes | None,
    pszPassword: bytes | None,
    pszNonce: bytes,
    pszCNonce: bytes,
    preHA1: bytes | None = None,
) -> bytes:
    """
    H(A1) of RFC 2617 section 3.2.2.2, in hex.

    Args:
        pszAlg: the algorithm, in lower case.
        pszUserName, pszRealm, pszPassword: whose.
        pszNonce, pszCNonce: the server's and the client's nonce, for "-sess".
        preHA1: the hash of `username:realm:password` in hex, in place of the three.

    Raises:
        TypeError: both `preHA1` and one of the three are given.
        KeyError: the algorithm is not known.
    """
    if preHA1 is not None:
        if pszUserName or pszRealm or pszPassword:
            raise TypeError("preHA1 stands for the user name, the realm and the password")
        ha1 = preHA1
    else:
        if pszUserName is None or pszRealm is None or pszPassword is None:
            raise TypeError("a user name, a realm and a password are needed")
        ha1 = _hash(pszAlg, pszUserName, pszRealm, pszPassword)
    if pszAlg.endswith(b"-sess"):
        ha1 = _hash(pszAlg, ha1, pszNonce, pszCNonce)
    return ha1


def calcHA2(
    algo: bytes,
    pszMethod: bytes,
    pszDigestUri: bytes,
    pszQop: bytes | None,
    pszHEntity: bytes | None,
) -> bytes:
    """
    H(A2) of RFC 2617 section 3.2.2.3, in hex.

    Args:
        algo: the algorithm, in lower case.
        pszMethod, pszDigestUri: of the request.
        pszQop: what is protected: "auth", "auth-int", or None.
        pszHEntity: the hash of the body, in hex, for "auth-int".
    """
    if pszQop == b"auth-int":
        if pszHEntity is None:
            raise TypeError("auth-int needs the hash of the body")
        return _hash(algo, pszMethod, pszDigestUri, pszHEntity)
    return _hash(algo, pszMethod, pszDigestUri)


def calcResponse(
    HA1: bytes,
    HA2: bytes,
    algo: bytes,
    pszNonce: bytes,
    pszNonceCount: bytes | None,
    pszCNonce: bytes | None,
    pszQop: bytes | None,
) -> bytes:
    """The digest of RFC 2617 section 3.2.2.1, in hex; without a client nonce that of RFC 2069."""
    if pszNonceCount and pszCNonce and pszQop:
        return _hash(algo, HA1, pszNonce, pszNonceCount, pszCNonce, pszQop, HA2)
    return _hash(algo, HA1, pszNonce, HA2)


@implementer(IUsernameHashedPassword, IUsernameDigestHash)
class DigestedCredentials:
    """
    What the client sent in answer to a challenge.

    Args:
        username: the name.
        method: of the request.
        realm: what the challenge said.
        fields: all of the header, values in bytes.
    """

    def __init__(
        self, username: bytes, method: bytes, realm: bytes, fields: Mapping[str, bytes]
    ) -> None:
        self.username = username
        self.method = method
        self.realm = realm
        self.fields = fields

    def checkPassword(self, password: bytes) -> bool:
        """Whether the answer was made with that password."""
        if isinstance(password, str):
            password = password.encode()
        return self._check(self.username, self.realm, password, None)

    def checkHash(self, digestHash: bytes) -> bool:
        """Whether the answer was made with the password of that hash."""
        return self._check(None, None, None, digestHash)

    def _check(
        self,
        username: bytes | None,
        realm: bytes | None,
        password: bytes | None,
        prehashed: bytes | None,
    ) -> bool:
        field = self.fields.get
        nonce, uri = field("nonce"), field("uri")
        cnonce, count = field("cnonce"), field("nc")
        algorithm = (field("algorithm") or b"md5").lower()
        qop = field("qop") or b"auth"
        if nonce is None or uri is None or algorithm not in _HASHES or qop == b"auth-int":
            return False
        if algorithm.endswith(b"-sess") and cnonce is None:
            return False
        ha1 = calcHA1(algorithm, username, realm, password, nonce, cnonce or b"", prehashed)
        ha2 = calcHA2(algorithm, self.method, uri, qop, None)
        expected = calcResponse(ha1, ha2, algorithm, nonce, count, cnonce, qop)
        return same_secret(expected, field("response"))


class DigestCredentialFactory:
    """
    Makes challenges, and credentials of the answers.

    Nothing is kept between the two: the challenge carries, signed, when it was
    made and for whom. An answer may be repeated for as long as the challenge
    is good.

    Args:
        algorithm: "md5", "sha", "sha-256" or one with "-sess", in bytes.
        authenticationRealm: what the user is told of what the password is for.

    Attributes:
        CHALLENGE_LIFETIME_SECS: for how long a challenge is good.
        privateKey: what challenges are signed with.
    """

    CHALLENGE_LIFETIME_SECS = 15 * 60
    scheme = b"digest"

    def __init__(self, algorithm: bytes, authenticationRealm: bytes) -> None:
        self.algorithm = algorithm
        self.authenticationRealm = authenticationRealm
        self.privateKey = secrets.token_bytes(32)

    def getChallenge(self, address: str | bytes | None) -> dict[str, bytes]:
        """
        The fields of a new challenge.

        Args:
            address: the client's host, which has to be the one that answers; or
                None, here and for `decode`.
        """
        nonce = self._generateNonce()
        return {
            "nonce": nonce,
            "opaque": self._generate_opaque(nonce, address),
            "qop": b"auth",
            "algorithm": self.algorithm,
            "realm": self.authenticationRealm,
        }

    def decode(
        self, response: bytes, method: bytes, host: str | bytes | None
    ) -> DigestedCredentials:
        """
        Make credentials of a client's answer.

        Args:
            response: the header, without the word "Digest".
            method: of the request.
            host: the client's.

        Raises:
            LoginFailed: it is malformed, or the answer to no good challenge of ours.
        """
        fields = _parse(response)
        username = fields.get("username")
        if not username:
            raise LoginFailed("Invalid response, no username given.")
        if "opaque" not in fields:
            raise LoginFailed("Invalid response, no opaque given.")
        if "nonce" not in fields:
            raise LoginFailed("Invalid response, no nonce given.")
        self._verify_opaque(fields["opaque"], fields["nonce"], host)
        return DigestedCredentials(username, method, self.authenticationRealm, fields)

    # Tests, and subclasses of Twisted's, know these by name.

    def _generateNonce(self) -> bytes:
        return secrets.token_hex(16).encode()

    def _getTime(self) -> float:
        return time.time()

    def _sign(self, key: bytes) -> bytes:
        return hmac.new(self.privateKey, key, hashlib.sha256).hexdigest().encode()

    def _generate_opaque(self, nonce: bytes, address: str | bytes | None) -> bytes:
        key = b",".join((nonce, _client(address), b"%d" % int(self._getTime())))
        return self._sign(key) + b"-" + base64.b64encode(key)

    def _verify_opaque(self, opaque: bytes, nonce: bytes, address: str | bytes | None) -> None:
        signature, dash, encoded = opaque.partition(b"-")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            dash = b""
            key = b""
        parts = key.split(b",")
        if not dash or len(parts) != 3:
            raise LoginFailed("Invalid response, invalid opaque value")
        if parts[0] != nonce:
            raise LoginFailed("Invalid response, incompatible opaque/nonce values")
        if parts[1] != _client(address):
            raise LoginFailed("Invalid response, incompatible opaque/client values")
        try:
            made = int(parts[2])
        except ValueError:
            raise LoginFailed("Invalid response, invalid opaque/time values") from None
        if self._getTime() - made > self.CHALLENGE_LIFETIME_SECS:
            raise LoginFailed("Invalid response, incompatible opaque/nonce too old")
        if not same_secret(signature, self._sign(key)):
            raise LoginFailed("Invalid response, invalid opaque value")

    _generateOpaque = _generate_opaque
    _verifyOpaque = _verify_opaque


def _client(address: str | bytes | None) -> bytes:
    if isinstance(address, str):
        return address.encode()
    return address or b""


def _parse(response: bytes) -> dict[str, bytes]:
    """
    The fields of a header, by name.

    Raises:
        LoginFailed: it is too long, or something in it is no `name=value`.
    """
    if len(response) > _MAX_RESPONSE:
        raise LoginFailed(f"Invalid response, longer than {_MAX_RESPONSE} bytes.")
    fields: dict[str, bytes] = {}
    response = response.rstrip(b" \t\r\n,")
    at = 0
    while at < len(response):
        found = _FIELD.match(response, at)
        if found is None:
            raise LoginFailed("Invalid response, malformed.")
        name, quoted, bare = found.groups()
        value = bare.strip() if quoted is None else re.sub(rb"\\(.)", rb"\1", quoted)
        fields[name.decode("latin-1").lower()] = value
        at = found.end()
    return fields
