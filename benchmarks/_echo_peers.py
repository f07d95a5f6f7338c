"""The servers that the echo benchmark compares, and what each is compared with."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks._harness import Peer
from benchmarks._peers import BESIDE, LOOPS, TWISTED_ASYNCIO, compared, needed, raw

#: Titles of more columns of ratios.
TRAPPED = "x trapped"
RAW_JOINED = "x raw joined"

_RAW_CHILD = "benchmarks._echo_raw"


def echo_peers(twisted_python: str) -> list[Peer]:
    """Return the peers that send back whatever comes."""
    return _peers("echo", twisted_python, {TRAPPED: "{}-trapped"})


def line_peers(twisted_python: str) -> list[Peer]:
    """Return the peers that answer lines; the raw ones with single and with joined writes."""
    joined = [
        Peer(
            f"{loop}-joined",
            f"{loop}, answers joined",
            (_RAW_CHILD, "--out-of-trap", loop, "lines-joined"),
            needed(loop),
        )
        for loop in LOOPS
    ]
    return _peers("lines", twisted_python, {RAW_JOINED: "{}-joined"}, joined)


def count_peers(twisted_python: str) -> list[Peer]:
    """Return the peers that count lines."""
    return _peers("count", twisted_python)


def _peers(
    program: str,
    twisted_python: str,
    beside: Mapping[str, str] | None = None,
    more: list[Peer] | None = None,
) -> list[Peer]:
    ratios = BESIDE | {TWISTED_ASYNCIO: "twisted-asyncio"} | dict(beside or {})
    trapped = (_RAW_CHILD, "asyncio", program)
    return [
        Peer("asyncio-trapped", "asyncio, in the allocation trap", trapped),
        *raw((_RAW_CHILD, "--out-of-trap"), (program,)),
        *(more or []),
        *compared("benchmarks._echo_twisted", (program,), twisted_python, ratios),
    ]
