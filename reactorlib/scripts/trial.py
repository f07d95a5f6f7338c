"""
The command that runs tests: `reactor-trial`, or `python -m reactorlib.trial`.

It finds tests by the name of a package, module, class or method, or of a file; runs
them, each with a loop and a reactor of its own, in a working directory `_trial_temp`;
and ends with status 0 if all have passed.
"""

from __future__ import annotations

import asyncio
import gc
import os
import pdb
import random
import sys
import time
import trace
import warnings
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

from reactorlib import plugin
from reactorlib.internet import defer
from reactorlib.internet._loops import uvloop_factory
from reactorlib.python import failure, reflect, usage
from reactorlib.python.filepath import FilePath
from reactorlib.python.util import spewer
from reactorlib.trial import itrial, runner, unittest
from reactorlib.trial._dist.disttrial import DistTrialRunner
from reactorlib.trial._order import (
    _maybeFindSourceLine,
    _parseLocalVariables,  # noqa: F401
    getTestModules,
    isTestFile,
    loadLocalVariables,
)

__all__ = ["Options", "getTestModules", "isTestFile", "loadLocalVariables", "run"]

#: What `--tbformat` may be, and what a reporter calls it.
TBFORMAT_MAP = {
    "plain": "default",
    "default": "default",
    "emacs": "brief",
    "brief": "brief",
    "cgitb": "verbose",
    "verbose": "verbose",
}

#: What `--order` may be: what it means, and what tests are sorted by.
_runOrders: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "alphabetical": (
        "alphabetical order for test methods, arbitrary order for test cases",
        runner.name,
    ),
    "toptobottom": (
        "attempt to run test cases and methods in the order they were defined",
        _maybeFindSourceLine,
    ),
}


class _DebuggerNotFound(Exception):
    """There is no debugger of the name that was asked for."""


def _autoJobs() -> int:
    """How many processors there are for this process; 1 if that cannot be told."""
    count = getattr(os, "process_cpu_count", None)
    affinity = getattr(os, "sched_getaffinity", None)
    if count is not None:
        return count() or 1
    if affinity is not None and affinity(0):
        return len(affinity(0))
    return os.cpu_count() or 1


#: What `--reactor` may be: what it is, and what finds the maker of its loops.
_REACTORS: dict[str, tuple[str, Callable[[], Callable[[], asyncio.AbstractEventLoop]]]] = {
    "asyncio": ("asyncio's own loop, the default", lambda: asyncio.new_event_loop),
    "uvloop": ("uvloop's loop, which is faster", uvloop_factory),
}


class Options(usage.Options):
    """
    What the command line says; in its `tests`, the names of tests.

    Attributes:
        tracer: what finds out which lines are run, with `--coverage`.
    """

    program = "trial"
    longdesc = (
        "Loads tests from modules, packages, classes and files, and runs them. Each test has "
        "an asyncio loop, and a reactor, of its own."
    )

    optFlags: ClassVar[Any] = [
        ["debug", "b", "Run tests in a debugger; pdb reads '.pdbrc' of this directory."],
        ["debug-stacktraces", "B", "Report Deferred creation and callback stack traces"],
        ["dry-run", "n", "do everything but run the tests"],
        ["exitfirst", "x", "Exit after the first non-successful result"],
        ["force-gc", None, "Run gc.collect() before and after each test case."],
        ["no-recurse", "N", "Don't recurse into packages"],
        ["nopm", None, "don't automatically jump into debugger for postmorteming of exceptions"],
        ["profile", None, "Run tests under the Python profiler, which writes profile.data"],
        ["rterrors", "e", "realtime errors, print out tracebacks as soon as they occur"],
        ["unclean-warnings", None, "Turn dirty reactor errors into warnings"],
        ["until-failure", "u", "Repeat test until it fails"],
    ]

    optParameters: ClassVar[Any] = [
        ["debugger", None, "pdb", "The full name of a debugger to use if --debug is passed"],
        ["logfile", "l", "test.log", "log file name"],
        ["order", "o", None, "In which order tests are run; --help-orders lists them."],
        ["random", "z", None, "Run tests in random order using the specified seed; 0 for any."],
        ["reporter", None, "verbose", "Who is told of the tests; --help-reporters lists them."],
        ["temp-directory", None, "_trial_temp", "Path to use as working directory for tests."],
    ]

    compData = usage.Completions(
        optActions={
            "order": usage.CompleteList(list(_runOrders)),
            "reactor": usage.CompleteList(list(_REACTORS)),
            "logfile": usage.CompleteFiles("*.log"),
        },
        extraActions=[usage.CompleteFiles("*.py", descr="file | module | package", repeat=True)],
    )

    tracer: trace.Trace | None = None

    def __init__(self) -> None:
        super().__init__()
        self["tests"] = []
        self["tbformat"] = "default"
        self["jobs"] = None

    def getSynopsis(self) -> str:
        """How the command is used, in a line."""
        return (
            f"Usage: {os.path.basename(sys.argv[0])} [options] "
            "[[file|package|module|TestCase|testmethod]...]"
        )

    opt_h = usage.Options.opt_help

    # -- options that do something as they are read ----------------------------

    def coverdir(self) -> FilePath[str]:
        """The directory for what `--coverage` finds."""
        directory: Any = FilePath(self["temp-directory"]).child("coverage")
        print(f"Setting coverage directory to {directory.path}.")
        found: FilePath[str] = directory
        return found

    def opt_coverage(self) -> None:
        """Write which lines are run into the directory `coverage` of the working directory."""
        self.tracer = trace.Trace(count=True, trace=False)
        sys.settrace(self.tracer.globaltrace)
        self["coverage"] = True

    def opt_testmodule(self, filename: str) -> None:
        """Filename to grep for test cases (-*- test-case-name)."""
        if not os.path.isfile(filename):
            sys.stderr.write(f"File {filename!r} doesn't exist\n")
            return
        filename = os.path.abspath(filename)
        if isTestFile(filename):
            self["tests"].append(filename)
        else:
            self["tests"].extend(getTestModules(filename))

    def opt_spew(self) -> None:
        """Print every call that is made. Useful when debugging freezes or locks."""
        sys.settrace(spewer)

    def opt_help_orders(self) -> NoReturn:
        """Help on available test running orders"""
        print("Tests can be run in one of these orders, with --order=<foo>.\n")
        for order, (description, _) in _runOrders.items():
            print(f"    {order:<12} {description}")
        sys.exit(0)

    def opt_help_reporters(self) -> NoReturn:
        """Help on available output plugins (reporters)"""
        print("How tests went is told to one of these, with --reporter=<foo>.\n")
        for each in plugin.getPlugins(itrial.IReporter):
            print(f"    {each.longOpt:<12} {each.description}")
        sys.exit(0)

    def opt_help_reactors(self) -> NoReturn:
        """Display a list of possibly available reactor names."""
        for reactor, (description, find) in _REACTORS.items():
            try:
                find()
            except ImportError as error:
                print(f"    !{reactor:<11} {description} ({error})")
            else:
                print(f"    {reactor:<12} {description}")
        sys.exit(0)

    def opt_reactor(self, shortName: str) -> None:
        """Which reactor to use (see --help-reactors for a list of possibilities)"""
        if shortName not in _REACTORS:
            raise usage.UsageError(
                f"there is no reactor {shortName!r}; --help-reactors lists those that there are"
            )
        try:
            factory = _REACTORS[shortName][1]()
        except ImportError as error:
            raise usage.UsageError(
                f"the reactor {shortName!r} cannot be used here: {error}"
            ) from error
        unittest.TestCase.loopFactory = factory
        self["reactor"] = shortName

    opt_r = opt_reactor

    def opt_disablegc(self) -> None:
        """Disable the garbage collector"""
        self["disablegc"] = True
        gc.disable()

    def opt_tbformat(self, opt: str) -> None:
        """How tracebacks look: 'plain', 'emacs' for a line a frame, 'cgitb' for variables"""
        try:
            self["tbformat"] = TBFORMAT_MAP[opt]
        except KeyError:
            raise usage.UsageError("tbformat must be 'plain', 'emacs', or 'cgitb'.") from None

    def opt_recursionlimit(self, arg: str) -> None:
        """see sys.setrecursionlimit()"""
        try:
            sys.setrecursionlimit(int(arg))
        except (TypeError, ValueError, RecursionError) as error:
            raise usage.UsageError(f"argument to recursionlimit: {error}") from None
        self["recursionlimit"] = int(arg)

    def opt_without_module(self, option: str) -> None:
        """Fake the lack of the specified modules, separated with commas."""
        self["without-module"] = option
        for module in option.split(","):
            if module in sys.modules:
                warnings.warn(
                    f"Module {module!r} already imported, disabling anyway.",
                    category=RuntimeWarning,
                    stacklevel=1,
                )
            sys.modules[module] = None  # type: ignore[assignment]  # which is how it is lacking

    def opt_jobs(self, number: str) -> None:
        """Number of processes to run tests in, or 'auto' for one for each available CPU."""
        if number == "auto":
            self["jobs"] = _autoJobs()
            return
        try:
            jobs = int(number)
        except ValueError:
            raise usage.UsageError(f"Expecting integer argument to jobs, got {number!r}") from None
        if jobs <= 0:
            raise usage.UsageError("Argument to jobs must be a strictly positive integer or 'auto'")
        self["jobs"] = jobs

    opt_j = opt_jobs

    # -- what they mean together ------------------------------------------------

    def parseArgs(self, *args: str) -> None:
        """The names of tests."""
        self["tests"].extend(args)

    def postOptions(self) -> None:
        """Check, and find, what was chosen by name."""
        if self["order"] is not None:
            if self["order"] not in _runOrders:
                raise usage.UsageError(
                    f"there is no order {self['order']!r}: "
                    f"it is one of {', '.join(sorted(_runOrders))}"
                )
            if self["random"] is not None:
                raise usage.UsageError("You can't specify --random when using --order")
        if self["random"] is not None:
            self["random"] = self._seed(self["random"])
        if self["jobs"]:
            for flag in ("debug", "profile", "debug-stacktraces", "exitfirst"):
                if self[flag]:
                    raise usage.UsageError(f"You can't specify --{flag} when using --jobs")
            if self.tracer is not None:
                raise usage.UsageError("You can't specify --coverage when using --jobs")
        self["reporter"] = self._reporter(self["reporter"])

    @staticmethod
    def _seed(text: Any) -> int:
        try:
            seed = int(text)
        except ValueError:
            seed = -1
        if seed < 0:
            raise usage.UsageError("Argument to --random must be zero or a positive integer")
        return seed or int(time.time() * 100)

    @staticmethod
    def _reporter(longOpt: Any) -> Any:
        for each in plugin.getPlugins(itrial.IReporter):
            if each.longOpt == longOpt:
                return reflect.namedAny(f"{each.module}.{each.klass}")
        raise usage.UsageError(
            "Only pass names of Reporter plugins to --reporter. See --help-reporters for more info."
        )


def _initialDebugSetup(config: Options) -> None:
    """What has to be there before tests are imported."""
    if config["debug"] and not config["nopm"]:
        failure.startDebugMode()
    if config["debug-stacktraces"]:
        defer.setDebugging(True)


def _getLoader(config: Options) -> runner.TestLoader:
    """What finds tests, in the order that was asked for."""
    loader = runner.TestLoader()
    if config["random"]:
        randomer = random.Random(config["random"])
        loader.sorter = lambda _: randomer.random()
        print(f"Running tests shuffled with seed {config['random']}\n")
    elif config["order"]:
        _, loader.sorter = _runOrders[config["order"]]
    if not config["until-failure"]:
        loader.suiteFactory = runner.DestructiveTestSuite
    return loader


def _getSuite(config: Options) -> Any:
    """The tests that were asked for."""
    return _getLoader(config).loadByNames(config["tests"], not config["no-recurse"])


def _wrappedPdb() -> pdb.Pdb:
    """A pdb that reads `pdbrc` of this directory, as it reads `.pdbrc` by itself."""
    debugger = pdb.Pdb()
    if os.path.exists("pdbrc"):
        with open("pdbrc", encoding="utf-8") as file:
            debugger.rcLines.extend(file.readlines())
    return debugger


def _makeRunner(config: Options) -> Any:
    """
    What runs tests as was asked for.

    Raises:
        _DebuggerNotFound: there is no such debugger.
    """
    settings: dict[str, Any] = {
        "reporterFactory": config["reporter"],
        "tracebackFormat": config["tbformat"],
        "realTimeErrors": config["rterrors"],
        "uncleanWarnings": config["unclean-warnings"],
        "logfile": config["logfile"],
        "workingDirectory": config["temp-directory"],
        "forceGarbageCollection": config["force-gc"],
        "profile": config["profile"],
        "exitFirst": config["exitfirst"],
    }
    if config["dry-run"]:
        settings["mode"] = runner.TrialRunner.DRY_RUN
    elif config["debug"]:
        settings["mode"] = runner.TrialRunner.DEBUG
        if config["debugger"] == "pdb":
            settings["debugger"] = _wrappedPdb()
        else:
            try:
                settings["debugger"] = reflect.namedAny(config["debugger"])
            except reflect.ModuleNotFound:
                raise _DebuggerNotFound(
                    f"{config['debugger']!r} debugger could not be found."
                ) from None
    if config["jobs"] and not config["dry-run"]:
        return DistTrialRunner(maxWorkers=config["jobs"], **settings)
    return runner.TrialRunner(**settings)


def run() -> NoReturn:
    """Run what the command line says, and end the process."""
    if len(sys.argv) == 1:
        sys.argv.append("--help")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)  # which `python -m` does by itself
    config = Options()
    try:
        config.parseOptions()
    except usage.error as error:
        raise SystemExit(f"{sys.argv[0]}: {error}") from None
    _initialDebugSetup(config)
    try:
        trialRunner = _makeRunner(config)
    except _DebuggerNotFound as error:
        raise SystemExit(f"{sys.argv[0]}: {error}") from None
    suite = _getSuite(config)
    run_suite = trialRunner.runUntilFailure if config["until-failure"] else trialRunner.run
    try:
        result = run_suite(suite)
    except BrokenPipeError:
        # Nobody reads on, as with `| head`. Nor is what is left to be written at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    if config.tracer is not None:
        sys.settrace(None)
        config.tracer.results().write_results(
            show_missing=True, summary=False, coverdir=config.coverdir().path
        )
    # Told to stop by nobody but the user, it has not succeeded either.
    sys.exit(not result.wasSuccessful() or bool(result.shouldStop))
