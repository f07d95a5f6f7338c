"""Finding tests by name, and running them."""

from __future__ import annotations

import gc
import io
import os
import sys
import unittest as pyunit
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from reactorlib.internet import defer
from reactorlib.python import log
from reactorlib.python.failure import Failure
from reactorlib.python.reflect import ModuleNotFound
from reactorlib.trial import itrial, reporter, runner, unittest, util
from reactorlib.trial._asyncrunner import _iterateTests

MODULE = """
import unittest as pyunit
from reactorlib.trial import unittest

class {name}(unittest.TestCase):
    def test_b(self): pass
    def test_a(self): pass

class Plain(pyunit.TestCase):
    def test_plain(self): pass
"""

FILES = {
    "__init__.py": "",
    "test_one.py": MODULE.format(name="One"),
    "test_broken.py": "import one_that_is_not_there\n",
    "helper.py": MODULE.format(name="Helper"),
    "inner/__init__.py": "",
    "inner/test_two.py": MODULE.format(name="Two"),
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """A package with tests on the path: its name, and its directory."""
    name = f"package_{abs(hash(tmp_path))}"
    for file, text in FILES.items():
        path = tmp_path / name / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield name, tmp_path / name
    for module in [module for module in sys.modules if module.split(".")[0] == name]:
        del sys.modules[module]


def ids(tests: Any) -> list[str]:
    return [test.id() for test in _iterateTests(tests)]


def of(module: str, klass: str) -> list[str]:
    """The tests of a module made of MODULE."""
    return [f"{module}.{klass}.test_a", f"{module}.{klass}.test_b", f"{module}.Plain.test_plain"]


# -- by name --------------------------------------------------------------------


def test_by_name(package: tuple[str, Path]) -> None:
    name, _ = package
    loader = runner.TestLoader()
    one = f"{name}.test_one"
    assert sorted(ids(loader.loadByName(one))) == sorted(of(one, "One"))
    assert ids(loader.loadByName(f"{one}.One")) == of(one, "One")[:2]
    assert ids(loader.loadByName(f"{one}.One.test_b")) == [f"{one}.One.test_b"]


@pytest.mark.parametrize("recurse", [False, True])
def test_of_a_package(package: tuple[str, Path], recurse: bool) -> None:
    """A module that cannot be imported is one test, with its error; a helper is none."""
    name, _ = package
    found = ids(runner.TestLoader().loadByName(name, recurse))
    expected = [f"{name}.test_broken", *of(f"{name}.test_one", "One")]
    if recurse:
        expected += of(f"{name}.inner.test_two", "Two")
    assert sorted(found) == sorted(expected)


def test_of_a_package_in_a_zip_file(
    package: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _ = package
    zipped = f"zipped_{name}"
    archive = tmp_path / "tests.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path, text in FILES.items():
            file.writestr(f"{zipped}/{path}", text)
    monkeypatch.syspath_prepend(archive)
    found = ids(runner.TestLoader().loadByName(zipped, recurse=True))
    assert f"{zipped}.inner.test_two.Two.test_a" in found
    assert len(found) == 7
    for module in [module for module in sys.modules if module.startswith(zipped)]:
        del sys.modules[module]


@pytest.mark.parametrize("inside", [True, False], ids=["on the path", "not on the path"])
def test_by_file(package: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, inside: bool) -> None:
    name, folder = package
    if not inside:
        monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in str(folder)])
    loader = runner.TestLoader()
    found = ids(loader.loadByName(str(folder / "test_one.py")))
    assert sorted(found) == sorted(of(f"{name}.test_one", "One"))
    monkeypatch.chdir(folder)
    assert sorted(ids(loader.loadByName("test_one.py"))) == sorted(found)
    assert len(ids(loader.loadByName(str(folder)))) == 4
    module = runner.filenameToModule(str(folder) + os.sep)
    assert (module.__name__, module.__file__) == (name, str(folder / "__init__.py"))


def test_a_module_of_the_same_name_stays(tmp_path: Path) -> None:
    """A file that its name does not lead to is loaded, and takes nobody's place."""
    import json

    (tmp_path / "json.py").write_text("here = True\n")
    assert runner.filenameToModule(str(tmp_path / "json.py")).here
    assert sys.modules["json"] is json


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("not_there_at_all", ModuleNotFound),
        ("reactorlib.trial.not_there", AttributeError),
        ("./not_there.py", ValueError),
        ("reactorlib.trial.unittest.decorate", TypeError),
    ],
)
def test_what_is_not_there(name: str, error: type[Exception]) -> None:
    loader = runner.TestLoader()
    with pytest.raises(error):
        loader.findByName(name)
    loader.loadByName(name).run(result := reporter.TestResult())
    [(test, failure)] = result.errors
    assert (test.id(), result.testsRun) == (name, 1)
    assert failure.check(error)


def test_what_is_wrong_inside_a_module_is_told(package: tuple[str, Path]) -> None:
    with pytest.raises(ModuleNotFoundError, match="one_that_is_not_there"):
        runner.TestLoader().findByName(f"{package[0]}.test_broken")


@pytest.mark.parametrize(
    ("line", "skips", "errors"),
    [
        ("import unittest; raise unittest.SkipTest('not here')", 1, 0),
        ("import sys; sys.exit('gone')", 0, 1),
    ],
)
def test_a_module_that_ends_as_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, skips: int, errors: int
) -> None:
    (tmp_path / "test_ending.py").write_text(line)
    monkeypatch.syspath_prepend(tmp_path)
    runner.TestLoader().loadByName("test_ending").run(result := reporter.TestResult())
    assert (len(result.skips), len(result.errors)) == (skips, errors)


def test_a_folder_that_is_no_package(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a package directory"):
        runner.filenameToModule(str(tmp_path))


def test_what_is_named_twice_is_there_once(package: tuple[str, Path]) -> None:
    one = f"{package[0]}.test_one"
    loader = runner.TestLoader()
    names = [f"{one}.One", f"{one}.Plain", f"{one}.One", str(package[1] / "test_one.py")]
    assert len(ids(loader.loadByNames(names))) == 2 + 1 + 3


def test_tests_are_sorted(package: tuple[str, Path]) -> None:
    one = f"{package[0]}.test_one"
    backwards = runner.TestLoader(sorter=lambda thing: [-ord(c) for c in runner.name(thing)])
    assert ids(backwards.loadByName(f"{one}.One")) == of(one, "One")[1::-1]


@pytest.mark.parametrize(("method", "error"), [("loadClass", TypeError), ("loadModule", TypeError)])
@pytest.mark.parametrize("what", ["text", ("a", "b")])
def test_what_has_no_tests(method: str, error: type[Exception], what: Any) -> None:
    with pytest.raises(error):
        getattr(runner.TestLoader(), method)(what)


def test_a_class_that_has_no_tests() -> None:
    with pytest.raises(ValueError, match="not a test case"):
        runner.TestLoader().loadClass(object)


def a_documented_function() -> int:
    """
    >>> a_documented_function()
    1
    """
    return 1


def test_examples_in_docstrings() -> None:
    suite = runner.TestLoader().loadDoctests(__name__)
    assert ids(suite) == [f"{__name__}.a_documented_function"]
    for _ in range(2):
        suite.run(result := reporter.TestResult())
        assert (result.testsRun, result.successes) == (1, 1)


# -- suites ---------------------------------------------------------------------


def case(**members: Any) -> Any:
    """A class of test cases of the standard library's."""
    return type("Case", (pyunit.TestCase,), members)


def test_classes_and_modules_are_set_up() -> None:
    done: list[str] = []
    members = {
        "setUpClass": classmethod(lambda cls: done.append("up")),
        "tearDownClass": classmethod(lambda cls: done.append("down")),
        "test_it": lambda self: done.append("test"),
        "test_too": lambda self: done.append("test"),
    }
    for kind in (pyunit.TestCase, unittest.TestCase):
        for factory in (runner.TestSuite, runner.DestructiveTestSuite):
            done.clear()
            klass = type("Case", (kind,), members)
            suite: Any = runner.TestLoader(factory).loadClass(klass)
            suite.run(reporter.TestResult())
            assert done == ["up", "test", "test", "down"]


def test_a_destructive_suite_forgets_its_tests() -> None:
    suite = runner.DestructiveTestSuite([case(test_it=lambda self: None)("test_it")])
    suite.run(result := reporter.TestResult())
    assert (result.successes, suite.countTestCases()) == (1, 0)


def test_what_is_logged_outside_of_tests() -> None:
    class Loud(runner.TestSuite):
        def run(self, result: Any, debug: bool = False) -> Any:
            log.err(Failure(ZeroDivisionError()))

    runner.LoggedSuite([Loud()]).run(result := reporter.TestResult())
    [(test, failure)] = result.errors
    assert test.id() == runner.NOT_IN_TEST
    assert failure.check(ZeroDivisionError)


@pytest.mark.parametrize(
    "holder", [runner.TestHolder("name"), runner.ErrorHolder("name", Failure(ValueError("x")))]
)
def test_tests_that_are_only_names(holder: runner.TestHolder) -> None:
    assert verifyObject(itrial.ITestCase, holder)
    assert (holder.id(), holder.shortDescription(), holder.countTestCases()) == ("name", "name", 0)
    for result in (reporter.TestResult(), pyunit.TestResult()):
        holder(result)
        assert result.testsRun == 1
        assert len(result.errors) == isinstance(holder, runner.ErrorHolder)


# -- the runner -------------------------------------------------------------------


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory for this test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(**settings: Any) -> Any:
    return runner.TrialRunner(reporter.Reporter, stream=io.StringIO(), **settings)


def test_tests_have_a_directory_and_a_log(elsewhere: Path) -> None:
    where: list[str] = []

    def it(self: Any) -> None:
        where.append(os.getcwd())
        log.msg("from the test")

    before = log.theLogPublisher.observers
    result = make(logfile="logs/test.log").run(case(test_it=it)("test_it"))
    assert result.wasSuccessful()
    assert where == [str(elsewhere / "_trial_temp")]
    assert os.getcwd() == str(elsewhere)
    assert "from the test" in (elsewhere / "_trial_temp/logs/test.log").read_text()
    assert log.theLogPublisher.observers == before
    assert not (elsewhere / "_trial_temp.lock").is_symlink()


def test_an_earlier_directory_is_replaced(elsewhere: Path) -> None:
    make().run(runner.TestSuite())
    (elsewhere / "_trial_temp/left").touch()
    make().run(runner.TestSuite())
    assert not (elsewhere / "_trial_temp/left").exists()


def test_a_directory_that_is_none_of_ours_stays(elsewhere: Path) -> None:
    (elsewhere / "mine").mkdir()
    (elsewhere / "mine/file").touch()
    with pytest.raises(util._NoTrialMarker, match="refusing to remove"):
        make(workingDirectory="mine").run(runner.TestSuite())
    assert (elsewhere / "mine/file").exists()


def test_two_runs_at_once(elsewhere: Path) -> None:
    where: list[str] = []

    def outer(self: Any) -> None:
        os.chdir(elsewhere)
        make().run(case(test_it=lambda self: where.append(os.getcwd()))("test_it"))
        with pytest.raises(util._WorkingDirectoryBusy):
            make(workingDirectory=str(elsewhere / "asked")).run(runner.TestSuite())

    asked = make(workingDirectory=str(elsewhere / "asked"))

    def outermost(self: Any) -> None:
        os.chdir(elsewhere)
        result = make().run(case(test_it=outer)("test_it"))
        assert result.wasSuccessful(), result.errors

    result = asked.run(case(test_it=outermost)("test_it"))
    assert result.wasSuccessful(), result.errors
    assert where == [str(elsewhere / "_trial_temp-1")]


def test_nothing_is_run(elsewhere: Path) -> None:
    ran: list[int] = []
    result = make(mode=runner.TrialRunner.DRY_RUN).run(
        case(test_it=lambda self: ran.append(1))("test_it")
    )
    assert (result.testsRun, result.successes, ran) == (1, 1, [])
    assert not (elsewhere / "_trial_temp").exists()


def test_a_debugger_runs_them(elsewhere: Path) -> None:
    class Debugger:
        calls = 0

        def runcall(self, f: Callable[..., Any], *args: Any) -> Any:
            self.calls += 1
            return f(*args)

    debugger = Debugger()
    test = case(test_it=lambda self: None)("test_it")
    result = make(mode=runner.TrialRunner.DEBUG, debugger=debugger).run(test)
    assert (debugger.calls, result.successes) == (1, 1)


def test_a_profiler_watches_them(elsewhere: Path) -> None:
    result = make(profile=True).run(case(test_it=lambda self: None)("test_it"))
    assert result.successes == 1
    assert (elsewhere / "_trial_temp/profile.data").stat().st_size


def test_until_one_fails(elsewhere: Path) -> None:
    count: list[int] = []

    def it(self: Any) -> None:
        count.append(1)
        assert len(count) < 3

    running = make()
    result = running.runUntilFailure(case(test_it=it)("test_it"))
    assert (len(count), len(result.failures)) == (3, 1)
    assert running.stream.getvalue().count("Test Pass ") == 3


def test_until_one_fails_ends_without_tests(elsewhere: Path) -> None:
    assert make().runUntilFailure(runner.TestSuite()).wasSuccessful()


def test_garbage_is_collected_around_each_test(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(gc, "collect", lambda: done.append("collect"))
    kind = case(test_it=lambda self: done.append("test"))
    suite = runner.TestSuite([kind("test_it"), kind("test_it")])
    make(forceGarbageCollection=True).run(suite)
    assert done == ["collect", "test", "collect"] * 2


@pytest.mark.parametrize("kind", [pyunit.TestCase, unittest.TestCase])
def test_classes_are_set_up_around_decorated_tests(elsewhere: Path, kind: Any) -> None:
    done: list[str] = []

    def members(name: str) -> dict[str, Any]:
        return {
            "setUpClass": classmethod(lambda cls: done.append(f"{name} up")),
            "tearDownClass": classmethod(lambda cls: done.append(f"{name} down")),
            "test_it": lambda self: done.append("test"),
            "test_too": lambda self: done.append("test"),
        }

    loader = runner.TestLoader()
    suite: Any = runner.TestSuite(
        loader.loadClass(type(name, (kind,), members(name))) for name in ("One", "Two")
    )
    result = make(forceGarbageCollection=True).run(suite)
    assert (result.testsRun, result.wasSuccessful()) == (4, True)
    assert done == ["One up", "test", "test", "One down", "Two up", "test", "test", "Two down"]


@pytest.mark.parametrize("kind", [pyunit.TestCase, unittest.SynchronousTestCase])
def test_collecting_garbage_brings_up_what_nobody_has_handled(elsewhere: Path, kind: Any) -> None:
    """The Deferred is in a cycle: without collecting, its failure comes up in another test."""

    def it(self: Any) -> None:
        cycle: list[Any] = [defer.fail(ZeroDivisionError())]
        cycle.append(cycle)

    gc.disable()
    try:
        test = type("Case", (kind,), {"test_it": it})("test_it")
        result = make(forceGarbageCollection=True).run(test)
    finally:
        gc.enable()
    [(_, failure)] = result.errors
    assert failure.check(ZeroDivisionError)


@pytest.mark.filterwarnings("always")
def test_warnings_are_the_reporters(elsewhere: Path) -> None:
    running = make()
    running.run(case(test_it=lambda self: warnings.warn("careful", stacklevel=1))("test_it"))
    written = running.stream.getvalue()
    assert written.startswith(f"{__file__}:")
    assert "UserWarning: careful" in written
    assert "careful" in (elsewhere / "_trial_temp/test.log").read_text()


def test_samefile_is_deprecated() -> None:
    with pytest.warns(DeprecationWarning, match=r"os\.path\.samefile"):
        assert runner.samefile(__file__, __file__)
