"""What several command lines have in common: where to listen."""

from __future__ import annotations

from typing import Any

from reactorlib.application import strports
from reactorlib.application.internet import StreamServerEndpointService
from reactorlib.internet.endpoints import quoteStringArgument
from reactorlib.python.usage import UsageError, portCoerce

__all__ = ["listen"]


def listen(port: Any, factory: Any, interface: str = "") -> StreamServerEndpointService:
    """
    A service at a port.

    Args:
        port: its number, or an endpoint's description such as `tcp:8007`.
        factory: what makes a protocol for each connection.
        interface: the address to listen at, where `port` is a number.

    Raises:
        UsageError: there is no such port, or the description is wrong.
    """
    text = str(port)
    try:
        if text.isascii() and text.isdigit():
            text = f"tcp:{portCoerce(text)}"
            if interface:
                text += f":interface={quoteStringArgument(interface)}"
        return strports.service(text, factory)
    except ValueError as why:
        raise UsageError(f"cannot listen at {port!r}: {why}") from why
