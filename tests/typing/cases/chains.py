"""What a chain of callbacks is a Deferred of."""

from __future__ import annotations

from typing import Any, NoReturn, reveal_type

from reactorlib.internet.defer import Deferred, passthru
from reactorlib.python.failure import Failure

d: Deferred[int] = Deferred()


def text(n: int) -> str:
    return str(n)


def text_later(n: int) -> Deferred[str]:
    return Deferred()


async def text_soon(n: int) -> str:
    return str(n)


def text_or_failure(n: int) -> str | Failure:
    return str(n)


def with_arguments(n: int, encoding: str, *, errors: str = "strict") -> bytes:
    return b""


def untyped(n: Any) -> Any:
    return n


def handle(failure: Failure) -> None:
    pass


def log(failure: Failure) -> Failure:
    return failure


def give_up(failure: Failure) -> NoReturn:
    raise ValueError


def bytes_later(failure: Failure) -> Deferred[bytes]:
    return Deferred()


async def bytes_soon(failure: Failure) -> bytes:
    return b""


def either(result: int | Failure) -> str:
    return ""


# A callback decides the type; a Deferred or a coroutine is waited for.
reveal_type(d.addCallback(text))  # R: Deferred[str]
reveal_type(d.addCallback(text_later))  # R: Deferred[str]
reveal_type(d.addCallback(text_soon))  # R: Deferred[str]
reveal_type(d.addCallback(text_or_failure))  # R: Deferred[str]
reveal_type(d.addCallback(with_arguments, "ascii", errors="ignore"))  # R: Deferred[bytes]
reveal_type(d.addCallback(untyped))  # R: Deferred[Any]
reveal_type(d.addCallback(lambda n: n / 2))  # R: Deferred[float]
# (A lambda fits each overload until its argument is known, which comes too late.)
reveal_type(d.addCallback(lambda n: Deferred[str]()))  # R: Deferred[Any]
reveal_type(d.addCallback(passthru))  # R: Deferred[int]
reveal_type(d.addCallback(text).addCallback(len).addCallback(print))  # R: Deferred[None]

# An errback adds to the type what it gives, unless that is a failure again.
reveal_type(d.addErrback(handle))  # R: Deferred[int | None]
reveal_type(d.addErrback(log))  # R: Deferred[int]
reveal_type(d.addErrback(give_up))  # R: Deferred[int]
reveal_type(d.addErrback(bytes_later))  # R: Deferred[int | bytes]
reveal_type(d.addErrback(bytes_soon))  # R: Deferred[int | bytes]
reveal_type(d.addErrback(lambda failure: 0))  # R: Deferred[int]
reveal_type(d.addErrback(lambda failure: None))  # R: Deferred[int | None]

# addBoth replaces it.
reveal_type(d.addBoth(either))  # R: Deferred[str]
reveal_type(d.addBoth(lambda result: None))  # R: Deferred[None]
reveal_type(d.addBoth(lambda result: result))  # R: Deferred[int]
reveal_type(d.addBoth(passthru))  # R: Deferred[int]

# addCallbacks is of what either half gives.
reveal_type(d.addCallbacks(text))  # R: Deferred[str]
reveal_type(d.addCallbacks(text_later, log))  # R: Deferred[str]
reveal_type(d.addCallbacks(text, handle))  # R: Deferred[str | None]
reveal_type(d.addCallbacks(text_soon, bytes_later))  # R: Deferred[str | bytes]
reveal_type(d.addCallbacks(text, bytes_soon))  # R: Deferred[str | bytes]
reveal_type(d.addCallbacks(None, handle))  # R: Deferred[int | None]
reveal_type(d.addCallbacks(None, bytes_later))  # R: Deferred[int | bytes]
reveal_type(d.addCallbacks(lambda n: "", lambda failure: None))  # R: Deferred[str | None]
reveal_type(d.addCallbacks(with_arguments, callbackArgs=("ascii",)))  # R: Deferred[bytes]

reveal_type(d.chainDeferred(Deferred[int]()))  # R: Deferred[None]
reveal_type(d.addTimeout(5, None))  # R: Deferred[int]

# What does not fit is an error.
Deferred[str]().addCallback(text)  # type: ignore[call-overload]
d.addCallback(with_arguments)  # type: ignore[call-overload]
d.addErrback(text)  # type: ignore[call-overload]
d.callback("text")  # type: ignore[arg-type]
d.chainDeferred(Deferred[str]())  # type: ignore[arg-type]
