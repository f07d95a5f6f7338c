"""
Who is compared in most benchmarks: the bare loops, reactorlib on each, Twisted's reactors.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence

from benchmarks._harness import Peer

#: Titles of the columns of ratios.
RAW = "x raw"
TWISTED = "x Twisted"
TWISTED_ASYNCIO = "x Twisted asyncio"

LOOPS = ("asyncio", "uvloop")

#: What reactorlib is compared with. A `{}` stands for the loop that it runs on.
BESIDE = {RAW: "{}", TWISTED: "twisted-epoll"}


def needed(loop: str) -> tuple[str, ...]:
    """Return the packages that a loop is from."""
    return () if loop == "asyncio" else (loop,)


def raw(before: Sequence[str], after: Sequence[str] = ()) -> Iterator[Peer]:
    """Yield the bare loops. Their child's command names the loop between `before` and `after`."""
    for loop in LOOPS:
        yield Peer(loop, loop, (*before, loop, *after), needed(loop))


def compared(
    child: str,
    after: Sequence[str] = (),
    twisted_python: str = sys.executable,
    beside: Mapping[str, str] = BESIDE,
    twisted_needs: tuple[str, ...] = ("twisted",),
) -> Iterator[Peer]:
    """
    Yield reactorlib on each loop, and Twisted on two reactors.

    Args:
        child: the module; the command names the package and the loop next.
        after: what else the command says.
        twisted_python: the interpreter that has Twisted.
        beside: what reactorlib is compared with; see `BESIDE`.
        twisted_needs: packages without which Twisted is skipped.
    """
    for loop in LOOPS:
        yield Peer(
            f"reactorlib-{loop}",
            f"reactorlib on {loop}",
            (child, "reactorlib", loop, *after),
            ("reactorlib", *needed(loop)),
            beside={column: key.format(loop) for column, key in beside.items()},
        )
    for reactor in ("epoll", "asyncio"):
        yield Peer(
            f"twisted-{reactor}",
            f"Twisted, {reactor} reactor",
            (child, "twisted", reactor, *after),
            twisted_needs,
            twisted_python,
        )
