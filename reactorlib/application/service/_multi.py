"""
Services that start and stop together.

Children start in order, each when the one before has started: what comes later may
rely on what came earlier. They stop in the reverse order, all at once, and the
collection has stopped when the last of them has. Where no child waits for anything,
all of it happens within the call, as it does for functions that know no Deferred.

A collection that is stopped while it starts breaks the starting off, and stops
those children whose starting had begun.

To start one again, whose start has failed, starts the child that has failed and
those after it; what runs is let be. One that still starts is waited for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zope.interface import implementer

from reactorlib.application.service._interfaces import IServiceCollection
from reactorlib.application.service._service import Service, stop
from reactorlib.internet.defer import Deferred, DeferredList, ensureDeferred, maybeDeferred
from reactorlib.python.failure import Failure

__all__ = ["MultiService"]


@implementer(IServiceCollection)
class MultiService(Service):
    """
    Services that start and stop together, in the order in which they are added.

    Attributes:
        services: the children, in order.
        namedServices: those that have a name, by it.
    """

    def __init__(self) -> None:
        self.services: list[Any] = []
        self.namedServices: dict[str, Any] = {}
        self.parent = None
        self._forget_progress()

    def _forget_progress(self) -> None:
        #: Children whose start has begun and not failed, and its Deferred while it goes on.
        self._begun: dict[Any, Deferred[None] | None] = {}
        #: The starts of all that were there when they began, while they go on.
        self._starting: list[Deferred[None]] = []

    def __getstate__(self) -> dict[str, Any]:
        """A saved collection does not run."""
        state = super().__getstate__()
        del state["_begun"], state["_starting"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget_progress()

    # -- starting -------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Have the children do what needs rights that are given up later."""
        super().privilegedStartService()
        for service in self.services:
            service.privilegedStartService()

    def startService(self) -> Deferred[None]:
        """
        Start the children, in order, but for those that have started.

        Returns:
            a Deferred that fires with None when all have started. It fails with
            why one has not; those before it run on until `stopService`, and the
            others can be started by another call.

        Raises:
            Exception: one failed at once.
        """
        super().startService()
        starting = ensureDeferred(self._start_children())
        if starting.called and isinstance(starting.result, Failure):
            failure = starting.result
            starting.addErrback(lambda _: None)
            failure.raiseException()
        self._starting.append(starting)

        def over(result: Any) -> Any:
            self._starting.remove(starting)
            return result

        return starting.addBoth(over)

    async def _start_children(self) -> None:
        for service in list(self.services):
            if service not in self.services:
                continue
            if service not in self._begun:
                await self._begin(service)
            elif (begun := self._begun[service]) is not None:
                await begun

    def _begin(self, service: Any) -> Deferred[None]:
        begun = self._begun[service] = maybeDeferred(service.startService)

        def over(result: Any) -> Any:
            if self._begun.get(service) is begun:
                if isinstance(result, Failure):
                    del self._begun[service]
                else:
                    self._begun[service] = None
            return result

        return begun.addBoth(over)

    # -- stopping -------------------------------------------------------------

    def stopService(self, grace: float | None = None) -> Deferred[None]:
        """
        Stop the children, the last first; none waits for another.

        Args:
            grace: seconds for what is in flight to finish, handed on to each.

        Returns:
            a Deferred that fires with None when all have stopped. If some fail
            to, it fails with that error, or an `ExceptionGroup` of several, once
            the others have stopped.
        """
        super().stopService(grace)
        going_on = self._starting.copy()
        for starting in going_on:
            starting.addErrback(lambda _: None)
        for starting in going_on:
            starting.cancel()
        stopping = [self._end(service, grace) for service in reversed(self.services)]
        return DeferredList(stopping, consumeErrors=True).addCallback(_judge)

    def _end(self, service: Any, grace: float | None) -> Deferred[None]:
        """Stop a child, or break off its start first."""
        begun = self._begun.pop(service, None)
        if begun is None:
            return stop(service, grace)
        ended: Deferred[None] = Deferred()
        begun.addBoth(lambda _: ended.callback(None))
        begun.cancel()
        return ended.addCallback(lambda _: stop(service, grace))

    # -- the children ---------------------------------------------------------

    def getServiceNamed(self, name: str) -> Any:
        """The child of that name; KeyError if there is none."""
        return self.namedServices[name]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.services)

    def addService(self, service: Any) -> None:
        """
        Take a child in, and start it if this runs. Programs call the child's
        `setServiceParent` instead.

        Raises:
            RuntimeError: there is one of that name.
        """
        if service.name is not None:
            if service.name in self.namedServices:
                raise RuntimeError(
                    f"cannot have two services with same name {service.name!r}: "
                    "remove the one that is there first"
                )
            self.namedServices[service.name] = service
        self.services.append(service)
        if self.running:
            service.privilegedStartService()
            begun = self._begin(service)
            if begun.called and isinstance(begun.result, Failure):
                failure = begun.result
                begun.addErrback(lambda _: None)
                failure.raiseException()

    def removeService(self, service: Any) -> Deferred[None] | None:
        """
        Let a child go, and stop it if this runs. Programs call the child's
        `disownServiceParent` instead.

        Returns:
            None; where this runs, a Deferred that fires when the child has stopped.

        Raises:
            ValueError: it is not a child of this.
        """
        self.services.remove(service)
        if service.name is not None:
            del self.namedServices[service.name]
        return self._end(service, None) if self.running else None


def _judge(results: list[tuple[bool, Any]]) -> None:
    """Raise what failed, if anything has."""
    errors = [failure.value for good, failure in results if not good]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise BaseExceptionGroup("several services failed to stop", errors)
