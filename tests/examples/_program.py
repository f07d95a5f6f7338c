"""
Programs as processes, and the peers that talk to them.

Nothing here uses reactorlib. Nothing sleeps or polls either: whoever waits reads,
until there is something to be read, and for LIMIT seconds at most.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"

#: How long, in seconds, anything may take. Far more than it does, even on a busy machine.
LIMIT = 20.0

Address = tuple[str, int]


class Program:
    """
    An example that runs.

    Attributes:
        status: how it ended; None while it runs.
    """

    def __init__(self, name: str, *arguments: object) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  # discard() closes it
        self._process = subprocess.Popen(
            # Development mode shows what would be lost in silence: sockets that nobody
            # closed, coroutines that nobody awaited, tasks that nobody looked at.
            [
                *(sys.executable, "-X", "dev", "-W", "error::ResourceWarning"),
                str(EXAMPLES / name),
                *map(str, arguments),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )
        self._output = b""
        self.status: int | None = None

    # -- what it says ---------------------------------------------------------

    def read_line(self) -> str:
        """The next line of its standard output."""
        deadline = time.monotonic() + LIMIT
        while b"\n" not in self._output:
            if not self._read_more(deadline):
                raise AssertionError(f"the program ended: {self._output!r}, {self.stderr!r}")
        line, _, self._output = self._output.partition(b"\n")
        return line.decode()

    def read_address(self) -> Address:
        """Where it listens, from the next line of its standard output."""
        line = self.read_line()
        match = re.search(r"([\d.]+)[: ](\d+)", line)
        assert match, line
        return match[1], int(match[2])

    def _read_more(self, deadline: float) -> bytes:
        assert self._process.stdout is not None
        output = self._process.stdout.fileno()
        ready, _, _ = select.select([output], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise AssertionError(f"nothing within {LIMIT} s after {self._output!r}, {self.stderr}")
        piece = os.read(output, 65536)
        self._output += piece
        return piece

    @property
    def stderr(self) -> str:
        """What it wrote to standard error, but for asyncio's remarks on a slow machine."""
        self._stderr.seek(0)
        lines = self._stderr.read().decode().splitlines(keepends=True)
        return "".join(line for line in lines if not line.startswith("Executing <"))

    # -- how it ends ----------------------------------------------------------

    def finish(self) -> str:
        """Wait until it ends by itself; the rest of its standard output."""
        deadline = time.monotonic() + LIMIT
        while self._read_more(deadline):
            pass
        self.status = self._process.wait(LIMIT)
        output, self._output = self._output, b""
        return output.decode()

    def send_signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> str:
        """End a server by a signal, and see that it ends well; the rest of its output."""
        self.send_signal(number)
        output = self.finish()
        assert (self.status, self.stderr) == (0, ""), f"{self.status}: {self.stderr}"
        return output

    def discard(self) -> None:
        """Leave nothing behind, whatever has happened."""
        if self.status is None:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._stderr.close()


class Peer:
    """One end of a TCP connection, on a plain blocking socket."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(LIMIT)
        self._socket = sock
        self._file = sock.makefile("rb")

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def send_end(self) -> None:
        """Say that no more will be sent, and go on reading."""
        self._socket.shutdown(socket.SHUT_WR)

    def read_line(self) -> bytes:
        """The next line, without its end; nothing where the connection has ended."""
        return self._file.readline().rstrip(b"\r\n")

    def read(self, size: int) -> bytes:
        """So many bytes, or what there is before the end."""
        return self._file.read(size)

    def read_all(self) -> bytes:
        """
        All that comes before the other side hangs up.

        To hang up on somebody whose bytes have not been read resets the connection,
        which is as good an end as any.
        """
        pieces = []
        try:
            while piece := self._file.read1():
                pieces.append(piece)
        except ConnectionResetError:
            pass
        return b"".join(pieces)

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def reset(self) -> None:
        """Break the connection."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


class Server:
    """A server that does by hand what a test has it do."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(LIMIT)
        self.address: Address = self._socket.getsockname()

    def accept(self) -> Peer:
        return Peer(self._socket.accept()[0])

    def close(self) -> None:
        self._socket.close()


def connect(address: Address) -> Peer:
    return Peer(socket.create_connection(address, LIMIT))


def netcat(address: Address) -> bytes:
    """What a server says to somebody who says nothing: by nc, or like it where there is none."""
    program = shutil.which("nc")
    if program is None:
        peer = connect(address)
        try:
            return peer.read_all()
        finally:
            peer.close()
    done = subprocess.run(
        [program, address[0], str(address[1])],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LIMIT,
        check=True,
    )
    return done.stdout


def at(address: Address) -> str:
    """An address as the examples take it."""
    return "{}:{}".format(*address)
