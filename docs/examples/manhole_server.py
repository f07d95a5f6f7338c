"""
A program that counts, and a Python prompt in it.

    python manhole_server.py --password secret
    telnet localhost 6023

Log in as admin, and at the prompt:

    counter.value
    await counter.reaches(counter.value + 3)
    counter.step = 10
"""

from __future__ import annotations

import argparse

import three_ways

from reactorlib.conch import manhole_tap
from reactorlib.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from reactorlib.internet import reactor
from reactorlib.internet.defer import Deferred
from reactorlib.internet.task import LoopingCall


class Counter:
    """What the program is about."""

    def __init__(self) -> None:
        self.value = 0
        self.step = 1
        self._waiting: list[tuple[int, Deferred[int]]] = []

    def count(self) -> None:
        self.value += self.step
        reached = [(value, d) for value, d in self._waiting if value <= self.value]
        self._waiting = [(value, d) for value, d in self._waiting if value > self.value]
        for _, d in reached:
            d.callback(self.value)

    def reaches(self, value: int) -> Deferred[int]:
        """Fires when the counter is there."""
        d: Deferred[int] = Deferred()
        self._waiting.append((value, d))
        return d


def start(options: argparse.Namespace) -> None:
    """Count, and let people in."""
    counter = Counter()
    reactor.callWhenRunning(lambda: LoopingCall(counter.count).start(options.interval))

    users = InMemoryUsernamePasswordDatabaseDontUse(admin=options.password.encode())
    manhole = manhole_tap.makeService(
        {
            "telnetPort": f"tcp:{options.port}:interface={options.interface}",
            "credCheckers": [users],
            "namespace": {"counter": counter, "reactor": reactor},
        }
    )
    manhole.privilegedStartService()
    [listening] = manhole
    three_ways.announce(listening, "telnet localhost {port}")


if __name__ == "__main__":
    parser = three_ways.parser(__doc__, port=6023)
    parser.add_argument("--password", required=True, help="the password of admin")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between counts")
    three_ways.run(start, parser)
