"""
The reactor.

`from reactorlib.internet import reactor` may stand in any file, before or after
anything: importing it makes nothing. Each use of it means the reactor of the
loop that runs, or, where none runs, the one that `reactor.run()` will start.
"""

from __future__ import annotations

import math
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zope.interface import classImplements

from reactorlib.internet._current import (
    current_reactor,
    known_reactor,
    reactor_for,
    saved_reactor,
    this_thread,
    thread_reactor,
)
from reactorlib.internet.interfaces import (
    IReactorCore,
    IReactorFDSet,
    IReactorMulticast,
    IReactorPluggableNameResolver,
    IReactorPluggableResolver,
    IReactorProcess,
    IReactorSocket,
    IReactorSSL,
    IReactorTCP,
    IReactorThreads,
    IReactorTime,
    IReactorUDP,
    IReactorUNIX,
    IReactorUNIXDatagram,
    _ISupportsExitSignalCapturing,
)
from reactorlib.python._asyncio import running_loop

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from reactorlib.internet._timers import LoopCall
    from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor

    _reactor: AsyncioSelectorReactor = current_reactor()
    addReader = _reactor.addReader
    listenUNIX = _reactor.listenUNIX
    listenSSL = _reactor.listenSSL
    iterate = _reactor.iterate
    connectUNIX = _reactor.connectUNIX
    connectSSL = _reactor.connectSSL
    adoptStreamPort = _reactor.adoptStreamPort
    adoptStreamConnection = _reactor.adoptStreamConnection
    addSystemEventTrigger = _reactor.addSystemEventTrigger
    addWriter = _reactor.addWriter
    adoptDatagramPort = _reactor.adoptDatagramPort
    callFromThread = _reactor.callFromThread
    callInThread = _reactor.callInThread
    callLater = _reactor.callLater
    callWhenRunning = _reactor.callWhenRunning
    connectTCP = _reactor.connectTCP
    connectUNIXDatagram = _reactor.connectUNIXDatagram
    crash = _reactor.crash
    fireSystemEvent = _reactor.fireSystemEvent
    getDelayedCalls = _reactor.getDelayedCalls
    getReaders = _reactor.getReaders
    getThreadPool = _reactor.getThreadPool
    getWriters = _reactor.getWriters
    installNameResolver = _reactor.installNameResolver
    installResolver = _reactor.installResolver
    listenMulticast = _reactor.listenMulticast
    listenTCP = _reactor.listenTCP
    listenUDP = _reactor.listenUDP
    listenUNIXDatagram = _reactor.listenUNIXDatagram
    nameResolver = _reactor.nameResolver
    removeAll = _reactor.removeAll
    removeReader = _reactor.removeReader
    removeSystemEventTrigger = _reactor.removeSystemEventTrigger
    removeWriter = _reactor.removeWriter
    resolve = _reactor.resolve
    resolver = _reactor.resolver
    run = _reactor.run
    running: bool
    seconds = _reactor.seconds
    spawnProcess = _reactor.spawnProcess
    stop = _reactor.stop
    suggestThreadPoolSize = _reactor.suggestThreadPoolSize
    threadpool = _reactor.threadpool
    wakeUp = _reactor.wakeUp


_callable = callable  # Twisted has an argument of that name


class _CallFromThread:
    """
    That of the reactor which `reactor` means where it is looked up.

    So a thread may be given `reactor.callFromThread` by another.
    """

    def __get__(self, reactor: _Reactor | None, owner: type[_Reactor]) -> Any:
        if reactor is None:
            return self
        found = known_reactor(running_loop())
        if found is None:
            pool = this_thread.reactor
            found = (pool and pool()) or thread_reactor()
        return found.callFromThread


class _Reactor:
    """Has whatever the current reactor has. What is set on it, as by a test, comes first."""

    # Those that programs call for each message are found without the detour through
    # `__getattr__`.

    def callLater(
        self, delay: float, callable: Callable[..., Any], *args: object, **kwargs: object
    ) -> LoopCall:
        """See `IReactorTime`."""
        reactor = known_reactor(running_loop())
        if reactor is None or not 0 <= delay < math.inf or not _callable(callable):
            return current_reactor().callLater(delay, callable, *args, **kwargs)
        return reactor._timers.call_later(delay, callable, args, kwargs)

    def seconds(self) -> float:
        """See `IReactorTime`."""
        return (known_reactor(running_loop()) or current_reactor()).seconds()

    callFromThread = _CallFromThread()

    #: So that `isinstance` knows it.
    stands_for_a_reactor = True

    #: Where that is from, which has `install()`.
    __module__ = "reactorlib.internet.asyncioreactor"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"the reactor has no attribute {name!r}")
        return getattr(reactor_for(name), name)

    def __setattr__(self, name: str, value: Any) -> None:
        # A test that replaces a method puts back what it has found there: the method
        # of one reactor, which is not to stand for that of all others.
        owner = getattr(value, "__self__", None)
        if IReactorCore.providedBy(owner) and getattr(value, "__name__", None) == name:
            self.__dict__.pop(name, None)
        else:
            super().__setattr__(name, value)

    def __repr__(self) -> str:
        return repr(current_reactor())

    def __reduce__(self) -> tuple[Callable[[], Any], tuple[()]]:
        """Copied, or saved and loaded, it is what `reactor` means there and then."""
        return saved_reactor, ()

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


classImplements(
    _Reactor,
    IReactorCore,
    IReactorTime,
    IReactorTCP,
    IReactorSSL,
    IReactorSocket,
    IReactorUDP,
    IReactorMulticast,
    IReactorProcess,
    IReactorThreads,
    IReactorPluggableResolver,
    IReactorPluggableNameResolver,
    IReactorFDSet,
    _ISupportsExitSignalCapturing,
)
if hasattr(socket, "AF_UNIX"):
    classImplements(_Reactor, IReactorUNIX, IReactorUNIXDatagram)
# The name of this module stands for the object, as in Twisted: a module cannot be
# given the state of another, as tests of programs do to have a reactor of their own.
sys.modules[__name__] = _Reactor()  # type: ignore[assignment]  # which is the point
