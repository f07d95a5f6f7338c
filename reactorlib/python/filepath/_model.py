"""Errors and values of paths."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import Literal, TypeVar

__all__ = [
    "RWX",
    "FileMode",
    "InsecurePath",
    "LinkError",
    "OtherAnyStr",
    "Permissions",
    "UnlistableError",
]

#: As `AnyStr`, for an argument that need not be of the path's own type.
OtherAnyStr = TypeVar("OtherAnyStr", str, bytes)

#: How a file is opened; always in binary.
FileMode = Literal["r", "a", "w", "r+", "a+", "w+"]


class InsecurePath(Exception):
    """A path would lead out of the one that it was asked of."""


class LinkError(Exception):
    """Symbolic links lead round in a circle."""


class UnlistableError(OSError):
    """
    A directory cannot be listed: it is not there, not a directory, or closed to us.

    Attributes:
        originalException: what the system said.
    """

    def __init__(self, originalException: OSError) -> None:
        super().__init__(*originalException.args)
        self.__dict__.update(originalException.__dict__)
        self.filename = originalException.filename
        self.originalException = originalException


@dataclass(frozen=True)
class RWX:
    """What one class of users may do with a file."""

    read: bool
    write: bool
    execute: bool

    def shorthand(self) -> str:
        """As `ls -l` writes it: "r-x"."""
        letters = zip((self.read, self.write, self.execute), "rwx", strict=True)
        return "".join(letter if may else "-" for may, letter in letters)


class Permissions:
    """
    Who may do what with a file.

    Args:
        statModeInt: the permission bits, as of `os.stat().st_mode`.

    Attributes:
        user, group, other: the `RWX` of each.
    """

    def __init__(self, statModeInt: int) -> None:
        self.user, self.group, self.other = (
            RWX(*(bool(statModeInt & getattr(stat, f"S_I{what}{who}")) for what in "RWX"))
            for who in ("USR", "GRP", "OTH")
        )

    def _key(self) -> tuple[RWX, RWX, RWX]:
        return self.user, self.group, self.other

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Permissions):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def shorthand(self) -> str:
        """As `ls -l` writes it: "rwxr-x---"."""
        return "".join(each.shorthand() for each in self._key())

    def __str__(self) -> str:
        return self.shorthand()

    def __repr__(self) -> str:
        return f"<Permissions {self.shorthand()}>"
