"""The subcommand `manhole`."""

from __future__ import annotations

from reactorlib.application.service import ServiceMaker

__all__ = ["ReactorlibManhole"]

ReactorlibManhole = ServiceMaker(
    "Manhole",
    "reactorlib.conch.manhole_tap",
    "An interactive remote debugger service accessible via telnet.",
    "manhole",
)
