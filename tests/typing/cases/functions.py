"""What the functions around Deferreds give."""

from __future__ import annotations

from collections.abc import Generator
from typing import reveal_type

from reactorlib.internet.defer import (
    Deferred,
    DeferredList,
    DeferredLock,
    DeferredQueue,
    DeferredSemaphore,
    execute,
    fail,
    gatherResults,
    inlineCallbacks,
    maybeDeferred,
    race,
    succeed,
)
from reactorlib.internet.task import Clock, deferLater

d: Deferred[int] = Deferred()
other: Deferred[str] = Deferred()


def text(n: int) -> str:
    return str(n)


def text_later(n: int) -> Deferred[str]:
    return Deferred()


async def text_soon(n: int) -> str:
    return str(n)


def text_in_steps(n: int) -> Generator[Deferred[int], int, str]:
    n = yield d
    return str(n)


reveal_type(succeed(1))  # R: Deferred[int]
reveal_type(succeed(None))  # R: Deferred[None]
reveal_type(fail(ValueError()))  # R: Deferred[Any]
reveal_type(execute(text, 1))  # R: Deferred[str]
reveal_type(maybeDeferred(text, 1))  # R: Deferred[str]
reveal_type(maybeDeferred(text_later, 1))  # R: Deferred[str]
reveal_type(maybeDeferred(text_soon, n=1))  # R: Deferred[str]
reveal_type(inlineCallbacks(text_soon)(1))  # R: Deferred[str]
reveal_type(inlineCallbacks(text_in_steps)(n=1))  # R: Deferred[str]
inlineCallbacks(text_soon)("1")  # type: ignore[arg-type]
maybeDeferred(text, "1")  # type: ignore[call-overload]

reveal_type(gatherResults([d, d]))  # R: Deferred[list[int]]
reveal_type(race([d, d]))  # R: Deferred[tuple[int, int]]
reveal_type(race([other]))  # R: Deferred[tuple[int, str]]

reveal_type(DeferredList([d, other]))  # R: DeferredList[list[tuple[bool, Any]]]
reveal_type(DeferredList([d], consumeErrors=True))  # R: DeferredList[list[tuple[bool, Any]]]
reveal_type(DeferredList([other], True, True))  # R: DeferredList[tuple[str, int]]
first = DeferredList([other], fireOnOneCallback=True)
reveal_type(first)  # R: DeferredList[tuple[str, int] | list[tuple[bool, Any]]]


def annotated(alone: DeferredList) -> None:
    reveal_type(alone)  # R: DeferredList[list[tuple[bool, Any]]]


async def wait() -> None:
    reveal_type(await DeferredList([d]))  # R: list[tuple[bool, Any]]
    reveal_type(await gatherResults([d]))  # R: list[int]
    reveal_type(await race([other]))  # R: tuple[int, str]
    async with DeferredLock() as held:
        reveal_type(held)  # R: DeferredLock


lock = DeferredLock()
reveal_type(lock.acquire())  # R: Deferred[DeferredLock]
reveal_type(DeferredSemaphore(2).acquire())  # R: Deferred[DeferredSemaphore]
reveal_type(lock.run(text, 1))  # R: Deferred[str]
reveal_type(lock.run(text_later, 1))  # R: Deferred[str]
reveal_type(lock.run(text_soon, 1))  # R: Deferred[str]
lock.run(text)  # type: ignore[call-overload]

queue = DeferredQueue[bytes]()
reveal_type(queue.get())  # R: Deferred[bytes]
queue.put("text")  # type: ignore[arg-type]

reveal_type(deferLater(Clock(), 1))  # R: Deferred[None]
reveal_type(deferLater(Clock(), 1, text, 1))  # R: Deferred[str]
reveal_type(deferLater(Clock(), 1, text_later, 1))  # R: Deferred[str]
reveal_type(deferLater(Clock(), 1, text_soon, 1))  # R: Deferred[str]
