"""
Compare UDP echo servers: reactorlib, raw asyncio and uvloop protocols, real Twisted.

Usage: python -m benchmarks.udp [--quick] [--help]
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._echo_client import Traffic
from benchmarks._harness import Peer, Target
from benchmarks._peers import RAW, TWISTED, compared, raw
from benchmarks._servers import Benchmark, Served
from benchmarks._udp_client import Datagrams


def udp_peers(twisted_python: str) -> list[Peer]:
    """Return the servers, and what each is compared with."""
    child = "benchmarks._udp_raw"
    return [
        Peer("asyncio-trapped", "asyncio, in the allocation trap", (child, "asyncio")),
        *raw((child, "--out-of-trap")),
        *compared("benchmarks._udp_twisted", (), twisted_python),
    ]


def datagrams(title: str, size: int, sockets: int) -> Served:
    """Return the scenario of datagrams of that size on so many sockets."""
    return Served(
        title,
        "datagram",
        (Target(RAW, 0.9), Target(TWISTED, 2)),
        "What limits echo, datagrams and TLS",
        traffic=Traffic(b"x" * size, connections=sockets),
        peers=udp_peers,
        connect=Datagrams,
    )


BENCHMARK = Benchmark(
    "udp",
    "Compare UDP echo servers.",
    {
        "small": datagrams("64 B datagrams to and fro on 50 sockets", 64, 50),
        "large": datagrams("1,400 B datagrams to and fro on 50 sockets", 1400, 50),
        "single": datagrams("64 B datagrams to and fro on one socket", 64, 1),
    },
)

#: The chapters of `NOTES.md` that say what limits a row, by the rows' titles.
CHAPTERS = BENCHMARK.chapters


if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
