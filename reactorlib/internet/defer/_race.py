"""The first success of several Deferreds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from reactorlib.internet.defer._deferred import Deferred
from reactorlib.python.failure import Failure

__all__ = ["FailureGroup", "race"]

T = TypeVar("T")


class FailureGroup(Exception):
    """
    Every Deferred of a `race` failed.

    Attributes:
        failures: their Failures, in the order in which they came.
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
        it cancels them all.

    Raises:
        ValueError: there is none, so that it would never fire.
    """
    if not ds:
        raise ValueError("race() of no Deferreds, which nothing could win or end")
    failures: list[Failure] = []
    decided = False

    def cancel_all(_: object) -> None:
        for d in ds:
            d.cancel()

    outcome: Deferred[tuple[int, T]] = Deferred(cancel_all)

    def succeeded(result: T, index: int) -> None:
        nonlocal decided
        if decided:
            return
        decided = True
        for other in ds:
            if other is not ds[index]:
                other.cancel()
        outcome.callback((index, result))

    def failed(failure: Failure) -> None:
        failures.append(failure)
        if len(failures) == len(ds) and not decided:
            outcome.errback(FailureGroup(failures))

    for index, d in enumerate(ds):
        d.addCallbacks(succeeded, failed, callbackArgs=(index,))
    return outcome
