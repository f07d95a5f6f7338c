"""The time that the connections of a port have to end by themselves, once it has stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reactorlib.internet._turn import TURNS_OF_ARRIVAL, turn_of
from reactorlib.internet.defer import Deferred
from reactorlib.python._asyncio import loop_here

if TYPE_CHECKING:
    from reactorlib.internet._connection import Connection
    from reactorlib.internet._listening import StreamPort

__all__ = ["Grace"]


class Grace:
    """
    Time for the connections of one port, from one of its stops on.

    Args:
        port: whose connections they are.
        seconds: how long; those that are left then are aborted.
    """

    def __init__(self, port: StreamPort, seconds: float) -> None:
        self._port = port
        self._seconds = seconds
        self._left: set[Connection] = set()
        self._given_up = False
        #: What the stop waits for at present.
        self._waiting: Deferred[None] | None = None

    def arrivals(self) -> Deferred[None] | None:
        """Fires when what the loop has accepted so far has become connections."""
        loop = loop_here()
        if loop is None or self._given_up:
            return None
        arrived = self._waiting = Deferred()

        def turn(left: int) -> None:
            if arrived.called:
                return
            if left:
                loop.call_soon(turn, left - 1)
            else:
                arrived.callback(None)

        loop.call_soon(turn, TURNS_OF_ARRIVAL - 1)
        return arrived

    def ends(self) -> Deferred[None] | None:
        """Fires when the last of the connections has ended, by itself or not."""
        loop = loop_here()
        if loop is None or self._given_up:
            return None  # without a loop there are none
        port = self._port
        self._left = {each for each in turn_of(loop).open if each._origin.port is port}
        if not self._left:
            return None
        for connection in self._left:
            connection._origin = connection._origin.apart(lost=port._connection_lost)
        ended = self._waiting = Deferred()

        def abort() -> None:
            for connection in list(self._left):
                connection.abortConnection()

        def done(result: Any) -> Any:
            port._graces.discard(self)
            if call.active():
                call.cancel()
            return result

        call = port.reactor.callLater(self._seconds, abort)
        port._graces.add(self)
        return ended.addBoth(done)

    def lost(self, connection: Connection) -> None:
        """A connection of the port has ended."""
        self._left.discard(connection)
        if not self._left:
            self._go_on()

    def give_up(self) -> None:
        """Wait no longer, and let those that are left be."""
        self._given_up = True
        self._left.clear()
        self._go_on()

    def _go_on(self) -> None:
        waiting = self._waiting
        if waiting is not None and not waiting.called:
            waiting.callback(None)
