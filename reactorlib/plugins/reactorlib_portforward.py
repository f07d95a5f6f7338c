"""The subcommand `portforward`."""

from __future__ import annotations

from reactorlib.application.service import ServiceMaker

__all__ = ["ReactorlibPortForward"]

ReactorlibPortForward = ServiceMaker(
    "Port forwarder", "reactorlib.tap.portforward", "A simple port-forwarder.", "portforward"
)
