"""Objects by their names, names of objects, and what objects consist of."""

from __future__ import annotations

import os.path
import random
import sys
import weakref
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from reactorlib.python import reflect


class Base:
    options = ["a"]
    colours = {"sky": "grey", "sea": "green"}

    def do_one(self) -> None: ...


class Middle(Base):
    options = ["b"]

    def do_two(self) -> None: ...

    def other(self) -> None: ...


class Last(Middle):
    colours = {"sky": "blue"}

    def do_three(self) -> None: ...

    class Inner: ...


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of modules, some of which cannot be imported."""
    folder = tmp_path / "reflected"
    folder.mkdir()
    for name, code in {
        "__init__": "",
        "fine": "class C:\n    x = 3\n",
        "fails": "1 / 0",
        "lacks": "import no_such_module_at_all",
        "raises": "raise ImportError('on purpose')",
    }.items():
        (folder / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    return folder


@pytest.fixture(autouse=True)
def imported(monkeypatch: pytest.MonkeyPatch) -> Any:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("reflected"):
            del sys.modules[name]


def test_a_name_leads_to_a_module_or_what_is_in_it(package: Path) -> None:
    assert reflect.namedAny("os.path") is os.path
    assert reflect.namedAny("reflected").__file__ == str(package / "__init__.py")
    assert reflect.namedAny("reflected.fine.C.x") == 3
    assert reflect.namedClass("reflected.fine.C") is reflect.namedObject("reflected.fine.C")
    assert reflect.namedModule("reflected.fine") is sys.modules["reflected.fine"]


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("", reflect.InvalidName, "Empty module name"),
        (".os", reflect.InvalidName, "identifiers, not '.os'"),
        ("os.", reflect.InvalidName, "identifiers, not 'os.'"),
        ("os..path", reflect.InvalidName, "identifiers, not 'os..path'"),
        ("nosuchmodule", reflect.ModuleNotFound, "No module named 'nosuchmodule'"),
        ("nosuchmodule.x.y", reflect.ObjectNotFound, "does not name an object"),
        ("os.nosuchthing", AttributeError, "nosuchthing"),
        ("os.path.nosuchthing.x", AttributeError, "nosuchthing"),
        ("reflected.nosuchthing", AttributeError, "nosuchthing"),
        ("reflected.fine.C.y", AttributeError, "y"),
        # What a module's own code raises is told as it is.
        ("reflected.fails", ZeroDivisionError, "division"),
        ("reflected.fails.x", ZeroDivisionError, "division"),
        ("reflected.lacks", ModuleNotFoundError, "no_such_module_at_all"),
        ("reflected.raises", ImportError, "on purpose"),
    ],
)
def test_names_that_lead_nowhere(
    package: Path, name: str, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        reflect.namedAny(name)


def test_a_module_that_may_be_missing(package: Path) -> None:
    assert reflect.requireModule("os.path") is os.path
    assert reflect.requireModule("reflected.lacks", "no") == "no"
    assert reflect.requireModule("no.such.module") is None


def test_names_of_objects() -> None:
    assert reflect.qual(Last) == f"{__name__}.Last"
    assert reflect.fullyQualifiedName(Last.Inner) == f"{__name__}.Last.Inner"
    assert reflect.fullyQualifiedName(Last().do_one) == f"{__name__}.Last.do_one"
    assert reflect.fullyQualifiedName(Last.do_one) == f"{__name__}.Base.do_one"
    assert reflect.fullyQualifiedName(os.path) == os.path.__name__
    assert reflect.fullyQualifiedName(len) == "len"
    assert reflect.fullFuncName(reflect.qual) == "reactorlib.python.reflect.qual"
    assert reflect.fullFuncName(random.random) == "random.random"  # which knows no module
    with pytest.raises(AttributeError):
        reflect.fullFuncName(lambda: None)
    assert reflect.getClass(Last()) is Last


def test_modules_by_their_files(package: Path) -> None:
    assert reflect.filenameToModuleName(str(package)) == "reflected"
    assert reflect.filenameToModuleName(f"{package}{os.sep}") == "reflected"
    assert reflect.filenameToModuleName(bytes(package / "fine.py")) == "reflected.fine"
    assert reflect.filenameToModuleName(str(package / "__init__.py")) == "reflected"
    assert reflect.filenameToModuleName("/nowhere/at/all.py") == "all"


def test_methods_by_the_beginning_of_their_names() -> None:
    assert reflect.prefixedMethodNames(Last, "do_") == ["one", "two", "three"]
    assert reflect.prefixedMethodNames(Last, "do_one") == []
    assert reflect.prefixedMethods(Last(), "do_one") == []
    last = Last()
    assert reflect.prefixedMethods(last, "do_") == [last.do_one, last.do_two, last.do_three]
    found: dict[str, Any] = {}
    reflect.accumulateMethods(last, found, "do_", Middle)
    assert found == {"one": last.do_one, "two": last.do_two}
    names: dict[str, int] = {}
    reflect.addMethodNamesToDict(Last, names, "do_", Base)
    assert names == {"two": 1}


def test_attributes_of_all_bases() -> None:
    colours: dict[str, str] = {}
    reflect.accumulateClassDict(Last, "colours", colours)
    assert colours == {"sky": "blue", "sea": "green"}
    options: list[str] = []
    reflect.accumulateClassList(Last, "options", options)
    assert options == ["a", "b"]


class Broken:
    def __repr__(self) -> str:
        raise ZeroDivisionError("repr!")

    def __str__(self) -> str:
        raise ZeroDivisionError("str!")


class Nameless(type):
    def __getattribute__(cls, name: str) -> Any:
        if name == "__name__":
            raise AttributeError(name)
        return super().__getattribute__(name)

    def __str__(cls) -> str:
        raise ZeroDivisionError


def test_texts_of_what_has_none() -> None:
    broken = Broken()
    for text, error in [(reflect.safe_repr(broken), "repr"), (reflect.safe_str(broken), "str")]:
        assert text.startswith(f"<Broken instance at {id(broken):#x} with {error} error:\n")
        assert f"ZeroDivisionError: {error}!" in text
        assert __file__ in text
    cls = Nameless("cls", (Broken,), {})
    assert f"<BROKEN CLASS AT {id(cls):#x}" in reflect.safe_repr(cls())
    lying = type("lying", (Broken,), {"__class__": property(lambda self: 1 / 0)})()
    assert reflect.safe_repr(lying).startswith("<lying instance")


def test_texts_of_what_has_some() -> None:
    assert reflect.safe_repr([1]) == "[1]"
    assert reflect.safe_str(b"t\xc3\xbcst") == "tüst"
    assert reflect.safe_str(b"\xff") == "b'\\xff'"


def test_calls_that_are_remembered() -> None:
    calls: list[tuple[str, tuple[Any, ...]]] = []
    reflect.QueueMethod("later", calls)(1, 2)
    assert calls == [("later", (1, 2))]


class Thing:
    def method(self) -> None: ...


def test_ways_to_an_object() -> None:
    goal = object()
    thing = Thing()
    thing.attribute = [goal]  # type: ignore[attr-defined]
    key = Thing()
    for start, way in [
        ([None, goal], "[1]"),
        ((goal,), "[0]"),
        (deque([goal]), "[0]"),
        ({"a": goal}, "['a']"),
        ({goal: "b"}, "{'b'}"),
        (thing, ".attribute[0]"),
        (thing.method, ".__self__.attribute[0]"),
        (weakref.ref(thing), "().attribute[0]"),
        ({key: [thing]}, "[0].attribute[0]"),
    ]:
        ways = reflect.objgrep(start, goal, reflect.isSame)
        assert any(found.endswith(way) for found in ways), (start, ways)
    assert ".__func__" in reflect.objgrep(thing.method, Thing.method, reflect.isSame)
    assert reflect.findInstances([1, "a"], str) == ["[1]"]


def test_ways_have_a_limit_and_no_circles() -> None:
    a: list[Any] = []
    b = [a]
    start = [a, b, [b]]
    a.append(start)
    assert reflect.objgrep(start, a, reflect.isSame, maxDepth=1) == ["[0]"]
    assert reflect.objgrep(start, a, reflect.isSame, maxDepth=2) == ["[0]", "[1][0]"]
    assert reflect.objgrep(start, start, reflect.isSame) == ["", "[0][0]"]


def test_a_long_chain_is_no_deep_one() -> None:
    goal = object()
    chain: Any = goal
    for _ in range(10_000):
        chain = [chain]
    assert reflect.objgrep(chain, goal, reflect.isSame) == ["[0]" * 10_000]
