"""
An echo server in a process of its own, which says what its connections cost it.

Usage: python _echo_child.py asyncio|uvloop. It prints its port. To each line on its
stdin it answers with how many connections it has, how many bytes it has received in
all, how many the fullest of its write buffers holds, and the size of its resident
memory in bytes. It ends when its stdin does.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import sys
from collections.abc import Callable
from typing import Any

from reactorlib.internet import reactor
from reactorlib.internet.protocol import Factory, Protocol


class Echo(Protocol):
    connections: set[Echo] = set()
    received = 0

    def connectionMade(self) -> None:
        self.connections.add(self)

    def dataReceived(self, data: bytes) -> None:
        Echo.received += len(data)
        self.transport.write(data)

    def connectionLost(self, reason: object) -> None:  # type: ignore[override]
        self.connections.discard(self)


def resident() -> int:
    gc.collect()
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def main() -> None:
    loop = asyncio.get_running_loop()
    stdin = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    async with reactor:
        factory: Any = Factory.forProtocol(Echo)
        factory.noisy = False
        port = reactor.listenTCP(0, factory, backlog=1000, interface="127.0.0.1")
        print(port.getHost().port, flush=True)
        while await stdin.readline():
            fullest = max(
                (echo.transport._transport.get_write_buffer_size() for echo in Echo.connections),
                default=0,
            )
            print(len(Echo.connections), Echo.received, fullest, resident(), flush=True)


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    if sys.argv[1] == "uvloop":
        import uvloop

        loop_factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
