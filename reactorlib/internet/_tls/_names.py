"""Distinguished names: who a certificate is for, and who has signed it."""

from __future__ import annotations

import re

__all__ = ["DN", "DistinguishedName"]

_FIELDS = {
    "CN": "commonName",
    "O": "organizationName",
    "OU": "organizationalUnitName",
    "L": "localityName",
    "ST": "stateOrProvinceName",
    "C": "countryName",
    "emailAddress": "emailAddress",
}
#: Short and long names, and the long one for each.
_KNOWN = _FIELDS | {name: name for name in _FIELDS.values()}


class DistinguishedName(dict[str, bytes]):
    """
    A name in X.509's manner, made of fields.

    Fields are keyword arguments, attributes and, by their long names, keys:
    `commonName` (`CN`), `organizationName` (`O`), `organizationalUnitName`
    (`OU`), `localityName` (`L`), `stateOrProvinceName` (`ST`), `countryName`
    (`C`) and `emailAddress`. They hold bytes; text is encoded in UTF-8.

    Raises:
        AttributeError: there is no such field.
    """

    __slots__ = ()

    def __init__(self, **fields: str | bytes) -> None:
        super().__init__()
        for name, value in fields.items():
            setattr(self, name, value)

    def __getattr__(self, name: str) -> bytes:
        try:
            return self[_KNOWN[name]]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: str | bytes) -> None:
        if name not in _KNOWN:
            raise AttributeError(f"{name} is no field of an X.509 name: use {', '.join(_FIELDS)}")
        self[_KNOWN[name]] = value.encode() if isinstance(value, str) else value

    def inspect(self) -> str:
        """The fields as text, a line for each."""
        lines = [
            (_label(field), self[field]) for field in sorted(set(_FIELDS.values()) & set(self))
        ]
        width = max(len(_label(field)) for field in _FIELDS.values()) + 2
        return "\n".join(f"{label:>{width}}: {value.decode()}" for label, value in lines)

    def __repr__(self) -> str:
        return f"<DN {super().__repr__()[1:-1]}>"


DN = DistinguishedName


def _label(field: str) -> str:
    """`commonName` as "Common Name"."""
    return re.sub("([A-Z])", r" \1", field).title()
