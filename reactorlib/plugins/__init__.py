"""
Plugins of reactorlib's own, and of anyone who drops a module into a folder
`reactorlib/plugins`, without an `__init__.py`, in an entry of `sys.path`.
"""

from __future__ import annotations

from reactorlib.plugin import pluginPackagePaths

__path__.extend(pluginPackagePaths(__name__))
__all__: list[str] = []
