"""Comparing secrets."""

from __future__ import annotations

import hmac

__all__ = ["same_secret"]


def same_secret(one: object, other: object) -> bool:
    """
    Whether two secrets are equal, in a time that does not tell where they differ.

    Text equals text, and bytes bytes.
    """
    if isinstance(one, str) and isinstance(other, str):
        return hmac.compare_digest(one.encode(), other.encode())
    if isinstance(one, bytes | bytearray) and isinstance(other, bytes | bytearray):
        return hmac.compare_digest(one, other)
    return False
