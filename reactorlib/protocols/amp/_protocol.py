"""
The connection: boxes in and out, TLS, other protocols, file descriptors.

It has one of four states: boxes; locked, when a switch has been asked for and not
answered; switched, when everything is the inner protocol's; and starting TLS, when
boxes wait until the handshake begins.
"""

from __future__ import annotations

import itertools
import logging
import os
from typing import Any

from zope.interface import implementer

from reactorlib.internet.error import ConnectionClosed, ConnectionLost, PeerVerifyError
from reactorlib.internet.interfaces import IFileDescriptorReceiver
from reactorlib.internet.protocol import Protocol, connectionDone
from reactorlib.protocols.amp._box import AmpBox, empty_box
from reactorlib.protocols.amp._dispatch import BoxDispatcher, unhandled
from reactorlib.protocols.amp._errors import OnlyOneTLS, ProtocolSwitched, TooLong
from reactorlib.protocols.amp._interfaces import IBoxReceiver, IBoxSender, IResponderLocator
from reactorlib.protocols.amp._locating import CommandLocator, SimpleStringLocator
from reactorlib.protocols.amp._tls import NoCertificate, StartTLS
from reactorlib.protocols.amp._wire import BoxReader
from reactorlib.python._report import note
from reactorlib.python.failure import Failure

__all__ = ["AMP", "BinaryBoxProtocol"]

_log = logging.getLogger("reactorlib.protocols.amp")


@implementer(IBoxSender, IFileDescriptorReceiver)
class BinaryBoxProtocol(Protocol):
    """
    Boxes over a connection.

    Args:
        boxReceiver: an `IBoxReceiver`.

    Attributes:
        boxReceiver: who is told of the boxes that come in.
        hostCertificate: the certificate that this side speaks TLS with; None before.
        noPeerCertificate: whether TLS was started with no certificate.
        innerProtocol: what has the connection after a switch; None before.
    """

    _justStartedTLS = False
    _startingTLSBuffer: list[AmpBox] | None = None
    _locked = False
    _too_long: TooLong | None = None
    boxReceiver: Any = None
    hostCertificate: Any = None
    noPeerCertificate = False
    innerProtocol: Any = None
    innerProtocolClientFactory: Any = None

    def __init__(self, boxReceiver: Any) -> None:
        self.boxReceiver = boxReceiver
        self._reader = BoxReader(empty_box)
        self._descriptors: dict[int, int] = {}
        self._received = itertools.count(0)
        self._sent = itertools.count(0)

    # -- the connection -------------------------------------------------------

    def makeConnection(self, transport: Any) -> None:
        """There is a connection: tell the receiver."""
        self.transport = transport
        self.boxReceiver.startReceivingBoxes(self)
        self.connected = 1
        self.connectionMade()

    def dataReceived(self, data: bytes) -> None:
        """Bytes came in."""
        self._justStartedTLS = False
        if self.innerProtocol is not None:
            self.innerProtocol.dataReceived(data)
            return
        reader = self._reader
        reader.feed(data)
        try:
            while (box := reader.next_box()) is not None:
                self.boxReceiver.ampBoxReceived(box)
                if self.innerProtocol is not None:
                    self._hand_over()
                    return
                if not reader.more:
                    return
        except TooLong as error:
            self._too_long = error
            self.transport.loseConnection()

    def _hand_over(self) -> None:
        """What has come in after the last box is the inner protocol's."""
        rest = self._reader.take()
        if rest:
            self.innerProtocol.dataReceived(rest)

    def _give_back(self) -> bytes:
        """What has come and was not delivered: it is the transport's when TLS begins."""
        return self._reader.take()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone: tell the inner protocol, if there is one, and the receiver."""
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()
        if self.innerProtocol is not None:
            self.innerProtocol.connectionLost(reason)
            if self.innerProtocolClientFactory is not None:
                self.innerProtocolClientFactory.clientConnectionLost(None, reason)
        if self._too_long is not None:
            reason = Failure(self._too_long)
        elif self._justStartedTLS and reason.check(ConnectionClosed):
            # To end in the handshake is all that TLS up to 1.2 says.
            reason = Failure(
                PeerVerifyError("Peer rejected our certificate for an unknown reason.")
            )
        self.boxReceiver.stopReceivingBoxes(reason)

    def sendBox(self, box: AmpBox) -> None:
        """
        Send a box.

        Raises:
            ProtocolSwitched: another protocol is spoken by now, or about to be.
            ConnectionLost: there is no connection.
            TooLong: a key or value is too long.
        """
        if self._locked:
            raise ProtocolSwitched("This connection has switched: no AMP traffic allowed.")
        if self.transport is None:
            raise ConnectionLost()
        if self._startingTLSBuffer is not None:
            self._startingTLSBuffer.append(box)
        else:
            self.transport.write(box.serialize())

    def unhandledError(self, failure: Failure) -> None:
        """An error that nobody has handled: report it, and end the connection."""
        unhandled(failure, self.transport)

    # -- other protocols ------------------------------------------------------

    def _lockForSwitch(self) -> None:
        """Send no box until the switch is made, or refused."""
        self._locked = True

    def _unlockFromSwitch(self) -> None:
        """The switch is refused."""
        if self.innerProtocol is not None:
            raise ProtocolSwitched("Protocol already switched.  Cannot unlock.")
        self._locked = False

    def _switchTo(self, newProto: Any, clientFactory: Any = None) -> None:
        """From now on the connection is another protocol's."""
        self._locked = True
        self.innerProtocol = newProto
        self.innerProtocolClientFactory = clientFactory
        newProto.makeConnection(self.transport)

    # -- TLS ------------------------------------------------------------------

    def _checkTLS(self, certificate: Any) -> None:
        """Refuse to ask for TLS twice, before the peer hears of it."""
        if self._startingTLSBuffer is not None:
            raise OnlyOneTLS("TLS has been asked for, and the answer is not there")
        if self.hostCertificate is not None or self.noPeerCertificate:
            raise OnlyOneTLS(
                f"Previously authenticated connection between {self.hostCertificate} and "
                f"{self.peerCertificate} is trying to re-establish as {certificate}"
            )

    def _prepareTLS(self, certificate: Any, verifyAuthorities: Any) -> None:
        """Keep boxes back until `_startTLS`."""
        self._checkTLS(certificate)
        self._startingTLSBuffer = []

    def _startTLS(self, certificate: Any, verifyAuthorities: Any) -> None:
        """Speak TLS, then send what was kept back."""
        self.hostCertificate = certificate
        self._justStartedTLS = True
        if certificate is None:
            self.noPeerCertificate = True
            certificate = NoCertificate(self._is_client())
        self.transport.startTLS(certificate.options(*(verifyAuthorities or ())))
        waiting, self._startingTLSBuffer = self._startingTLSBuffer, None
        for box in waiting or ():
            self.sendBox(box)

    def _refuseTLS(self) -> None:
        """
        There will be no TLS: close the connection, with which everything fails that waits.

        What was kept back is not sent, for it would be without TLS.
        """
        self._justStartedTLS = False
        if self.transport is not None:
            self.transport.loseConnection()

    def _is_client(self) -> bool:
        """Whether the one who asks for TLS is this side: it kept boxes back meanwhile."""
        return self._startingTLSBuffer is not None

    @property
    def peerCertificate(self) -> Any:
        """The certificate of the peer; None if it needed none."""
        if self.noPeerCertificate:
            return None
        from reactorlib.internet.ssl import Certificate

        return Certificate.peerFromTransport(self.transport)

    # -- file descriptors -----------------------------------------------------

    def fileDescriptorReceived(self, descriptor: int) -> None:
        """A descriptor came in; the box that tells what it is for follows."""
        self._descriptors[next(self._received)] = descriptor

    def _getDescriptor(self, number: int) -> int:
        """The descriptor of that number, which is the caller's from now on."""
        return self._descriptors.pop(number)

    def _sendFileDescriptor(self, descriptor: int) -> int:
        """Send a descriptor; its number."""
        self.transport.sendFileDescriptor(descriptor)
        return next(self._sent)


class AMP(BinaryBoxProtocol, BoxDispatcher, CommandLocator, SimpleStringLocator):
    """
    AMP over a connection: both sides ask commands, and answer those of the other.

    Subclasses have methods that answer: decorated with `Command.responder`, or named
    `amp_COMMAND`. `callRemote` asks.

    Args:
        boxReceiver: who is told of boxes; this object if None.
        locator: what knows what answers a command; this object if None.
    """

    _ampInitialized = False

    def __init__(self, boxReceiver: Any = None, locator: Any = None) -> None:
        self._ampInitialized = True
        if boxReceiver is None:
            boxReceiver = self
        if locator is None:
            locator = self
        BoxDispatcher.__init__(self, IResponderLocator(locator))
        BinaryBoxProtocol.__init__(self, IBoxReceiver(boxReceiver))

    def locateResponder(self, name: bytes) -> Any:
        """What answers a command: a decorated method, or else one that is named after it."""
        return CommandLocator.locateResponder(self, name) or SimpleStringLocator.locateResponder(
            self, name
        )

    def __repr__(self) -> str:
        inner = "" if self.innerProtocol is None else f" inner {self.innerProtocol!r}"
        return f"<{self.__class__.__name__}{inner} at 0x{id(self):x}>"

    def makeConnection(self, transport: Any) -> None:
        """There is a connection."""
        if not self._ampInitialized:
            # A subclass has an __init__ that does not call this one.
            AMP.__init__(self)
        note(_log, "%s connection established (HOST:%s PEER:%s)", *self._where(transport))
        super().makeConnection(transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone: what was asked fails."""
        note(_log, "%s connection lost (HOST:%s PEER:%s)", *self._where(self.transport))
        super().connectionLost(reason)
        self.transport = None

    def _where(self, transport: Any) -> tuple[str, Any, Any]:
        return self.__class__.__name__, transport.getHost(), transport.getPeer()

    @StartTLS.responder
    def _defaultStartTLSResponder(self) -> dict[str, Any]:
        """The peer asks for TLS; subclasses answer with a certificate and authorities."""
        return {}
