"""Our client, with vsftpd, with our own server, and with servers that are wicked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reactorlib.internet.address import IPv4Address
from reactorlib.internet.defer import CancelledError, Deferred
from reactorlib.internet.error import CannotListenError
from reactorlib.internet.protocol import Protocol
from reactorlib.internet.testing import StringTransport
from reactorlib.protocols import ftp
from reactorlib.protocols.ftp import _client
from reactorlib.python.failure import Failure

from ._peers import LIMIT, Site, connect, vsftpd

pytestmark = pytest.mark.timeout(60)

BIG = bytes(range(256)) * 8000


class Collect(Protocol):
    """Keeps what comes."""

    def __init__(self) -> None:
        self.data = b""
        self.lost: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = reason


async def talk(client: ftp.FTPClient) -> None:
    """All that a client does."""
    async with asyncio.timeout(LIMIT):
        ready, stored = client.storeFile("big")
        sender = await ready
        sender.write(BIG)
        sender.finish()
        await stored

        got = Collect()
        await client.retrieveFile("big", got)
        assert got.data == BIG
        assert got.lost is not None
        rest = Collect()
        await client.retrieveFile("big", rest, offset=1_000_000)
        assert rest.data == BIG[1_000_000:]

        ready, stored = client.storeFile("big", offset=100)
        sender = await ready
        sender.write(b"tail")
        sender.finish()
        await stored

        await client.makeDirectory("dir")
        await client.rename("big", "dir/b g")
        base = (await client.getDirectory()).rstrip("/")
        await client.cwd("dir")
        assert await client.getDirectory() == f"{base}/dir"
        files = ftp.FTPFileListProtocol()
        await client.list(".", files)
        (entry,) = [f for f in files.files if f["filename"] == "b g"]
        assert entry["filetype"] == "-"
        names = Collect()
        await client.nlst("", names)
        assert names.data == b"b g\r\n"
        await client.cdup()
        for refused in (
            client.retrieveFile("nothing", Collect()),
            client.removeDirectory("dir"),
            client.removeFile("nothing"),
            client.rename("nothing", "x"),
            client.cwd("nothing"),
        ):
            with pytest.raises(ftp.CommandFailed):
                await refused
        await client.removeFile("dir/b g")
        await client.removeDirectory("dir")
        lines = await client.quit()
        assert lines[-1].startswith("221")
    client.transport.loseConnection()


@pytest.mark.parametrize("passive", [1, 0])
async def test_with_our_server(tmp_path: Path, passive: int) -> None:
    site = Site(tmp_path)
    try:
        await talk(await site.client("alice", "wonder", passive=passive))
    finally:
        await site.close()


async def test_with_our_server_by_ipv6(tmp_path: Path) -> None:
    try:
        site = Site(tmp_path, "::1")
    except OSError:
        pytest.skip("there is no IPv6 here")
    try:
        for passive in (1, 0):
            await talk(await site.client("alice", "wonder", passive=passive))
    finally:
        await site.close()


@pytest.mark.parametrize("passive", [1, 0])
async def test_with_vsftpd(tmp_path: Path, passive: int) -> None:
    async with vsftpd(tmp_path) as port:
        await talk(await connect("127.0.0.1", port, passive=passive))


class Watch(Protocol):
    """Says when something has come, and when nothing will any more."""

    def __init__(self) -> None:
        self.came: Deferred[None] = Deferred()
        self.gone: Deferred[None] = Deferred()
        self.error: Exception | None = None
        self.size = 0

    def dataReceived(self, data: bytes) -> None:
        self.size += len(data)
        if not self.came.called:
            self.came.callback(None)

    def connectionLost(self, reason: Any = None) -> None:
        self.gone.callback(None)
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("passive", [1, 0])
async def test_a_download_that_is_cancelled_is_closed(tmp_path: Path, passive: int) -> None:
    site = Site(tmp_path)
    try:
        with open(site.home / "huge", "wb") as file:
            file.truncate(1 << 30)
        client = await site.client("alice", "wonder", passive=passive)
        watch = Watch()
        async with asyncio.timeout(LIMIT):
            done = client.retrieveFile("huge", watch)
            await watch.came
            done.cancel()
            with pytest.raises(CancelledError):
                await done
            await watch.gone
            assert watch.size < 1 << 30
            assert await client.getDirectory() == "/"
        client.transport.loseConnection()
    finally:
        await site.close()


@pytest.mark.parametrize("passive", [1, 0])
async def test_an_error_at_the_end_of_a_download_does_not_hold_it_up(
    tmp_path: Path, passive: int, errors: Any
) -> None:
    """It is reported, as any error in `connectionLost`."""
    site = Site(tmp_path)
    try:
        (site.home / "f").write_bytes(b"content")
        client = await site.client("alice", "wonder", passive=passive)
        watch = Watch()
        watch.error = ZeroDivisionError()
        async with asyncio.timeout(LIMIT):
            await client.retrieveFile("f", watch)
            assert await client.getDirectory() == "/"
        assert errors.take() == [watch.error]
        client.transport.loseConnection()
    finally:
        await site.close()


class Script:
    """A server that says what it is told to."""

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self.answers = answers
        self.heard: list[bytes] = []
        self.clients: list[ftp.FTPClient] = []
        self.talks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Script:
        self.server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def client(self) -> ftp.FTPClient:
        client = await connect("127.0.0.1", self.port)
        self.clients.append(client)
        return client

    async def __aexit__(self, *_: object) -> None:
        for client in self.clients:
            client.transport.loseConnection()
        async with asyncio.timeout(LIMIT):
            await asyncio.gather(*self.talks)
        self.server.close()
        await self.server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.talks.append(task)
        try:
            await self._say(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _say(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        while line := await reader.readline():
            self.heard.append(line.rstrip())
            answer = self.answers.get(line.split()[0], b"200 fine")
            if answer == b"hang up":
                break
            writer.write(answer + b"\r\n")
            await writer.drain()


async def test_the_server_does_not_choose_whom_we_connect_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A reply to PASV that names a third host leads to the server all the same."""
    async with Script({b"PASV": b"227 (10,1,2,3,0,9)", b"RETR": b"550 no"}) as script:
        client = await script.client()
        hosts: list[Any] = []
        monkeypatch.setattr(client, "connectFactory", lambda *where: hosts.append(where[:2]))
        with pytest.raises(ftp.CommandFailed):
            await client.retrieveFile("f", Collect())
        assert hosts == [("127.0.0.1", 9)]


@pytest.mark.parametrize("answer", [b"227 nonsense", b"227 (1,2,3,4,5,256)", b"500 no"])
async def test_no_data_connection(answer: bytes) -> None:
    """The transfer fails, and is not asked for; the client goes on."""
    async with Script({b"PASV": answer, b"PWD": b'257 "/x"'}) as script:
        client = await script.client()
        with pytest.raises((ValueError, ftp.CommandFailed)):
            await client.retrieveFile("f", Collect())
        assert await client.getDirectory() == "/x"
        assert b"RETR f" not in script.heard


async def test_what_is_asked_fails_when_the_server_hangs_up() -> None:
    async with Script({b"CWD": b"hang up"}) as script:
        client = await script.client()
        first, second = client.cwd("a"), client.cwd("b")
        for d in (first, second):
            with pytest.raises(ftp.ConnectionLost):
                await d
        with pytest.raises(ftp.ConnectionLost):
            await client.pwd()


async def test_a_reply_without_an_end() -> None:
    async with Script({b"CWD": b"250-x\r\n" * 20_000}) as script:
        client = await script.client()
        with pytest.raises(ftp.ConnectionLost):
            await client.cwd("a")


async def test_a_command_is_one_line() -> None:
    async with Script({}) as script:
        client = await script.client()
        with pytest.raises(ValueError, match="one line"):
            client.queueStringCommand("CWD a\r\nDELE b")
        with pytest.raises(ValueError, match="one line"):
            ftp.FTPClient("alice", "x\r\nDELE b")
        await client.cwd("a\nb")
        assert script.heard[-1] == b"CWD a\0b"


async def test_no_password_where_none_is_asked_for() -> None:
    async with Script({b"USER": b"230 come in"}) as script:
        client = await script.client()
        await client.cwd("x")
        assert script.heard == [b"USER anonymous", b"TYPE I", b"CWD x"]


@pytest.mark.parametrize(
    ("line", "name", "target"),
    [
        ("-rw-r--r--   1 root     other        531 Jan 29 03:26 README", "README", None),
        ("lrwxrwxrwx   1 root     other          1 Jan 29 2003 a b -> c/d e\r", "a b", "c/d e"),
        ("drwxr-xr-x   2 0        0           4096 Feb  1 10:00  two", " two", None),
        ("-rw-r--r-- 1 u g 1 Jan 01 2020 a\\ b", "a b", None),
        ("total 8", None, None),
        ("", None, None),
    ],
)
def test_a_line_of_a_listing(line: str, name: str | None, target: str | None) -> None:
    entry = ftp.FTPFileListProtocol().parseDirectoryLine(line)
    if name is None:
        assert entry is None
    else:
        assert entry is not None
        assert (entry["filename"], entry["linktarget"]) == (name, target)


def logged_in(passive: int = 1) -> tuple[ftp.FTPClient, StringTransport]:
    """A client that has nothing to do, and what it writes from here on."""
    client = ftp.FTPClient("alice", "wonder", passive=passive)
    transport = StringTransport(
        IPv4Address("TCP", "127.0.0.1", 5000), IPv4Address("TCP", "127.0.0.1", 21)
    )
    client.makeConnection(transport)
    client.dataReceived(b"220 hello\r\n331 and the password\r\n230 come in\r\n200 fine\r\n")
    transport.clear()
    return client, transport


#: Each method, with what cannot be sent somewhere in it.
UNSENDABLE: dict[str, Callable[[ftp.FTPClient], object]] = {
    "a command": lambda client: client.queueStringCommand("SITE \u65e5"),
    "a directory": lambda client: client.makeDirectory("\u65e5\u672c"),
    "a download": lambda client: client.retrieveFile("\u65e5", Collect()),
    "a download, resumed": lambda client: client.retrieveFile("a\rb", Collect(), offset=5),
    "an upload": lambda client: client.storeFile("a\rb"),
    "a listing": lambda client: client.list("\u65e5", Collect()),
    "the first of two names": lambda client: client.rename("a\rb", "c"),
    "the second of two names": lambda client: client.rename("a", "\u65e5"),
    "a name to log in by": lambda client: client.queueLogin("\u65e5", "x"),
    "a password": lambda client: client.queueLogin("alice", "\u65e5"),
}


@pytest.mark.parametrize("passive", [1, 0])
@pytest.mark.parametrize("ask", UNSENDABLE.values(), ids=list(UNSENDABLE))
def test_of_what_cannot_be_sent_nothing_is(
    ask: Callable[[ftp.FTPClient], object], passive: int
) -> None:
    """Nor does it cost the connection, or what else is asked for."""
    client, transport = logged_in(passive)
    with pytest.raises(ValueError, match=r"one line|latin-1"):
        ask(client)
    assert transport.value() == b""
    first = client.getDirectory()
    with pytest.raises(ValueError, match=r"one line|latin-1"):
        ask(client)  # while another is under way
    second = client.getDirectory()
    client.dataReceived(b'257 "/a"\r\n257 "/b"\r\n')
    assert (outcome(first), outcome(second)) == ("/a", "/b")
    assert transport.value() == b"PWD\r\nPWD\r\n"
    assert not transport.disconnecting


async def test_a_name_in_utf_8_is_given_as_the_error_says(tmp_path: Path) -> None:
    site = Site(tmp_path)
    try:
        client = await site.client("alice", "wonder")
        async with asyncio.timeout(LIMIT):
            with pytest.raises(ValueError, match=r'text.encode\(\).decode\("latin-1"\)'):
                client.makeDirectory("\u65e5\u672c")
            await client.makeDirectory("\u65e5\u672c".encode().decode("latin-1"))
        assert (site.home / "\u65e5\u672c").is_dir()
        client.transport.loseConnection()
    finally:
        await site.close()


def outcome(deferred: Deferred[Any]) -> Any:
    """What a Deferred has, or the type of its failure; it must have fired."""
    got: list[Any] = []
    deferred.addCallbacks(got.append, lambda failure: got.append(failure.type))
    (result,) = got
    return result


def test_an_error_about_a_password_does_not_say_it() -> None:
    client, _ = logged_in()
    with pytest.raises(ValueError, match="PASS") as caught:
        client.queueLogin("alice", "secret\u65e5")
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize("upload", [False, True])
def test_a_client_that_cannot_listen(
    monkeypatch: pytest.MonkeyPatch, busy: bool, upload: bool
) -> None:
    """In active mode that transfer fails, and is not asked for; the client goes on."""

    def refuse(*_: object, **__: object) -> None:
        raise CannotListenError("127.0.0.1", 0, OSError(24, "too many open files"))

    client, transport = logged_in(passive=0)
    monkeypatch.setattr(_client, "_reactor", SimpleNamespace(listenTCP=refuse))
    before = [client.getDirectory()] if busy else []
    done = client.storeFile("f") if upload else (client.retrieveFile("f", Collect(), offset=5),)
    told: list[Deferred[str]] = []

    def ask_again(failure: Failure) -> Failure:
        told.append(client.getDirectory())
        return failure

    done[-1].addErrback(ask_again)
    after = client.getDirectory()
    client.dataReceived(b'257 "/"\r\n' * (2 + busy))
    assert [outcome(d) for d in (*before, *told, after)] == ["/"] * (2 + busy)
    assert [outcome(d) for d in done] == [CannotListenError] * len(done)
    assert transport.value() == b"PWD\r\n" * (2 + busy)


@pytest.mark.parametrize("passive", [1, 0])
def test_a_transfer_taken_back_before_its_turn_is_not_asked_for(passive: int) -> None:
    client, transport = logged_in(passive)
    first = client.getDirectory()
    done = client.retrieveFile("f", Collect())
    done.cancel()
    second = client.getDirectory()
    client.dataReceived(b'257 "/a"\r\n257 "/b"\r\n')
    assert [outcome(d) for d in (first, done, second)] == ["/a", CancelledError, "/b"]
    assert transport.value() == b"PWD\r\nPWD\r\n"
