"""
Drop-ins: modules in a folder for plugins.

The folder's file `dropin.cache` keeps what plugins its modules have: for each module
the time and size of its file, and for each plugin the names of the interfaces that
it provides. It is JSON, and names only: reading it imports nothing and runs nothing.
A module whose file is another than the cache says is imported to find out; one that
cannot be imported is named in the log and left out. Where the folder cannot be
written to, that is found out again each time.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import pkgutil
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module, invalidate_caches
from types import ModuleType
from typing import Any

from zope.interface import providedBy

from reactorlib import __version__
from reactorlib.plugin._interfaces import IPlugin, complain, identifiers, listed_by
from reactorlib.python.components import getAdapterFactory

__all__ = ["CachedDropin", "CachedPlugin", "getCache", "pluginPackagePaths"]

CACHE = "dropin.cache"
#: Changes with what the file means.
FORMAT = f"reactorlib {__version__} 1"

#: Which file a module was read from, as its time of change in nanoseconds and its size.
_Stamp = tuple[int, int]


class CachedPlugin:
    """
    What is known of a plugin before its module is imported.

    Args:
        dropin: the `CachedDropin` it is in.
        name: the name of it in its module.
        description: its docstring.
        provided: the interfaces that it provides itself, or their full names.
    """

    def __init__(self, dropin: CachedDropin, name: str, description: Any, provided: Any) -> None:
        self.dropin = dropin
        self.name = name
        self.description = description
        self._direct = [getattr(each, "__identifier__", each) for each in provided]
        self._all = frozenset(self._direct)
        #: Of attributes that it is listed with, the values.
        self.listed: dict[str, str] = {}
        dropin.plugins.append(self)

    @property
    def provided(self) -> list[Any]:
        """The interfaces that it provides itself; those whose modules can be imported."""
        return [found for name in self._direct if (found := _resolve(name)) is not None]

    def provides(self, interface: Any) -> bool:
        """Whether it provides the interface, itself or by inheritance; nothing is imported."""
        return interface.__identifier__ in self._all

    def load(self) -> Any:
        """The plugin itself; its module is imported."""
        return getattr(import_module(self.dropin.moduleName), self.name)

    def __conform__(self, interface: Any, registry: Any = None, default: Any = None) -> Any:
        if self.provides(interface):
            return self.load()
        # An adapter can be there only for interfaces that somebody has imported.
        for name in self._direct:
            own = _resolve(name, imported_only=True)
            if own is not None and getAdapterFactory(own, interface, None) is not None:
                return interface(self.load(), default)
        return default

    getComponent = __conform__

    def __repr__(self) -> str:
        provides = ", ".join(name.rpartition(".")[2] for name in self._direct)
        return f"<CachedPlugin {self.name!r}/{self.dropin.moduleName!r} (provides {provides!r})>"


class CachedDropin:
    """
    What is known of a module with plugins before it is imported.

    Attributes:
        moduleName: its full name.
        description: its docstring.
        plugins: its plugins, each a `CachedPlugin`.
    """

    #: The folder that it was found in.
    folder: str = ""

    def __init__(self, moduleName: str, description: Any) -> None:
        self.moduleName = moduleName
        self.description = description
        self.plugins: list[CachedPlugin] = []


def _resolve(name: str, imported_only: bool = False) -> Any:
    """The interface of that full name; None if there is none."""
    module, _, attribute = name.rpartition(".")
    if imported_only and module not in sys.modules:
        return None
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError):
        return None


def _inspect(module: ModuleType) -> CachedDropin:
    """What plugins a module has."""
    dropin = CachedDropin(module.__name__, module.__doc__)
    for name, value in list(vars(module).items()):
        if not _is_plugin(value):
            continue
        specification: Any = providedBy(value)
        plugin = CachedPlugin(dropin, name, getattr(value, "__doc__", None), list(specification))
        plugin._all = frozenset(identifiers(specification))
        for interface in specification.flattened():
            for attribute in listed_by(interface):
                plugin.listed[attribute] = str(getattr(value, attribute))
    return dropin


def _is_plugin(value: Any) -> bool:
    try:
        return IPlugin(value, None) is not None
    except Exception:
        # Objects of other people with a __conform__ or __provides__ of their own.
        return False


# -- the file ---------------------------------------------------------------------


def _to_json(dropin: CachedDropin, stamp: _Stamp) -> dict[str, Any]:
    return {
        "stamp": stamp,
        "module": dropin.moduleName,
        "description": dropin.description,
        "plugins": [
            {
                "name": plugin.name,
                "description": plugin.description,
                "provided": plugin._direct,
                "all": sorted(plugin._all),
                "listed": plugin.listed,
            }
            for plugin in dropin.plugins
        ],
    }


def _from_json(entry: dict[str, Any]) -> CachedDropin:
    dropin = CachedDropin(entry["module"], entry["description"])
    for kept in entry["plugins"]:
        plugin = CachedPlugin(dropin, kept["name"], kept["description"], kept["provided"])
        plugin._all = frozenset(kept["all"])
        plugin.listed = {str(key): str(value) for key, value in kept["listed"].items()}
    return dropin


def _read(path: str) -> dict[str, Any]:
    """What the file says; nothing, if it is not there or not ours."""
    try:
        with open(path, encoding="utf-8") as file:
            kept = json.load(file)
        return dict(kept["dropins"]) if kept["format"] == FORMAT else {}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return {}


def _write(path: str, kept: dict[str, Any]) -> None:
    """Put a new file in the place of the old one, at once."""
    try:
        handle, temporary = tempfile.mkstemp(prefix=CACHE + ".", dir=os.path.dirname(path))
    except OSError as error:
        _not_written(path, error)
        return
    try:
        with open(handle, "w", encoding="utf-8") as file:
            json.dump({"format": FORMAT, "dropins": kept}, file, default=str)
            # Readable like the modules beside it.
            os.fchmod(file.fileno(), 0o644)
        os.replace(temporary, path)
    except OSError as error:
        os.unlink(temporary)
        _not_written(path, error)


def _not_written(path: str, error: OSError) -> None:
    number = errno.EPERM if error.errno is None else error.errno
    message = "Unable to write to plugin cache %s: error number %d"
    complain((path, number), message, path, number, level=logging.INFO)


# -- looking ----------------------------------------------------------------------


def _cache_of(folder: str) -> str:
    """Where what is known of a folder is kept."""
    # Twisted keeps a file of that name in a format of its own, where its folders are.
    of_twisted = os.path.basename(os.path.dirname(folder)) == "twisted"
    return os.path.join(folder, f"reactorlib.{CACHE}" if of_twisted else CACHE)


def _modules_in(folder: str, package: str) -> Iterator[tuple[str, str, _Stamp | None]]:
    """The modules of a folder: name, file, and which version of the file."""
    for finder, name, _ in pkgutil.iter_modules([folder]):
        spec = finder.find_spec(f"{package}.{name}", None)
        if spec is None:
            continue
        origin = spec.origin or folder
        try:
            status = os.stat(origin)
        except OSError:
            # In an archive, say.
            yield name, origin, None
        else:
            yield name, origin, (status.st_mtime_ns, status.st_size)


def getCache(module: ModuleType) -> dict[str, CachedDropin]:
    """
    What plugins a package of plugins has. A module is imported only if the cache
    of its folder does not know it as it is.

    Args:
        module: the package.

    Returns:
        for the last part of the name of each module, its `CachedDropin`. Where
        two folders have modules of one name, it is the first that counts.
    """
    package = module.__name__
    found: dict[str, CachedDropin] = {}
    for folder in list(module.__path__):
        path = _cache_of(folder)
        kept = _read(path)
        now: dict[str, Any] = {}
        for name, origin, stamp in _modules_in(folder, package):
            entry = kept.get(name)
            dropin = None
            if entry is not None and stamp is not None and _fits(entry, stamp, package, name):
                dropin = _kept(entry)
            if dropin is None:
                if name in found:
                    continue
                dropin = _examine(f"{package}.{name}", origin, stamp)
                if dropin is None:
                    continue
                entry = None if stamp is None else _to_json(dropin, stamp)
            if entry is not None:
                now[name] = entry
            dropin.folder = folder
            found.setdefault(name, dropin)
        if now != kept and os.path.isdir(folder):
            _write(path, now)
    return found


def _fits(entry: Any, stamp: _Stamp, package: str, name: str) -> bool:
    return (
        isinstance(entry, dict)
        and entry.get("stamp") == list(stamp)
        and entry.get("module") == f"{package}.{name}"
    )


def _kept(entry: Any) -> CachedDropin | None:
    try:
        return _from_json(entry)
    except (KeyError, TypeError, AttributeError):
        return None


def _examine(name: str, origin: str, stamp: _Stamp | None) -> CachedDropin | None:
    """Import a module and see what plugins it has; None if it is broken."""
    # It may be newer than what the import system last saw of its folder.
    invalidate_caches()
    try:
        return _inspect(import_module(name))
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        complain((origin, stamp), "The plugins in %s are left out: %s", origin, reason)
        return None


def pluginPackagePaths(name: str) -> list[str]:
    """
    The folders that belong to a package of plugins besides its own: one for each
    entry of `sys.path`, whether or not it is there, unless it is a package itself.

    The package's `__init__.py` says `__path__.extend(pluginPackagePaths(__name__))`.

    Args:
        name: the full name of the package.
    """
    parts = name.split(".")
    folders = (os.path.abspath(os.path.join(entry, *parts)) for entry in sys.path)
    return [each for each in folders if not os.path.exists(os.path.join(each, "__init__.py"))]
