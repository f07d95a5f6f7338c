"""Users and groups as options of a command line."""

from __future__ import annotations

from reactorlib.python.util import gidFromString, uidFromString

__all__ = ["group", "user"]


def user(value: str) -> int:
    """The number of a user by name or number; ValueError says if there is none."""
    try:
        return uidFromString(value)
    except KeyError:
        raise ValueError(f"there is no user {value!r}") from None


def group(value: str) -> int:
    """The number of a group by name or number; ValueError says if there is none."""
    try:
        return gidFromString(value)
    except KeyError:
        raise ValueError(f"there is no group {value!r}") from None
