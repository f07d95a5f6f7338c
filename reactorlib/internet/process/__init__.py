"""
Processes: the transports that `reactor.spawnProcess` returns.

`_command` checks what is asked for, `_start` starts it, `_child` waits for its
end. `_base` puts that together with our ends of its pipes (`_transport`) or of its
terminal (`_terminal`).
"""

from reactorlib.internet.error import ProcessExitedAlready
from reactorlib.internet.process._base import reapAllProcesses, reapProcessHandlers
from reactorlib.internet.process._file_actions import _getFileActions
from reactorlib.internet.process._terminal import PTYProcess
from reactorlib.internet.process._transport import Process

__all__ = [
    "PTYProcess",
    "Process",
    "ProcessExitedAlready",
    "_getFileActions",
    "reapAllProcesses",
    "reapProcessHandlers",
]
