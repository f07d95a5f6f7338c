"""Files that the reactor watches: when `doRead` and `doWrite` come, and how they end."""

from __future__ import annotations

import asyncio
import contextvars
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from zope.interface import implementer
from zope.interface.verify import verifyObject

from reactorlib.internet import reactor
from reactorlib.internet._current import current_reactor
from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor
from reactorlib.internet.error import (
    ConnectionDone,
    ConnectionFdescWentAway,
    ConnectionLost,
)
from reactorlib.internet.interfaces import (
    IHalfCloseableDescriptor,
    IReactorFDSet,
    IReadWriteDescriptor,
)
from reactorlib.internet.main import CONNECTION_DONE, CONNECTION_LOST
from reactorlib.internet.protocol import Factory, Protocol
from reactorlib.python.failure import Failure

pytestmark = pytest.mark.timeout(20)

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


@implementer(IReadWriteDescriptor)
class Descriptor:
    """Writes down what it is told; its methods return `answer`, unless they raise."""

    def __init__(
        self, number: int, answer: Any = None, raises: BaseException | None = None
    ) -> None:
        self.number = number
        self.answer = answer
        self.raises = raises
        self.told: list[Any] = []
        self.hook: Callable[[], object] = lambda: None

    def fileno(self) -> int:
        return self.number

    def logPrefix(self) -> str:
        return "descriptor"

    def doRead(self) -> Any:
        self.told.append(("read", os.read(self.number, 100)))
        return self._answer()

    def doWrite(self) -> Any:
        self.told.append("write")
        return self._answer()

    def _answer(self) -> Any:
        self.hook()
        if self.raises is not None:
            raise self.raises
        return self.answer

    def connectionLost(self, reason: Failure) -> None:
        self.told.append(reason.type)


@implementer(IHalfCloseableDescriptor)
class HalfCloseable(Descriptor):
    def readConnectionLost(self, reason: Failure) -> None:
        self.told.append(("read lost", reason.type))

    def writeConnectionLost(self, reason: Failure) -> None:
        self.told.append(("write lost", reason.type))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, two = socket.socketpair()
    one.setblocking(False)
    with one, two:
        yield one, two


async def turns(number: int = 4) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


# -- watching -----------------------------------------------------------------


async def test_a_reader_is_called_when_there_is_something_to_read(pair: Any) -> None:
    one, two = pair
    reader = Descriptor(one.fileno())
    async with reactor:
        reactor.addReader(reader)
        reactor.addReader(reader)  # nothing more
        assert reactor.getReaders() == [reader]
        await turns()
        assert reader.told == []
        two.send(b"a")
        await turns()
        two.send(b"b")
        await turns()
        assert reader.told == [("read", b"a"), ("read", b"b")]
        reactor.removeReader(reader)
        reactor.removeReader(reader)
        two.send(b"c")
        await turns()
        assert reactor.getReaders() == []
    assert reader.told == [("read", b"a"), ("read", b"b")]


async def test_a_writer_is_called_while_there_is_room(pair: Any) -> None:
    one, _ = pair
    writer = Descriptor(one.fileno())
    async with reactor:
        reactor.addWriter(writer)
        assert reactor.getWriters() == [writer]
        while len(writer.told) < 3:
            await asyncio.sleep(0)
        reactor.removeWriter(writer)
        reactor.removeWriter(writer)
        told = len(writer.told)
        await turns()
        assert len(writer.told) == told
        assert reactor.getWriters() == []
    assert set(writer.told) == {"write"}


async def test_one_file_can_be_watched_in_both_directions(pair: Any) -> None:
    one, two = pair
    both = Descriptor(one.fileno())
    async with reactor:
        reactor.addReader(both)
        reactor.addWriter(both)
        two.send(b"a")
        await turns()
        reactor.removeWriter(both)
        two.send(b"b")
        await turns()
        reactor.removeReader(both)
    assert ("read", b"b") in both.told
    assert "write" in both.told


async def test_removeAll_gives_each_once(pair: Any) -> None:
    one, two = pair
    both, reader, writer = (Descriptor(number) for number in (one.fileno(), two.fileno(), 0))
    with socket.socket() as third:
        writer.number = third.fileno()
        async with reactor:
            reactor.addReader(both)
            reactor.addReader(reader)
            reactor.addWriter(both)
            reactor.addWriter(writer)
            assert reactor.removeAll() == [both, reader, writer]
            assert reactor.getReaders() + reactor.getWriters() == []
            two.send(b"a")
            await turns()
    assert both.told + reader.told + writer.told == []


@pytest.mark.parametrize("with_run", [True, False])
def test_a_file_is_watched_once_the_loop_runs(
    loop_factory: LoopFactory, pair: Any, with_run: bool
) -> None:
    one, two = pair
    reader, removed = Descriptor(one.fileno()), Descriptor(two.fileno())
    reactor.addReader(reader)
    reactor.addWriter(removed)
    assert (reactor.getReaders(), reactor.getWriters()) == ([reader], [removed])
    reactor.removeWriter(removed)
    two.send(b"a")
    done = asyncio.Event()
    reader.hook = reactor.stop if with_run else lambda: done.set()
    if with_run:
        reactor.run(loop_factory=loop_factory)
    else:

        async def main() -> None:
            async with reactor:
                await done.wait()

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(main())
    assert reader.told == [("read", b"a"), ConnectionLost]
    assert removed.told == []


_asked_by = contextvars.ContextVar("_asked_by", default="nobody")


async def test_they_are_called_in_the_context_of_who_added_them(pair: Any) -> None:
    one, two = pair
    told: list[str] = []
    reader = Descriptor(one.fileno(), CONNECTION_DONE)
    reader.hook = lambda: told.append(_asked_by.get())
    context = contextvars.copy_context()
    context.run(_asked_by.set, "me")
    async with reactor:
        context.run(reactor.addReader, reader)
        two.send(b"a")
        await turns()
    assert told == ["me"]


async def test_a_regular_file_is_always_ready(tmp_path: Path) -> None:
    """epoll refuses to watch one; poll(2) says that it is always ready."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 250)
    other = asyncio.Event()
    with path.open("r+b") as file:
        reader, writer = Descriptor(file.fileno()), Descriptor(file.fileno())
        async with reactor, asyncio.timeout(10):
            reactor.addReader(reader)
            reactor.addWriter(writer)
            assert (reactor.getReaders(), reactor.getWriters()) == ([reader], [writer])
            while ("read", b"") not in reader.told:
                await asyncio.sleep(0)
            reactor.callLater(0, other.set)
            await other.wait()  # the loop has time for the rest
            reactor.removeReader(reader)
            reactor.removeWriter(writer)
            told = len(reader.told), len(writer.told)
            await turns()
            assert told == (len(reader.told), len(writer.told))
    assert reader.told[:3] == [("read", b"x" * 100), ("read", b"x" * 100), ("read", b"x" * 50)]
    assert "write" in writer.told


# -- the end ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (CONNECTION_DONE, ConnectionDone),
        (CONNECTION_LOST, ConnectionLost),
        (Failure(ValueError()), ValueError),
        (-1, ConnectionLost),
    ],
)
@pytest.mark.parametrize("direction", ["Reader", "Writer"])
async def test_what_they_return_ends_them(
    pair: Any, answer: Any, told: type, direction: str
) -> None:
    one, two = pair
    descriptor = Descriptor(one.fileno(), answer)
    async with reactor:
        getattr(reactor, f"add{direction}")(descriptor)
        two.send(b"a")
        await turns()
        assert descriptor.told == [("read", b"a") if direction == "Reader" else "write", told]
        assert reactor.getReaders() + reactor.getWriters() == []


async def test_both_directions_end_together(pair: Any) -> None:
    one, two = pair
    descriptor = Descriptor(one.fileno(), CONNECTION_LOST)
    async with reactor:
        reactor.addReader(descriptor)
        reactor.addWriter(descriptor)
        two.send(b"a")
        await turns()
        assert reactor.getReaders() + reactor.getWriters() == []
    assert descriptor.told[1:] == [ConnectionLost]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (CONNECTION_DONE, ("read lost", ConnectionDone)),
        (CONNECTION_LOST, ConnectionLost),
    ],
)
async def test_the_end_of_reading_need_not_be_that_of_writing(
    pair: Any, answer: Any, told: Any
) -> None:
    one, two = pair
    descriptor = HalfCloseable(one.fileno(), answer)
    writer = [descriptor] if answer is CONNECTION_DONE else []
    async with reactor:
        reactor.addReader(descriptor)
        two.send(b"a")
        descriptor.hook = lambda: reactor.addWriter(descriptor)
        while len(descriptor.told) < 2:
            await asyncio.sleep(0)
        assert (reactor.getReaders(), reactor.getWriters()) == ([], writer)
        reactor.removeAll()
    assert descriptor.told[:2] == [("read", b"a"), told]


async def test_the_end_of_one_direction_has_a_traceback_of_its_own(pair: Any) -> None:
    """The exceptions of `main` are shared by all, and must not collect the frames of each."""
    one, two = pair
    reasons: list[Failure] = []
    descriptor = Descriptor(one.fileno(), CONNECTION_DONE)
    descriptor.connectionLost = reasons.append  # type: ignore[method-assign,assignment]
    async with reactor:
        for _ in range(2):
            reactor.addReader(descriptor)
            two.send(b"a")
            await turns()
    assert [reason.value is CONNECTION_DONE for reason in reasons] == [False, False]
    assert CONNECTION_DONE.__traceback__ is None


@pytest.mark.parametrize("direction", ["Reader", "Writer"])
async def test_an_error_is_reported_once_and_ends_them(
    errors: Any, pair: Any, direction: str
) -> None:
    one, two = pair
    mistake = ZeroDivisionError()
    descriptor = Descriptor(one.fileno(), raises=mistake)
    async with reactor:
        getattr(reactor, f"add{direction}")(descriptor)
        two.send(b"a")
        await turns()
        assert descriptor.told[1:] == [ZeroDivisionError]
        assert reactor.getReaders() + reactor.getWriters() == []
    assert errors.take() == [mistake]


async def test_an_error_in_connectionLost_is_reported(errors: Any, pair: Any) -> None:
    one, two = pair
    descriptor = Descriptor(one.fileno(), CONNECTION_DONE)
    descriptor.connectionLost = lambda reason: 1 // 0  # type: ignore[method-assign,assignment]
    async with reactor:
        reactor.addReader(descriptor)
        two.send(b"a")
        await turns()
    (error,) = errors.take()
    assert type(error) is ZeroDivisionError


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interruption_goes_through(
    loop_factory: LoopFactory, pair: Any, interruption: type[BaseException]
) -> None:
    one, two = pair
    descriptor = Descriptor(one.fileno(), raises=interruption())
    reactor.addReader(descriptor)
    two.send(b"a")
    with pytest.raises(interruption):
        reactor.run(loop_factory=loop_factory)
    assert descriptor.told == [("read", b"a"), ConnectionLost]


async def test_a_descriptor_without_a_file_went_away(pair: Any) -> None:
    one, two = pair
    descriptor = Descriptor(one.fileno())
    async with reactor:
        reactor.addReader(descriptor)
        descriptor.number = -1
        two.send(b"a")
        await turns()
        assert descriptor.told == [ConnectionFdescWentAway]
        assert reactor.getReaders() == []


@pytest.mark.parametrize("second", ["addReader", "addWriter"])
@pytest.mark.parametrize("first", ["addReader", "addWriter"])
async def test_a_descriptor_whose_number_is_in_use_again_went_away(first: str, second: str) -> None:
    """Its file was closed before it was removed."""
    one, closed = socket.socketpair()
    other, two = socket.socketpair()
    with one, closed, other, two:
        before, after = Descriptor(one.fileno()), Descriptor(one.fileno())
        async with reactor:
            getattr(reactor, first)(before)
            await turns()
            before.told.clear()
            os.dup2(other.fileno(), one.fileno())  # which closes one's own file
            before.number = -1
            getattr(reactor, second)(after)
            two.send(b"a")
            await turns()
            assert before.told == [ConnectionFdescWentAway]
            assert after.told[0] == (("read", b"a") if second == "addReader" else "write")
            reactor.removeReader(before)  # which changes nothing
            reactor.removeWriter(before)
            assert len(reactor.getReaders() + reactor.getWriters()) == 1
            after.told.clear()
            two.send(b"b")
            await turns()
            assert after.told[0] == (("read", b"b") if second == "addReader" else "write")
            reactor.removeAll()


async def test_a_file_has_one_reader(pair: Any) -> None:
    """A new one takes the place of the one before."""
    one, two = pair
    before, after = Descriptor(one.fileno()), Descriptor(one.fileno())
    async with reactor:
        reactor.addReader(before)
        reactor.addReader(after)
        two.send(b"a")
        await turns()
        assert before.told == [ConnectionFdescWentAway]
        assert after.told == [("read", b"a")]
        reactor.removeReader(after)


async def test_a_files_reader_and_writer_can_be_two(pair: Any) -> None:
    one, two = pair
    reader, writer = Descriptor(one.fileno()), Descriptor(one.fileno())
    async with reactor:
        reactor.addReader(reader)
        reactor.addWriter(writer)
        two.send(b"a")
        await turns()
        reactor.removeAll()
    assert reader.told == [("read", b"a")]
    assert set(writer.told) == {"write"}


async def test_a_descriptor_that_is_closed_first_can_still_be_removed(pair: Any) -> None:
    one, _ = pair
    descriptor = Descriptor(one.fileno())
    async with reactor:
        reactor.addReader(descriptor)
        reactor.addWriter(descriptor)
        one.close()
        descriptor.number = -1
        reactor.removeReader(descriptor)
        reactor.removeWriter(descriptor)
        await turns()
        assert reactor.getReaders() + reactor.getWriters() == []
    assert descriptor.told == []


@pytest.mark.parametrize("how", ["stop", "crash"])
def test_they_are_lost_when_the_run_ends(loop_factory: LoopFactory, pair: Any, how: str) -> None:
    one, two = pair
    reader, writer = Descriptor(one.fileno()), Descriptor(two.fileno())
    reactor.addReader(reader)
    reactor.addWriter(writer)
    reactor.callWhenRunning(getattr(reactor, how))
    reactor.run(loop_factory=loop_factory)
    assert reader.told == [ConnectionLost]
    assert writer.told[-1:] == [ConnectionLost]


async def test_they_are_lost_when_async_with_ends(pair: Any) -> None:
    one, _ = pair
    reader = Descriptor(one.fileno())
    async with reactor as mine:
        reactor.addReader(reader)
    assert reader.told == [ConnectionLost]
    assert mine.getReaders() == []


async def test_disconnectAll_loses_them_now(pair: Any) -> None:
    one, _ = pair
    reader = Descriptor(one.fileno())
    reactor.addReader(reader)
    reactor.disconnectAll()
    assert reader.told == [ConnectionLost]


# -- what cannot be watched ---------------------------------------------------


async def test_what_has_no_file_is_refused() -> None:
    for add in (reactor.addReader, reactor.addWriter):
        with pytest.raises(ValueError, match="has no file to watch"):
            add(Descriptor(-1))
    assert reactor.getReaders() + reactor.getWriters() == []


async def test_a_file_that_is_closed_is_refused(pair: Any) -> None:
    one, _ = pair
    descriptor = Descriptor(one.fileno())
    one.close()
    for add in (reactor.addReader, reactor.addWriter):
        with pytest.raises((OSError, ValueError)):
            add(descriptor)
    assert reactor.getReaders() + reactor.getWriters() == []


def test_a_file_that_was_closed_before_the_loop_ran_is_lost(
    loop_factory: LoopFactory, pair: Any
) -> None:
    one, _ = pair
    reported: list[Any] = []
    descriptor = Descriptor(one.fileno())
    reactor.addReader(descriptor)
    one.close()

    def make() -> asyncio.AbstractEventLoop:
        loop = loop_factory()
        loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
        return loop

    reactor.callLater(0, reactor.stop)
    reactor.run(loop_factory=make)
    assert len(reported) == len(descriptor.told) == 1
    assert isinstance(reported[0], descriptor.told[0])


class Unwatched(asyncio.SelectorEventLoop):
    """A loop that cannot watch files, as those of Windows."""

    def _refuse(self, *args: Any) -> None:
        raise NotImplementedError

    add_reader = remove_reader = add_writer = remove_writer = _refuse  # type: ignore[assignment]


def test_only_watching_is_refused_by_a_loop_that_cannot(pair: Any) -> None:
    one, _ = pair
    told: list[Any] = []

    def begun() -> None:
        for add in (reactor.addReader, reactor.addWriter):
            with pytest.raises(NotImplementedError, match="Unwatched, cannot watch files"):
                add(Descriptor(one.fileno()))
        told.append(reactor.getReaders() + reactor.getWriters())
        reactor.callLater(0, reactor.stop)

    reactor.callWhenRunning(begun)
    reactor.run(loop_factory=Unwatched)
    assert told == [[]]


def test_the_reactor_says_what_it_provides() -> None:
    assert verifyObject(IReactorFDSet, AsyncioSelectorReactor())
    assert IReactorFDSet.providedBy(reactor)
    assert verifyObject(IReadWriteDescriptor, Descriptor(0))
    assert current_reactor().getReaders() == []


async def test_a_transport_pauses_and_resumes_its_reading() -> None:
    """Its file is the loop's, and programs for Twisted name it to the reactor all the same."""
    got: asyncio.Queue[bytes] = asyncio.Queue()
    accepted: list[Protocol] = []

    class Listener(Protocol):
        def connectionMade(self) -> None:
            assert self.transport is not None
            accepted.append(self)
            reactor.removeReader(self.transport)
            self.transport.write(b"paused")

        def dataReceived(self, data: bytes) -> None:
            got.put_nowait(data)

    port = reactor.listenTCP(0, Factory.forProtocol(Listener), interface="127.0.0.1")
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
        assert await reader.readexactly(6) == b"paused"
        writer.write(b"what comes meanwhile")
        await writer.drain()
        for _ in range(20):
            await asyncio.sleep(0)
        assert got.empty()
        assert accepted[0].transport not in reactor.getReaders()
        reactor.addReader(accepted[0].transport)
        assert await got.get() == b"what comes meanwhile"
        writer.close()
        await writer.wait_closed()
    finally:
        await port.stopListening()
