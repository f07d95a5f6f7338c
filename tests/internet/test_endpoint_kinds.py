"""Endpoints that are not TCP: processes, standard input and output, adopted sockets, wrappers."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

import pytest

from reactorlib.internet import error, reactor
from reactorlib.internet.address import _ProcessAddress
from reactorlib.internet.defer import Deferred
from reactorlib.internet.endpoints import (
    AdoptedStreamServerEndpoint,
    ProcessEndpoint,
    StandardErrorBehavior,
    StandardIOEndpoint,
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    TCP6ClientEndpoint,
    TCP6ServerEndpoint,
    serverFromString,
    wrapClientTLS,
    wrapServerTLS,
)
from reactorlib.internet.endpoints._wrapping import _WrapperEndpoint
from reactorlib.internet.interfaces import (
    IConsumer,
    IHandshakeListener,
    IPushProducer,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
    ITransport,
)
from reactorlib.internet.protocol import Factory, Protocol
from reactorlib.internet.stdio import PipeAddress, StandardIO

from ._carriers import CLIENT_TLS, SERVER_TLS, Side
from ._programs import child, ending, read_until

pytestmark = pytest.mark.timeout(30)

LOCAL = "127.0.0.1"


def made_of(protocol: Any) -> Factory[Any]:
    factory = Factory[Any].forProtocol(lambda: protocol)
    factory.noisy = False
    return factory


class Refusing(Factory[Any]):
    noisy = False

    def buildProtocol(self, addr: Any) -> None:
        return None


# -- processes ----------------------------------------------------------------


def python(program: str, **options: Any) -> ProcessEndpoint:
    arguments = [sys.executable, "-c", program]
    return ProcessEndpoint(reactor, sys.executable, arguments, env=None, **options)


async def test_a_process_is_a_connection(errors: Any) -> None:
    async with reactor:
        endpoint = ProcessEndpoint(reactor, "/bin/cat", ["cat"])
        assert IStreamClientEndpoint.providedBy(endpoint)
        addresses = []

        class Made(Factory[Any]):
            noisy = False
            protocol = Side

            def buildProtocol(self, addr: Any) -> Any:
                addresses.append(addr)
                return super().buildProtocol(addr)

        side = await endpoint.connect(Made())
        transport = side.transport
        for interface in (ITransport, IConsumer, IPushProducer):
            assert interface.providedBy(transport)
        for address in (*addresses, transport.getPeer(), transport.getHost()):
            assert isinstance(address, _ProcessAddress)
        transport.write(b"hello ")
        transport.writeSequence([b"wor", b"ld"])
        await transport.drain()
        assert await side.received(11) == b"hello world"
        transport.pauseProducing()
        transport.write(b"!")
        transport.resumeProducing()
        assert await side.received(12) == b"hello world!"
        transport.loseWriteConnection()
        assert await side.lost() is error.ConnectionDone


@pytest.mark.parametrize("code", [0, 3])
async def test_how_a_process_ends(errors: Any, code: int) -> None:
    async with reactor:
        side = await python(f"import sys; sys.exit({code})").connect(made_of(Side()))
        reason = await side.lost()
        if code == 0:
            assert reason is error.ConnectionDone
            return
        assert reason is error.ConnectionLost
        cause = side.reason.value.__cause__
        assert isinstance(cause, error.ProcessTerminated)
        assert cause.exitCode == code


@pytest.mark.parametrize("flag", [StandardErrorBehavior.LOG, StandardErrorBehavior.DROP])
async def test_standard_error(
    errors: Any, caplog: pytest.LogCaptureFixture, flag: StandardErrorBehavior
) -> None:
    async with reactor:
        program = "import os; os.write(2, b'oh dear'); os.write(1, b'fine')"
        side = await python(program, errFlag=flag).connect(made_of(Side()))
        await side.lost()
        assert side.data == b"fine"
        warned = [each for each in caplog.records if each.levelno == logging.WARNING]
        assert len(warned) == (flag is StandardErrorBehavior.LOG)
        assert ("oh dear" in caplog.text) is (flag is StandardErrorBehavior.LOG)


async def test_a_process_that_cannot_start(errors: Any) -> None:
    async with reactor:
        endpoint = ProcessEndpoint(reactor, "/bin/cat", ["cat"], path=7)
        with pytest.raises((TypeError, ValueError)):
            await endpoint.connect(made_of(Side()))
        with pytest.raises(error.NoProtocol):
            await ProcessEndpoint(reactor, "/bin/cat", ["cat"]).connect(Refusing())


async def test_a_process_has_an_empty_environment_unless_said(errors: Any) -> None:
    async with reactor:
        side = await ProcessEndpoint(reactor, "/usr/bin/env", ["env"]).connect(made_of(Side()))
        await side.lost()
        assert b"HOME" not in side.data


# -- standard input and output ------------------------------------------------

ECHO = """
from reactorlib.internet.endpoints import serverFromString
from reactorlib.internet.protocol import Factory, Protocol

class Echo(Protocol):
    def connectionMade(self):
        self.transport.write(b"ready\\n")
        self.transport.loseConnection()
    def connectionLost(self, reason):
        reactor.stop()

def begin():
    serverFromString(reactor, "stdio:").listen(Factory.forProtocol(Echo))

reactor.callWhenRunning(begin)
reactor.run()
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_standard_input_and_output(loop: str) -> None:
    process = child(ECHO, loop)
    assert "ready" in read_until(process, "ready")
    ending(process)
    assert process.returncode == 0


async def test_the_factory_of_standard_io(errors: Any) -> None:
    asked: list[Any] = []

    class Stdio:
        def __init__(self, protocol: Any, reactor: Any) -> None:
            asked.append((protocol, reactor))

    endpoint = StandardIOEndpoint(reactor)
    assert IStreamServerEndpoint.providedBy(endpoint)
    assert endpoint._stdio is StandardIO
    endpoint._stdio = Stdio  # type: ignore[assignment]
    side = Side()

    class Made(Factory[Any]):
        def buildProtocol(self, addr: Any) -> Any:
            asked.append(addr)
            return side

    assert type(await endpoint.listen(Made())) is Stdio
    assert isinstance(asked[0], PipeAddress)
    assert asked[1] == (side, reactor)
    with pytest.raises(error.NoProtocol):
        await endpoint.listen(Refusing())


# -- adopted sockets ----------------------------------------------------------


@pytest.mark.parametrize("described", [False, True])
async def test_a_socket_made_elsewhere(errors: Any, described: bool) -> None:
    with socket.create_server((LOCAL, 0)) as sock:
        number = sock.getsockname()[1]
        descriptor = os.dup(sock.fileno())
    if described:
        endpoint = serverFromString(reactor, f"fd:{descriptor}")
    else:
        endpoint = AdoptedStreamServerEndpoint(reactor, descriptor, socket.AF_INET)
    async with reactor:
        server = Side()
        port = await endpoint.listen(made_of(server))
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
        assert port.getHost().port == number
        client = await TCP4ClientEndpoint(reactor, LOCAL, number).connect(made_of(Side()))
        client.transport.write(b"hello")
        assert await server.received(5) == b"hello"
        client.transport.loseConnection()
        await server.lost()
        with pytest.raises(error.AlreadyListened, match=str(descriptor)):
            await endpoint.listen(made_of(Side()))


async def test_what_cannot_be_adopted(errors: Any) -> None:
    with socket.socket() as silent:
        endpoint = AdoptedStreamServerEndpoint(reactor, silent.fileno(), socket.AF_INET)
        async with reactor:
            with pytest.raises(error.UnsupportedSocketType):
                await endpoint.listen(made_of(Side()))


# -- IPv6 ---------------------------------------------------------------------


async def test_tcp6(errors: Any) -> None:
    async with reactor:
        server = Side()
        try:
            port = await TCP6ServerEndpoint(reactor, 0, interface="::1").listen(made_of(server))
        except error.CannotListenError as exception:
            pytest.skip(f"there is no IPv6 here: {exception}")
        client = await TCP6ClientEndpoint(reactor, "::1", port.getHost().port).connect(
            made_of(Side())
        )
        client.transport.write(b"hello")
        assert await server.received(5) == b"hello"
        client.transport.loseConnection()
        await client.lost()


# -- wrappers -----------------------------------------------------------------


async def tls_pair(server: Any, client: Any) -> tuple[Any, Any]:
    port = await wrapServerTLS(SERVER_TLS, TCP4ServerEndpoint(reactor, 0, interface=LOCAL)).listen(
        made_of(server)
    )
    endpoint = wrapClientTLS(CLIENT_TLS, TCP4ClientEndpoint(reactor, LOCAL, port.getHost().port))
    return port, await endpoint.connect(made_of(client))


async def test_tls_over_an_endpoint(errors: Any) -> None:
    async with reactor:
        server, client = Side(), Side()
        _, connected = await tls_pair(server, client)
        assert connected is client
        client.transport.write(b"hello")
        assert await server.received(5) == b"hello"
        assert server.transport.getHandle() is not None
        client.transport.loseConnection()
        assert await client.lost() is error.ConnectionDone
        assert await server.lost() is error.ConnectionDone


async def test_the_handshake_is_told(errors: Any) -> None:
    from zope.interface import implementer

    done: Deferred[None] = Deferred()

    @implementer(IHandshakeListener)
    class Listening(Side):
        def handshakeCompleted(self) -> None:
            done.callback(None)

    async with reactor:
        client = Listening()
        await tls_pair(Side(), client)
        async with asyncio.timeout(5):
            await done
        client.transport.abortConnection()
        await client.lost()


async def test_wrappers_pass_failures_and_cancelling_on(errors: Any) -> None:
    with socket.create_server((LOCAL, 0)) as sock:
        unused = sock.getsockname()[1]
    async with reactor:
        endpoint = wrapClientTLS(CLIENT_TLS, TCP4ClientEndpoint(reactor, LOCAL, unused))
        with pytest.raises(error.ConnectionRefusedError):
            await endpoint.connect(made_of(Side()))
        with socket.create_server((LOCAL, 0)) as sock:
            there = TCP4ClientEndpoint(reactor, LOCAL, sock.getsockname()[1])
            connecting = wrapClientTLS(CLIENT_TLS, there).connect(made_of(Side()))
            connecting.cancel()
            with pytest.raises(error.ConnectingCancelledError):
                await connecting
            assert not reactor._connectors


@pytest.mark.parametrize("settings", [None, object()])
async def test_settings_that_are_none_fail_when_used(settings: Any, errors: Any) -> None:
    below = TCP4ClientEndpoint(reactor, LOCAL, 1)
    with pytest.raises(TypeError, match="cannot be TLS settings"):
        await wrapClientTLS(settings, below).connect(made_of(Side()))
    server = wrapServerTLS(settings, TCP4ServerEndpoint(reactor, 0, interface=LOCAL))
    with pytest.raises(TypeError, match="cannot be TLS settings"):
        await server.listen(made_of(Side()))


async def test_lost_as_soon_as_made(errors: Any) -> None:
    """The wrapper has forgotten its protocol by then."""

    class Gone(Protocol):
        wrappedProtocol = None

    class Below:
        def connect(self, factory: Any) -> Deferred[Any]:
            connected: Deferred[Any] = Deferred()
            connected.callback(Gone())
            return connected

    wrap: Callable[[Any], Any] = lambda factory: factory  # noqa: E731
    with pytest.raises(error.ConnectionLost, match="lost in connectionMade"):
        await _WrapperEndpoint(Below(), wrap).connect(made_of(Side()))
