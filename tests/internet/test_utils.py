"""Running a program for what it says, and leaving warnings out."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import warnings
from pathlib import Path
from typing import Any

import pytest

from reactorlib.internet import process, reactor, utils
from reactorlib.internet.defer import CancelledError, Deferred
from reactorlib.internet.error import ProcessDone, ProcessTerminated
from reactorlib.internet.utils import (
    KilledProcess,
    UnexpectedErrorOutput,
    getProcessOutput,
    getProcessOutputAndValue,
    getProcessValue,
    runWithWarningsSuppressed,
    suppressWarnings,
)

from ._process import SH, children, soon

pytestmark = pytest.mark.timeout(20)

BOTH = "printf out; printf err >&2; exit 3"


async def test_output() -> None:
    assert await getProcessOutput(SH, ["-c", "printf out; exit 3"]) == b"out"
    assert await getProcessOutput(b"/bin/echo", (b"x", "y")) == b"x y\n"
    size = 300_000
    assert await getProcessOutput("/usr/bin/head", ["-c", str(size), "/dev/zero"]) == bytes(size)


async def test_error_output_is_an_error() -> None:
    output = getProcessOutput(SH, ["-c", "echo out; echo err >&2; read x; exit 4"])
    with pytest.raises(OSError, match=r"got stderr: b'err\\n'") as caught:
        await soon(output)
    assert isinstance(caught.value, UnexpectedErrorOutput)
    assert caught.value.text == b"err\n"
    with pytest.raises(ProcessTerminated) as ended:
        await soon(caught.value.processEnded)
    assert ended.value.exitCode in (1, 4)


async def test_what_comes_after_error_output_is_ignored() -> None:
    output = getProcessOutput(SH, ["-c", "trap '' PIPE; echo err >&2; echo err >&2; exit 0"])
    with pytest.raises(UnexpectedErrorOutput) as caught:
        await soon(output)
    with pytest.raises((ProcessDone, ProcessTerminated)):
        await soon(caught.value.processEnded)


async def test_error_output_may_be_wanted() -> None:
    assert await getProcessOutput(SH, ["-c", "printf a; printf a >&2"], errortoo=True) == b"aa"


async def test_value() -> None:
    assert await getProcessValue(SH, ["-c", BOTH]) == 3
    assert await getProcessValue(SH, ["-c", "exit 0"]) == 0
    assert await getProcessValue(SH, ["-c", "kill -KILL $$"]) is None


async def test_output_and_value() -> None:
    assert await getProcessOutputAndValue(SH, ["-c", BOTH]) == (b"out", b"err", 3)
    data = bytes(range(256)) * 2000
    assert await getProcessOutputAndValue("/bin/cat", stdinBytes=data) == (data, b"", 0)
    assert await getProcessOutputAndValue("/bin/cat", stdinBytes=b"") == (b"", b"", 0)


async def test_a_signal_is_a_failure_with_what_there_was() -> None:
    with pytest.raises(KilledProcess) as caught:
        await getProcessOutputAndValue(SH, ["-c", "printf out; printf err >&2; kill -KILL $$"])
    killed = caught.value
    out, err, number = killed
    assert (out, err, number) == (b"out", b"err", signal.SIGKILL)
    assert len(killed) == 3
    assert killed[2] == killed.signal == signal.SIGKILL
    assert killed.exitCode is None
    assert killed.status is not None
    assert os.WTERMSIG(killed.status) == signal.SIGKILL
    copy = pickle.loads(pickle.dumps(killed))
    assert (*copy, copy.status, str(copy)) == (*killed, killed.status, str(killed))


@pytest.mark.parametrize("function", [getProcessOutput, getProcessValue, getProcessOutputAndValue])
async def test_arguments(function: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = 'test "$(pwd)" = "$1" && test "$A" = b && test "$2" = "" && printf fine'
    found = await function(
        SH, ["-c", script, "sh", str(tmp_path)], {"A": "b"}, str(tmp_path), reactor
    )
    assert found in (b"fine", 0, (b"fine", b"", 0))
    monkeypatch.setenv("A", "ours")
    script = 'test "$A" = "$1" && printf fine'
    for env, expected in (({}, ""), (None, "ours")):
        found = await function(SH, ["-c", script, "sh", expected], env)
        assert found in (b"fine", 0, (b"fine", b"", 0))


@pytest.mark.parametrize("function", [getProcessOutput, getProcessValue, getProcessOutputAndValue])
async def test_a_program_that_is_not_there_fails_the_deferred(function: Any) -> None:
    deferred = function("/no/such/program")
    with pytest.raises(FileNotFoundError):
        await deferred
    with pytest.raises(ValueError, match="NUL"):
        function("/bin/\0sh")


@pytest.mark.parametrize("function", [getProcessOutput, getProcessValue, getProcessOutputAndValue])
async def test_cancelling_kills_the_program(function: Any) -> None:
    before = children()
    deferred = function(SH, ["-c", "trap '' TERM HUP PIPE; read x; exec sleep 100"])
    assert children() - before
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await deferred
    while children() - before:
        await asyncio.sleep(0)
    deferred = function(SH, ["-c", "exit 0"])
    deferred.cancel()
    with pytest.raises(CancelledError):
        await deferred
    while children() - before:
        await asyncio.sleep(0)


async def test_cancelling_when_the_program_has_left_another_behind() -> None:
    before = set(process.reapProcessHandlers)
    deferred = getProcessOutputAndValue(SH, ["-c", "(read x <&3) 3<&0 & exit 0"])
    assert set(process.reapProcessHandlers) - before
    while set(process.reapProcessHandlers) - before:
        await asyncio.sleep(0)
    assert not deferred.called
    deferred.cancel()  # which closes its input, and so ends it
    with pytest.raises(CancelledError):
        await deferred


# -- warnings -----------------------------------------------------------------


def _filters(*texts: str) -> list[Any]:
    return [(("ignore", f".*{text}.*"), {}) for text in texts]


def _warn(text: str) -> str:
    warnings.warn(text, stacklevel=2)
    return text


def test_warnings_are_left_out_meanwhile() -> None:
    before = list(warnings.filters)
    assert runWithWarningsSuppressed(_filters("foo", "bar"), _warn, "a foo") == "a foo"
    with pytest.warns(UserWarning, match="a baz"):
        runWithWarningsSuppressed(_filters("foo", "bar"), _warn, text="a baz")
    assert list(warnings.filters) == before
    with pytest.warns(UserWarning, match="a foo"):
        _warn("a foo")


def test_an_error_ends_it() -> None:
    def broken() -> None:
        raise KeyboardInterrupt

    before = list(warnings.filters)
    with pytest.raises(KeyboardInterrupt):
        runWithWarningsSuppressed(_filters("foo"), broken)
    assert list(warnings.filters) == before


@pytest.mark.parametrize("fails", [False, True])
def test_until_a_deferred_has_a_result(fails: bool) -> None:
    before = list(warnings.filters)
    result: Deferred[int] = Deferred()
    assert runWithWarningsSuppressed(_filters("foo"), lambda: result) is result
    _warn("a foo")
    if fails:
        result.errback(ZeroDivisionError())
        result.addErrback(lambda failure: failure.trap(ZeroDivisionError))
    else:
        result.callback(3)
        assert result.result == 3
    assert list(warnings.filters) == before


def test_overlapping() -> None:
    """The one does not end the other's."""
    before = list(warnings.filters)
    first: Deferred[None] = Deferred()
    second: Deferred[None] = Deferred()
    runWithWarningsSuppressed(_filters("foo"), lambda: first)
    runWithWarningsSuppressed([*_filters("foo"), *_filters("bar")], lambda: second)
    first.callback(None)
    _warn("a bar")
    second.callback(None)
    assert [f for f in warnings.filters if f not in before] == []


def test_a_filter_that_was_there_stays() -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*foo.*")
        before = sorted(map(str, warnings.filters))
        runWithWarningsSuppressed(_filters("foo"), _warn, "a foo")
        assert sorted(map(str, warnings.filters)) == before
        last = [(("ignore", ".*last.*"), {"append": True})]
        runWithWarningsSuppressed(last, lambda: None)
        assert sorted(map(str, warnings.filters)) == before


def test_suppressing_at_each_call() -> None:
    quiet = suppressWarnings(_warn, (("ignore",), {"message": ".*foo.*"}))
    assert quiet.__name__ == "_warn"
    assert quiet("a foo") == "a foo"
    with pytest.warns(UserWarning, match="a bar"):
        quiet("a bar")


def test_what_is_public() -> None:
    for name in utils.__all__:
        assert getattr(utils, name).__doc__
