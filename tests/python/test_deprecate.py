"""What is still there, but not to be used any more."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reactorlib.python import deprecate
from reactorlib.python.versions import Version

SINCE = Version("mypackage", 2, 0, 0)


def better() -> None: ...


@deprecate.deprecated(SINCE, better)
def worse(x: int) -> int:
    """
    Add one.

    To a number.
    """
    return x + 1


@deprecate.deprecated(SINCE)
class Old:
    """An old thing."""

    def __init__(self, x: int) -> None:
        self.x = x


class Newer(Old): ...


@deprecate.deprecated(SINCE)
class Plain: ...


class Thing:
    _value = 1

    @deprecate.deprecatedProperty(SINCE, "other")
    def value(self) -> int:
        """The value."""
        return self._value

    @value.setter  # type: ignore[no-redef]
    def value(self, value: int) -> None:
        self._value = value

    @value.deleter  # type: ignore[no-redef]
    def value(self) -> None:
        del self._value


@deprecate.deprecatedKeywordParameter(SINCE, "c", "d")
def parameters(a: int, b: int = 2, c: int = 3, *, d: int = 4) -> tuple[int, ...]:
    return a, b, c, d


def warned(f: Callable[[], Any]) -> tuple[Any, str]:
    """What a call returned, and of what it warned, in this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = f()
    assert len(caught) == 1
    assert caught[0].category is DeprecationWarning
    assert caught[0].filename == __file__
    return result, str(caught[0].message)


def test_a_function() -> None:
    result, message = warned(lambda: worse(1))
    assert result == 2
    assert message == (
        f"{__name__}.worse was deprecated in mypackage 2.0.0; please use {__name__}.better instead"
    )
    assert worse.__name__ == "worse"
    assert worse.deprecatedVersion == SINCE  # type: ignore[attr-defined]
    assert worse.__doc__ == (
        "\nAdd one.\n\nTo a number.\n\n"
        f"Deprecated in mypackage 2.0.0; please use {__name__}.better instead.\n"
    )


def test_a_class_stays_one() -> None:
    instance, message = warned(lambda: Old(3))
    assert isinstance(instance, Old)
    assert instance.x == 3
    assert message == f"{__name__}.Old was deprecated in mypackage 2.0.0"
    assert Old.__doc__ == "An old thing.\n\nDeprecated in mypackage 2.0.0.\n"
    assert Newer(4).x == 4


def test_a_class_without_a_constructor() -> None:
    instance, _ = warned(lambda: Plain())
    assert isinstance(instance, Plain)
    with (
        pytest.warns(DeprecationWarning, match="Plain"),
        pytest.raises(TypeError, match="takes no arguments"),
    ):
        Plain(1)  # type: ignore[call-arg]


def test_a_property() -> None:
    thing = Thing()
    value, message = warned(lambda: thing.value)
    assert value == 1
    assert message == (
        f"{__name__}.Thing.value was deprecated in mypackage 2.0.0; please use other instead"
    )
    assert warned(lambda: setattr(thing, "value", 5))[1] == message
    assert thing._value == 5
    assert warned(lambda: delattr(thing, "value"))[1] == message
    assert thing._value == 1
    assert Thing.value.__doc__ == (
        "The value.\n\nDeprecated in mypackage 2.0.0; please use other instead.\n"
    )


def test_a_parameter() -> None:
    assert parameters(1) == (1, 2, 3, 4)
    assert parameters(1, 5, d=6) == (1, 5, 3, 6)
    for call in (lambda: parameters(1, c=7), lambda: parameters(1, 2, 7)):
        result, message = warned(call)
        assert result == (1, 2, 7, 4)
        assert message == (
            f"The 'c' parameter to {__name__}.parameters was deprecated in mypackage 2.0.0; "
            "please use d instead"
        )
    with pytest.raises(ValueError, match="no parameter 'z'"):
        deprecate.deprecatedKeywordParameter(SINCE, "z")(better)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A package of which an attribute and a module are deprecated."""
    folder = tmp_path / "deprecating"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from reactorlib.python.deprecate import deprecatedModuleAttribute\n"
        "from reactorlib.python.versions import Version\n"
        "old, new = 1, 2\n"
        "for name in ('old', 'part'):\n"
        "    deprecatedModuleAttribute(Version('p', 1, 0, 0), 'Do not.', __name__, name)\n"
        "def use():\n"
        "    return old\n"
    )
    (folder / "part.py").write_text("x = 3")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("deprecating")
    for name in ("deprecating", "deprecating.part"):
        sys.modules.pop(name, None)


def test_what_a_module_has(module: Any) -> None:
    value, message = warned(lambda: module.old)
    assert value == 1
    assert message == "deprecating.old was deprecated in p 1.0.0: Do not."
    assert module.new == 2
    assert module.use() == 1
    assert sys.modules["deprecating"] is module
    with pytest.raises(AttributeError, match="missing"):
        module.missing  # noqa: B018


def test_a_module_of_a_package(module: Any) -> None:
    def importing() -> Any:
        from deprecating import part  # type: ignore[import-not-found]

        return part.x

    for _ in range(2):
        value, message = warned(importing)
        assert value == 3
        assert message == "deprecating.part was deprecated in p 1.0.0: Do not."


def test_how_a_function_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "offending.py").write_text("def f(a):\n    if a:\n        a = 2\n    return a\n")
    monkeypatch.syspath_prepend(tmp_path)
    offending = importlib.import_module("offending")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        deprecate.warnAboutFunction(offending.f, "do not write so")
    del sys.modules["offending"]
    assert [(str(w.message), w.filename, w.lineno) for w in caught] == [
        ("do not write so", str(tmp_path / "offending.py"), 4)
    ]


def test_another_way_to_warn() -> None:
    told: list[tuple[str, Any]] = []
    before = deprecate.getWarningMethod()
    assert before is warnings.warn
    deprecate.setWarningMethod(
        lambda message, category, stacklevel: told.append((message, category))
    )
    try:
        worse(1)
    finally:
        deprecate.setWarningMethod(before)
    assert len(told) == 1
    assert told[0][1] is DeprecationWarning


def test_a_format() -> None:
    text = deprecate.getDeprecationWarningString(better, SINCE, "%(fqpn)s, %(version)s", "x.y")
    assert text == f"{__name__}.better, mypackage 2.0.0; please use x.y instead"
