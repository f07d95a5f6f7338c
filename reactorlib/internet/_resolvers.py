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
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

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
    "BlockingResolver",
    "FromSimple",
    "LoopResolver",
    "ThreadedResolver",
    "ToSimple",
    "find_addresses",
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
class FromSimple:
    """A resolver of all kinds of address that asks one of IPv4 addresses."""

    def __init__(self, resolver: Any) -> None:
        self._resolver = resolver

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[Any] | None = None,
        transportSemantics: str = "TCP",
    ) -> Resolution:
        """Find the address of a host; see `IHostnameResolver`."""
        resolution = Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        wanted = _families(addressTypes)
        semantics = _checked(transportSemantics)

        def found(host: str) -> None:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            if family in wanted and not resolution.cancelled:
                address = from_sockname((host, portNumber), family, semantics)
                resolutionReceiver.addressResolved(address)

        def failed(failure: Failure) -> None:
            if not failure.check(DNSLookupError, TimeoutError, asyncio.CancelledError):
                report(_log, f"{self._resolver!r} failed to find {hostName!r}", failure)

        def complete(_: object) -> None:
            if not resolution.cancelled:
                resolutionReceiver.resolutionComplete()

        asked = maybeDeferred(lambda: self._resolver.getHostByName(_encoded(hostName)))
        resolution.work = asked
        asked.addCallback(found).addErrback(failed).addCallback(complete)
        asked.addErrback(lambda failure: report(_log, f"{resolutionReceiver!r} failed", failure))
        return resolution


@implementer(IResolverSimple)
class ToSimple:
    """A resolver of IPv4 addresses that asks one of all kinds."""

    def __init__(self, reactor: Any, resolver: Any) -> None:
        self._reactor = reactor
        self._resolver = resolver

    def getHostByName(self, name: str, timeout: Sequence[float] = ()) -> Deferred[str]:
        """Find an IPv4 address of a host; see `IResolverSimple`."""
        receiver = _Receiver(name)
        receiver.resolution = self._resolver.resolveHostName(receiver, name, 0, [IPv4Address])
        first = receiver.done.addCallback(lambda found: str(found[0].host))
        if timeout:
            first.addTimeout(sum(timeout), self._reactor, _too_late(name))
        return first


@implementer(IResolutionReceiver)
class _Receiver:
    """
    Collects addresses.

    Attributes:
        resolution: the search, which is cancelled when `done` is.
        done: fires with the addresses, and fails with `DNSLookupError` if there is none.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._found: list[Any] = []
        self.resolution: Any = None
        self.done: Deferred[list[Any]] = Deferred(self._cancel)

    def _cancel(self, _: object) -> None:
        try:
            self.resolution.cancel()
        except NotImplementedError:
            pass  # Twisted's own searches cannot be; what they find is ignored

    def resolutionBegan(self, resolutionInProgress: Any) -> None:
        self.resolution = resolutionInProgress

    def addressResolved(self, address: Any) -> None:
        self._found.append(address)

    def resolutionComplete(self) -> None:
        if self.done.called:
            return
        if self._found:
            self.done.callback(self._found)
        else:
            self.done.errback(DNSLookupError(f"no address for {self._name!r}"))


async def find_addresses(
    resolver: Any, host: str, port: int, kind: Literal["TCP", "UDP"]
) -> list[AddressInfo]:
    """
    Ask a resolver, and have its answer as `socket.getaddrinfo` gives it.

    Raises:
        DNSLookupError: it knows no address.
    """
    receiver = _Receiver(host)
    receiver.resolution = resolver.resolveHostName(receiver, host, port, None, kind)
    infos: list[AddressInfo] = []
    for address in await receiver.done:
        if isinstance(address, IPv6Address):
            name: Any = (address.host, address.port, address.flowInfo, address.scopeID)
            infos.append((socket.AF_INET6, KINDS[kind], 0, "", name))
        elif isinstance(address, IPv4Address):
            infos.append((socket.AF_INET, KINDS[kind], 0, "", (address.host, address.port)))
    return infos


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
