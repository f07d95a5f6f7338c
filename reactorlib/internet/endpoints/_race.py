"""
Connecting to a host that has several addresses: RFC 8305, "Happy Eyeballs".

Addresses are tried one after another, a moment apart and without waiting for the
one before to fail, IPv6 and IPv4 in turn. The first connection wins; the other
attempts are broken off.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from reactorlib.internet import error
from reactorlib.internet.defer import Deferred, maybeDeferred
from reactorlib.python.failure import Failure

__all__ = ["ATTEMPT_DELAY", "Race"]

#: Seconds from one attempt to the next.  RFC 8305 section 5 recommends 0.25, and
#: allows 0.1 to 2; this is Twisted's.
ATTEMPT_DELAY = 0.3


def interleaved(addresses: Iterable[Any]) -> list[Any]:
    """
    The addresses, each family in its order, the families in turn.

    RFC 8305 section 4: the first one's family begins; the resolver has sorted them.
    """
    families: dict[type, deque[Any]] = {}
    for address in addresses:
        families.setdefault(type(address), deque()).append(address)
    result = []
    while families:
        for family in list(families):
            result.append(families[family].popleft())
            if not families[family]:
                del families[family]
    return result


class Race:
    """
    Attempts to connect to one of several addresses.

    Args:
        clock: the IReactorTime to wait with.
        what: where to, for people.
        destination: the same, for `ConnectingCancelledError`.
        attempt: tries one address.
        delay: seconds from one attempt to the next.
    """

    def __init__(
        self,
        clock: Any,
        what: str,
        destination: Any,
        attempt: Callable[[Any], Deferred[Any]],
        delay: float = ATTEMPT_DELAY,
    ) -> None:
        self._clock = clock
        self._what = what
        self._destination = destination
        self._attempt = attempt
        self._delay = delay
        self._left: deque[Any] = deque()
        self._searching: Deferred[Any] | None = None
        self._running: dict[Deferred[Any], Any] = {}
        self._failed: list[tuple[Any, Failure]] = []
        self._next: Any = None
        self._result: Deferred[Any] = Deferred(self._cancel)

    def begin(self, find: Callable[[], Deferred[list[Any]]]) -> Deferred[Any]:
        """
        Start as soon as `find` has addresses.

        Returns:
            a Deferred that fires with the first connection. It fails when all
            attempts have failed, with their error or a `ConnectError` made of them
            all, and with `ConnectingCancelledError` when it is cancelled.
        """
        self._searching = searching = maybeDeferred(find)
        searching.addCallback(self._found).addErrback(self._over)
        return self._result

    def _cancel(self, result: Deferred[Any]) -> None:
        searching = self._searching
        self._over(Failure(error.ConnectingCancelledError(self._destination)))
        if searching is not None:
            searching.cancel()

    def _found(self, addresses: list[Any]) -> None:
        self._searching = None
        if self._result.called:
            return
        self._left.extend(interleaved(addresses))
        self._try_next()

    def _try_next(self) -> None:
        self._stop_waiting()
        if not self._left:
            if not self._running and not self._result.called:
                self._over(Failure(self._why()))
            return
        address = self._left.popleft()
        if self._left:
            self._next = self._clock.callLater(self._delay, self._waited)
        trying = self._attempt(address)
        self._running[trying] = address
        trying.addCallbacks(
            self._won, self._lost, callbackArgs=(trying,), errbackArgs=(trying, address)
        )

    def _waited(self) -> None:
        self._next = None
        self._try_next()

    def _stop_waiting(self) -> None:
        waiting, self._next = self._next, None
        if waiting is not None:
            waiting.cancel()

    def _won(self, protocol: Any, trying: Deferred[Any]) -> None:
        self._running.pop(trying, None)
        self._over(protocol)

    def _lost(self, failure: Failure, trying: Deferred[Any], address: Any) -> None:
        self._running.pop(trying, None)
        if self._result.called:
            return
        if not failure.check(error.ConnectError, OSError):
            self._over(failure)  # not the address's fault: a factory's, for one
            return
        self._failed.append((address, failure))
        # RFC 8305 section 5: what has failed need not be waited for.
        if self._left or not self._running:
            self._try_next()

    def _over(self, outcome: Any) -> None:
        """Nothing is tried any more."""
        self._searching = None
        self._left.clear()
        self._stop_waiting()
        running, self._running = self._running, {}
        if not self._result.called:
            self._result.callback(outcome)
        for trying in running:
            trying.cancel()

    def _why(self) -> BaseException:
        """One error for all that have happened."""
        errors: list[Exception] = []
        for _, failure in self._failed:
            if isinstance(failure.value, Exception) and failure.value not in errors:
                errors.append(failure.value)
        if len(errors) == 1:
            return errors[0]
        kinds = {type(each) for each in errors}
        kind = kinds.pop() if len(kinds) == 1 else error.ConnectError
        if not issubclass(kind, error.ConnectError):
            kind = error.ConnectError
        told = "; ".join(
            f"{address.host} port {address.port}: {str(failure.value).rstrip('.')}"
            for address, failure in self._failed
        )
        every = kind(string=f"{self._what}: {told}")
        every.__cause__ = ExceptionGroup(f"no address of {self._what} answers", errors)
        return every
