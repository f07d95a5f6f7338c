"""
UDP ports, over real sockets.

The other end is never ours: a plain socket, or netcat.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import gc
import os
import shutil
import socket
import subprocess
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from reactorlib.internet import reactor
from reactorlib.internet.address import IPv4Address, IPv6Address
from reactorlib.internet.error import (
    CannotListenError,
    InvalidAddressError,
    MessageLengthError,
    NotListeningError,
    UnsupportedAddressFamily,
    UnsupportedSocketType,
)
from reactorlib.internet.interfaces import IListeningPort, IReactorUDP, IUDPTransport
from reactorlib.internet.protocol import DatagramProtocol
from reactorlib.internet.udp import Port

from ._datagrams import LOCAL, Hearer, Peer, echo, free_number, number_of, soon

pytestmark = pytest.mark.timeout(20)


@pytest.fixture
def peer() -> Iterator[Callable[..., Peer]]:
    """Makes peers, and closes them."""
    made: list[Peer] = []

    def make(*args: Any, **kwargs: Any) -> Peer:
        made.append(Peer(*args, **kwargs))
        return made[-1]

    yield make
    for one in made:
        one.sock.close()


@pytest.fixture(autouse=True)
async def nothing_left(request: pytest.FixtureRequest) -> Any:
    """Every port of a test is closed in the end."""
    if "loop_factory" in request.fixturenames:
        yield
        return
    async with reactor:
        yield


# -- the life of a port ---------------------------------------------------------


async def test_a_port_provides_what_it_should() -> None:
    port = reactor.listenUDP(0, Hearer(), LOCAL)
    assert verifyObject(IListeningPort, port)
    assert verifyObject(IUDPTransport, port)
    assert verifyObject(IReactorUDP, reactor)


async def test_a_protocol_is_told_of_its_port_and_of_its_end(peer: Any) -> None:
    protocol = Hearer()
    port = reactor.listenUDP(0, protocol, LOCAL)
    assert protocol.told == ["start"]
    assert (protocol.transport, protocol.numPorts) == (port, 1)
    peer(port).send(b"x")
    await protocol.has(b"x")
    stopped = port.stopListening()
    assert protocol.told == ["start"]  # never from within
    await soon(stopped)
    assert protocol.told == ["start", "stop"]
    assert (protocol.transport, protocol.numPorts) == (None, 0)


async def test_the_address_is_free_when_the_port_says_so() -> None:
    port = reactor.listenUDP(0, Hearer(), LOCAL)
    number = number_of(port)
    with pytest.raises(CannotListenError) as caught:
        reactor.listenUDP(number, Hearer(), LOCAL)
    assert (caught.value.interface, caught.value.port) == (LOCAL, number)
    assert caught.value.socketError.errno == errno.EADDRINUSE

    again = port.stopListening().addCallback(lambda _: reactor.listenUDP(number, Hearer(), LOCAL))
    assert number_of(await soon(again)) == number


async def test_stopping_again_waits_for_the_same_end() -> None:
    protocol = Hearer()
    port = reactor.listenUDP(0, protocol, LOCAL)
    first, second = port.stopListening(), port.stopListening()
    await soon(first)
    await soon(second)
    assert protocol.told == ["start", "stop"]
    await port.stopListening()  # it has fired already
    assert protocol.told == ["start", "stop"]


async def test_a_wait_for_the_end_can_be_cancelled() -> None:
    port = reactor.listenUDP(0, Hearer(), LOCAL)
    given_up, other = port.stopListening(), port.stopListening()
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    await soon(other)


async def test_a_port_stopped_before_it_was_read_closes() -> None:
    protocol = Hearer()
    await soon(reactor.listenUDP(0, protocol, LOCAL).stopListening())
    assert protocol.told == ["start", "stop"]


async def test_a_protocol_may_stop_its_port_as_it_starts() -> None:
    class Shy(Hearer):
        def startProtocol(self) -> None:
            super().startProtocol()
            self.stopped = self.transport.stopListening()
            assert self.told == ["start"]

    protocol = Shy()
    port = reactor.listenUDP(0, protocol, LOCAL)
    await soon(protocol.stopped)
    assert protocol.told == ["start", "stop"]
    assert not port.connected


async def test_nothing_is_delivered_after_the_stop(peer: Any) -> None:
    protocol = Hearer(lambda self, data, addr: self.transport.stopListening())
    port = reactor.listenUDP(0, protocol, LOCAL)
    other = peer(port)
    for data in (b"1", b"2", b"3"):
        other.send(data)
    await protocol.has(b"1")
    await soon(port.stopListening())
    assert protocol.data == [b"1"]


async def test_what_comes_at_once_after_single_datagrams_is_all_delivered(peer: Any) -> None:
    """A port that has seen no more than one at a time reads on rarely, and loses nothing by it."""
    protocol = Hearer()
    port = reactor.listenUDP(0, protocol, LOCAL)
    other = peer(port)
    sent = [b"%d" % number for number in range(60)]
    for count, each in enumerate(sent[:20], 1):
        other.send(each)
        await protocol.has(*sent[:count])
    for each in sent[20:]:
        other.send(each)
    await protocol.until(lambda: len(protocol.received) == len(sent))
    assert protocol.data == sent
    await soon(port.stopListening())


async def test_what_startProtocol_raises_closes_the_port() -> None:
    class Broken(Hearer):
        def startProtocol(self) -> None:
            raise ZeroDivisionError

    number = free_number()
    protocol = Broken()
    for _ in range(2):  # nothing is left, of the port or in the protocol
        with pytest.raises(ZeroDivisionError):
            reactor.listenUDP(number, protocol, LOCAL)
    assert (protocol.transport, protocol.numPorts, protocol.told) == (None, 0, [])
    reactor.listenUDP(number, Hearer(), LOCAL)


async def test_startProtocol_may_stop_the_port_and_fail() -> None:
    class Broken(Hearer):
        def startProtocol(self) -> None:
            self.stopped = self.transport.stopListening()
            raise ZeroDivisionError

    protocol = Broken()
    with pytest.raises(ZeroDivisionError):
        reactor.listenUDP(0, protocol, LOCAL)
    await soon(protocol.stopped)


async def test_a_protocol_has_one_port_at_a_time() -> None:
    protocol = Hearer()
    port = reactor.listenUDP(0, protocol, LOCAL)
    with pytest.raises(RuntimeError, match="make another protocol"):
        reactor.listenUDP(0, protocol, LOCAL)
    assert protocol.transport is port
    await soon(port.stopListening())
    assert reactor.listenUDP(0, protocol, LOCAL) is protocol.transport
    assert protocol.told == ["start", "stop", "start"]


async def test_a_port_can_listen_again(peer: Any) -> None:
    protocol = Hearer()
    port = reactor.listenUDP(free_number(), protocol, LOCAL)
    port.startListening()  # it does already
    stopped = port.stopListening()
    with pytest.raises(RuntimeError, match="wait for what stopListening"):
        port.startListening()
    await soon(stopped)
    port.startListening()
    peer(port).send(b"x")
    await protocol.has(b"x")
    assert protocol.told == ["start", "stop", "start"]


async def test_what_stopProtocol_raises_is_reported(errors: Any) -> None:
    class Broken(Hearer):
        def stopProtocol(self) -> None:
            raise ZeroDivisionError

    await soon(reactor.listenUDP(0, Broken(), LOCAL).stopListening())
    assert [type(exception) for exception in errors.take()] == [ZeroDivisionError]


async def test_nothing_keeps_a_port_that_is_gone() -> None:
    """Not even until the collector comes: a resolver opens one for every question."""
    gc.collect()
    gc.disable()
    try:
        port = reactor.listenUDP(0, Hearer(), LOCAL)
        port.write(b"x", (LOCAL, number_of(port)))
        await port.protocol.has(b"x")
        await soon(port.stopListening())
        known = weakref.ref(port)
        del port
        await asyncio.sleep(0)  # for what the loop itself has still in hand
        assert known() is None
    finally:
        gc.enable()


async def test_loseConnection_is_deprecated() -> None:
    protocol = Hearer()
    port = reactor.listenUDP(0, protocol, LOCAL)
    with pytest.deprecated_call(match="stopListening"):
        port.loseConnection()
    await soon(port.stopListening())
    assert protocol.told == ["start", "stop"]


async def test_the_end_of_the_reactor_closes_its_ports() -> None:
    protocol = Hearer()
    async with reactor:
        reactor.listenUDP(0, protocol, LOCAL)
    assert protocol.told == ["start", "stop"]


async def test_a_port_whose_reading_is_cancelled_is_gone() -> None:
    """As when somebody cancels every task of the loop."""
    before = asyncio.all_tasks()
    for turns in range(3):
        protocol = Hearer()
        port = reactor.listenUDP(0, protocol, LOCAL)
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in asyncio.all_tasks() - before:
            task.cancel()
        await soon(port.stopListening())
        assert protocol.told == ["start", "stop"]


def test_a_loop_that_cannot_read_datagrams_ends_the_port() -> None:
    class Poor(asyncio.SelectorEventLoop):
        async def create_datagram_endpoint(self, *args: Any, **kwargs: Any) -> Any:
            raise NotImplementedError("no datagrams here")

    seen: list[Any] = []
    protocol = Hearer()

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context))
        port = reactor.listenUDP(0, protocol, LOCAL)
        await asyncio.sleep(0)
        await soon(port.stopListening())

    with asyncio.Runner(loop_factory=Poor) as runner:
        runner.run(main())
    assert protocol.told == ["start", "stop"]
    assert [str(context["exception"]) for context in seen] == ["no datagrams here"]


def test_a_port_works_before_the_loop_and_ends_with_it(loop_factory: Any) -> None:
    """It is bound at once: what comes meanwhile is kept, and what is written leaves."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((LOCAL, 0))
        other.settimeout(5)
        protocol = Hearer(lambda self, data, addr: reactor.stop())
        port = reactor.listenUDP(0, protocol, LOCAL)
        with pytest.raises(CannotListenError):
            reactor.listenUDP(number_of(port), Hearer(), LOCAL)
        port.write(b"before", other.getsockname())
        assert other.recv(100) == b"before"
        other.sendto(b"kept", (LOCAL, number_of(port)))
        reactor.run(loop_factory=loop_factory)
    assert protocol.data == [b"kept"]
    assert protocol.told == ["start", "stop"]


def test_a_port_stopped_before_the_loop_is_free_at_once(loop_factory: Any) -> None:
    """The protocol hears of it in the loop, as ever."""
    protocol, second = Hearer(), Hearer()
    port = reactor.listenUDP(0, protocol, LOCAL)
    number = number_of(port)
    stopped = port.stopListening()
    assert protocol.told == ["start"]
    reactor.listenUDP(number, second, LOCAL)
    stopped.addCallback(lambda _: reactor.stop())
    reactor.run(loop_factory=loop_factory)
    assert protocol.told == second.told == ["start", "stop"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_goes_through(loop_factory: Any, kind: type[BaseException]) -> None:
    def interrupt(self: Hearer, data: bytes, addr: Any) -> None:
        raise kind

    protocol = Hearer(interrupt)
    port = reactor.listenUDP(0, protocol, LOCAL)
    port.write(b"x", (LOCAL, number_of(port)))
    with pytest.raises(kind):
        reactor.run(loop_factory=loop_factory)
    assert protocol.told == ["start", "stop"]


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


async def test_a_protocol_is_called_in_the_context_of_its_port() -> None:
    class Noting(Hearer):
        def stopProtocol(self) -> None:
            super().stopProtocol()
            self.told.append(variable.get())

    protocol = Noting(lambda self, data, addr: self.told.append(variable.get()))
    context = contextvars.copy_context()
    context.run(variable.set, "listening")
    port = context.run(reactor.listenUDP, 0, protocol, LOCAL)
    port.write(b"x", (LOCAL, number_of(port)))
    await protocol.has(b"x")
    await soon(port.stopListening())
    assert protocol.told == ["start", "listening", "stop", "listening"]
    assert variable.get() == "unset"


# -- what it says of itself -------------------------------------------------------


@pytest.mark.parametrize(
    ("interface", "kind", "host"),
    [
        ("", IPv4Address, "0.0.0.0"),
        (LOCAL, IPv4Address, LOCAL),
        ("::1", IPv6Address, "::1"),
    ],
)
async def test_getHost_is_where_it_is(interface: str, kind: type, host: str) -> None:
    port = reactor.listenUDP(0, Hearer(), interface)
    address = port.getHost()
    assert address == kind("UDP", host, number_of(port))
    assert address.port > 0
    await soon(port.stopListening())
    assert port.getHost() == address  # as it was


async def test_a_port_that_never_listened_is_nowhere() -> None:
    port = Port(0, Hearer(), LOCAL)
    with pytest.raises(NotListeningError):
        port.getHost()
    with pytest.raises(NotListeningError):
        port.connect(LOCAL, 1)
    assert port.getHandle() is None


async def test_its_names() -> None:
    class Named(Hearer):
        def logPrefix(self) -> str:
            return "Named one"

    port = reactor.listenUDP(0, Named(), LOCAL)
    assert str(number_of(port)) in repr(port) == str(port)
    assert port.logPrefix() == "Named one (UDP)"
    await soon(port.stopListening())
    assert "not listening" in repr(port)


async def test_the_socket_is_there_for_its_options() -> None:
    port = reactor.listenUDP(0, Hearer(), LOCAL)
    sock = port.getHandle()
    assert sock is port.socket
    assert sock is not None
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 16)
    assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 16


@pytest.mark.parametrize(
    ("port", "interface", "error"),
    [
        (0, "example.com", InvalidAddressError),
        (0, "127.0.0", InvalidAddressError),
        (65536, "", ValueError),
        (-1, "", ValueError),
        ("http", "", TypeError),
        (0, "192.0.2.77", CannotListenError),
        (0, "fe80::1%nowhere", CannotListenError),
    ],
)
async def test_what_is_no_address_is_refused(port: Any, interface: str, error: Any) -> None:
    protocol = Hearer()
    with pytest.raises(error):
        reactor.listenUDP(port, protocol, interface)
    assert protocol.told == []


# -- receiving ------------------------------------------------------------------


@pytest.mark.parametrize("host", [LOCAL, "::1"])
async def test_a_datagram_comes_with_the_address_to_answer(host: str, peer: Any) -> None:
    protocol = Hearer(echo)
    port = reactor.listenUDP(0, protocol, host)
    other = peer(port, host)
    for data in (b"to and fro", b"", bytes(range(256)) * 20):
        other.send(data)
        assert await other.receive() == data
        assert protocol.received[-1] == (data, other.address)


def link_local() -> str | None:
    """A link-local IPv6 address of this host with its interface, if there is one."""
    try:
        with open("/proc/net/if_inet6") as lines:
            for line in lines:
                packed, _, _, _, _, name = line.split()
                if packed.startswith("fe80"):
                    host = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(packed))
                    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
                        sock.bind((host, 0, 0, socket.if_nametoindex(name)))
                    return f"{host}%{name}"
    except OSError:
        pass
    return None


async def test_a_link_local_host_keeps_its_interface() -> None:
    """Without it nothing could be sent back: RFC 4007 section 6."""
    host = link_local()
    if host is None:
        pytest.skip("this host has no link-local address")
    server, client = Hearer(echo), Hearer()
    number = number_of(reactor.listenUDP(0, server, host))
    reactor.listenUDP(0, client, "::").write(b"x", (host, number))
    await client.has(b"x")
    plain, _, name = host.partition("%")
    zoned = f"{plain}%{socket.if_nametoindex(name)}"
    assert client.received == [(b"x", (zoned, number))]
    client.transport.connect(zoned, number)
    client.transport.write(b"y")
    await client.has(b"x", b"y")
    where = client.transport.getHost()
    assert isinstance(where, IPv6Address)
    assert (where.host, where.scopeID) == (host, socket.if_nametoindex(name))


async def test_a_long_datagram_is_cut(peer: Any) -> None:
    protocol = Hearer()
    port = reactor.listenUDP(0, protocol, LOCAL, maxPacketSize=5)
    other = peer(port)
    for data in (b"1234", b"12345", b"123456", b"1234567"):
        other.send(data)
    await protocol.has(b"1234", b"12345", b"12345", b"12345")


async def test_the_longest_datagram_comes_whole(peer: Any) -> None:
    protocol = Hearer()
    port = reactor.listenUDP(0, protocol, LOCAL, maxPacketSize=1 << 16)
    data = os.urandom(65507)
    peer(port).send(data)
    await protocol.has(data)


async def test_an_error_in_datagramReceived_is_reported_and_changes_nothing(
    peer: Any, errors: Any
) -> None:
    def fail(self: Hearer, data: bytes, addr: Any) -> None:
        if data != b"good":
            raise LookupError(data)

    protocol = Hearer(fail)
    port = reactor.listenUDP(0, protocol, LOCAL)
    other = peer(port)
    for data in (b"bad", b"bad too", b"good"):
        other.send(data)
    await protocol.has(b"bad", b"bad too", b"good")
    assert [repr(exception) for exception in errors.take()] == [
        "LookupError(b'bad')",
        "LookupError(b'bad too')",
    ]


async def test_a_flood_comes_in_order_and_leaves_others_their_turn(peer: Any) -> None:
    """However many datagrams wait, the loop goes on after some of them."""
    turns: list[int] = []

    def count(self: Hearer, data: bytes, addr: Any) -> None:
        if len(self.received) == 1:
            asyncio.get_running_loop().call_soon(lambda: turns.append(len(self.received)))

    protocol = Hearer(count)
    port = reactor.listenUDP(0, protocol, LOCAL)
    other = peer(port)
    sent = [b"%d" % number for number in range(100)]
    for data in sent:
        other.send(data)
    await protocol.has(*sent)
    assert turns
    assert turns[0] < 100


# -- sending --------------------------------------------------------------------


async def test_a_sequence_is_one_datagram(peer: Any) -> None:
    port = reactor.listenUDP(0, Hearer(), LOCAL)
    other = peer()
    port.writeSequence([b"some ", b"pieces"], other.address)
    assert await other.receive() == b"some pieces"


async def test_anything_like_bytes_is_sent(peer: Any) -> None:
    port = reactor.listenUDP(0, Hearer(), LOCAL)
    other = peer()
    port.write(bytearray(b"array"), other.address)  # type: ignore[arg-type]
    port.write(memoryview(b"view"), other.address)  # type: ignore[arg-type]
    assert [await other.receive() for _ in range(2)] == [b"array", b"view"]


@pytest.mark.parametrize(
    ("interface", "datagram", "addr", "error", "text"),
    [
        (LOCAL, b"x", ("localhost", 1), InvalidAddressError, "resolve"),
        (LOCAL, "x", ("example.invalid", 1), InvalidAddressError, "resolve"),
        (LOCAL, b"x", ("", 1), InvalidAddressError, "resolve"),
        (LOCAL, b"x", ("127.1", 1), InvalidAddressError, "resolve"),
        (LOCAL, b"x", ("::1", 1), InvalidAddressError, "IPv4"),
        ("::1", b"x", (LOCAL, 1), InvalidAddressError, "IPv6"),
        ("::1", b"x", ("<broadcast>", 1), InvalidAddressError, "IPv6"),
        (LOCAL, b"x", None, ValueError, "where to"),
        (LOCAL, "text", (LOCAL, 1), TypeError, "bytes, not text"),
        (LOCAL, 5, (LOCAL, 1), TypeError, "bytes"),
        (LOCAL, b"x", (LOCAL, 65536), OverflowError, "0-65535"),
        (LOCAL, bytes(70000), (LOCAL, 1), MessageLengthError, "70000 bytes"),
    ],
)
async def test_what_cannot_be_sent_raises(
    interface: str, datagram: Any, addr: Any, error: Any, text: str
) -> None:
    port = reactor.listenUDP(0, Hearer(), interface)
    with pytest.raises(error, match=text):
        port.write(datagram, addr)


class Refusing:
    """A socket that takes no datagram, for a reason that is hard to bring about."""

    def __init__(self, sock: socket.socket | None, number: int) -> None:
        self._sock = sock
        self._number = number

    def sendto(self, datagram: bytes, addr: Any) -> int:
        raise OSError(self._number, os.strerror(self._number))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOBUFS, errno.ECONNREFUSED])
async def test_a_datagram_for_which_there_is_no_room_is_lost(number: int) -> None:
    """As is one that hears of an earlier one, to whomever that was."""
    protocol = Hearer()
    port = reactor.listenUDP(0, protocol, LOCAL)
    port.socket = Refusing(port.socket, number)  # type: ignore[assignment]
    port.write(b"x", (LOCAL, 1))
    assert protocol.told == ["start"]


async def test_whatever_else_the_system_says_is_raised() -> None:
    port = reactor.listenUDP(0, Hearer(), LOCAL)
    port.socket = Refusing(port.socket, errno.ENETUNREACH)  # type: ignore[assignment]
    with pytest.raises(OSError, match="unreachable"):
        port.write(b"x", (LOCAL, 1))


async def test_a_closing_port_sends_nothing(peer: Any) -> None:
    port, second = (reactor.listenUDP(0, Hearer(), LOCAL) for _ in range(2))
    other = peer()
    stopped = port.stopListening()
    port.write(b"closing", other.address)
    await soon(stopped)
    port.write(b"closed", other.address)
    second.write(b"open", other.address)
    assert await other.receive() == b"open"


async def test_broadcast_has_to_be_allowed() -> None:
    """127.255.255.255 is the broadcast address of the loopback interface."""
    protocol = Hearer()
    port = reactor.listenUDP(0, protocol)
    everybody = ("127.255.255.255", number_of(port))
    assert port.getBroadcastAllowed() is False
    with pytest.raises(PermissionError):
        port.write(b"x", everybody)
    port.setBroadcastAllowed(True)
    assert port.getBroadcastAllowed() is True
    port.write(b"x", everybody)
    await protocol.has(b"x")
    port.setBroadcastAllowed(False)
    assert port.getBroadcastAllowed() is False


# -- connected ------------------------------------------------------------------


@pytest.mark.parametrize("host", [LOCAL, "::1"])
async def test_a_connected_port_talks_to_its_peer_only(host: str, peer: Any) -> None:
    protocol = Hearer()
    port = reactor.listenUDP(0, protocol, host)
    stranger, other = peer(port, host), peer(port, host)
    stranger.send(b"too early")  # it waits in the socket
    port.connect(*other.address)
    stranger.send(b"too late")
    other.send(b"mine")
    await protocol.has(b"mine")
    assert protocol.received == [(b"mine", other.address)]
    for addr in (None, other.address):
        port.write(b"x", addr)
        assert await other.receive() == b"x"
    with pytest.raises(ValueError, match="connected to"):
        port.write(b"x", stranger.address)


async def test_a_connected_port_takes_its_peer_in_either_spelling(peer: Any) -> None:
    """As it was given to `connect()`, and as `datagramReceived()` has it."""
    protocol = Hearer()
    port = reactor.listenUDP(0, protocol, "::1")
    other = peer(port, "::1")
    number = other.address[1]
    port.connect("0:0:0:0:0:0:0:1", number)
    other.send(b"x")
    await protocol.has(b"x")
    assert protocol.received == [(b"x", ("::1", number))]
    for host in ("::1", "0:0:0:0:0:0:0:1"):
        port.write(b"y", (host, number))
        assert await other.receive() == b"y"
    with pytest.raises(ValueError, match="connected to"):
        port.write(b"z", ("::2", number))


async def test_connecting_says_which_local_address_is_used(peer: Any) -> None:
    port = reactor.listenUDP(0, Hearer())
    number = number_of(port)
    port.connect(*peer().address)
    assert port.getHost() == IPv4Address("UDP", LOCAL, number)


@pytest.mark.parametrize(
    ("host", "port", "error"),
    [
        ("localhost", 1, InvalidAddressError),
        ("::1", 1, InvalidAddressError),
        ("<broadcast>", 1, InvalidAddressError),
        (LOCAL, 65536, ValueError),
        (LOCAL, "1", TypeError),
        ("255.255.255.255", 1, PermissionError),
    ],
)
async def test_where_it_cannot_connect_raises(host: str, port: Any, error: Any, peer: Any) -> None:
    listening = reactor.listenUDP(0, Hearer(), LOCAL)
    with pytest.raises(error):
        listening.connect(host, port)
    other = peer()
    listening.connect(*other.address)  # nothing has happened
    with pytest.raises(RuntimeError, match="listen on another"):
        listening.connect(*other.address)


async def test_a_refusal_is_told_and_the_port_goes_on(peer: Any) -> None:
    """RFC 1122 section 4.1.3.3: an ICMP error is passed on to who has sent."""
    protocol = Hearer()
    port = reactor.listenUDP(0, protocol, LOCAL)
    number = free_number()
    port.connect(LOCAL, number)
    port.write(b"anybody?")
    await protocol.until(lambda: "refused" in protocol.told)
    other = peer()
    other.sock.close()
    other.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.sock.bind((LOCAL, number))
    other.sock.setblocking(False)
    port.write(b"now?")
    assert await other.receive() == b"now?"
    other.sock.sendto(b"yes", (LOCAL, number_of(port)))
    await protocol.has(b"yes")


async def test_a_refusal_may_be_told_by_the_next_write(errors: Any) -> None:
    """What `connectionRefused` raises there is reported too, and not raised."""

    class Upset(Hearer):
        def connectionRefused(self) -> None:
            super().connectionRefused()
            raise ZeroDivisionError

    protocol = Upset()
    port = reactor.listenUDP(0, protocol, LOCAL)
    port.connect(LOCAL, free_number())
    port.write(b"first")
    port.write(b"second")
    assert protocol.told == ["start", "refused"]
    await soon(port.stopListening())
    assert {type(exception) for exception in errors.take()} == {ZeroDivisionError}


async def test_an_unconnected_port_cannot_say_who_refuses(peer: Any) -> None:
    protocol = Hearer()
    port = reactor.listenUDP(0, protocol, LOCAL)
    port.write(b"anybody?", (LOCAL, free_number()))
    peer(port).send(b"me")
    await protocol.has(b"me")
    assert protocol.told == ["start"]


# -- a socket made elsewhere ------------------------------------------------------


async def test_an_adopted_socket_is_duplicated(peer: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((LOCAL, 0))
        protocol = Hearer(echo)
        port = reactor.adoptDatagramPort(sock.fileno(), socket.AF_INET, protocol, 5)
        assert port.getHost() == IPv4Address("UDP", *sock.getsockname())
    other = peer(port)
    other.send(b"1234567")
    assert await other.receive() == b"12345"
    await soon(port.stopListening())
    assert protocol.told == ["start", "stop"]


async def test_an_adopted_socket_outlives_its_port() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind(("::1", 0))
        port = reactor.adoptDatagramPort(sock.fileno(), socket.AF_INET6, Hearer())
        await soon(port.stopListening())
        assert sock.getsockname()[1] == number_of(port)


@pytest.mark.parametrize(
    ("family", "kind", "error"),
    [
        (socket.AF_UNIX, socket.SOCK_DGRAM, UnsupportedAddressFamily),
        (socket.AF_INET, socket.SOCK_STREAM, UnsupportedSocketType),
    ],
)
async def test_other_sockets_are_not_adopted(family: int, kind: int, error: Any) -> None:
    with socket.socket(family, kind) as sock, pytest.raises(error):
        reactor.adoptDatagramPort(sock.fileno(), family, Hearer())


@pytest.mark.parametrize(
    ("own", "given"),
    [
        (socket.AF_UNIX, socket.AF_INET),
        (socket.AF_INET, socket.AF_INET6),
        (socket.AF_INET6, socket.AF_INET),
    ],
)
async def test_a_socket_is_adopted_for_what_it_is(own: int, given: int) -> None:
    with socket.socket(own, socket.SOCK_DGRAM) as sock:
        with pytest.raises(UnsupportedAddressFamily, match="of family"):
            reactor.adoptDatagramPort(sock.fileno(), given, Hearer())
        assert sock.fileno() >= 0


async def test_what_is_no_socket_is_not_adopted(tmp_path: Path) -> None:
    with open(tmp_path / "file", "wb") as file, pytest.raises(OSError, match="socket"):
        reactor.adoptDatagramPort(file.fileno(), socket.AF_INET, Hearer())
    gc.collect()  # an open duplicate would be a ResourceWarning


# -- protocols --------------------------------------------------------------------


def test_a_protocol_is_saved_without_its_port() -> None:
    protocol = DatagramProtocol()
    protocol.transport = object()
    protocol.numPorts = 3
    assert protocol.__getstate__() == {"transport": None, "numPorts": 3}


def test_a_protocol_counts_its_ports() -> None:
    protocol = Hearer()
    protocol.doStart()
    protocol.doStart()
    protocol.doStop()
    assert protocol.told == ["start"]
    protocol.doStop()
    protocol.doStop()
    assert protocol.told == ["start", "stop"]


def test_a_protocol_does_nothing_by_itself() -> None:
    protocol = DatagramProtocol()
    assert protocol.logPrefix() == "DatagramProtocol"
    protocol.datagramReceived(b"x", (LOCAL, 1))
    protocol.connectionRefused()
    assert protocol.transport is None


# -- somebody else's program ------------------------------------------------------


async def test_netcat_gets_its_answer() -> None:
    netcat = shutil.which("nc")
    if (
        netcat is None
        or b"OpenBSD" not in subprocess.run([netcat, "-h"], capture_output=True).stderr
    ):
        pytest.skip("needs OpenBSD's netcat")
    protocol = Hearer(lambda self, data, addr: self.transport.write(data.upper(), addr))
    number = number_of(reactor.listenUDP(0, protocol, LOCAL))
    done = await soon(
        asyncio.to_thread(
            subprocess.run,
            [netcat, "-u", "-n", "-W", "1", "-w", "5", LOCAL, str(number)],
            input=b"hello\n",
            capture_output=True,
            timeout=5,
        )
    )
    assert done.stdout == b"HELLO\n"
    assert protocol.data == [b"hello\n"]
