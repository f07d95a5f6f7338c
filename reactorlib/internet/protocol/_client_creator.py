"""One connection for one protocol, with no factory of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reactorlib.internet.defer import Deferred
from reactorlib.internet.protocol._stream import ClientFactory
from reactorlib.python.failure import Failure

__all__ = ["ClientCreator", "_InstanceFactory"]


class ClientCreator:
    """
    Connects single protocols, as for a client that shares no state among its
    connections.

    Each `connect` method takes what the reactor's takes, but for the factory,
    and returns a Deferred. It fires with the protocol, in a turn of the loop
    after its `connectionMade`, or fails as `clientConnectionFailed` does.
    Cancelled, it breaks off the attempt, or the connection.

    Args:
        reactor: what connects.
        protocolClass, args, kwargs: how to make a protocol.
    """

    def __init__(
        self, reactor: Any, protocolClass: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> None:
        self.reactor = reactor
        self.protocolClass = protocolClass
        self.args = args
        self.kwargs = kwargs

    def connectTCP(self, host: str, port: int | str, *args: Any, **kwargs: Any) -> Deferred[Any]:
        """As `reactor.connectTCP(host, port, timeout=30, bindAddress=None)`."""
        return self._connect(self.reactor.connectTCP, (host, port), args, kwargs)

    def connectUNIX(self, address: Any, *args: Any, **kwargs: Any) -> Deferred[Any]:
        """As `reactor.connectUNIX(address, timeout=30, checkPID=False)`."""
        return self._connect(self.reactor.connectUNIX, (address,), args, kwargs)

    def connectSSL(
        self, host: str, port: int | str, contextFactory: Any, *args: Any, **kwargs: Any
    ) -> Deferred[Any]:
        """As `reactor.connectSSL(host, port, contextFactory, timeout=30, bindAddress=None)`."""
        where = (host, port)
        return self._connect(self.reactor.connectSSL, where, (contextFactory, *args), kwargs)

    def _connect(
        self,
        method: Callable[..., Any],
        where: tuple[Any, ...],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Deferred[Any]:
        protocol = self.protocolClass(*self.args, **self.kwargs)
        outcome: Deferred[Any] = Deferred(lambda _: factory.give_up())
        factory = _InstanceFactory(self.reactor, protocol, outcome)
        factory.connector = method(*where, factory, *args, **kwargs)
        return outcome


class _InstanceFactory(ClientFactory[Any]):
    """
    The factory of one protocol that there is already.

    Args:
        reactor: what calls later.
        instance: the protocol.
        deferred: fires with it a turn after it was asked for, or fails as the attempt does.

    Attributes:
        pending: the call that is to fire `deferred`, or None.
        connector: what connects, for `give_up`.
    """

    noisy = False
    connector: Any = None
    pending: Any = None

    def __init__(self, reactor: Any, instance: Any, deferred: Deferred[Any]) -> None:
        self.reactor = reactor
        self.instance = instance
        self.deferred = deferred

    def buildProtocol(self, addr: object) -> Any:
        self._tell_later(self.deferred.callback, self.instance)
        return self.instance

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self._tell_later(self.deferred.errback, reason)

    def _tell_later(self, tell: Callable[[Any], object], outcome: Any) -> None:
        if not self.deferred.called:
            self.pending = self.reactor.callLater(0, self.fire, tell, outcome)

    def fire(self, func: Callable[[Any], object], value: Any) -> None:
        """Call `func` with `value`; nothing is pending any more."""
        self.pending = None
        func(value)

    def give_up(self) -> None:
        """Whoever waits for `deferred` has cancelled it: end the attempt, or the connection."""
        pending, self.pending = self.pending, None
        if pending is not None:
            pending.cancel()
        self.deferred.errback(_cancelled())
        self.connector.disconnect()

    def __repr__(self) -> str:
        return f"<ClientCreator factory: {self.instance!r}>"


def _cancelled() -> BaseException:
    from reactorlib.internet.defer import CancelledError

    return CancelledError()
