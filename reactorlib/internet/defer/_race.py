"""The first success of several Deferreds."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import TypeVar

from reactorlib.internet.defer._deferred import Deferred
from reactorlib.internet.defer._futures import cancel_and_report
from reactorlib.internet.defer._gather import listed
from reactorlib.python.failure import Failure

__all__ = ["FailureGroup", "race"]

T = TypeVar("T")


class FailureGroup(Exception):
    """
    Every Deferred of a `race` failed.

    Attributes:
        failures: their Failures, in the order of the Deferreds.
    """

    def __init__(self, failures: Sequence[Failure]) -> None:
        super().__init__(failures)
        self.failures = failures


def race(ds: Sequence[Deferred[T]]) -> Deferred[tuple[int, T]]:
    """
    Take the first success, and cancel the others.

    Returns:
        a Deferred that fires with the index of the first to succeed and its
        result. When all have failed it fails with a `FailureGroup`. Cancelling
        it cancels them all. A canceller that raises is reported.

    Raises:
        ValueError: there is none, so that it would never fire.
        TypeError: there is something else than a Deferred.
    """
    ds = listed(ds, "race()")
    if not ds:
        raise ValueError("race() of no Deferreds, which nothing could win or end")
    failures: list[tuple[int, Failure]] = []
    decided = False

    def cancel_all(_: object) -> None:
        for d in ds:
            cancel_and_report(d)

    outcome: Deferred[tuple[int, T]] = Deferred(cancel_all)

    def succeeded(result: T, index: int) -> None:
        nonlocal decided
        if decided:
            return
        decided = True
        for other in ds:
            if other is not ds[index]:
                cancel_and_report(other)
        outcome.callback((index, result))

    def failed(failure: Failure, index: int) -> None:
        failures.append((index, failure))
        if len(failures) == len(ds) and not decided:
            failures.sort(key=itemgetter(0))
            outcome.errback(FailureGroup([failure for _, failure in failures]))

    for index, d in enumerate(ds):
        d.addCallbacks(succeeded, failed, callbackArgs=(index,), errbackArgs=(index,))
    return outcome
