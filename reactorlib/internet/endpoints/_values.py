"""What stands in descriptions of endpoints, as values."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

from reactorlib.internet._tls._certificates import Certificate
from reactorlib.internet._tls._trust import CertificateAuthorities
from reactorlib.internet.endpoints._describe import BadArgument

__all__ = ["certificates", "flag", "number", "octal", "pem", "port_number", "seconds", "trust"]

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def number(name: str, value: str, lowest: int = 0, highest: int | None = None) -> int:
    """A number in decimal."""
    if not (value.isascii() and value.isdigit()) or int(value) < lowest:
        raise BadArgument(name, f"{name} is a number, not {value!r}")
    if highest is not None and int(value) > highest:
        raise BadArgument(name, f"{name} is a number up to {highest}, not {value}")
    return int(value)


def port_number(name: str, value: str) -> int:
    """The number of a TCP port."""
    if not (value.isascii() and value.isdigit()) or int(value) > 65535:
        raise BadArgument(name, f"{name} is a number from 0 to 65535, not {value!r}")
    return int(value)


def octal(name: str, value: str) -> int:
    """The permissions of a file."""
    try:
        mode = int(value, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777:
        raise BadArgument(name, f"{name} is permissions in octal, such as 660, not {value!r}")
    return mode


def flag(name: str, value: str) -> bool:
    """A choice: 0 or 1."""
    try:
        return bool(int(value))
    except ValueError:
        raise BadArgument(name, f"{name} is 0 or 1, not {value!r}") from None


def seconds(name: str, value: str) -> float:
    """A time."""
    try:
        duration = float(value)
    except ValueError:
        duration = math.nan
    if not (0 < duration < math.inf):
        raise BadArgument(name, f"{name} is a time in seconds, not {value!r}")
    return duration


def pem(name: str, path: str) -> bytes:
    """What is in a file."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise BadArgument(name, f"{name} {path!r} cannot be read: {error.strerror}") from error


def certificates(data: bytes) -> list[bytes]:
    """The certificates in PEM data."""
    return _CERTIFICATE.findall(data)


def trust(name: str, path: str) -> CertificateAuthorities:
    """The authorities in a file, or in the `.pem` files of a directory; unreadable ones aside."""
    found: list[bytes] = []
    if os.path.isdir(path):
        for file in sorted(Path(path).iterdir()):
            if file.name.lower().endswith(".pem"):
                try:
                    found += certificates(file.read_bytes())
                except OSError:
                    pass
    else:
        found = certificates(pem(name, path))
    if not found:
        raise BadArgument(name, f"{name} {path!r} has no certificate in it")
    return CertificateAuthorities([Certificate.loadPEM(each) for each in dict.fromkeys(found)])
