"""
The reactor and file descriptors: calling `doRead` and `doWrite` when there is a reason.

It rides on the loop's `add_reader` and `add_writer`, one `_Watch` for each of a
reactor's two directions. A regular file is always ready, and the system refuses
to watch it: its turn comes with every turn of the loop.

Each watch remembers under which number it knows a descriptor: by the time that
is removed, its file may be closed, and the number another's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet._reactor._core import LoopReactor
from reactorlib.internet._second_names import ReadingNames
from reactorlib.internet.interfaces import IHalfCloseableDescriptor, IReactorFDSet
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

__all__ = ["DescriptorReactor"]

_log = logging.getLogger("reactorlib.internet.reactor")


class _Watch:
    """
    The descriptors that are watched for one direction.

    Args:
        direction: "reader" or "writer".
        ready: called with a descriptor when it is ready.
    """

    def __init__(self, direction: str, ready: Callable[[Any], object]) -> None:
        self._direction = direction
        self._ready = ready
        #: The number of each, and its turn if it is always ready.
        self._numbers: dict[Any, int] = {}
        self._turns: dict[Any, asyncio.Handle] = {}
        self._by_number: dict[int, Any] = {}

    def __iter__(self) -> Any:
        return iter(self._numbers)

    def __contains__(self, descriptor: object) -> bool:
        return descriptor in self._numbers

    def add(self, descriptor: Any) -> None:
        """
        It is to be watched, from `begin` on.

        Raises:
            ValueError: it has no file.
        """
        number = descriptor.fileno()
        if number < 0:
            raise ValueError(f"{descriptor!r} has no file to watch: its fileno() is {number}")
        self._numbers[descriptor] = number

    def begin(self, loop: asyncio.AbstractEventLoop, descriptor: Any) -> None:
        """
        Watch it, unless it has been removed.

        Raises:
            NotImplementedError: the loop cannot watch files.
            OSError, ValueError: it cannot be watched.
        """
        number = self._numbers.get(descriptor)
        if number is None:
            return
        watch = getattr(loop, f"add_{self._direction}")
        try:
            try:
                watch(number, self._ready, descriptor)
            except FileNotFoundError:
                # The loop knew another file by this number, one that is closed,
                # and has forgotten that now.
                watch(number, self._ready, descriptor)
        except PermissionError:
            self._turns[descriptor] = loop.call_soon(self._turn, loop, descriptor)
        except NotImplementedError as exception:
            del self._numbers[descriptor]
            raise NotImplementedError(
                f"this loop, {type(loop).__qualname__}, cannot watch files: take one with "
                f"add_{self._direction}(), as asyncio.SelectorEventLoop or uvloop's"
            ) from exception
        except BaseException:
            del self._numbers[descriptor]
            raise
        else:
            self._by_number[number] = descriptor

    def leftover(self, descriptor: Any, replaced: bool) -> Any:
        """
        What is known by the number of `descriptor`, which must be in use again.

        Args:
            replaced: whether anything else that is known by it is meant, even if
                it says that the number is its own.

        Returns:
            another descriptor, or None.
        """
        number = descriptor.fileno()
        known = self._by_number.get(number)
        if known is None or known is descriptor or not (replaced or known.fileno() != number):
            return None
        return known

    def _turn(self, loop: asyncio.AbstractEventLoop, descriptor: Any) -> None:
        self._turns[descriptor] = loop.call_soon(self._turn, loop, descriptor)
        self._ready(descriptor)

    def remove(self, loop: asyncio.AbstractEventLoop | None, descriptor: Any) -> None:
        """Watch it no more."""
        number = self._numbers.pop(descriptor, None)
        if number is None:
            return
        turn = self._turns.pop(descriptor, None)
        if turn is not None:
            turn.cancel()
        elif self._by_number.get(number) is descriptor:
            del self._by_number[number]
            if loop is not None and not loop.is_closed():
                try:
                    getattr(loop, f"remove_{self._direction}")(number)
                except OSError:
                    pass  # it is closed: the system has forgotten it, and now the loop has


@implementer(IReactorFDSet)
class DescriptorReactor(LoopReactor):
    """Watches file descriptors."""

    def __init__(self, eventLoop: asyncio.AbstractEventLoop | None = None) -> None:
        self._readers = _Watch("reader", self._can_read)
        self._writers = _Watch("writer", self._can_write)
        super().__init__(eventLoop)

    def addReader(self, reader: Any) -> None:
        """
        Call `reader.doRead` whenever there is something to read; see `IReactorFDSet`.

        It is called in today's context. If it raises, or returns anything but
        None, the descriptor is removed and its `connectionLost` called. A
        transport, whose file the loop watches already, resumes reading.

        Raises:
            NotImplementedError: the loop cannot watch files.
            ValueError: it has no file.
            OSError: the system cannot watch it.
        """
        if isinstance(reader, ReadingNames):
            reader.startReading()
        else:
            self._watch_descriptor(self._readers, reader)

    def addWriter(self, writer: Any) -> None:
        """Call `writer.doWrite` whenever there is room to write; otherwise as `addReader`."""
        self._watch_descriptor(self._writers, writer)

    def _watch_descriptor(self, watch: _Watch, descriptor: Any) -> None:
        self._must_be_in_its_thread()
        if descriptor in watch:
            return
        watch.add(descriptor)
        if self._loop is not None:
            self._begin_to_watch(self._loop, watch, descriptor)
        else:
            self._when_looping(lambda loop: self._watch_at_last(loop, watch, descriptor))

    def _begin_to_watch(
        self, loop: asyncio.AbstractEventLoop, watch: _Watch, descriptor: Any
    ) -> None:
        for each in (self._readers, self._writers):
            leftover = each.leftover(descriptor, replaced=each is watch)
            if leftover is not None:
                each.remove(loop, leftover)
                gone = error.ConnectionFdescWentAway()
                loop.call_soon(self._descriptor_gone, leftover, gone)
        watch.begin(loop, descriptor)

    def _watch_at_last(
        self, loop: asyncio.AbstractEventLoop, watch: _Watch, descriptor: Any
    ) -> None:
        """Watch what was added before there was a loop: nobody is there to catch an error."""
        try:
            self._begin_to_watch(loop, watch, descriptor)
        except Exception as exception:
            report(_log, f"{descriptor!r} cannot be watched", Failure(exception))
            loop.call_soon(self._descriptor_gone, descriptor, exception)

    def removeReader(self, reader: Any) -> None:
        """
        Call its `doRead` no more. A transport pauses reading. It does nothing for
        one that is not there.
        """
        if isinstance(reader, ReadingNames):
            reader.stopReading()
        else:
            self._readers.remove(self._loop, reader)

    def removeWriter(self, writer: Any) -> None:
        """Call its `doWrite` no more. It does nothing for one that is not there."""
        self._writers.remove(self._loop, writer)

    def removeAll(self) -> list[Any]:
        """Remove all, and return them, each once."""
        removed = list(dict.fromkeys([*self._readers, *self._writers]))
        for descriptor in removed:
            self.removeReader(descriptor)
            self.removeWriter(descriptor)
        return removed

    def getReaders(self) -> list[Any]:
        """Those that are watched for something to read."""
        return list(self._readers)

    def getWriters(self) -> list[Any]:
        """Those that are watched for room to write."""
        return list(self._writers)

    # -- when they are ready --------------------------------------------------

    def _can_read(self, descriptor: Any) -> None:
        if descriptor in self._readers:
            self._attend(descriptor, "doRead")

    def _can_write(self, descriptor: Any) -> None:
        if descriptor in self._writers:
            self._attend(descriptor, "doWrite")

    def _attend(self, descriptor: Any, method: str) -> None:
        why: Any
        try:
            if descriptor.fileno() == -1:
                why = error.ConnectionFdescWentAway()
            else:
                why = getattr(descriptor, method)()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exception:
            why = Failure(exception)
            report(_log, f"{method}() of {descriptor!r} failed", why)
        if why:
            self._lose(descriptor, why, method == "doRead")

    def _lose(self, descriptor: Any, why: Any, reading: bool) -> None:
        """A descriptor is of no more use, or its reading half."""
        if isinstance(why, Failure):
            reason = why
        elif type(why) in (error.ConnectionDone, error.ConnectionLost):
            reason = Failure(
                type(why)(*why.args)
            )  # `main` has one for all, which tracebacks grow on
        elif isinstance(why, BaseException):
            reason = Failure(why)
        else:
            reason = Failure(error.ConnectionLost())
        self.removeReader(descriptor)
        half = reading and reason.type is error.ConnectionDone
        if half and IHalfCloseableDescriptor.providedBy(descriptor):
            tell = descriptor.readConnectionLost
        else:
            self.removeWriter(descriptor)
            tell = descriptor.connectionLost
        try:
            tell(reason)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exception:
            report(_log, f"{tell!r} failed", Failure(exception))

    def _descriptor_gone(self, descriptor: Any, why: Exception) -> None:
        self._lose(descriptor, why, reading=False)

    # -- the end --------------------------------------------------------------

    def disconnectAll(self) -> None:
        """Remove all, and call `connectionLost` of each."""
        for descriptor in self.removeAll():
            self._lose(descriptor, error.ConnectionLost("the reactor shut down"), reading=False)

    async def _close_all(self, loop: asyncio.AbstractEventLoop) -> None:
        self.disconnectAll()
        await super()._close_all(loop)
