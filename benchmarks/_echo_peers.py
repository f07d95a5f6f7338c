"""The servers that the echo benchmark compares, and what each is compared with."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks._harness import Peer

#: Titles of the columns of ratios.
RAW = "x raw"
RAW_JOINED = "x raw joined"
TWISTED = "x Twisted"

LOOPS = ("asyncio", "uvloop")


def echo_peers(twisted_python: str) -> list[Peer]:
    """Return the peers that send back whatever comes."""
    baselines = {RAW: "{}", TWISTED: "twisted-epoll"}
    return [*_raw("echo"), *_reactorlib("echo", baselines), *_twisted("echo", twisted_python)]


def line_peers(twisted_python: str) -> list[Peer]:
    """Return the peers that answer lines; the raw ones with single and with joined writes."""
    baselines = {RAW: "{}", RAW_JOINED: "{}-joined", TWISTED: "twisted-epoll"}
    return [
        *_raw("lines"),
        *_raw_joined(),
        *_reactorlib("lines", baselines),
        *_twisted("lines", twisted_python),
    ]


def _raw(program: str) -> Iterator[Peer]:
    server = "benchmarks._echo_raw"
    yield Peer("asyncio-trapped", "asyncio, in the allocation trap", (server, "asyncio", program))
    for loop in LOOPS:
        yield Peer(loop, loop, (server, "--out-of-trap", loop, program), _needed(loop))


def _raw_joined() -> Iterator[Peer]:
    for loop in LOOPS:
        command = ("benchmarks._echo_raw", "--out-of-trap", loop, "lines-joined")
        yield Peer(f"{loop}-joined", f"{loop}, answers joined", command, _needed(loop))


def _reactorlib(program: str, baselines: dict[str, str]) -> Iterator[Peer]:
    """reactorlib on each loop. A `{}` in the key of a baseline stands for the loop."""
    for loop in LOOPS:
        yield Peer(
            f"reactorlib-{loop}",
            f"reactorlib on {loop}",
            ("benchmarks._echo_twisted", "reactorlib", loop, program),
            ("reactorlib", *_needed(loop)),
            beside={column: key.format(loop) for column, key in baselines.items()},
        )


def _twisted(program: str, python: str) -> Iterator[Peer]:
    for reactor in ("epoll", "asyncio"):
        yield Peer(
            f"twisted-{reactor}",
            f"Twisted, {reactor} reactor",
            ("benchmarks._echo_twisted", "twisted", reactor, program),
            ("twisted",),
            python,
        )


def _needed(loop: str) -> tuple[str, ...]:
    return () if loop == "asyncio" else (loop,)
