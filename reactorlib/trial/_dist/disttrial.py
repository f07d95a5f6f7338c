"""
Runs tests in several processes.

The tests are loaded once; each worker is a fork of the process that has loaded them,
and is told by number which tests to run next. What its reporter is told comes back
when they are over, and is told to the real one. A worker that dies costs the test that
it was running, which is told so, and is replaced.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import unittest as pyunit
from collections.abc import Iterable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from reactorlib.python.failure import Failure
from reactorlib.trial._asyncrunner import _iterateTests
from reactorlib.trial._dist._record import Event, Recorder
from reactorlib.trial._suites import LoggedSuite, TestHolder, TrialSuite
from reactorlib.trial.runner import TrialRunner, _log_file, _working_directory

__all__ = ["DistTrialRunner", "WorkerDied"]


class WorkerDied(Exception):
    """The process that ran a test has ended before the test has."""


class DistTrialRunner(TrialRunner):
    """
    Runs tests in several processes.

    In the working directory each process has one of its own, named by a number: its
    log is there, and in `out.log` and `err.log` what its tests print.

    Args:
        reporterFactory, settings: as `TrialRunner`.
        maxWorkers: how many processes, at most.

    Raises:
        RuntimeError: processes cannot be forked here.
    """

    def __init__(self, reporterFactory: Any, *, maxWorkers: int, **settings: Any) -> None:
        super().__init__(reporterFactory, **settings)
        self._maxWorkers = maxWorkers
        if "fork" not in multiprocessing.get_all_start_methods():
            raise RuntimeError("tests cannot run in several processes here: there is no fork()")
        self._fork: Any = multiprocessing.get_context("fork")

    def _run_decorated(self, test: Any, force_garbage_collection: bool) -> Any:
        result = self._makeResult()
        units = _units(_iterateTests(TrialSuite([test], force_garbage_collection)))
        with _working_directory(self.workingDirectory):
            workers: dict[Connection, _Worker] = {}
            try:
                self._distribute(units, result, workers)
            except KeyboardInterrupt:
                result.stop()
            finally:
                for worker in workers.values():
                    worker.kill()
        result.done()
        return result

    def _distribute(
        self, units: Sequence[list[Any]], result: Any, workers: dict[Connection, _Worker]
    ) -> None:
        """Have all tests run, in order, and tell of them as they are over."""
        waiting = iter(range(len(units)))
        free = list(range(min(self._maxWorkers, len(units))))

        def start(number: int) -> None:
            unit = next(waiting, None)
            if unit is not None and not result.shouldStop:
                worker = _Worker(self, number, units)
                workers[worker.connection] = worker
                worker.run(unit)

        for number in free:
            start(number)
        while workers:
            for connection in wait(list(workers)):
                worker = workers[connection]  # type: ignore[index]  # these are the ones
                tests = units[worker.unit]
                try:
                    events = worker.connection.recv()
                except (EOFError, OSError):  # with what it was sent unread, or half a message
                    del workers[worker.connection]
                    self._tell_death(result, tests, worker.exit_status())
                    start(worker.number)
                    continue
                self._tell(result, tests, events)
                following = None if result.shouldStop else next(waiting, None)
                if following is None:
                    del workers[worker.connection]
                    worker.end()
                else:
                    worker.run(following)

    def _tell(self, result: Any, tests: Sequence[Any], events: Iterable[Event]) -> None:
        """Tell the result what the worker's was told."""
        for method, which, arguments in events:
            if method == "warning":
                self._log.msg(**arguments[0])
                continue
            if method == "stop":
                result.stop()
                continue
            if method == "took":
                # The time that has passed here is not the test's.
                getattr(result, "_began_before", id)(arguments[0])
                continue
            test = tests[which] if isinstance(which, int) else TestHolder(which)
            getattr(result, method)(test, *arguments)

    @staticmethod
    def _tell_death(result: Any, tests: Sequence[Any], status: int | None) -> None:
        how = f"signal {-status}" if status is not None and status < 0 else f"status {status}"
        for test in tests:
            result.startTest(test)
            result.addError(test, Failure(WorkerDied(f"its process has ended, with {how}")))
            result.stopTest(test)


def _units(tests: Iterable[Any]) -> list[list[Any]]:
    """
    What one process runs in one go: a test, or all that are set up together, as those of a
    class with a `setUpClass`.
    """
    units: list[list[Any]] = []
    last: object = None
    for test in tests:
        together = _set_up_together(test.__class__)  # which is not its type where it is decorated
        if together is not None and together == last:
            units[-1].append(test)
        else:
            units.append([test])
        last = together
    return units


def _set_up_together(cls: Any) -> object:
    if hasattr(sys.modules.get(cls.__module__), "setUpModule"):
        return cls.__module__
    own = getattr(getattr(cls, "setUpClass", None), "__func__", None)
    plain: Any = pyunit.TestCase.setUpClass
    return None if own in (None, plain.__func__) else cls


class _Worker:
    """
    A process that runs tests.

    Attributes:
        unit: the number of those that it was told to run last.
    """

    def __init__(self, runner: DistTrialRunner, number: int, units: Sequence[list[Any]]) -> None:
        self.number = number
        self.unit = -1
        self.connection, other = runner._fork.Pipe()
        self._process = runner._fork.Process(
            target=_work, args=(runner, number, units, other, self.connection), daemon=False
        )
        self._process.start()
        other.close()

    def run(self, unit: int) -> None:
        """Have it run those tests."""
        self.unit = unit
        try:
            self.connection.send(unit)
        except ConnectionError:
            pass  # it is dead, which reading from it will tell

    def end(self) -> None:
        """Let it end by itself."""
        try:
            self.connection.send(None)
        except ConnectionError:
            pass
        self._process.join()
        self.connection.close()

    def exit_status(self) -> int | None:
        """How it has ended: its status, or less than 0 for a signal."""
        self.connection.close()
        self._process.join()
        status: int | None = self._process.exitcode
        return status

    def kill(self) -> None:
        """End it at once."""
        self._process.terminate()
        self._process.join()
        self.connection.close()


def _work(
    runner: DistTrialRunner,
    number: int,
    units: Sequence[list[Any]],
    connection: Connection,
    parents: Connection,
) -> None:
    """What the process of a worker does: run tests by their numbers, until there are no more."""
    parents.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other process ends this one
    os.makedirs(str(number), exist_ok=True)
    os.chdir(str(number))
    for name, descriptor in (("out.log", 1), ("err.log", 2)):
        with open(name, "ab") as file:
            os.dup2(file.fileno(), descriptor)
    # The reporter is told in the other process, and not by the log of this one.
    for observer in getattr(runner._log, "theLogPublisher", runner._log).observers:
        runner._log.removeObserver(observer)
    with _log_file(runner.logfile, runner._log):
        while True:
            try:
                unit = connection.recv()
            except (EOFError, OSError):
                return  # the other process is dead
            if unit is None:
                return
            tests = units[unit]
            recorder = Recorder(tests)
            runner._log.addObserver(recorder.observe)
            try:
                LoggedSuite(tests).run(recorder)
            finally:
                runner._log.removeObserver(recorder.observe)
            sys.stdout.flush()
            connection.send(recorder.events)
