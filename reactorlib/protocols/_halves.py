"""Two connections of which each is passed on to the other."""

from __future__ import annotations

from typing import Any

__all__ = ["close", "join", "send_end"]


def join(one: Any, other: Any) -> None:
    """Have neither transport read faster than the other takes it."""
    one.registerProducer(other, True)
    other.registerProducer(one, True)


def send_end(transport: Any) -> None:
    """
    Tell one end of a connection that is passed on that the other sends no more, once
    what it has sent has left. A transport that cannot is closed.

    Args:
        transport: that of the end; the other's is its producer.
    """
    # It waits no longer for what the other end would have written.
    transport.unregisterProducer()
    try:
        transport.loseWriteConnection()
    except (AttributeError, NotImplementedError):
        transport.loseConnection()


def close(transport: Any) -> None:
    """Close one end, for the other is gone, once what that has sent has left."""
    transport.unregisterProducer()
    transport.loseConnection()
