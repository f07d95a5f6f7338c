"""The subcommand `ftp`."""

from __future__ import annotations

from reactorlib.application.service import ServiceMaker

__all__ = ["ReactorlibFTP"]

ReactorlibFTP = ServiceMaker("FTP server", "reactorlib.tap.ftp", "An FTP server.", "ftp")
