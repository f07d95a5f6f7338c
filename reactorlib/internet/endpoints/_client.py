"""What the client's endpoints share: how they connect, by type."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar, overload

from zope.interface import implementer

from reactorlib.internet.defer import Deferred
from reactorlib.internet.interfaces import IStreamClientEndpoint
from reactorlib.internet.protocol import BaseProtocol, Factory

__all__ = ["ClientEndpoint"]

_P = TypeVar("_P", bound=BaseProtocol)
_A = TypeVar("_A", bound=asyncio.BaseProtocol)


@implementer(IStreamClientEndpoint)
class ClientEndpoint:
    """Somewhere to connect to. Subclasses say how, in `_connect`."""

    def _connect(self, protocolFactory: Any) -> Deferred[Any]:
        raise NotImplementedError

    # A Factory can be called, as asyncio's can, but makes something else then.
    @overload
    def connect(  # type: ignore[overload-overlap]
        self, protocolFactory: Factory[_P]
    ) -> Deferred[_P]: ...

    @overload
    def connect(self, protocolFactory: Callable[[], _A]) -> Deferred[_A]: ...

    @overload
    def connect(self, protocolFactory: Any) -> Deferred[Any]: ...

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """
        Open a connection.

        Args:
            protocolFactory: a Factory, or what makes an `asyncio.Protocol`.

        Returns:
            a Deferred that fires with the protocol once its `connectionMade` has
            run. It fails with a `ConnectError` or `DNSLookupError`, with
            `NoProtocol` if the factory refuses, and with
            `ConnectingCancelledError` when it is cancelled, which leaves no socket.
        """
        return self._connect(protocolFactory)
