"""The subcommand `socks`."""

from __future__ import annotations

from reactorlib.application.service import ServiceMaker

__all__ = ["ReactorlibSOCKS"]

ReactorlibSOCKS = ServiceMaker(
    "SOCKS server", "reactorlib.tap.socks", "A SOCKS proxy service, versions 4, 4A and 5.", "socks"
)
