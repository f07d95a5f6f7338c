"""When the loop of a test case runs, and what plain functions can do while it does not."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import unittest as pyunit
from collections.abc import Callable, Iterator
from functools import partial, wraps
from typing import Any
from unittest import mock

import pytest

from reactorlib.internet import defer, reactor, task, threads
from reactorlib.internet.endpoints import TCP4ClientEndpoint
from reactorlib.internet.error import ReactorAlreadyRunning
from reactorlib.internet.protocol import ClientFactory, Factory, Protocol
from reactorlib.internet.testing import ClockEventLoop
from reactorlib.python._asyncio import by_turns, running_loop
from reactorlib.trial import unittest

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


@pytest.fixture(autouse=True)
def on_each_loop(loop_factory: LoopFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(unittest.TestCase, "loopFactory", staticmethod(loop_factory))
    yield
    assert by_turns == {}


def passes(**members: Any) -> None:
    """Run a test case with one test, `test_it`, and these other members; it has to pass."""
    result = pyunit.TestResult()
    type("Case", (unittest.TestCase,), members)("test_it").run(result)
    assert (result.testsRun, result.errors, result.failures) == (1, [], [])


def error_of(**members: Any) -> str:
    result = pyunit.TestResult()
    type("Case", (unittest.TestCase,), members)("test_it").run(result)
    assert (len(result.errors), result.failures) == (1, [])
    return result.errors[0][1]


# -- inside and outside -----------------------------------------------------------


def plain(case: unittest.TestCase) -> bool:
    return running_loop() is not None


async def coroutine(case: unittest.TestCase) -> bool:
    await asyncio.sleep(0)
    return running_loop() is not None


@defer.inlineCallbacks
def generator(case: unittest.TestCase) -> Any:
    inside = running_loop() is not None
    yield asyncio.sleep(0)
    return inside


@mock.patch("os.sep", "/")
@defer.inlineCallbacks
def patched(case: unittest.TestCase) -> Any:
    return (yield generator(case))


@wraps(coroutine)
def around(case: unittest.TestCase) -> Any:
    return defer.ensureDeferred(coroutine(case))


def helped(case: unittest.TestCase) -> Any:
    """A plain function is not inside, but a generator that it starts is."""
    assert running_loop() is None
    return generator(case)


def ensured(case: unittest.TestCase) -> Any:
    assert running_loop() is None
    return defer.ensureDeferred(coroutine(case))


@pytest.mark.parametrize(
    ("function", "inside"),
    [
        (plain, False),
        (coroutine, True),
        (generator, True),
        (patched, True),
        (around, True),
        (helped, True),
        (ensured, True),
    ],
)
@pytest.mark.parametrize("where", ["setUp", "test_it", "tearDown", "cleanup", "partial"])
def test_where_functions_begin(where: str, function: Callable[..., Any], inside: bool) -> None:
    seen: list[bool] = []

    def note(value: bool) -> None:
        seen.append(value)

    if function is plain:

        def step(case: unittest.TestCase) -> Any:
            note(plain(case))

    elif function in (coroutine, around):

        @wraps(function)
        async def step(case: unittest.TestCase) -> Any:
            note(await function(case))

    else:

        @wraps(function)
        def step(case: unittest.TestCase) -> Any:
            return function(case).addCallback(note)

    members: dict[str, Any] = {"test_it": lambda case: None}
    if where == "cleanup":
        members["test_it"] = lambda case: case.addCleanup(step, case)
    elif where == "partial":
        members["test_it"] = lambda case: case.addCleanup(partial(step, case))
    else:
        members[where] = step
    passes(**members)
    assert seen == [inside]


def test_the_steps_share_a_context_and_what_waits_a_task() -> None:
    variable: contextvars.ContextVar[list[str]] = contextvars.ContextVar("variable")
    tasks: list[Any] = []

    class Case(unittest.TestCase):
        def setUp(self) -> None:
            variable.set(["plain"])

        async def test_it(self) -> None:
            tasks.append(asyncio.current_task())
            assert variable.get() == ["plain"]
            variable.set(["plain", "coroutine"])

        async def tearDown(self) -> None:  # type: ignore[override]  # as trial has it
            tasks.append(asyncio.current_task())
            self.addCleanup(self.last)

        def last(self) -> None:
            assert variable.get() == ["plain", "coroutine"]

    passes(**vars(Case))
    assert tasks[0] is tasks[1]
    with pytest.raises(LookupError):
        variable.get()


# -- loops of the test's own ------------------------------------------------------


def test_a_plain_test_can_run_loops(loop_factory: LoopFactory) -> None:
    def test_it(case: unittest.TestCase) -> Any:
        d: defer.Deferred[int] = defer.Deferred()

        async def main() -> int:
            asyncio.get_running_loop().call_soon(d.callback, 3)
            return await d

        assert asyncio.run(main()) == 3
        loop = loop_factory()
        try:
            again = defer.succeed(4).asFuture(loop)
            assert loop.run_until_complete(again) == 4
        finally:
            loop.close()
        return task.deferLater(reactor, 0, int)

    passes(test_it=test_it, setUp=lambda case: asyncio.run(asyncio.sleep(0)))


def test_a_plain_test_can_run_its_own_loop() -> None:
    def test_it(case: unittest.TestCase) -> None:
        async def main() -> int:
            return await task.deferLater(reactor, 0, lambda: 5)

        loop = asyncio.get_event_loop()
        assert loop.run_until_complete(main()) == 5
        # What asyncio schedules by that loop is waited for, as well.
        waiting = asyncio.ensure_future(main())
        both = loop.run_until_complete(asyncio.gather(waiting, main()))
        assert [*both] == [5, 5]

    passes(test_it=test_it)


def test_the_event_loop_is_put_back(loop_factory: LoopFactory) -> None:
    mine = loop_factory()
    asyncio.set_event_loop(mine)
    try:
        passes(test_it=lambda case: asyncio.run(asyncio.sleep(0)))
        assert asyncio.get_event_loop() is mine
    finally:
        asyncio.set_event_loop(None)
        mine.close()


def test_iterate_gives_the_loop_a_turn() -> None:
    def test_it(case: unittest.TestCase) -> None:
        done: list[int] = []
        reactor.callLater(0, done.append, 1)
        reactor.iterate()
        assert done == [1]
        reactor.iterate(0.01)

    async def inside(case: unittest.TestCase) -> None:
        case.assertRaises(RuntimeError, reactor.iterate)

    passes(setUp=test_it, test_it=test_it, tearDown=inside)


def test_run_is_refused() -> None:
    def test_it(case: unittest.TestCase) -> None:
        with pytest.raises(ReactorAlreadyRunning, match="as a test case does"):
            reactor.run()

    passes(test_it=test_it)


# -- what is asked of the reactor while the loop does not run ---------------------


class Echo(Protocol):
    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


class Talker(Protocol):
    def __init__(self) -> None:
        self.heard: defer.Deferred[bytes] = defer.Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.heard.callback(data)


class Caller(Talker):
    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"x")


def test_plain_steps_talk_over_a_socket() -> None:
    """The port, the connection, what is written and the end are each asked for outside."""

    class Case(unittest.TestCase):
        def setUp(self) -> Any:
            self.port = reactor.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
            where = self.port.getHost()
            endpoint = TCP4ClientEndpoint(reactor, where.host, where.port)

            def connected(client: Talker) -> None:
                self.client = client

            factory = Factory.forProtocol(Talker)
            return endpoint.connect(factory).addCallback(connected)

        def test_it(self) -> Any:
            assert running_loop() is None
            assert self.client.transport is not None
            self.client.transport.write(b"hello")
            return self.client.heard.addCallback(self.assertEqual, b"hello")

        def tearDown(self) -> Any:
            assert running_loop() is None
            assert self.client.transport is not None
            self.client.transport.loseConnection()
            return self.port.stopListening()

    passes(**vars(Case))


def test_a_connection_by_connect_tcp() -> None:
    def test_it(case: unittest.TestCase) -> Any:
        port = reactor.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
        case.addCleanup(port.stopListening)
        talker = Caller()
        factory = ClientFactory()
        factory.buildProtocol = lambda address: talker  # type: ignore[method-assign, assignment]  # as tests do
        connector = reactor.connectTCP("127.0.0.1", port.getHost().port, factory)
        case.addCleanup(connector.disconnect)
        return talker.heard.addCallback(case.assertEqual, b"x")

    passes(test_it=test_it)


def test_a_thread_tells_the_reactor_while_the_loop_does_not_run() -> None:
    def test_it(case: unittest.TestCase) -> Any:
        d: defer.Deferred[int] = defer.Deferred()
        thread = threading.Thread(target=lambda: reactor.callFromThread(d.callback, 7))
        thread.start()
        thread.join()
        case.assertNoResult(d)
        return d.addCallback(case.assertEqual, 7)

    passes(test_it=test_it)


def test_a_function_in_a_thread_is_waited_for() -> None:
    def test_it(case: unittest.TestCase) -> Any:
        return threads.deferToThread(threading.get_ident).addCallback(
            case.assertNotEqual, threading.get_ident()
        )

    passes(test_it=test_it)


def test_the_reactors_own_thread_cannot_wait_for_it() -> None:
    def test_it(case: unittest.TestCase) -> None:
        threads.blockingCallFromThread(reactor, int)

    assert "own thread cannot wait" in error_of(test_it=test_it)


def test_call_when_running_calls_inside() -> None:
    def test_it(case: unittest.TestCase) -> Any:
        d: defer.Deferred[bool] = defer.Deferred()
        reactor.callWhenRunning(lambda: d.callback(running_loop() is not None))
        case.assertNoResult(d)
        return d.addCallback(case.assertTrue)

    passes(test_it=test_it)


# -- coroutines that a plain function begins, resumes or cancels -----------------


async def uses_asyncio(seen: list[str], d: defer.Deferred[Any]) -> None:
    try:
        async with asyncio.timeout(5):
            seen.append(str(await d))
            await asyncio.sleep(0)
    finally:
        await asyncio.sleep(0)
        seen.append("ended")


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        (lambda d, w: d.callback(1), ["1", "ended"]),
        (lambda d, w: d.errback(KeyError()), ["ended", "KeyError"]),
        (lambda d, w: w.cancel(), ["ended", "CancelledError"]),
    ],
    ids=["result", "failure", "cancel"],
)
def test_a_coroutine_goes_on_as_in_the_loop(
    ends: Callable[[Any, Any], None], expected: list[str]
) -> None:
    def test_it(case: unittest.TestCase) -> Any:
        seen: list[str] = []
        d: defer.Deferred[Any] = defer.Deferred()
        waiting = defer.ensureDeferred(uses_asyncio(seen, d))
        ends(d, waiting)
        assert running_loop() is None
        case.assertNoResult(waiting)
        waiting.addErrback(lambda failure: seen.append(failure.type.__name__))
        return waiting.addCallback(lambda _: case.assertEqual(seen, expected))

    passes(test_it=test_it)


def test_another_threads_coroutine_is_not_run_in_this_loop() -> None:
    def test_it(case: unittest.TestCase) -> None:
        found: list[Any] = []

        async def where() -> None:
            found.append(running_loop())

        thread = threading.Thread(target=lambda: defer.ensureDeferred(where()))
        thread.start()
        thread.join()
        assert found == [None]

    passes(test_it=test_it)


# -- time, and ends ---------------------------------------------------------------


def test_a_plain_test_on_a_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    def test_it(case: unittest.TestCase) -> Any:
        return task.deferLater(reactor, 50, int)

    monkeypatch.setattr(unittest.TestCase, "loopFactory", ClockEventLoop)
    passes(setUp=test_it, test_it=test_it, timeout=60)
    assert "still running at 40.0 secs" in error_of(test_it=test_it, timeout=40)


def test_after_a_step_has_timed_out_the_others_run() -> None:
    seen: list[str] = []

    async def wait(case: unittest.TestCase) -> None:
        await defer.Deferred()

    async def tear_down(case: unittest.TestCase) -> None:
        await asyncio.sleep(0)
        seen.append("torn down")

    assert "(test_it) still running at 0.01" in error_of(
        test_it=wait, timeout=0.01, tearDown=tear_down
    )
    assert seen == ["torn down"]


def test_a_test_that_cancels_its_task_costs_itself_only() -> None:
    seen: list[str] = []

    async def cancels(case: unittest.TestCase) -> None:
        this = asyncio.current_task()
        assert this is not None
        this.cancel()

    async def tear_down(case: unittest.TestCase) -> None:
        await asyncio.sleep(0)
        seen.append("torn down")

    passes(test_it=cancels, tearDown=tear_down)
    assert seen == ["torn down"]


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("kind", [plain, coroutine, generator])
def test_an_interrupt_goes_through(interrupt: type[BaseException], kind: Any) -> None:
    def raises(case: unittest.TestCase) -> None:
        raise interrupt

    async def raises_inside(case: unittest.TestCase) -> None:
        await asyncio.sleep(0)
        raise interrupt

    @defer.inlineCallbacks
    def raises_later(case: unittest.TestCase) -> Any:
        yield task.deferLater(reactor, 0, int)
        raise interrupt

    test_it: Any = {plain: raises, coroutine: raises_inside, generator: raises_later}[kind]
    with pytest.raises(interrupt):
        passes(test_it=test_it)
    gc.collect()
    passes(test_it=lambda case: None)  # to which nothing is reported that was left of it
