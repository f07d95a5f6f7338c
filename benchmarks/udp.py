"""
Compare UDP echo servers: reactorlib, raw asyncio and uvloop protocols, real Twisted.

Usage: python -m benchmarks.udp [--quick] [--help]
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._echo_client import Timing, Traffic, measure
from benchmarks._harness import Peer, Target, importable, interleave, option_parser, pin
from benchmarks._peers import RAW, TWISTED, compared, raw
from benchmarks._report import describe, results_json, results_table, target_lines
from benchmarks._udp_client import Datagrams

SCENARIOS = {
    "small": ("64 B datagrams to and fro on 50 sockets", Traffic(b"x" * 64, connections=50)),
    "large": ("1,400 B datagrams to and fro on 50 sockets", Traffic(b"x" * 1400, connections=50)),
    "single": ("64 B datagrams to and fro on one socket", Traffic(b"x" * 64, connections=1)),
}

TARGETS = (Target(RAW, 0.9), Target(TWISTED, 2))


def udp_peers(twisted_python: str) -> list[Peer]:
    """Return the servers, and what each is compared with."""
    child = "benchmarks._udp_raw"
    return [
        Peer("asyncio-trapped", "asyncio, in the allocation trap", (child, "asyncio")),
        *raw((child, "--out-of-trap")),
        *compared("benchmarks._udp_twisted", (), twisted_python),
    ]


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    peers = [peer.key for peer in udp_peers(sys.executable)]
    parser = option_parser(
        "udp", "Compare UDP echo servers.", peers, "servers started for each peer and scenario"
    )
    add = parser.add_argument
    add("--scenario", action="append", choices=SCENARIOS, help="only this one (repeatable)")
    add("--same-cpu", action="store_true", help="pin the client to the CPU of the server")
    return parser.parse_args()


def main() -> int:
    """Run the scenarios asked for, print a table for each, and return how many peers failed."""
    options = parse_arguments()
    rounds = options.rounds or (1 if options.quick else 5)
    timing = Timing(0.03, 0.1) if options.quick else Timing(0.15, 0.4)
    pinning = pin(options.same_cpu)
    run = f"rounds: {rounds}, {timing.measured} s each, {pinning}"
    about = describe(options.twisted_python, ["reactorlib", "uvloop"], run)

    scenarios: dict[str, object] = {}
    failed = 0
    for key in options.scenario or SCENARIOS:
        title, traffic = SCENARIOS[key]
        print(f"\n{title}\n", flush=True)
        peers = importable(udp_peers(options.twisted_python), print, options.peer)
        one = partial(
            measure, traffic=traffic, cpu=pinning.server, timing=timing, connect=Datagrams
        )
        results = interleave(peers, rounds, one, print)
        print(results_table(peers, results, "datagram"))
        for line in target_lines(TARGETS, peers, results):
            print(f"\n{line}")
        scenarios[key] = results_json(peers, results)
        failed += len(peers) - len(results)
    if options.json:
        options.json.write_text(json.dumps({**about, "scenarios": scenarios}, indent=2) + "\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
