"""A resolver that knows what a test has told it."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from reactorlib.internet.interfaces import IHostnameResolver, IHostResolution


@implementer(IHostResolution)
class Search:
    def __init__(self, name: str) -> None:
        self.name, self.cancelled = name, False

    def cancel(self) -> None:
        self.cancelled = True


@implementer(IHostnameResolver)
class Resolver:
    """Knows the addresses of all hosts; of none before `answer`, if it waits."""

    def __init__(self, *addresses: Any, waits: bool = False) -> None:
        self.addresses = addresses
        self.waits = waits
        self.asked: list[Any] = []
        self.searches: list[Search] = []

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        self.asked.append((hostName, portNumber, addressTypes))
        search = Search(hostName)
        self.searches.append(search)
        resolutionReceiver.resolutionBegan(search)

        def answer() -> None:
            for address in self.addresses:
                resolutionReceiver.addressResolved(address)
            resolutionReceiver.resolutionComplete()

        self.answer = answer
        if not self.waits:
            answer()
        return search
