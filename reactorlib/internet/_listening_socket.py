"""A socket that asyncio accepts connections from, and that bears a shortage of descriptors."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

__all__ = ["ListeningSocket"]

#: What asyncio takes for a shortage that passes.
_SHORTAGE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

#: Whether a socket has what its own `accept` calls, which is not documented.
_HAS_ACCEPT = hasattr(socket.socket, "_accept")


class ListeningSocket(socket.socket):
    """
    A socket that does not block, over a descriptor of its own.

    asyncio accepts as many connections at a time as the backlog is long. When the
    process is out of descriptors it says so, looks away from the socket, and tries
    again a second later. But first it goes on with what is left of the backlog, and
    says the same each time, and will try again as many times. To those this
    answers that nobody waits.

    What it accepts is made of the same family and type without asking for them: in
    the library's own `accept` that takes longer than the rest.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(fileno=descriptor)
        self.setblocking(False)
        self._short = False
        self._like = int(self.family), int(self.type), self.proto

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection, as any socket, but for the call that follows a shortage."""
        if self._short:
            self._short = False
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        try:
            if not _HAS_ACCEPT:
                return super().accept()
            descriptor, address = self._accept()  # type: ignore[attr-defined]
        except OSError as exception:
            self._short = exception.errno in _SHORTAGE
            raise
        return socket.socket(*self._like, descriptor), address
