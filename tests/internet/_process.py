"""What the tests of processes share: a protocol that keeps what it is told, and programs."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import uvloop

from reactorlib.internet.defer import Deferred
from reactorlib.internet.protocol import ProcessProtocol
from reactorlib.python.failure import Failure

T = TypeVar("T")

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

SH = "/bin/sh"

#: Prints which descriptors it has been given, and to what file each leads.
LIST_FDS = """
import os
for fd in range(400):
    try:
        info = os.fstat(fd)
    except OSError:
        continue
    os.write(1, b"%d=%d\\n" % (fd, info.st_ino))
"""


async def soon(awaitable: Awaitable[T]) -> T:
    """What it gives; a failure if that takes seconds."""
    async with asyncio.timeout(10):
        return await awaitable


class Told(ProcessProtocol):
    """
    Keeps what it is told, in order.

    Attributes:
        events: names of what came, and for pipes their numbers.
        data: what has been read, by descriptor.
        made, got, exited, ended: Deferreds for the first such event.
        hooks: functions called with this object at an event, by its name.
    """

    def __init__(self, **hooks: Callable[[Told], object]) -> None:
        self.hooks = hooks
        self.events: list[object] = []
        self.data: dict[int, bytes] = {}
        self.got: Deferred[None] = Deferred()
        self.exited: Deferred[BaseException] = Deferred()
        self.ended: Deferred[BaseException] = Deferred()
        self.waiting: list[tuple[Callable[[Told], bool], Deferred[None]]] = []

    @property
    def out(self) -> bytes:
        return self.data.get(1, b"")

    @property
    def err(self) -> bytes:
        return self.data.get(2, b"")

    def _note(self, event: object, hook: str) -> None:
        self.events.append(event)
        try:
            if hook in self.hooks:
                self.hooks[hook](self)
        finally:
            for condition, deferred in list(self.waiting):
                if condition(self):
                    self.waiting.remove((condition, deferred))
                    deferred.callback(None)

    def until(self, condition: Callable[[Told], bool]) -> Deferred[None]:
        """A Deferred for when the condition holds after an event."""
        deferred: Deferred[None] = Deferred()
        if condition(self):
            deferred.callback(None)
        else:
            self.waiting.append((condition, deferred))
        return deferred

    def connectionMade(self) -> None:
        self._note("made", "made")

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self.data[childFD] = self.data.get(childFD, b"") + data
        if not self.got.called:
            self.got.callback(None)
        self._note(("data", childFD), "data")

    def childConnectionLost(self, childFD: int) -> None:
        self._note(("lost", childFD), "lost")

    def processExited(self, reason: Failure) -> None:
        self.exited.callback(reason.value)
        self._note("exited", "exited")

    def processEnded(self, reason: Failure) -> None:
        self.ended.callback(reason.value)
        self._note("ended", "ended")


def python(program: str) -> tuple[str, list[str]]:
    """The executable and the arguments that run a small program."""
    return sys.executable, [sys.executable, "-I", "-S", "-c", program]


def is_zombie_or_gone(pid: int) -> str:
    """ "gone", or the state letter of a process."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


def children() -> set[int]:
    """The numbers of this process's children, zombies included."""
    found = set()
    for thread in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{thread}/children") as file:
                found |= set(map(int, file.read().split()))
        except FileNotFoundError:
            pass  # the thread has ended
    return found


def open_fds() -> dict[int, Any]:
    """The descriptors of this process, and what they lead to."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            pass  # that of the listing
    return found


@contextmanager
def nothing_stays_open() -> Iterator[None]:
    """Fails if there is another descriptor afterwards, or one less."""
    gc.collect()
    before = open_fds()
    yield
    after = open_fds()
    assert after == before, {**before, **after}


# With its first loop uvloop opens a pipe for the whole process, and keeps it.
with asyncio.Runner(loop_factory=uvloop.new_event_loop) as _runner:
    _runner.run(asyncio.sleep(0))
