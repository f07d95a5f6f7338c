"""What test cases have in common, and what their users set."""

from __future__ import annotations

import cProfile
import functools
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ParamSpec, TextIO, TypeVar

from reactorlib.python.failure import Failure
from reactorlib.python.filepath import FilePath
from reactorlib.python.lockfile import FilesystemLock

__all__ = [
    "DEFAULT_TIMEOUT_DURATION",
    "DirtyReactorAggregateError",
    "acquireAttribute",
    "excInfoOrFailureToExcInfo",
    "openTestLog",
    "profiled",
    "suppress",
]

#: How long a test may take, in seconds, unless it says otherwise.
DEFAULT_TIMEOUT_DURATION = 120.0

_NOTHING = object()

_P = ParamSpec("_P")
_T = TypeVar("_T")


class DirtyReactorAggregateError(Exception):
    """
    A test has left something behind in its reactor.

    Attributes:
        delayedCalls: the calls still to come.
        selectables: what else: ports, connections, tasks, threads.
    """

    def __init__(self, delayedCalls: Iterable[object], selectables: Iterable[object] = ()) -> None:
        self.delayedCalls = list(delayedCalls)
        self.selectables = list(selectables or ())
        super().__init__(self.delayedCalls, self.selectables)

    def __str__(self) -> str:
        text = "Reactor was unclean."
        if self.delayedCalls:
            text += (
                "\nDelayedCalls: (set reactorlib.internet.base.DelayedCall.debug = True to debug)\n"
            )
            text += "\n".join(map(str, self.delayedCalls))
        if self.selectables:
            text += "\nSelectables:\n" + "\n".join(map(str, self.selectables))
        return text


def acquireAttribute(objects: Sequence[object], attr: str, default: Any = _NOTHING) -> Any:
    """
    An attribute of the first of several objects that has it.

    Raises:
        AttributeError: none has it, and there is no default.
    """
    for candidate in objects:
        if hasattr(candidate, attr):
            return getattr(candidate, attr)
    if default is _NOTHING:
        raise AttributeError(f"none of {list(objects)!r} has an attribute {attr!r}")
    return default


def excInfoOrFailureToExcInfo(err: Any) -> tuple[Any, Any, Any]:
    """Turn a Failure into a type, value and traceback; leave those as they are."""
    if isinstance(err, Failure):
        return err.type, err.value, err.getTracebackObject()
    return err  # type: ignore[no-any-return]  # as documented


def suppress(action: str = "ignore", **kwarg: Any) -> tuple[tuple[str], dict[str, Any]]:
    """
    What to do with some warnings, for the attribute `suppress` of a test.

    A test method, its class and its module may have a list of these as `suppress`;
    the list of the method, if there is one, stands for all of them.

    Args:
        action: as `warnings.filterwarnings` takes it.
        kwarg: the rest of its arguments: `message`, `category`, `module`.
    """
    return (action,), kwarg


@contextmanager
def suppressed(filters: Iterable[tuple[tuple[Any, ...], dict[str, Any]]]) -> Iterator[None]:
    """Have warnings go by some more filters, as `suppress` returns them."""
    with warnings.catch_warnings():
        for args, kw in filters:
            warnings.filterwarnings(*args, **kw)
        yield


class _NoTrialMarker(Exception):
    """A directory was not made by a test run, and so is not removed."""


class _WorkingDirectoryBusy(Exception):
    """A directory that was asked for is in use by another test run."""


#: The file that says that a directory was made by a test run.
_MARKER = "_trial_marker"

#: The name of a working directory beside which another may be made.
_WORKING_DIRECTORY = "_trial_temp"


def _removeSafely(path: Any) -> None:
    """
    Remove the working directory of a test run; move it out of the way if that fails.

    Raises:
        _NoTrialMarker: no test run has made it.
    """
    marker = _MARKER.encode() if isinstance(path.path, bytes) else _MARKER
    if not path.child(marker).exists():
        raise _NoTrialMarker(
            f"{path!r} is not a working directory of tests, refusing to remove it: "
            f"there is no {_MARKER} in it"
        )
    try:
        path.remove()
    except OSError as error:
        print("could not remove FilePath, moving it instead:", path.path, error)
        suffix = f"-{os.getpid()}-{time.time_ns()}"
        name = path.basename()
        path.moveTo(path.sibling(name + (suffix.encode() if isinstance(name, bytes) else suffix)))


def _unusedTestDirectory(base: FilePath[str]) -> tuple[FilePath[str], FilesystemLock]:
    """
    Make a new working directory, in place of one that an earlier run has left.

    Returns:
        the directory, and its lock, which is held.

    Raises:
        _WorkingDirectoryBusy: it is in use, and its name is one that was asked for.
        _NoTrialMarker: there is one that no test run has made.
    """
    number = 0
    directory: Any = base
    os.makedirs(base.dirname(), exist_ok=True)
    while True:
        lock = FilesystemLock(directory.path + ".lock")
        if lock.lock():
            break
        if base.basename() != _WORKING_DIRECTORY:
            raise _WorkingDirectoryBusy(f"{directory.path} is in use by another test run")
        number += 1
        directory = base.sibling(f"{_WORKING_DIRECTORY}-{number}")
    try:
        if directory.exists():
            _removeSafely(directory)
        directory.makedirs()
        directory.child(_MARKER).setContent(b"")
    except BaseException:
        lock.unlock()
        raise
    return directory, lock


def openTestLog(path: FilePath[Any]) -> TextIO:
    """Open the log of a test run, to write at its end; its directory is made."""
    os.makedirs(path.dirname() or ".", exist_ok=True)
    return open(path.path, "a", encoding="utf-8", errors="strict")


def profiled(f: Callable[_P, _T], outputFile: str) -> Callable[_P, _T]:
    """
    Make a function that runs under the profiler.

    Args:
        outputFile: where what it has found is written, for `pstats`.
    """

    @functools.wraps(f)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        profile = cProfile.Profile()
        try:
            return profile.runcall(f, *args, **kwargs)
        finally:
            profile.dump_stats(outputFile)

    return run
