"""The subcommand `qotd`."""

from __future__ import annotations

from reactorlib.application.service import ServiceMaker

__all__ = ["ReactorlibQOTD"]

ReactorlibQOTD = ServiceMaker(
    "Quote of the day", "reactorlib.tap.qotd", "A quote of the day server.", "qotd"
)
