"""
A connection over a UNIX socket, which can carry file descriptors.

The loop's own transports read and write plain bytes, and lose descriptors that
come along. So a connection whose protocol takes descriptors, or that is asked
to send one, goes on with a transport of ours (`_unix_transport`) over the same
socket; all others stay with the loop's.
"""

from __future__ import annotations

import os
from typing import ClassVar

from zope.interface import classImplements, implementer

from reactorlib.internet._connection import Connection
from reactorlib.internet._connection._core import PAUSED, READ_CLOSED, WRITE_CLOSED
from reactorlib.internet._secure import Secure
from reactorlib.internet._unix_transport import UNIXTransport
from reactorlib.internet.interfaces import IFileDescriptorReceiver, ISSLTransport, IUNIXTransport

__all__ = ["SecureUNIXConnection", "UNIXConnection"]


@implementer(IUNIXTransport)
class UNIXConnection(Connection):
    """A connection over a UNIX socket."""

    __slots__ = ()

    def _prepare(self) -> None:
        if not self.TLS and IFileDescriptorReceiver.providedBy(self.protocol):
            self._with_descriptors()

    def sendFileDescriptor(self, descriptor: int) -> None:
        """
        Send a duplicate of a file descriptor.

        It travels with the next byte written. If the connection is closed before
        one is, it is lost with `FileDescriptorOverrun`. It does nothing once the
        connection, or its writing side, is being closed.

        Raises:
            OSError: `descriptor` is not open.
        """
        if self.disconnecting or self._marks & WRITE_CLOSED:
            return
        self._flush()
        self._with_descriptors().send_descriptor(os.dup(descriptor))

    def _with_descriptors(self) -> UNIXTransport:
        """Have the transport that carries descriptors."""
        transport = self._transport
        if not isinstance(transport, UNIXTransport):
            early, self._early = self._early, None
            transport = UNIXTransport(transport, self, self._loop, self._own_context())
            self._transport = transport
            if self._flow is None or self._flow.streaming:
                self._send = None
            # After the peer's end there is nothing to read but that end, again.
            paused = bool(self._marks & (PAUSED | READ_CLOSED))
            transport.begin(b"" if early is None else early.data, paused)
        return transport

    def descriptor_received(self, descriptor: int) -> None:
        """A file descriptor came in; the transport calls this before the bytes beside it."""
        if IFileDescriptorReceiver.providedBy(self.protocol):
            try:
                self.protocol.fileDescriptorReceived(descriptor)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as exception:
                self._fail("fileDescriptorReceived() failed; the connection is dropped", exception)
        else:
            os.close(descriptor)


class SecureUNIXConnection(Secure, UNIXConnection):
    """A connection over a UNIX socket that is encrypted."""

    __slots__ = ()

    TLS: ClassVar[bool] = True

    def sendFileDescriptor(self, descriptor: int) -> None:
        """Refuse: TLS carries bytes only."""
        raise RuntimeError("a connection with TLS cannot carry file descriptors")


UNIXConnection._secure = SecureUNIXConnection
# It asks for the options of TCP too, which mean nothing here.
classImplements(SecureUNIXConnection, ISSLTransport)  # type: ignore[misc]  # as said
