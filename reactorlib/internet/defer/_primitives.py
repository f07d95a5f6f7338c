"""Locks, semaphores and queues that hand out Deferreds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from reactorlib.internet.defer._deferred import Deferred
from reactorlib.internet.defer._functions import maybeDeferred, succeed
from reactorlib.python.failure import Failure

if TYPE_CHECKING:
    from typing import Self

__all__ = [
    "DeferredLock",
    "DeferredQueue",
    "DeferredSemaphore",
    "QueueOverflow",
    "QueueUnderflow",
]

T = TypeVar("T")
_P = ParamSpec("_P")


class _ConcurrencyPrimitive(ABC):
    """
    Something that only so many may hold at once.

    Who comes when it is taken waits, in order. `async with` takes it and gives
    it back.
    """

    def __init__(self) -> None:
        self.waiting: deque[Deferred[Any]] = deque()

    @abstractmethod
    def _free(self) -> bool:
        """Whether it can be taken now."""

    @abstractmethod
    def _take(self) -> None:
        """Count one holder more."""

    @abstractmethod
    def _give(self) -> None:
        """Count one holder less."""

    def acquire(self) -> Deferred[Self]:
        """
        Take it.

        Returns:
            a Deferred that fires with this object when it is the caller's.
            Cancelling it leaves the queue; once it has fired it does nothing.
        """
        if self._free():
            self._take()
            return succeed(self)
        d: Deferred[Self] = Deferred(self.waiting.remove)
        self.waiting.append(d)
        return d

    def release(self) -> None:
        """Give it back: who waits longest has it next."""
        self._give()
        if self.waiting:
            self._take()
            self.waiting.popleft().callback(self)

    @overload
    def run(
        self, f: Callable[_P, Deferred[T]], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> Deferred[T]: ...
    @overload
    def run(
        self, f: Callable[_P, Coroutine[Any, Any, T]], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> Deferred[T]: ...
    @overload
    def run(self, f: Callable[_P, T], /, *args: _P.args, **kwargs: _P.kwargs) -> Deferred[T]: ...
    def run(self, f: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Deferred[Any]:
        """
        Take it, call `f`, and give it back when the outcome of `f` is there.

        Returns:
            a Deferred with that outcome.
        """

        def release(outcome: Any) -> Any:
            self.release()
            return outcome

        def taken(_: object) -> Deferred[Any]:
            try:
                working = maybeDeferred(f, *args, **kwargs)
            except BaseException:
                # A KeyboardInterrupt, which goes through: who holds it is gone.
                self.release()
                raise
            return working.addBoth(release)

        return self.acquire().addCallback(taken)

    async def __aenter__(self) -> Self:
        acquired = self.acquire()
        try:
            return await acquired
        except BaseException:
            # A task that is cancelled before it could go on may hold it already.
            if acquired.done() and not isinstance(acquired.result, Failure):
                self.release()
            raise

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


class DeferredLock(_ConcurrencyPrimitive):
    """
    A lock: one holder at a time.

    Attributes:
        locked: whether it has one.
    """

    locked = False

    def _free(self) -> bool:
        return not self.locked

    def _take(self) -> None:
        self.locked = True

    def _give(self) -> None:
        if not self.locked:
            raise RuntimeError("release() of a lock that nobody holds")
        self.locked = False


class DeferredSemaphore(_ConcurrencyPrimitive):
    """
    A semaphore: so many holders at a time.

    Args:
        tokens: how many; at least 1.

    Attributes:
        tokens: how many more could hold it now.
        limit: how many can at most.
    """

    def __init__(self, tokens: int) -> None:
        super().__init__()
        if tokens < 1:
            raise ValueError(f"a DeferredSemaphore needs at least one token, not {tokens}")
        self.tokens = tokens
        self.limit = tokens

    def _free(self) -> bool:
        return self.tokens > 0

    def _take(self) -> None:
        self.tokens -= 1

    def _give(self) -> None:
        if self.tokens >= self.limit:
            raise RuntimeError("release() of a semaphore that nobody holds")
        self.tokens += 1


class QueueOverflow(Exception):
    """`put` to a queue that is full."""


class QueueUnderflow(Exception):
    """`get` from a queue for which too many wait already."""


class DeferredQueue(Generic[T]):
    """
    A queue: what is put in comes out in order, to who waits longest.

    Args:
        size: how many things may lie in it; None for any number.
        backlog: how many may wait for something; None for any number.
    """

    def __init__(self, size: int | None = None, backlog: int | None = None) -> None:
        self.waiting: deque[Deferred[T]] = deque()
        self.pending: deque[T] = deque()
        self.size = size
        self.backlog = backlog

    def put(self, obj: T) -> None:
        """
        Put something in.

        Raises:
            QueueOverflow: the queue is full.
        """
        if self.waiting:
            self.waiting.popleft().callback(obj)
        elif self.size is None or len(self.pending) < self.size:
            self.pending.append(obj)
        else:
            raise QueueOverflow(f"the queue holds {self.size} already")

    def get(self) -> Deferred[T]:
        """
        Take the next thing out.

        Returns:
            a Deferred that fires with it. Cancelling it gives up the place in
            the row of those who wait. Once it has fired the thing is out of the
            queue: a task of asyncio's that awaits it, and is cancelled before the
            turn of the loop in which it goes on, takes it along. A coroutine
            under a Deferred goes on at once.

        Raises:
            QueueUnderflow: too many wait already.
        """
        if self.pending:
            return succeed(self.pending.popleft())
        if self.backlog is not None and len(self.waiting) >= self.backlog:
            raise QueueUnderflow(f"{self.backlog} wait for the queue already")
        d: Deferred[T] = Deferred(self.waiting.remove)
        self.waiting.append(d)
        return d
