"""
What a tree may have made of Python's own classes, and what it may call.

A tree is data: reading one must do nothing but make objects. An object of a class
of the program's gets its state as `copy` would give it. Classes of the standard
library are another matter: some do things when they are made, or when they go. Of
those, these may be had.

A callable may be called if it is one of these, or if it is a program's own way to
make an object: defined in the module whose function was given to `copyreg.pickle`.
"""

from __future__ import annotations

import copyreg
import enum
import sys
from typing import Any

#: Makes an object without calling its class: what `__reduce_ex__` most often asks for.
NEWOBJ: Any = getattr(copyreg, "__newobj__")  # noqa: B009  # which typeshed does not know

__all__ = ["NEWOBJ", "may_be_called", "may_have_objects", "may_have_values"]

_HARMLESS: dict[str, set[str]] = {
    "builtins": {"bytearray", "complex", "frozenset", "object", "range", "set"},
    "argparse": {"Namespace"},
    "collections": {"ChainMap", "Counter", "OrderedDict", "defaultdict", "deque"},
    "datetime": {"date", "datetime", "time", "timedelta", "timezone"},
    "_pydatetime": {"date", "datetime", "time", "timedelta", "timezone"},
    "decimal": {"Decimal"},
    "fractions": {"Fraction"},
    "functools": {"partial"},
    "ipaddress": {
        "IPv4Address",
        "IPv4Interface",
        "IPv4Network",
        "IPv6Address",
        "IPv6Interface",
        "IPv6Network",
    },
    "logging": {"getLogger"},
    "operator": {"attrgetter", "itemgetter", "methodcaller"},
    "pathlib": {"Path", "PosixPath", "PurePath", "PurePosixPath", "PureWindowsPath", "WindowsPath"},
    "pathlib._local": {
        "Path",
        "PosixPath",
        "PurePath",
        "PurePosixPath",
        "PureWindowsPath",
        "WindowsPath",
    },
    "random": {"Random", "SystemRandom"},
    "re": {"_compile"},
    "types": {"SimpleNamespace"},
    "uuid": {"UUID"},
    "zope.interface.declarations": {"Provides", "implementedBy"},
}

#: Of classes that inherit from these, objects are made with values; no other `__new__`
#: is given any.
_VALUES = (tuple, str, bytes, int, float, complex, frozenset)


def _is_pythons(module: str) -> bool:
    return module.split(".")[0] in sys.stdlib_module_names


def _is_harmless(thing: Any) -> bool:
    module = getattr(thing, "__module__", None)
    return getattr(thing, "__qualname__", None) in _HARMLESS.get(str(module), ())


def may_have_objects(cls: type) -> bool:
    """Whether objects of a class may be made, and be given their state."""
    return not _is_pythons(cls.__module__) or _is_harmless(cls) or issubclass(cls, enum.Enum)


def may_have_values(cls: type) -> bool:
    """Whether objects of a class may be made with arguments for its `__new__`."""
    return may_have_objects(cls) and issubclass(cls, _VALUES)


def may_be_called(function: Any) -> bool:
    """Whether a callable may be called."""
    if _is_harmless(function):
        return True
    if isinstance(function, type) and issubclass(function, enum.Enum):
        return True
    module = getattr(function, "__module__", None)
    if not isinstance(module, str) or _is_pythons(module):
        return False
    return any(
        getattr(reducer, "__module__", None) == module
        for reducer in copyreg.dispatch_table.values()
    )
