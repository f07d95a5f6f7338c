"""
Files of the system, read and written in threads.

A disk may take its time, and one on a network for ever; the loop waits for neither.
Each file has one call at a time in a thread, so what is read or written keeps its order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from zope.interface import implementer

from reactorlib.internet.defer import Deferred, ensureDeferred, maybeDeferred, succeed
from reactorlib.internet.interfaces import IConsumer, IPushProducer
from reactorlib.internet.threads import deferToThread
from reactorlib.protocols.ftp._interfaces import IReadFile, IWriteFile
from reactorlib.python._asyncio import running_loop

__all__ = ["FileConsumer", "_FileReader", "_FileWriter", "off_loop"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

# How much of a file is read at a time: going to a thread and back costs less than that takes.
_CHUNK = 1 << 17
# A consumer has its producer wait when so much is to be written, and go on when so little is.
_HIGH = 1 << 20
_LOW = 1 << 18


def off_loop(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
    """
    Call something that may block: in a thread where a loop runs, and else here.

    Returns:
        a Deferred with what it returns or raises.
    """
    if running_loop() is not None:
        try:
            return deferToThread(function, *args, **kwargs)
        except RuntimeError:
            pass  # the reactor ends, and has no threads any more
    return maybeDeferred(function, *args, **kwargs)


@implementer(IReadFile, IPushProducer)
class _FileReader:
    """
    Reads a file of the system, as fast as the consumer takes it.

    It is the push producer of that consumer.
    """

    def __init__(self, fObj: Any) -> None:
        self.fObj = fObj
        self._consumer: Any = None
        self._done: Deferred[None] | None = None
        self._paused: Deferred[None] | None = None

    def seek(self, offset: int) -> None:
        """Begin there."""
        self.fObj.seek(offset)

    def send(self, consumer: Any) -> Deferred[None]:
        if self._done is not None:
            raise RuntimeError("a file is sent once")
        done: Deferred[None] = Deferred(lambda _: self._leave())
        self._done = done
        self._consumer = consumer
        consumer.registerProducer(self, True)
        ensureDeferred(self._read())
        return done

    async def _read(self) -> None:
        """Read until the end, or until nobody wants more, and close the file."""
        error: Exception | None = None
        try:
            while self._consumer is not None:
                if self._paused is not None:
                    await self._paused
                    continue
                chunk = await off_loop(self.fObj.read, _CHUNK)
                if self._consumer is None or not chunk:
                    break
                self._consumer.write(chunk)
        except Exception as why:
            error = why
        except BaseException:
            self.fObj.close()  # the loop ends
            raise
        try:
            await off_loop(self.fObj.close)
        except Exception as why:
            error = error or why
        self._leave()
        assert self._done is not None
        if not self._done.called:
            if error is None:
                self._done.callback(None)
            else:
                self._done.errback(error)

    def _leave(self) -> None:
        """Have done with the consumer."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.unregisterProducer()
        self.resumeProducing()

    def pauseProducing(self) -> None:
        """The consumer has enough for now."""
        if self._paused is None:
            self._paused = Deferred()

    def resumeProducing(self) -> None:
        """The consumer takes more."""
        paused, self._paused = self._paused, None
        if paused is not None:
            paused.callback(None)

    def stopProducing(self) -> None:
        """The consumer takes no more."""
        if self._consumer is None:
            return
        self._consumer = None
        assert self._done is not None
        if not self._done.called:
            self._done.errback(ConnectionError("the data connection was closed"))
        self.resumeProducing()


@implementer(IConsumer)
class FileConsumer:
    """
    Writes what it is given into a file, and closes that at the end.

    What waits to be written is a megabyte or so, if the producer pauses when told to.
    Once something could not be written the producer is stopped, and the rest dropped.

    Args:
        fObj: the file.
    """

    producer: Any = None

    def __init__(self, fObj: Any) -> None:
        self.fObj = fObj
        self._waiting: list[bytes] = []
        self._size = 0
        self._held = False
        self._working = False
        self._ended = False
        self._closed = False
        self._error: Exception | None = None
        self._finished: list[Deferred[None]] = []

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Writing begins."""
        self.producer = producer

    def unregisterProducer(self) -> None:
        """Nothing more comes: the file is closed, when all is written."""
        self.producer = None
        self._ended = True
        self._begin()

    def write(self, bytes: Any) -> None:
        """Write."""
        if self._error is not None:
            return
        self._waiting.append(bytes)
        self._size += len(bytes)
        if self._size > _HIGH and not self._held and self.producer is not None:
            self._held = True
            self.producer.pauseProducing()
        self._begin()

    def finish(self) -> Deferred[None]:
        """
        Nothing more comes.

        Returns:
            a Deferred that fires when all is written and the file closed, and fails if
            it could not be.
        """
        finished: Deferred[None] = Deferred()
        self._finished.append(finished)
        self._ended = True
        self._begin()
        return finished

    def _begin(self) -> None:
        if not self._working:
            self._working = True
            ensureDeferred(self._work())

    async def _work(self) -> None:
        """Write what waits, one piece at a time in a thread; close when no more comes."""
        try:
            while self._waiting:
                data = b"".join(self._waiting)
                self._waiting.clear()
                try:
                    await off_loop(self.fObj.write, data)
                except Exception as why:
                    self._fail(why)
                    break
                self._size -= len(data)
                self._let_go_on()
            if self._ended and not self._closed:
                self._closed = True
                try:
                    await off_loop(self.fObj.close)
                except Exception as why:
                    self._error = self._error or why
        except BaseException:
            self.fObj.close()  # the loop ends
            raise
        finally:
            self._working = False
        if self._closed:
            self._tell()
        elif self._waiting or self._ended:
            self._begin()

    def _let_go_on(self) -> None:
        if self._held and self._size <= _LOW:
            self._held = False
            if self.producer is not None:
                self.producer.resumeProducing()

    def _fail(self, error: Exception) -> None:
        self._error = error
        self._waiting.clear()
        producer = self.producer
        if producer is not None:
            producer.stopProducing()

    def _tell(self) -> None:
        finished, self._finished = self._finished, []
        for deferred in finished:
            if deferred.called:
                continue
            if self._error is None:
                deferred.callback(None)
            else:
                deferred.errback(self._error)


@implementer(IWriteFile)
class _FileWriter:
    """Writes a file of the system."""

    def __init__(self, fObj: Any) -> None:
        self.fObj = fObj
        self._consumer: FileConsumer | None = None

    def receive(self) -> Deferred[Any]:
        if self._consumer is not None:
            raise RuntimeError("a file is received once")
        self._consumer = FileConsumer(self.fObj)
        return succeed(self._consumer)

    def close(self) -> Deferred[None]:
        if self._consumer is None:
            return off_loop(self.fObj.close)
        return self._consumer.finish()
