"""What reactors are made of on POSIX systems, under Twisted's name: there is one kind."""

from __future__ import annotations

from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor

__all__ = ["PosixReactorBase"]

#: What every reactor is here.
PosixReactorBase = AsyncioSelectorReactor
