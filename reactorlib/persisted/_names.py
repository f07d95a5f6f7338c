"""
The classes, functions and modules that a saved object names.

They are found by importing their modules, as whoever wrote the class would. What is
gone is reported with its name and with what to do about it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Collection
from types import FunctionType, ModuleType
from typing import Any

from reactorlib.persisted.error import NameGone, NameRefused

__all__ = ["Allow", "Finder", "public_module"]

#: What a file may name: dotted names of modules, packages, classes or functions; or a
#: function that is given module and name and says whether. None for anything.
Allow = Collection[str] | Callable[[str, str], bool] | None

#: Of Python's own, what holds data and does nothing.
_HARMLESS = {
    "builtins": {
        "bytearray",
        "bytes",
        "complex",
        "dict",
        "float",
        "frozenset",
        "int",
        "list",
        "object",
        "range",
        "set",
        "slice",
        "str",
        "tuple",
    },
    "copyreg": {"__newobj__", "__newobj_ex__", "_reconstructor"},
}


class Finder:
    """
    Finds what is named.

    Args:
        allow: what may be.
    """

    def __init__(self, allow: Allow = None) -> None:
        self._allow = allow

    def find(self, module: str, name: str) -> Any:
        """
        What a module calls `name`, which may have dots.

        Raises:
            NameRefused: it may not be named.
            NameGone: it is not there.
        """
        by_name = self._may(module, name)
        try:
            found = _get(module, name)
        except NameGone:
            # A private module is nobody's business, and may have gone.
            public = public_module(module)
            if public == module:
                raise
            try:
                found = _get(public, name)
            except NameGone:
                found = None
            if found is None:
                raise
        if not by_name and not _is_its_own(found, module, name):
            raise NameRefused(f"{module}.{name}")
        return found

    def module(self, name: str) -> ModuleType:
        """
        A module.

        Raises:
            NameRefused: it may not be named.
            NameGone: it is not there.
        """
        self._may(name, "")
        return _import(name, name)

    def dotted(self, name: str) -> Any:
        """What a dotted name means, wherever in it the module ends; raises as `find` does."""
        parts = name.split(".")
        if len(parts) < 2 or not all(part.isidentifier() for part in parts):
            raise NameGone(name, f"it names {name!r}, which is no name of a class or function")
        if not (self._allow is None or callable(self._allow)):
            self._may(".".join(parts[:-1]), parts[-1])  # before anything is imported
        # Classes within classes: the module is the longest part that is one.
        for cut in range(len(parts) - 1, 1, -1):
            module = ".".join(parts[:cut])
            if _is_module(module):
                return self.find(module, ".".join(parts[cut:]))
        if len(parts) > 2 and not _is_module(parts[0]):
            raise NameGone(name, _advice(".".join(parts[:-1]), None, name))
        return self.find(parts[0], ".".join(parts[1:]))

    def _may(self, module: str, name: str) -> bool:
        """
        Whether just this is allowed; False if its module is, with what that has itself.

        Raises:
            NameRefused: neither is.
        """
        allow = self._allow
        if allow is None or name in _HARMLESS.get(module, ()):
            return True
        full = f"{module}.{name}" if name else module
        if callable(allow):
            if not allow(module, name):
                raise NameRefused(full)
            return True
        if full in allow or f"{public_module(module)}.{name}" in allow:
            return True
        while module:
            if module in allow:
                return False
            module = module.rpartition(".")[0]
        raise NameRefused(full)


def _is_its_own(found: Any, module: str, name: str) -> bool:
    """Whether a module defines something itself, rather than having imported it."""
    if isinstance(found, type | FunctionType) and found.__qualname__ != name:
        return False
    # Interfaces, and other things, know where they are from, too.
    own = str(getattr(found, "__module__", None))
    return own == module or public_module(own) == public_module(module)


def public_module(module: str) -> str:
    """The module without what in its name is private, and after it."""
    parts = module.split(".")
    for index, part in enumerate(parts):
        if index and part.startswith("_") and not part.startswith("__"):
            return ".".join(parts[:index])
    return module


def _get(module: str, name: str) -> Any:
    """What a module calls `name`; NameGone if it is not there."""
    found: Any = _import(module, f"{module}.{name}")
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise NameGone(f"{module}.{name}", _advice(module, name)) from None
    return found


def _is_module(name: str) -> bool:
    if name in sys.modules:
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError, AttributeError):
        return False


def _import(module: str, wanted: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and (module == error.name or module.startswith(error.name + ".")):
            raise NameGone(wanted, _advice(module, None, wanted)) from None
        raise NameGone(
            wanted, f"it needs {wanted}, whose module needs {error.name!r}: {error}"
        ) from error
    except Exception as error:
        raise NameGone(
            wanted,
            f"it needs {wanted}, and importing {module} failed: {type(error).__name__}: {error}",
        ) from error


def _advice(module: str, name: str | None, wanted: str | None = None) -> str:
    """What to do about a name that is not there."""
    if wanted is None:
        wanted = f"{module}.{name}"
    if module == "__main__":
        return (
            f"it needs {wanted}, of a program that was run as a script when this was saved: "
            "move it to a module of its own, import it from there, and save again"
        )
    if module.split(".")[0] == "twisted":
        return (
            f"it needs {wanted}: it was saved by a program that uses Twisted; "
            "build it again with this library's"
        )
    if name is None:
        return (
            f"it needs {wanted}, and there is no module {module}: add the folder that has it "
            "to PYTHONPATH, as it was when this was saved; if it has moved, leave a module of "
            "the old name that imports it, or save again"
        )
    return (
        f"it needs {wanted}, and the module {module} has no {name} any more: if it has moved, "
        f"import it in {module} from where it is now; if it is gone, save again without it"
    )
