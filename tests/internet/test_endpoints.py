"""TCP endpoints, against plain sockets and asyncio's own streams."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypeVar, cast

import pytest
import pytest_asyncio

from reactorlib.internet import error, reactor
from reactorlib.internet.address import IPv4Address
from reactorlib.internet.defer import Deferred, ensureDeferred
from reactorlib.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from reactorlib.internet.error import (
    CannotListenError,
    ConnectingCancelledError,
    ConnectionDone,
    NoProtocol,
)
from reactorlib.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint
from reactorlib.internet.protocol import Factory, Protocol
from reactorlib.internet.tcp import Port
from reactorlib.python.failure import Failure

pytestmark = pytest.mark.timeout(20)

LOCAL = "127.0.0.1"

T = TypeVar("T")


async def soon(awaitable: Awaitable[T]) -> T:
    """What it gives; a failure if that takes seconds."""
    async with asyncio.timeout(5):
        return await awaitable


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class Talker(Protocol):
    def __init__(self) -> None:
        self.received = b""
        self.told: list[str] = []
        self.lost: Deferred[BaseException] = Deferred()

    def connectionMade(self) -> None:
        self.told.append("made")

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self.told.append("data")

    def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]
        self.told.append("lost")
        self.lost.callback(reason.value)


class Counting(Factory[Any]):
    """Keeps when it was started and stopped."""

    noisy = False
    protocol = Talker

    def __init__(self) -> None:
        self.told: list[str] = []

    def startFactory(self) -> None:
        self.told.append("start")

    def stopFactory(self) -> None:
        self.told.append("stop")


@pytest_asyncio.fixture
async def listener(errors: Any) -> AsyncIterator[socket.socket]:
    """A plain socket that listens; afterwards everything of the reactor's is closed."""
    with socket.create_server((LOCAL, 0)) as sock:
        sock.setblocking(False)
        async with reactor:
            yield sock


def to(listener: socket.socket, **options: Any) -> TCP4ClientEndpoint:
    return TCP4ClientEndpoint(reactor, LOCAL, listener.getsockname()[1], **options)


async def accept(listener: socket.socket) -> socket.socket:
    accepted, _ = await soon(asyncio.get_running_loop().sock_accept(listener))
    accepted.setblocking(False)
    return accepted


def unused_port() -> int:
    with socket.create_server((LOCAL, 0)) as sock:
        number: int = sock.getsockname()[1]
        return number


# -- connecting ---------------------------------------------------------------


async def test_connect_fires_with_the_factorys_own_protocol(listener: socket.socket) -> None:
    factory = Counting()
    endpoint = to(listener)
    assert IStreamClientEndpoint.providedBy(endpoint)
    connecting = endpoint.connect(factory)
    assert not connecting.called
    protocol = await soon(connecting)
    assert type(protocol) is Talker
    assert protocol.factory is factory
    assert protocol.transport.protocol is protocol
    assert protocol.told == ["made"]  # connectionMade has run
    assert factory.told == ["start"]
    with await accept(listener) as peer:
        await soon(asyncio.get_running_loop().sock_sendall(peer, b"hello"))
    assert isinstance(await soon(protocol.lost), ConnectionDone)
    assert protocol.received == b"hello"
    assert protocol.told == ["made", "data", "lost"]
    await turns(2)
    assert factory.told == ["start", "stop"]


async def test_data_that_comes_at_once_finds_the_protocol(listener: socket.socket) -> None:
    """Whatever callbacks the Deferred has."""
    seen: list[bytes] = []

    def look(protocol: Talker) -> Talker:
        seen.append(protocol.received)
        return protocol

    connecting = to(listener).connect(Counting()).addCallback(look)
    with await accept(listener) as peer:
        await soon(asyncio.get_running_loop().sock_sendall(peer, b"hello"))
    protocol = await soon(connecting)
    await soon(protocol.lost)
    assert seen == [b""]
    assert protocol.received == b"hello"


async def test_a_refused_connection_fails() -> None:
    factory = Counting()
    with pytest.raises(error.ConnectionRefusedError) as caught:
        await soon(TCP4ClientEndpoint(reactor, LOCAL, unused_port()).connect(factory))
    assert caught.value.osError == errno.ECONNREFUSED
    assert factory.told == ["start", "stop"]


async def test_a_time_out_fails(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*args: Any) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", never)
    with pytest.raises(error.TimeoutError):
        await soon(to(listener, timeout=0.01).connect(Counting()))


async def test_the_local_address_can_be_chosen(listener: socket.socket) -> None:
    mine = (LOCAL, unused_port())
    protocol = await soon(to(listener, bindAddress=mine).connect(Counting()))
    assert protocol.transport.getHost() == IPv4Address("TCP", *mine)


@pytest.mark.parametrize("after", range(4))
async def test_cancel_leaves_no_socket(listener: socket.socket, after: int) -> None:
    factory = Counting()
    connecting = to(listener).connect(factory)
    await turns(after)
    if connecting.called:
        pytest.skip("it is connected by then")
    connecting.cancel()
    with pytest.raises(ConnectingCancelledError) as caught:
        await connecting
    assert caught.value.address == IPv4Address("TCP", LOCAL, listener.getsockname()[1])
    await turns(10)
    gc.collect()  # an open socket would be a ResourceWarning
    assert factory.told == ["start", "stop"]
    assert not reactor._connectors
    # What may have come is gone again.
    try:
        peer, _ = listener.accept()
    except BlockingIOError:
        return
    with peer:
        peer.setblocking(False)
        try:
            assert await soon(asyncio.get_running_loop().sock_recv(peer, 1)) == b""
        except ConnectionResetError:
            pass


async def test_cancel_within_connectionMade_closes_the_connection(
    listener: socket.socket,
) -> None:
    class Doubtful(Talker):
        def connectionMade(self) -> None:
            super().connectionMade()
            connecting.cancel()

    protocol = Doubtful()
    factory = Factory[Any].forProtocol(lambda: protocol)
    factory.noisy = False
    connecting = to(listener).connect(factory)
    with pytest.raises(ConnectingCancelledError):
        await soon(connecting)
    assert isinstance(await soon(protocol.lost), ConnectionDone)
    assert protocol.told == ["made", "lost"]


async def test_a_cancelled_task_cancels_its_attempt(listener: socket.socket) -> None:
    async def connect() -> None:
        await to(listener).connect(Counting())

    task = asyncio.create_task(connect())
    await turns(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await soon(task)
    assert not reactor._connectors


async def test_cancel_after_the_fact_does_nothing(listener: socket.socket) -> None:
    connecting = to(listener).connect(Counting())
    protocol = await soon(connecting)
    connecting.cancel()
    assert await connecting is protocol
    assert not protocol.transport.disconnecting


async def test_a_factory_that_refuses_fails_with_NoProtocol(listener: socket.socket) -> None:
    class Refusing(Counting):
        def buildProtocol(self, addr: Any) -> None:
            return None

    factory = Refusing()
    with pytest.raises(NoProtocol):
        await soon(to(listener).connect(factory))
    with await accept(listener) as peer:
        assert await soon(asyncio.get_running_loop().sock_recv(peer, 1)) == b""
    await turns(2)
    assert factory.told == ["start", "stop"]


@pytest.mark.parametrize("hook", ["doStart", "buildProtocol"])
async def test_a_factory_that_raises_fails_with_that(listener: socket.socket, hook: str) -> None:
    mistake = ZeroDivisionError("mine")

    def fail(*args: Any) -> None:
        raise mistake

    factory = Counting()
    setattr(factory, hook, fail)
    with pytest.raises(ZeroDivisionError) as caught:
        await soon(to(listener).connect(factory))
    assert caught.value is mistake
    await turns(5)
    assert not reactor._connectors
    assert factory.numPorts == 0


async def test_a_protocol_that_raises_in_connectionMade_fails_with_that(
    listener: socket.socket, errors: Any
) -> None:
    mistake = ZeroDivisionError("mine")

    class Broken(Talker):
        def connectionMade(self) -> None:
            super().connectionMade()
            raise mistake

    protocol = Broken()
    factory = Factory[Any].forProtocol(lambda: protocol)
    factory.noisy = False
    with pytest.raises(ZeroDivisionError) as caught:
        await soon(to(listener).connect(factory))
    assert caught.value is mistake
    assert protocol.told == ["made", "lost"]
    assert errors.take() == [mistake]


async def test_a_connection_lost_in_connectionMade_was_a_connection(
    listener: socket.socket,
) -> None:
    class Brief(Talker):
        def connectionMade(self) -> None:
            super().connectionMade()
            self.transport.loseConnection()

    factory = Factory[Any].forProtocol(Brief)
    factory.noisy = False
    protocol = await soon(to(listener).connect(factory))
    assert isinstance(await soon(protocol.lost), ConnectionDone)


async def test_an_endpoint_connects_any_number_of_times(listener: socket.socket) -> None:
    endpoint = to(listener)
    first = await soon(endpoint.connect(Counting()))
    second = await soon(endpoint.connect(Counting()))
    assert first is not second
    assert first.transport is not second.transport


async def test_awaiting_under_a_deferred(listener: socket.socket) -> None:
    async def talk() -> bytes:
        protocol = await to(listener).connect(Counting())
        protocol.transport.write(b"hello")
        await protocol.lost
        return cast(bytes, protocol.received)

    talking = ensureDeferred(talk())
    with await accept(listener) as peer:
        loop = asyncio.get_running_loop()
        assert await soon(loop.sock_recv(peer, 5)) == b"hello"
        await soon(loop.sock_sendall(peer, b"goodbye"))
    assert await soon(talking) == b"goodbye"


# -- listening ----------------------------------------------------------------


async def test_listen_fires_with_a_port_that_is_bound(errors: Any) -> None:
    factory = Counting()
    endpoint = TCP4ServerEndpoint(reactor, 0, interface=LOCAL)
    assert IStreamServerEndpoint.providedBy(endpoint)
    async with reactor:
        listening = endpoint.listen(factory)
        assert listening.called
        port = await listening
        assert type(port) is Port
        assert factory.told == ["start"]
        address = port.getHost()
        assert isinstance(address, IPv4Address)
        _, writer = await soon(asyncio.open_connection(address.host, address.port))
        writer.close()
        await soon(writer.wait_closed())
        await soon(port.stopListening())
        assert factory.told == ["start", "stop"]
        # The same endpoint, once more.
        again = await endpoint.listen(factory)
        assert again is not port


async def test_the_backlog_is_passed_on(errors: Any) -> None:
    async with reactor:
        port = await TCP4ServerEndpoint(reactor, 0, 7, LOCAL).listen(Counting())
        assert (port.backlog, port.interface) == (7, LOCAL)


async def test_listen_fails_on_a_port_in_use(listener: socket.socket) -> None:
    number = listener.getsockname()[1]
    factory = Counting()
    with pytest.raises(CannotListenError, match=str(number)) as caught:
        await TCP4ServerEndpoint(reactor, number, interface=LOCAL).listen(factory)
    assert caught.value.port == number
    assert factory.told == []


async def test_endpoints_talk_to_each_other(errors: Any) -> None:
    server = Talker()
    serving = Factory[Any].forProtocol(lambda: server)
    serving.noisy = False
    async with reactor:
        port = await TCP4ServerEndpoint(reactor, 0, interface=LOCAL).listen(serving)
        address = port.getHost()
        assert isinstance(address, IPv4Address)
        client = await soon(TCP4ClientEndpoint(reactor, LOCAL, address.port).connect(Counting()))
        client.transport.write(b"hello")
        client.transport.loseConnection()
        assert isinstance(await soon(server.lost), ConnectionDone)
        assert server.received == b"hello"


# -- other places -------------------------------------------------------------


async def test_unix_endpoints(tmp_path: Any, errors: Any) -> None:
    from reactorlib.internet.endpoints import UNIXClientEndpoint, UNIXServerEndpoint

    async with reactor:
        path = str(tmp_path / "socket")
        factory = Factory[Any].forProtocol(Protocol)
        factory.noisy = False
        port = await UNIXServerEndpoint(reactor, path).listen(factory)
        client = await UNIXClientEndpoint(reactor, path).connect(factory)
        assert client.connected
        client.transport.loseConnection()
        await port.stopListening()


async def test_tls_endpoints(errors: Any) -> None:
    from reactorlib.internet.endpoints import SSL4ClientEndpoint, SSL4ServerEndpoint

    from ._carriers import CLIENT_TLS, SERVER_TLS

    async with reactor:
        factory = Factory[Any].forProtocol(Protocol)
        factory.noisy = False
        port = await SSL4ServerEndpoint(reactor, 0, SERVER_TLS, interface="127.0.0.1").listen(
            factory
        )
        number = port.getHost().port
        client = await SSL4ClientEndpoint(reactor, "127.0.0.1", number, CLIENT_TLS).connect(factory)
        assert client.transport.TLS
        client.transport.loseConnection()
        await port.stopListening()


async def test_tcp6_endpoint(errors: Any) -> None:
    from reactorlib.internet.endpoints import TCP6ServerEndpoint

    async with reactor:
        factory = Factory[Any].forProtocol(Protocol)
        factory.noisy = False
        port = await TCP6ServerEndpoint(reactor, 0, interface="::1").listen(factory)
        assert port.getHost().host == "::1"
        await port.stopListening()


def test_an_endpoint_made_anywhere_listens_where_it_is_used(loop_factory: Any) -> None:
    endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")

    async def main() -> Any:
        async with reactor as mine:
            factory = Factory[Any].forProtocol(Protocol)
            factory.noisy = False
            port = await endpoint.listen(factory)
            return port.reactor is mine

    for _ in range(2):
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            assert runner.run(main())
