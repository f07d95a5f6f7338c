"""Endpoints: where to listen or connect, apart from what is spoken there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import Attribute, Interface

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


class IStreamServerEndpointStringParser(Interface):
    """
    A kind of server endpoint, for `serverFromString`.

    Packages bring theirs as entry points of the group `reactorlib.endpoints.server`,
    or as drop-ins.
    """

    prefix: str = Attribute("What descriptions of this kind begin with.")

    def parseStreamServer(reactor: Any, *args: str, **kwargs: str) -> IStreamServerEndpoint:
        """
        An endpoint.

        Args:
            reactor: the reactor to listen with.
            args: what follows the prefix, between the colons, as it is meant:
                without backslashes that quote.
            kwargs: of that, what was given by name.

        Raises:
            ValueError: they make no sense.
        """


class IStreamClientEndpointStringParserWithReactor(Interface):
    """
    A kind of client endpoint, for `clientFromString`.

    Packages bring theirs as entry points of the group `reactorlib.endpoints.client`,
    or as drop-ins.
    """

    prefix: str = Attribute("What descriptions of this kind begin with.")

    def parseStreamClient(reactor: Any, *args: str, **kwargs: str) -> IStreamClientEndpoint:
        """
        An endpoint.

        Args:
            reactor: the reactor to connect with.
            args: what follows the prefix, between the colons, as it is meant:
                without backslashes that quote.
            kwargs: of that, what was given by name.

        Raises:
            ValueError: they make no sense.
        """
