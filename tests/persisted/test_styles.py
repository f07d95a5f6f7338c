"""Versions of classes, and what is not kept."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

from reactorlib.persisted import crefutil, styles
from reactorlib.persisted.styles import Ephemeral, Versioned, doUpgrade, requireUpgrade

steps: list[str] = []


@pytest.fixture(autouse=True)
def nothing_waits() -> Iterator[None]:
    steps.clear()
    yield
    assert not styles._waiting


class Base(Versioned):
    persistenceForgets = ("cache",)

    def upgradeToVersion1(self) -> None:
        steps.append("base 1")

    def upgradeToVersion2(self) -> None:
        steps.append("base 2")


class Derived(Base):
    persistenceForgets = ("lock",)

    def upgradeToVersion1(self) -> None:
        steps.append("derived 1")


class Leaf(Derived):
    """It has no version of its own."""


def aged(monkeypatch: pytest.MonkeyPatch, obj: Any, **versions: int) -> Any:
    """What comes back of an object in a program whose classes have these versions."""
    data = pickle.dumps(obj)
    for name, version in versions.items():
        monkeypatch.setattr(globals()[name], "persistenceVersion", version, raising=False)
    return pickle.loads(data)


def test_an_object_goes_through_all_versions_base_classes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded = aged(monkeypatch, Leaf(), Base=2, Derived=1)
    assert steps == []
    doUpgrade()
    assert steps == ["base 1", "base 2", "derived 1"]
    doUpgrade()
    assert len(steps) == 3
    assert loaded.__dict__ == {}


def test_only_the_steps_that_are_missing_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Base, "persistenceVersion", 1)
    again = aged(monkeypatch, aged(monkeypatch, Derived(), Base=2))
    doUpgrade()
    assert steps == ["base 2", "base 2"]  # one each
    assert again.__dict__ == {}


def test_what_is_forgotten_is_not_kept() -> None:
    it = Leaf()
    it.kept, it.cache, it.lock = 1, 2, object()  # type: ignore[attr-defined]
    loaded = pickle.loads(pickle.dumps(it))
    doUpgrade()
    assert loaded.__dict__ == {"kept": 1}
    assert it.cache == 2  # type: ignore[attr-defined]


def test_a_step_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    aged(monkeypatch, Derived(), Base=1, Derived=3)
    with pytest.raises(NotImplementedError, match=r"Derived is of version 3.*upgradeToVersion2"):
        doUpgrade()


class Needing(Versioned):
    other: Any

    def upgradeToVersion1(self) -> None:
        requireUpgrade(self.other)
        steps.append("needing")


class Needed(Versioned):
    def upgradeToVersion1(self) -> None:
        steps.append("needed")


def test_an_upgrade_can_require_another(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Needing()
    it.other = Needed()
    loaded = aged(monkeypatch, it, Needing=1, Needed=1)
    assert requireUpgrade(loaded) is loaded
    assert steps == ["needed", "needing"]
    doUpgrade()
    assert requireUpgrade(object()) is not None


class Ticket(Ephemeral):
    def __init__(self) -> None:
        self.number = 1


def test_an_ephemeral_object_is_not_kept() -> None:
    loaded = pickle.loads(pickle.dumps([Ticket()]))[0]
    assert type(loaded) is Ephemeral
    assert not hasattr(loaded, "number")
    assert repr(loaded) == "<Ephemeral: not kept>"


def test_modules_are_kept_by_their_names() -> None:
    assert pickle.loads(pickle.dumps(styles)) is styles


class Old:
    def method(self) -> str:
        return "old"


class New:
    def method(self) -> str:
        return "new"


def test_methods_are_found_again() -> None:
    old = Old()
    bound: Any = old.method
    function = styles.pickleMethod(bound)
    assert function[0] is styles.unpickleMethod
    assert styles.unpickleMethod("method", old, Old) == old.method
    assert styles.unpickleMethod("method", old, str) == old.method
    assert styles.unpickleMethod("method", old, New)() == "new"
    assert styles.unpickleMethod("method", None, Old) is Old.method
    assert copy.copy(old.method) == old.method
    with pytest.raises(AttributeError):
        styles.unpickleMethod("gone", old, Old)


def test_files_in_memory_are_kept() -> None:
    text = io.StringIO("two words")
    text.seek(4)
    function, args = styles.pickleStringI(text)
    assert function(*args).read() == "words"
    function, args = styles.pickleStringO(io.BytesIO(b"bytes"))
    assert function(*args).read() == b"bytes"


def test_what_is_not_known_is_put_in_its_places() -> None:
    promise = crefutil.NotKnown()
    items: list[Any] = [None]
    promise.addDependant(items, 0)
    whole = crefutil.build([1, promise], tuple)
    by_key: dict[str, Any] = {}
    whole.addDependant(by_key, "k")
    assert by_key == {}
    promise.resolveDependants("known")
    assert (items, by_key) == (["known"], {"k": (1, "known")})
    promise.addDependant(items, 0)
    with pytest.raises(AssertionError, match="already"):
        promise.resolveDependants("again")
    with pytest.raises(AssertionError, match="no key"):
        {crefutil.NotKnown(): 1}
