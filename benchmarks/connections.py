"""
Compare what connections cost: making them, keeping them, and TLS on them.

reactorlib stands beside asyncio's and uvloop's own protocols and TLS, and real Twisted.

Usage: python -m benchmarks.connections [--quick] [--help]
"""

from __future__ import annotations

import datetime
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._connections_client import (
    Encrypted,
    Handshaking,
    Memory,
    Reconnecting,
    client_context,
    memory_each,
    raise_limit,
)
from benchmarks._echo_client import Traffic, measure
from benchmarks._harness import Peer, Target, pin
from benchmarks._peers import RAW, TWISTED, compared, raw
from benchmarks._report import SPREAD, format_table, target_line
from benchmarks._run import Run, Scenario, chapters_of, rounds_of
from benchmarks._servers import timing_of, traffic_parser

if TYPE_CHECKING:
    import argparse
    import ssl

SMALL = b"x" * 64
LARGE = b"x" * 65536

#: Bytes that an idle connection may take more than one of the bare loop.
MEMORY_OVER_RAW = 350

#: How many idle connections share the megabytes that the allocator takes at a time: more than
#: a process may have open, as a rule. With TLS each takes as much as a quarter of a megabyte.
IDLE, IDLE_QUICK, IDLE_TLS = 20_000, 400, 500

#: Chapters of `NOTES.md`.
CONNECTIONS, TLS = "What limits connections", "What limits echo, datagrams and TLS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed(Scenario):
    """
    What is measured in CPU time.

    Args:
        traffic: what goes to and fro, and on how many connections.
        client: what makes it, given the port, the traffic and, for TLS, the context.
        tls: whether it is encrypted.
    """

    traffic: Traffic
    client: Callable[..., Reconnecting | Encrypted]
    tls: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle(Scenario):
    """Connections whose memory is measured, with TLS or without."""

    tls: bool


SCENARIOS: dict[str, Timed | Idle] = {
    "connect": Timed(
        "Connect, one byte to and fro, close",
        "connection",
        (Target(RAW, 0.92), Target(TWISTED, 1.4)),
        CONNECTIONS,
        traffic=Traffic(b"x", 1),
        client=Reconnecting,
        tls=False,
    ),
    "handshake": Timed(
        "Connect, a TLS 1.3 handshake, one byte to and fro, close",
        "connection",
        (Target(RAW, 0.9), Target(TWISTED, 1.1)),
        TLS,
        traffic=Traffic(b"x", 1),
        client=Handshaking,
    ),
    "tls-ping-pong": Timed(
        "TLS: 64 B ping-pong over 50 connections",
        "message",
        (Target(RAW, 0.9), Target(TWISTED, 2.5)),
        TLS,
        traffic=Traffic(SMALL, 50),
        client=Encrypted,
    ),
    "tls-large": Timed(
        "TLS: 64 KiB messages over 4 connections",
        "message",
        chapter=TLS,
        traffic=Traffic(LARGE, 4),
        client=Encrypted,
    ),
    "memory": Idle("Memory of an idle connection", "connection", chapter=CONNECTIONS, tls=False),
    "tls-memory": Idle(
        "Memory of an idle connection with TLS", "connection", chapter=CONNECTIONS, tls=True
    ),
}

#: The chapters of `NOTES.md` that say what limits a row, by the rows' titles.
CHAPTERS = chapters_of(SCENARIOS.values())


def make_peers(twisted_python: str, *options: str, tls: bool) -> Iterable[Peer]:
    """Yield the servers, and what each is compared with."""
    child = "benchmarks._connections_child"
    yield from raw((child, "raw"), options)
    needs = ("twisted", "OpenSSL") if tls else ("twisted",)
    yield from compared(child, options, twisted_python, twisted_needs=needs)


def write_certificate(path: Path) -> None:
    """Write a key and a certificate for localhost that certifies itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, *form)
        + certificate.public_bytes(serialization.Encoding.PEM)
    )


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    peers = make_peers(sys.executable, tls=False)
    parser = traffic_parser("connections", "Compare connections.", peers, SCENARIOS)
    idle = f"idle connections whose memory is measured (default: {IDLE:,}, with TLS {IDLE_TLS})"
    parser.add_argument("--count", type=int, help=f"{idle}, if so many descriptors are allowed")
    return parser.parse_args()


class Benchmark:
    """
    A run, as the command line wants it.

    Args:
        pem: the file of the certificate.
    """

    def __init__(self, options: argparse.Namespace, pem: Path) -> None:
        self._options = options
        self._pem = pem
        self._context = client_context(pem)
        self._timing = timing_of(options)
        self._most = min(options.count or (IDLE_QUICK if options.quick else IDLE), raise_limit())
        pinning = pin(options.same_cpu)
        self._cpu = pinning.server
        each = f"{self._timing.measured} s each, {pinning}; {self._most:,} idle"
        effort = f"rounds: {rounds_of(options)}, {each}"
        self._run = Run(options, effort, theirs=["twisted", "OpenSSL"])

    def main(self) -> int:
        """Run the scenarios asked for, print a table for each, and return the exit status."""
        # Encrypted connections take long to make, and nothing else is learned from them quickly.
        usual = [key for key in SCENARIOS if key != "tls-memory" or not self._options.quick]
        for key in self._options.scenario or usual:
            scenario = SCENARIOS[key]
            if isinstance(scenario, Idle):
                self._memory(key, scenario)
            else:
                self._time(key, scenario)
        return self._run.end()

    def _peers(self, tls: bool, *options: str) -> Iterable[Peer]:
        with_tls = ("--tls", str(self._pem)) if tls else ()
        return make_peers(self._options.twisted_python, *options, *with_tls, tls=tls)

    def _time(self, key: str, scenario: Timed) -> None:
        context: dict[str, ssl.SSLContext] = {"context": self._context} if scenario.tls else {}
        one = partial(
            measure,
            traffic=scenario.traffic,
            cpu=self._cpu,
            timing=self._timing,
            connect=partial(scenario.client, **context),
        )
        self._run.compare(key, scenario, self._peers(scenario.tls), one)

    def _memory(self, key: str, scenario: Idle) -> None:
        tls = scenario.tls
        count = min(self._options.count or IDLE_TLS, self._most) if tls else self._most
        each = partial(
            memory_each, count=count, cpu=self._cpu, context=self._context if tls else None
        )
        # Tracing takes memory of its own, so that it has a process of its own. It repeats exactly.
        traced = {peer.key: peer for peer in self._peers(tls, "--traced")}
        allocated: dict[str, float] = {}

        def one(peer: Peer) -> Memory:
            if peer.key not in allocated:
                allocated[peer.key] = each(traced[peer.key]).allocated
            return Memory(each(peer).resident, allocated[peer.key])

        peers, found = self._run.interleaved(scenario.title, self._peers(tls), one)
        print(memory_table(peers, found))
        if not tls:
            for line in memory_targets(peers, found):
                print(f"\n{line}")
        self._run.keep(key, {key: [each._asdict() for each in of] for key, of in found.items()})


#: What the rounds found of each peer.
Found = Mapping[str, Sequence[Memory]]


def resident(of: Sequence[Memory]) -> float:
    """Return the bytes for each connection."""
    return statistics.median(each.resident for each in of)


def times_less(peer: Peer, column: str, found: Found) -> float | None:
    """Return how many times less than a baseline a peer takes: the median of the rounds'."""
    pairs = _beside(peer, column, found)
    return statistics.median(theirs / ours for ours, theirs in pairs) if pairs else None


def _beside(peer: Peer, column: str, found: Found) -> list[tuple[float, float]]:
    """Return what a peer and its baseline took, for each round in which they were measured."""
    ours, theirs = found.get(peer.key, ()), found.get(peer.beside.get(column, ""), ())
    return [(mine.resident, other.resident) for mine, other in zip(ours, theirs, strict=False)]


def memory_table(peers: Sequence[Peer], found: Found) -> str:
    """Lay out what a connection takes, and how many times less that is than the baselines."""
    rows = []
    for peer in peers:
        if of := found.get(peer.key):
            each = [one.resident for one in of]
            less = [times_less(peer, column, found) for column in (RAW, TWISTED)]
            rows.append(
                [
                    peer.title,
                    f"{resident(of):,.0f}",
                    f"{(max(each) - min(each)) / resident(of):.0%}",
                    f"{of[0].allocated:,.0f}",
                    *("" if ratio is None else f"{ratio:.2f}" for ratio in less),
                ]
            )
    return format_table(["peer", "bytes resident", SPREAD, "Python's objects", RAW, TWISTED], rows)


def memory_targets(peers: Sequence[Peer], found: Found) -> Iterator[str]:
    """Say what a connection is to take, and what it takes."""
    over, less = {}, {}
    for peer in peers:
        if pairs := _beside(peer, RAW, found):
            over[peer.title] = statistics.median(ours - theirs for ours, theirs in pairs)
        if (ratio := times_less(peer, TWISTED, found)) is not None:
            less[peer.title] = ratio
    if over:
        yield target_line("bytes over raw", "at most", MEMORY_OVER_RAW, over, ".0f")
    if less:
        yield target_line(TWISTED, "at least", 1, less, ".2f")


def main() -> int:
    """Run what is asked for, with a certificate made for it, and return the exit status."""
    options = parse_arguments()
    with tempfile.TemporaryDirectory() as directory:
        pem = Path(directory) / "localhost.pem"
        write_certificate(pem)
        return Benchmark(options, pem).main()


if __name__ == "__main__":
    sys.exit(main())
