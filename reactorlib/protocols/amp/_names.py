"""From the names in boxes to names in Python."""

from __future__ import annotations

import functools
import keyword

__all__ = ["PYTHON_KEYWORDS", "python_name"]

#: What cannot be the name of a parameter.
PYTHON_KEYWORDS = [*keyword.kwlist, "exec", "print"]  # the last two, as in Twisted


@functools.lru_cache(4096)
def python_name(name: bytes) -> str:
    """
    The Python name of an argument: with underscores for hyphens, and a capital for a keyword.
    """
    text = name.replace(b"-", b"_").decode("ascii")
    return text.title() if text in PYTHON_KEYWORDS else text
