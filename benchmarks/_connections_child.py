"""
Echo servers, with TLS or without, as one writes them for each peer; run in a child process.

The same program runs on reactorlib and on Twisted: only the first word of the
imports differs. `raw` is asyncio's own protocol, and the loop's own TLS.

Usage: python -m benchmarks._connections_child raw|reactorlib|twisted LOOP [--tls PEM] [--traced]
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import tracemalloc
from importlib import import_module
from pathlib import Path

from benchmarks._batch import Unknown, reactor_of
from benchmarks._child import report
from benchmarks._echo_raw import Echo, leave_allocation_trap
from benchmarks._echo_twisted import echo_factory

#: How many may wait to be accepted.
BACKLOG = 1000


async def serve_raw(context: ssl.SSLContext | None) -> None:
    """Listen on a free port of the loopback interface, report it, and serve for ever."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0, ssl=context, backlog=BACKLOG)
    report(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def raw_context(pem: Path) -> ssl.SSLContext:
    """Return what a server of asyncio's needs; without session tickets, as the others are."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.num_tickets = 0
    return context


def run_raw(loop: str, pem: Path | None) -> None:
    """Serve with what asyncio, or uvloop, has."""
    loop_factory = asyncio.new_event_loop
    if loop == "uvloop":
        loop_factory = import_module("uvloop").new_event_loop
    leave_allocation_trap()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(serve_raw(None if pem is None else raw_context(pem)))


def run(package: str, loop: str, pem: Path | None) -> None:
    """Serve with reactorlib or Twisted."""
    reactor, options = reactor_of(package, loop)
    where = {"backlog": BACKLOG, "interface": "127.0.0.1"}
    if pem is None:
        port = reactor.listenTCP(0, echo_factory(package), **where)
    else:
        certificates: Unknown = import_module(f"{package}.internet.ssl")
        tls = certificates.PrivateCertificate.loadPEM(pem.read_bytes()).options()
        port = reactor.listenSSL(0, echo_factory(package), tls, **where)
    report(port.getHost().port)
    reactor.run(**options)


def main() -> None:
    """Serve until stdin closes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", choices=["raw", "reactorlib", "twisted"])
    parser.add_argument("loop", choices=["asyncio", "epoll", "uvloop"])
    parser.add_argument("--tls", metavar="PEM", type=Path)
    parser.add_argument("--traced", action="store_true")
    options = parser.parse_args()

    if options.traced:
        tracemalloc.start()
    if options.package == "raw":
        run_raw(options.loop, options.tls)
    else:
        run(options.package, options.loop, options.tls)


if __name__ == "__main__":
    main()
