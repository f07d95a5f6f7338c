"""An inetd, with real programs and real sockets."""

from __future__ import annotations

import asyncio
import os
import pickle
import shutil
import socket
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reactorlib.internet import reactor
from reactorlib.internet.address import UNIXAddress
from reactorlib.internet.error import CannotListenError
from reactorlib.internet.task import Clock
from reactorlib.python.usage import UsageError
from reactorlib.runner import inetdtap
from reactorlib.runner._internal import DatagramService
from reactorlib.runner.inetd import InetdFactory, InetdServer, internalProtocols
from reactorlib.runner.inetdconf import InetdService

ME = str(os.getuid())

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def service(
    *argv: str,
    protocol: str = "tcp",
    kind: str = "stream",
    wait: bool = False,
    port: int | str = 0,
    user: str = ME,
) -> InetdService:
    made = InetdService("test", port, kind, protocol, wait, user, None, argv[0], argv)
    made.address = "127.0.0.1" if protocol in ("tcp", "udp") else ""
    return made


def python(script: str) -> tuple[str, ...]:
    return sys.executable, "-I", "-S", "-c", script


async def connect(server: Any) -> Streams:
    where = server.getHost()
    if isinstance(where, UNIXAddress):
        return await asyncio.open_unix_connection(os.fsdecode(where.name or b""))
    return await asyncio.open_connection(where.host, where.port)


async def ask(streams: Streams, data: bytes) -> bytes:
    """What comes until the end, having sent that and the end."""
    reader, writer = streams
    writer.write(data)
    writer.write_eof()
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    return answer


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for sockets."""
    path = Path(tempfile.mkdtemp(prefix="rl"))
    yield path
    shutil.rmtree(path)


# -- streams --------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["tcp", "tcp6", "unix"])
async def test_a_program_for_each_connection(protocol: str, folder: Path) -> None:
    port = str(folder / "s") if protocol == "unix" else 0
    server = InetdServer(service("/bin/cat", protocol=protocol, port=port))
    async with server:
        held = await connect(server)
        held[1].write(b"one\n")
        assert await held[0].readline() == b"one\n"
        assert await ask(await connect(server), b"two" * 100_000) == b"two" * 100_000
        assert await ask(held, b"more") == b"more"
    assert list(folder.iterdir()) == []
    with pytest.raises(RuntimeError):
        server.getHost()


async def test_its_error_output_is_the_connection_too() -> None:
    async with InetdServer(service("/bin/sh", "-c", "echo bad >&2")) as server:
        assert await ask(await connect(server), b"") == b"bad\n"


async def test_waiting_is_one_connection_after_another() -> None:
    async with InetdServer(service("/bin/cat", "-", wait=True)) as server:
        first, second = await connect(server), await connect(server)
        second[1].write(b"second")
        second[1].write_eof()
        first[1].write(b"first\n")
        assert await first[0].readline() == b"first\n"
        assert len(server.programs) == 1
        assert await ask(first, b"end") == b"end"
        assert await asyncio.wait_for(second[0].read(), 20) == b"second"
        second[1].close()


ACCEPTS = """
import socket
listener = socket.socket(fileno=0)
for _ in range(2):
    connection, _ = listener.accept()
    connection.sendall(b"accepted by the program")
    connection.close()
"""


async def test_a_program_that_accepts_itself() -> None:
    async with InetdServer(service(*python(ACCEPTS), wait=True), listener=True) as server:
        for _ in range(4):  # two programs
            assert await ask(await connect(server), b"") == b"accepted by the program"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can run programs as somebody else")
async def test_a_program_runs_as_the_user() -> None:
    async with InetdServer(service("/usr/bin/id", "-un", user="nobody")) as server:
        assert await ask(await connect(server), b"") == b"nobody\n"


async def test_a_program_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    async with InetdServer(service("/no/such/program")) as server:
        assert await ask(await connect(server), b"") == b""
        assert await ask(await connect(server), b"") == b""
    assert "test (tcp): /no/such/program cannot be run" in caplog.text


async def test_a_program_goes_on_when_the_service_has_stopped() -> None:
    server = InetdServer(service("/bin/cat"))
    async with server:
        held = await connect(server)
        held[1].write(b"one\n")
        assert await held[0].readline() == b"one\n"
    assert await ask(held, b"two") == b"two"


async def test_grace_waits_for_programs() -> None:
    server = InetdServer(service("/bin/cat"))
    await start(server)
    held = await connect(server)
    held[1].write(b"one\n")
    assert await held[0].readline() == b"one\n"
    stopping = server.stopService(grace=30)
    assert not stopping.called
    assert await ask(held, b"two") == b"two"
    await asyncio.wait_for(stopping, 20)
    assert server.programs == {}


async def test_grace_ends() -> None:
    server = InetdServer(service("/bin/cat"))
    await start(server)
    held = await connect(server)
    held[1].write(b"one\n")
    assert await held[0].readline() == b"one\n"
    (program,) = server.programs.values()
    await asyncio.wait_for(server.stopService(grace=0.01), 20)
    assert await held[0].read() == b""  # by SIGTERM
    await program
    held[1].close()


async def start(server: InetdServer) -> None:
    server.privilegedStartService()
    server.startService()


class Timed(Clock):
    """Real programs, and no real time."""

    spawnProcess = staticmethod(lambda *args, **how: reactor.spawnProcess(*args, **how))
    addReader = staticmethod(lambda reader: reactor.addReader(reader))
    removeReader = staticmethod(lambda reader: reactor.removeReader(reader))


async def test_one_that_is_started_too_often_rests(caplog: pytest.LogCaptureFixture) -> None:
    clock = Timed()
    limited = service("/bin/cat")
    limited.rate = 2
    async with InetdServer(limited, reactor=clock) as server:
        for _ in range(2):
            assert await ask(await connect(server), b"x") == b"x"
        clock.advance(61)
        for _ in range(2):
            assert await ask(await connect(server), b"x") == b"x"
        assert await ask(await connect(server), b"") == b""
        assert "more than 2 times in a minute" in caplog.text
        waits = await connect(server)
        clock.advance(600)
        assert await ask(waits, b"x") == b"x"
        clock.advance(61)
        assert await ask(await connect(server), b"x") == b"x"


# -- datagrams ------------------------------------------------------------------

ANSWERS = """
import socket
sock = socket.socket(fileno=0)
data, peer = sock.recvfrom(100)
sock.sendto(data.upper(), peer)
"""


@pytest.mark.parametrize("protocol", ["udp", "udp6", "unix"])
async def test_a_program_for_datagrams(protocol: str, folder: Path) -> None:
    port = str(folder / "s") if protocol == "unix" else 0
    server = InetdServer(
        service(*python(ANSWERS), protocol=protocol, kind="dgram", wait=True, port=port)
    )
    loop = asyncio.get_running_loop()
    async with server:
        family = {"udp": socket.AF_INET, "udp6": socket.AF_INET6, "unix": socket.AF_UNIX}[protocol]
        with socket.socket(family, socket.SOCK_DGRAM) as mine:
            if protocol == "unix":
                mine.bind(str(folder / "mine"))
            mine.setblocking(False)
            where = server.getHost()
            if protocol == "unix":
                mine.connect(str(port))
            else:
                mine.connect(("::1" if protocol == "udp6" else where.host, where.port))
            for word in (b"one", b"two"):
                mine.send(word)
                async with asyncio.timeout(20):
                    assert await loop.sock_recv(mine, 100) == word.upper()


async def test_a_program_for_datagrams_that_is_not_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What nobody reads does not have it started for ever."""
    clock = Timed()
    there = asyncio.Event()

    def note(record: object) -> bool:
        there.set()
        return True

    caplog.handler.addFilter(note)
    server = InetdServer(
        service("/no/such", protocol="udp", kind="dgram", wait=True), reactor=clock
    )
    async with server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
            mine.sendto(b"x", ("127.0.0.1", server.getHost().port))
        await asyncio.wait_for(there.wait(), 20)
        assert len(clock.getDelayedCalls()) == 1
    assert clock.getDelayedCalls() == []


class Wire:
    """The transport of datagrams."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Any]] = []

    def write(self, data: bytes, addr: Any) -> None:
        self.sent.append((data, addr))


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("echo", lambda data: data == b"x"),
        ("chargen", lambda data: len(data) <= 512),
        ("daytime", lambda data: data.endswith(b"\r\n")),
        ("time", lambda data: struct.unpack("!I", data)[0] > 0),
        ("discard", None),
    ],
)
def test_internal_datagrams(name: str, answers: Any) -> None:
    protocol, wire = DatagramService(name), Wire()
    protocol.transport = wire
    peer = ("127.0.0.1", 40_000)
    protocol.datagramReceived(b"x", peer)
    assert [addr for _, addr in wire.sent] == ([peer] if answers else [])
    assert all(answers(data) for data, _ in wire.sent)


@pytest.mark.parametrize(
    "peer", [("127.0.0.1", 7), ("127.0.0.1", 1023), ("::1", 19, 0, 0), "", None]
)
def test_services_do_not_answer_services(peer: Any) -> None:
    """Or a datagram with a wrong sender has them talk for ever."""
    protocol, wire = DatagramService("echo"), Wire()
    protocol.transport = wire
    protocol.datagramReceived(b"x", peer)
    assert wire.sent == []


# -- sockets --------------------------------------------------------------------


async def test_a_path_in_use_and_one_left_behind(folder: Path) -> None:
    path = folder / "s"
    first = InetdServer(service("/bin/cat", protocol="unix", port=str(path)))
    async with first:
        second = InetdServer(service("/bin/cat", protocol="unix", port=str(path)))
        with pytest.raises(CannotListenError, match="lock"):
            second.privilegedStartService()
        assert await ask(await connect(first), b"x") == b"x"
    # A dead process has left its socket and its lock.
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    (folder / "s.lock").symlink_to(str(2**22 + 1))
    async with second:
        assert await ask(await connect(second), b"x") == b"x"


async def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = InetdServer(service("/bin/cat", port=taken.getsockname()[1]))
        with pytest.raises(CannotListenError):
            server.privilegedStartService()


def test_a_saved_service_has_no_socket() -> None:
    saved = pickle.loads(pickle.dumps(InetdServer(service("/bin/cat"), listener=True)))
    assert saved.service.program == "/bin/cat"
    assert saved.listener
    assert saved.programs == {}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
async def test_who_may_not_run_a_program_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    server = InetdServer(service("/bin/cat", user="nobody"))
    with pytest.raises(PermissionError, match="only root can run a program as 'nobody'"):
        server.privilegedStartService()


# -- the factory ----------------------------------------------------------------


async def test_a_factory_hands_connections_over(tmp_path: Path) -> None:
    """All that comes is the program's, from the first byte on."""
    factory = InetdFactory(service("/bin/sh", "-c", "echo noted >&2; exec cat"))
    with open(tmp_path / "errors", "wb") as errors:
        factory.stderrFile = errors
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        where = port.getHost()
        for _ in range(5):
            with socket.create_connection((where.host, where.port)) as sock:
                sock.sendall(b"early")
                streams = await asyncio.open_connection(sock=sock)
                assert await ask(streams, b" and late") == b"early and late"
        await port.stopListening()
    assert (tmp_path / "errors").read_text() == "noted\n" * 5


# -- the command line -------------------------------------------------------------


@pytest.fixture
def conf(tmp_path: Path) -> Any:
    """Writes an inetd.conf; the arguments that name it."""
    (tmp_path / "services").write_text(
        "".join(f"{name} 0/{kind}\n" for name in internalProtocols for kind in ("tcp", "udp"))
    )

    def write(*lines: str) -> list[str]:
        path = tmp_path / "inetd.conf"
        path.write_text("# services\n" + "\n".join(lines) + "\n")
        return ["--file", str(path), "--services", str(tmp_path / "services")]

    return write


def make(argv: list[str]) -> Any:
    options = inetdtap.Options()
    options.parseOptions(argv)
    return inetdtap.makeService(options)


async def test_an_inetd_conf(conf: Any) -> None:
    made = make(
        conf(
            *(f"127.0.0.1:{name} stream tcp nowait root internal" for name in ("echo", "time")),
            "127.0.0.1:echo dgram udp wait root internal",
            f"127.0.0.1:0 stream tcp nowait {ME} /bin/cat cat",
        )
    )
    echo, time, datagrams, cat = list(made)
    async with made:
        for server in (echo, cat):
            assert await ask(await connect(server), b"hello") == b"hello"
        assert len(await ask(await connect(time), b"")) == 4
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
            mine.setblocking(False)
            mine.connect(("127.0.0.1", datagrams.getHost().port))
            mine.send(b"hello")
            async with asyncio.timeout(20):
                assert await asyncio.get_running_loop().sock_recv(mine, 100) == b"hello"


@pytest.mark.skipif(shutil.which("nc") is None, reason="nc is not installed")
async def test_nc_at_the_other_end(conf: Any) -> None:
    made = make(conf(f"127.0.0.1:0 stream tcp wait {ME} /bin/cat -"))
    async with made:
        where = next(iter(made)).getHost()
        nc = await asyncio.create_subprocess_exec(
            *("nc", "-N", where.host, str(where.port)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        answer, _ = await asyncio.wait_for(nc.communicate(b"through nc\n"), 20)
        assert answer == b"through nc\n"


def test_internal_services_can_be_left_out(conf: Any) -> None:
    argv = conf("echo stream tcp nowait root internal", f"0 stream tcp nowait {ME} /bin/cat")
    assert len(list(make(argv))) == 2
    (only,) = list(make([*argv, "--nointernal", "--listener"]))
    assert isinstance(only, InetdServer)
    assert only.listener


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("echo stream tcp nowait root", r"inetd\.conf:2: it has 5 fields"),
        ("gopher stream tcp nowait root /bin/x", r"inetd\.conf:2: no port of 'gopher'"),
        ("0 stream tcp nowait nosuchuser /bin/x", r"inetd\.conf:2: 0 .*no user 'nosuchuser'"),
        ("0 stream tcp nowait root:nosuch /bin/x", r"inetd\.conf:2: 0 .*no group 'nosuch'"),
        ("0 stream tcp nowait root internal", r"inetd\.conf:2: 0 .*no such internal service"),
        ("/x dgram unix wait root internal", "no UNIX datagrams"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(conf: Any, line: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        make(conf(line))


def test_files_that_are_not_there(conf: Any) -> None:
    argv = conf()
    with pytest.raises(UsageError, match="/no/such cannot be read: No such file"):
        make(["--file", "/no/such"])
    with pytest.raises(UsageError, match="/no/such cannot be read"):
        make([*argv, "--services", "/no/such"])
    with pytest.warns(DeprecationWarning, match="--rpc"):
        assert list(make([*argv, "--rpc", "/etc/rpc"])) == []
