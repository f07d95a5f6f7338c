"""
Sockets that a service manager has opened: systemd's socket activation.

See sd_listen_fds(3).
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping, Sequence
from typing import Any, ClassVar

__all__ = ["ListenFDs"]

#: What says which descriptors there are, and for whom.
_VARIABLES = ("LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES")


class ListenFDs:
    """
    Descriptors that this process was started with.

    Args:
        descriptors: their numbers, in the order in which they were configured.
        names: the name of each (`FileDescriptorName=`); there may be none.
            The environment's are "unknown" where it has none.
    """

    __slots__ = ("_descriptors", "_names")

    #: The first of them.
    _START: ClassVar[int] = 3

    def __init__(self, descriptors: Sequence[int], names: Sequence[str] = ()) -> None:
        self._descriptors = tuple(descriptors)
        self._names = tuple(names)

    @classmethod
    def fromEnvironment(
        cls, environ: MutableMapping[str, str] | None = None, start: int | None = None
    ) -> ListenFDs:
        """
        What the environment says, if it says it for this process.

        It is taken out of the environment, so that nobody takes the same
        descriptors again, nor a process that this one starts.

        Args:
            environ: the environment; this process's if None.
            start: the number of the first descriptor; 3 if None.
        """
        if environ is None:
            environ = os.environ
        if start is None:
            start = cls._START
        try:
            mine = int(environ["LISTEN_PID"]) == os.getpid()
            count = int(environ["LISTEN_FDS"])
        except (KeyError, ValueError):
            return cls((), ())
        if not mine or count < 0:
            return cls((), ())
        # As sd_listen_fds_with_names(3) names what came without names.
        given = environ.get("LISTEN_FDNAMES")
        names = ["unknown"] * count if given is None else given.split(":") if count else []
        for name in _VARIABLES:
            environ.pop(name, None)
        return cls(range(start, start + count), names)

    def inheritedDescriptors(self) -> list[int]:
        """The descriptors, in order."""
        return list(self._descriptors)

    def inheritedNamedDescriptors(self) -> dict[str, int]:
        """The descriptors by name. Of several with the same name it is the last."""
        return dict(zip(self._names, self._descriptors, strict=False))

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, ListenFDs):
            return NotImplemented
        return (self._descriptors, self._names) == (other._descriptors, other._names)

    def __hash__(self) -> int:
        return hash((self._descriptors, self._names))

    def __repr__(self) -> str:
        return f"ListenFDs({list(self._descriptors)}, {self._names})"
