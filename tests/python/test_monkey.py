"""Attributes that are other than they are, for a while."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from reactorlib.python.monkey import MonkeyPatcher


def test_attributes_are_replaced_and_restored() -> None:
    thing = SimpleNamespace(a=1, b=2)
    patcher = MonkeyPatcher((thing, "a", 10))
    patcher.addPatch(thing, "b", 20)
    assert vars(thing) == {"a": 1, "b": 2}
    patcher.patch()
    assert vars(thing) == {"a": 10, "b": 20}
    patcher.restore()
    assert vars(thing) == {"a": 1, "b": 2}
    patcher.restore()
    assert vars(thing) == {"a": 1, "b": 2}


def test_the_last_of_two_values_counts_and_the_first_comes_back() -> None:
    thing = SimpleNamespace(a=1)
    patcher = MonkeyPatcher((thing, "a", 2), (thing, "a", 3))
    patcher.patch()
    patcher.patch()
    assert thing.a == 3
    patcher.restore()
    assert thing.a == 1


def test_a_function_runs_with_the_patches() -> None:
    thing = SimpleNamespace(a=1)
    patcher = MonkeyPatcher((thing, "a", 2))

    def look(x: int, *, y: int) -> tuple[int, int, int]:
        return thing.a, x, y

    assert patcher.runWithPatches(look, 5, y=6) == (2, 5, 6)
    assert thing.a == 1
    with pytest.raises(ZeroDivisionError):
        patcher.runWithPatches(lambda: 1 / 0)
    assert thing.a == 1


def test_what_is_not_there_is_not_replaced() -> None:
    thing = SimpleNamespace(a=1)
    patcher = MonkeyPatcher((thing, "a", 2), (thing, "missing", 3))
    with pytest.raises(AttributeError, match="missing"), patcher:
        pytest.fail("it was there")
    assert vars(thing) == {"a": 1}


def test_a_context_manager() -> None:
    thing = SimpleNamespace(a=1)
    with MonkeyPatcher((thing, "a", 2)):
        assert thing.a == 2
    assert thing.a == 1
