"""`reactord` as a process, in a folder of its own, with a service manager that listens."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import reactorlib

#: How long, in seconds, anything may take. Far more than it does, even on a busy machine.
LIMIT = 30.0

#: An application that answers each line by the line and the number of its process.
#: Where it listens it writes to a file, `port`.
SERVER = """
import os
from reactorlib.application import service, strports
from reactorlib.internet.protocol import Factory
from reactorlib.protocols.basic import LineReceiver

class Line(LineReceiver):
    delimiter = b"\\n"
    def lineReceived(self, line):
        self.sendLine(line + b" %d" % os.getpid())

class Port(service.Service):
    def __init__(self, server):
        self.server = server
    def privilegedStartService(self):
        with open("port", "w") as file:
            file.write(str(self.server.getHost().port))

application = service.Application("server")
server = strports.service("tcp:0:interface=127.0.0.1", Factory.forProtocol(Line))
server.setServiceParent(application)
Port(server).setServiceParent(application)
"""


def environment(**more: str) -> dict[str, str]:
    """What a process gets: nothing of a service manager's that is around the tests."""
    inherited = {
        key: value
        for key, value in os.environ.items()
        if key not in ("INVOCATION_ID", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "COLUMNS")
    }
    # The package that is tested, also from another folder.
    root = str(Path(reactorlib.__file__).parent.parent)
    path = os.pathsep.join(filter(None, [root, more.pop("PYTHONPATH", "")]))
    return {**inherited, "PYTHONPATH": path, **more}


class Manager:
    """A service manager: what it is told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(LIMIT)

    def told(self) -> dict[str, str]:
        """The next that it is told."""
        said = self._socket.recv(4096).decode()
        return dict(line.split("=", 1) for line in said.splitlines())

    def wait(self, word: str) -> dict[str, str]:
        """What it is told when it is told that, whatever comes before."""
        while True:
            told = self.told()
            if word in told:
                return told

    def close(self) -> None:
        self._socket.close()


class Daemon:
    """A folder, and what `reactord` does in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manager = Manager(folder / "notify")
        self.running: list[subprocess.Popen[bytes]] = []
        self.write("app.tac", SERVER)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "reactorlib", *map(str, arguments)]

    def run(self, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run it until it ends, or has become a daemon."""
        # Not to pipes, which a daemon that went wrong would keep open.
        with open(self.folder / "out", "w+") as out, open(self.folder / "err", "w+") as err:
            done = subprocess.run(
                self.command(*arguments),
                cwd=self.folder,
                env=environment(**variables),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                timeout=LIMIT,
            )
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, out.read(), err.read())

    def start(
        self, *arguments: object, wait: bool = True, **variables: str
    ) -> subprocess.Popen[bytes]:
        """Run it in the foreground; it has started when this returns."""
        with open(self.folder / "out", "wb") as out:
            process = subprocess.Popen(
                self.command(*arguments),
                cwd=self.folder,
                env=environment(NOTIFY_SOCKET=str(self.manager.path), **variables),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self.running.append(process)
        if wait:
            self.manager.wait("READY")
        return process

    def end(self, process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> int:
        """Its exit status after a signal."""
        process.send_signal(number)
        return process.wait(LIMIT)

    @property
    def out(self) -> str:
        """What the one in the foreground has printed."""
        return (self.folder / "out").read_text()

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    @property
    def pid(self) -> int:
        return int(self.text("reactord.pid"))

    @property
    def port(self) -> int:
        return int(self.text("port"))

    def connect(self, port: int | None = None) -> socket.socket:
        where = ("127.0.0.1", self.port if port is None else port)
        connection = socket.create_connection(where, LIMIT)
        connection.settimeout(LIMIT)
        return connection

    def ask(self, line: str = "hello") -> list[str]:
        """The words of the answer to a line."""
        with self.connect() as connection:
            connection.sendall(line.encode() + b"\n")
            return read_line(connection).split()

    def end_daemon(self) -> None:
        """End the daemon of the pid file, and wait until it has ended."""
        pid = self.pid
        descriptor = os.pidfd_open(pid)
        try:
            os.kill(pid, signal.SIGTERM)
            assert ended(descriptor), "the daemon has not ended"
        finally:
            os.close(descriptor)

    def close(self) -> None:
        self.manager.close()
        for process in self.running:
            if process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)
                process.kill()
            process.wait()
        with contextlib.suppress(OSError, ValueError):
            os.kill(self.pid, signal.SIGKILL)


def ended(descriptor: int) -> bool:
    """Wait for the end of the process that a pidfd is of."""
    import select

    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(LIMIT * 1000))


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return sorted(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def read_line(connection: socket.socket) -> str:
    return read_until(connection, b"\n").decode()


def read_until(connection: socket.socket, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        more = connection.recv(4096)
        assert more, f"the connection ended after {data!r}"
        data += more
    return data


@contextlib.contextmanager
def daemon_in(folder: Path) -> Iterator[Any]:
    daemon = Daemon(folder)
    try:
        yield daemon
    finally:
        daemon.close()
