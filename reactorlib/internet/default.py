"""The reactor that there is where nobody asks for another."""

from __future__ import annotations

from reactorlib.internet.epollreactor import install

__all__ = ["install"]
