"""The reactor's processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from reactorlib.internet._reactor._core import LoopReactor
from reactorlib.internet.interfaces import IReactorProcess

if TYPE_CHECKING:
    from reactorlib.internet.process import Process, PTYProcess

__all__ = ["ProcessReactor"]

_EMPTY: Mapping[Any, Any] = MappingProxyType({})


@implementer(IReactorProcess)
class ProcessReactor(LoopReactor):
    """Starts programs."""

    def spawnProcess(
        self,
        processProtocol: Any,
        executable: bytes | str,
        args: Sequence[bytes | str] = (),
        env: Mapping[Any, Any] | None = _EMPTY,
        path: bytes | str | None = None,
        uid: int | None = None,
        gid: int | None = None,
        usePTY: Any = False,
        childFDs: Mapping[int, int | str] | None = None,
    ) -> Process | PTYProcess:
        """Start a program, at once; see `IReactorProcess`."""
        self._must_be_in_its_thread()
        # Only who starts a program needs a system that has these.
        from reactorlib.internet.process import Process, PTYProcess

        if not usePTY:
            return Process(self, executable, args, env, path, processProtocol, uid, gid, childFDs)
        if childFDs is not None:
            raise ValueError(
                "a process on a terminal has that for its 0, 1 and 2, and nothing else: "
                "leave out either childFDs or usePTY"
            )
        return PTYProcess(self, executable, args, env, path, processProtocol, uid, gid, usePTY)
