"""The reactor for whoever does not choose one: that of asyncio's own loop."""

from __future__ import annotations

from reactorlib.internet.asyncioreactor import install

__all__ = ["install"]
