"""The telnet client that people have, and Twisted's, over sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from zope.interface import implementer

from reactorlib.conch.telnet import (
    AuthenticatingTelnetProtocol,
    ITelnetProtocol,
    OptionRefused,
    StatefulTelnetProtocol,
    TelnetBootstrapProtocol,
    TelnetProtocol,
    TelnetTransport,
)
from reactorlib.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from reactorlib.cred.portal import IRealm, Portal
from reactorlib.internet import reactor
from reactorlib.internet.error import ConnectionAborted
from reactorlib.internet.protocol import ClientCreator, Factory, Protocol, connectionDone
from reactorlib.logger import capturedLogs, formatEvent

from ._peers import LIMIT, needs_telnet, raw, serving, telnet


class Echo(StatefulTelnetProtocol):
    """Says each line again."""

    state = "Line"

    def connectionMade(self) -> None:
        self.transport.write(b"Welcome.\n")

    def telnet_Line(self, line: bytes) -> None:
        self.transport.write(b"you said '%b'\n" % line)
        if line == b"bye":
            self.transport.loseConnection()


class Keys(TelnetProtocol):
    """Says each key again, and how large the window is."""

    def connectionMade(self) -> None:
        self.transport.write(b"Ready.\n")

    def terminalSize(self, width: int, height: int) -> None:
        self.transport.write(b"size %d %d\n" % (width, height))

    def dataReceived(self, data: bytes) -> None:
        for key in data:
            self.transport.write(b"<%d>" % key)
        if b"\x04" in data:
            self.transport.loseConnection()


@implementer(IRealm)
class Realm:
    logouts = 0

    def __init__(self, make: Any) -> None:
        self.make = make

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        return ITelnetProtocol, self.make(), self.log_out

    def log_out(self) -> None:
        self.logouts += 1


def login(make: Any) -> tuple[Any, Realm]:
    realm = Realm(make)
    portal = Portal(realm, [InMemoryUsernamePasswordDatabaseDontUse(alice=b"wonder")])

    return lambda: TelnetTransport(QuickLogin, portal), realm


class QuickLogin(AuthenticatingTelnetProtocol):
    failureDelay = 0


@needs_telnet
async def test_lines_with_the_telnet_client() -> None:
    async with serving(lambda: TelnetTransport(Echo)) as port, telnet(port) as terminal:
        await terminal.expect(b"Welcome.\r\n")
        terminal.type("caf\u00e9 \u00ff\n".encode())
        await terminal.expect("you said 'caf\u00e9 \u00ff'\r\n".encode())
        terminal.type(b"bye\n")
        await terminal.expect(b"you said 'bye'\r\n")
        await terminal.wait_for_end()


@needs_telnet
async def test_a_login_with_the_telnet_client() -> None:
    build, realm = login(Echo)
    async with serving(build) as port, telnet(port) as terminal:
        await terminal.expect(b"Username: ")
        terminal.type(b"alice\n")
        await terminal.expect(b"Password: ")
        terminal.type(b"nonsense\n")
        await terminal.expect(b"Authentication failed")
        await terminal.expect(b"Username: ")
        terminal.type(b"alice\n")
        await terminal.expect(b"Password: ")
        terminal.type(b"wonder\n")
        await terminal.expect(b"Welcome.\r\n")
        # The name is shown by the client, the password by nobody.
        assert terminal.everything.count(b"alice") == 2
        assert b"wonder" not in terminal.everything
        assert b"nonsense" not in terminal.everything
        terminal.type(b"hello\n")
        shown = await terminal.expect(b"you said 'hello'")
        assert shown.count(b"hello") == 2
        terminal.type(b"bye\n")
        await terminal.wait_for_end()
    assert realm.logouts == 1


@needs_telnet
async def test_keys_and_the_window_with_the_telnet_client() -> None:
    """Each key comes as it is pressed, Ctrl-C and the arrows too, and the client shows none."""
    build, realm = login(lambda: TelnetBootstrapProtocol(Keys))
    async with serving(build) as port, telnet(port) as terminal:
        await terminal.expect(b"Username: ")
        terminal.type(b"alice\n")
        await terminal.expect(b"Password: ")
        terminal.type(b"wonder\n")
        await terminal.expect(b"Ready.\r\n")
        await terminal.expect(b"size 100 30\r\n")
        for key, codes in [
            (b"x", b"<120>"),
            (b"\x03", b"<3>"),
            (b"\x1b[A", b"<27><91><65>"),
            (b"\x7f", b"<127>"),
            (b"\r", b"<13>"),
        ]:
            terminal.type(key)
            assert (await terminal.expect(codes)) == codes
        terminal.type(b"\x04")
        await terminal.wait_for_end()
    assert realm.logouts == 1


async def test_who_hangs_up_is_logged_out() -> None:
    build, realm = login(Echo)
    async with serving(build) as port, raw(port) as peer:
        await peer.expect(b"Username: ")
        peer.type(b"alice\r\nwonder\r\nhello\r\n")
        await peer.expect(b"you said 'hello'\r\n")
    assert realm.logouts == 1


class Watched(TelnetTransport):
    """Says when it waits for its peer to read, and how its connection ended."""

    _MAX_UNREAD = 1 << 20

    def __init__(self, make: Any) -> None:
        super().__init__(make)
        self.stalled = asyncio.Event()
        self.ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.largest = 0

    def _wait_for_room(self) -> None:
        super()._wait_for_room()
        waiting = self.transport._transport.get_write_buffer_size()
        self.largest = max(self.largest, waiting)
        if self._room is not None:
            self.stalled.set()

    def connectionLost(self, reason: Any = connectionDone) -> None:
        super().connectionLost(reason)
        self.ended.set_result(reason)


class Verbose(TelnetProtocol):
    """Says ten for one."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(b"".join(bytes([key]) * 10 for key in data))


@asynccontextmanager
async def watched(make: Any) -> AsyncIterator[tuple[Watched, socket.socket]]:
    """A server's end, and the socket of somebody who has not read anything."""
    made: list[Watched] = []

    def build() -> Watched:
        made.append(Watched(make))
        return made[-1]

    factory = Factory.forProtocol(build)
    async with serving(factory) as port:
        with socket.socket() as peer:
            peer.setblocking(False)
            async with asyncio.timeout(LIMIT):
                loop = asyncio.get_running_loop()
                await loop.sock_connect(peer, ("127.0.0.1", port))
                await loop.sock_sendall(peer, b"!")
                await loop.sock_recv(peer, 1)
                yield made[0], peer


async def test_who_does_not_read_is_not_read() -> None:
    """Nothing that they are sent is lost, when they read after all."""
    loop = asyncio.get_running_loop()
    said = bytes(range(97, 123)) * 100_000
    async with watched(Verbose) as (server, peer):
        sending = asyncio.ensure_future(loop.sock_sendall(peer, said))
        await server.stalled.wait()
        # A pause of the protocol's own goes on beyond it.
        server.pauseProducing()
        server.resumeProducing()
        heard = bytearray()
        while len(heard) < 10 * len(said) + 9:
            heard += await loop.sock_recv(peer, 1 << 20)
        await sending
    assert heard == b"!" * 9 + b"".join(bytes([key]) * 10 for key in said)
    assert server.largest < len(heard) / 2


async def test_who_does_not_read_what_comes_by_itself_is_hung_up_on() -> None:
    async with watched(Verbose) as (server, _):
        with capturedLogs() as events:
            while not server.ended.done():
                server.write(b"news\n" * 10_000)
                await asyncio.sleep(0)
        assert server.largest < 2 * server._MAX_UNREAD
        assert server.ended.result().check(ConnectionAborted)
    (event,) = events
    assert "has not read the last 1048576 bytes: hanging up" in formatEvent(event)


async def test_twisted_negotiates_with_us() -> None:
    """Our server, and Twisted's telnet as the client, each asking the other."""
    theirs: Any = pytest.importorskip("twisted.conch.telnet")
    make_theirs: Any = theirs.TelnetTransport

    class Ours(TelnetProtocol):
        def connectionMade(self) -> None:
            agreed.append(self.transport.do(b"\x1f"))
            agreed.append(self.transport.will(b"\x01"))
            agreed.append(self.transport.do(b"\x63"))
            greeted.set()

        def enableLocal(self, option: bytes) -> bool:
            return option == b"\x01"

        def enableRemote(self, option: bytes) -> bool:
            return option == b"\x1f"

        def unhandledSubnegotiation(self, command: bytes, data: list[bytes]) -> None:
            sizes.append((command, b"".join(data)))
            self.transport.write(b"done \xff\n")

    class Theirs(theirs.TelnetProtocol):  # type: ignore[misc]
        def enableLocal(self, option: bytes) -> bool:
            return option == b"\x1f"

        def enableRemote(self, option: bytes) -> bool:
            return option == b"\x01"

        def dataReceived(self, data: bytes) -> None:
            got.append(data)
            if b"\n" in data:
                finished.set()

    class Link(Protocol):
        def connectionMade(self) -> None:
            client.makeConnection(self.transport)

        def dataReceived(self, data: bytes) -> None:
            client.dataReceived(data)

    agreed: list[Any] = []
    sizes: list[Any] = []
    got: list[bytes] = []
    greeted, finished = asyncio.Event(), asyncio.Event()
    client: Any = make_theirs(Theirs)
    async with serving(lambda: TelnetTransport(Ours)) as port:
        link = await ClientCreator(reactor, Link).connectTCP("127.0.0.1", port)
        async with asyncio.timeout(LIMIT):
            await greeted.wait()
            assert await agreed[0] is True
            assert await agreed[1] is True
            with pytest.raises(OptionRefused):
                await agreed[2]
            client.requestNegotiation(b"\x1f", b"\0\xff\0\x18")
            await finished.wait()
        assert sizes == [(b"\x1f", b"\0\xff\0\x18")]
        assert b"".join(got) == b"done \xff\n"
        link.transport.loseConnection()


async def test_telnetlib3_logs_in_and_negotiates() -> None:
    """It does not acknowledge that the echo is its own again; and tells its size."""
    telnetlib3 = pytest.importorskip("telnetlib3")
    build, realm = login(lambda: TelnetBootstrapProtocol(Keys))
    async with serving(build) as port, asyncio.timeout(LIMIT):
        reader, writer = await telnetlib3.open_connection(
            "127.0.0.1", port, encoding="utf8", cols=100, rows=30, connect_minwait=0.01
        )

        seen = ""

        async def expect(what: str) -> None:
            nonlocal seen
            while what not in seen:
                more = await reader.read(1000)
                assert more, seen
                seen += more
            seen = seen.partition(what)[2]

        await expect("Username: ")
        writer.write("alice\r\n")
        await expect("Password: ")
        writer.write("wonder\r\n")
        await expect("Ready.")
        await expect("size 100 30")
        writer.write("xy")
        await expect("<120><121>")
        writer.close()
    assert realm.logouts == 1
