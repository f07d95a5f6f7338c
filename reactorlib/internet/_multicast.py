"""
What a UDP port needs for multicast, IPv4 and IPv6.

IPv4 knows an interface by its address, IPv6 by its index; otherwise the two
differ in the names of the socket's options.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any

from reactorlib.internet import error
from reactorlib.internet._datagram import family_of
from reactorlib.internet.defer import Deferred

__all__ = ["Multicast"]


class Multicast:
    """The methods that `IMulticastTransport` adds to a port."""

    if TYPE_CHECKING:
        addressFamily: int
        reactor: Any

        def _open_socket(self) -> socket.socket: ...

    @property
    def _is_ipv4(self) -> bool:
        return self.addressFamily == socket.AF_INET

    def getOutgoingInterface(self) -> str | int:
        """The interface that multicast leaves by: IPv4, its address; IPv6, its index."""
        sock = self._open_socket()
        if self._is_ipv4:
            packed = sock.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, 4)
            return socket.inet_ntop(socket.AF_INET, packed)
        return sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF)

    def setOutgoingInterface(self, addr: str | int) -> Deferred[int]:
        """
        Have multicast leave by an interface.

        Args:
            addr: IPv4: its address, or a host name that stands for it. IPv6:
                its index (`socket.if_nameindex`), or its name.

        Returns:
            a Deferred that fires with 1. It fails with an OSError if there is
            no such interface.
        """

        async def set_interface() -> int:
            if self._is_ipv4:
                packed = await self._packed(str(addr))
                self._open_socket().setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, packed)
            else:
                index = _interface_index(addr)
                sock = self._open_socket()
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            return 1

        return Deferred.fromCoroutine(set_interface())

    def getLoopbackMode(self) -> bool:
        """Whether what is sent to a group comes back to members on this host."""
        return bool(self._open_socket().getsockopt(*self._loopback_option()))

    def setLoopbackMode(self, mode: bool) -> None:
        """Whether what is sent to a group is to come back to members on this host."""
        self._open_socket().setsockopt(*self._loopback_option(), int(bool(mode)))

    def _loopback_option(self) -> tuple[int, int]:
        if self._is_ipv4:
            return socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP
        return socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP

    def getTTL(self) -> int:
        """How many routers multicast may pass, plus one. IPv6 calls it the hop limit."""
        return self._open_socket().getsockopt(*self._reach_option())

    def setTTL(self, ttl: int) -> None:
        """
        Set how many routers multicast may pass, plus one; 1 at first.

        Raises:
            ValueError: it is not from 0 to 255.
        """
        if not 0 <= ttl <= 255:
            raise ValueError(f"a time to live is a number from 0 to 255, not {ttl!r}")
        self._open_socket().setsockopt(*self._reach_option(), ttl)

    def _reach_option(self) -> tuple[int, int]:
        if self._is_ipv4:
            return socket.IPPROTO_IP, socket.IP_MULTICAST_TTL
        return socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS

    def joinGroup(self, addr: str, interface: str | int = "") -> Deferred[None]:
        """
        Receive what is sent to a group.

        Args:
            addr: the address of the group, or a host name for it.
            interface: by which it is to be received; the system chooses by
                default. IPv4: its address, or a host name for it. IPv6: its
                index or its name, or a link-local address with its scope.

        Returns:
            a Deferred that fires with None. It fails with `MulticastJoinError`
            if that is no group, or no interface.
        """
        option = socket.IP_ADD_MEMBERSHIP if self._is_ipv4 else socket.IPV6_JOIN_GROUP
        return Deferred.fromCoroutine(self._change_membership(option, addr, interface))

    def leaveGroup(self, addr: str, interface: str | int = "") -> Deferred[None]:
        """Receive it no more; arguments and failures are those of `joinGroup`."""
        option = socket.IP_DROP_MEMBERSHIP if self._is_ipv4 else socket.IPV6_LEAVE_GROUP
        return Deferred.fromCoroutine(self._change_membership(option, addr, interface))

    async def _change_membership(self, option: int, addr: str, interface: str | int) -> None:
        try:
            group = await self._packed(addr)
            if self._is_ipv4:
                level = socket.IPPROTO_IP
                which = await self._packed(str(interface)) if interface else bytes(4)
            else:
                level = socket.IPPROTO_IPV6
                which = struct.pack("@I", _interface_index(interface))
            self._open_socket().setsockopt(level, option, group + which)
        except OSError as exception:
            raise error.MulticastJoinError(addr, interface, *exception.args) from exception

    async def _packed(self, host: str) -> bytes:
        """
        An address as the system has it, of this port's family.

        Raises:
            OSError: `host` is no such address, and no name for one.
        """
        family = socket.AddressFamily(self.addressFamily)
        if (known := family_of(host)) is not None:
            if known != family:
                raise OSError(f"{host!r} is no address for {family.name}")
            return socket.inet_pton(family, host.partition("%")[0])
        looping: Deferred[None] = Deferred()
        self.reactor._when_looping(lambda loop: loop.call_soon(looping.callback, None))
        await looping
        for found, _, _, _, address in await self.reactor._addresses(host, 0, "UDP"):
            if found == family:
                return socket.inet_pton(family, str(address[0]).partition("%")[0])
        raise error.DNSLookupError(f"{host!r} has no address for {family.name}")


def _interface_index(interface: str | int) -> int:
    """
    The index of an interface, given by that, by its name, or by its address.

    Raises:
        OSError: there is no such interface.
    """
    if isinstance(interface, int):
        return interface
    if interface in ("", "::"):
        return 0  # the system chooses
    name = interface.partition("%")[2] or interface
    if name.isdecimal():
        return int(name)
    try:
        return socket.if_nametoindex(name)
    except OSError as exception:
        raise OSError(
            exception.errno,
            f"IPv6 knows an interface by its index or its name, and there is no {interface!r}",
        ) from None
