"""Where Twisted has what chooses certificates by host name."""

from __future__ import annotations

from reactorlib.internet._tls._directory import SNIConnectionCreator, autoReloadingDirectoryOfPEMs

__all__ = ["SNIConnectionCreator", "autoReloadingDirectoryOfPEMs"]
