"""A client factory that tries again."""

from __future__ import annotations

import logging
import random
from typing import Any, ClassVar

from reactorlib.internet import error
from reactorlib.internet.interfaces import IConnector
from reactorlib.internet.protocol._stream import ClientFactory, P
from reactorlib.python._report import note
from reactorlib.python.failure import Failure

__all__ = ["ReconnectingClientFactory"]

_log = logging.getLogger("reactorlib.internet.protocol")


class ReconnectingClientFactory(ClientFactory[P]):
    """
    A client factory that tries again, after longer and longer pauses.

    A protocol that is satisfied with its connection calls
    `self.factory.resetDelay()`, so that the next loss starts from a short pause.

    Attributes:
        initialDelay: the first pause, in seconds.
        maxDelay: the longest pause, in seconds.
        factor: what a pause is multiplied by to give the next.
        jitter: how far a pause strays at random, as a part of itself, so that
            clients of one server do not return all at once; 0 for not at all.
        maxRetries: after how many attempts in a row to give up; None for never.
        retries: how many attempts in a row have been made.
        delay: the pause before jitter, in seconds.
        connector: the connector to try with, once known.
        clock: the IReactorTime to wait with; None for the reactor.
        continueTrying: 0 after `stopTrying`.
    """

    maxDelay: float = 3600
    initialDelay: float = 1.0
    # e: steep enough to spare the server, and a familiar curve to whoever reads the log.
    factor: float = 2.718281828459045
    # Planck's constant's digits, as in Twisted: any tenth or so will do.
    jitter: float = 0.119626565582
    delay: float = initialDelay
    retries = 0
    maxRetries: int | None = None
    connector: Any = None
    clock: Any = None
    continueTrying = 1
    _pending: Any = None
    _unsaved: ClassVar[frozenset[str]] = frozenset(
        {"connector", "clock", "continueTrying", "retries", "delay", "_pending"}
    )

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """Try again."""
        if self.continueTrying:
            self.connector = connector
            self.retry()

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        """Try again."""
        if self.continueTrying:
            self.connector = connector
            self.retry()

    def retry(self, connector: Any = None) -> None:
        """
        Connect again after the pause, unless `stopTrying` or `maxRetries` forbids.

        Args:
            connector: the connector to use; the one known, if None.

        Raises:
            ValueError: none is given, and none is known.
        """
        if not self.continueTrying:
            return
        connector = connector or self.connector
        if connector is None:
            raise ValueError("retry() knows of no connector: pass the one to connect again")
        if self.maxRetries is not None and self.retries >= self.maxRetries:
            if self.noisy:
                note(_log, "Giving up on %s after %d attempts", connector, self.retries)
            return
        self._no_pending()
        if self.retries:
            self.delay *= self.factor
        self.retries += 1
        pause = self.delay = min(self.delay, self.maxDelay)
        if self.jitter:
            pause = random.normalvariate(pause, pause * self.jitter)  # not a secret
            pause = max(0.0, pause)
        if self.noisy:
            note(_log, "%s will try again in %.1f seconds", connector, pause)
        self._pending = self._clock().callLater(pause, self._again, connector)

    def _again(self, connector: Any) -> None:
        self._pending = None
        connector.connect()

    def _no_pending(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.cancel()

    def _clock(self) -> Any:
        if self.clock is None:
            from reactorlib.internet import reactor

            return reactor
        return self.clock

    def stopTrying(self) -> None:
        """Make no further attempt, and break off the one being made."""
        self._no_pending()
        self.continueTrying = 0
        if self.connector is not None:
            try:
                self.connector.stopConnecting()
            except error.NotConnectingError:
                pass

    def resetDelay(self) -> None:
        """
        Count attempts from none, and let the next pause be the first again. A
        pause that has begun goes on.
        """
        self.delay = self.initialDelay
        self.retries = 0
        self.continueTrying = 1

    def __getstate__(self) -> dict[str, Any]:
        """A saved factory starts afresh: what belongs to this run stays out."""
        return {name: value for name, value in self.__dict__.items() if name not in self._unsaved}
