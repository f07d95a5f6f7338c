"""What reporters keep of tests, and what they write."""

from __future__ import annotations

import errno
import io
import sys
import unittest as pyunit
from collections.abc import Callable
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from reactorlib.python.failure import Failure
from reactorlib.python.log import LogPublisher
from reactorlib.trial import itrial, reporter, unittest, util
from reactorlib.trial._results import _AdaptedReporter, _ExitWrapper


class Sample(unittest.SynchronousTestCase):
    __test__ = False  # for pytest

    def test_ok(self) -> None:
        pass

    def test_fail(self) -> None:
        self.assertEqual(1, 2)

    def test_error(self) -> None:
        raise ZeroDivisionError("zero")

    def test_skip(self) -> None:
        raise unittest.SkipTest("not here")

    def test_todo(self) -> None:
        raise ZeroDivisionError("zero")

    test_todo.todo = "later"  # type: ignore[attr-defined]

    def test_done(self) -> None:
        pass

    test_done.todo = "later"  # type: ignore[attr-defined]


ALL = ["test_ok", "test_fail", "test_error", "test_skip", "test_todo", "test_done"]


class Parts:
    __test__ = False  # for pytest

    def test_parts(self: Any) -> None:
        for number in range(4):
            with self.subTest(number=number):
                self.assertNotIn(number, (1, 3))


class Plain(Parts, pyunit.TestCase):
    """The standard library's."""


class Ours(Parts, unittest.SynchronousTestCase):
    """This library's."""


def report(
    kind: Callable[..., Any], names: list[str], case: type[pyunit.TestCase] = Sample, **kw: Any
) -> tuple[Any, str]:
    """Run some tests; the reporter, and what it has written."""
    stream = io.StringIO()
    told = kind(stream, **kw)
    for name in names:
        case(name).run(told)
    told.done()
    return told, stream.getvalue()


KINDS = [
    reporter.Reporter,
    reporter.MinimalReporter,
    reporter.TextReporter,
    reporter.VerboseTextReporter,
    reporter.TimingTextReporter,
    reporter.TreeReporter,
]


@pytest.mark.parametrize("kind", KINDS)
def test_all_keep_how_tests_went(kind: Callable[..., Any]) -> None:
    told, _ = report(kind, ALL)
    assert verifyObject(itrial.IReporterWithDurations, told)
    assert (told.testsRun, told.successes, len(told.failures), len(told.errors)) == (6, 1, 1, 1)
    assert (len(told.skips), len(told.expectedFailures), len(told.unexpectedSuccesses)) == (1, 1, 1)
    assert not told.wasSuccessful()
    assert told.errors[0][1].check(ZeroDivisionError)
    assert told.skips[0][1] == "not here"
    assert told.expectedFailures[0][2].reason == "later"


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (reporter.Reporter, ""),
        (reporter.TextReporter, ".FEST!"),
        (
            reporter.VerboseTextReporter,
            "".join(
                f"{__name__}.Sample.{name} ... [{status}]\n"
                for name, status in zip(
                    ALL, ["OK", "FAILURE", "ERROR", "SKIPPED", "TODO", "SUCCESS!?!"], strict=True
                )
            ),
        ),
    ],
)
def test_what_is_written_meanwhile(kind: Callable[..., Any], written: str) -> None:
    _, text = report(kind, ALL)
    assert text.startswith(written + "\n" + "=" * 79)


def test_a_tree() -> None:
    _, text = report(reporter.TreeReporter, ["test_ok", "test_error"])
    lines = text.splitlines()
    assert lines[0] == __name__
    assert lines[1] == "  Sample"
    assert lines[2] == "    test_ok ...".ljust(75) + "[OK]"
    assert lines[3] == "    test_error ...".ljust(72) + "[ERROR]"
    assert lines[-1] == "FAILED (errors=1, successes=1)"


def test_what_is_written_at_the_end() -> None:
    _, text = report(reporter.Reporter, [*ALL, "test_error"])
    blocks = text.split("=" * 79 + "\n")
    assert [block.splitlines()[0] for block in blocks[1:]] == [
        "[SKIPPED]",
        "[TODO]",
        "[FAIL]",
        "[ERROR]",
        "[SUCCESS!?!]",
    ]
    assert blocks[1] == f"[SKIPPED]\nnot here\n\n{__name__}.Sample.test_skip\n"
    assert blocks[2].startswith("[TODO]\nReason: 'later'\nTraceback")
    # Two tests with the same error are told of together.
    assert blocks[4].count("ZeroDivisionError: zero") == 1
    assert blocks[4].endswith(f"\n\n{__name__}.Sample.test_error\n{__name__}.Sample.test_error\n")
    assert "\nRan 7 tests in 0." in text
    assert text.endswith(
        "FAILED (skips=1, expectedFailures=1, failures=1, errors=2, "
        "unexpectedSuccesses=1, successes=1)\n"
    )


def test_a_traceback_is_of_the_test_alone() -> None:
    _, text = report(reporter.Reporter, ["test_fail"])
    assert text.count("  File ") == 1
    assert 'test_reporter.py", line' in text
    assert "reactorlib.trial.unittest.FailTest: 1 != 2" in text


def test_brief_tracebacks() -> None:
    _, text = report(reporter.Reporter, ["test_fail"], tbformat="brief")
    assert "test_fail" in text
    assert "  File " not in text


def test_errors_are_written_at_once() -> None:
    told = reporter.TextReporter(stream := io.StringIO(), realtime=True)
    Sample("test_error").run(told)
    assert "ZeroDivisionError: zero\nE" in stream.getvalue()


def test_numbers_only() -> None:
    _, text = report(reporter.MinimalReporter, ALL)
    took, *counts = text.splitlines()[-1].split()
    assert float(took) > 0
    assert counts == ["6", "6", "1", "1", "1"]
    assert report(reporter.MinimalReporter, [])[1].splitlines()[-1] == "0 0 0 0 0 0"


def test_times() -> None:
    class Timed(reporter.TimingTextReporter):
        now = 0.0

        def _getTime(self) -> float:
            self.now += 0.5
            return self.now

    _, text = report(Timed, ["test_ok"])
    assert "[OK]\n(1.000 secs)\n" in text


@pytest.mark.parametrize("case", [Plain, Ours])
def test_parts_of_a_test(case: type[pyunit.TestCase]) -> None:
    """Those of `subTest` that fail are told of one by one, and the test has not passed."""
    told, _ = report(reporter.TreeReporter, ["test_parts"], case)
    assert [test.id().partition(" ")[2] for test, _ in told.failures] == [
        "(number=1)",
        "(number=3)",
    ]
    assert (told.testsRun, told.successes) == (1, 0)


# -- warnings -----------------------------------------------------------------


def test_logged_warnings_are_written_once_for_each_test() -> None:
    publisher = LogPublisher()
    told = reporter.Reporter(stream := io.StringIO(), publisher=publisher)

    def warn() -> None:
        publisher.msg(warning="careful", category="builtins.UserWarning", filename="a.py", lineno=3)

    for _ in range(2):
        told.startTest(Sample("test_ok"))
        warn()
        warn()
    publisher.msg("something else")
    assert stream.getvalue() == "a.py:3: UserWarning: careful\n" * 2
    told.done()
    warn()
    assert stream.getvalue().count("careful") == 2
    assert publisher.observers == []


# -- streams --------------------------------------------------------------------


def test_an_interrupted_write_is_made_again() -> None:
    class Stream(io.StringIO):
        interrupted = 0

        def write(self, text: str) -> int:
            if self.interrupted < 2:
                self.interrupted += 1
                raise OSError(errno.EINTR, "interrupted")
            return super().write(text)

    safe = reporter.SafeStream(stream := Stream())
    safe.write("hello")
    assert stream.getvalue() == "hello"


def test_other_errors_of_a_stream_are_raised() -> None:
    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "full")

    with pytest.raises(OSError, match="full"):
        reporter.SafeStream(Stream()).write("hello")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("wanted", [True, False])
def test_colours_are_for_terminals_that_know_them(
    monkeypatch: pytest.MonkeyPatch, wanted: bool
) -> None:
    curses = pytest.importorskip("curses")
    monkeypatch.setattr(curses, "tigetnum", lambda name: 8)
    monkeypatch.delenv("NO_COLOR", raising=False)
    if not wanted:
        monkeypatch.setenv("NO_COLOR", "1")
    told = reporter.TreeReporter(stream := Terminal())
    Sample("test_ok").run(told)
    assert ("\x1b[32;1m[OK]\x1b[0m" in stream.getvalue()) is wanted


# -- what stands before a reporter --------------------------------------------


@pytest.mark.parametrize("error", ["text", ValueError("x"), (ValueError, ValueError("x"))])
def test_what_is_no_error_is_refused(error: Any) -> None:
    told = reporter.TestResult()
    for add in (told.addError, told.addFailure):
        with pytest.raises(TypeError, match=r"sys\.exc_info"):
            add(Sample("test_ok"), error)


def test_the_run_ends_with_the_first_failure() -> None:
    told: Any = _ExitWrapper(reporter.TestResult())
    suite = unittest.TestSuite(map(Sample, ["test_skip", "test_error", "test_ok"]))
    suite.run(told)
    assert (told.testsRun, told.successes, told.shouldStop) == (2, 0, True)


def test_what_is_left_behind_may_be_a_warning_only() -> None:
    original = reporter.TestResult()
    told = reporter.UncleanWarningsReporterWrapper(original)
    left = Failure(util.DirtyReactorAggregateError(["a call"]))
    with pytest.warns(UserWarning, match="a call"):
        told.addError(Sample("test_ok"), left)
    assert original.errors == []
    told.addError(Sample("test_ok"), Failure(ValueError()))
    assert len(original.errors) == 1


def test_a_result_is_told_of_other_tests() -> None:
    original = reporter.TestResult()
    one, other = Sample("test_error"), Sample("test_ok")
    told: Any = _AdaptedReporter(original, lambda test: other if test is one else test)
    one.run(told)
    assert [test for test, _ in original.errors] == [other]


# -- subunit --------------------------------------------------------------------


def test_without_subunit_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter, "TestProtocolClient", None)
    with pytest.raises(Exception, match="Subunit not available"):
        reporter.SubunitReporter()


def test_subunit_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the protocol's own client where it is there, and what is like it elsewhere."""

    class Client(pyunit.TestResult):
        def __init__(self, stream: Any) -> None:
            super().__init__()
            self.stream = stream

    if getattr(reporter, "TestProtocolClient") is None:  # noqa: B009
        monkeypatch.setattr(reporter, "TestProtocolClient", Client)
    stream = io.TextIOWrapper(binary := io.BytesIO())
    told = reporter.SubunitReporter(stream)
    assert verifyObject(itrial.IReporter, told)
    Sample("test_ok").run(told)
    assert told.wasSuccessful()
    for name in ALL:
        Sample(name).run(told)
    assert not told.wasSuccessful()
    told.done()
    told.stop()
    assert told.shouldStop
    if isinstance(told._subunit, Client):
        assert told._subunit.testsRun == 7
        assert len(told._subunit.failures) == len(told._subunit.errors) == 1
    else:
        assert binary.getvalue().count(b"test: ") == 7


def test_an_expected_failure_of_the_standard_librarys() -> None:
    class Expected(pyunit.TestCase):
        @pyunit.expectedFailure
        def test_it(self) -> None:
            self.fail("as expected")

    told, text = report(reporter.Reporter, ["test_it"], Expected)
    [(_, failure, todo)] = told.expectedFailures
    assert failure.check(AssertionError)
    assert todo.reason == "Test expected to fail"
    assert text.endswith("PASSED (expectedFailures=1)\n")
    assert sys.exc_info() == (None, None, None)
