"""
The header of the PROXY protocol, from bytes.

The sections named are those of the specification, version 3.0 of 2020/03/05.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Any, Literal

from reactorlib.internet.address import IPv4Address, IPv6Address, UNIXAddress

__all__ = ["MAX_HEADER", "HeaderReader", "InvalidProxyHeader", "ProxyHeader"]

#: What version 2 begins with.  Section 2.2.
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_TEXT = b"PROXY "

#: The longest header of version 1, with its CRLF.  Section 2.1.
MAX_TEXT = 107

#: How long a header of version 2 may be, in bytes. The format allows 65551; the
#: addresses take 232 at most, and what proxies add to them a few hundred more.
MAX_HEADER = 4096

_Address = IPv4Address | IPv6Address | UNIXAddress
_Kind = Literal["TCP", "UDP"]

_CRC32C = 0x03
_NOOP = 0x04


class InvalidProxyHeader(ValueError):
    """The peer, which should be a proxy, did not begin with a good PROXY header."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """
    What a proxy says of a connection.

    Attributes:
        version: 1 or 2.
        source: the client; None if the proxy does not say, or speaks for itself.
        destination: where the client has connected to; None likewise.
        extensions: of version 2, each further field: its type and its value.
    """

    version: int
    source: _Address | None = None
    destination: _Address | None = None
    extensions: tuple[tuple[int, bytes], ...] = ()


class HeaderReader:
    """
    Finds the header at the beginning of a connection.

    After each `feed()`, ask `next_header()`, until there is one; then `rest` is
    what came after it.
    """

    def __init__(self, limit: int = MAX_HEADER) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        self._buffer += data

    @property
    def rest(self) -> bytes:
        """What has not been used."""
        return bytes(self._buffer)

    def next_header(self) -> ProxyHeader | None:
        """
        The header; None if it is not all there.

        Raises:
            InvalidProxyHeader: there is none, or it breaks a rule.
        """
        start = bytes(self._buffer[: len(SIGNATURE)])
        if start == SIGNATURE:
            return self._binary()
        if start.startswith(_TEXT):
            return self._text()
        if SIGNATURE.startswith(start) or _TEXT.startswith(start):
            return None
        raise InvalidProxyHeader("a connection begins with a PROXY header, and this does not")

    def _text(self) -> ProxyHeader | None:
        end = self._buffer.find(b"\r\n", 0, MAX_TEXT)
        if end < 0:
            if len(self._buffer) >= MAX_TEXT:
                raise InvalidProxyHeader(f"no end of line within {MAX_TEXT} bytes (section 2.1)")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return parse_text(line)

    def _binary(self) -> ProxyHeader | None:
        if len(self._buffer) < 16:
            return None
        length = 16 + int.from_bytes(self._buffer[14:16])
        if length > self._limit:
            raise InvalidProxyHeader(f"a header of {length} bytes, over {self._limit}")
        if self._buffer[12] >> 4 != 2:
            raise InvalidProxyHeader(f"version {self._buffer[12] >> 4} (section 2.2)")
        if len(self._buffer) < length:
            return None
        header = bytes(self._buffer[:length])
        del self._buffer[:length]
        return parse_binary(header)


# -- version 1 --------------------------------------------------------------------

_PORT = re.compile(rb"0|[1-9][0-9]{0,4}")


def parse_text(line: bytes) -> ProxyHeader:
    """
    A header of version 1, without its CRLF.  Section 2.1.

    Raises:
        InvalidProxyHeader: it breaks a rule.
    """
    words = line.split(b" ")
    if len(words) >= 2 and words[1] == b"UNKNOWN":
        return ProxyHeader(1)  # whatever follows is to be ignored
    if len(words) != 6 or words[1] not in (b"TCP4", b"TCP6"):
        raise InvalidProxyHeader(f"{line!r} is no header (section 2.1)")
    _, family, source, destination, source_port, destination_port = words
    return ProxyHeader(
        1,
        _text_address(family, source, source_port),
        _text_address(family, destination, destination_port),
    )


def _text_address(family: bytes, host: bytes, port: bytes) -> IPv4Address | IPv6Address:
    if not _PORT.fullmatch(port) or int(port) > 65535:
        raise InvalidProxyHeader(f"{port!r} is no port (section 2.1)")
    try:
        text = host.decode("ascii")
        if family == b"TCP4":
            return IPv4Address("TCP", str(ipaddress.IPv4Address(text)), int(port))
        if "%" in text:
            raise ValueError("a scope means nothing to others")
        return IPv6Address("TCP", str(ipaddress.IPv6Address(text)), int(port))
    except ValueError as error:
        raise InvalidProxyHeader(
            f"{host!r} is no address of the family {family.decode()} (section 2.1)"
        ) from error


# -- version 2 --------------------------------------------------------------------

#: The kinds of addresses: the number on the wire to the family, the type, and how
#: many bytes both addresses take.  Section 2.2.
_FAMILIES: dict[int, tuple[int, _Kind, int]] = {
    0x11: (socket.AF_INET, "TCP", 12),
    0x12: (socket.AF_INET, "UDP", 12),
    0x21: (socket.AF_INET6, "TCP", 36),
    0x22: (socket.AF_INET6, "UDP", 36),
    0x31: (socket.AF_UNIX, "TCP", 216),
    0x32: (socket.AF_UNIX, "UDP", 216),
}

_LOCAL, _PROXY = 0, 1


def parse_binary(header: bytes) -> ProxyHeader:
    """
    A header of version 2, whole.  Section 2.2.

    Raises:
        InvalidProxyHeader: it breaks a rule.
    """
    command, kind = header[12] & 0x0F, header[13]
    body = header[16:]
    if command not in (_LOCAL, _PROXY):
        raise InvalidProxyHeader(f"command {command} (section 2.2)")
    if command == _LOCAL:
        return ProxyHeader(2)  # the proxy's own connection; what follows is to be ignored
    if kind == 0:
        return ProxyHeader(2)  # UNSPEC: likewise
    if kind not in _FAMILIES:
        raise InvalidProxyHeader(f"address family and protocol {kind:#04x} (section 2.2)")
    family, transport, length = _FAMILIES[kind]
    if len(body) < length:
        raise InvalidProxyHeader(f"{len(body)} bytes of addresses, which take {length}")
    source, destination = _addresses(family, transport, body[:length])
    extensions = _extensions(header, 16 + length)
    return ProxyHeader(2, source, destination, extensions)


def _addresses(family: int, kind: _Kind, data: bytes) -> tuple[_Address, _Address]:
    if family == socket.AF_UNIX:
        return _path(data[:108]), _path(data[108:])
    size = 4 if family == socket.AF_INET else 16
    make: Any = IPv4Address if family == socket.AF_INET else IPv6Address
    hosts = data[:size], data[size : 2 * size]
    ports = data[2 * size : 2 * size + 2], data[2 * size + 2 :]
    source, destination = (
        make(kind, socket.inet_ntop(family, host), int.from_bytes(port))
        for host, port in zip(hosts, ports, strict=True)
    )
    return source, destination


def _path(data: bytes) -> UNIXAddress:
    if data.startswith(b"\0"):
        return UNIXAddress(data.rstrip(b"\0") or None)  # abstract, or unnamed
    return UNIXAddress(data.partition(b"\0")[0])


def _extensions(header: bytes, at: int) -> tuple[tuple[int, bytes], ...]:
    """The type-length-value fields.  Section 2.2."""
    found: list[tuple[int, bytes]] = []
    while at < len(header):
        if len(header) - at < 3:
            raise InvalidProxyHeader("a field is cut off (section 2.2)")
        kind, length = header[at], int.from_bytes(header[at + 1 : at + 3])
        value = header[at + 3 : at + 3 + length]
        if len(value) < length:
            raise InvalidProxyHeader("a field is longer than the header (section 2.2)")
        if kind == _CRC32C:
            _check_sum(header, at + 3, value)
        if kind != _NOOP:
            found.append((kind, value))
        at += 3 + length
    return tuple(found)


def _check_sum(header: bytes, at: int, value: bytes) -> None:
    """Section 2.2.3: the sum over the header, with zeros where the sum stands."""
    summed = header[:at] + bytes(len(value)) + header[at + len(value) :]
    if len(value) != 4 or crc32c(summed) != int.from_bytes(value):
        raise InvalidProxyHeader("the checksum is wrong (section 2.2.3)")


def _table() -> tuple[int, ...]:
    entries = []
    for number in range(256):
        for _ in range(8):
            number = (number >> 1) ^ (0x82F63B78 if number & 1 else 0)
        entries.append(number)
    return tuple(entries)


_CRC_TABLE = _table()


def crc32c(data: bytes) -> int:
    """The cyclic redundancy check of RFC 3309 (Castagnoli's)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
