"""The subcommand `inetd`."""

from __future__ import annotations

from reactorlib.application.service import ServiceMaker

__all__ = ["ReactorlibInetd"]

ReactorlibInetd = ServiceMaker(
    "inetd", "reactorlib.runner.inetdtap", "An inetd(8) replacement.", "inetd"
)
