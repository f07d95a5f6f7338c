"""`internet.ssl`: what settings mean, shown by handshakes in memory."""

import asyncio
import datetime
import hashlib
import os
import socket
import ssl as stdlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from zope.interface import implementer
from zope.interface.verify import verifyObject

from reactorlib._sansio.tls import TLSEngine
from reactorlib.internet import reactor, ssl
from reactorlib.internet._tls import _crypto, _pem
from reactorlib.internet._tls._ciphers import OpenSSLCipher
from reactorlib.internet._tls._client import ClientTLSOptions
from reactorlib.internet._tls._settings import check_settings, engine_for, settings_for
from reactorlib.internet._tls._trust import IOpenSSLTrustRoot
from reactorlib.internet.defer import Deferred
from reactorlib.internet.error import CertificateError, ConnectError, VerifyError
from reactorlib.internet.interfaces import (
    IAcceptableCiphers,
    ICipher,
    IOpenSSLClientConnectionCreator,
    IOpenSSLContextFactory,
    IOpenSSLServerConnectionCreator,
    IProtocolNegotiationFactory,
)
from reactorlib.internet.protocol import ClientFactory

CA = trustme.CA()
TRUST = ssl.Certificate.loadPEM(CA.cert_pem.bytes())


def issue(*names: str, by: trustme.CA = CA) -> ssl.PrivateCertificate:
    return ssl.PrivateCertificate.loadPEM(
        by.issue_cert(*names).private_key_and_cert_chain_pem.bytes()
    )


HOST = issue("example.com", "127.0.0.1", "::1")
SERVER = HOST.options()
ANYBODY = ssl.CertificateOptions()

#: One key for all that is made here: making one is slow.
KEY = ssl.KeyPair.generate(ssl.TYPE_EC, 256)


class Met:
    """A client and a server after their handshake, or after it failed."""

    def __init__(
        self, client: Any, server: Any = SERVER, *, offers: Any = None, hostname: str | None = None
    ) -> None:
        self.client = engine_for(client, True, factory=offers, hostname=hostname)
        self.server = engine_for(server, False, factory=offers)
        moved = True
        while moved:
            moved = False
            for source, target in ((self.client, self.server), (self.server, self.client)):
                while data := source.take():
                    moved = True
                    target.receive(data)

    @property
    def good(self) -> bool:
        if self.client.error is self.server.error is None:
            assert self.client.handshake_done
            assert self.server.handshake_done
            return True
        return False

    @property
    def shown(self) -> ssl.Certificate:
        """What the server has shown."""
        der = self.client.peer_certificate
        assert der is not None
        return ssl.Certificate(der)

    @property
    def version(self) -> str | None:
        return self.client.ssl_object.version()


def to(name: str, **kwargs: Any) -> ClientTLSOptions:
    return ssl.optionsForClientTLS(name, trustRoot=TRUST, **kwargs)


# -- clients -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["example.com", "EXAMPLE.com", "example.com.", "127.0.0.1", "::1"])
def test_a_client_accepts_the_host_that_it_wants(name: str) -> None:
    assert Met(to(name)).good


@pytest.mark.parametrize("name", ["example.org", "www.example.com", "127.0.0.2", "::2"])
def test_a_client_refuses_any_other_host(name: str) -> None:
    met = Met(to(name))
    assert isinstance(met.client.error, ssl.VerificationError)
    assert "mismatch" in str(met.client.error)


def test_a_common_name_is_no_host_name() -> None:
    """RFC 9525 section 2; and Twisted never took it for one."""
    certificate = KEY.selfSignedCert(1, CN="example.com")
    client = ssl.optionsForClientTLS("example.com", trustRoot=certificate)
    assert not Met(client, certificate.options()).good


def test_a_client_refuses_what_nobody_certifies() -> None:
    met = Met(to("example.com"), issue("example.com", by=trustme.CA()).options())
    assert isinstance(met.client.error, ssl.VerificationError)


def test_a_client_trusts_whom_the_system_trusts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert isinstance(
        Met(ssl.optionsForClientTLS("example.com")).client.error, ssl.VerificationError
    )
    CA.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert Met(ssl.optionsForClientTLS("example.com")).good


def test_international_names() -> None:
    certificate = issue("xn--bcher-kva.example")
    assert Met(to("bücher.example"), certificate.options()).good


@pytest.mark.parametrize("name", ["", ".", ".example.com", "a" * 64, "a..b"])
def test_no_host_name(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a host name"):
        to(name)


def test_a_host_name_is_text() -> None:
    with pytest.raises(TypeError, match="requires text"):
        ssl.optionsForClientTLS(b"example.com")  # type: ignore[arg-type]


def test_server_names_cannot_be_chosen_to_be_sent() -> None:
    to("example.com", sendServerName=True)
    to("127.0.0.1", sendServerName=False)
    with pytest.raises(ValueError, match="sendServerName=False"):
        to("example.com", sendServerName=False)
    with pytest.raises(ValueError, match="sendServerName=True"):
        to("127.0.0.1", sendServerName=True)


def test_extra_options_of_a_client() -> None:
    extra = {"lowerMaximumSecurityTo": ssl.TLSVersion.TLSv1_2}
    met = Met(to("example.com", clientCertificate=HOST, extraCertificateOptions=extra))
    assert met.version == "TLSv1.2"
    assert list(extra) == ["lowerMaximumSecurityTo"]


def test_a_client_without_a_name_checks_the_certificate_only() -> None:
    assert Met(ssl.CertificateOptions(trustRoot=TRUST)).good
    assert not Met(ssl.CertificateOptions(trustRoot=HOST), issue("x").options()).good


def test_a_client_that_checks_nothing() -> None:
    assert Met(ANYBODY, issue("x", by=trustme.CA()).options()).good
    assert Met(ssl.ClientContextFactory()).good


# -- client certificates -----------------------------------------------------------


def test_a_server_asks_for_certificates() -> None:
    server = HOST.options(TRUST)
    client = issue("somebody@example.com")
    met = Met(to("example.com", clientCertificate=client), server)
    assert met.good
    assert met.server.peer_certificate == client.dump()
    stranger = issue("somebody@example.com", by=trustme.CA())
    assert not Met(to("example.com", clientCertificate=stranger), server).good
    met = Met(to("example.com"), server)
    assert "did not return a certificate" in str(met.server.error)
    assert not met.server.handshake_done


def test_a_certificate_may_be_optional() -> None:
    server = ssl.CertificateOptions(
        HOST.privateKey, HOST, verify=True, caCerts=[TRUST], requireCertificate=False
    )
    assert Met(to("example.com"), server).good
    assert Met(to("example.com", clientCertificate=issue("me@example.com")), server).good
    stranger = issue("me@example.com", by=trustme.CA())
    assert not Met(to("example.com", clientCertificate=stranger), server).good


# -- whom to trust -----------------------------------------------------------------


def test_trust_in_several() -> None:
    other = trustme.CA()
    trust = ssl.trustRootFromCertificates([TRUST, ssl.Certificate.loadPEM(other.cert_pem.bytes())])
    client = ssl.optionsForClientTLS("example.com", trustRoot=trust)
    assert Met(client).good
    assert Met(client, issue("example.com", by=other).options()).good
    assert not Met(client, issue("example.com", by=trustme.CA()).options()).good


def test_trust_in_nobody() -> None:
    client = ssl.optionsForClientTLS("example.com", trustRoot=ssl.trustRootFromCertificates([]))
    assert not Met(client).good


def test_trust_in_one_certificate_alone() -> None:
    """It need not be its own issuer's, nor that one be known."""
    client = ssl.optionsForClientTLS("example.com", trustRoot=HOST)
    assert Met(client).good
    assert not Met(client, issue("example.com").options()).good


def test_trust_is_in_certificates() -> None:
    with pytest.raises(TypeError, match="CertBase"):
        ssl.trustRootFromCertificates([HOST.original])
    with pytest.raises(TypeError):
        ssl.optionsForClientTLS("example.com", trustRoot="me")


# -- what goes together ------------------------------------------------------------


@pytest.mark.parametrize(
    ("kwargs", "error", "match"),
    [
        ({"privateKey": KEY}, ValueError, "neither or both"),
        ({"certificate": HOST}, ValueError, "neither or both"),
        ({"extraCertChain": [TRUST]}, ValueError, "extraCertChain"),
        ({"verify": True}, ValueError, "caCerts"),
        ({"method": 7}, ValueError, "raiseMinimumTo"),
        ({"verifyDepth": 2}, ValueError, "verifyDepth"),
        ({"trustRoot": None, "requireCertificate": True}, TypeError, "mutually exclusive"),
        ({"trustRoot": None, "verify": False}, TypeError, "mutually exclusive"),
        ({"trustRoot": TRUST, "caCerts": None}, TypeError, "mutually exclusive"),
        ({"method": None, "raiseMinimumTo": None}, TypeError, "mutually exclusive"),
        (
            {"insecurelyLowerMinimumTo": None, "raiseMinimumTo": None},
            TypeError,
            "mutually exclusive",
        ),
        ({"acceptableProtocols": ["h2"]}, TypeError, "bytes"),
        ({"acceptableProtocols": [b""]}, ValueError, "cannot be the name"),
        ({"acceptableProtocols": [b"x" * 256]}, ValueError, "cannot be the name"),
        ({"acceptableProtocols": [b"\xff"]}, ValueError, "cannot be the name"),
    ],
)
def test_options_that_cannot_be(kwargs: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        ssl.CertificateOptions(**kwargs)


def test_ca_certificates_alone_do_nothing() -> None:
    options = ssl.CertificateOptions(HOST.privateKey, HOST, caCerts=[TRUST])
    assert not options.verify
    assert Met(ANYBODY, options).good


def pyopenssl(original: Any, name: str) -> Any:
    """What pyOpenSSL's objects can be told by."""
    return type("PyOpenSSL", (), {name: lambda self: original})()


@pytest.mark.parametrize(
    ("key", "certificate"),
    [
        (HOST.privateKey, HOST),
        (HOST.privateKey.original, HOST.original),
        (HOST.privateKey.dump(ssl.FILETYPE_PEM), HOST.dump(ssl.FILETYPE_PEM)),
        (HOST.privateKey.dump(ssl.FILETYPE_PEM).decode(), HOST.dump(ssl.FILETYPE_PEM).decode()),
        (HOST.privateKey.dump(), HOST.dump()),
        (
            pyopenssl(HOST.privateKey.original, "to_cryptography_key"),
            pyopenssl(HOST.original, "to_cryptography"),
        ),
    ],
    ids=["ours", "cryptography", "PEM", "PEM text", "DER", "pyOpenSSL"],
)
def test_keys_and_certificates_in_any_form(key: Any, certificate: Any) -> None:
    met = Met(to("example.com"), ssl.CertificateOptions(key, certificate))
    assert met.good
    assert met.shown == HOST


def test_a_chain_completes_a_certificate() -> None:
    middle = CA.create_child_ca()
    leaf = issue("example.com", by=middle)
    client = to("example.com")
    assert not Met(client, leaf.options()).good
    chain = [ssl.Certificate.loadPEM(middle.cert_pem.bytes())]
    complete = ssl.CertificateOptions(leaf.privateKey, leaf, extraCertChain=chain)
    assert complete.extraCertChain == chain
    assert Met(client, complete).good


def test_a_key_of_another_certificate_is_refused() -> None:
    with pytest.raises(stdlib.SSLError, match=r"(?i)mismatch"):
        ssl.CertificateOptions(KEY, HOST).getContext()


def test_an_encrypted_key_is_not_asked_about_at_the_terminal() -> None:
    key = KEY.original.private_bytes(
        Encoding.PEM,
        PrivateFormat.PKCS8,
        BestAvailableEncryption(b"sesame"),
    )
    certificate = KEY.selfSignedCert(1, CN="x")
    with pytest.raises(ValueError, match="encrypted"):
        ssl.CertificateOptions(key, certificate).getContext()
    with pytest.raises(TypeError):
        ssl.KeyPair.load(key, ssl.FILETYPE_PEM)
    assert ssl.KeyPair.load(key, ssl.FILETYPE_PEM, b"sesame").matches(KEY)


def test_no_key_is_left_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    modes = []
    real = stdlib.SSLContext.load_cert_chain

    def watch(context: stdlib.SSLContext, certificate: str, key: str, password: Any) -> None:
        assert key.startswith(str(tmp_path))
        modes.append(os.stat(key).st_mode & 0o777)
        real(context, certificate, key, password)

    monkeypatch.setattr(stdlib.SSLContext, "load_cert_chain", watch)
    assert Met(to("example.com"), HOST.options()).good
    assert modes == [0o600]
    assert list(tmp_path.iterdir()) == []


def test_files_in_memory_are_closed() -> None:
    before = len(os.listdir("/proc/self/fd"))
    _pem.load_pair(stdlib.SSLContext(stdlib.PROTOCOL_TLS_SERVER), *pem_of(HOST))
    assert len(os.listdir("/proc/self/fd")) == before


def pem_of(certificate: ssl.PrivateCertificate) -> tuple[bytes, bytes]:
    return certificate.dump(ssl.FILETYPE_PEM), certificate.privateKey.dump(ssl.FILETYPE_PEM)


# -- versions, ciphers, sessions ---------------------------------------------------

V = ssl.TLSVersion


@pytest.mark.parametrize(
    ("kwargs", "lowest", "highest"),
    [
        ({}, V.TLSv1_2, None),
        ({"raiseMinimumTo": V.TLSv1_3}, V.TLSv1_3, None),
        ({"raiseMinimumTo": V.TLSv1_1}, V.TLSv1_2, None),
        ({"raiseMinimumTo": stdlib.TLSVersion.TLSv1_3}, V.TLSv1_3, None),
        ({"insecurelyLowerMinimumTo": V.TLSv1_0}, V.TLSv1_0, None),
        ({"lowerMaximumSecurityTo": V.TLSv1_2}, V.TLSv1_2, V.TLSv1_2),
        ({"lowerMaximumSecurityTo": V.TLSv1_1}, V.TLSv1_1, V.TLSv1_1),
        (
            {"insecurelyLowerMinimumTo": V.TLSv1_0, "lowerMaximumSecurityTo": V.TLSv1_1},
            V.TLSv1_0,
            V.TLSv1_1,
        ),
    ],
)
def test_versions(kwargs: dict[str, Any], lowest: V, highest: V | None) -> None:
    """And whoever says "insecurely" is not warned of it again."""
    for is_client in (True, False):
        context = ssl.CertificateOptions(**kwargs).getContext(is_client)
        assert int(context.minimum_version) == lowest
        assert int(context.maximum_version) == (highest or stdlib.TLSVersion.MAXIMUM_SUPPORTED)


def test_the_oldest_version_there_is() -> None:
    context = ssl.CertificateOptions(insecurelyLowerMinimumTo=V.SSLv3).getContext()
    assert context.minimum_version == stdlib.TLSVersion.MINIMUM_SUPPORTED


@pytest.mark.parametrize(
    "kwargs",
    [
        {"raiseMinimumTo": V.TLSv1_3, "lowerMaximumSecurityTo": V.TLSv1_2},
        {"insecurelyLowerMinimumTo": V.TLSv1_2, "lowerMaximumSecurityTo": V.TLSv1_1},
        {"lowerMaximumSecurityTo": V.SSLv3},
    ],
)
def test_versions_that_cannot_be(kwargs: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"lower|SSLv3"):
        ssl.CertificateOptions(**kwargs)


def test_versions_are_in_order() -> None:
    assert sorted(V) == [V.SSLv3, V.TLSv1_0, V.TLSv1_1, V.TLSv1_2, V.TLSv1_3]
    assert int(V.TLSv1_3) == stdlib.TLSVersion.TLSv1_3


OLD = ssl.CertificateOptions(trustRoot=TRUST, lowerMaximumSecurityTo=V.TLSv1_2)


def test_ciphers_are_chosen() -> None:
    name = "ECDHE-ECDSA-AES128-GCM-SHA256"
    acceptable = ssl.AcceptableCiphers.fromOpenSSLCipherString(name)
    server = ssl.CertificateOptions(HOST.privateKey, HOST, acceptableCiphers=acceptable)
    cipher = Met(OLD, server).client.ssl_object.cipher()
    assert cipher is not None
    assert cipher[0] == name


def test_a_users_own_choice_of_ciphers() -> None:
    @implementer(IAcceptableCiphers)
    class Last:
        def selectCiphers(self, availableCiphers: Any) -> Any:
            assert all(ICipher.providedBy(each) for each in availableCiphers)
            return [each for each in availableCiphers if each.fullName.startswith("ECDHE")][-1:]

    context = ssl.CertificateOptions(acceptableCiphers=Last()).getContext()
    old = [each["name"] for each in context.get_ciphers() if each["protocol"] != "TLSv1.3"]
    assert len(old) == 1


@pytest.mark.parametrize("string", ["", "nonsense"])
def test_no_cipher_at_all_is_refused(string: str) -> None:
    acceptable = ssl.AcceptableCiphers.fromOpenSSLCipherString(string)
    assert acceptable.selectCiphers([OpenSSLCipher("x")]) == ()
    with pytest.raises(ValueError, match="this OpenSSL has none"):
        ssl.CertificateOptions(acceptableCiphers=acceptable)


def test_ciphers_of_tls_1_3_alone_leave_no_older_version() -> None:
    acceptable = ssl.AcceptableCiphers([OpenSSLCipher("TLS_AES_128_GCM_SHA256")])
    with pytest.raises(ValueError, match="raiseMinimumTo"):
        ssl.CertificateOptions(acceptableCiphers=acceptable)
    options = ssl.CertificateOptions(acceptableCiphers=acceptable, raiseMinimumTo=V.TLSv1_3)
    assert options.getContext().minimum_version == stdlib.TLSVersion.TLSv1_3


def test_ciphers_are_selected_in_the_order_of_preference() -> None:
    a, b, c = (OpenSSLCipher(name) for name in "abc")
    assert ssl.AcceptableCiphers([c, a, b]).selectCiphers([a, c]) == (c, a)


DH = """-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""


@pytest.mark.parametrize("wrap", [str, Path, lambda path: type("F", (), {"path": path})()])
def test_parameters_for_diffie_hellman(tmp_path: Path, wrap: Callable[[str], Any]) -> None:
    (tmp_path / "dh.pem").write_text(DH)
    rsa = ssl.KeyPair.generate()
    dhe = ssl.AcceptableCiphers.fromOpenSSLCipherString("DHE+AESGCM")
    server = ssl.CertificateOptions(
        rsa,
        rsa.selfSignedCert(1, CN="x"),
        acceptableCiphers=dhe,
        dhParameters=ssl.DiffieHellmanParameters.fromFile(wrap(str(tmp_path / "dh.pem"))),
    )
    client = ssl.CertificateOptions(
        lowerMaximumSecurityTo=V.TLSv1_2,
        acceptableCiphers=ssl.AcceptableCiphers.fromOpenSSLCipherString("ALL"),
    )
    cipher = Met(client, server).client.ssl_object.cipher()
    assert cipher is not None
    assert cipher[0].startswith("DHE-")


@pytest.mark.parametrize(
    ("kwargs", "resumed"),
    [({}, False), ({"enableSessions": True}, True), ({"enableSessionTickets": True}, True)],
)
def test_sessions_are_resumed_where_that_is_enabled(kwargs: dict[str, Any], resumed: bool) -> None:
    server = ssl.CertificateOptions(HOST.privateKey, HOST, **kwargs)
    context = to("example.com").getContext()
    first = Met(context, server, hostname="example.com")
    session = first.client.ssl_object.session
    client = TLSEngine(context, server_hostname="example.com", session=session)
    other = engine_for(server, False)
    for _ in range(3):
        other.receive(client.take())
        client.receive(other.take())
    assert client.handshake_done
    assert client.ssl_object.session_reused is resumed


def test_safe_by_default() -> None:
    for options in (ANYBODY, by_name(), ssl.ClientContextFactory()):
        context = options.getContext()
        assert context.options & stdlib.OP_NO_RENEGOTIATION
        assert context.options & stdlib.OP_NO_COMPRESSION
        assert context.minimum_version >= stdlib.TLSVersion.TLSv1_2


def test_contexts_are_kept() -> None:
    options = HOST.options()
    assert options.getContext() is options.getContext()
    assert options.getContext(True) is options.getContext(isClient=True)
    assert options.getContext(True) is not options.getContext()


# -- application protocols ---------------------------------------------------------


@implementer(IProtocolNegotiationFactory)
class Speaks:
    def __init__(self, *protocols: bytes) -> None:
        self.protocols = protocols

    def acceptableProtocols(self) -> tuple[bytes, ...]:
        return self.protocols


def test_the_servers_preference_counts() -> None:
    client = to("example.com", acceptableProtocols=[b"a", b"b"])
    server = ssl.CertificateOptions(HOST.privateKey, HOST, acceptableProtocols=[b"b", b"a"])
    met = Met(client, server)
    assert met.client.selected_protocol == met.server.selected_protocol == "b"
    assert Met(client, SERVER).client.selected_protocol is None


def test_factories_say_their_protocols() -> None:
    assert Met(to("example.com"), offers=Speaks(b"a", b"b")).client.selected_protocol == "a"
    client = to("example.com", acceptableProtocols=[b"z"])
    server = ssl.CertificateOptions(HOST.privateKey, HOST, acceptableProtocols=[b"z", b"b"])
    assert Met(client, server, offers=Speaks(b"b", b"c")).client.selected_protocol == "b"


# -- several certificates ----------------------------------------------------------

WWW, WILD = issue("www.example.com"), issue("*.example.org")


def by_name(**kwargs: Any) -> ssl.SNIOptions:
    plain = stdlib.SSLContext(stdlib.PROTOCOL_TLS_SERVER)
    CA.issue_cert("plain.example").configure_cert(plain)
    names = {
        "WWW.example.com": WWW.options(),
        "*.example.org": WILD.options(),
        "plain.example": plain,
    }
    return ssl.SNIOptions(names, **kwargs)


@pytest.mark.parametrize(
    "name",
    ["www.example.com", "Www.Example.Com", "a.example.org", "plain.example", "example.com"],
)
def test_certificates_by_name(name: str) -> None:
    assert Met(to(name), by_name(default=HOST.options())).good


@pytest.mark.parametrize("name", ["other.example", "a.b.example.org", "example.org"])
def test_any_other_name_gets_the_default(name: str) -> None:
    default = HOST.options()
    assert Met(ANYBODY, by_name(default=default)).shown == HOST
    met = Met(to(name), by_name(default=default))
    assert isinstance(met.client.error, ssl.VerificationError)


def test_without_a_default_other_names_are_refused() -> None:
    assert Met(to("a.example.org"), by_name()).good
    met = Met(to("other.example"), by_name())
    assert "UNRECOGNIZED_NAME" in str(met.client.error)
    assert not Met(ANYBODY, by_name()).good


def test_application_protocols_hold_for_every_name() -> None:
    server = by_name(default=HOST.options())
    for name in ("a.example.org", "example.com"):
        assert Met(to(name), server, offers=Speaks(b"h2")).client.selected_protocol == "h2"
        assert Met(to(name), server).client.selected_protocol is None


def test_a_default_can_be_used_elsewhere() -> None:
    default = HOST.options()
    one, other = by_name(default=default), by_name(default=default)
    assert one.getContext() is one.getContext()
    assert one.getContext() is not other.getContext()
    assert Met(to("www.example.com"), one).good
    assert not Met(to("www.example.com"), default).good


def test_a_default_that_changes(tmp_path: Path) -> None:
    files, time = Files(tmp_path, HOST), Time()
    server = by_name(default=ssl.ReloadingOptions(files.key, files.certificate, seconds=time))
    new = issue("new.example.com")
    assert not Met(to("new.example.com"), server).good
    files.put(new)
    time.now += 1
    assert Met(to("new.example.com"), server).good
    assert Met(to("www.example.com"), server).good


def test_a_plain_context_as_the_default() -> None:
    context = plain_server()
    server = ssl.SNIOptions({"www.example.com": WWW.options()}, default=context)
    assert Met(to("www.example.com"), server).good
    assert Met(to("example.com"), server).good


def test_a_default_chooses_by_name_once() -> None:
    context = plain_server()
    by_name(default=context).getContext()
    choosing = ssl.CertificateOptions(contextForServerName=lambda name: None)
    for default in (context, by_name(default=SERVER), choosing):
        with pytest.raises(ValueError, match="already"):
            by_name(default=default).getContext()


def test_names_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="cannot be a host name"):
        ssl.SNIOptions({"": SERVER})
    with pytest.raises(ValueError, match="for servers"):
        engine_for(by_name(), True)


def test_a_function_chooses_by_name() -> None:
    asked: list[bytes | None] = []

    def choose(name: bytes | None) -> stdlib.SSLContext | None:
        asked.append(name)
        return WWW.options().getContext() if name else None

    server = ssl.CertificateOptions(HOST.privateKey, HOST, contextForServerName=choose)
    assert Met(to("www.example.com"), server).good
    assert Met(to("127.0.0.1"), server).good
    assert asked == [b"www.example.com", None]


async def test_an_error_in_the_choice_is_reported(errors: Any) -> None:
    def choose(name: bytes | None) -> None:
        raise LookupError(name)

    server = ssl.CertificateOptions(HOST.privateKey, HOST, contextForServerName=choose)
    met = Met(to("example.com"), server)
    assert "INTERNAL_ERROR" in str(met.client.error)
    assert met.server.error is not None
    assert [type(error) for error in errors.take()] == [LookupError]


@implementer(IOpenSSLClientConnectionCreator)
class Fails:
    """A creator that has none."""

    def clientConnectionForTLS(self, tlsProtocol: Any) -> Any:
        raise ZeroDivisionError("the store is gone")


class Hears(ClientFactory[Any]):
    """Hears how the attempt has failed."""

    noisy = False

    def __init__(self) -> None:
        self.failed: Deferred[Any] = Deferred()

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
        self.failed.errback(reason)


@implementer(IProtocolNegotiationFactory)
class FailsToSay(Hears):
    def acceptableProtocols(self) -> Any:
        raise ZeroDivisionError("the store is gone")


@pytest.mark.parametrize(
    ("creator", "kind"),
    [(Fails(), Hears), (to("example.com"), FailsToSay)],
    ids=["creator", "acceptableProtocols"],
)
async def test_a_client_hears_why_tls_could_not_be_set_up(
    errors: Any, creator: Any, kind: Any
) -> None:
    """Which is no fault of the peer's."""
    factory = kind()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        reactor.connectSSL("127.0.0.1", listener.getsockname()[1], factory, creator)
        with pytest.raises(ConnectError, match="ZeroDivisionError: the store is gone") as caught:
            async with asyncio.timeout(5):
                await factory.failed
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert errors.take() == [caught.value.__cause__]
    assert factory.numPorts == 0


# -- files -------------------------------------------------------------------------


class Files:
    def __init__(self, folder: Path, certificate: ssl.PrivateCertificate) -> None:
        self.key, self.certificate = folder / "key.pem", folder / "certificate.pem"
        self.put(certificate)

    def put(self, certificate: ssl.PrivateCertificate, key: ssl.KeyPair | None = None) -> None:
        """As programs do it: new files, moved over the old ones."""
        for path, data in (
            (self.certificate, certificate.dump(ssl.FILETYPE_PEM)),
            (self.key, (key or certificate.privateKey).dump(ssl.FILETYPE_PEM)),
        ):
            new = path.with_suffix(".new")
            new.write_bytes(data)
            new.replace(path)


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_files_are_read_once(tmp_path: Path) -> None:
    files = Files(tmp_path, HOST)
    factory = ssl.DefaultOpenSSLContextFactory(str(files.key), str(files.certificate))
    assert Met(to("example.com"), factory).good
    assert factory.getContext() is factory.getContext()
    with pytest.raises(OSError, match=r"(?i)no such file"):
        ssl.DefaultOpenSSLContextFactory(str(tmp_path / "none"), str(files.certificate))
    files.put(HOST, KEY)
    with pytest.raises(stdlib.SSLError):
        ssl.DefaultOpenSSLContextFactory(str(files.key), str(files.certificate))
    with pytest.raises(ValueError, match="sslmethod"):
        ssl.DefaultOpenSSLContextFactory(str(files.key), str(files.certificate), 7)


def test_changed_files_are_read_again(tmp_path: Path) -> None:
    files, time = Files(tmp_path, HOST), Time()
    server = ssl.ReloadingOptions(
        files.key, files.certificate, seconds=time, raiseMinimumTo=V.TLSv1_3
    )
    client = to("www.example.com")
    context = server.getContext()
    assert not Met(client, server).good
    files.put(WWW)
    assert server.getContext() is context  # not yet
    time.now += 1
    assert server.getContext() is not context
    assert Met(client, server).good
    assert server.getContext().minimum_version == stdlib.TLSVersion.TLSv1_3
    context = server.getContext()
    time.now += 1
    assert server.getContext() is context


async def test_bad_files_leave_the_old_certificate(tmp_path: Path, errors: Any) -> None:
    files, time = Files(tmp_path, HOST), Time()
    server = ssl.ReloadingOptions(files.key, files.certificate, seconds=time)
    spoilt: list[Callable[[], object]] = [
        lambda: files.put(HOST, KEY),
        lambda: files.certificate.write_bytes(b"-----BEGIN nothing"),
        lambda: files.key.unlink(),
    ]
    for spoil in spoilt:
        spoil()
        for _ in range(3):
            time.now += 1
            assert Met(to("example.com"), server).good
        (error,) = errors.take()  # once
        assert isinstance(error, OSError)
    files.put(WWW)
    time.now += 1
    assert Met(to("www.example.com"), server).good


def test_files_have_to_be_good_to_begin_with(tmp_path: Path) -> None:
    files = Files(tmp_path, HOST)
    files.put(HOST, KEY)
    with pytest.raises(stdlib.SSLError):
        ssl.ReloadingOptions(files.key, files.certificate)
    with pytest.raises(FileNotFoundError):
        ssl.ReloadingOptions(tmp_path / "none", files.certificate)


# -- what may be given as settings -------------------------------------------------


def plain_client() -> stdlib.SSLContext:
    context = stdlib.create_default_context()
    CA.configure_trust(context)
    return context


def plain_server() -> stdlib.SSLContext:
    context = stdlib.SSLContext(stdlib.PROTOCOL_TLS_SERVER)
    CA.issue_cert("example.com").configure_cert(context)
    return context


class Gets:
    """An object of the user's own, with a method for each way."""

    def __init__(self, context: Any) -> None:
        self.context = context

    def getContext(self) -> Any:
        return self.context


@implementer(IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator)
class Creates(Gets):
    asked: Any = None

    def clientConnectionForTLS(self, tlsProtocol: Any) -> tuple[Any, str]:
        self.asked = tlsProtocol
        return self.context, "example.com"

    def serverConnectionForTLS(self, tlsProtocol: Any) -> Any:
        self.asked = tlsProtocol
        return self.context


class Subclass(ssl.CertificateOptions):
    def getContext(self, isClient: bool = False) -> stdlib.SSLContext:
        return plain_server()


@pytest.mark.parametrize(
    "server", [plain_server(), Gets(plain_server()), Creates(plain_server()), Subclass()]
)
@pytest.mark.parametrize("client", [plain_client(), Gets(plain_client()), Creates(plain_client())])
def test_settings_of_every_kind(client: Any, server: Any) -> None:
    assert Met(client, server, hostname="example.com").good


def test_a_creator_sees_the_connection() -> None:
    connection = object()
    for is_client, context in ((True, plain_client()), (False, plain_server())):
        creator = Creates(context)
        check_settings(creator, is_client)
        assert creator.asked is None
        engine_for(creator, is_client, connection=connection)
        assert creator.asked is connection


def test_a_plain_context_is_left_alone() -> None:
    context = plain_client()
    context.set_alpn_protocols(["mine"])
    server = ssl.CertificateOptions(HOST.privateKey, HOST, acceptableProtocols=[b"mine", b"h2"])
    met = Met(context, server, offers=Speaks(b"h2"), hostname="example.com")
    assert met.client.selected_protocol == "mine"


@pytest.mark.parametrize("check", [check_settings, engine_for, settings_for])
@pytest.mark.parametrize(
    ("settings", "is_client", "error", "match"),
    [
        (None, True, TypeError, "cannot be TLS settings"),
        ("example.com", True, TypeError, "use CertificateOptions"),
        (Gets(None), False, TypeError, "SSLContext of the standard library"),
        (Gets("OpenSSL.SSL.Context"), True, TypeError, "SSLContext of the standard library"),
        (plain_server(), True, ValueError, "for servers, and this is a client"),
        (plain_client(), False, ValueError, "for clients, and this is a server"),
        (to("example.com"), False, ValueError, "is for clients"),
        (ssl.ContextFactory(), False, NotImplementedError, "getContext"),
    ],
)
def test_what_cannot_be_settings(
    check: Callable[[Any, bool], Any],
    settings: Any,
    is_client: bool,
    error: type[Exception],
    match: str,
) -> None:
    with pytest.raises(error, match=match):
        check(settings, is_client)


def test_a_plain_context_that_checks_names_needs_one() -> None:
    for check in (check_settings, engine_for):
        with pytest.raises(ValueError, match="needs the server's"):
            check(plain_client(), True)
    check_settings(plain_client(), True, "example.com")


def test_old_classes_refuse_methods() -> None:
    class Old(ssl.ClientContextFactory):
        method = 3

    with pytest.raises(ValueError, match="method=3"):
        Old().getContext()


def test_interfaces() -> None:
    for settings, interfaces in (
        (
            SERVER,
            [
                IOpenSSLContextFactory,
                IOpenSSLServerConnectionCreator,
                IOpenSSLClientConnectionCreator,
            ],
        ),
        (to("example.com"), [IOpenSSLClientConnectionCreator]),
        (ssl.ClientContextFactory(), [IOpenSSLContextFactory]),
        (ssl.AcceptableCiphers([]), [IAcceptableCiphers]),
        (OpenSSLCipher("x"), [ICipher]),
        (ssl.platformTrust(), [IOpenSSLTrustRoot]),
    ):
        for interface in interfaces:
            assert verifyObject(interface, settings)


def test_creators_of_ours_can_be_asked_directly() -> None:
    context, name = to("example.com").clientConnectionForTLS(None)
    assert (context.check_hostname, name) == (True, "example.com")
    assert SERVER.clientConnectionForTLS(None) == (SERVER.getContext(True), None)
    assert SERVER.serverConnectionForTLS(None) is SERVER.getContext()


# -- keys, certificates, requests --------------------------------------------------


def test_names() -> None:
    name = ssl.DN(CN="example.com", O=b"Example")
    assert name == ssl.DistinguishedName(commonName=b"example.com", organizationName="Example")
    assert name.CN == name.commonName == name["commonName"] == b"example.com"
    name.CN = "bücher"
    assert "bücher".encode() == name.CN
    assert repr(ssl.DN(CN="x")) == "<DN 'commonName': b'x'>"
    assert not hasattr(name, "OU")
    with pytest.raises(AttributeError, match="no field"):
        ssl.DN(cn="x")
    assert name.inspect().splitlines() == [
        "               Common Name: bücher",
        "         Organization Name: Example",
    ]


@pytest.mark.parametrize(
    ("kind", "size", "text"),
    [
        (ssl.TYPE_RSA, 2048, "2048-bit RSA"),
        (ssl.TYPE_EC, 384, "384-bit EC"),
        (ssl.TYPE_ED25519, 0, "256-bit Ed25519"),
    ],
)
def test_key_pairs(kind: int, size: int, text: str) -> None:
    pair = ssl.KeyPair.generate(kind, size)
    assert pair.inspect() == f"{text} Key Pair with Hash: {pair.keyHash()}"
    for format in (ssl.FILETYPE_PEM, ssl.FILETYPE_ASN1):
        assert ssl.KeyPair.load(pair.dump(format), format).matches(pair)
    assert not pair.matches(KEY)
    certificate = pair.selfSignedCert(7, CN="me")
    assert certificate.serialNumber() == 7
    assert certificate.getPublicKey().matches(pair)
    assert Met(ssl.CertificateOptions(trustRoot=certificate), certificate.options()).good


def test_keys_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="size of an EC key"):
        ssl.KeyPair.generate(ssl.TYPE_EC)
    with pytest.raises(ValueError, match="no kind of key"):
        ssl.KeyPair.generate(99)
    with pytest.raises(ValueError, match="no private key"):
        ssl.KeyPair.load(TRUST.dumpPEM(), ssl.FILETYPE_PEM)
    with pytest.raises(ValueError):  # noqa: PT011 - its text is cryptography's
        ssl.KeyPair.load(b"garbage")
    with pytest.raises(ValueError, match="Unsupported format"):
        KEY.dump(3)


def test_certificates_to_and_from_bytes() -> None:
    for format in (ssl.FILETYPE_PEM, ssl.FILETYPE_ASN1):
        loaded = ssl.Certificate.load(HOST.dump(format), format)
        assert loaded == HOST
        assert hash(loaded) == hash(HOST)
    assert ssl.Certificate.loadPEM(TRUST.dumpPEM().decode()) == TRUST
    assert TRUST != HOST
    assert TRUST != 1
    for format in (ssl.FILETYPE_PEM, ssl.FILETYPE_ASN1):
        with pytest.raises(ValueError):  # noqa: PT011 - its text is cryptography's
            ssl.Certificate.load(b"garbage", format)
    with pytest.raises(ValueError, match="Unsupported format"):
        TRUST.dump(3)
    with pytest.raises(ValueError, match="loadPEM"):
        ssl.Certificate(TRUST.dumpPEM())


def test_a_fingerprint() -> None:
    pem = TRUST.dumpPEM()
    der = stdlib.PEM_cert_to_DER_cert(pem.decode())
    for name in ("md5", "sha1", "sha256"):
        plain = TRUST.digest(name).replace(b":", b"").decode().lower()
        assert plain == hashlib.new(name, der).hexdigest()
    assert TRUST.digest("sha") == TRUST.digest("sha1")
    assert TRUST.digest().count(b":") == 15


def test_certificates_with_keys() -> None:
    both = HOST.dumpPEM()
    for pem in (both, HOST.privateKey.dump(ssl.FILETYPE_PEM) + HOST.dump(ssl.FILETYPE_PEM)):
        loaded = ssl.PrivateCertificate.loadPEM(pem)
        assert loaded == HOST
        assert loaded.privateKey.matches(HOST.privateKey)
    assert ssl.PrivateCertificate.loadPEM(both.decode()) == HOST
    with pytest.raises(VerifyError, match="do not match"):
        ssl.PrivateCertificate.load(HOST.dump(), KEY)
    with pytest.raises(VerifyError, match="do not match"):
        ssl.PrivateCertificate.fromCertificateAndKeyPair(TRUST, KEY)
    renewed = HOST.newCertificate(HOST.dump())
    assert renewed.privateKey is HOST.privateKey


def test_certificates_as_text() -> None:
    certificate = KEY.selfSignedCert(3, CN="me", O="Example")
    text = certificate.inspect().splitlines()
    assert text == [
        "Certificate For Subject:",
        "               Common Name: me",
        "         Organization Name: Example",
        "",
        "Issuer:",
        "               Common Name: me",
        "         Organization Name: Example",
        "",
        "Serial Number: 3",
        f"Digest: {certificate.digest().decode()}",
        f"256-bit EC Key Pair with Hash: {KEY.keyHash()}",
    ]
    public = ssl.Certificate(certificate)
    assert public.inspect().splitlines()[-1] == f"Public Key with Hash: {KEY.keyHash()}"
    assert repr(public) == "<Certificate Subject=b'me' Issuer=b'me'>"
    assert repr(certificate).endswith(f" with <KeyPair {KEY.keyHash()}>")


def test_an_authority_signs_requests() -> None:
    authority = KEY.selfSignedCert(1, CN="authority")
    key = ssl.KeyPair.generate(ssl.TYPE_EC, 256)
    request = key.certificateRequest(ssl.DN(CN="server"))

    def verify(name: ssl.DN) -> bool:
        return name == ssl.DN(CN="server")

    certificate = key.newCertificate(authority.signCertificateRequest(request, verify, 2))
    assert certificate.getSubject() == ssl.DN(CN="server")
    assert certificate.getIssuer() == ssl.DN(CN="authority")
    assert certificate.serialNumber() == 2
    assert Met(ssl.CertificateOptions(trustRoot=authority), certificate.options()).good
    year = certificate.original.not_valid_after_utc - certificate.original.not_valid_before_utc
    assert year == datetime.timedelta(days=365)


def test_a_request_is_signed_if_it_is_to_be() -> None:
    request = KEY.certificateRequest(ssl.DN(CN="x"), ssl.FILETYPE_PEM)
    authority = KEY.selfSignedCert(1, CN="authority")
    pem = ssl.FILETYPE_PEM
    with pytest.raises(VerifyError, match="rejected"):
        authority.signCertificateRequest(request, lambda _: False, 2, pem)
    later: Deferred[bool] = Deferred()
    answer = authority.signCertificateRequest(request, lambda _: later, 2, pem, pem)
    certificates: list[bytes] = []
    answer.addCallback(lambda data: certificates.append(data))
    assert not certificates
    later.callback(True)
    assert ssl.Certificate.loadPEM(certificates[0]).getIssuer().CN == b"authority"


def test_only_authorities_may_certify() -> None:
    authority = KEY.selfSignedCert(1, CN="authority")
    middle, leaf = (ssl.KeyPair.generate(ssl.TYPE_EC, 256) for _ in range(2))
    middle_certificate = ssl.PrivateCertificate.fromCertificateAndKeyPair(
        authority.signRequestObject(middle.requestObject(ssl.DN(CN="middle")), 2), middle
    )
    certificate = middle_certificate.signRequestObject(leaf.requestObject(ssl.DN(CN="leaf")), 3)
    server = ssl.CertificateOptions(leaf, certificate, extraCertChain=[middle_certificate])
    assert not Met(ssl.CertificateOptions(trustRoot=authority), server).good


def test_a_strict_client_accepts_what_is_signed_here() -> None:
    """As `ssl.create_default_context` of Python 3.13 is."""
    authority = KEY.selfSignedCert(1, CN="authority")
    key = ssl.KeyPair.generate(ssl.TYPE_EC, 256)
    certificate = authority.signRequestObject(key.requestObject(ssl.DN(CN="x")), 2)
    context = stdlib.SSLContext(stdlib.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= stdlib.VerifyFlags.VERIFY_X509_STRICT
    context.load_verify_locations(cadata=authority.dump())
    assert Met(context, ssl.CertificateOptions(key, certificate)).good
    assert Met(context, authority.options()).good


def test_requests() -> None:
    request = KEY.requestObject(ssl.DN(CN="x", C="DE"))
    assert request.getSubject() == ssl.DN(C=b"DE", CN=b"x")
    for format in (ssl.FILETYPE_PEM, ssl.FILETYPE_ASN1):
        assert ssl.CertificateRequest.load(request.dump(format), format).dump() == request.dump()
    spoilt = bytearray(request.dump())
    spoilt[-1] ^= 1
    with pytest.raises(VerifyError, match="not signed by its own key"):
        ssl.CertificateRequest.load(bytes(spoilt))
    with pytest.raises(ValueError, match="Unsupported format"):
        request.dump(0)


def test_an_authority_signs_nothing_unseen() -> None:
    """A name with a field that the callback would not be shown is refused."""
    name = x509.Name([x509.NameAttribute(NameOID.GIVEN_NAME, "Alice")])
    request = ssl.CertificateRequest(_crypto.make_request(KEY.original, name, "sha256"))
    with pytest.raises(ValueError, match="Unknown X509 name attribute"):
        request.getSubject()


def test_signatures_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="serial number"):
        KEY.selfSignedCert(0, CN="x")
    with pytest.raises(ValueError, match="no digest to sign with"):
        KEY.requestObject(ssl.DN(CN="x"), "md5")


def test_certificates_of_a_connection() -> None:
    class Transport:
        def __init__(self, handle: Any) -> None:
            self.getHandle = lambda: handle

    server = HOST.options(TRUST)
    met = Met(to("example.com", clientCertificate=WWW), server)
    client_end, server_end = (Transport(end.ssl_object) for end in (met.client, met.server))
    assert ssl.Certificate.peerFromTransport(client_end) == HOST
    assert ssl.Certificate.peerFromTransport(server_end) == WWW
    assert ssl.Certificate.hostFromTransport(client_end) == WWW
    assert ssl.Certificate.hostFromTransport(server_end) == HOST
    alone = Transport(engine_for(SERVER, False).ssl_object)
    with pytest.raises(CertificateError, match=r"^TLS .* no peer"):
        ssl.Certificate.peerFromTransport(alone)
    with pytest.raises(CertificateError, match=r"^TLS .* no host"):
        ssl.Certificate.hostFromTransport(Transport(engine_for(plain_server(), False).ssl_object))
    with pytest.raises(CertificateError, match=r"^non-TLS .* no peer"):
        ssl.Certificate.peerFromTransport(Transport(object()))


# -- the module --------------------------------------------------------------------


def test_all_names_are_there() -> None:
    assert all(hasattr(ssl, name) for name in ssl.__all__)
    assert ssl.supported
    assert ssl.protocolNegotiationMechanisms() is ssl.ProtocolNegotiationSupport.ALPN


WITHOUT = """
import sys
sys.modules["cryptography"] = None
from reactorlib.internet import ssl
from reactorlib.internet._tls._settings import engine_for
engine_for(ssl.optionsForClientTLS("example.com"), True)
engine_for(ssl.ReloadingOptions(*sys.argv[1:]), False)
engine_for(ssl.DefaultOpenSSLContextFactory(*sys.argv[1:]), False)
certificate = ssl.Certificate(bytes.fromhex(sys.stdin.read()))
print(certificate.digest("sha256").decode())
try:
    certificate.getSubject()
except ImportError as error:
    print(error)
"""


def test_without_cryptography_all_but_certificates_works(tmp_path: Path) -> None:
    files = Files(tmp_path, HOST)
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT, str(files.key), str(files.certificate)],
        input=HOST.dump().hex(),
        capture_output=True,
        text=True,
    )
    assert ran.stderr == ""
    digest, said = ran.stdout.splitlines()
    assert digest == HOST.digest("sha256").decode()
    assert "pip install 'reactorlib[tls]'" in said
