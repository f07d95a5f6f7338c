"""
The echo servers as one writes them for Twisted; run in a child process.

The same program runs on reactorlib and on Twisted: only the first word of the
imports differs, so it is an argument.

Usage: python -m benchmarks._echo_twisted PACKAGE LOOP echo|lines|count
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module

from benchmarks._batch import Unknown, reactor_of
from benchmarks._child import report


def echo_factory(package: str) -> Unknown:
    """Return a factory of protocols that send back whatever comes."""
    protocol: Unknown = import_module(f"{package}.internet.protocol")
    base: Unknown = protocol.Protocol

    class Echo(base):  # type: ignore[misc]  # of unknown type, see above
        def dataReceived(self, data: bytes) -> None:
            self.transport.write(data)

    return protocol.Factory.forProtocol(Echo)


def lines_factory(package: str) -> Unknown:
    """Return a factory of protocols that answer each line with itself."""
    protocol: Unknown = import_module(f"{package}.internet.protocol")
    base: Unknown = import_module(f"{package}.protocols.basic").LineReceiver

    class Lines(base):  # type: ignore[misc]  # of unknown type, see above
        def lineReceived(self, line: bytes) -> None:
            self.sendLine(line)

    return protocol.Factory.forProtocol(Lines)


def count_factory(package: str) -> Unknown:
    """Return a factory of protocols that count lines; after an empty one, they say how many."""
    protocol: Unknown = import_module(f"{package}.internet.protocol")
    base: Unknown = import_module(f"{package}.protocols.basic").LineReceiver

    class Count(base):  # type: ignore[misc]  # of unknown type, see above
        count = 0

        def lineReceived(self, line: bytes) -> None:
            self.count += 1
            if not line:
                self.sendLine(b"%d" % self.count)
                self.count = 0

    return protocol.Factory.forProtocol(Count)


PROGRAMS: dict[str, Callable[[str], Unknown]] = {
    "echo": echo_factory,
    "lines": lines_factory,
    "count": count_factory,
}


def serve(package: str, loop: str, program: str) -> None:
    """Listen on a free port of the loopback interface, report it, and serve for ever."""
    reactor, options = reactor_of(package, loop)
    port = reactor.listenTCP(0, PROGRAMS[program](package), interface="127.0.0.1")
    report(port.getHost().port)
    reactor.run(**options)


def main() -> None:
    """Serve until stdin closes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", choices=["reactorlib", "twisted"])
    parser.add_argument("loop", choices=["asyncio", "epoll", "uvloop"])
    parser.add_argument("program", choices=PROGRAMS)
    options = parser.parse_args()

    serve(options.package, options.loop, options.program)


if __name__ == "__main__":
    main()
