"""Comparing secrets."""

from __future__ import annotations

import hmac

__all__ = ["as_bytes", "same_secret"]


def same_secret(one: object, other: object) -> bool:
    """
    Whether two secrets are equal, in a time that does not tell where they differ.

    Text equals the bytes that it is in UTF-8.
    """
    one, other = as_bytes(one), as_bytes(other)
    if isinstance(one, bytes | bytearray) and isinstance(other, bytes | bytearray):
        return hmac.compare_digest(one, other)
    return False


def as_bytes(text: object) -> object:
    """Text in UTF-8, other things as they are."""
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
