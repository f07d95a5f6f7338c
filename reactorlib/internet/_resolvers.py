"""
What finds the addresses of hosts.

`LoopResolver` is what a reactor uses unless it is told otherwise: the system's
own resolver, as asyncio asks it, in a thread of the loop's. The rest turns one
kind of resolver into the other, and is for programs that name it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from zope.interface import implementer

from reactorlib.internet.address import IPv4Address, IPv6Address, from_sockname
from reactorlib.internet.defer import Deferred, fail, maybeDeferred, succeed
from reactorlib.internet.error import DNSLookupError
from reactorlib.internet.interfaces import (
    IHostnameResolver,
    IHostResolution,
    IResolutionReceiver,
    IResolverSimple,
)
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

if TYPE_CHECKING:
    from reactorlib.internet._reactor._core import LoopReactor

__all__ = [
    "AddressInfo",
    "AskingResolver",
    "BlockingResolver",
    "FromSimple",
    "LoopResolver",
    "ThreadedResolver",
    "ToSimple",
    "find_addresses",
    "find_infos",
    "look_up",
    "numeric",
]

_log = logging.getLogger("reactorlib.internet.reactor")

#: What `socket.getaddrinfo` answers: family, type, protocol, canonical name, address.
AddressInfo = tuple[Any, Any, int, str, Any]

KINDS = {"TCP": socket.SOCK_STREAM, "UDP": socket.SOCK_DGRAM}
_FAMILIES: dict[Any, int] = {IPv4Address: socket.AF_INET, IPv6Address: socket.AF_INET6}


def _encoded(name: str) -> str:
    """A host name as the DNS has it: in ASCII, by IDNA; UnicodeError if it has no such form."""
    return name if name.isascii() else name.encode("idna").decode("ascii")


def _cut_short(name: object) -> bool:
    """Whether the system would read no more than the beginning of a name."""
    return isinstance(name, str) and "\0" in name


def _checked(semantics: str) -> Literal["TCP", "UDP"]:
    if semantics == "TCP":
        return "TCP"
    if semantics == "UDP":
        return "UDP"
    raise ValueError(f"addresses are for 'TCP' or 'UDP', not {semantics!r}")


def _families(types: Sequence[Any] | None) -> set[int]:
    """The families of addresses of these types; None for all."""
    wanted = _FAMILIES if types is None else types
    return {_FAMILIES[each] for each in wanted if each in _FAMILIES}


def numeric(host: str, port: int, family: int, kind: int) -> list[AddressInfo] | None:
    """A literal address, which needs no resolver; None if it is a name."""
    if _cut_short(host):
        return None
    try:
        return [*socket.getaddrinfo(host, port, family, kind, 0, socket.AI_NUMERICHOST)]
    except (socket.gaierror, UnicodeError):
        return None


async def look_up(
    loop: asyncio.AbstractEventLoop, host: str, port: int, family: int, kind: int
) -> list[AddressInfo]:
    """
    Ask the system.

    Raises:
        DNSLookupError: it knows no such host.
    """
    found = numeric(host, port, family, kind)
    if found is not None:
        return found
    if _cut_short(host):
        raise DNSLookupError(f"no host has a NUL in its name: {host!r}")
    try:
        return [*await loop.getaddrinfo(_encoded(host), port, family=family, type=kind)]
    except (socket.gaierror, UnicodeError) as exception:
        raise DNSLookupError(f"{host!r}: {exception}") from exception


@implementer(IHostResolution)
class Resolution:
    """
    A search that goes on.

    Attributes:
        name: the host.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.cancelled = False
        #: What there is to cancel: a task or a Deferred.
        self.work: Any = None

    def cancel(self) -> None:
        """Search no more; the receiver is told nothing more."""
        self.cancelled = True
        if self.work is not None:
            self.work.cancel()


@implementer(IHostnameResolver)
class LoopResolver:
    """Asks the system, through the loop, which does not block for it."""

    def __init__(self, reactor: LoopReactor) -> None:
        self._reactor = reactor

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[Any] | None = None,
        transportSemantics: str = "TCP",
    ) -> Resolution:
        """Find all addresses of a host; see `IHostnameResolver`."""
        semantics = _checked(transportSemantics)
        families = _families(addressTypes)
        resolution = Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)

        def begin(loop: asyncio.AbstractEventLoop) -> None:
            if not resolution.cancelled:
                resolution.work = loop.create_task(find(loop))

        async def find(loop: asyncio.AbstractEventLoop) -> None:
            found: list[AddressInfo] = []
            if families:
                family = families.copy().pop() if len(families) == 1 else socket.AF_UNSPEC
                try:
                    found = await look_up(loop, hostName, portNumber, family, KINDS[semantics])
                except DNSLookupError:
                    pass  # it has none
                except asyncio.CancelledError:
                    if not resolution.cancelled:  # but the loop ends
                        resolutionReceiver.resolutionComplete()
                    raise
                except Exception as exception:
                    report(_log, f"looking up {hostName!r} failed", Failure(exception))
            try:
                for info in found:
                    if resolution.cancelled:
                        return
                    address = from_sockname(info[4], info[0], semantics)
                    resolutionReceiver.addressResolved(address)
                if not resolution.cancelled:
                    resolutionReceiver.resolutionComplete()
            except Exception as exception:
                report(_log, f"{resolutionReceiver!r} failed", Failure(exception))

        self._reactor._when_looping(begin)
        return resolution


@implementer(IHostnameResolver)
class AskingResolver:
    """A resolver that asks something else, which answers with a Deferred."""

    #: The errors that only say that there is no address; others are reported, and mean the same.
    _no_address: ClassVar[tuple[type[BaseException], ...]] = (asyncio.CancelledError,)

    def _ask(self, host: str, port: int) -> Deferred[Iterable[AddressInfo]]:
        """Its answer, as `socket.getaddrinfo` gives it."""
        raise NotImplementedError

    def _asked(self) -> object:
        """What is asked, for people."""
        raise NotImplementedError

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[Any] | None = None,
        transportSemantics: str = "TCP",
    ) -> Resolution:
        """Find the addresses of a host; see `IHostnameResolver`."""
        resolution = Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        wanted = _families(addressTypes)
        semantics = _checked(transportSemantics)

        def found(infos: Iterable[AddressInfo]) -> None:
            for family, _, _, _, name in infos:
                if family in wanted and not resolution.cancelled:
                    resolutionReceiver.addressResolved(from_sockname(name, family, semantics))

        def failed(failure: Failure) -> None:
            if not failure.check(*self._no_address):
                report(_log, f"looking up {hostName!r} with {self._asked()!r} failed", failure)

        def complete(_: object) -> None:
            if not resolution.cancelled:
                resolutionReceiver.resolutionComplete()

        asked = maybeDeferred(self._ask, hostName, portNumber)
        resolution.work = asked
        asked.addCallback(found).addErrback(failed).addCallback(complete)
        asked.addErrback(lambda failure: report(_log, f"{resolutionReceiver!r} failed", failure))
        return resolution


class FromSimple(AskingResolver):
    """A resolver of all kinds of address that asks one of IPv4 addresses."""

    _no_address = (DNSLookupError, TimeoutError, asyncio.CancelledError)

    def __init__(self, resolver: Any) -> None:
        self._resolver = resolver

    def _ask(self, host: str, port: int) -> Deferred[Iterable[AddressInfo]]:
        def infos(found: str) -> list[AddressInfo]:
            family = socket.AF_INET6 if ":" in found else socket.AF_INET
            return [(family, socket.SOCK_STREAM, 0, "", (found, port))]

        asked: Deferred[str] = self._resolver.getHostByName(_encoded(host))
        return asked.addCallback(infos)

    def _asked(self) -> object:
        return self._resolver


@implementer(IResolverSimple)
class ToSimple:
    """A resolver of IPv4 addresses that asks one of all kinds."""

    def __init__(self, reactor: Any, resolver: Any) -> None:
        self._reactor = reactor
        self._resolver = resolver

    def getHostByName(self, name: str, timeout: Sequence[float] = ()) -> Deferred[str]:
        """Find an IPv4 address of a host; see `IResolverSimple`."""
        found = find_addresses(self._resolver, name, 0, [IPv4Address])
        first = found.addCallback(lambda addresses: str(_some(addresses, name)[0].host))
        if timeout:
            first.addTimeout(sum(timeout), self._reactor, _too_late(name))
        return first


@implementer(IResolutionReceiver)
class _Receiver:
    """
    Collects what a resolver finds.

    Attributes:
        found: fires with the addresses, perhaps none; cancelling it ends the search.
    """

    def __init__(self) -> None:
        self.found: Deferred[list[Any]] = Deferred(self._cancel)
        self._addresses: list[Any] = []
        self._search: Any = None

    def _cancel(self, _: object) -> None:
        try:
            if self._search is not None:
                self._search.cancel()
        except NotImplementedError:
            pass  # Twisted's own searches cannot be; what they find is ignored

    def resolutionBegan(self, resolutionInProgress: Any) -> None:
        self._search = resolutionInProgress

    def addressResolved(self, address: Any) -> None:
        if isinstance(address, (IPv4Address, IPv6Address)):
            self._addresses.append(address)

    def resolutionComplete(self) -> None:
        if not self.found.called:
            self.found.callback(self._addresses)


def find_addresses(
    resolver: Any,
    host: str,
    port: int,
    addressTypes: Sequence[Any] | None = None,
    transportSemantics: Literal["TCP", "UDP"] = "TCP",
) -> Deferred[list[Any]]:
    """
    Ask an `IHostnameResolver`.

    Returns:
        a Deferred that fires with the IP addresses, perhaps none; cancelling it
        ends the search.
    """
    receiver = _Receiver()
    resolver.resolveHostName(receiver, host, port, addressTypes, transportSemantics)
    return receiver.found


async def find_infos(
    resolver: Any, host: str, port: int, kind: Literal["TCP", "UDP"]
) -> list[AddressInfo]:
    """
    Ask a resolver, and have its answer as `socket.getaddrinfo` gives it.

    Raises:
        DNSLookupError: it knows no address.
    """
    infos: list[AddressInfo] = []
    for address in _some(await find_addresses(resolver, host, port, None, kind), host):
        if isinstance(address, IPv6Address):
            name: Any = (address.host, address.port, address.flowInfo, address.scopeID)
            infos.append((socket.AF_INET6, KINDS[kind], 0, "", name))
        else:
            infos.append((socket.AF_INET, KINDS[kind], 0, "", (address.host, address.port)))
    return infos


def _some(addresses: list[Any], host: str) -> list[Any]:
    if not addresses:
        raise DNSLookupError(f"no address for {host!r}")
    return addresses


def _too_late(name: str) -> Callable[[object, float], object]:
    def fail_late(_: object, seconds: float) -> Failure:
        return Failure(DNSLookupError(f"address {name!r} not found: no answer in {seconds} s"))

    return fail_late


@implementer(IResolverSimple)
class ThreadedResolver:
    """
    Asks the system for an IPv4 address, in a thread of the reactor's pool.

    Args:
        reactor: an `IReactorThreads` and `IReactorTime`.
    """

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor

    def getHostByName(self, name: str, timeout: Sequence[float] = (1, 3, 11, 45)) -> Deferred[str]:
        """
        Find an IPv4 address of a host.

        Returns:
            a Deferred that fires with the address, or fails with
            `DNSLookupError`, also after the sum of `timeout`, in seconds (60 if
            it is empty).
        """
        from reactorlib.internet.threads import deferToThreadPool

        def not_found(failure: Failure) -> Failure:
            failure.trap(OSError, UnicodeError)
            return Failure(_not_found(name, failure.value))

        pool = self.reactor.getThreadPool()
        found = deferToThreadPool(self.reactor, pool, socket.gethostbyname, name)
        found.addErrback(not_found)
        return found.addTimeout(sum(timeout) or 60, self.reactor, _too_late(name))


@implementer(IResolverSimple)
class BlockingResolver:
    """Asks the system for an IPv4 address, and blocks until it answers."""

    def getHostByName(self, name: str, timeout: Sequence[float] = (1, 3, 11, 45)) -> Deferred[str]:
        """The address; the Deferred has fired, or failed with `DNSLookupError`."""
        try:
            return succeed(socket.gethostbyname(name))
        except (OSError, UnicodeError) as exception:
            return fail(_not_found(name, exception))


def _not_found(name: str, why: BaseException) -> DNSLookupError:
    error = DNSLookupError(f"address {name!r} not found: {why}")
    error.__cause__ = why
    return error
