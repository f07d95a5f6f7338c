"""
Plugins: objects that other packages, or the user, add to a program.

A plugin provides `IPlugin` and the interface that a program asks for, with
`getPlugins`. It is found in one of two ways. A package that is installed names it
among its entry points, in the group of the interface. And a module can be dropped
into a folder `reactorlib/plugins` in any entry of `sys.path`, with no
`__init__.py`. Either way, looking at what there is imports nobody's code: entry
points are metadata, and what is in a folder is kept in a file `dropin.cache` there.
"""

from __future__ import annotations

from reactorlib.plugin._dropins import CachedDropin, CachedPlugin, getCache, pluginPackagePaths
from reactorlib.plugin._find import getPlugIns, getPlugins
from reactorlib.plugin._installed import EntryPointPlugin, entryPointPlugins
from reactorlib.plugin._interfaces import GROUP, LISTED, IPlugin

__all__ = [
    "GROUP",
    "LISTED",
    "CachedDropin",
    "CachedPlugin",
    "EntryPointPlugin",
    "IPlugin",
    "entryPointPlugins",
    "getCache",
    "getPlugIns",
    "getPlugins",
    "pluginPackagePaths",
]
