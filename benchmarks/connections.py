"""
Compare what connections cost: making them, keeping them, and TLS on them.

reactorlib stands beside asyncio's and uvloop's own protocols and TLS, and real Twisted.

Usage: python -m benchmarks.connections [--quick] [--help]
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._child import ChildFailed
from benchmarks._connections_client import (
    Encrypted,
    Handshaking,
    Reconnecting,
    client_context,
    memory_each,
    raise_limit,
)
from benchmarks._echo_client import Timing, Traffic, measure
from benchmarks._harness import Peer, Target, importable, interleave, option_parser, pin
from benchmarks._peers import RAW, TWISTED, compared, raw
from benchmarks._report import (
    describe,
    format_table,
    results_json,
    results_table,
    target_line,
    target_lines,
)

SMALL = b"x" * 64
LARGE = b"x" * 65536

#: Bytes that an idle connection may take more than one of the bare loop.
MEMORY_OVER_RAW = 350


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    What is measured.

    Args:
        traffic: what goes to and fro, and on how many connections.
        client: what makes it, given the port, the traffic and, for TLS, the context.
        unit: what is counted.
        targets: what reactorlib aims at.
        tls: whether it is encrypted.
    """

    title: str
    traffic: Traffic
    client: Callable[..., Reconnecting | Encrypted]
    unit: str
    targets: tuple[Target, ...] = ()
    tls: bool = True


SCENARIOS = {
    "connect": Scenario(
        "Connect, one byte to and fro, close",
        Traffic(b"x", 1),
        Reconnecting,
        "connection",
        (Target(RAW, 0.92), Target(TWISTED, 1.4)),
        tls=False,
    ),
    "handshake": Scenario(
        "Connect, a TLS 1.3 handshake, one byte to and fro, close",
        Traffic(b"x", 1),
        Handshaking,
        "connection",
        (Target(RAW, 0.9), Target(TWISTED, 1.1)),
    ),
    "tls-ping-pong": Scenario(
        "TLS: 64 B ping-pong over 50 connections",
        Traffic(SMALL, 50),
        Encrypted,
        "message",
        (Target(RAW, 0.9), Target(TWISTED, 2.5)),
    ),
    "tls-large": Scenario(
        "TLS: 64 KiB messages over 4 connections",
        Traffic(LARGE, 4),
        Encrypted,
        "message",
    ),
}

#: Scenarios of another kind, which measure bytes instead of time.
MEMORY = {"memory": False, "tls-memory": True}


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
    peers = [peer.key for peer in make_peers(sys.executable, tls=False)]
    parser = option_parser(
        "connections", "Compare connections.", peers, "servers started for each peer and scenario"
    )
    add = parser.add_argument
    add("--count", type=int, help="idle connections whose memory is measured (default: 2,000)")
    choices = [*SCENARIOS, *MEMORY]
    add("--scenario", action="append", choices=choices, help="only this one (repeatable)")
    add("--same-cpu", action="store_true", help="pin the client to the CPU of the server")
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
        self._rounds = options.rounds or (1 if options.quick else 5)
        self._timing = Timing(0.03, 0.1) if options.quick else Timing(0.15, 0.4)
        self._count = min(options.count or (100 if options.quick else 2000), raise_limit())
        self._pinning = pin(options.same_cpu)
        self.failed = 0

    def __str__(self) -> str:
        seconds = self._timing.measured
        return f"rounds: {self._rounds}, {seconds} s each, {self._pinning}; {self._count:,} idle"

    def _peers(self, tls: bool, *options: str) -> list[Peer]:
        with_tls = ("--tls", str(self._pem)) if tls else ()
        peers = make_peers(self._options.twisted_python, *options, *with_tls, tls=tls)
        return importable(peers, print, self._options.peer)

    def time(self, scenario: Scenario) -> object:
        """Measure CPU time, print a table, and return every sample."""
        peers = self._peers(scenario.tls)
        client = scenario.client
        one = partial(
            measure,
            traffic=scenario.traffic,
            cpu=self._pinning.server,
            timing=self._timing,
            connect=partial(client, context=self._context) if scenario.tls else client,
        )
        results = interleave(peers, self._rounds, one, print)
        print(results_table(peers, results, scenario.unit))
        for line in target_lines(scenario.targets, peers, results):
            print(f"\n{line}")
        self.failed += len(peers) - len(results)
        return results_json(peers, results)

    def memory(self, tls: bool) -> object:
        """Measure memory, print a table, and return it; TLS takes so much that fewer will do."""
        count = max(1, self._count // 4) if tls else self._count
        context = self._context if tls else None
        found: dict[str, tuple[float, float]] = {}
        peers = self._peers(tls)
        # Tracing takes memory of its own, so each peer is started once more for it.
        traced = {peer.key: peer for peer in self._peers(tls, "--traced")}
        for peer in peers:
            try:
                resident, _ = memory_each(peer, count, context)
                _, allocated = memory_each(traced[peer.key], count, context)
            except (ChildFailed, OSError) as error:
                print(f"{peer.title}: left out, {error}\n")
                self.failed += 1
            else:
                found[peer.key] = resident, allocated
        print(memory_table(peers, found))
        if not tls:
            for line in memory_targets(peers, found):
                print(f"\n{line}")
        return {key: {"resident": pair[0], "allocated": pair[1]} for key, pair in found.items()}


def memory_table(peers: Sequence[Peer], found: dict[str, tuple[float, float]]) -> str:
    """Lay out what a connection takes, and how many times less that is than the baselines."""
    rows = []
    for peer in peers:
        if peer.key in found:
            resident, allocated = found[peer.key]
            baselines = [found.get(peer.beside.get(column, "")) for column in (RAW, TWISTED)]
            less = ["" if pair is None else f"{pair[0] / resident:.2f}" for pair in baselines]
            rows.append([peer.title, f"{resident:,.0f}", f"{allocated:,.0f}", *less])
    return format_table(["peer", "bytes resident", "Python's objects", RAW, TWISTED], rows)


def memory_targets(peers: Sequence[Peer], found: dict[str, tuple[float, float]]) -> list[str]:
    """Say what a connection is to take, and what it takes."""
    over, less = {}, {}
    for peer in peers:
        raw, twisted = (found.get(peer.beside.get(column, "")) for column in (RAW, TWISTED))
        if raw is not None and peer.key in found:
            over[peer.title] = found[peer.key][0] - raw[0]
        if twisted is not None and peer.key in found:
            less[peer.title] = twisted[0] / found[peer.key][0]
    lines = []
    if over:
        lines.append(target_line("bytes over raw", "at most", MEMORY_OVER_RAW, over, ".0f"))
    if less:
        lines.append(target_line(TWISTED, "at least", 1, less, ".2f"))
    return lines


def main() -> int:
    """Run the scenarios asked for, print a table for each, and return how many peers failed."""
    options = parse_arguments()
    with tempfile.TemporaryDirectory() as directory:
        pem = Path(directory) / "localhost.pem"
        write_certificate(pem)
        benchmark = Benchmark(options, pem)
        about = describe(
            options.twisted_python,
            ["reactorlib", "uvloop"],
            str(benchmark),
            theirs=["twisted", "OpenSSL"],
        )

        scenarios: dict[str, object] = {}
        # Encrypted connections take long to make, and nothing else is learned from them quickly.
        usual = [*SCENARIOS, *(["memory"] if options.quick else MEMORY)]
        for key in options.scenario or usual:
            if key in MEMORY:
                tls = MEMORY[key]
                print(f"\nMemory of an idle connection{' with TLS' if tls else ''}\n", flush=True)
                scenarios[key] = benchmark.memory(tls)
            else:
                print(f"\n{SCENARIOS[key].title}\n", flush=True)
                scenarios[key] = benchmark.time(SCENARIOS[key])
    if options.json:
        options.json.write_text(json.dumps({**about, "scenarios": scenarios}, indent=2) + "\n")
    return benchmark.failed


if __name__ == "__main__":
    sys.exit(main())
