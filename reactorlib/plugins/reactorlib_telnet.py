"""The subcommand `telnet`."""

from __future__ import annotations

from reactorlib.application.service import ServiceMaker

__all__ = ["ReactorlibTelnet"]

ReactorlibTelnet = ServiceMaker(
    "Telnet", "reactorlib.tap.telnet", "A simple, telnet-based remote debugging service.", "telnet"
)
