"""What reactors are made of, under Twisted's names."""

from __future__ import annotations

from reactorlib.internet._delayed import DelayedCall
from reactorlib.internet._resolvers import BlockingResolver, ThreadedResolver
from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor

__all__ = ["BlockingResolver", "DelayedCall", "ReactorBase", "ThreadedResolver"]

#: What every reactor is; here there is one kind.
ReactorBase = AsyncioSelectorReactor
