"""
What a client of a SOCKS server says, from bytes; and the answers, to bytes.

SOCKS 4 is "SOCKS: A protocol for TCP proxy across firewalls", with the extension 4A
for names; SOCKS 5 is RFC 1928, its names and passwords are RFC 1929.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

__all__ = [
    "BIND",
    "CONNECT",
    "InvalidRequest",
    "Reader",
    "Reader4",
    "Reader5",
    "Request",
    "UnknownAddressType",
    "reply4",
    "reply5",
]

CONNECT, BIND = 1, 2

#: How long a user or a name may be in SOCKS 4, in bytes, which sets no limit: as long
#: as in SOCKS 5, where a length is one byte.
MAX_TEXT = 255

_IPV4, _NAME, _IPV6 = 1, 3, 4
_SIZES = {_IPV4: 4, _IPV6: 16}


class InvalidRequest(ValueError):
    """The client sent what is no SOCKS of this version."""


class UnknownAddressType(InvalidRequest):
    """The client's request has an address of a type that RFC 1928 does not know."""


@dataclass(frozen=True, slots=True)
class Request:
    """
    What a client asks for.

    Attributes:
        command: CONNECT, BIND, or another number.
        address: the IP address, as text; None if there is a name.
        name: the name of the host; None if there is an address.
        port: its port.
        user: of SOCKS 4, who the client says it is.
    """

    command: int
    address: str | None
    name: bytes | None
    port: int
    user: bytes = b""


class Reader:
    """Keeps what has come until it is used: the steps are the subclasses'."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def __len__(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def take_rest(self) -> bytes:
        """What has not been used; it is the caller's now."""
        return self._take(len(self._buffer))

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _check_version(self, version: int) -> None:
        if self._buffer and self._buffer[0] != version:
            raise InvalidRequest(f"version {self._buffer[0]} where {version} should be")


class Reader4(Reader):
    """
    Reads the one request of SOCKS 4, or 4A.

    After each `feed()`, ask `next_request()`, until there is one.
    """

    def next_request(self) -> Request | None:
        """
        The request; None if it is not all there.

        Raises:
            InvalidRequest: it breaks a rule.
        """
        self._check_version(4)
        if len(self._buffer) < 8:
            return None
        user = self._text_end(8, "user")
        if user is None:
            return None
        host = bytes(self._buffer[4:8])
        # SOCKS 4A: 0.0.0.x, x not being 0, announces a name.
        named = host[:3] == bytes(3) and host[3] != 0
        end = self._text_end(user + 1, "name") if named else user
        if end is None:
            return None
        if named and end == user + 1:
            raise InvalidRequest("the name is empty")
        whole = self._take(end + 1)
        return Request(
            whole[1],
            None if named else str(ipaddress.IPv4Address(host)),
            whole[user + 1 : end] if named else None,
            int.from_bytes(whole[2:4]),
            whole[8:user],
        )

    def _text_end(self, begin: int, what: str) -> int | None:
        """Where the NUL is that ends the text."""
        limit = begin + MAX_TEXT + 1
        end = self._buffer.find(0, begin, limit)
        if end >= 0:
            return end
        if len(self._buffer) >= limit:
            raise InvalidRequest(f"a {what} longer than {MAX_TEXT} bytes")
        return None


class Reader5(Reader):
    """
    Reads what the client says in SOCKS 5: a greeting, a login if the server asks for
    one, and a request.

    After each `feed()`, ask for the one that is to come, until it is there.
    """

    def next_greeting(self) -> bytes | None:
        """
        The methods of authentication that the client offers, a byte each; None if
        they are not all there.  RFC 1928 section 3.

        Raises:
            InvalidRequest: it breaks a rule.
        """
        self._check_version(5)
        if len(self._buffer) < 2 or len(self._buffer) < 2 + self._buffer[1]:
            return None
        return self._take(2 + self._buffer[1])[2:]

    def next_login(self) -> tuple[bytes, bytes] | None:
        """
        The name and the password; None if they are not all there.  RFC 1929 section
        2 wants a byte of each at least; clients send none where a password is empty.

        Raises:
            InvalidRequest: it breaks a rule.
        """
        self._check_version(1)
        if len(self._buffer) < 2:
            return None
        middle = 2 + self._buffer[1]
        if len(self._buffer) <= middle:
            return None
        end = middle + 1 + self._buffer[middle]
        if len(self._buffer) < end:
            return None
        whole = self._take(end)
        return whole[2:middle], whole[middle + 1 :]

    def next_request(self) -> Request | None:
        """
        The request; None if it is not all there.  RFC 1928 section 4.

        Raises:
            UnknownAddressType: its address is of an unknown type.
            InvalidRequest: it breaks another rule.
        """
        self._check_version(5)
        if len(self._buffer) < 5:
            return None
        kind = self._buffer[3]
        begin = 4
        if kind == _NAME:
            begin, size = 5, self._buffer[4]
            if not size:
                raise InvalidRequest("the name is empty")
        elif kind in _SIZES:
            size = _SIZES[kind]
        else:
            raise UnknownAddressType(f"address type {kind} (RFC 1928 section 5)")
        end = begin + size
        if len(self._buffer) < end + 2:
            return None
        whole = self._take(end + 2)
        host, port = whole[begin:end], int.from_bytes(whole[end:])
        if kind == _NAME:
            return Request(whole[1], None, host, port)
        return Request(whole[1], str(ipaddress.ip_address(host)), None, port)


def reply4(code: int, host: str = "0.0.0.0", port: int = 0, version: int = 0) -> bytes:  # noqa: S104
    """
    An answer of SOCKS 4; its version is that of the answer's format, 0.

    Raises:
        ValueError: `host` is no IPv4 address.
    """
    return bytes([version, code]) + port.to_bytes(2) + ipaddress.IPv4Address(host).packed


def reply5(code: int, host: str = "0.0.0.0", port: int = 0) -> bytes:  # noqa: S104
    """
    An answer of SOCKS 5.  RFC 1928 section 6.

    Raises:
        ValueError: `host` is no IP address.
    """
    address = ipaddress.ip_address(host.partition("%")[0])
    kind = _IPV4 if address.version == 4 else _IPV6
    return bytes([5, code, 0, kind]) + address.packed + port.to_bytes(2)
