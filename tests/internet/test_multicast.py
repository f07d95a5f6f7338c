"""Multicast over the loopback interface, IPv4 and IPv6."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from reactorlib.internet import reactor
from reactorlib.internet.error import (
    CannotListenError,
    MulticastJoinError,
    NotListeningError,
)
from reactorlib.internet.interfaces import IMulticastTransport, IReactorMulticast
from reactorlib.internet.udp import MulticastPort

from ._datagrams import Hearer, number_of, soon

pytestmark = pytest.mark.timeout(20)


@dataclass(frozen=True)
class Family:
    """What a test needs to know of IPv4, or of IPv6."""

    everywhere: str
    group: str
    other_group: str
    #: What is the outgoing interface if nobody says.
    default: str | int

    @property
    def interface(self) -> str | int:
        """The one that tests use, as joinGroup takes it."""
        return "127.0.0.1" if self is IPV4 else ipv6_interface()

    def listen(self, protocol: Hearer, number: int = 0, **options: Any) -> MulticastPort:
        return reactor.listenMulticast(number, protocol, self.everywhere, **options)


def carries_ipv6(index: int) -> bool:
    """Whether multicast that is sent by an interface comes back by it."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.2)
            sock.bind(("::", 0))
            number = sock.getsockname()[1]
            group = socket.inet_pton(socket.AF_INET6, "ff11::4242") + struct.pack("@I", index)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            sock.sendto(b"x", ("ff11::4242", number))
            return sock.recv(1) == b"x"
    except OSError:
        return False


def carries_ipv4(host: str) -> bool:
    """The same, for the interface of that address."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.2)
            sock.bind(("", 0))
            number = sock.getsockname()[1]
            group = socket.inet_aton("239.255.42.1") + socket.inet_aton(host)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(host))
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
            sock.sendto(b"x", ("239.255.42.1", number))
            return sock.recv(1) == b"x"
    except OSError:
        return False


@cache
def ipv6_interface() -> int:
    """One that carries IPv6 multicast, as loopback seldom does; 0 if there is none."""
    return next(filter(carries_ipv6, (index for index, _ in socket.if_nameindex())), 0)


# Groups that never leave the host: RFC 4291 section 2.7 for ff11::, and for IPv4 the
# loopback interface.
IPV4 = Family("0.0.0.0", "239.255.42.1", "239.255.42.2", "0.0.0.0")
IPV6 = Family("::", "ff11::4242", "ff11::4243", 0)


@pytest.fixture(params=[IPV4, IPV6], ids=["IPv4", "IPv6"])
def family(request: pytest.FixtureRequest) -> Family:
    chosen: Family = request.param
    if chosen is IPV4 and not carries_ipv4("127.0.0.1"):
        pytest.skip("the loopback interface carries no IPv4 multicast")
    if chosen is IPV6 and chosen.interface == 0:
        pytest.skip("no interface carries IPv6 multicast")
    return chosen


def outer_address() -> str:
    """The IPv4 address of an interface that is not loopback; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(sock.getsockname()[0])


@pytest.fixture(autouse=True)
async def nothing_left() -> Any:
    """Every port of a test is closed in the end."""
    async with reactor:
        yield


async def test_it_provides_what_it_should(family: Family) -> None:
    assert verifyObject(IMulticastTransport, family.listen(Hearer()))
    assert verifyObject(IReactorMulticast, reactor)


async def test_every_member_hears_what_is_sent_to_the_group(family: Family) -> None:
    first, second = Hearer(), Hearer()
    port = family.listen(first, listenMultiple=True)
    number = number_of(port)
    with pytest.raises(CannotListenError):
        family.listen(Hearer(), number)
    same = family.listen(second, number, listenMultiple=True)
    for member in (port, same):
        await soon(member.joinGroup(family.group, family.interface))
    sender = family.listen(Hearer())
    assert await soon(sender.setOutgoingInterface(family.interface)) == 1
    sender.write(b"to all", (family.group, number))
    await first.has(b"to all")
    await second.has(b"to all")


async def test_who_has_left_hears_no_more(family: Family) -> None:
    protocol = Hearer()
    port = family.listen(protocol)
    number = number_of(port)
    await soon(port.setOutgoingInterface(family.interface))
    for group in (family.group, family.other_group):
        await soon(port.joinGroup(group, family.interface))
    await soon(port.leaveGroup(family.group, family.interface))
    port.write(b"to the first", (family.group, number))
    port.write(b"to the other", (family.other_group, number))
    await protocol.has(b"to the other")


async def test_what_this_host_sends_may_be_kept_from_it(family: Family) -> None:
    interface: Any = family.interface
    if family is IPV4:
        # What the loopback interface sends comes back in any case.
        interface = outer_address()
        if not carries_ipv4(interface):
            pytest.skip("no other interface carries IPv4 multicast")
    protocol = Hearer()
    port = family.listen(protocol)
    where = (family.group, number_of(port))
    port.setTTL(0)
    await soon(port.setOutgoingInterface(interface))
    await soon(port.joinGroup(family.group, interface))
    assert port.getLoopbackMode() is True
    port.setLoopbackMode(False)
    assert port.getLoopbackMode() is False
    port.write(b"not heard", where)
    port.setLoopbackMode(True)
    port.write(b"heard", where)
    await protocol.has(b"heard")


async def test_how_far_it_reaches(family: Family) -> None:
    port = family.listen(Hearer())
    assert port.getTTL() == 1
    for ttl in (0, 2, 255):
        port.setTTL(ttl)
        assert port.getTTL() == ttl
    for wrong in (-1, 256):
        with pytest.raises(ValueError, match="0 to 255"):
            port.setTTL(wrong)


async def test_by_which_interface_it_leaves(family: Family) -> None:
    port = family.listen(Hearer())
    assert port.getOutgoingInterface() == family.default
    await soon(port.setOutgoingInterface(family.interface))
    assert port.getOutgoingInterface() == family.interface


async def test_an_ipv4_interface_may_be_named_by_its_host() -> None:
    port = IPV4.listen(Hearer())
    await soon(port.setOutgoingInterface("localhost"))
    assert port.getOutgoingInterface() == "127.0.0.1"


async def test_an_ipv6_interface_has_several_names() -> None:
    index = IPV6.interface
    if index == 0:
        pytest.skip("no interface carries IPv6 multicast")
    assert isinstance(index, int)
    name = socket.if_indextoname(index)
    port = IPV6.listen(Hearer())
    for interface in (index, str(index), name, f"fe80::1%{name}", f"fe80::1%{index}"):
        await soon(port.joinGroup(IPV6.group, interface))
        await soon(port.leaveGroup(IPV6.group, index))
        await soon(port.setOutgoingInterface(interface))
        assert port.getOutgoingInterface() == index
        await soon(port.setOutgoingInterface("::"))
        assert port.getOutgoingInterface() == 0


@pytest.mark.parametrize(
    ("kind", "group", "interface"),
    [
        (IPV4, "127.0.0.1", ""),  # no group
        (IPV4, "ff11::4242", ""),  # a group of the other family
        (IPV4, "239.255.42.1", "::1"),
        (IPV4, "239.255.42.1", "192.0.2.77"),  # not here
        (IPV4, "group.invalid", ""),  # RFC 6761 section 6.4: never resolves
        (IPV6, "::1", ""),
        (IPV6, "239.255.42.1", ""),
        (IPV6, "ff11::4242", "127.0.0.1"),
        (IPV6, "ff11::4242", "nowhere"),
        (IPV6, "ff11::4242", "fe80::1%nowhere"),
    ],
)
async def test_what_is_no_group_cannot_be_joined(kind: Family, group: str, interface: str) -> None:
    port = kind.listen(Hearer())
    with pytest.raises(MulticastJoinError) as caught:
        await soon(port.joinGroup(group, interface))
    assert caught.value.args[:2] == (group, interface)
    assert isinstance(caught.value.__cause__, OSError)


async def test_an_interface_that_is_not_here_is_refused() -> None:
    with pytest.raises(OSError, match="nowhere"):
        await soon(IPV6.listen(Hearer()).setOutgoingInterface("nowhere"))


async def test_a_closed_port_has_no_groups() -> None:
    port = IPV4.listen(Hearer())
    await soon(port.stopListening())
    with pytest.raises(NotListeningError):
        await port.joinGroup(IPV4.group)
    with pytest.raises(NotListeningError):
        port.getTTL()


async def test_joining_by_name_can_be_cancelled() -> None:
    joined = IPV4.listen(Hearer()).joinGroup("group.invalid")
    joined.cancel()
    with pytest.raises(asyncio.CancelledError):
        await joined


def test_before_the_loop_only_names_have_to_wait_for_it(loop_factory: Any) -> None:
    port = reactor.listenMulticast(0, Hearer(), "0.0.0.0")
    told: list[Any] = []
    port.joinGroup(IPV4.group, "127.0.0.1").addCallback(told.append)
    assert told == [None]
    named = port.setOutgoingInterface("localhost").addCallback(told.append)
    named.addBoth(lambda _: told.append(port.getOutgoingInterface()))
    named.addBoth(lambda _: reactor.stop())
    assert told == [None]
    reactor.run(loop_factory=loop_factory)
    assert told == [None, 1, "127.0.0.1"]
