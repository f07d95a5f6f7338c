"""
Twisted's names of what a resolver hands to its receiver, and of a receiver.

They are no public names there either; packages that have resolvers of their own take them
all the same, as `autobahn.twisted.testing` does.
"""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from reactorlib.internet._resolvers import Resolution as HostResolution
from reactorlib.internet.defer import Deferred
from reactorlib.internet.error import DNSLookupError
from reactorlib.internet.interfaces import IResolutionReceiver

__all__ = ["FirstOneWins", "HostResolution"]


@implementer(IResolutionReceiver)
class FirstOneWins:
    """
    A receiver for those who want one address of a host.

    Args:
        deferred: fires with the host of the first address that is found, or fails with
            `DNSLookupError` if none is.
    """

    def __init__(self, deferred: Deferred[str]) -> None:
        self._deferred = deferred
        self._name = ""
        self._resolved = False

    def resolutionBegan(self, resolution: Any) -> None:
        self._name = resolution.name

    def addressResolved(self, address: Any) -> None:
        if not self._resolved:
            self._resolved = True
            self._deferred.callback(address.host)

    def resolutionComplete(self) -> None:
        if not self._resolved:
            self._deferred.errback(DNSLookupError(f"no address was found for {self._name!r}"))
