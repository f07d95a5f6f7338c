"""Credentials: passwords, CRAM-MD5 and digests."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from reactorlib.cred import credentials
from reactorlib.cred.credentials import (
    Anonymous,
    CramMD5Credentials,
    DigestCredentialFactory,
    DigestedCredentials,
    IAnonymous,
    ISSHPrivateKey,
    IUsernameDigestHash,
    IUsernameHashedPassword,
    IUsernamePassword,
    SSHPrivateKey,
    UsernamePassword,
    calcHA1,
    calcHA2,
    calcResponse,
)
from reactorlib.cred.error import LoginFailed


def test_the_interfaces_are_provided() -> None:
    assert verifyObject(IUsernamePassword, UsernamePassword(b"a", b"b"))
    assert verifyObject(IAnonymous, Anonymous())
    assert verifyObject(ISSHPrivateKey, SSHPrivateKey(b"a", b"ssh-ed25519", b"", None, None))
    cram = CramMD5Credentials()
    assert verifyObject(IUsernameHashedPassword, cram)
    digested = DigestedCredentials(b"a", b"GET", b"r", {})
    assert verifyObject(IUsernameHashedPassword, digested)
    assert verifyObject(IUsernameDigestHash, digested)


def test_the_example_of_cram_md5() -> None:
    """RFC 2195 section 2."""
    cram = CramMD5Credentials()
    cram.challenge = b"<1896.697170952@postoffice.reston.mci.net>"
    cram.setResponse(b"tim b913a602c7eda7a495b4e6e7334d3890")
    assert cram.username == b"tim"
    assert cram.checkPassword(b"tanstaaftanstaaf")
    assert not cram.checkPassword(b"tanstaaf")
    assert not cram.moreChallenges()


def test_challenges_differ_and_stay() -> None:
    one, other = CramMD5Credentials(b"h"), CramMD5Credentials(b"h")
    assert one.getChallenge() == one.getChallenge() != other.getChallenge()
    assert one.getChallenge().endswith(b"@h>")
    with pytest.raises(ValueError, match="a space"):
        one.setResponse(b"nospace")
    assert not one.checkPassword(b"")


def test_an_old_name_warns() -> None:
    with pytest.deprecated_call(match="UsernamePassword instead"):
        made = credentials.UsernameHashedPassword(b"a", b"h")
    assert made.checkPassword(b"h")
    with pytest.raises(AttributeError, match="nothing"):
        _ = credentials.nothing


def test_the_example_of_digests() -> None:
    """RFC 7616 section 3.9.1."""
    for algorithm, wanted in (
        (b"md5", b"8ca523f5e9506fed4657c9700eebdbec"),
        (b"sha-256", b"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ):
        nonce = b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
        cnonce = b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
        ha1 = calcHA1(
            algorithm, b"Mufasa", b"http-auth@example.org", b"Circle of Life", nonce, cnonce
        )
        ha2 = calcHA2(algorithm, b"GET", b"/dir/index.html", b"auth", None)
        assert calcResponse(ha1, ha2, algorithm, nonce, b"00000001", cnonce, b"auth") == wanted


class Client:
    """The other end of a digest."""

    def __init__(self, challenge: dict[str, bytes], **changes: bytes | None) -> None:
        algorithm = challenge["algorithm"].lower()
        nonce, cnonce, count, uri = challenge["nonce"], b"c", b"00000001", b"/x,y"
        ha1 = calcHA1(algorithm, b'a"b', challenge["realm"], b"secret", nonce, cnonce)
        ha2 = calcHA2(algorithm, b"GET", uri, b"auth", None)
        self.fields: dict[str, bytes | None] = {
            "username": b'a\\"b',
            "realm": challenge["realm"],
            "nonce": nonce,
            "opaque": challenge["opaque"],
            "uri": uri,
            "algorithm": challenge["algorithm"],
            "qop": b"auth",
            "nc": count,
            "cnonce": cnonce,
            "response": calcResponse(ha1, ha2, algorithm, nonce, count, cnonce, b"auth"),
            **changes,
        }

    def header(self) -> bytes:
        return b", ".join(
            b'%s="%s"' % (name.encode(), value)
            for name, value in self.fields.items()
            if value is not None
        )


@pytest.mark.parametrize("algorithm", [b"MD5", b"md5-sess", b"sha", b"SHA-256", b"sha-256-sess"])
def test_a_digest_there_and_back(algorithm: bytes) -> None:
    factory = DigestCredentialFactory(algorithm, b"realm")
    header = Client(factory.getChallenge("10.0.0.1")).header()
    answer = factory.decode(header, b"GET", "10.0.0.1")
    assert answer.username == b'a"b'
    assert answer.checkPassword(b"secret")
    assert not answer.checkPassword(b"Secret")
    assert not factory.decode(header, b"POST", "10.0.0.1").checkPassword(b"secret")
    if not algorithm.lower().startswith(b"sha"):
        assert answer.checkHash(hashlib.md5(b'a"b:realm:secret').hexdigest().encode())


@pytest.mark.parametrize(
    "changes",
    [
        {"response": None},
        {"uri": None},
        {"algorithm": b"rot13"},
        {"qop": b"auth-int"},
        {"algorithm": b"md5-sess", "cnonce": None},
    ],
)
def test_a_digest_that_lacks_something_is_wrong(changes: dict[str, Any]) -> None:
    factory = DigestCredentialFactory(b"md5", b"realm")
    header = Client(factory.getChallenge(None), **changes).header()
    assert not factory.decode(header, b"GET", None).checkPassword(b"secret")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"username": None}, "no username"),
        ({"opaque": None}, "no opaque"),
        ({"nonce": None}, "no nonce"),
        ({"nonce": b"x"}, "opaque/nonce"),
        ({"opaque": b"x"}, "invalid opaque"),
        ({"opaque": b"x-%%%"}, "invalid opaque"),
    ],
)
def test_an_answer_to_no_challenge(changes: dict[str, Any], text: str) -> None:
    factory = DigestCredentialFactory(b"md5", b"realm")
    with pytest.raises(LoginFailed, match=text):
        factory.decode(Client(factory.getChallenge(None), **changes).header(), b"GET", None)


def test_a_challenge_is_for_one_host_one_server_and_some_time() -> None:
    factory = DigestCredentialFactory(b"md5", b"realm")
    header = Client(factory.getChallenge("10.0.0.1")).header()
    for host in ("10.0.0.2", None):
        with pytest.raises(LoginFailed, match="client"):
            factory.decode(header, b"GET", host)
    with pytest.raises(LoginFailed, match="invalid opaque"):
        DigestCredentialFactory(b"md5", b"realm").decode(header, b"GET", "10.0.0.1")
    factory.CHALLENGE_LIFETIME_SECS = -10
    with pytest.raises(LoginFailed, match="too old"):
        factory.decode(header, b"GET", "10.0.0.1")


@given(st.binary(max_size=200))
def test_any_header_is_refused_by_login_failed(header: bytes) -> None:
    with pytest.raises(LoginFailed):
        DigestCredentialFactory(b"md5", b"realm").decode(header, b"GET", None)


def test_a_long_header_is_refused_at_once() -> None:
    for header in (b"a" * 100_000, b"a" * 16_000, b'a="' + b"\\" * 16_000, b"a=b," * 4_000):
        with pytest.raises(LoginFailed):
            DigestCredentialFactory(b"md5", b"realm").decode(header, b"GET", None)
