"""
What the transports of one loop share: which connection is read, which are open, who is told.

Writes made while a read is handled, to the connection that is read or to others
of the same loop, are kept back and leave together when `dataReceived` has
returned. A line protocol that answers a thousand pipelined lines so makes one
system call instead of a thousand.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from reactorlib.python import _report
from reactorlib.python._asyncio import running_loop

if TYPE_CHECKING:
    from reactorlib.internet._connection import Connection
    from reactorlib.internet._connection._core import Core

__all__ = ["TURNS_OF_ARRIVAL", "Turn", "arrived", "end_connections", "flush_dirty", "turn_of"]

#: How many turns of a loop there are at most between its accepting a socket and
#: `connection_made`: a task's first step, and a call that this asks for; and one to
#: spare, for loops that do it in another order.
TURNS_OF_ARRIVAL = 3


class Turn:
    """The state of one loop's transports."""

    __slots__ = ("dirty", "emptied", "ending", "open", "reading", "told")

    def __init__(self) -> None:
        #: The connection whose read is being handled, or None.
        self.reading: Core | None = None
        #: The transport whose protocol is being told of anything but a connection's read, or None.
        self.told: Any = None
        #: What was written to during that read: other connections, and any that has several
        #: pieces to join.
        self.dirty: list[Core] = []
        #: Every connection that has a transport.
        self.open: set[Connection] = set()
        #: Set when `open` becomes empty, while somebody waits for that.
        self.emptied: asyncio.Event | None = None
        #: How many are closing everything. Meanwhile no connection is let in.
        self.ending = 0


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, Turn] = WeakKeyDictionary()


def turn_of(loop: asyncio.AbstractEventLoop) -> Turn:
    """The one of a loop."""
    turn = _turns.get(loop)
    if turn is None:
        turn = _turns[loop] = Turn()
    return turn


def _who_is_told() -> str | None:
    """The name in logs of the transport whose protocol is being told of something."""
    loop = running_loop()
    turn = None if loop is None else _turns.get(loop)
    if turn is None:
        return None
    transport: Any = turn.told or turn.reading
    return None if transport is None else str(transport.logstr)


_report.who_is_told = _who_is_told


def flush_dirty(turn: Turn) -> None:
    """Hand over what has been written, to any connection, during a read."""
    dirty, turn.dirty = turn.dirty, []
    for connection in dirty:
        connection._flush()


async def end_connections(loop: asyncio.AbstractEventLoop) -> None:
    """End every connection of ours on `loop` at once, and see them gone."""
    turn = turn_of(loop)
    while turn.open:
        if turn.emptied is None:
            turn.emptied = asyncio.Event()
        for connection in list(turn.open):
            connection.abandon()
        await turn.emptied.wait()


async def arrived() -> None:
    """See what the loop has accepted so far become connections, or be refused and closed."""
    for _ in range(TURNS_OF_ARRIVAL + 1):
        await asyncio.sleep(0)
