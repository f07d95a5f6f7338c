"""Test cases: what they wait for, what they tell, and what they find left behind."""

from __future__ import annotations

import asyncio
import logging
import threading
import unittest as pyunit
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reactorlib.internet import defer, reactor, task
from reactorlib.internet.protocol import Factory, Protocol
from reactorlib.internet.testing import ClockEventLoop
from reactorlib.logger import Logger
from reactorlib.python import log
from reactorlib.python.failure import Failure
from reactorlib.trial import unittest, util
from reactorlib.trial.unittest import SkipTest, SynchronousTestCase, TestCase

KINDS = [SynchronousTestCase, TestCase]


def run(kind: type[SynchronousTestCase], **members: Any) -> pyunit.TestResult:
    """Run a test case with one test, `test_it`, and these other members."""
    result = pyunit.TestResult()
    type("Case", (kind,), members)("test_it").run(result)
    assert result.testsRun == 1
    return result


def only_error(result: pyunit.TestResult) -> str:
    assert (result.failures, len(result.errors)) == ([], 1)
    return result.errors[0][1]


def passed(result: pyunit.TestResult) -> bool:
    return result.wasSuccessful() and not (
        result.skipped or result.expectedFailures or result.unexpectedSuccesses
    )


async def in_asyncio(case: TestCase) -> None:
    async with asyncio.timeout(5):
        await asyncio.sleep(0)


async def in_ours(case: TestCase) -> None:
    await task.deferLater(reactor, 0, int)


def a_deferred(case: TestCase) -> Any:
    return task.deferLater(reactor, 0, int)


@defer.inlineCallbacks
def a_generator(case: TestCase) -> Any:
    yield task.deferLater(reactor, 0, int)


def a_future(case: TestCase) -> Any:
    return asyncio.ensure_future(asyncio.sleep(0))


WAITING: list[Callable[[TestCase], Any]] = [
    in_asyncio,
    in_ours,
    a_deferred,
    a_generator,
    a_future,
]


@pytest.mark.parametrize("wait", WAITING)
def test_every_step_is_waited_for(wait: Callable[[TestCase], Any]) -> None:
    seen: list[str] = []

    def step(name: str) -> Callable[[TestCase], Any]:
        async def doing(case: TestCase) -> None:
            seen.append(f"{name} begins")
            await wait(case)
            seen.append(f"{name} ends")

        return doing

    def test_it(case: TestCase) -> Any:
        case.addCleanup(step("cleanup 1"), case)
        case.addCleanup(step("cleanup 2"), case)
        return step("test")(case)

    result = run(TestCase, setUp=step("setUp"), test_it=test_it, tearDown=step("tearDown"))
    assert passed(result), result.errors
    order = ["setUp", "test", "cleanup 2", "cleanup 1", "tearDown"]
    assert seen == [f"{name} {what}" for name in order for what in ("begins", "ends")]


@pytest.mark.parametrize("wait", WAITING)
def test_what_is_returned_is_waited_for(wait: Callable[[TestCase], Any]) -> None:
    assert passed(run(TestCase, test_it=wait))


@pytest.mark.parametrize(
    "fails",
    [
        lambda case: 1 / 0,
        lambda case: defer.fail(ZeroDivisionError()),
        lambda case: task.deferLater(reactor, 0, lambda: 1 / 0),
    ],
    ids=["raised", "failed", "later"],
)
@pytest.mark.parametrize("where", ["setUp", "test_it", "tearDown", "cleanup"])
def test_an_error_in_any_step_is_told(where: str, fails: Callable[[Any], Any]) -> None:
    members: dict[str, Any] = {"test_it": lambda case: None}
    if where == "cleanup":
        members["test_it"] = lambda case: case.addCleanup(fails, case)
    else:
        members[where] = fails
    assert "ZeroDivisionError" in only_error(run(TestCase, **members))


@pytest.mark.parametrize("kind", KINDS)
def test_an_assertion_that_does_not_hold_is_a_failure(kind: type[SynchronousTestCase]) -> None:
    result = run(kind, test_it=lambda case: case.assertEqual(1, 2))
    assert (len(result.failures), result.errors) == (1, [])


def parts(told: list[tuple[Any, Any]]) -> list[str]:
    """What the parts are called that were told of."""
    return [test.id().partition("test_it ")[2] for test, _ in told]


@pytest.mark.parametrize("kind", KINDS)
def test_parts_are_told_of_one_by_one(kind: type[SynchronousTestCase]) -> None:
    """And a test of which one has failed, or was skipped, has not passed."""
    seen: list[Any] = []

    class Result(pyunit.TestResult):
        def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
            super().addSubTest(test, subtest, err)
            seen.append((parts([(subtest, None)])[0], err and err[0]))

        def addSuccess(self, test: Any) -> None:
            seen.append("success")

    def test_it(case: Any) -> None:
        for number in range(2):
            with case.subTest("outer", number=number):
                with case.subTest(word="inner"):
                    case.assertEqual(number, 1)
                with case.subTest():
                    if number:
                        raise KeyError(number)
        with case.subTest("not here"):
            raise SkipTest("why")
        with case.subTest("the last"):
            pass

    def all_pass(case: Any) -> None:
        with case.subTest("one"):
            pass

    result = Result()
    case = type("Case", (kind,), {"test_it": test_it})("test_it")
    case.run(result)
    assert parts(result.failures) == ["(word='inner', number=0)"]
    assert parts(result.errors) == ["(number=1)"]
    assert [(parts([(test, None)])[0], reason) for test, reason in result.skipped] == [
        ("[not here]", "why")
    ]
    assert "success" not in seen
    assert seen[-1] == ("[the last]", None)
    assert result.testsRun == 1
    seen.clear()
    type("Case", (kind,), {"test_it": all_pass})("test_it").run(result)
    assert seen == [("[one]", None), "success"]


def test_parts_are_as_the_standard_librarys() -> None:
    """The same test, run by both: they tell the same of the same parts, in the same order."""

    def told_by(kind: Any) -> list[Any]:
        seen: list[Any] = []

        class Result(pyunit.TestResult):
            def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
                seen.append((subtest._subDescription(), err and str(err[1])))

            def addSkip(self, test: Any, reason: str) -> None:
                seen.append((test._subDescription(), reason))

            def addSuccess(self, test: Any) -> None:
                seen.append("success")

        def test_it(case: Any) -> None:
            for number in range(3):
                with case.subTest(number=number):
                    with case.subTest("inner", word="x"):
                        case.assertEqual(number, 1)
                    with case.subTest("skipped"):
                        case.skipTest("why")
                    with case.subTest():
                        raise KeyError(number)
                with case.subTest("passes"):
                    pass

        type("Case", (kind,), {"test_it": test_it})("test_it").run(Result())
        return seen

    expected = told_by(pyunit.TestCase)
    assert len(expected) == 12
    for kind in KINDS:
        assert told_by(kind) == expected


@pytest.mark.parametrize("wait", WAITING[:2])
def test_parts_of_a_test_that_waits(wait: Callable[[Any], Any]) -> None:
    async def awaits(case: Any) -> None:
        for number in range(3):
            with case.subTest(number=number):
                await wait(case)
                case.assertEqual(number, 1)

    @defer.inlineCallbacks
    def yields(case: Any) -> Any:
        for number in range(3):
            with case.subTest(number=number):
                yield wait(case)
                case.assertEqual(number, 1)

    for test_it in (awaits, yields):
        assert parts(run(TestCase, test_it=test_it).failures) == ["(number=0)", "(number=2)"]


def test_a_part_that_takes_too_long_ends_the_test() -> None:
    """What cancels the test is not the part's to take."""

    async def test_it(case: Any) -> None:
        with case.subTest():
            await defer.Deferred()
        raise AssertionError("it went on")

    assert "still running at 0.01 secs" in only_error(run(TestCase, timeout=0.01, test_it=test_it))


@pytest.mark.parametrize("kind", KINDS)
def test_where_the_first_part_that_fails_ends_the_test(kind: type[SynchronousTestCase]) -> None:
    class Knows:
        """A result that knows of no parts."""

        failures = 0

        def startTest(self, test: Any) -> None: ...

        stopTest = startTest

        def addFailure(self, test: Any, err: Any) -> None:
            self.failures += 1

    seen: list[int] = []

    def test_it(case: Any) -> None:
        for number in range(3):
            with case.subTest(number=number):
                seen.append(number)
                case.fail()

    members = {"test_it": test_it}
    result = run(kind, todo="later", **members)
    assert (len(result.expectedFailures), result.failures, seen) == (1, [], [0])
    seen.clear()
    type("Case", (kind,), members)("test_it").run(knows := Knows())
    assert (knows.failures, seen) == (1, [0])
    seen.clear()
    result = pyunit.TestResult()
    result.failfast = True
    type("Case", (kind,), members)("test_it").run(result)
    assert (parts(result.failures), result.errors, seen) == (["(number=0)"], [], [0])
    assert result.shouldStop
    seen.clear()
    with pytest.raises(unittest.FailTest):  # called by hand
        type("Case", (kind,), members)("test_it").test_it()
    assert seen == [0]


@pytest.mark.parametrize("kind", KINDS)
def test_skipping(kind: type[SynchronousTestCase]) -> None:
    def skips(case: Any) -> None:
        raise SkipTest("why")

    def does_not_run(case: Any) -> None:
        raise AssertionError

    for members in (
        {"test_it": skips},
        {"setUp": skips, "test_it": does_not_run},
        {"skip": "why", "test_it": does_not_run},
        {"test_it": pyunit.skip("why")(lambda case: None)},
    ):
        result = run(kind, **members)
        assert [reason for _, reason in result.skipped] == ["why"]
        assert result.wasSuccessful()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("todo", "fails", "outcome"),
    [
        ("later", True, "expectedFailures"),
        ("later", False, "unexpectedSuccesses"),
        ((ZeroDivisionError, "later"), True, "expectedFailures"),
        (([KeyError, ZeroDivisionError], "later"), True, "expectedFailures"),
        ((KeyError, "later"), True, "errors"),
    ],
)
def test_todo(kind: type[SynchronousTestCase], todo: Any, fails: bool, outcome: str) -> None:
    result = run(kind, todo=todo, test_it=lambda case: 1 / 0 if fails else None)
    for name in ("expectedFailures", "unexpectedSuccesses", "errors", "failures"):
        assert len(getattr(result, name)) == (name == outcome)


def test_a_wrong_todo_is_refused() -> None:
    with pytest.raises(TypeError, match="a reason"):
        unittest.makeTodo(3)  # type: ignore[arg-type, unused-ignore]  # what is tested


def test_a_test_that_takes_too_long_is_ended() -> None:
    ended: list[str] = []

    def test_it(case: TestCase) -> Any:
        return defer.Deferred(lambda _: ended.append("cancelled"))

    error = only_error(run(TestCase, timeout=0.01, test_it=test_it))
    assert "still running at 0.01 secs" in error
    assert ended == ["cancelled"]


def test_a_test_that_times_out_by_itself_says_so() -> None:
    async def test_it(case: TestCase) -> None:
        async with asyncio.timeout(0):
            await asyncio.sleep(5)

    error = only_error(run(TestCase, test_it=test_it))
    assert "TimeoutError" in error
    assert "still running" not in error


def test_a_synchronous_test_cannot_wait() -> None:
    async def test_it(case: SynchronousTestCase) -> None: ...

    assert "derive from TestCase" in only_error(run(SynchronousTestCase, test_it=test_it))


@pytest.mark.parametrize("kind", KINDS)
def test_a_generator_that_nobody_runs_is_an_error(kind: type[SynchronousTestCase]) -> None:
    def test_it(case: Any) -> Any:
        yield

    assert "will never run" in only_error(run(kind, test_it=test_it))


def listens(case: TestCase) -> None:
    reactor.listenTCP(0, Factory.forProtocol(Protocol), interface="127.0.0.1")


def leaves_a_call(case: TestCase) -> None:
    reactor.callLater(1000, print, "never")


def leaves_a_task(case: TestCase) -> None:
    case.kept = asyncio.ensure_future(asyncio.sleep(1000))  # type: ignore[attr-defined]  # so it stays


@pytest.mark.parametrize(
    ("leaves", "named"),
    [
        (listens, "Port of .* on 127|tcp.Port"),
        (leaves_a_call, r"print\('never'\)"),
        (leaves_a_task, "Task pending"),
    ],
)
def test_what_is_left_is_named(leaves: Callable[[TestCase], None], named: str) -> None:
    import re

    error = only_error(run(TestCase, test_it=leaves))
    assert "Reactor was unclean" in error
    assert re.search(named, error)


@pytest.mark.parametrize("inside", [True, False])
def test_a_coroutine_that_waits_for_a_deferred_is_not_left(
    inside: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """It holds nothing of the loop's, and nothing of it is cancelled, as in Twisted."""
    never: defer.Deferred[None] = defer.Deferred()
    seen: list[BaseException | None] = []

    @defer.inlineCallbacks
    def waits() -> Any:
        try:
            yield never
        except BaseException as raised:
            seen.append(raised)
            raise
        seen.append(None)

    def test_it(case: TestCase) -> None:
        case.waits = waits()  # type: ignore[attr-defined]  # so it stays

    async def test_it_inside(case: TestCase) -> None:
        test_it(case)

    assert passed(run(TestCase, test_it=test_it_inside if inside else test_it))
    assert (seen, caplog.records) == ([], [])
    never.callback(None)  # it goes on, with no loop
    assert seen == [None]


def test_a_coroutine_that_waits_for_the_loop_is_named() -> None:
    async def test_it(case: TestCase) -> None:
        case.left = defer.ensureDeferred(asyncio.sleep(1000))  # type: ignore[attr-defined]

    error = only_error(run(TestCase, test_it=test_it))
    assert "Reactor was unclean" in error
    assert "CoroutineTask" in error


def test_a_thread_that_is_left_is_named() -> None:
    release = threading.Event()

    def test_it(case: TestCase) -> None:
        threading.Thread(target=release.wait, name="the lost one").start()

    try:
        error = only_error(run(TestCase, test_it=test_it))
    finally:
        release.set()
    assert "the lost one" in error


def test_threads_of_the_loop_are_not_left() -> None:
    async def test_it(case: TestCase) -> None:
        case.assertEqual(await asyncio.to_thread(abs, -1), 1)

    result = run(TestCase, test_it=test_it)
    assert passed(result), result.errors


def test_a_connection_that_is_left_is_named_and_one_that_is_closed_is_not() -> None:
    for closes in (True, False):

        async def test_it(case: TestCase, closes: bool = closes) -> None:
            port = reactor.listenTCP(0, Factory.forProtocol(Protocol), interface="127.0.0.1")
            case.addCleanup(port.stopListening)
            from reactorlib.internet.endpoints import TCP4ClientEndpoint

            endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
            client: Any = await endpoint.connect(Factory.forProtocol(Protocol))
            if closes:
                client.transport.loseConnection()

        result = run(TestCase, test_it=test_it)
        if closes:
            assert passed(result), result.errors
        else:
            assert "127.0.0.1" in only_error(result)


def test_each_test_has_a_loop_of_its_own_and_ends_it() -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def test_it(case: TestCase) -> None:
        loops.append(asyncio.get_running_loop())

    for _ in range(2):
        assert passed(run(TestCase, test_it=test_it))
    assert loops[0] is not loops[1]
    assert all(loop.is_closed() for loop in loops)


def test_a_test_can_run_a_test_that_waits() -> None:
    inner = pyunit.TestResult()

    async def test_it(case: TestCase) -> None:
        outer = asyncio.get_running_loop()
        type("Inner", (TestCase,), {"test_it": a_deferred})("test_it").run(inner)
        assert asyncio.get_running_loop() is outer
        await asyncio.sleep(0)

    assert passed(run(TestCase, test_it=test_it))
    assert passed(inner)


def test_the_loop_can_be_one_that_passes_time_over() -> None:
    async def test_it(case: TestCase) -> None:
        await asyncio.sleep(50)
        await task.deferLater(reactor, 50, int)

    assert passed(run(TestCase, loopFactory=ClockEventLoop, test_it=test_it))


def unhandled_deferred(case: Any) -> None:
    defer.fail(ZeroDivisionError())


def unhandled_in_a_callback(case: Any) -> Any:
    asyncio.get_event_loop().call_soon(lambda: 1 / 0)
    return task.deferLater(reactor, 0, int)


def logged(case: Any) -> None:
    logging.getLogger("reactorlib.anything").error("oh", exc_info=ZeroDivisionError())


def logged_by_a_logger(case: Any) -> None:
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        Logger().failure("oh")


def logged_as_before(case: Any) -> None:
    log.err(ZeroDivisionError())


@pytest.mark.parametrize(
    ("kind", "logs"),
    [
        (SynchronousTestCase, logged_by_a_logger),
        (TestCase, logged_by_a_logger),
        (SynchronousTestCase, logged_as_before),
        (TestCase, logged_as_before),
        (SynchronousTestCase, unhandled_deferred),
        (TestCase, unhandled_deferred),
        (TestCase, unhandled_in_a_callback),
        (SynchronousTestCase, logged),
        (TestCase, logged),
    ],
)
def test_a_logged_error_fails_the_test_unless_it_is_flushed(
    kind: type[SynchronousTestCase], logs: Callable[[Any], Any]
) -> None:
    assert "ZeroDivisionError" in only_error(run(kind, test_it=logs))
    flushed: list[Failure] = []

    def flushes(case: SynchronousTestCase) -> None:
        assert case.flushLoggedErrors(KeyError) == []
        flushed.extend(case.flushLoggedErrors(ZeroDivisionError))

    assert passed(run(kind, test_it=logs, tearDown=flushes))
    assert len(flushed) == 1
    assert passed(run(kind, test_it=lambda case: None))


@pytest.mark.parametrize("kind", KINDS)
def test_warnings_are_kept_for_the_test(kind: type[SynchronousTestCase]) -> None:
    def warns(text: str = "careful") -> None:
        warnings.warn(text, UserWarning, stacklevel=1)

    def test_it(case: SynchronousTestCase) -> None:
        warns()
        warns()
        with case.assertRaises(ValueError):
            case.flushWarnings([None])
        assert case.flushWarnings([run]) == []
        flushed = case.flushWarnings([warns])
        assert [one["message"] for one in flushed] == ["careful"] * 2
        assert flushed[0]["category"] is UserWarning
        assert case.flushWarnings() == []

    assert passed(run(kind, test_it=test_it))


@pytest.mark.parametrize("kind", KINDS)
def test_other_warnings_are_given_again(kind: type[SynchronousTestCase]) -> None:
    def test_it(case: Any) -> None:
        warnings.warn("careful", UserWarning, stacklevel=1)

    with pytest.warns(UserWarning, match="careful"):
        assert passed(run(kind, test_it=test_it))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "careful" in only_error(run(kind, test_it=test_it))
        assert passed(run(kind, suppress=[util.suppress(message="care")], test_it=test_it))


@pytest.mark.parametrize("kind", KINDS)
def test_a_patch_is_taken_back(kind: type[SynchronousTestCase]) -> None:
    class Target:
        value = 1

    def test_it(case: SynchronousTestCase) -> None:
        patch = case.patch(Target, "value", 2)
        assert Target.value == 2
        patch.restore()
        assert Target.value == 1
        patch.patch()
        assert Target.value == 2

    assert passed(run(kind, test_it=test_it))
    assert Target.value == 1


def test_temporary_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths: list[Path] = []

    def test_it(case: SynchronousTestCase) -> None:
        paths.extend([Path(case.mktemp()), Path(case.mktemp())])

    assert passed(run(SynchronousTestCase, test_it=test_it))
    assert paths[0] != paths[1]
    for path in paths:
        assert path.parent.is_dir()
        assert not path.exists()
        assert path.parts[1:3] == ("Case", "test_it")


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupt_ends_all(kind: type[SynchronousTestCase]) -> None:
    def interrupts(case: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(kind, test_it=interrupts)


class AssertionTests(SynchronousTestCase):
    """The assertions; run by pytest, as users' tests are."""

    def fails(self, assertion: Callable[..., object], *args: Any) -> str:
        with pytest.raises(unittest.FailTest) as caught:
            assertion(*args)
        return str(caught.value)

    def test_results(self) -> None:
        failure = Failure(KeyError("x"))
        assert self.successResultOf(defer.succeed(3)) == 3
        assert self.failureResultOf(defer.fail(failure), KeyError) is failure
        waiting: defer.Deferred[int] = defer.Deferred()
        self.assertNoResult(waiting)
        waiting.callback(5)
        assert self.successResultOf(waiting) == 5

        async def coroutine() -> int:
            return 7

        assert self.successResultOf(coroutine()) == 7

    def test_results_that_are_not_there(self) -> None:
        assert "found no result" in self.fails(self.successResultOf, defer.Deferred())
        assert "found no result" in self.fails(self.failureResultOf, defer.Deferred())
        assert "KeyError" in self.fails(self.successResultOf, defer.fail(KeyError()))
        assert "(3)" in self.fails(self.failureResultOf, defer.succeed(3))
        assert "OSError" in self.fails(self.failureResultOf, defer.fail(KeyError()), OSError)
        assert "found 3" in self.fails(self.assertNoResult, defer.succeed(3))
        self.fails(self.assertNoResult, defer.fail(KeyError()))

    def test_raises(self) -> None:
        error = self.assertRaises(KeyError, {}.__getitem__, "x")
        assert error.args == ("x",)
        with self.assertRaises((KeyError, OSError)) as caught:
            raise OSError("y")
        assert str(caught.exception) == "y"
        assert "KeyError not raised (None returned)" in self.fails(
            self.assertRaises, KeyError, [].clear
        )
        assert "raised instead of KeyError" in self.fails(self.assertRaises, KeyError, int, "x")
        nested: Any = (KeyError, (OSError,))
        assert isinstance(self.assertRaises(nested, {}.__getitem__, "x"), KeyError)
        assert "(KeyError, (OSError))" in self.fails(self.assertRaises, nested, int)

    def test_nothing_raised_is_not_taken_for_an_exception(self) -> None:
        """That it fails is an AssertionError as well, which may be what is expected."""
        for expected in (
            Exception,
            BaseException,
            AssertionError,
            self.failureException,
            (ValueError, AssertionError),
        ):
            assert "not raised (3 returned)" in self.fails(self.assertRaises, expected, int, 3)

            def early(expected: Any) -> None:
                with self.assertRaises(expected):
                    pass

            assert "not raised (None returned)" in self.fails(early, expected)

    def test_what_was_raised_is_not_there_before_the_end(self) -> None:
        def early() -> None:
            with self.assertRaises(AssertionError) as caught:
                assert caught.exception

        assert "raised instead of AssertionError" in self.fails(early)
        with pytest.raises(AttributeError, match="the block is not over"):
            assert self.assertRaises(KeyError).exception

    def test_the_other_names(self) -> None:
        assert self.assertEqual(1, 1) == self.assertNotEqual(1, 2) == 1
        assert self.assertApproximates(1.0, 1.1, 0.2) == 1.0
        assert "~==" in self.fails(self.assertApproximates, 1, 2, 0.5)
        self.assertSubstring("a", "cat")
        self.fails(self.assertNotSubstring, "a", "cat")
        self.fails(self.failIf, True)
        self.assertIdentical(self, self)

    def test_warns(self) -> None:
        def warns(value: int) -> int:
            warnings.warn("careful", UserWarning, stacklevel=1)
            return value

        assert self.assertWarns(UserWarning, "careful", __file__, warns, 3) == 3
        with self.assertWarns(UserWarning):
            warns(3)
        self.fails(self.assertWarns, UserWarning, "careful", __file__, int)
        self.fails(self.assertWarns, UserWarning, "careless", __file__, warns, 3)


class WaitingTests(TestCase):
    """Run by pytest with nothing configured."""

    async def test_a_coroutine_method(self) -> None:
        await asyncio.sleep(0)
        self.here = True

    def tearDown(self) -> None:
        assert getattr(self, "here", True)

    async def test_assert_failure(self) -> None:
        error = await self.assertFailure(defer.fail(KeyError("x")), KeyError)
        assert error.args == ("x",)
        with pytest.raises(unittest.FailTest, match="did not catch"):
            await self.assertFailure(defer.succeed(1), KeyError)
        with pytest.raises(unittest.FailTest, match="did not catch"):
            await self.assertFailure(defer.succeed(1), Exception)
        with pytest.raises(unittest.FailTest, match="Expected"):
            await self.assertFailure(defer.fail(OSError()), KeyError)


def test_decorating_a_suite() -> None:
    seen: list[str] = []

    class Around(unittest.TestDecorator):
        def run(self, result: Any = None) -> Any:
            seen.append("before")
            return super().run(result)

    case = type("Case", (SynchronousTestCase,), {"test_it": lambda case: seen.append("test")})
    suite = unittest.TestSuite([unittest.TestSuite([case("test_it")])])
    result = pyunit.TestResult()
    unittest.decorate(suite, Around).run(result)
    assert seen == ["before", "test"]
    assert result.wasSuccessful()
