"""The reactor and host names: which resolver it asks."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Any, Literal

from zope.interface import implementer

from reactorlib.internet._reactor._core import LoopReactor
from reactorlib.internet._resolvers import (
    KINDS,
    AddressInfo,
    FromSimple,
    LoopResolver,
    ToSimple,
    find_infos,
    look_up,
    numeric,
)
from reactorlib.internet.abstract import isIPAddress
from reactorlib.internet.defer import Deferred, succeed
from reactorlib.internet.interfaces import (
    IReactorPluggableNameResolver,
    IReactorPluggableResolver,
    IResolverSimple,
)

__all__ = ["NameReactor"]


@implementer(IReactorPluggableResolver, IReactorPluggableNameResolver)
class NameReactor(LoopReactor):
    """
    Finds addresses.

    Attributes:
        resolver: the `IResolverSimple` that `resolve` asks.
    """

    def __init__(self, eventLoop: asyncio.AbstractEventLoop | None = None) -> None:
        self._name_resolver: Any = LoopResolver(self)
        self.resolver: Any = ToSimple(self, self._name_resolver)
        super().__init__(eventLoop)

    @property
    def nameResolver(self) -> Any:
        """What finds addresses: an `IHostnameResolver`."""
        return self._name_resolver

    def resolve(self, name: str, timeout: Sequence[float] = (1, 3, 11, 45)) -> Deferred[str]:
        """
        Find an IPv4 address of a host.

        Args:
            name: the host; an address is its own answer, and nothing stands for
                "0.0.0.0".
            timeout: the sum of it, in seconds, is the time that the search may take.

        Returns:
            a Deferred that fires with the address, and fails with
            `DNSLookupError` if there is none. It can be cancelled.
        """
        if not name:
            return succeed("0.0.0.0")  # noqa: S104  # an answer, as Twisted gives it
        if isIPAddress(name):
            return succeed(name)
        found: Deferred[str] = self.resolver.getHostByName(name, timeout)
        return found

    def installResolver(self, resolver: Any) -> Any:
        """
        Find IPv4 addresses, and no others, with `resolver` from now on.

        Returns:
            the one before.

        Raises:
            TypeError: it is no `IResolverSimple`.
        """
        if not IResolverSimple.providedBy(resolver):
            raise TypeError(f"{resolver!r} does not provide IResolverSimple")
        previous, self.resolver = self.resolver, resolver
        self._name_resolver = FromSimple(resolver)
        return previous

    def installNameResolver(self, resolver: Any) -> Any:
        """
        Find addresses with `resolver` from now on.

        Returns:
            the one before.
        """
        previous, self._name_resolver = self._name_resolver, resolver
        self.resolver = ToSimple(self, resolver)
        return previous

    async def _addresses(
        self, host: str, port: int, kind: Literal["TCP", "UDP"] = "TCP"
    ) -> list[AddressInfo]:
        """
        The addresses of a host, as `socket.getaddrinfo` gives them; in the loop.

        Raises:
            DNSLookupError: it has none.
        """
        any_family = socket.AF_UNSPEC
        if isinstance(self._name_resolver, LoopResolver):
            assert self._loop is not None
            return await look_up(self._loop, host, port, any_family, KINDS[kind])
        found = numeric(host, port, any_family, KINDS[kind])
        return found or await find_infos(self._name_resolver, host, port, kind)
