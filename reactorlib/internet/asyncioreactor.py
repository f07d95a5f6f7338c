"""
The reactor: Twisted's names over one asyncio loop.

What it does is in `_reactor`, a class for each family of methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from reactorlib.internet import _current
from reactorlib.internet._reactor._datagrams import DatagramReactor
from reactorlib.internet._reactor._descriptors import DescriptorReactor
from reactorlib.internet._reactor._names import NameReactor
from reactorlib.internet._reactor._processes import ProcessReactor
from reactorlib.internet._reactor._streams import StreamReactor
from reactorlib.internet._reactor._threads import ThreadReactor
from reactorlib.internet.interfaces import IReactorSocket

if TYPE_CHECKING:
    import asyncio

__all__ = ["AsyncioSelectorReactor", "install"]


class _ReactorType(type):
    """Counts `reactorlib.internet.reactor`, which stands for a reactor, as one."""

    def __instancecheck__(cls, instance: object) -> bool:
        if super().__instancecheck__(instance):
            return True
        return cls is AsyncioSelectorReactor and hasattr(type(instance), "stands_for_a_reactor")


@implementer(IReactorSocket)
class AsyncioSelectorReactor(
    StreamReactor,
    DatagramReactor,
    ThreadReactor,
    NameReactor,
    DescriptorReactor,
    ProcessReactor,
    metaclass=_ReactorType,
):
    """
    A reactor.

    Programs seldom make one: `from reactorlib.internet import reactor` stands
    for the right one everywhere.

    Args:
        eventLoop: a loop for `run()` to run; by default `run()` makes one.

    Attributes:
        running: whether its loop runs.

    Raises:
        TypeError: a subclass says how to run a loop of its own.
    """

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        own = [name for name in ("doIteration", "mainLoop") if name in cls.__dict__]
        if own:
            raise TypeError(
                f"{cls.__qualname__} has a {own[0]}() of its own, which nothing would call: a "
                "reactor here runs an asyncio loop. Give it one, as AsyncioSelectorReactor(loop), "
                "or for a GUI's see reactorlib.internet.qtsupport and tksupport"
            )


def install(eventloop: asyncio.AbstractEventLoop | None = None) -> None:
    """
    Let the process's own reactor be one for `eventloop`.

    Nothing has to be installed: this is for programs that do, and for those whose
    `run()` is to run a loop of their own.

    Raises:
        ReactorAlreadyInstalledError: there is one, which runs or has been asked
            for something.
    """
    reactor = AsyncioSelectorReactor(eventloop)
    if not reactor._started:  # otherwise it belongs to the loop that runs here
        _current.install(reactor)
