"""The subcommand `procmon`."""

from __future__ import annotations

from reactorlib.application.service import ServiceMaker

__all__ = ["ReactorlibProcmon"]

ReactorlibProcmon = ServiceMaker(
    "Process monitor", "reactorlib.runner.procmontap", "A process watchdog / supervisor", "procmon"
)
