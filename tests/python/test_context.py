"""Values that hold for what is called from here on."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from reactorlib.python import context


def test_values_hold_inside_the_call() -> None:
    def inner() -> tuple[Any, Any, Any]:
        return context.get("a"), context.get("b"), context.get("c", 3)

    assert context.call({"a": 1}, context.call, {"b": 2}, inner) == (1, 2, 3)
    assert inner() == (None, None, 3)


def test_they_end_with_an_exception() -> None:
    def fail() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        context.call({"a": 1}, fail)
    assert context.get("a") is None


def test_defaults() -> None:
    key = object()
    context.setDefault(key, 1)
    try:
        assert context.get(key) == 1
        assert context.call({key: None}, context.get, key, 5) is None
    finally:
        del context.defaultContextDict[key]
    assert context.get(key, 5) == 5


def test_threads_have_their_own() -> None:
    seen: list[Any] = []
    thread = threading.Thread(target=lambda: seen.append(context.get("a")))
    context.call({"a": 1}, thread.start)
    thread.join(10)
    assert seen == [None]


async def test_tasks_and_timers_inherit_them() -> None:
    async def look() -> Any:
        await asyncio.sleep(0)
        return context.get("a")

    task = context.call({"a": 1}, asyncio.ensure_future, look())
    assert context.get("a") is None
    assert await task == 1
