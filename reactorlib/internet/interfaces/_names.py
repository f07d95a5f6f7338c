"""Host names: what finds their addresses, and who is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

from reactorlib.internet.interfaces._streams import IAddress

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from reactorlib.internet.defer import Deferred

    #: What a lookup is answered with: answers, authority records and additional ones.
    Records: TypeAlias = Deferred[tuple[list[Any], list[Any], list[Any]]]


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


class IResolver(IResolverSimple):
    """
    Asks the Domain Name System, RFC 1034 and 1035.

    Every lookup takes a name, and seconds after which to ask again, as `timeout` of
    `getHostByName`. It returns a Deferred that fires with three lists of records - the
    answers, the authorities, what is additional - and fails with an error that tells
    how the question went wrong.
    """

    def query(query: Any, timeout: Sequence[int]) -> Records:
        """Ask a question: an object with the `name`, `type` and `cls` that are looked up."""

    def lookupAddress(name: str, timeout: Sequence[int]) -> Records:
        """Look up the addresses, IPv4 (A) of a name."""

    def lookupAddress6(name: str, timeout: Sequence[int]) -> Records:
        """Look up the addresses, the older form for IPv6 (A6) of a name."""

    def lookupIPV6Address(name: str, timeout: Sequence[int]) -> Records:
        """Look up the addresses, IPv6 (AAAA) of a name."""

    def lookupMailExchange(name: str, timeout: Sequence[int]) -> Records:
        """Look up the mail servers (MX) of a name."""

    def lookupNameservers(name: str, timeout: Sequence[int]) -> Records:
        """Look up the name servers (NS) of a name."""

    def lookupCanonicalName(name: str, timeout: Sequence[int]) -> Records:
        """Look up the canonical name (CNAME) of a name."""

    def lookupMailBox(name: str, timeout: Sequence[int]) -> Records:
        """Look up the mailbox (MB) of a name."""

    def lookupMailGroup(name: str, timeout: Sequence[int]) -> Records:
        """Look up the mail group (MG) of a name."""

    def lookupMailRename(name: str, timeout: Sequence[int]) -> Records:
        """Look up the new mailbox (MR) of a name."""

    def lookupMailboxInfo(name: str, timeout: Sequence[int]) -> Records:
        """Look up the mailbox's responsible addresses (MINFO) of a name."""

    def lookupPointer(name: str, timeout: Sequence[int]) -> Records:
        """Look up the pointer to another name (PTR) of a name."""

    def lookupAuthority(name: str, timeout: Sequence[int]) -> Records:
        """Look up the start of authority (SOA) of a name."""

    def lookupNull(name: str, timeout: Sequence[int]) -> Records:
        """Look up the null record (NULL) of a name."""

    def lookupWellKnownServices(name: str, timeout: Sequence[int]) -> Records:
        """Look up the well-known services (WKS) of a name."""

    def lookupHostInfo(name: str, timeout: Sequence[int]) -> Records:
        """Look up the kind of machine (HINFO) of a name."""

    def lookupText(name: str, timeout: Sequence[int]) -> Records:
        """Look up the texts (TXT) of a name."""

    def lookupResponsibility(name: str, timeout: Sequence[int]) -> Records:
        """Look up the responsible persons (RP) of a name."""

    def lookupAFSDatabase(name: str, timeout: Sequence[int]) -> Records:
        """Look up the AFS servers (AFSDB) of a name."""

    def lookupService(name: str, timeout: Sequence[int]) -> Records:
        """Look up the services (SRV) of a name."""

    def lookupAllRecords(name: str, timeout: Sequence[int]) -> Records:
        """Look up the records of every kind of a name."""

    def lookupSenderPolicy(name: str, timeout: Sequence[int]) -> Records:
        """Look up the sender policy (SPF) of a name."""

    def lookupNamingAuthorityPointer(name: str, timeout: Sequence[int]) -> Records:
        """Look up the naming authority pointers (NAPTR) of a name."""

    def lookupZone(name: str, timeout: Sequence[int]) -> Records:
        """Look up the whole zone (AXFR) of a name."""


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
