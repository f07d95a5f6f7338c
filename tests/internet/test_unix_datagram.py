"""
UNIX datagram sockets.

The other end is never ours: a plain socket, or netcat.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from reactorlib.internet import reactor
from reactorlib.internet.address import UNIXAddress
from reactorlib.internet.error import CannotListenError, MessageLengthError
from reactorlib.internet.interfaces import (
    IListeningPort,
    IReactorUNIXDatagram,
    IUNIXDatagramConnectedTransport,
    IUNIXDatagramTransport,
)
from reactorlib.internet.protocol import ConnectedDatagramProtocol
from reactorlib.python.failure import Failure

from ._datagrams import Hearer, echo, soon

pytestmark = pytest.mark.timeout(20)

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has abstract names")


class Talker(ConnectedDatagramProtocol):
    """Keeps what it is told by its peer."""

    noisy = False

    def __init__(self) -> None:
        self.told: list[str] = []
        self.received: list[bytes] = []
        self.failures: list[Failure] = []
        self._woken = asyncio.Event()

    def startProtocol(self) -> None:
        self.told.append("start")

    def stopProtocol(self) -> None:
        self.told.append("stop")

    def datagramReceived(self, datagram: bytes) -> None:
        self.received.append(datagram)
        self._woken.set()

    def connectionRefused(self) -> None:
        self.told.append("refused")

    def connectionFailed(self, failure: Failure) -> None:
        self.told.append("failed")
        self.failures.append(failure)

    async def has(self, *data: bytes) -> None:
        async with asyncio.timeout(5):
            while len(self.received) < len(data):
                self._woken.clear()
                await self._woken.wait()
        assert self.received == list(data)


class Peer:
    """The other end: a plain socket, with a name or without."""

    def __init__(self, name: str | bytes | None = None) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        if name is not None:
            self.sock.bind(name)

    async def receive(self) -> bytes:
        return await soon(asyncio.get_running_loop().sock_recv(self.sock, 1 << 18))


@pytest.fixture
def peer() -> Iterator[Any]:
    """Makes peers, and closes them."""
    made: list[Peer] = []

    def make(name: str | bytes | None = None) -> Peer:
        made.append(Peer(name))
        return made[-1]

    yield make
    for one in made:
        one.sock.close()


@pytest.fixture
def place() -> Iterator[str]:
    """A directory with a short name: a path of a socket has about a hundred bytes."""
    with tempfile.TemporaryDirectory(prefix="rl") as name:
        yield name


@pytest.fixture
def path(place: str) -> str:
    return f"{place}/port"


@pytest.fixture(autouse=True)
async def nothing_left(request: pytest.FixtureRequest) -> Any:
    """Every port of a test is closed in the end."""
    if "loop_factory" in request.fixturenames:
        yield
        return
    async with reactor:
        yield


# -- listening --------------------------------------------------------------------


async def test_a_datagram_comes_with_the_path_to_answer(path: str, place: str, peer: Any) -> None:
    protocol = Hearer(echo)
    reactor.listenUNIXDatagram(path, protocol)
    other = peer(f"{place}/other")
    for data in (b"to and fro", b"", b"x" * 8192):
        other.sock.sendto(data, path)
        assert await other.receive() == data
        assert protocol.received[-1] == (data, f"{place}/other")


@on_linux
async def test_an_abstract_name_is_answered_too(peer: Any) -> None:
    """uvloop passes such a name on with NULs after it, which would be another name."""
    name = b"\0reactorlib-%d" % os.getpid()
    protocol = Hearer(echo)
    port = reactor.listenUNIXDatagram(os.fsdecode(name) + "-port", protocol)
    assert port.getHost() == UNIXAddress(name + b"-port")
    other = peer(name)
    for data in (b"first", b"second"):
        other.sock.sendto(data, name + b"-port")
    assert [await other.receive() for _ in range(2)] == [b"first", b"second"]
    assert protocol.received == [(b"first", name), (b"second", name)]


async def test_a_sender_without_a_name_is_none(path: str, peer: Any) -> None:
    protocol = Hearer()
    reactor.listenUNIXDatagram(path, protocol)
    other = peer()
    other.sock.sendto(b"first", path)
    other.sock.sendto(b"second", path)
    await protocol.has(b"first", b"second")
    assert protocol.received == [(b"first", None), (b"second", None)]


async def test_it_provides_what_it_should(path: str) -> None:
    port = reactor.listenUNIXDatagram(path, Hearer())
    assert verifyObject(IListeningPort, port)
    assert verifyObject(IUNIXDatagramTransport, port)
    assert verifyObject(IReactorUNIXDatagram, reactor)
    client = reactor.connectUNIXDatagram(path, Talker())
    assert verifyObject(IListeningPort, client)
    assert verifyObject(IUNIXDatagramConnectedTransport, client)


async def test_the_file_has_its_mode_and_goes_with_the_port(path: str) -> None:
    protocol = Hearer()
    port = reactor.listenUNIXDatagram(path, protocol, mode=0o640)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
    assert stat.S_ISSOCK(os.stat(path).st_mode)
    assert port.getHost() == UNIXAddress(path)
    assert repr(path) in repr(port)
    await soon(port.stopListening())
    assert not os.path.exists(path)
    assert protocol.told == ["start", "stop"]
    assert port.getHost() == UNIXAddress(path)
    assert "not listening" in repr(port)


@pytest.mark.parametrize("kind", [str, os.fsencode, Path])
async def test_a_path_may_be_text_bytes_or_a_path(kind: Any, path: str, peer: Any) -> None:
    port = reactor.listenUNIXDatagram(kind(path), Hearer(echo))
    other = peer(f"{path}-other")
    port.write(b"x", kind(f"{path}-other"))
    assert await other.receive() == b"x"
    await soon(port.stopListening())
    assert not os.path.exists(path)


async def test_somebody_elses_file_is_left_alone(path: str, errors: Any) -> None:
    port = reactor.listenUNIXDatagram(path, Hearer())
    os.unlink(path)
    Path(path).write_text("mine")
    await soon(port.stopListening())
    assert Path(path).read_text() == "mine"


async def test_a_file_that_is_gone_is_no_matter(path: str, errors: Any) -> None:
    port = reactor.listenUNIXDatagram(path, Hearer())
    os.unlink(path)
    await soon(port.stopListening())


@pytest.mark.parametrize("mode", ["666", 2**80])
async def test_a_mode_that_is_none_leaves_nothing_behind(path: str, peer: Any, mode: Any) -> None:
    with pytest.raises((TypeError, OverflowError)):
        reactor.listenUNIXDatagram(path, Hearer(), mode=mode)
    assert not os.path.exists(path)
    other = peer(f"{path}-other")
    talker = Talker()
    reactor.connectUNIXDatagram(other.sock.getsockname(), talker, mode=mode, bindAddress=path)
    assert len(talker.failures) == 1
    assert not os.path.exists(path)
    port = reactor.listenUNIXDatagram(path, Hearer())
    await soon(port.stopListening())


@pytest.mark.parametrize(
    ("where", "number"),
    [("taken", errno.EADDRINUSE), ("no/such/place", errno.ENOENT), ("x" * 200, None)],
)
async def test_a_path_that_is_not_to_be_had_raises(where: str, number: int, place: str) -> None:
    Path(place, "taken").write_text("mine")
    protocol = Hearer()
    path = f"{place}/{where}"
    with pytest.raises(CannotListenError) as caught:
        reactor.listenUNIXDatagram(path, protocol)
    assert (caught.value.port, caught.value.socketError.errno) == (path, number)
    assert protocol.told == []
    assert Path(place, "taken").read_text() == "mine"


async def test_a_long_datagram_is_cut(path: str, peer: Any) -> None:
    protocol = Hearer()
    reactor.listenUNIXDatagram(path, protocol, maxPacketSize=3)
    other = peer()
    other.sock.sendto(b"1234", path)
    other.sock.sendto(b"5678", path)
    await protocol.has(b"123", b"567")


@pytest.mark.parametrize(
    ("datagram", "error", "text"),
    [
        ("text", TypeError, "bytes, not text"),
        (None, TypeError, "bytes"),
        (bytes(1 << 24), MessageLengthError, "16777216 bytes"),
    ],
)
async def test_what_cannot_be_sent_raises(
    datagram: Any, error: Any, text: str, path: str, peer: Any
) -> None:
    peer(f"{path}-other")
    port = reactor.listenUNIXDatagram(path, Hearer())
    client = reactor.connectUNIXDatagram(path, Talker())
    with pytest.raises(error, match=text):
        port.write(datagram, f"{path}-other")
    with pytest.raises(error, match=text):
        client.write(datagram)


async def test_nobody_at_the_path_is_an_error(path: str, peer: Any) -> None:
    port = reactor.listenUNIXDatagram(path, Hearer())
    with pytest.raises(FileNotFoundError):
        port.write(b"x", f"{path}-other")
    peer(f"{path}-other").sock.close()
    with pytest.raises(ConnectionRefusedError):
        port.write(b"x", f"{path}-other")


async def test_a_datagram_for_which_the_other_has_no_room_is_lost(path: str, peer: Any) -> None:
    other = peer(f"{path}-other")
    port = reactor.listenUNIXDatagram(path, Hearer())
    client = reactor.connectUNIXDatagram(f"{path}-other", Talker())
    for _ in range(3000):
        port.write(bytes(1024), f"{path}-other")
        client.write(bytes(1024))
    arrived = 0
    while True:
        try:
            other.sock.recv(2048)
        except BlockingIOError:
            break
        arrived += 1
    assert 0 < arrived < 6000
    port.write(b"room again", f"{path}-other")
    assert await other.receive() == b"room again"


async def test_a_closing_port_sends_nothing(path: str, peer: Any) -> None:
    other = peer(f"{path}-other")
    port = reactor.listenUNIXDatagram(path, Hearer())
    client = reactor.connectUNIXDatagram(f"{path}-other", Talker())
    for one in (port, client):
        one.stopListening()
    port.write(b"x", f"{path}-other")
    client.write(b"x")
    reactor.listenUNIXDatagram(f"{path}-second", Hearer()).write(b"y", f"{path}-other")
    assert await other.receive() == b"y"


def test_a_port_works_before_the_loop_and_ends_with_it(loop_factory: Any, path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        protocol = Hearer(lambda self, data, addr: reactor.stop())
        reactor.listenUNIXDatagram(path, protocol)
        other.sendto(b"kept", path)
        reactor.run(loop_factory=loop_factory)
    assert protocol.data == [b"kept"]
    assert protocol.told == ["start", "stop"]
    assert not os.path.exists(path)


# -- connected --------------------------------------------------------------------


async def test_a_connected_socket_talks_to_its_peer(path: str, peer: Any) -> None:
    other = peer(path)
    protocol = Talker()
    port = reactor.connectUNIXDatagram(path, protocol, mode=0o600, bindAddress=f"{path}-mine")
    assert stat.S_IMODE(os.stat(f"{path}-mine").st_mode) == 0o600
    assert (port.getHost(), port.getPeer()) == (UNIXAddress(f"{path}-mine"), UNIXAddress(path))
    protocol.transport.write(b"question")
    assert await other.receive() == b"question"
    other.sock.sendto(b"answer", f"{path}-mine")
    other.sock.sendto(b"", f"{path}-mine")
    await protocol.has(b"answer", b"")
    await soon(port.stopListening())
    assert protocol.told == ["start", "stop"]
    assert not os.path.exists(f"{path}-mine")
    assert os.path.exists(path)


async def test_a_connected_socket_needs_no_name(path: str, peer: Any) -> None:
    other = peer(path)
    port = reactor.connectUNIXDatagram(path, Talker())
    assert port.getHost() == UNIXAddress(None)
    port.write(b"x")
    assert await other.receive() == b"x"


async def test_a_peer_that_has_gone_refuses(path: str, peer: Any) -> None:
    other = peer(path)
    protocol = Talker()
    port = reactor.connectUNIXDatagram(path, protocol)
    other.sock.close()
    port.write(b"x")
    assert protocol.told == ["start", "refused"]


async def test_nobody_at_the_path_goes_to_connectionFailed(path: str) -> None:
    protocol = Talker()
    port = reactor.connectUNIXDatagram(path, protocol, bindAddress=f"{path}-mine")
    assert protocol.told == ["failed"]
    assert protocol.failures[0].check(FileNotFoundError)
    assert not os.path.exists(f"{path}-mine")
    assert not port.connected
    await port.stopListening()
    assert protocol.told == ["failed"]


async def test_no_place_for_its_own_name_goes_to_connectionFailed(path: str, peer: Any) -> None:
    peer(path)
    Path(f"{path}-mine").write_text("mine")
    protocol = Talker()
    reactor.connectUNIXDatagram(path, protocol, bindAddress=f"{path}-mine")
    assert protocol.failures[0].check(CannotListenError)


async def test_what_startProtocol_raises_goes_to_connectionFailed(path: str, peer: Any) -> None:
    class Broken(Talker):
        def startProtocol(self) -> None:
            raise ZeroDivisionError

    peer(path)
    protocol = Broken()
    reactor.connectUNIXDatagram(path, protocol, bindAddress=f"{path}-mine")
    assert protocol.failures[0].check(ZeroDivisionError)
    assert not os.path.exists(f"{path}-mine")


def test_a_connected_protocol_does_nothing_by_itself() -> None:
    protocol = ConnectedDatagramProtocol()
    protocol.datagramReceived(b"x")
    protocol.connectionFailed(Failure(ZeroDivisionError()))
    assert protocol.transport is None


# -- somebody else's program --------------------------------------------------------


async def test_netcat_is_heard(path: str) -> None:
    netcat = shutil.which("nc")
    if netcat is None:
        pytest.skip("needs netcat")
    if b"OpenBSD" not in subprocess.run([netcat, "-h"], capture_output=True).stderr:
        pytest.skip("needs OpenBSD's netcat")
    protocol = Hearer(lambda self, data, addr: self.transport.write(data.upper(), addr))
    reactor.listenUNIXDatagram(path, protocol)
    done = await soon(
        asyncio.to_thread(
            subprocess.run,
            [netcat, "-u", "-U", "-W", "1", "-w", "5", "-s", f"{path}-nc", path],
            input=b"hello\n",
            capture_output=True,
            timeout=5,
        )
    )
    assert done.stdout == b"HELLO\n"
    assert protocol.received == [(b"hello\n", f"{path}-nc")]
