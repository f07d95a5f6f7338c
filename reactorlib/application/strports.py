"""Ports from strings, such as `tcp:8080`; see `reactorlib.internet.endpoints.serverFromString`."""

from __future__ import annotations

from typing import Any

from reactorlib.application.internet import StreamServerEndpointService
from reactorlib.internet import endpoints

__all__ = ["listen", "service"]


def service(description: str, factory: Any, reactor: Any = None) -> StreamServerEndpointService:
    """
    A service that accepts connections where a description says.

    Args:
        description: for example `tcp:8080:interface=127.0.0.1`.
        factory: what makes a protocol for each connection.
        reactor: whose ports; by default that of the loop that runs.

    Raises:
        ValueError: the description is wrong.
    """
    endpoint = endpoints.serverFromString(_reactor(reactor), description)
    made = StreamServerEndpointService(endpoint, factory)
    made._described = (endpoint, description)  # as which it is saved
    return made


def listen(description: str, factory: Any, reactor: Any = None) -> Any:
    """
    Accept connections where a description says, from now on.

    Returns:
        the `IListeningPort`.

    Raises:
        ValueError: the description is wrong.
        CannotListenError: the address is in use, or not to be had.
        RuntimeError: an endpoint of this kind cannot tell at once.
    """
    endpoint = endpoints.serverFromString(_reactor(reactor), description)
    outcome: list[Any] = []
    failures: list[Any] = []
    listening = endpoint.listen(factory).addCallbacks(outcome.append, failures.append)
    if failures:
        failures[0].raiseException()
    if not outcome:
        listening.cancel()
        raise RuntimeError(
            f"an endpoint of {description!r} cannot listen at once: use service() instead"
        )
    return outcome[0]


def _reactor(reactor: Any) -> Any:
    if reactor is None:
        from reactorlib.internet import reactor
    return reactor
