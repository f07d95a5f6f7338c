"""A program that has an end."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from reactorlib.internet import reactor
from reactorlib.internet.defer import CancelledError, Deferred, fail, succeed
from reactorlib.internet.error import ReactorAlreadyRunning
from reactorlib.internet.task import deferLater, react

variable: ContextVar[str] = ContextVar("variable", default="nothing")


class Boom(Exception):
    pass


@pytest.fixture
def status_of(loop_factory: Any) -> Callable[..., Any]:
    """Runs a program, and gives its exit status."""

    def run(main: Callable[..., Any], *argv: object) -> Any:
        with pytest.raises(SystemExit) as exit:
            react(main, argv, loop_factory=loop_factory)
        return exit.value.code

    return run


def errors_in(caplog: pytest.LogCaptureFixture) -> list[Any]:
    return [
        record.exc_info[1]
        for record in caplog.records
        if record.levelno >= logging.ERROR and record.exc_info
    ]


async def waits(reactor: Any) -> None:
    await asyncio.sleep(0)
    await deferLater(reactor, 0)


def fires(reactor: Any) -> Deferred[None]:
    return deferLater(reactor, 0)


def has_fired(reactor: Any) -> Deferred[None]:
    return succeed(None)


async def is_over(reactor: Any) -> None:
    pass


@pytest.mark.parametrize("main", [waits, fires, has_fired, is_over])
def test_the_status_of_success_is_0(
    status_of: Any, main: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert status_of(main) == 0
    assert caplog.records == []


def test_main_is_called_in_the_loop_with_its_arguments(status_of: Any, loop_factory: Any) -> None:
    seen: list[Any] = []

    def main(*args: Any) -> Deferred[None]:
        seen.append((asyncio.get_running_loop().is_running(), args, variable.get()))
        return succeed(None)

    token = variable.set("of react")
    status_of(main, 1, "two")
    variable.reset(token)
    ((running, (given, *others), value),) = seen
    assert running
    assert given.callLater  # a reactor
    assert others == [1, "two"]
    assert value == "of react"


async def raises_later(reactor: Any) -> None:
    await asyncio.sleep(0)
    raise Boom


def raises_at_once(reactor: Any) -> Deferred[None]:
    raise Boom


def has_failed(reactor: Any) -> Deferred[None]:
    return fail(Boom())


@pytest.mark.parametrize("main", [raises_later, raises_at_once, has_failed])
def test_a_failure_is_told_once_and_is_status_1(
    status_of: Any, main: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert status_of(main) == 1
    assert [type(error) for error in errors_in(caplog)] == [Boom]
    assert "main function encountered error" in caplog.text


async def exits(reactor: Any, status: Any) -> None:
    await asyncio.sleep(0)
    sys.exit(status)


def exits_at_once(reactor: Any, status: Any) -> Deferred[None]:
    sys.exit(status)


def fails_with_exit(reactor: Any, status: Any) -> Deferred[None]:
    return fail(SystemExit(status))


@pytest.mark.parametrize("main", [exits, exits_at_once, fails_with_exit])
@pytest.mark.parametrize("status", [0, 23, None, "what is wrong"])
def test_SystemExit_decides_the_status(
    status_of: Any, main: Any, status: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert status_of(main, status) == status
    assert caplog.records == []


def test_SystemExit_ends_the_reactor_in_good_order(status_of: Any) -> None:
    told: list[str] = []

    async def main(reactor: Any) -> None:
        reactor.addSystemEventTrigger("before", "shutdown", told.append, "before")
        sys.exit(3)

    assert status_of(main) == 3
    assert told == ["before"]


@pytest.mark.parametrize("main", [lambda reactor: None, lambda reactor: 5])
def test_main_has_to_give_something_to_wait_for(
    status_of: Any, main: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert status_of(main) == 1
    (error,) = errors_in(caplog)
    assert isinstance(error, TypeError)
    assert "returns a Deferred or a coroutine" in str(error)


def test_KeyboardInterrupt_goes_through(loop_factory: Any) -> None:
    async def main(reactor: Any) -> None:
        await asyncio.sleep(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        react(main, loop_factory=loop_factory)


# -- the reactor is stopped first ---------------------------------------------


@pytest.mark.parametrize("kind", ["Deferred", "coroutine", "asyncio"])
def test_stopping_the_reactor_cancels_main(
    status_of: Any, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []

    def as_deferred(reactor: Any) -> Deferred[None]:
        reactor.callLater(0, reactor.stop)
        return Deferred(lambda _: told.append("cancelled"))

    async def as_coroutine(reactor: Any) -> None:
        reactor.callLater(0, reactor.stop)
        try:
            await (asyncio.sleep(60) if kind == "asyncio" else deferLater(reactor, 60))
        except CancelledError:
            told.append("cancelled")
            raise

    assert status_of(as_deferred if kind == "Deferred" else as_coroutine) == 0
    assert told == ["cancelled"]
    assert caplog.records == []


def test_what_main_does_when_it_is_cancelled_counts(
    status_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(reactor: Any, end: BaseException) -> None:
        reactor.callLater(0, reactor.stop)
        try:
            await Deferred()
        finally:
            raise end

    assert status_of(main, SystemExit(130)) == 130
    assert status_of(main, Boom()) == 1
    assert [type(error) for error in errors_in(caplog)] == [Boom]


def test_main_may_end_while_the_reactor_stops(status_of: Any) -> None:
    async def main(reactor: Any) -> None:
        finished: Deferred[None] = Deferred()
        reactor.addSystemEventTrigger("during", "shutdown", finished.callback, None)
        reactor.callLater(0, reactor.stop)
        await finished

    async def stops(reactor: Any) -> None:
        reactor.stop()

    assert status_of(main) == status_of(stops) == 0


def test_a_cancellation_of_its_own_is_a_failure(
    status_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(reactor: Any) -> None:
        d: Deferred[None] = Deferred()
        d.cancel()
        await d

    assert status_of(main) == 1
    assert [type(error) for error in errors_in(caplog)] == [CancelledError]


SIGNALLED = """
import asyncio, os, signal, sys
from reactorlib.internet.defer import Deferred
from reactorlib.internet.task import react
if sys.argv[1] == "uvloop":
    import uvloop as loops
else:
    import asyncio as loops

async def main(reactor):
    reactor.callLater(0, os.kill, os.getpid(), signal.{name})
    try:
        await Deferred()
    finally:
        print("cleaned up", flush=True)
        {at_end}

react(main, loop_factory=loops.new_event_loop)
"""


def ended_by(name: str, loop: str, at_end: str = "pass") -> tuple[int, str, str]:
    """How a program ends that has sent itself a signal: its status, and what it says."""
    program = SIGNALLED.format(name=name, at_end=at_end)
    ended = subprocess.run(
        [sys.executable, "-c", program, loop], capture_output=True, text=True, timeout=20
    )
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_the_program_in_good_order(name: str, loop: str) -> None:
    assert ended_by(name, loop) == (0, "cleaned up\n", "")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_main_may_show_the_signal_in_the_status(loop: str) -> None:
    at_end = "sys.exit(128 + signal.SIGTERM)"
    assert ended_by("SIGTERM", loop, at_end) == (143, "cleaned up\n", "")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_second_signal_ends_the_program_as_it_ends_any_other(loop: str) -> None:
    """While `main` cleans up, which takes for ever."""
    at_end = (
        "from reactorlib.internet._reactor import _signals; _signals._SAME_SIGNAL = 0; "
        "reactor._loop.call_soon(os.kill, os.getpid(), signal.SIGTERM); "
        "await asyncio.Event().wait()"
    )
    status, said, _ = ended_by("SIGTERM", loop, at_end)
    assert (status, said) == (-15, "cleaned up\n")


def test_an_error_is_seen_on_stderr() -> None:
    """With nothing set up for logging, as in a small program."""
    program = """
from reactorlib.internet.task import react

async def main(reactor, what):
    raise ValueError(what)

react(main, ["of no use"])
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("ValueError: of no use") == 1
    assert "in main\n" in ended.stderr


# -- where it cannot work -----------------------------------------------------


async def test_a_loop_that_runs_is_no_place_for_it() -> None:
    called: list[object] = []

    async def main(reactor: Any) -> None:
        called.append(reactor)

    with pytest.raises(ReactorAlreadyRunning, match=r"await main\(reactor\)"):
        react(main)
    assert called == []


def test_it_can_be_used_again(status_of: Any) -> None:
    assert status_of(is_over) == 0
    assert status_of(exits, 2) == 2
    assert status_of(is_over) == 0
    assert not reactor.running
