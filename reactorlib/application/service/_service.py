"""
One service.

A subclass says what to do in `startService` and `stopService`, and calls those of
this class, which keep `running`. Either may be a coroutine function, or return a
Deferred. What starts and stops a service goes through `start` and `stop` below,
and so need not care which it is.
"""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

from zope.interface import implementer

from reactorlib.application.service._interfaces import IService, IServiceCollection
from reactorlib.internet.defer import CancelledError, Deferred, maybeDeferred
from reactorlib.python.failure import Failure

__all__ = ["Service", "start", "stop"]


def start(service: Any) -> Deferred[None]:
    """
    Start a service, with whatever needs privileges first.

    Returns:
        a Deferred that fires with None when it has started, and fails with why
        it could not.
    """

    def begin() -> Any:
        service.privilegedStartService()
        return service.startService()

    return maybeDeferred(begin).addCallback(lambda _: None)


def stop(service: Any, grace: float | None = None) -> Deferred[None]:
    """
    Stop a service.

    Args:
        service: any `IService`.
        grace: seconds for what is in flight to finish. A service whose
            `stopService` does not take it has that long to stop, and then its
            stopping is cancelled. None for no limit.

    Returns:
        a Deferred that fires with None when it has stopped.
    """
    if grace is None:
        return maybeDeferred(service.stopService).addCallback(lambda _: None)
    check_grace(grace)
    if _takes_grace(service.stopService):
        return maybeDeferred(service.stopService, grace=grace).addCallback(lambda _: None)
    return cancel_after(grace, maybeDeferred(service.stopService)).addCallback(lambda _: None)


def check_grace(grace: float | None) -> None:
    """Raise ValueError if `grace` is no time."""
    if grace is not None and not 0 <= grace < math.inf:
        raise ValueError(f"grace is {grace!r}: seconds, 0 or more, and not infinite")


def cancel_after(grace: float, stopped: Deferred[Any]) -> Deferred[Any]:
    """Cancel `stopped` if it has not fired within `grace` seconds; then it fires with None."""
    if stopped.called and not stopped.paused:
        return stopped
    from reactorlib.internet import reactor

    out_of_time: list[bool] = []

    def late() -> None:
        out_of_time.append(True)
        stopped.cancel()

    call = reactor.callLater(grace, late)

    def over(result: Any) -> Any:
        if call.active():
            call.cancel()
        if out_of_time and isinstance(result, Failure) and result.check(CancelledError):
            return None
        return result

    return stopped.addBoth(over)


def _takes_grace(function: Any) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(p.name == "grace" or p.kind is p.VAR_KEYWORD for p in parameters)


@implementer(IService)
class Service:
    """
    Something that starts and stops, and has a place in a tree.

    It is an async context manager, too: `async with service:` starts it, and
    stops it at the end.

    Attributes:
        name: what it is called in its parent; None for no name.
        running: 1 from `startService` to `stopService`, else 0.
        parent: the collection that it is in; None for none.
    """

    running: int = 0
    name: str | None = None
    parent: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """A saved service does not run."""
        state = self.__dict__.copy()
        state.pop("running", None)
        return state

    def setName(self, name: str) -> None:
        """
        Give it a name.

        Raises:
            RuntimeError: it has a parent, which knows it by the name it had.
        """
        if self.parent is not None:
            raise RuntimeError(f"{self!r} has a parent: name a service before it is added to one")
        self.name = name

    def setServiceParent(self, parent: Any) -> None:
        """
        Put it into a collection, out of the one that it is in.

        Args:
            parent: an `IServiceCollection`, or what can be adapted to it. If it
                runs, the service is started.

        Raises:
            RuntimeError: `parent` has a service of that name.
        """
        if self.parent is not None:
            self.disownServiceParent()
        parent = IServiceCollection(parent, parent)
        self.parent = parent
        try:
            parent.addService(self)
        except BaseException:
            if self not in list(parent):
                self.parent = None
            raise

    def disownServiceParent(self) -> Any:
        """
        Take it out of its collection; it is stopped, if that runs.

        Returns:
            None, or a Deferred that fires when it has stopped.
        """
        gone = self.parent.removeService(self)
        self.parent = None
        return gone

    def privilegedStartService(self) -> Any:
        """Do what needs rights that are given up before `startService`: here, nothing."""

    def startService(self) -> Any:
        """Note that it runs."""
        self.running = 1

    def stopService(self, grace: float | None = None) -> Any:
        """
        Note that it does not run any more.

        Args:
            grace: seconds for what is in flight to finish, before it is broken
                off; None lets the service decide.

        Raises:
            ValueError: `grace` is negative, infinite or not a number.
        """
        check_grace(grace)
        self.running = 0

    async def __aenter__(self) -> Self:
        """Start it. If that fails, what had been started is stopped again."""
        await _start_or_undo(self)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await stop(self)

    @contextlib.asynccontextmanager
    async def lifespan(
        self, app: object = None, *, grace: float | None = None
    ) -> AsyncIterator[None]:
        """
        Run for as long as an ASGI application does: `Starlette(lifespan=service.lifespan)`.

        Args:
            app: the application, which is not looked at.
            grace: seconds for what is in flight to finish at the end; as for
                `stopService`.
        """
        await _start_or_undo(self)
        try:
            yield
        finally:
            await stop(self, grace)


async def _start_or_undo(service: Any) -> None:
    """Start a service; if that fails, stop what of it had been started."""
    try:
        await start(service)
    except BaseException:
        with contextlib.suppress(Exception):
            await stop(service)
        raise
