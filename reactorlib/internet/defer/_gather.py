"""Waiting for several Deferreds."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from reactorlib.internet.defer._deferred import Deferred
from reactorlib.internet.defer._futures import cancel_and_report
from reactorlib.internet.defer._steps import SPECIAL
from reactorlib.python.failure import Failure

__all__ = ["FAILURE", "SUCCESS", "DeferredList", "FirstError", "gatherResults", "listed"]

#: The first half of each pair in the result of a `DeferredList`.
SUCCESS = True
FAILURE = False

T = TypeVar("T")

if TYPE_CHECKING:
    from typing_extensions import TypeVar as _TypeVar

    # So that `DeferredList` alone, as an annotation, means the usual result.
    _Result = _TypeVar("_Result", default=list[tuple[bool, Any]])
else:
    _Result = TypeVar("_Result")


def listed(deferreds: Iterable[Deferred[T]], who: str) -> list[Deferred[T]]:
    """
    A list of our own of the Deferreds that `who` is given.

    Raises:
        TypeError: there is something else among them.
    """
    found = list(deferreds)
    if not all(map(isinstance, found, repeat(Deferred))):
        given: list[object] = [*found]
        other = next(each for each in given if not isinstance(each, Deferred))
        raise TypeError(
            f"{who} takes Deferreds, not {other!r}; "
            "ensureDeferred() makes one of a coroutine, Deferred.fromFuture() of a future"
        )
    return found


class FirstError(Exception):
    """
    One of several Deferreds failed, and that decided the outcome.

    Attributes:
        subFailure: its Failure.
        index: which it was.
    """

    def __init__(self, failure: Failure, index: int) -> None:
        super().__init__(failure, index)
        self.subFailure = failure
        self.index = index
        # Python's own traceback then shows both.
        self.__cause__ = failure.value

    def __repr__(self) -> str:
        return f"FirstError[#{self.index}, {self.subFailure.value!r}]"

    def __str__(self) -> str:
        return f"FirstError[#{self.index}, {self.subFailure}]"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, FirstError):
            return (self.index, self.subFailure) == (other.index, other.subFailure)
        return NotImplemented

    __hash__ = Exception.__hash__


class DeferredList(Deferred[_Result]):
    """
    Fires when every Deferred of a list has fired.

    The result is a list of `(succeeded, result)` in the order of the list, or,
    if asked for, the first that comes:

    Args:
        deferredList: the Deferreds. Each keeps its result for other callbacks.
        fireOnOneCallback: fire with `(result, index)` on the first success.
        fireOnOneErrback: fail with `FirstError` on the first failure.
        consumeErrors: leave None in place of each failure, so that it is not
            reported as unhandled.

    Cancelling it cancels every Deferred in the list.
    """

    __slots__ = (
        "_deferredList",
        "consumeErrors",
        "finishedCount",
        "fireOnOneCallback",
        "fireOnOneErrback",
        "resultList",
    )

    @overload
    def __init__(
        self: DeferredList[list[tuple[bool, Any]]],
        deferredList: Iterable[Deferred[Any]],
        fireOnOneCallback: Literal[False] = False,
        fireOnOneErrback: bool = False,
        consumeErrors: bool = False,
    ) -> None: ...
    @overload
    def __init__(
        self: DeferredList[tuple[T, int]],
        deferredList: Iterable[Deferred[T]],
        fireOnOneCallback: Literal[True],
        fireOnOneErrback: Literal[True],
        consumeErrors: bool = False,
    ) -> None: ...
    @overload
    def __init__(
        self: DeferredList[tuple[T, int] | list[tuple[bool, Any]]],
        deferredList: Iterable[Deferred[T]],
        fireOnOneCallback: Literal[True],
        fireOnOneErrback: bool = False,
        consumeErrors: bool = False,
    ) -> None: ...
    @overload
    def __init__(
        self: DeferredList[Any],
        deferredList: Iterable[Deferred[Any]],
        fireOnOneCallback: bool,
        fireOnOneErrback: bool = False,
        consumeErrors: bool = False,
    ) -> None: ...
    def __init__(
        self: DeferredList[Any],
        deferredList: Iterable[Deferred[Any]],
        fireOnOneCallback: bool = False,
        fireOnOneErrback: bool = False,
        consumeErrors: bool = False,
    ) -> None:
        super().__init__()
        self._deferredList = listed(deferredList, "a DeferredList, or gatherResults(),")
        self.resultList: list[Any] = [None] * len(self._deferredList)
        self.fireOnOneCallback = fireOnOneCallback
        self.fireOnOneErrback = fireOnOneErrback
        self.consumeErrors = consumeErrors
        self.finishedCount = 0
        expected = len(self.resultList)
        if not self._deferredList and not fireOnOneCallback:
            self.callback(self.resultList)
        for index, deferred in enumerate(self._deferredList):

            def fired(result: Any, index: int = index) -> Any:
                # The frequent one: a success that decides nothing, or is the last.
                if type(result) in SPECIAL or self.fireOnOneCallback:
                    return self._decide(index, result)
                self.resultList[index] = (SUCCESS, result)
                self.finishedCount = finished = self.finishedCount + 1
                if finished == expected and not self.called:
                    self.callback(self.resultList)
                return result

            if deferred._step is None and deferred._steps is None and not deferred.called:
                deferred._step = (fired, fired)  # as _add_step, without the call
            else:
                deferred._add_step((fired, fired))

    def _decide(self: DeferredList[Any], index: int, result: Any) -> Any:
        """One of the Deferreds has fired: see what that means for this one."""
        failed = isinstance(result, Failure)
        self.resultList[index] = (not failed, result)
        self.finishedCount += 1
        if not self.called:
            if failed and self.fireOnOneErrback:
                self.errback(FirstError(result, index))
            elif self.fireOnOneCallback and not failed:
                self.callback((result, index))
            elif self.finishedCount == len(self.resultList):
                self.callback(self.resultList)
        return None if failed and self.consumeErrors else result

    def cancel(self, msg: object = None) -> None:
        """Cancel every Deferred in the list; their outcomes decide this one's."""
        if self.called:
            # It may still be waiting for what one of its callbacks returned.
            super().cancel(msg)
            return
        for deferred in self._deferredList:
            # One canceller that fails must not spare the others.
            cancel_and_report(deferred, msg)


def gatherResults(
    deferredList: Iterable[Deferred[T]], consumeErrors: bool = False
) -> Deferred[list[T]]:
    """
    A Deferred that fires with the list of all results, or fails with
    `FirstError` as soon as one fails.

    Args:
        consumeErrors: whether further failures are taken care of here; otherwise
            each is reported unless the caller handles it.
    """
    gathered = DeferredList(deferredList, fireOnOneErrback=True, consumeErrors=consumeErrors)
    return gathered.addCallback(lambda pairs: [value for _, value in pairs])
