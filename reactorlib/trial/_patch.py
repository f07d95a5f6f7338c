"""Attributes that are other than they are, for a while."""

from __future__ import annotations

from typing import Any

__all__ = ["Patch"]

_MISSING = object()


class Patch:
    """
    Gives an object another attribute, and takes it back.

    Args:
        target, name, value: the object, the attribute and what it is to be.
    """

    def __init__(self, target: Any, name: str, value: Any) -> None:
        self._target, self._name, self._value = target, name, value
        self._before: Any = _MISSING
        self._done = False

    def patch(self) -> None:
        """
        Set it, unless it is set.

        Raises:
            AttributeError: the object has none of that name.
        """
        if not self._done:
            self._before = getattr(self._target, self._name)
            setattr(self._target, self._name, self._value)
            self._done = True

    def restore(self) -> None:
        """Take it back, unless that is done."""
        if self._done:
            self._done = False
            setattr(self._target, self._name, self._before)
