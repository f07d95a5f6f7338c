"""
One body, run in three ways; and outcomes as values that can be compared.

What is expected of a Deferred is, for the most part, what asyncio does with a
future: tests run the same body in a plain task with a future, and compare.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any

from reactorlib.internet.defer import Deferred, ensureDeferred, inlineCallbacks

#: ("result", value), or ("raised", class, arguments or parts).
Outcome = tuple[Any, ...]


def described(exception: BaseException) -> Outcome:
    """An exception as a value: its class and arguments, and its parts if it is a group."""
    if isinstance(exception, BaseExceptionGroup):
        return ("raised", type(exception), tuple(described(e) for e in exception.exceptions))
    return ("raised", type(exception), exception.args)


def cancelled(*args: object) -> Outcome:
    return ("raised", asyncio.CancelledError, args)


async def outcome(awaitable: Awaitable[Any]) -> Outcome:
    """What comes of awaiting; a cancellation too."""
    try:
        return ("result", await awaitable)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as exception:
        return described(exception)


async def turns(count: int) -> None:
    """Let the loop go round so often."""
    for _ in range(count):
        await asyncio.sleep(0)


@dataclass
class Run:
    """A body that has been started."""

    #: A Deferred, or asyncio's task.
    handle: Any
    #: What `asyncio.current_task()` is inside.
    task: Any


@dataclass(frozen=True)
class Driver:
    """
    One way to run a body.

    `start` is given a function, and waits for what that returns: by `await` in a
    coroutine, by `yield` in a generator. On the loop's next turn it does so at
    the latest.
    """

    name: str
    start: Callable[[Callable[[], Any]], Run]

    async def outcome(self, body: Callable[[], Any]) -> Outcome:
        """Run the body to its end."""
        return await outcome(self.start(body).handle)


def _current_task() -> Any:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None  # no loop runs


async def _await(body: Callable[[], Any], tasks: list[Any]) -> Any:
    tasks.append(_current_task())
    return await body()


@inlineCallbacks
def _yield(body: Callable[[], Any], tasks: list[Any]) -> Generator[Any, Any, Any]:
    tasks.append(_current_task())
    value = yield body()
    return value


def _ensure_deferred(body: Callable[[], Any]) -> Run:
    tasks: list[Any] = []
    handle = ensureDeferred(_await(body, tasks))
    return Run(handle, *tasks)


def _inline_callbacks(body: Callable[[], Any]) -> Run:
    tasks: list[Any] = []
    handle = _yield(body, tasks)
    return Run(handle, *tasks)


def _plain_task(body: Callable[[], Any]) -> Run:
    task = asyncio.get_running_loop().create_task(_await(body, []))
    return Run(task, task)


PLAIN = Driver("task", _plain_task)
DRIVERS = {
    "ensureDeferred": Driver("ensureDeferred", _ensure_deferred),
    "inlineCallbacks": Driver("inlineCallbacks", _inline_callbacks),
    "task": PLAIN,
}
#: Those under which a body runs inline.
OURS = [DRIVERS["ensureDeferred"], DRIVERS["inlineCallbacks"]]


class Subject(ABC):
    """Something to wait for."""

    #: What to await.
    it: Any

    @abstractmethod
    def succeed(self, value: object) -> None: ...

    @abstractmethod
    def fail(self, error: Exception) -> None: ...

    def cancel(self, msg: str | None = None) -> None:
        self.it.cancel(msg)

    def cancelled(self) -> bool:
        return bool(self.it.cancelled())

    def drop(self) -> None:
        """Wake whoever still waits for it; what comes of that is of no interest."""
        self.cancel()


class ADeferred(Subject):
    def __init__(self) -> None:
        self.it: Deferred[Any] = Deferred()

    def succeed(self, value: object) -> None:
        self.it.callback(value)

    def fail(self, error: Exception) -> None:
        self.it.errback(error)

    def drop(self) -> None:
        super().drop()
        self.it.addErrback(lambda failure: None)


class AFuture(Subject):
    def __init__(self) -> None:
        self.it: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def succeed(self, value: object) -> None:
        self.it.set_result(value)

    def fail(self, error: Exception) -> None:
        self.it.set_exception(error)
