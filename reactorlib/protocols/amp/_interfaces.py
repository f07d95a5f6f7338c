"""The seams: who sends and receives boxes, who finds what answers, what an argument is."""

from __future__ import annotations

from typing import Any

from zope.interface import Interface

__all__ = ["IArgumentType", "IBoxReceiver", "IBoxSender", "IResponderLocator"]


class IArgumentType(Interface):
    """How an argument goes into a box, and comes out of one."""

    def fromBox(name: bytes, strings: Any, objects: Any, proto: Any) -> None:
        """
        Take what is called `name` out of a box.

        Args:
            strings: the box; what is used is taken from it.
            objects: a dictionary to put the argument into, by its Python name.
            proto: the protocol that has received the box.
        """

    def toBox(name: bytes, strings: Any, objects: Any, proto: Any) -> None:
        """Put what is called `name` into a box: the reverse of `fromBox`."""


class IBoxSender(Interface):
    """Something that boxes can be sent with."""

    def sendBox(box: Any) -> None:
        """
        Send a box.

        Raises:
            ProtocolSwitched: another protocol is spoken by now.
            ConnectionLost: there is no connection.
        """

    def unhandledError(failure: Any) -> None:
        """Report an error that nobody has handled, and end the connection."""


class IBoxReceiver(Interface):
    """Something that receives boxes."""

    def startReceivingBoxes(boxSender: Any) -> None:
        """There is a connection; called once, before any box."""

    def ampBoxReceived(box: Any) -> None:
        """A box came in."""

    def stopReceivingBoxes(reason: Any) -> None:
        """The connection is gone; called once."""


class IResponderLocator(Interface):
    """Something that knows what answers a command."""

    def locateResponder(name: bytes) -> Any:
        """
        What answers a command: a callable that takes a box and returns one, or a
        Deferred with one; None if nothing does.
        """
