"""
Both ends of the pipe between a benchmark and the processes that it measures.

The child prints one line when it is ready, then answers each line on its stdin
with the CPU time that it has used, or with its memory. It ends when its stdin
closes, so nothing is left behind by a benchmark that was killed.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

#: Where `benchmarks` and `reactorlib` are imported from, in every interpreter.
ROOT = Path(__file__).resolve().parent.parent

#: A round takes seconds. A child that lives longer than this, in seconds, has stalled.
DEADLINE = 30.0


def environment() -> dict[str, str]:
    """
    Return the environment of measured processes.

    They may keep what they compile: what is installed has been compiled, too.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": str(ROOT)}


class ChildFailed(Exception):
    """A measured process did not do its work: it ended, stalled, or answered wrongly."""

    def __init__(self, command: Sequence[str], reason: str) -> None:
        super().__init__(f"{' '.join(command)}: {reason}")
        self.command = command
        self.reason = reason


class CPUTime(NamedTuple):
    """CPU seconds used by a process since it started."""

    user: float
    system: float


class Child:
    """
    A measured process, as the benchmark sees it. Use it as a context manager.

    Args:
        python: the interpreter.
        command: the module and its arguments, as after `python -m`.
        cpu: the CPU to pin the process to, or None to leave it where it is.
        deadline: the seconds after which it is stopped.
    """

    def __init__(
        self,
        python: str,
        command: Sequence[str],
        cpu: int | None = None,
        deadline: float = DEADLINE,
    ) -> None:
        self._command = command
        self._process = subprocess.Popen(
            [python, "-m", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        try:
            if cpu is not None:
                os.sched_setaffinity(self._process.pid, {cpu})
            self._watchdog = threading.Timer(deadline, self._process.kill)
            self._watchdog.daemon = True
            self._watchdog.start()
        except BaseException:  # an interrupt, for one: nothing is left behind
            self._process.kill()
            self._process.communicate()
            raise

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._watchdog.cancel()
        self._process.kill()
        self._process.communicate()

    def read_line(self) -> str:
        """
        Return the next line that the process prints.

        Raises:
            ChildFailed: it ended first, or was stopped at the deadline.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise ChildFailed(self._command, "ended or stalled")
        return line.rstrip("\n")

    def ask(self, question: str) -> str:
        """
        Send a line to the process and return the line that it answers with.

        Raises:
            ChildFailed: it has ended, or was stopped at the deadline.
        """
        assert self._process.stdin is not None
        try:
            print(question, file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise ChildFailed(self._command, "ended") from None
        return self.read_line()

    def cpu_time(self) -> CPUTime:
        """Ask the process how much CPU time it has used."""
        user, system = self.ask("cpu").split()
        return CPUTime(float(user), float(system))

    def memory(self) -> tuple[int, int]:
        """
        Ask the process how many bytes of memory it has.

        Returns:
            Those that are resident, and what `tracemalloc` knows of, if it traces.
        """
        resident, traced = self.ask("memory").split()
        return int(resident), int(traced)


def report(ready: object) -> None:
    """
    In the child: print `ready` and answer questions from now on, in a thread of its own.

    The thread waits in a system call between questions, so it costs the measured
    event loop nothing and is the same for every peer.
    """
    print(ready, flush=True)
    threading.Thread(target=_answer, daemon=True).start()


def _answer() -> None:
    import resource  # the benchmark's own process runs without it, on any platform

    for question in sys.stdin:
        if question == "memory\n":
            print(*_memory(), flush=True)
        else:
            usage = resource.getrusage(resource.RUSAGE_SELF)
            print(usage.ru_utime, usage.ru_stime, flush=True)
    os._exit(0)


def _memory() -> tuple[int, int]:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE"), tracemalloc.get_traced_memory()[0]
