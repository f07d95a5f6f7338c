"""Host names: what finds their addresses, and who is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

from reactorlib.internet.interfaces._streams import IAddress

if TYPE_CHECKING:
    from reactorlib.internet.defer import Deferred


class IResolverSimple(Interface):
    """Finds one IPv4 address of a host."""

    def getHostByName(name: str, timeout: Sequence[float] = ()) -> Deferred[str]:
        """
        Find an address.

        Args:
            timeout: seconds after which to ask again; after their sum, give up.

        Returns:
            a Deferred that fires with the address, as "127.0.0.1", and fails
            with `DNSLookupError` if there is none, or with `TimeoutError`.
        """


class IHostResolution(Interface):
    """A search for the addresses of a host, while it goes on."""

    name: str = Attribute("The host.")

    def cancel() -> None:
        """Search no more. The receiver hears no more of it."""


class IResolutionReceiver(Interface):
    """Who is told the addresses of a host, as they are found."""

    def resolutionBegan(resolutionInProgress: IHostResolution) -> None:
        """The search has begun; called first, once."""

    def addressResolved(address: IAddress) -> None:
        """An address was found: an `IPv4Address`, an `IPv6Address`, or another kind."""

    def resolutionComplete() -> None:
        """There are no more; called last, once, also if there was none at all."""


class IHostnameResolver(Interface):
    """Finds all addresses of a host, of either kind."""

    def resolveHostName(
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """
        Begin to find the addresses of a host.

        Args:
            resolutionReceiver: is told of them.
            hostName: the host; where it is not ASCII, IDNA applies.
            portNumber: the port that the addresses are to have.
            addressTypes: the kinds wanted, `IPv4Address` or `IPv6Address`; None
                for both.
            transportSemantics: "TCP" or "UDP": what the addresses are for.

        Returns:
            the search, which can be cancelled.
        """


class IReactorPluggableResolver(Interface):
    """A reactor that finds IPv4 addresses as it is told to."""

    def installResolver(resolver: IResolverSimple) -> IResolverSimple:
        """Find addresses with `resolver` from now on; the one before."""


class IReactorPluggableNameResolver(Interface):
    """A reactor that finds addresses as it is told to."""

    nameResolver: IHostnameResolver = Attribute("What finds addresses.")

    def installNameResolver(resolver: IHostnameResolver) -> IHostnameResolver:
        """Find addresses with `resolver` from now on; the one before."""
