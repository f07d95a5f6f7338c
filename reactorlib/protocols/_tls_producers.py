"""What stands between a producer and a TLS connection."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from reactorlib.internet.interfaces import IPushProducer
from reactorlib.internet.task import TaskFinished, cooperate
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

if TYPE_CHECKING:
    from reactorlib.internet.task import CooperativeTask

__all__ = ["ProducerMembrane", "PullToPush"]

_log = logging.getLogger("reactorlib.protocols.tls")


@implementer(IPushProducer)
class PullToPush:
    """
    A push producer made of a pull producer: asks for piece after piece.

    An error in the producer is reported, and ends it.
    """

    def __init__(self, pullProducer: Any, consumer: Any) -> None:
        self._producer = pullProducer
        self._consumer = consumer
        self._finished = False
        self._coopTask: CooperativeTask[Iterator[None]] | None = None

    def startStreaming(self) -> None:
        """Begin to ask."""
        self._coopTask = cooperate(self._pull())

    def _pull(self) -> Iterator[None]:
        while True:
            try:
                self._producer.resumeProducing()
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException:
                report(_log, f"{self._producer!r}.resumeProducing() failed", Failure())
                try:
                    self._consumer.unregisterProducer()
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException:
                    report(_log, f"{self._consumer!r}.unregisterProducer() failed", Failure())
                    self.stopStreaming()
                return
            yield

    def stopStreaming(self) -> None:
        """Ask no more. The producer is not told."""
        if not self._finished:
            self._finished = True
            if self._coopTask is not None:
                try:
                    self._coopTask.stop()
                except TaskFinished:
                    pass

    def pauseProducing(self) -> None:
        """Ask no more for now."""
        if self._coopTask is not None and not self._finished:
            self._coopTask.pause()

    def resumeProducing(self) -> None:
        """Ask again."""
        if self._coopTask is not None and not self._finished:
            self._coopTask.resume()

    def stopProducing(self) -> None:
        """Ask no more, and tell the producer."""
        self.stopStreaming()
        self._producer.stopProducing()


@implementer(IPushProducer)
class ProducerMembrane:
    """
    A push producer that two can pause: the transport below, whose buffer is full,
    and TLS, which cannot send before its handshake. It produces when neither does.

    To the transport it is the producer itself.
    """

    def __init__(self, producer: Any) -> None:
        self._producer = producer
        self._below = False
        self._tls = False
        self._paused = False
        self._stopped = False

    def pauseProducing(self) -> None:
        """The transport's buffer is full."""
        self._below = True
        self._tell()

    def resumeProducing(self) -> None:
        """The transport's buffer has room again."""
        self._below = False
        self._tell()

    def hold(self, held: bool) -> None:
        """Whether TLS cannot send now."""
        self._tls = held
        self._tell()

    def _tell(self) -> None:
        paused = self._below or self._tls
        if paused is not self._paused and not self._stopped:
            self._paused = paused
            if paused:
                self._producer.pauseProducing()
            else:
                self._producer.resumeProducing()

    def stopProducing(self) -> None:
        """The connection is gone. The producer is told once."""
        if not self._stopped:
            self._stopped = True
            self._producer.stopProducing()

    def detach(self) -> None:
        """The producer is not registered any more."""
        self._stopped = True
        if isinstance(self._producer, PullToPush):
            self._producer.stopStreaming()
