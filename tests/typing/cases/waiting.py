"""What awaiting gives, and what makes Deferreds of coroutines and futures."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any, reveal_type

from reactorlib.internet.defer import Deferred, ensureDeferred, inlineCallbacks

d: Deferred[int] = Deferred()


async def text(n: int) -> str:
    reveal_type(await d)  # R: int
    reveal_type(await d.addCallback(str))  # R: str
    reveal_type(await asyncio.wait_for(d, 5))  # R: int
    reveal_type(await asyncio.gather(d, text(1)))  # R: tuple[int, str]
    reveal_type(await asyncio.shield(d))  # R: int
    return ""


@inlineCallbacks
def generator(n: int, *, flag: bool = False) -> Generator[Deferred[Any], Any, bytes]:
    reveal_type((yield d))  # R: Any
    reveal_type((yield from d))  # R: int
    return b""


reveal_type(generator)  # R: def (n: int, *, flag: bool =) -> Deferred[bytes]
reveal_type(generator(1, flag=True))  # R: Deferred[bytes]
generator("1")  # type: ignore[arg-type]

reveal_type(ensureDeferred(text(1)))  # R: Deferred[str]
reveal_type(ensureDeferred(d))  # R: Deferred[int]
reveal_type(Deferred.fromCoroutine(text(1)))  # R: Deferred[str]
ensureDeferred(text)  # type: ignore[call-overload]

loop = asyncio.new_event_loop()
reveal_type(d.asFuture(loop))  # R: Future[int]
future: asyncio.Future[str] = loop.create_future()
reveal_type(Deferred.fromFuture(future))  # R: Deferred[str]
reveal_type(loop.run_until_complete(d))  # R: int
