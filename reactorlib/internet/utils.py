"""
Run a program and await what it says; and leave some warnings out meanwhile.

Each function that runs a program takes the same arguments first:

- `executable`: its path, or its name to look for along this process's PATH;
- `args`: its arguments, without its name;
- `env`: its environment, empty unless given; None for this process's own;
- `path`: the folder it starts in; None for the current one;
- `reactor`: an `IReactorProcess`; None for the one of the loop that runs.

The Deferred fails with OSError if the program cannot be started. Cancelling it
kills the program.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

from reactorlib.internet import error
from reactorlib.internet.defer import Deferred, fail
from reactorlib.internet.protocol import ProcessProtocol
from reactorlib.python.failure import Failure

__all__ = [
    "KilledProcess",
    "UnexpectedErrorOutput",
    "getProcessOutput",
    "getProcessOutputAndValue",
    "getProcessValue",
    "runWithWarningsSuppressed",
    "suppressWarnings",
]

P = ParamSpec("P")
T = TypeVar("T")

_Environment = Mapping[Any, Any] | None
_EMPTY: Mapping[Any, Any] = MappingProxyType({})

#: The arguments of `warnings.filterwarnings`, by place and by name.
_Filter = tuple[Sequence[Any], Mapping[str, Any]]


class UnexpectedErrorOutput(OSError):
    """
    The program has written to its error output, where nothing was expected.

    Attributes:
        text: the first that it has written there.
        processEnded: a Deferred that fails when the program has ended, as
            `processEnded` has it: with `ProcessDone` or `ProcessTerminated`.
    """

    def __init__(self, text: bytes, processEnded: Deferred[None]) -> None:
        super().__init__(f"got stderr: {text!r}")
        self.text = text
        self.processEnded = processEnded


class KilledProcess(error.ProcessTerminated):
    """
    A signal has ended the program whose output was wanted.

    It unpacks as `out, err, signal`.

    Attributes:
        out, err: what it had written until then, in bytes.
        signal: the number of the signal.
    """

    def __init__(self, out: bytes, err: bytes, signal: int, status: int | None = None) -> None:
        super().__init__(None, signal, status)
        self.out = out
        self.err = err

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.out, self.err, self.signal, self.status)

    def __iter__(self) -> Iterator[Any]:
        return iter((self.out, self.err, self.signal))

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Any:
        return (self.out, self.err, self.signal)[index]


class _Run(ProcessProtocol):
    """One run of a program, for a Deferred."""

    def __init__(self) -> None:
        self.deferred: Deferred[Any] = Deferred(self._cancelled)
        self.out: list[bytes] = []
        self.err: list[bytes] = []

    def start(
        self,
        executable: bytes | str,
        args: Sequence[bytes | str],
        env: _Environment,
        path: bytes | str | None,
        reactor: Any,
    ) -> Deferred[Any]:
        if reactor is None:
            from reactorlib.internet import reactor
        try:
            reactor.spawnProcess(self, executable, (executable, *args), env, path)
        except OSError as exception:
            return fail(exception)
        return self.deferred

    def _cancelled(self, _: object) -> None:
        self.transport.loseConnection()
        try:
            self.transport.signalProcess("KILL")
        except error.ProcessExitedAlready:
            pass

    def outReceived(self, data: bytes) -> None:
        self.out.append(data)

    def errReceived(self, data: bytes) -> None:
        self.err.append(data)

    def processEnded(self, reason: Failure) -> None:
        if not self.deferred.called:
            self.over(reason.value)

    def over(self, reason: Any) -> None:
        """The program has ended: fire the Deferred."""
        raise NotImplementedError


class _Output(_Run):
    """What a program writes to its output."""

    _ended: Deferred[None] | None = None

    def errReceived(self, data: bytes) -> None:
        if self._ended is None and not self.deferred.called:
            self._ended = Deferred()
            self.deferred.errback(UnexpectedErrorOutput(data, self._ended))
            self.transport.loseConnection()

    def processEnded(self, reason: Failure) -> None:
        if self._ended is not None:
            self._ended.errback(reason)
        super().processEnded(reason)

    def over(self, reason: Any) -> None:
        self.deferred.callback(b"".join(self.out))


class _AllOutput(_Run):
    """What a program writes to its output and its error output, as it comes."""

    def errReceived(self, data: bytes) -> None:
        self.out.append(data)

    def over(self, reason: Any) -> None:
        self.deferred.callback(b"".join(self.out))


class _Value(_Run):
    """How a program exits."""

    def outReceived(self, data: bytes) -> None:
        pass

    def errReceived(self, data: bytes) -> None:
        pass

    def over(self, reason: Any) -> None:
        self.deferred.callback(reason.exitCode)


class _Everything(_Run):
    """What a program writes, and how it exits."""

    def __init__(self, stdin: bytes | None) -> None:
        super().__init__()
        self._stdin = stdin

    def connectionMade(self) -> None:
        if self._stdin is not None:
            self.transport.write(self._stdin)
            self.transport.closeStdin()

    def over(self, reason: Any) -> None:
        out, err = b"".join(self.out), b"".join(self.err)
        if reason.signal:
            self.deferred.errback(KilledProcess(out, err, reason.signal, reason.status))
        else:
            self.deferred.callback((out, err, reason.exitCode))


def getProcessOutput(
    executable: bytes | str,
    args: Sequence[bytes | str] = (),
    env: _Environment = _EMPTY,
    path: bytes | str | None = None,
    reactor: Any = None,
    errortoo: object = False,
) -> Deferred[bytes]:
    """
    Run a program for its output.

    Args:
        errortoo: whether what it writes to its error output counts as output.

    Returns:
        a Deferred that fires with all of it when the program has ended, however
        it does. Unless `errortoo`, it fails with `UnexpectedErrorOutput` as
        soon as there is any error output.
    """
    run = _AllOutput() if errortoo else _Output()
    return run.start(executable, args, env, path, reactor)


def getProcessValue(
    executable: bytes | str,
    args: Sequence[bytes | str] = (),
    env: _Environment = _EMPTY,
    path: bytes | str | None = None,
    reactor: Any = None,
) -> Deferred[int | None]:
    """
    Run a program for its exit code.

    Returns:
        a Deferred that fires with the code; with None if a signal has ended it.
    """
    return _Value().start(executable, args, env, path, reactor)


def getProcessOutputAndValue(
    executable: bytes | str,
    args: Sequence[bytes | str] = (),
    env: _Environment = _EMPTY,
    path: bytes | str | None = None,
    reactor: Any = None,
    stdinBytes: bytes | None = None,
) -> Deferred[tuple[bytes, bytes, int]]:
    """
    Run a program for its output, its error output and its exit code.

    Args:
        stdinBytes: all of its input; None to leave its input open and empty.

    Returns:
        a Deferred that fires with `(out, err, code)`, and fails with
        `KilledProcess` if a signal has ended it.
    """
    return _Everything(stdinBytes).start(executable, args, env, path, reactor)


def runWithWarningsSuppressed(
    suppressedWarnings: Sequence[_Filter], f: Callable[P, T], *a: P.args, **kw: P.kwargs
) -> T:
    """
    Call `f` with more warning filters; if it returns a Deferred, until that has a result.

    The filters are the whole process's: others see them meanwhile.

    Args:
        suppressedWarnings: arguments of `warnings.filterwarnings`, each as a
            sequence and a mapping.

    Returns:
        what `f` returns.
    """
    before = list(warnings.filters)
    added = []
    for args, kwargs in suppressedWarnings:
        warnings.filterwarnings(*args, **kwargs)
        added.append(warnings.filters[-1 if kwargs.get("append") else 0])

    def remove() -> None:
        for entry in added:
            if entry not in before and entry in warnings.filters:
                warnings.filters.remove(entry)  # type: ignore[attr-defined]  # it is a list

    def removed(result: object) -> object:
        remove()
        return result

    try:
        result = f(*a, **kw)
    except BaseException:
        remove()
        raise
    if isinstance(result, Deferred):
        result.addBoth(removed)
    else:
        remove()
    return result


def suppressWarnings(f: Callable[P, T], *suppressedWarnings: _Filter) -> Callable[P, T]:
    """`f`, called each time by `runWithWarningsSuppressed`."""

    @wraps(f)
    def suppressing(*a: P.args, **kw: P.kwargs) -> T:
        return runWithWarningsSuppressed(suppressedWarnings, f, *a, **kw)

    return suppressing
