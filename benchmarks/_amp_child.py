"""
Ask AMP questions over loopback, both sides in this process: what `amp` measures.

It prints one line: how many calls there were, and of the repeat that took the
least CPU time the user, system and wall-clock seconds.

Usage: python -m benchmarks._amp_child PACKAGE LOOP OPERATION COUNT REPEATS
"""

from __future__ import annotations

import gc
from dataclasses import dataclass
from importlib import import_module

from benchmarks._batch import Sampler, Unknown, parse_arguments, reactor_of

CONNECTIONS = 10

#: Calls before the first that counts.
WARM_UP = 500


@dataclass(frozen=True, slots=True)
class Operation:
    """
    What is asked.

    Args:
        waiting: how many questions each connection has under way.
        size: the bytes of the text that goes to and fro with two numbers.
    """

    waiting: int
    size: int


OPERATIONS = {
    "one-by-one": Operation(waiting=1, size=10),
    "pipelined": Operation(waiting=50, size=10),
    "large": Operation(waiting=1, size=32_768),
}


class Programs:
    """A server's and a client's protocol, as one writes them for Twisted."""

    def __init__(self, package: str) -> None:
        amp: Unknown = import_module(f"{package}.protocols.amp")

        class Sum(amp.Command):  # type: ignore[misc]  # of unknown type, see above
            arguments = ((b"a", amp.Integer()), (b"b", amp.Integer()), (b"text", amp.String()))
            response = ((b"total", amp.Integer()), (b"text", amp.String()))

        class Server(amp.AMP):  # type: ignore[misc]  # of unknown type, see above
            @Sum.responder  # type: ignore[untyped-decorator]
            def sum(self, a: int, b: int, text: bytes) -> dict[str, object]:
                return {"total": a + b, "text": text}

        self.command = Sum
        self.server = Server
        self.client = amp.AMP


class Measurement:
    """Calls on all connections at once, measured again and again while the reactor runs."""

    def __init__(self, reactor: Unknown, command: Unknown, what: Operation, sampler: Sampler):
        self._reactor = reactor
        self._command = command
        self._waiting = what.waiting
        self._text = b"x" * what.size
        self._sampler = sampler
        self._clients: list[Unknown] = []
        self._counted = False
        self._begun = self._answered = self._count = 0

    def connected(self, client: Unknown) -> None:
        """Begin when all are there."""
        self._clients.append(client)
        if len(self._clients) == CONNECTIONS:
            self._begin(WARM_UP)

    def _begin(self, count: int) -> None:
        self._begun = self._answered = 0
        self._count = count
        for client in self._clients:
            for _ in range(self._waiting):
                self._ask(client)

    def _ask(self, client: Unknown) -> None:
        self._begun += 1
        asked = client.callRemote(self._command, a=self._begun, b=1, text=self._text)
        asked.addCallback(self._answer, self._begun + 1, client)
        asked.addErrback(self._failed)

    def _answer(self, answer: dict[str, object], total: int, client: Unknown) -> None:
        assert answer["total"] == total
        assert answer["text"] == self._text
        self._answered += 1
        if self._begun < self._count:
            self._ask(client)
        elif self._answered == self._begun:
            # From a call of its own, in which nothing of this repeat is under way.
            self._reactor.callLater(0, self._end)

    def _failed(self, reason: Unknown) -> None:
        if self._count:  # once: the others fail when the reactor stops
            self._count = 0
            reason.printTraceback()
            self._reactor.stop()

    def _end(self) -> None:
        if not self._counted:
            self._counted = True
        elif not self._sampler.stop():
            self._sampler.report()
            self._reactor.stop()
            return
        gc.collect()
        self._sampler.start()
        self._begin(self._sampler.count)


def main() -> None:
    """Measure, print and end."""
    options = parse_arguments(__doc__, OPERATIONS)
    reactor, arguments = reactor_of(options.package, options.loop)
    protocol: Unknown = import_module(f"{options.package}.internet.protocol")
    endpoints: Unknown = import_module(f"{options.package}.internet.endpoints")
    programs = Programs(options.package)
    sampler = Sampler(options.count, options.repeats)
    measurement = Measurement(reactor, programs.command, OPERATIONS[options.operation], sampler)

    factory = protocol.Factory.forProtocol(programs.server)
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    endpoint = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
    for _ in range(CONNECTIONS):
        endpoints.connectProtocol(endpoint, programs.client()).addCallback(measurement.connected)
    reactor.run(**arguments)


if __name__ == "__main__":
    main()
