"""
Telling a service manager how the program is: sd_notify(3), without its library.

A message is a datagram to the socket that `NOTIFY_SOCKET` names. The socket is
connected when this is made, before the program changes its root or its user. A
message that cannot be sent is logged once, and stops nothing.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import MutableMapping

__all__ = ["Notifier"]

_log = logging.getLogger("reactorlib.application.daemon")


class Notifier:
    """
    Tells the service manager, if there is one.

    Args:
        environ: the environment. What says where to tell is taken out of it, so that
            a process that this one starts does not speak for it.

    Attributes:
        interval: how many seconds may pass between two calls of `alive()`, at half
            of what the manager allows; None if it does not watch.
    """

    def __init__(self, environ: MutableMapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        where = environ.pop("NOTIFY_SOCKET", None)
        self._socket: socket.socket | None = None
        self.interval = _watchdog(environ)
        if where:
            self._connect(where)

    def _connect(self, where: str) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            # An at sign stands for the zero byte of a name that is in no folder.
            sock.connect("\0" + where[1:] if where.startswith("@") else where)
        except OSError as error:
            sock.close()
            _log.warning("Cannot tell the service manager at %s: %s", where, error)
        else:
            self._socket = sock

    def _send(self, *assignments: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.send("\n".join(assignments).encode())
        except OSError as error:
            _log.warning("Cannot tell the service manager: %s", error)
            self.close()

    def ready(self, status: str = "") -> None:
        """The program has started, or has done what a reload asked for."""
        self._send("READY=1", f"MAINPID={os.getpid()}", f"STATUS={status}")

    def reloading(self) -> None:
        """The program is about to reload what it was configured with; `ready()` ends that."""
        now = int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1_000_000)
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self) -> None:
        """The program has begun to stop."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Say how it is, in a line for people."""
        self._send(f"STATUS={text}")

    def alive(self) -> None:
        """The program is well: to be called every `interval` seconds."""
        self._send("WATCHDOG=1")

    def close(self) -> None:
        """Tell nothing more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _watchdog(environ: MutableMapping[str, str]) -> float | None:
    """How often the manager wants to hear, in seconds, if it is this process that it watches."""
    limit = environ.pop("WATCHDOG_USEC", "")
    whom = environ.pop("WATCHDOG_PID", "")
    if not limit.isdigit() or int(limit) <= 0 or (whom and whom != str(os.getpid())):
        return None
    return int(limit) / 2_000_000
