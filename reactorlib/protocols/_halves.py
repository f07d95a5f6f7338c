"""How the end of one direction is passed on."""

from __future__ import annotations

from typing import Any

__all__ = ["send_end"]


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
