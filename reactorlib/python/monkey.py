"""Attributes that are other than they are, for a while."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

__all__ = ["MonkeyPatcher"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class MonkeyPatcher:
    """
    Gives objects other attributes, and takes them back: for tests.

    As a context manager it does the one at the beginning and the other at the
    end.

    Args:
        patches: an object, the name of one of its attributes, and what that is
            to be; any number of these.
    """

    def __init__(self, *patches: tuple[Any, str, Any]) -> None:
        self._patches: list[tuple[Any, str, Any]] = []
        # What was there before, in the order in which it was replaced.
        self._originals: list[tuple[Any, str, Any]] = []
        for patch in patches:
            self.addPatch(*patch)

    def addPatch(self, obj: Any, name: str, value: Any) -> None:
        """Add another attribute to those that `patch` sets. It has to be there already."""
        self._patches.append((obj, name, value))

    def _is_patched(self, obj: Any, name: str) -> bool:
        return any(seen is obj and other == name for seen, other, _ in self._originals)

    def patch(self) -> None:
        """
        Set all attributes.

        Raises:
            AttributeError: an object has none of the name. What was set before
                it stays until `restore`.
        """
        for obj, name, value in self._patches:
            original = getattr(obj, name)
            if not self._is_patched(obj, name):
                self._originals.append((obj, name, original))
            setattr(obj, name, value)

    def restore(self) -> None:
        """Take all attributes back that are set; if none is, nothing happens."""
        while self._originals:
            setattr(*self._originals.pop())

    def runWithPatches(self, f: Callable[_P, _T], *args: _P.args, **kw: _P.kwargs) -> _T:
        """Set the attributes, call `f`, take them back, and return what it returned."""
        with self:
            return f(*args, **kw)

    def __enter__(self) -> MonkeyPatcher:
        try:
            self.patch()
        except BaseException:
            self.restore()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.restore()
