"""Modules imported anew while the program runs."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reactorlib.python import rebuild

FIRST = """
class Base:
    def who(self): return "old base"

class Thing(Base):
    def what(self, x=1): return "old", x

def function(x=1): return "old", x

class Slotted:
    __slots__ = ("a",)

def unchanged(): return 3
"""
SECOND = FIRST.replace('"old', '"new').replace("x=1", "x=2")


@pytest.fixture
def change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Write a module's source, and import it if it is not imported."""
    # Two sources of one size and second are told apart only without this.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)

    def write(source: str) -> Any:
        (tmp_path / "rebuilt.py").write_text(source)
        return importlib.import_module("rebuilt")

    yield write
    sys.modules.pop("rebuilt", None)


ADAPTER = """
from zope.interface import Interface, implementer
from reactorlib.python.components import registerAdapter

class ITalking(Interface): pass

@implementer(ITalking)
class Talker:
    def __init__(self, x): pass

registerAdapter(Talker, int, ITalking)
"""


def test_adapters_are_registered_anew(change: Callable[[str], Any]) -> None:
    module = change(ADAPTER)
    rebuild.rebuild(module)
    assert type(module.ITalking(3)) is module.Talker
    with pytest.raises(ValueError, match="already"):
        importlib.reload(module)


def test_what_was_there_has_the_new_code(change: Callable[[str], Any]) -> None:
    module = change(FIRST)
    thing, function, method = module.Thing(), module.function, module.Thing().what
    slotted = module.Slotted()
    slotted.a = 7
    derived = type("Derived", (module.Base,), {})
    other: Any = type(sys)("other")
    other.Thing, other.f = module.Thing, module.function
    sys.modules["other"] = other
    try:
        change(SECOND)
        assert rebuild.rebuild(module) is module
    finally:
        del sys.modules["other"]
    assert thing.what() == method() == ("new", 2)
    assert thing.who() == derived().who() == "new base"
    assert function() == module.function() == ("new", 2)
    assert type(thing) is module.Thing
    assert derived.__mro__[1] is module.Base
    assert (slotted.a, type(slotted)) == (7, module.Slotted)
    assert (other.Thing, other.f) == (module.Thing, module.function)
    assert module.unchanged() == 3


def test_a_rebuild_is_logged(
    change: Callable[[str], Any], caplog: pytest.LogCaptureFixture
) -> None:
    module = change(FIRST)
    caplog.set_level(logging.INFO)
    rebuild.rebuild(module, doLog=0)
    assert caplog.messages == []
    rebuild.rebuild(module)
    assert caplog.messages == ["rebuilding rebuilt"]


def test_new_code_that_fails_changes_nothing(change: Callable[[str], Any]) -> None:
    module = change(FIRST)
    thing, before = module.Thing(), dict(vars(module))
    change(SECOND + "\n1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        rebuild.rebuild(module)
    assert vars(module) == before
    assert thing.what() == ("old", 1)


def test_a_module_may_refuse(change: Callable[[str], Any]) -> None:
    module = change("ALLOW_TWISTED_REBUILD = False\n")
    with pytest.raises(RuntimeError, match="rebuilt does not allow"):
        rebuild.rebuild(module)


def test_what_has_no_hash_is_left_alone(change: Callable[[str], Any]) -> None:
    module = change(FIRST)

    class Unhashable:
        def __hash__(self) -> int:
            raise ZeroDivisionError

    other: Any = type(sys)("other")
    other.thing = thing = Unhashable()
    sys.modules["other"] = other
    try:
        rebuild.rebuild(module)
    finally:
        del sys.modules["other"]
    assert other.thing is thing


def test_one_object_is_updated(change: Callable[[str], Any]) -> None:
    module = change("class A:\n    x = 1\nclass B(A): pass\n")
    instance = module.B()
    # The class of old is kept elsewhere, as that of a plugin may be.
    module.A = type("A", (), {"x": 2, "__module__": "rebuilt"})
    rebuild.updateInstance(instance)
    assert instance.x == 2
    assert rebuild.latestClass(module.B) is module.B
    assert rebuild.latestClass(int) is int


def test_layouts_that_differ(change: Callable[[str], Any]) -> None:
    module = change("class A:\n    __slots__ = ('a',)\n")
    instance = module.A()
    module.A = type("A", (), {"__slots__": ("b", "c"), "__module__": "rebuilt"})
    with pytest.raises(rebuild.RebuildError, match="cannot become"):
        rebuild.updateInstance(instance)


def test_what_wants_to_be_up_to_date(change: Callable[[str], Any]) -> None:
    class Keeper(rebuild.Sensitive):
        def method(self) -> None: ...

    module = change(FIRST)
    keeper = Keeper()
    keeper.rebuildUpToDate()
    assert not keeper.needRebuildUpdate()
    kept = [module.function, module.Thing, module.Thing(), module.Thing().what, 3, keeper.method]
    change(SECOND)
    rebuild.rebuild(module)
    assert keeper.needRebuildUpdate()
    function, cls, instance, method, number, own = map(keeper.latestVersionOf, kept)
    assert function is module.function
    assert cls is module.Thing
    assert (instance, instance.what()) == (kept[2], ("new", 2))
    assert method() == ("new", 2)
    assert (number, own) == (3, keeper.method)
    keeper.rebuildUpToDate()
    assert not keeper.needRebuildUpdate()
