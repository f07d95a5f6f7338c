"""Logging to the system's log."""

from __future__ import annotations

import syslog
from typing import Any

from reactorlib.python import log

__all__ = ["DEFAULT_FACILITY", "DEFAULT_OPTIONS", "SyslogObserver", "startLogging"]

DEFAULT_OPTIONS = 0
DEFAULT_FACILITY = syslog.LOG_USER


class SyslogObserver:
    """Sends each event to the system's log, a message each line."""

    openlog = staticmethod(syslog.openlog)
    syslog = staticmethod(syslog.syslog)

    def __init__(
        self, prefix: str, options: int = DEFAULT_OPTIONS, facility: int = DEFAULT_FACILITY
    ) -> None:
        """
        Args:
            prefix: what messages begin with: the program's name.
            options, facility: as for `syslog.openlog`, of the standard library.
        """
        self.openlog(prefix, options, facility)

    def emit(self, eventDict: dict[str, Any]) -> None:
        """
        Send an event, if it says anything.

        Errors have the priority LOG_ALERT, and others LOG_INFO; an event may
        choose by `syslogPriority` and `syslogFacility`.
        """
        text = log.textFromEventDict(eventDict)
        if text is None:
            return
        priority = syslog.LOG_ALERT if eventDict["isError"] else syslog.LOG_INFO
        priority = int(eventDict.get("syslogPriority", priority))
        facility = int(eventDict.get("syslogFacility", 0))
        lines = text.rstrip("\n").split("\n")
        for number, line in enumerate(lines):
            shown = line if number == 0 else "\t" + line
            self.syslog(priority | facility, f"[{eventDict['system']}] {shown}")


def startLogging(
    prefix: str = "Twisted",
    options: int = DEFAULT_OPTIONS,
    facility: int = DEFAULT_FACILITY,
    setStdout: int = 1,
) -> None:
    """
    Log to the system's log.

    Args:
        setStdout: what is printed is logged as well.
    """
    observer = SyslogObserver(prefix, options, facility)
    log.startLoggingWithObserver(observer.emit, setStdout=setStdout)
