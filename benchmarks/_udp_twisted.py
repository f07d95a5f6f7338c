"""
The UDP echo server as one writes it for Twisted; run in a child process.

The same program runs on reactorlib and on Twisted: only the first word of the
imports differs, so it is an argument.

Usage: python -m benchmarks._udp_twisted PACKAGE LOOP
"""

from __future__ import annotations

import argparse
from importlib import import_module

from benchmarks._batch import Unknown, reactor_of
from benchmarks._child import report


def echo(package: str) -> Unknown:
    """Return a protocol that sends back whatever comes."""
    base: Unknown = import_module(f"{package}.internet.protocol").DatagramProtocol

    class Echo(base):  # type: ignore[misc]  # of unknown type, see above
        def datagramReceived(self, datagram: bytes, addr: Unknown) -> None:
            self.transport.write(datagram, addr)

    return Echo()


def serve(package: str, loop: str) -> None:
    """Listen on a free port of the loopback interface, report it, and serve for ever."""
    reactor, options = reactor_of(package, loop)
    port = reactor.listenUDP(0, echo(package), interface="127.0.0.1")
    report(port.getHost().port)
    reactor.run(**options)


def main() -> None:
    """Serve until stdin closes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", choices=["reactorlib", "twisted"])
    parser.add_argument("loop", choices=["asyncio", "epoll", "uvloop"])
    options = parser.parse_args()

    serve(options.package, options.loop)


if __name__ == "__main__":
    main()
