"""
The UDP echo server as one writes it on asyncio's own protocols; run in a child process.

Usage: python -m benchmarks._udp_raw [--out-of-trap] asyncio|uvloop
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Any, cast

from benchmarks._child import report
from benchmarks._echo_raw import leave_allocation_trap


class Echo(asyncio.DatagramProtocol):
    """Send back whatever comes."""

    _transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's does not inherit from it
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._transport.sendto(data, addr)


async def serve() -> None:
    """Listen on a free port of the loopback interface, report it, and serve for ever."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    report(transport.get_extra_info("sockname")[1])
    await loop.create_future()


def main() -> None:
    """Serve until stdin closes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out-of-trap", action="store_true")
    parser.add_argument("loop", choices=["asyncio", "uvloop"])
    options = parser.parse_args()

    loop_factory = asyncio.new_event_loop
    if options.loop == "uvloop":
        import uvloop

        loop_factory = uvloop.new_event_loop
    if options.out_of_trap:
        leave_allocation_trap()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(serve())


if __name__ == "__main__":
    main()
