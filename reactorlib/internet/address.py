"""Where a connection or a port is: the values that `getHost()` and `getPeer()` return."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from zope.interface import implementer

from reactorlib.internet.interfaces import IAddress

__all__ = ["HostnameAddress", "IPv4Address", "IPv6Address", "UNIXAddress"]

_IP_TYPES = ("TCP", "UDP")


def _check_ip_type(kind: object) -> None:
    if kind not in _IP_TYPES:
        raise ValueError(f"an IP address has the type 'TCP' or 'UDP', not {kind!r}")


@implementer(IAddress)
@dataclass(frozen=True)
class IPv4Address:
    """An IPv4 endpoint. `host` is in dotted-quad form."""

    type: Literal["TCP", "UDP"]
    host: str
    port: int

    def __post_init__(self) -> None:
        _check_ip_type(self.type)


def tcp4(host: str, port: int) -> IPv4Address:
    """The address of a TCP connection, which is not checked: the system has given it."""
    address = _new(IPv4Address)
    attributes = address.__dict__
    attributes["type"] = "TCP"
    attributes["host"] = host
    attributes["port"] = port
    return address


_new = object.__new__


@implementer(IAddress)
@dataclass(frozen=True)
class IPv6Address:
    """An IPv6 endpoint. `host` is in colon-separated form; a link-local one names its network."""

    type: Literal["TCP", "UDP"]
    host: str
    port: int
    flowInfo: int = 0
    scopeID: str | int = 0

    def __post_init__(self) -> None:
        _check_ip_type(self.type)


@implementer(IAddress)
@dataclass(frozen=True)
class HostnameAddress:
    """A host by name, not resolved yet. `hostname` is in ASCII bytes."""

    hostname: bytes
    port: int


@implementer(IAddress)
class UNIXAddress:
    """
    A UNIX socket.

    `name` is its path in bytes, None for an unnamed one; an abstract name
    starts with a NUL byte. Two addresses are equal when they name the same
    file, by whatever path.
    """

    __slots__ = ("name",)

    def __init__(self, name: bytes | str | None) -> None:
        self.name = None if name is None else os.fsencode(name)

    def _file(self) -> tuple[int, int] | None:
        """What identifies the file behind the name, if there is one."""
        if not self.name or b"\0" in self.name:
            return None
        try:
            found = os.stat(self.name)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, UNIXAddress):
            return NotImplemented
        if self.name == other.name:
            return True
        mine = self._file()
        return mine is not None and mine == other._file()

    def __hash__(self) -> int:
        return hash(self._file() or self.name)

    def __repr__(self) -> str:
        shown = None if self.name is None else os.fsdecode(self.name)
        return f"UNIXAddress({shown!r})"


@implementer(IAddress)
class _ProcessAddress:
    """Either end of a connection with a process: nothing is known of it."""

    def __repr__(self) -> str:
        return "_ProcessAddress()"


if TYPE_CHECKING:
    #: Any of the addresses here.
    AnyAddress = IPv4Address | IPv6Address | HostnameAddress | UNIXAddress


def from_sockname(
    name: Any, family: int, kind: Literal["TCP", "UDP"] = "TCP"
) -> IPv4Address | IPv6Address | UNIXAddress:
    """
    The address in a socket's own notation.

    Args:
        name: what `getsockname`, `getpeername` or `accept` gave.
        family: the socket's `AF_*` number.
        kind: the type of an IP address.
    """
    import ipaddress
    import socket

    if family == socket.AF_INET:
        return IPv4Address(kind, name[0], name[1])
    if family == socket.AF_INET6:
        host, port, flow, scope = (*name, 0, 0)[:4]
        if scope and "%" not in host and ipaddress.IPv6Address(host).is_link_local:
            # The address alone leads nowhere: it may be one of several networks.
            try:
                host += f"%{socket.if_indextoname(scope)}"
            except OSError:
                host += f"%{scope}"
        return IPv6Address(kind, host, port, flow, scope)
    return UNIXAddress(name or None)
