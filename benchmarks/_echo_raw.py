"""
The echo servers as one writes them on asyncio's own protocols; run in a child process.

Usage: python -m benchmarks._echo_raw [--out-of-trap] asyncio|uvloop PROGRAM
"""

from __future__ import annotations

import argparse
import asyncio
from typing import cast

from benchmarks._child import report


class Echo(asyncio.Protocol):
    """Send back whatever comes."""

    _transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not inherit from it

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


class Lines(Echo):
    """Answer each line with itself, one write for each."""

    _rest = b""

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        for line in lines:
            self._transport.write(line + b"\r\n")


class LinesJoined(Echo):
    """Answer each line with itself, one write for all that came together."""

    _rest = b""

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        if lines:
            self._transport.write(b"".join([line + b"\r\n" for line in lines]))


class Count(Echo):
    """Count lines; after an empty one, say how many there were."""

    _rest = b""
    _count = 0

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        self._count += len(lines)
        if lines and not lines[-1]:
            self._transport.write(b"%d\r\n" % self._count)
            self._count = 0


PROGRAMS: dict[str, type[Echo]] = {
    "echo": Echo,
    "lines": Lines,
    "lines-joined": LinesJoined,
    "count": Count,
}


def leave_allocation_trap() -> None:
    """
    Raise glibc's threshold above the 256 KiB that asyncio allocates for each read.

    Below it each read costs an mmap, an mremap and a munmap. The threshold rises by
    itself when a big block is freed, which a small server may never do.
    """
    block = bytearray(1 << 20)
    del block


async def serve(program: type[Echo]) -> None:
    """Listen on a free port of the loopback interface, report it, and serve for ever."""
    server = await asyncio.get_running_loop().create_server(program, "127.0.0.1", 0)
    report(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def main() -> None:
    """Serve until stdin closes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out-of-trap", action="store_true")
    parser.add_argument("loop", choices=["asyncio", "uvloop"])
    parser.add_argument("program", choices=PROGRAMS)
    options = parser.parse_args()

    loop_factory = asyncio.new_event_loop
    if options.loop == "uvloop":
        import uvloop

        loop_factory = uvloop.new_event_loop
    if options.out_of_trap:
        leave_allocation_trap()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(serve(PROGRAMS[options.program]))


if __name__ == "__main__":
    main()
