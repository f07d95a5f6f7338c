"""A protocol as a consumer, and a consumer as a protocol."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from reactorlib.internet.interfaces import IConsumer, IProtocol
from reactorlib.internet.protocol._stream import connectionDone
from reactorlib.python.components import Adapter, registerAdapter
from reactorlib.python.failure import Failure

__all__ = ["ConsumerToProtocolAdapter", "ProtocolToConsumerAdapter"]


@implementer(IConsumer)
class ProtocolToConsumerAdapter(Adapter):
    """A protocol that is written to: what `IConsumer(protocol)` gives. It takes all at once."""

    def write(self, data: bytes) -> None:
        """The protocol receives it."""
        self.original.dataReceived(data)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Nothing: there is no reason to pause it."""

    def unregisterProducer(self) -> None:
        """Nothing."""


@implementer(IProtocol)
class ConsumerToProtocolAdapter(Adapter):
    """A consumer that has a connection: what `IProtocol(consumer)` gives."""

    def dataReceived(self, data: bytes) -> None:
        """It is written to the consumer."""
        self.original.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Nothing: a consumer knows no end."""

    def makeConnection(self, transport: Any) -> None:
        """Nothing: a consumer does not answer."""

    def connectionMade(self) -> None:
        """Nothing."""


registerAdapter(ProtocolToConsumerAdapter, IProtocol, IConsumer)
registerAdapter(ConsumerToProtocolAdapter, IConsumer, IProtocol)
