"""Descriptions of endpoints: what they mean, and where they are wrong."""

from __future__ import annotations

import os
import socket
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactorlib.internet import endpoints
from reactorlib.internet.endpoints import (
    AdoptedStreamServerEndpoint,
    DescriptionError,
    HostnameEndpoint,
    SSL4ClientEndpoint,
    SSL4ServerEndpoint,
    StandardIOEndpoint,
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    UNIXClientEndpoint,
    UNIXServerEndpoint,
    clientFromString,
    quoteStringArgument,
    serverFromString,
)
from reactorlib.internet.endpoints._client_kinds import CLIENT_KINDS
from reactorlib.internet.endpoints._describe import take_apart
from reactorlib.internet.endpoints._server_kinds import SERVER_KINDS
from reactorlib.internet.interfaces import (
    IReactorPluggableNameResolver,
    IStreamClientEndpoint,
    IStreamClientEndpointStringParserWithReactor,
    IStreamServerEndpoint,
    IStreamServerEndpointStringParser,
)
from reactorlib.python.systemd import ListenFDs


class Reactor:
    """Nothing is asked of it: endpoints are made, and not used."""


@pytest.fixture
def reactor() -> Any:
    from zope.interface import directlyProvides

    made = Reactor()
    directlyProvides(made, IReactorPluggableNameResolver)
    return made


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and its certificate, which signs itself, in one file."""
    import trustme

    ca = trustme.CA()
    leaf = ca.issue_cert("www.example.com")
    path = tmp_path_factory.mktemp("pem") / "both.pem"
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    path.write_bytes(leaf.private_key_pem.bytes() + chain)
    (path.parent / "ca.pem").write_bytes(ca.cert_pem.bytes())
    return path


# -- taking apart -------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "arguments"),
    [
        ("stdio:", "stdio", []),
        ("stdio", "stdio", []),
        ("tcp:80", "tcp", [(None, "80")]),
        ("tcp:80:interface=::1", "tcp", [(None, "80"), ("interface", ""), (None, ""), (None, "1")]),
        (r"tcp:80:interface=\:\:1", "tcp", [(None, "80"), ("interface", "::1")]),
        (r"unix:foo\:bar\=baz\:qux\\", "unix", [(None, r"foo:bar=baz:qux" + "\\")]),
        ("unix:address=foo=bar", "unix", [("address", "foo=bar")]),
        ("tcp::80", "tcp", [(None, ""), (None, "80")]),
    ],
)
def test_a_description_is_divided(text: str, kind: str, arguments: list[Any]) -> None:
    apart = take_apart(text)
    assert apart.kind == kind
    assert [(each.name, each.value) for each in apart.arguments] == arguments


@given(st.lists(st.text(), min_size=1))
def test_what_is_quoted_comes_back(values: list[str]) -> None:
    text = ":".join(["kind", *(f"name={quoteStringArgument(each)}" for each in values)])
    assert [each.value for each in take_apart(text).arguments] == values


@given(st.text())
def test_no_text_is_more_than_an_error(text: str) -> None:
    positions = [0]
    try:
        take_apart(text)
    except DescriptionError as error:
        positions.append(error.position)
    assert 0 <= max(positions) <= len(text)


# -- servers ------------------------------------------------------------------


def test_tcp(reactor: Any) -> None:
    server = serverFromString(reactor, "tcp:1234:backlog=12:interface=10.0.0.1")
    assert isinstance(server, TCP4ServerEndpoint)
    assert IStreamServerEndpoint.providedBy(server)
    assert (server._port, server._backlog, server._interface) == (1234, 12, "10.0.0.1")
    assert server._reactor is reactor
    # In Twisted, the second without a name is the interface.
    assert serverFromString(reactor, "tcp:1:127.0.0.1")._interface == "127.0.0.1"
    assert serverFromString(reactor, "TCP:1")._port == 1


def test_tcp6(reactor: Any) -> None:
    server = serverFromString(reactor, r"tcp6:8080:interface=\:\:1")
    assert isinstance(server, TCP6ServerEndpoint)
    assert (server._port, server._backlog, server._interface) == (8080, 50, "::1")
    assert serverFromString(reactor, "tcp6:8080")._interface == "::"


def test_unix(reactor: Any) -> None:
    server = serverFromString(reactor, "unix:/var/foo:mode=0123:backlog=7:lockfile=0")
    assert isinstance(server, UNIXServerEndpoint)
    assert (server._address, server._mode, server._backlog, server._wantPID) == (
        "/var/foo",
        0o123,
        7,
        False,
    )
    assert serverFromString(reactor, "unix:/var/foo")._wantPID is True


def test_ssl(reactor: Any, pem: Path) -> None:
    server = serverFromString(
        reactor, f"ssl:1:privateKey={pem}:extraCertChain={pem}:sslmethod=TLSv1_2_METHOD"
    )
    assert isinstance(server, SSL4ServerEndpoint)
    context = server._sslContextFactory.getContext()
    assert context.maximum_version.name == "TLSv1_2"
    assert serverFromString(reactor, f"ssl:1:privateKey={pem}:certKey={pem}")._interface == ""


@pytest.mark.parametrize(
    "text",
    ["tls:{0}:443", "tls:443:privateKey={0}", "tls:port=443:privateKey={0}:certificate={0}"],
)
def test_tls_from_files(reactor: Any, pem: Path, text: str) -> None:
    server = serverFromString(reactor, text.format(pem))
    assert (server.endpoint._port, server.endpoint._interface) == (443, "::")
    assert server.connectionCreator.getContext() is server.connectionCreator.getContext()


def test_stdio(reactor: Any) -> None:
    assert isinstance(serverFromString(reactor, "stdio:"), StandardIOEndpoint)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_fd(reactor: Any, family: int) -> None:
    with socket.socket(family) as sock:
        server = serverFromString(reactor, f"fd:{sock.fileno()}")
    assert isinstance(server, AdoptedStreamServerEndpoint)
    assert server.addressFamily == family
    assert serverFromString(reactor, "fd:99:domain=INET6").addressFamily == socket.AF_INET6


def test_a_descriptor_that_is_no_socket(reactor: Any, tmp_path: Path) -> None:
    with open(tmp_path / "file", "wb") as file:
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(DescriptionError, match="is no socket: Socket operation on non-socket"):
            serverFromString(reactor, f"fd:{file.fileno()}")
        assert len(os.listdir("/proc/self/fd")) == before
        file.write(b"still open")
        file.flush()


@pytest.fixture
def inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = SERVER_KINDS["systemd"]
    monkeypatch.setattr(parser, "_sddaemon", ListenFDs([70, 71, 72], ["a", "http", "c"]))


@pytest.mark.usefixtures("inherited")
@pytest.mark.parametrize("which", ["index=1", "name=http"])
def test_systemd(reactor: Any, which: str) -> None:
    server = serverFromString(reactor, f"systemd:domain=INET:{which}")
    assert (server.fileno, server.addressFamily) == (71, socket.AF_INET)


# -- clients ------------------------------------------------------------------


@pytest.mark.parametrize(
    "where",
    ["example.com:1234", "host=example.com:port=1234", "host=example.com:1234"],
)
def test_tcp_client(reactor: Any, where: str) -> None:
    client = clientFromString(reactor, f"tcp:{where}:timeout=7:bindAddress=10.0.0.2")
    assert isinstance(client, TCP4ClientEndpoint)
    assert IStreamClientEndpoint.providedBy(client)
    assert (client._host, client._port, client._timeout) == ("example.com", 1234, 7)
    assert client._bindAddress == ("10.0.0.2", 0)


def test_unix_client(reactor: Any) -> None:
    client = clientFromString(reactor, "unix:path=/var/foo:lockfile=1:timeout=9")
    assert isinstance(client, UNIXClientEndpoint)
    assert (client._path, client._checkPID, client._timeout) == ("/var/foo", True, 9)


def test_ssl_client(reactor: Any, pem: Path) -> None:
    client = clientFromString(
        reactor, f"ssl:host:1:privateKey={pem}:certKey={pem}:caCertsDir={pem.parent}"
    )
    assert isinstance(client, SSL4ClientEndpoint)
    assert client._sslContextFactory.verify
    assert not clientFromString(reactor, "ssl:host:1")._sslContextFactory.verify


def test_tls_client(reactor: Any, pem: Path) -> None:
    text = f"tls:\u00e9x.com:443:timeout=10:trustRoots={pem.parent}:certificate={pem}"
    client = clientFromString(reactor, text.encode())
    below = client._wrappedEndpoint
    assert isinstance(below, HostnameEndpoint)
    assert (below._hostBytes, below._port, below._timeout) == (
        "\u00e9x.com".encode("idna"),
        443,
        10,
    )


def test_tls_over_another_endpoint(reactor: Any) -> None:
    client = clientFromString(reactor, r"tls:example.com:endpoint=unix\:/run/tunnel")
    assert isinstance(client._wrappedEndpoint, UNIXClientEndpoint)


# -- mistakes -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "position", "why"),
    [
        ("", 0, "begins with a kind"),
        (":80", 0, "begins with a kind"),
        ("ftl:andromeda", 0, "Unknown endpoint type: 'ftl'"),
        ("tcp:http", 4, "port is a number from 0 to 65535, not 'http'"),
        ("tcp:-1", 4, "port is a number"),
        ("tcp:65536", 4, "port is a number"),
        ("tcp", 3, "needs an argument 'port'"),
        ("tcp:80:colour=red", 7, "has no argument 'colour'; it has: backlog, interface, port"),
        ("tcp:80:port=81", 7, "is given its 'port' twice"),
        ("tcp:80:backlog=1:backlog=2", 17, "is given its 'backlog' twice"),
        ("tcp:80:backlog=many", 15, "backlog is a number, not 'many'"),
        ("tcp:1:a:2:3", 10, "takes no more than 3 arguments without a name"),
        ("stdio:1", 6, "takes no more than 0 arguments without a name"),
        ("tcp:80\\", 6, "quotes nothing"),
        ("unix:/a:mode=9", 13, "permissions in octal"),
        ("unix:/a:lockfile=maybe", 17, "lockfile is 0 or 1"),
        ("ssl:1:privateKey=/no/where", 17, "cannot be read: No such file"),
        ("tls:/no/where:443", 4, "cannot be read: No such file"),
        ("tls:443", 7, "needs an argument 'port'"),
        ("tls:/x:1:privateKey=/y", 20, "either a path of certificates or a privateKey"),
        ("systemd:domain=INET", 19, "either the index or the name"),
        ("systemd:index=3:domain=INET", 14, "no index 3"),
        ("systemd:name=no:domain=INET", 13, "no descriptor 'no'; there are: 'a', 'http', 'c'"),
        ("systemd:index=0:domain=IPX", 23, "domain is INET, INET6 or UNIX"),
        ("fd:9999", 7, "descriptor 9999 is no socket: Bad file descriptor"),
        ("haproxy:", 8, "needs the description of an endpoint"),
        ("haproxy:tcp:80:trusted=10.0.0.0/33", 23, "is no network"),
        ("haproxy:tcp:80:headerTimeout=0", 29, "headerTimeout is a time in seconds"),
    ],
)
@pytest.mark.usefixtures("inherited")
def test_a_mistake_is_shown_where_it_is(reactor: Any, text: str, position: int, why: str) -> None:
    with pytest.raises(DescriptionError) as caught:
        serverFromString(reactor, text)
    assert why in str(caught.value)
    assert (caught.value.description, caught.value.position) == (text, position)
    assert caught.value.__notes__[0] == f"  {text}\n  {' ' * position}^"


@pytest.mark.parametrize(
    ("text", "position", "why"),
    [
        ("tcp:host", 8, "needs an argument 'port'"),
        ("tcp:host:1:2:3:4", 15, "takes no more than 4"),
        ("tcp:host:1:timeout=soon", 19, "timeout is a time in seconds"),
        ("tls:host", 8, "needs an argument 'port'"),
        ("tls:a..b:1", 4, "cannot be a host name"),
        ("tls:host:1:trustRoots=/no/where", 22, "cannot be read"),
        ("ssl:host:1:caCertsDir=/var/empty/no", 22, "cannot be read"),
        ("tcp6:host:1", 0, "Unknown endpoint type: 'tcp6'"),
    ],
)
def test_a_mistake_in_a_clients_description(
    reactor: Any, text: str, position: int, why: str
) -> None:
    with pytest.raises(DescriptionError, match=why) as caught:
        clientFromString(reactor, text)
    assert caught.value.position == position


def test_no_certificates(reactor: Any, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_bytes(b"")
    for text in (f"tls:{empty}:1", f"tls:1:privateKey={empty}", f"ssl:1:privateKey={empty}"):
        with pytest.raises(DescriptionError, match="no key and certificate"):
            serverFromString(reactor, text)
    with pytest.raises(DescriptionError, match="has no certificate in it"):
        clientFromString(reactor, f"tls:a:1:trustRoots={tmp_path}")


def test_what_is_not_text(reactor: Any) -> None:
    with pytest.raises(TypeError, match="is text, not 80"):
        serverFromString(reactor, 80)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="utf-8"):
        serverFromString(reactor, b"tcp:\xff")


# -- kinds of other packages --------------------------------------------------


class Pigeon:
    prefix = "pigeon"
    _make = None  # its own affair

    def parseStreamServer(self, reactor: Any, *args: str, **kwargs: str) -> Any:
        return reactor, args, kwargs

    def parseStreamClient(self, reactor: Any, loft: str, *, ring: str = "0") -> Any:
        return reactor, loft, ring


pigeon = Pigeon()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Packages that bring a kind; the list is of how often somebody has looked."""
    looks: list[str] = []

    def entry_points(group: str) -> EntryPoints:
        looks.append(group)
        return EntryPoints([EntryPoint("pigeon", f"{__name__}:pigeon", group)])

    monkeypatch.setattr("reactorlib.plugin._installed.entry_points", entry_points)
    return looks


def test_kinds_come_by_entry_points(reactor: Any, installed: list[str]) -> None:
    found = serverFromString(reactor, r"pigeon:a\:b:c:ring=1")
    assert found == (reactor, ("a:b", "c"), {"ring": "1"})
    assert clientFromString(reactor, "pigeon:ring=1:a") == (reactor, "a", "1")
    assert installed == ["reactorlib.endpoints.server", "reactorlib.endpoints.client"]
    with pytest.raises(DescriptionError, match="has no argument 'colour'; it has: loft, ring"):
        clientFromString(reactor, "pigeon:a:colour=red")


def test_a_parser_may_take_anything(
    reactor: Any, installed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever names it has for that, if any: the reactor comes first."""

    def anything(*a: Any, **kw: Any) -> Any:
        return a, kw

    monkeypatch.setattr(pigeon, "parseStreamServer", anything, raising=False)
    monkeypatch.setattr(pigeon, "parseStreamClient", anything, raising=False)
    found = (reactor, "a", "b"), {"ring": "1"}
    assert serverFromString(reactor, "pigeon:a:ring=1:b") == found
    assert clientFromString(reactor, "pigeon:a:ring=1:b") == found


def test_entry_points_are_looked_at_only_for_an_unknown_kind(
    reactor: Any, installed: list[str]
) -> None:
    serverFromString(reactor, "tcp:80")
    serverFromString(reactor, "haproxy:tcp:80")
    clientFromString(reactor, "tls:example.com:443")
    assert installed == []
    with pytest.raises(DescriptionError) as caught:
        serverFromString(reactor, "raven:1")
    assert "haproxy, pigeon, ssl" in caught.value.__notes__[1].replace("fd, ", "")


def test_every_kind_provides_the_interface() -> None:
    for kind, parser in SERVER_KINDS.items():
        assert IStreamServerEndpointStringParser.providedBy(parser)
        assert parser.prefix == kind
    for kind, parser in CLIENT_KINDS.items():
        assert IStreamClientEndpointStringParserWithReactor.providedBy(parser)
        assert parser.prefix == kind
    assert set(endpoints.__all__) <= set(dir(endpoints))
