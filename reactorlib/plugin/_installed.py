"""Plugins among the entry points of packages that are installed."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

__all__ = ["EntryPointPlugin", "entryPointPlugins"]


class EntryPointPlugin:
    """
    What the metadata of a distribution says of a plugin.

    Attributes:
        name: what the entry point is called.
        value: where the plugin is, as `module` or `module:object`.
        summary: what the distribution says that it is; "" for nothing.
        origin: the name and version of the distribution; "" if that is not known.
    """

    def __init__(self, entry: EntryPoint) -> None:
        self._entry = entry
        self.name = entry.name
        self.value = entry.value

    @property
    def summary(self) -> str:
        """What the distribution says that it is; "" for nothing."""
        distribution = self._entry.dist
        return "" if distribution is None else str(distribution.metadata["Summary"] or "")

    @property
    def origin(self) -> str:
        """The name and version of the distribution; "" if that is not known."""
        distribution = self._entry.dist
        return "" if distribution is None else f"{distribution.name} {distribution.version}"

    def load(self) -> Any:
        """The object itself; its module is imported."""
        return self._entry.load()

    def __repr__(self) -> str:
        origin = f" of {self.origin}" if self.origin else ""
        return f"<plugin {self.name!r} at {self.value!r}{origin}>"


def entryPointPlugins(group: str) -> list[EntryPointPlugin]:
    """
    The entry points of a group, in order of their names; nothing is imported.

    Where two have one name, that of the distribution found first counts.

    Args:
        group: such as "reactorlib.services".
    """
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        found.setdefault(entry.name, entry)
    return [EntryPointPlugin(found[name]) for name in sorted(found)]
