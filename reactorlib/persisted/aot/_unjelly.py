"""
From trees to objects.

An object of a class is there before its state is, so that what refers to it from
within finds it. What can only be made once its parts are there, such as a tuple,
is `NotKnown` to what refers to it from within, and put there when it is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reactorlib.persisted._names import Allow, Finder
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
from reactorlib.persisted.crefutil import NotKnown, build
from reactorlib.persisted.error import DamagedFile, LoadError, MethodGone, NameRefused

__all__ = ["AOTUnjellier", "unjellyFromAOT"]

_LITERALS = (int, float, complex, str, bytes, bool, type(None), type(Ellipsis))


def unjellyFromAOT(aot: Any, allow: Allow = None) -> Any:
    """
    Make a tree into the object again.

    Args:
        aot: the tree.
        allow: what it may name; see `sob.load`.

    Raises:
        LoadError: it is damaged, or names what is gone or may not be named.
    """
    return AOTUnjellier(allow).unjelly(aot)


class AOTUnjellier:
    """Makes one tree into an object."""

    def __init__(self, allow: Allow = None) -> None:
        self._finder = Finder(allow)
        self._explicit = allow if allow is not None and not callable(allow) else ()
        self._references: dict[int, Any] = {}
        self._later: list[Callable[[], object]] = []

    def unjelly(self, ao: Any) -> Any:
        """As `unjellyFromAOT`."""
        result: list[Any] = [None]
        try:
            self.unjellyInto(result, 0, ao)
            while self._later:
                self._later.pop(0)()
        except LoadError:
            raise
        except RecursionError as cause:
            raise DamagedFile("is nested too deeply") from cause
        except Exception as cause:
            # From a class's own __setstate__, __new__ and the like.
            text = " ".join(f"{type(cause).__name__}: {cause}".split())
            raise DamagedFile(f"cannot be made into objects again: {text}") from cause
        for number, value in self._references.items():
            if isinstance(value, NotKnown) and not value.resolved:
                raise DamagedFile(f"refers to number {number}, which is nowhere, or is itself")
        return result[0]

    def unjellyLater(self, node: Any) -> NotKnown:
        """Make a node into an object when the rest is done; until then it is not known."""
        promise = NotKnown()
        cell = _Tell(promise.resolveDependants)
        self._later.append(lambda: self.unjellyInto(cell, 0, node))
        return promise

    def callAfter(self, callable: Callable[[Any], object], result: Any) -> None:
        """Call with an object, once that is known."""
        if isinstance(result, NotKnown):
            result.addDependant(_Tell(callable), 0)
        else:
            callable(result)

    def unjellyInto(self, obj: Any, loc: Any, ao: Any) -> Any:
        """Set `obj[loc]` to what a node stands for, now or when it is known."""
        value = self.unjellyAO(ao)
        obj[loc] = value
        if isinstance(value, NotKnown):
            value.addDependant(obj, loc)
        return value

    def unjellyAttribute(self, instance: Any, attrName: str, ao: Any) -> None:
        """Set an attribute to what a node stands for, now or when it is known."""
        self.callAfter(lambda value: setattr(instance, attrName, value), self.unjellyAO(ao))

    def unjellyAO(self, ao: Any, number: int | None = None) -> Any:
        """
        What a node stands for, or a `NotKnown` for it.

        Args:
            ao: the node.
            number: that of the `Ref` around it.
        """
        kind = type(ao)
        if kind in _LITERALS:
            return ao
        make = _MAKERS.get(kind)
        if make is None:
            raise DamagedFile(f"has something of the type {kind.__name__} in it")
        return make(self, ao, number)

    # -- containers -----------------------------------------------------------

    def _note(self, number: int | None, value: Any) -> None:
        """Something is known by its number before its parts are."""
        if number is not None:
            self._resolve(number, value)

    def _list(self, ao: list[Any], number: int | None) -> list[Any]:
        made: list[Any] = []
        self._note(number, made)
        for index, item in enumerate(ao):
            made.append(None)
            self.unjellyInto(made, index, item)
        return made

    def _dict(self, ao: dict[Any, Any], number: int | None) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        self._note(number, made)
        for key, value in ao.items():
            self._pair(made, self.unjellyAO(key), self.unjellyAO(value))
        return made

    def _pair(self, into: Any, key: Any, value: Any) -> None:
        if not isinstance(key, NotKnown):
            into[key] = value
            if isinstance(value, NotKnown):
                value.addDependant(into, key)
            return

        def put(pair: list[Any]) -> None:
            into[pair[0]] = pair[1]

        build([key, value], put)

    def _parts(self, items: Any) -> list[Any]:
        return [self.unjellyAO(item) for item in items]

    def _tuple(self, ao: tuple[Any, ...], number: int | None) -> Any:
        return build(self._parts(ao), tuple)

    def _slice(self, ao: slice, number: int | None) -> Any:
        return build(self._parts((ao.start, ao.stop, ao.step)), lambda parts: slice(*parts))

    # -- references -----------------------------------------------------------

    def _ref(self, ao: Ref, number: int | None) -> Any:
        if ao.refnum is None:
            return self.unjellyAO(ao.obj, number)
        there = self._references.setdefault(ao.refnum, NotKnown())
        if not isinstance(there, NotKnown) or there.resolved or type(ao.obj) is Ref:
            raise DamagedFile(f"has number {ao.refnum} twice")
        value = self.unjellyAO(ao.obj, ao.refnum)
        if isinstance(value, NotKnown):
            self.callAfter(lambda known: self._resolve(ao.refnum, known), value)
        else:
            self._resolve(ao.refnum, value)
        return value

    def _resolve(self, number: int | None, value: Any) -> None:
        assert number is not None
        there = self._references.get(number)
        if there is value:
            return
        self._references[number] = value
        if isinstance(there, NotKnown) and not there.resolved:
            there.resolveDependants(value)

    def _deref(self, ao: Deref, number: int | None) -> Any:
        found = self._references.setdefault(ao.refnum, NotKnown())
        return found.resolvedObject if isinstance(found, NotKnown) and found.resolved else found

    # -- names ----------------------------------------------------------------

    def _class(self, ao: Class, number: int | None) -> type:
        return self._find_class(ao.name)

    def _find_class(self, name: str) -> type:
        found = self._finder.dotted(name)
        if not isinstance(found, type):
            raise DamagedFile(f"says that {name} is a class, which it is not")
        return found

    def _named(self, ao: Function | Global, number: int | None) -> Any:
        return self._finder.dotted(ao.name)

    def _module(self, ao: Module, number: int | None) -> Any:
        return self._finder.module(ao.name)

    # -- objects --------------------------------------------------------------

    def _instance(self, ao: Instance, number: int | None) -> Any:
        cls = self._find_class(ao.klass)
        if not (may_have_objects(cls) or ao.klass in self._explicit):
            raise NameRefused(ao.klass)
        made = cls.__new__(cls)  # type: ignore[call-overload]
        self._note(number, made)
        if ao.state is not NoStateObj:
            self._give_state(made, ao.state)
        return made

    def _give_state(self, made: Any, ao: Any) -> None:
        """Set the state of an object, once it is known."""
        if type(ao) is dict:
            keys, parts = self._parts(ao.keys()), self._parts(ao.values())
            count = len(keys)

            def join(known: list[Any]) -> dict[Any, Any]:
                return dict(zip(known[:count], known[count:], strict=True))

            state = build(keys + parts, join)
        else:
            state = self.unjellyAO(ao)
        self.callAfter(lambda known: _set_state(made, known), state)

    def _copyreg(self, ao: Copyreg, number: int | None) -> Any:
        function = self._finder.dotted(ao.loadfunc)
        if type(ao.state) is not tuple:
            raise DamagedFile(f"has no tuple of arguments for {ao.loadfunc}")

        def call(args: list[Any]) -> Any:
            if function is NEWOBJ:
                cls = args[0] if args else None
                if not isinstance(cls, type):
                    raise NameRefused(ao.loadfunc)
                name = f"{cls.__module__}.{cls.__qualname__}"
                may = may_have_values(cls) if len(args) > 1 else may_have_objects(cls)
                if not (may or name in self._explicit):
                    raise NameRefused(name)
            elif not (may_be_called(function) or ao.loadfunc in self._explicit):
                raise NameRefused(ao.loadfunc)
            return function(*args)

        made = build(self._parts(ao.state), call)
        if not isinstance(made, NotKnown):
            self._note(number, made)
        self.callAfter(lambda known: self._fill(known, ao), made)
        return made

    def _fill(self, made: Any, ao: Copyreg) -> None:
        """What comes after a call: items, pairs and state."""
        for item in self._parts(ao.items or ()):
            self.callAfter(made.append, item)
        for pair in ao.pairs or ():
            while type(pair) is Ref:
                pair = pair.obj
            self._pair(made, *self._parts(pair))
        if ao.then is not NoStateObj:
            self._give_state(made, ao.then)

    def _method(self, ao: InstanceMethod, number: int | None) -> Any:
        def bind(parts: list[Any]) -> Any:
            (instance,) = parts
            try:
                return getattr(instance, ao.name)
            except AttributeError:
                where = f"{ao.klass}.{ao.name}"
                raise MethodGone(
                    where, f"it needs the method {where}, which is gone: save again without it"
                ) from None

        self._find_class(ao.klass)
        return build([self.unjellyAO(ao.instance)], bind)


class _Tell:
    """Calls a function when an item of it is set."""

    def __init__(self, function: Callable[[Any], object]) -> None:
        self._function = function

    def __setitem__(self, key: Any, value: Any) -> None:
        if not isinstance(value, NotKnown):
            self._function(value)


def _set_state(made: Any, state: Any) -> None:
    """As the pickle module does it."""
    setstate = getattr(made, "__setstate__", None)
    if setstate is not None:
        setstate(state)
        return
    slots = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    if state:
        made.__dict__.update(state)
    for name, value in (slots or {}).items():
        setattr(made, name, value)


_MAKERS: dict[type, Callable[[AOTUnjellier, Any, int | None], Any]] = {
    Class: AOTUnjellier._class,
    Copyreg: AOTUnjellier._copyreg,
    Deref: AOTUnjellier._deref,
    Function: AOTUnjellier._named,
    Global: AOTUnjellier._named,
    Instance: AOTUnjellier._instance,
    InstanceMethod: AOTUnjellier._method,
    Module: AOTUnjellier._module,
    Ref: AOTUnjellier._ref,
    dict: AOTUnjellier._dict,
    list: AOTUnjellier._list,
    slice: AOTUnjellier._slice,
    tuple: AOTUnjellier._tuple,
}
