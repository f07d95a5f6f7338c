"""Paths, and the addresses of data connections, as they are on the wire."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from reactorlib.protocols.ftp._errors import InvalidPath

__all__ = [
    "decodeExtendedAddress",
    "decodeHostPort",
    "encodeHostPort",
    "parsePWDResponse",
    "plain_host",
    "same_host",
    "toSegments",
]

_SIX = re.compile(r"(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3})(?![\d,])")
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')


def toSegments(cwd: Sequence[str], path: str) -> list[str]:
    """
    The names that lead from the root to a path.

    Args:
        cwd: those of the working directory, from where a relative path starts.
        path: with slashes; "." and ".." are worked out.

    Raises:
        InvalidPath: it leads above the root, or has a NUL in it.
    """
    if "\0" in path:
        raise InvalidPath(cwd, path)
    segments = [] if path.startswith("/") else list(cwd)
    for name in path.split("/"):
        if name == "..":
            if not segments:
                raise InvalidPath(cwd, path)
            segments.pop()
        elif name not in ("", "."):
            segments.append(name)
    return segments


def encodeHostPort(host: str, port: int) -> str:
    """An IPv4 address and a port as six numbers. RFC 959 section 4.1.2, PORT."""
    return ",".join((*host.split("."), str(port >> 8), str(port & 0xFF)))


def decodeHostPort(line: str) -> tuple[str, int]:
    """
    The address and port in a text with six numbers, as the argument of PORT or the reply to PASV.

    Raises:
        ValueError: there are none, or one is above 255.
    """
    found = _SIX.search(line)
    numbers = [] if found is None else [int(number) for number in found.groups()]
    if not numbers or max(numbers) > 255:
        raise ValueError(f"{line!r} has no six numbers from 0 to 255 in it")
    return ".".join(map(str, numbers[:4])), numbers[4] << 8 | numbers[5]


def decodeExtendedAddress(address: str) -> tuple[str, str, int]:
    """
    The protocol, host and port of `|2|::1|1234|`. RFC 2428 sections 2 and 3.

    Raises:
        ValueError: it has another form.
    """
    parts = address.split(address[:1] or "|")
    if len(parts) != 5 or parts[0] or parts[4] or not (parts[3].isascii() and parts[3].isdigit()):
        raise ValueError(f"{address!r} is not of the form |protocol|host|port|")
    port = int(parts[3])
    if port > 65535:
        raise ValueError(f"{address!r} has a port above 65535")
    return parts[1], parts[2], port


def parsePWDResponse(response: str) -> str | None:
    """The path in a reply to PWD; None if it is not quoted. RFC 959 appendix II."""
    found = _QUOTED.search(response)
    return None if found is None else found[1].replace('""', '"')


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


def plain_host(host: str) -> str:
    """An IPv4 address that was mapped into IPv6 as itself, others as they are."""
    try:
        return str(_ip(host))
    except ValueError:
        return host


def same_host(one: str, other: str) -> bool:
    """Whether two addresses are of the same host. All loopback addresses are."""
    try:
        first, second = _ip(one), _ip(other)
    except ValueError:
        return one == other
    return first == second or (first.is_loopback and second.is_loopback)
