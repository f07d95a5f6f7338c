"""
Processes that are started, watched, and started again when they end.

    monitor = ProcessMonitor()
    monitor.addProcess("web", ["/usr/bin/web", "--port", "8080"])
    monitor.setServiceParent(application)

A process that has run for a while is started again at once. One that ends soon
after its start waits, twice as long each time. What processes write is logged, line
by line.
"""

from __future__ import annotations

from reactorlib.runner.procmon._logging import (
    DummyTransport,
    LineLogger,
    LoggingProtocol,
    transport,
)
from reactorlib.runner.procmon._monitor import ProcessMonitor

__all__ = ["DummyTransport", "LineLogger", "LoggingProtocol", "ProcessMonitor", "transport"]
