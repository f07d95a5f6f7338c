"""
Modules imported anew while the program runs: `rebuild`.

Functions, classes and instances that were there before get the new code. It is
for development: what a module has done, or others have copied out of it, is not
undone.
"""

from __future__ import annotations

import builtins
import gc
import importlib
import logging
import sys
import time
import types
from typing import Any

from reactorlib.python import components

__all__ = [
    "RebuildError",
    "Sensitive",
    "latestClass",
    "latestFunction",
    "rebuild",
    "updateInstance",
]

_log = logging.getLogger(__name__)

#: When something was last rebuilt, in seconds since the epoch.
lastRebuild = time.time()


class RebuildError(Exception):
    """A class cannot be replaced by its new version: it lays out its instances in another way."""


class Sensitive:
    """
    A mixin for what keeps functions or classes, and wants to have their new versions.

    Attributes:
        lastRebuild: when `rebuildUpToDate` was last called.
    """

    lastRebuild = lastRebuild

    def needRebuildUpdate(self) -> bool:
        """Whether something was rebuilt since `rebuildUpToDate`."""
        return self.lastRebuild < lastRebuild

    def rebuildUpToDate(self) -> None:
        """Everything here has its new version."""
        self.lastRebuild = time.time()

    def latestVersionOf(self, anObject: Any) -> Any:
        """
        The new version of a function, method or class; of an instance, itself, updated.

        What is none of these, or cannot be found by its name, comes back as it is.
        """
        if isinstance(anObject, types.FunctionType):
            return latestFunction(anObject)
        if isinstance(anObject, types.MethodType):
            owner = self.latestVersionOf(anObject.__self__)
            return getattr(owner, anObject.__name__, anObject)
        if isinstance(anObject, type):
            return latestClass(anObject)
        if type(type(anObject)) is type and not _is_builtin(type(anObject)):
            updateInstance(anObject)
        return anObject


def _is_builtin(cls: type[Any]) -> bool:
    return getattr(builtins, cls.__name__, None) is cls


def _now(old: Any) -> Any:
    """What is under the name of a function or class now; itself if nothing is."""
    found: Any = sys.modules.get(old.__module__)
    for name in old.__qualname__.split("."):
        found = getattr(found, name, None)
    return old if found is None else found


def latestFunction(oldFunc: Any) -> Any:
    """The function that has the name of this one now; itself if there is none."""
    return _now(oldFunc)


def latestClass(oldClass: type[Any]) -> type[Any]:
    """
    The class that has the name of this one now, with the new versions of its bases.

    Raises:
        RebuildError: the bases cannot be replaced.
    """
    if _is_builtin(oldClass):
        return oldClass
    new = _now(oldClass)
    if not isinstance(new, type):
        return oldClass
    bases = tuple(latestClass(base) for base in new.__bases__)
    if bases != new.__bases__:
        try:
            new.__bases__ = bases
        except TypeError as cause:
            raise RebuildError(f"the bases of {new!r} cannot be replaced: {cause}") from cause
    return new


def updateInstance(self: Any) -> None:
    """
    Make an object an instance of the new version of its class.

    Raises:
        RebuildError: the new class lays out its instances in another way.
    """
    new = latestClass(type(self))
    if new is type(self):
        return
    try:
        self.__class__ = new
    except TypeError as cause:
        raise RebuildError(f"{self!r} cannot become a {new!r}: {cause}") from cause


def rebuild(module: types.ModuleType, doLog: bool | int = 1) -> types.ModuleType:
    """
    Import a module anew, and replace what came from it by its new version.

    Its functions, wherever they are kept, run the new code; instances of its
    classes become instances of the new ones; classes derived from them get the
    new bases; other modules that have imported from it get what it has now.

    Args:
        module: the module. It is not allowed if it has
            `ALLOW_TWISTED_REBUILD = False`.
        doLog: whether to say so in the log.

    Returns:
        the module.

    Raises:
        RuntimeError: the module does not allow it.
        Exception: what the new code raises; the module is as before then.
    """
    global lastRebuild
    if not getattr(module, "ALLOW_TWISTED_REBUILD", True):
        raise RuntimeError(f"{module.__name__} does not allow to be rebuilt")
    if doLog:
        _log.info("rebuilding %s", module.__name__)
    before = dict(vars(module))
    allowed, components.ALLOW_DUPLICATES = components.ALLOW_DUPLICATES, True
    try:
        importlib.reload(module)
    except BaseException:
        vars(module).clear()
        vars(module).update(before)
        raise
    finally:
        components.ALLOW_DUPLICATES = allowed
    lastRebuild = time.time()
    replaced: dict[Any, Any] = {}
    for name, old in before.items():
        new = vars(module).get(name)
        if old is not new and getattr(old, "__module__", None) == module.__name__:
            if isinstance(old, types.FunctionType) and isinstance(new, types.FunctionType):
                _take_code(old, new)
                replaced[old] = new
            elif isinstance(old, type) and isinstance(new, type):
                _replace_methods(old, new)
                replaced[old] = new
    for old, new in replaced.items():
        if isinstance(old, type):
            _replace_class(old, new, replaced)
    _replace_in_modules(replaced)
    return module


def _take_code(old: types.FunctionType, new: types.FunctionType) -> None:
    """Make a function do what another does, for whoever keeps it."""
    try:
        old.__code__ = new.__code__
    except ValueError:
        return  # they refer to a different number of outer variables
    old.__defaults__ = new.__defaults__
    old.__kwdefaults__ = new.__kwdefaults__
    old.__doc__ = new.__doc__
    old.__dict__.update(new.__dict__)


def _replace_methods(old: type[Any], new: type[Any]) -> None:
    """Make the methods of a class, bound ones too, do what those of another do."""
    for name, method in vars(old).items():
        other = vars(new).get(name)
        if isinstance(method, types.FunctionType) and isinstance(other, types.FunctionType):
            _take_code(method, other)


def _replace_class(old: type[Any], new: type[Any], replaced: dict[Any, Any]) -> None:
    """Give instances their new class, and derived classes their new base."""
    for instance in gc.get_referrers(old):
        if type(instance) is old:
            try:
                instance.__class__ = new
            except TypeError:
                _log.warning("%s: an instance cannot become one of the new class", new)
    for derived in old.__subclasses__():
        if derived not in replaced:
            bases = tuple(replaced.get(base, base) for base in derived.__bases__)
            try:
                derived.__bases__ = bases
            except TypeError:
                _log.warning("%s: its bases cannot be replaced", derived)


def _replace_in_modules(replaced: dict[Any, Any]) -> None:
    """Replace what other modules have imported."""
    for module in list(sys.modules.values()):
        for name, value in list(getattr(module, "__dict__", {}).items()):
            try:
                new = replaced.get(value)
            except Exception:  # noqa: S112
                continue  # it has no hash, and so is none of ours
            if new is not None:
                setattr(module, name, new)
