"""A server of ours, a server of others, and programs that are clients."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from reactorlib.cred.checkers import (
    AllowAnonymousAccess,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from reactorlib.cred.portal import Portal
from reactorlib.internet import reactor
from reactorlib.internet.protocol import ClientCreator
from reactorlib.protocols.ftp import FTPClient, FTPFactory, FTPRealm

#: How long anything may take, in seconds; far more than it does.
LIMIT = 20.0


class Site:
    """
    A server of ours.

    Attributes:
        public: what everybody sees.
        home: alice's directory.
    """

    def __init__(self, root: Path, interface: str = "127.0.0.1") -> None:
        self.public = root / "public"
        self.home = root / "home" / "alice"
        self.public.mkdir()
        self.home.mkdir(parents=True)
        users = InMemoryUsernamePasswordDatabaseDontUse(alice=b"wonder")
        portal = Portal(FTPRealm(self.public, root / "home"), [users, AllowAnonymousAccess()])
        self.factory = FTPFactory(portal)
        self.factory.noisy = False
        self.served: list[Any] = []
        build = self.factory.buildProtocol

        def remember(addr: Any) -> Any:
            wrapper = build(addr)
            self.served.append(wrapper.wrappedProtocol)
            return wrapper

        self.factory.buildProtocol = remember  # type: ignore[method-assign]
        self.port = reactor.listenTCP(0, self.factory, interface=interface)
        self.number = self.port.getHost().port
        host = f"[{interface}]" if ":" in interface else interface
        self.interface = interface
        self.url = f"ftp://alice:wonder@{host}:{self.number}"

    async def client(self, *args: Any, **kwargs: Any) -> FTPClient:
        """A client of ours."""
        return await connect(self.interface, self.number, *args, **kwargs)

    async def raw(self) -> Raw:
        """Somebody who types commands."""
        raw = Raw(*await asyncio.open_connection(self.interface, self.number))
        assert (await raw.read()).startswith("220 ")
        return raw

    async def close(self) -> None:
        async with asyncio.timeout(LIMIT):
            await self.port.stopListening()
            async with reactor:
                pass


class Raw:
    """A control connection by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def read(self) -> str:
        """The last line of the next reply; empty when the server has hung up."""
        async with asyncio.timeout(LIMIT):
            while True:
                line = (await self.reader.readline()).decode("utf-8", "surrogateescape")
                if not line or line[3] == " ":
                    return line.rstrip("\r\n")

    async def __call__(self, command: str | bytes) -> str:
        """Send a command, and read the reply."""
        data = command if isinstance(command, bytes) else command.encode()
        self.writer.write(data + b"\r\n")
        return await self.read()

    async def login(self, name: str = "alice", password: str = "wonder") -> str:
        assert (await self(f"USER {name}")).startswith("331")
        return await self(f"PASS {password}")

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            pass


async def connect(host: str, port: int, *args: Any, **kwargs: Any) -> FTPClient:
    creator = ClientCreator(reactor, FTPClient, *args, **kwargs)
    async with asyncio.timeout(LIMIT):
        client: FTPClient = await creator.connectTCP(host, port)
    return client


async def run(program: str, *args: str, input: bytes = b"") -> tuple[int, bytes, bytes]:
    """Run a client program to its end: its status, output and errors."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    process = await asyncio.create_subprocess_exec(
        found,
        *args,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(LIMIT):
            out, err = await process.communicate(input)
    except BaseException:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, out, err


@asynccontextmanager
async def vsftpd(root: Path) -> AsyncIterator[int]:
    """A vsftpd of this user's, that serves `root` to anybody. Gives the number of its port."""
    found = shutil.which("vsftpd", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if found is None:
        pytest.skip("vsftpd is not installed")
    files = root / "files"
    files.mkdir()
    settings = root / "vsftpd.conf"
    settings.write_text(
        "run_as_launching_user=YES\nanonymous_enable=YES\nlocal_enable=NO\n"
        f"anon_root={files}\nno_anon_password=YES\nwrite_enable=YES\nanon_upload_enable=YES\n"
        "anon_mkdir_write_enable=YES\nanon_other_write_enable=YES\nseccomp_sandbox=NO\n"
        f"secure_chroot_dir={files}\nbackground=NO\nlisten=NO\nxferlog_enable=NO\n"
        "port_enable=YES\nconnect_from_port_20=NO\nallow_writeable_chroot=YES\n"
        "ftp_username=root\nanon_umask=022\nanon_world_readable_only=NO\n"
    )
    # It serves the one connection that is its standard input: so no port need be guessed.
    listening = asyncio.Event()
    running: list[asyncio.subprocess.Process] = []
    loop = asyncio.get_running_loop()
    import socket

    door = socket.create_server(("127.0.0.1", 0))
    door.setblocking(False)

    async def serve() -> None:
        listening.set()
        while True:
            connection, _ = await loop.sock_accept(door)
            with connection:
                connection.setblocking(True)
                running.append(
                    await asyncio.create_subprocess_exec(
                        found, str(settings), stdin=connection.fileno(), stdout=connection.fileno()
                    )
                )

    task = asyncio.create_task(serve())
    try:
        await listening.wait()
        yield door.getsockname()[1]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        door.close()
        for process in running:
            if process.returncode is None:
                process.kill()
            await process.wait()
