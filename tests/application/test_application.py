"""Applications: what they consist of, and how they are saved and come back to life."""

from __future__ import annotations

import asyncio
import importlib
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from reactorlib.application import app, strports
from reactorlib.application.internet import (
    ClientService,
    CooperatorService,
    SSLServer,
    StreamServerEndpointService,
    TCPServer,
    TimerService,
)
from reactorlib.application.service import (
    Application,
    IProcess,
    IService,
    IServiceCollection,
    MultiService,
    loadApplication,
)
from reactorlib.internet import endpoints, reactor
from reactorlib.internet.protocol import Factory, Protocol
from reactorlib.internet.ssl import DefaultOpenSSLContextFactory
from reactorlib.persisted import _encryption, sob
from reactorlib.persisted.error import DamagedFile, NameRefused, PassphraseNeeded, ValueMissing
from reactorlib.persisted.sob import IPersistable

STYLES = {"pickle": "tap", "xml": "tax", "source": "tas"}

ticks: list[str] = []
connected: list[Any] = []


def tick(word: str) -> None:
    ticks.append(word)


def note(protocol: Any) -> None:
    connected.append(protocol)


class Quote(Protocol):
    factory: QuoteFactory

    def connectionMade(self) -> None:
        self.transport.write(self.factory.quote)
        self.transport.loseConnection()


class QuoteFactory(Factory[Quote]):
    protocol = Quote

    def __init__(self, quote: bytes) -> None:
        self.quote = quote


@pytest.fixture(params=list(STYLES))
def style(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def saved(application: Any, style: str, folder: Path) -> str:
    filename = str(folder / f"it.{STYLES[style]}")
    persistable = IPersistable(application)
    persistable.setStyle(style)
    persistable.save(filename=filename)
    return filename


def test_what_an_application_is_made_of() -> None:
    application = Application("quotes", 5, 6)
    root: Any = IService(application)
    collection: Any = IServiceCollection(application)
    assert root is collection
    assert (root.name, root.parent) == ("quotes", None)
    assert (IProcess(application).uid, IProcess(application).gid) == (5, 6)
    assert IProcess(application).processName is None
    persistable: Any = IPersistable(application)
    assert (persistable.style, persistable.name) == ("pickle", "quotes")
    assert persistable.original is application


def test_nobody_in_particular_runs_it() -> None:
    assert IProcess(Application("quotes")).uid is None
    assert IProcess(Application("quotes", 0)).uid == 0


def test_services_are_added_to_an_application() -> None:
    application = Application("quotes")
    service = MultiService()
    service.setName("here")
    service.setServiceParent(application)
    assert list(IServiceCollection(application)) == [service]
    assert IServiceCollection(application).getServiceNamed("here") is service
    assert service.parent is IServiceCollection(application)


async def said_by(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = await reader.read()
    writer.close()
    await writer.wait_closed()
    return said


async def test_a_saved_application_comes_back_to_life(style: str, tmp_path: Path) -> None:
    """A tree that has run is saved, loaded, and serves, beside the one it was saved from."""
    ticks.clear()
    application = Application("quotes", 5)
    factory = QuoteFactory(b"An apple a day")
    TCPServer(0, factory, interface="127.0.0.1").setServiceParent(application)
    strports.service("tcp:0:interface=127.0.0.1", factory).setServiceParent(application)
    TimerService(3600, tick, "tock").setServiceParent(application)
    named = CooperatorService()
    named.setName("steps")
    named.setServiceParent(application)
    root: Any = IService(application)
    async with root:
        filename = saved(application, style, tmp_path)
        loaded = loadApplication(filename, style)
        again: Any = IService(loaded)
        assert not again.running
        assert again.name == "quotes"
        assert IProcess(loaded).uid == 5
        assert not any(service.running for service in again)
        async with again:
            tcp, described, timer, steps = again
            ports = [service.getHost().port for service in (tcp, described)]
            assert not {*ports} & {service.getHost().port for service in [*root][:2]}
            for port in ports:
                assert await said_by(port) == b"An apple a day"
            assert again.getServiceNamed("steps") is steps
            assert await steps.coiterate(iter([None])) is not None
            assert tcp.args[1] is described.factory
            assert timer.step == 3600
    assert ticks == ["tock", "tock"]


async def test_a_saved_client_connects(style: str, tmp_path: Path) -> None:
    connected.clear()
    server = TCPServer(0, QuoteFactory(b"hello"), interface="127.0.0.1")
    async with server:
        where = f"tcp:127.0.0.1:{server.getHost().port}"
        application = Application("client")
        client = ClientService(
            endpoints.clientFromString(reactor, where),
            Factory.forProtocol(Protocol),
            prepareConnection=note,
        )
        client.setServiceParent(application)
        waiting = client.whenConnected()
        (again,) = IServiceCollection(loadApplication(saved(application, style, tmp_path), style))
        async with again:
            protocol = await again.whenConnected()
            assert protocol is connected[0]
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_an_endpoint_made_in_a_running_loop_is_saved(style: str, tmp_path: Path) -> None:
    """What it holds is the reactor of a loop that is gone when it is loaded."""
    async with reactor as mine:
        application = Application("quotes")
        endpoint = endpoints.serverFromString(mine, "tcp:0:interface=127.0.0.1")
        service = StreamServerEndpointService(endpoint, QuoteFactory(b"hello"))
        service.setServiceParent(application)
        (again,) = IServiceCollection(loadApplication(saved(application, style, tmp_path), style))
        async with again:
            assert await said_by(again.getHost().port) == b"hello"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path, trustme.CA]:
    """Files with a key and a certificate, and who has certified it."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    issued.private_key_pem.write_to_path(str(key))
    issued.cert_chain_pems[0].write_to_path(str(chain))
    return key, chain, authority


async def test_saved_servers_and_clients_of_tls(
    style: str, tmp_path: Path, certificate: tuple[Path, Path, trustme.CA]
) -> None:
    """Keys and certificates are not saved: they are read anew from their files."""
    key, chain, authority = certificate
    application = Application("secure")
    factory = QuoteFactory(b"a secret")
    description = f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={chain}"
    strports.service(description, factory).setServiceParent(application)
    context = DefaultOpenSSLContextFactory(str(key), str(chain))
    SSLServer(0, factory, context, interface="127.0.0.1").setServiceParent(application)
    filename = saved(application, style, tmp_path)
    assert b"PRIVATE" not in Path(filename).read_bytes()
    root: Any = IService(loadApplication(filename, style))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with root:
        for service in root:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", service.getHost().port, ssl=trusting, server_hostname="localhost"
            )
            assert await reader.read() == b"a secret"
            writer.close()
    key.unlink()
    with pytest.raises(DamagedFile, match=r"key\.pem") as caught:
        loadApplication(filename, style)
    assert "\n" not in str(caught.value)


async def test_a_saved_client_of_tls(style: str, tmp_path: Path) -> None:
    application = Application("client")
    endpoint = endpoints.clientFromString(reactor, "tls:localhost:4")
    ClientService(endpoint, Factory.forProtocol(Protocol)).setServiceParent(application)
    (again,) = IServiceCollection(loadApplication(saved(application, style, tmp_path), style))
    assert type(again) is ClientService


async def test_another_endpoint_than_the_described_is_saved_itself(
    style: str, tmp_path: Path
) -> None:
    application = Application("quotes")
    service = strports.service("tcp:1:interface=127.0.0.1", QuoteFactory(b"hello"))
    service.setServiceParent(application)
    service.endpoint = endpoints.TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
    (again,) = IServiceCollection(loadApplication(saved(application, style, tmp_path), style))
    async with again:
        assert await said_by(again.getHost().port) == b"hello"


def test_names_can_be_limited_to_services_and_ones_own(style: str, tmp_path: Path) -> None:
    application = Application("quotes", 5)
    for service in (
        TCPServer(0, QuoteFactory(b"hello")),
        strports.service("tcp:0", QuoteFactory(b"hello")),
        ClientService(endpoints.HostnameEndpoint(reactor, "localhost", 1), QuoteFactory(b"")),
    ):
        service.setServiceParent(application)
    filename = saved(application, style, tmp_path)
    own = {*sob.SERVICES, __name__}
    assert len(list(IServiceCollection(loadApplication(filename, style, allow=own)))) == 3
    for allow in (sob.SERVICES, {__name__}):
        with pytest.raises(NameRefused):
            loadApplication(filename, style, allow=allow)


def test_the_names_of_services_are_there() -> None:
    for name in sob.SERVICES - {"reactorlib.internet.reactor"}:
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name


def test_a_program_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "it.tac"
    path.write_text(
        "from reactorlib.application.service import Application\napplication = Application('it')\n"
    )
    assert IService(loadApplication(str(path), "python")).name == "it"
    path.write_text("app = 1\n")
    with pytest.raises(ValueMissing, match="does not define 'application'"):
        loadApplication(str(path), "python")


def test_an_application_is_encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_encryption, "_COST", 6)
    filename = str(tmp_path / "it.etap")
    IPersistable(Application("it")).save(filename=filename, passphrase="sesame")
    assert IService(loadApplication(filename, "pickle", "sesame")).name == "it"
    with pytest.raises(PassphraseNeeded):
        loadApplication(filename, "pickle")


@pytest.mark.parametrize("style", ["pickle", "xml", "source", "python"])
def test_what_was_encrypted_is_saved_again_encrypted(
    style: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the daemon does it at its end: what is in the file is not to be in another."""
    monkeypatch.setattr(_encryption, "_COST", 6)
    monkeypatch.chdir(tmp_path)
    made = "from reactorlib.application.service import Application as A\napplication = A('it')\n"
    if style == "python":
        Path("it.etac").write_bytes(_encryption.encrypt(made.encode(), "sesame"))
        loaded = loadApplication("it.etac", "python", "sesame")
        ending, style = "tap", "pickle"
    else:
        ending = STYLES[style]
        persistable = IPersistable(Application("it"))
        persistable.setStyle(style)
        persistable.save(passphrase="sesame")
        loaded = loadApplication(f"it.e{ending}", style, "sesame")
    IPersistable(loaded).save("shutdown")
    assert sorted(path.name for path in tmp_path.glob("*shutdown*")) == [f"it-shutdown.e{ending}"]
    again = loadApplication(f"it-shutdown.e{ending}", style, "sesame")
    assert IService(again).name == "it"
    IPersistable(again).save("other", passphrase="simsim")
    assert IService(loadApplication(f"it-other.e{ending}", style, "simsim")).name == "it"
    plain: Any = IPersistable(again)
    plain.passphrase = None
    plain.save("plain")
    text = Path(f"it-plain.{ending}").read_bytes()
    assert b"sesame" not in text
    assert b"passphrase" not in text


def test_an_encrypted_file_is_converted_into_one_that_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_encryption, "_COST", 6)
    monkeypatch.chdir(tmp_path)
    IPersistable(Application("it")).save(passphrase="sesame")
    app.convertStyle("it.etap", "pickle", "sesame", "it.tas", "source", 0)
    assert IService(loadApplication("it.tas", "source")).name == "it"
