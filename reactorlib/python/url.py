"""
URLs as values: `URL`.

It is that of the library hyperlink, which the extra `url` installs.
"""

from __future__ import annotations

try:
    from hyperlink import URL
except ImportError as cause:
    raise ImportError(
        "reactorlib.python.url needs hyperlink: install it with 'reactorlib[url]'"
    ) from cause

__all__ = ["URL"]
