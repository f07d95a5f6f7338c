"""A service that accepts connections at an endpoint."""

from __future__ import annotations

from typing import Any

from reactorlib.application.service import Service
from reactorlib.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from reactorlib.internet.endpoints import serverFromString
from reactorlib.python.failure import Failure

__all__ = ["StreamServerEndpointService"]


def stop_port(port: Any, grace: float | None) -> Deferred[Any]:
    """Have a port listen no more; None is none. `grace` as for `stopService`."""
    if port is None:
        return succeed(None)
    if grace is None:
        return maybeDeferred(port.stopListening)
    return maybeDeferred(port.stopListening, grace=grace)


class StreamServerEndpointService(Service):
    """
    Accept connections at an endpoint while the service runs.

    It begins in the privileged start. A service that cannot listen does not start:
    `startService` says why.

    Args:
        endpoint: an `IStreamServerEndpoint`.
        factory: what makes a protocol for each connection.
    """

    #: The endpoint and the description that it was made from, if it was.
    _described: tuple[Any, str] | None = None

    def __init__(self, endpoint: Any, factory: Any) -> None:
        self.endpoint = endpoint
        self.factory = factory
        self._waiting: Deferred[Any] | None = None
        self._starting: list[Deferred[None]] = []  # who waits for that
        self._port: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """
        A saved service has no port.

        An endpoint that was made from a description is saved as that, and made
        anew: its certificates, say, are read when it is loaded.
        """
        state = {**super().__getstate__(), "_waiting": None, "_port": None}
        state.pop("_starting", None)
        described = state.pop("_described", None)
        if described is not None and described[0] is self.endpoint:
            state["endpoint"] = None
            state["_description"] = described[1]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._starting = []
        description = self.__dict__.pop("_description", None)
        if description is not None:
            from reactorlib.internet import reactor

            self.endpoint = serverFromString(reactor, description)
            self._described = (self.endpoint, description)

    def privilegedStartService(self) -> None:
        """
        Begin to listen.

        Raises:
            CannotListenError: the address is in use, or not to be had, and that is
                known at once.
        """
        super().privilegedStartService()
        listening = self.endpoint.listen(self.factory)
        if listening.called and isinstance(listening.result, Failure):
            failure = listening.result
            listening.addErrback(lambda _: None)
            failure.raiseException()
        self._waiting = listening
        listening.addCallback(self._listens)

    def _listens(self, port: Any) -> Any:
        self._port = port
        return port

    def startService(self) -> Deferred[None]:
        """
        Listen, unless it does already.

        Returns:
            a Deferred that fires with None when it listens, and fails with why it
            does not; then another call tries again.
        """
        super().startService()
        if self._waiting is None:
            self.privilegedStartService()
        waiting = self._waiting
        assert waiting is not None
        started: Deferred[None] = Deferred()
        starting = self._starting
        starting.append(started)
        if len(starting) > 1:
            return started

        def settle(result: Any) -> Any:
            failed = isinstance(result, Failure)
            if failed and self._waiting is waiting:
                self._waiting = None
            told = starting.copy()
            starting.clear()
            for each in told:
                each.callback(result if failed else None)
            return None if failed else result

        waiting.addBoth(settle)
        return started

    def stopService(self, grace: float | None = None) -> Deferred[Any]:
        """
        Accept no more.

        Args:
            grace: seconds for connections that stand to end by themselves; those
                that are left are aborted. None lets them be.

        Returns:
            a Deferred that fires when the address is free and, with `grace`, the
            last connection gone.
        """
        super().stopService(grace)
        waiting, self._waiting = self._waiting, None
        self._starting = []
        if waiting is None:
            return succeed(None)
        waiting.cancel()

        def stop(port: Any) -> Deferred[Any]:
            self._port = None
            return stop_port(port, grace)

        def cancelled(failure: Failure) -> None:
            failure.trap(CancelledError)

        return waiting.addCallbacks(stop, cancelled)

    def getHost(self) -> Any:
        """Where it listens: the address really bound; RuntimeError while it does not."""
        if self._port is None:
            raise RuntimeError(f"{self!r} does not listen: start it first")
        return self._port.getHost()
