"""From objects to trees."""

from __future__ import annotations

import copyreg
import importlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from reactorlib.internet._current import saved_reactor
from reactorlib.persisted._names import public_module
from reactorlib.persisted.aot._nodes import (
    Class,
    Copyreg,
    Deref,
    Function,
    Global,
    Instance,
    InstanceMethod,
    Module,
    NoStateObj,
    Ref,
)
from reactorlib.persisted.aot._rules import NEWOBJ, may_be_called, may_have_objects, may_have_values
from reactorlib.persisted.error import SaveError
from reactorlib.persisted.styles import unpickleModule

__all__ = ["AOTJellier", "jellyToAOT"]


def _index(key: Any) -> str:
    """How an error says which value of a dict it means; interfaces have short names."""
    short = key.__name__ if hasattr(type(key), "providedBy") else repr(key)
    return f"[{short}]"


_LITERALS = (int, float, complex, str, bytes, bool, type(None), type(Ellipsis))


def jellyToAOT(obj: Any) -> Any:
    """
    Make an object into a tree.

    Raises:
        SaveError: there is something in it that cannot be saved; it says where.
    """
    return AOTJellier().jelly(obj)


class AOTJellier:
    """Makes one object into a tree."""

    def __init__(self) -> None:
        #: By the ids of objects: what stands for each in the tree, and the object, so
        #: that no other can get its id.
        self._seen: dict[int, tuple[Ref, Any]] = {}
        self._numbers = 0
        self._path: list[str] = []

    def jelly(self, obj: Any) -> Any:
        """As `jellyToAOT`."""
        try:
            return self.jellyToAO(obj)
        except RecursionError as cause:
            raise SaveError("it is nested too deeply to be saved") from cause

    def prepareForRef(self, aoref: Ref, object: Any) -> None:
        """Note what stands for an object, should it come again."""
        self._seen[id(object)] = (aoref, object)

    def jellyToAO(self, obj: Any) -> Any:
        """The tree of an object that is part of the whole."""
        kind = type(obj)
        if kind in _LITERALS:
            return obj
        if kind is slice:
            return slice(*(self.jellyToAO(part) for part in (obj.start, obj.stop, obj.step)))
        if kind is ModuleType:
            return Module(obj.__name__)
        if isinstance(obj, type):
            return Class(self._name(obj, "class"))
        if kind is FunctionType or (
            kind is BuiltinFunctionType and isinstance(obj.__self__, ModuleType | None)
        ):
            return Function(self._name(obj, "function"))
        seen = self._seen.get(id(obj))
        if seen is not None:
            ref = seen[0]
            if ref.refnum is None:
                self._numbers += 1
                ref.setRef(self._numbers)
            assert ref.refnum is not None
            return Deref(ref.refnum)
        ref = Ref()
        self.prepareForRef(ref, obj)
        ref.setObj(self._compound(obj))
        return ref

    def _compound(self, obj: Any) -> Any:
        kind = type(obj)
        if kind is list:
            return self._items(obj)
        if kind is tuple:
            return tuple(self._items(obj))
        if kind is dict:
            return self._dict(obj, _index)
        if kind in (MethodType, BuiltinFunctionType):
            return self._method(obj)
        if kind in (set, frozenset):
            return Copyreg(f"builtins.{kind.__name__}", (self._items(obj),))
        if kind is bytearray:
            return Copyreg("builtins.bytearray", (bytes(obj),))
        return self._reduced(obj)

    def _items(self, items: Iterable[Any]) -> list[Any]:
        found = []
        for index, item in enumerate(items):
            with self._at(f"[{index}]"):
                found.append(self.jellyToAO(item))
        return found

    def _dict(self, items: dict[Any, Any], step: Callable[[Any], str]) -> dict[Any, Any]:
        found = {}
        for key, value in items.items():
            with self._at(step(key)):
                found[self.jellyToAO(key)] = self.jellyToAO(value)
        return found

    def _method(self, method: Any) -> InstanceMethod:
        owner = method.__self__
        cls = owner if isinstance(owner, type) else type(owner)
        with self._at(".__self__"):
            return InstanceMethod(method.__name__, self._name(cls, "class"), self.jellyToAO(owner))

    def _reduced(self, obj: Any) -> Any:
        """An object by what it says itself it consists of."""
        reducer = copyreg.dispatch_table.get(type(obj))
        try:
            reduced = obj.__reduce_ex__(4) if reducer is None else reducer(obj)
        except Exception as cause:
            text = " ".join(f"{type(cause).__name__}: {cause}".split())
            raise self._error(f"cannot be saved: {text}") from cause
        if isinstance(reduced, str):
            public = public_module(obj.__module__)
            if getattr(importlib.import_module(public), reduced, None) is obj:
                return Global(f"{public}.{reduced}")
            return Global(f"{obj.__module__}.{reduced}")
        function, args, state, items, pairs = (*reduced, None, None, None)[:5]
        if function in (importlib.import_module, unpickleModule):
            return Module(args[0])
        if function is saved_reactor:
            return Module("reactorlib.internet.reactor")
        if function is NEWOBJ:
            cls, *values = args
            if not values and items is None and pairs is None:
                return self._instance(cls, state)
            if values and not may_have_values(cls):
                raise self._unfit(cls)
        elif not may_be_called(function):
            raise self._unfit(function)
        if function is NEWOBJ and not may_have_objects(args[0]):
            raise self._unfit(args[0])
        return Copyreg(
            self._name(function, "callable"),
            tuple(self._items(args)),
            NoStateObj if state is None else self._state(state),
            None if items is None else self._items(items),
            None if pairs is None else self._items(pairs),
        )

    def _instance(self, cls: type, state: Any) -> Instance:
        if not may_have_objects(cls):
            raise self._unfit(cls)
        name = self._name(cls, "class")
        return Instance(name) if state is None else Instance(name, self._state(state))

    def _state(self, state: Any) -> Any:
        if type(state) is dict:
            return self._dict(state, ".{}".format)
        if type(state) is tuple:  # of a dict and one of slots, maybe: no part of anything else
            return tuple(self._items(state))
        return self.jellyToAO(state)

    def _name(self, thing: Any, what: str) -> str:
        """The name by which something is found again."""
        module = thing.__module__
        if module is None:  # a method of a built-in class
            module = "builtins"
        name = thing.__qualname__
        if "<" in name:
            which = "a lambda" if name.endswith("<lambda>") else f"the {what} {name}"
            raise self._error(f"is {which}, and only what a module has by its name can be saved")
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is not thing and found != thing:
            raise self._error(f"is the {what} {module}.{name}, which is not found by that name")
        public = public_module(module)
        if getattr(importlib.import_module(public), name, None) is thing:
            module = public
        return f"{module}.{name}"

    def _unfit(self, thing: Any) -> SaveError:
        name = f"{thing.__module__}.{getattr(thing, '__qualname__', thing)}"
        return self._error(
            f"is made by {name}, which these files do not call: give the class a __getstate__ "
            "that leaves it out, a function of its module's own to copyreg, or save a .tap"
        )

    @contextmanager
    def _at(self, step: str) -> Iterator[None]:
        self._path.append(step)
        yield
        self._path.pop()

    def _error(self, what: str) -> SaveError:
        path = "".join(self._path).lstrip(".")
        return SaveError(f"{path or 'it'} {what}")
