"""Finding the plugins of an interface."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

from zope.interface import directlyProvides

from reactorlib.plugin._dropins import CachedDropin, getCache
from reactorlib.plugin._installed import entryPointPlugins
from reactorlib.plugin._interfaces import IPlugin, complain, group_of, listed_by

__all__ = ["getPlugIns", "getPlugins"]


class _Listed:
    """
    A plugin of which enough is known to list it. Whatever else is asked of it is
    asked of the plugin itself, which is imported then.
    """

    def __init__(self, interface: Any, known: dict[str, str], load: Callable[[], Any]) -> None:
        self.__dict__.update(known)
        self._load = load
        provide: Any = directlyProvides
        provide(self, interface, IPlugin)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if "_loaded" not in self.__dict__:
            self.__dict__["_loaded"] = self._load()
        return getattr(self._loaded, name)

    def __repr__(self) -> str:
        return f"<plugin {', '.join(f'{k}={v!r}' for k, v in self._known().items())}>"

    def _known(self) -> dict[str, str]:
        return {k: v for k, v in self.__dict__.items() if not k.startswith("_")}


def getPlugins(interface: Any, package: ModuleType | None = None) -> Iterator[Any]:
    """
    The plugins that provide an interface, or can be adapted to it.

    First come what was dropped in, then entry points, and last what reactorlib has
    itself: who takes the first of a name prefers the user's.

    A plugin that fails to load is named in the log, once, and left out. Plugins of
    an interface with the tag `LISTED` are loaded when something is asked of them
    that is not known without it; then the error is the asker's.

    Args:
        interface: what they provide.
        package: the package whose modules are looked at, and no entry points then;
            None for `reactorlib.plugins`, and the entry points of the
            interface's group.
    """
    if package is not None:
        yield from _dropped_in(interface, getCache(package).values())
        return
    package = import_module("reactorlib.plugins")
    dropins = getCache(package).values()
    own = os.path.dirname(str(package.__file__))
    yield from _dropped_in(interface, [each for each in dropins if each.folder != own])
    yield from _installed(interface)
    yield from _dropped_in(interface, [each for each in dropins if each.folder == own])


def _dropped_in(interface: Any, dropins: Iterable[CachedDropin]) -> Iterator[Any]:
    listed = listed_by(interface)
    for dropin in dropins:
        for plugin in dropin.plugins:
            if listed and plugin.provides(interface) and plugin.listed.keys() >= listed.keys():
                yield _Listed(interface, plugin.listed, plugin.load)
                continue
            where = f"{plugin.name} in {plugin.dropin.moduleName}"
            adapted = _adapt(interface, plugin, where)
            if adapted is not None:
                yield adapted


def _installed(interface: Any) -> Iterator[Any]:
    listed = listed_by(interface)
    for entry in entryPointPlugins(group_of(interface)):
        if listed:
            known = {attribute: str(getattr(entry, of)) for attribute, of in listed.items()}
            yield _Listed(interface, known, lambda entry=entry: interface(entry.load()))  # type: ignore[misc]
            continue
        try:
            loaded = entry.load()
        except (Exception, SystemExit) as error:
            reason = f"{type(error).__name__}: {error}"
            complain((repr(entry), reason), "%r is left out: %s", entry, reason)
            continue
        adapted = _adapt(interface, loaded, repr(entry))
        if adapted is not None:
            yield adapted
        elif not interface.providedBy(loaded):
            name = interface.__name__
            complain((repr(entry), name), "%r is left out: it provides no %s", entry, name)


def _adapt(interface: Any, plugin: Any, where: str) -> Any:
    try:
        return interface(plugin, None)
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        complain((where, reason), "The plugin %s is left out: %s", where, reason)
        return None


#: The name that it once had.
getPlugIns = getPlugins
