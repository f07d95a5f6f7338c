"""What asyncio has but does not document, and what serves without it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from reactorlib.internet.testing import ClockEventLoop
from reactorlib.python import _asyncio


async def test_a_running_loop_is_put_aside_and_back() -> None:
    outer = asyncio.get_running_loop()
    task = asyncio.current_task()
    with _asyncio.no_running_loop():
        assert _asyncio.running_loop() is None
        assert asyncio.run(asyncio.sleep(0, "inner")) == "inner"
    assert asyncio.get_running_loop() is outer
    assert asyncio.current_task() is task
    with pytest.raises(ZeroDivisionError), _asyncio.no_running_loop():
        raise ZeroDivisionError
    assert asyncio.get_running_loop() is outer


async def test_a_loop_is_put_aside_outside_of_any_task() -> None:
    done = asyncio.Event()
    said: list[str] = []

    def call() -> None:
        with _asyncio.no_running_loop():
            said.append(asyncio.run(asyncio.sleep(0, "inner")))
        assert asyncio.current_task() is None
        done.set()

    asyncio.get_running_loop().call_soon(call)
    await done.wait()
    assert said == ["inner"]


def test_where_no_loop_runs_none_is_put_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_asyncio, "_set_running_loop", None)
    with _asyncio.no_running_loop():
        assert asyncio.run(asyncio.sleep(0, "inner")) == "inner"


async def test_a_python_that_cannot_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_asyncio, "_set_running_loop", None)
    with (
        pytest.raises(RuntimeError, match=r"asyncio\.to_thread"),
        _asyncio.no_running_loop(),
    ):
        raise AssertionError("not reached")


@pytest.mark.parametrize("ask", [_asyncio.running_loop, _asyncio._documented_running_loop])
def test_which_loop_runs(ask: Any) -> None:
    async def main() -> Any:
        return ask() is asyncio.get_running_loop()

    assert ask() is None
    assert asyncio.run(main())


def test_timers_are_due_on_a_clock_that_is_far_ahead() -> None:
    """asyncio's own resolution, a nanosecond, is less than the clock's last digit there."""
    loop = ClockEventLoop()
    loop.clock.advance(1e8)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        assert runner.run(asyncio.sleep(0.1, "due")) == "due"


def test_a_loop_without_a_resolution_is_left_alone() -> None:
    loop: Any = type("Loop", (), {})()
    _asyncio.set_clock_resolution(loop, 1.0)
    assert vars(loop) == {}
