"""
Compare echo servers: reactorlib, raw asyncio and uvloop protocols, real Twisted.

Usage: python -m benchmarks.echo [--quick] [--help]
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._echo_client import Counted, Traffic
from benchmarks._echo_peers import RAW_JOINED, TRAPPED, count_peers, echo_peers, line_peers
from benchmarks._harness import Target
from benchmarks._peers import RAW, TWISTED, TWISTED_ASYNCIO
from benchmarks._servers import Benchmark, Served

#: Thirty bytes and a line end.
LINE = b"thirty bytes, counted by hand." + b"\r\n"


#: Chapters of `NOTES.md`.
MESSAGES, LINES = "What limits echo, datagrams and TLS", "Answered over a socket"

BENCHMARK = Benchmark(
    "echo",
    "Compare echo servers.",
    {
        "ping-pong": Served(
            "64 B ping-pong over 50 connections",
            "message",
            (
                Target(RAW, 0.97),
                Target(TRAPPED, 3.3, "asyncio"),
                Target(TWISTED, 1.8, "asyncio"),
                Target(TWISTED, 2, "uvloop"),
                Target(TWISTED_ASYNCIO, 2.9, "uvloop"),
            ),
            MESSAGES,
            traffic=Traffic(b"x" * 64, connections=50),
            peers=echo_peers,
        ),
        "lines": Served(
            "Bursts of 1,000 lines of 30 B over 4 connections, each line answered",
            "line",
            (Target(RAW_JOINED, 0.6), Target(TWISTED, 2.7)),
            LINES,
            traffic=Traffic(LINE * 1000, connections=4, messages=1000),
            peers=line_peers,
        ),
        "count": Served(
            "Bursts of 1,000 lines of 30 B over 4 connections, lines counted",
            "line",
            (Target(RAW, 0.5), Target(TWISTED, 4.4)),
            LINES,
            traffic=Traffic((LINE * 999) + b"\r\n", connections=4, messages=1000),
            peers=count_peers,
            connect=Counted,
        ),
        "large": Served(
            "64 KiB messages over 4 connections",
            "message",
            (Target(RAW, 0.93), Target(TWISTED, 2.8)),
            MESSAGES,
            traffic=Traffic(b"x" * 65536, connections=4),
            peers=echo_peers,
        ),
    },
)

#: The chapters of `NOTES.md` that say what limits a row, by the rows' titles.
CHAPTERS = BENCHMARK.chapters


if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
