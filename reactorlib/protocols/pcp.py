"""
What stands between a producer and a consumer, and is the other one to each.

Data waits here while the consumer does not take it.
"""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from reactorlib.internet.interfaces import IConsumer, IProducer

__all__ = ["BasicProducerConsumerProxy", "ProducerConsumerProxy"]


@implementer(IProducer, IConsumer)
class BasicProducerConsumerProxy:
    """
    Passes everything on, and keeps what is written while it is paused.

    Args:
        consumer: what takes the data; this registers as its producer. None for
            none.

    Attributes:
        consumer, producer: the two it stands between, or None.
        producerIsStreaming: whether the producer pushes.
        iAmStreaming: whether it pushes itself, rather than wait to be asked.
        outstandingPull: whether the consumer has asked, and had nothing yet.
        paused, stopped: what the consumer has said.
    """

    consumer: Any = None
    producer: Any = None
    producerIsStreaming: bool | None = None
    iAmStreaming = True
    outstandingPull = False
    paused = False
    stopped = False

    def __init__(self, consumer: Any) -> None:
        self._buffer: list[Any] = []
        if consumer is not None:
            self.consumer = consumer
            consumer.registerProducer(self, self.iAmStreaming)

    # -- to the consumer ------------------------------------------------------

    def pauseProducing(self) -> None:
        """Pass nothing on, and pause the producer."""
        self.paused = True
        if self.producer is not None:
            self.producer.pauseProducing()

    def resumeProducing(self) -> None:
        """Pass on what was kept, and what comes."""
        self.paused = False
        if self._buffer:
            data = self._join()
            self._buffer.clear()
            self.consumer.write(data)
        elif not self.iAmStreaming:
            self.outstandingPull = True
        if self.producer is not None:
            self.producer.resumeProducing()

    def stopProducing(self) -> None:
        """The consumer is gone: stop the producer, and drop what comes."""
        producer, self.producer = self.producer, None
        self.consumer = None
        self.stopped = True
        self._buffer.clear()
        if producer is not None:
            producer.stopProducing()

    # -- to the producer ------------------------------------------------------

    def write(self, data: Any) -> None:
        """Pass `data` on, or keep it until the consumer takes it."""
        if self.stopped:
            return
        if self.paused or not (self.iAmStreaming or self.outstandingPull):
            self._buffer.append(data)
        elif self.consumer is not None:
            self.outstandingPull = False
            self.consumer.write(data)

    def finish(self) -> None:
        """Tell the consumer that this was all."""
        if self.consumer is not None:
            self.consumer.finish()
        self.unregisterProducer()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Let `producer` know when to write."""
        self.producer = producer
        self.producerIsStreaming = streaming

    def unregisterProducer(self) -> None:
        """Forget the producer, and leave the consumer."""
        self.producer = None
        self.producerIsStreaming = None
        if self.consumer is not None:
            self.consumer.unregisterProducer()

    def _join(self) -> Any:
        """All that is kept. Consumers of text are served too."""
        first = self._buffer[0]
        return first[:0].join(self._buffer)


class ProducerConsumerProxy(BasicProducerConsumerProxy):
    """
    Keeps a limited amount, and pauses the producer when that is reached.

    Attributes:
        bufferSize: how many bytes are kept before the producer is paused.
        producerPaused: whether it is.
        unregistered: whether the producer is done; the consumer is left when it
            has everything.
    """

    # As in Twisted, and as much as a connection keeps.
    bufferSize = 2**16
    producerPaused = False
    unregistered = False

    def pauseProducing(self) -> None:
        """Pass nothing on. The producer goes on until there is too much."""
        self.paused = True

    def resumeProducing(self) -> None:
        """Pass on what was kept, and let the producer go on once there is room."""
        self.paused = False
        sent = self._flush() if self._buffer else 0
        if not self.iAmStreaming:
            self.outstandingPull = not sent
        if self.unregistered and not self._buffer:
            self._leave()
        producer = self.producer
        if producer is None:
            return
        if self.producerPaused:
            if self._size() < self.bufferSize:
                self.producerPaused = False
                producer.resumeProducing()
        elif self.outstandingPull and not self._buffer:
            producer.resumeProducing()

    def write(self, data: Any) -> None:
        """Pass `data` on, or keep it until the consumer takes it."""
        if self.stopped:
            return
        self._buffer.append(data)
        if not self.paused and (self.iAmStreaming or self.outstandingPull) and self._flush():
            self.outstandingPull = False
        if (
            self.producer is not None
            and self.producerIsStreaming
            and not self.producerPaused
            and self._size() > self.bufferSize
        ):
            self.producerPaused = True
            self.producer.pauseProducing()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Let `producer` know when to write; a pull producer is asked at once."""
        self.unregistered = False
        self.producerPaused = False
        super().registerProducer(producer, streaming)
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Forget the producer, and leave the consumer once it has everything."""
        self.producer = None
        self.producerIsStreaming = None
        self.unregistered = True
        if not self._buffer:
            self._leave()

    def _leave(self) -> None:
        self.unregistered = False
        if self.consumer is not None:
            self.consumer.unregisterProducer()

    def _size(self) -> int:
        return sum(map(len, self._buffer))

    def _flush(self) -> int:
        """Offer the consumer all that is kept, and return how much it took."""
        data = self._join()
        # What is written meanwhile comes after what is left of this.
        self._buffer.clear()
        sent: int = self._writeSomeData(data)
        if sent < len(data):
            self._buffer.insert(0, data[sent:])
        return sent

    def _writeSomeData(self, data: Any) -> int:
        """
        Pass on some of `data`. For subclasses.

        Returns:
            how much of it was passed on.
        """
        if self.consumer is None:
            return 0
        self.consumer.write(data)
        return len(data)
