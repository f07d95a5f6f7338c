"""Names of hosts: who is asked, what is told, and in which order."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from zope.interface import implementer
from zope.interface.verify import verifyObject

from reactorlib.internet import reactor
from reactorlib.internet._current import current_reactor
from reactorlib.internet.address import HostnameAddress, IPv4Address, IPv6Address
from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor
from reactorlib.internet.base import BlockingResolver, ThreadedResolver
from reactorlib.internet.defer import CancelledError, Deferred, fail, succeed
from reactorlib.internet.error import DNSLookupError
from reactorlib.internet.interfaces import (
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IReactorPluggableResolver,
    IResolutionReceiver,
    IResolverSimple,
)
from reactorlib.internet.protocol import ClientFactory, Factory, Protocol
from reactorlib.internet.task import Clock
from reactorlib.internet.threads import deferToThread
from reactorlib.python.threadpool import ThreadPool

pytestmark = pytest.mark.timeout(20)

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

LOCAL = "127.0.0.1"


@implementer(IResolutionReceiver)
class Receiver:
    """Writes down what it is told; `complete` fires at the end."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.complete: Deferred[None] = Deferred()

    def resolutionBegan(self, resolutionInProgress: Any) -> None:
        self.told.append(resolutionInProgress)

    def addressResolved(self, address: Any) -> None:
        self.told.append(address)

    def resolutionComplete(self) -> None:
        self.told.append("complete")
        self.complete.callback(None)


@implementer(IHostnameResolver)
class Book:
    """Knows some hosts, and answers at once."""

    def __init__(self, **hosts: Sequence[str]) -> None:
        self.hosts = hosts
        self.asked: list[Any] = []
        self.cancelled: list[str] = []

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[Any] | None = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        self.asked.append((hostName, portNumber, addressTypes, transportSemantics))
        book = self

        @implementer(IHostResolution)
        class Resolution:
            name = hostName

            def cancel(self) -> None:
                book.cancelled.append(self.name)

        resolutionReceiver.resolutionBegan(Resolution())
        if hostName != "slow":
            for host in self.hosts.get(hostName, ()):
                kind: Any = IPv6Address if ":" in host else IPv4Address
                if addressTypes is None or kind in addressTypes:
                    resolutionReceiver.addressResolved(kind("TCP", host, portNumber))
            resolutionReceiver.resolutionComplete()
        return Resolution()


@implementer(IResolverSimple)
class SimpleBook:
    def __init__(self, answer: Callable[[str], Any]) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def getHostByName(self, name: str, timeout: Sequence[float] = ()) -> Any:
        self.asked.append((name, timeout))
        return self.answer(name)


@pytest.fixture
async def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Stands in for the system's resolver, of the loop that runs; what it is asked."""
    asked: list[Any] = []
    both = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 25)),
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 25, 0, 3)),
    ]

    async def getaddrinfo(host: str, port: int, *, family: int = 0, type: int = 0) -> Any:
        asked.append((host, port, family, type))
        await asyncio.sleep(0)
        if host == "slow.invalid":
            await asyncio.get_running_loop().create_future()
        if not host.endswith("example"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [info for info in both if family in (0, info[0])]

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
    return asked


FOUR = IPv4Address("TCP", "192.0.2.1", 25)
SIX = IPv6Address("TCP", "2001:db8::1", 25, 0, 3)


# -- resolveHostName ----------------------------------------------------------


@pytest.mark.parametrize(
    ("types", "found"),
    [
        (None, [FOUR, SIX]),
        ([IPv4Address, IPv6Address], [FOUR, SIX]),
        ([IPv4Address], [FOUR]),
        ([IPv6Address], [SIX]),
        ([HostnameAddress], []),
        ([], []),
    ],
)
async def test_all_addresses_of_the_kinds_wanted_are_told(
    asked: Any, types: Any, found: list[Any]
) -> None:
    receiver = Receiver()
    resolution = reactor.nameResolver.resolveHostName(receiver, "host.example", 25, types)
    assert receiver.told == [resolution]
    assert resolution.name == "host.example"
    verifyObject(IHostResolution, resolution)
    await receiver.complete
    assert receiver.told == [resolution, *found, "complete"]


async def test_addresses_are_for_udp_where_that_is_wanted(asked: Any) -> None:
    receiver = Receiver()
    reactor.nameResolver.resolveHostName(receiver, "host.example", 25, None, "UDP")
    await receiver.complete
    assert [address.type for address in receiver.told[1:-1]] == ["UDP", "UDP"]
    assert asked == [("host.example", 25, 0, socket.SOCK_DGRAM)]
    with pytest.raises(ValueError, match="'TCP' or 'UDP'"):
        reactor.nameResolver.resolveHostName(receiver, "host.example", 25, None, "SCTP")


@pytest.mark.parametrize("host", ["nowhere.invalid", "\xe4" * 64 + ".example"])
async def test_a_host_that_nobody_knows_has_no_addresses(asked: Any, host: str) -> None:
    """Nor has one whose name is none: RFC 1035 section 2.3.4 has labels of 63 octets at most."""
    receiver = Receiver()
    resolution = reactor.nameResolver.resolveHostName(receiver, host)
    await receiver.complete
    assert receiver.told == [resolution, "complete"]


async def test_what_the_system_cannot_be_asked_has_no_addresses_and_is_reported(
    errors: Any,
) -> None:
    receiver = Receiver()
    resolution = reactor.nameResolver.resolveHostName(receiver, LOCAL, 80.0)
    async with asyncio.timeout(5):
        await receiver.complete
    assert receiver.told == [resolution, "complete"]
    [reported] = errors.take()
    assert isinstance(reported, OSError)


async def test_a_host_that_is_not_ascii_is_asked_for_by_its_dns_name(asked: Any) -> None:
    receiver = Receiver()
    reactor.nameResolver.resolveHostName(receiver, "v\xe4\xe4ntynyt.example")
    await receiver.complete
    assert asked[0][0] == "xn--vntynyt-5waa.example"


async def test_an_address_is_not_asked_for(asked: Any) -> None:
    for host, kind in ((LOCAL, IPv4Address), ("::1", IPv6Address)):
        receiver = Receiver()
        reactor.nameResolver.resolveHostName(receiver, host, 80)
        await receiver.complete
        assert receiver.told[1:] == [kind("TCP", host, 80), "complete"]
    assert asked == []


async def test_a_search_that_is_cancelled_tells_nothing_more(asked: Any) -> None:
    receiver = Receiver()
    resolution = reactor.nameResolver.resolveHostName(receiver, "slow.invalid")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    resolution.cancel()
    resolution.cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    assert receiver.told == [resolution]


async def test_a_receiver_that_fails_is_reported(asked: Any, errors: Any) -> None:
    class Fails(Receiver):
        def addressResolved(self, address: Any) -> None:
            raise ZeroDivisionError

    reactor.nameResolver.resolveHostName(Fails(), "host.example")
    for _ in range(5):
        await asyncio.sleep(0)
    (error,) = errors.take()
    assert type(error) is ZeroDivisionError


_asked_by = contextvars.ContextVar("_asked_by", default="nobody")


async def test_the_receiver_is_told_in_the_context_of_who_asked(asked: Any) -> None:
    receiver = Receiver()
    told: list[str] = []
    receiver.complete.addCallback(lambda _: told.append(_asked_by.get()))
    context = contextvars.copy_context()
    context.run(_asked_by.set, "me")
    context.run(reactor.nameResolver.resolveHostName, receiver, "host.example")
    await receiver.complete
    assert told == ["me"]


def test_a_search_waits_for_the_loop(loop_factory: LoopFactory) -> None:
    receiver, unwanted = Receiver(), Receiver()
    reactor.nameResolver.resolveHostName(receiver, LOCAL, 80)
    reactor.nameResolver.resolveHostName(unwanted, LOCAL, 80).cancel()
    receiver.complete.addCallback(lambda _: reactor.stop())
    reactor.run(loop_factory=loop_factory)
    assert receiver.told[1:] == [IPv4Address("TCP", LOCAL, 80), "complete"]
    assert len(unwanted.told) == 1


def test_a_search_that_the_end_cuts_short_is_complete(loop_factory: LoopFactory) -> None:
    """Or whoever waits for it would do so forever."""
    receiver = Receiver()

    async def never(*args: Any, **kwargs: Any) -> None:
        await asyncio.get_running_loop().create_future()

    def begun() -> None:
        asyncio.get_running_loop().getaddrinfo = never  # type: ignore[method-assign,assignment]
        reactor.nameResolver.resolveHostName(receiver, "slow.invalid")
        reactor.callLater(0.001, reactor.stop)

    reactor.callWhenRunning(begun)
    reactor.run(loop_factory=loop_factory)
    assert receiver.told[1:] == ["complete"]


# -- resolve ------------------------------------------------------------------


async def test_resolve_gives_an_ipv4_address(asked: Any) -> None:
    assert await reactor.resolve("host.example") == "192.0.2.1"
    assert asked == [("host.example", 0, socket.AF_INET, socket.SOCK_STREAM)]
    assert reactor.getDelayedCalls() == []


async def test_resolve_fails_where_there_is_none(asked: Any) -> None:
    with pytest.raises(DNSLookupError, match=r"nowhere\.invalid"):
        await reactor.resolve("nowhere.invalid")
    assert reactor.getDelayedCalls() == []


@pytest.mark.parametrize(("name", "answer"), [(LOCAL, LOCAL), ("", "0.0.0.0")])
def test_resolve_knows_addresses_itself(name: str, answer: str) -> None:
    told: list[str] = []
    reactor.resolve(name).addCallback(told.append)
    assert told == [answer]


async def test_resolve_gives_up_in_time(asked: Any) -> None:
    with pytest.raises(DNSLookupError, match="no answer in"):
        await reactor.resolve("slow.invalid", timeout=(0, 0.001))


async def test_resolve_can_be_cancelled(asked: Any) -> None:
    d = reactor.resolve("slow.invalid")
    d.cancel()
    with pytest.raises(CancelledError):
        await d
    assert reactor.getDelayedCalls() == []


async def test_the_systems_own_resolver_is_asked() -> None:
    """`localhost` is known everywhere."""
    assert (await reactor.resolve("localhost")).startswith("127.")


# -- installing ---------------------------------------------------------------


async def test_a_resolver_can_be_installed() -> None:
    book = Book(host=["192.0.2.7", "2001:db8::7"])
    mine = current_reactor()
    before = mine.nameResolver
    assert mine.installNameResolver(book) is before
    assert mine.nameResolver is book
    assert await mine.resolve("host") == "192.0.2.7"
    assert book.asked == [("host", 0, [IPv4Address], "TCP")]
    with pytest.raises(DNSLookupError):
        await mine.resolve("other")
    slow = mine.resolve("slow")
    slow.cancel()
    with pytest.raises(CancelledError):
        await slow
    assert book.cancelled == ["slow"]
    assert mine.installNameResolver(before) is book


async def test_a_simple_resolver_can_be_installed() -> None:
    book = SimpleBook(lambda name: succeed("192.0.2.8"))
    mine = current_reactor()
    before = mine.resolver
    assert mine.installResolver(book) is before
    assert mine.installResolver(book) is book
    assert mine.resolver is book
    assert await mine.resolve("host", (1, 2)) == "192.0.2.8"
    receiver = Receiver()
    mine.nameResolver.resolveHostName(receiver, "h\xf6st", 80)
    assert receiver.told[1:] == [IPv4Address("TCP", "192.0.2.8", 80), "complete"]
    assert book.asked == [("host", (1, 2)), ("xn--hst-sna", ())]
    six = Receiver()
    mine.nameResolver.resolveHostName(six, "host", 80, [IPv6Address])
    assert six.told[1:] == ["complete"]
    with pytest.raises(TypeError, match="IResolverSimple"):
        mine.installResolver(Book())


@pytest.mark.parametrize(
    ("answer", "reported"),
    [
        (lambda name: fail(DNSLookupError(name)), []),
        (lambda name: fail(TimeoutError()), []),
        (lambda name: fail(ZeroDivisionError()), [ZeroDivisionError]),
        (lambda name: 1 // 0, [ZeroDivisionError]),
        (lambda name: succeed("2001:db8::1"), []),
    ],
)
async def test_what_a_simple_resolver_fails_with_is_no_address(
    errors: Any, answer: Any, reported: list[type]
) -> None:
    mine = current_reactor()
    mine.installResolver(SimpleBook(answer))
    receiver = Receiver()
    mine.nameResolver.resolveHostName(receiver, "host", 80, [IPv4Address])
    assert receiver.told[1:] == ["complete"]
    assert [type(error) for error in errors.take()] == reported


async def test_a_search_of_a_simple_resolver_can_be_cancelled() -> None:
    asked: list[Deferred[str]] = []

    def answer(name: str) -> Deferred[str]:
        asked.append(Deferred())
        return asked[0]

    mine = current_reactor()
    mine.installResolver(SimpleBook(answer))
    receiver = Receiver()
    mine.nameResolver.resolveHostName(receiver, "host").cancel()
    assert asked[0].called
    assert len(receiver.told) == 1


async def test_a_search_that_cannot_be_cancelled_is_ignored() -> None:
    """Those of Twisted's own resolvers cannot be."""

    class Stubborn(Book):
        def resolveHostName(self, resolutionReceiver: Any, hostName: str, *args: Any) -> Any:
            kept.append(resolutionReceiver)
            return self

        def cancel(self) -> None:
            raise NotImplementedError

    kept: list[Any] = []
    mine = current_reactor()
    mine.installNameResolver(Stubborn())
    d = mine.resolve("host")
    d.cancel()
    with pytest.raises(CancelledError):
        await d
    kept[0].resolutionComplete()  # too late


async def test_connections_go_where_an_installed_resolver_says() -> None:
    book = Book(**{"quotes.example": ["::1", LOCAL]}, nowhere=[])
    connected = asyncio.Event()

    class Server(Protocol):
        def connectionMade(self) -> None:
            connected.set()

    class Client(ClientFactory[Any]):
        noisy = False
        protocol = Protocol

        def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
            failed.append(reason.type)
            connected.set()

    factory = Factory[Any].forProtocol(Server)
    factory.noisy = False
    failed: list[type] = []
    async with reactor as mine, asyncio.timeout(10):
        mine.installNameResolver(book)
        port = mine.listenTCP(0, factory, interface=LOCAL)
        number = port.getHost().port
        mine.connectTCP("quotes.example", number, Client())
        await connected.wait()
        assert failed == []
        connected.clear()
        mine.connectTCP(LOCAL, number, Client())
        await connected.wait()
        connected.clear()
        mine.connectTCP("nowhere", number, Client())
        await connected.wait()
    assert failed == [DNSLookupError]
    assert book.asked == [
        ("quotes.example", number, None, "TCP"),
        ("nowhere", number, None, "TCP"),
    ]


def test_the_reactor_says_what_it_provides() -> None:
    made = AsyncioSelectorReactor()
    for interface in (IReactorPluggableResolver, IReactorPluggableNameResolver):
        assert verifyObject(interface, made)
        assert interface.providedBy(reactor)
    assert verifyObject(IHostnameResolver, made.nameResolver)
    assert verifyObject(IResolverSimple, made.resolver)


# -- resolvers by name --------------------------------------------------------


class InOtherThread:
    """As much of a reactor as `ThreadedResolver` needs: threads, and a clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.callLater = self.clock.callLater
        self.pool = ThreadPool(0, 1)
        self.pool.start()
        self.calls: list[Any] = []
        self.called = threading.Event()

    def getThreadPool(self) -> ThreadPool:
        return self.pool

    def callFromThread(self, *call: Any) -> None:
        self.calls.append(call)
        self.called.set()

    def make_calls(self) -> None:
        assert self.called.wait(10)
        for function, *args in self.calls:
            function(*args)


def test_ThreadedResolver_asks_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def gethostbyname(name: str) -> str:
        asked.append((name, threading.get_ident()))
        if name == "host":
            return "192.0.2.9"
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "gethostbyname", gethostbyname)
    for name in ("host", "nowhere"):
        there = InOtherThread()
        told: list[Any] = []
        found = ThreadedResolver(there).getHostByName(name)
        found.addBoth(told.append)
        there.make_calls()
        there.pool.stop()
        if name == "host":
            assert told == ["192.0.2.9"]
        else:
            assert told[0].type is DNSLookupError
            assert "nowhere" in str(told[0].value)
        assert there.clock.getDelayedCalls() == []
    assert all(thread != threading.get_ident() for _, thread in asked)


@pytest.mark.parametrize(("timeout", "seconds"), [((1, 2), 3), ((), 60)])
def test_ThreadedResolver_gives_up_in_time(
    monkeypatch: pytest.MonkeyPatch, timeout: Any, seconds: int
) -> None:
    gate = threading.Event()
    monkeypatch.setattr(socket, "gethostbyname", lambda name: gate.wait(10))
    there = InOtherThread()
    told: list[Any] = []
    found = ThreadedResolver(there).getHostByName("slow", timeout)
    found.addErrback(lambda failure: told.append(failure.type))
    there.clock.advance(seconds - 0.1)
    assert told == []
    there.clock.advance(0.1)
    assert told == [DNSLookupError]
    gate.set()
    there.pool.stop()
    gc.collect()


def test_BlockingResolver_has_its_answer_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def gethostbyname(name: str) -> str:
        if name == "host":
            return "192.0.2.9"
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "gethostbyname", gethostbyname)
    told: list[Any] = []
    BlockingResolver().getHostByName("host").addCallback(told.append)
    unknown = BlockingResolver().getHostByName("nowhere")
    unknown.addErrback(lambda failure: told.append(failure.type))
    assert told == ["192.0.2.9", DNSLookupError]


async def test_names_can_be_asked_for_from_a_thread_by_way_of_the_reactor(asked: Any) -> None:
    from reactorlib.internet.threads import blockingCallFromThread

    async with reactor:
        found = deferToThread(blockingCallFromThread, reactor, reactor.resolve, "host.example")
        with pytest.raises(RuntimeError):
            await asyncio.to_thread(reactor.resolve, "host.example")
        assert await found == "192.0.2.1"


def test_packages_find_the_class_of_a_search_by_twisteds_name() -> None:
    from reactorlib.internet._resolver import HostResolution
    from reactorlib.internet.interfaces import IHostResolution

    search = HostResolution("example.org")
    assert IHostResolution.providedBy(search)
    assert search.name == "example.org"


async def test_packages_find_the_receiver_of_one_address_by_twisteds_name() -> None:
    from reactorlib.internet._resolver import FirstOneWins, HostResolution
    from reactorlib.internet.address import IPv4Address
    from reactorlib.internet.error import DNSLookupError
    from reactorlib.internet.interfaces import IResolutionReceiver

    for hosts in (["192.0.2.1", "192.0.2.2"], []):
        found: Deferred[str] = Deferred()
        receiver = FirstOneWins(found)
        assert IResolutionReceiver.providedBy(receiver)
        receiver.resolutionBegan(HostResolution("example.org"))
        for host in hosts:
            receiver.addressResolved(IPv4Address("TCP", host, 80))
        receiver.resolutionComplete()
        if hosts:
            assert await found == "192.0.2.1"
        else:
            with pytest.raises(DNSLookupError, match=r"example\.org"):
                await found
