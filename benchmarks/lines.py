"""
Compare receivers of lines and strings: reactorlib's, parsers written by hand, Twisted's.

Usage: python -m benchmarks.lines [--quick] [--help]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._harness import (
    Peer,
    Target,
    importable,
    interleave,
    measure_batch,
    option_parser,
    pin,
)
from benchmarks._report import describe, results_json, results_table, target_lines

RAW = "x raw"
TWISTED = "x Twisted"


@dataclass(frozen=True, slots=True)
class Format:
    """What is received, and what reactorlib aims at with the largest chunks."""

    title: str
    targets: tuple[Target, ...]


FORMATS = {
    "lines": Format("lines", (Target(TWISTED, 4), Target(RAW, round(1 / 1.5, 2)))),
    "only-lines": Format("lines of a LineOnlyReceiver", ()),
    "int32": Format(
        "strings after a 32-bit length", (Target(TWISTED, 2.2), Target(RAW, round(1 / 1.1, 2)))
    ),
    "netstrings": Format("netstrings", (Target(TWISTED, 5), Target(RAW, round(1 / 1.35, 2)))),
}

#: Bytes in a read; 0 for one message each.
CHUNKS = {"one": 0, "1k": 1024, "64k": 65536}


def line_peers(
    format: str, chunk: int, count: int, repeats: int, twisted_python: str
) -> Iterator[Peer]:
    """Yield what is compared."""
    child = "benchmarks._lines_child"
    tail = (format, str(chunk), str(count), str(repeats))
    yield Peer("raw", "by hand", (child, "raw", *tail))
    yield Peer(
        "reactorlib",
        "reactorlib",
        (child, "reactorlib", *tail),
        ("reactorlib",),
        beside={RAW: "raw", TWISTED: "twisted"},
    )
    yield Peer("twisted", "Twisted", (child, "twisted", *tail), ("twisted",), twisted_python)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = option_parser(
        "lines",
        "Compare receivers of lines and strings.",
        [peer.key for peer in line_peers("lines", 0, 1, 1, sys.executable)],
        "processes for each peer, format and chunk size",
    )
    add = parser.add_argument
    add("--format", action="append", choices=FORMATS, help="only this one (repeatable)")
    add("--chunk", action="append", choices=CHUNKS, help="only this size (repeatable)")
    return parser.parse_args()


def main() -> int:
    """Measure what was asked for, print the tables, and return how many peers failed."""
    options = parse_arguments()
    rounds = options.rounds or (1 if options.quick else 5)
    count, repeats = (20_000, 2) if options.quick else (200_000, 5)
    pinning = pin(same_cpu=False)
    run = f"rounds: {rounds}, in each the best of {repeats} times {count:,} messages of 80 bytes"
    about = describe(options.twisted_python, ["reactorlib"], run)

    scenarios: dict[str, object] = {}
    failed = 0
    for key in options.format or FORMATS:
        format = FORMATS[key]
        for chunk in options.chunk or CHUNKS:
            size = f"{CHUNKS[chunk]:,} bytes" if CHUNKS[chunk] else "one message"
            print(f"\n80-byte {format.title}, {size} in each read\n", flush=True)
            chosen = [
                peer
                for peer in line_peers(key, CHUNKS[chunk], count, repeats, options.twisted_python)
                if not options.peer or peer.key in options.peer
            ]
            peers = importable(chosen, print)
            results = interleave(peers, rounds, partial(measure_batch, cpu=pinning.server), print)
            print(results_table(peers, results, "message"))
            if chunk == "64k":
                for line in target_lines(format.targets, peers, results):
                    print(f"\n{line}")
            scenarios[f"{key}-{chunk}"] = results_json(peers, results)
            failed += len(peers) - len(results)
    if options.json:
        options.json.write_text(json.dumps({**about, "scenarios": scenarios}, indent=2) + "\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
