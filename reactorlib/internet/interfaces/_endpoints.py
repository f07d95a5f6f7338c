"""Endpoints: where to listen or connect, apart from what is spoken there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import Interface

if TYPE_CHECKING:
    from reactorlib.internet.defer import Deferred


class IStreamClientEndpoint(Interface):
    """A place that a stream can be opened to."""

    def connect(protocolFactory: Any) -> Deferred[Any]:
        """
        Open a connection.

        Returns:
            a Deferred that fires with the protocol once it is connected, and
            fails with why it could not be. Cancelling it leaves no socket.
        """


class IStreamServerEndpoint(Interface):
    """A place that streams can be accepted at."""

    def listen(protocolFactory: Any) -> Deferred[Any]:
        """
        Accept connections.

        Returns:
            a Deferred that fires with the port, or fails with
            `CannotListenError`.
        """
