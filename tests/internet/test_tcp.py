"""
Listening, connecting, and what a connection does, over real sockets.

The other end is never ours: a plain socket, or asyncio's own streams.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import gc
import socket
import struct
import sys
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
import pytest_asyncio

from reactorlib.internet import error, reactor
from reactorlib.internet.address import IPv4Address, IPv6Address
from reactorlib.internet.error import (
    CannotListenError,
    ConnectBindError,
    ConnectError,
    ConnectInProgressError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    DNSLookupError,
    NotConnectingError,
    NotListeningError,
    UserError,
)
from reactorlib.internet.interfaces import (
    IConnector,
    IListeningPort,
    ITCPTransport,
)
from reactorlib.internet.protocol import ClientFactory, Factory, Protocol
from reactorlib.internet.tcp import Connector, Port
from reactorlib.python.failure import Failure

from ._carriers import turns
from ._refusing_loop import RefusingLoop

pytestmark = pytest.mark.timeout(20)

LOCAL = "127.0.0.1"
#: More than the buffers of both ends of a loopback connection hold.
BIG = bytes(range(256)) * (1 << 16)

T = TypeVar("T")


async def soon(awaitable: Awaitable[T]) -> T:
    """What it gives; a failure if that takes seconds."""
    async with asyncio.timeout(5):
        return await awaitable


def number_of(port: Port) -> int:
    """The number of the port at which it listens."""
    host = port.getHost()
    assert isinstance(host, IPv4Address | IPv6Address)
    return host.port


def reset(sock: socket.socket) -> None:
    """Close so that the other end sees a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Peer:
    """The other end: a plain socket."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        await soon(self.loop.sock_sendall(self.sock, data))

    async def receive(self, count: int) -> bytes:
        """The next `count` bytes; fewer at the end."""
        data = bytearray()
        while len(data) < count:
            piece = await soon(self.loop.sock_recv(self.sock, min(count - len(data), 1 << 18)))
            if not piece:
                break
            data += piece
        return bytes(data)

    async def receive_all(self) -> bytes:
        """What comes until the other end closes; raises if that resets."""
        return await self.receive(1 << 30)


class Talker(Protocol):
    """Keeps what it is told, and does with data what `on_data` says."""

    def __init__(self, on_data: Callable[[Talker, bytes], object] | None = None) -> None:
        self.on_data = on_data
        self.told: list[str] = []
        self.received = b""
        self.reasons: list[Failure] = []
        self._woken = asyncio.Event()

    def connectionMade(self) -> None:
        self.told.append("made")
        self._woken.set()

    def dataReceived(self, data: bytes) -> None:
        self.told.append("data")
        self.received += data
        self._woken.set()
        if self.on_data is not None:
            self.on_data(self, data)

    def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]
        self.told.append("lost")
        self.reasons.append(reason)
        self._woken.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self._woken.clear()
                await self._woken.wait()

    async def made(self) -> None:
        await self.until(lambda: self.told)

    async def has(self, data: bytes) -> None:
        await self.until(lambda: len(self.received) >= len(data))
        assert self.received == data

    async def lost(self) -> BaseException:
        """Why the connection is gone, once it is."""
        await self.until(lambda: self.reasons)
        return self.reasons[0].value


class Client(ClientFactory[Any]):
    """Makes talkers, and keeps how attempts end."""

    noisy = False

    def __init__(self, *protocols: Protocol | None) -> None:
        self.protocols = list(protocols)
        self.told: list[str] = []
        self.reasons: list[Failure] = []
        self._woken = asyncio.Event()
        self.on_end: Callable[[IConnector], object] = lambda connector: None

    def startFactory(self) -> None:
        self.told.append("start")

    def stopFactory(self) -> None:
        self.told.append("stop")
        self._woken.set()

    def startedConnecting(self, connector: IConnector) -> None:
        self.told.append("connecting")

    def buildProtocol(self, addr: Any) -> Any:
        self.told.append("build")
        return self.protocols.pop(0)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self._ended("failed", connector, reason)

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        self._ended("lost", connector, reason)

    def _ended(self, how: str, connector: IConnector, reason: Failure) -> None:
        self.told.append(how)
        self.reasons.append(reason)
        self.on_end(connector)

    async def stopped(self) -> BaseException:
        """The last reason, once the factory has been stopped."""
        async with asyncio.timeout(5):
            while "stop" not in self.told:
                self._woken.clear()
                await self._woken.wait()
        return self.reasons[-1].value


class Net:
    """What the tests of this file listen and connect with; all is closed afterwards."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []

    def listen(self, make: Callable[[], Any], port: int = 0) -> Port:
        factory = Factory[Any].forProtocol(make)
        factory.noisy = False
        listening: Port = reactor.listenTCP(port, factory, interface=LOCAL)
        return listening

    async def dial(self, port: Port) -> Peer:
        sock = socket.socket()
        self.sockets.append(sock)
        peer = Peer(sock)
        await soon(peer.loop.sock_connect(sock, (LOCAL, number_of(port))))
        return peer

    async def pair(self, talker: Protocol) -> Peer:
        """The other end of a connection that `talker` has."""
        return await self.dial(self.listen(lambda: talker))

    def plain_listener(self) -> tuple[socket.socket, int]:
        sock = socket.create_server((LOCAL, 0))
        sock.setblocking(False)
        self.sockets.append(sock)
        return sock, sock.getsockname()[1]

    async def accept(self, listener: socket.socket) -> Peer:
        sock, _ = await soon(asyncio.get_running_loop().sock_accept(listener))
        self.sockets.append(sock)
        return Peer(sock)

    def unused_port(self) -> int:
        """A port at which nobody listens."""
        with socket.create_server((LOCAL, 0)) as sock:
            port: int = sock.getsockname()[1]
            return port

    def connect(self, port: int, client: Client, **options: Any) -> Connector:
        connector: Connector = reactor.connectTCP(LOCAL, port, client, **options)
        return connector


@pytest_asyncio.fixture
async def net(errors: Any) -> AsyncIterator[Net]:
    net = Net()
    try:
        async with reactor:
            yield net
    finally:
        for sock in net.sockets:
            sock.close()


@contextmanager
def reset_on_arrival() -> Iterator[socket.socket]:
    """A client's socket that is connected, and already reset by the peer."""
    with socket.create_server((LOCAL, 0)) as listener:
        sock = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        reset(accepted)
        sock.setblocking(False)
    with sock:
        yield sock


# -- listening ----------------------------------------------------------------


async def test_a_port_is_bound_when_listenTCP_returns(net: Net) -> None:
    port = net.listen(Talker)
    host = port.getHost()
    assert isinstance(host, IPv4Address)
    assert host == IPv4Address("TCP", LOCAL, host.port)
    assert host.port > 0
    assert port.port == 0  # as asked for
    socket.create_connection((LOCAL, host.port)).close()
    assert IListeningPort.providedBy(port)


async def test_a_port_in_use_raises_at_the_call(net: Net) -> None:
    _, number = net.plain_listener()
    factory = Factory[Any]()
    with pytest.raises(CannotListenError, match=str(number)) as caught:
        reactor.listenTCP(number, factory, interface=LOCAL)
    assert caught.value.port == number
    assert caught.value.socketError.errno == errno.EADDRINUSE
    assert factory.numPorts == 0


def test_a_port_in_use_raises_with_no_loop_either() -> None:
    with socket.create_server((LOCAL, 0)) as sock, pytest.raises(CannotListenError):
        reactor.listenTCP(sock.getsockname()[1], Factory[Any](), interface=LOCAL)


@pytest.mark.parametrize(
    ("port", "error"),
    [(-1, ValueError), (65536, ValueError), ("80", TypeError), (True, TypeError)],
)
def test_what_is_no_port_number_raises_at_the_call(port: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="a TCP port is a number"):
        reactor.listenTCP(port, Factory[Any]())


async def test_a_backlog_that_is_no_number_leaves_nothing_open(net: Net) -> None:
    with pytest.raises(TypeError):
        reactor.listenTCP(0, Factory[Any](), backlog="50")  # type: ignore[arg-type]
    gc.collect()  # an open socket would be a ResourceWarning


async def test_an_address_of_another_host_raises_at_the_call(net: Net) -> None:
    with pytest.raises(CannotListenError, match=r"192\.0\.2\.1"):
        reactor.listenTCP(0, Factory[Any](), interface="192.0.2.1")  # RFC 5737: nobody's


async def test_a_factory_that_cannot_start_leaves_nothing_bound(net: Net) -> None:
    class Broken(Factory[Any]):
        def startFactory(self) -> None:
            raise ZeroDivisionError

    number = net.unused_port()
    with pytest.raises(ZeroDivisionError):
        reactor.listenTCP(number, Broken(), interface=LOCAL)
    socket.create_server((LOCAL, number)).close()


async def test_the_address_is_free_when_stopListening_fires(net: Net) -> None:
    talker = Talker()
    port = net.listen(lambda: talker)
    peer = await net.dial(port)
    await talker.made()
    number = number_of(port)
    await soon(port.stopListening())
    again = net.listen(Talker, number)
    assert number_of(again) == number
    # Connections that stand live on.
    await peer.send(b"still here")
    await talker.has(b"still here")


async def test_stopListening_right_after_listenTCP_frees_the_address_at_once(net: Net) -> None:
    port = net.listen(Talker)
    number = number_of(port)
    for _ in range(3):
        assert port.stopListening().called
        port = net.listen(Talker, number)
    peer = await net.dial(port)
    assert peer.sock.getpeername()[1] == number


@pytest.mark.parametrize("turns", range(5))
async def test_a_port_can_be_stopped_at_any_turn_of_the_loop(net: Net, turns: int) -> None:
    port = net.listen(Talker)
    for _ in range(turns):
        await asyncio.sleep(0)
    number = number_of(port)
    await soon(port.stopListening())
    net.listen(Talker, number)


@pytest.mark.parametrize("turns", range(4))
async def test_who_was_accepted_when_the_port_stopped_is_served(
    net: Net, errors: Any, turns: int
) -> None:
    """asyncio accepts in one turn of the loop, and makes the transport in the next."""
    if isinstance(asyncio.get_running_loop(), RefusingLoop):
        pytest.skip("no loop without remove_reader() accepts by watching the socket")
    talkers: list[Talker] = []

    def build() -> Talker:
        talkers.append(Talker())
        return talkers[-1]

    port = net.listen(build)
    await net.dial(port)  # it accepts by now
    with socket.create_connection((LOCAL, number_of(port)), 5) as peer:
        for _ in range(turns):
            await asyncio.sleep(0)
        await soon(port.stopListening())
        for talker in talkers:
            await talker.made()
            talker.transport.loseConnection()
            await talker.lost()
        # Served, then closed; or never accepted, and reset with the port.
        peer.setblocking(False)
        try:
            last = await soon(asyncio.get_running_loop().sock_recv(peer, 1))
        except ConnectionResetError:
            last = b""
        assert last == b""


async def test_a_port_can_listen_again(net: Net) -> None:
    talker = Talker()
    port = net.listen(lambda: talker)
    port.startListening()  # it does already
    await port.stopListening()
    port.startListening()
    await net.dial(port)
    await talker.made()


def test_a_port_stopped_before_the_loop_is_free_at_once(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """And one that was stopped and started again accepts, once."""
    factory = Factory[Any].forProtocol(Protocol)
    port = reactor.listenTCP(0, factory, interface=LOCAL)
    number = number_of(port)
    assert port.stopListening().called
    socket.create_server((LOCAL, number)).close()
    port.startListening()

    async def main() -> None:
        async with reactor:
            assert port.connected
            _, writer = await soon(asyncio.open_connection(LOCAL, number_of(port)))
            writer.close()
            await soon(writer.wait_closed())

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
    assert not port.connected


async def test_stopListening_twice_fires_at_once(net: Net) -> None:
    port = net.listen(Talker)
    await soon(port.stopListening())
    assert port.stopListening().called
    assert await soon(port.loseConnection()) is None  # type: ignore[func-returns-value]


async def test_a_port_that_never_listened_has_no_address() -> None:
    with pytest.raises(NotListeningError):
        Port(0, Factory[Any]()).getHost()


async def test_stopListening_fails_with_what_doStop_raises(net: Net) -> None:
    class Broken(Factory[Any]):
        def stopFactory(self) -> None:
            raise ZeroDivisionError

    port = reactor.listenTCP(0, Broken(), interface=LOCAL)
    number = number_of(port)
    with pytest.raises(ZeroDivisionError):
        await port.stopListening()
    net.listen(Talker, number)


async def test_what_cannot_be_accepted_is_reported(
    net: Net, errors: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def create_server(*args: Any, **kwargs: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(asyncio.get_running_loop(), "create_server", create_server)
    port = net.listen(Talker)
    number = number_of(port)
    async with asyncio.timeout(5):
        while port.connected:
            await asyncio.sleep(0)
    assert [type(e) for e in errors.take()] == [ZeroDivisionError]
    monkeypatch.undo()
    net.listen(Talker, number)


async def test_a_port_stopped_while_a_slow_loop_takes_it_is_free_in_the_end(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    real = loop.create_server
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def create_server(*args: Any, **kwargs: Any) -> Any:
        begun.set()
        await go_on.wait()
        return await real(*args, **kwargs)

    monkeypatch.setattr(loop, "create_server", create_server)
    port = net.listen(Talker)
    number = number_of(port)
    await soon(begun.wait())
    stopped = port.stopListening()
    assert not stopped.called
    go_on.set()
    await soon(stopped)
    monkeypatch.undo()
    net.listen(Talker, number)


async def test_buildProtocol_is_told_the_peer(net: Net) -> None:
    seen: list[Any] = []

    class Watching(Factory[Any]):
        def buildProtocol(self, addr: Any) -> Any:
            seen.append(addr)
            return talker

    talker = Talker()
    port = reactor.listenTCP(0, Watching(), interface=LOCAL)
    peer = await net.dial(port)
    await talker.made()
    assert seen == [IPv4Address("TCP", LOCAL, peer.sock.getsockname()[1])]
    assert talker.transport.getPeer() == seen[0]
    assert talker.transport.getHost() == port.getHost()


async def test_ipv6(net: Net) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this host has no IPv6 loopback")
    server, talker = Talker(), Talker()
    port = reactor.listenTCP(0, Factory[Any].forProtocol(lambda: server), interface="::1")
    connector = reactor.connectTCP("::1", number_of(port), Client(talker))
    await server.made()
    await talker.made()
    assert talker.transport.getPeer() == IPv6Address("TCP", "::1", number_of(port))
    assert connector.getDestination() == port.getHost()
    talker.transport.write(b"six")
    await server.has(b"six")


# -- connecting ---------------------------------------------------------------


async def test_a_client_hears_of_each_step_in_order(net: Net) -> None:
    listener, number = net.plain_listener()
    talker = Talker()
    client = Client(talker)
    connector = net.connect(number, client)
    assert IConnector.providedBy(connector)
    assert connector.state == "connecting"
    peer = await net.accept(listener)
    await talker.made()
    assert connector.state == "connected"
    assert ITCPTransport.providedBy(talker.transport)
    assert talker.transport.getPeer() == connector.getDestination()
    with pytest.raises(ConnectInProgressError, match="connected"):
        connector.connect()
    with pytest.raises(NotConnectingError):
        connector.stopConnecting()
    peer.sock.close()
    reason = await client.stopped()
    assert isinstance(reason, ConnectionDone)
    assert connector.state == "disconnected"
    assert client.told == ["start", "connecting", "build", "lost", "stop"]
    assert talker.told == ["made", "lost"]


async def test_a_refused_connection_fails(net: Net) -> None:
    client = Client()
    net.connect(net.unused_port(), client)
    reason = await client.stopped()
    assert type(reason) is error.ConnectionRefusedError
    assert reason.osError == errno.ECONNREFUSED
    assert isinstance(reason.__cause__, OSError)
    assert client.told == ["start", "connecting", "failed", "stop"]


async def test_an_unknown_host_fails_with_DNSLookupError(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def getaddrinfo(host: str, port: int, **options: Any) -> Any:
        assert host == "nowhere.invalid"
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    client = Client()
    reactor.connectTCP("nowhere.invalid", 80, client)
    reason = await client.stopped()
    assert type(reason) is DNSLookupError
    assert "nowhere.invalid" in str(reason)


@pytest.mark.parametrize("host", ["a" * 64 + ".invalid", "a..invalid"])
async def test_a_name_that_cannot_be_asked_for_fails_with_DNSLookupError(
    net: Net, host: str
) -> None:
    """RFC 1035 section 2.3.4: a label has 1 to 63 octets."""
    client = Client()
    reactor.connectTCP(host, 80, client)
    assert type(await client.stopped()) is DNSLookupError


async def test_each_address_of_a_name_is_tried(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    listener, number = net.plain_listener()
    unused = net.unused_port()
    stream = (socket.SOCK_STREAM, 0, "")

    async def getaddrinfo(host: str, port: int, **options: Any) -> Any:
        return [
            (4711, *stream, (LOCAL, number)),  # a family that no host has
            (socket.AF_INET, *stream, (LOCAL, unused)),
            (socket.AF_INET, *stream, (LOCAL, number)),
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    talker = Talker()
    reactor.connectTCP("example.invalid", number, Client(talker))
    await net.accept(listener)
    await talker.made()


@pytest.mark.parametrize("what", ["getaddrinfo", "sock_connect"])
async def test_an_attempt_times_out(net: Net, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    async def never(*args: Any, **kwargs: Any) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(asyncio.get_running_loop(), what, never)
    client = Client()
    host = "slow.invalid" if what == "getaddrinfo" else LOCAL
    reactor.connectTCP(host, 1, client, timeout=0.01)
    assert type(await client.stopped()) is error.TimeoutError
    assert client.told == ["start", "connecting", "failed", "stop"]


@pytest.mark.parametrize("turns", range(4))
async def test_stopConnecting_breaks_the_attempt_off_at_any_turn(net: Net, turns: int) -> None:
    _, number = net.plain_listener()
    client = Client(Talker())
    connector = net.connect(number, client)
    for _ in range(turns):
        if connector.state == "connecting":
            await asyncio.sleep(0)
    if connector.state != "connecting":
        pytest.skip("it is connected by then")
    connector.stopConnecting()
    assert client.told == ["start", "connecting", "failed", "stop"]
    assert type(client.reasons[0].value) is UserError
    assert connector.state == "disconnected"
    with pytest.raises(NotConnectingError):
        connector.stopConnecting()
    for _ in range(10):
        await asyncio.sleep(0)
    assert client.told == ["start", "connecting", "failed", "stop"]


async def test_disconnect_breaks_off_whatever_there_is(net: Net) -> None:
    listener, number = net.plain_listener()
    talker = Talker()
    client = Client(talker)
    connector = net.connect(number, client)
    connector.disconnect()
    assert client.told == ["start", "connecting", "failed", "stop"]
    connector.disconnect()  # nothing there
    client.told.clear()
    connector.connect()
    peer = await net.accept(listener)
    if not talker.told:
        await talker.made()
    connector.disconnect()
    assert await peer.receive_all() == b""
    await client.stopped()
    assert client.told == ["start", "connecting", "build", "lost", "stop"]


async def test_a_connector_connects_again_from_within_the_hooks(net: Net) -> None:
    """The factory is stopped only after the last attempt."""
    listener, number = net.plain_listener()
    first, second = Talker(), Talker()
    client = Client(first, second)

    def again(connector: IConnector) -> None:
        if len(client.reasons) == 1:
            connector.connect()

    client.on_end = again
    net.connect(number, client)
    (await net.accept(listener)).sock.close()
    peer = await net.accept(listener)
    await second.made()
    await peer.send(b"hello again")
    await second.has(b"hello again")
    peer.sock.close()
    await client.stopped()
    assert client.told == [
        *("start", "connecting", "build", "lost"),
        *("connecting", "build", "lost", "stop"),
    ]


@pytest.mark.parametrize("how", ["refuse", "abort"])
async def test_a_connector_connects_again_however_early_the_first_connection_ends(
    net: Net, how: str
) -> None:
    """Even before the loop has finished setting it up."""

    class Aborting(Talker):
        def connectionMade(self) -> None:
            super().connectionMade()
            self.transport.abortConnection()

    _, number = net.plain_listener()
    second = Talker()
    client = Client(None if how == "refuse" else Aborting(), second)

    def again(connector: IConnector) -> None:
        if len(client.reasons) == 1:
            connector.connect()

    client.on_end = again
    net.connect(number, client)
    await second.made()


async def test_a_failed_attempt_is_tried_again_from_within_the_hook(net: Net) -> None:
    client = Client()

    def again(connector: IConnector) -> None:
        if len(client.reasons) < 4:
            connector.connect()

    client.on_end = again
    net.connect(net.unused_port(), client)
    await client.stopped()
    assert client.told == ["start", *["connecting", "failed"] * 4, "stop"]


async def test_bindAddress(net: Net) -> None:
    listener, number = net.plain_listener()
    mine = net.unused_port()
    talker = Talker()
    net.connect(number, Client(talker), bindAddress=(LOCAL, mine))
    peer = await net.accept(listener)
    assert peer.sock.getpeername() == (LOCAL, mine)
    await talker.made()
    assert talker.transport.getHost() == IPv4Address("TCP", LOCAL, mine)


async def test_a_bindAddress_not_to_be_had_fails(net: Net) -> None:
    _, number = net.plain_listener()
    client = Client()
    net.connect(number, client, bindAddress=("192.0.2.1", 0))  # RFC 5737: nobody's
    reason = await client.stopped()
    assert type(reason) is ConnectBindError
    assert reason.osError == errno.EADDRNOTAVAIL
    assert "192.0.2.1" in str(reason)


async def test_a_bindAddress_that_is_none_fails_and_does_not_hang(net: Net) -> None:
    _, number = net.plain_listener()
    client = Client()
    net.connect(number, client, bindAddress=(LOCAL, "http"))
    reason = await client.stopped()
    assert type(reason) is ConnectError
    assert isinstance(reason.__cause__, TypeError)


async def test_a_peer_that_resets_at_once_is_a_failed_attempt(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reset_on_arrival() as sock:

        async def connected(self: Connector, loop: Any) -> socket.socket:
            return sock

        monkeypatch.setattr(Connector, "_connected_socket", connected)
        client = Client()
        net.connect(1, client)
        reason = await client.stopped()
    assert type(reason) is ConnectError
    assert reason.osError == errno.ECONNRESET
    assert client.told == ["start", "connecting", "failed", "stop"]


async def test_a_service_name_is_a_port(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    listener, number = net.plain_listener()
    monkeypatch.setattr(socket, "getservbyname", lambda name, kind: {"ours": number}[name])
    talker = Talker()
    assert reactor.connectTCP(LOCAL, "ours", Client(talker)).port == number
    await net.accept(listener)
    await talker.made()


async def test_an_unknown_service_name_raises_at_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str, kind: str) -> int:
        raise OSError("service/proto not found")

    monkeypatch.setattr(socket, "getservbyname", unknown)
    with pytest.raises(error.ServiceNameUnknownError, match="nonesuch"):
        reactor.connectTCP(LOCAL, "nonesuch", ClientFactory[Any]())


@pytest.mark.parametrize("hook", ["doStart", "startedConnecting"])
async def test_a_factory_that_cannot_begin_raises_at_the_call(net: Net, hook: str) -> None:
    def broken(*args: Any) -> None:
        raise ZeroDivisionError

    client = Client()
    setattr(client, hook, broken)
    with pytest.raises(ZeroDivisionError):
        net.connect(1, client)
    for _ in range(5):
        await asyncio.sleep(0)
    assert client.told == {"doStart": [], "startedConnecting": ["start", "stop"]}[hook]
    assert client.numPorts == 0


@pytest.mark.parametrize("hook", ["clientConnectionFailed", "stopFactory"])
async def test_an_error_in_a_factory_hook_is_reported_once(
    net: Net, errors: Any, hook: str
) -> None:
    def broken(*args: Any) -> None:
        client._woken.set()
        client.told.append("broken")
        raise ZeroDivisionError

    client = Client()
    setattr(client, hook, broken)
    connector = net.connect(net.unused_port(), client)
    async with asyncio.timeout(5):
        while "broken" not in client.told or connector.state != "disconnected":
            await asyncio.sleep(0)
    assert [type(e) for e in errors.take()] == [ZeroDivisionError]
    assert client.numPorts == 0
    assert ("stop" in client.told) == (hook == "clientConnectionFailed")


async def test_an_error_in_clientConnectionLost_is_reported_once(net: Net, errors: Any) -> None:
    def broken(*args: Any) -> None:
        raise ZeroDivisionError

    listener, number = net.plain_listener()
    client = Client(Talker())
    client.on_end = broken
    net.connect(number, client)
    (await net.accept(listener)).sock.close()
    await client.stopped()
    assert [type(e) for e in errors.take()] == [ZeroDivisionError]


async def test_a_connector_shows_where_to_and_how_far(net: Net) -> None:
    client = Client()
    connector = net.connect(net.unused_port(), client)
    assert f"{LOCAL}:{connector.port}, connecting" in repr(connector)
    await client.stopped()
    assert "disconnected" in repr(connector)


# -- errors in a protocol -----------------------------------------------------


async def test_an_error_in_dataReceived_costs_that_connection_alone(net: Net, errors: Any) -> None:
    mistake = ZeroDivisionError("mine")

    def fail(talker: Talker, data: bytes) -> None:
        raise mistake

    broken, healthy = Talker(fail), Talker()
    queue = [broken, healthy]
    port = net.listen(lambda: queue.pop(0))
    peer = await net.dial(port)
    await broken.made()
    other = await net.dial(port)
    await healthy.made()
    await peer.send(b"x")
    assert await broken.lost() is mistake
    assert broken.told == ["made", "data", "lost"]
    assert await peer.receive_all() == b""
    assert errors[0]["protocol"] is broken
    assert errors.take() == [mistake]
    await other.send(b"y")
    await healthy.has(b"y")


async def test_a_cancellation_that_escapes_dataReceived_costs_the_connection_only(
    net: Net, errors: Any
) -> None:
    def fail(talker: Talker, data: bytes) -> None:
        raise asyncio.CancelledError

    talker = Talker(fail)
    peer = await net.pair(talker)
    await peer.send(b"x")
    assert type(await talker.lost()) is asyncio.CancelledError
    assert [type(e) for e in errors.take()] == [asyncio.CancelledError]


async def test_an_error_in_buildProtocol_drops_the_connection(net: Net, errors: Any) -> None:
    mistake = ZeroDivisionError("mine")
    talker = Talker()
    outcomes: list[Any] = [mistake, talker]

    def make() -> Protocol:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        assert isinstance(outcome, Protocol)
        return outcome

    port = net.listen(make)
    peer = await net.dial(port)
    assert await peer.receive_all() == b""
    assert errors.take() == [mistake]
    await net.dial(port)  # the port is none the worse
    await talker.made()


async def test_an_error_in_a_clients_buildProtocol_is_the_reason_of_its_loss(
    net: Net, errors: Any
) -> None:
    _, number = net.plain_listener()
    client = Client()  # with no protocol to pop
    net.connect(number, client)
    reason = await client.stopped()
    assert type(reason) is IndexError
    assert client.told == ["start", "connecting", "build", "lost", "stop"]
    assert errors.take() == [reason]


async def test_an_error_in_connectionMade_costs_the_connection(net: Net, errors: Any) -> None:
    mistake = ZeroDivisionError("mine")

    class Broken(Talker):
        def connectionMade(self) -> None:
            super().connectionMade()
            raise mistake

    talker = Broken()
    peer = await net.pair(talker)
    assert await talker.lost() is mistake
    assert talker.told == ["made", "lost"]
    assert await peer.receive_all() == b""
    assert errors.take() == [mistake]


async def test_an_error_in_connectionLost_is_reported(net: Net, errors: Any) -> None:
    mistake = ZeroDivisionError("mine")

    class Broken(Talker):
        def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]
            super().connectionLost(reason)
            raise mistake

    listener, number = net.plain_listener()
    talker = Broken()
    client = Client(talker)
    net.connect(number, client)
    (await net.accept(listener)).sock.close()
    assert isinstance(await client.stopped(), ConnectionDone)  # its factory is told anyway
    assert talker.told == ["made", "lost"]
    assert errors.take() == [mistake]


async def test_a_connection_is_refused_by_building_no_protocol(net: Net) -> None:
    port = reactor.listenTCP(0, Factory[Any](), interface=LOCAL)
    port.factory.buildProtocol = lambda addr: None
    peer = await net.dial(port)
    assert await peer.receive_all() == b""


async def test_a_client_that_builds_no_protocol_has_lost_its_connection(net: Net) -> None:
    _, number = net.plain_listener()
    client = Client(None)
    net.connect(number, client)
    assert isinstance(await client.stopped(), ConnectionDone)
    assert client.told == ["start", "connecting", "build", "lost", "stop"]


# -- the end of a connection --------------------------------------------------


async def test_loseConnection_sends_everything_written_before(net: Net) -> None:
    talker = Talker()
    peer = await net.pair(talker)
    await talker.made()
    talker.transport.write(b"first ")
    talker.transport.write(BIG)
    talker.transport.loseConnection()
    assert talker.transport.disconnecting
    talker.transport.write(b"dropped")
    talker.transport.writeSequence([b"dropped", b"too"])
    talker.transport.loseConnection()
    assert talker.told == ["made"]  # not lost yet, and not from within
    assert await peer.receive_all() == b"first " + BIG
    assert isinstance(await talker.lost(), ConnectionDone)
    assert talker.told == ["made", "lost"]


async def test_nothing_is_received_after_loseConnection(net: Net) -> None:
    talker = Talker(lambda talker, data: talker.transport.loseConnection())
    peer = await net.pair(talker)
    await peer.send(b"x")
    await talker.lost()
    assert talker.told == ["made", "data", "lost"]
    assert talker.received == b"x"


async def test_abortConnection_resets(net: Net) -> None:
    talker = Talker()
    peer = await net.pair(talker)
    await talker.made()
    talker.transport.write(BIG)
    talker.transport.abortConnection()
    talker.transport.abortConnection()
    talker.transport.loseConnection()
    assert talker.told == ["made"]
    assert type(await talker.lost()) is ConnectionAborted
    assert talker.told == ["made", "lost"]
    with pytest.raises(ConnectionResetError):
        await peer.receive_all()


async def test_abortConnection_cuts_a_loseConnection_short(net: Net) -> None:
    talker = Talker()
    peer = await net.pair(talker)
    await talker.made()
    talker.transport.write(BIG)
    talker.transport.loseConnection()
    talker.transport.abortConnection()
    assert type(await talker.lost()) is ConnectionAborted
    with pytest.raises(ConnectionResetError):
        await peer.receive_all()


async def test_a_peer_that_closes_is_ConnectionDone(net: Net) -> None:
    talker = Talker()
    peer = await net.pair(talker)
    await peer.send(b"bye")
    peer.sock.close()
    assert type(await talker.lost()) is ConnectionDone
    assert talker.received == b"bye"
    assert talker.told == ["made", "data", "lost"]


async def test_what_was_written_reaches_a_peer_that_has_ended_its_half(net: Net) -> None:
    talker = Talker(lambda talker, data: talker.transport.write(BIG))
    peer = await net.pair(talker)
    await peer.send(b"?")
    peer.sock.shutdown(socket.SHUT_WR)
    assert await peer.receive_all() == BIG
    assert type(await talker.lost()) is ConnectionDone


async def test_a_peer_that_resets_is_ConnectionLost(net: Net) -> None:
    talker = Talker()
    peer = await net.pair(talker)
    await talker.made()
    reset(peer.sock)
    reason = await talker.lost()
    assert type(reason) is ConnectionLost
    assert isinstance(reason.__cause__, ConnectionResetError)
    assert talker.told == ["made", "lost"]


async def test_a_peer_that_resets_before_it_is_accepted_is_nobody(net: Net) -> None:
    talker = Talker()
    port = net.listen(lambda: talker)
    # Both before the loop turns again.
    reset(socket.create_connection((LOCAL, number_of(port))))
    peer = await net.dial(port)
    await peer.send(b"hello")
    await talker.has(b"hello")
    assert talker.told[0] == "made"


async def test_all_is_quiet_after_connectionLost(net: Net) -> None:
    class Tenacious(Talker):
        def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]
            self.use()
            super().connectionLost(reason)

        def use(self) -> None:
            self.transport.write(b"x")
            self.transport.writeSequence([b"x"])
            self.transport.pauseProducing()
            self.transport.resumeProducing()
            self.transport.stopProducing()
            self.transport.loseConnection()
            self.transport.abortConnection()

    talker = Tenacious()
    peer = await net.pair(talker)
    await talker.made()
    here, there = talker.transport.getHost(), talker.transport.getPeer()
    peer.sock.close()
    await talker.lost()
    talker.use()
    assert (talker.transport.getHost(), talker.transport.getPeer()) == (here, there)
    assert not talker.transport.connected
    assert "not connected" in repr(talker.transport)
    for _ in range(5):
        await asyncio.sleep(0)
    assert talker.told == ["made", "lost"]


async def test_loseConnection_in_connectionMade(net: Net) -> None:
    class Brief(Talker):
        def connectionMade(self) -> None:
            super().connectionMade()
            self.transport.write(b"hello and goodbye")
            self.transport.loseConnection()
            assert "lost" not in self.told

    talker = Brief()
    peer = await net.pair(talker)
    assert await peer.receive_all() == b"hello and goodbye"
    await talker.lost()
    assert talker.told == ["made", "lost"]


# -- writing ------------------------------------------------------------------


@pytest.mark.parametrize("data", ["text", 7, None, [b"x"], object()])
async def test_only_bytes_can_be_written(net: Net, data: Any) -> None:
    talker = Talker()
    await net.pair(talker)
    await talker.made()
    with pytest.raises(TypeError, match="a transport carries bytes"):
        talker.transport.write(data)
    with pytest.raises(TypeError, match="a transport carries bytes"):
        talker.transport.writeSequence(iter([b"fine", data]))


@pytest.mark.parametrize("inside", [True, False], ids=["within a read", "outside a read"])
async def test_a_buffer_is_copied_when_it_is_written(net: Net, inside: bool) -> None:
    def write(talker: Talker, data: bytes = b"") -> None:
        buffer = bytearray(b"abcdef")
        talker.transport.write(buffer)
        talker.transport.write(memoryview(buffer)[::2])
        talker.transport.writeSequence([buffer, memoryview(buffer)])
        buffer[:] = b"xxxxxx"

    talker = Talker(write if inside else None)
    peer = await net.pair(talker)
    await talker.made()
    if inside:
        await peer.send(b"?")
    else:
        write(talker)
    assert await peer.receive(21) == b"abcdefaceabcdefabcdef"


class Watched(asyncio.Protocol):
    """Stands between the loop and a connection, and keeps each write to the loop's transport."""

    def __init__(self, connection: Any, writes: list[bytes]) -> None:
        self.connection = connection
        self.writes = writes

    def connection_made(self, transport: Any) -> None:
        writes = self.writes

        class Writes:
            def write(self, data: bytes) -> None:
                writes.append(data)
                transport.write(data)

            def __getattr__(self, name: str) -> Any:
                return getattr(transport, name)

        self.connection.connection_made(Writes())

    def __getattribute__(self, name: str) -> Any:
        if name in ("data_received", "eof_received", "connection_lost"):
            return getattr(self.connection, name)
        return super().__getattribute__(name)


async def watched(net: Net, *talkers: Talker) -> tuple[list[Peer], list[list[bytes]]]:
    """A connection for each talker: the other ends, and the lists of writes."""
    peers: list[Peer] = []
    lists: list[list[bytes]] = []
    waiting = list(talkers)
    factory = Factory[Any].forProtocol(lambda: waiting.pop(0))
    loop = asyncio.get_running_loop()

    def make() -> asyncio.Protocol:
        lists.append([])
        return Watched(factory(), lists[-1])

    server = await loop.create_server(make, LOCAL, 0)
    for talker in talkers:
        sock = socket.socket()
        net.sockets.append(sock)
        peers.append(Peer(sock))
        await soon(loop.sock_connect(sock, server.sockets[0].getsockname()))
        await talker.made()
    server.close()
    return peers, lists


async def test_writes_within_one_read_leave_together(net: Net) -> None:
    """Promise 14: one system call, however many lines are answered."""

    def answer(talker: Talker, data: bytes) -> None:
        for number in range(1000):
            talker.transport.write(b"%d," % number)
        talker.transport.writeSequence([b"e", b"n", b"d"])
        assert writes[0] == []

    whole = b"".join(b"%d," % number for number in range(1000)) + b"end"
    (peer,), writes = await watched(net, Talker(answer))
    await peer.send(b"?")
    assert await peer.receive(len(whole)) == whole
    assert writes == [[whole]]


async def test_a_single_write_within_a_read_is_passed_on_as_it_is(net: Net) -> None:
    answer = b"the very same object"
    (peer,), writes = await watched(net, Talker(lambda t, data: t.transport.write(answer)))
    await peer.send(b"?")
    assert await peer.receive(len(answer)) == answer
    assert writes[0][0] is answer


async def test_writes_to_another_connection_within_a_read_leave_together_too(net: Net) -> None:
    def relay(talker: Talker, data: bytes) -> None:
        for number in range(100):
            talker.transport.write(b"me%d" % number)
            for other in others:
                other.transport.write(b"you%d" % number)
        assert writes == [[], [], []]

    others = [Talker(), Talker()]
    first = Talker(relay)
    peers, writes = await watched(net, first, *others)
    await peers[0].send(b"?")
    mine = b"".join(b"me%d" % number for number in range(100))
    yours = b"".join(b"you%d" % number for number in range(100))
    assert await peers[0].receive(len(mine)) == mine
    for peer in peers[1:]:
        assert await peer.receive(len(yours)) == yours
    assert writes == [[mine], [yours], [yours]]
    # And the next read starts with nothing kept back.
    others[0].transport.write(b"later")
    assert writes[1] == [yours, b"later"]


async def test_writes_outside_a_read_leave_at_once(net: Net) -> None:
    talker = Talker()
    (peer,), writes = await watched(net, talker)
    talker.transport.write(b"one")
    assert writes == [[b"one"]]
    talker.transport.write(b"two")
    assert writes == [[b"one", b"two"]]
    talker.transport.write(b"")
    assert await peer.receive(6) == b"onetwo"


async def test_loseConnection_within_a_read_sends_what_was_written_before(net: Net) -> None:
    def last_words(talker: Talker, data: bytes) -> None:
        talker.transport.write(b"one ")
        talker.transport.write(b"two")
        talker.transport.loseConnection()
        talker.transport.write(b"three")

    talker = Talker(last_words)
    (peer,), writes = await watched(net, talker)
    await peer.send(b"?")
    assert await peer.receive_all() == b"one two"
    assert type(await talker.lost()) is ConnectionDone
    assert writes == [[b"one two"]]


async def test_another_connection_closed_within_a_read_sends_what_was_written_before(
    net: Net,
) -> None:
    def last_words(talker: Talker, data: bytes) -> None:
        other.transport.write(b"one ")
        other.transport.write(b"two")
        other.transport.loseConnection()
        other.transport.write(b"three")

    other = Talker()
    peers, writes = await watched(net, Talker(last_words), other)
    await peers[0].send(b"?")
    assert await peers[1].receive_all() == b"one two"
    assert writes[1] == [b"one two"]


async def test_abortConnection_within_a_read_drops_what_was_written_before(net: Net) -> None:
    def abort(talker: Talker, data: bytes) -> None:
        for each in (talker, other):
            each.transport.write(b"never sent")
            each.transport.abortConnection()
            each.transport.write(b"neither")

    talker, other = Talker(abort), Talker()
    peers, writes = await watched(net, talker, other)
    await peers[0].send(b"?")
    assert type(await talker.lost()) is ConnectionAborted
    assert type(await other.lost()) is ConnectionAborted
    assert writes == [[], []]
    for peer in peers:
        with pytest.raises(ConnectionResetError):
            await peer.receive_all()


async def test_an_error_within_a_read_drops_what_was_written_before(net: Net, errors: Any) -> None:
    """But not what was written to other connections."""

    def fail(talker: Talker, data: bytes) -> None:
        talker.transport.write(b"never sent")
        other.transport.write(b"sent")
        raise ZeroDivisionError

    talker, other = Talker(fail), Talker()
    peers, writes = await watched(net, talker, other)
    await peers[0].send(b"?")
    assert type(await talker.lost()) is ZeroDivisionError
    assert await peers[1].receive(4) == b"sent"
    assert writes == [[], [b"sent"]]
    assert len(errors.take()) == 1


async def test_a_read_is_over_when_dataReceived_has_raised(net: Net, errors: Any) -> None:
    """What others write afterwards leaves at once again."""

    def fail(talker: Talker, data: bytes) -> None:
        raise ZeroDivisionError

    talker, other = Talker(fail), Talker()
    peers, writes = await watched(net, talker, other)
    await peers[0].send(b"?")
    await talker.lost()
    other.transport.write(b"x")
    assert writes[1] == [b"x"]
    errors.take()


async def test_data_can_be_handed_to_another_protocol(net: Net) -> None:
    """`transport.protocol` may be exchanged at any time."""
    second = Talker(lambda talker, data: talker.transport.write(data))

    def upgrade(talker: Talker, data: bytes) -> None:
        talker.transport.protocol = second
        second.makeConnection(talker.transport)

    first = Talker(upgrade)
    peer = await net.pair(first)
    await peer.send(b"1")
    await second.made()
    await peer.send(b"2")
    assert await peer.receive(1) == b"2"
    peer.sock.close()
    await second.lost()
    assert (first.told, second.told) == (["made", "data"], ["made", "data", "lost"])


async def test_a_lost_connection_leaves_nothing_for_the_collector(net: Net) -> None:
    """Where connections come and go, it would have much to do."""
    made: list[weakref.ref[Talker]] = []

    def make() -> Talker:
        talker = Talker(lambda talker, data: talker.transport.write(data))
        made.append(weakref.ref(talker))
        return talker

    gc.disable()
    try:
        peer = await net.dial(net.listen(make))
        await peer.send(b"1")
        assert await peer.receive(1) == b"1"
        peer.sock.close()
        await turns(lambda: made[0]() is None)
    finally:
        gc.enable()


# -- reading ------------------------------------------------------------------


async def test_a_paused_connection_reads_nothing(net: Net) -> None:
    paused, other = Talker(), Talker()
    queue = [paused, other]
    port = net.listen(lambda: queue.pop(0))
    peer = await net.dial(port)
    await paused.made()
    second = await net.dial(port)
    await other.made()
    paused.transport.pauseProducing()
    paused.transport.pauseProducing()
    await peer.send(b"early")
    await second.send(b"later")
    await other.has(b"later")  # the loop has polled since
    assert paused.received == b""
    paused.transport.resumeProducing()
    paused.transport.resumeProducing()
    await paused.has(b"early")


async def test_a_connection_can_be_paused_from_the_start(net: Net) -> None:
    class Shy(Talker):
        def connectionMade(self) -> None:
            super().connectionMade()
            self.transport.pauseProducing()

    shy, other = Shy(), Talker()
    queue: list[Talker] = [shy, other]
    port = net.listen(lambda: queue.pop(0))
    peer = await net.dial(port)
    await peer.send(b"early")
    await shy.made()
    second = await net.dial(port)
    await second.send(b"later")
    await other.has(b"later")
    assert shy.received == b""
    shy.transport.resumeProducing()
    await shy.has(b"early")


async def test_a_connection_can_be_paused_within_a_read(net: Net) -> None:
    talker = Talker(lambda talker, data: talker.transport.pauseProducing())
    peer = await net.pair(talker)
    await peer.send(b"1")
    await talker.has(b"1")
    await peer.send(b"2")
    for _ in range(5):
        await asyncio.sleep(0)
    assert talker.received == b"1"
    talker.transport.resumeProducing()
    await talker.has(b"12")


async def test_options(net: Net) -> None:
    talker = Talker()
    await net.pair(talker)
    await talker.made()
    assert talker.transport.getTcpNoDelay() is True
    talker.transport.setTcpNoDelay(False)
    assert talker.transport.getTcpNoDelay() is False
    assert talker.transport.getTcpKeepAlive() is False
    talker.transport.setTcpKeepAlive(True)
    assert talker.transport.getTcpKeepAlive() is True


# -- the loop -----------------------------------------------------------------


async def test_a_factory_goes_into_create_server(net: Net) -> None:
    talker = Talker(lambda talker, data: talker.transport.write(data.upper()))
    factory = Factory[Any].forProtocol(lambda: talker)
    server = await asyncio.get_running_loop().create_server(factory, LOCAL, 0)
    reader, writer = await soon(asyncio.open_connection(*server.sockets[0].getsockname()))
    writer.write(b"hello")
    assert await soon(reader.readexactly(5)) == b"HELLO"
    assert talker.factory is factory
    assert factory.numPorts == 1
    writer.close()
    await talker.lost()
    await soon(writer.wait_closed())
    server.close()


async def test_a_factory_goes_into_create_connection(net: Net) -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readexactly(5)).upper())
        writer.close()

    server = await asyncio.start_server(shout, LOCAL, 0)
    talker = Talker()
    factory = Factory[Any].forProtocol(lambda: talker)
    await soon(
        asyncio.get_running_loop().create_connection(factory, *server.sockets[0].getsockname())
    )
    assert talker.told == ["made"]
    talker.transport.write(b"hello")
    assert type(await talker.lost()) is ConnectionDone
    assert talker.received == b"HELLO"
    server.close()


def test_backlog_connections_from_before_the_loop_are_accepted(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    class Greeter(Protocol):
        def connectionMade(self) -> None:
            self.transport.write(b"hello")
            self.transport.loseConnection()

    port = reactor.listenTCP(0, Factory[Any].forProtocol(Greeter), interface=LOCAL)
    with (
        socket.create_connection((LOCAL, number_of(port))) as first,
        socket.create_connection((LOCAL, number_of(port))) as second,
    ):

        async def main() -> None:
            async with reactor:
                assert await Peer(first).receive_all() == b"hello"
                assert await Peer(second).receive_all() == b"hello"

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(main())


async def test_a_port_uses_the_factory_that_it_has(net: Net) -> None:
    first, second = Talker(), Talker()
    port = net.listen(lambda: first)
    with socket.create_connection((LOCAL, number_of(port))):
        await first.made()
        port.factory = Factory[Any].forProtocol(lambda: second)
        with socket.create_connection((LOCAL, number_of(port))):
            await second.made()
            assert second.factory is port.factory
            assert (first.transport.sessionno, second.transport.sessionno) == (0, 1)
    await first.lost()
    await second.lost()


_asked_by: contextvars.ContextVar[str] = contextvars.ContextVar("asked_by", default="nobody")


async def test_callbacks_run_in_the_context_in_which_they_were_asked_for(net: Net) -> None:
    """Promise 13, for both ends of a connection."""

    class Contextual(Talker):
        seen: set[str]

        def makeConnection(self, transport: Any) -> None:
            self.seen = {_asked_by.get()}
            super().makeConnection(transport)

        def dataReceived(self, data: bytes) -> None:
            self.seen.add(_asked_by.get())
            super().dataReceived(data)

        def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]
            self.seen.add(_asked_by.get())
            super().connectionLost(reason)

    server, client = Contextual(), Contextual()
    _asked_by.set("the server")
    port = net.listen(lambda: server)
    _asked_by.set("the client")
    net.connect(number_of(port), Client(client))
    _asked_by.set("neither")
    await server.made()
    await client.made()
    client.transport.write(b"x")
    await server.has(b"x")
    server.transport.write(b"y")
    await client.has(b"y")
    client.transport.loseConnection()
    await server.lost()
    await client.lost()
    assert (server.seen, client.seen) == ({"the server"}, {"the client"})


def test_the_context_is_kept_until_there_is_a_loop(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    seen: list[str] = []

    class Noting(Factory[Any]):
        def buildProtocol(self, addr: Any) -> None:
            seen.append(_asked_by.get())

    context = contextvars.copy_context()
    context.run(_asked_by.set, "early")
    port = context.run(reactor.listenTCP, 0, Noting(), interface=LOCAL)

    async def main() -> None:
        async with reactor:
            reader, writer = await soon(asyncio.open_connection(LOCAL, number_of(port)))
            assert await soon(reader.read()) == b""
            writer.close()
            await soon(writer.wait_closed())

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
    assert seen == ["early"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="new in Python 3.12")
async def test_all_works_with_eager_tasks(net: Net) -> None:
    def eager(loop: Any, coro: Any, *, name: Any = None, context: Any = None, **_: Any) -> Any:
        # asyncio's own refuses an argument that uvloop passes.
        options: dict[str, Any] = {"eager_start": True}
        return asyncio.Task(coro, loop=loop, name=name, context=context, **options)

    asyncio.get_running_loop().set_task_factory(eager)
    server, talker = Talker(), Talker()
    port = net.listen(lambda: server)
    number = number_of(port)
    client = Client(talker)
    net.connect(number, client)
    await talker.made()
    await server.made()
    talker.transport.loseConnection()
    await client.stopped()
    refused = Client()
    net.connect(net.unused_port(), refused)
    assert type(await refused.stopped()) is error.ConnectionRefusedError
    stopped = Client(Talker())
    net.connect(number, stopped).stopConnecting()
    assert stopped.told == ["start", "connecting", "failed", "stop"]
    await soon(port.stopListening())
    net.listen(Talker, number)


async def test_nothing_is_leaked(net: Net) -> None:
    """An unclosed socket is a ResourceWarning, and so an error."""
    for end in ("loseConnection", "abortConnection"):
        talker = Talker()
        peer = await net.pair(talker)
        await talker.made()
        getattr(talker.transport, end)()
        await talker.lost()
        peer.sock.close()
        del talker, peer
        gc.collect()


async def test_a_connection_is_freed_without_the_garbage_collector_finding_it_open(
    net: Net,
) -> None:
    """Nothing of ours keeps a connection that is gone."""
    from reactorlib.internet._turn import turn_of

    turn = turn_of(asyncio.get_running_loop())
    talker = Talker()
    peer = await net.pair(talker)
    await talker.made()
    assert len(turn.open) == 1
    peer.sock.close()
    await talker.lost()
    assert not turn.open
