"""Objects by their names, names of objects, and what classes and objects consist of."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any, TypeVar

from reactorlib.python._grep import findInstances, isLike, isOfType, isSame, modgrep, objgrep

__all__ = [
    "InvalidName",
    "ModuleNotFound",
    "ObjectNotFound",
    "QueueMethod",
    "accumulateClassDict",
    "accumulateClassList",
    "accumulateMethods",
    "addMethodNamesToDict",
    "filenameToModuleName",
    "findInstances",
    "fullFuncName",
    "fullyQualifiedName",
    "getClass",
    "isLike",
    "isOfType",
    "isSame",
    "modgrep",
    "namedAny",
    "namedClass",
    "namedModule",
    "namedObject",
    "objgrep",
    "prefixedMethodNames",
    "prefixedMethods",
    "qual",
    "requireModule",
    "safe_repr",
    "safe_str",
]

_T = TypeVar("_T")


# -- objects by their names ---------------------------------------------------


class InvalidName(ValueError):
    """Our caller gave something that is not a dotted list of names."""


class ModuleNotFound(InvalidName):
    """The name is that of no module."""


class ObjectNotFound(InvalidName):
    """The dotted name is that of no object: not even its beginning is a module."""


def namedModule(name: str) -> types.ModuleType:
    """
    Import the module of a name.

    Raises:
        ImportError: there is none.
    """
    return importlib.import_module(name)


def namedObject(name: str) -> Any:
    """
    What a module has under a name.

    Args:
        name: the module's name, a dot, and the name in the module.

    Raises:
        ImportError: there is no such module.
        AttributeError: the module has nothing of that name.
    """
    module, _, attribute = name.rpartition(".")
    return getattr(namedModule(module), attribute)


#: The same, under its old name.
namedClass = namedObject


def _import_if_there(name: str) -> types.ModuleType | None:
    """The module of a name; None if there is none. What its code raises goes through."""
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        # The missing one is this, or what it would be in: not one that its code asks for.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        return None
    return sys.modules[name]


def namedAny(name: str) -> Any:
    """
    The object of a dotted name.

    As much of the name as possible is that of a module, which is imported; the
    rest are attributes.

    Raises:
        InvalidName: it is not a dotted list of names.
        ModuleNotFound: it has no dot, and there is no such module.
        ObjectNotFound: no beginning of it is the name of a module.
        AttributeError: an attribute is not there.
    """
    if not name:
        raise InvalidName("Empty module name")
    parts = name.split(".")
    if "" in parts:
        raise InvalidName(
            f"name must be a string giving a '.'-separated list of Python identifiers, not {name!r}"
        )
    for count in range(len(parts), 0, -1):
        found: Any = _import_if_there(".".join(parts[:count]))
        if found is not None:
            break
    else:
        if len(parts) == 1:
            raise ModuleNotFound(f"No module named {name!r}")
        raise ObjectNotFound(f"{name!r} does not name an object")
    for attribute in parts[count:]:
        found = getattr(found, attribute)
    return found


def requireModule(name: str, default: Any = None) -> Any:
    """The module of a name, or `default` if it cannot be imported."""
    try:
        return namedModule(name)
    except ImportError:
        return default


# -- names of objects ---------------------------------------------------------


def qual(clazz: type[object]) -> str:
    """The module and name of a class, with a dot between them."""
    return f"{clazz.__module__}.{clazz.__name__}"


def fullyQualifiedName(obj: Any) -> str:
    """
    The dotted name of a module, class, function or method.

    What is defined within a function has `<locals>` in its name, and cannot be
    found by it.
    """
    if isinstance(obj, types.MethodType):
        cls = obj.__self__.__class__
        return f"{cls.__module__}.{cls.__qualname__}.{obj.__name__}"
    name: str = getattr(obj, "__qualname__", None) or obj.__name__
    if isinstance(obj, (type, types.FunctionType)):
        return f"{obj.__module__}.{name}"
    return name


def fullFuncName(func: Callable[..., Any]) -> str:
    """
    The module and name of a function.

    Raises:
        ImportError, AttributeError: it cannot be found by that name.
        LookupError: something else is there.
    """
    name = f"{getattr(func, '__module__', None) or _module_with(func)}.{func.__name__}"
    if namedObject(name) is not func:
        raise LookupError(f"{name} is not {func!r}")
    return name


def _module_with(func: Callable[..., Any]) -> str:
    """The module that has a function which does not know its own, as some in C do not."""
    for name, module in sys.modules.copy().items():
        if name != "__main__" and getattr(module, "__dict__", {}).get(func.__name__) is func:
            return name
    return "__main__"


def filenameToModuleName(fn: str | bytes) -> str:
    """
    The name of the module that a file or folder is, by the packages that it is in.

    Nothing is imported or checked: it is a module's file, or the answer is
    wrong.
    """
    path = os.path.abspath(os.fsdecode(fn))
    name = os.path.splitext(os.path.basename(path))[0]
    names = [] if name == "__init__" else [name]
    folder = os.path.dirname(path)
    while os.path.exists(os.path.join(folder, "__init__.py")):
        folder, package = os.path.split(folder)
        names.insert(0, package)
    return ".".join(names)


def getClass(obj: object) -> type[Any]:
    """The class of an object."""
    return type(obj)


def _class_of(obj: object) -> type[Any]:
    try:
        return obj.__class__
    except Exception:
        return type(obj)


def _class_name_of(obj: object) -> str:
    cls = _class_of(obj)
    try:
        return cls.__name__
    except Exception:
        try:
            return str(cls)
        except Exception:
            return f"<BROKEN CLASS AT 0x{id(cls):x}>"


def _told_otherwise(render: Callable[[object], str], value: object) -> str:
    """What is said of a value that cannot be rendered."""
    return (
        f"<{_class_name_of(value)} instance at 0x{id(value):x} with {render.__name__} error:\n"
        f" {traceback.format_exc()}>"
    )


def safe_repr(o: object) -> str:
    """`repr(o)`, or, where that fails, a text with what it is and the traceback."""
    try:
        return repr(o)
    except Exception:
        return _told_otherwise(repr, o)


def safe_str(o: object) -> str:
    """`str(o)`, or, where that fails, a text with what it is and the traceback; bytes as UTF-8."""
    if isinstance(o, bytes):
        try:
            return o.decode("utf-8")
        except UnicodeDecodeError:
            pass
    try:
        return str(o)
    except Exception:
        return _told_otherwise(str, o)


# -- what classes and objects consist of --------------------------------------


class QueueMethod:
    """
    A method that is not there yet: its calls are remembered.

    Args:
        name: its name.
        calls: the list that the name and the arguments of each call are put in.
    """

    def __init__(self, name: str, calls: list[tuple[str, tuple[Any, ...]]]) -> None:
        self.name = name
        self.calls = calls

    def __call__(self, *args: Any) -> None:
        """Remember a call."""
        self.calls.append((self.name, args))


def _is_prefixed(name: str, prefix: str) -> bool:
    """Whether a name begins with a prefix, and goes on."""
    return name.startswith(prefix) and name != prefix


def addMethodNamesToDict(
    classObj: type[Any], dict: dict[str, int], prefix: str, baseClass: type[Any] | None = None
) -> None:
    """
    Collect the names of a class's methods that begin with a prefix.

    Args:
        classObj: the class; its bases count too.
        dict: gets, by the name without the prefix, a 1.
        prefix: what the names begin with.
        baseClass: if given, only classes count that have it as one of their bases
            themselves.
    """
    for base in classObj.__bases__:
        addMethodNamesToDict(base, dict, prefix, baseClass)
    if baseClass is None or baseClass in classObj.__bases__:
        for name, method in vars(classObj).items():
            if isinstance(method, types.FunctionType) and _is_prefixed(name, prefix):
                dict[name[len(prefix) :]] = 1


def prefixedMethodNames(classObj: type[Any], prefix: str) -> list[str]:
    """The names, without the prefix, of a class's methods whose names begin with it."""
    names: dict[str, int] = {}
    addMethodNamesToDict(classObj, names, prefix)
    return list(names)


def accumulateMethods(
    obj: Any, dict: dict[str, Any], prefix: str = "", curClass: type[Any] | None = None
) -> None:
    """
    Collect an object's methods that begin with a prefix.

    Args:
        obj: the object.
        dict: gets the bound methods, by their names without the prefix.
        prefix: what the names begin with.
        curClass: where to begin, if not at the object's own class: it and its
            bases count.
    """
    cls = obj.__class__ if curClass is None else curClass
    for base in cls.__bases__:
        accumulateMethods(obj, dict, prefix, base)
    for name, method in vars(cls).items():
        if isinstance(method, types.FunctionType) and _is_prefixed(name, prefix):
            dict[name[len(prefix) :]] = getattr(obj, name)


def prefixedMethods(obj: Any, prefix: str = "") -> list[Any]:
    """An object's methods whose names begin with a prefix."""
    methods: dict[str, Any] = {}
    accumulateMethods(obj, methods, prefix)
    return list(methods.values())


def accumulateClassDict(
    classObj: type[Any], attr: str, adict: dict[Any, Any], baseClass: type[Any] | None = None
) -> None:
    """
    Unite the dictionaries that a class and its bases have as an attribute.

    Args:
        classObj: the class. Of one key, what stands nearest to it counts.
        attr: the attribute's name.
        adict: gets all of it.
        baseClass: as of `addMethodNamesToDict`.
    """
    for base in classObj.__bases__:
        accumulateClassDict(base, attr, adict)
    if baseClass is None or baseClass in classObj.__bases__:
        adict.update(vars(classObj).get(attr, {}))


def accumulateClassList(
    classObj: type[Any], attr: str, listObj: list[Any], baseClass: type[Any] | None = None
) -> None:
    """
    Put together the lists that a class and its bases have as an attribute.

    Args:
        classObj: the class. What its bases have comes first.
        attr: the attribute's name.
        listObj: gets all of it.
        baseClass: as of `addMethodNamesToDict`.
    """
    for base in classObj.__bases__:
        accumulateClassList(base, attr, listObj)
    if baseClass is None or baseClass in classObj.__bases__:
        listObj.extend(vars(classObj).get(attr, []))
