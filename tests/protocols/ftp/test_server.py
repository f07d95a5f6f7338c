"""Our server, with the clients that people use: curl and lftp."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reactorlib.internet import reactor
from reactorlib.internet.defer import CancelledError, Deferred, succeed
from reactorlib.internet.protocol import Protocol
from reactorlib.internet.task import Clock
from reactorlib.internet.testing import StringTransport
from reactorlib.protocols import ftp
from reactorlib.protocols.ftp import _control

from ._peers import Raw, Site, run

pytestmark = pytest.mark.timeout(60)

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

#: More than the sockets hold.
BIG = bytes(range(256)) * 8000

MODES = {
    "EPSV": ["--ftp-pasv"],
    "PASV": ["--ftp-pasv", "--disable-epsv"],
    "EPRT": ["-P", "-"],
    "PORT": ["-P", "-", "--disable-eprt"],
}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    site = Site(tmp_path)
    yield site
    await site.close()


@pytest.fixture
async def raw(site: Site) -> AsyncIterator[Raw]:
    raw = await site.raw()
    yield raw
    await raw.close()


async def curl(*args: str, input: bytes = b"") -> bytes:
    status, out, err = await run("curl", "-sS", "-m", "15", *args, input=input)
    assert status == 0, err
    return out


@pytest.mark.parametrize("mode", MODES)
async def test_curl_downloads_lists_and_uploads(site: Site, mode: str) -> None:
    (site.home / "big").write_bytes(BIG)
    (site.home / "n\u00e9 w").mkdir()
    how = MODES[mode]
    assert await curl(*how, f"{site.url}/big") == BIG
    names = (await curl(*how, "-l", f"{site.url}/")).decode().splitlines()
    assert sorted(names) == ["big", "n\u00e9 w"]
    listing = (await curl(*how, f"{site.url}/")).decode()
    assert f" {len(BIG)} " in listing
    assert "drwx" in listing
    await curl(*how, "-T", "-", f"{site.url}/n%C3%A9%20w/up", input=BIG)
    assert (site.home / "n\u00e9 w" / "up").read_bytes() == BIG


async def test_curl_resumes(site: Site) -> None:
    (site.home / "big").write_bytes(BIG)
    assert await curl("-C", "1000000", f"{site.url}/big") == BIG[1000000:]
    part = site.home.parent / "part"
    part.write_bytes(BIG)
    (site.home / "up").write_bytes(BIG[:1000])
    # It asks for the size, and appends what is missing.
    await curl("-C", "-", "-T", str(part), f"{site.url}/up")
    assert (site.home / "up").read_bytes() == BIG


async def test_curl_by_ipv6(tmp_path: Path) -> None:
    try:
        site = Site(tmp_path, "::1")
    except OSError:
        pytest.skip("there is no IPv6 here")
    try:
        (site.home / "f").write_bytes(BIG)
        for how in (["--ftp-pasv"], ["-P", "-"]):
            assert await curl(*how, f"{site.url}/f") == BIG
        raw = await site.raw()
        await raw.login()
        assert (await raw("PASV")).startswith("502 ")
        await raw.close()
    finally:
        await site.close()


async def test_curl_and_other_commands(site: Site) -> None:
    (site.home / "f").write_bytes(b"x")
    args = [
        arg
        for command in ("MKD d/e", "RNFR f", "RNTO d/g", "CWD d", "RMD e")
        for arg in ("-Q", command)
    ]
    await curl(*args, f"{site.url}/")
    assert (site.home / "d" / "g").exists()
    assert not (site.home / "d" / "e").exists()
    head = await curl("-I", f"{site.url}/d/g")
    assert b"Content-Length: 1" in head
    assert b"Last-Modified" in head


async def test_text_has_the_line_ends_of_each_side(site: Site, raw: Raw) -> None:
    """RFC 959 section 3.1.1.1: CRLF on the wire."""
    (site.home / "t").write_bytes(b"a\nb\n")
    await raw.login()
    assert (await raw("TYPE A")).startswith("200 ")
    host, port = ftp.decodeHostPort((await opened(raw, "PASV"))[4:])
    reader, writer = await asyncio.open_connection(host, port)
    assert (await raw("RETR t")).startswith("125 ")
    assert await reader.read() == b"a\r\nb\r\n"
    writer.close()
    assert (await raw.read()).startswith("226 ")
    host, port = ftp.decodeHostPort((await opened(raw, "PASV"))[4:])
    _, writer = await asyncio.open_connection(host, port)
    assert (await raw("STOR u")).startswith("125 ")
    for piece in (b"a\r", b"\nb\rc", b"\r\n", b"\r"):
        writer.write(piece)
        await writer.drain()
    writer.close()
    assert (await raw.read()).startswith("226 ")
    assert (site.home / "u").read_bytes() == b"a\nb\rc\n\r"


async def test_curl_without_a_name(site: Site) -> None:
    (site.public / "f").write_bytes(b"for all")
    anonymous = f"ftp://127.0.0.1:{site.number}"
    assert await curl(f"{anonymous}/f") == b"for all"
    status, _, err = await run("curl", "-sS", "-T", "-", f"{anonymous}/g", input=b"x")
    assert status == 25, err  # "upload failed"
    assert not (site.public / "g").exists()


@pytest.mark.parametrize("passive", ["on", "off"])
async def test_lftp(site: Site, tmp_path: Path, passive: str) -> None:
    (site.home / "d").mkdir()
    (site.home / "d" / "one").write_bytes(BIG)
    (site.home / "d" / "two w\u00f6").write_bytes(b"2")
    (tmp_path / "part").write_bytes(BIG)
    (site.home / "part").write_bytes(BIG[:123456])
    script = (
        f"set net:max-retries 1; set ftp:passive-mode {passive}; set ssl:verify-certificate no; "
        f"set ftp:ssl-allow no; set cmd:fail-exit yes; open {site.url}; "
        f"mirror d {tmp_path}/copy; put -c {tmp_path}/part -o part; "
        f"mv part d/moved; cls -1 d; rm d/one; mkdir new; rmdir new; bye"
    )
    status, out, err = await run("lftp", "-c", script)
    assert status == 0, err
    assert out.decode().split("\n") == ["d/moved", "d/one", "d/two w\u00f6", ""]
    assert (tmp_path / "copy" / "one").read_bytes() == BIG
    assert (tmp_path / "copy" / "two w\u00f6").read_bytes() == b"2"
    assert (site.home / "d" / "moved").read_bytes() == BIG
    assert not (site.home / "d" / "one").exists()


async def test_no_path_leads_out(site: Site, raw: Raw) -> None:
    secret = site.home.parent / "secret"
    secret.write_bytes(b"x")
    os.symlink(site.home.parent, site.home / "up")
    os.symlink(secret, site.home / "link")
    os.symlink("inside", site.home / "fine")
    (site.home / "inside").write_bytes(b"ok")
    await raw.login()
    for path in ("../secret", "/../secret", "up/secret", "link", "a/../../secret", "x\0y"):
        for command in ("SIZE", "DELE", "MDTM"):
            answer = await raw(f"{command} {path}")
            assert answer[0] in "45", (command, path, answer)
    for command in ("CWD ..", "CWD up", "RMD /", "MKD ../x", "DELE /", "CDUP"):
        answer = await raw(command)
        assert answer[0] in "45", (command, answer)
    assert (await raw("SIZE fine")) == "213 2"
    assert (await raw("PWD")) == '257 "/"'
    assert secret.read_bytes() == b"x"


async def test_no_connection_to_others(raw: Raw) -> None:
    """RFC 2577 section 3: neither to a third host, nor to a service."""
    await raw.login()
    for command in (
        "PORT 10,1,2,3,200,1",
        "PORT 127,0,0,1,0,22",
        "EPRT |1|10.1.2.3|50000|",
        "EPRT |1|127.0.0.1|25|",
        "EPRT |2|2001:db8::1|50000|",
        "EPRT |1|nonsense|50000|",
    ):
        assert (await raw(command)).startswith("504 "), command
    for command in ("PORT 1,2,3", "PORT 1,2,3,4,5,256", "EPRT |1|127.0.0.1|99999|", "EPRT "):
        assert (await raw(command)).startswith("501 "), command


async def test_logins_are_limited(raw: Raw) -> None:
    """RFC 2577 section 5."""
    for _ in range(4):
        assert (await raw.login(password="x")).startswith("530 ")
    assert (await raw.login(password="x")).startswith("530 ")
    assert await raw.read() == ""


async def test_names_of_users_lead_nowhere(site: Site) -> None:
    for name in ("..", ".", "../alice", "a/b"):
        for checker in site.factory.portal.checkers.values():
            getattr(checker, "addUser", lambda *_: None)(name, "x")
        raw = await site.raw()
        assert (await raw.login(name, "x")).startswith("530 "), name
        await raw.close()


async def test_lines_are_limited(raw: Raw) -> None:
    assert (await raw("NOOP " + "x" * 100_000)).startswith("500 ")
    assert await raw.read() == ""


async def test_answers_stay_on_their_lines(site: Site, raw: Raw) -> None:
    await raw.login()
    assert await raw("SIZE a\nb\rc") == "550 a?b?c: No such file or directory."
    assert await raw('MKD q"q') == '257 "q""q" created'
    assert await raw('CWD q"q') == "250 Requested File Action Completed OK"
    assert await raw("PWD") == '257 "/q""q"'
    (site.home / 'q"q' / "x\r\n226 y").write_bytes(b"")
    listing = await curl("-l", f"{site.url}/q%22q/")
    assert listing.splitlines() == [b"x??226 y"]


async def test_names_that_are_no_text(site: Site, raw: Raw) -> None:
    name = os.fsencode(site.home) + b"/\xe9\xff\xff"
    Path(os.fsdecode(name)).write_bytes(b"12")
    await raw.login()
    assert await raw(b"SIZE \xe9\xff\xff") == "213 2"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("", "502 "),
        ("XYZZY", "502 "),
        ("__class__", "502 "),
        ("TYPE", "500 "),
        ("TYPE ", "504 "),
        ("TYPE E", "504 "),
        ("TYPE A N", "200 "),
        ("PWD x", "501 "),
        ("RNTO x", "503 "),
        ("RETR x", "503 "),
        ("REST x", "501 "),
        ("REST 5", "350 "),
        ("STRU F", "200 "),
        ("MODE B", "504 "),
        ("OPTS UTF8 ON", "200 "),
        ("ALLO 5", "202 "),
        ("ABOR", "226 "),
        ("noop", "200 "),
        ("EPSV 3", "522 "),
        ("SYST", "215 "),
    ],
)
async def test_answers(raw: Raw, command: str, answer: str) -> None:
    await raw.login()
    assert (await raw(command)).startswith(answer)


async def test_commands_wait_for_each_other(raw: Raw) -> None:
    await raw.login()
    raw.writer.write(b"NOOP\r\nMKD d\r\nCWD d\r\nPWD\r\n" + b"NOOP\r\n" * 500)
    answers = [await raw.read() for _ in range(504)]
    assert answers[3] == '257 "/d"'
    assert set(answers[4:]) == {"200 Command OK"}


async def test_a_transfer_is_aborted(site: Site, raw: Raw) -> None:
    """RFC 959 section 4.1.3: 426 for the transfer, 226 for ABOR."""
    with open(site.home / "huge", "wb") as file:
        file.truncate(1 << 30)
    await raw.login()
    host, port = ftp.decodeHostPort((await opened(raw, "PASV"))[4:])
    reader, writer = await asyncio.open_connection(host, port)
    assert (await raw("RETR huge")).startswith("125 ")
    await reader.readexactly(100_000)
    assert (await raw(b"\xff\xf4\xff\xf2ABOR")).startswith("426 ")
    assert (await raw.read()).startswith("226 ")
    assert await raw("NOOP") == "200 Command OK"
    writer.close()


async def opened(raw: Raw, command: str) -> str:
    answer = await raw(command)
    assert answer.startswith("22"), answer
    return answer


async def test_an_upload_that_breaks_is_not_complete(site: Site, raw: Raw) -> None:
    await raw.login()
    host, port = ftp.decodeHostPort((await opened(raw, "PASV"))[4:])
    _, writer = await asyncio.open_connection(host, port)
    assert (await raw("STOR f")).startswith("125 ")
    writer.write(b"half")
    writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    writer.transport.abort()
    assert (await raw.read()).startswith("426 ")


class Broken:
    """A file that takes everything, and cannot be ended."""

    def __init__(self) -> None:
        self.closed = False

    async def receive(self) -> Broken:
        return self

    async def close(self) -> None:
        self.closed = True

    def registerProducer(self, producer: object, streaming: bool) -> None:
        pass

    def write(self, data: bytes) -> None:
        pass

    def unregisterProducer(self) -> None:
        raise ZeroDivisionError("the consumer's own")


@pytest.mark.parametrize("kind", ["I", "A"])
async def test_an_upload_that_cannot_be_ended_does_not_hold_up_the_rest(
    site: Site, raw: Raw, errors: Any, kind: str
) -> None:
    await raw.login()
    assert (await raw(f"TYPE {kind}")).startswith("200 ")
    file = Broken()
    site.served[-1].shell.openForWriting = lambda _: succeed(file)
    host, port = ftp.decodeHostPort((await opened(raw, "PASV"))[4:])
    _, writer = await asyncio.open_connection(host, port)
    assert (await raw("STOR f")).startswith("125 ")
    writer.write(b"content")
    writer.close()
    assert (await raw.read()).startswith("426 ")
    assert await raw("NOOP") == "200 Command OK"
    assert file.closed
    (error,) = errors.take()
    assert isinstance(error, ZeroDivisionError)


@pytest.mark.parametrize("cancelled", [False, True])
def test_the_end_of_a_data_connection_is_always_told(cancelled: bool) -> None:
    """Whatever the consumer does, and if nobody waits for it any more."""
    connection = ftp.DTP()
    connection.factory = ftp.DTPFactory(connection)
    connection.makeConnection(StringTransport())
    got: list[object] = []
    done = connection.registerConsumer(Broken())
    done.addErrback(lambda failure: got.append(failure.type))
    if cancelled:
        done.cancel()
    connection.connectionLost()
    assert connection.gone.called
    assert got == [CancelledError if cancelled else ZeroDivisionError]


@pytest.mark.parametrize("then", ["PASV", "ABOR"])
async def test_a_data_connection_that_is_not_used_is_closed(
    site: Site, raw: Raw, then: str
) -> None:
    await raw.login()
    host, port = ftp.decodeHostPort((await opened(raw, "PASV"))[4:])
    reader, writer = await asyncio.open_connection(host, port)
    assert (await raw("NOOP")) == "200 Command OK"
    raw.writer.write(then.encode() + b"\r\n")
    async with asyncio.timeout(20):
        try:
            assert await reader.read() == b""
        except ConnectionResetError:
            pass  # as good an end
    writer.close()
    assert (await raw.read()).startswith("22")


async def test_who_does_not_read_costs_little(site: Site, raw: Raw) -> None:
    """A file is read as the client takes it, and not before."""
    with open(site.home / "huge", "wb") as file:
        file.truncate(1 << 30)
    await raw.login()
    host, port = ftp.decodeHostPort((await opened(raw, "PASV"))[4:])
    reader, writer = await asyncio.open_connection(host, port)
    assert (await raw("RETR huge")).startswith("125 ")
    await reader.readexactly(1)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < (1 << 20)  # KiB
    writer.transport.abort()
    assert (await raw.read()).startswith("426 ")


async def test_a_data_connection_is_waited_for_for_some_time(site: Site, raw: Raw) -> None:
    await raw.login()
    site.served[-1].dtpTimeout = 0.01
    raw.writer.write(b"PASV\r\nRETR f\r\nNOOP\r\n")
    answers = [await raw.read() for _ in range(3)]
    assert [answer[:3] for answer in answers] == ["227", "425", "200"]


@pytest.fixture
def door() -> Iterator[int]:
    """A port in use."""
    # EPSV listens at the addresses of both families.
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


@pytest.mark.parametrize("command", ["PASV", "EPSV"])
async def test_no_port_is_free(site: Site, raw: Raw, door: int, errors: Any, command: str) -> None:
    """It is said at once, and nothing else comes of it."""
    await raw.login()
    served = site.served[-1]
    served.passivePortRange = range(door, door + 1)
    assert await raw(command) == "425 Can't open data connection."
    # Nobody waits for a connection any more: neither a time limit nor ABOR ends the wait.
    assert served.dtpFactory is None
    assert await raw("ABOR") == "226 Abort successful"
    assert (await raw("RETR f")).startswith("503 ")
    served.passivePortRange = range(1)
    assert (await raw(command))[:3] == {"PASV": "227", "EPSV": "229"}[command]


async def test_a_client_is_told_that_no_port_is_free(site: Site, door: int) -> None:
    site.factory.passivePortRange = range(door, door + 1)
    client = await site.client("alice", "wonder")
    async with asyncio.timeout(20):
        with pytest.raises(ftp.CommandFailed, match="425"):
            await client.nlst("", Protocol())
        assert await client.getDirectory() == "/"
    client.transport.loseConnection()


async def test_what_listens_may_fail_otherwise(site: Site, raw: Raw, errors: Any) -> None:
    await raw.login()
    served = site.served[-1]
    served.listenFactory = lambda *_, **__: 1 / 0
    assert (await raw("PASV")).startswith("550 ")
    (error,) = errors.take()
    assert isinstance(error, ZeroDivisionError)
    assert served.dtpFactory is None
    assert await raw("ABOR") == "226 Abort successful"


async def test_a_transfer_that_stands_still_ends(site: Site, raw: Raw) -> None:
    await raw.login()
    site.served[-1].transferTimeout = 0.05
    host, port = ftp.decodeHostPort((await opened(raw, "PASV"))[4:])
    _, writer = await asyncio.open_connection(host, port)
    assert (await raw("STOR f")).startswith("125 ")
    assert (await raw.read()).startswith("426 ")
    writer.close()


async def test_a_client_that_says_nothing_is_told_to_go(site: Site) -> None:
    site.factory.timeOut = 0.01
    raw = await site.raw()
    assert (await raw.read()).startswith("421 ")
    assert await raw.read() == ""
    await raw.close()


async def deaf(site: Site) -> socket.socket:
    """Somebody who has read the greeting, and reads nothing more."""
    loop = asyncio.get_running_loop()
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", site.number))
    assert (await loop.sock_recv(client, 4096)).startswith(b"220 ")
    return client


def hung_up(site: Site) -> Deferred[None]:
    """Fires when the server has lost the last client, or let go of it."""
    gone: Deferred[None] = Deferred()
    served = site.served[-1]
    lost = served.connectionLost

    def connection_lost(reason: Any) -> None:
        lost(reason)
        gone.callback(None)

    served.connectionLost = connection_lost
    return gone


async def test_a_client_that_reads_nothing_is_hung_up_on(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has not read would else keep the connection for ever."""
    monkeypatch.setattr(_control, "_FAREWELL", 0.01)
    client = await deaf(site)
    gone = hung_up(site)
    served = site.served[-1]
    served.transport.write(bytes(1 << 24))  # more than the sockets hold
    served.setTimeout(0.01)
    async with asyncio.timeout(20):
        await gone
    client.close()


async def test_who_does_not_read_replies_gets_no_more_of_them(site: Site, raw: Raw) -> None:
    """What waits for such a client is bounded, and comes when it reads."""
    served = site.served[-1]
    served.FEATURES = ["x" * 1000] * 5
    paused: Deferred[None] = Deferred()
    pause = served.pauseProducing

    def pause_producing() -> None:
        pause()
        if not paused.called:
            paused.callback(None)

    served.pauseProducing = pause_producing
    raw.writer.write(b"FEAT\r\n" * 4000)  # the replies are more than the sockets hold
    async with asyncio.timeout(20):
        await paused
    assert served.paused
    raw.writer.write(b"NOOP\r\n" * 10)
    for _ in range(4000):
        assert await raw.read() == "211 End"
    for _ in range(10):
        assert (await raw.read()).startswith("530 ")
    assert not served.paused


def silent(limit: float | None = 600) -> tuple[ftp.FTP, StringTransport, Clock]:
    """A server's end, and the time that passes there."""
    clock = Clock()
    served = ftp.FTP()
    served.factory = ftp.FTPFactory()
    served.timeOut = limit
    served.callLater = clock.callLater  # type: ignore[assignment,method-assign]
    transport = StringTransport()
    served.makeConnection(transport)
    transport.clear()
    return served, transport, clock


def test_a_silent_client_has_some_time_to_go() -> None:
    served, transport, clock = silent()
    clock.advance(599)
    served.dataReceived(b"NOOP\r\n")
    transport.clear()
    clock.advance(599)
    assert not transport.disconnecting
    clock.advance(1)
    assert transport.value().startswith(b"421 ")
    assert transport.disconnecting
    clock.advance(5)
    served.dataReceived(b"NOOP\r\n")  # too late
    clock.advance(4)
    assert not transport.disconnected
    clock.advance(1)
    assert transport.disconnected
    served.connectionLost()
    assert clock.getDelayedCalls() == []
    assert transport.value().count(b"\r\n") == 1


@pytest.mark.parametrize("told", [False, True])
def test_of_a_client_that_goes_nothing_stays(told: bool) -> None:
    served, transport, clock = silent()
    if told:
        clock.advance(600)
    served.connectionLost()
    assert clock.getDelayedCalls() == []
    clock.advance(10)
    assert not transport.disconnected


async def test_there_may_be_too_many(site: Site, raw: Raw) -> None:
    site.factory.connectionLimit = 1
    reader, writer = await asyncio.open_connection("127.0.0.1", site.number)
    assert (await reader.read()).startswith(b"421 ")
    writer.close()


async def test_who_leaves_is_logged_out(site: Site) -> None:
    left: Deferred[None] = Deferred()
    realm = site.factory.portal.realm
    request = realm.requestAvatar

    def requested(*args: object) -> object:
        interface, avatar, _ = request(*args)
        return interface, avatar, lambda: left.callback(None)

    realm.requestAvatar = requested
    raw = await site.raw()
    await raw.login()
    await opened(raw, "PASV")
    await raw.close()
    await left
    assert site.served[-1].dtpPort is None


async def test_a_shell_of_coroutines(site: Site, raw: Raw) -> None:
    """An `IFTPShell` may be made of coroutine functions."""

    class Shell(ftp.FTPShell):
        async def stat(self, path: object, keys: object = ()) -> list[int]:  # type: ignore[override]
            await asyncio.sleep(0)
            return [42, 0]

    await raw.login()
    site.served[-1].shell = Shell(site.served[-1].shell.filesystemRoot)
    assert await raw("SIZE anything") == "213 42"


async def test_errors_of_a_shell_are_reported(site: Site, raw: Raw, errors: object) -> None:
    await raw.login()
    site.served[-1].shell.stat = lambda *_: 1 / 0
    assert (await raw("SIZE x")) == "550 Requested action not taken: internal server error"
    (error,) = errors.take()  # type: ignore[attr-defined]
    assert isinstance(error, ZeroDivisionError)


def test_on_a_loop_of_its_own(loop_factory: LoopFactory, tmp_path: Path) -> None:
    """`reactor.run()` serves as a loop that is there does."""
    got: list[bytes] = []

    async def main() -> None:
        site = Site(tmp_path)
        (site.home / "f").write_bytes(b"content")
        got.append(await curl(f"{site.url}/f"))
        reactor.stop()

    def start() -> None:
        from reactorlib.internet.defer import ensureDeferred

        ensureDeferred(main())

    reactor.callWhenRunning(start)
    reactor.run(installSignalHandlers=False, loop_factory=loop_factory)
    assert got == [b"content"]
