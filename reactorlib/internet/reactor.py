"""
The reactor.

`from reactorlib.internet import reactor` may stand in any file, before or after
anything: importing it makes nothing. Each use of it means the reactor of the
loop that runs, or, where none runs, the one that `reactor.run()` will start.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from zope.interface import classImplements

from reactorlib.internet._current import current_reactor
from reactorlib.internet.interfaces import IReactorCore, IReactorTCP, IReactorTime

if TYPE_CHECKING:
    from types import TracebackType

    from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor

    _reactor: AsyncioSelectorReactor = current_reactor()
    addSystemEventTrigger = _reactor.addSystemEventTrigger
    callLater = _reactor.callLater
    callWhenRunning = _reactor.callWhenRunning
    connectTCP = _reactor.connectTCP
    crash = _reactor.crash
    fireSystemEvent = _reactor.fireSystemEvent
    getDelayedCalls = _reactor.getDelayedCalls
    listenTCP = _reactor.listenTCP
    removeSystemEventTrigger = _reactor.removeSystemEventTrigger
    run = _reactor.run
    running: bool
    seconds = _reactor.seconds
    stop = _reactor.stop


class _ReactorModule(ModuleType):
    """A module whose missing attributes are those of the current reactor."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(current_reactor(), name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(current_reactor())})

    async def __aenter__(self) -> AsyncioSelectorReactor:
        return await current_reactor().__aenter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await current_reactor().__aexit__(exc_type, exc, traceback)


classImplements(_ReactorModule, IReactorCore, IReactorTime, IReactorTCP)
sys.modules[__name__].__class__ = _ReactorModule
