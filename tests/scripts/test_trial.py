"""The command that runs tests: what its options mean, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from reactorlib.python.usage import UsageError
from reactorlib.scripts import trial
from reactorlib.trial import reporter, runner, unittest
from reactorlib.trial._asyncrunner import _iterateTests
from reactorlib.trial._dist.disttrial import DistTrialRunner
from reactorlib.trial._order import _parseLocalVariables

SUITE = """
import os, sys, time, unittest as pyunit, warnings
from reactorlib.internet import reactor, task
from reactorlib.trial import unittest

class First(unittest.TestCase):
    def test_waits(self):
        return task.deferLater(reactor, 0, int)

    async def test_fails(self):
        self.assertEqual("a", "b")

    def test_skipped(self):
        raise unittest.SkipTest("no time")

    def test_todo(self):
        raise self.Odd(1, 2)
    test_todo.todo = "some day"

    class Odd(Exception):
        def __init__(self, one, two):
            super().__init__(f"odd {one} {two}")

    def test_odd(self):
        raise self.Odd(1, 2)

class Second(pyunit.TestCase):
    up = 0

    @classmethod
    def setUpClass(cls):
        cls.up += 1

    def test_once(self):
        assert self.up == 1

    def test_again(self):
        assert self.up == 1
        print("printed by a test")
        warnings.warn("careful")
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """The working directory of a suite of tests, `test_suite.py`."""
    (tmp_path / "test_suite.py").write_text(SUITE)
    return tmp_path


def command(
    where: Path, *args: str, timeout: float = 50, stdout: Any = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """Run the command in a directory."""
    root = str(Path(trial.__file__).parents[2])
    return subprocess.run(  # with the library that is tested
        [sys.executable, "-m", "reactorlib.trial", *args],
        cwd=where,
        env={**os.environ, "PYTHONPATH": root, "NO_COLOR": "1"},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=timeout,
    )


def parsed(*args: str) -> trial.Options:
    options = trial.Options()
    options.parseOptions(list(args))
    return options


# -- as a program ---------------------------------------------------------------


def test_a_suite(suite: Path) -> None:
    done = command(suite, "test_suite")
    assert done.returncode == 1
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert "    test_waits ...".ljust(75) + "[OK]" in lines
    assert lines[-1] == ("FAILED (skips=1, expectedFailures=1, failures=1, errors=1, successes=3)")
    assert "test_suite.py:40: UserWarning: careful" in done.stdout
    assert (suite / "_trial_temp/test.log").exists()


def test_a_suite_that_passes(suite: Path) -> None:
    done = command(suite, "--reporter=text", "--reactor=uvloop", "./test_suite.py", "--nopm")
    assert done.returncode == 1
    done = command(suite, "--reporter=text", "test_suite.First.test_waits")
    assert done.returncode == 0
    assert done.stdout.endswith("PASSED (successes=1)\n")


def test_in_several_processes(suite: Path) -> None:
    done = command(suite, "-j2", "test_suite")
    assert done.returncode == 1
    assert done.stderr == ""
    assert done.stdout.endswith(
        "FAILED (skips=1, expectedFailures=1, failures=1, errors=1, successes=3)\n"
    )
    assert "UserWarning: careful" in done.stdout
    # An exception that cannot be pickled is told of with its name, and the place.
    assert "RemoteError: test_suite.First.Odd: odd 1 2" in done.stdout
    assert "in test_odd" in done.stdout
    printed = [(suite / f"_trial_temp/{number}/out.log").read_text() for number in range(2)]
    assert sorted(printed) == ["", "printed by a test\n"]


def test_a_process_that_dies(tmp_path: Path) -> None:
    (tmp_path / "test_dying.py").write_text(
        "import os, unittest\n"
        "class T(unittest.TestCase):\n"
        "    def test_a(self): os.kill(os.getpid(), 9)\n"
        "    def test_b(self): os._exit(3)\n"
        "    def test_c(self): pass\n"
        "    def test_d(self): pass\n"
    )
    done = command(tmp_path, "-j1", "test_dying")
    assert done.returncode == 1
    assert "WorkerDied: its process has ended, with signal 9\n\ntest_dying.T.test_a" in done.stdout
    assert "WorkerDied: its process has ended, with status 3\n\ntest_dying.T.test_b" in done.stdout
    assert done.stdout.endswith("FAILED (errors=2, successes=2)\n")


@pytest.mark.parametrize(
    "dies",
    ["connection.poll(None)", "connection.recv(); os.write(connection.fileno(), bytes(3))"],
    ids=["before it has read what to run", "within what it tells"],
)
def test_a_process_that_dies_outside_of_a_test(tmp_path: Path, dies: str) -> None:
    (tmp_path / "test_dying.py").write_text(
        "import os, unittest\n"
        "from reactorlib.trial._dist import disttrial\n"
        "class T(unittest.TestCase):\n"
        "    def test_a(self): pass\n"
        "    def test_b(self): pass\n"
        "work = disttrial._work\n"
        "def dies(runner, number, units, connection, parents):\n"
        "    try:\n"
        "        open('died', 'x').close()\n"
        "    except FileExistsError:\n"
        "        return work(runner, number, units, connection, parents)\n"
        f"    {dies}\n"
        "    os._exit(7)\n"
        "disttrial._work = dies\n"
    )
    done = command(tmp_path, "-j1", "test_dying")
    assert done.stderr == ""
    assert "WorkerDied: its process has ended, with status 7\n\ntest_dying.T.test_a" in done.stdout
    assert done.stdout.endswith("FAILED (errors=1, successes=1)\n")


@pytest.mark.parametrize("args", [[], ["--force-gc"], ["-j2"]], ids=str)
def test_parts_of_tests(tmp_path: Path, args: list[str]) -> None:
    (tmp_path / "test_parts.py").write_text(
        "from reactorlib.trial import unittest\n"
        "class T(unittest.TestCase):\n"
        "    async def test_a(self):\n"
        "        for number in range(4):\n"
        "            with self.subTest(number=number):\n"
        "                self.assertNotIn(number, (1, 3))\n"
        "    def test_b(self): pass\n"
    )
    done = command(tmp_path, *args, "test_parts")
    assert done.stderr == ""
    for number in (1, 3):
        assert f"\ntest_parts.T.test_a (number={number})\n" in done.stdout
    assert done.stdout.endswith("FAILED (failures=2, successes=1)\n")


@pytest.mark.parametrize("args", [["--force-gc"], ["--force-gc", "-j2"]], ids=str)
def test_classes_and_modules_are_set_up_with_garbage_collected(
    tmp_path: Path, args: list[str]
) -> None:
    (tmp_path / "test_up.py").write_text(
        "from reactorlib.trial import unittest\n"
        "up = []\n"
        "def setUpModule(): up.append('module')\n"
        "class T(unittest.TestCase):\n"
        "    @classmethod\n"
        "    def setUpClass(cls): up.append('class')\n"
        "    def test_a(self): assert up == ['module', 'class'], up\n"
        "    test_b = test_a\n"
    )
    done = command(tmp_path, *args, "test_up")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("PASSED (successes=2)\n")


@pytest.mark.parametrize(
    ("args", "wait"),
    [
        ([], "time.sleep(30)"),
        ([], "await asyncio.sleep(30)"),
        (["--reactor=uvloop"], "await asyncio.sleep(30)"),
        (["-j2"], "await asyncio.sleep(30)"),
    ],
)
def test_an_interrupt_ends_the_run(tmp_path: Path, args: list[str], wait: str) -> None:
    whom = "os.getppid()" if "-j2" in args else "os.getpid()"
    (tmp_path / "test_long.py").write_text(
        "import asyncio, os, signal, time\n"
        "from reactorlib.trial import unittest\n"
        "class T(unittest.TestCase):\n"
        "    async def test_a(self):\n"
        f"        os.kill({whom}, signal.SIGINT)\n"
        f"        {wait}\n"
        "    def test_b(self): pass\n"
        "    test_c = test_a\n"
    )
    done = command(tmp_path, *args, "test_long", timeout=25)
    assert done.returncode == 1
    # Where there are several processes, another test may have been done meanwhile.
    assert re.search(r"\nINTERRUPTED( \(successes=1\))?\n\Z", done.stdout)
    assert "Traceback" not in done.stderr


def test_an_interrupt_in_one_of_the_processes_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "test_raising.py").write_text(
        "from reactorlib.trial import unittest\n"
        "class T(unittest.TestCase):\n"
        "    def test_a(self): raise KeyboardInterrupt\n"
        "    def test_b(self): pass\n"
    )
    done = command(tmp_path, "-j1", "test_raising")
    assert done.returncode == 1
    assert done.stdout.endswith("INTERRUPTED\n")
    assert "test_b" not in done.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--reporter", "nobody"], "Only pass names of Reporter plugins to --reporter"),
        (["--reactor", "select"], "there is no reactor 'select'"),
        (["--debug", "--debugger", "not_there", "os"], "'not_there' debugger could not be found"),
        (["--no-such-option"], "--no-such-option"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, args: list[str], message: str) -> None:
    done = command(tmp_path, *args)
    assert done.returncode == 1
    assert done.stderr.startswith("python -m reactorlib.trial: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_nobody_reads_on(suite: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer) as closed:
        done = command(suite, "test_suite", stdout=closed)
    assert (done.returncode, done.stderr) == (1, "")


def test_which_lines_are_run(suite: Path) -> None:
    done = command(suite, "--coverage", "test_suite.First.test_waits")
    assert done.returncode == 0
    covered = (suite / "_trial_temp/coverage/test_suite.cover").read_text()
    assert "    1:         return task.deferLater(reactor, 0, int)" in covered
    assert '>>>>>>         self.assertEqual("a", "b")' in covered


def test_without_arguments_there_is_help(tmp_path: Path) -> None:
    done = command(tmp_path)
    assert done.returncode == 0
    assert "--until-failure" in done.stdout


# -- options --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--jobs", "4", "--debug"], "You can't specify --debug when using --jobs"),
        (["--jobs", "4", "--profile"], "You can't specify --profile when using --jobs"),
        (["--jobs", "4", "--exitfirst"], "You can't specify --exitfirst when using --jobs"),
        (["--jobs", "many"], "Expecting integer argument to jobs, got 'many'"),
        (["--jobs", "0"], "strictly positive"),
        (["--order", "none"], "there is no order 'none': it is one of alphabetical, toptobottom"),
        (["--order", "alphabetical", "--random", "1"], "can't specify --random when using --order"),
        (["--random", "x"], "zero or a positive integer"),
        (["--random", "-1"], "zero or a positive integer"),
        (["--tbformat", "x"], "tbformat must be"),
        (["--recursionlimit", "x"], "argument to recursionlimit"),
    ],
)
def test_what_does_not_go_together(args: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parsed(*args)


@pytest.mark.parametrize(
    ("longOpt", "kind"),
    [
        ("verbose", reporter.TreeReporter),
        ("bwverbose", reporter.VerboseTextReporter),
        ("summary", reporter.MinimalReporter),
        ("text", reporter.TextReporter),
        ("timing", reporter.TimingTextReporter),
        ("subunit", reporter.SubunitReporter),
    ],
)
def test_reporters_are_chosen_by_name(longOpt: str, kind: Any) -> None:
    assert parsed("--reporter", longOpt)["reporter"] is kind


def test_a_reporter_of_another_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is an entry point of a package that is installed."""
    (tmp_path / "their_reporters.py").write_text(
        "from zope.interface import implementer\n"
        "from reactorlib.plugin import IPlugin\n"
        "from reactorlib.trial.itrial import IReporter\n"
        "from reactorlib.trial.reporter import Reporter\n"
        "class Theirs(Reporter): pass\n"
        "@implementer(IPlugin, IReporter)\n"
        "class _Plugin:\n"
        "    longOpt, description = 'theirs', 'made elsewhere'\n"
        "    module, klass = __name__, 'Theirs'\n"
        "plugin = _Plugin()\n"
    )
    info = tmp_path / "theirs-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[reactorlib.reporters]\ntheirs = their_reporters:plugin\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert parsed("--reporter", "theirs")["reporter"].__name__ == "Theirs"
    with pytest.raises(SystemExit):
        parsed("--help-reporters")
    assert "theirs       made elsewhere" in capsys.readouterr().out
    del sys.modules["their_reporters"]


def test_the_settings_of_the_runner() -> None:
    options = parsed("-e", "-x", "--force-gc", "--unclean-warnings", "--tbformat=emacs", "-lx.log")
    made = trial._makeRunner(options)
    assert (made.rterrors, made._exitFirst, made._forceGarbageCollection) == (1, 1, 1)
    assert (made.uncleanWarnings, made.tbformat, made.logfile) == (1, "brief", "x.log")
    assert made.workingDirectory == "_trial_temp"
    assert trial._makeRunner(parsed("-n", "-j3")).mode == runner.TrialRunner.DRY_RUN
    made = trial._makeRunner(parsed("-j3"))
    assert isinstance(made, DistTrialRunner)
    assert made._maxWorkers == 3


def test_as_many_processes_as_processors() -> None:
    assert parsed("-j", "auto")["jobs"] == trial._autoJobs() >= 1


def test_a_debugger_of_ones_own() -> None:
    made = trial._makeRunner(parsed("--debug", "--debugger", "pdb.Pdb"))
    assert made.mode == runner.TrialRunner.DEBUG
    assert made.debugger.__name__ == "Pdb"


def test_pdb_reads_pdbrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pdbrc").write_text("# from here\n")
    assert "# from here\n" in trial._makeRunner(parsed("--debug")).debugger.rcLines


@pytest.fixture
def default_loop() -> Iterator[None]:
    """What `--reactor` chooses is for this test only."""
    yield
    unittest.TestCase.loopFactory = None


@pytest.mark.parametrize(
    ("name", "kind"), [("asyncio", asyncio.AbstractEventLoop), ("uvloop", uvloop.Loop)]
)
def test_the_loop_is_chosen(default_loop: None, name: str, kind: type) -> None:
    seen: list[Any] = []

    class Case(unittest.TestCase):
        async def test_it(self) -> None:
            seen.append(asyncio.get_running_loop())

    assert parsed("--reactor", name)["reactor"] == name
    Case("test_it").run()
    assert isinstance(seen[0], kind)
    assert (type(seen[0]) is uvloop.Loop) is (name == "uvloop")


def test_a_module_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "some_module", sys)
    with pytest.warns(RuntimeWarning, match="Module 'some_module' already imported"):
        parsed("--without-module", "some_module,another_module")
    for name in ("some_module", "another_module"):
        with pytest.raises(ImportError):
            __import__(name)
    del sys.modules["another_module"]


def test_garbage_is_not_collected() -> None:
    try:
        parsed("--disablegc")
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_the_limit_of_recursion() -> None:
    before = sys.getrecursionlimit()
    try:
        parsed("--recursionlimit", "5000")
        assert sys.getrecursionlimit() == 5000
    finally:
        sys.setrecursionlimit(before)


def test_every_line_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.gettrace()
    try:
        options = trial.Options()
        options.opt_spew()
        options.coverdir()
    finally:
        sys.settrace(before)
    assert "method coverdir of reactorlib.scripts.trial.Options" in capsys.readouterr().out


# -- order ----------------------------------------------------------------------


class Ordered(unittest.TestCase):
    __test__ = False  # for pytest

    def test_one(self) -> None:
        pass

    def test_two(self) -> None:
        pass

    def test_four(self) -> None:
        pass

    def test_six(self) -> None:
        pass

    def test_eight(self) -> None:
        pass


def names(*args: str) -> list[str]:
    suite = trial._getSuite(parsed(*args, f"{__name__}.Ordered"))
    return [test.id().rpartition("_")[2] for test in _iterateTests(suite)]


def test_orders(capsys: pytest.CaptureFixture[str]) -> None:
    assert names("--order", "alphabetical") == ["eight", "four", "one", "six", "two"]
    assert names("--order", "toptobottom") == ["one", "two", "four", "six", "eight"]
    assert names("--random", "7") == names("--random", "7") != names("--random", "8")
    assert "Running tests shuffled with seed 7" in capsys.readouterr().out


def test_without_failures_tests_are_kept() -> None:
    assert trial._getLoader(parsed()).suiteFactory is runner.DestructiveTestSuite
    assert trial._getLoader(parsed("-u")).suiteFactory is runner.TestSuite


# -- the tests of a file --------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "variables"),
    [
        ("# -*- test-case-name: a.test_b -*-", {"test-case-name": "a.test_b"}),
        ("-*- test-case-name: a.test_b; -*-", {"test-case-name": "a.test_b"}),
        ("-*- a: b; c: d -*-", {"a": "b", "c": "d"}),
        ("nothing", None),
        ("-*- nothing -*-", None),
        ("-*- a: b: c -*-", None),
        ("-*- a: b", None),
    ],
)
def test_variables_of_a_file(line: str, variables: dict[str, str] | None) -> None:
    if variables is None:
        with pytest.raises(ValueError, match="variable"):
            _parseLocalVariables(line)
    else:
        assert _parseLocalVariables(line) == variables


def test_the_tests_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thing.py").write_text("#!/bin/sh\n# -*- test-case-name: a.test_b,a.test_c -*-\n")
    (tmp_path / "test_thing.py").write_text("")
    (tmp_path / "plain.py").write_text("")
    options = trial.Options()
    for name in ("thing.py", "test_thing.py", "plain.py"):
        options.opt_testmodule(str(tmp_path / name))
    assert options["tests"] == ["a.test_b", "a.test_c", str(tmp_path / "test_thing.py")]
    options.opt_testmodule("not_there.py")
    assert capsys.readouterr().err == "File 'not_there.py' doesn't exist\n"


def test_the_console_script_is_the_command() -> None:
    root = Path(trial.__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert pkgutil.resolve_name(project["scripts"]["reactor-trial"]) is trial.run


def test_importing_the_command_runs_nothing() -> None:
    main = importlib.import_module("reactorlib.trial.__main__")
    assert main.run is trial.run
