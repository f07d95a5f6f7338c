"""Adapters: registered, found, kept; and proxies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from zope.interface import Attribute, Interface, implementer
from zope.interface.adapter import AdapterRegistry

from reactorlib.python import components
from reactorlib.python.components import (
    Adapter,
    CannotAdapt,
    Componentized,
    ReprableComponentized,
    getAdapterFactory,
    getRegistry,
    proxyForInterface,
    registerAdapter,
)


class ISpeak(Interface):
    words = Attribute("What is said.")

    def speak() -> str: ...


class IShout(Interface):
    def shout() -> str: ...


class IOther(Interface):
    pass


@implementer(ISpeak)
class Speaker:
    words = "hello"

    def speak(self) -> str:
        return self.words


@implementer(IShout)
class Shouter(Adapter):
    def shout(self) -> str:
        return str(ISpeak(self.original).speak().upper())


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    fresh = AdapterRegistry()
    monkeypatch.setattr(components, "globalRegistry", fresh)
    hook = components._add_hook(fresh)
    yield fresh
    components._remove_hook(hook)


def test_adapts_by_interface_and_by_class() -> None:
    registerAdapter(Shouter, ISpeak, IShout)
    assert IShout(Speaker()).shout() == "HELLO"
    registerAdapter(len, str, IOther)
    made: Any = IOther("four")
    assert made == 4
    assert getAdapterFactory(str, IOther, None) is len
    assert getAdapterFactory(int, IOther, "none") == "none"


def test_a_subclass_is_adapted_as_its_base() -> None:
    class Louder(Speaker):
        pass

    registerAdapter(Shouter, Speaker, IShout)
    assert getAdapterFactory(Louder, IShout, None) is Shouter


def test_what_cannot_be_adapted() -> None:
    with pytest.raises(CannotAdapt):
        IShout(object())
    assert IShout(object(), None) is None


def test_a_second_adapter_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    registerAdapter(Shouter, ISpeak, IShout)
    with pytest.raises(ValueError, match="already"):
        registerAdapter(Adapter, ISpeak, IOther, IShout)
    assert getAdapterFactory(ISpeak, IOther, None) is None  # nothing was done by halves
    monkeypatch.setattr(components, "ALLOW_DUPLICATES", True)
    registerAdapter(Adapter, ISpeak, IShout)
    assert getAdapterFactory(ISpeak, IShout, None) is Adapter
    with pytest.raises(ValueError, match="needs an interface"):
        registerAdapter(Adapter, ISpeak)


def test_the_registry_is_the_one_asked(registry: Any) -> None:
    assert getRegistry() is registry


def test_a_component_is_kept() -> None:
    class Whole(Componentized):
        words = "x"

    made: list[object] = []

    @implementer(IShout, IOther)
    class Part(Adapter):
        def __init__(self, original: object) -> None:
            super().__init__(original)
            made.append(self)

        def shout(self) -> str:
            return ""

    registerAdapter(Part, Whole, IShout, IOther)
    whole = Whole()
    shout: Any = IShout(whole)
    assert shout is IShout(whole)
    assert IOther(whole) is shout
    assert len(made) == 1
    assert sorted(i.__name__ for i in whole.removeComponent(made[0])) == ["IOther", "IShout"]
    assert IShout(whole) is not made[0]
    assert IShout(IOther(whole)) is IShout(whole)  # an adapter adapts as its original


def test_a_temporary_one_is_not_kept() -> None:
    class Whole(Componentized):
        pass

    class Part(Adapter):
        temporaryAdapter = 1

    registerAdapter(Part, Whole, IShout)
    whole = Whole()
    assert whole.getComponent(IShout) is not whole.getComponent(IShout)


def test_components_set_by_hand() -> None:
    whole = ReprableComponentized()
    assert whole.getComponent(IShout, "none") == "none"
    whole.setComponent(IShout, 3)
    assert whole.getComponent(IShout) == 3
    assert "IShout: 3" in repr(whole)
    whole.unsetComponent(IShout)
    with pytest.raises(KeyError):
        whole.unsetComponent(IShout)
    whole.setAdapter(IShout, Shouter)
    assert isinstance(whole.addAdapter(Shouter, ignoreClass=True), Shouter)


def test_a_proxy_passes_on_what_the_interface_has() -> None:
    class Quiet(proxyForInterface(ISpeak)):  # type: ignore[misc]
        def speak(self) -> str:
            return str(super().speak() + "...")

    original = Speaker()
    quiet = Quiet(original)
    assert ISpeak.providedBy(quiet)
    assert quiet.speak() == "hello..."
    quiet.words = "bye"
    assert original.words == "bye"
    del quiet.words
    assert original.words == "hello"
    with pytest.raises(AttributeError):
        _ = quiet.original.nothing
    assert proxyForInterface(ISpeak, "inner")(original).inner is original
    assert proxyForInterface(ISpeak).speak(quiet) == "hello"
    assert proxyForInterface(ISpeak).__name__ == f"(Proxy for {__name__}.ISpeak)"
