"""Connecting to a host by its name, over IPv6 or IPv4, whichever answers."""

from __future__ import annotations

import socket
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from reactorlib.internet import error
from reactorlib.internet._resolvers import AskingResolver, find_addresses
from reactorlib.internet.address import HostnameAddress
from reactorlib.internet.defer import Deferred, fail
from reactorlib.internet.endpoints._client import ClientEndpoint
from reactorlib.internet.endpoints._clients import (
    TCP4ClientEndpoint,
    check_wanted_port,
    local_binding,
)
from reactorlib.internet.endpoints._race import ATTEMPT_DELAY, Race
from reactorlib.internet.interfaces import IReactorPluggableNameResolver
from reactorlib.internet.threads import deferToThread

__all__ = ["HostnameEndpoint", "_SimpleHostnameResolver"]


class HostnameEndpoint(ClientEndpoint):
    """
    A TCP port of a host, by the host's name.

    Its addresses, IPv6 and IPv4, are tried a moment apart, and the first that
    answers is the one (RFC 8305). So one that is dead costs that moment, not the
    time limit.

    Args:
        reactor: what to connect with, wait with (`callLater`), and find the
            addresses with (`nameResolver`).
        host: the name, or an address. Names that are not ASCII go by IDNA.
        port: the port's number.
        timeout: seconds after which the attempt at one address fails.
        bindAddress: the local address to connect from, or address and port, or a
            `makeBinding`.
        attemptDelay: seconds from one attempt to the next; 0.3 if None.
    """

    _DEFAULT_ATTEMPT_DELAY = ATTEMPT_DELAY

    def __init__(
        self,
        reactor: Any,
        host: str | bytes,
        port: int,
        timeout: float | None = 30,
        bindAddress: Any = None,
        attemptDelay: float | None = None,
    ) -> None:
        self._reactor = reactor
        self._badHostname, self._hostBytes, self._hostText = _both_forms(host)
        self._port = port
        self._timeout = timeout
        self._bindAddress = local_binding(bindAddress)
        self._attemptDelay = self._DEFAULT_ATTEMPT_DELAY if attemptDelay is None else attemptDelay
        if not IReactorPluggableNameResolver.providedBy(reactor):
            kind = type(reactor)
            warnings.warn(
                "Passing HostnameEndpoint a reactor that does not provide "
                f"IReactorPluggableNameResolver ({kind.__module__}.{kind.__qualname__}) was "
                "deprecated in Twisted 17.5.0; please use a reactor that provides "
                "IReactorPluggableNameResolver instead",
                DeprecationWarning,
                stacklevel=2,
            )

    def __repr__(self) -> str:
        host = self._hostText if self._badHostname else self._hostBytes.decode("ascii")
        shown = host.encode("ascii", "backslashreplace").decode("ascii")
        return f"<HostnameEndpoint {f'[{shown}]' if ':' in shown else shown}:{self._port}>"

    def _connect(self, protocolFactory: Any) -> Deferred[Any]:
        if self._badHostname:
            shown = self._hostText.encode("ascii", "backslashreplace").decode("ascii")
            return fail(ValueError(f"invalid hostname: {shown}"))
        try:
            check_wanted_port(self._port)
        except (TypeError, ValueError):
            return fail()

        def attempt(address: Any) -> Deferred[Any]:
            endpoint = TCP4ClientEndpoint(
                self._reactor, address.host, address.port, self._timeout, self._bindAddress
            )
            return endpoint._connect(protocolFactory)

        def find() -> Deferred[list[Any]]:
            found = find_addresses(self._resolver(), self._hostText, self._port)
            return found.addCallback(self._check)

        destination = HostnameAddress(self._hostBytes, self._port)
        what = repr(self).partition(" ")[2][:-1]
        return Race(self._reactor, what, destination, attempt, self._attemptDelay).begin(find)

    def _resolver(self) -> Any:
        if IReactorPluggableNameResolver.providedBy(self._reactor):
            return self._reactor.nameResolver
        return _SimpleHostnameResolver(self._fallbackNameResolution)

    def _check(self, addresses: Sequence[Any]) -> list[Any]:
        if not addresses:
            raise error.DNSLookupError(
                f"no results for hostname lookup: {self._hostBytes.decode('ascii')}"
            )
        return list(addresses)

    def _fallbackNameResolution(self, host: str, port: int) -> Deferred[Any]:
        """Ask the system, in a thread, for a reactor that does not say how."""
        return deferToThread(socket.getaddrinfo, host, port, 0, socket.SOCK_STREAM)


def _both_forms(host: str | bytes) -> tuple[bool, bytes, str]:
    """Whether a host's name is bad, and the name in bytes as in the DNS, and in text."""
    if isinstance(host, bytes):
        try:
            text = host.decode("ascii")
        except UnicodeDecodeError:
            return True, host, host.decode("ascii", "backslashreplace")
        host = text
    host = unicodedata.normalize("NFC", host)
    if host.isascii():
        # Also what IDNA would refuse: addresses, names with underscores, long ones.
        return False, host.encode("ascii"), host
    try:
        return False, host.encode("idna"), host
    except UnicodeError:
        return True, host.encode("ascii", "backslashreplace"), host


class _SimpleHostnameResolver(AskingResolver):
    """
    Finds addresses with a function that answers as `socket.getaddrinfo` does.

    Args:
        nameResolution: called with a host and a port; its Deferred fires with what
            `getaddrinfo` would return. An error is reported, and stands for none.
    """

    def __init__(self, nameResolution: Callable[[str, int], Deferred[Any]]) -> None:
        self._nameResolution = nameResolution

    def _ask(self, host: str, port: int) -> Deferred[Any]:
        return self._nameResolution(host, port)

    def _asked(self) -> object:
        return self._nameResolution
