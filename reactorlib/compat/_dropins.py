"""
What packages have left behind where Twisted is, or would be.

Plugins that they drop into folders `twisted/plugins`; and the metadata by which tools
find out which Twisted is installed. Where Twisted is installed itself, its folder has
its own plugins too, which are not for us.
"""

from __future__ import annotations

import os
import pkgutil
import sys
from collections.abc import Iterator
from importlib.abc import PathEntryFinder
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
    SourcelessFileLoader,
)
from importlib.metadata import Distribution, distributions
from pathlib import Path
from types import ModuleType
from typing import Any

from reactorlib.compat._alias import API_VERSION

__all__ = ["ThisAsTwisted", "twisted_folders"]

#: How the modules of Twisted's own plugins are called, if its files are not on record.
OWN_PREFIXES = ("cred_", "twisted_")

#: For folders that Twisted itself is in, its own modules there.
_own: dict[str, frozenset[str]] = {}


class ThisAsTwisted(Distribution):
    """Metadata that says which Twisted there is."""

    def read_text(self, filename: str) -> str | None:
        if filename in ("METADATA", "PKG-INFO"):
            return (
                f"Metadata-Version: 2.1\nName: Twisted\nVersion: {API_VERSION}\n"
                "Summary: reactorlib, under Twisted's name\n"
            )
        return None

    def locate_file(self, path: Any) -> Path:
        return Path(path)


def twisted_folders(known: list[str]) -> list[str]:
    """
    The folders `twisted/plugins` along `sys.path`, but for those `known`.

    They need not be there. One that is a package of somebody's, and not of
    Twisted's own, is left out.
    """
    found: list[str] = []
    for entry in sys.path:
        package = os.path.abspath(os.path.join(entry, "twisted"))
        folder = os.path.join(package, "plugins")
        if folder in known or folder in found:
            continue
        if os.path.exists(os.path.join(folder, "__init__.py")):
            if not os.path.exists(os.path.join(package, "__init__.py")):
                continue
            _hide_own(folder)
        found.append(folder)
    return found


def _hide_own(folder: str) -> None:
    """Let nobody see Twisted's own modules in its folder."""
    if _OthersOnly not in sys.path_hooks:
        sys.path_hooks.insert(0, _OthersOnly)
    recorded = {
        Path(file).stem
        for distribution in distributions(name="Twisted")
        if not isinstance(distribution, ThisAsTwisted)
        for file in distribution.files or ()
        if str(distribution.locate_file(file.parent)) == folder
    }
    there = {name.partition(".")[0] for name in os.listdir(folder)}
    _own[folder] = frozenset(
        recorded or {name for name in there if name.startswith(OWN_PREFIXES)}
    ) | {"__init__"}
    sys.path_importer_cache.pop(folder, None)


class _OthersOnly(PathEntryFinder):
    """Finds the modules of a folder, but for those that Twisted itself has put there."""

    def __init__(self, folder: str) -> None:
        if folder not in _own:
            raise ImportError("the usual finders are for all other folders")
        self._hidden = _own[folder]
        self._all = FileFinder(
            folder,
            (ExtensionFileLoader, EXTENSION_SUFFIXES),
            (SourceFileLoader, SOURCE_SUFFIXES),
            (SourcelessFileLoader, BYTECODE_SUFFIXES),
        )

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname.rpartition(".")[2] in self._hidden:
            return None
        return self._all.find_spec(fullname, target)

    def iter_modules(self, prefix: str = "") -> Iterator[tuple[str, bool]]:
        for name, package in pkgutil.iter_importer_modules(self._all, prefix):  # type: ignore[attr-defined]
            if name[len(prefix) :] not in self._hidden:
                yield name, package

    def invalidate_caches(self) -> None:
        self._all.invalidate_caches()
